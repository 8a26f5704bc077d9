// Layers of a program beyond their calls: built by the program, within other layers, saved with these, and what they keep in fields.
import assert from 'node:assert/strict';
import {suite, test} from 'node:test';
import {close, closeValues, fj, judge, same, tensor} from './helpers.mjs';

const both = [fj, judge];

const classesOf = (tf) => {
  class Affine extends tf.layers.Layer {
    static className = 'Affine';
    constructor(config) {
      super(config);
      this.units = config.units;
    }
    build(inputShape) {
      this.kernel = this.addWeight('kernel', [inputShape.at(-1), this.units], 'float32', tf.initializers.glorotUniform({}));
      this.bias = this.addWeight('bias', [this.units], 'float32', tf.initializers.ones(), null, false);
      this.built = true;
    }
    computeOutputShape(inputShape) {
      return [...inputShape.slice(0, -1), this.units];
    }
    call(inputs) {
      return tf.tidy(() => tf.matMul([inputs].flat()[0], this.kernel.read()).add(this.bias.read()));
    }
    getConfig() {
      return {...super.getConfig(), units: this.units};
    }
  }
  class Cell extends tf.layers.RNNCell {
    static className = 'Cell';
    constructor(config) {
      super(config);
      this.units = config.units;
      this.stateSize = config.units;
    }
    build(inputShape) {
      this.kernel = this.addWeight('kernel', [inputShape.at(-1), this.units], 'float32', tf.initializers.glorotUniform({}));
      this.built = true;
    }
    call([x, state]) {
      const h = tf.tidy(() => tf.matMul(x, this.kernel.read()).add(state.mul(0.5)).tanh());
      return [h, h];
    }
    getConfig() {
      return {...super.getConfig(), units: this.units};
    }
  }
  return {Affine, Cell};
};
const classes = new Map(both.map((tf) => [tf, classesOf(tf)]));
for (const tf of both) for (const cls of Object.values(classes.get(tf))) tf.serialization.registerClass(cls);
const affine = (tf, args) => new (classes.get(tf).Affine)({units: 2, ...args});

suite('a layer that the program builds has weights', () => {
  const sameIn = (use) => {
    const [ours, theirs] = both.map((tf) => use(tf));
    ours.forEach((t, i) => close(t, theirs[i], 1e-5, `result ${i}`));
  };
  const made = {
    'one of its own': (tf) => [affine(tf), [null, 3]],
    dense: (tf) => [tf.layers.dense({units: 2}), [null, 3]],
    'an lstm': (tf) => [tf.layers.lstm({units: 2, returnSequences: true}), [null, 4, 3]],
    'one of its own, over time': (tf) => [tf.layers.timeDistributed({layer: affine(tf)}), [null, 4, 3]],
    'an rnn with a cell of its own': (tf) => [tf.layers.rnn({cell: new (classes.get(tf).Cell)({units: 2})}), [null, 4, 3]],
  };
  for (const [name, make] of Object.entries(made)) {
    test(name, () =>
      sameIn((tf) => {
        const [layer, [, ...shape]] = make(tf);
        layer.build([null, ...shape]);
        // Its recurrent layers do not note that by themselves.
        if (tf === judge) layer.built = true;
        const before = layer.getWeights();
        assert.equal(layer.weights.length, before.length);
        if (name === 'one of its own') assert.equal(layer.countParams(), 8);
        layer.setWeights(before.map((t, i) => tensor(tf, t.shape, i)));
        const x = tf.input({shape});
        const model = tf.model({inputs: x, outputs: layer.apply(x)});
        const results = [model.predict(tensor(tf, [2, ...shape])), layer.apply(tensor(tf, [2, ...shape])), ...layer.getWeights().map((t) => t.clone())];
        layer.setWeights(before.map((t) => tf.ones(t.shape)));
        return [...results, model.predict(tensor(tf, [2, ...shape]))];
      }));
  }
  test('which it reads, writes, and trains by itself', () => {
    const layers = both.map((tf) => affine(tf));
    const results = both.map((tf, i) => {
      const layer = layers[i];
      layer.build([null, 3]);
      assert.deepEqual([layer.trainableWeights.length, layer.nonTrainableWeights.length], [1, 1]);
      layer.kernel.write(tensor(tf, [3, 2]));
      const x = tensor(tf, [4, 3]);
      tf.train.sgd(0.1).minimize(() => layer.apply(x).square().mean());
      return [layer.kernel.read().dataSync(), layer.bias.read().dataSync()];
    });
    results[0].forEach((values, i) => closeValues(values, results[1][i], 1e-5));
    const {numTensors} = fj.memory();
    layers[0].dispose();
    assert.ok(fj.memory().numTensors < numTensors);
  });
});

