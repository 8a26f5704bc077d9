// Layers, models and what they are made with as objects: what programs ask these for beside training and predicting, as in TensorFlow.js.
import assert from 'node:assert/strict';
import {suite, test} from 'node:test';
import {close, fj, judge} from './helpers.mjs';

suite('sizes of batches that were said stand in symbolic shapes', () => {
  const same = (shapes) => assert.deepEqual(shapes(fj), shapes(judge));
  test('after a layer, several, a merging one', () =>
    same((tf) => {
      const [a, b] = [[2, 4], [null, 4]].map((batchShape) => tf.layers.dense({units: 3}).apply(tf.input({batchShape})));
      const lstm = tf.layers.lstm({units: 5, returnState: true}).apply(tf.input({batchShape: [6, 3, 2]}));
      return [a, b, tf.layers.concatenate().apply([a, a]), tf.layers.flatten().apply(tf.input({batchShape: [7, 2, 3]})), ...lstm].map((t) => t.shape);
    }));
  test('of a model in a row, and of one within another', () =>
    same((tf) => {
      const inner = tf.sequential({layers: [tf.layers.dense({units: 3, batchInputShape: [2, 4]}), tf.layers.reshape({targetShape: [3, 1]})]});
      const outer = tf.sequential({layers: [inner, tf.layers.flatten()]});
      const applied = inner.apply(tf.input({batchShape: [5, 4]}));
      return [inner.inputs[0], inner.outputs[0], outer.inputs[0], outer.outputs[0], applied].map((t) => t.shape);
    }));
  test('of a model between inputs and outputs, and one that comes from a file', async () => {
    const shapes = async (tf) => {
      const x = tf.input({batchShape: [3, 4]});
      const model = tf.model({inputs: x, outputs: tf.layers.dense({units: 2}).apply(x)});
      let saved;
      await model.save({save: async (artifacts) => ((saved = artifacts), {modelArtifactsInfo: {}})});
      const again = await tf.loadLayersModel({load: async () => saved});
      return [model, again].flatMap(({inputs, outputs}) => [inputs[0].shape, outputs[0].shape]);
    };
    assert.deepEqual(await shapes(fj), await shapes(judge));
  });
  test('and batches of other sizes are taken', () => {
    const predict = (tf) => {
      const x = tf.input({batchShape: [2, 4]});
      return tf.model({inputs: x, outputs: tf.layers.dense({units: 3, kernelInitializer: 'ones'}).apply(x)}).predict(tf.ones([5, 4]), {batchSize: 3});
    };
    close(predict(fj), predict(judge));
  });
  test('a symbolic tensor knows what its layer was given', () => {
    const x = fj.input({shape: [4]});
    assert.deepEqual([x.inputs, fj.layers.dense({units: 3}).apply(x).inputs], [[], [x]]);
  });
});

test('tensors given to setWeights of a layer stay', () => {
  const layer = fj.layers.dense({units: 1, inputShape: [2]});
  fj.sequential({layers: [layer, fj.layers.dense({units: 1})]});
  const given = [fj.tensor2d([[1], [2]]), fj.tensor1d([3])];
  layer.setWeights(given);
  const {numTensors} = fj.memory();
  layer.setWeights(given);
  assert.equal(fj.memory().numTensors, numTensors);
  layer.getWeights().forEach((t, i) => close(t, given[i]));
});

