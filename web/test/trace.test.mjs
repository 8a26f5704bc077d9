// Functions and layers that a program writes itself, as parts of models; gradients through models. TensorFlow.js is the judge: the same
// class, the same function in both.
import assert from 'node:assert/strict';
import {suite, test} from 'node:test';
import {close, closeValues, fj, judge, random, same, shareWeights, tensor, weightsOf} from './helpers.mjs';

const both = [fj, judge];

/** Layers of a program, made of each library's own base class. */
const classesOf = (tf) => {
  /** y = x K + b, then squashed, with all that a layer can have. */
  class Own extends tf.layers.Layer {
    static className = 'Own';
    constructor(config) {
      super(config);
      this.units = config.units;
      this.scale = config.scale ?? 1;
    }
    build(inputShape) {
      this.kernel = this.addWeight('kernel', [inputShape.at(-1), this.units], 'float32', tf.initializers.glorotUniform({}));
      this.bias = this.addWeight('bias', [this.units], 'float32', tf.initializers.zeros());
      this.built = true;
    }
    computeOutputShape(inputShape) {
      return [...inputShape.slice(0, -1), this.units];
    }
    call(inputs, kwargs) {
      return tf.tidy(() => {
        const x = Array.isArray(inputs) ? inputs[0] : inputs;
        this.invokeCallHook(inputs, kwargs);
        return tf.tanh(tf.add(tf.matMul(x, this.kernel.read()), this.bias.read())).mul(this.scale);
      });
    }
    getConfig() {
      return {...super.getConfig(), units: this.units, scale: this.scale};
    }
  }
  /** Without weights: TensorFlow.js's own example. */
  class Antirectifier extends tf.layers.Layer {
    static className = 'Antirectifier';
    computeOutputShape(inputShape) {
      return [inputShape[0], 2 * inputShape[1]];
    }
    call(inputs) {
      const input = Array.isArray(inputs) ? inputs[0] : inputs;
      const centered = tf.sub(input, tf.mean(input, 1).reshape([input.shape[0], 1]));
      return tf.concat([tf.relu(centered), tf.relu(tf.neg(centered))], 1);
    }
  }
  /** Two inputs, one weight. */
  class Mix extends tf.layers.Layer {
    static className = 'Mix';
    build() {
      this.share = this.addWeight('share', [1], 'float32', tf.initializers.ones());
    }
    computeOutputShape([a]) {
      return a;
    }
    call([a, b]) {
      return a.mul(this.share.read()).add(b.mul(tf.sub(1, this.share.read())));
    }
  }
  return {Own, Antirectifier, Mix};
};
const classes = new Map(both.map((tf) => [tf, classesOf(tf)]));
for (const tf of both) for (const cls of Object.values(classes.get(tf))) tf.serialization.registerClass(cls);

/** The same losses and weights in ten steps. */
async function sameTraining(build, compile, xShape, yShape) {
  const models = both.map((tf) => build(tf, classes.get(tf)));
  shareWeights(...models);
  const logs = [];
  for (const [i, tf] of both.entries()) {
    models[i].compile(compile(tf));
    const steps = [];
    for (let step = 0; step < 10; ++step) steps.push(await models[i].trainOnBatch(tensor(tf, xShape, 5 + step), tensor(tf, yShape, 40 + step)));
    logs.push(steps.flat());
  }
  closeValues(logs[0], logs[1], 1e-5, 'the logs');
  close(models[0].predict(tensor(fj, xShape)), models[1].predict(tensor(judge, xShape)), 1e-4, 'what it predicts then');
  return models[0];
}

suite('layers of a program train as in TensorFlow.js', () => {
  const sgd = (tf) => ({optimizer: tf.train.sgd(0.1), loss: 'meanSquaredError'});
  test('with weights, in a row', async () => {
    const build = (tf, {Own}) => tf.sequential({layers: [new Own({units: 4, scale: 2, inputShape: [3]}), tf.layers.dense({units: 2})]});
    const model = await sameTraining(build, sgd, [8, 3], [8, 2]);
    assert.deepEqual(model.weights.map((w) => w.name.replace(/_\d+/, '')), ['own/kernel', 'own/bias', 'dense/kernel', 'dense/bias']);
    // Another size of batch is another graph.
    assert.deepEqual(model.predict(tensor(fj, [3, 3])).shape, [3, 2]);
  });
  test('without weights', () => sameTraining((tf, {Antirectifier}) => tf.sequential({layers: [tf.layers.dense({units: 3, inputShape: [4]}), new Antirectifier(), tf.layers.dense({units: 2})]}), sgd, [8, 4], [8, 2]));
  test('of two inputs, in a functional model, one layer twice', async () => {
    const build = (tf, {Own, Mix}) => {
      const x = tf.input({shape: [3]});
      const own = new Own({units: 3});
      const h = own.apply(own.apply(x));
      return tf.model({inputs: x, outputs: tf.layers.dense({units: 2}).apply(new Mix().apply([x, h]))});
    };
    const model = await sameTraining(build, sgd, [8, 3], [8, 2]);
    assert.equal(model.weights.length, 5);
  });
  test('one that calls a layer of the engine', async () => {
    class Block extends fj.layers.Layer {
      static className = 'Block';
      constructor() {
        super({});
        this.dense = fj.layers.dense({units: 3, activation: 'relu', name: 'inner'});
      }
      call([x]) {
        return this.dense.apply(x).add(x);
      }
    }
    const x = fj.input({shape: [3]});
    const own = fj.model({inputs: x, outputs: new Block().apply(x)});
    assert.deepEqual(own.weights.map((w) => w.name.replace(/_\d+/, '')), ['block/inner/kernel', 'block/inner/bias']);
    const dense = fj.layers.dense({units: 3, activation: 'relu'});
    const plain = fj.model({inputs: x, outputs: fj.layers.add().apply([dense.apply(x), x])});
    plain.setWeights(own.getWeights());
    const [a, b] = [tensor(fj, [8, 3]), tensor(fj, [8, 3], 9)];
    for (const model of [own, plain]) model.compile(sgd(fj));
    for (let i = 0; i < 3; ++i) assert.equal(await own.trainOnBatch(a, b), await plain.trainOnBatch(a, b));
  });
  test('a gradient within a layer', () => {
    class Slope extends fj.layers.Layer {
      static className = 'Slope';
      call([x]) {
        return fj.grad((t) => t.pow(3).sum())(x);
      }
    }
    const layer = new Slope({});
    closeValues(layer.apply(fj.tensor2d([[1, 2, -1]])).dataSync(), [3, 12, 3]);
  });
  test('states that a call writes go on', () => {
    class Count extends fj.layers.Layer {
      static className = 'Count';
      build() {
        this.count = this.addWeight('count', [1], 'float32', 'zeros', null, false);
      }
      call([x]) {
        this.count.write(this.count.read().add(1));
        return x.mul(this.count.read());
      }
    }
    const model = fj.sequential({layers: [new Count({inputShape: [2]})]});
    const x = fj.ones([1, 2]);
    assert.deepEqual([1, 2, 3].map(() => model.predict(x).dataSync()[0]), [1, 2, 3]);
    assert.deepEqual([...model.getWeights()[0].dataSync()], [3]);
  });
  test('random numbers are others in each step', () => {
    class Noise extends fj.layers.Layer {
      static className = 'Noise';
      call([x], {training}) {
        return training ? x.add(fj.randomNormal(x.shape)).add(fj.randomUniform(x.shape)) : x;
      }
    }
    const model = fj.sequential({layers: [new Noise({inputShape: [100]})]});
    const x = fj.zeros([1, 100]);
    assert.deepEqual([...model.predict(x).dataSync()], Array(100).fill(0));
    const [a, b] = [1, 2].map(() => [...model.apply(x, {training: true}).dataSync()]);
    assert.notDeepEqual(a, b);
    assert.ok(Math.abs(a.reduce((sum, v) => sum + v) / 100 - 0.5) < 0.5);
  });
});

