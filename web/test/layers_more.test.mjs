// Layers of noise, of images and of encodings: those that TensorFlow.js has, against it; and what the others do in a model.
import assert from 'node:assert/strict';
import {suite, test} from 'node:test';
import {close, closeValues, fj, judge, random, shareWeights} from './helpers.mjs';

const alone = (tf, layer, args, shape) => tf.sequential({layers: [tf.layers[layer]({...args, inputShape: shape})]});
const batch = (tf, shape, low = -2, high = 2, seed = 5) => tf.tensor(random([4, ...shape], low, high, seed), [4, ...shape]);

suite('layers predict as in TensorFlow.js', () => {
  const image = [6, 7, 3];
  for (const [name, args, shape] of [
    ['thresholdedReLU', {theta: 0.5}, [5]], ['thresholdedReLU', {}, [5]], ['gaussianNoise', {stddev: 0.5}, [5]], ['gaussianDropout', {rate: 0.5}, [5]],
    ['alphaDropout', {rate: 0.5}, [5]], ['spatialDropout1d', {rate: 0.5}, [3, 4]], ['dropout', {rate: 0.5, noiseShape: [null, 1]}, [5]],
  ]) {
    test(`${name} ${JSON.stringify(args)}`, () => {
      const [ours, theirs] = [alone(fj, name, args, shape), alone(judge, name, args, shape)];
      assert.deepEqual(ours.outputShape, theirs.outputShape);
      close(ours.predict(batch(fj, shape)), theirs.predict(batch(judge, shape)), 1e-5);
    });
  }
  for (const [height, width] of [[4, 5], [3, 3]]) {
    // A model of TensorFlow.js with it alone takes no image but of the size of its output: the layer itself is asked.
    test(`centerCrop to ${height} x ${width}`, () => {
      const crop = (tf) => tf.layers.centerCrop({height, width}).apply(batch(tf, image));
      close(crop(fj), crop(judge));
    });
  }
  test('categoryEncoding oneHot', () => {
    // Of one number a sample: TensorFlow.js refuses more, which here each get an axis.
    const encode = (tf) => tf.layers.categoryEncoding({numTokens: 4, outputMode: 'oneHot'}).apply(tf.tensor2d([[0], [2], [3]], [3, 1], 'int32'));
    closeValues(encode(fj).dataSync(), encode(judge).dataSync());
    assert.deepEqual(encode(fj).shape, encode(judge).shape);
  });
  for (const outputMode of ['multiHot', 'count']) {
    test(`categoryEncoding ${outputMode}`, () => {
      const numbers = (tf) => tf.tensor2d([[0, 2, 2], [3, 1, 0]], [2, 3], 'int32');
      const encode = (tf) => tf.layers.categoryEncoding({numTokens: 4, outputMode}).apply(numbers(tf));
      closeValues(encode(fj).dataSync(), encode(judge).dataSync());
      assert.deepEqual(encode(fj).shape, encode(judge).shape);
    });
  }
  for (const interpolation of ['bilinear', 'nearest']) {
    test(`resizing ${interpolation} is tf.image's of half pixels`, () => {
      const model = alone(fj, 'resizing', {height: 4, width: 9, interpolation}, image);
      assert.deepEqual(model.outputShape, [null, 4, 9, 3]);
      const resize = judge.image[interpolation === 'nearest' ? 'resizeNearestNeighbor' : 'resizeBilinear'];
      close(model.predict(batch(fj, image)), resize(batch(judge, image), [4, 9], false, true), 1e-5);
    });
  }
});

test('noise comes in training alone', async () => {
  for (const [name, args] of [['gaussianNoise', {stddev: 1}], ['gaussianDropout', {rate: 0.5}], ['alphaDropout', {rate: 0.5}]]) {
    const model = fj.sequential({layers: [fj.layers[name]({...args, inputShape: [1000]})], seed: 1});
    model.compile({optimizer: 'sgd', loss: 'meanSquaredError'});
    const x = fj.ones([1, 1000]);
    assert.equal(await model.testOnBatch(x, x), 0, name);
    assert.ok((await model.trainOnBatch(x, x)) > 0.5, name);
  }
});

test('an identity is what it gets, and activities count in the loss', async () => {
  const build = (layer) => {
    const model = fj.sequential({layers: [fj.layers.dense({units: 2, kernelInitializer: 'ones', inputShape: [2]}), layer]});
    model.compile({optimizer: fj.train.sgd(0), loss: 'meanSquaredError'});
    return model;
  };
  const [x, y] = [fj.tensor2d([[1, 2], [-3, 1]]), fj.tensor2d([[3, 3], [-2, -2]])];
  assert.equal(await build(fj.layers.identity()).testOnBatch(x, y), 0);
  // |3| + |3| + |-2| + |-2| and the squares, by two samples.
  closeValues([await build(fj.layers.activityRegularization({l1: 0.1, l2: 0.01})).testOnBatch(x, y)], [(0.1 * 10 + 0.01 * 26) / 2]);
});

