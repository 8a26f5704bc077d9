// Networks trained in headless Chromium by Fjord and by what else trains there: milliseconds a step, loss read back, and the
// ratios. The networks are the study's (study/workloads/): `mlp` the dense ones of the paper (1 to 8 hidden layers of 64 to 256
// units), `cnn` a small reading of the convolutional ones of its section 5 and `cnn-a` a large one, `lstm` the recurrent ones; and so
// are what computes them (study/subjects/), and the digits, or the text, and the losses that they are compared with.
//
//   ./dev bench train [--network mlp|cnn|cnn-a|mnist|lstm] [--backend webgpu] [--only 2x128] [--native] [--pytorch] [--rounds 9, or 3] [--slice 150] [--budget 10]
//                     [--json rows.json] [--save]
//   ./dev bench train --against COMMIT [--network mlp|cnn|mnist|lstm] [--only 2x128] [--quick]
//
// With --backend webgpu what trains on a GPU: TensorFlow.js (webgpu, webgl), jax-js. The first steps, in which shaders are
// compiled, are told too. A software adapter computes rightly and says nothing about speed.
//
// A framework is timed only after its losses on real examples were those of the study's reference. Samples are slices of `slice` ms in
// rotating order, so that whatever else the machine does hits all alike; the table has their medians. With --native, Fjord and
// TensorFlow as native programs take their turns too, with --pytorch also PyTorch. Wide steps of a convolutional or a recurrent
// network can take a framework minutes: one whose first step takes more than `budget` seconds is left out and shown as such.
//
// With --against two commits of Fjord and nobody else: against.mjs.
import {writeFileSync} from 'node:fs';
import os from 'node:os';
import {launch} from '../../tools/browser.mjs';
import {fail, Failure} from '../../tools/build.mjs';
import {serve} from '../../tools/serve.mjs';
import {chromiumArgs, isSoftware, softwareWarning} from '../gpu/adapter.mjs';
import {buildBoth, inTurn, judge, packageSteps, ratiosOf, slicesOf} from './against.mjs';
import {about, finish} from './last.mjs';
import {startNatives} from './native.mjs';
import {mounts, networksOf, writeNumbers} from './networks.mjs';
import {readOptions} from '../../tools/options.mjs';

const options = readOptions({
  network: {type: 'string', default: 'mlp'},
  backend: {type: 'string', default: 'wasm'},
  only: {type: 'string', multiple: true},
  native: {type: 'boolean', default: false},
  pytorch: {type: 'boolean', default: false},
  rounds: {type: 'string'},
  slice: {type: 'string'},
  budget: {type: 'string', default: '10'},
  against: {type: 'string'},
  quick: {type: 'boolean', default: false},
  json: {type: 'string'},
  save: {type: 'boolean', default: false},
  strict: {type: 'boolean', default: false},
});
function refuse(why) {
  console.error(why);
  process.exit(2);
}

const families = {mlp: 'dense', cnn: 'cnn-b', 'cnn-a': 'cnn', mnist: 'mnist', lstm: 'lstm'};
if (!(options.network in families)) refuse(`There is no network ${options.network}: take --network ${Object.keys(families).join(', ')}`);
if (!['wasm', 'webgpu'].includes(options.backend)) refuse(`There is no backend ${options.backend}: take wasm or webgpu`);
const all = await networksOf(families[options.network]).catch(fail);
const cells = all.filter(({title}) => !options.only || options.only.includes(title));
if (cells.length < (options.only?.length ?? 1)) refuse(`Not all of ${options.only.join(', ')} are cells; there are ${all.map(({title}) => title).join(', ')}`);
if (options.pytorch && options.network === 'lstm') refuse('there is no LSTM in native_pytorch.py: leave out --pytorch');
// What trains a convolution or an LSTM in the browser may need minutes for it, and then nothing there can be compared with.
const onGpu = options.backend === 'webgpu';
const probing = /^cnn|^lstm/.test(options.network) && !onGpu && !options.against;
options.native ||= options.pytorch || (probing && options.network !== 'lstm');
if (options.against && (onGpu || options.native)) refuse('--against compares what trains in WebAssembly: without --backend and --native');
const {slice, rounds, most} = options.against ? slicesOf(options.quick) : {slice: 150, rounds: probing ? 3 : 9};

