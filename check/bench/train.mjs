// The grid of the paper (networks of 1 to 8 hidden layers of 64 to 256 units on 784 inputs, batches of 64) trained in
// headless Chromium by Fjord and by what else trains there: milliseconds a step, loss read back, and the ratios.
//
//   ./dev bench train [--only 2x128] [--native] [--rounds 9] [--slice 150] [--json rows.json]
//
// A framework is timed only after its losses on real digits were those of another one. Samples are slices of `slice` ms in
// rotating order, so that whatever else the machine does hits all alike; the table has their medians. With --native, Fjord
// and TensorFlow as native programs take their turns too.
import os from 'node:os';
import {parseArgs} from 'node:util';
import {launch} from '../../tools/browser.mjs';
import {serve} from '../../tools/serve.mjs';
import {about, finish} from './last.mjs';
import {startNatives} from './native.mjs';

const {values: options} = parseArgs({
  options: {
    only: {type: 'string', multiple: true},
    native: {type: 'boolean', default: false},
    rounds: {type: 'string', default: '9'},
    slice: {type: 'string', default: '150'},
    json: {type: 'string'},
    save: {type: 'boolean', default: false},
    strict: {type: 'boolean', default: false},
  },
});
const grid = [1, 2, 4, 8].flatMap((layers) => [64, 128, 256].map((width) => ({layers, width, batch: 64})));
const title = (cell) => `${cell.layers}x${cell.width}`;
const cells = grid.filter((cell) => !options.only || options.only.includes(title(cell)));
if (!cells.length) {
  console.error(`There is no cell ${options.only.join(', ')}; there are ${grid.map(title).join(', ')}`);
  process.exit(2);
}

const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];
const status = (text) => process.stdout.isTTY && process.stdout.write(`\r\x1b[K${text}`);

const natives = options.native ? await startNatives() : {};
const server = await serve();
const browser = await launch();
const rows = [];
let errors = 0;
try {
  console.log(`Chromium ${browser.version()}, ${os.availableParallelism()} cores of ${os.cpus()[0].model}; ms a step, and how many of Fjord's`);
  for (const cell of cells) {
    // A page for each, so that nothing is left over from the one before.
    const page = await browser.newPage();
    page.on('pageerror', (error) => console.error(`page: ${error.message}`));
    await page.exposeFunction('report', (text) => status(`${title(cell)}: ${text}`));
    await page.exposeFunction('native', (name, request) => natives[name](request));
    await page.goto(`${server.url}/check/bench/train.html`);
    await page.waitForFunction(() => window.ready);
    const measured = await page.evaluate(([c, o]) => window.measure(c, o), [cell, {rounds: Number(options.rounds), slice: Number(options.slice), natives: Object.keys(natives)}]);
    await page.close();
    for (const row of measured) row.median = row.samples.length ? median(row.samples) : null;
    status('');
    if (!rows.length) {
      for (const row of measured.filter((r) => r.about)) console.log(`${row.name}: ${row.about}`);
      console.log(['', 'cell '.padEnd(7), ...measured.map((row) => row.name.padStart(Math.max(17, row.name.length + 1))), 'fastest peer / Fjord'].join(' '));
    }
    rows.push(...measured);
    print(cell, measured);
  }
} finally {
  await browser.close();
  await server.close();
  Object.values(natives).forEach((ask) => ask.stop());
}
console.log();
summarize('Fjord against the fastest peer', ratioOf);
if (options.native) {
  const ratio = (of, to) => (measured) => timeOf(measured, of) / timeOf(measured, to);
  summarize('Fjord in Chromium against TensorFlow natively', ratio('TensorFlow (native)', 'fjord'));
  summarize('Fjord natively against TensorFlow natively', ratio('TensorFlow (native)', 'Fjord (native)'));
  summarize('Fjord natively against Fjord in Chromium', ratio('fjord', 'Fjord (native)'));
}
process.exit(finish('train', about(browser.version()), rows, options) || (errors ? 1 : 0));

function timeOf(measured, name) {
  return measured.find((row) => row.name === name)?.median ?? NaN;
}

/** How many times longer the fastest peer in the browser takes. */
function ratioOf([fjord, ...peers]) {
  return Math.min(...peers.filter((row) => row.median && !row.name.endsWith('(native)')).map((row) => row.median)) / fjord.median;
}

/** Over all cells: a ratio's mean, which of ratios is the geometric one, and its least. */
function summarize(what, ratio) {
  const ratios = cells.map((cell) => ratio(rows.filter((row) => title(row) === title(cell)))).filter(Number.isFinite);
  if (!ratios.length) return;
  const mean = Math.exp(ratios.reduce((sum, v) => sum + Math.log(v), 0) / ratios.length);
  console.log(`${what}: ${mean.toFixed(2)}x in the geometric mean of ${ratios.length} cells, ${Math.min(...ratios).toFixed(2)}x at least`);
}

function print(cell, measured) {
  const [fjord] = measured;
  const texts = measured.map((row) => {
    if (row.error) return 'wrong'.padStart(Math.max(17, row.name.length + 1));
    const times = row === fjord ? '' : `${(row.median / fjord.median).toFixed(1)}x`;
    return `${row.median.toFixed(row.median < 10 ? 2 : 1)} ${times.padStart(7)}`.padStart(Math.max(17, row.name.length + 1));
  });
  console.log([' ', title(cell).padEnd(6), ...texts, `${ratioOf(measured).toFixed(2)}x`.padStart(10)].join(' '));
  for (const row of measured.filter((r) => r.error)) {
    ++errors;
    console.log(`    ${row.name}: ${row.error}`);
  }
}
