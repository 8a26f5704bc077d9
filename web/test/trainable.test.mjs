// What a program sets on a model after it was made is what training does: which layers are trained, how fast, whose weights they are.
import assert from 'node:assert/strict';
import {suite, test} from 'node:test';
import {closeValues, fj, judge, random, shareWeights, weightsOf} from './helpers.mjs';

const xs = (tf) => tf.tensor(random([16, 6], -1, 1, 3), [16, 6]);
const ys = (tf) => tf.tensor(random([16, 2], -1, 1, 4), [16, 2]);
const network = (tf, {normalised = false, ...first} = {}) =>
  tf.sequential({
    layers: [
      tf.layers.dense({units: 4, activation: 'tanh', inputShape: [6], ...first}),
      ...(normalised ? [tf.layers.batchNormalization({})] : []),
      tf.layers.dense({units: 2}),
    ],
  });
const compile = (model, optimizer = fj.train.sgd(0.1)) => (model.compile({optimizer, loss: 'meanSquaredError'}), model);
const pair = (args) => {
  const [ours, theirs] = [network(fj, args), network(judge, args)];
  shareWeights(ours, theirs);
  return [ours, theirs];
};
/** Layer by layer: those of models have the weights last that are not trained. */
const byLayers = (model) => model.layers.flatMap((layer) => weightsOf(layer));
/** Which weights a step changes. */
async function changedBy(model) {
  const before = byLayers(model);
  await model.trainOnBatch(xs(fj), ys(fj));
  return byLayers(model).map((w, i) => String(w) !== String(before[i]));
}

suite('trainable', () => {
  test('a layer that is frozen before compile keeps its bits, and training is that of TensorFlow.js', async () => {
    const [ours, theirs] = pair();
    const frozen = weightsOf(ours.layers[0]);
    for (const [tf, model] of [[fj, ours], [judge, theirs]]) {
      model.layers[0].trainable = false;
      model.compile({optimizer: tf.train.sgd(0.1), loss: 'meanSquaredError'});
      await model.fit(xs(tf), ys(tf), {epochs: 3, batchSize: 8, shuffle: false, verbose: 0});
    }
    assert.deepEqual(weightsOf(ours.layers[0]), frozen);
    const expected = weightsOf(theirs);
    weightsOf(ours).forEach((w, i) => closeValues(w, expected[i], 1e-5, `weight ${i}`));
    assert.deepEqual(ours.trainableWeights.length, theirs.trainableWeights.length);
    assert.deepEqual(ours.nonTrainableWeights.length, theirs.nonTrainableWeights.length);
  });
  test('a change counts from the next compile on, as in TensorFlow.js', async () => {
    const model = compile(network(fj));
    model.getLayer(undefined, 0).trainable = false;
    assert.deepEqual(await changedBy(model), [true, true, true, true]);
    compile(model);
    assert.deepEqual(await changedBy(model), [false, false, true, true]);
    model.layers[0].trainable = true;
    assert.deepEqual(await changedBy(model), [false, false, true, true]);
    compile(model);
    assert.deepEqual(await changedBy(model), [true, true, true, true]);
  });
  test('a batch of another size, whose step is made later, goes by the compile as well', async () => {
    const model = compile(network(fj));
    model.layers[0].trainable = false;
    const before = weightsOf(model)[0];
    await model.trainOnBatch(xs(fj).slice([0, 0], [5, 6]), ys(fj).slice([0, 0], [5, 2]));
    assert.notDeepEqual(weightsOf(model)[0], before);
  });
  test('fit says once that compile is missing', async () => {
    const model = compile(network(fj));
    model.layers[0].trainable = false;
    const said = [];
    const warn = console.warn;
    console.warn = (line) => void said.push(line);
    await model.fit(xs(fj), ys(fj));
    compile(model);
    await model.fit(xs(fj), ys(fj));
    // A change of another model does not count.
    const other = compile(network(fj));
    model.layers[0].trainable = true;
    await other.fit(xs(fj), ys(fj));
    console.warn = warn;
    assert.equal(said.length, 1);
    assert.match(said[0], /was compiled before trainable was changed/);
  });
  test('a whole model', async () => {
    const model = network(fj);
    model.trainable = false;
    assert.equal(model.trainable, false);
    compile(model);
    assert.deepEqual(await changedBy(model), [false, false, false, false]);
    assert.equal(model.trainableWeights.length, 0);
    model.trainable = true;
    compile(model);
    assert.deepEqual(await changedBy(model), [true, true, true, true]);
  });
  test('a frozen batch normalisation goes by its moving averages, as Keras says', async () => {
    const model = network(fj, {normalised: true});
    const shapes = model.weights.map((w) => w.shape);
    model.setWeights(shapes.map((s, i) => fj.tensor(random(s, 0.5, 1.5, i + 1), s)));
    for (const l of model.layers) l.trainable = false;
    compile(model);
    // Nothing changes, and the loss of the training step is that of the prediction.
    const loss = await model.trainOnBatch(xs(fj), ys(fj));
    const predicted = model.predict(xs(fj)).sub(ys(fj)).square().mean().dataSync()[0];
    assert.ok(Math.abs(loss - predicted) < 1e-6, `${loss} and ${predicted}`);
    assert.deepEqual(await changedBy(model), Array(8).fill(false));
  });
  test('the summary, the numbers of parameters and the files tell it', async () => {
    const model = network(fj);
    model.layers[0].trainable = false;
    const lines = [];
    model.summary(undefined, undefined, (line) => lines.push(line));
    assert.ok(lines.some((l) => l.includes('38 parameters, 10 trainable')), lines.join('\n'));
    assert.equal(model.countParams(), 38);
    assert.equal(model.layers[0].countParams(), 28);
    const files = [];
    await model.save({saveFile: async (bytes) => (files.push(bytes), {modelArtifactsInfo: {}})});
    await model.save(fj.io.withSaveHandler(async (artifacts) => (files.push(artifacts), {modelArtifactsInfo: {}})));
    const [inOne, inParts] = await Promise.all([fj.loadLayersModel(fj.io.fromMemory(files[0])), fj.loadLayersModel(fj.io.fromMemory(files[1]))]);
    for (const loaded of [inOne, inParts]) {
      assert.deepEqual(loaded.layers.map((l) => l.trainable), [false, true]);
      assert.deepEqual(await changedBy(compile(loaded)), [false, false, true, true]);
      loaded.getLayer(loaded.layers[0].name).trainable = true;
      assert.deepEqual(await changedBy(compile(loaded)), [true, true, true, true]);
    }
  });
  test('given as an argument of the layer', async () => {
    const model = compile(network(fj, {trainable: false}));
    assert.equal(model.layers[0].trainable, false);
    assert.deepEqual(await changedBy(model), [false, false, true, true]);
  });
  test('is true or false', () => {
    const model = network(fj);
    assert.throws(() => (model.layers[0].trainable = 'no'), {message: "trainable is true or false, got 'no'"});
    assert.throws(() => (model.trainable = 0), {message: 'trainable is true or false, got 0'});
  });
});

