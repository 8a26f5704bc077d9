// A package for one model: it predicts what the whole package does, weighs little, and says in words what it lacks.
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {suite, test} from 'node:test';
import {fileURLToPath, pathToFileURL} from 'node:url';
import {gzipSync} from 'node:zlib';
import * as whole from '../../build/npm/fjord.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = `${root}build/for/test`;
mkdirSync(folder, {recursive: true});

const {layers} = whole;
const mlp = whole.sequential({seed: 1, layers: [layers.dense({units: 32, activation: 'relu', inputShape: [20]}), layers.dense({units: 4, activation: 'softmax'})]});
let file;
await mlp.save({saveFile: async (bytes) => (file = bytes)});
writeFileSync(`${folder}/mlp.safetensors`, file);
execFileSync(process.execPath, ['tools/build.mjs', '--for', `${folder}/mlp.safetensors`, '--out', `${folder}/package`], {cwd: root, stdio: ['ignore', 'ignore', 'inherit']});
const made = await import(pathToFileURL(`${folder}/package/fjord.js`).href);

suite('a package for an MLP', () => {
  test('predicts the same', async () => {
    const values = Float32Array.from({length: 60}, (_, i) => Math.sin(i));
    const model = await made.loadLayersModel({load: async () => new Uint8Array(file)});
    assert.deepEqual(model.predict(made.tensor(values, [3, 20])).dataSync(), mlp.predict(whole.tensor(values, [3, 20])).dataSync());
  });
  test('has what stands around a model', () => {
    assert.deepEqual([...made.tensor([[1, 5, 2]]).div(2).argMax(1).dataSync()], [1]);
  });
  test('says what it was made for', async () => {
    const words = /^this build has no (\w+): it was made for mlp\.safetensors; \.\/dev build --for makes one for another model/;
    assert.throws(() => made.tensor([1]).tanh(), (error) => words.exec(error.message)[1] === 'tanh');
    const convolutional = whole.sequential({layers: [layers.conv2d({filters: 2, kernelSize: 3, inputShape: [8, 8, 1]})]});
    let other;
    await convolutional.save({saveFile: async (bytes) => (other = bytes)});
    await assert.rejects(made.loadLayersModel({load: async () => new Uint8Array(other)}), (error) => /this build has no Conv2D: it was made for mlp\.safetensors/.test(error.message));
  });
  test('is at most 151,000 bytes, gzipped', () => {
    const bytes = ['fjord.js', 'simd/fjord.wasm'].reduce((sum, name) => sum + gzipSync(readFileSync(`${folder}/package/${name}`), {level: 9}).length, 0);
    assert.ok(bytes <= 151_000, `${bytes} bytes`);
  });
});