const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];
const status = (text) => process.stdout.isTTY && process.stdout.write(`\r\x1b[K${text}`);

const natives = options.native ? await startNatives(options) : {};
const other = options.against && (await buildBoth(options.against, packageSteps).catch(fail));
const server = await serve({mounts: {...mounts, ...other?.mounts}});
const browser = await launch({args: onGpu ? chromiumArgs() : []});
const rows = [];
let errors = 0;
let numbers = '';
const slow = [];

/** Opens the benchmark's page; what it throws and reports goes to the terminal. */
async function open(browser, title) {
  const page = await browser.newPage();
  page.setDefaultTimeout(0);
  page.on('pageerror', (error) => console.error(`page: ${error.message}`));
  await page.exposeFunction('report', (text) => status(`${title}: ${text}`));
  await page.exposeFunction('native', (name, request) => natives[name]({...request, data: numbers}));
  await page.goto(`${server.url}/check/bench/train.html${onGpu ? '?webgpu' : other ? '?against' : ''}`);
  await page.waitForFunction(() => window.ready);
  return page;
}

/** One framework's first step in a browser of its own, which is closed when the time is over. */
async function probe(cell, name) {
  const over = {name, samples: [], over: Number(options.budget)};
  // What took too long for a smaller network will for a larger one.
  const smaller = ({depth, width}) => depth <= cell.depth && width <= cell.width;
  if (slow.some((other) => other.name === name && smaller(other))) return over;
  const own = await launch();
  let timer;
  try {
    const page = await open(own, cell.title);
    // The budget is one step's; making the network and its data come on top.
    const late = new Promise((resolve) => (timer = setTimeout(resolve, 2e3 * options.budget + 5e3, over)));
    status(`${cell.title}: the first step of ${name}`);
    const row = await Promise.race([page.evaluate(([c, n]) => window.probe(c, n), [cell, name]), late]);
    if (!row.over && !(row.first > options.budget)) return row;
    slow.push({name, depth: cell.depth, width: cell.width});
    return over;
  } catch (error) {
    return {name, samples: [], error: `its page ended: ${error.message.split('\n')[0]}`};
  } finally {
    clearTimeout(timer);
    await own.close();
  }
}

/** The rows of one cell, in the order of the frameworks. */
async function measure(cell, run = 0) {
  const page = await open(browser, cell.title);
  const names = await page.evaluate(() => window.frameworks);
  const probed = [];
  if (probing) for (const name of names.slice(1)) probed.push(await probe(cell, name));
  const out = probed.filter((row) => row.over || row.error);
  const timed = names.filter((name) => !out.some((row) => row.name === name));
  const order = {rounds: Number(options.rounds ?? rounds), slice: Number(options.slice ?? slice), most, names: inTurn(timed, run), natives: Object.keys(natives)};
  const measured = await page.evaluate(([c, o]) => window.measure(c, o), [cell, order]);
  await page.close();
  return [...names, ...order.natives].map((name) => {
    const row = [...measured, ...out].find((row) => row.name === name);
    return {title: cell.title, ...row, median: row.samples.length ? median(row.samples) : null};
  });
}

/** Two commits: the ratios of each cell. */
async function ratiosOfCells(run) {
  const ratios = new Map();
  for (const cell of cells) {
    status(`run ${run + 1}, ${cell.title}: its numbers`);
    numbers = await writeNumbers(cell);
    const rows = await measure(cell, run);
    const wrong = rows.find((row) => row.error);
    if (wrong) throw new Failure(`${cell.title}, ${wrong.name === 'fjord' ? 'this tree' : wrong.name}: ${wrong.error}`);
    ratios.set(cell.title, ratiosOf(rows[1].samples, rows[0].samples));
  }
  status('');
  return ratios;
}

if (other) {
  // What fails ends the program, and Playwright ends the browser with it.
  const lost = await judge(other, ratiosOfCells).catch(fail);
  await browser.close();
  await server.close();
  process.exit(lost);
}

