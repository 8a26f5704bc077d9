// The dense kernel that is put together by hand, against numbers worked out by hand.
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {suite, test} from 'node:test';

// A page's module: Node takes it for one from an address that says so.
const source = readFileSync(new URL('wasm.js', import.meta.url), 'utf8');
const {denseModule} = await import(`data:text/javascript,${encodeURIComponent(source)}`);

/** Numbers after one another in its memory; y comes after them. */
async function run({x, w, b}, floor) {
  const {instance} = await WebAssembly.instantiate(denseModule(70000));
  const {memory, dense} = instance.exports;
  const floats = new Float32Array(memory.buffer);
  floats.set([...x, ...w, ...b]);
  const at = {x: 0, w: x.length, b: x.length + w.length, y: x.length + w.length + b.length};
  dense(4 * at.x, 4 * at.w, 4 * at.b, 4 * at.y, 4 * x.length, b.length, floor);
  return {y: [...floats.slice(at.y, at.y + b.length)], after: floats[at.y + b.length], bytes: memory.buffer.byteLength};
}

const x = [1, 2, -1, 0.5];
// A row a unit: 1, 2, -1, 0.5 alone; 1+2-1+0.5 = 2.5; 2-2-4+4 = 0; 0; -1-2+1-0.5 = -2.5.
const w = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [1, 1, 1, 1], [2, -1, 4, 8], [0, 0, 0, 0], [-1, -1, -1, -1]].flat();
const b = [0, 10, 0, -1, 0, 3, -7, 0];

suite('the WebAssembly kernel', () => {
  test('y = w x + b', async () => {
    const {y, after, bytes} = await run({x, w, b}, -Infinity);
    assert.deepEqual(y, [1, 12, -1, -0.5, 2.5, 3, -7, -2.5]);
    assert.equal(after, 0);
    assert.equal(bytes, 2 * 65536);
  });
  test('not below the floor', async () => {
    const {y} = await run({x, w, b}, 0);
    assert.deepEqual(y, [1, 12, 0, 0, 2.5, 3, 0, 0]);
  });
});
