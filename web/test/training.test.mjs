// Whole models: twenty steps beside TensorFlow.js with the same weights and data, what fit does with its arguments and callbacks,
// evaluate, predict, seeds.
import assert from 'node:assert/strict';
import {suite, test} from 'node:test';
import {close, closeValues, fj, judge, random, same, sameChange, shareWeights, weightsOf} from './helpers.mjs';

const networks = {
  mlp: (tf, last) => [
    tf.layers.dense({units: 32, activation: 'relu', inputShape: [12]}),
    tf.layers.dense({units: 16, activation: 'tanh'}),
    tf.layers.dense({units: 4, activation: last}),
  ],
  cnn: (tf, last) => [
    tf.layers.reshape({targetShape: [6, 2, 1], inputShape: [12]}),
    tf.layers.conv2d({filters: 4, kernelSize: [3, 2], padding: 'same', activation: 'relu'}),
    tf.layers.batchNormalization({}),
    tf.layers.maxPooling2d({poolSize: [2, 1]}),
    tf.layers.conv2d({filters: 8, kernelSize: 2, activation: 'relu'}),
    tf.layers.flatten(),
    tf.layers.dense({units: 4, activation: last}),
  ],
};
const sequential = (tf, name, last = 'softmax') => tf.sequential({layers: networks[name](tf, last)});
const kCount = 24;
const xs = (tf) => tf.tensor(random([kCount, 12], -1, 1, 21), [kCount, 12]);
const classes = Array.from({length: kCount}, (_, i) => (i * 7) % 4);
const hot = (tf) => tf.tensor2d(classes.map((c) => [0, 1, 2, 3].map((k) => (k === c ? 1 : 0))));
/** Both with the same weights. */
function pair(name, compile, last) {
  const [ours, theirs] = [sequential(fj, name, last), sequential(judge, name, last)];
  shareWeights(ours, theirs);
  for (const [tf, model] of [[fj, ours], [judge, theirs]]) model.compile(compile(tf));
  return [ours, theirs];
}

suite('twenty steps have the losses of TensorFlow.js', () => {
  const targets = {
    categoricalCrossentropy: ['softmax', hot],
    sparseCategoricalCrossentropy: ['softmax', (tf) => tf.tensor(classes, [kCount, 1])],
    binaryCrossentropy: ['sigmoid', hot],
    meanSquaredError: ['linear', (tf) => tf.tensor(random([kCount, 4], -1, 1, 5), [kCount, 4])],
    meanAbsoluteError: ['linear', (tf) => tf.tensor(random([kCount, 4], -1, 1, 5), [kCount, 4])],
    // Of -1 and 1: Keras makes them of 0 and 1 itself, TensorFlow.js does not.
    hinge: ['tanh', (tf) => hot(tf).mul(2).sub(1)],
    logcosh: ['linear', hot],
    cosineProximity: ['linear', hot],
    poisson: ['softplus', hot],
    kullbackLeiblerDivergence: ['softmax', hot],
  };
  for (const [loss, [last, ys]] of Object.entries(targets)) {
    for (const name of Object.keys(networks)) {
      test(`${name}, ${loss}`, async () => {
        const [ours, theirs] = pair(name, (tf) => ({optimizer: tf.train.sgd(0.05), loss}), last);
        const start = weightsOf(ours);
        for (let i = 0; i < 20; ++i) {
          const expected = await theirs.trainOnBatch(xs(judge), ys(judge));
          closeValues([await ours.trainOnBatch(xs(fj), ys(fj))], [expected], 1e-4, `step ${i}`);
        }
        const expected = weightsOf(theirs);
        weightsOf(ours).forEach((w, i) => sameChange(w, expected[i], start[i], 1e-3, `weight ${i}`));
      });
    }
  }
  for (const [name, rate] of Object.entries({adam: 0.01, rmsprop: 0.003, adagrad: 0.05, adamax: 0.01})) {
    test(`mlp by ${name}`, async () => {
      const [ours, theirs] = pair('mlp', (tf) => ({optimizer: tf.train[name](rate), loss: 'categoricalCrossentropy'}));
      const start = weightsOf(ours);
      for (let i = 0; i < 20; ++i) {
        closeValues([await ours.trainOnBatch(xs(fj), hot(fj))], [await theirs.trainOnBatch(xs(judge), hot(judge))], 1e-4, `step ${i}`);
      }
      const expected = weightsOf(theirs);
      // Adam goes by signs where gradients are nearly zero.
      weightsOf(ours).forEach((w, i) => sameChange(w, expected[i], start[i], 1e-2, `weight ${i}`));
    });
  }
});

