// The C++ that README.md shows is that of a program, and the program learns.
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {test} from 'node:test';
import {root} from '../../tools/build.mjs';

const block = (language) => readFileSync(`${root}README.md`, 'utf8').match(new RegExp(`\`\`\`${language}\n([^]*?)\`\`\``))[1];

test('the C++ of the README is part of a program that learns', () => {
  const program = readFileSync(`${root}examples/native/circle.cc`, 'utf8');
  const indented = block('cpp').replace(/^(?=.)/gm, '  ');
  assert.ok(program.includes(indented), 'examples/native/circle.cc has other lines than README.md');
  const output = execFileSync(`${process.env.FJORD_BUILD ?? `${root}build/native`}/circle`, {encoding: 'utf8'});
  const accuracies = [...output.matchAll(/accuracy ([\d.]+)/g)].map((m) => Number(m[1]));
  assert.equal(accuracies.length, 40);
  assert.ok(accuracies.at(-1) > 0.95, output);
});
