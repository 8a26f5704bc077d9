// model.json with its shards, as TypeScript reads it, changed by seeded chance: as libFuzzer does with what C++ reads. A changed file
// is a model that predicts, or it is refused in words; nothing stays behind of it.
import assert from 'node:assert/strict';
import http from 'node:http';
import {after, before, test} from 'node:test';
import {fj, random} from './helpers.mjs';

const kRounds = 400;

/** What a server has: the model's description and two shards, with weights of several kinds. */
async function original() {
  const model = fj.sequential({
    layers: [
      fj.layers.conv2d({filters: 2, kernelSize: 3, activation: 'relu', inputShape: [5, 5, 1]}),
      fj.layers.batchNormalization({}),
      fj.layers.flatten(),
      fj.layers.dense({units: 3, activation: 'softmax'}),
    ],
    seed: 4,
  });
  let kept;
  await model.save(fj.io.withSaveHandler(async (artifacts) => ((kept = artifacts), {modelArtifactsInfo: {dateSaved: new Date()}})));
  model.dispose();
  const {modelTopology, weightSpecs} = kept;
  const size = ({shape}) => shape.reduce((n, d) => n * d, 1);
  const kinds = [{dtype: 'uint8', scale: 0.01, min: -1, width: 1}, {dtype: 'uint16', scale: 0.0001, min: -1, width: 2}, {dtype: 'float16', width: 2}];
  let bytes = 0;
  const weights = weightSpecs.map((spec, i) => {
    const {width, ...quantization} = kinds[i % 4] ?? {width: 4};
    bytes += width * size(spec);
    return {name: spec.name, shape: spec.shape, dtype: 'float32', ...(kinds[i % 4] && {quantization})};
  });
  const data = Uint8Array.from({length: bytes}, (_, i) => (i * 7) % 61);
  const half = bytes >> 1;
  return {
    json: {format: 'layers-model', modelTopology, weightsManifest: [{paths: ['a.bin', 'b.bin'], weights}]},
    shards: {'/a.bin': data.slice(0, half), '/b.bin': data.slice(half)},
  };
}

/** Whole numbers below n, by a seed (Park and Miller's minimal standard). */
function dice(seed) {
  let state = seed;
  return (n) => (state = (state * 48271) % 2147483647) % n;
}

const kOdd = [null, -1, 0, 2.5, 3, 4294967298, 1e300, '', 'x', '3', [], [null], {}, true, [1, 2, 3], [[1], [2]], 'float16', 'valid'];

/** All places in JSON at which something may stand: [what holds it, its key]. */
function places(holder, found = []) {
  for (const key of Object.keys(holder)) {
    found.push([holder, key]);
    if (holder[key] && typeof holder[key] === 'object') places(holder[key], found);
  }
  return found;
}

const changes = {
  'another value'(files, roll) {
    const all = places(files.json);
    const [holder, key] = all[roll(all.length)];
    holder[key] = kOdd[roll(kOdd.length)];
  },
  'something left out'(files, roll) {
    const all = places(files.json);
    const [holder, key] = all[roll(all.length)];
    if (Array.isArray(holder)) holder.splice(Number(key), 1);
    else delete holder[key];
  },
  'something twice'(files, roll) {
    const lists = places(files.json).filter(([holder]) => Array.isArray(holder));
    const [list, at] = lists[roll(lists.length)];
    list.push(structuredClone(list[at]));
  },
  'text that ends early'(files, roll) {
    const text = JSON.stringify(files.json);
    files.text = text.slice(0, roll(text.length));
  },
  'another byte of the text'(files, roll) {
    const bytes = new TextEncoder().encode(JSON.stringify(files.json));
    bytes[roll(bytes.length)] = roll(256);
    files.text = bytes;
  },
  'a shard of another length'(files, roll) {
    const name = ['/a.bin', '/b.bin'][roll(2)];
    const shard = files.shards[name];
    files.shards[name] = roll(2) ? shard.slice(0, roll(shard.length)) : new Uint8Array([...shard, ...Array(1 + roll(9)).fill(0)]);
  },
  'a shard that is not there': (files, roll) => delete files.shards[['/a.bin', '/b.bin'][roll(2)]],
};

let files;
let url;
const server = http.createServer((request, response) => {
  const body = request.url === '/model.json' ? (files.text ?? JSON.stringify(files.json)) : files.shards[request.url];
  if (body === undefined) response.writeHead(404);
  response.end(body);
});
before(async () => {
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${server.address().port}/model.json`;
});
after(() => (server.closeAllConnections(), server.close()));

// Of JavaScript itself, of WebAssembly, or nothing: no words for a person.
const kNoWords = /Cannot (read|convert)|is not (a function|iterable|defined|an object)|undefined|Invalid (array|typed array|string)|out of bounds|Maximum call stack|unreachable|memory access|Unexpected (token|end)|\[object/;

/** Loads what the server has and predicts: the outputs, or the error. */
async function load() {
  const x = fj.tensor(random([1, 5, 5, 1], -1, 1, 7), [1, 5, 5, 1]);
  let model;
  try {
    model = await fj.loadLayersModel(url);
  } catch (error) {
    x.dispose();
    return error;
  }
  try {
    const y = model.predict(x);
    const values = y.dataSync();
    y.dispose();
    return values;
  } catch (error) {
    return error;
  } finally {
    x.dispose();
    model.dispose();
  }
}

const exact = {
  'quantised weights that end early': [(f) => (f.shards['/b.bin'] = f.shards['/b.bin'].slice(0, -1)), /^The weights take \d+ bytes, and there are \d+: the file is truncated$/],
  'a graph model': [(f) => (f.json.format = 'graph-model'), /^This is a graph model: only layers models are read$/],
  'an .h5 file': [(f) => (f.text = Uint8Array.of(0x89, 0x48, 0x44, 0x46, 13, 10, 26, 10, 0)), /^This is an \.h5 file of Keras: /],
  'a page instead of a model': [(f) => (f.text = '<!doctype html>'), /^This is neither a safetensors file nor a model\.json: .* \(15 bytes\)$/],
};
for (const [name, [change, message]] of Object.entries(exact)) {
  test(`${name}: exact words`, async () => {
    change((files = await original()));
    assert.match((await load()).message, message);
  });
}

for (const [name, change] of Object.entries(changes)) {
  test(`${name}: a model, or words`, async () => {
    const made = await original();
    files = structuredClone(made);
    const right = await load();
    assert.equal(right.length, 3, String(right));
    const {numTensors, numBytes} = fj.memory();
    const unclear = new Set();
    for (let round = 1; round <= kRounds / 8; ++round) {
      files = structuredClone(made);
      change(files, dice(round * 7919));
      const got = await load();
      if (got instanceof Error && (!got.message || kNoWords.test(got.message))) unclear.add(`round ${round}: ${got.constructor.name}: ${got.message}`);
    }
    assert.deepEqual([...unclear], []);
    files = made;
    assert.deepEqual(await load(), right);
    const {numTensors: tensors, numBytes: bytes} = fj.memory();
    assert.deepEqual([tensors, bytes], [numTensors, numBytes]);
  });
}
