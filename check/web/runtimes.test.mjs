// Outside of browsers: this Node, and with --all older and newer ones, Deno and Bun. By import, by require() and as one file.
import assert from 'node:assert/strict';
import {cpSync, existsSync, mkdirSync, readdirSync, rmSync} from 'node:fs';
import {suite, test} from 'node:test';
import {must, run} from '../../tools/build.mjs';
import {agrees, built, isAll, onlyInAll, project, tarball} from './setting.mjs';

const kPrograms = ['module.mjs', 'required.cjs', 'single.mjs'];
/** The runtimes of check/web/runtimes by name: the program, and what it is called with. */
const others = {
  'node-20-11': ['node_modules/node-20-11/bin/node'],
  'node-22': ['node_modules/node-22/bin/node'],
  'node-24': ['node_modules/node-24/bin/node'],
  deno: [found('@deno/', 'deno'), 'run', '--allow-all', '--no-prompt'],
  bun: [found('@oven/', 'bin/bun'), 'run'],
};

/** The program in whichever package holds it for this machine; npm installs one of them. */
function found(scope, program) {
  return (folder) => {
    const packages = readdirSync(`${folder}node_modules/${scope}`).map((name) => `node_modules/${scope}${name}/${program}`);
    const [first] = packages.filter((name) => existsSync(folder + name));
    assert.ok(first, `no package of ${scope} holds ${program}`);
    return first;
  };
}

async function output(folder, command, program) {
  const [executable, ...args] = command;
  const {code, output} = await run(executable.startsWith('node_modules') ? folder + executable : executable, [...args, program], {cwd: folder});
  assert.equal(code, 0, output);
  return JSON.parse(output.trim().split('\n').at(-1));
}

async function trains(folder, command, program) {
  const result = await output(folder, command, program);
  agrees(result);
  const single = program === 'single.mjs';
  if (single) assert.equal(result.variant, 'simd');
  else assert.match(result.variant, /^(relaxed-)?simd-threads$/);
}

suite('this Node', async () => {
  const folder = `${built}node/`;
  rmSync(folder, {recursive: true, force: true});
  mkdirSync(`${folder}node_modules/fjord`, {recursive: true});
  await must('tar', ['-xzf', (await tarball()).file, '-C', `${folder}node_modules/fjord`, '--strip-components=1']);
  for (const program of [...kPrograms, 'idle.mjs']) cpSync(new URL(`runtimes/${program}`, import.meta.url), folder + program);
  cpSync(new URL('app/train.js', import.meta.url), `${folder}train.js`);
  cpSync(new URL('runtimes/package.json', import.meta.url), `${folder}package.json`);
  const command = [process.execPath];
  for (const program of kPrograms) test(program, () => trains(folder, command, program));
  test('an import alone starts nothing', async () => assert.deepEqual(await output(folder, command, 'idle.mjs'), {variant: 'none'}));
});

suite('others', {skip: onlyInAll}, async () => {
  if (!isAll) return;
  const folder = await project('runtimes');
  cpSync(new URL('app/train.js', import.meta.url), `${folder}train.js`);
  for (const [name, [program, ...args]] of Object.entries(others)) {
    suite(name, () => {
      for (const file of kPrograms) test(file, () => trains(folder, [typeof program === 'function' ? program(folder) : program, ...args], file));
    });
  }
});
