// Models in a row that were used and then get other layers, as TensorFlow.js lets them.
import assert from 'node:assert/strict';
import {suite, test} from 'node:test';
import {close, closeValues, fj, judge, tensor} from './helpers.mjs';

const both = [fj, judge];
const row = (tf) => tf.sequential({layers: [tf.layers.dense({units: 4, activation: 'tanh', inputShape: [3]}), tf.layers.batchNormalization(), tf.layers.dense({units: 2})]});
/** Gives all weights of the layer values that follow from the seed. */
const fill = (tf, layer, seed) => layer.setWeights(layer.getWeights().map((t, i) => tensor(tf, t.shape, seed + i).abs()));
/** The same in both: what `use` gives is a list of tensors. */
function sameIn(use) {
  const [ours, theirs] = both.map((tf) => use(tf));
  assert.equal(ours.length, theirs.length);
  ours.forEach((t, i) => close(t, theirs[i], 1e-5, `result ${i}`));
}
const looks = {
  summary: (tf, model) => model.summary(undefined, undefined, () => {}),
  weights: (tf, model) => model.weights.length,
  outputs: (tf, model) => model.outputs[0].shape,
  predict: (tf, model) => model.predict(tensor(tf, [2, 3])),
  compile: (tf, model) => model.compile({optimizer: 'sgd', loss: 'meanSquaredError'}),
};
/** TensorFlow.js predicts by the model of before, until something else asks for the new one. */
const predicted = (tf, model) => (model.build(), model.predict(tensor(tf, [5, 3])));

suite('a row that was used', () => {
  for (const [name, look] of Object.entries(looks)) {
    test(`by ${name}: takes a layer, and the others keep their weights`, () =>
      sameIn((tf) => {
        const model = row(tf);
        look(tf, model);
        model.layers.forEach((layer, i) => fill(tf, layer, 10 * i));
        const before = model.getWeights();
        model.add(tf.layers.dense({units: 3, kernelInitializer: 'ones', activation: 'relu'}));
        look(tf, model);
        model.add(tf.layers.reshape({targetShape: [3, 1]}));
        assert.deepEqual(model.outputs[0].shape, [null, 3, 1]);
        assert.deepEqual(model.layers.at(-2).output.shape, [null, 3]);
        return [predicted(tf, model), ...before, ...model.getWeights()];
      }));
    test(`by ${name}: gives its last layers away, which keep their weights`, () =>
      sameIn((tf) => {
        const model = row(tf);
        look(tf, model);
        model.layers.forEach((layer, i) => fill(tf, layer, 10 * i));
        const [, norm, last] = model.layers;
        model.pop();
        model.pop();
        assert.deepEqual([model.layers.length, model.outputs[0].shape], [1, [null, 4]]);
        const results = [predicted(tf, model), ...last.getWeights(), ...norm.getWeights()];
        model.add(norm);
        model.add(last);
        return [...results, predicted(tf, model), ...model.getWeights()];
      }));
  }
  test('is compiled and trained anew', async () => {
    const [ours, theirs] = await Promise.all(both.map(async (tf) => {
      const model = row(tf);
      const compile = () => model.compile({optimizer: tf.train.sgd(0.1), loss: 'meanSquaredError', metrics: ['mae']});
      compile();
      model.layers.forEach((layer, i) => fill(tf, layer, 10 * i));
      const step = () => model.trainOnBatch(tensor(tf, [8, 3]), tensor(tf, [8, 2], 9));
      const logs = [...(await step())];
      model.add(tf.layers.dense({units: 2, kernelInitializer: 'ones'}));
      await assert.rejects(model.fit(tensor(tf, [8, 3]), tensor(tf, [8, 2]), {epochs: 1}), /compile/);
      compile();
      for (let i = 0; i < 3; ++i) logs.push(...(await step()));
      return [logs, await predicted(tf, model).data()];
    }));
    closeValues(ours[0], theirs[0], 1e-5, 'the logs');
    closeValues(ours[1], theirs[1], 1e-4, 'what it predicts then');
  });
  test('that comes from a file takes layers, too, and a model in it stays what it was', async () => {
    const results = [];
    for (const tf of both) {
      const inner = tf.sequential({layers: [tf.layers.dense({units: 3, inputShape: [2]}), tf.layers.dense({units: 2})]});
      const model = tf.sequential({layers: [tf.layers.dense({units: 2, inputShape: [3]}), inner, tf.layers.dense({units: 4})]});
      model.setWeights(model.getWeights().map((t, i) => tensor(tf, t.shape, i)));
      let saved;
      await model.save({save: async (artifacts) => ((saved = artifacts), {modelArtifactsInfo: {}})});
      const again = await tf.loadLayersModel({load: async () => saved});
      again.predict(tensor(tf, [2, 3]));
      again.add(tf.layers.dense({units: 1, kernelInitializer: 'ones'}));
      results.push([predicted(tf, again), ...again.getWeights()]);
      if (tf !== fj) continue;
      const popped = again.layers[1];
      for (let i = 0; i < 3; ++i) again.pop();
      // What was taken away goes on by itself.
      close(again.predict(tensor(fj, [2, 3])), fj.tidy(() => tensor(fj, [2, 3]).matMul(model.getWeights()[0]).add(model.getWeights()[1])));
      close(popped.predict(tensor(fj, [2, 2])), inner.predict(tensor(fj, [2, 2])));
      const loaded = fj.LayersModel.fromFile(again.file());
      close(loaded.predict(tensor(fj, [2, 3])), again.predict(tensor(fj, [2, 3])), 0);
    }
    results[0].forEach((t, i) => close(t, results[1][i], 1e-5, `result ${i}`));
  });
  test('leaves nothing of what it was', () => {
    const model = row(fj);
    const change = () => {
      fj.tidy(() => void model.predict(tensor(fj, [2, 3])));
      model.add(fj.layers.dense({units: 2}));
      fj.tidy(() => void model.predict(tensor(fj, [2, 3])));
      model.pop();
    };
    change();
    fj.tidy(() => void model.predict(tensor(fj, [2, 3])));
    const {numTensors, numBytes} = fj.memory();
    for (let i = 0; i < 5; ++i) change();
    fj.tidy(() => void model.predict(tensor(fj, [2, 3])));
    assert.deepEqual([fj.memory().numTensors, fj.memory().numBytes], [numTensors, numBytes]);
  });
  test('refuses what does not fit, and is as it was', () => {
    const model = row(fj);
    const before = model.predict(tensor(fj, [2, 3]));
    assert.throws(() => model.add(fj.layers.conv2d({filters: 1, kernelSize: 2, name: 'c'})), /^Error: c: needs an image batch/);
    close(model.predict(tensor(fj, [2, 3])), before, 0);
  });
  test('is not changed while it trains, or where others have it', async () => {
    const model = row(fj);
    model.compile({optimizer: 'sgd', loss: 'meanSquaredError'});
    const fit = model.fit(tensor(fj, [8, 3]), tensor(fj, [8, 2]), {epochs: 2});
    assert.throws(() => model.add(fj.layers.flatten()), {message: 'add or pop: a fit() call is ongoing: await it first'});
    await fit;
    fj.sequential({layers: [model, fj.layers.dense({units: 1})]}).predict(tensor(fj, [2, 3]));
    const words = {message: `Layers can only be added or removed before the model ${model.name} is a layer of another: make a new one of its layers`};
    assert.throws(() => model.add(fj.layers.flatten()), words);
    assert.throws(() => model.pop(), words);
  });
});
