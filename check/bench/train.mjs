// The grid of the paper (networks of 1 to 8 hidden layers of 64 to 256 units on 784 inputs, batches of 64) trained in
// headless Chromium by Fjord and by what else trains there: milliseconds a step, loss read back, and the ratios.
//
//   ./dev bench train [--only 2x128] [--rounds 9] [--slice 150] [--json rows.json]
//
// A framework is timed only after its losses on real digits were those of another one. Samples are slices of `slice` ms in
// rotating order, so that whatever else the machine does hits all alike; the table has their medians.
import {writeFileSync} from 'node:fs';
import os from 'node:os';
import {parseArgs} from 'node:util';
import {launch} from '../../tools/browser.mjs';
import {serve} from '../../tools/serve.mjs';

const {values: options} = parseArgs({
  options: {
    only: {type: 'string', multiple: true},
    rounds: {type: 'string', default: '9'},
    slice: {type: 'string', default: '150'},
    json: {type: 'string'},
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
    await page.goto(`${server.url}/check/bench/train.html`);
    await page.waitForFunction(() => window.ready);
    const measured = await page.evaluate(([c, o]) => window.measure(c, o), [cell, {rounds: Number(options.rounds), slice: Number(options.slice)}]);
    await page.close();
    for (const row of measured) row.median = row.samples.length ? median(row.samples) : null;
    status('');
    if (!rows.length) {
      for (const row of measured.filter((r) => r.about)) console.log(`${row.name}: ${row.about}`);
      console.log(['', 'cell '.padEnd(7), ...measured.map((row) => row.name.padStart(17)), 'fastest peer / Fjord'].join(' '));
    }
    rows.push(...measured);
    print(cell, measured);
  }
} finally {
  await browser.close();
  await server.close();
}
const ratios = cells.map((cell) => ratioOf(rows.filter((row) => title(row) === title(cell)))).filter(Number.isFinite);
if (ratios.length) console.log(`\nFjord against the fastest peer: ${Math.min(...ratios).toFixed(2)}x at least, ${median(ratios).toFixed(2)}x in the median of ${ratios.length} cells`);
if (options.json) writeFileSync(options.json, `${JSON.stringify(rows, null, 1)}\n`);
process.exit(errors ? 1 : 0);

/** How many times longer the fastest peer takes. */
function ratioOf([fjord, ...peers]) {
  return Math.min(...peers.filter((row) => row.median).map((row) => row.median)) / fjord.median;
}

function print(cell, measured) {
  const [fjord] = measured;
  const texts = measured.map((row) => {
    if (row.error) return 'wrong'.padStart(17);
    const times = row === fjord ? '' : `${(row.median / fjord.median).toFixed(1)}x`;
    return `${row.median.toFixed(row.median < 10 ? 2 : 1)} ${times.padStart(7)}`.padStart(17);
  });
  console.log([' ', title(cell).padEnd(6), ...texts, `${ratioOf(measured).toFixed(2)}x`.padStart(10)].join(' '));
  for (const row of measured.filter((r) => r.error)) {
    ++errors;
    console.log(`    ${row.name}: ${row.error}`);
  }
}
