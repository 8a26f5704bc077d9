// Every layer in a model: what it computes and how it trains, with the weights of the same layer of TensorFlow.js; and activations,
// initializers, regularizers, constraints.
import assert from 'node:assert/strict';
import {suite, test} from 'node:test';
import {close, closeValues, fj, judge, random, shareWeights, weightsOf} from './helpers.mjs';

const image = [6, 7, 3], steps = [9, 3], volume = [3, 4, 5, 2];
/** name, arguments, the shape of one example. */
const cases = [
  ['dense', {units: 5}, [4]],
  ['dense', {units: 5, activation: 'relu', useBias: false}, [4]],
  ['dense', {units: 2}, [3, 4]],
  ['activation', {activation: 'tanh'}, [5]],
  ['reLU', {}, [5]],
  ['reLU', {maxValue: 1}, [5]],
  ['leakyReLU', {alpha: 0.2}, [5]],
  ['elu', {}, [5]],
  ['prelu', {alphaInitializer: 'randomUniform'}, [5]],
  ['softmax', {}, [5]],
  ['flatten', {}, [3, 4]],
  ['reshape', {targetShape: [6, 2]}, [3, 4]],
  ['permute', {dims: [2, 1]}, [3, 4]],
  ['repeatVector', {n: 3}, [4]],
  ['rescaling', {scale: 0.5, offset: -1}, [5]],
  ['conv2d', {filters: 4, kernelSize: 3}, image],
  ['conv2d', {filters: 4, kernelSize: [3, 2], strides: 2, padding: 'same', activation: 'relu'}, image],
  ['conv2d', {filters: 4, kernelSize: 2, dilationRate: 2}, image, {trains: false}],
  ['depthwiseConv2d', {kernelSize: 3, depthMultiplier: 2}, image],
  ['separableConv2d', {filters: 4, kernelSize: 3, padding: 'same'}, image],
  ['conv2dTranspose', {filters: 4, kernelSize: 3, strides: 2, padding: 'same'}, image],
  ['conv2dTranspose', {filters: 2, kernelSize: 2}, image],
  ['maxPooling2d', {poolSize: 2}, image],
  ['maxPooling2d', {poolSize: [3, 2], strides: [1, 2], padding: 'same'}, image],
  ['averagePooling2d', {poolSize: 2}, image],
  ['globalMaxPooling2d', {}, image],
  ['globalAveragePooling2d', {}, image],
  ['upSampling2d', {size: [2, 3]}, image],
  ['zeroPadding2d', {padding: [[1, 2], [0, 3]]}, image],
  ['cropping2D', {cropping: [[1, 2], [0, 3]]}, image],
  ['conv1d', {filters: 4, kernelSize: 3}, steps],
  ['conv1d', {filters: 3, kernelSize: [4], strides: [2], padding: 'same', activation: 'relu'}, steps],
  ['conv3d', {filters: 3, kernelSize: 2}, volume],
  ['conv3d', {filters: 2, kernelSize: [1, 3, 2], strides: [1, 2, 1], padding: 'same', useBias: false}, volume],
  ['conv3dTranspose', {filters: 2, kernelSize: 2, strides: 2}, volume, {trains: false}],
  ['conv3dTranspose', {filters: 2, kernelSize: [2, 3, 3], strides: [1, 2, 2], padding: 'same'}, volume, {trains: false}],
  ['maxPooling1d', {poolSize: 2}, steps],
  ['maxPooling1d', {poolSize: [3], strides: [1], padding: 'same'}, steps],
  ['averagePooling1d', {poolSize: 2}, steps],
  ['globalMaxPooling1d', {}, steps],
  ['globalAveragePooling1d', {}, steps],
  ['maxPooling3d', {poolSize: 2}, volume],
  ['averagePooling3d', {poolSize: [1, 2, 3], strides: [1, 1, 1]}, volume],
  ['batchNormalization', {}, image],
  ['batchNormalization', {momentum: 0.9, epsilon: 0.01, scale: true}, [5]],
  ['layerNormalization', {}, [5]],
];
// Other names of the same.
const aliases = {
  avgPool1d: 'averagePooling1d', avgPool2d: 'averagePooling2d', avgPool3d: 'averagePooling3d',
  avgPooling1d: 'averagePooling1d', avgPooling2d: 'averagePooling2d', avgPooling3d: 'averagePooling3d',
  maxPool1d: 'maxPooling1d', maxPool2d: 'maxPooling2d', maxPool3d: 'maxPooling3d',
  globalMaxPool1d: 'globalMaxPooling1d', globalMaxPool2d: 'globalMaxPooling2d',
  globalAvgPool1d: 'globalAveragePooling1d', globalAvgPool2d: 'globalAveragePooling2d',
};
// What TensorFlow.js lacks, as formulas of its ops: check/goldens/nn_dims.py has Keras's values.
const further = [
  ['conv1dTranspose', {filters: 2, kernelSize: 3, strides: 2}, steps, (x, [w, b]) => judge.conv2dTranspose(x.expandDims(1), w.expandDims(0), [8, 1, 2 * x.shape[1] + 1, 2], [1, 2], 'valid').squeeze([1]).add(b)],
  ['spatialDropout3d', {rate: 0.5}, volume, (x) => x],
  ['upSampling1d', {size: 3}, steps, (x) => judge.tile(x.expandDims(2), [1, 1, 3, 1]).reshape([8, 3 * x.shape[1], x.shape[2]])],
  ['upSampling3d', {size: [1, 1, 2]}, volume, (x) => judge.tile(x.reshape([-1, x.shape[3], 1, x.shape[4]]), [1, 1, 2, 1]).reshape([...x.shape.slice(0, 3), 2 * x.shape[3], x.shape[4]])],
  ['zeroPadding1d', {padding: [1, 2]}, steps, (x) => judge.pad(x, [[0, 0], [1, 2], [0, 0]])],
  ['zeroPadding3d', {padding: [[1, 2], [0, 0], [0, 0]]}, volume, (x) => judge.pad(x.reshape([8, x.shape[1], -1]), [[0, 0], [1, 2], [0, 0]]).reshape([8, x.shape[1] + 3, ...x.shape.slice(2)])],
  ['cropping1D', {cropping: [1, 2]}, steps, (x) => x.slice([0, 1], [-1, x.shape[1] - 3])],
  ['cropping3D', {cropping: 1}, volume, (x) => x.slice([0, 1, 1, 1], [-1, ...x.shape.slice(1, 4).map((size) => size - 2), -1])],
  ['globalMaxPooling3d', {}, volume, (x) => x.max([1, 2, 3])],
  ['globalAveragePooling3d', {}, volume, (x) => x.mean([1, 2, 3])],
  ['adaptiveMaxPooling1d', {outputSize: 1}, steps, (x) => x.max(1, true)],
  ['adaptiveMaxPooling2d', {outputSize: 1}, image, (x) => x.max([1, 2], true)],
  ['adaptiveMaxPooling3d', {outputSize: 1}, volume, (x) => x.max([1, 2, 3], true)],
  ['adaptiveAveragePooling1d', {outputSize: 1}, steps, (x) => x.mean(1, true)],
  ['adaptiveAveragePooling2d', {outputSize: [1, image[1]]}, image, (x) => x.mean(1, true)],
  ['adaptiveAveragePooling3d', {outputSize: 1}, volume, (x) => x.mean([1, 2, 3], true)],
];

