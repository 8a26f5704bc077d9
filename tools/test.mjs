// Builds and runs the test suites, and ends with a line for each and one total.
//
//   node tools/test.mjs                     what CI runs
//   node tools/test.mjs native browser      these suites
//   node tools/test.mjs all                 all of them
//   node tools/test.mjs web --all           of this suite also what is large to install
//
// A suite that runs no test has failed. What failed is told twice: as it comes, and shortly at the end.
import {existsSync, readdirSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import {build, buildForGpu, buildPackage, buildStudy, fail, folderOf, Failure, lastLines, must, nodeFlags, root, run, variants} from './build.mjs';

/** GoogleTest's closing lines, in its brief form: what ran and did not pass was skipped or has failed. */
function gtestCounts(output) {
  const count = (pattern) => Number(output.match(pattern)?.[1] ?? 0);
  const ran = count(/^\[=+\] (\d+) tests? from .* ran\./m);
  const passed = count(/^\[ {2}PASSED {2}\] (\d+) tests?\./m);
  const skipped = count(/^\[ {2}SKIPPED \] (\d+) tests?/m);
  return {passed, skipped, failed: ran - passed - skipped};
}

/** The closing lines of node's test runner. */
function nodeCounts(output) {
  const count = (name) => Number(output.match(new RegExp(`^# ${name} (\\d+)$`, 'm'))?.[1] ?? 0);
  return {passed: count('pass'), failed: count('fail') + count('cancelled'), skipped: count('skipped') + count('todo')};
}

/** What failed by either of them, and why, a few lines a test. */
function failuresOf(output) {
  const google = [...output.matchAll(/^\[ {2}FAILED {2}\] .* \(\d+ ms\)$/gm)].map(([line]) => line);
  // A suite fails with its tests, which tell why.
  const reports = output.match(/^ *not ok .*\n *---\n[^]*?\n *\.\.\.$/gm) ?? [];
  const node = reports.filter((report) => !report.includes("failureType: 'subtestsFailed'")).map((report) => {
    const [, name] = report.match(/not ok \d+ - (.*)/);
    const place = report.match(/location: '(.*)'/)?.[1].replace(root, '') ?? '';
    const error = report.match(/^ *error: (?:\|-\n)?([^]*?)\n *code:/m)?.[1] ?? '';
    const lines = error.split('\n').filter((line) => line.trim()).slice(0, 15).map((line) => line.slice(0, 300));
    return [`${place} ${name}`, ...lines].join('\n');
  });
  return [...google, ...node];
}

// A test of the lab forks, and its child goes on with threads of its own.
const sanitizers = {UBSAN_OPTIONS: 'print_stacktrace=1', TSAN_OPTIONS: 'halt_on_error=1:die_after_fork=0'};

async function gtest(preset, filter = '*') {
  await build(preset, ['fjord_tests']);
  const program = `${folderOf(preset)}/fjord_tests`;
  const args = ['--gtest_brief=1', `--gtest_filter=${filter}`];
  const result = preset.startsWith('wasm')
    ? await run('node', [...nodeFlags, `${program}.js`, ...args])
    : await run(program, args, {env: sanitizers});
  return {...result, ...gtestCounts(result.output)};
}

// All cases of all ops, and what shares its work among threads or outlives what it was made of.
const casesOfOps = 'Ops.*:Elementwise.*:OpGoldens.*:Files/*:Empty.*:Loop*:Threads*:Handles.*:Model*:Fit.*:Pause.*';

/**
 * What is read before it is written, by Valgrind: in all tests but those that compute long or that replace or close memory themselves,
 * and without debug lines, whose newest format it does not read.
 */
async function memcheck() {
  await build('native', ['fjord_tests']);
  const program = `${folderOf('native')}/fjord_tests_without_lines`;
  await must('llvm-strip-19', ['--strip-debug', '-o', program, `${folderOf('native')}/fjord_tests`]);
  const result = await run('valgrind', ['--quiet', '--error-exitcode=1', '--suppressions=check/memcheck.supp', program, '--gtest_brief=1', `--gtest_filter=-${[...longTests, ...ownMemoryTests].join(':')}`]);
  return {...result, ...gtestCounts(result.output)};
}
const longTests = ['Ops.*', 'Ops/LongSums.*', 'Deep.*', '*ThreeThousandLayers*', 'Elementwise.*', 'VectorMath.*', 'Random.*', 'Initializers.*'];
const ownMemoryTests = ['*Allocations*', '*Depth.*'];

/** The tests of a folder, after what they need is built; `env` tells them which build is meant. */
async function nodeTest(folder, prepare = buildPackage, env = {}) {
  const files = existsSync(root + folder)
    ? readdirSync(root + folder, {recursive: true}).filter((file) => file.endsWith('.test.mjs')).sort()
    : [];
  if (!files.length) return {code: 1, output: `${folder} holds no *.test.mjs`, seconds: 0, passed: 0, failed: 0, skipped: 0};
  await prepare();
  const result = await run('node', [...nodeFlags, '--test', '--test-reporter=tap', ...files.map((file) => `${folder}/${file}`)], {env});
  return {...result, ...nodeCounts(result.output)};
}

/** The tests of each folder of study/, one program each. */
async function studyParts(preset = 'native') {
  await build(preset, ['study_tests']);
  const programs = readdirSync(folderOf(preset)).filter((name) => /^study_\w+_tests$/.test(name));
  const total = {code: 0, output: '', seconds: 0, passed: 0, failed: 0, skipped: 0};
  for (const program of programs) {
    const result = await run(`${folderOf(preset)}/${program}`, ['--gtest_brief=1'], {env: sanitizers});
    const counts = gtestCounts(result.output);
    if (result.code && !counts.failed) counts.failed = 1;
    if (counts.failed) total.output += result.output;
    total.code ||= result.code;
    total.seconds += result.seconds;
    for (const key of ['passed', 'failed', 'skipped']) total[key] += counts[key];
  }
  return total;
}

const cli = (preset) => () => nodeTest('check/cli', () => build(preset, ['fjord_cli', 'circle']), {FJORD_BUILD: folderOf(preset), ...sanitizers});

const asked = process.argv.slice(2);
const named = asked.filter((argument) => argument !== '--all');

const suites = {
  native: () => gtest('native'),
  asan: () => gtest('asan'),
  tsan: () => gtest('tsan'),
  'asan-ops': () => gtest('asan', casesOfOps),
  'tsan-ops': () => gtest('tsan', casesOfOps),
  memcheck,
  ...Object.fromEntries(variants.map((variant) => [`wasm-${variant}`, () => gtest(`wasm-${variant}`)])),
  'study-parts': () => studyParts(),
  'asan-study': () => studyParts('asan'),
  'tsan-study': () => studyParts('tsan'),
  harness: () =>
    nodeTest('study', async () => {
      await buildPackage();
      await build('native', ['study_report_tests']);
    }),
  study: () => nodeTest('check/study', buildStudy),
  cli: cli('native'),
  'asan-cli': cli('asan'),
  'tsan-cli': cli('tsan'),
  node: () => nodeTest('web/test'),
  tfjs: () => nodeTest('check/tfjs'),
  gpu: () =>
    nodeTest('check/gpu', async () => {
      await buildPackage();
      await buildForGpu();
    }),
  browser: () => nodeTest('check/browser'),
  for: () => nodeTest('check/for'),
  web: () => nodeTest('check/web', buildPackage, asked.includes('--all') ? {FJORD_WEB_ALL: '1'} : {}),
};

/** What CI runs: each kind of build, and everything that a browser or Node does. The rest takes longer, and seldom finds more. */
const inCi = ['native', 'asan-ops', 'tsan-ops', 'wasm-simd', 'wasm-relaxed-simd-threads', 'cli', 'node', 'tfjs', 'gpu', 'browser', 'web', 'harness', 'study'];

const names = !named.length ? inCi : named.join() === 'all' ? Object.keys(suites) : named;
for (const name of names) {
  if (!suites[name]) fail(new Failure(`There is no suite "${name}"; there are ${Object.keys(suites).join(', ')}, and all`));
}

const rows = [];
for (const name of names) {
  let row;
  const start = performance.now();
  try {
    row = await suites[name]();
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    row = {code: 1, output: error.message, seconds: 0, passed: 0, failed: 0, skipped: 0};
  }
  row.name = name;
  row.built = (performance.now() - start) / 1000 - row.seconds;
  // A crash, a sanitizer's report or an empty suite is a failure that no test counted.
  if (row.failed === 0 && (row.code !== 0 || row.passed === 0)) row.failed = 1;
  if (row.failed) console.log(lastLines(row.output, 200));
  rows.push(row);
  console.log(line(row));
}

function line({name, passed, failed, skipped, seconds, built}) {
  const counts = `${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ''}`;
  return `${failed ? 'FAILED' : 'ok    '} ${name.padEnd(26)} ${counts}, ${seconds.toFixed(1)} s, built in ${built.toFixed(1)} s`;
}

for (const {name, output, failed} of rows)
  if (failed) for (const failure of failuresOf(output)) console.log(`${name}: ${failure}\n`);
const sum = (key) => rows.reduce((total, row) => total + row[key], 0);
console.log(`\n${rows.map(line).join('\n')}\n`);
console.log(`${sum('passed')} passed, ${sum('failed')} failed${sum('skipped') ? `, ${sum('skipped')} skipped` : ''}`);
process.exit(sum('failed') ? 1 : 0);
