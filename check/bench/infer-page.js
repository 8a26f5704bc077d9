// One model in every framework: compares with TensorFlow's output, then times. Called by infer.mjs as
// window.measure(folder, options); says on window.report(text) what it is doing.
import {sets} from './infer-frameworks.js';

// infer.html?webgpu, ?against
const frameworks = sets[location.search.slice(1) || 'wasm'];

const floats = async (url) => new Float32Array(await (await fetch(url)).arrayBuffer());

/** Why an output is wrong, or ''. Sums in another order differ by some 1e-5 of the largest output. */
function wrong(output, want) {
  if (output.length !== want.length) return `${output.length} outputs instead of ${want.length}`;
  const largest = Math.max(...want);
  const far = want.findIndex((v, i) => !(Math.abs(output[i] - v) <= 1e-3 * largest));
  return far < 0 ? '' : `output ${far} is ${output[far]}, TensorFlow's ${want[far]}`;
}

window.measure = async (folder, {rounds, slice, most = Infinity, budget, only}) => {
  if (!crossOriginIsolated) throw new Error('the page is not cross-origin isolated, so no framework has threads in it: tools/serve.mjs sends the headers');
  const description = await (await fetch(`${folder}/model.json`)).json();
  const {layers} = description.config;
  const cell = {shape: layers[0].config.batch_shape.slice(1), layers, convolutional: layers.some((layer) => layer.class_name === 'Conv2D')};
  const [x, want] = [await floats(`${folder}/input.bin`), await floats(`${folder}/output.bin`)];
  const rows = [];
  for (const name of only ?? Object.keys(frameworks)) {
    const framework = frameworks[name];
    const row = {name, samples: [], error: '', reason: framework.refuses?.(cell) ?? ''};
    rows.push(row);
    if (row.reason) continue;
    window.report(`${name} compared`);
    try {
      const start = performance.now();
      row.model = await framework.create(folder, cell);
      row.error = wrong(await row.model.run(x), want);
      row.first = performance.now() - start;
      if (row.first > 1e3 * budget) row.reason = `making it and its first run took ${(row.first / 1e3).toFixed(0)} s of the budget of ${budget} s`;
    } catch (error) {
      row.error = String(error?.message ?? error);
    }
    row.about = row.model?.placement?.().adapter ?? framework.about ?? '';
  }
  // Workers start when a page pauses.
  await new Promise((resolve) => setTimeout(resolve, 500));
  const right = rows.filter((row) => row.model && !row.error && !row.reason);
  const began = performance.now();
  for (let round = 0; round < rounds && performance.now() - began < most; ++round) {
    if (round % Math.ceil(rounds / 20) === 0) window.report(`round ${round + 1} of ${rounds}`);
    // Another goes first in each round, so that none always follows the same.
    for (const row of [...right.slice(round % right.length), ...right.slice(0, round % right.length)]) {
      await frameworks[row.name].before?.();
      // Into its caches; one that takes longer than a slice has them to itself.
      if (!(row.samples.at(-1) > slice)) await row.model.run(x);
      const start = performance.now();
      let runs = 0;
      do {
        await row.model.run(x);
        ++runs;
      } while (performance.now() - start < slice);
      row.samples.push((performance.now() - start) / runs);
    }
  }
  for (const row of rows) row.model?.dispose();
  return rows.map(({model: _, ...row}) => row);
};
window.ready = true;
