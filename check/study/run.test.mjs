// The lab as a whole: a quick run in real browsers, its report, a run that is killed and goes on, and two runs compared.
import assert from 'node:assert/strict';
import {execFile, spawn} from 'node:child_process';
import {existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import os from 'node:os';
import {after, test} from 'node:test';
import {setTimeout as sleep} from 'node:timers/promises';
import {promisify} from 'node:util';
import {launch} from '../../tools/browser.mjs';
import {root} from '../../tools/build.mjs';

const program = `${root}build/native/fjord-study`;
const folder = mkdtempSync(`${os.tmpdir()}/fjord-study-`);
after(() => rmSync(folder, {recursive: true, force: true}));
const call = promisify(execFile);
const study = (...args) => call(program, args, {maxBuffer: 1 << 26});

/** Rows of a query, by Python's own SQLite. */
async function rows(store, sql) {
  const script = 'import json, sqlite3, sys; print(json.dumps(sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchall()))';
  return JSON.parse((await call('python3', ['-c', script, store, sql])).stdout);
}

const quick = `${folder}/quick`;

test('a quick run measures, gates and reports', async () => {
  const {stdout} = await study('run', '--quick', '--out', quick);
  assert.match(stdout, /report: .*report\.html/);
  for (const file of ['study.sqlite', 'report.html', 'report.md']) assert.ok(existsSync(`${quick}/${file}`), file);
  const measured = await rows(
    `${quick}/study.sqlite`,
    "select subject, backend, task, count(*), min(value) from samples where phase = 'steady' and outcome = 'ok' group by 1, 2, 3",
  );
  const subjects = new Set(measured.filter(([, , task]) => task === 'train').map(([subject]) => subject));
  for (const subject of ['fjord', 'tfjs', 'convnetjs', 'fjord-native']) assert.ok(subjects.has(subject), `${subject} trains: ${[...subjects]}`);
  for (const [subject, backend, task, count, least] of measured) {
    assert.ok(count >= 1 && (least > 0 || task === 'empty'), `${subject}/${backend} ${task}: ${count} samples, the least ${least}`);
  }
  const gated = await rows(`${quick}/study.sqlite`, "select distinct checked from samples where phase = 'steady' and task in ('train', 'infer')");
  assert.deepEqual(gated.flat().sort(), ['loss', 'output'], 'nothing is timed that was not compared');
  const depth = Object.fromEntries(await rows(`${quick}/study.sqlite`, "select subject || '/' || backend, max(value) from samples where phase = 'depth' group by 1"));
  // The paper's profiler saw TensorFlow.js call 48 functions deep.
  assert.ok(depth['tfjs/cpu'] > 30 && depth['tfjs/cpu'] < 70, JSON.stringify(depth));
  assert.ok(depth['convnetjs/cpu'] >= 1 && depth['convnetjs/cpu'] < 10 && depth['fjord/wasm'] < 20, JSON.stringify(depth));
});

test('the report opens without a network, draws its charts and fits a phone', async () => {
  const browser = await launch();
  try {
    const page = await browser.newPage({viewport: {width: 360, height: 740}});
    const problems = [];
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('request', (request) => !/^(file|data|blob):/.test(request.url()) && problems.push(request.url()));
    await page.goto(`file://${quick}/report.html`);
    await page.waitForSelector('svg.marks, canvas.marks', {timeout: 20_000});
    assert.deepEqual(problems, []);
    const [width, seen] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(width <= seen, `the page is ${width} px wide on a screen of ${seen}`);
  } finally {
    await browser.close();
  }
  assert.match(readFileSync(`${quick}/report.md`, 'utf8'), /\| Fjord/);
});

test('a recurrent network on a text of ours', async () => {
  const out = `${folder}/lstm`;
  const corpus = `${folder}/text.txt`;
  writeFileSync(corpus, 'A text that says the same again and again, and then once more.\n'.repeat(50));
  const subjects = 'fjord/wasm,tfjs/cpu,onnxruntime-web/wasm,fjord-native/1-thread';
  await study('run', '--workloads', 'lstm/1x8', '--subjects', subjects, '--tasks', 'train,infer', '--rounds', '1', '--budget', '100', '--corpus', corpus, '--out', out);
  const found = await rows(`${out}/study.sqlite`, "select subject || ' ' || task, outcome, message from trial where task <> 'save' order by 1");
  const only = 'ONNX Runtime Web only infers: its build for training is no longer made';
  assert.deepEqual(found, [
    ...['fjord infer', 'fjord train', 'fjord-native infer', 'fjord-native train', 'onnxruntime-web infer'].map((name) => [name, 'ok', '']),
    ['onnxruntime-web train', 'unsupported', only],
    ...['tfjs infer', 'tfjs train'].map((name) => [name, 'ok', '']),
  ]);
});

test('a run that is killed loses the trial in progress, and goes on where it was', async () => {
  const out = `${folder}/killed`;
  const args = ['run', '--subjects', 'fjord/wasm,convnetjs', '--tasks', 'train,empty', '--sizes', '1x64', '--rounds', '3', '--budget', '100', '--out', out];
  const child = spawn(program, args, {stdio: 'ignore'});
  const done = async () => (existsSync(`${out}/study.sqlite`) ? (await rows(`${out}/study.sqlite`, 'select count(*) from trial').catch(() => [[0]]))[0][0] : 0);
  for (let waited = 0; (await done()) < 2 && waited < 60_000; waited += 200) await sleep(200);
  child.kill('SIGKILL');
  await sleep(500);
  const before = await rows(`${out}/study.sqlite`, 'select id, subject, outcome from trial order by 1');
  assert.ok(before.length >= 2, `${before.length} trials before the end`);
  await study('run', '--resume', '--out', out);
  const after = await rows(`${out}/study.sqlite`, 'select id, subject, outcome from trial order by 1');
  assert.deepEqual(after.filter(([trial]) => before.some(([kept]) => kept === trial)), before, 'what was there is as it was');
  assert.deepEqual(after.map(([trial]) => trial), Array.from({length: after.length}, (_, i) => i + 1), 'each trial once');
  assert.ok(after.every(([, , outcome]) => outcome === 'ok'), JSON.stringify(after));
  assert.equal((await rows(`${out}/study.sqlite`, 'select count(*) from run'))[0][0], 1);
});

test('convolutions are trained and inferred with, compared first, and told in a section of their own', async () => {
  const out = `${folder}/images`;
  const trains = ['fjord/wasm', 'tfjs/cpu', 'convnetjs/cpu', 'jax-js/wasm', 'fjord-native/threads'];
  const infers = [...trains, 'tfjs/wasm', 'onnxruntime-web/wasm', 'litert/wasm', 'kerasjs/cpu'];
  const subjects = [...infers, 'brainjs/cpu'].join(',');
  // Nine layers: an image of 14 is pooled to 7, and 15 layers would pool that with padding.
  await study('run', '--subjects', subjects, '--tasks', 'train,infer', '--workloads', 'cnn/9x4', '--rounds', '1', '--budget', '100', '--minutes', '0', '--out', out);
  const told = await rows(`${out}/study.sqlite`, "select subject || '/' || backend, task, outcome, checked, difference, message from trial where task in ('train', 'infer')");
  for (const [list, task, kind] of [[trains, 'train', 'loss'], [infers, 'infer', 'output']]) {
    for (const name of list) {
      const [, , outcome, checked, difference, message] = told.find(([of, what]) => of === name && what === task) ?? [];
      assert.deepEqual([outcome, checked, message], ['ok', kind, ''], `${name} ${task}`);
      assert.ok(difference > 0 && difference < 1e-4, `${name} ${task}: ${difference}`);
    }
  }
  const reasons = Object.fromEntries(told.filter(([, , outcome]) => outcome === 'unsupported').map(([name, task, , , , message]) => [`${name} ${task}`, message]));
  assert.match(reasons['tfjs/wasm train'], /no gradient of a convolution's filter/);
  assert.match(reasons['brainjs/cpu infer'], /no convolutions/);
  const workloads = await rows(`${out}/study.sqlite`, "select distinct workload from samples where phase = 'steady'");
  assert.deepEqual(workloads, [['cnn/9x4']]);
  assert.match(readFileSync(`${out}/report.md`, 'utf8'), /## Convolutional networks\n/);
});

test('two runs are compared, and a mistake is told', async () => {
  const {stdout} = await study('compare', `${quick}/study.sqlite`, `${quick}/study.sqlite`);
  assert.match(stdout, /1\.0/);
  const wrong = await study('run', '--subjects', 'tensorflow.js', '--out', `${folder}/wrong`).catch((error) => error);
  assert.equal(wrong.code, 1);
  assert.match(wrong.stderr, /no subject "tensorflow\.js"; there are .*tfjs/);
});
