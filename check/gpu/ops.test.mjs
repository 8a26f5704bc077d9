// Ops on a GPU, in headless Chromium.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {playCases} from './ops.mjs';

test('every op, its gradients and chains give the values of the reference', async () => {
  const {ops, refused, failures, bytes} = await playCases();
  assert.deepEqual(failures, []);
  // What only a processor does, and a GPU's plan goes without.
  assert.deepEqual([...new Set(refused.map(({op}) => op))], ['addRows']);
  assert.ok(ops.length > 130, `${ops.length} ops were tried`);
  assert.equal(bytes, 0, 'GPU memory is left');
});
