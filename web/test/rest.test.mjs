// fjord/predict loads a second WebAssembly file when something needs it, and only then: the numbers are the same with either.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import {suite, test} from 'node:test';
import {number, parse, withNames} from '../wasm.mjs';
import {orderByLikeness} from '../order.mjs';
import {closeValues, fj, judge, random} from './helpers.mjs';

/** The files that the packages have read. */
const reads = [];
const {readFileSync} = fs;
fs.readFileSync = (file, ...how) => {
  reads.push(String(file).split('/').slice(-2).join('/'));
  return readFileSync(file, ...how);
};
let copies = 0;
/** A package of its own, of a variant whose second file has not been loaded. */
async function fresh(variant = 'simd') {
  const tf = await import(`../../build/npm/predict/fjord.js?${++copies}`);
  tf.wasm.setVariant(variant);
  reads.length = 0;
  return tf;
}
const variants = ['simd', ...(fj.features().relaxedSimd ? ['relaxed-simd'] : [])];
const isRead = (variant) => reads.includes(`${variant}/rest.wasm`);

const l = fj.layers;
const dense = () => fj.sequential({layers: [l.dense({units: 24, activation: 'relu', inputShape: [50]}), l.dropout({rate: 0.5}), l.dense({units: 6, activation: 'softmax'})]});
const convolutional = () =>
  fj.sequential({
    layers: [
      l.conv2d({filters: 12, kernelSize: 3, padding: 'same', activation: 'relu', inputShape: [28, 28, 1]}), l.batchNormalization(), l.maxPooling2d({poolSize: 2}),
      l.conv2d({filters: 20, kernelSize: 3, activation: 'relu'}), l.maxPooling2d({poolSize: 2}), l.flatten(), l.dense({units: 10, activation: 'softmax'}),
    ],
  });
const rare = () => fj.sequential({layers: [l.conv2dTranspose({filters: 4, kernelSize: 3, strides: 2, inputShape: [8, 8, 2]}), l.dense({units: 3, activation: 'softsign'})]});

async function saved(model) {
  const kinds = [];
  await model.save({saveFile: async (file) => kinds.push(new Uint8Array(file))});
  await model.save({save: async (artifacts) => kinds.push(artifacts)});
  return kinds;
}
const rowsOf = (tf, model, count) => {
  const shape = [count, ...model.inputs[0].shape.slice(1)];
  return tf.tensor(random(shape, -1, 1, count), shape);
};
const values = (y) => [...y.dataSync()];

for (const variant of variants) {
  suite(`the first file of ${variant}`, () => {
    for (const [name, make] of Object.entries({dense, convolutional})) {
      test(`is all that a ${name} model loads`, async () => {
        const model = make();
        const tf = await fresh(variant);
        for (const from of await saved(model)) {
          const loaded = await tf.loadLayersModel({load: async () => from});
          for (const count of [1, 4, 50]) {
            const y = loaded.predict(rowsOf(tf, model, count));
            tf.tidy(() => y.argMax(-1).dataSync());
            assert.equal(values(y).length, values(model.predict(rowsOf(fj, model, count))).length);
          }
          loaded.dispose();
        }
        assert.deepEqual(reads, [`${variant}/fjord.wasm`]);
      });
    }
    test('calls the second for an op that is not in it, once', async () => {
      const tf = await fresh(variant);
      const x = random([3, 5]);
      assert.ok(!isRead(variant));
      assert.deepEqual(values(tf.tensor(x, [3, 5]).cumsum(1)), values(fj.tensor(x, [3, 5]).cumsum(1)));
      assert.ok(isRead(variant));
      assert.deepEqual(values(tf.tensor(x, [3, 5]).reverse(1)), values(fj.tensor(x, [3, 5]).reverse(1)));
      assert.equal(reads.filter((file) => file === `${variant}/rest.wasm`).length, 1);
    });
    test('waits for the second where a model needs it', async () => {
      const model = rare();
      const expected = values(model.predict(rowsOf(fj, model, 3)));
      for (const from of await saved(model)) {
        const tf = await fresh(variant);
        await tf.ready();
        assert.ok(!isRead(variant));
        const loaded = await tf.loadLayersModel({load: async () => from});
        assert.ok(isRead(variant));
        const actual = values(loaded.predict(rowsOf(tf, model, 3)));
        // Relaxed SIMD rounds otherwise, and `fj` may run another variant.
        actual.forEach((value, i) => assert.ok(Math.abs(value - expected[i]) < 1e-5));
      }
    });
  });
}

