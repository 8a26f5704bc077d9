// One sample through the networks of the paper's grid and through six convolutional networks, in headless Chromium, by
// Fjord and by what else runs them there: milliseconds from an array of inputs to an array of outputs, and the ratios.
//
//   ./dev bench infer [--backend webgpu] [--only resnet50] [--rounds 9] [--slice 150] [--peer 'ONNX Runtime'] [--json rows.json]
//   ./dev bench infer --against COMMIT [--only resnet50] [--quick]
//
// With --backend webgpu what computes on a GPU, the convolutional networks alone: ONNX Runtime, TensorFlow.js (webgpu, webgl). One
// that needs more than --budget seconds (120) to be made and run once is left out.
//
// A framework is timed only after its output was that of TensorFlow. TensorFlow.js runs each network as a graph model and as a layers
// model, and its best is the faster of both. Who takes a number of threads gets two: the machines that publish have two cores.
// Samples are slices of `slice` ms in rotating order; the table has their medians. The first run makes the models' files (models.py), which takes minutes and 2 GB.
//
// With --against two commits of Fjord and nobody else (against.mjs); the models' files are made without those of others.
import {spawnSync} from 'node:child_process';
import {existsSync, mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import os from 'node:os';
import {launch} from '../../tools/browser.mjs';
import {fail, Failure, root} from '../../tools/build.mjs';
import {serve} from '../../tools/serve.mjs';
import {chromiumArgs, isSoftware, softwareWarning} from '../gpu/adapter.mjs';
import {buildBoth, geometricMean, inTurn, judge, packageSteps, ratiosOf, slicesOf} from './against.mjs';
import {about, finish, isTfjs} from './last.mjs';
import {mounts} from './networks.mjs';
import {goldenPython, pythonWith} from './python.mjs';
import {readOptions} from '../../tools/options.mjs';

const options = readOptions({
  backend: {type: 'string', default: 'wasm'},
  only: {type: 'string', multiple: true},
  peer: {type: 'string', multiple: true},
  rounds: {type: 'string'},
  slice: {type: 'string'},
  against: {type: 'string'},
  quick: {type: 'boolean', default: false},
  budget: {type: 'string', default: '120'},
  json: {type: 'string'},
  save: {type: 'boolean', default: false},
  strict: {type: 'boolean', default: false},
});
if (!['wasm', 'webgpu'].includes(options.backend)) {
  console.error(`There is no backend ${options.backend}: take wasm or webgpu`);
  process.exit(2);
}
const onGpu = options.backend === 'webgpu';
const grid = [1, 2, 4, 8].flatMap((layers) => [64, 128, 256].map((width) => `${layers}x${width}`));
const networks = ['squeezenet', 'mobilenetv2', 'resnet50', 'densenet121', 'inceptionv3', 'vgg16'];
const all = [...grid, ...networks];
const names = (onGpu && !options.only ? networks : all).filter((name) => !options.only || options.only.includes(name));
if (names.length < (options.only?.length ?? 1)) {
  console.error(`There is no model among ${options.only.join(', ')} or not all of them; there are ${all.join(', ')}`);
  process.exit(2);
}

if (options.against && onGpu) {
  console.error('--against compares what runs in WebAssembly: without --backend');
  process.exit(2);
}
const {slice, rounds, most} = options.against ? slicesOf(options.quick) : {slice: 150, rounds: 9};
const models = options.against ? '/models/fjord' : '/models';
const budget = onGpu ? Number(options.budget) : Infinity;

const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];
// Of a column.
const wide = 20;
const status = (text) => process.stdout.isTTY && process.stdout.write(`\r\x1b[K${text}`);

/** Makes the models' files that are missing; for peers with a Python of its own, made at the first run, that has the converters. */
function makeModels() {
  const folder = `${root}build${models}`;
  mkdirSync(folder, {recursive: true});
  if (names.every((name) => existsSync(`${folder}/${name}`))) return;
  const python = options.against ? goldenPython() : pythonWith('models', 'TensorFlow and converters (about 2 GB)');
  const only = options.against ? ['--fjord'] : [];
  const made = spawnSync(python, [`${root}check/bench/models.py`, ...only, folder, ...names], {stdio: ['ignore', 'inherit', 'pipe']});
  if (made.status) {
    console.error(`${made.stderr}`.split('\n').slice(-20).join('\n'));
    process.exit(1);
  }
}

const query = onGpu ? '?webgpu' : options.against ? '?against' : '';
const other = options.against && (await buildBoth(options.against, packageSteps).catch(fail));
makeModels();
const server = await serve({mounts: {...mounts, ...other?.mounts}});
const rows = [];
let errors = 0;
let version = '';