suite('fit gives the history of TensorFlow.js', () => {
  const variants = {
    'whole batches': {batchSize: 8},
    'a smaller last batch': {batchSize: 7},
    'a part held out': {batchSize: 8, validationSplit: 0.25},
    'data to validate with': {batchSize: 8, validationData: (tf) => [xs(tf).mul(0.5), hot(tf)]},
    'weights of classes': {batchSize: 8, classWeight: {0: 1, 1: 2, 2: 0.5, 3: 0}},
  };
  for (const [name, args] of Object.entries(variants)) {
    test(name, async () => {
      const [ours, theirs] = pair('mlp', (tf) => ({optimizer: tf.train.sgd(0.1), loss: 'categoricalCrossentropy', metrics: ['accuracy', 'mse']}));
      const fit = (tf, model) => model.fit(xs(tf), hot(tf), {epochs: 4, shuffle: false, verbose: 0, ...args, validationData: args.validationData?.(tf)});
      const [history, expected] = [await fit(fj, ours), await fit(judge, theirs)];
      assert.deepEqual(history.epoch, [0, 1, 2, 3]);
      assert.deepEqual(Object.keys(history.history).sort(), Object.keys(expected.history).sort());
      for (const key of Object.keys(expected.history)) closeValues(history.history[key], expected.history[key], 1e-4, key);
    });
  }
  test('evaluate', () => {
    const [ours, theirs] = pair('cnn', (tf) => ({optimizer: 'sgd', loss: 'categoricalCrossentropy', metrics: ['accuracy']}));
    const [values, expected] = [ours.evaluate(xs(fj), hot(fj), {batchSize: 5}), theirs.evaluate(xs(judge), hot(judge), {batchSize: 5})];
    values.forEach((t, i) => close(t, expected[i], 1e-4));
  });
  test('evaluate without metrics is a scalar, evaluateAsync is by name', async () => {
    const model = sequential(fj, 'mlp');
    model.compile({optimizer: 'sgd', loss: 'categoricalCrossentropy'});
    const loss = model.evaluate(xs(fj), hot(fj));
    assert.deepEqual(loss.shape, []);
    closeValues([(await model.evaluateAsync(xs(fj), hot(fj))).loss], loss.dataSync());
    closeValues([await model.testOnBatch(xs(fj), hot(fj))], loss.dataSync());
  });
});

suite('predict', () => {
  test('gives the same in batches of any size', () => {
    const model = sequential(fj, 'cnn');
    const whole = model.predict(xs(fj));
    assert.deepEqual(whole.shape, [kCount, 4]);
    for (const batchSize of [1, 5, 24, 100]) close(model.predict(xs(fj), {batchSize}), whole, 1e-6, `batches of ${batchSize}`);
    close(model.predictOnBatch(xs(fj)), whole, 1e-6);
  });
  test('several inputs and outputs', () => {
    const [a, b] = [fj.input({shape: [2]}), fj.input({shape: [2]})];
    const sum = fj.layers.add().apply([a, b]);
    const model = fj.model({inputs: [a, b], outputs: [sum, fj.layers.reLU().apply(sum)]});
    const [first, second] = model.predict([fj.tensor([[1, -5]]), fj.tensor([[2, 3]])]);
    assert.deepEqual(first.arraySync(), [[3, -2]]);
    assert.deepEqual(second.arraySync(), [[3, 0]]);
  });
});

