// Saving, loading and resuming without a browser: memory, handlers, HTTP, files, and what TensorFlow.js has written.
import assert from 'node:assert/strict';
import http from 'node:http';
import {after, suite, test} from 'node:test';
import {close, closeValues, fj, judge, random, same, shareWeights, weightsOf} from './helpers.mjs';

const kCount = 32;
const xs = (tf) => tf.tensor(random([kCount, 6, 6, 1], -1, 1, 31), [kCount, 6, 6, 1]);
const ys = (tf) => tf.tensor2d(Array.from({length: kCount}, (_, i) => [0, 1, 2].map((k) => (i % 3 === k ? 1 : 0))));
const layersOf = (tf) => [
  tf.layers.conv2d({filters: 4, kernelSize: 3, activation: 'relu', inputShape: [6, 6, 1]}),
  tf.layers.batchNormalization({}),
  tf.layers.flatten(),
  tf.layers.dense({units: 8, activation: 'tanh'}),
  tf.layers.batchNormalization({}),
  tf.layers.dropout({rate: 0.2}),
  tf.layers.dense({units: 3, activation: 'softmax'}),
];
function network(optimizer = 'adam') {
  const model = fj.sequential({seed: 12, layers: layersOf(fj)});
  model.compile({optimizer, loss: 'categoricalCrossentropy', metrics: ['accuracy']});
  return model;
}
const train = (model, from, to) => model.fit(xs(fj), ys(fj), {initialEpoch: from, epochs: to, batchSize: 10});
/** A handler that keeps what it is given. */
const keeper = () => {
  const place = {};
  place.handler = fj.io.withSaveHandler(async (artifacts) => {
    place.artifacts = artifacts;
    return {modelArtifactsInfo: {dateSaved: new Date(), weightDataBytes: artifacts.weightData.byteLength}};
  });
  return place;
};
/** The safetensors file as one sees it in a place that wants files. */
const fileOf = async (model, options) => {
  let file;
  await model.save({saveFile: async (bytes) => void (file = bytes)}, options);
  return file;
};

suite('resuming is as if never stopped', () => {
  for (const optimizer of ['sgd', 'adam', 'rmsprop', 'nadam', 'ftrl']) {
    test(`from parts in memory, ${optimizer}`, async () => {
      const [straight, first, place] = [network(optimizer), network(optimizer), keeper()];
      await train(straight, 0, 6);
      await train(first, 0, 3);
      await first.save(place.handler, {includeOptimizer: true});
      const second = await fj.loadLayersModel(fj.io.fromMemory(place.artifacts));
      assert.deepEqual(weightsOf(second), weightsOf(first));
      await train(second, 3, 6);
      assert.deepEqual(weightsOf(second), weightsOf(straight));
    });
    test(`from a file, ${optimizer}`, async () => {
      const [straight, first] = [network(optimizer), network(optimizer)];
      await train(straight, 0, 6);
      await train(first, 0, 3);
      const second = await fj.loadLayersModel(fj.io.fromMemory(await fileOf(first, {includeOptimizer: true})));
      await train(second, 3, 6);
      assert.deepEqual(weightsOf(second), weightsOf(straight));
    });
  }
  test('with a schedule and momentum', async () => {
    const rate = () => ({class_name: 'SGD', config: {learning_rate: fj.schedules.cosineDecay({initialLearningRate: 0.1, decaySteps: 24}), momentum: 0.9}});
    const [straight, first] = [network(rate()), network(rate())];
    await train(straight, 0, 6);
    await train(first, 0, 3);
    const second = await fj.loadLayersModel(fj.io.fromMemory(await fileOf(first, {includeOptimizer: true})));
    await train(second, 3, 6);
    assert.deepEqual(weightsOf(second), weightsOf(straight));
  });
});