/** One model in all frameworks, in a browser of its own, so that nothing is left over from the one before. */
async function measure(name, only) {
  const browser = await launch({args: onGpu ? chromiumArgs() : []});
  version = browser.version();
  try {
    const page = await browser.newPage();
    page.on('pageerror', (error) => console.error(`page: ${error.message}`));
    await page.exposeFunction('report', (text) => status(`${name}: ${text}`));
    page.setDefaultTimeout(0);
    await page.goto(`${server.url}/check/bench/infer.html${query}`);
    await page.waitForFunction(() => window.ready);
    const given = [`${models}/${name}`, {rounds: Number(options.rounds ?? rounds), slice: Number(options.slice ?? slice), most, budget, only}];
    return await page.evaluate(([folder, o]) => window.measure(folder, o), given);
  } finally {
    status('');
    await browser.close();
  }
}

/** Two commits: the ratios of each model. */
async function ratiosOfModels(run) {
  const ratios = new Map();
  for (const name of names) {
    const rows = await measure(name, inTurn(['Fjord', 'against'], run));
    const [now, before] = inTurn(rows, run);
    if (now.error || before.error) throw new Failure(`${name}: ${now.error || `${other.hash}: ${before.error}`}`);
    ratios.set(name, ratiosOf(before.samples, now.samples));
  }
  return ratios;
}

if (other) {
  const lost = await judge(other, ratiosOfModels).catch(fail);
  await server.close();
  process.exit(lost);
}

console.log(`${os.availableParallelism()} cores of ${os.cpus()[0].model}; ms for one sample, and how many of Fjord's`);
for (const name of names) {
  const measured = await measure(name, options.peer && ['Fjord', ...options.peer]);
  for (const row of measured) {
    row.model = name;
    row.median = row.samples.length ? median(row.samples) : null;
  }
  if (!rows.length) {
    console.log(`Chromium ${version}`);
    for (const row of measured.filter((r) => r.about)) console.log(`${row.name}: ${row.about}`);
    if (onGpu && isSoftware(measured[0].about)) console.log(softwareWarning);
    console.log(`\n${'model'.padEnd(13)}${measured.map((row) => row.name.padStart(wide)).join('')}   fastest peer / Fjord   TensorFlow.js / Fjord`);
  }
  rows.push(...measured);
  print(name, measured);
}
await server.close();
console.log();
for (const [title, list] of [['the grid', grid], ['the convolutional networks', networks]]) {
  for (const [peer, counts] of [['the fastest peer', () => true], ["TensorFlow.js's best", isTfjs]]) {
    const ratios = list.map((name) => ratioOf(rows.filter((row) => row.model === name), counts)).filter(Number.isFinite);
    if (!ratios.length) continue;
    console.log(`${title}, Fjord against ${peer}: ${Math.min(...ratios).toFixed(2)}x at least, ${geometricMean(ratios).toFixed(2)}x in the geometric mean of ${ratios.length}`);
  }
}
// Only what computes on the CPU is published.
if (onGpu && options.json) writeFileSync(options.json, `${JSON.stringify({about: about(version), rows}, null, 1)}\n`);
const slower = onGpu ? 0 : finish('infer', about(version), rows, options);
process.exit(slower || (errors ? 1 : 0));

/** How many times longer the fastest takes of the peers that count. */
function ratioOf([fjord, ...peers], counts) {
  const times = peers.filter((row) => row.median && counts(row.name)).map((row) => row.median);
  return fjord?.median && times.length ? Math.min(...times) / fjord.median : NaN;
}

function print(name, measured) {
  const [fjord] = measured;
  const texts = measured.map((row) => {
    if (row.error || row.reason) return (row.error ? 'wrong' : '-').padStart(wide);
    const times = row === fjord ? '' : `${(row.median / fjord.median).toFixed(1)}x`;
    return `${row.median.toPrecision(3)} ${times.padStart(7)}`.padStart(wide);
  });
  const ratios = [() => true, isTfjs].map((counts) => ratioOf(measured, counts)).map((ratio) => (Number.isFinite(ratio) ? `${ratio.toFixed(2)}x` : '-'));
  console.log(`${name.padEnd(13)}${texts.join('')}${ratios[0].padStart(12)}${ratios[1].padStart(23)}`);
  for (const row of measured.filter((r) => r.error || r.reason)) {
    if (row.error) ++errors;
    if (row.error || onGpu || name === names[0]) console.log(`    ${row.name}: ${row.error || row.reason}`);
  }
}