suite('initializers, regularizers and constraints compute', () => {
  const numbers = [[3, -4, 0.1], [0, 2, -0.2]];
  test('initializers that draw nothing, of every type', () => {
    const all = (tf) => [
      tf.initializers.zeros().apply([2, 3]), tf.initializers.ones().apply([3], 'int32'), tf.initializers.constant({value: 2.5}).apply([2, 1, 2]),
      tf.initializers.identity({gain: 3}).apply([2, 2]), tf.initializers.zeros().apply([2], 'bool'), tf.initializers.ones().apply([]),
    ];
    const expected = all(judge);
    all(fj).forEach((t, i) => close(t, expected[i]));
    assert.throws(() => fj.initializers.identity().apply([2, 2, 2]), /^Error: Identity: .*an identity initializer needs two axes, got \[2,2,2\]$/);
  });
  test('those that draw: by their seed, within their bounds, and as the weights of a layer', () => {
    const {glorotUniform, heNormal, randomUniform, orthogonal} = fj.initializers;
    close(heNormal({seed: 3}).apply([20, 30]), heNormal({seed: 3}).apply([20, 30]), 0);
    assert.notDeepEqual([...heNormal().apply([4, 4]).dataSync()], [...heNormal().apply([4, 4]).dataSync()]);
    const limit = Math.sqrt(6 / (200 + 300));
    const drawn = glorotUniform({seed: 1}).apply([200, 300]);
    assert.ok(drawn.abs().max().dataSync()[0] <= limit && drawn.abs().max().dataSync()[0] > 0.99 * limit);
    assert.ok(Math.abs(drawn.square().mean().dataSync()[0] / (limit ** 2 / 3) - 1) < 0.02);
    assert.ok(randomUniform({minval: 2, maxval: 3}).apply([50]).min().dataSync()[0] >= 2);
    const q = orthogonal({seed: 2}).apply([4, 4]);
    close(q.matMul(q, true), fj.eye(4), 1e-5);
    const layer = fj.layers.dense({units: 30, kernelInitializer: heNormal({seed: 3}), inputShape: [20]});
    fj.sequential({layers: [layer]});
    close(layer.getWeights()[0], heNormal({seed: 3}).apply([20, 30]), 0);
  });
  test('an initializer leaves nothing behind', () => {
    fj.initializers.heNormal().apply([2, 2]).dispose();
    const {numTensors} = fj.memory();
    fj.initializers.heNormal().apply([2, 2]).dispose();
    assert.equal(fj.memory().numTensors, numTensors);
  });
  test('constraints', () => {
    const all = (tf) => {
      const {maxNorm, minMaxNorm, nonNeg, unitNorm} = tf.constraints;
      const made = [maxNorm({maxValue: 1.5}), maxNorm({maxValue: 1, axis: 1}), unitNorm({axis: 1}), unitNorm({}), nonNeg(), minMaxNorm({minValue: 0.5, maxValue: 1, rate: 0.7, axis: 1}), minMaxNorm({})];
      return made.map((one) => one.apply(tf.tensor2d(numbers)));
    };
    const expected = all(judge);
    all(fj).forEach((t, i) => close(t, expected[i], 1e-6, String(i)));
    // What is applied is what a step does with a weight.
    const model = fj.sequential({layers: [fj.layers.dense({units: 3, useBias: false, inputShape: [2], kernelConstraint: 'maxNorm', weights: [fj.tensor2d(numbers)]})]});
    model.compile({optimizer: fj.train.sgd(1e-12), loss: 'meanSquaredError'});
    return model.trainOnBatch(fj.zeros([1, 2]), fj.zeros([1, 3])).then(() => close(model.getWeights()[0], fj.constraints.maxNorm().apply(fj.tensor2d(numbers)), 1e-6));
  });
  test('regularizers, and gradients through them', () => {
    const all = (tf) => [tf.regularizers.l1({l1: 0.1}), tf.regularizers.l2(), tf.regularizers.l1l2({l1: 0.2, l2: 0.3})].map((one) => one.apply(tf.tensor2d(numbers)));
    const expected = all(judge);
    all(fj).forEach((t, i) => close(t, expected[i], 1e-6, String(i)));
    const slope = (tf) => tf.grad((w) => tf.regularizers.l2({l2: 0.5}).apply(w))(tf.tensor2d(numbers));
    close(slope(fj), slope(judge));
    assert.throws(() => fj.regularizers.orthogonal().apply(fj.ones([2, 2])), {message: 'OrthogonalRegularizer has no apply'});
  });
  test('they know their class and what they were given', () => {
    const l2 = fj.regularizers.l2({l2: 0.5});
    assert.deepEqual([l2.getClassName(), l2.getConfig(), JSON.parse(JSON.stringify(l2))], ['L2', {l2: 0.5}, {class_name: 'L2', config: {l2: 0.5}}]);
  });
});

