// What two threads are worth while other programs take the cores: training steps of one and of two threads in turns, in headless Chromium,
// beside two programs that compute all the time, and without them.
//
//   ./dev bench busy [--only 4x256] [--seconds 10] [--slice 250] [--loops 2] [--json rows.json]
//
// `seconds` are those of each number of threads. Before they count, both have to give the same bits. The bound to keep: beside the loops two
// threads are at least 0.9 times as fast as one, in steps of more than a millisecond.
import {spawn} from 'node:child_process';
import {writeFileSync} from 'node:fs';
import os from 'node:os';
import {launch} from '../../tools/browser.mjs';
import {serve} from '../../tools/serve.mjs';
import {mounts, networksOf, writeNumbers} from './networks.mjs';
import {readOptions} from '../../tools/options.mjs';

const options = readOptions({
  only: {type: 'string', multiple: true},
  seconds: {type: 'string', default: '10'},
  slice: {type: 'string', default: '250'},
  loops: {type: 'string', default: '2'},
  json: {type: 'string'},
});
// Those of the grid and the convolutional network whose step takes more than a millisecond on one thread.
const dense = await networksOf('dense');
const all = [...dense.filter(({title}) => ['2x256', '4x256', '8x256'].includes(title)), ...(await networksOf('mnist')).map((cell) => ({...cell, title: 'mnist'}))];
const cells = all.filter(({title}) => !options.only || options.only.includes(title));
if (cells.length < (options.only?.length ?? 1)) {
  console.error(`There are ${all.map(({title}) => title).join(', ')}`);
  process.exit(2);
}

/** Programs that do nothing else than compute, until they are ended. */
function startLoops(count) {
  const programs = Array.from({length: count}, () => spawn(process.execPath, ['-e', 'for (;;);'], {stdio: 'ignore'}));
  const end = () => programs.forEach((program) => program.kill('SIGKILL'));
  process.once('exit', end);
  return end;
}

/** In the page: two instances of the engine with the same model, one with a thread, one with two. */
async function prepare(given) {
  const {batchesOf, networkOf} = await import('/harness/data.js');
  const {layersModel} = await import('/subjects/tfjs/layers-model.js');
  const network = await networkOf({network: given});
  const [examples] = await batchesOf(network, 1, network.batch);
  window.runs = [];
  for (const threads of [1, 2]) {
    // Another address, another instance.
    const tf = await import(`/fjord/fjord.js?threads=${threads}`);
    tf.wasm.setThreadsCount(threads);
    await tf.ready();
    const adapter = layersModel(() => tf);
    const {model} = await adapter.build(network);
    const [x, y] = adapter.batch(network, examples);
    // The first step of all starts the workers, behind it.
    const step = () => model.trainOnBatch(x, y);
    window.runs.push({step, bits: () => model.getWeights().map((w) => Array.from(new Int32Array(w.dataSync().buffer)).join()).join(';')});
  }
}
/** In the page: whether as many steps of both end with the same weights. */
async function same(steps) {
  for (let i = 0; i < steps; ++i) for (const {step} of window.runs) await step();
  const [one, two] = window.runs.map(({bits}) => bits());
  return one === two;
}
/** In the page: milliseconds and steps of each, in turns. */
async function time(total, slice) {
  const spent = window.runs.map(() => ({milliseconds: 0, steps: 0}));
  for (let round = 0; Math.min(...spent.map(({milliseconds}) => milliseconds)) < total; ++round) {
    for (const which of round % 2 ? [0, 1] : [1, 0]) {
      const {step} = window.runs[which];
      const start = performance.now();
      let elapsed;
      do {
        await step();
        ++spent[which].steps;
        elapsed = performance.now() - start;
      } while (elapsed < slice);
      spent[which].milliseconds += elapsed;
      // Workers start, and the page draws, between two slices.
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  return spent.map(({milliseconds, steps}) => milliseconds / steps);
}

const [milliseconds, slice, loops] = [1e3 * options.seconds, Number(options.slice), Number(options.loops)];
const server = await serve({mounts});
const browser = await launch();
const rows = [];
try {
  console.log(`Chromium ${browser.version()}, ${os.availableParallelism()} cores of ${os.cpus()[0].model}, ${options.seconds} s each beside ${loops} busy loops, a third of it alone`);
  console.log('ms a step  |  alone: 1 thread  2 threads  faster  |  beside the loops: 1 thread  2 threads  faster');
  for (const cell of cells) {
    await writeNumbers(cell);
    const page = await browser.newPage();
    page.setDefaultTimeout(0);
    await page.goto(`${server.url}/check/bench/blank.html`);
    await page.evaluate(prepare, cell);
    const measured = (total) => page.evaluate(`(${time})(${total}, ${slice})`);
    const isSame = async (when) => {
      if (!(await page.evaluate(same, 16))) throw new Error(`${cell.title}, ${when}: one and two threads give different weights`);
    };
    await page.evaluate(`(${time})(${2 * slice}, ${slice})`);
    await page.evaluate(prepare, cell);
    await isSame('alone');
    const alone = await measured(milliseconds / 3);
    const end = startLoops(loops);
    let busy;
    try {
      await page.evaluate(prepare, cell);
      await isSame('beside the loops');
      busy = await measured(milliseconds);
    } finally {
      end();
    }
    await page.close();
    rows.push({title: cell.title, alone, busy});
    const shown = ([one, two]) => `${one.toFixed(3).padStart(8)} ${two.toFixed(3).padStart(10)} ${(one / two).toFixed(2).padStart(6)}x`;
    console.log(`${cell.title.padEnd(10)} |        ${shown(alone)}  |                  ${shown(busy)}`);
  }
} finally {
  await browser.close();
  await server.close();
}
const ratios = rows.map(({busy: [one, two]}) => one / two);
console.log(`beside the loops two threads are at least ${Math.min(...ratios).toFixed(2)} times as fast as one`);
if (options.json) writeFileSync(options.json, `${JSON.stringify(rows, null, 1)}\n`);
