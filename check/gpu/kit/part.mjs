// A part of the kit's run, in a process that follow.mjs starts.
//
//   adapter     the adapter, as its only item
//   cases       the ops' cases: [--only conv2d] [--first 1], of each op
//   training    whole models beside the same ones in WebAssembly
import {readFileSync} from 'node:fs';
import {parseArgs} from 'node:util';
import {root} from '../../../tools/build.mjs';
import {isSoftwareAdapter} from '../adapter.mjs';
import {isBarrier, openDawn, provideGpu} from '../dawn.mjs';
import {fitApart, modelNames, optimizerNames, stepsApart, trainings} from '../models.mjs';
import {tryCase} from '../try.mjs';

const {values: options, positionals} = parseArgs({
  allowPositionals: true,
  options: {
    from: {type: 'string', default: '0'},
    until: {type: 'string', default: 'Infinity'},
    only: {type: 'string', multiple: true, default: []},
    first: {type: 'string', default: 'Infinity'},
  },
});

/** What is refused for the adapter's sake is no failure. */
const rowOf = ({problem, refused, ...row}) => {
  if (refused || isBarrier(problem)) return {...row, left: refused ?? problem};
  return {...row, problem};
};

/** The numbers of an object whose properties may be its class's. */
const numbersOf = (object) => {
  const names = [...Object.keys(object), ...Object.getOwnPropertyNames(Object.getPrototypeOf(object))];
  return Object.fromEntries(names.filter((name) => typeof object[name] === 'number').map((name) => [name, object[name]]));
};

async function adapterItems() {
  const look = async () => {
    const adapter = await provideGpu();
    if (!adapter) return {adapter: null};
    const {vendor, architecture, device, description} = adapter.info;
    const {name} = await openDawn();
    return {
      adapter: {name, vendor, architecture, device, description, software: isSoftwareAdapter(adapter.info), limits: numbersOf(adapter.limits), features: [...adapter.features].sort()},
    };
  };
  return [{name: 'adapter', run: look}];
}

async function caseItems() {
  const lines = readFileSync(`${root}build/gpu/cases.jsonl`, 'utf8').trim().split('\n');
  const counts = new Map();
  const chosen = [];
  for (const line of lines) {
    const {op, name} = JSON.parse(line);
    const count = counts.get(op) ?? 0;
    counts.set(op, count + 1);
    if (count < Number(options.first) && (!options.only.length || options.only.includes(op))) chosen.push({op, name, run: async () => rowOf(await tryCase(gpu, line))});
  }
  const unknown = options.only.filter((op) => !counts.has(op));
  if (unknown.length) throw new Error(`There is no op ${unknown.join(', ')}: ${[...counts.keys()].join(', ')}`);
  const gpu = await openDawn();
  return Object.assign(chosen, {isLost: () => gpu.isLost});
}

async function trainingItems() {
  await provideGpu();
  const tf = await import(`${root}build/npm/fjord.js`);
  const {steps, fit} = trainings(tf);
  const compared = async (train, apart, lossesOf) => {
    try {
      const [gpu, cpu] = [await train('webgpu'), await train('wasm')];
      const [a, b] = [gpu, cpu].map(lossesOf);
      return {problem: apart(gpu, cpu), error: Math.max(...a.map((v, i) => Math.abs(v - b[i]) / (1 + Math.abs(b[i]))))};
    } catch (error) {
      return rowOf({problem: error.message});
    }
  };
  const each = modelNames.flatMap((model) =>
    optimizerNames.map((optimizer) => ({
      name: `${model} with ${optimizer}: 20 steps, a prediction, an evaluation, the weights`,
      run: () => compared((backend) => steps(backend, model, optimizer, 20), stepsApart, ({losses}) => losses),
    })),
  );
  return [...each, {name: 'mlp, fit: small batches, a falling rate, momentum, validation', run: () => compared(fit, fitApart, (losses) => losses)}];
}

const send = (message) => new Promise((resolve) => process.send(message, resolve));
const items = await {adapter: adapterItems, cases: caseItems, training: trainingItems}[positionals[0]]();
await send({plan: items.map(({run, ...item}) => item)});
let at = Number(options.from);
for (; at < items.length && Date.now() < Number(options.until) && !items.isLost?.(); ++at) {
  await send({begin: at});
  await send({row: await items[at].run()});
}
// After a device that is lost another process goes on with another one.
if (!items.isLost?.() || at === items.length) await send({end: true});
// Dawn's threads would keep Node alive.
process.exit();
