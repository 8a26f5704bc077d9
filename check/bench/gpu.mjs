// The WebGPU backend: its ops beside the adapter's own limits, then training and inference beside other frameworks, in
// headless Chromium; or, where a machine has a GPU and no browser, Fjord alone in Node on Dawn (npm webgpu).
//
//   ./dev bench gpu [--part ops|train|infer] [--only NAME] [--rounds 7] [--slice 20] [--budget 20] [--json rows.json]
//   ./dev bench gpu --node [the same]
//   node check/bench/gpu.mjs --node --no-build          takes what was built elsewhere: docs/bench.md says what to carry
//
// --minutes 5 stops in order (ops; with --node all): what was not reached then says so. --json is written anew with each row, so that what was measured is there
// whatever happens next.
//
// An op is timed after its outputs were those of the CPU's kernels. Its share is rate / limit: products beside bare
// multiply-adds, the rest beside a bare shader that copies, or reads, as many bytes. A problem whose rounds would take more
// than `budget` seconds is left out and says so.
import {spawn} from 'node:child_process';
import {existsSync, readFileSync, writeFileSync} from 'node:fs';
import os from 'node:os';
import {createInterface} from 'node:readline';
import {fileURLToPath} from 'node:url';
import {build, Failure, fail, folderOf, root} from '../../tools/build.mjs';
import {chromiumArgs, isSoftware, softwareWarning} from '../gpu/adapter.mjs';
import {bundlePlayer, isBarrier, openDawn} from '../gpu/dawn.mjs';
import {readOptions} from '../../tools/options.mjs';

const options = readOptions({
  part: {type: 'string', multiple: true, default: []},
  node: {type: 'boolean', default: false},
  only: {type: 'string', multiple: true, default: []},
  rounds: {type: 'string'},
  slice: {type: 'string', default: '20'},
  budget: {type: 'string', default: '20'},
  minutes: {type: 'string', default: 'Infinity'},
  json: {type: 'string'},
  'no-build': {type: 'boolean', default: false},
});
const known = ['ops', 'train', 'infer'];
const parts = known.filter((part) => !options.part.length || options.part.includes(part));
const sampling = {rounds: Number(options.rounds ?? 7), slice: Number(options.slice), budget: Number(options.budget), until: Date.now() + 6e4 * Number(options.minutes)};

/**
 * Where ops are measured: a page. {name, isFallback, limits, where}, begin() gives the adapter's multiply-adds, measure(problem) a
 * row, both of gpu-ops.mjs; renew() starts afresh when a problem has taken the device with it.
 */
async function inChromium() {
  const [{launch}, {serve}] = await Promise.all([import('../../tools/browser.mjs'), import('../../tools/serve.mjs')]);
  const server = await serve();
  let browser;
  let page;
  async function open() {
    browser = await launch({args: chromiumArgs()});
    page = await browser.newPage();
    page.setDefaultTimeout(0);
    await page.goto(`${server.url}/check/bench/blank.html`);
    return page.evaluate(async () => {
      const [{Gpu}, {openBench}] = await Promise.all([import('/gpu/gpu.mjs'), import('/check/bench/gpu-ops.mjs')]);
      const gpu = await Gpu.open();
      window.begin = async (sampling) => (window.bench = await openBench(gpu, sampling)).multiplyAdd;
      return {name: gpu.name, isFallback: gpu.device.adapterInfo?.isFallbackAdapter ?? false, limits: gpu.limits};
    });
  }
  const begin = () => page.evaluate((sampling) => window.begin(sampling), sampling);
  return {
    ...(await open()),
    where: `Chromium ${browser.version()}`,
    begin,
    measure: (problem) => page.evaluate((problem) => window.bench.measure(problem), problem),
    async renew() {
      await browser.close();
      await open();
      await begin();
    },
    async close() {
      await browser.close();
      await server.close();
    },
  };
}

/** The same in this process. */
async function inNode() {
  const {openBench} = await import('./gpu-ops.mjs');
  let gpu = await openDawn();
  let bench;
  const begin = async () => (bench = await openBench(gpu, sampling)).multiplyAdd;
  return {
    name: gpu.name,
    isFallback: gpu.device.adapterInfo?.isFallbackAdapter ?? false,
    limits: gpu.limits,
    where: `Node ${process.version}, Dawn`,
    begin,
    measure: (problem) => bench.measure(problem),
    async renew() {
      gpu = await openDawn();
      await begin();
    },
    async close() {},
  };
}

/** fjord_bench_ops: native, or where only the WebAssembly one has been carried, that. */
function problemMaker() {
  const native = `${folderOf('native')}/fjord_bench_ops`;
  return existsSync(native) ? [native] : [process.execPath, ...process.execArgv, `${root}check/bench/problems.mjs`];
}