/** The same batch for both, x [8, ...shape] and y [8, 2]. */
const batchOf = (shape) => (tf) => [tf.tensor(random([8, ...shape], -2, 2, 5), [8, ...shape]), tf.tensor(random([8, 2], -1, 1, 6), [8, 2])];

suite('layers compute and train as in TensorFlow.js', () => {
  for (const [name, args, shape, {trains = true} = {}] of cases) {
    test(`${name} ${JSON.stringify(args)} of [${shape}]`, async () => {
      const build = (tf, head) => {
        const model = tf.sequential({layers: [tf.layers[name]({...args, inputShape: shape})]});
        if (!head) return model;
        // Of a matrix TensorFlow.js's flatten wants nothing.
        if (rank > 2) model.add(tf.layers.flatten());
        model.add(tf.layers.dense({units: 2}));
        return model;
      };
      const rank = judge.sequential({layers: [judge.layers[name]({...args, inputShape: shape})]}).outputShape.length;
      const [alone, alone2] = [build(fj), build(judge)];
      shareWeights(alone, alone2);
      const batch = batchOf(shape);
      assert.deepEqual(alone.outputShape, alone2.outputShape);
      assert.equal(alone.countParams(), alone2.countParams());
      close(alone.predict(batch(fj)[0]), alone2.predict(batch(judge)[0]), 1e-4);
      if (!trains) return;
      const [ours, theirs] = [build(fj, true), build(judge, true)];
      shareWeights(ours, theirs);
      await sameSteps(ours, theirs, batch, 4);
    });
  }
  for (const [name, args, shape, formula] of further) {
    test(`${name} ${JSON.stringify(args)} of [${shape}], by other ops`, () => {
      const model = fj.sequential({layers: [fj.layers[name]({...args, inputShape: shape})]});
      const weights = model.getWeights().map((t) => judge.tensor(t.dataSync(), t.shape));
      const [ours, theirs] = [fj, judge].map((tf) => batchOf(shape)(tf)[0]);
      const expected = formula(theirs, weights);
      assert.deepEqual(model.outputShape, [null, ...expected.shape.slice(1)]);
      close(model.predict(ours), expected, 1e-5);
    });
  }
  for (const [alias, name] of Object.entries(aliases)) {
    test(`${alias} is ${name}`, () => assert.equal(fj.layers[alias]({}).getClassName(), fj.layers[name]({}).getClassName()));
  }
});

