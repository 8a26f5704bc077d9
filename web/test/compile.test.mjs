// What compile makes of names: optimizers with TensorFlow.js's rates, what logs call losses and metrics, and what a file brings back of it.
import assert from 'node:assert/strict';
import {suite, test} from 'node:test';
import {closeValues, fj, judge} from './helpers.mjs';

const network = (tf, args) => {
  const model = tf.sequential({layers: [tf.layers.dense({units: 1, inputShape: [1], kernelInitializer: 'ones'})]});
  model.compile({optimizer: tf.train.sgd(0.1), loss: 'meanSquaredError', ...args});
  return model;
};
const fit = (tf, model, args) => model.fit(tf.tensor2d([[1], [2], [3]]), tf.tensor2d([[1], [1], [0]]), {verbose: 0, ...args});
const artifactsOf = async (model) => {
  let saved;
  await model.save({save: async (artifacts) => ((saved = artifacts), {modelArtifactsInfo: {dateSaved: new Date(), weightDataBytes: 0}})}, {includeOptimizer: true});
  return saved;
};
/** Models from each form of what is saved. */
const reloaded = async (model) => [
  await fj.loadLayersModel(fj.io.fromMemory(model.file(true))),
  await fj.loadLayersModel(fj.io.fromMemory(await artifactsOf(model))),
];

suite('optimizers by name', () => {
  for (const name of ['sgd', 'adagrad', 'adadelta', 'adam', 'adamax', 'rmsprop', 'SGD', 'Adagrad', 'Adadelta', 'Adam', 'Adamax', 'RMSProp']) {
    test(`${name}: what TensorFlow.js means by it`, async () => {
      const [ours, theirs] = [fj, judge].map((tf) => network(tf, {optimizer: name}));
      assert.deepEqual(ours.optimizer.getConfig(), theirs.optimizer.getConfig());
      const [{history: a}, {history: b}] = [await fit(fj, ours, {epochs: 3}), await fit(judge, theirs, {epochs: 3})];
      // What it divides by differs: docs/tensorflowjs.md.
      if (!/adadelta/i.test(name)) closeValues(a.loss, b.loss, 1e-5);
    });
  }
  test('a name that it does not know is refused, or is what Keras means by it', () => {
    for (const tf of [fj, judge]) assert.throws(() => network(tf, {optimizer: 'momentum'}), /nknown optimizer/i);
    assert.equal(network(fj, {optimizer: 'nadam'}).optimizer.learningRate, 0.001);
  });
  test('a name in a file, and a description, are as Keras means them', async () => {
    const parts = await artifactsOf(network(fj, {optimizer: 'adadelta'}));
    const again = await fj.loadLayersModel(fj.io.fromMemory(parts));
    assert.equal(again.optimizer.learningRate, 1);
    const ofKeras = await fj.loadLayersModel(fj.io.fromMemory({...parts, userDefinedMetadata: {}, trainingConfig: {optimizer: 'adadelta', loss: 'mse'}}));
    assert.equal(ofKeras.optimizer.learningRate, 0.001);
    assert.equal(network(fj, {optimizer: {class_name: 'Adadelta', config: {}}}).optimizer.learningRate, 0.001);
  });
});

suite('names in logs', () => {
  test('a function of tf.metrics has that by which the program calls it', async () => {
    const names = ['mse', 'MSE', 'mape', 'MAPE', 'meanSquaredError', 'meanAbsolutePercentageError', 'meanAbsoluteError', 'binaryAccuracy', 'r2Score', 'cosineProximity'];
    const logs = await Promise.all([fj, judge].map(async (tf) => (await fit(tf, network(tf, {metrics: names.map((name) => tf.metrics[name])}))).history));
    assert.deepEqual(Object.keys(logs[0]), Object.keys(logs[1]));
    for (const name of names) closeValues(logs[0][name], logs[1][name], 1e-5, name);
    for (const name of names) assert.equal(fj.metrics[name].name, judge.metrics[name].name);
  });
  test('a layer that is two outputs has two losses', async () => {
    const [ours, theirs] = await Promise.all([fj, judge].map(async (tf) => {
      const inputs = [tf.input({shape: [1]}), tf.input({shape: [1]})];
      const layer = tf.layers.dense({units: 1, name: 'p', kernelInitializer: 'ones'});
      const model = tf.model({inputs, outputs: inputs.map((x) => layer.apply(x))});
      model.compile({optimizer: tf.train.sgd(0.01), loss: 'meanSquaredError'});
      const data = [[tf.ones([2, 1]), tf.fill([2, 1], 5)], [tf.fill([2, 1], 3), tf.zeros([2, 1])]];
      const {history} = await model.fit(...data, {epochs: 2, verbose: 0});
      // TensorFlow.js's has a number more: docs/tensorflowjs.md.
      if (tf === fj) assert.equal(model.evaluate(...data).length, model.metricsNames.length);
      return history;
    }));
    assert.deepEqual(Object.keys(ours).sort(), ['loss', 'p_loss_0', 'p_loss_1']);
    for (const name of Object.keys(ours)) closeValues(ours[name], theirs[name], 1e-5, name);
  });
  test('a metric called loss: the loss stays, also in what a file brings back', async () => {
    const model = network(fj, {metrics: [{class_name: 'MeanAbsoluteError', config: {name: 'loss'}}]});
    const seen = (await fit(fj, model)).history;
    assert.deepEqual(Object.keys(seen), ['loss', 'loss_1']);
    closeValues(seen.loss, [(0 + 1 + 9) / 3]);
    for (const again of await reloaded(model)) assert.deepEqual(Object.keys((await fit(fj, again)).history), ['loss', 'loss_1']);
  });
  test('early stopping goes by the loss beside such a metric', async () => {
    const model = network(fj, {metrics: [function loss(y, p) {
      return p.mul(0).mean();
    }]});
    const {epoch} = await fit(fj, model, {epochs: 5, callbacks: fj.callbacks.earlyStopping({monitor: 'loss', patience: 1})});
    assert.equal(epoch.length, 5);
  });
});