suite('a saved model', () => {
  test('gives its weights to another of the same shape', async () => {
    const [model, other] = [network(), network()];
    await train(model, 0, 1);
    other.restore(model.artifacts());
    assert.deepEqual(weightsOf(other), weightsOf(model));
    assert.deepEqual(model.file(), await fileOf(model));
  });
  test('predicts the same', async () => {
    const [model, place] = [network(), keeper()];
    const result = await model.save(place.handler);
    assert.equal(result.modelArtifactsInfo.weightDataBytes, 4 * model.countParams());
    same((await fj.loadLayersModel(fj.io.fromMemory(place.artifacts))).predict(xs(fj)), model.predict(xs(fj)));
    same((await fj.loadLayersModel(fj.io.fromMemory(await fileOf(model)))).predict(xs(fj)), model.predict(xs(fj)));
  });
  test('is described in Keras JSON, with names and shapes of its weights', async () => {
    const [model, place] = [network(), keeper()];
    await model.save(place.handler);
    const {modelTopology, weightSpecs, format} = place.artifacts;
    assert.equal(format, 'layers-model');
    assert.deepEqual(modelTopology.config.layers.map((l) => l.class_name), model.layers.map((l) => l.getClassName()));
    assert.deepEqual(weightSpecs.map((s) => s.name), model.weights.map((w) => w.name));
  });
  test('is a safetensors file: a length, a header of names, types and offsets, the data', async () => {
    const model = network();
    const file = await fileOf(model);
    const length = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
    const {__metadata__, ...tensors} = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length)));
    for (const [i, {name, shape}] of model.weights.entries()) {
      const {dtype, shape: stored, data_offsets: [begin, end]} = tensors[name];
      assert.deepEqual([dtype, stored], ['F32', shape]);
      assert.deepEqual(new Float32Array(file.slice(8 + length + begin, 8 + length + end).buffer), weightsOf(model)[i]);
    }
  });
  test('a functional model comes back', async () => {
    const x = fj.input({shape: [4]});
    const a = fj.layers.dense({units: 3, activation: 'relu'}).apply(x);
    const model = fj.model({inputs: x, outputs: fj.layers.concatenate().apply([a, fj.layers.dense({units: 2}).apply(a)])});
    const place = keeper();
    await model.save(place.handler);
    for (const from of [place.artifacts, await fileOf(model)]) {
      same((await fj.loadLayersModel(fj.io.fromMemory(from))).predict(fj.ones([2, 4])), model.predict(fj.ones([2, 4])));
    }
  });
});