test('a layer that looks at all its samples does so for each step by itself', () => {
  const [ours, theirs] = both.map((tf) => {
    class Centered extends tf.layers.Layer {
      static className = 'Centered';
      call(x) {
        const [first] = [x].flat();
        return first.sub(first.mean(0, true));
      }
      computeOutputShape(shape) {
        return shape;
      }
    }
    return tf.layers.timeDistributed({layer: new Centered({})}).apply(tensor(tf, [3, 4, 2]));
  });
  close(ours, theirs, 1e-6);
});

suite('layers of a program within others are saved', () => {
  const models = {
    'over time': (tf) => [tf.layers.timeDistributed({layer: affine(tf), inputShape: [4, 3]}), tf.layers.flatten()],
    'over time of time': (tf) => [tf.layers.timeDistributed({layer: tf.layers.timeDistributed({layer: affine(tf)}), inputShape: [2, 4, 3]}), tf.layers.flatten()],
    'a cell': (tf) => [tf.layers.rnn({cell: new (classes.get(tf).Cell)({units: 2}), inputShape: [4, 3]})],
    'cells, one of them its own': (tf) => [tf.layers.rnn({cell: [tf.layers.gruCell({units: 3}), new (classes.get(tf).Cell)({units: 2})], inputShape: [4, 3]})],
    'a cell in both directions': (tf) => [tf.layers.bidirectional({layer: tf.layers.rnn({cell: new (classes.get(tf).Cell)({units: 2})}), inputShape: [4, 3]})],
    'in a model in a model': (tf) => [tf.sequential({layers: [tf.layers.timeDistributed({layer: affine(tf), inputShape: [4, 3]}), tf.layers.flatten()]})],
  };
  const made = (tf, build) => {
    const model = tf.sequential({layers: [...build(tf), tf.layers.dense({units: 1})]});
    model.setWeights(model.getWeights().map((t, i) => tensor(tf, t.shape, i)));
    return model;
  };
  const partsOf = async (model, args) => {
    let parts;
    await model.save({save: async (artifacts) => ((parts = artifacts), {modelArtifactsInfo: {}})}, args);
    return parts;
  };
  const xOf = (tf, model) => tensor(tf, [2, ...model.inputs[0].shape.slice(1)]);
  for (const [name, build] of Object.entries(models)) {
    test(`${name}: with their classes, and go on as they were`, async () => {
      const model = made(fj, build);
      model.compile({optimizer: fj.train.adam(0.01), loss: 'meanSquaredError'});
      const [x, y] = [xOf(fj, model), fj.ones([2, 1])];
      await model.trainOnBatch(x, y);
      assert.doesNotMatch(model.toJSON() + JSON.stringify(model.layers[0].toJSON()), /Traced/);
      const saved = [await partsOf(model, {includeOptimizer: true}), model.file(true)];
      const expected = model.predict(x);
      const next = [await model.trainOnBatch(x, y), await model.trainOnBatch(x, y)];
      for (const one of saved) {
        const again = await fj.loadLayersModel({load: async () => one});
        same(again.predict(x), expected);
        assert.deepEqual(JSON.parse(again.toJSON()), JSON.parse(model.toJSON()));
        // What was loaded is saved and loaded likewise.
        const twice = await fj.loadLayersModel({load: async () => again.file(true)});
        for (const loaded of [again, twice]) assert.deepEqual([await loaded.trainOnBatch(x, y), await loaded.trainOnBatch(x, y)], next);
      }
      const drawn = await fj.models.modelFromJSON(JSON.parse(model.toJSON()));
      drawn.setWeights(model.getWeights());
      same(drawn.predict(x), model.predict(x));
    });
    // It clones the layer by a description that it cannot read.
    if (name !== 'a cell in both directions') test(`${name}: what TensorFlow.js has saved is read`, async () => {
      const theirs = made(judge, build);
      const again = await fj.loadLayersModel({load: async () => partsOf(theirs)});
      close(again.predict(xOf(fj, again)), theirs.predict(xOf(judge, theirs)));
    });
  }
  test('TensorFlow.js reads what is saved, where it reads its own', async () => {
    const ours = made(fj, models['over time']);
    const theirs = await judge.loadLayersModel({load: async () => partsOf(ours)});
    close(ours.predict(xOf(fj, ours)), theirs.predict(xOf(judge, theirs)));
  });
  test('one that calls a layer of its own is saved as any', async () => {
    class Twice extends fj.layers.Layer {
      static className = 'Twice';
      constructor(config = {}) {
        super(config);
        this.inner = affine(fj, {units: 3, name: 'inner'});
      }
      call([x]) {
        return this.inner.apply(this.inner.apply(x));
      }
    }
    fj.serialization.registerClass(Twice);
    const model = fj.sequential({layers: [new Twice({inputShape: [3]})]});
    const x = tensor(fj, [2, 3]);
    assert.doesNotMatch(model.toJSON(), /Traced/);
    for (const saved of [await partsOf(model), model.file()]) same((await fj.loadLayersModel({load: async () => saved})).predict(x), model.predict(x));
  });
  test('one that makes its layers without names is read again, whatever else was made', async () => {
    class Block extends fj.layers.Layer {
      static className = 'Block';
      constructor(config = {}) {
        super(config);
        this.both = [1, 2].map(() => fj.layers.dense({units: 3}));
        this.named = fj.layers.dense({units: 3, name: 'dense'});
        this.steps = fj.layers.timeDistributed({layer: fj.layers.dense({units: 3})});
        this.own = affine(fj, {units: 3});
      }
      call([x]) {
        for (const layer of [...this.both, this.named, this.own]) x = layer.apply(x);
        return this.both[0].apply(this.steps.apply(x.expandDims(1)).squeeze([1]));
      }
    }
    fj.serialization.registerClass(Block);
    const model = fj.sequential({layers: [new Block({inputShape: [3], name: 'b'})]});
    const paths = ['dense', 'dense_1', 'dense_2', 'affine', 'time_distributed/dense_3'].flatMap((name) => [`b/${name}/kernel`, `b/${name}/bias`]);
    assert.deepEqual(model.weights.map((w) => w.name).sort(), paths.sort());
    const x = tensor(fj, [2, 3]);
    for (const saved of [await partsOf(model), model.file()]) same((await fj.loadLayersModel({load: async () => saved})).predict(x), model.predict(x));
  });
  test('what has no class, or is a function, is refused in words', async () => {
    class Unknown extends classes.get(fj).Affine {
      static className = 'Unknown';
    }
    const model = fj.sequential({layers: [fj.layers.timeDistributed({layer: new Unknown({units: 2}), inputShape: [4, 3]})]});
    for (const saved of [await partsOf(model), model.file()]) await assert.rejects(fj.loadLayersModel({load: async () => saved}), /Unknown/);
    const active = fj.sequential({layers: [fj.layers.timeDistributed({layer: affine(fj), inputShape: [4, 3]}), fj.layers.dense({units: 1, activation: (x) => x})]});
    await assert.rejects(partsOf(active), /A function, such as a loss or an activation, cannot be saved/);
    assert.throws(() => active.file(), /A function, such as a loss or an activation, cannot be saved/);
  });
});