/** Steps of both models have the same loss, and end with the same weights. */
async function sameSteps(ours, theirs, batch, steps) {
  ours.compile({optimizer: fj.train.sgd(0.05), loss: 'meanSquaredError'});
  theirs.compile({optimizer: judge.train.sgd(0.05), loss: 'meanSquaredError'});
  for (let i = 0; i < steps; ++i) {
    const [loss, expected] = [await ours.trainOnBatch(...batch(fj)), await theirs.trainOnBatch(...batch(judge))];
    closeValues([loss], [expected], 1e-4, `the loss of step ${i}`);
  }
  const expected = weightsOf(theirs);
  weightsOf(ours).forEach((w, i) => closeValues(w, expected[i], 2e-4, `weight ${i}`));
}

suite('images of any size', () => {
  const build = (tf) => {
    const x = tf.input({shape: [null, null, 3]});
    const h = tf.layers.conv2d({filters: 4, kernelSize: 3, padding: 'same', activation: 'relu'}).apply(x);
    const small = tf.layers.maxPooling2d({poolSize: 2}).apply(h);
    return tf.model({inputs: x, outputs: tf.layers.conv2d({filters: 2, kernelSize: 1}).apply(small)});
  };
  test('are predicted and shown as in TensorFlow.js', () => {
    const [ours, theirs] = [build(fj), build(judge)];
    assert.deepEqual(ours.outputs?.[0].shape ?? ours.outputShape, [null, null, null, 2]);
    shareWeights(ours, theirs);
    for (const size of [[4, 6], [10, 8], [4, 6]]) {
      const x = (tf) => tf.tensor(random([3, ...size, 3], -2, 2, 7), [3, ...size, 3]);
      close(ours.predict(x(fj)), theirs.predict(x(judge)), 1e-4);
    }
    assert.throws(() => ours.predict(fj.zeros([1, 4, 4, 2])), /takes \[samples,any,any,3\], got an array \[1,4,4,2\]/);
  });
  test('are trained on', async () => {
    const [ours, theirs] = [build(fj), build(judge)];
    shareWeights(ours, theirs);
    for (const size of [4, 8, 6]) {
      const batch = (tf) => [tf.tensor(random([2, size, 6, 3], -2, 2, 8), [2, size, 6, 3]), tf.tensor(random([2, size / 2, 3, 2], -1, 1, 9), [2, size / 2, 3, 2])];
      await sameSteps(ours, theirs, batch, 2);
    }
  });
  test('whose weights would depend on it are refused', () => {
    const model = fj.sequential({layers: [fj.layers.flatten({inputShape: [null, 2]}), fj.layers.dense({units: 1, name: 'd'})]});
    assert.throws(() => model.countParams(), {message: 'the model takes inputs of open sizes, and with 96 in place of 64: d: the weight d/kernel has the shape [128,1], [192,1] is needed now'});
  });
});