test('a model that augments its images trains, and predicts of the images as they are', async () => {
  const augmentation = [
    fj.layers.randomFlip({mode: 'horizontal', inputShape: [8, 8, 1]}), fj.layers.randomRotation({factor: 0.1}), fj.layers.randomZoom({heightFactor: 0.2}),
    fj.layers.randomTranslation({heightFactor: 0.1, widthFactor: [-0.1, 0.2], fillMode: 'nearest'}), fj.layers.randomContrast({factor: 0.2, valueRange: [0, 1]}),
    fj.layers.randomBrightness({factor: 0.1, valueRange: [0, 1]}),
  ];
  const model = fj.sequential({layers: [...augmentation, fj.layers.spatialDropout2d({rate: 0.1}), fj.layers.flatten(), fj.layers.dense({units: 2, activation: 'softmax'})], seed: 3});
  model.compile({optimizer: fj.train.adam(0.01), loss: 'sparseCategoricalCrossentropy'});
  // Bright above, or below.
  const labels = Array.from({length: 64}, (_, i) => i % 2);
  const pixels = labels.flatMap((label) => Array.from({length: 64}, (_, i) => (i < 32 === (label === 0) ? 0.8 : 0.2)));
  const [x, y] = [fj.tensor4d(pixels, [64, 8, 8, 1]), fj.tensor1d(labels)];
  const {history} = await model.fit(x, y, {epochs: 15, batchSize: 16, verbose: 0});
  assert.ok(history.loss.at(-1) < 0.5 * history.loss[0], `${history.loss}`);
  const [kernel, bias] = model.getWeights();
  close(model.predict(x), fj.softmax(x.reshape([64, 64]).matMul(kernel).add(bias)), 1e-5);
});

suite('normalization', () => {
  const [mean, variance] = [[1, -2], [4, 0.25]];
  const x = [[3, -2], [1, -1.5]];
  test('by given statistics', () => {
    const layer = (args) => fj.layers.normalization(args).apply(fj.tensor2d(x));
    assert.deepEqual(layer({mean, variance}).arraySync(), [[1, 0], [0, 1]]);
    assert.deepEqual(layer({mean: 1, variance: 4, invert: true}).arraySync(), [[7, -3], [3, -2]]);
    assert.throws(() => layer({mean: [1, 2, 3], variance}), /mean must be one number, or one for each of the 2 entries of axis 1, got 3/);
    assert.throws(() => layer({mean}), /mean and variance are given together, or neither of them/);
  });
  test('adapt', () => {
    const data = batch(fj, [3, 2], -5, 9);
    const moments = judge.moments(batch(judge, [3, 2], -5, 9), [0, 1]);
    const expected = judge.div(judge.sub(batch(judge, [3, 2]), moments.mean), judge.sqrt(moments.variance));
    const before = fj.layers.normalization({inputShape: [3, 2]});
    before.adapt(data);
    close(fj.sequential({layers: [before]}).predict(batch(fj, [3, 2])), expected, 1e-5);
    const model = fj.sequential({layers: [fj.layers.normalization({inputShape: [3, 2]})]});
    const same = model.predict(batch(fj, [3, 2]));
    close(same, batch(fj, [3, 2]));
    model.layers[0].adapt(data);
    close(model.predict(batch(fj, [3, 2])), expected, 1e-5);
    const each = fj.layers.normalization({axis: [1, 2], inputShape: [3, 2]});
    each.adapt(data);
    const {mean, variance} = judge.moments(batch(judge, [3, 2], -5, 9), [0]);
    close(fj.sequential({layers: [each]}).predict(batch(fj, [3, 2])), judge.div(judge.sub(batch(judge, [3, 2]), mean), judge.sqrt(variance)), 1e-5);
    assert.throws(() => fj.layers.dense({units: 1}).adapt(data), /^Error: dense_\d+: adapt is of tf\.layers\.normalization without mean and variance$/);
    assert.throws(() => fj.layers.normalization({mean: 1, variance: 1}).adapt(data), /adapt is of tf\.layers\.normalization without mean and variance/);
    assert.throws(() => each.adapt(fj.zeros([2])), /adapt: axis must be from -1 to 0, got 1/);
  });
});

