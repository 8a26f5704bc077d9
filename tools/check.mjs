// What a reader of the code may rely on, checked by programs.
//
//   node tools/check.mjs                  all
//   node tools/check.mjs format tidy      these
//   node tools/check.mjs format --fix     formats the C++ files in place
import {execFileSync} from 'node:child_process';
import {existsSync, readFileSync} from 'node:fs';
import {generate} from '../web/generate.mjs';
import {build, fail, Failure, folderOf, jobs, lastLines, root, run} from './build.mjs';

// Tracked files and new ones that git does not ignore.
const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {cwd: root})
  .toString()
  .split('\0')
  .filter((file) => file && existsSync(root + file));
const read = (file) => readFileSync(root + file, 'utf8');
const cpp = files.filter((file) => /\.(cc|h)$/.test(file));
const fix = process.argv.includes('--fix');

async function format() {
  const args = fix ? ['-i'] : ['--dry-run', '-Werror'];
  const {code, output} = await run('clang-format-19', [...args, ...cpp]);
  return code ? `${lastLines(output, 20)}\n./dev check format --fix puts it right` : '';
}

async function tidy() {
  await build('native');
  const database = JSON.parse(read('build/native/compile_commands.json'));
  const queue = database.map((entry) => entry.file).filter((file) => file.startsWith(root));
  let problems = '';
  async function worker() {
    for (let file; (file = queue.pop()); ) {
      const {code, output} = await run('clang-tidy-19', ['-p', folderOf('native'), '--quiet', file]);
      if (code) problems += output.replaceAll(root, '').replace(/^\d+ warnings.*\n/gm, '');
    }
  }
  await Promise.all(Array.from({length: jobs}, worker));
  return problems;
}

/** Each folder of engine/ includes itself and what stands before it here; tests may include anything. */
const order = ['base', 'ir', 'ops', 'plan', 'run', 'nn', 'io', 'abi'];

function includes() {
  const problems = [];
  for (const file of cpp.filter((file) => file.startsWith('engine/'))) {
    const test = /_(test|fuzz)\.cc$/.test(file) || file.startsWith('engine/testing/');
    const folder = file.split('/')[1];
    if (!test && !order.includes(folder)) problems.push(`${file}: tools/check.mjs does not know the folder ${folder}`);
    if (test) continue;
    for (const [, included] of read(file).matchAll(/^\s*#\s*include\s+"([^"]+)"/gm)) {
      const above = order.indexOf(included.split('/')[0]) > order.indexOf(folder);
      if (above) problems.push(`${file} includes ${included}: ${order.join(' <- ')} is the direction`);
      if (included.startsWith('testing/')) problems.push(`${file} includes ${included}, which is for tests`);
    }
  }
  return problems.join('\n');
}

async function types() {
  await build('native', ['describe']);
  generate();
  const {code, output} = await run('node_modules/.bin/tsc', ['--noEmit', '--strict', '-p', 'web/tsconfig.json']);
  return code ? lastLines(output) : '';
}

/** What must not stand in any file: hosts of package registries, and paths of somebody's machine. */
const unwanted = [
  [/registry[.]npmjs|pypi[.]org|pythonhosted[.]org|deb[.]debian[.]org|crates[.]io|"resolve[d]": "http/, 'names a package registry'],
  [/(^|[\s"'`=(:])\/(root|work|home\/\w+)\//m, 'holds a path of one machine'],
];

function names() {
  const problems = [];
  for (const file of files) {
    const text = read(file);
    if (text.includes('\0')) continue;
    for (const [pattern, what] of unwanted) {
      const found = text.match(pattern);
      if (found) problems.push(`${file}:${text.slice(0, found.index).split('\n').length} ${what}: ${found[0].trim()}`);
    }
  }
  return problems.join('\n');
}

const checks = {format, includes, names, types, tidy};
const asked = process.argv.slice(2).filter((argument) => argument !== '--fix');
let failed = 0;
for (const name of asked.length ? asked : Object.keys(checks)) {
  if (!checks[name]) fail(new Failure(`There is no check "${name}"; there are ${Object.keys(checks).join(', ')}`));
  const start = performance.now();
  let problems;
  try {
    problems = await checks[name]();
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    problems = error.message;
  }
  if (problems) console.log(problems.trimEnd());
  console.log(`${problems ? 'FAILED' : 'ok    '} ${name.padEnd(9)} ${((performance.now() - start) / 1000).toFixed(1)} s`);
  failed += problems ? 1 : 0;
}
process.exit(failed ? 1 : 0);
