// Each op's speed beside the machine's own limit: products beside a bare multiply-add loop, the rest beside a bare copy
// of as many bytes, measured in the same moments.
//
//   ./dev bench ops [--only matMul] [--where native] [--threads 1,2] [--variant relaxed-simd-threads] [--json rows.json]
//   ./dev bench ops --against COMMIT [--only matMul] [--where native] [--threads 1,2] [--quick]
//
// Runs in headless Chromium and natively (--where chromium, native). The share is rate / limit: what is left to gain. With --against the programs of two
// commits take turns (against.mjs).
import {spawn} from 'node:child_process';
import {launch} from '../../tools/browser.mjs';
import {build, Failure, fail, root} from '../../tools/build.mjs';
import {serve} from '../../tools/serve.mjs';
import {buildBoth, inTurn, judge, ninjaSteps, ratiosOf} from './against.mjs';
import {about, finish} from './last.mjs';
import {readOptions} from '../../tools/options.mjs';

const options = readOptions({
  only: {type: 'string', multiple: true, default: []},
  where: {type: 'string', multiple: true, default: ['native', 'chromium']},
  threads: {type: 'string', default: '1,2'},
  rounds: {type: 'string'},
  slice: {type: 'string'},
  against: {type: 'string'},
  quick: {type: 'boolean', default: false},
  variant: {type: 'string', default: 'relaxed-simd-threads'},
  json: {type: 'string'},
  save: {type: 'boolean', default: false},
  strict: {type: 'boolean', default: false},
});

// Short programs that take turns, where two commits are compared.
options.rounds ??= options.against ? '3' : '15';
options.slice ??= options.against ? '1' : '4';
const turns = options.quick ? 6 : 16;

/** Runs the program of a commit natively; onRow gets each row as it comes. */
async function native(args, onRow, other) {
  const child = spawn(`${other?.root ?? root}build/native/fjord_bench_ops`, args, {stdio: ['ignore', 'pipe', 'inherit']});
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    lines.forEach((line) => onRow(JSON.parse(line)));
  });
  const code = await new Promise((resolve) => child.on('close', resolve));
  if (code) throw new Failure(`fjord_bench_ops ended with ${code}`);
}

/** The same program in a worker of a page. */
async function inChromium(args, onRow, other) {
  const server = await serve({mounts: other?.mounts});
  const browser = await launch();
  version = browser.version();
  try {
    const page = await browser.newPage();
    await page.exposeFunction('row', (line) => onRow(JSON.parse(line)));
    await page.goto(`${server.url}/check/bench/blank.html`);
    const error = await page.evaluate(
      ([folder, args]) =>
        new Promise((resolve) => {
          const worker = new Worker('/check/bench/ops-worker.js', {type: 'module'});
          worker.onerror = (event) => resolve(event.message || 'the worker does not start');
          worker.onmessage = ({data}) => {
            if (data.line) window.row(data.line);
            if (data.error) resolve(data.error);
            if (data.code !== undefined) resolve(data.code ? `ended with ${data.code}` : '');
          };
          worker.postMessage({folder, args});
        }),
      [`${other ? '/against' : ''}/wasm/${options.variant}`, args],
    );
    if (error) throw new Failure(error);
  } finally {
    await browser.close();
    await server.close();
  }
}

let version = 'not run';
const rows = [];
const places = {native: {preset: 'native', run: native}, chromium: {preset: `wasm-${options.variant}`, run: inChromium}};

/** Two commits: the ratios of each case, from the times of programs that take turns. */
async function ratiosOfCases(other) {
  const ratios = new Map();
  for (const where of options.where) {
    for (const threads of options.threads.split(',')) {
      const times = [new Map(), new Map()];
      const args = ['--threads', threads, '--rounds', options.rounds, '--slice', options.slice, ...options.only];
      for (let turn = 0; turn < turns; ++turn) {
        for (const which of inTurn([0, 1], turn)) {
          const onRow = ({group, case: name, ms}) => {
            const title = `${where}, ${threads}: ${group}: ${name}`;
            times[which].set(title, [...(times[which].get(title) ?? []), ms]);
          };
          await places[where].run(args, onRow, which ? other : undefined);
        }
      }
      const [now, before] = times;
      for (const [title, list] of now) if (before.has(title)) ratios.set(title, ratiosOf(before.get(title), list));
    }
  }
  return ratios;
}

/** Each case's rate beside its limit. */
async function measure() {
  for (const where of options.where) {
    await build(places[where].preset, ['fjord_bench_ops']);
    for (const threads of options.threads.split(',')) {
      let group = '';
      console.log(`\n${where}${where === 'native' ? '' : `, ${options.variant}`}, ${threads} thread${threads === '1' ? '' : 's'}`);
      await places[where].run(['--threads', threads, '--rounds', options.rounds, '--slice', options.slice, ...options.only], (row) => {
        rows.push({where, ...row});
        if (row.group !== group) console.log(`  ${(group = row.group)}`);
        const rate = `${row.rate.toFixed(1).padStart(8)} of ${row.limit.toFixed(1).padStart(6)} ${row.unit}`;
        console.log(`    ${row.case.padEnd(32)} ${row.ms.toPrecision(3).padStart(9)} ms ${rate} ${((100 * row.rate) / row.limit).toFixed(0).padStart(4)} %`);
      });
    }
  }
  if (!rows.length) throw new Failure(`No case contains ${options.only.join(' or ')}`);
  return finish('ops', about(version), rows, options);
}

try {
  for (const where of options.where) {
    if (!places[where]) throw new Failure(`There is no place "${where}": ${Object.keys(places).join(', ')}`);
  }
  if (options.against) {
    const steps = options.where.flatMap((where) => ninjaSteps(places[where].preset, ['fjord_bench_ops']));
    const other = await buildBoth(options.against, steps);
    process.exitCode = await judge(other, () => ratiosOfCases(other));
  } else {
    process.exitCode = await measure();
  }
} catch (error) {
  fail(error);
}