test('two outputs with losses of their own weights', async () => {
  const build = (tf) => {
    const x = tf.input({shape: [12]});
    const middle = tf.layers.dense({units: 8, activation: 'tanh'}).apply(x);
    const outputs = [tf.layers.dense({units: 4, activation: 'softmax', name: 'kind'}).apply(middle), tf.layers.dense({units: 1, name: 'size'}).apply(middle)];
    return tf.model({inputs: x, outputs});
  };
  const [ours, theirs] = [build(fj), build(judge)];
  shareWeights(ours, theirs);
  const ys = (tf) => [hot(tf), tf.tensor(random([kCount, 1], -1, 1, 8), [kCount, 1])];
  for (const [tf, model] of [[fj, ours], [judge, theirs]]) model.compile({optimizer: tf.train.sgd(0.1), loss: ['categoricalCrossentropy', 'meanSquaredError']});
  for (let i = 0; i < 5; ++i) {
    const [losses, expected] = [await ours.trainOnBatch(xs(fj), ys(fj)), await theirs.trainOnBatch(xs(judge), ys(judge))];
    closeValues([losses[0]], [expected[0]], 1e-4, `step ${i}`);
  }
});

test('a layer that is used twice has one set of weights', async () => {
  const build = (tf) => {
    const [a, b] = [tf.input({shape: [6]}), tf.input({shape: [6]})];
    const shared = tf.layers.dense({units: 5, activation: 'tanh'});
    return tf.model({inputs: [a, b], outputs: tf.layers.dense({units: 4}).apply(tf.layers.concatenate().apply([shared.apply(a), shared.apply(b)]))});
  };
  const [ours, theirs] = [build(fj), build(judge)];
  assert.equal(ours.countParams(), theirs.countParams());
  shareWeights(ours, theirs);
  const halves = (tf) => [xs(tf).slice([0, 0], [kCount, 6]), xs(tf).slice([0, 6], [kCount, 6])];
  close(ours.predict(halves(fj)), theirs.predict(halves(judge)));
  for (const [tf, model] of [[fj, ours], [judge, theirs]]) model.compile({optimizer: tf.train.sgd(0.1), loss: 'meanSquaredError'});
  for (let i = 0; i < 5; ++i) closeValues([await ours.trainOnBatch(halves(fj), hot(fj))], [await theirs.trainOnBatch(halves(judge), hot(judge))], 1e-4);
});

test('weights of samples: a loss that counts twice, and one that does not', async () => {
  const loss = async (sampleWeight) => {
    const model = fj.sequential({layers: [fj.layers.dense({units: 1, useBias: false, kernelInitializer: 'ones', inputShape: [1]})]});
    model.compile({optimizer: fj.train.sgd(0), loss: 'meanSquaredError'});
    // Errors 1, 2, 3: squared 1, 4, 9.
    const {history} = await model.fit(fj.tensor([[1], [2], [3]]), fj.zeros([3, 1]), {sampleWeight: sampleWeight && fj.tensor(sampleWeight), shuffle: false});
    return history.loss[0];
  };
  closeValues([await loss()], [14 / 3]);
  // Keras: the sum of the weighed losses by the number of samples.
  closeValues([await loss([2, 0, 1])], [(2 * 1 + 9) / 3]);
});

// ---- callbacks ------------------------------------------------------------------------------------------------------------------

