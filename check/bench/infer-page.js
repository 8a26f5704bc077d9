// One model in every framework: compares with TensorFlow's output, then times. Called by infer.mjs as
// window.measure(folder, options); says on window.report(text) what it is doing.
import {sets} from './infer-frameworks.js';
import {takeTurns} from './turns.js';

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

window.measure = async (folder, {rounds, slice, most, budget, only}) => {
  if (!crossOriginIsolated) throw new Error('the page is not cross-origin isolated, so no framework has threads in it: tools/serve.mjs sends the headers');
  const {layers} = (await (await fetch(`${folder}/model.json`)).json()).config;
  const cell = {input: layers[0].config.batch_shape.slice(1), layers, convolutional: layers.some((layer) => layer.class_name === 'Conv2D')};
  const [x, want] = [await floats(`${folder}/input.bin`), await floats(`${folder}/output.bin`)];
  const rows = [];
  for (const name of only ?? Object.keys(frameworks)) {
    const framework = frameworks[name];
    const row = {name, samples: [], error: '', reason: framework.refuses(cell)};
    rows.push(row);
    if (row.reason) continue;
    window.report(`${name} compared`);
    try {
      const start = performance.now();
      row.model = await framework.create(folder, cell, name);
      row.error = wrong(await row.model.run(x), want);
      row.first = performance.now() - start;
      if (row.first > 1e3 * budget) row.reason = `making it and its first run took ${(row.first / 1e3).toFixed(0)} s of the budget of ${budget} s`;
      Object.assign(row, {call: () => row.model.run(x), before: framework.before});
    } catch (error) {
      row.error = String(error?.message ?? error);
    }
    row.about = framework.about ?? '';
  }
  const timed = rows.filter((row) => row.model && !row.error && !row.reason);
  if (timed.length) await takeTurns(timed, {rounds, slice, most, report: window.report});
  for (const row of rows) row.model?.dispose();
  return rows.map(({model: _model, call: _call, before: _before, ...row}) => row);
};
window.ready = true;
