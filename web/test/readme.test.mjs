// The JavaScript of README.md, run as it stands.
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync} from 'node:fs';
import {test} from 'node:test';
import {fileURLToPath} from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

test('the JavaScript of the README trains a network', () => {
  const [, program] = readFileSync(`${root}README.md`, 'utf8').match(/```js\n([^]*?)```/);
  const folder = `${root}build/readme`;
  mkdirSync(`${folder}/node_modules`, {recursive: true});
  if (!existsSync(`${folder}/node_modules/fjord`)) symlinkSync('../../npm', `${folder}/node_modules/fjord`);
  writeFileSync(`${folder}/train.mjs`, program);
  const output = execFileSync(process.execPath, [...process.execArgv.filter((flag) => flag.includes('wasm')), 'train.mjs'], {cwd: folder, encoding: 'utf8'});
  const [, accuracy] = output.match(/accuracy ([\d.]+)/);
  assert.ok(Number(accuracy) > 0.93, output);
  assert.match(output, /Tensor/);
});