suite('callbacks', () => {
  const trained = async (args, compile = {}) => {
    const model = fj.sequential({seed: 4, layers: networks.mlp(fj, 'softmax')});
    model.compile({optimizer: fj.train.sgd(0.1), loss: 'categoricalCrossentropy', metrics: ['accuracy'], ...compile});
    const history = await model.fit(xs(fj), hot(fj), {epochs: 3, batchSize: 10, ...args});
    return {model, history};
  };
  test('come in their order, with what there is to know', async () => {
    const calls = [];
    const note = (name) => (...args) => void calls.push([name, ...args.filter((a) => typeof a === 'number')].join(' '));
    const logs = [];
    const names = ['onTrainBegin', 'onTrainEnd', 'onEpochBegin', 'onEpochEnd', 'onBatchBegin', 'onBatchEnd'];
    const callbacks = [Object.fromEntries(names.map((name) => [name, note(name)])), {onEpochEnd: (_, l) => void logs.push(l), onBatchEnd: (_, l) => void logs.push(l)}];
    const {history} = await trained({epochs: 2, callbacks, validationSplit: 0.25});
    const epoch = (i) => [`onEpochBegin ${i}`, 'onBatchBegin 0', 'onBatchEnd 0', 'onBatchBegin 1', 'onBatchEnd 1', `onEpochEnd ${i}`];
    assert.deepEqual(calls, ['onTrainBegin', ...epoch(0), ...epoch(1), 'onTrainEnd']);
    assert.deepEqual(Object.keys(logs[0]).sort(), ['acc', 'batch', 'loss', 'size']);
    assert.deepEqual(Object.keys(logs[2]).sort(), ['acc', 'loss', 'val_acc', 'val_loss']);
    assert.equal(logs[2].loss, history.history.loss[0]);
  });
  test('are waited for', async () => {
    let running = false;
    const slow = async () => {
      assert.ok(!running, 'training went on');
      running = true;
      await new Promise((resolve) => setTimeout(resolve, 5));
      running = false;
    };
    await trained({callbacks: {onBatchBegin: slow, onBatchEnd: slow, onEpochBegin: slow, onEpochEnd: slow}});
  });
  test('that fail end the training with their error, and the model still works', async () => {
    const model = sequential(fj, 'mlp');
    model.compile({optimizer: 'sgd', loss: 'categoricalCrossentropy'});
    await assert.rejects(model.fit(xs(fj), hot(fj), {callbacks: {onBatchEnd() { throw new Error('mine'); }}}), /mine/);
    await model.fit(xs(fj), hot(fj));
  });
  test('stopTraining ends it', async () => {
    const model = sequential(fj, 'mlp');
    model.compile({optimizer: 'sgd', loss: 'categoricalCrossentropy'});
    const {epoch} = await model.fit(xs(fj), hot(fj), {epochs: 10, callbacks: {onEpochEnd: (i) => void (model.stopTraining = i === 1)}});
    assert.deepEqual(epoch, [0, 1]);
  });
  test('initialEpoch counts on', async () => assert.deepEqual((await trained({initialEpoch: 3, epochs: 5})).history.epoch, [3, 4]));
  test('earlyStopping ends when nothing improves', async () => {
    const {history} = await trained({epochs: 50, callbacks: fj.callbacks.earlyStopping({monitor: 'loss', patience: 2, minDelta: 100})});
    assert.deepEqual(history.epoch, [0, 1, 2]);
    assert.match(history.reason, /./);
  });
  test('earlyStopping brings the best weights back', async () => {
    // A rate this high climbs out of the valley: the best epoch is the first.
    const best = [];
    let model;
    const args = {epochs: 20, shuffle: false, callbacks: [fj.callbacks.earlyStopping({monitor: 'loss', patience: 1, restoreBestWeights: true}), {onEpochEnd: () => void best.push(weightsOf(model))}]};
    model = fj.sequential({seed: 4, layers: networks.mlp(fj, 'linear')});
    model.compile({optimizer: fj.train.sgd(1), loss: 'meanSquaredError'});
    const {history} = await model.fit(xs(fj), hot(fj).mul(3), args);
    const at = history.loss.indexOf(Math.min(...history.loss));
    assert.ok(at < history.loss.length - 1, 'the loss never rose');
    assert.deepEqual(weightsOf(model), best[at]);
  });
  test('reduceLROnPlateau lowers the rate', async () => {
    const {model} = await trained({epochs: 5, callbacks: fj.callbacks.reduceLROnPlateau({monitor: 'loss', factor: 0.5, patience: 1, minDelta: 100})});
    // The first epoch is the best; the four that follow are each one too many.
    closeValues([model.learningRate], [0.1 * 0.5 ** 4]);
  });
  test('one that watches what there is not is told so', async () => {
    await assert.rejects(trained({callbacks: fj.callbacks.earlyStopping({monitor: 'val_loss'})}), /val_loss.*validation/);
  });
  test('a loss that is not a number reaches the callbacks and the console, and terminateOnNaN ends it', async (context) => {
    const warn = context.mock.method(console, 'warn', () => {});
    // The first step throws the weights so far that the next square is beyond float32.
    const diverge = (callbacks) => {
      const model = fj.sequential({layers: [fj.layers.dense({units: 4, inputShape: [12]})]});
      model.compile({optimizer: fj.train.sgd(1e30), loss: 'meanSquaredError'});
      return model.fit(xs(fj), hot(fj), {epochs: 4, batchSize: 8, callbacks});
    };
    const losses = [];
    const {history, epoch} = await diverge({onBatchEnd: (_, logs) => void losses.push(logs.loss)});
    assert.ok(Number.isFinite(losses[0]) && losses.slice(1).every((loss) => !Number.isFinite(loss)), `${losses}`);
    assert.ok(history.loss.every((loss) => !Number.isFinite(loss)));
    assert.equal(epoch.length, 4);
    assert.equal(warn.mock.callCount(), 1);
    assert.match(warn.mock.calls[0].arguments[0], /loss is (NaN|Infinity) in batch 2 of epoch 1/);
    const ended = await diverge(fj.callbacks.terminateOnNaN());
    assert.equal(ended.epoch.length, 1);
    assert.match(ended.reason, /loss is (nan|inf)/i);
  });
  test('onYield comes while it trains long', async () => {
    let yields = 0;
    const model = fj.sequential({layers: [fj.layers.dense({units: 256, inputShape: [256], activation: 'relu'}), fj.layers.dense({units: 256})]});
    model.compile({optimizer: 'adam', loss: 'meanSquaredError'});
    const x = fj.zeros([2000, 256]);
    await model.fit(x, x, {epochs: 5, callbacks: {onYield: () => void ++yields}});
    assert.ok(yields > 0);
  });
  test('while fit waits, other things happen', async () => {
    let ticks = 0;
    const timer = setInterval(() => ++ticks, 5);
    const model = fj.sequential({layers: [fj.layers.dense({units: 256, inputShape: [256], activation: 'relu'}), fj.layers.dense({units: 256})]});
    model.compile({optimizer: 'adam', loss: 'meanSquaredError'});
    const x = fj.zeros([4000, 256]);
    await model.fit(x, x, {epochs: 5});
    clearInterval(timer);
    assert.ok(ticks > 2, `${ticks} ticks`);
  });
});