test('channels that come first: the same between transposes', () => {
  const model = (dataFormat, shape) => fj.sequential({seed: 5, layers: [
    fj.layers.conv2d({filters: 4, kernelSize: 3, activation: 'relu', dataFormat, inputShape: shape}),
    fj.layers.batchNormalization({axis: dataFormat === 'channelsFirst' ? 1 : -1}),
    fj.layers.averagePooling2d({poolSize: 2, dataFormat}), fj.layers.flatten({dataFormat}), fj.layers.dense({units: 2}),
  ]});
  const [first, last] = [model('channelsFirst', [3, 6, 7]), model('channelsLast', image)];
  last.setWeights(first.getWeights());
  const x = fj.tensor(random([5, ...image], -2, 2, 5), [5, ...image]);
  close(first.predict(x.transpose([0, 3, 1, 2])), last.predict(x), 1e-6);
  assert.deepEqual(first.layers[0].output.shape, [null, 4, 4, 5]);
  assert.equal(first.layers[0].getConfig().dataFormat, 'channelsFirst');
});

suite('layers that join', () => {
  for (const name of ['add', 'multiply', 'average', 'maximum', 'minimum', 'concatenate', 'dot']) {
    test(name, async () => {
      const args = name === 'dot' ? {axes: -1} : {};
      const build = (tf) => {
        const [a, b] = [tf.input({shape: [4]}), tf.input({shape: [4]})];
        const [da, db] = [a, b].map((x) => tf.layers.dense({units: 5, activation: 'tanh'}).apply(x));
        return tf.model({inputs: [a, b], outputs: tf.layers.dense({units: 2}).apply(tf.layers[name](args).apply([da, db]))});
      };
      const [ours, theirs] = [build(fj), build(judge)];
      shareWeights(ours, theirs);
      const xs = (tf) => [8, 9].map((seed) => tf.tensor(random([8, 4], -2, 2, seed), [8, 4]));
      close(ours.predict(xs(fj)), theirs.predict(xs(judge)), 1e-5);
      await sameSteps(ours, theirs, (tf) => [xs(tf), batchOf([4])(tf)[1]], 4);
    });
  }
  test('subtract', () => {
    const [a, b] = [fj.input({shape: [3]}), fj.input({shape: [3]})];
    const model = fj.model({inputs: [a, b], outputs: fj.layers.subtract().apply([a, b])});
    assert.deepEqual(model.predict([fj.tensor([[5, 6, 7]]), fj.tensor([[1, 2, 4]])]).arraySync(), [[4, 4, 3]]);
  });
  test('inputLayer begins a sequential model', () => {
    const model = fj.sequential({layers: [fj.layers.inputLayer({inputShape: [2]}), fj.layers.dense({units: 1, kernelInitializer: 'ones'})]});
    assert.deepEqual(model.predict(fj.tensor([[2, 3]])).arraySync(), [[5]]);
  });
});

