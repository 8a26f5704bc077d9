// One network: makes it in frameworks, compares, then times. Called by train.mjs as window.measure(network, options) and
// window.probe(network, name); says on window.report(text) what it is doing.
import {networkOf} from '/harness/data.js';
import {begin, near, numbersOf} from '/harness/training.js';
import {open, reasonAgainst, sets} from './frameworks.js';
import {takeTurns} from './turns.js';

// train.html?webgpu, ?against
const set = location.search.slice(1) || 'wasm';
const frameworks = sets[set];
// Of losses, relative: float32 sums in another order; a GPU's functions differ by more.
const tolerance = set === 'webgpu' ? 1e-3 : 1e-4;

async function once(call) {
  const start = performance.now();
  const value = await call();
  return {value, ms: performance.now() - start};
}

/** A network in a framework, compared: {name, call, before, first, last, error, about}. */
async function prepare(name, network, numbers) {
  const row = {name, samples: [], error: await reasonAgainst(frameworks[name], network)};
  if (row.error) return {...row, refused: true};
  try {
    const {adapter, about} = await open(name, frameworks[name]);
    row.about = about;
    const timed = async (phase, call) => {
      const {value, ms} = await once(call);
      // Compiled or not, in seconds.
      if (phase === 'first') row.first = ms / 1e3;
      return value;
    };
    const {model, data, check, last} = await begin(adapter, network, numbers, {timed, once, tolerance});
    let next = 0;
    row.call = () => adapter.train(model, data[next++ % data.length]);
    row.end = () => adapter.dispose(model);
    row.before = adapter.activate;
    row.pipelines = model.model?.placement?.().pipelines;
    return {...row, last, error: check.message};
  } catch (error) {
    return {...row, error: String(error?.message ?? error), refused: error?.constructor.name === 'Unsupported'};
  }
}

/** A program beside the browser, which reads the network's numbers itself and measures its own slices: native.mjs. */
async function prepareNative(name, network, {expected}) {
  const row = {name, samples: [], error: ''};
  try {
    const {about, losses, first} = await window.native(name, {create: network});
    const own = async (ms) => (await window.native(name, {slice: ms})).ms;
    return {...row, about, first, own, error: near(losses, expected, tolerance).message};
  } catch (error) {
    return {...row, error: String(error?.message ?? error)};
  }
}

window.frameworks = Object.keys(frameworks);

/** How long one framework's first step takes, or why it takes none; the page may be closed on it. */
window.probe = async (given, name) => {
  const network = await networkOf({network: given});
  const reason = await reasonAgainst(frameworks[name], network);
  if (reason) return {name, samples: [], error: reason, refused: true};
  try {
    const {adapter} = await open(name, frameworks[name]);
    const {batches: [batch]} = await numbersOf(network, 'batch');
    const model = await adapter.build(network);
    const data = (await adapter.batch?.(network, batch)) ?? batch;
    const {ms} = await once(() => adapter.train(model, data));
    return {name, samples: [], error: '', first: ms / 1e3};
  } catch (error) {
    return {name, samples: [], error: String(error?.message ?? error), refused: error?.constructor.name === 'Unsupported'};
  }
};

window.measure = async (given, {rounds, slice, most, names, natives}) => {
  const network = await networkOf({network: given});
  const numbers = await numbersOf(network, 'batch');
  const rows = [];
  for (const name of names) {
    window.report(`${name} compared`);
    rows.push(await prepare(name, network, numbers));
  }
  for (const name of natives) {
    window.report(`${name} compared`);
    rows.push(await prepareNative(name, given, numbers));
  }
  const timed = rows.filter((row) => !row.error);
  if (timed.length) await takeTurns(timed, {rounds, slice, most, report: window.report});
  for (const row of rows) await row.end?.();
  return rows.map(({call: _call, before: _before, end: _end, own: _own, ...row}) => row);
};
window.ready = true;