suite('the learning rate', () => {
  test('of an optimizer, changed after compile, counts from the next step on', async () => {
    for (const optimizer of [fj.train.sgd(0.1), fj.train.adam(0.01)]) {
      const model = compile(network(fj), optimizer);
      assert.equal(model.optimizer, optimizer);
      assert.ok((await changedBy(model)).every((c) => c));
      optimizer.setLearningRate(0);
      assert.equal(optimizer.learningRate, 0);
      assert.deepEqual(await changedBy(model), [false, false, false, false]);
      model.optimizer.learningRate = 0.05;
      assert.equal(model.learningRate, 0.05);
      assert.ok((await changedBy(model)).every((c) => c));
    }
  });
  test('set to another number trains like TensorFlow.js', async () => {
    const [ours, theirs] = pair();
    for (const [tf, model] of [[fj, ours], [judge, theirs]]) {
      const optimizer = tf.train.sgd(0.1);
      model.compile({optimizer, loss: 'meanSquaredError'});
      await model.trainOnBatch(xs(tf), ys(tf));
      optimizer.setLearningRate(0.5);
      await model.trainOnBatch(xs(tf), ys(tf));
    }
    const expected = weightsOf(theirs);
    weightsOf(ours).forEach((w, i) => closeValues(w, expected[i], 1e-5, `weight ${i}`));
  });
  test('of an optimizer by name, of one that two models have, and after a load', async () => {
    const named = network(fj);
    named.compile({optimizer: 'adam', loss: 'meanSquaredError'});
    assert.equal(named.optimizer.getClassName(), 'Adam');
    assert.ok(Math.abs(named.optimizer.learningRate - 0.001) < 1e-12);
    named.optimizer.learningRate = 0.25;
    assert.equal(named.learningRate, 0.25);
    const shared = fj.train.sgd(0.1);
    const two = [compile(network(fj), shared), compile(network(fj), shared)];
    shared.learningRate = 0.5;
    assert.deepEqual(two.map((m) => m.learningRate), [0.5, 0.5]);
    two[1].dispose();
    shared.learningRate = 0.75;
    assert.equal(two[0].learningRate, 0.75);
    const files = [];
    await two[0].save({saveFile: async (bytes) => (files.push(bytes), {modelArtifactsInfo: {}})}, {includeOptimizer: true});
    const loaded = await fj.loadLayersModel(fj.io.fromMemory(files[0]));
    assert.equal(loaded.optimizer.learningRate, 0.75);
    loaded.optimizer.setLearningRate(0);
    assert.deepEqual(await changedBy(loaded), [false, false, false, false]);
  });
  test('of what an optimizer trains beside variables: until that ends', () => {
    const optimizer = fj.train.sgd(0.5);
    const trained = {rate: 0.25};
    const detach = optimizer.attach(trained);
    assert.equal(optimizer.learningRate, 0.25);
    optimizer.learningRate = 0.125;
    assert.equal(trained.rate, 0.125);
    detach();
    optimizer.learningRate = 0.75;
    assert.deepEqual([trained.rate, optimizer.learningRate], [0.125, 0.75]);
  });
  test('a number replaces a schedule', async () => {
    const optimizer = fj.train.sgd(fj.schedules.exponentialDecay({initialLearningRate: 0.5, decaySteps: 1, decayRate: 0.5}));
    const model = compile(network(fj), optimizer);
    assert.equal(optimizer.learningRate, 0.5);
    await model.trainOnBatch(xs(fj), ys(fj));
    assert.equal(optimizer.learningRate, 0.25);
    optimizer.learningRate = 0.125;
    await model.trainOnBatch(xs(fj), ys(fj));
    assert.equal(optimizer.learningRate, 0.125);
  });
  test('of variables', () => {
    const v = fj.variable([1]);
    const optimizer = fj.train.sgd(0.5);
    const step = () => (optimizer.minimize(() => v.sum()), v.dataSync()[0]);
    assert.equal(step(), 0.5);
    optimizer.learningRate = 0.25;
    assert.equal(step(), 0.25);
    const decaying = fj.train.sgd(fj.schedules.inverseTimeDecay({initialLearningRate: 1, decaySteps: 1, decayRate: 1}));
    decaying.minimize(() => v.sum());
    assert.equal(decaying.learningRate, 0.5);
    v.dispose();
  });
  test('adamax decays as in TensorFlow.js', () => {
    const run = (tf) => {
      const v = tf.variable(tf.tensor1d([1, -2]));
      const optimizer = tf.train.adamax(0.1, 0.9, 0.999, 1e-7, 0.5);
      for (let i = 0; i < 4; ++i) optimizer.minimize(() => v.square().sum());
      const values = v.dataSync();
      v.dispose();
      return values;
    };
    closeValues(run(fj), run(judge), 1e-5);
  });
  test('that is none is refused', () => {
    const words = (value) => ({message: `learningRate must be a finite number, at least 0, got ${value}`});
    for (const [rate, said] of [[NaN, 'NaN'], [Infinity, 'Infinity'], [-0.1, '-0.1'], ['0.1', "'0.1'"], [null, 'null']]) {
      const optimizer = fj.train.sgd(0.1);
      const model = compile(network(fj), optimizer);
      assert.throws(() => optimizer.setLearningRate(rate), words(said));
      assert.throws(() => (optimizer.learningRate = rate), words(said));
      assert.throws(() => (model.learningRate = rate), words(said));
      assert.throws(() => fj.train.adam(rate), words(said));
      assert.equal(optimizer.learningRate, 0.1);
    }
    assert.throws(() => fj.train.sgd(), words('undefined'));
    assert.throws(() => fj.train.momentum(0.1, NaN), {message: 'momentum must be a finite number from 0 to below 1, got NaN'});
    assert.throws(() => fj.train.adam(0.1, Infinity), {message: 'beta1 must be a finite number from 0 to below 1, got Infinity'});
  });
});