test('dropout works while training only', async () => {
  const model = fj.sequential({layers: [fj.layers.dropout({rate: 0.5, inputShape: [1000]})], seed: 1});
  model.compile({optimizer: 'sgd', loss: 'meanAbsoluteError'});
  const ones = fj.ones([1, 1000]);
  assert.deepEqual(model.predict(ones).dataSync(), ones.dataSync());
  // Half of the values become 0 and half 2: each is 1 away.
  assert.equal(await model.trainOnBatch(ones, ones), 1);
  assert.equal(await model.testOnBatch(ones, ones), 0);
});

suite('activations', () => {
  const activate = (tf, activation, x) => tf.sequential({layers: [tf.layers.activation({activation, inputShape: [x.shape[1]]})]}).predict(x);
  const common = ['elu', 'linear', 'relu', 'relu6', 'selu', 'sigmoid', 'softmax', 'softplus', 'softsign', 'tanh', 'swish', 'mish', 'gelu', 'gelu_new', 'hardSigmoid'];
  for (const name of common) {
    test(name, () => {
      const x = (tf) => tf.tensor(random([3, 9], -3, 3, 4), [3, 9]);
      // The error function of its gelu is an approximation: Abramowitz and Stegun 7.1.26, good to 1.5e-7.
      close(activate(fj, name, x(fj)), activate(judge, name, x(judge)), 1e-5);
    });
  }
  const formulas = {
    exponential: Math.exp,
    // Of Keras 3: the slope of TensorFlow.js's hardSigmoid is 0.2.
    hard_sigmoid: (x) => Math.min(1, Math.max(0, x / 6 + 0.5)),
    leakyRelu: (x) => (x < 0 ? 0.2 * x : x),
    silu: (x) => x / (1 + Math.exp(-x)),
    hardTanh: (x) => Math.min(1, Math.max(-1, x)),
    logSigmoid: (x) => -Math.log1p(Math.exp(-x)),
    squareplus: (x) => (x + Math.sqrt(x * x + 4)) / 2,
  };
  for (const [name, f] of Object.entries(formulas)) {
    test(name, () => {
      const x = random([2, 9], -4, 4, 3);
      closeValues(activate(fj, name, fj.tensor(x, [2, 9])).dataSync(), Float32Array.from(x, f), 1e-5);
    });
  }
});

suite('initializers', () => {
  const weights = (kernelInitializer, units = 40) => {
    const model = fj.sequential({layers: [fj.layers.dense({units, kernelInitializer, inputShape: [60]})], seed: 11});
    return model.getWeights()[0];
  };
  const deviation = (values) => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / values.length);
  const constant = {zeros: [{}, 0], ones: [{}, 1], constant: [{value: 0.25}, 0.25]};
  for (const [name, [config, value]] of Object.entries(constant)) {
    test(name, () => assert.ok(weights(fj.initializers[name](config)).dataSync().every((v) => v === value)));
  }
  // The deviation that each promises for 60 inputs and 40 outputs; those that are cut off keep it.
  const spread = {
    randomUniform: [{minval: -0.3, maxval: 0.3}, 0.3 / Math.sqrt(3)],
    randomNormal: [{stddev: 0.2}, 0.2],
    // Cut off at two deviations: 0.8796 of it is left.
    truncatedNormal: [{stddev: 0.2}, 0.2 * 0.8796],
    varianceScaling: [{scale: 2, mode: 'fanIn', distribution: 'normal'}, Math.sqrt(2 / 60)],
    glorotUniform: [{}, Math.sqrt(2 / 100)],
    glorotNormal: [{}, Math.sqrt(2 / 100)],
    heUniform: [{}, Math.sqrt(2 / 60)],
    heNormal: [{}, Math.sqrt(2 / 60)],
    leCunUniform: [{}, Math.sqrt(1 / 60)],
    leCunNormal: [{}, Math.sqrt(1 / 60)],
  };
  for (const [name, [config, expected]] of Object.entries(spread)) {
    test(name, () => {
      const d = deviation(weights(fj.initializers[name](config)).dataSync());
      assert.ok(Math.abs(d / expected - 1) < 0.06, `the deviation is ${d}, expected ${expected}`);
    });
  }
  test('identity', () => assert.deepEqual(weights(fj.initializers.identity({gain: 2}), 60).arraySync(), judge.eye(60).mul(2).arraySync()));
  test('orthogonal', () => {
    const w = weights(fj.initializers.orthogonal({}));
    const product = w.transpose().matMul(w);
    closeValues(product.dataSync(), judge.eye(40).dataSync(), 1e-4);
  });
  test('by name, as a text', () => assert.ok(weights('heNormal').dataSync().some((v) => v !== 0)));
});