suite('models are made and made again', () => {
  test('new LayersModel, and a class that extends it', () => {
    const predict = (tf) => {
      class Doubling extends tf.LayersModel {
        twice(x) {
          return this.predict(x).mul(2);
        }
      }
      const x = tf.input({shape: [3]});
      const args = {inputs: x, outputs: tf.layers.dense({units: 2, kernelInitializer: 'ones'}).apply(x), name: 'mine'};
      assert.equal(new tf.LayersModel(args).name, 'mine');
      const model = new Doubling(args);
      assert.ok(model instanceof tf.LayersModel && tf.sequential() instanceof tf.LayersModel && !(tf.sequential() instanceof Doubling));
      return model.twice(tf.ones([1, 3]));
    };
    close(predict(fj), predict(judge));
  });
  test('models are layers', () => {
    for (const tf of [fj, judge]) {
      const x = tf.input({shape: [3]});
      const row = tf.sequential({layers: [tf.layers.dense({units: 2, inputShape: [3]})]});
      for (const model of [row, tf.sequential(), tf.model({inputs: x, outputs: row.apply(x)})]) assert.ok(model instanceof tf.layers.Layer);
      for (const other of [null, 3, {}, x, tf.ones([1]), tf.layers.Layer]) assert.ok(!(other instanceof tf.layers.Layer));
    }
  });
  test('modelFromJSON: the description alone, with new weights', async () => {
    const model = fj.sequential({layers: [fj.layers.dense({units: 2, inputShape: [3], kernelInitializer: 'ones', name: 'a'})]});
    for (const json of [model.toJSON(null, false), JSON.parse(model.toJSON()), {modelTopology: model.toJSON(null, false)}, {modelTopology: {model_config: model.toJSON(null, false)}}]) {
      const again = await fj.models.modelFromJSON(json);
      close(again.predict(fj.ones([1, 3])), fj.tensor2d([[3, 3]]));
      assert.deepEqual(again.toJSON(), model.toJSON());
    }
    await assert.rejects(fj.models.modelFromJSON(model.toJSON()), /^Error: modelFromJSON takes a JSON object, got '\{"class_name/);
    await assert.rejects(fj.models.modelFromJSON({}), /must have a list of layers/);
  });
  test('modelFromJSON: what TensorFlow.js describes', async () => {
    const x = judge.input({shape: [3]});
    const theirs = judge.model({inputs: x, outputs: judge.layers.dense({units: 2, kernelInitializer: 'ones', activation: 'relu'}).apply(x)});
    const ours = await fj.models.modelFromJSON(theirs.toJSON(null, false));
    close(ours.predict(fj.ones([1, 3])), fj.tensor2d([[3, 3]]));
  });
  test('modelFromJSON: the weights of a manifest, before whose paths the prefix comes', async () => {
    const model = fj.sequential({layers: [fj.layers.dense({units: 1, inputShape: [2], name: 'a'})]});
    const weightsManifest = [{paths: ['w.bin'], weights: [{name: 'a/kernel', shape: [2, 1], dtype: 'float32'}, {name: 'a/bias', shape: [1], dtype: 'float32'}]}];
    const asked = [];
    const {fetch} = globalThis;
    globalThis.fetch = async (url) => (asked.push(url), new Response(Float32Array.of(1, 2, 3)));
    try {
      for (const pathPrefix of ['there', 'there/', undefined]) {
        const again = await fj.models.modelFromJSON({modelTopology: model.toJSON(null, false), weightsManifest, pathPrefix});
        close(again.predict(fj.tensor2d([[10, 100]])), fj.tensor2d([[213]]));
      }
    } finally {
      globalThis.fetch = fetch;
    }
    assert.deepEqual(asked, ['there/w.bin', 'there/w.bin', 'w.bin']);
  });
  test('a handler that gives a description alone', async () => {
    const model = fj.sequential({layers: [fj.layers.dense({units: 2, inputShape: [3], kernelInitializer: 'ones'})]});
    const again = await fj.loadLayersModel({load: async () => ({modelTopology: model.toJSON(null, false)})});
    close(again.predict(fj.ones([1, 3])), fj.tensor2d([[3, 3]]));
  });
});

suite('what an argument cannot be is said where the layer is made', () => {
  for (const [name, args, words] of [
    ['dense', {units: 0}, /^d: units must be a whole number from 1 to \d+, got 0$/],
    ['dense', {units: 2, activation: 'reluu'}, /^d: activation: unknown activation "reluu"/],
    ['dense', {units: 2, kernelInitializer: 'oness'}, /^d: kernelInitializer: unknown initializer "oness"/],
    ['conv2d', {filters: 2}, /^d: kernel_size is missing/],
    ['conv2d', {filters: 2, kernelSize: 3, padding: 'samee'}, /^d: padding must be one of/],
  ]) {
    test(`${name} ${JSON.stringify(args)}`, () => {
      assert.throws(() => judge.layers[name](args));
      assert.throws(() => fj.layers[name]({...args, name: 'd'}), {message: words});
    });
  }
});

suite('a layer tells what it is and makes its weights', () => {
  const same = (f) => assert.deepEqual(f(fj), f(judge));
  test('outputShape, after a call, after some that agree, and in a model in a row', () => {
    same((tf) => {
      const [dense, lstm, flatten, row] = [tf.layers.dense({units: 3}), tf.layers.lstm({units: 2, returnState: true}), tf.layers.flatten(), tf.layers.dense({units: 5})];
      dense.apply(tf.input({shape: [4]}));
      dense.apply(tf.input({shape: [4]}));
      lstm.apply(tf.input({shape: [4, 1]}));
      tf.sequential({layers: [tf.layers.conv2d({filters: 2, kernelSize: 2, inputShape: [3, 3, 1]}), flatten, row]});
      return [dense, lstm, flatten, row].map((layer) => layer.outputShape);
    });
    assert.throws(() => fj.layers.dense({units: 3, name: 'd'}).outputShape, {message: 'd.outputShape: the layer is not joined to others yet: apply it, or add it to a model'});
    const twice = fj.layers.flatten({name: 'f'});
    for (const shape of [[2, 2], [3, 3]]) twice.apply(fj.input({shape}));
    assert.throws(() => twice.outputShape, {message: 'f.outputShape: the layer was applied 2 times, keep what apply() gives'});
  });
  test('outputShape of a model', () =>
    same((tf) => {
      const x = tf.input({shape: [4]});
      const outputs = [1, 2].map((units) => tf.layers.dense({units}).apply(x));
      return [tf.model({inputs: x, outputs}), tf.model({inputs: x, outputs: outputs[1]})].map((model) => model.outputShape);
    }));
  test('batchInputShape, dtype and stateful', () =>
    same((tf) => {
      const first = tf.layers.lstm({units: 2, batchInputShape: [2, 3, 4], stateful: true});
      return [first, tf.layers.dense({units: 1, inputShape: [3], dtype: 'int32'})].map(({batchInputShape, dtype, stateful}) => ({batchInputShape, dtype, stateful}));
    }));
  test('computeOutputShape', () =>
    same((tf) => [
      tf.layers.conv2d({filters: 3, kernelSize: 2, strides: 2}).computeOutputShape([null, 8, 9, 1]), tf.layers.concatenate().computeOutputShape([[2, 3], [2, 4]]),
      tf.layers.flatten().computeOutputShape([7, 2, 3]), tf.layers.gru({units: 4, returnSequences: true}).computeOutputShape([null, 5, 2]),
    ]));
  test('the weights of a layer that was applied, or built, and belongs to no model yet', () => {
    same((tf) => {
      const [applied, built, none] = [tf.layers.bidirectional({layer: tf.layers.gru({units: 2})}), tf.layers.dense({units: 3}), tf.layers.flatten()];
      applied.apply(tf.input({shape: [3, 4]}));
      built.build([null, 5]);
      none.apply(tf.input({shape: [3, 4]}));
      return [applied, built, none].map((layer) => [layer.countParams(), layer.getWeights().map((t) => t.shape).sort(), layer.trainableWeights.length]);
    });
  });
  test('are then those of the model', () => {
    const predict = (tf) => {
      const layer = tf.layers.dense({units: 2});
      layer.build([null, 3]);
      layer.setWeights([tf.tensor2d([[1, 2], [3, 4], [5, 6]]), tf.tensor1d([10, 20])]);
      const x = tf.input({shape: [3]});
      const model = tf.model({inputs: x, outputs: layer.apply(x)});
      const before = model.predict(tf.ones([1, 3]));
      layer.setWeights([tf.zeros([3, 2]), tf.ones([2])]);
      return [before, model.predict(tf.ones([1, 3])), layer.call(tf.ones([1, 3]), {})];
    };
    const expected = predict(judge);
    predict(fj).forEach((t, i) => close(t, expected[i]));
  });
  test('the last layer of a row is taken away', () => {
    const predict = (tf) => {
      const [one, two] = [2, 3].map((units) => tf.layers.dense({units, inputShape: [4], kernelInitializer: 'ones'}));
      const model = tf.sequential({layers: [one, two]});
      model.pop();
      assert.deepEqual(model.layers, [one]);
      model.add(tf.layers.dense({units: 1, kernelInitializer: 'ones'}));
      return model.predict(tf.ones([1, 4]));
    };
    close(predict(fj), predict(judge));
    assert.throws(() => fj.sequential().pop(), {message: 'The model has no layers yet'});
  });
});

suite('what fit tells of itself', () => {
  const fit = async (tf, args, compile) => {
    const model = tf.sequential({layers: [tf.layers.dense({units: 1, inputShape: [2]})]});
    model.compile({optimizer: 'sgd', loss: 'meanSquaredError', ...compile});
    const seen = [];
    class Seeing extends tf.Callback {
      onTrainBegin() {
        seen.push(this.params);
      }
    }
    const history = await model.fit(tf.ones([10, 2]), tf.ones([10, 1]), {epochs: 2, batchSize: 3, verbose: 0, callbacks: new Seeing(), ...args});
    assert.ok(history instanceof tf.History);
    return [seen, history.params, model.metricsNames, history.epoch];
  };
  for (const [name, args, compile] of [
    ['alone', {}], ['with a part held out', {validationSplit: 0.25}, {metrics: ['mae']}], ['with metrics of one name', {epochs: 1}, {metrics: ['mse', 'mse']}],
  ]) test(name, async () => assert.deepEqual(await fit(fj, args, compile), await fit(judge, args, compile)));
  test('names of several outputs', () => {
    const names = (tf) => {
      const x = tf.input({shape: [2]});
      const model = tf.model({inputs: x, outputs: ['a', 'b'].map((name) => tf.layers.dense({units: 1, name}).apply(x))});
      model.compile({optimizer: 'sgd', loss: 'meanSquaredError', metrics: {b: 'mae'}});
      return model.metricsNames;
    };
    assert.deepEqual(names(fj), names(judge));
  });
});

suite('what a program keeps with a model', () => {
  const labels = {labels: ['cat', 'dog'], threshold: 0.5, more: {none: null, is: true}, seed: 'own', fjord: {step: 'north', seed: 3}};
  const made = (tf) => {
    const model = tf.sequential({layers: [tf.layers.dense({units: 2, inputShape: [3], name: 'a'})]});
    model.setUserDefinedMetadata(labels);
    return model;
  };
  const artifactsOf = async (model, args) => {
    let saved;
    await model.save({save: async (artifacts) => ((saved = artifacts), {modelArtifactsInfo: {}})}, args);
    return saved;
  };
  test('comes back from its parts, from either package to either', async () => {
    for (const [from, to] of [[fj, fj], [fj, judge], [judge, fj]]) {
      const again = await to.loadLayersModel({load: async () => artifactsOf(made(from))});
      assert.deepEqual(again.getUserDefinedMetadata(), labels);
    }
  });
  test('and beside what training needs', async () => {
    const model = made(fj);
    model.compile({optimizer: 'adam', loss: 'meanSquaredError'});
    await model.trainOnBatch(fj.ones([1, 3]), fj.ones([1, 2]));
    const again = await fj.loadLayersModel({load: async () => artifactsOf(model, {includeOptimizer: true})});
    assert.deepEqual([again.getUserDefinedMetadata(), again.info().step, again.info().seed], [labels, 1, model.info().seed]);
  });
  test('comes back from a file, whose values are the same', () => {
    const model = made(fj);
    const file = model.file();
    const again = fj.LayersModel.fromFile(file);
    assert.deepEqual(again.getUserDefinedMetadata(), labels);
    assert.equal(new DataView(file.buffer).getUint32(0, true) % 8, 0);
    again.getWeights().forEach((t, i) => close(t, model.getWeights()[i], 0));
    assert.equal(fj.LayersModel.fromFile(fj.sequential({layers: [fj.layers.dense({units: 2, inputShape: [3]})]}).file()).getUserDefinedMetadata(), undefined);
  });
  test('is JSON', () => {
    for (const wrong of [undefined, null, 'text', 3, ['list'], {tensor: fj.ones([1])}, {call: () => {}}, {date: new Date()}]) {
      assert.throws(() => judge.sequential().setUserDefinedMetadata(wrong));
      assert.throws(() => fj.sequential().setUserDefinedMetadata(wrong), /^Error: setUserDefinedMetadata takes a JSON object, .* got /);
    }
  });
});

suite('models as descriptions and by names', () => {
  test('getConfig has the names of TensorFlow.js, and all arguments of the layers', () => {
    const configOf = (tf) => {
      const x = tf.input({shape: [3], name: 'x'});
      const inner = tf.sequential({name: 'inner', layers: [tf.layers.dense({units: 2, inputShape: [3], name: 'a', recurrentActivation: undefined})]});
      const model = tf.model({inputs: x, outputs: tf.layers.lstm({units: 1, name: 'b'}).apply(tf.layers.reshape({targetShape: [2, 1], name: 'r'}).apply(inner.apply(x))), name: 'm'});
      const {layers, ...joined} = model.getConfig();
      return {...joined, layers: layers.map(({config: {layers: within, ...config}, ...rest}) => ({...rest, units: config.units, activation: config.recurrentActivation, within: within?.map(({className, config: {units, useBias}}) => ({className, units, useBias}))}))};
    };
    const [ours, theirs] = [configOf(fj), configOf(judge)];
    // Calls of a model within are counted from 1 there, too, where it has been a model of its own.
    assert.deepEqual(ours, theirs);
  });
  test('loadWeights takes values by their names', () => {
    const build = (tf) => tf.sequential({layers: [tf.layers.dense({units: 2, inputShape: [1], name: `n${tf === fj}`})]});
    const load = (tf, model, weights, strict) => model.loadWeights(Object.fromEntries(weights.map(([name, t]) => [`n${tf === fj}/${name}`, t])), strict);
    const predict = (tf) => {
      const model = build(tf);
      load(tf, model, [['bias', tf.tensor1d([10, 20])], ['kernel', tf.tensor2d([[1, 2]])]]);
      load(tf, model, [['bias', tf.tensor1d([5, 6])]], false);
      for (const wrong of [[['bias', tf.tensor1d([5, 6])]], [['bias', tf.zeros([2])], ['kernel', tf.zeros([1, 2])], ['other', tf.zeros([1])]]]) assert.throws(() => load(tf, model, wrong));
      return model.predict(tf.ones([1, 1]));
    };
    close(predict(fj), predict(judge));
  });
  test('numbers as Keras took them from NumPy', async () => {
    const layers = [{class_name: 'ReLU', config: {name: 'relu', max_value: {type: 'ndarray', value: 6}, batch_input_shape: [null, 2]}}];
    const predict = async (tf) => (await tf.models.modelFromJSON({class_name: 'Sequential', keras_version: '2.2.4', config: {name: 's', layers}})).predict(tf.tensor2d([[3, 9]]));
    close(await predict(fj), await predict(judge));
  });
  test('add refuses what does not fit at once', () => {
    const add = (tf) => {
      const model = tf.sequential({layers: [tf.layers.conv2d({filters: 1, kernelSize: 3, inputShape: [4, 4, 1]})]});
      model.add(tf.layers.conv2d({filters: 1, kernelSize: 4, name: 'large'}));
    };
    assert.throws(() => add(judge), /[Nn]egative/);
    assert.throws(() => add(fj), /^Error: large: /);
  });
});

suite('a row that comes from a file', () => {
  const saved = async (tf) => {
    let parts;
    const model = tf.sequential({layers: [tf.layers.dense({units: 3, inputShape: [2], kernelInitializer: 'ones'}), tf.layers.dense({units: 2, kernelInitializer: 'ones'})]});
    await model.save({save: async (artifacts) => ((parts = artifacts), {modelArtifactsInfo: {}})});
    return tf.loadLayersModel({load: async () => parts});
  };
  test('is a Sequential, and its layers can stand in another one', async () => {
    const predict = async (tf) => {
      const model = await saved(tf);
      assert.ok(model instanceof tf.Sequential);
      const other = tf.sequential({layers: model.layers.slice(0, -1)});
      other.add(tf.layers.dense({units: 1, kernelInitializer: 'ones'}));
      return other.predict(tf.ones([1, 2]));
    };
    close(await predict(fj), await predict(judge));
    const again = fj.LayersModel.fromFile((await saved(fj)).file());
    close(again.predict(fj.ones([1, 2])), fj.tensor2d([[6, 6]]));
  });
});

suite('the metric ce is the crossentropy of the loss', () => {
  const labels = {
    categoricalCrossentropy: [3, (tf) => tf.tensor2d([[1, 0, 0], [0, 0, 1]])], sparseCategoricalCrossentropy: [3, (tf) => tf.tensor2d([[0], [2]])],
    binaryCrossentropy: [3, (tf) => tf.tensor2d([[1, 0, 1], [0, 0, 1]])], meanSquaredError: [1, (tf) => tf.tensor2d([[1], [0]])],
  };
  for (const [loss, [units, ys]] of Object.entries(labels)) {
    test(loss, async () => {
      const logs = async (tf) => {
        const weights = [tf.tensor2d([0.1, -0.2, 0.3, 0.4, 0.5, -0.6].slice(0, 2 * units), [2, units]), tf.zeros([units])];
        const model = tf.sequential({layers: [tf.layers.dense({units, inputShape: [2], activation: units === 1 || loss.startsWith('binary') ? 'sigmoid' : 'softmax', weights})]});
        model.compile({optimizer: tf.train.sgd(0), loss, metrics: [loss.startsWith('sparse') ? 'ce' : 'crossentropy', 'acc']});
        const {history} = await model.fit(tf.tensor2d([[1, 2], [-1, 0.5]]), ys(tf), {epochs: 1, verbose: 0});
        return [Object.keys(history), Object.values(history).map(([v]) => v)];
      };
      const [[ours, values], [theirs, expected]] = [await logs(fj), await logs(judge)];
      assert.deepEqual(ours, theirs);
      values.forEach((v, i) => assert.ok(Math.abs(v - expected[i]) < 1e-5, `${ours[i]}: ${v}, expected ${expected[i]}`));
    });
  }
});

test('choices in getConfig are written as TensorFlow.js writes them', () => {
  const of = (tf) => tf.layers.conv2d({filters: 1, kernelSize: 3, dataFormat: 'channelsFirst'}).getConfig();
  assert.equal(of(fj).dataFormat, of(judge).dataFormat);
  const {kernelInitializer} = fj.layers.dense({units: 1, kernelInitializer: fj.initializers.varianceScaling({mode: 'fanOut', distribution: 'truncatedNormal'})}).getConfig();
  assert.deepEqual(kernelInitializer, {className: 'VarianceScaling', config: {mode: 'fanOut', distribution: 'truncatedNormal'}});
  assert.equal(fj.layers.dense({units: 1}).getConfig().kernelInitializer, 'glorotUniform');
  assert.equal(fj.layers.dense({units: 1, kernelInitializer: 'ones', name: 'snake_case'}).getConfig().name, 'snake_case');
});

suite('dispose says what is gone', () => {
  test('of a model, and of two that share a layer', () => {
    const counts = (tf) => {
      const shared = tf.layers.dense({units: 3});
      const models = [1, 2].map((units) => {
        const x = tf.input({shape: [4]});
        return tf.model({inputs: x, outputs: tf.layers.dense({units, useBias: false}).apply(shared.apply(x))});
      });
      for (const model of models) model.predict(tf.ones([1, 4]));
      return models.map((model) => model.dispose());
    };
    assert.deepEqual(counts(fj), counts(judge));
  });
  test('of a layer that was called by itself', () => {
    const dispose = (tf) => {
      const layer = tf.layers.dense({units: 1});
      layer.apply(tf.ones([2, 4]));
      return [layer.dispose(), layer];
    };
    const [[ours, layer], [theirs]] = [dispose(fj), dispose(judge)];
    assert.deepEqual(ours, theirs);
    assert.throws(() => layer.getWeights(), /was disposed of with its weights: make a new layer$/);
  });
  test('a layer of a model stays with it', () => {
    const layer = fj.layers.dense({units: 1, inputShape: [2], kernelInitializer: 'ones'});
    const model = fj.sequential({layers: [layer]});
    layer.apply(fj.ones([1, 2]));
    model.predict(fj.ones([1, 2]));
    assert.deepEqual(layer.dispose(), {refCountAfterDispose: 1, numDisposedVariables: 0});
    close(model.predict(fj.ones([1, 2])), fj.tensor2d([[2]]));
    assert.deepEqual([model.dispose(), model.dispose()], [{refCountAfterDispose: 0, numDisposedVariables: 2}, {refCountAfterDispose: 0, numDisposedVariables: 0}]);
  });
});