suite('layers of another model', () => {
  test('have their weights copied', () => {
    const [from, to] = [network(fj), network(fj)];
    to.layers[0].setWeights(from.layers[0].getWeights());
    const [a, b] = [weightsOf(from), weightsOf(to)];
    assert.deepEqual(b.slice(0, 2), a.slice(0, 2));
    assert.notDeepEqual(b[2], a[2]);
    from.layers[1].setWeights(to.layers[1].getWeights());
    assert.deepEqual(weightsOf(from), b);
    assert.deepEqual(from.layers[1].weights.map((w) => w.shape), [[4, 2], [2]]);
    assert.throws(() => to.layers[0].setWeights([fj.zeros([6, 4])]), {message: `The layer ${to.layers[0].name} has 2 weights, got 1`});
  });
});

test('setWeights sets all or none, and names the weight that does not fit', () => {
  const model = network(fj, {name: 'first'});
  const before = weightsOf(model);
  const values = model.weights.map((w) => fj.ones(w.shape));
  values[1] = fj.ones([5]);
  assert.throws(() => model.setWeights(values), {message: 'the weight first/bias is float32[4], got float32[5]: no weight was set'});
  values[1] = fj.ones([4], 'int32');
  assert.throws(() => model.setWeights(values), {message: 'the weight first/bias is float32[4], got int32[4]: no weight was set'});
  assert.deepEqual(weightsOf(model), before);
});