suite('what was compiled, from a file', () => {
  const params = async (tf, model) => {
    let seen;
    class Seeing extends tf.Callback {
      onTrainBegin() {
        seen = this.params.metrics;
      }
    }
    const {history} = await fit(tf, model, {callbacks: new Seeing()});
    return [seen, Object.keys(history), model.metricsNames, model.loss, model.metrics];
  };
  const names = ['acc', 'binaryAccuracy', 'mse'];
  test('names and losses are there, as in TensorFlow.js', async () => {
    const theirs = await artifactsOf(network(judge, {metrics: names}));
    const expected = await params(judge, await judge.loadLayersModel(judge.io.fromMemory(theirs)));
    assert.deepEqual(expected[2], ['loss', ...names]);
    for (const again of [await fj.loadLayersModel(fj.io.fromMemory(theirs)), ...(await reloaded(network(fj, {metrics: names})))]) assert.deepEqual(await params(fj, again), expected);
  });
  test('of several outputs', async () => {
    const x = fj.input({shape: [1]});
    const model = fj.model({inputs: x, outputs: ['a', 'b'].map((name) => fj.layers.dense({units: 1, name: `${name}_of_two`}).apply(x))});
    model.compile({optimizer: 'sgd', loss: {a_of_two: 'meanSquaredError', b_of_two: 'meanAbsoluteError'}, metrics: {b_of_two: ['mse']}});
    for (const again of await reloaded(model)) {
      assert.deepEqual(again.metricsNames, ['loss', 'a_of_two_loss', 'b_of_two_loss', 'b_of_two_mse']);
      assert.deepEqual([again.loss, again.metrics], [model.loss, model.metrics]);
    }
  });
  test('of one that was not compiled there is nothing', async () => {
    const {loss, metricsNames} = await fj.loadLayersModel(fj.io.fromMemory(fj.sequential({layers: [fj.layers.dense({units: 1, inputShape: [1]})]}).file()));
    assert.deepEqual([loss, metricsNames], [undefined, []]);
  });
});

suite('the learning rate, from a file', () => {
  const schedule = () => fj.schedules.exponentialDecay({initialLearningRate: 0.1, decaySteps: 3, decayRate: 0.5});
  test('a schedule', async () => {
    for (const again of await reloaded(network(fj, {optimizer: fj.train.sgd(schedule())}))) assert.equal(again.optimizer.getConfig().learningRate.class_name, 'ExponentialDecay');
  });
  test('a rate that was set over a schedule', async () => {
    const model = network(fj, {optimizer: fj.train.sgd(schedule())});
    model.optimizer.learningRate = 0.007;
    for (const again of await reloaded(model)) assert.deepEqual([again.optimizer.getConfig(), again.optimizer.learningRate], [{learningRate: 0.007}, 0.007]);
  });
  test('what a callback has made of it', async () => {
    for (const optimizer of [fj.train.sgd(0.1), 'nadam']) {
      const model = network(fj, {optimizer});
      await fit(fj, model, {epochs: 3, callbacks: fj.callbacks.reduceLROnPlateau({monitor: 'loss', patience: 1, minDelta: 100, factor: 0.5})});
      const {learningRate} = model.optimizer;
      assert.ok(learningRate < 0.1 && learningRate !== 0.001);
      for (const again of await reloaded(model)) assert.deepEqual([again.optimizer.learningRate, again.optimizer.getConfig().learningRate], [learningRate, learningRate]);
    }
  });
});
