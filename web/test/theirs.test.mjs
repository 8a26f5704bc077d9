// Models go from TensorFlow.js here and back: what stands in other models and layers, with its weights under the names that it has there.
import assert from 'node:assert/strict';
import {suite, test} from 'node:test';
import {close, closeValues, fj, judge, random} from './helpers.mjs';

/** Of a model of either library, as a handler gets them. */
async function partsOf(model, options) {
  let parts;
  await model.save({save: async (given) => ((parts = given), {modelArtifactsInfo: {dateSaved: new Date(), modelTopologyType: 'JSON'}})}, options);
  return parts;
}
const base = (tf) =>
  tf.sequential({layers: [tf.layers.conv2d({filters: 2, kernelSize: 2, activation: 'relu', inputShape: [4, 4, 1]}), tf.layers.batchNormalization(), tf.layers.flatten()]});
const normed = (tf, shape) => tf.sequential({layers: [tf.layers.dense({units: 3, activation: 'tanh', inputShape: shape}), tf.layers.batchNormalization()]});
/** By the shape of a sample. */
const kModels = {
  'a part frozen, and a layer': [[3], (tf) => {
    const inner = normed(tf, [3]);
    inner.layers[0].trainable = false;
    return tf.sequential({layers: [inner, tf.layers.dense({units: 2})]});
  }],
  'a row in a row': [[3], (tf) => tf.sequential({layers: [normed(tf, [3]), tf.layers.layerNormalization()]})],
  'a row in a functional model': [[3], (tf) => {
    const x = tf.input({shape: [3]});
    return tf.model({inputs: x, outputs: tf.layers.layerNormalization().apply(normed(tf, [3]).apply(x))});
  }],
  'a functional model, in another, twice': [[3], (tf) => {
    const [x, y] = [tf.input({shape: [3]}), tf.input({shape: [3]})];
    const inner = tf.model({inputs: x, outputs: tf.layers.batchNormalization().apply(tf.layers.dense({units: 3}).apply(x))});
    return tf.model({inputs: y, outputs: tf.layers.dense({units: 2}).apply(inner.apply(inner.apply(y)))});
  }],
  'a row in a row in a row': [[3], (tf) => tf.sequential({layers: [kModels['a row in a row'][1](tf), tf.layers.batchNormalization()]})],
  'an inner model frozen': [[3], (tf) => {
    const inner = normed(tf, [3]);
    inner.trainable = false;
    return tf.sequential({layers: [inner, tf.layers.dense({units: 2}), tf.layers.batchNormalization()]});
  }],
  'a convolutional base frozen, with a head': [[4, 4, 1], (tf) => {
    const inner = base(tf);
    for (const l of inner.layers) l.trainable = false;
    return tf.sequential({layers: [inner, tf.layers.dense({units: 2})]});
  }],
  'timeDistributed(dense), and normalisations': [[4, 3], (tf) =>
    tf.sequential({layers: [tf.layers.timeDistributed({layer: tf.layers.dense({units: 2}), inputShape: [4, 3]}), tf.layers.batchNormalization(), tf.layers.layerNormalization()]})],
  'bidirectional(lstm), timeDistributed(dense) and a normalisation': [[4, 3], (tf) =>
    tf.sequential({
      layers: [
        tf.layers.bidirectional({layer: tf.layers.lstm({units: 2, returnSequences: true}), inputShape: [4, 3]}), tf.layers.timeDistributed({layer: tf.layers.dense({units: 2})}),
        tf.layers.batchNormalization(),
      ],
    })],
  'timeDistributed(batchNormalization)': [[4, 3], (tf) =>
    tf.sequential({layers: [tf.layers.timeDistributed({layer: tf.layers.batchNormalization(), inputShape: [4, 3]}), tf.layers.dense({units: 2})]})],
  'timeDistributed(dense) frozen': [[4, 3], (tf) => {
    const steps = tf.layers.timeDistributed({layer: tf.layers.dense({units: 2}), inputShape: [4, 3]});
    steps.trainable = false;
    return tf.sequential({layers: [steps, tf.layers.batchNormalization()]});
  }],
  'timeDistributed of a row': [[4, 3], (tf) => tf.sequential({layers: [tf.layers.timeDistributed({layer: normed(tf, [3]), inputShape: [4, 3]}), tf.layers.dense({units: 2})]})],
  'a cell': [[4, 3], (tf) => tf.sequential({layers: [tf.layers.rnn({cell: tf.layers.gruCell({units: 2}), inputShape: [4, 3]}), tf.layers.dense({units: 2})]})],
  'a stack of cells': [[4, 3], (tf) =>
    tf.sequential({layers: [tf.layers.rnn({cell: [tf.layers.lstmCell({units: 2}), tf.layers.simpleRNNCell({units: 2, useBias: false}), tf.layers.gruCell({units: 3})], inputShape: [4, 3]}), tf.layers.batchNormalization()]})],
};
/** Other values for each weight; variances are positive. */
function fill(tf, model) {
  model.weights.forEach((w, i) => w.write(tf.tensor(random(w.shape, ...(/variance/.test(w.name) ? [0.5, 1.5] : [-0.8, 0.8]), 7 + i), w.shape)));
  return model;
}
const input = (tf, shape) => tf.tensor(random([3, ...shape], -1, 1, 4), [3, ...shape]);