try {
  console.log(`Chromium ${browser.version()}, ${os.availableParallelism()} cores of ${os.cpus()[0].model}; ms a step, and how many of Fjord's`);
  for (const cell of cells) {
    status(`${cell.title}: its numbers`);
    numbers = await writeNumbers(cell);
    const measured = await measure(cell);
    status('');
    if (!rows.length) {
      for (const row of measured.filter((r) => r.about)) console.log(`${row.name}: ${row.about}`);
      console.log(['', 'cell '.padEnd(7), ...measured.map((row) => row.name.padStart(Math.max(17, row.name.length + 1))), 'fastest peer / Fjord'].join(' '));
    }
    rows.push(...measured);
    print(cell, measured);
    if (onGpu) {
      const first = ({name, first, pipelines}) => `${name} ${(1e3 * first).toFixed(0)}${pipelines ? ` (${pipelines} pipelines)` : ''}`;
      console.log(`         the first step, ms: ${measured.map(first).join(', ')}`);
    }
  }
} finally {
  await browser.close();
  await server.close();
  Object.values(natives).forEach((ask) => ask.stop());
}
if (onGpu && isSoftware(rows[0]?.about)) console.log(`\n${softwareWarning}`);
console.log();
summarize('Fjord against the fastest peer', ratioOf);
if (options.native) {
  const ratio = (of, to) => (measured) => timeOf(measured, of) / timeOf(measured, to);
  for (const peer of Object.keys(natives).filter((name) => name !== 'Fjord (native)')) {
    summarize(`Fjord in Chromium against ${peer}`, ratio(peer, 'fjord'));
    summarize(`Fjord (native) against ${peer}`, ratio(peer, 'Fjord (native)'));
  }
  summarize('Fjord (native) against Fjord in Chromium', ratio('fjord', 'Fjord (native)'));
}
// Only what computes on the CPU is published.
const published = {mlp: 'train', cnn: 'train-cnn'}[options.network];
if (onGpu || !published) {
  if (options.json) writeFileSync(options.json, `${JSON.stringify({about: about(browser.version()), rows}, null, 1)}\n`);
  process.exit(errors ? 1 : 0);
}
process.exit(finish(published, about(browser.version()), rows, options) || (errors ? 1 : 0));

function timeOf(measured, name) {
  return measured.find((row) => row.name === name)?.median ?? NaN;
}

/** How many times longer the fastest peer in the browser takes. */
function ratioOf([fjord, ...peers]) {
  const times = peers.filter((row) => row.median && !row.name.endsWith('(native)')).map((row) => row.median);
  return times.length ? Math.min(...times) / fjord.median : NaN;
}

/** Over all cells: a ratio's mean, which of ratios is the geometric one, and its least. */
function summarize(what, ratio) {
  const ratios = cells.map(({title}) => ratio(rows.filter((row) => row.title === title))).filter(Number.isFinite);
  if (!ratios.length) return;
  const mean = Math.exp(ratios.reduce((sum, v) => sum + Math.log(v), 0) / ratios.length);
  console.log(`${what}: ${mean.toFixed(2)}x in the geometric mean of ${ratios.length} cells, ${Math.min(...ratios).toFixed(2)}x at least`);
}

function print(cell, measured) {
  const [fjord] = measured;
  const texts = measured.map((row) => {
    const wide = Math.max(17, row.name.length + 1);
    if (row.over) return `over ${row.over} s`.padStart(wide);
    if (!row.median) return (row.refused ? 'cannot' : 'wrong').padStart(wide);
    const times = row === fjord ? '' : `${(row.median / fjord.median).toFixed(1)}x`;
    return `${row.median.toFixed(row.median < 10 ? 2 : 1)} ${times.padStart(7)}`.padStart(wide);
  });
  console.log([' ', cell.title.padEnd(6), ...texts, (ratioOf(measured) ? `${ratioOf(measured).toFixed(2)}x` : '-').padStart(10)].join(' '));
  for (const row of measured.filter((r) => r.error)) {
    if (row.refused && cell !== cells[0]) continue;
    errors += row.refused ? 0 : 1;
    console.log(`    ${row.name}: ${row.error}`);
  }
}