suite('a layer of a program', () => {
  const {Own} = classes.get(fj);
  test('computes with values, as TensorFlow.js has it', () => {
    const layers = both.map((tf) => new (classes.get(tf).Own)({units: 2}));
    const xs = both.map((tf) => tensor(tf, [3, 4]));
    layers.forEach((l, i) => l.apply(xs[i]));
    const values = layers[1].getWeights().map((t) => t.dataSync());
    layers[0].setWeights(values.map((v, i) => fj.tensor(v, layers[1].getWeights()[i].shape)));
    close(layers[0].apply(xs[0]), layers[1].apply(xs[1]));
  });
  test('is saved under the name of its class, with its config, and found again', async () => {
    const model = fj.sequential({layers: [new Own({units: 4, scale: 0.5, name: 'mine', inputShape: [3]}), fj.layers.dense({units: 1})]});
    model.compile({optimizer: 'adam', loss: 'meanSquaredError'});
    const [x, y] = [tensor(fj, [8, 3]), tensor(fj, [8, 1])];
    await model.trainOnBatch(x, y);
    const [{class_name, config}] = JSON.parse(model.toJSON()).config.layers;
    assert.equal(class_name, 'Own');
    assert.deepEqual(config, {name: 'mine', trainable: true, batch_input_shape: [null, 3], dtype: 'float32', units: 4, scale: 0.5});
    let [file, parts] = [];
    await model.save({saveFile: async (bytes) => ((file = bytes), {modelArtifactsInfo: {}})}, {includeOptimizer: true});
    await model.save({save: async (artifacts) => ((parts = artifacts), {modelArtifactsInfo: {}})}, {includeOptimizer: true});
    const expected = model.predict(x);
    const next = await model.trainOnBatch(x, y);
    for (const saved of [file, parts]) {
      const loaded = await fj.loadLayersModel(saved === file ? fj.io.fromMemory(file) : {load: async () => parts});
      assert.ok(loaded.layers[0] instanceof Own);
      assert.equal(loaded.layers[0].scale, 0.5);
      same(loaded.predict(x), expected);
      assert.equal(await loaded.trainOnBatch(x, y), next);
    }
  });
  test('is loaded from what TensorFlow.js has saved', async () => {
    const theirs = judge.sequential({layers: [new (classes.get(judge).Own)({units: 2, scale: 3, inputShape: [3]})]});
    let parts;
    await theirs.save({save: async (artifacts) => ((parts = artifacts), {modelArtifactsInfo: {}})});
    const loaded = await fj.loadLayersModel({load: async () => parts});
    close(loaded.predict(tensor(fj, [4, 3])), theirs.predict(tensor(judge, [4, 3])));
  });
  test('what would not end, or is not done, is refused', () => {
    const refused = (call, words) => {
      class Wrong extends Own {
        static className = 'Wrong';
        call(inputs) {
          return call.call(this, inputs[0]);
        }
      }
      const model = () => fj.sequential({layers: [new Wrong({units: 2, inputShape: [3]})]}).predict(fj.ones([1, 3]));
      assert.throws(model, words);
    };
    refused(function (x) {
      return x.mul(this.getWeights()[0].sum());
    }, /it cannot be a part of a model: The weights of sequential_\d+ are asked for while they are made/);
    refused(function (x) {
      return this.apply(x);
    }, /it calls itself again and again/);
    refused((x) => x.matMul(x), /wrong_\d+: matMul/);
    refused((x) => x.print(), /wrong_\d+: it cannot be a part of a model: the values of a tensor are read/);
    refused(async (x) => x, /wrong_\d+: it cannot be a part of a model: it is asynchronous/);
  });
  test('within a layer of the engine it does what it does by itself', async () => {
    const each = fj.sequential({layers: [fj.layers.timeDistributed({layer: new Own({units: 2, name: 'own'}), inputShape: [4, 3]}), fj.layers.flatten(), fj.layers.dense({units: 1})]});
    const alone = fj.sequential({layers: [new Own({units: 2, inputShape: [3]})]});
    const [x, y] = [tensor(fj, [2, 4, 3]), fj.ones([2, 1])];
    each.compile({optimizer: 'sgd', loss: 'meanSquaredError'});
    for (let i = 0; i < 2; ++i) {
      alone.setWeights(each.getWeights().slice(0, 2));
      const inner = fj.model({inputs: each.inputs, outputs: each.layers[0].output});
      closeValues(inner.predict(x).dataSync(), alone.predict(x.reshape([8, 3])).dataSync(), 1e-6);
      await each.trainOnBatch(x, y);
    }
    assert.equal(each.layers[0].getConfig().layer.className, 'Own');
  });
  test('a step does not call it again', async () => {
    let calls = 0;
    const model = fj.sequential({layers: [fj.layers.dense({units: 1, inputShape: [2]})]});
    model.compile({optimizer: 'sgd', loss: (y, p) => (++calls, y.sub(p).square())});
    const step = async (n) => (await model.trainOnBatch(fj.ones([n, 2]), fj.ones([n, 1])), calls);
    const first = await step(4);
    assert.equal(await step(4), first);
    assert.equal(await step(3), first + 1);
  });
  test('an unknown class is named', async () => {
    class Unregistered extends fj.layers.Layer {
      static className = 'Unregistered';
    }
    const model = fj.sequential({layers: [new Unregistered({inputShape: [2]})]});
    let file;
    await model.save({saveFile: async (bytes) => ((file = bytes), {modelArtifactsInfo: {}})});
    await assert.rejects(fj.loadLayersModel(fj.io.fromMemory(file)), /unknown layer class "Unregistered"/);
  });
  test('its weights are read and written, and frozen', async () => {
    const layer = new Own({units: 1, inputShape: [2]});
    assert.deepEqual(layer.getWeights(), []);
    const model = fj.sequential({layers: [layer]});
    model.predict(fj.ones([1, 2]));
    layer.kernel.write(fj.tensor2d([[1], [2]]));
    assert.deepEqual([...layer.kernel.read().dataSync()], [1, 2]);
    closeValues(model.predict(fj.ones([1, 2])).dataSync(), [Math.tanh(3)]);
    layer.trainable = false;
    model.compile({optimizer: 'sgd', loss: 'meanSquaredError'});
    await model.trainOnBatch(fj.ones([1, 2]), fj.ones([1, 1]));
    assert.deepEqual([...layer.kernel.read().dataSync()], [1, 2]);
  });
  test('what a program changes of it counts from then on, as in TensorFlow.js', async () => {
    const [ours, theirs] = await Promise.all(both.map(async (tf) => {
      class Times extends tf.layers.Layer {
        static className = 'Times';
        k = 1;
        signs = [1, 1];
        times = 0;
        constructor(inner) {
          super({});
          this.inner = inner;
        }
        computeOutputShape([shape]) {
          return Array.isArray(shape) ? shape : [null, 2];
        }
        call(inputs) {
          ++this.times;
          const x = [inputs].flat()[0].mul(this.k).mul(tf.tensor1d(this.signs));
          return this.inner ? this.inner.apply(x) : x;
        }
      }
      const inner = new Times();
      const layer = new Times(inner);
      const input = tf.input({shape: [2]});
      const model = tf.model({inputs: input, outputs: tf.layers.dense({units: 1, kernelInitializer: 'ones'}).apply(layer.apply(input))});
      const values = [];
      const look = () => values.push(...model.predict(tf.ones([1, 2])).dataSync(), ...layer.apply(tf.ones([1, 2])).dataSync());
      look();
      layer.k = 5;
      look();
      inner.k = 2;
      look();
      inner.signs[1] = -1;
      look();
      model.compile({optimizer: tf.train.sgd(0.01), loss: 'meanSquaredError'});
      const fit = (callbacks) => model.fit(tf.ones([4, 2]), tf.ones([4, 1]), {epochs: 3, batchSize: 2, shuffle: false, verbose: 0, callbacks});
      values.push(...(await fit({onEpochBegin: (epoch) => void (layer.k = epoch)})).history.loss);
      values.push(...(await fit({onBatchBegin: (batch) => void (layer.k = 0.5 + batch)})).history.loss);
      look();
      const {times} = layer;
      model.predict(tf.ones([1, 2]));
      if (tf === fj) assert.equal(layer.times, times);
      return values;
    }));
    closeValues(ours, theirs, 1e-5);
  });
  test('is an instance of tf.layers.Layer, as others are', () => {
    const layer = new Own({units: 1});
    assert.ok(layer instanceof fj.layers.Layer && layer instanceof Own);
    const dense = fj.layers.dense({units: 1});
    assert.ok(dense instanceof fj.layers.Layer && !(dense instanceof Own));
  });
  test('inputs that it does not take are refused as in TensorFlow.js', () => {
    for (const tf of both) {
      const layer = new (classes.get(tf).Mix)({});
      layer.inputSpec = [new tf.InputSpec({ndim: 2}), new tf.InputSpec({axes: {[-1]: 3}})];
      const x = (n) => tf.input({shape: [n]});
      assert.throws(() => layer.apply([x(3)]), /expects 2 inputs, but it received 1 input tensors/);
      assert.throws(() => layer.apply([x(3), x(4)]), /Input 1 is incompatible with layer mix.*: expected axis -1 of input shape to have value 3/);
    }
  });
});