suite('what a program changes in fields of its layers counts from then on, as in TensorFlow.js', () => {
  const fields = {
    'an object': [{rate: 2}, (options) => (options.rate = 3), (tf, x, {rate}) => x.mul(rate)],
    'an object in an object': [{a: {b: {c: 2}}}, (options) => (options.a.b.c = 5), (tf, x, {a}) => x.mul(a.b.c)],
    'a list in a list': [[[1, 2], [3, 4]], (options) => (options[1][0] = 7), (tf, x, list) => tf.matMul(x, tf.tensor2d(list))],
    'a typed array': [Float32Array.of(1, 2), (options) => (options[1] = 7), (tf, x, list) => x.mul(tf.tensor1d(list))],
    'a member that was not there': [{}, (options) => (options.more = true), (tf, x, {more}) => (more ? x.neg() : x)],
    'a function': [{f: (x) => x.square()}, (options) => (options.f = (x) => x.exp()), (tf, x, {f}) => f(x)],
  };
  for (const [name, [, change, use]] of Object.entries(fields)) {
    test(name, () => {
      const results = both.map((tf) => {
        let calls = 0;
        class Own extends tf.layers.Layer {
          static className = 'Own';
          options = structuredClone(name === 'a function' ? {} : fields[name][0]);
          call(inputs) {
            ++calls;
            return tf.tidy(() => use(tf, [inputs].flat()[0], this.options));
          }
        }
        const layer = new Own({inputShape: [2]});
        if (name === 'a function') layer.options = {...fields[name][0]};
        const model = tf.sequential({layers: [layer]});
        const predict = () => model.predict(tf.tensor2d([[1, 2]])).dataSync();
        const first = predict();
        change(layer.options);
        const second = predict();
        assert.notDeepEqual([...second], [...first]);
        const before = calls;
        const third = predict();
        if (tf === fj) assert.equal(calls, before);
        return [...first, ...second, ...third];
      });
      closeValues(results[0], results[1], 1e-5);
    });
  }
  test('another tensor, and a list that goes round', () => {
    const results = both.map((tf) => {
      class Own extends tf.layers.Layer {
        static className = 'Own';
        scale = tf.tensor1d([1, 2]);
        round = {rate: 2};
        call(inputs) {
          return tf.tidy(() => [inputs].flat()[0].mul(this.scale).mul(this.round.self.self.rate));
        }
      }
      const layer = new Own({inputShape: [2]});
      layer.round.self = layer.round;
      const model = tf.sequential({layers: [layer]});
      const predict = () => [...model.predict(tf.tensor2d([[1, 2]])).dataSync()];
      const values = predict();
      layer.scale = tf.tensor1d([5, 6]);
      values.push(...predict());
      layer.round.rate = 3;
      return [...values, ...predict()];
    });
    closeValues(results[0], results[1], 1e-5);
  });
});