test('models that TensorFlow.js has saved need no second file', async () => {
  const theirs = {
    dense: judge.sequential({layers: [judge.layers.dense({units: 20, activation: 'relu', inputShape: [30]}), judge.layers.dropout({rate: 0.2}), judge.layers.dense({units: 3})]}),
    convolutional: judge.sequential({
      layers: [
        judge.layers.conv2d({filters: 6, kernelSize: 3, activation: 'relu', inputShape: [16, 16, 3]}), judge.layers.maxPooling2d({poolSize: 2}), judge.layers.batchNormalization(),
        judge.layers.conv2d({filters: 8, kernelSize: 3, padding: 'same'}), judge.layers.reLU(), judge.layers.flatten(), judge.layers.dense({units: 4, activation: 'softmax'}),
      ],
    }),
  };
  for (const [name, model] of Object.entries(theirs)) {
    let from;
    await model.save(judge.io.withSaveHandler(async (artifacts) => (from = artifacts)));
    const tf = await fresh();
    const loaded = await tf.loadLayersModel({load: async () => from});
    const shape = [5, ...model.inputs[0].shape.slice(1)];
    closeValues(loaded.predict(tf.tensor(random(shape), shape)).dataSync(), model.predict(judge.tensor(random(shape), shape)).dataSync(), 1e-5, name);
    assert.deepEqual(reads, ['simd/fjord.wasm'], name);
  }
});

test('what a description says by the way needs no second file, and an activation by any of its names does', async () => {
  const [, {modelTopology, weightSpecs, weightData}] = await saved(fj.sequential({layers: [l.dense({units: 2, inputShape: [3]})]}));
  const load = async (from, to) => {
    const tf = await fresh();
    await tf.loadLayersModel({load: async () => ({modelTopology: JSON.parse(JSON.stringify(modelTopology).replace(from, to)), weightSpecs, weightData})});
    return isRead('simd');
  };
  assert.ok(JSON.stringify(modelTopology).includes('"units":2'));
  assert.equal(await load('"units":2', '"units":2,"activation":"linear","kernel_initializer":{"class_name":"VarianceScaling","config":{"scale":1,"mode":"fan_avg","distribution":"normal","seed":null}}'), false);
  assert.equal(await load('"units":2', '"units":2,"activation":"hard_sigmoid"'), true);
});

test('loadAll loads it before it is needed, and in fjord there is nothing to load', async () => {
  const tf = await fresh();
  await tf.wasm.loadAll();
  assert.ok(isRead('simd'));
  assert.deepEqual(values(tf.tensor([1, 2]).reverse()), [2, 1]);
  await fj.wasm.loadAll();
});

test('where it is not there, words say so each time, and the rest goes on', async () => {
  const tf = await fresh();
  tf.wasm.setWasmPaths({'simd/rest.wasm': '/nowhere/rest.wasm'});
  const x = tf.tensor([3, 1, 2]);
  for (let i = 0; i < 3000; ++i) {
    assert.throws(() => x.cumsum(), /^Error: Fjord cannot load file:\/\/\/nowhere\/rest\.wasm: ENOENT.*It is needed now: await tf\.wasm\.loadAll\(\) would have loaded it before$/s);
  }
  await assert.rejects(tf.wasm.loadAll(), /Fjord cannot load file:\/\/\/nowhere\/rest\.wasm/);
  assert.deepEqual(values(x.add(1)), [4, 2, 3]);
});

suite('web/wasm.mjs', () => {
  // (module (import "m" "f" (func (param i32))) (import "m" "g" (global i32)) (func (param v128)) (func (result i32) i32.const 7))
  const bytes = Buffer.from([
    ...[0, 97, 115, 109, 1, 0, 0, 0], ...[1, 13, 3, 96, 1, 127, 0, 96, 1, 123, 0, 96, 0, 1, 127], ...[2, 14, 2, 1, 109, 1, 102, 0, 0, 1, 109, 1, 103, 3, 127, 0],
    ...[3, 3, 2, 1, 2], ...[7, 5, 1, 1, 104, 0, 2], ...[10, 9, 2, 2, 0, 11, 4, 0, 65, 7, 11],
  ]);
  test('reads which functions take vectors, imports first', () => {
    assert.ok(WebAssembly.validate(bytes));
    const {bodies, ...others} = parse(bytes);
    assert.deepEqual(bodies.map((body) => [...body]), [[0, 11], [0, 65, 7, 11]]);
    assert.deepEqual(others, {imports: 1, functions: [{hasVectors: false}, {hasVectors: true}, {hasVectors: false}]});
  });
  test('adds names that an engine reads', () => {
    const named = withNames(bytes, ['first', 'second', 'third']);
    assert.ok(WebAssembly.validate(named));
    const [section] = WebAssembly.Module.customSections(new WebAssembly.Module(named), 'name');
    assert.match(Buffer.from(section).toString('latin1'), /first.*second.*third/s);
  });
  test('reads numbers of several bytes', () => {
    assert.deepEqual(number([0, 0xe5, 0x8e, 0x26], 1), [624485, 4]);
  });
});

suite('web/order.mjs', () => {
  const body = (text) => Buffer.from(text);
  test('puts what is alike beside each other, the largest first', () => {
    const bodies = ['0123456789abcdef', 'a function like no other', 'and something else', '0123456789abc', 'tiny'].map(body);
    assert.deepEqual(orderByLikeness(bodies), [1, 2, 0, 3, 4]);
  });
  test('loses none, and needs none', () => {
    const bodies = Array.from({length: 300}, (_, i) => body(`same beginning ${i % 7} ${'x'.repeat(i % 50)}`));
    assert.deepEqual(orderByLikeness(bodies).toSorted((a, b) => a - b), [...bodies.keys()]);
    assert.deepEqual(orderByLikeness([]), []);
  });
});
