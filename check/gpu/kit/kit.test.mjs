// The kit for GPUs on a machine that has next to nothing: a few tools of a shell, no Node, no network where that can be taken away, and Chromium's
// software adapter as its Vulkan driver.
import assert from 'node:assert/strict';
import {execFileSync, spawnSync} from 'node:child_process';
import {cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {after, before, test} from 'node:test';
import {brotliDecompressSync} from 'node:zlib';
import {nodeFlags, root} from '../../../tools/build.mjs';
import {advice, waysTo} from './find.mjs';
import {follow} from './follow.mjs';

const kSwiftShader = '/usr/lib/chromium/vk_swiftshader_icd.json';
const kTools = ['sh', 'uname', 'dirname', 'gzip', 'chmod', 'mv', 'rm', 'cp'];
const folder = mkdtempSync(path.join(os.tmpdir(), 'kit-test-'));
const kit = `${folder}/kit`;
after(() => rmSync(folder, {recursive: true}));

const canUnshare = () => spawnSync('unshare', ['-rn', 'true']).status === 0;

/** What the kit says and leaves, with an exit code, on a machine whose PATH holds kTools alone. */
function runKit(args, env = {VK_ICD_FILENAMES: kSwiftShader}, at = kit) {
  const [program, ...rest] = [...(canUnshare() ? ['/usr/bin/unshare', '-rn'] : []), `${at}/run`, ...args];
  const {status, stdout, stderr} = spawnSync(program, rest, {env: {PATH: `${folder}/bin`, ...env}, encoding: 'utf8'});
  const file = `${at}/result.json`;
  const result = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
  const table = result && readFileSync(`${at}/result.md`, 'utf8');
  for (const name of ['json', 'md']) rmSync(`${at}/result.${name}`, {force: true});
  return {status, output: stdout + stderr, result, table};
}

before(() => {
  execFileSync(process.execPath, ['tools/gpu-kit.mjs', '--no-build'], {cwd: root, stdio: ['ignore', 'ignore', 'inherit']});
  // Nothing above it is this clone's.
  cpSync(`${root}build/gpu-kit`, kit, {recursive: true});
  execFileSync('mkdir', [`${folder}/bin`]);
  for (const tool of kTools) symlinkSync(execFileSync('sh', ['-c', `command -v ${tool}`], {encoding: 'utf8'}).trim(), `${folder}/bin/${tool}`);
});

test('every op and some trainings are right on the software adapter, which is named, and whose speed is not told', () => {
  const {status, output, result, table} = runKit(['--first', '1']);
  assert.equal(status, 0, output);
  assert.equal(result.outcome, 'passed');
  assert.ok(result.adapter.software);
  assert.match(result.adapter.name, /SwiftShader/i);
  assert.ok(result.adapter.limits.maxBufferSize > 1e6);
  assert.match(result.kit.commit, /^[0-9a-f]{40}/);
  assert.ok(result.machine.processor && result.machine.threads > 0);
  assert.ok(result.ops.length > 130 && result.ops.filter(({passed}) => passed === 1).length > 110, `${result.ops.length} ops`);
  assert.ok(result.cases.rows.every(({error, tolerance, left}) => left || error <= tolerance));
  assert.ok(result.training.rows.length === 5 && result.training.rows.some(({left}) => !left), 'a model trains without barriers');
  assert.match(result.speed.left, /software/);
  assert.match(table, /\| relu \| 1 \| 1 \| 0 \| 0 \| 0 \|/);
  assert.match(table, /Not measured/);
  assert.doesNotMatch(table, /GFLOP/);
});

test('a wrong number fails the run, and is named', () => {
  const file = `${kit}/build/gpu/cases.jsonl`;
  const lines = brotliDecompressSync(readFileSync(`${file}.br`)).toString().split('\n').map((line) => JSON.parse(line));
  const planted = lines.find(({op}) => op === 'relu');
  planted.outputs[0].values[7] += 0.5;
  writeFileSync(file, lines.map((line) => JSON.stringify(line)).join('\n'));
  const {status, output, result, table} = runKit(['--first', '1', '--only', 'relu']);
  rmSync(file);
  assert.equal(status, 1, output);
  assert.equal(result.outcome, 'failed');
  assert.equal(result.failures.length, 1);
  assert.match(result.failures[0], /^relu, .*element 7 of/);
  assert.match(table, /SOMETHING FAILED[^]*element 7 of/);
});

test('what the time did not reach is told', () => {
  const {status, output, result, table} = runKit(['--minutes', '0']);
  assert.equal(status, 2, output);
  assert.equal(result.outcome, 'incomplete');
  assert.match(result.notReached.join('; '), /^cases: 0 of \w+; training: 0 of \w+$/);
  assert.match(table, /Not reached[^]*cases: 0 of/);
  const file = `${folder}/rows.json`;
  const bench = ['check/bench/gpu.mjs', '--node', '--no-build', '--part', 'ops', '--only', 'add: 16384', '--minutes', '0', '--json', file];
  execFileSync(`${kit}/node`, [...nodeFlags, ...bench], {cwd: kit, env: {VK_ICD_FILENAMES: kSwiftShader}, stdio: 'ignore'});
  const {ops} = JSON.parse(readFileSync(file, 'utf8'));
  assert.deepEqual(ops, [{group: 'add', case: '16384', left: 'the time was over'}]);
});

test('a few times are told of software where that is asked for, and marked', () => {
  const {output, result, table} = runKit(['--software', '--first', '1', '--only', 'relu']);
  assert.equal(result?.outcome, 'passed', output);
  const add = result.speed.ops.find((row) => row.case === '16384');
  assert.ok(add.ms > 0 && add.software, JSON.stringify(result.speed));
  assert.match(table, /Speed OF SOFTWARE/);
  assert.match(output, /THE ADAPTER IS SOFTWARE/);
});

test('without an adapter the kit tells what it looked for and what to do', () => {
  const {status, output, result} = runKit([], {VK_ICD_FILENAMES: '/nowhere.json'});
  assert.equal(status, 1);
  assert.equal(result, undefined);
  for (const text of [/device files: /, /libvulkan\.so\.1: the (system|kit)'s/, /libGLX_nvidia\.so\.0: /, /No adapter of a GPU was found/, /tried with the chosen \/nowhere\.json: no adapter/, /What to do:\n {2}\w/]) assert.match(output, text);
});

test('what is to be done depends on what is missing', () => {
  const missing = Object.fromEntries(['libGLX_nvidia.so.0', 'libEGL_nvidia.so.0'].map((library) => [library, `${library}: cannot open shared object file`]));
  const found = {chosen: '', devices: [], closed: [], loader: "the system's", icds: [], elsewhere: [], folders: ['/etc/vulkan/icd.d'], nvidia: missing};
  const todo = (more) => advice({...found, ...more}, []).split('What to do:\n')[1];
  assert.match(todo({}), /^ {2}This machine shows no GPU/);
  assert.match(todo({devices: ['/dev/nvidia3']}), /^ {2}NVIDIA's Vulkan driver is missing: .*NVIDIA_DRIVER_CAPABILITIES=all/);
  assert.match(todo({devices: ['/dev/dri/renderD128'], closed: ['/dev/dri/renderD128']}), /^ {2}Nobody lets this user open \/dev\/dri\/renderD128.*\n {2}There is no Vulkan driver/);
  const intel = {devices: ['/dev/dri/renderD128'], icds: ['/usr/share/vulkan/icd.d/intel_icd.x86_64.json']};
  assert.match(todo(intel), /^ {2}The drivers are here and give no adapter/);
  assert.match(todo({...intel, chosen: '/a.json'}), /^ {2}VK_DRIVER_FILES or VK_ICD_FILENAMES is set to \/a\.json/);
  // Each way is tried before a library is put before the machine's own.
  const whats = waysTo({...found, env: {}, elsewhere: ['/opt/a.json'], nvidia: {...missing, 'libGLX_nvidia.so.0': 'libXext.so.6: cannot open shared object file'}}).map(({what}) => what);
  assert.deepEqual(whats, ['as the machine is set', 'with /opt/a.json', "with the kit's ICD file for libGLX_nvidia.so.0, and the libraries that it loads"]);
});

test("NVIDIA's driver without an ICD file is found by the kit's own", () => {
  // Any driver under that name.
  const library = path.resolve(path.dirname(kSwiftShader), JSON.parse(readFileSync(kSwiftShader, 'utf8')).ICD.library_path);
  const libraries = `${folder}/libraries`;
  execFileSync('mkdir', [libraries]);
  symlinkSync(library, `${libraries}/libEGL_nvidia.so.0`);
  const {output, result} = runKit(['--minutes', '0'], {LD_LIBRARY_PATH: libraries});
  assert.equal(result.found.nvidia['libEGL_nvidia.so.0'], '', output);
  assert.match(result.found.nvidia['libGLX_nvidia.so.0'], /cannot open/);
  const tried = result.found.tries.filter(({what}) => what.startsWith("with the kit's ICD file for libEGL_nvidia.so.0"));
  assert.equal(tried.length, 2, 'alone, and with what it may lack');
  for (const {why} of tried) assert.match(why, /swiftshader/i);
});

test('a folder that cannot be written is left as it is', () => {
  const there = `${folder}/there`;
  execFileSync('mkdir', [there]);
  rmSync(`${kit}/node`, {force: true});
  execFileSync('chmod', ['-R', 'a-w', kit]);
  try {
    // As nobody, where this is root.
    const as = process.getuid() === 0 ? {uid: 65534, gid: 65534} : {};
    execFileSync('chmod', ['a+rx', folder]);
    execFileSync('chmod', ['a+rwx', there]);
    const {status, stdout, stderr} = spawnSync(`${kit}/run`, ['--first', '1', '--only', 'relu'], {cwd: there, ...as, env: {PATH: `${folder}/bin`, HOME: there, TMPDIR: there, VK_ICD_FILENAMES: kSwiftShader}, encoding: 'utf8'});
    assert.equal(status, 0, stdout + stderr);
    assert.equal(JSON.parse(readFileSync(`${there}/result.json`, 'utf8')).outcome, 'passed');
    assert.ok(!existsSync(`${kit}/node`));
  } finally {
    execFileSync('chmod', ['-R', 'u+w', kit]);
  }
});

test('a process that ends in an item, or says nothing, takes no other item along', async () => {
  const script = `${folder}/part.mjs`;
  writeFileSync(
    script,
    `const from = Number(process.argv[process.argv.indexOf('--from') + 1]);
    const send = (message) => new Promise((resolve) => process.send(message, resolve));
    await send({plan: [{name: 'a'}, {name: 'b'}, {name: 'c'}, {name: 'd'}]});
    for (let i = from; i < 4; ++i) {
      await send({begin: i});
      if (i === 1) process.kill(process.pid, 'SIGSEGV');
      if (i === 1 || i === 2) await new Promise((resolve) => setTimeout(resolve, 1e6));
      await send({row: {problem: '', value: i}});
    }
    await send({end: true});
    process.exit();`,
  );
  const {plan, rows, problem} = await follow([script], {silence: 3000});
  assert.equal(problem, '');
  assert.equal(plan.length, 4);
  assert.deepEqual(rows.map(({name}) => name), ['a', 'b', 'c', 'd']);
  assert.deepEqual([rows[0], rows[3]], [{name: 'a', problem: '', value: 0}, {name: 'd', problem: '', value: 3}]);
  assert.match(rows[1].problem, /SIGSEGV/);
  assert.match(rows[2].problem, /nothing came within 3 s/);
  const broken = await follow([`${folder}/none.mjs`]);
  assert.match(broken.problem, /Cannot find module .*none\.mjs/);
  assert.deepEqual(broken.rows, []);
});