suite('models of TensorFlow.js', () => {
  /** Its model, as the parts that it saves. */
  const theirs = async (layers) => {
    const model = judge.sequential({layers: layers(judge)});
    const ours = fj.sequential({layers: layers(fj)});
    shareWeights(ours, model);
    let artifacts;
    await model.save(judge.io.withSaveHandler(async (a) => ((artifacts = a), {modelArtifactsInfo: {dateSaved: new Date(), modelTopologyType: 'JSON'}})));
    return {model, artifacts};
  };
  test('load and predict the same, with the weights that it writes last in their places', async () => {
    const {model, artifacts} = await theirs(layersOf);
    const loaded = await fj.loadLayersModel(fj.io.fromMemory(artifacts));
    close(loaded.predict(xs(fj)), model.predict(xs(judge)), 1e-5);
  });
  test('many kinds of layers', async () => {
    const layers = (tf) => [
      tf.layers.zeroPadding2d({padding: 1, inputShape: [6, 6, 1]}),
      tf.layers.separableConv2d({filters: 3, kernelSize: 3}),
      tf.layers.depthwiseConv2d({kernelSize: 2, depthMultiplier: 2, activation: 'elu'}),
      tf.layers.upSampling2d({size: [2, 2]}),
      tf.layers.averagePooling2d({poolSize: 2}),
      tf.layers.conv2dTranspose({filters: 2, kernelSize: 2, strides: 2}),
      tf.layers.leakyReLU({alpha: 0.1}),
      tf.layers.prelu({}),
      tf.layers.layerNormalization({}),
      tf.layers.globalAveragePooling2d({}),
      tf.layers.repeatVector({n: 2}),
      tf.layers.permute({dims: [2, 1]}),
      tf.layers.reshape({targetShape: [4]}),
      tf.layers.activation({activation: 'softplus'}),
    ];
    const {model, artifacts} = await theirs(layers);
    const loaded = await fj.loadLayersModel(fj.io.fromMemory(artifacts));
    close(loaded.predict(xs(fj)), model.predict(xs(judge)), 1e-5);
  });
  test('its functional models', async () => {
    const [a, b] = [judge.input({shape: [3]}), judge.input({shape: [3]})];
    const shared = judge.layers.dense({units: 4, activation: 'tanh'});
    const joined = judge.layers.concatenate().apply([shared.apply(a), judge.layers.add().apply([shared.apply(a), shared.apply(b)])]);
    const model = judge.model({inputs: [a, b], outputs: [judge.layers.dense({units: 2}).apply(joined), joined]});
    let artifacts;
    await model.save(judge.io.withSaveHandler(async (saved) => ((artifacts = saved), {modelArtifactsInfo: {dateSaved: new Date(), modelTopologyType: 'JSON'}})));
    const loaded = await fj.loadLayersModel(fj.io.fromMemory(artifacts));
    const inputs = (tf) => [1, 2].map((seed) => tf.tensor(random([5, 3], -1, 1, seed), [5, 3]));
    const expected = model.predict(inputs(judge));
    loaded.predict(inputs(fj)).forEach((t, i) => close(t, expected[i], 1e-5));
  });
  suite('training goes on with its optimizer, its state and its step', () => {
    const optimizers = {
      sgd: (train) => train.sgd(0.1),
      'sgd with a momentum': (train) => train.momentum(0.05, 0.9, true),
      adam: (train) => train.adam(0.05, 0.8, 0.99),
      adagrad: (train) => train.adagrad(0.2, 0.3),
      rmsprop: (train) => train.rmsprop(0.05, 0.8),
      'rmsprop, centred and with a momentum': (train) => train.rmsprop(0.05, 0.8, 0.5, 1e-6, true),
    };
    const step = (tf, model) => model.trainOnBatch(tf.tensor2d([[1, 2, 3], [0, -1, 2]]), tf.tensor2d([[1, 2], [3, 4]]));
    const trained = async (optimizer, loss = 'meanSquaredError') => {
      const model = judge.sequential({layers: [judge.layers.dense({units: 2, inputShape: [3], kernelInitializer: 'ones'})]});
      model.compile({optimizer, loss, metrics: ['accuracy']});
      for (let i = 0; i < 3; ++i) await step(judge, model);
      let artifacts;
      const place = judge.io.withSaveHandler(async (a) => ((artifacts = a), {modelArtifactsInfo: {dateSaved: new Date(), modelTopologyType: 'JSON'}}));
      await model.save(place, {includeOptimizer: true});
      return {model, artifacts};
    };
    for (const [name, make] of Object.entries(optimizers)) {
      test(name, async () => {
        const {model, artifacts} = await trained(make(judge.train));
        const loaded = await fj.loadLayersModel(fj.io.fromMemory(artifacts));
        for (let i = 0; i < 4; ++i) closeValues(await step(fj, loaded), await step(judge, model), 2e-5, `step ${i}`);
        // And as this library saves it.
        const again = await fj.loadLayersModel(fj.io.fromMemory(loaded.artifacts(true)));
        closeValues(await step(fj, again), await step(judge, model), 2e-5, 'saved again');
      });
    }
    test('adadelta begins as there', async () => {
      // Its steps divide by the average before the gradient; those of Keras, and here, by that after it.
      const {artifacts} = await trained(judge.train.adadelta(0.5, 0.9));
      const loaded = await fj.loadLayersModel(fj.io.fromMemory(artifacts));
      assert.deepEqual([loaded.optimizer.getClassName(), loaded.optimizer.getConfig()], ['Adadelta', {learningRate: 0.5, rho: 0.9, epsilon: 1e-7}]);
      const weights = Object.fromEntries(loaded.artifacts(true).weightSpecs.map(({name, shape}) => [name.split('/').slice(1).join('/'), shape]));
      assert.deepEqual(weights, {
        kernel: [3, 2], bias: [2], 'kernel/accumulated_grad': [3, 2], 'bias/accumulated_grad': [2], 'kernel/accumulated_delta_var': [3, 2], 'bias/accumulated_delta_var': [2],
      });
    });
    test('a loss that only it knows: the model loads, and says that it is not compiled', async (t) => {
      const {model, artifacts} = await trained('sgd');
      artifacts.trainingConfig.loss = 'their_own';
      const warn = t.mock.method(console, 'warn', () => {});
      const loaded = await fj.loadLayersModel(fj.io.fromMemory(artifacts));
      assert.match(warn.mock.calls[0].arguments[0], /^The model \S+ is not compiled: .*theirOwn/);
      assert.equal(loaded.optimizer, undefined);
      const x = (tf) => tf.tensor2d([[1, 2, 3]]);
      close(loaded.predict(x(fj)), model.predict(x(judge)), 1e-6);
    });
    test('a state that the optimizer does not have', async () => {
      const {artifacts} = await trained('adam');
      artifacts.weightSpecs.at(-1).name = 'other/kernel/v';
      await assert.rejects(fj.loadLayersModel(fj.io.fromMemory(artifacts)), {
        message: 'Adam has no state other/kernel/v in this model',
      });
    });
    test('no optimizer', async (t) => {
      const {artifacts} = await trained('sgd');
      const warn = t.mock.method(console, 'warn', () => {});
      for (const config of [{}, {loss: 'mse'}, {loss: 'mse', optimizer_config: {}}, 'adam']) {
        assert.equal((await fj.loadLayersModel(fj.io.fromMemory({...artifacts, trainingConfig: config}))).optimizer, undefined);
      }
      assert.equal(warn.mock.calls.length, 4);
      for (const call of warn.mock.calls) assert.match(call.arguments[0], /is not compiled: compile: optimizer is to be a name such as 'adam'/);
    });
  });
  test('over HTTP as model.json and weights in several files, also quantised', async () => {
    const {model, artifacts} = await theirs(layersOf);
    const bytes = new Uint8Array(artifacts.weightData);
    const cut = 100;
    // The last weight as float16, the one before it as bytes: value = stored * scale + min.
    const [specs, last] = [artifacts.weightSpecs, artifacts.weightSpecs.at(-1)];
    assert.equal(last.shape.length, 1);
    const tail = 4 * last.shape[0];
    const halves = Uint16Array.from({length: last.shape[0]}, (_, i) => [0x3c00, 0x3800, 0x4000, 0x3e00][i % 4]);
    const files = {
      '/m/model.json': JSON.stringify({
        modelTopology: artifacts.modelTopology,
        weightsManifest: [
          {paths: ['a.bin', 'sub/b.bin'], weights: specs.slice(0, -1)},
          {paths: ['c.bin'], weights: [{...last, quantization: {dtype: 'float16'}}]},
        ],
      }),
      '/m/a.bin': bytes.slice(0, cut),
      '/m/sub/b.bin': bytes.slice(cut, bytes.length - tail),
      '/m/c.bin': new Uint8Array(halves.buffer),
    };
    const url = await serving(files);
    const loaded = await fj.loadLayersModel(`${url}/m/model.json`);
    const weights = Object.fromEntries(loaded.weights.map((w, i) => [w.name, weightsOf(loaded)[i]]));
    assert.deepEqual([...weights[last.name].slice(0, 4)], [1, 0.5, 2, 1.5].slice(0, last.shape[0]));
    model.layers.flatMap((l) => l.weights).find((w) => w.originalName === last.name).write(judge.tensor(Float32Array.from(halves, (_, i) => [1, 0.5, 2, 1.5][i % 4])));
    close(loaded.predict(xs(fj)), model.predict(xs(judge)), 1e-5);
  });
});