test('discretization', () => {
  const bins = (args) => fj.layers.discretization({binBoundaries: [0, 1.5], ...args}).apply(fj.tensor2d([[-1, 0], [1.5, 1]])).arraySync();
  assert.deepEqual(bins(), [[0, 1], [2, 1]]);
  assert.deepEqual(bins({outputMode: 'count'}), [[1, 1, 0], [0, 1, 1]]);
  assert.throws(() => fj.layers.discretization({binBoundaries: [1, 0]}).apply(fj.tensor1d([1])), /bin_boundaries must be at least one number, each at least the one before/);
});

test('regularizers: orthogonal', async () => {
  const model = fj.sequential({layers: [fj.layers.dense({units: 2, useBias: false, inputShape: [2], kernelRegularizer: fj.regularizers.orthogonal({factor: 0.5})})]});
  model.setWeights([fj.tensor2d([[1, 0], [3, 4]])]);
  model.compile({optimizer: 'sgd', loss: 'meanSquaredError'});
  closeValues([await model.testOnBatch(fj.zeros([1, 2]), fj.zeros([1, 2]))], [0.5 * 0.6]);
});

suite('what layers are asked beside their numbers', () => {
  /** Refused by both. */
  const refusedBoth = (words, call) => {
    assert.throws(() => call(judge));
    assert.throws(() => call(fj), {message: words});
  };
  test('an input that is given twice to a model', () => {
    refusedBoth('model: each input stands once in the list of inputs, and once stands there twice', (tf) => {
      const x = tf.input({shape: [2], name: 'once'});
      return tf.model({inputs: [x, x], outputs: tf.layers.dense({units: 1}).apply(x)});
    });
  });
  test('layers that join, of one input', () => {
    for (const name of ['add', 'average', 'concatenate', 'maximum', 'minimum', 'multiply']) {
      for (const wrap of [(x) => x, (x) => [x]]) refusedBoth('j: takes at least 2 inputs, got 1', (tf) => tf.layers[name]({name: 'j'}).apply(wrap(tf.input({shape: [2]}))));
      assert.throws(() => fj.layers[name]({name: 'j'}).apply(fj.ones([1, 2])), {message: 'j: takes at least 2 inputs, got 1'});
    }
  });
  test('resetStates of a layer that keeps none', () => {
    for (const make of [(tf) => tf.layers.dense({units: 1, name: 'l', inputShape: [2]}), (tf) => tf.layers.lstm({units: 1, name: 'l', inputShape: [2, 2]})]) {
      refusedBoth('The layer l keeps no states that can be reset: that takes stateful: true', (tf) => tf.sequential({layers: [make(tf)]}).layers[0].resetStates());
    }
  });
  test('resetStates takes no states', () => {
    const layer = fj.layers.bidirectional({layer: fj.layers.lstm({units: 2, stateful: true}), name: 'l', batchInputShape: [1, 2, 2]});
    const model = fj.sequential({layers: [layer]});
    const first = model.predict(fj.ones([1, 2, 2])).arraySync();
    assert.throws(() => layer.resetStates([fj.ones([1, 2])]), {message: 'l: resetStates takes no states: they begin anew at 0; a call begins with others by initialState'});
    layer.resetStates();
    assert.deepEqual(model.predict(fj.ones([1, 2, 2])).arraySync(), first);
  });
  test('weights before there are any', () => {
    for (const tf of [judge, fj]) {
      const layer = tf.layers.dense({units: 1});
      assert.deepEqual([layer.getWeights(), layer.weights, layer.trainableWeights, layer.nonTrainableWeights], [[], [], [], []]);
      assert.throws(() => layer.countParams());
      assert.throws(() => layer.setWeights([tf.ones([1, 1])]));
    }
  });
  test('no activation', () => {
    const kinds = {dense: {units: 2}, conv1d: {filters: 2, kernelSize: 1}, lstm: {units: 2}, gru: {units: 2}, simpleRNN: {units: 2}};
    for (const [name, args] of Object.entries(kinds)) {
      for (const given of [{}, {activation: null}, {activation: 'linear'}]) {
        const [ours, theirs] = [fj, judge].map((tf) => tf.layers[name]({...args, ...given, inputShape: [3, 2]}));
        assert.equal(ours.getConfig().activation, theirs.getConfig().activation, `${name} ${JSON.stringify(given)}`);
        const [model, other] = [fj.sequential({layers: [ours]}), judge.sequential({layers: [theirs]})];
        shareWeights(model, other);
        const x = random([2, 3, 2], -1, 1, 3);
        close(model.predict(fj.tensor(x, [2, 3, 2])), other.predict(judge.tensor(x, [2, 3, 2])), 1e-5, name);
      }
    }
  });
});
