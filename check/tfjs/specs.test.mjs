// TensorFlow.js's own specs run on Fjord: their number may only rise, and none may be silently other but those that kept.json
// gives a reason for. What fails, by cause: build/tfjs/report.md.
import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {before, test} from 'node:test';
import {fileURLToPath} from 'node:url';
import {causeOf, kinds, tableOf} from './causes.mjs';
import {bundleSpecs} from './specs.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const out = `${root}build/tfjs`;
const kept = JSON.parse(readFileSync(new URL('kept.json', import.meta.url)));
// A spec that hangs ends the run.
const kMostSeconds = 600;

let results = [];
let passed = 0;

before(async () => {
  mkdirSync(out, {recursive: true});
  const {specs, left} = await bundleSpecs(`${out}/core.mjs`);
  const args = [...process.execArgv, `${root}check/tfjs/run.mjs`, `${out}/core.mjs`, `${out}/core.json`];
  const run = spawnSync(process.execPath, args, {encoding: 'utf8', timeout: kMostSeconds * 1000});
  assert.equal(run.status, 0, `the specs did not run to their end: ${run.stderr.slice(-2000)}`);
  results = JSON.parse(readFileSync(`${out}/core.json`));
  passed = results.filter(({status}) => status === 'passed').length;
  writeFileSync(`${out}/report.md`, report(specs, left));
});

function report(specs, left) {
  const table = tableOf(results);
  const lines = [`# TensorFlow.js's core specs on Fjord`, '', `${passed} of ${results.length} pass (${specs.length} files).`, ''];
  for (const {kind, total, causes} of table) {
    lines.push(`## ${total}: ${kinds[kind]}`, '');
    for (const [name, count] of causes) lines.push(`- ${count} ${name.replaceAll('\n', ' ')}`);
    lines.push('');
  }
  lines.push('## Files left out, because they test inner modules', '', ...left.map(({file, inner}) => `- ${file}: ${inner.join(', ')}`), '');
  return lines.join('\n');
}

test(`no fewer specs of tfjs-core pass than before`, (t) => {
  t.diagnostic(`${passed} of ${results.length} pass: ${tableOf(results).map(({kind, total}) => `${total} ${kind}`).join(', ')}; build/tfjs/report.md tells more`);
  assert.ok(results.length > 3000, `only ${results.length} specs ran`);
  assert.ok(passed >= kept.passed, `${passed} pass, ${kept.passed} did before`);
  if (passed > kept.passed) t.diagnostic(`write "passed": ${passed} into check/tfjs/kept.json`);
});

test('what is silently other than in TensorFlow.js, or says it otherwise, has a reason', () => {
  const other = results.filter((result) => result.status === 'failed' && ['silent', 'words'].includes(causeOf(result).kind));
  const unknown = other.filter(({name}) => !reasonOf(name)).map(({name, problems}) => `${name}: ${problems.join(' ').replaceAll('\n', ' ').slice(0, 200)}`);
  assert.deepEqual(unknown, [], `${unknown.length} specs give another value, shape or type, refuse nothing, or say it otherwise, without a reason in check/tfjs/kept.json`);
});

test('each reason is still needed, covers nothing that passes, and stands in the documentation', () => {
  const matching = ({specs}, wanted) => results.filter(({name, status}) => status === wanted && new RegExp(specs).test(name));
  assert.deepEqual(kept.different.filter((row) => matching(row, 'failed').length === 0), []);
  assert.deepEqual(kept.different.flatMap((row) => matching(row, 'passed').map(({name}) => name)), []);
  for (const {docs} of kept.different) {
    const [file, anchor] = docs.split('#');
    assert.ok(readFileSync(root + file, 'utf8').includes(`<a id="${anchor}"></a>`), docs);
  }
});

function reasonOf(name) {
  return kept.different.find(({specs}) => new RegExp(specs).test(name))?.reason;
}
