// What models are made of, saved to and told: what cannot be is refused in words that name it, and never by an error of JavaScript's own.
import assert from 'node:assert/strict';
import {suite, test} from 'node:test';
import {closeValues, fj, judge} from './helpers.mjs';

const dense = (tf = fj) => tf.layers.dense({units: 1, inputShape: [1], kernelInitializer: 'ones'});
const network = (args, tf = fj) => {
  const model = tf.sequential({layers: [dense(tf)]});
  model.compile({optimizer: tf.train.sgd(0.1), loss: 'meanSquaredError', ...args});
  return model;
};
const fit = (args, compile, tf = fj) => network(compile, tf).fit(tf.ones([3, 1]), tf.tensor2d([[1], [1], [0]]), {verbose: 0, ...args});
const within = {};
within.itself = within;

suite('numbers that JSON has not', () => {
  for (const [wrong, said] of [[NaN, 'NaN'], [Infinity, 'Infinity'], ['0.5', "'0.5'"], [true, 'true'], [[null], 'null'], [['0.5'], "'0.5'"], [[1, NaN], 'NaN'], [{a: '1'}, "'1'"]]) {
    test(`lossWeights ${JSON.stringify(wrong)}: ${said}`, () =>
      assert.throws(() => network({lossWeights: wrong}), {message: `compile: lossWeights is a finite number, or one for each output, in a list or by its name, got ${said}`}));
  }
  test('lossWeights that are numbers', async () => {
    const lossWith = async (lossWeights) => (await fit({}, {lossWeights})).history.loss[0];
    const one = await lossWith(undefined);
    closeValues([await lossWith(2), await lossWith([3]), await lossWith({})], [2 * one, 3 * one, one]);
  });
  test('what a metric is described by', () =>
    assert.throws(() => network({metrics: [{class_name: 'BinaryAccuracy', config: {threshold: NaN}}]}), {message: 'metric BinaryAccuracy: binary_accuracy: threshold must be a finite number, got NaN'}));
  test('weights of classes', async () => {
    for (const classWeight of [{}, new Map([[0, 2]])]) {
      await assert.rejects(fit({classWeight}, {loss: 'binaryCrossentropy'}, judge), /classWeight must contain all classes in the training data/);
      await assert.rejects(fit({classWeight}, {loss: 'binaryCrossentropy'}), {message: 'classWeight must contain all classes in the training data, and is empty'});
    }
    for (const value of [NaN, Infinity, '1', null]) await assert.rejects(fit({classWeight: {0: value, 1: 1}}, {loss: 'binaryCrossentropy'}), /^Error: classWeight must contain all classes .* class 0 of sample 2 has (no|the) weight/);
  });
  test('what a program keeps with a model', () => {
    for (const wrong of [{a: NaN}, {a: [{b: -Infinity}]}, within]) assert.throws(() => network().setUserDefinedMetadata(wrong), /^Error: setUserDefinedMetadata takes a JSON object, of texts, finite numbers and the like, got an object$/);
    assert.throws(() => network({}, judge).setUserDefinedMetadata(within));
  });
});

suite('callbacks', () => {
  const stopping = () => fj.callbacks.earlyStopping({monitor: 'loss'});
  const wrong = {
    'a list in the list': [[stopping()]], 'a list of functions in the list': [[{onEpochEnd() {}}]], 'a tensor': fj.scalar(1), 'tensors': [fj.ones([2])], 'numbers': [[1, 2]],
    'a typed array': new Float32Array(2), 'a number': 5, 'nothing': [null], 'a Map': new Map(), 'a function': () => {}, 'an object of a class that hears nothing': new (class {})(),
  };
  for (const [name, callbacks] of Object.entries(wrong)) test(`${name}: refused`, () => assert.rejects(fit({callbacks}), /^Error: callbacks: a callback is an object with functions such as onEpochEnd, or one of tf\.callbacks, got /));
  test('TensorFlow.js does not look into a list in the list either', async () => {
    const {epoch} = await fit({epochs: 3, callbacks: [[judge.callbacks.earlyStopping({monitor: 'loss', patience: 0, minDelta: 100})]]}, {}, judge);
    assert.equal(epoch.length, 3);
  });
  test('what hears something, whatever its class: heard', async () => {
    const heard = [];
    class Base {
      onEpochEnd(epoch) {
        heard.push(epoch);
      }
    }
    await fit({callbacks: [new (class extends Base {})(), {}]});
    await fit({callbacks: []});
    assert.deepEqual(heard, [0]);
  });
});

