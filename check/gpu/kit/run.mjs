// Tries Fjord on this machine's GPU: its ops and the training of whole models beside the processor, then their speed. `run` starts it; it leaves
// result.json and result.md.
import {spawn} from 'node:child_process';
import {existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {createInterface} from 'node:readline';
import {fileURLToPath} from 'node:url';
import {parseArgs} from 'node:util';
import {brotliDecompressSync} from 'node:zlib';
import {nodeFlags, root} from '../../../tools/build.mjs';
import {softwareWarning} from '../adapter.mjs';
import {advice, look, waysTo} from './find.mjs';
import {follow, kGrace} from './follow.mjs';
import {byOp, markdown} from './report.mjs';

const kHelp = `./run [--minutes 8] [--out FOLDER] [--software]
      tries Fjord on this machine's GPU and writes result.json and result.md into the folder (this one if not said)

  --minutes 8    stops in order: what was not reached is told
  --software     on an adapter that computes on the processor: a few times all the same, marked as such
  --only conv2d  the cases of these ops alone, and no training (may be repeated)
  --first 1      the first case of each op alone

exit code 0: all is right; 1: something is wrong, or there is no GPU; 2: nothing is wrong, and not all was reached`;

function readOptions() {
  const {values} = parseArgs({
    options: {
      minutes: {type: 'string', default: '8'},
      out: {type: 'string', multiple: true, default: [root]},
      software: {type: 'boolean', default: false},
      only: {type: 'string', multiple: true, default: []},
      first: {type: 'string'},
      help: {type: 'boolean', default: false},
    },
  });
  const {minutes, first = '1'} = values;
  if (!(Number(minutes) >= 0)) throw new Error(`--minutes is ${minutes}: it must be a number that is 0 or more`);
  if (!(Number.isInteger(Number(first)) && Number(first) > 0)) throw new Error(`--first is ${first}: it must be a whole number that is 1 or more`);
  return values;
}

let options;
try {
  options = readOptions();
} catch (error) {
  console.error(`run: ${error.message}\n\n${kHelp}`);
  process.exit(1);
}
if (options.help) {
  console.log(kHelp);
  process.exit();
}
const minutes = Number(options.minutes);
// A read-only folder names another one before what the user has said.
const out = path.resolve(options.out.at(-1));

const start = Date.now();
const seconds = () => (Date.now() - start) / 1e3;
// What is under way when the time is over has until then to end.
const until = start + 6e4 * minutes - kGrace;
// Of the time: that is left for training and speed.
const kOfCases = 0.7;
const say = (text) => console.log(`[${seconds().toFixed(0).padStart(4)} s] ${text}`);
const read = (file) => (existsSync(file) ? readFileSync(file, 'utf8') : '');
const part = (name, ...args) => [...nodeFlags, fileURLToPath(new URL('part.mjs', import.meta.url)), name, ...args];

/** What is large travels compressed, and is unpacked by the first run. */
function unpack() {
  for (const name of readdirSync(root, {recursive: true}).filter((name) => name.endsWith('.br'))) {
    const file = root + name.slice(0, -3);
    if (existsSync(file)) continue;
    writeFileSync(`${file}.partial`, brotliDecompressSync(readFileSync(root + name)));
    renameSync(`${file}.partial`, file);
  }
}

const machineOf = () => ({
  processor: os.cpus()[0]?.model.trim() ?? 'not told',
  threads: os.availableParallelism(),
  memory: Math.round(os.totalmem() / 2 ** 30),
  system: read('/etc/os-release').match(/^PRETTY_NAME="?(.*?)"?$/m)?.[1] ?? 'Linux',
  kernel: os.release(),
  glibc: process.report.getReport().header.glibcVersionRuntime,
});

/** What the driver says of itself beside what Dawn tells; nvidia-smi is asked, never told. */
async function driverOf() {
  const answer = await new Promise((resolve) => {
    const child = spawn('nvidia-smi', ['--query-gpu=name,driver_version,memory.total', '--format=csv,noheader'], {stdio: ['ignore', 'pipe', 'ignore']});
    let text = '';
    child.stdout.on('data', (data) => (text += data));
    child.on('error', () => resolve(''));
    child.on('close', (code) => resolve(code ? '' : text.trim().split('\n')[0]));
  });
  const [card, version, memory] = answer ? answer.split(',').map((text) => text.trim()) : [];
  return {card, memory, version: version ?? read('/proc/driver/nvidia/version').split('\n')[0].trim()};
}

/** The way to the GPU: {adapter, env, way}; software where no way gives another; {adapter: null} and what was tried. */
async function findAdapter(found) {
  const tries = [];
  let software;
  for (const {what, env} of waysTo(found)) {
    const {rows, problem, said} = await follow(part('adapter'), {env: {...env, VK_LOADER_DEBUG: 'error'}});
    const [{adapter, problem: why = problem} = {}] = rows;
    tries.push({what, why: adapter ? adapter.name : why || `no adapter${said && `; ${said}`}`});
    if (adapter && !adapter.software) return {adapter, env, way: what, tries};
    if (adapter) software ??= {adapter, env, way: what};
  }
  return {adapter: null, ...software, tries};
}

/** The cases of all ops, or training; says now and then how far it is, and at once what is wrong. */
async function tried(name, args, env, until) {
  let told = Date.now();
  const onRow = ({op, name: item, problem}, {plan, rows}) => {
    const wrong = rows.filter((row) => row.problem).length;
    if (problem) say(`WRONG: ${[op, item].filter(Boolean).join(', ')}: ${problem}`);
    if (rows.length < plan.length && Date.now() < told + 5e3) return;
    told = Date.now();
    say(`${name}: ${rows.length} of ${plan.length}, ${wrong} wrong`);
  };
  say(`${name} ..`);
  const begun = seconds();
  return {...(await follow(part(name, ...args), {env, until, onRow})), seconds: seconds() - begun};
}

/** A part of `bench gpu --node`: {rows, problem}. */
async function bench(name, args, env) {
  const file = path.join(os.tmpdir(), `fjord-${process.pid}-${name}.json`);
  const minutes = Math.max(0, until - Date.now()) / 6e4;
  const child = spawn(
    process.execPath,
    [...nodeFlags, `${root}check/bench/gpu.mjs`, '--node', '--no-build', '--part', name, '--budget', '8', '--minutes', `${minutes}`, '--json', file, ...args],
    {env, stdio: ['ignore', 'pipe', 'pipe']},
  );
  const timer = setTimeout(() => child.kill('SIGKILL'), Math.max(0, until + kGrace - Date.now()));
  let last = '';
  for (const stream of [child.stdout, child.stderr]) createInterface({input: stream}).on('line', (line) => line && say((last = line)));
  const why = await new Promise((resolve) => child.on('close', (code, signal) => resolve(signal ? `ended with ${signal}` : code ? `ended with exit code ${code}` : '')));
  clearTimeout(timer);
  const result = JSON.parse(read(file) || '{}');
  rmSync(file, {force: true});
  const rows = (name === 'ops' ? result.ops : result[name]?.rows) ?? [];
  // Rows that are wrong tell why themselves.
  const isTold = rows.some((row) => row.wrong || row.isWrong);
  const isLate = Date.now() > until;
  return {rows, problem: why && !isTold && !isLate ? `${name}: ${why}, ${last}` : '', left: why && isLate ? `${name}: ${why} when the time was over` : ''};
}

async function measureSpeed(result, env) {
  const few = {ops: ['--only', 'add: 16384', '--only', '64x64x64'], train: ['--only', '1x64']};
  const {software} = result.adapter;
  if (software) say(softwareWarning);
  if (software && !options.software) return {left: 'the adapter is software, whose times say nothing about a GPU (--software: a few, all the same)'};
  const speed = {problems: [], lefts: []};
  for (const name of ['ops', 'train', ...(existsSync(`${root}build/models`) ? ['infer'] : [])]) {
    if (software && !few[name]) continue;
    const {rows, problem, left} = await bench(name, software ? [...few[name], '--rounds', '1'] : [], env);
    speed[name] = rows.map((row) => ({...row, software}));
    if (problem) speed.problems.push(problem);
    if (left) speed.lefts.push(left);
  }
  return speed;
}

/** Whether there is a GPU that Vulkan does not give, which the user has not asked for. */
const isHidden = ({adapter, found}) => adapter.software && found.devices.length > 0 && !found.chosen;

/** What is wrong, and what was not reached, of all parts. */
function judge(result) {
  const {cases, training, speed, found} = result;
  const timed = [...(speed.ops ?? []), ...(speed.train ?? []), ...(speed.infer ?? [])];
  const nameOf = ({group, case: name, name: other}) => (group ? `${group}: ${name}` : other);
  const failures = [
    ...(isHidden(result) ? [`this machine has ${found.devices.join(', ')}, and Vulkan gives software alone`] : []),
    ...[...cases.rows, ...training.rows].filter((row) => row.problem).map(({op, name, problem}) => `${[op, name].filter(Boolean).join(', ')}: ${problem}`),
    ...[cases.problem, training.problem].filter(Boolean),
    ...timed.filter((row) => row.wrong || row.isWrong).map((row) => `speed of ${nameOf(row)}: ${row.wrong ?? row.why}`),
    ...(speed.problems ?? []),
  ];
  const open = (what, {plan, rows, problem, left}) => {
    const isWhole = plan.length > 0 && rows.length === plan.length;
    return left || problem || isWhole ? [] : [`${what}: ${rows.length} of ${plan.length || 'all'}`];
  };
  const late = timed.filter((row) => row.left).map((row) => `speed of ${nameOf(row)}`);
  return {failures, notReached: [...open('cases', cases), ...open('training', training), ...(speed.lefts ?? []), ...late]};
}

const nothing = {plan: [], rows: [], problem: ''};
const kit = JSON.parse(read(`${root}kit.json`));
say(`Fjord ${kit.commit}, at most ${minutes} minutes; results in ${out}`);
mkdirSync(out, {recursive: true});
unpack();
const found = look();
const {adapter, env, way, tries} = await findAdapter(found);
if (!adapter) {
  console.error(advice(found, tries));
  process.exit(1);
}
const {env: _, ...seen} = found;
const result = {
  outcome: 'interrupted',
  chosen: {only: options.only, first: options.first},
  kit,
  date: new Date(start).toISOString(),
  seconds: 0,
  minutes,
  machine: machineOf(),
  adapter,
  driver: await driverOf(),
  way,
  found: {...seen, tries},
  failures: [],
  notReached: [],
  cases: nothing,
  training: options.only.length ? {...nothing, left: '--only names ops'} : nothing,
  speed: {left: 'not begun'},
};

/** Leaves what there is by now. */
function keep(outcome = 'interrupted') {
  Object.assign(result, {outcome, seconds: seconds(), ...judge(result)});
  const short = ({plan, rows, ...part}) => ({...part, of: plan.length, rows, notReached: plan.slice(rows.length)});
  const {cases, training, ...rest} = result;
  writeFileSync(`${out}/result.json`, `${JSON.stringify({...rest, ops: byOp(cases), training: short(training), cases: short(cases)}, null, 1)}\n`);
  writeFileSync(`${out}/result.md`, markdown(result));
}

say(`${adapter.name}, ${way}`);
if (adapter.software) say('This adapter is software: it computes on the processor.');
if (isHidden(result)) console.log(advice(found, tries));
const chosen = [...options.only.flatMap((op) => ['--only', op]), ...(options.first ? ['--first', options.first] : [])];
result.cases = await tried('cases', chosen, env, start + kOfCases * (until - start));
keep();
if (!options.only.length) result.training = await tried('training', [], env, until);
keep();
result.speed = await measureSpeed(result, env);
keep();
const outcome = result.failures.length ? 'failed' : result.notReached.length ? 'incomplete' : 'passed';
keep(outcome);
for (const text of result.failures) say(`WRONG: ${text}`);
for (const text of result.notReached) say(`not reached: ${text}`);
say(`${outcome}: ${out}/result.json, ${out}/result.md`);
process.exit({passed: 0, failed: 1, incomplete: 2}[outcome]);
