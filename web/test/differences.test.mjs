// docs/tensorflowjs.md tells what differs from TensorFlow.js, and what is missing: each of its rows is tried here on both, and its
// lists are compared with both packages.
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {suite, test} from 'node:test';
import {namesInMarkdown} from '../../check/tfjs/names.mjs';
import {fj, judge} from './helpers.mjs';

const text = readFileSync(new URL('../../docs/tensorflowjs.md', import.meta.url), 'utf8');
const part = (name) => text.match(new RegExp(`<!-- ${name} -->\\n([^]*?)\\n?<!-- end -->`))[1];
/** The first cell of each row of a table. */
const rowsOf = (name) => part(name).split('\n').slice(2).map((row) => row.match(/^\| (.*?) \|/)[1]);

/** A table's rows and the cases of this file are the same; each is run. */
function tableIsTried(name, cases) {
  suite(`the table of ${name}`, () => {
    test('has a case for each row', () => assert.deepEqual(rowsOf(name), Object.keys(cases)));
    for (const [row, run] of Object.entries(cases)) test(row, run);
  });
}

const network = (tf, args) => tf.sequential({layers: [tf.layers.dense({units: 2, inputShape: [2], ...args})]});
const compiled = (tf, args) => {
  const model = network(tf);
  model.compile({optimizer: 'sgd', loss: 'meanSquaredError', ...args});
  return model;
};
/** Works there, and is refused here in these words. */
async function refused(words, call, {there = true} = {}) {
  if (there) await call(judge);
  await assert.rejects(async () => call(fj), {message: words});
}

tableIsTried('refused', {
  'arguments of `fit` that are not in [the list](#names)': () => refused(/fit: there is no argument holograms/, (tf) => compiled(tf).fit(tf.ones([1, 2]), tf.ones([1, 2]), {holograms: true, epochs: 1})),
  '`evaluate` on a GPU': () => assert.ok(readFileSync(new URL('../src/trained.ts', import.meta.url), 'utf8').includes('evaluate answers at once, which a GPU does not: await model.evaluateAsync(x, y)')),
  'the backends `webgl` and `cpu`': async () => {
    for (const name of ['webgl', 'cpu']) await assert.rejects(fj.setBackend(name), {message: `There is no backend '${name}': use 'wasm', 'webgpu' or 'auto'`});
    // In Node it registers the plain one alone.
    assert.ok(judge.findBackendFactory('cpu') && judge.MathBackendWebGL);
  },
  'tensors of strings and complex numbers': async () => {
    await refused(/should be a number or a boolean, but got 'String'/, (tf) => tf.tensor1d(['a'], 'string'));
    assert.ok('complex' in judge && !('complex' in fj));
  },
  '`tf.nextFrame` between batches': async () => {
    assert.equal(typeof fj.nextFrame, 'function');
    await compiled(fj).fit(fj.ones([4, 2]), fj.ones([4, 2]), {batchSize: 2, callbacks: {onBatchEnd: () => new Promise((resolve) => setImmediate(resolve))}});
  },
  '`layer.resetStates(states)`': () =>
    refused(/resetStates takes no states/, (tf) => {
      const model = tf.sequential({layers: [tf.layers.simpleRNN({units: 2, stateful: true, batchInputShape: [1, 2, 2]})]});
      model.predict(tf.ones([1, 2, 2]));
      model.layers[0].resetStates(tf.ones([1, 2]));
    }),
  '`onProgress`, `weightUrlConverter` and the like of `loadLayersModel`': async () => {
    for (const [name, value] of Object.entries({onProgress: () => {}, weightUrlConverter: (name) => name})) {
      const load = async (tf) => {
        let parts;
        await network(tf).save({save: async (given) => ((parts = given), {modelArtifactsInfo: {}})});
        return tf.loadLayersModel(tf.io.fromMemory(parts), {[name]: value});
      };
      await refused(new RegExp(`loadLayersModel: there is no argument ${name}`), load);
    }
  },
});

