// What a second thread brings to a whole training step, how long the plan of a step takes, and the first step, in which the
// browser still compiles, in headless Chromium: the paper's grid.
//
//   ./dev bench scaling [--only 4x256] [--rounds 15] [--slice 80] [--json rows.json]
//
// Two instances of the engine in one page take turns, one with a thread, one with two.
import {writeFileSync} from 'node:fs';
import {parseArgs} from 'node:util';
import {launch} from '../../tools/browser.mjs';
import {serve} from '../../tools/serve.mjs';
import {flops, networks} from './networks.mjs';

const {values: options} = parseArgs({
  options: {only: {type: 'string', multiple: true}, rounds: {type: 'string', default: '15'}, slice: {type: 'string', default: '80'}, json: {type: 'string'}},
});
const cells = networks.mlp().filter(({title}) => !options.only || options.only.includes(title));
if (!cells.length) {
  console.error(`There is no such cell; there are ${networks.mlp().map(({title}) => title).join(', ')}`);
  process.exit(2);
}
const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];

const server = await serve();
const browser = await launch();
const rows = [];
try {
  console.log(['cell '.padEnd(7), ...['MFLOP', '1 thread, ms', '2 threads, ms', 'faster', 'plan, ms', 'first step, ms'].map((t) => t.padStart(15))].join(''));
  for (const cell of cells) {
    const page = await browser.newPage();
    await page.goto(`${server.url}/check/bench/blank.html`);
    const {samples, plan, first} = await page.evaluate(
      async ([{layers, batch, input, classes}, rounds, slice]) => {
        const run = [];
        const samples = [[], []];
        let plan;
        let first;
        for (const threads of [1, 2]) {
          // Another address, another instance.
          const tf = await import(`/fjord/fjord.js?threads=${threads}`);
          tf.wasm.setThreadsCount(threads);
          await tf.ready();
          const model = tf.sequential({
            layers: [
              tf.layers.inputLayer({inputShape: input}),
              ...layers.map(({kernel, relu}) => tf.layers.dense({units: kernel[1], activation: relu ? 'relu' : 'softmax'})),
            ],
          });
          model.compile({optimizer: 'sgd', loss: 'categoricalCrossentropy'});
          const x = tf.randomUniform([batch, ...input]);
          const y = tf.oneHot(tf.range(0, batch, 1, 'int32').mod(tf.scalar(classes, 'int32')), classes);
          let start = performance.now();
          await model.warmup({batchSize: batch});
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