suite('models of TensorFlow.js with parts', () => {
  for (const [name, [shape, build]] of Object.entries(kModels)) {
    test(`${name}: come here`, async () => {
      const model = fill(judge, build(judge));
      const loaded = await fj.loadLayersModel(fj.io.fromMemory(await partsOf(model)));
      close(loaded.predict(input(fj, shape)), model.predict(input(judge, shape)), 1e-5);
    });
  }
});
suite('models of this library with parts', () => {
  for (const [name, [shape, build]] of Object.entries(kModels)) {
    test(`${name}: go there, and come back`, async () => {
      const model = fill(fj, build(fj));
      const parts = await partsOf(model);
      const [theirs, again] = [await judge.loadLayersModel(judge.io.fromMemory(parts)), await fj.loadLayersModel(fj.io.fromMemory(parts))];
      close(model.predict(input(fj, shape)), theirs.predict(input(judge, shape)), 1e-5);
      assert.deepEqual(again.predict(input(fj, shape)).arraySync(), model.predict(input(fj, shape)).arraySync());
      // A model's own flag is not in a file, and of a model without it the order is another.
      assert.deepEqual(parts.weightSpecs.map((s) => s.name).sort(), theirs.weights.map((w) => w.originalName).sort());
    });
  }
});

suite('a training of this library goes on there', () => {
  const network = (tf) => tf.sequential({layers: [tf.layers.dense({units: 3, activation: 'tanh', inputShape: [3]}), tf.layers.batchNormalization(), tf.layers.dense({units: 2})]});
  const step = (tf, model) => model.trainOnBatch(tf.tensor2d([[1, 2, 3], [0, -1, 2]]), tf.tensor2d([[1, 2], [3, 4]]));
  const kOptimizers = {
    sgd: (tf) => tf.train.sgd(0.05),
    "'sgd'": () => 'sgd',
    momentum: (tf) => tf.train.momentum(0.02, 0.9),
    'momentum, by Nesterov': (tf) => tf.train.momentum(0.02, 0.9, true),
    adam: (tf) => tf.train.adam(0.02, 0.8, 0.99),
    "'adam'": () => 'adam',
    rmsprop: (tf) => tf.train.rmsprop(0.02, 0.8),
    'rmsprop, centred and with a momentum': (tf) => tf.train.rmsprop(0.02, 0.8, 0.5, 1e-6, true),
    adagrad: (tf) => tf.train.adagrad(0.1),
  };
  for (const [name, optimizer] of Object.entries(kOptimizers)) {
    for (const before of [0, 3]) {
      test(`${name}, after ${before} steps`, async () => {
        // Centred, a gradient that is 0 makes NaN there.
        const model = fill(fj, name.includes('centred') ? fj.sequential({layers: [fj.layers.dense({units: 2, inputShape: [3]})]}) : network(fj));
        model.compile({optimizer: optimizer(fj), loss: 'meanSquaredError', metrics: ['accuracy', 'mse']});
        for (let i = 0; i < before; ++i) await step(fj, model);
        const parts = await partsOf(model, {includeOptimizer: true});
        const [theirs, again] = [await judge.loadLayersModel(judge.io.fromMemory(parts)), await fj.loadLayersModel(fj.io.fromMemory(parts))];
        for (let i = 0; i < 4; ++i) {
          const [now, there, loaded] = [await step(fj, model), await step(judge, theirs), await step(fj, again)];
          closeValues(now, there, 1e-4, `step ${i}`);
          closeValues(loaded, now, 1e-6, `step ${i}, loaded here`);
        }
      });
    }
  }
  test('and comes back from there', async () => {
    const model = fill(fj, network(fj));
    model.compile({optimizer: 'adam', loss: 'meanSquaredError', metrics: ['accuracy']});
    for (let i = 0; i < 3; ++i) await step(fj, model);
    const theirs = await judge.loadLayersModel(judge.io.fromMemory(await partsOf(model, {includeOptimizer: true})));
    for (let i = 0; i < 3; ++i) await step(judge, theirs);
    const again = await fj.loadLayersModel(fj.io.fromMemory(await partsOf(theirs, {includeOptimizer: true})));
    for (let i = 0; i < 3; ++i) closeValues(await step(fj, again), await step(judge, theirs), 1e-4, `step ${i}`);
  });
  test('what is frozen has no state', async () => {
    const model = fill(fj, network(fj));
    model.layers[0].trainable = false;
    model.compile({optimizer: 'adam', loss: 'mse'});
    await step(fj, model);
    const parts = await partsOf(model, {includeOptimizer: true});
    const theirs = await judge.loadLayersModel(judge.io.fromMemory(parts));
    for (let i = 0; i < 3; ++i) closeValues([await step(fj, model)].flat(), [await step(judge, theirs)].flat(), 1e-4, `step ${i}`);
  });
  test('what it has no words for is not said there: the model loads, not compiled, and goes on here', async () => {
    for (const args of [{optimizer: 'nadam', loss: 'mse'}, {optimizer: 'adam', loss: 'huber'}, {optimizer: 'adam', loss: 'mse', metrics: ['topKCategoricalAccuracy']}]) {
      const model = fill(fj, network(fj));
      model.compile(args);
      await step(fj, model);
      const parts = await partsOf(model, {includeOptimizer: true});
      const [theirs, again] = [await judge.loadLayersModel(judge.io.fromMemory(parts)), await fj.loadLayersModel(fj.io.fromMemory(parts))];
      assert.equal(theirs.optimizer, undefined);
      assert.deepEqual(await step(fj, again), await step(fj, model));
    }
  });
});