// ---- HTTP -------------------------------------------------------------------------------------------------------------------------

const servers = [];
after(() => servers.forEach((server) => (server.closeAllConnections(), server.close())));
/** Serves the files, and keeps what is posted. */
async function serving(files, posted = {}) {
  const server = http.createServer(async (request, response) => {
    if (request.method === 'POST') {
      const chunks = [];
      for await (const chunk of request) chunks.push(chunk);
      posted[request.url] = {body: new Uint8Array(Buffer.concat(chunks)), headers: request.headers};
      response.writeHead(request.url === '/full' ? 507 : 200).end();
    } else if (files[request.url]) {
      response.end(files[request.url]);
    } else {
      response.writeHead(404).end();
    }
  });
  servers.push(server);
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${server.address().port}`;
}

suite('over HTTP', () => {
  test('a model is posted and got back', async () => {
    const [model, posted, files] = [network(), {}, {}];
    const url = await serving(files, posted);
    await model.save(`${url}/model`);
    files['/model'] = posted['/model'].body;
    same((await fj.loadLayersModel(`${url}/model`)).predict(xs(fj)), model.predict(xs(fj)));
  });
  test('with headers of one\'s own', async () => {
    const posted = {};
    const url = await serving({}, posted);
    for (const make of [fj.io.http, fj.io.browserHTTPRequest]) {
      await network().save(make(`${url}/model`, {headers: {'X-Key': 'secret'}}));
      assert.equal(posted['/model'].headers['x-key'], 'secret');
    }
  });
  test('answers that are not 200 are errors with the address and the answer', async () => {
    const url = await serving({});
    await assert.rejects(fj.loadLayersModel(`${url}/none.json`), /none\.json answered 404/);
    await assert.rejects(network().save(`${url}/full`), /full answered 507/);
  });
});

// ---- what is wrong --------------------------------------------------------------------------------------------------------------

suite('what cannot be loaded says why', () => {
  const broken = async (change) => {
    const place = keeper();
    await network().save(place.handler);
    return fj.loadLayersModel(fj.io.fromMemory(change(structuredClone(place.artifacts))));
  };
  test('weights that are cut short', () => assert.rejects(broken((a) => ({...a, weightData: a.weightData.slice(0, 64)})), /truncated/));
  suite('quantised weights', () => {
    const {artifacts} = (() => {
      const model = fj.sequential({layers: [fj.layers.dense({units: 2, inputShape: [2]})]});
      return {artifacts: model.artifacts()};
    })();
    /** A kernel of two by two in this form, and a bias of float32. */
    const load = (quantization, bytes) => {
      const [kernel, bias] = artifacts.weightSpecs;
      const weightData = new Uint8Array([...bytes, ...new Uint8Array(Float32Array.of(1, 2).buffer)]).buffer;
      return fj.loadLayersModel(fj.io.fromMemory({...artifacts, weightSpecs: [{...kernel, quantization}, bias], weightData}));
    };
    const quarter = {dtype: 'uint8', scale: 0.25, min: -1};
    test('whole ones load', async () => {
      const [kernel, bias] = weightsOf(await load(quarter, [0, 4, 8, 255]));
      assert.deepEqual([[...kernel], [...bias]], [[-1, 0, 1, 62.75], [1, 2]]);
    });
    test('in several buffers', async () => {
      const [kernel, bias] = artifacts.weightSpecs;
      const weightData = [Uint8Array.of(0, 4).buffer, Uint8Array.of(8, 12).buffer, Float32Array.of(1, 2).buffer];
      const loaded = await fj.loadLayersModel(fj.io.fromMemory({...artifacts, weightSpecs: [{...kernel, quantization: quarter}, bias], weightData}));
      assert.deepEqual([...weightsOf(loaded)[0]], [-1, 0, 1, 2]);
    });
    for (const [dtype, width] of [['uint8', 1], ['uint16', 2], ['float16', 2]]) {
      for (let count = 0; count < 4 * width; ++count) {
        test(`${dtype}, ${4 * width - count} bytes too few`, () =>
          assert.rejects(load({...quarter, dtype}, new Array(count).fill(0)), {message: `The weights take ${4 * width + 8} bytes, and there are ${count + 8}: the file is truncated`}));
      }
    }
    test('bytes too many', () => assert.rejects(load(quarter, [0, 1, 2, 3, 4]), {message: "The weights take 12 bytes, and there are 13: the file is another model's"}));
    test('a scale that is no number', () =>
      assert.rejects(load({dtype: 'uint8', scale: NaN, min: 0}, [0, 1, 2, 3]), /^Error: The quantization of the weight \S+\/kernel must have the dtype float16, or uint8 or uint16 and the numbers scale and min, got /));
    test('without a scale or min', async () => {
      for (const given of [{dtype: 'uint8'}, {dtype: 'uint16', scale: 1}, {dtype: 'uint8', min: 0}]) {
        await assert.rejects(load(given, new Array(given.dtype === 'uint8' ? 4 : 8).fill(0)), /the numbers scale and min, got /);
      }
    });
    test('of a type that there is not', () =>
      assert.rejects(load({dtype: 'int4', scale: 1, min: 0}, [0, 1]), /^Error: The quantization of the weight \S+\/kernel must have the dtype float16, or uint8 or uint16 and the numbers scale and min, got /));
  });
  suite('weights by their names', () => {
    const model = fj.sequential({layers: [fj.layers.dense({units: 2, inputShape: [2], name: 'a', biasInitializer: 'ones'}), fj.layers.dense({units: 2, name: 'b'})]});
    const loadNamed = (...names) => {
      const artifacts = structuredClone(model.artifacts());
      artifacts.weightSpecs.forEach((spec, i) => (spec.name = names[i]));
      return fj.loadLayersModel(fj.io.fromMemory(artifacts));
    };
    const said = (words) => ({message: `The weights of the file are not the model's: ${words}`});
    test('none of which the model has, go by their order', async () => assert.deepEqual(weightsOf(await loadNamed('w', 'x', 'y', 'z')), weightsOf(model)));
    test('in another order', async () => {
      const [a, b] = [weightsOf(model), weightsOf(await loadNamed('b/kernel', 'b/bias', 'a/kernel', 'a/bias'))];
      assert.deepEqual(b, [a[2], a[3], a[0], a[1]]);
    });
    test('of which it has some, and others not', () => assert.rejects(loadNamed('b/kernel', 'b/bias', 'y', 'z'), said('the model has no y, z; the file has no a/kernel, a/bias')));
    test('of which one is there twice', () =>
      assert.rejects(loadNamed('a/kernel', 'a/bias', 'a/kernel', 'b/bias'), said('the file has no b/kernel; the file has twice a/kernel')));
  });
  test('a weight of another type', async () => {
    for (const [dtype, width] of [['int32', 4], ['bool', 1], ['uint8', 1], ['float16', 2]]) {
      const artifacts = fj.sequential({layers: [fj.layers.dense({units: 2, inputShape: [2], name: 'd'})]}).artifacts();
      artifacts.weightSpecs[0].dtype = dtype;
      artifacts.weightData = new ArrayBuffer(4 * width + 8);
      await assert.rejects(fj.loadLayersModel(fj.io.fromMemory(artifacts)), {message: `The weight d/kernel is float32 in the model, and ${dtype} in the file`});
    }
  });
  test('a weight too few', () => assert.rejects(broken((a) => (a.weightSpecs.pop(), a)), {message: "The weights take 2508 bytes, and there are 2540: the file is another model's"}));
  test('a weight of another shape', () => assert.rejects(broken((a) => (a.weightSpecs[0].shape.reverse(), a)), /kernel.*\[3,3,1,4\].*\[4,1,3,3\]/));
  test('a layer that there is not', () =>
    assert.rejects(broken((a) => ((a.modelTopology.config.layers[0].class_name = 'Hologram'), a)), /Hologram/));
  test('a file that is cut short, at every length', async () => {
    const file = await fileOf(network());
    for (let length = 0; length < file.length; length += 97) {
      await assert.rejects(fj.loadLayersModel(fj.io.fromMemory(file.slice(0, length))), Error, `${length} bytes`);
    }
  });
  test('a file whose header is another\'s', async () => {
    const file = await fileOf(network());
    for (const at of [0, 7, 8, 9, 100]) {
      const changed = file.slice();
      changed[at] ^= 0xff;
      await assert.rejects(fj.loadLayersModel(fj.io.fromMemory(changed)), Error, `byte ${at}`);
    }
  });
  test('JSON that is no model', async () => {
    const url = await serving({'/x.json': '{"weights": []}'});
    await assert.rejects(fj.loadLayersModel(`${url}/x.json`), /modelTopology/);
  });
  test('places that there are not, or not here', async () => {
    await assert.rejects(fj.loadLayersModel('ftp://a/b'), /ftp:\/\/a\/b.*indexeddb:\/\//);
    await assert.rejects(fj.loadLayersModel('indexeddb://a'), /IndexedDB/);
    await assert.rejects(network().save(fj.io.fromMemory(new Uint8Array())), /only be loaded from/);
    await assert.rejects(fj.loadLayersModel(keeper().handler), /only be saved to/);
  });
  test('and leaves nothing behind', async () => {
    const before = fj.memory();
    const place = keeper();
    const model = network();
    await model.save(place.handler);
    const bad = fj.io.fromMemory({...place.artifacts, weightData: place.artifacts.weightData.slice(0, 64)});
    model.dispose();
    for (let i = 0; i < 5; ++i) await assert.rejects(fj.loadLayersModel(bad));
    assert.equal(fj.memory().numTensors, before.numTensors);
    assert.equal(fj.memory().numBytesInEngine, before.numBytesInEngine);
  });
});