/** Calls `each` with every problem, one after the other, as fjord_bench_ops makes them. */
async function problems({bindings, bindingBytes, bufferBytes, groupsPerDimension}, each) {
  const limits = [bindings, bindingBytes, bufferBytes, groupsPerDimension].map(String);
  const [program, ...before] = problemMaker();
  const args = [...before, '--programs', '--threads', `${Math.min(16, os.availableParallelism())}`, '--limits', ...limits, ...options.only];
  const child = spawn(program, args, {stdio: ['ignore', 'pipe', 'inherit']});
  const ended = new Promise((resolve) => child.on('close', resolve).on('error', resolve));
  // All first: the processor is the GPU's, or the adapter itself, while a problem is timed.
  const lines = [];
  for await (const line of createInterface({input: child.stdout})) lines.push(line);
  const code = await ended;
  if (code) throw new Failure(`fjord_bench_ops ended with ${code}`);
  if (!lines.length) throw new Failure(`No case contains ${options.only.join(' or ')}`);
  for (const line of lines) await each(JSON.parse(line));
}

/** One problem's row: {group, case, ms, rate, limit, unit}, or why there is none. */
async function measured(place, {group, case: name, refused, ...problem}) {
  if (refused) return {group, case: name, refused};
  if (Date.now() > sampling.until) return {group, case: name, left: 'the time was over'};
  // Compiling a shader has no end of its own.
  const most = 3 * sampling.budget;
  let timer;
  const late = new Promise((resolve) => (timer = setTimeout(resolve, 1e3 * most, {over: `nothing came within ${most} s, compiling included`, isBroken: true})));
  let row = {dispatches: problem.program.dispatches.length};
  try {
    row = {...row, ...(await Promise.race([place.measure(problem), late]))};
  } catch (error) {
    const why = error.message.split('\n')[0].replace(/^page\.evaluate: (\w*Error: )?/, '');
    row = isBarrier(why) ? {refused: why} : {...row, wrong: why, isBroken: true};
  }
  clearTimeout(timer);
  if (row.isBroken) await place.renew();
  return {group, case: name, ...row};
}

function print({case: name, ms, rate, limit, unit, refused, over, wrong, left}) {
  const text = ms
    ? `${ms.toPrecision(3).padStart(9)} ms ${rate.toFixed(1).padStart(8)} of ${limit.toFixed(1).padStart(7)} ${unit} ${((100 * rate) / limit).toFixed(0).padStart(4)} %`
    : Object.entries({refused, over, wrong, 'not reached': left}).find(([, why]) => why).join(': ');
  console.log(`    ${name.padEnd(32)} ${text}`);
}

/** Fills `rows`. */
async function measureOps(place, rows) {
  console.log(`\nops: bare multiply-adds ${(await place.begin()).toFixed(1)} GFLOP/s`);
  await problems(place.limits, async (problem) => {
    const row = await measured(place, problem);
    if (row.group !== rows.at(-1)?.group) console.log(`  ${row.group}`);
    rows.push(row);
    print(row);
    keep();
  });
  const count = (what) => rows.filter((row) => row[what]).length;
  console.log(`${count('ms')} timed, ${count('over')} over the budget, ${count('refused')} refused, ${count('wrong')} wrong, ${count('left')} not reached`);
}

/** A benchmark of its own beside the peers, in browsers of its own: what it wrote, and its exit status. */
async function measurePeers(part, software) {
  console.log(`\n${part}:`);
  const file = `${root}build/gpu/${part}.json`;
  const networks = part === 'infer' ? ['squeezenet', 'mobilenetv2', 'resnet50'] : [];
  const only = (options.only.length ? options.only : networks).flatMap((name) => ['--only', name]);
  // Of software nothing is learned but that all is right.
  const rounds = options.rounds ?? (software ? '1' : '9');
  const program = fileURLToPath(new URL(`${part}.mjs`, import.meta.url));
  const child = spawn(process.execPath, [program, '--backend', 'webgpu', '--rounds', rounds, '--json', file, ...only], {stdio: 'inherit'});
  const code = await new Promise((resolve) => child.on('close', resolve));
  return {code, ...JSON.parse(readFileSync(file, 'utf8'))};
}

const result = {};
const keep = () => options.json && writeFileSync(options.json, `${JSON.stringify(result, null, 1)}\n`);

try {
  if (parts.length < new Set(options.part).size) throw new Failure(`There is not every part of ${options.part.join(', ')}: ${known.join(', ')}`);
  if (options.only.length && parts.length > 1) throw new Failure('--only needs one --part, which says whose names they are');
  if (!options['no-build']) {
    await build('native', ['fjord_bench_ops']);
    await bundlePlayer();
  }
  const place = await (options.node ? inNode() : inChromium());
  const {name, where} = place;
  const software = place.isFallback || isSoftware(name);
  console.log(`${name}; ${where}, ${os.availableParallelism()} cores of ${os.cpus()[0].model}`);
  if (software) console.log(softwareWarning);
  Object.assign(result, {adapter: name, software, where});
  if (parts.includes('ops')) await measureOps(place, (result.ops = []));
  await place.close();
  const models = options.node && parts.some((part) => part !== 'ops') ? await import('./gpu-node.mjs') : undefined;
  for (const part of parts.filter((part) => part !== 'ops')) {
    const keepRows = (rows) => ((result[part] = {rows}), keep());
    result[part] = await (models ? models[part](sampling, options.only, keepRows) : measurePeers(part, software));
  }
  keep();
  const failed = result.ops?.some((row) => row.wrong) || parts.some((part) => result[part].code);
  // Dawn's threads would keep Node alive.
  process.exit(failed ? 1 : 0);
} catch (error) {
  fail(error);
}