suite('what is said of a model', () => {
  const network = (tf) => tf.sequential({name: 'm', layers: [tf.layers.lstm({name: 'l', units: 2, inputShape: [4, 3]}), tf.layers.dense({name: 'd', units: 2, activation: 'hardSigmoid'})]});
  test('toJSON has the form that it has there, as a text and as an object', () => {
    for (const [tf, version] of [[judge, 'tfjs-layers 4.22.0'], [fj, '2']]) {
      const model = network(tf);
      const described = model.toJSON(null, false);
      assert.deepEqual(Object.keys(described), ['class_name', 'config', 'keras_version', 'backend']);
      assert.equal(described.keras_version, version);
      assert.deepEqual(JSON.parse(model.toJSON()), described);
      const [lstm, dense] = described.config.layers.map((l) => l.config);
      assert.deepEqual([lstm.recurrent_activation, dense.activation], ['hard_sigmoid', 'hard_sigmoid']);
    }
  });
  test("the hard sigmoid of Keras 3, which is another, keeps its numbers", async () => {
    const model = fj.sequential({layers: [fj.layers.activation({activation: 'hard_sigmoid', inputShape: [2]}), fj.layers.activation({activation: 'hardSigmoid'})]});
    const parts = await partsOf(model);
    const again = await fj.loadLayersModel(fj.io.fromMemory(parts));
    const x = (tf) => tf.tensor2d([[-1, 0.5]]);
    assert.deepEqual(again.predict(x(fj)).arraySync(), model.predict(x(fj)).arraySync());
    assert.equal(parts.modelTopology.keras_version, '3');
  });
  test('getConfig of a layer around another makes one that computes the same', () => {
    for (const make of [(tf) => tf.layers.bidirectional({name: 'b', layer: tf.layers.lstm({name: 'l', units: 2}), inputShape: [4, 3]}), (tf) => tf.layers.rnn({name: 'r', cell: tf.layers.gruCell({name: 'c', units: 2}), inputShape: [4, 3]})]) {
      const layer = make(fj);
      const {layer: inner, cell} = layer.getConfig();
      const {className, config} = inner ?? cell;
      assert.equal(config.recurrentActivation, 'hardSigmoid');
      const args = {...layer.getConfig(), [inner ? 'layer' : 'cell']: {class_name: className, config}};
      const [a, b] = [layer, fj.layers[inner ? 'bidirectional' : 'rnn'](args)].map((l) => fill(fj, fj.sequential({layers: [l]})));
      assert.deepEqual(b.predict(input(fj, [4, 3])).arraySync(), a.predict(input(fj, [4, 3])).arraySync());
    }
  });
});