const value = (t) => t.arraySync();
/** Both results, as [theirs, ours]. */
const both = (call) => [judge, fj].map((tf) => value(call(tf)));
const types = (call) => [judge, fj].map((tf) => call(tf).dtype);
const ints = (tf, list) => tf.tensor1d(list, 'int32');

tableIsTried('types', {
  'a bool in arithmetic (`add`, `neg`, `relu`, `round`, ..)': () => {
    const [yes] = [(tf) => tf.tensor1d([true], 'bool')];
    for (const call of [(tf) => tf.add(yes(tf), yes(tf)), (tf) => tf.neg(yes(tf)), (tf) => tf.relu(yes(tf)), (tf) => tf.round(yes(tf))]) assert.deepEqual(types(call), ['bool', 'int32']);
    assert.deepEqual([...judge.add(yes(judge), yes(judge)).dataSync()], [2]);
  },
  'a function of real numbers (`expm1`, `reciprocal`, `atan2`, `softplus`, `selu`, ..) of integers': () => {
    for (const name of ['expm1', 'reciprocal', 'softplus', 'selu']) assert.deepEqual(types((tf) => tf[name](ints(tf, [2]))), ['int32', 'float32'], name);
    assert.equal(fj.atan2(ints(fj, [1]), ints(fj, [2])).dtype, 'float32');
  },
  '`floorDiv` of float32': () => assert.deepEqual(types((tf) => tf.floorDiv(tf.scalar(7), tf.scalar(2))), ['int32', 'float32']),
  'float32 beyond int32 cast to it': () => assert.deepEqual(both((tf) => tf.cast(tf.tensor1d([2 ** 32 + 1024, NaN]), 'int32')), [[1024, 0], [2147483647, 0]]),
  'an integer `mod` 0': () => assert.deepEqual(both((tf) => tf.mod(ints(tf, [7]), ints(tf, [0]))), [[0], [7]]),
  '`unsortedSegmentSum` of int32': () => assert.deepEqual(types((tf) => tf.unsortedSegmentSum(ints(tf, [1, 2]), ints(tf, [0, 0]), 1)), ['float32', 'int32']),
  '`mod(-1, Infinity)`': () => assert.deepEqual(both((tf) => tf.mod(tf.tensor1d([-1]), tf.tensor1d([Infinity]))), [[NaN], [Infinity]]),
});

/** A row of layers whose numbers are ones and zeros, by its outputs for x. */
const predicted = (x, shape, layers) => (tf) => tf.sequential({layers: layers(tf)}).predict(tf.tensor(x, shape)).flatten();
const masked = (tf) => tf.layers.masking({inputShape: [3, 1]});
const ones = {useBias: false, kernelInitializer: 'ones', recurrentInitializer: 'ones', activation: 'linear'};
/** The loss of x as both the input and the label, of a kernel of 1 that costs 0.5. */
const costly = (tf, layers, args = {}) => {
  const model = tf.sequential({layers: layers(tf, {kernelRegularizer: tf.regularizers.l2({l2: 0.5}), ...ones})});
  model.compile({optimizer: tf.train.sgd(0), loss: 'meanSquaredError', ...args});
  return model;
};
/** The loss and the metrics of outputs and labels. */
const judged = (y, x, {activation = 'linear', ...args}) => (tf) => {
  const model = tf.sequential({layers: [tf.layers.activation({activation, inputShape: [x[0].length]})]});
  model.compile({optimizer: 'sgd', loss: 'meanSquaredError', ...args});
  return [model.evaluate(tf.tensor2d(x), tf.tensor2d(y))].flat().map((t) => Math.round(t.dataSync()[0] * 1000) / 1000);
};
const bothSync = (call) => [judge, fj].map((tf) => call(tf));
const bothAsync = (call) => Promise.all([judge, fj].map((tf) => call(tf)));
/** The first step of 0 against a gradient of 2. */
const firstStep = (optimizer) => (tf) => {
  const x = tf.variable(tf.scalar(0));
  optimizer(tf.train).minimize(() => tf.mul(x, 2));
  return Math.round(x.dataSync()[0] * 100) / 100;
};
const kernelOf = (tf, args) => tf.sequential({layers: [tf.layers.dense({units: 300, inputShape: [300], ...args})]}).getWeights()[0];

