// One cell: makes its network in frameworks, compares, then times. Called by train.mjs as window.measure(cell, options) and
// window.probe(cell, name); says on window.report(text) what it is doing.
import {native, sets} from './frameworks.js';

// train.html?webgpu, ?against
const set = location.search.slice(1) || 'wasm';
const isGpu = set === 'webgpu';
const frameworks = sets[set];

const size = (shape) => shape.reduce((a, b) => a * b);

/** What every framework is given: [{kernel, bias, ...layer}], [{x, oneHot, labels}]. networks.mjs writes the file. */
async function dataOf(cell) {
  const response = await fetch(`/train/${cell.title}.bin`);
  if (!response.ok) throw new Error(`${response.url}: ${response.status}`);
  const buffer = await response.arrayBuffer();
  let at = 0;
  const take = (count) => new Float32Array(buffer, 4 * at, ((at += count), count));
  const layers = cell.layers.map((layer) => (layer.kernel ? {...layer, weights: {kernel: take(size(layer.kernel)), bias: take(layer.kernel.at(-1))}} : layer));
  const takeEach = (count) => Array.from({length: cell.batches}, () => take(count));
  const x = takeEach(cell.batch * size(cell.input));
  const y = takeEach(cell.batch * cell.classes);
  const label = (oneHot, k) => oneHot.subarray(k * cell.classes, (k + 1) * cell.classes).indexOf(1);
  return [layers, x.map((x, i) => ({x, oneHot: y[i], labels: Array.from({length: cell.batch}, (_, k) => label(y[i], k))}))];
}

/** Why these losses are wrong, or ''. The reference is another framework's; float32 sums in another order differ by 1e-4, and a
 * GPU's functions by more. */
function wrong({batches}, losses, reference) {
  if (!losses.every(Number.isFinite)) return `the loss is ${losses.find((v) => !Number.isFinite(v))}`;
  if (reference?.length !== losses.length) return 'there is nothing to compare with: the reference failed';
  const mean = (list) => list.reduce((a, b) => a + b) / list.length;
  if (!(mean(losses.slice(-batches)) < mean(losses.slice(0, batches)))) return 'the loss does not fall';
  const far = losses.findIndex((v, i) => Math.abs(v - reference[i]) > (isGpu ? 1e-3 : 1e-4) * Math.abs(reference[i]));
  return far < 0 ? '' : `step ${far + 1} has the loss ${losses[far]}, another framework ${reference[far]}`;
}

/** Makes the network of one framework and takes the compared steps: {name, net, losses, first, error, about}. */
async function begin(name, cell, data) {
  const framework = frameworks[name];
  const row = {name, losses: [], samples: [], error: framework.refuses?.(cell) ?? ''};
  if (row.error) return {...row, refused: true};
  try {
    row.net = await framework.create(cell, ...data);
    const start = performance.now();
    for (let i = 0; i < cell.compared; ++i) {
      row.losses.push(await row.net.step(i % cell.batches));
      // Compiled or not, in seconds.
      row.first ??= (performance.now() - start) / 1e3;
    }
    row.about = framework.about ?? '';
    if (row.net.placement) ({adapter: row.about, pipelines: row.pipelines} = row.net.placement());
  } catch (error) {
    row.error = String(error?.message ?? error);
  }
  return row;
}

/** How long one framework's first step takes, or why it takes none; the page may be closed on it. */
window.probe = async (cell, name) => {
  const {net: _, ...row} = await begin(name, {...cell, compared: 1}, await dataOf(cell));
  return row;
};

window.frameworks = Object.keys(frameworks);

window.measure = async (cell, {rounds, slice, most = Infinity, names, natives}) => {
  const data = await dataOf(cell);
  const rows = [];
  for (const name of natives) frameworks[name] ??= native(name);
  for (const name of [...names, ...natives]) {
    window.report(`${name} compared`);
    rows.push(await begin(name, cell, data));
  }
  // TensorFlow.js on plain JavaScript is the reference; where it is too slow, the first of these; for itself, the next.
  const right = rows.filter((row) => !row.error);
  const order = ['tfjs cpu', 'tfjs cpu (reference)', 'TensorFlow (native)', 'PyTorch (native)', 'ConvNetJS', 'tfjs webgpu', 'against', 'fjord', 'jax-js'];
  const known = order.map((name) => right.find((row) => row.name === name)).filter(Boolean);
  for (const row of right) row.error = wrong(cell, row.losses, known.find((other) => other !== row)?.losses);

  // Workers start when a page pauses.
  await new Promise((resolve) => setTimeout(resolve, 500));
  const timed = right.filter((row) => !row.error && !row.name.endsWith('(reference)'));
  let next = 0;
  const began = performance.now();
  for (let round = 0; round < rounds && performance.now() - began < most; ++round) {
    if (round % Math.ceil(rounds / 20) === 0) window.report(`round ${round + 1} of ${rounds}`);
    // Another goes first in each round, so that none always follows the same.
    for (const row of [...timed.slice(round % timed.length), ...timed.slice(0, round % timed.length)]) {
      if (row.net.slice) {
        row.samples.push(await row.net.slice(slice));
        continue;
      }
      await frameworks[row.name].before?.();
      // Into its caches; a step that takes longer than a slice has them to itself.
      if ((row.samples.at(-1) ?? row.first * 1e3) < slice) await row.net.step(next++ % cell.batches);
      const start = performance.now();
      let steps = 0;
      do {
        await row.net.step(next++ % cell.batches);
        ++steps;
      } while (performance.now() - start < slice);
      row.samples.push((performance.now() - start) / steps);
    }
  }
  for (const row of rows) row.net?.dispose();
  return rows.map(({net: _, ...row}) => row);
};
window.ready = true;
