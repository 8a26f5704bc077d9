// Models of models, and layers in several places: what they compute, train, share, save; TensorFlow.js is the judge of what it can do, too.
import assert from 'node:assert/strict';
import {suite, test} from 'node:test';
import {close, closeValues, fj, judge, random, same, tensor, weightsOf} from './helpers.mjs';

/** The layers that have weights, those of inner models in their place. */
const leaves = (model) => model.layers.flatMap((l) => (l.layers ? leaves(l) : [l]));
/** Weights as TensorFlow.js lists them, layer by layer, each layer once. */
const valuesOf = (model) => [...new Set(leaves(model))].flatMap((l) => l.getWeights().map((t) => t.dataSync()));
/** Gives layers of both the same weights. */
function share(ours, theirs) {
  const [a, b] = [ours, theirs].map((m) => [...new Set(leaves(m))].filter((l) => l.getWeights().length));
  assert.equal(a.length, b.length);
  b.forEach((layer, i) => {
    const values = layer.getWeights().map((t, k) => random(t.shape, -0.7, 0.7, 10 + 3 * i + k));
    layer.setWeights(layer.getWeights().map((t, k) => judge.tensor(values[k], t.shape)));
    a[i].setWeights(layer.getWeights().map((t, k) => fj.tensor(values[k], t.shape)));
  });
}
/** Both predict the same before, while and after they train. */
async function sameTraining(build, xShapes, yShapes, steps = 3) {
  const [ours, theirs] = [build(fj), build(judge)];
  share(ours, theirs);
  const batch = (tf) => [xShapes, yShapes].map((shapes, k) => shapes.map((shape, i) => tensor(tf, shape, 20 + 5 * k + i)));
  const alone = (list) => (list.length === 1 ? list[0] : list);
  const predicted = (model, tf) => [model.predict(alone(batch(tf)[0]))].flat();
  const compare = (what) => predicted(ours, fj).forEach((y, i) => close(y, predicted(theirs, judge)[i], 1e-4, what));
  compare('at first');
  for (const [tf, model] of [[fj, ours], [judge, theirs]]) model.compile({optimizer: tf.train.sgd(0.1), loss: 'meanSquaredError'});
  for (let i = 0; i < steps; ++i) {
    const [loss, expected] = [await ours.trainOnBatch(...batch(fj).map(alone)), await theirs.trainOnBatch(...batch(judge).map(alone))].map((l) => [l].flat()[0]);
    closeValues([loss], [expected], 1e-4, `the loss of step ${i}`);
  }
  compare('at last');
  const expected = valuesOf(theirs);
  valuesOf(ours).forEach((w, i) => closeValues(w, expected[i], 2e-4, `weight ${i}`));
  return ours;
}

suite('models in models compute and train as in TensorFlow.js', () => {
  const encoder = (tf, name) => tf.sequential({name, layers: [tf.layers.dense({units: 4, activation: 'tanh', inputShape: [3]}), tf.layers.dense({units: 3})]});

  test('a row in a row in a row', async () => {
    const build = (tf) => {
      const middle = tf.sequential({layers: [encoder(tf), tf.layers.dense({units: 5})]});
      return tf.sequential({layers: [tf.layers.dense({units: 3, inputShape: [2]}), middle, tf.layers.dense({units: 1})]});
    };
    await sameTraining(build, [[8, 2]], [[8, 1]]);
  });
  test('a row in a functional model, called twice, once on its own output', async () => {
    const build = (tf) => {
      const [a, b] = [tf.input({shape: [3]}), tf.input({shape: [3]})];
      const inner = encoder(tf);
      const sum = tf.layers.add().apply([inner.apply(inner.apply(a)), inner.apply(b)]);
      return tf.model({inputs: [a, b], outputs: tf.layers.dense({units: 1}).apply(sum)});
    };
    const model = await sameTraining(build, [[8, 3], [8, 3]], [[8, 1]]);
    assert.deepEqual(model.weights.length, 6);
  });
  test('a functional model of two outputs', async () => {
    const build = (tf) => {
      const x = tf.input({shape: [3]});
      const h = tf.layers.dense({units: 4, activation: 'elu'}).apply(x);
      const inner = tf.model({inputs: x, outputs: [tf.layers.dense({units: 2}).apply(h), h]});
      const y = tf.input({shape: [3]});
      const [first, second] = inner.apply(y);
      return tf.model({inputs: y, outputs: tf.layers.concatenate().apply([second, first])});
    };
    await sameTraining(build, [[8, 3]], [[8, 6]]);
  });
  test('a layer at the top and in an inner model', async () => {
    const build = (tf) => {
      const layer = tf.layers.dense({units: 3, activation: 'tanh'});
      const x = tf.input({shape: [3]});
      const inner = tf.model({inputs: x, outputs: layer.apply(x)});
      const y = tf.input({shape: [3]});
      return tf.model({inputs: y, outputs: inner.apply(layer.apply(y))});
    };
    const model = build(fj);
    assert.equal(model.weights.length, 2);
    // TensorFlow.js adds the gradient of each place twice: what is right, differences tell.
    const [x, y] = [tensor(fj, [8, 3], 20), tensor(fj, [8, 3], 25)];
    model.compile({optimizer: fj.train.sgd(0.1), loss: 'meanSquaredError'});
    const [kernel, bias] = weightsOf(model);
    const put = (values) => model.setWeights([fj.tensor(values, [3, 3]), fj.tensor(bias)]);
    const slope = (i) => {
      const [up, down] = [0.01, -0.01].map((step) => (put(kernel.map((v, k) => (k === i ? v + step : v))), model.evaluate(x, y).dataSync()[0]));
      return (up - down) / 0.02;
    };
    const slopes = Array.from(kernel, (_, i) => slope(i));
    put(kernel);
    await model.trainOnBatch(x, y);
    closeValues(Array.from(weightsOf(model)[0], (v, i) => (kernel[i] - v) / 0.1), slopes, 1e-3);
  });
});