suite('regularizers and constraints', () => {
  const model = (args) => {
    const m = fj.sequential({layers: [fj.layers.dense({units: 2, useBias: false, inputShape: [2], ...args})]});
    m.setWeights([fj.tensor([[1, -2], [3, 4]])]);
    return m;
  };
  // With no error in the data the loss is the penalty alone.
  const penalty = async (kernelRegularizer) => {
    const m = model({kernelRegularizer});
    m.compile({optimizer: fj.train.sgd(0), loss: 'meanSquaredError'});
    return m.testOnBatch(fj.zeros([1, 2]), fj.zeros([1, 2]));
  };
  test('l1', async () => closeValues([await penalty(fj.regularizers.l1({l1: 0.1}))], [0.1 * 10]));
  test('l2', async () => closeValues([await penalty(fj.regularizers.l2({l2: 0.1}))], [0.1 * 30]));
  test('l1l2', async () => closeValues([await penalty(fj.regularizers.l1l2({l1: 0.1, l2: 0.01}))], [1 + 0.3]));

  // A step of rate 0 only applies the constraint. Columns have the norms sqrt(10) and sqrt(20).
  const constrained = async (kernelConstraint) => {
    const m = model({kernelConstraint});
    m.compile({optimizer: fj.train.sgd(0), loss: 'meanSquaredError'});
    await m.trainOnBatch(fj.zeros([1, 2]), fj.zeros([1, 2]));
    return m.getWeights()[0].dataSync();
  };
  const [a, b] = [Math.sqrt(10), Math.sqrt(20)];
  test('nonNeg', async () => closeValues(await constrained(fj.constraints.nonNeg()), [1, 0, 3, 4]));
  test('unitNorm', async () => closeValues(await constrained(fj.constraints.unitNorm({axis: 0})), [1 / a, -2 / b, 3 / a, 4 / b]));
  test('maxNorm', async () => closeValues(await constrained(fj.constraints.maxNorm({maxValue: 4, axis: 0})), [1, -8 / b, 3, 16 / b]));
  test('minMaxNorm', async () =>
    closeValues(await constrained(fj.constraints.minMaxNorm({minValue: 3.5, maxValue: 4, rate: 1, axis: 0})), [3.5 / a, -8 / b, 10.5 / a, 16 / b]));
});


test('a layer on its own output computes twice with the same weights', () => {
  const x = fj.input({shape: [2]});
  const d = fj.layers.dense({units: 2});
  const model = fj.model({inputs: x, outputs: d.apply(d.apply(x))});
  model.setWeights([fj.tensor2d([[2, 0], [0, 2]]), fj.tensor1d([1, 0])]);
  assert.deepEqual([...model.predict(fj.tensor2d([[3, 5]])).dataSync()], [15, 20]);
});

test('a model of 3,000 layers is built and predicts', async () => {
  let x = fj.input({shape: [2]});
  const inputs = x;
  for (let i = 0; i < 3000; ++i) x = fj.layers.dense({units: 2, kernelInitializer: 'identity'}).apply(x);
  const model = fj.model({inputs, outputs: x});
  assert.deepEqual([...model.predict(fj.tensor2d([[3, 5]])).dataSync()], [3, 5]);
});