suite('what is asked of save', () => {
  const network = (tf) => {
    const model = fill(tf, tf.sequential({layers: [tf.layers.dense({name: 'd', units: 3, inputShape: [3]}), tf.layers.batchNormalization({name: 'n'}), tf.layers.dense({name: 'e', units: 1})]}));
    model.layers[0].trainable = false;
    return model;
  };
  test('trainableOnly: the weights that are trained', async () => {
    const [ours, theirs] = await Promise.all([fj, judge].map((tf) => partsOf(network(tf), {trainableOnly: true})));
    assert.deepEqual(ours.weightSpecs, theirs.weightSpecs);
    assert.deepEqual(new Float32Array(ours.weightData).length, 13 - 3);
  });
  test('trainableOnly of a file, and what there is not, are refused', async () => {
    await assert.rejects(network(fj).save({saveFile: async () => {}}, {trainableOnly: true}), /^Error: save: trainableOnly is of handlers with save\(artifacts\)/);
    await assert.rejects(partsOf(network(fj), {includeWeights: true}), {message: 'save: there is no argument includeWeights; known are includeOptimizer, trainableOnly'});
    await assert.rejects(partsOf(network(fj), {includeOptimizer: 'yes'}), /includeOptimizer/);
  });
});

suite('what is asked of loadLayersModel', () => {
  const network = (tf, units, name) =>
    tf.sequential({layers: [tf.layers.dense({name: 'd', units: 3, inputShape: [3], kernelInitializer: 'ones'}), tf.layers.dense({name, units, kernelInitializer: 'zeros', biasInitializer: 'ones'})]});
  /** The description of one model, the weights of another. */
  const mixed = async () => {
    const [parts, other] = [await partsOf(network(judge, 2, 'new')), await partsOf(fill(judge, network(judge, 2, 'old')))];
    return {...parts, weightSpecs: other.weightSpecs, weightData: other.weightData};
  };
  test('strict: false: weights that the model has are taken, others are as they begin', async () => {
    const parts = await mixed();
    const [theirs, ours] = [await judge.loadLayersModel(judge.io.fromMemory(parts), {strict: false}), await fj.loadLayersModel(fj.io.fromMemory(parts), {strict: false})];
    theirs.getWeights().forEach((t, i) => close(ours.getWeights()[i], t, 0));
    assert.deepEqual(ours.getWeights().slice(2).map((t) => t.arraySync()), [[[0, 0], [0, 0], [0, 0]], [1, 1]]);
    assert.notDeepEqual(ours.getWeights()[0].arraySync()[0], [1, 1, 1]);
  });
  test('strict: false: the weights that are trained, as trainableOnly saves them', async () => {
    const build = (tf) => fill(tf, tf.sequential({layers: [tf.layers.dense({name: 'd', units: 3, inputShape: [3]}), tf.layers.batchNormalization({name: 'n'})]}));
    const model = build(fj);
    const parts = await partsOf(model, {trainableOnly: true});
    await assert.rejects(fj.loadLayersModel(fj.io.fromMemory(parts)), {message: "The weights of the file are not the model's: the file has no n/moving_mean, n/moving_variance"});
    const loaded = await fj.loadLayersModel(fj.io.fromMemory(parts), {strict: false});
    loaded.getWeights(true).forEach((t, i) => close(t, model.getWeights(true)[i], 0));
    assert.deepEqual(loaded.getWeights().slice(4).map((t) => t.arraySync()), [[0, 0, 0], [1, 1, 1]]);
  });
  test('strict, and by itself: such a file is refused', async () => {
    const parts = await mixed();
    for (const args of [[], [{}], [{strict: true}]]) {
      await assert.rejects(judge.loadLayersModel(judge.io.fromMemory(parts), ...args), /has no target variable: old\/kernel/);
      await assert.rejects(fj.loadLayersModel(fj.io.fromMemory(parts), ...args), {message: "The weights of the file are not the model's: the model has no old/kernel, old/bias; the file has no new/kernel, new/bias"});
    }
  });
  test('what there is not is refused', async () => {
    const place = fj.io.fromMemory(await mixed());
    await assert.rejects(fj.loadLayersModel(place, {onProgress: () => {}}), {message: 'loadLayersModel: there is no argument onProgress; known are strict'});
    await assert.rejects(fj.loadLayersModel(place, {strict: 'no'}), /strict/);
  });
  test('a handler whose load gives nothing', async () => {
    for (const nothing of [undefined, null, 'model']) await assert.rejects(fj.loadLayersModel({load: async () => nothing}), /^Error: load\(\) of a handler must give a file, as an Uint8Array, or the parts of a model, got /);
  });
  test('io.fromMemory of a description, weights and a training one by one', async () => {
    const model = network(fj, 2, 'e');
    model.compile({optimizer: 'sgd', loss: 'meanSquaredError'});
    const {modelTopology, weightSpecs, weightData, trainingConfig} = await partsOf(model, {includeOptimizer: true});
    for (const tf of [judge, fj]) {
      const loaded = await tf.loadLayersModel(tf.io.fromMemory(modelTopology, weightSpecs, weightData, trainingConfig));
      close(loaded.getWeights()[0], tf.ones([3, 3]), 0);
      assert.equal(loaded.optimizer.getClassName(), 'SGD');
    }
  });
});
