// What a page draws while it trains, in headless Chromium: the times between frames, those of an idle page beside them; the speed
// beside that of a training which never pauses; and how long a click on a stop button takes to end the training. With default settings,
// in a page that is cross-origin isolated, with threads, and in one that is not.
//
//   ./dev bench frames [--only 2x2048] [--page plain|isolated] [--seconds 4] [--rounds 5] [--json rows.json]
//
// At 60 Hz a frame is 16.7 ms: one above 33 ms is at least one that is missed. A busy machine misses frames of an idle page, too.
import {writeFileSync} from 'node:fs';
import os from 'node:os';
import {launch} from '../../tools/browser.mjs';
import {serve} from '../../tools/serve.mjs';
import {readOptions} from '../../tools/options.mjs';

const options = readOptions({
  only: {type: 'string', multiple: true},
  page: {type: 'string', multiple: true, default: ['plain', 'isolated']},
  seconds: {type: 'string', default: '4'},
  rounds: {type: 'string', default: '5'},
  json: {type: 'string'},
});
const networks = {
  'MNIST CNN': {network: 'cnn', batchSize: 64, batches: 16},
  '2x256': {network: 'mlp', width: 256, batchSize: 64, batches: 64},
  '2x2048': {network: 'mlp', width: 2048, batchSize: 64, batches: 8},
  // A step of some 300 ms on one thread.
  '2x2048, 192 at a time': {network: 'mlp', width: 2048, batchSize: 192, batches: 4},
};
const names = Object.keys(networks).filter((name) => !options.only || options.only.includes(name));
if (names.length < (options.only?.length ?? 1)) {
  console.error(`There are ${Object.keys(networks).join('; ')}`);
  process.exit(2);
}
const milliseconds = 1e3 * options.seconds;
const rounds = Number(options.rounds);

const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];
const share = (list, most) => (100 * list.filter((v) => v > most).length) / list.length;
/** The worst frame, and the percentages of those above 33 and 50 ms. */
const frames = (list) => ({count: list.length, worst: Math.max(...list), above33: share(list, 33.4), above50: share(list, 50)});
const shown = ({worst, above33, above50}) => `${worst.toFixed(0).padStart(5)} ${above33.toFixed(2).padStart(6)} ${above50.toFixed(2).padStart(6)}`;

async function measure(page, {batches, ...network}) {
  const step = await page.evaluate((network) => window.bench.prepare(network), {batches, ...network});
  const epochs = Math.max(1, Math.ceil(milliseconds / (step * batches)));
  const idle = await page.evaluate((ms) => window.bench.idle(ms), milliseconds);
  const busy = await page.evaluate((epochs) => window.bench.training(epochs), epochs);
  // In turns, the other one first in every other round.
  const few = Math.max(1, Math.ceil(epochs / 4));
  const ratios = [];
  for (let i = 0; i < rounds; ++i) {
    const times = {};
    for (const every of i % 2 ? ['auto', 'never'] : ['never', 'auto']) {
      times[every] = await page.evaluate(([every, few]) => window.bench.time(every, few), [every, few]);
    }
    ratios.push(times.never / times.auto);
  }
  const stops = {};
  for (const aborts of [false, true]) {
    const list = [];
    for (let i = 0; i < 2 * rounds; ++i) {
      const ended = page.evaluate((aborts) => window.bench.stop(aborts), aborts);
      // At another place of a step each time.
      await new Promise((resolve) => setTimeout(resolve, 300 + 37 * i));
      await page.click('#stop');
      list.push(await ended);
    }
    stops[aborts ? 'abort' : 'stopTraining'] = list;
  }
  await page.evaluate(() => window.bench.dispose());
  return {step, idle, busy, ratios, stops};
}

const browser = await launch();
const rows = [];
try {
  console.log(`Chromium ${browser.version()}, ${os.availableParallelism()} cores of ${os.cpus()[0].model}`);
  for (const kind of options.page) {
    const server = await serve({isolated: kind === 'isolated'});
    const page = await browser.newPage();
    page.setDefaultTimeout(0);
    page.on('pageerror', (error) => console.error(`page: ${error.message}`));
    await page.goto(`${server.url}/check/bench/frames.html`);
    const {variant, threads} = await page.evaluate(async () => (window.bench = await import('/check/bench/frames-page.js')).about());
    console.log(`\n${kind} page, ${variant}, ${threads} threads: ms from frame to frame at worst, % above 33 and above 50 ms; ms from click to end: median, worst`);
    console.log(`${''.padEnd(24)} ms a step | idle: worst  >33    >50 | training: worst  >33  >50 | speed of never pausing | stopTraining | abort`);
    for (const name of names) {
      const row = await measure(page, networks[name]);
      rows.push({kind, name, variant, threads, ...row});
      const stop = (list) => `${median(list).toFixed(0)} ${Math.max(...list).toFixed(0)}`.padStart(9);
      console.log(
        `${name.padEnd(24)} ${row.step.toFixed(2).padStart(9)} |  ${shown(frames(row.idle))} |    ${shown(frames(row.busy))} | ` +
          `${(100 * median(row.ratios)).toFixed(1).padStart(10)} % | ${stop(row.stops.stopTraining)} | ${stop(row.stops.abort)}`,
      );
    }
    await page.close();
    await server.close();
  }
} finally {
  await browser.close();
}
if (options.json) writeFileSync(options.json, `${JSON.stringify(rows, null, 1)}\n`);
