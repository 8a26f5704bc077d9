// What a second thread brings to a whole training step, how long the plan of a step takes, and the first step, in which the
// browser still compiles, in headless Chromium: the paper's grid.
//
//   ./dev bench scaling [--only 4x256] [--rounds 15] [--slice 80] [--json rows.json]
//
// Two instances of the engine in one page take turns, one with a thread, one with two.
import {writeFileSync} from 'node:fs';
import {launch} from '../../tools/browser.mjs';
import {serve} from '../../tools/serve.mjs';
import {flops, mounts, networksOf, writeNumbers} from './networks.mjs';
import {readOptions} from '../../tools/options.mjs';

const options = readOptions({only: {type: 'string', multiple: true}, rounds: {type: 'string', default: '15'}, slice: {type: 'string', default: '80'}, json: {type: 'string'}});
const all = await networksOf('dense');
const cells = all.filter(({title}) => !options.only || options.only.includes(title));
if (!cells.length) {
  console.error(`There is no such cell; there are ${all.map(({title}) => title).join(', ')}`);
  process.exit(2);
}
const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];

const server = await serve({mounts});
const browser = await launch();
const rows = [];
try {
  console.log(['cell '.padEnd(7), ...['MFLOP', '1 thread, ms', '2 threads, ms', 'faster', 'plan, ms', 'first step, ms'].map((t) => t.padStart(15))].join(''));
  for (const cell of cells) {
    await writeNumbers(cell);
    const page = await browser.newPage();
    await page.goto(`${server.url}/check/bench/blank.html`);
    const {samples, plan, first} = await page.evaluate(
      async ([given, rounds, slice]) => {
        const {batchesOf, networkOf} = await import('/harness/data.js');
        const {layersModel} = await import('/subjects/tfjs/layers-model.js');
        const network = await networkOf({network: given});
        const [examples] = await batchesOf(network, 1, network.batch);
        const run = [];
        const samples = [[], []];
        let plan;
        let first;
        for (const threads of [1, 2]) {
          // Another address, another instance.
          const tf = await import(`/fjord/fjord.js?threads=${threads}`);
          tf.wasm.setThreadsCount(threads);
          await tf.ready();
          const adapter = layersModel(() => tf);
          const {model} = await adapter.build(network);
          const [x, y] = adapter.batch(network, examples);
          let start = performance.now();
          await model.warmup({batchSize: network.batch});
          plan = performance.now() - start;
          start = performance.now();
          await model.trainOnBatch(x, y);
          first = performance.now() - start;
          run.push(() => model.trainOnBatch(x, y));
        }
        for (let round = 0; round < rounds; ++round) {
          for (const which of round % 2 ? [0, 1] : [1, 0]) {
            await run[which]();
            const start = performance.now();
            let steps = 0;
            do {
              await run[which]();
              ++steps;
            } while (performance.now() - start < slice);
            samples[which].push((performance.now() - start) / steps);
          }
        }
        return {samples, plan, first};
      },
      [cell, Number(options.rounds), Number(options.slice)],
    );
    await page.close();
    const [one, two] = samples.map(median);
    const row = {title: cell.title, mflop: flops(cell) / 1e6, one, two, faster: one / two, plan, first};
    rows.push(row);
    const texts = [row.mflop.toFixed(1), one.toFixed(3), two.toFixed(3), `${row.faster.toFixed(2)}x`, plan.toFixed(1), first.toFixed(1)];
    console.log([cell.title.padEnd(7), ...texts.map((t) => t.padStart(15))].join(''));
  }
} finally {
  await browser.close();
  await server.close();
}
if (options.json) writeFileSync(options.json, `${JSON.stringify(rows, null, 1)}\n`);