suite('files that a person chose', () => {
  test('a safetensors file', async () => {
    const model = network();
    const chosen = [new File(['x'], 'other.txt'), new File([await fileOf(model)], 'mine.safetensors')];
    same((await fj.loadLayersModel(fj.io.browserFiles(chosen))).predict(xs(fj)), model.predict(xs(fj)));
  });
  test('a model.json and its weights', async () => {
    const [model, place] = [network(), keeper()];
    await model.save(place.handler);
    const {modelTopology, weightSpecs: weights, weightData} = place.artifacts;
    const json = JSON.stringify({modelTopology, weightsManifest: [{paths: ['./group1-shard1of1.bin'], weights}]});
    const files = [new File([json], 'model.json'), new File([weightData], 'group1-shard1of1.bin')];
    same((await fj.loadLayersModel(fj.io.browserFiles(files))).predict(xs(fj)), model.predict(xs(fj)));
    await assert.rejects(fj.loadLayersModel(fj.io.browserFiles(files.slice(0, 1))), /group1-shard1of1\.bin was not chosen/);
    await assert.rejects(fj.loadLayersModel(fj.io.browserFiles([])), /\.safetensors/);
  });
});

test('modelCheckpoint saves to its place', async () => {
  // Places are URLs, so to one over HTTP.
  const posted = {};
  const url = await serving({}, posted);
  const model = network();
  await model.fit(xs(fj), ys(fj), {epochs: 2, callbacks: fj.callbacks.modelCheckpoint({filepath: `${url}/at-{epoch}`})});
  assert.deepEqual(Object.keys(posted), ['/at-1', '/at-2']);
  const last = await fj.loadLayersModel(fj.io.fromMemory(posted['/at-2'].body));
  assert.deepEqual(weightsOf(last), weightsOf(model));
});
