// Lines per folder and bytes per artefact, against the budget in size-budget.json.
//
//   node tools/size.mjs
//
// A visitor of a page loads the module and one of the WebAssembly variants, with threads their script; or the file that has all
// inside. fjord/predict has the same files in a folder of its own, and rest.wasm, which
// few pages load, and none for a dense or a convolutional model (web/split.mjs). Types and documents are for a developer, and not counted.
import {execFileSync} from 'node:child_process';
import {existsSync, readdirSync, readFileSync, statSync} from 'node:fs';
import {gzipSync} from 'node:zlib';
import {fail, Failure, root} from './build.mjs';

const tracked = execFileSync('git', ['ls-files', '-z'], {cwd: root}).toString().split('\0').filter(Boolean);

/** The folder of engine/ that a file is in, or else its top folder. */
const folderOf = (file) => file.split('/').slice(0, file.startsWith('engine/') ? 2 : 1).join('/');
const isTest = (file) => /_(test|fuzz)\.cc$|\.test\.m?[jt]s$|^engine\/testing\/|^web\/test\//.test(file);

const folders = new Map();
for (const file of tracked.filter((file) => /\.(cc|h|inc|ts|mjs|html|css|py|sh|cmake)$/.test(file) && existsSync(root + file))) {
  const row = folders.get(folderOf(file)) ?? {code: 0, tests: 0, longest: 0, file: ''};
  const lines = readFileSync(root + file, 'utf8').split('\n').length - 1;
  row[isTest(file) ? 'tests' : 'code'] += lines;
  if (lines > row.longest) Object.assign(row, {longest: lines, file});
  folders.set(folderOf(file), row);
}

console.log('lines            code   tests   longest file');
for (const [folder, row] of [...folders].sort()) {
  console.log(`${folder.padEnd(15)}${String(row.code).padStart(6)}${String(row.tests).padStart(8)}   ${row.longest} ${row.file}`);
}
const total = (key) => [...folders.values()].reduce((sum, row) => sum + row[key], 0);
console.log(`${'all'.padEnd(15)}${String(total('code')).padStart(6)}${String(total('tests')).padStart(8)}`);

const folder = `${root}build/npm`;
if (!existsSync(folder)) fail(new Failure('There is no build/npm: run ./dev build'));
const artefacts = readdirSync(folder, {recursive: true})
  .filter((file) => statSync(`${folder}/${file}`).isFile() && /\.(js|wasm)$/.test(file))
  .sort()
  .map((file) => {
    const bytes = readFileSync(`${folder}/${file}`);
    return {file, raw: bytes.length, gzip: gzipSync(bytes, {level: 9}).length};
  });

const number = (value) => value.toLocaleString('en').padStart(12);
console.log(`\nbytes${' '.repeat(38)}raw     gzipped`);
for (const {file, raw, gzip} of artefacts) console.log(`${file.padEnd(34)}${number(raw)}${number(gzip)}`);

const budget = JSON.parse(readFileSync(new URL('size-budget.json', import.meta.url)));
let failed = false;
console.log('\nwhat a page loads, gzipped, and its budget');
for (const [name, most] of Object.entries(budget)) {
  const [, place, variant] = name.match(/^(predict\/)?(.*)$/);
  const files = name.endsWith('.js') ? [name] : [`${variant}/fjord.wasm`, 'fjord.js', ...(variant.endsWith('threads') ? ['thread.js'] : [])].map((file) => (place ?? '') + file);
  const missing = files.find((file) => !artefacts.some((artefact) => artefact.file === file));
  if (missing) fail(new Failure(`build/npm has no ${missing}: run ./dev build`));
  const gzip = artefacts.filter(({file}) => files.includes(file)).reduce((sum, artefact) => sum + artefact.gzip, 0);
  const over = gzip > most;
  failed ||= over;
  console.log(`${name.padEnd(34)}${number(gzip)}${number(most)}${over ? '  OVER BUDGET' : ''}`);
}
process.exit(failed ? 1 : 0);