suite('weights that several models have', () => {
  const base = (tf) => tf.sequential({layers: [tf.layers.dense({units: 4, activation: 'relu', inputShape: [3]}), tf.layers.dense({units: 2, name: `last_${tf === fj}`})]});
  const compile = (model) => (model.compile({optimizer: fj.train.sgd(0.1), loss: 'meanSquaredError'}), model);

  test('a model over what a layer of another gives sees its training, and the other its own', async () => {
    const whole = base(fj);
    const part = fj.model({inputs: whole.inputs, outputs: whole.layers[0].output});
    assert.deepEqual(part.outputShape, [null, 4]);
    const x = tensor(fj, [8, 3]);
    const by = (model, n) => fj.tidy(() => model.predict(x).dataSync().slice(0, n));
    const first = by(part, 32);
    const expected = fj.tidy(() => fj.relu(x.matMul(whole.layers[0].getWeights()[0]).add(whole.layers[0].getWeights()[1])));
    closeValues(first, expected.dataSync(), 1e-5);
    compile(whole);
    await whole.fit(x, fj.ones([8, 2]), {epochs: 3, verbose: 0});
    assert.deepEqual(weightsOf(part), weightsOf(whole).slice(0, 2));
    assert.notDeepEqual(by(part, 32), first);
    const before = by(whole, 16);
    compile(part);
    await part.trainOnBatch(x, fj.zeros([8, 4]));
    assert.deepEqual(weightsOf(part), weightsOf(whole).slice(0, 2));
    assert.notDeepEqual(by(whole, 16), before);
    // Given to one, seen by the other.
    whole.layers[0].setWeights([fj.zeros([3, 4]), fj.ones([4])]);
    assert.deepEqual([...by(part, 32)], Array(32).fill(1));
  });
  test('transfer learning: a loaded base is cut, frozen, and gets a new head', async () => {
    const files = [];
    const trained = base(fj);
    await trained.save({saveFile: async (bytes) => (files.push(bytes), {modelArtifactsInfo: {}})});
    const loaded = await fj.loadLayersModel(fj.io.fromMemory(files[0]));
    const cut = fj.model({inputs: loaded.inputs, outputs: loaded.getLayer(null, 0).output});
    cut.trainable = false;
    const model = fj.sequential({layers: [cut, fj.layers.dense({units: 1})]});
    compile(model);
    const kernel = weightsOf(loaded.layers[0])[0];
    const head = weightsOf(model)[0];
    await model.fit(tensor(fj, [8, 3]), fj.ones([8, 1]), {epochs: 2, verbose: 0});
    assert.deepEqual(weightsOf(loaded.layers[0])[0], kernel);
    assert.deepEqual(weightsOf(model)[2], kernel);
    assert.notDeepEqual(weightsOf(model)[0], head);
    assert.deepEqual(model.trainableWeights.map((w) => w.shape), [[4, 1], [1]]);
    assert.equal(loaded.trainableWeights.length, 4);
  });
  test('a layer that two rows have', async () => {
    const layer = fj.layers.dense({units: 2, inputShape: [3]});
    const [one, two] = [fj.sequential({layers: [layer]}), fj.sequential({layers: [layer]})];
    const x = tensor(fj, [4, 3]);
    same(one.predict(x), two.predict(x));
    compile(two);
    await two.trainOnBatch(x, fj.ones([4, 2]));
    same(one.predict(x), two.predict(x));
    assert.deepEqual(layer.getWeights().map((t) => [...t.dataSync()]), weightsOf(one).map((w) => [...w]));
    one.dispose();
    assert.deepEqual(layer.getWeights().map((t) => [...t.dataSync()]), weightsOf(two).map((w) => [...w]));
    two.predict(x);
    two.dispose();
    assert.throws(() => layer.getWeights(), {message: `The layer ${layer.name} belonged to the model ${two.name}, which was disposed of with its weights: make a new layer`});
  });
  test('a model goes on after the one that it was made of is gone', () => {
    const inner = base(fj);
    const outer = fj.sequential({layers: [inner, fj.layers.dense({units: 1})]});
    const x = tensor(fj, [4, 3]);
    const before = outer.predict(x).dataSync();
    inner.dispose();
    assert.deepEqual(outer.predict(x).dataSync(), before);
    assert.throws(() => inner.predict(x), {message: 'The model is disposed and cannot be used'});
  });
});