suite('models', () => {
  const input = () => fj.input({shape: [1]});
  const ends = {
    'a tensor as input': [{inputs: fj.ones([1, 2]), outputs: input()}, 'inputs', 'Tensor'],
    'a layer as input': [{inputs: [dense()], outputs: input()}, 'inputs', /\w+/],
    'no outputs': [{inputs: input(), outputs: undefined}, 'outputs', 'undefined'],
    'a hole in outputs': [{inputs: input(), outputs: [null]}, 'outputs', 'null'],
    'nothing': [undefined, 'inputs', 'undefined'],
    'null': [null, 'inputs', 'undefined'],
  };
  for (const [name, [args, what, got]] of Object.entries(ends)) {
    test(`tf.model of ${name}`, () => assert.throws(() => fj.model(args), {message: new RegExp(`^model: ${what} are what tf\\.input or apply\\(\\) of a layer gives, got ${got.source ?? got}$`)}));
  }
  for (const [layers, said] of [[0, '0'], ['x', "'x'"], [{}, 'an object']]) {
    test(`tf.sequential of ${said}`, () => assert.throws(() => fj.sequential({layers}), {message: `sequential: layers is a list of layers, got ${said}`}));
  }
  test('tf.sequential of nothing: without layers', () => assert.deepEqual([fj.sequential(null).layers, fj.sequential({layers: null}).layers], [[], []]));
  for (const [name, metrics, said] of [['null', [null], 'null'], ['null beside a name', ['mae', null], 'null'], ['a number', 5, '5'], ['an object', [{}], 'an object']]) {
    test(`metrics: ${name}`, () => assert.throws(() => network({metrics}), {message: `compile: a metric is a name, a function, or as Keras describes it, got ${said}`}));
  }
  test('metrics: none', () => {
    for (const metrics of [undefined, null, [], {}, [[]]]) assert.deepEqual(network({metrics}).metricsNames, ['loss']);
  });
  for (const [name, weights] of Object.entries({nothing: null, 'a number': 5, 'a hole': [null], 'an array by name': {a: [1]}, 'null by name': {a: null}, arrays: [[1, 2]]})) {
    test(`loadWeights: ${name}`, () => assert.throws(() => network().loadWeights(weights), /^Error: loadWeights takes a tensor or a list of tensors, got /));
  }
  test('loadWeights: a tensor of TensorFlow.js', () => assert.throws(() => network().loadWeights({a: judge.scalar(1)}), /^Error: loadWeights: this tensor belongs to TensorFlow\.js/));
  test('places', async () => {
    for (const place of [undefined, null, 5, ['x']]) {
      const message = /^Error: A place for models is an address, such as indexeddb:\/\/name, or an object that saves or loads, got /;
      await assert.rejects(network().save(place), message);
      await assert.rejects(fj.loadLayersModel(place), message);
      await assert.rejects(network({}, judge).save(place));
    }
  });
});

suite("files of Fjord's own that were changed: a model, or words", () => {
  const fileOf = async (model) => {
    let file;
    await model.save({saveFile: async (bytes) => void (file = bytes)}, {includeOptimizer: true});
    return file;
  };
  /** Of a file what its header says, and a file with another header. */
  const headerOf = (file) => JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + new DataView(file.buffer).getUint32(0, true))));
  const withHeader = (file, header) => {
    const json = new TextEncoder().encode(JSON.stringify(header));
    const data = file.subarray(8 + new DataView(file.buffer).getUint32(0, true));
    const out = new Uint8Array(8 + json.length + data.length);
    new DataView(out.buffer).setBigUint64(0, BigInt(json.length), true);
    out.set(json, 8);
    out.set(data, 8 + json.length);
    return out;
  };
  const load = async (file) => {
    const model = await fj.loadLayersModel(fj.io.fromMemory(file));
    try {
      model.artifacts(true);
      return model.predict(fj.ones([1, 1])).dataSync();
    } finally {
      model.dispose();
    }
  };
  const made = async () => {
    const inner = fj.sequential({layers: [dense()]});
    const model = fj.sequential({layers: [dense(), inner]});
    model.compile({optimizer: fj.train.sgd(fj.schedules.exponentialDecay({initialLearningRate: 0.1, decaySteps: 3, decayRate: 0.5})), loss: 'meanSquaredError', metrics: ['mae']});
    model.setUserDefinedMetadata({a: [1]});
    return fileOf(model);
  };
  const changed = {
    'a layer without a class': [(model) => delete model.config.layers[1].class_name, /^Error: A layer must have a class_name, got /],
    'a layer whose class is a number': [(model) => (model.config.layers[1].class_name = 3), /^Error: A layer must have a class_name, got /],
    'a layer that is null': [(model) => (model.config.layers[1] = null), /^Error: A layer must have a class_name, got null$/],
    'a model in the model with a layer of no class': [(model) => delete model.config.layers.at(-1).config.layers.at(-1).class_name, /^Error: A layer must have a class_name, got /],
    'layers that are no list': [(model) => (model.config.layers = 3), /^Error: The layers of a model must be a list, got 3$/],
    'a model in the model without a config': [(model) => delete model.config.layers.at(-1).config, /./],
  };
  for (const [name, [change, message]] of Object.entries(changed)) {
    test(name, async () => {
      const file = await made();
      const header = headerOf(file);
      const model = JSON.parse(header.__metadata__.model);
      change(model);
      header.__metadata__.model = JSON.stringify(model);
      await assert.rejects(load(withHeader(file, header)), message);
    });
  }
  for (const text of ['x', 'true', '[]', '{"a"', '1']) {
    test(`what a program keeps is ${text}`, async () => {
      const file = await made();
      const header = headerOf(file);
      header.__metadata__.userDefinedMetadata = text;
      await assert.rejects(load(withHeader(file, header)), {message: `The userDefinedMetadata of a file must be a JSON object, got ${JSON.stringify(text)}`});
    });
  }
  test('a version of Keras that is a number', async () => {
    const {modelTopology} = fj.sequential({layers: [dense()]}).artifacts();
    for (const keras_version of [3, 2, true, {}, []]) {
      const model = await fj.loadLayersModel({load: async () => ({modelTopology: {...modelTopology, keras_version}})});
      assert.deepEqual([...model.predict(fj.ones([1, 1])).dataSync()], [1]);
    }
  });
  test('bits of the header, by chance', async () => {
    const file = await made();
    const length = new DataView(file.buffer).getUint32(0, true);
    let state = 7;
    const roll = (n) => (state = (state * 48271) % 2147483647) % n;
    const unclear = new Set();
    for (let round = 0; round < 400; ++round) {
      const bytes = file.slice();
      bytes[8 + roll(length)] ^= 1 << roll(8);
      await load(bytes).catch((error) => error.constructor === Error || unclear.add(`${round}: ${error}`));
    }
    assert.deepEqual([...unclear], []);
  });
});
