// How soon a page has its first numbers: the first prediction of a small dense model, and the first training step, from the start of the
// navigation until JavaScript has read them, each in a new browser that has nothing in its caches. Beside TensorFlow.js's leanest build
// (core, layers and the WebAssembly backend, bundled) and, in predicting, ONNX Runtime's smallest.
//
//   ./dev bench start [--rounds 15] [--task predict|train] [--condition localhost|line|isolated] [--encoding gzip|br] [--json rows.json]
//
// All pages come from one server, zipped, with the headers of assets that never change. `line` is 10 Mbit/s and 40 ms. A page's time
// counts only with the right numbers. Pages take turns, another one first in each round; the table has medians.
import {writeFileSync} from 'node:fs';
import os from 'node:os';
import {launch} from '../../tools/browser.mjs';
import {checkLine, serveSite} from './start-server.mjs';
import {expected, makeSites} from './start-sites.mjs';
import {readOptions} from '../../tools/options.mjs';

const conditions = {
  localhost: {},
  line: {line: {bitsPerSecond: 10e6, latency: 40}},
  isolated: {isolated: true},
};
const options = readOptions({
  rounds: {type: 'string', default: '15'},
  task: {type: 'string', multiple: true, default: ['predict', 'train']},
  condition: {type: 'string', multiple: true, default: Object.keys(conditions)},
  encoding: {type: 'string', default: 'gzip'},
  json: {type: 'string'},
});
const unknown = [
  ...options.task.filter((name) => !(name in expected)),
  ...options.condition.filter((name) => !(name in conditions)),
  ...[options.encoding].filter((name) => !['gzip', 'br'].includes(name)),
];
if (unknown.length) {
  console.error(`There is no ${unknown.join(', ')}: tasks are predict, train; conditions are ${Object.keys(conditions).join(', ')}; encodings are gzip, br`);
  process.exit(2);
}

const kTolerance = 1e-5;
const kPatience = 60_000;
// The browser's own start is over: a page that opens in a browser which runs already is what a user waits for.
const kSettle = 400;
const ours = ['fjord/predict', 'fjord'];

const quantile = (list, q) => list.toSorted((a, b) => a - b)[Math.floor(q * (list.length - 1) + 0.5)];
const median = (list) => quantile(list, 0.5);
const status = (text) => process.stdout.isTTY && process.stdout.write(`\r\x1b[K${text}`);

/** One page in a new browser. */
async function sample(url) {
  const browser = await launch();
  try {
    const page = await browser.newPage();
    await new Promise((resolve) => setTimeout(resolve, kSettle));
    const answer = new Promise((resolve, reject) => {
      page.on('pageerror', (error) => reject(new Error(`${url}: ${error.message}`)));
      page.on('console', (message) => message.text().startsWith('{') && resolve(JSON.parse(message.text())));
      setTimeout(() => reject(new Error(`${url}: no answer within ${kPatience / 1e3} s`)), kPatience).unref();
    });
    answer.catch(() => {});
    await page.goto(url, {waitUntil: 'commit'});
    return await answer;
  } finally {
    await browser.close();
  }
}

/** That of TensorFlow.js's second loss which Fjord's has to be: the formulas have the first alone. */
const agreed = {};
function check(task, name, numbers) {
  const wanted = [...expected[task]];
  if (task === 'train') wanted.push((agreed[task] ??= {name, loss: numbers[1]}).loss);
  const error = wanted.length === numbers.length ? Math.max(...wanted.map((w, i) => Math.abs(w - numbers[i]))) : NaN;
  if (!(error <= kTolerance)) throw new Error(`${name}, ${task}: ${numbers.slice(0, 4)} are not the numbers ${wanted.slice(0, 4)}`);
  // A step that teaches nothing is none.
  if (task === 'train' && !(numbers[1] < numbers[0])) throw new Error(`${name}: the loss did not fall: ${numbers}`);
}

async function measure(condition, task, files, pages) {
  const server = await serveSite({files, encoding: options.encoding, ...conditions[condition]});
  const rows = Object.entries({'an empty page': '/empty.html', ...pages}).map(([name, path]) => ({condition, task, name, path, samples: []}));
  try {
    // The first round is not counted: files of the browser itself come from the disk.
    for (let round = 0; round <= options.rounds; ++round) {
      for (let i = 0; i < rows.length; ++i) {
        const row = rows[(i + round) % rows.length];
        status(`${condition}, ${task}, round ${round} of ${options.rounds}: ${row.name}`);
        server.sent = 0;
        const {ms, numbers} = await sample(server.url + row.path);
        row.bytes = server.sent;
        if (row.path !== '/empty.html') check(task, row.name, numbers);
        if (round) row.samples.push(ms);
      }
    }
  } finally {
    status('');
    await server.close();
  }
  return rows.map(({path, ...row}) => ({...row, median: median(row.samples)}));
}

function show(condition, task, rows) {
  const own = rows.find(({name}) => ours.includes(name));
  console.log(`\n${task === 'train' ? 'first training step' : 'first prediction'}, ${condition}`);
  console.log(`${'ms'.padEnd(16)}   median  middle half         KB   times as long as ${own.name}`);
  for (const {name, samples, bytes, median} of rows) {
    const half = `${quantile(samples, 0.25).toFixed(0)}-${quantile(samples, 0.75).toFixed(0)}`;
    console.log(`${name.padEnd(16)} ${median.toFixed(0).padStart(8)} ${half.padStart(12)} ${(bytes / 1e3).toFixed(0).padStart(10)} ${(median / own.median).toFixed(2).padStart(9)}`);
  }
  const peer = Math.min(...rows.filter(({name}) => name !== 'an empty page' && !ours.includes(name)).map(({median}) => median));
  console.log(`fastest peer / ${own.name}: ${(peer / own.median).toFixed(2)}x`);
}

const {files, pages} = await makeSites();
const browser = await launch();
try {
  console.log(`Chromium ${browser.version()}, ${os.availableParallelism()} cores of ${os.cpus()[0].model}, ${options.encoding}, medians of ${options.rounds}`);
  if (options.condition.includes('line')) {
    const measured = await checkLine(browser, conditions.line.line);
    const shown = Object.entries(measured).map(([name, {ms, bytes}]) => `${name} ${(bytes / 1e3).toFixed(0)} KB ${ms.toFixed(0)} ms`);
    console.log(`10 Mbit/s and 40 ms: ${shown.join(', ')}`);
  }
} finally {
  await browser.close();
}
const all = [];
for (const condition of options.condition) {
  for (const task of options.task) {
    const rows = await measure(condition, task, files, pages[task]);
    show(condition, task, rows);
    all.push(...rows);
  }
}
if (options.json) writeFileSync(options.json, `${JSON.stringify(all, null, 1)}\n`);
