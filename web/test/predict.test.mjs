// fjord/predict beside the whole package: the same numbers to the last bit, and words for what it lacks.
import assert from 'node:assert/strict';
import {suite, test} from 'node:test';
import * as small from '../../build/npm/predict/fjord.js';
import {closeValues, fj, judge, random} from './helpers.mjs';

const {layers} = fj;
const convolutional = () => [
  layers.conv2d({filters: 8, kernelSize: 3, activation: 'relu', inputShape: [12, 12, 3]}),
  layers.batchNormalization(),
  layers.depthwiseConv2d({kernelSize: 3, padding: 'same'}),
  layers.maxPooling2d({poolSize: 2}),
  layers.conv2dTranspose({filters: 4, kernelSize: 3, strides: 2, activation: 'swish'}),
  layers.averagePooling2d({poolSize: 3}),
  layers.flatten(),
  layers.dropout({rate: 0.5}),
  layers.dense({units: 5, activation: 'softmax'}),
];
const models = {
  dense: () => fj.sequential({seed: 1, layers: [layers.dense({units: 40, activation: 'tanh', inputShape: [30]}), layers.dense({units: 7, activation: 'sigmoid'})]}),
  convolutional: () => fj.sequential({seed: 2, layers: convolutional()}),
  functional: () => {
    const [a, b] = [fj.input({shape: [6]}), fj.input({shape: [6]})];
    const joined = layers.concatenate().apply([layers.dense({units: 5, activation: 'gelu'}).apply(a), layers.layerNormalization().apply(b)]);
    return fj.model({inputs: [a, b], outputs: layers.dense({units: 2, kernelRegularizer: fj.regularizers.l2({l2: 0.1})}).apply(joined), seed: 3});
  },
};
const inputsOf = (tf, model) => model.inputs.map(({shape}, i) => tf.tensor(random([9, ...shape.slice(1)], -1, 1, i + 1), [9, ...shape.slice(1)]));
const valuesOf = (result) => [result].flat().map((t) => [...t.dataSync()]);

/** What save() gives a handler that takes a file, and one that takes parts. */
async function saved(model, includeOptimizer = false) {
  const kinds = {};
  await model.save({saveFile: async (file) => (kinds.file = new Uint8Array(file))}, {includeOptimizer});
  await model.save(fj.io.withSaveHandler(async (artifacts) => (kinds.artifacts = artifacts)), {includeOptimizer});
  return kinds;
}