suite('what is saved of models in models', () => {
  const nested = () => {
    const x = fj.input({shape: [3]});
    const inner = fj.sequential({name: 'inner', layers: [fj.layers.dense({units: 4, name: 'a', activation: 'tanh', inputShape: [3]}), fj.layers.dense({units: 3, name: 'b'})]});
    const layer = fj.layers.dense({units: 3, name: 'everywhere'});
    const around = fj.sequential({name: 'around', layers: [fj.layers.inputLayer({inputShape: [3]}), layer]});
    return fj.model({inputs: x, outputs: around.apply(inner.apply(layer.apply(inner.apply(x))))});
  };
  const saved = async (model, options) => {
    const files = [];
    await model.save({saveFile: async (bytes) => (files.push(bytes), {modelArtifactsInfo: {}})}, options);
    return files[0];
  };
  test('weights are named by where their layers stand first', () => {
    assert.deepEqual(nested().weights.map((w) => w.name), ['inner/a/kernel', 'inner/a/bias', 'inner/b/kernel', 'inner/b/bias', 'everywhere/kernel', 'everywhere/bias']);
  });
  test('a file: the same predictions, the same training, inner models with the same weights', async () => {
    const model = nested();
    const x = tensor(fj, [8, 3]);
    const step = () => model.trainOnBatch(x, fj.ones([8, 3]));
    model.compile({optimizer: 'adam', loss: 'meanSquaredError'});
    await step();
    const loaded = await fj.loadLayersModel(fj.io.fromMemory(await saved(model, {includeOptimizer: true})));
    same(loaded.predict(x), model.predict(x));
    assert.equal(await loaded.trainOnBatch(x, fj.ones([8, 3])), await step());
    assert.deepEqual(weightsOf(loaded), weightsOf(model));
    const inner = loaded.getLayer('inner');
    same(inner.predict(x), model.getLayer('inner').predict(x));
    assert.deepEqual(inner.weights.map((w) => w.name), ['a/kernel', 'a/bias', 'b/kernel', 'b/bias']);
    assert.deepEqual(inner.getLayer('b').output.shape, [null, 3]);
    assert.equal(loaded.getLayer('around').getLayer('everywhere'), loaded.getLayer('everywhere'));
    assert.deepEqual(loaded.layers.map((l) => l.getClassName()), model.layers.map((l) => l.getClassName()));
    loaded.getLayer('inner').trainable = false;
    assert.deepEqual(loaded.trainableWeights.map((w) => w.name), ['everywhere/kernel', 'everywhere/bias']);
  });
  test("a description that TensorFlow.js reads", async () => {
    const row = fj.sequential({layers: [fj.sequential({layers: [fj.layers.dense({units: 3, activation: 'tanh', inputShape: [3]})]}), fj.layers.dense({units: 2})]});
    for (const model of [row, nested()]) {
      const theirs = await judge.models.modelFromJSON({modelTopology: model.artifacts().modelTopology});
      // What is one object here is two there, after reading.
      const values = model === row ? model.getWeights() : [...model.getWeights(), ...model.getWeights().slice(-2)];
      theirs.setWeights(values.map((t) => judge.tensor(t.dataSync(), t.shape)));
      close(model.predict(tensor(fj, [4, 3])), theirs.predict(tensor(judge, [4, 3])), 1e-5);
    }
  });
});