suite('functions', () => {
  const model = (tf) => tf.sequential({layers: [tf.layers.dense({units: 3, activation: 'tanh', inputShape: [3]}), tf.layers.dense({units: 2})]});
  const huber = (tf) =>
    function huber(yTrue, yPred) {
      const e = tf.abs(yPred.sub(yTrue));
      const quadratic = tf.minimum(e, 0.5);
      return quadratic.square().add(e.sub(quadratic)).mul(0.5).mean(-1);
    };
  test('a loss, of each sample or of all', async () => {
    await sameTraining(model, (tf) => ({optimizer: tf.train.momentum(0.05, 0.9), loss: huber(tf)}), [8, 3], [8, 2]);
    await sameTraining(model, (tf) => ({optimizer: tf.train.momentum(0.05, 0.9), loss: (y, p) => tf.mean(tf.square(tf.sub(y, p)))}), [8, 3], [8, 2]);
    await sameTraining(model, (tf) => ({optimizer: tf.train.momentum(0.05, 0.9), loss: tf.losses.huberLoss}), [8, 3], [8, 2]);
  });
  test('metrics, which logs name as they are named', async () => {
    const worst = (tf) => function worst(y, p) {
      return tf.max(tf.abs(tf.sub(y, p)));
    };
    const own = await sameTraining(model, (tf) => ({optimizer: 'sgd', loss: 'meanSquaredError', metrics: [worst(tf), tf.metrics.meanAbsoluteError, 'mse']}), [8, 3], [8, 2]);
    const histories = [];
    for (const tf of both) {
      const m = model(tf);
      m.setWeights(own.getWeights().map((t) => tf.tensor(t.dataSync(), t.shape)));
      m.compile({optimizer: 'sgd', loss: huber(tf), metrics: [worst(tf), huber(tf)]});
      const {history} = await m.fit(tensor(tf, [10, 3]), tensor(tf, [10, 2]), {epochs: 2, batchSize: 4, shuffle: false, verbose: 0, validationSplit: 0.2});
      histories.push(history);
    }
    assert.deepEqual(Object.keys(histories[0]).sort(), Object.keys(histories[1]).sort());
    for (const key of Object.keys(histories[1])) closeValues(histories[0][key], histories[1][key], 1e-5, key);
  });
  test('metrics of one name are told apart as in TensorFlow.js', async () => {
    const constant = (tf, name, value) => Object.defineProperty(() => tf.scalar(value), 'name', {value: name});
    const cases = {
      'two functions': (f) => [f('q', 1), f('q', 2), f('p', 3)],
      'two names': () => ['mae', 'mse', 'mae'],
      'one that is called loss': (f) => [f('loss', 1)],
      'two without a name': (f) => [f('', 1), f('', 2)],
      'one without a name': (f) => [f('', 1)],
      'of several outputs': (f) => [f('q', 1), f('q', 2), f('loss', 3)],
      'of outputs by name': (f, [a, b]) => ({[a]: [f('q', 1), f('q', 2)], [b]: 'mse'}),
    };
    for (const [what, metrics] of Object.entries(cases)) {
      const outputs = /outputs/.test(what) ? ['first', 'second'] : ['first'];
      const [ours, theirs] = await Promise.all(both.map(async (tf) => {
        const x = tf.input({shape: [2]});
        const dense = (name) => tf.layers.dense({units: 1, kernelInitializer: 'ones', name: `${name}_${what.replaceAll(' ', '_')}`});
        const m = tf.model({inputs: x, outputs: outputs.map((name) => dense(name).apply(x))});
        m.compile({optimizer: tf.train.sgd(0.1), loss: 'meanSquaredError', metrics: metrics((name, value) => constant(tf, name, value), m.outputNames)});
        const y = outputs.map(() => tf.ones([4, 1]));
        const batches = [];
        const {history} = await m.fit(tf.ones([4, 2]), y, {epochs: 2, verbose: 0, validationData: [tf.ones([4, 2]), y], callbacks: {onBatchEnd: (_, logs) => void batches.push({...logs})}});
        if (outputs.length === 1) history.evaluated = [m.evaluate(tf.ones([4, 2]), y)].flat().map((t) => t.dataSync()[0]);
        const logs = {...history, ...Object.fromEntries(Object.entries(batches[1]).map(([key, value]) => [`batch ${key}`, [value]]))};
        // Beside a metric of its name the loss has a number there: docs/tensorflowjs.md.
        return Object.fromEntries(Object.entries(logs).map(([key, values]) => [key.replace(/loss_0$/, 'loss'), values]));
      }));
      assert.deepEqual(Object.keys(ours).sort(), Object.keys(theirs).sort(), what);
      for (const key of Object.keys(theirs)) {
        // Of several outputs its validation has its values under other names than their own.
        if (outputs.length === 1 || !key.startsWith('val_')) closeValues(ours[key], theirs[key], 1e-5, `${what}: ${key}`);
      }
    }
  });
  test('metrics called batch and size leave the number of the batch and of its samples', async () => {
    const m = model(fj);
    m.compile({optimizer: 'sgd', loss: 'meanSquaredError', metrics: ['batch', 'size'].map((name) => Object.defineProperty(() => fj.scalar(77), 'name', {value: name}))});
    const seen = [];
    const {history} = await m.fit(tensor(fj, [4, 3]), tensor(fj, [4, 2]), {batchSize: 3, callbacks: {onBatchEnd: (_, {batch, size}) => void seen.push([batch, size])}});
    assert.deepEqual(seen, [[0, 3], [1, 1]]);
    assert.deepEqual([history.batch, history.size], [[77], [77]]);
  });
  test('metrics of one name keep their names in a file', async () => {
    const m = model(fj);
    m.compile({optimizer: 'sgd', loss: 'meanSquaredError', metrics: ['mae', 'mae']});
    for (const saved of [m.file(true), m.artifacts(true)]) {
      const loaded = await fj.loadLayersModel(saved instanceof Uint8Array ? fj.io.fromMemory(saved) : {load: async () => saved});
      assert.deepEqual(Object.keys(await loaded.evaluateAsync(tensor(fj, [4, 3]), tensor(fj, [4, 2]))), ['loss', 'mae_0', 'mae_1']);
    }
  });
  test('losses of several outputs, some of them named', async () => {
    const build = (tf) => {
      const x = tf.input({shape: [3]});
      return tf.model({inputs: x, outputs: ['a', 'b'].map((name) => tf.layers.dense({units: 2, name: `${name}_${tf === fj}`}).apply(x))});
    };
    const models = both.map(build);
    shareWeights(...models);
    const logs = [];
    for (const [i, tf] of both.entries()) {
      models[i].compile({optimizer: 'sgd', loss: [huber(tf), 'meanAbsoluteError']});
      logs.push(await models[i].trainOnBatch(tensor(tf, [8, 3]), [tensor(tf, [8, 2], 7), tensor(tf, [8, 2], 8)]));
    }
    closeValues(logs[0], logs[1], 1e-5);
  });
  test('activations, regularizers and constraints', async () => {
    const dense = (tf, args) => tf.sequential({layers: [tf.layers.dense({units: 2, inputShape: [3], ...args})]});
    const [own, plain] = [
      dense(fj, {activation: (x) => x.mul(fj.sigmoid(x)), kernelRegularizer: (w) => w.square().sum().mul(0.1), kernelConstraint: {apply: (w) => fj.relu(w)}}),
      dense(judge, {activation: 'swish', kernelRegularizer: judge.regularizers.l2({l2: 0.1}), kernelConstraint: 'nonNeg'}),
    ];
    // TensorFlow.js applies a constraint to what is written, too.
    for (const [tf, m] of [[fj, own], [judge, plain]]) m.setWeights([tf.tensor(random([3, 2], 0.1, 1), [3, 2]), tf.zeros([2])]);
    own.compile({optimizer: fj.train.sgd(0.1), loss: 'meanSquaredError'});
    plain.compile({optimizer: judge.train.sgd(0.1), loss: 'meanSquaredError'});
    for (let i = 0; i < 5; ++i) {
      const [a, b] = [await own.trainOnBatch(tensor(fj, [8, 3]), tensor(fj, [8, 2])), await plain.trainOnBatch(tensor(judge, [8, 3]), tensor(judge, [8, 2]))];
      closeValues([a], [b], 1e-5, `step ${i}`);
    }
  });
  test('what is no op of a step is refused, and the function is named', () => {
    const refused = (loss, words) => assert.throws(() => model(fj).compile({optimizer: 'sgd', loss}), words);
    const loss = (f) => Object.defineProperty(f, 'name', {value: 'mine'});
    refused(loss((y, p) => fj.scalar(p.dataSync()[0])), /loss: mine: it cannot be a part of a model: the values of a tensor are read \(by dataSync/);
    refused(loss((y, p) => (p.arraySync()[0][0] > 0 ? y : p)), /loss: mine: it cannot be a part of a model: the values of a tensor are read/);
    refused(loss(async (y, p) => y.sub(p)), /loss: mine: it cannot be a part of a model: it is asynchronous/);
    refused(loss((y, p) => p.mul(Math.random())), /loss: mine: it cannot be a part of a model: it calls Math\.random/);
    refused(loss((y, p) => p.add(fj.randomNormal([2]))), /loss: mine: it cannot be a part of a model: a random number, which is another one in each step, belongs to a layer/);
    refused(loss(() => 3), /loss: mine: it cannot be a part of a model: it has to give a tensor, got 3/);
    refused(loss((y, p) => y.sub(p.reshape([5, 5]))), /loss: mine: reshape/);
    refused(loss((y) => y), /the loss depends on none of the weights that are trained/);
    const v = fj.variable([1, 2], true, 'fixed_in_loss');
    refused(loss((y, p) => y.sub(p).mul(v)), /it uses the variable fixed_in_loss, which would be the same in each step/);
    const other = model(fj);
    refused(loss((y) => other.predict(y)), /it calls the model sequential_\d+, which would be the same in each step/);
    refused(loss((y, p) => y.sub(p).mul(other.predict(fj.ones([2, 3])))), /it calls the model sequential_\d+, which/);
    refused(loss((y, p) => y.sub(p).mul(other.apply(fj.ones([2, 3])))), /it calls the model sequential_\d+, which/);
    refused(loss((y, p) => y.sub(p).add(other.getWeights()[1])), /it reads the weights of sequential_\d+, which would be the same in each step: a layer has weights of its own, by addWeight/);
    refused(loss((y, p) => y.sub(p).add(other.layers[0].getWeights()[0].sum())), /it reads the weights of sequential_\d+, which/);
    refused(loss((y, p) => y.sub(p).add(other.layers[0].weights[0].read().sum())), /it uses the variable dense_\d+\/kernel\w*, which/);
    for (const read of ['dataSync', 'arraySync', 'toString', 'clone']) refused(loss((y, p) => (v[read](), y.sub(p))), /it uses the variable fixed_in_loss, which/);
    refused(loss((y, p) => (v.assign(fj.ones([2])), y.sub(p))), /it writes to the variable fixed_in_loss, which/);
    const optimizer = fj.train.sgd(0.1);
    refused(loss((y, p) => y.sub(p).mul(optimizer.learningRate)), /it reads the learning rate, which would be the same in each step: a callback/);
    other.compile({optimizer, loss: 'meanSquaredError'});
    refused(loss((y, p) => y.sub(p).mul(optimizer.learningRate)), /it reads the learning rate/);
    refused(loss((y, p) => y.sub(p).mul(other.learningRate)), /it reads the learning rate/);
    assert.deepEqual([...v.dataSync(), optimizer.learningRate], [1, 2, 0.1]);
    v.dispose();
    // Math.random is what it was.
    assert.ok(Math.random() !== Math.random());
  });
  test('what a function had is no tensor after it', () => {
    let kept;
    const m = model(fj);
    m.compile({optimizer: 'sgd', loss: (y, p) => (kept = fj.keep(y.sub(p))).square()});
    assert.throws(() => kept.add(1), /a tensor of a function that was traced is used after it/);
    assert.throws(() => kept.dataSync(), /the values of a tensor are read/);
    kept.dispose();
  });
  test('tensors from around are constants', async () => {
    const weights = (tf) => tf.tensor1d([2, 0.5]);
    await sameTraining(model, (tf) => ({optimizer: 'sgd', loss: (y, p) => tf.square(tf.sub(y, p)).mul(weights(tf)).sum(-1)}), [8, 3], [8, 2]);
  });
  test('a compiled model is saved without them, or refuses', async () => {
    const m = model(fj);
    m.compile({optimizer: 'sgd', loss: huber(fj)});
    const handler = {save: async () => ({modelArtifactsInfo: {}})};
    await m.save(handler);
    await assert.rejects(m.save(handler, {includeOptimizer: true}), /A function, such as a loss or an activation, cannot be saved/);
    await assert.rejects(m.save({saveFile: async () => ({modelArtifactsInfo: {}})}, {includeOptimizer: true}), /is a function, which no file can hold/);
  });
  test('nothing is left of a trace', () => {
    const m = model(fj);
    m.compile({optimizer: 'sgd', loss: huber(fj)});
    const before = fj.memory().numTensors;
    for (let i = 0; i < 3; ++i) m.compile({optimizer: 'sgd', loss: (y, p) => fj.tidy(() => y.sub(p).abs().clone())});
    assert.equal(fj.memory().numTensors, before);
  });
});

suite('gradients through models are those of TensorFlow.js', () => {
  const model = (tf) => tf.sequential({layers: [tf.layers.dense({units: 4, activation: 'tanh', inputShape: [3]}), tf.layers.layerNormalization(), tf.layers.dense({units: 2})]});
  const pair = (build = model) => {
    const models = both.map(build);
    shareWeights(...models);
    return models;
  };
  test('by the input', () => {
    const [ours, theirs] = pair();
    for (const f of ['apply', 'predict', 'predictOnBatch']) {
      close(fj.grad((x) => ours[f](x).square().sum())(tensor(fj, [4, 3])), judge.grad((x) => theirs[f](x).square().sum())(tensor(judge, [4, 3])), 1e-4, f);
    }
  });
  test('by all weights, under their names', () => {
    const [ours, theirs] = pair();
    const {value, grads} = fj.variableGrads(() => ours.apply(tensor(fj, [4, 3])).square().mean());
    const expected = judge.variableGrads(() => theirs.apply(tensor(judge, [4, 3])).square().mean(), theirs.trainableWeights.map((w) => w.val));
    closeValues(value.dataSync(), expected.value.dataSync());
    assert.deepEqual(Object.keys(grads), ours.trainableWeights.map((w) => w.name));
    theirs.trainableWeights.forEach((w, i) => close(Object.values(grads)[i], expected.grads[w.name], 1e-4, w.name));
  });
  test('by weights that are listed, and frozen ones', () => {
    const [ours] = pair();
    const loss = () => ours.apply(tensor(fj, [4, 3])).square().mean();
    const [kernel, bias] = ours.layers[0].weights.map((w) => w.val);
    assert.deepEqual(Object.keys(fj.variableGrads(loss, [bias, kernel]).grads), [bias.name, kernel.name]);
    ours.layers[0].trainable = false;
    assert.deepEqual(Object.keys(fj.variableGrads(loss).grads), ours.trainableWeights.map((w) => w.name));
    assert.equal(ours.trainableWeights.length, 4);
  });
  test('minimize trains a model', () => {
    const [ours, theirs] = pair();
    const losses = [[ours, fj], [theirs, judge]].map(([m, tf]) => {
      const optimizer = tf.train.adam(0.05);
      const [x, y] = [tensor(tf, [8, 3]), tensor(tf, [8, 2], 8)];
      const variables = tf === judge ? m.trainableWeights.map((w) => w.val) : undefined;
      return Array.from({length: 10}, () => optimizer.minimize(() => tf.losses.meanSquaredError(y, m.apply(x)), true, variables).dataSync()[0]);
    });
    closeValues(losses[0], losses[1], 1e-5);
    assert.ok(losses[0][9] < losses[0][0] * 0.9);
    // And the model predicts with the new weights.
    close(ours.predict(tensor(fj, [8, 3])), theirs.predict(tensor(judge, [8, 3])), 1e-4);
  });
  test('two models at once, as in adversarial training', () => {
    const nets = both.map((tf) => [tf.sequential({layers: [tf.layers.dense({units: 3, inputShape: [2]})]}), tf.sequential({layers: [tf.layers.dense({units: 1, activation: 'sigmoid', inputShape: [3]})]})]);
    [0, 1].forEach((i) => shareWeights(nets[0][i], nets[1][i], 3 + 10 * i));
    const steps = both.map((tf, i) => {
      const [generator, critic] = nets[i];
      const optimizer = tf.train.sgd(0.5);
      const logs = [];
      for (let step = 0; step < 4; ++step) {
        const part = step % 2 ? generator : critic;
        const f = () => critic.apply(generator.apply(tensor(tf, [6, 2], step))).log().mean().mul(step % 2 ? -1 : 1);
        logs.push(optimizer.minimize(f, true, part.trainableWeights.map((w) => w.val)).dataSync()[0]);
      }
      return logs;
    });
    closeValues(steps[0], steps[1], 1e-5);
  });
  test('of layers that are applied to values', () => {
    const layers = both.map((tf) => tf.layers.dense({units: 2, activation: 'sigmoid'}));
    layers.forEach((l, i) => l.apply(tensor(both[i], [4, 3])));
    const values = random([3, 2]);
    layers.forEach((l, i) => l.setWeights([both[i].tensor(values, [3, 2]), both[i].zeros([2])]));
    const results = both.map((tf, i) => tf.variableGrads(() => layers[i].apply(tensor(tf, [4, 3])).sum(), layers[i].trainableWeights.map((w) => w.val)).grads);
    Object.values(results[1]).forEach((g, i) => close(Object.values(results[0])[i], g, 1e-4));
    close(fj.grad((x) => layers[0].apply(x).sum())(tensor(fj, [4, 3])), judge.grad((x) => layers[1].apply(x).sum())(tensor(judge, [4, 3])), 1e-4);
  });
  test('of a layer of the program', () => {
    const layers = both.map((tf) => new (classes.get(tf).Own)({units: 2}));
    layers.forEach((l, i) => l.apply(tensor(both[i], [4, 3])));
    layers[0].setWeights(layers[1].getWeights().map((t) => fj.tensor(t.dataSync(), t.shape)));
    const results = both.map((tf, i) => tf.variableGrads(() => layers[i].apply(tensor(tf, [4, 3])).square().sum(), [layers[i].kernel.val ?? layers[i].weights[0].val]).grads);
    close(Object.values(results[0])[0], Object.values(results[1])[0], 1e-4);
  });
  test('of several inputs and outputs', () => {
    const build = (tf) => {
      const [a, b] = [tf.input({shape: [2]}), tf.input({shape: [3]})];
      const h = tf.layers.concatenate().apply([a, b]);
      return tf.model({inputs: [a, b], outputs: [tf.layers.dense({units: 2, activation: 'tanh'}).apply(h), tf.layers.dense({units: 1}).apply(h)]});
    };
    const models = pair(build);
    const [ours, theirs] = both.map((tf, i) => tf.grads((a, b) => {
      const [y, z] = models[i].apply([a, b]);
      return y.square().sum().add(z.mul(3).sum());
    })([tensor(tf, [4, 2]), tensor(tf, [4, 3])]));
    ours.forEach((g, i) => close(g, theirs[i], 1e-4));
  });
  test('as in training: states go on, dropout draws anew and gives its own gradient', () => {
    const models = pair((tf) => tf.sequential({layers: [tf.layers.batchNormalization({inputShape: [3]}), tf.layers.dense({units: 2})]}));
    const [ours, theirs] = both.map((tf, i) => tf.grad((x) => models[i].apply(x, {training: true}).square().sum())(tensor(tf, [6, 3])));
    close(ours, theirs, 1e-4);
    const averages = (m) => m.layers[0].getWeights().slice(2).map((t) => t.dataSync());
    averages(models[0]).forEach((v, i) => closeValues(v, averages(models[1])[i], 1e-4));
    const dropout = fj.sequential({layers: [fj.layers.dropout({rate: 0.5, inputShape: [64]})]});
    const {value, grad} = fj.valueAndGrad((x) => dropout.apply(x, {training: true}))(fj.ones([1, 64]));
    assert.deepEqual([...grad.dataSync()], [...value.dataSync()]);
    assert.notDeepEqual([...dropout.apply(fj.ones([1, 64]), {training: true}).dataSync()], [...value.dataSync()]);
  });
  test('of gradients: a penalty on the slope', () => {
    const ours = fj.sequential({layers: [fj.layers.dense({units: 4, activation: 'tanh', inputShape: [3]}), fj.layers.dense({units: 1})]});
    const penalty = (x) => fj.grad((t) => ours.apply(t).sum())(x).square().sum();
    const [values, kStep] = [random([2, 3], -1, 1), 1e-2];
    const at = (moved) => penalty(fj.tensor(moved, [2, 3])).dataSync()[0];
    // TensorFlow.js has none through its layers.
    const expected = Array.from(values, (_, i) => (at(values.with(i, values[i] + kStep)) - at(values.with(i, values[i] - kStep))) / (2 * kStep));
    closeValues(fj.grad(penalty)(fj.tensor(values, [2, 3])).dataSync(), expected, 2e-3);
  });
  test('what evaluate gives has none', () => {
    const ours = model(fj);
    ours.compile({optimizer: 'sgd', loss: 'meanSquaredError'});
    const v = fj.variable(fj.scalar(1), true, 'beside_evaluate');
    assert.throws(() => fj.train.sgd(0.1).minimize(() => ours.evaluate(tensor(fj, [4, 3]), tensor(fj, [4, 2])).mul(v)), /calls a model's evaluate, through which no gradient goes/);
    v.dispose();
  });
  test('nothing is left of it', () => {
    const ours = model(fj);
    const optimizer = fj.train.sgd(0.1);
    const step = () => optimizer.minimize(() => fj.tidy(() => ours.apply(tensor(fj, [4, 3])).square().mean()));
    step();
    const before = fj.memory();
    for (let i = 0; i < 5; ++i) step();
    assert.equal(fj.memory().numTensors - before.numTensors, 0);
  });
});

suite('weights as variables', () => {
  const model = () => fj.sequential({layers: [fj.layers.dense({units: 1, inputShape: [2]})]});
  test('read and write the model', () => {
    const m = model();
    const [kernel] = m.weights;
    assert.ok(kernel instanceof fj.LayerVariable && kernel.val instanceof fj.Variable);
    assert.deepEqual([kernel.shape, kernel.dtype, kernel.trainable], [[2, 1], 'float32', true]);
    kernel.write(fj.tensor2d([[3], [4]]));
    closeValues(m.predict(fj.ones([1, 2])).dataSync(), [7]);
    assert.deepEqual([...kernel.read().dataSync()], [3, 4]);
    assert.equal(m.weights[0].val, kernel.val);
    assert.throws(() => kernel.write(fj.ones([3])), /cannot take float32 \[3\]/);
    const before = kernel.read().clone();
    kernel.val.assign(fj.zeros([2, 1]));
    assert.deepEqual([...before.dataSync()], [3, 4]);
  });
  test('are gone with it', () => {
    const m = model();
    const {val} = m.weights[0];
    m.dispose();
    assert.throws(() => val.dataSync(), /belonged to a model that was disposed of|disposed/);
  });
});

suite('gradients of the program', () => {
  const straight = (tf) => tf.customGrad((x) => ({value: x.round(), gradFunc: (dy) => dy.clipByValue(-1, 1)}));
  const product = (tf) => tf.customGrad((a, b, save) => {
    save([a, b]);
    return {value: a.mul(b), gradFunc: (dy, [a, b]) => [dy.mul(b).mul(2), dy.mul(a).mul(3)]};
  });
  const cases = {
    'in place of those of ops': (tf, x) => straight(tf)(x.mul(2)).mul(3).sum(),
    'of two inputs, with what was saved': (tf, x) => product(tf)(x, x.add(1)).square().sum(),
    'one after the other': (tf, x) => straight(tf)(product(tf)(straight(tf)(x.mul(3)), x)).sum(),
    'beside others': (tf, x) => straight(tf)(x).mul(x).add(x.square()).sum(),
    'of a copy': (tf, x) => tf.customGrad((t) => ({value: t.clone(), gradFunc: (dy) => dy.mul(-2)}))(x).mul(x).sum(),
  };
  for (const [name, f] of Object.entries(cases)) {
    test(name, () => close(...both.map((tf) => tf.grad((x) => f(tf, x))(tf.tensor1d([0.2, 1.4, -0.7])))));
  }
  test('by variables', () => {
    const results = both.map((tf) => {
      const v = tf.variable(tf.tensor1d([1.2, -3]), true, `custom_${tf === fj}`);
      const {grads} = tf.variableGrads(() => straight(tf)(v).square().sum(), [v]);
      v.dispose();
      return Object.values(grads)[0];
    });
    close(...results);
  });
  test('what is no gradient is refused', () => {
    const wrong = (f, words) => assert.throws(() => fj.grad((x) => fj.customGrad(f)(x).sum())(fj.ones([2])), words);
    wrong((x) => x, /has to give an object whose value is a tensor/);
    wrong((x) => ({value: x}), /has to give an object whose gradFunc is a function/);
    wrong((x) => ({value: x, gradFunc: (dy) => [dy, dy]}), /a tensor for each of 1 inputs, got 2/);
    wrong((x) => ({value: x, gradFunc: (dy) => dy.sum()}), /the gradient by input 0 is of shape \[\], the input of \[2\]/);
  });
  test('nothing is left of it', () => {
    const before = fj.memory().numTensors;
    fj.tidy(() => void fj.grad((x) => product(fj)(x, x).sum())(fj.ones([2])));
    assert.equal(fj.memory().numTensors, before);
  });
});

suite('metrics of tensors are those of TensorFlow.js', () => {
  const shape = [6, 4];
  const hot = Float32Array.from({length: 24}, (_, i) => Number(i % 4 === (i >> 2) % 3));
  const bits = (seed) => random(shape, 0, 1, seed).map((v) => Number(v > 0.5));
  const cases = {
    binaryAccuracy: [bits(1), random(shape, 0, 1)], binaryCrossentropy: [bits(1), random(shape, 0, 1)], categoricalAccuracy: [hot, random(shape)],
    categoricalCrossentropy: [hot, random(shape, 0.1, 1)], precision: [bits(1), bits(2)], recall: [bits(1), bits(2)], cosineProximity: [random(shape), random(shape, -1, 1, 3)],
    r2Score: [random(shape), random(shape, -1, 1, 3)],
    ...Object.fromEntries(['meanAbsoluteError', 'meanAbsolutePercentageError', 'MAPE', 'mape', 'meanSquaredError', 'MSE', 'mse'].map((name) => [name, [random(shape), random(shape, -1, 1, 3)]])),
  };
  for (const [name, values] of Object.entries(cases)) {
    test(name, () => close(fj.metrics[name](...values.map((v) => fj.tensor(v, shape))), judge.metrics[name](...values.map((v) => judge.tensor(v, shape))), 1e-5));
  }
  test('of class numbers', () => {
    const [labels, scores] = [[0, 1, 2, 3, 1, 0], random(shape, 0.05, 1)];
    const [ours, theirs] = both.map((tf) => tf.metrics.sparseCategoricalAccuracy(tf.tensor2d(labels, [6, 1]), tf.tensor(scores, shape)));
    close(ours, theirs);
  });
  test('nothing to count is 0', () => {
    for (const name of ['precision', 'recall']) assert.equal(fj.metrics[name](fj.zeros([2, 2]), fj.zeros([2, 2])).dataSync()[0], 0);
  });
});

suite('registered classes', () => {
  test('have names', () => {
    for (const tf of both) {
      const {serialization: names} = tf;
      class A extends tf.serialization.Serializable {
        static className = 'A';
        getConfig() {
          return {};
        }
      }
      assert.equal(names.getRegisteredName(A), 'A');
      assert.equal(names.registerClass(A), A);
      assert.equal(names.getRegisteredName(A), 'Custom>A');
      names.registerClass(A, 'Mine', 'B');
      assert.equal(names.getRegisteredName(A), 'Mine>B');
      assert.equal(names.SerializationMap.getMap().classNameMap.A[0], A);
      assert.equal(new A().getClassName(), 'A');
    }
  });
  test('need one', () => {
    assert.throws(() => fj.serialization.registerClass(class {}), /registerClass takes a class with a static className, a text that is not empty/);
    assert.throws(() => new (class Nameless extends fj.layers.Layer {})(), /Nameless: a layer of a program needs a static className/);
    assert.throws(() => new (class extends fj.layers.Layer {
      static className = 'Dense';
    })(), /the className Dense is that of another layer/);
  });
});
