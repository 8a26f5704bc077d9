// Fjord alone on a GPU in Node: training steps of dense networks up to 4096 wide, and inference of convolutional networks.
//
//   const {code, rows} = await train({rounds: 7, slice: 20, budget: 20, until: Infinity}, ['8x1024']);
//
// A network is timed after its losses were those of WebAssembly, its outputs those of TensorFlow (build/models, which
// ./dev bench infer makes).
import {existsSync, readFileSync} from 'node:fs';
import * as fj from '../../build/npm/fjord.js';
import {root} from '../../tools/build.mjs';
import {isBarrier, provideGpu} from '../gpu/dawn.mjs';
import {flops} from './networks.mjs';

const kBatch = 64;
const kClasses = 10;
// Batches of an epoch, of which `fit` has several on their way.
const kBatches = 32;
const kCompared = 4;

const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];

/** Median milliseconds of a run, which may be several steps; throws where the rounds would pass the budget. */
async function timed(run, {rounds, slice, budget}) {
  const spent = async (runs) => {
    const start = performance.now();
    for (let i = 0; i < runs; ++i) await run();
    return performance.now() - start;
  };
  const once = await spent(1);
  if ((once / 1e3) * (rounds + 1) > budget) throw new Error(`a run takes ${(once / 1e3).toPrecision(2)} s, so ${rounds} rounds pass the budget of ${budget} s`);
  const runs = Math.ceil(slice / once);
  const samples = [];
  for (let round = 0; round < rounds; ++round) samples.push((await spent(runs)) / runs);
  return median(samples);
}

/**
 * Rows of names that were asked for, each with what `measure` gives or why there is nothing; prints them, and hands on all of them with
 * each new one.
 */
async function table(names, only, {until = Infinity, onRows = () => {}}, measure, print) {
  const unknown = only.filter((name) => !names.includes(name));
  if (unknown.length) throw new Error(`There is no ${unknown.join(', ')}: ${names.join(', ')}`);
  await provideGpu();
  const rows = [];
  for (const name of names.filter((name) => !only.length || only.includes(name))) {
    let row;
    try {
      row = Date.now() > until ? {name, left: true, why: 'the time was over'} : {name, ...(await measure(name))};
    } catch (error) {
      const why = error.message.split('\n')[0];
      row = {name, why, isWrong: !isBarrier(why) && !/budget|is not here/.test(why)};
    }
    rows.push(row);
    console.log(`  ${name.padEnd(14)} ${row.why ?? print(row)}`);
    onRows(rows);
  }
  return {code: rows.some((row) => row.isWrong) ? 1 : 0, rows};
}

const sizesOf = (name) => {
  const [depth, width] = name.split('x').map(Number);
  return [784, ...Array(depth).fill(width), kClasses];
};

/** The network, and `batches` of numbers to train it with. */
function denseNetwork(sizes, batches) {
  const hidden = sizes.slice(1, -1).map((units) => fj.layers.dense({units, activation: 'relu'}));
  const layers = [fj.layers.inputLayer({inputShape: [784]}), ...hidden, fj.layers.dense({units: kClasses, activation: 'softmax'})];
  const model = fj.sequential({layers, seed: 11});
  model.compile({optimizer: fj.train.sgd(0.05), loss: 'categoricalCrossentropy'});
  const labels = Int32Array.from({length: batches * kBatch}, (_, i) => (i * 7) % kClasses);
  return [model, fj.randomUniform([batches * kBatch, 784], 0, 1, 'float32', 3), fj.oneHot(fj.tensor1d(labels, 'int32'), kClasses)];
}

/** The first losses, and milliseconds of the first step. */
async function lossesOf(sizes, backend) {
  await fj.setBackend(backend);
  const [model, x, y] = denseNetwork(sizes, 1);
  const losses = [];
  try {
    for (let i = 0; i < kCompared; ++i) losses.push([await model.trainOnBatch(x, y)].flat()[0]);
  } finally {
    [model, x, y].forEach((made) => made.dispose());
  }
  return losses;
}