suite('fjord/predict', () => {
  for (const [name, make] of Object.entries(models)) {
    test(`a ${name} model predicts the same`, async () => {
      const model = make();
      const expected = valuesOf(model.predict(inputsOf(fj, model), {batchSize: 4}));
      for (const [kind, from] of Object.entries(await saved(model))) {
        const loaded = await small.loadLayersModel(small.io.fromMemory(from));
        const xs = inputsOf(small, model);
        assert.deepEqual(valuesOf(loaded.predict(xs, {batchSize: 4})), expected, kind);
        assert.deepEqual(loaded.inputNames, model.inputNames);
        assert.deepEqual(loaded.outputShape, model.outputShape);
        assert.equal(loaded.countParams(), model.countParams());
        assert.deepEqual(loaded.getWeights().map((t) => [...t.dataSync()]), model.getWeights().map((t) => [...t.dataSync()]));
        loaded.dispose();
        assert.throws(() => loaded.predict(xs), /^Error: The model is disposed and cannot be used$/);
      }
    });
  }
  test('a model of TensorFlow.js in a model, frozen, with a head', async () => {
    const base = judge.sequential({layers: [judge.layers.dense({units: 2, inputShape: [2]}), judge.layers.batchNormalization()]});
    base.layers[0].trainable = false;
    const model = judge.sequential({layers: [base, judge.layers.dense({units: 2, kernelInitializer: 'ones', biasInitializer: 'ones'})]});
    let parts;
    await model.save({save: async (given) => ((parts = given), {modelArtifactsInfo: {}})});
    const loaded = await small.loadLayersModel(small.io.fromMemory(parts));
    closeValues(loaded.predict(small.tensor([[1, 2]])).dataSync(), model.predict(judge.tensor([[1, 2]])).dataSync());
    // What it has frozen stands last.
    assert.deepEqual(loaded.weights.map((w) => [w.name.split('/').at(-1), w.shape]), model.weights.map((w) => [w.name.split('/').at(-1), w.shape]));
    parts.weightSpecs.at(-1).name = 'other/kernel';
    await assert.rejects(small.loadLayersModel(small.io.fromMemory(parts)), /the model has no other\/kernel/);
    (await small.loadLayersModel(small.io.fromMemory(parts), {strict: false})).dispose();
    await assert.rejects(small.loadLayersModel(small.io.fromMemory(parts), {onProgress: () => {}}), /there is no argument onProgress/);
  });
  test('a model that was trained, with its optimizer, predicts', async () => {
    const model = models.dense();
    model.compile({optimizer: 'adam', loss: 'meanSquaredError', metrics: ['mae']});
    const x = fj.tensor(random([20, 30]), [20, 30]);
    await model.fit(x, fj.ones([20, 7]), {epochs: 2, verbose: 0});
    const expected = valuesOf(model.predict(x));
    for (const [kind, from] of Object.entries(await saved(model, true))) {
      const loaded = await small.loadLayersModel(small.io.fromMemory(from));
      assert.deepEqual(valuesOf(loaded.predict(small.tensor(random([20, 30]), [20, 30]))), expected, kind);
    }
  });
  test('ops give the same', () => {
    const calls = {
      elementwise: (tf, x) => tf.mul(x.square().sub(x).sigmoid(), x.exp().log1p()),
      product: (tf, x) => x.matMul(x, false, true).softmax(),
      reductions: (tf, x) => tf.concat([x.mean(1), x.max(1), x.sum(1), x.argMax(1).toFloat()]),
      moves: (tf, x) => tf.reverse(x.transpose().pad([[1, 0], [0, 2]]), 1).gather(tf.tensor1d([3, 0, 1], 'int32')),
      image: (tf, x) => x.reshape([1, 6, 5, 2]).conv2d(x.slice([0, 0], [4, 9]).reshape([3, 3, 2, 2]), 1, 'same').avgPool(2, 2, 'valid'),
      segments: (tf, x) => tf.unsortedSegmentSum(x, tf.tensor1d([0, 1, 1, 0, 2, 2], 'int32'), 3),
    };
    for (const [name, call] of Object.entries(calls)) {
      const [expected, actual] = [fj, small].map((tf) => call(tf, tf.tensor(random([6, 10], 0.1, 2), [6, 10])));
      assert.deepEqual(actual.shape, expected.shape, name);
      assert.deepEqual(valuesOf(actual), valuesOf(expected), name);
    }
  });
  test('pixels become a tensor, in a tidy place', () => {
    const before = small.memory().numTensors;
    const pixels = {data: new Uint8Array([255, 0, 51, 255, 0, 102, 0, 255]), width: 2, height: 1};
    const values = small.tidy(() => [...small.browser.fromPixels(pixels).div(255).dataSync()]);
    assert.deepEqual(values, [1, 0, Math.fround(0.2), 0, Math.fround(0.4), 0]);
    assert.equal(small.memory().numTensors, before);
  });
  test('all that it exports, fjord exports, too', () => {
    for (const name of Object.keys(small)) assert.ok(name in fj, name);
    for (const name of ['train', 'grad', 'variable', 'sequential', 'layers', 'losses', 'callbacks']) assert.equal(small[name], undefined, name);
  });
  test('what it lacks is said', async () => {
    const {file} = await saved(models.dense());
    const model = await small.loadLayersModel({load: async () => file});
    for (const name of ['compile', 'fit', 'evaluate', 'trainOnBatch', 'save']) {
      assert.throws(() => model[name](), {message: `model.${name}: this is fjord/predict, which only predicts: import 'fjord' to train`});
    }
    await assert.rejects(small.setBackend('webgpu'), {message: "There is no backend 'webgpu' in fjord/predict, which has 'wasm': import 'fjord' for others"});
    assert.equal(await small.setBackend('wasm'), true);
    await assert.rejects(small.loadLayersModel({load: async () => new Uint8Array([1, 2, 3, 4, 5, 6, 7, 0, 9])}));
  });
});