suite('apply', () => {
  test('of a layer to values computes them, with the weights that a model has later', () => {
    const layer = fj.layers.dense({units: 2, name: 'eager'});
    const x = tensor(fj, [4, 3]);
    const y = layer.apply(x);
    close(y, fj.tidy(() => x.matMul(layer.getWeights()[0]).add(layer.getWeights()[1])), 1e-5);
    const input = fj.input({shape: [3]});
    const model = fj.model({inputs: input, outputs: layer.apply(input)});
    same(model.predict(x), y);
    assert.deepEqual(layer.output.shape, [null, 2]);
    same(fj.layers.add().apply([x, x]), fj.add(x, x));
    assert.deepEqual(fj.layers.flatten().apply(fj.ones([2, 3, 4])).shape, [2, 12]);
  });
  test('of a model to symbolic tensors checks their shapes', () => {
    const model = fj.sequential({layers: [fj.layers.dense({units: 2, inputShape: [3]})]});
    assert.throws(() => model.apply(fj.input({shape: [4]})), {message: `The model ${model.name} takes [null,3], got [null,4]`});
    assert.deepEqual(model.apply(fj.input({shape: [3]})).shape, [null, 2]);
    assert.throws(() => fj.sequential().add(3), {message: 'add takes a layer, such as tf.layers.dense({units: 10}), or a model'});
  });
  test('with training as the call says', () => {
    const x = fj.input({shape: [100]});
    const always = fj.model({inputs: x, outputs: fj.layers.dropout({rate: 0.5}).apply(x, {training: true})});
    const ones = fj.ones([1, 100]);
    const values = [always.predict(ones), always.predict(ones)].map((t) => t.dataSync());
    assert.ok(values[0].every((v) => v === 0 || v === 2));
    assert.notDeepEqual(values[0], values[1]);
    assert.throws(() => fj.layers.dropout({rate: 0.5}).apply(x, {mask: 1}), /mask is not an argument of a call of Dropout; there are none$/);
  });
  test('what cannot be given says so', () => {
    const lonely = fj.layers.dense({units: 2, name: 'lonely'});
    assert.throws(() => lonely.output, {message: 'lonely.output: the layer is not joined to others yet: apply it, or add it to a model'});
    assert.throws(() => lonely.setWeights([fj.ones([3, 2])]), {message: 'The layer lonely has no weights yet: they are made with the model that it belongs to'});
    assert.throws(() => lonely.apply(3), {message: "lonely: apply takes tensors, or what tf.input() or another layer's apply() gives"});
    lonely.apply(fj.input({shape: [3]}));
    lonely.apply(fj.input({shape: [3]}));
    assert.throws(() => lonely.output, {message: 'lonely.output: the layer was applied 2 times, keep what apply() gives'});
  });
});

suite('joints of models', () => {
  test('of one that was given: its own tensors', () => {
    const x = fj.input({shape: [3]});
    const hidden = fj.layers.dense({units: 4, name: 'hidden'});
    const y = fj.layers.dense({units: 2}).apply(hidden.apply(x));
    const first = fj.model({inputs: x, outputs: y, name: 'whole'});
    assert.equal(first.layers[1].output.sourceLayer, hidden);
    assert.deepEqual(hidden.output.shape, [null, 4]);
    assert.equal(hidden.input, x);
    assert.deepEqual([first.inputs, first.outputs, first.output], [[x], [y], y]);
  });
  test('an input may be what a layer gives: what comes before it is no part', () => {
    const x = fj.input({shape: [3]});
    const [a, b] = [fj.layers.dense({units: 4}), fj.layers.dense({units: 2})];
    const h = a.apply(x);
    const whole = fj.model({inputs: x, outputs: b.apply(h)});
    const head = fj.model({inputs: h, outputs: whole.outputs});
    assert.deepEqual([head.inputShape, head.weights.length], [[null, 4], 2]);
    const values = tensor(fj, [2, 3]);
    close(head.predict(fj.model({inputs: x, outputs: h}).predict(values)), whole.predict(values), 1e-6);
  });
  test('outputs need not count samples', () => {
    const x = fj.input({shape: [3]});
    const model = fj.model({inputs: x, outputs: fj.layers.concatenate({axis: 0}).apply([x, x])});
    assert.deepEqual(model.predict(fj.tensor([[1, 2, 3]])).arraySync(), [[1, 2, 3], [1, 2, 3]]);
  });
  test('a layer of a layer', async () => {
    const model = fj.sequential({layers: [fj.layers.timeDistributed({layer: fj.layers.dense({units: 2, name: 'each'}), name: 'steps', inputShape: [4, 3]})]});
    const theirs = judge.sequential({layers: [judge.layers.timeDistributed({layer: judge.layers.dense({units: 2}), inputShape: [4, 3]})]});
    assert.deepEqual(model.weights.map((w) => w.name), ['steps/each/kernel', 'steps/each/bias']);
    const values = [random([3, 2], -1, 1, 2), random([2], -1, 1, 3)];
    model.setWeights(values.map((v, i) => fj.tensor(v, [[3, 2], [2]][i])));
    theirs.setWeights(values.map((v, i) => judge.tensor(v, [[3, 2], [2]][i])));
    close(model.predict(tensor(fj, [2, 4, 3])), theirs.predict(tensor(judge, [2, 4, 3])), 1e-5);
    assert.deepEqual(model.layers[0].getWeights().map((t) => t.shape), [[3, 2], [2]]);
  });
});