tableIsTried('numbers', {
  'the gradient of `max` and `min` where several are equal': () => {
    for (const name of ['max', 'min']) assert.deepEqual(both((tf) => tf.grad((x) => tf[name](x))(tf.tensor1d([3, 3]))), [[1, 1], [0.5, 0.5]]);
  },
  'the `epsilon` of `adam`': () => {
    const step = (tf) => {
      const x = tf.variable(tf.scalar(0));
      tf.train.adam(0.1).minimize(() => tf.mul(x, 1e-6));
      return Math.round(-1000 * x.dataSync()[0]);
    };
    assert.deepEqual([step(judge), step(fj)], [91, 24]);
  },
  '`sign(NaN)`': () => assert.deepEqual(both((tf) => tf.sign(tf.scalar(NaN))), [0, NaN]),
  '`maxPool` of a window with NaN in it': () => assert.deepEqual(both((tf) => tf.maxPool(tf.tensor4d([1, NaN, 3, 2], [1, 2, 2, 1]), 2, 1, 'valid').flatten()), [[3], [NaN]]),
  'the gradient of `maxPool3d` whose window is not as high as it is wide': () => {
    const slope = (tf) => tf.grad((x) => tf.maxPool3d(x, [1, 2, 3], 1, 'valid').sum())(tf.tensor([0, 0, 0, 1, 0, 0], [1, 1, 2, 3, 1])).flatten();
    assert.deepEqual(both(slope), [[0, 0, 1, 0, 0, 0], [0, 0, 0, 1, 0, 0]]);
  },
  'the gradient of `conv3dTranspose`': () => {
    const slope = (tf) => tf.grad((x) => tf.conv3dTranspose(x, tf.ones([2, 2, 2, 1, 1]), [1, 3, 3, 3, 1], 1, 'valid').sum())(tf.ones([1, 2, 2, 2, 1]));
    assert.throws(() => slope(judge), /gradient function not found/);
    assert.deepEqual([...slope(fj).dataSync()], Array(8).fill(8));
  },
  '`image.transform` of several images on the CPU': () => {
    const moved = (tf) => tf.image.transform(tf.tensor([1, 2], [2, 1, 1, 1]), tf.tensor2d([[1, 0, 0, 0, 1, 0, 0, 0]]), 'nearest', 'constant', 7).flatten();
    assert.deepEqual(both(moved), [[1, 7], [1, 2]]);
  },
  'the gradient of `image.resizeBilinear`': () => {
    const slope = (tf) => tf.grad((x) => tf.image.resizeBilinear(x, [2, 2]).sum())(tf.ones([1, 1, 2, 1])).flatten();
    assert.throws(() => slope(judge), /which does not match the shape of the input/);
    assert.deepEqual([...slope(fj).dataSync()], [2, 2]);
  },
  'the gradient of `image.resizeNearestNeighbor` of several images of another size': () => {
    const dy = (tf) => tf.tensor(Array.from({length: 18}, (_, i) => i + 1), [2, 3, 3, 1]);
    const slope = (tf) => tf.grad((x) => tf.image.resizeNearestNeighbor(x, [3, 3]))(tf.ones([2, 2, 2, 1]), dy(tf)).flatten();
    // The first two rows and columns are taken twice: 1 + 2 + 4 + 5, ..
    assert.deepEqual(both(slope), [[12, 9, 15, 9, 28, 17, 23, 13], [12, 9, 15, 9, 48, 27, 33, 18]]);
  },
  'the gradient of `avgPool` at a border': () => {
    const [theirs, ours] = [judge, fj].map((tf) => tf.grad((x) => tf.avgPool(x, 3, 3, 'same').sum())(tf.ones([1, 2, 2, 1])).dataSync()[0]);
    assert.ok(Math.abs(theirs - 1 / 9) < 1e-6 && Math.abs(ours - 1 / 4) < 1e-6, `${theirs}, ${ours}`);
  },
  'the gradient of `mirrorPad`': () => {
    const padded = (tf) => (x) => tf.mirrorPad(x, [[2, 1]], 'reflect');
    const dy = [10, 20, 30, 40, 50, 60];
    assert.deepEqual(both((tf) => padded(tf)(tf.tensor1d([1, 2, 3])))[1], [3, 2, 1, 2, 3, 2]);
    const [theirs, ours] = both((tf) => tf.grad(padded(tf))(tf.tensor1d([1, 2, 3]), tf.tensor1d(dy)));
    assert.deepEqual([theirs[1], ours[1]], [40, 120]);
  },
  'the gradient of `abs` at 0': () => {
    assert.deepEqual(both((tf) => tf.grad((x) => x.abs())(tf.tensor1d([-2, 0, 3]))), [[-1, -1, 1], [-1, 0, 1]]);
  },
  'the gradient of a cast to int32 or bool': () => {
    for (const cut of ['toInt', 'toBool']) assert.deepEqual(both((tf) => tf.grad((x) => x[cut]().toFloat().mul(3))(tf.tensor1d([1.5, 2]))), [[3, 3], [0, 0]]);
  },
  'the gradient of `depthwiseConv2d` with dilations': () => {
    const call = (tf) => tf.grad((x) => tf.depthwiseConv2d(x, tf.ones([2, 2, 1, 1]), 1, 'valid', 'NHWC', 2).sum())(tf.ones([1, 3, 3, 1]));
    assert.throws(() => call(judge));
    assert.deepEqual([...call(fj).dataSync()], [1, 0, 1, 0, 0, 0, 1, 0, 1]);
  },
  '`softmax` and `logSoftmax` along another axis than the last; `oneHot` of depth 1': () => {
    for (const call of [(tf) => tf.softmax(tf.zeros([2, 2]), 0), (tf) => tf.logSoftmax(tf.zeros([2, 2]), 0), (tf) => tf.oneHot(ints(tf, [0]), 1)]) {
      assert.throws(() => call(judge));
      call(fj);
    }
    assert.deepEqual(value(fj.softmax(fj.zeros([2, 2]), 0)), [[0.5, 0.5], [0.5, 0.5]]);
  },
  'a gradient with respect to an int32 tensor': () => {
    const call = (tf) => tf.grad((x) => x.toFloat().square().sum())(ints(tf, [3]));
    assert.deepEqual(value(call(judge)), [6]);
    assert.throws(() => call(fj), /toFloat\(\)/);
  },
  'a gradient with respect to a bool tensor': () => {
    const call = (f) => (tf) => tf.grad(f)(tf.tensor1d([true, true], 'bool'));
    assert.deepEqual(both(call((x) => x.clone().toFloat().sum())), [[1, 1], [0, 0]]);
  },
  'the gradient of a layer that stands in a model and in a model within it': async () => {
    const change = async (tf) => {
      const layer = tf.layers.dense({units: 1, kernelInitializer: 'ones', useBias: false});
      const [x, y] = [tf.input({shape: [1]}), tf.input({shape: [1]})];
      const inner = tf.model({inputs: x, outputs: layer.apply(x)});
      const model = tf.model({inputs: y, outputs: inner.apply(layer.apply(y))});
      model.compile({optimizer: tf.train.sgd(1), loss: 'meanSquaredError'});
      await model.trainOnBatch(tf.ones([1, 1]), tf.zeros([1, 1]));
      return 1 - layer.getWeights()[0].dataSync()[0];
    };
    // The loss is w^4, its slope at 1 is 4.
    assert.deepEqual([await change(judge), await change(fj)], [8, 4]);
  },
  'a mask that comes to `permute`, `reshape`, or a convolution or a pool along steps': () => {
    // One step of four counts, and tanh(1) is what a cell makes of a 1.
    const after = (name, args) => (tf) => {
      const embedding = tf.layers.embedding({inputDim: 3, outputDim: 1, maskZero: true, inputLength: 4, embeddingsInitializer: 'ones'});
      const cell = tf.layers.simpleRNN({units: 1, kernelInitializer: 'ones', recurrentInitializer: 'ones'});
      return tf.sequential({layers: [embedding, tf.layers[name](args), cell]}).predict(tf.tensor2d([[1, 0, 0, 0]]));
    };
    const steps = [1, 2, 3, 4].reduce((state) => Math.tanh(1 + state), 0);
    for (const [name, args] of [['permute', {dims: [1, 2]}], ['reshape', {targetShape: [4, 1]}], ['conv1d', {filters: 1, kernelSize: 1, kernelInitializer: 'ones'}], ['maxPooling1d', {poolSize: 1}]]) {
      const [[[theirs]], [[ours]]] = both(after(name, args));
      assert.ok(Math.abs(theirs - Math.tanh(1)) < 1e-6 && Math.abs(ours - steps) < 1e-6, `${name}: ${theirs}, ${ours}`);
    }
  },
  "`tf.layers.upSampling2d` with `interpolation: 'bilinear'`": () => {
    const grown = (tf) => tf.sequential({layers: [tf.layers.upSampling2d({size: [1, 2], interpolation: 'bilinear', inputShape: [1, 2, 1]})]}).predict(tf.tensor4d([1, 2], [1, 1, 2, 1])).flatten();
    assert.deepEqual(both(grown), [[1, 1.5, 2, 2], [1, 1.25, 1.75, 2]]);
  },
  'the states of `stackedRNNCells` that a layer gives and takes': () => {
    const states = (tf) => {
      const cells = [1, 3].map((kernel) => tf.layers.simpleRNNCell({units: 1, activation: 'linear', kernelInitializer: tf.initializers.constant({value: kernel})}));
      const x = tf.input({shape: [1, 1]});
      const outputs = tf.layers.rnn({cell: tf.layers.stackedRNNCells({cells}), returnState: true}).apply(x);
      return tf.concat(tf.model({inputs: x, outputs}).predict(tf.ones([1, 1, 1]))).flatten();
    };
    assert.deepEqual(both(states), [[3, 3, 1], [3, 1, 3]]);
  },
  '`globalAveragePooling1d` of a sequence with a mask': () => assert.deepEqual(both(predicted([2, 4, 0], [1, 3, 1], (tf) => [masked(tf), tf.layers.globalAveragePooling1d()])), [[2], [3]]),
  'steps that are masked, of `bidirectional` with `returnSequences`': () => {
    const layers = (tf) => [masked(tf), tf.layers.bidirectional({layer: tf.layers.simpleRNN({units: 1, returnSequences: true, ...ones})})];
    assert.deepEqual(both(predicted([1, 2, 0], [1, 3, 1], layers)), [[1, 3, 3, 2, 3, 0], [1, 3, 3, 2, 0, 0]]);
  },
  'regularizers in `evaluate` and `val_loss`': async () => {
    const losses = async (tf) => {
      const model = costly(tf, ({layers}, {recurrentInitializer: _, ...args}) => [layers.dense({units: 1, inputShape: [1], ...args})]);
      const x = tf.ones([1, 1]);
      const {history} = await model.fit(x, x, {verbose: 0, validationData: [x, x]});
      return [history.loss[0], history.val_loss[0], model.evaluate(x, x).dataSync()[0]];
    };
    assert.deepEqual(await bothAsync(losses), [[0.5, 0, 0], [0.5, 0.5, 0.5]]);
  },
  'the regularizer of a layer that stands in several places; of one within `bidirectional`': async () => {
    const twice = (tf) => {
      const {recurrentInitializer: _, ...args} = ones;
      const layer = tf.layers.dense({units: 1, kernelRegularizer: tf.regularizers.l2({l2: 0.5}), ...args});
      const x = tf.input({shape: [1]});
      const model = tf.model({inputs: x, outputs: layer.apply(layer.apply(x))});
      model.compile({optimizer: tf.train.sgd(0), loss: 'meanSquaredError'});
      return model.trainOnBatch(tf.ones([1, 1]), tf.ones([1, 1]));
    };
    assert.deepEqual(await bothAsync(twice), [1, 0.5]);
    const within = (tf) => costly(tf, ({layers}, args) => [layers.bidirectional({layer: layers.simpleRNN({units: 1, ...args}), inputShape: [1, 1]})]).trainOnBatch(tf.ones([1, 1, 1]), tf.ones([1, 2]));
    assert.deepEqual(await bothAsync(within), [0, 1]);
  },
  'constraints in `fit`': async () => {
    const kernel = async (tf) => {
      const model = tf.sequential({layers: [tf.layers.dense({units: 1, inputShape: [1], useBias: false, kernelInitializer: 'ones', kernelConstraint: 'nonNeg'})]});
      model.compile({optimizer: tf.train.sgd(1), loss: 'meanSquaredError'});
      await model.fit(tf.ones([1, 1]), tf.zeros([1, 1]), {verbose: 0});
      return model.getWeights()[0].dataSync()[0];
    };
    assert.deepEqual(await bothAsync(kernel), [-1, 0]);
  },
  'the `kernelInitializer` of `dense`, convolutions and the like, where none is said; the bias of `lstm`': () => {
    // A uniform distribution ends at sqrt(6 / (300 + 300)); the normal one is cut at two deviations, sqrt(2 / (300 + 300)) each.
    const ends = (tf) => tf.max(tf.abs(kernelOf(tf))).dataSync()[0];
    const [theirs, ours] = bothSync(ends);
    assert.ok(theirs > 0.11 && ours > 0.099 && ours <= 0.1, `${theirs}, ${ours}`);
    const bias = (tf) => tf.sequential({layers: [tf.layers.lstm({units: 1, inputShape: [1, 1]})]}).getWeights()[2];
    assert.deepEqual(both(bias), [[0, 0, 0, 0], [0, 1, 0, 0]]);
  },
  'the deviation of `heNormal`, `glorotNormal`, `leCunNormal`': () => {
    for (const [kernelInitializer, variance] of [['heNormal', 2 / 300], ['glorotNormal', 2 / 600], ['leCunNormal', 1 / 300]]) {
      const [theirs, ours] = bothSync((tf) => Math.sqrt(tf.moments(kernelOf(tf, {kernelInitializer})).variance.dataSync()[0] / variance));
      assert.ok(Math.abs(theirs - 0.88) < 0.01 && Math.abs(ours - 1) < 0.01, `${kernelInitializer}: ${theirs}, ${ours}`);
    }
  },
  '`batchNormalization` along another axis than the last': () => {
    const normed = (tf) => {
      const model = tf.sequential({layers: [tf.layers.batchNormalization({axis: 1, epsilon: 0, inputShape: [2, 2]})]});
      model.setWeights([tf.tensor1d([1, 10]), tf.zeros([2]), tf.zeros([2]), tf.ones([2])]);
      return model.predict(tf.ones([1, 2, 2])).flatten();
    };
    assert.deepEqual(both(normed), [[1, 10, 1, 10], [1, 1, 10, 10]]);
  },
  '`dilationRate` of `layers.depthwiseConv2d`, `groups` of `layers.conv2d`': () => {
    const shape = (tf) => tf.sequential({layers: [tf.layers.depthwiseConv2d({kernelSize: 2, dilationRate: 2, inputShape: [3, 3, 1]})]}).outputShape;
    assert.deepEqual(bothSync(shape), [[null, 2, 2, 1], [null, 1, 1, 1]]);
    const kernel = (tf) => tf.sequential({layers: [tf.layers.conv2d({filters: 2, kernelSize: 1, groups: 2, inputShape: [1, 1, 2]})]}).getWeights()[0].shape;
    assert.deepEqual(bothSync(kernel), [[1, 1, 2, 2], [1, 1, 1, 2]]);
  },
  'the loss `kullbackLeiblerDivergence` of labels above 1': () =>
    assert.deepEqual(bothSync(judged([[2, 0.5]], [[0.5, 0.5]], {loss: 'kullbackLeiblerDivergence'})), [[1.386], [0.693]]),
  'crossentropies of `softmax` and `sigmoid` that are saturated': () => {
    const [softmax, sigmoid] = [{activation: 'softmax', loss: 'categoricalCrossentropy'}, {activation: 'sigmoid', loss: 'binaryCrossentropy'}];
    assert.deepEqual(bothSync(judged([[1, 0]], [[-50, 50]], softmax)), [[16.118], [100]]);
    assert.deepEqual(bothSync(judged([[1]], [[-50]], sigmoid)), [[16.118], [50]]);
  },
  'what `adadelta` divides by': () => assert.deepEqual(bothSync(firstStep((train) => train.adadelta(1, 0.9, 0.01))), [-2, -0.31]),
  'the `epsilon` of `rmsprop`, centred': () => assert.deepEqual(bothSync(firstStep((train) => train.rmsprop(0.1, 0.9, 0, 0.5, true))), [NaN, -0.22]),
  "the metric `'precision'` by name": () => assert.deepEqual(bothSync(judged([[1], [1], [0]], [[0.7], [0.2], [0.9]], {metrics: ['precision']})).map(([, precision]) => precision), [0, 0.5]),
  '`evaluate` of a model with several outputs': () => {
    const losses = (tf) => {
      const x = tf.input({shape: [1]});
      const model = tf.model({inputs: x, outputs: ['a', 'b'].map((name) => tf.layers.dense({units: 1, name, kernelInitializer: 'ones'}).apply(x))});
      model.compile({optimizer: 'sgd', loss: {a: 'meanSquaredError', b: 'meanAbsoluteError'}});
      const three = tf.fill([1, 1], 3);
      const zero = tf.zeros([1, 1]);
      return [model.evaluate(three, [zero, zero]).map((t) => t.dataSync()[0]), model.metricsNames];
    };
    const names = ['loss', 'a_loss', 'b_loss'];
    assert.deepEqual(bothSync(losses), [[[9, 12, 9, 3], names], [[12, 9, 3], names]]);
  },
  'the log of a loss whose name a metric has, too': async () => {
    const logs = async (tf) => Object.keys((await compiled(tf, {metrics: [function loss(y, p) {
      return p.sub(y).mean();
    }]}).fit(tf.ones([1, 2]), tf.ones([1, 2]), {verbose: 0})).history);
    assert.deepEqual([await logs(judge), await logs(fj)], [['loss_0', 'loss_1'], ['loss', 'loss_1']]);
  },
  '`getClassName()` of `tf.model(..)`; of `tf.initializers.glorotUniform()` and the like, `tf.regularizers.l2()`': () => {
    const names = (tf) => {
      const x = tf.input({shape: [1]});
      const {initializers, regularizers} = tf;
      return [tf.model({inputs: x, outputs: tf.layers.reLU().apply(x)}), initializers.glorotUniform({}), initializers.heNormal({}), regularizers.l2()].map((one) => one.getClassName());
    };
    assert.deepEqual(bothSync(names), [['Model', 'VarianceScaling', 'VarianceScaling', 'L1L2'], ['Functional', 'GlorotUniform', 'HeNormal', 'L2']]);
  },
  'random numbers of a seed': () => {
    const [theirs, ours] = both((tf) => tf.randomNormal([4], 0, 1, 'float32', 7));
    assert.notDeepEqual(theirs, ours);
    const {mean, variance} = fj.moments(fj.truncatedNormal([100000], 0, 1, 'float32', 7));
    assert.ok(Math.abs(mean.dataSync()[0]) < 0.02 && Math.abs(Math.sqrt(variance.dataSync()[0]) - 0.88) < 0.01);
  },
  'the `seed` of `dropout` and its like': async () => {
    const losses = async (tf, seed) => {
      const first = tf.layers.dropout({rate: 0.5, seed: 3, inputShape: [30]});
      const model = tf.sequential({layers: [first, tf.layers.dense({units: 1, kernelInitializer: 'ones'})], ...(seed ? {seed} : {})});
      model.compile({optimizer: tf.train.sgd(0), loss: 'meanSquaredError'});
      const [x, y] = [tf.range(0, 30).reshape([1, 30]), tf.zeros([1, 1])];
      return [await model.trainOnBatch(x, y), await model.trainOnBatch(x, y), await model.trainOnBatch(x, y)];
    };
    assert.equal(new Set(await losses(judge)).size, 1);
    const ours = await losses(fj, 1);
    assert.equal(new Set(ours).size, 3);
    assert.deepEqual(await losses(fj, 2), ours);
  },
  'numbers below 0.001 in `print()` and `toString()`': () => assert.deepEqual([judge, fj].map((tf) => /e-8|1e-08/.test(tf.tensor1d([1e-8]).toString())), [false, true]),
  'columns in `print()` and `toString()` of long tensors': () => {
    // The widest number is in a row that is left out.
    const numbers = Array.from({length: 200}, (_, i) => (i === 100 ? 123456 : 1));
    const lines = [judge, fj].map((tf) => tf.tensor2d(numbers, [100, 2], 'int32').toString().split('\n')[1].trim());
    assert.deepEqual(lines, ['[[1     , 1],', '[[1, 1],']);
  },
  "an index out of range of `gather`; a float32 tensor for `bitwiseAnd`": () => {
    const says = (tf, call) => {
      try {
        call(tf);
      } catch ({message}) {
        return message;
      }
      return undefined;
    };
    const gather = (tf) => tf.gather(tf.tensor1d([1, 2]), ints(tf, [9]));
    assert.deepEqual([says(judge, gather), says(fj, gather)], ['GatherV2: the index value 9 is not in [0, 1]', 'gather: the index value 9 at position 0 is not in [0, 1]']);
    const and = (tf) => tf.bitwiseAnd(tf.tensor1d([1]), tf.tensor1d([1]));
    assert.match(says(judge, and), /Only supports 'int32' values in tensor/);
    assert.match(says(fj, and), /Argument '\w+' passed to 'bitwiseAnd'/);
  },
  '`einsum` of more than two tensors; what is wrong with its equation': () => {
    const chain = (tf) => tf.einsum('i,i,i->i', [2], [3], [4]);
    assert.throws(() => chain(judge), /more than 2 input tensors/);
    assert.deepEqual([...chain(fj).dataSync()], [24]);
    assert.throws(() => fj.einsum('ij->ji', [[1]], [[1]]), /the equation "ij->ji" is of 1 arrays, got 2/);
  },
  '`tf.version`': () => {
    assert.deepEqual(Object.keys(fj.version), ['fjord']);
    assert.ok('tfjs-core' in judge.version && 'version_core' in judge && !('version_core' in fj));
  },
});

test('what programs can use, and what they cannot, by their names', () => {
  const lookUp = (tf, name) => name.split('.').reduce((object, key) => object?.[key], tf);
  let looked = 0;
  for (const [, cell, advice] of part('use').matchAll(/^\| (.*?) \| (.*) \|$/gm)) {
    for (const [, name] of cell.matchAll(/`tf\.([\w.]+)`/g)) {
      assert.equal(lookUp(fj, name) === undefined, /^(wait|stay)/.test(advice), name);
      assert.notEqual(lookUp(judge, name), undefined, name);
      ++looked;
    }
  }
  assert.ok(looked > 15, `${looked} names`);
});

test('the lists of missing names are those of both packages: ./dev docs makes them', async () => {
  assert.equal(part('names'), await namesInMarkdown(fj, judge));
});
