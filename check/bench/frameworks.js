// Subjects of the lab (study/subjects/) in one page, by what the tables of ./dev bench call them.
//
//   const framework = await open('tfjs wasm');        // {adapter, subject, backend, about}; its library is loaded once
//   framework.adapter.build(network)
//
// `activate` makes a library that has one backend at a time compute on this one.
import {loadLibrary} from '/harness/library.js';
import {gpuName} from '/harness/page.js';
import {refusal} from '/harness/unsupported.js';

const onCpu = {fjord: 'fjord/wasm-threads', 'tfjs wasm': 'tfjs/wasm-threads', 'tfjs cpu': 'tfjs/cpu', ConvNetJS: 'convnetjs/cpu', 'jax-js': 'jax-js/wasm'};
const onGpu = {fjord: 'fjord/webgpu', 'tfjs webgpu': 'tfjs/webgpu', 'tfjs webgl': 'tfjs/webgl', 'jax-js': 'jax-js/webgpu'};
/** Two commits of Fjord: against.mjs. */
const bothCommits = {fjord: 'fjord/wasm-threads', against: 'fjord/wasm-threads'};

/** What trains on the CPU, what on the GPU. */
export const sets = {wasm: onCpu, webgpu: onGpu, against: bothCommits};

const subjects = new Map();
const subjectOf = async (name) => {
  if (!subjects.has(name)) subjects.set(name, await (await fetch(`/subjects/${name}/subject.json`)).json());
  return subjects.get(name);
};

/** Why a framework cannot train a network, or ''. */
export async function reasonAgainst(place, network) {
  const [name, backend] = place.split('/');
  const subject = await subjectOf(name);
  return refusal(subject, subject.backends[backend], 'train', network.layers) ?? '';
}

const there = new Set();

/** `title` is the column's: "against" is the other commit's build. */
export async function open(title, place) {
  const [name, backend] = place.split('/');
  const subject = await subjectOf(name);
  // Another commit's package loads files of other names.
  const files = title === 'against' ? subject.files.map((file) => file.replace(/^\/fjord\//, '/against/npm/')) : [...subject.files, ...(subject.backends[backend].files ?? [])];
  const isModule = subject.module || files[0]?.endsWith('.mjs');
  // A script that is evaluated twice is another library.
  const missing = isModule ? files : files.filter((file) => !there.has(file));
  missing.forEach((file) => there.add(file));
  const {library} = await loadLibrary(missing, isModule);
  const {adapter: make} = await import(`/subjects/${name}/adapter.js`);
  const adapter = make({backend, packages: '/packages', library});
  const {version, engine} = await adapter.info();
  const gpu = await gpuName(backend);
  return {adapter, subject, backend, about: [version, engine, gpu].filter(Boolean).join(', ')};
}