async function trainOne(name, sampling) {
  const sizes = sizesOf(name);
  const layers = sizes.slice(1).map((units, i) => ({kernel: [sizes[i], units]}));
  const losses = await lossesOf(sizes, 'webgpu');
  const wanted = await lossesOf(sizes, 'wasm');
  const far = wanted.findIndex((v, i) => !(Math.abs(losses[i] - v) <= 1e-3 * Math.abs(v)));
  if (far >= 0) throw new Error(`step ${far + 1} has the loss ${losses[far]}, in WebAssembly ${wanted[far]}`);
  await fj.setBackend('webgpu');
  const [model, x, y] = denseNetwork(sizes, kBatches);
  const [x0, y0] = [x, y].map((t) => t.slice([0, 0], [kBatch, -1]));
  try {
    const start = performance.now();
    await model.trainOnBatch(x0, y0);
    const first = performance.now() - start;
    const step = await timed(() => model.trainOnBatch(x0, y0), sampling);
    const fit = (await timed(() => model.fit(x, y, {batchSize: kBatch, epochs: 1, shuffle: false}), sampling)) / kBatches;
    return {first, step, fit, rate: flops({layers, batch: kBatch}) / fit / 1e6};
  } finally {
    [model, x, y, x0, y0].forEach((made) => made.dispose());
  }
}

/** A training step of 64 samples through the paper's networks and wider ones. */
export async function train(sampling, only, onRows) {
  console.log('\ntrain, ms: the first step, one whose loss is read, one of fit; and GFLOP/s of the last');
  const names = [1, 2, 4, 8].flatMap((depth) => [64, 256, 1024, 4096].map((width) => `${depth}x${width}`));
  const print = ({first, step, fit, rate}) => `${[first, step, fit].map((ms) => ms.toPrecision(3).padStart(9)).join('')} ${rate.toFixed(0).padStart(8)} GFLOP/s`;
  return table(names, only, {...sampling, onRows}, (name) => trainOne(name, sampling), print);
}

const floats = (file) => new Float32Array(new Uint8Array(readFileSync(file)).buffer);

async function inferOne(title, sampling) {
  const [name, count] = title.split(' x');
  const folder = `${root}build/models/${name}`;
  if (!existsSync(folder)) throw new Error('build/models/' + `${name} is not here`);
  const [x, want] = [floats(`${folder}/input.bin`), floats(`${folder}/output.bin`)];
  await fj.setBackend('webgpu');
  const model = await fj.loadLayersModel(fj.io.fromMemory(new Uint8Array(readFileSync(`${folder}/model.safetensors`))));
  const batch = Number(count);
  const all = new Float32Array(batch * x.length);
  for (let i = 0; i < batch; ++i) all.set(x, i * x.length);
  const input = fj.tensor(all, [batch, ...model.inputs[0].shape.slice(1)]);
  const run = async () => {
    const y = model.predict(input, {batchSize: batch});
    const values = await y.data();
    y.dispose();
    return values;
  };
  try {
    const start = performance.now();
    const got = await run();
    const first = performance.now() - start;
    const largest = Math.max(...want);
    const far = got.findIndex((v, i) => !(Math.abs(v - want[i % want.length]) <= 1e-3 * largest));
    if (far >= 0) throw new Error(`output ${far} is ${got[far]}, TensorFlow's ${want[far % want.length]}`);
    const all = await timed(run, sampling);
    return {first, all, each: all / batch};
  } finally {
    input.dispose();
    model.dispose();
  }
}

/** Images at once, from an array to an array. */
export async function infer(sampling, only, onRows) {
  console.log('\ninfer, ms: the first run, one of all images, one image of it');
  const names = ['squeezenet', 'mobilenetv2', 'resnet50'].flatMap((name) => [1, 32].map((batch) => `${name} x${batch}`));
  const print = ({first, all, each}) => [first, all, each].map((ms) => ms.toPrecision(3).padStart(9)).join('');
  return table(names, only, {...sampling, onRows}, (name) => inferOne(name, sampling), print);
}
