// The weights of models and layers: which there are, and in which order, beside TensorFlow.js.
import assert from 'node:assert/strict';
import {suite, test} from 'node:test';
import {fj, judge, size, weightsOf} from './helpers.mjs';

/** Models whose weights both libraries name by the layer. */
const kModels = {
  'a row': (tf) => tf.sequential({layers: [tf.layers.batchNormalization({name: 'norm', inputShape: [3]}), tf.layers.dense({name: 'dense', units: 2})]}),
  'a row in a row': (tf) => tf.sequential({layers: [tf.layers.layerNormalization({name: 'before', inputShape: [3]}), kModels['a row'](tf), tf.layers.dense({name: 'head', units: 1})]}),
  'a row in a row in a row': (tf) => tf.sequential({layers: [kModels['a row in a row'](tf), tf.layers.batchNormalization({name: 'after'})]}),
  'branches of different lengths': (tf) => {
    const [x, y] = [tf.input({shape: [3], name: 'x'}), tf.input({shape: [2], name: 'y'})];
    const dense = (name, t) => tf.layers.dense({units: 2, name}).apply(t);
    const c = tf.layers.batchNormalization({name: 'c'}).apply(dense('b', y));
    return tf.model({inputs: [y, x], outputs: [dense('d', y), tf.layers.concatenate({name: 'both'}).apply([dense('a', x), c])]});
  },
  'a layer in several places': (tf) => {
    const [x, y] = [tf.input({shape: [2], name: 'x'}), tf.input({shape: [2], name: 'y'})];
    const shared = tf.layers.dense({units: 2, name: 'shared'});
    const h = tf.layers.dense({units: 2, name: 'h'}).apply(shared.apply(x));
    return tf.model({inputs: [x, y], outputs: tf.layers.add({name: 'sum'}).apply([shared.apply(h), tf.layers.dense({units: 2, name: 'g'}).apply(y)])});
  },
};
const layersIn = (model) => model.layers.flatMap((l) => [l, ...(l.layers ? layersIn(l) : [])]);
/** What a program may say of it afterwards. */
const kFreezes = {
  'all trained': () => {},
  'the first layer frozen': (model) => (layersIn(model).find((l) => l.weights.length).trainable = false),
  'each second layer frozen': (model) => layersIn(model).filter((l) => !l.layers).forEach((l, i) => (l.trainable = i % 2 === 0)),
  'inner models frozen': (model) => layersIn(model).filter((l) => l.layers).forEach((l) => (l.trainable = false)),
  'the model frozen': (model) => (model.trainable = false),
  'frozen, and thawed': (model) => [false, true].forEach((is) => (model.trainable = is)),
  'frozen, then the last layer thawed': (model) => [[model, false], [layersIn(model).at(-1), true]].forEach(([of, is]) => (of.trainable = is)),
};
const names = (weights) => weights.map((w) => w.originalName.split('/').slice(-2).join('/'));

suite('the weights of a model are listed as in TensorFlow.js: those that are trained first', () => {
  for (const [name, build] of Object.entries(kModels)) {
    for (const [state, freeze] of Object.entries(kFreezes)) {
      test(`${name}, ${state}`, () => {
        const [ours, theirs] = [fj, judge].map((tf) => build(tf));
        for (const model of [ours, theirs]) freeze(model);
        assert.deepEqual(ours.layers.map((l) => l.name), theirs.layers.map((l) => l.name));
        for (const list of ['weights', 'trainableWeights', 'nonTrainableWeights']) assert.deepEqual(names(ours[list]), names(theirs[list]), list);
        // Each with numbers of its own. A row's setWeights goes by another order there than its weights where a part of it is frozen.
        const values = (tf) => theirs.weights.map(({shape}, i) => tf.tensor(Float32Array.from({length: size(shape)}, (_, k) => i + k / 16), shape));
        ours.setWeights(values(fj));
        values(judge).forEach((t, i) => theirs.weights[i].write(t));
        for (const only of [false, true]) assert.deepEqual(ours.getWeights(only).map((t) => t.arraySync()), theirs.getWeights(only).map((t) => t.arraySync()));
        const [all, expected] = [ours, theirs].map((m) => layersIn(m).filter((l) => !l.layers));
        all.forEach((l, i) => {
          // There a layer does not ask whether its model is frozen, though nothing trains it.
          for (const only of ours.trainable ? [false, true] : [false]) assert.deepEqual(l.getWeights(only).map((t) => t.arraySync()), expected[i].getWeights(only).map((t) => t.arraySync()), l.name);
        });
      });
    }
  }
  test('a file gives each weight its value, whatever was frozen when it was written', async () => {
    const model = kModels['a row in a row'](fj);
    model.setWeights(model.weights.map(({shape}, i) => fj.fill(shape, i)));
    const byName = (m) => Object.fromEntries(m.weights.map((w, i) => [w.name, weightsOf(m)[i]]));
    const before = byName(model);
    for (const freeze of Object.values(kFreezes)) {
      freeze(model);
      for (const saved of [model.file(), model.artifacts()]) assert.deepEqual(byName(await fj.loadLayersModel(fj.io.fromMemory(saved))), before);
    }
  });
});
