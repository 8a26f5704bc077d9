// Arguments have types: an editor completes them, and one that is misspelt, missing or of another kind is an error.
import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {suite, test} from 'node:test';
import {fileURLToPath} from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));

suite('types of arguments', () => {
  test('are those of the engine', () => {
    const {stdout, status} = spawnSync('node_modules/.bin/tsc', ['-p', `${here}typed.tsconfig.json`], {cwd: `${here}../..`, encoding: 'utf8'});
    assert.equal(stdout, '');
    assert.equal(status, 0);
  });
  test('have words for editors', () => {
    const text = readFileSync(`${here}../src/generated/arguments.ts`, 'utf8');
    assert.match(text, /\/\*\* Arguments of tf\.layers\.conv2d\. \*\/\nexport interface Conv2DArgs extends LayerArgs \{\n/);
    assert.match(text, /\/\*\* How many channels come out\. \*\/\n  filters: number;/);
    assert.match(text, /\/\*\* The size of the window along each axis: height and width\. \*\/\n  kernelSize: number \| number\[\];/);
    assert.match(text, /Default: true\. \*\/\n  useBias\?: boolean;/);
  });
});
