// Ops on a GPU, in headless Chromium.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {playCases} from './ops.mjs';

test('every op, its gradients and chains give the values of the reference', async () => {
  const {ops, refused, failures, bytes} = await playCases();
  assert.deepEqual(failures, []);
  assert.deepEqual(refused, []);
  assert.ok(ops.length > 130, `${ops.length} ops were tried`);
  assert.equal(bytes, 0, 'GPU memory is left');
});
