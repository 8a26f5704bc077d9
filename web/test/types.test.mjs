// Types of results, beside TensorFlow.js: every elementwise op and every reduction, of every combination of types.
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {suite, test} from 'node:test';
import {fj, judge} from './helpers.mjs';

const index = readFileSync(new URL('../src/forward.ts', import.meta.url), 'utf8');
const elementwise = index.match(/export const \{([^}]*)\} = elementwise/)[1].split(/[\s,]+/).filter(Boolean);
const values = {float32: [[1.5, 3], [2.5, 2]], int32: [[7, 3], [2, 2]], bool: [[true, false], [true, true]]};
const types = Object.keys(values);
const make = (tf, type, i) => tf.tensor(values[type][i], [2], type);

// docs/tensorflowjs.md, "Types of results that differ on purpose".
const real = ['reciprocal', 'expm1', 'log1p', 'asin', 'acos', 'atan', 'sinh', 'asinh', 'acosh', 'atanh', 'logSigmoid', 'softplus', 'selu', 'atan2'];
const differs = (op, given) => {
  if (real.includes(op)) return 'float32';
  if (op === 'floorDiv' && given.includes('float32')) return 'float32';
  const numbers = !op.startsWith('logical') && !op.startsWith('is') && !['equal', 'notEqual', 'less', 'lessEqual', 'greater', 'greaterEqual'].includes(op);
  return numbers && given.every((type) => type === 'bool') && !['exp', 'prelu', 'leakyRelu', 'mean', 'clipByValue'].includes(op) ? 'int32' : undefined;
};

let compared = 0;
function compare(op, given, call) {
  let want;
  try {
    want = call(judge, given.map((type, i) => make(judge, type, i)));
  } catch {
    return;  // TensorFlow.js does not take these types
  }
  const got = call(fj, given.map((type, i) => make(fj, type, i)));
  const other = differs(op, given);
  assert.equal(got.dtype, other ?? want.dtype, `${op}(${given})`);
  if (other === undefined) got.dataSync().forEach((x, i) => assert.ok(Math.abs(x - want.dataSync()[i]) <= 1e-5 * (1 + Math.abs(x)) || Object.is(x, want.dataSync()[i]), `${op}(${given}): ${x}`));
  compared++;
}

suite('types of results, as in TensorFlow.js', () => {
  for (const op of elementwise.filter((name) => name in judge)) {
    test(op, () => {
      for (const a of types) {
        if (fj[op].length === 1) compare(op, [a], (tf, [x]) => tf[op](x));
        else for (const b of types) compare(op, [a, b], (tf, [x, y]) => tf[op](x, y));
      }
    });
  }
  test('with a number, and choices', () => {
    for (const a of types) {
      compare('clipByValue', [a], (tf, [x]) => tf.clipByValue(x, 0, 2));
      compare('step', [a], (tf, [x]) => tf.step(x, 0.5));
      compare('leakyRelu', [a], (tf, [x]) => tf.leakyRelu(x));
      for (const b of types) if (!(a === 'bool' && b === 'bool')) compare('where', [a, b], (tf, [x, y]) => tf.where(tf.tensor([true, false], [2], 'bool'), x, y));
    }
    assert.equal(fj.where([true], make(fj, 'bool', 0), make(fj, 'bool', 1)).dtype, 'bool');
  });
  test('reductions', () => {
    for (const op of ['sum', 'prod', 'mean', 'argMax', 'argMin', 'cumsum']) for (const a of types) compare(op, [a], (tf, [x]) => tf[op](x));
    for (const op of ['max', 'min']) for (const a of types) assert.equal(fj[op](make(fj, a, 0)).dtype, a);
  });
  test('were compared', () => assert.ok(compared > 150, String(compared)));
});

suite('what cannot be, in words', () => {
  const cases = {
    'an index beyond': [() => fj.gather([1, 2], [0, 5]), 'gather: the index value 5 at position 1 is not in [0, 1]'],
    'an index below': [() => fj.gather([[1], [2]], [-1]), 'gather: the index value -1 at position 0 is not in [0, 1]'],
    'a segment beyond': [() => fj.unsortedSegmentSum([1, 2], [0, 3], 2), 'unsortedSegmentSum: the index value 3 at position 1 is not in [0, 1]'],
    'padding that no array holds': [() => fj.pad([1], [[2147483647, 2147483647]]), /^pad: the shape \[too large\] has a size above 2147483647/],
    'a negative epsilon': [() => fj.batchNorm([[1]], [1], [1], [1], [1], -1), /^batchNorm: epsilon must be a finite number of at least 0, got -1/],
  };
  const layer = (inputShape, made) => fj.sequential({layers: [made(inputShape)]}).predict(fj.zeros([1, ...inputShape]));
  Object.assign(cases, {
    'padding of a layer': [
      () => layer([2, 2, 1], (inputShape) => fj.layers.zeroPadding2d({inputShape, padding: 2147483647})),
      /^zero_padding2d_\d+: pad: the shape \[1,too large,too large,1\] has a size above 2147483647, or more than 8 axes \(inputs: float32\[1,2,2,1\]\)$/,
    ],
    'an image that is spread too far': [
      () => layer([3, 3, 1], (inputShape) => fj.layers.upSampling2d({inputShape, size: [2147483647, 1]})),
      /^up_sampling2d_\d+: broadcastTo: the shape \[1,3,2147483647,3,1,1\] has more than the 536870911 elements that an array can have/,
    ],
    'a ninth axis': [
      () => layer([1, 1, 1, 1, 1, 1, 2], (inputShape) => fj.layers.activation({inputShape, activation: 'sparsemax'})),
      /reshape: the shape \[1,1,1,1,1,1,1,too large\] has a size above 2147483647, or more than 8 axes/,
    ],
  });
  for (const [name, [call, message]] of Object.entries(cases)) test(name, () => assert.throws(call, {message}));
  test('a negative segment is dropped', () => assert.deepEqual(fj.unsortedSegmentSum([1, 2, 4], [0, -1, 0], 2).arraySync(), [5, 0]));
  test('what is beyond int32', () =>
    assert.deepEqual(fj.cast([1e10, -1e10, NaN, Infinity, -2.7], 'int32').arraySync(), [2147483647, -2147483648, 0, 2147483647, -2]));
  test('remainders at infinity', () => assert.deepEqual(fj.mod([1, -1, 0], Infinity).arraySync(), [1, Infinity, 0]));
});