// ---- seeds ------------------------------------------------------------------------------------------------------------------------

suite('seeds', () => {
  const trained = async (seed) => {
    const layers = [...networks.cnn(fj, 'relu'), fj.layers.dropout({rate: 0.3}), fj.layers.dense({units: 4, activation: 'softmax'})];
    const model = fj.sequential({seed, layers});
    model.compile({optimizer: 'adam', loss: 'categoricalCrossentropy'});
    await model.fit(xs(fj), hot(fj), {epochs: 5, batchSize: 7});
    const weights = weightsOf(model);
    model.dispose();
    return weights;
  };
  test('the same seed gives the same weights to the last bit, another seed gives others', async () => {
    assert.deepEqual(await trained(5), await trained(5));
    assert.notDeepEqual(await trained(5), await trained(6));
  });
});

suite('a model', () => {
  test('gives and takes its weights', () => {
    const [model, other] = [sequential(fj, 'mlp'), sequential(fj, 'mlp')];
    assert.equal(model.getWeights().length, 6);
    other.setWeights(model.getWeights());
    same(other.predict(xs(fj)), model.predict(xs(fj)));
    assert.equal(sequential(fj, 'cnn').getWeights(true).length, 8, 'all but the two of the normalisation that are not trained');
  });
  test('layers that are not trainable stay as they are', async () => {
    const model = fj.sequential({layers: [fj.layers.dense({units: 3, inputShape: [12], trainable: false}), fj.layers.dense({units: 4})]});
    model.compile({optimizer: 'adam', loss: 'meanSquaredError'});
    const before = weightsOf(model);
    await model.fit(xs(fj), hot(fj));
    const after = weightsOf(model);
    assert.deepEqual(after.slice(2), before.slice(2));
    assert.notDeepEqual(after[0], before[0]);
  });
  test('tells its shapes, layers and numbers', () => {
    const model = fj.sequential({name: 'mine', layers: [fj.layers.dense({units: 3, inputShape: [12], name: 'first'}), fj.layers.dense({units: 4, name: 'second'})]});
    assert.ok(model instanceof fj.Sequential && model instanceof fj.LayersModel);
    assert.deepEqual([model.inputShape, model.outputShape], [[null, 12], [null, 4]]);
    assert.deepEqual([model.inputs[0].dtype, model.outputs[0].shape], ['float32', [null, 4]]);
    assert.equal(model.name, 'mine');
    assert.equal(model.countParams(), 12 * 3 + 3 + 3 * 4 + 4);
    assert.equal(model.getLayer('second'), model.getLayer(1));
    assert.ok(model.getLayer(0) instanceof fj.Layer);
    assert.equal(model.getLayer(0).getConfig().units, 3);
    assert.throws(() => model.getLayer('third'), /no layer third.*first, second/);
    assert.deepEqual(model.weights.map((w) => w.name), ['first/kernel', 'first/bias', 'second/kernel', 'second/bias']);
    const lines = [];
    model.summary(undefined, undefined, (line) => lines.push(line));
    assert.match(lines.join('\n'), /first[\s\S]*39[\s\S]*second[\s\S]*16[\s\S]*55/);
    assert.match(lines.at(-1), /^a prediction on 32 samples holds \d/);
    const json = JSON.parse(model.toJSON());
    assert.deepEqual(json.config.layers.map((l) => l.config.name), ['first', 'second']);
  });
  test('symbolic tensors know shape and type', () => {
    const x = fj.input({shape: [8, 8, 3]});
    const y = fj.layers.conv2d({filters: 4, kernelSize: 3, strides: 2}).apply(x);
    assert.ok(y instanceof fj.SymbolicTensor);
    assert.deepEqual([y.shape, y.rank, y.dtype], [[null, 3, 3, 4], 4, 'float32']);
    assert.deepEqual(fj.input({batchShape: [2, 3]}).shape, [2, 3]);
  });
  test('a model of 3x3 filters predicts what TensorFlow.js does with Winograd and without, and follows its weights', () => {
    const layers = (tf) => [
      tf.layers.conv2d({filters: 16, kernelSize: 3, padding: 'same', activation: 'relu', inputShape: [18, 15, 16]}),
      tf.layers.batchNormalization({}),
      tf.layers.conv2d({filters: 32, kernelSize: 3}),
    ];
    const [ours, theirs] = [fj, judge].map((tf) => tf.sequential({layers: layers(tf)}));
    const x = random([18 * 15 * 16], -1, 1, 5);
    const predict = (tf, model) => model.predict(tf.tensor(x, [1, 18, 15, 16]));
    // The second round has other weights: what was prepared of the first is prepared anew.
    const results = [];
    for (let round = 0; round < 2; ++round) {
      shareWeights(ours, theirs, 30 + 10 * round);
      const want = predict(judge, theirs);
      for (const allowed of [true, false]) {
        ours.setWinograd(allowed);
        const got = predict(fj, ours);
        close(got, want, 1e-5 * want.max().dataSync()[0]);
        results.push([...got.dataSync()]);
      }
    }
    assert.notDeepEqual(results[0], results[1]);
  });
  test('says what memory a step takes', () => {
    const model = sequential(fj, 'mlp');
    assert.throws(() => model.stepMemory({training: true}), /not compiled/);
    model.compile({optimizer: 'adam', loss: 'categoricalCrossentropy'});
    const bytes = 4 * model.countParams();
    const memory = model.stepMemory({training: true, batchSize: 64});
    // Adam has two moments for each weight; the batch is x, y, weights of samples, the rate and the step.
    assert.equal(memory.weights, bytes);
    assert.equal(memory.optimizer, 2 * bytes);
    assert.equal(memory.batch, 4 * (64 * (12 + 4 + 1) + 2));
    assert.ok(memory.live > 0 && memory.live <= memory.arena);
    assert.equal(memory.total, memory.weights + memory.optimizer + memory.batch + memory.arena);
    assert.equal(memory.least, memory.total - memory.arena + memory.live);
    assert.ok(model.stepMemory({batchSize: 64}).total < memory.total);
    assert.throws(() => model.stepMemory({batchSize: 0}), /at least one sample/);
  });
  test('the rate can be read and set', async () => {
    const model = sequential(fj, 'mlp');
    model.compile({optimizer: fj.train.sgd(0.5), loss: 'categoricalCrossentropy'});
    closeValues([model.learningRate], [0.5]);
    model.learningRate = 0;
    const before = weightsOf(model);
    await model.fit(xs(fj), hot(fj));
    assert.deepEqual(weightsOf(model), before);
  });
});
