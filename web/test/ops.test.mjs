// The ops as functions and as chained methods: values, shapes and types against TensorFlow.js, and against formulas of numbers
// where it has none.
import assert from 'node:assert/strict';
import {suite, test} from 'node:test';
import {bitFormulas, callOf, cases, formulaInputs, formulas, i32, nameOf, splits, tensorsOf} from './cases.mjs';
import {close, closeValues, fj, judge, random, same} from './helpers.mjs';

suite('ops give what TensorFlow.js gives', () => {
  for (const c of cases) {
    test(nameOf(c), () => {
      const result = callOf(fj, c)(...tensorsOf(fj, c));
      close(result, callOf(judge, c)(...tensorsOf(judge, c)), 2e-5);
      same(method(c), result, 'as a chained method');
    });
  }
  for (const c of splits) {
    test(nameOf(c), () => {
      const parts = callOf(fj, c)(...tensorsOf(fj, c));
      const expected = callOf(judge, c)(...tensorsOf(judge, c));
      assert.equal(parts.length, expected.length);
      parts.forEach((part, i) => close(part, expected[i]));
      tensorsOf(fj, c)[0][c.op](...c.args).forEach((part, i) => same(part, parts[i], 'as a chained method'));
    });
  }
});

/** The case by the method of its first tensor; the few functions that have none stay functions. */
function method(c) {
  const [first, ...rest] = tensorsOf(fj, c);
  if (typeof first[c.op] !== 'function') {
    assert.ok(['addN', 'clone', 'einsum'].includes(c.op), `${c.op} is no method`);
    return callOf(fj, c)(first, ...rest);
  }
  if (c.op === 'where') return rest[0].where(first, rest[1]);
  return c.list ? first[c.op](rest, ...c.args) : first[c.op](...rest, ...c.args);
}

suite('ops that TensorFlow.js has not give what their formulas give', () => {
  for (const [op, formula] of Object.entries(formulas)) {
    test(op, () => {
      const inputs = formulaInputs(formula).map((i) => i.values);
      const tensors = inputs.map((values) => fj.tensor(values));
      const expected = Array.from(inputs[0], (_, i) => formula[0](...inputs.map((values) => values[i])));
      closeValues(fj[op](...tensors).dataSync(), expected, 1e-5, op);
      closeValues(tensors[0][op](...tensors.slice(1)).dataSync(), expected, 1e-5, op);
    });
  }
  for (const [op, formula] of Object.entries(bitFormulas)) {
    test(op, () => {
      const inputs = Array.from({length: formula.length}, () => i32([33], -1000, 1000).values);
      const [first, ...rest] = inputs.map((values) => fj.tensor(values, [33], 'int32'));
      const result = fj[op](first, ...rest);
      assert.equal(result.dtype, 'int32');
      assert.deepEqual([...result.dataSync()], Array.from(inputs[0], (_, i) => formula(...inputs.map((values) => values[i]))));
      same(first[op](...rest), result);
    });
  }
});

test('layerNorm normalises the last axis', () => {
  const [x, scale, offset] = [random([3, 8]), random([8]), random([8])];
  const result = fj.layerNorm(fj.tensor(x, [3, 8]), scale, offset, -1, 0.01);
  const expected = judge.tidy(() => {
    const {mean, variance} = judge.moments(judge.tensor(x, [3, 8]), -1, true);
    return judge.tensor(x, [3, 8]).sub(mean).div(variance.add(0.01).sqrt()).mul(scale).add(offset);
  });
  close(result, expected);
});

test('moments', () => {
  const x = random([3, 4, 5]);
  for (const args of [[], [1], [[0, 2], true]]) {
    const ours = fj.moments(fj.tensor(x, [3, 4, 5]), ...args);
    const theirs = judge.moments(judge.tensor(x, [3, 4, 5]), ...args);
    close(ours.mean, theirs.mean);
    close(ours.variance, theirs.variance);
  }
});

test('identity is clone', () => same(fj.identity([1, 2]), fj.tensor([1, 2])));

test('methods that change shape or type', () => {
  const of = (tf) => {
    const t = tf.tensor([1.5, 0, -2.5, 4], [2, 2]);
    const eight = tf.tensor(Array.from({length: 8}, (_, i) => i));
    return [
      t.flatten(), t.as1D(), eight.as2D(2, 4), eight.as3D(2, 2, 2), eight.as4D(1, 2, 2, 2), tf.tensor([7]).asScalar(), eight.reshapeAs(tf.zeros([4, 2])),
      t.toFloat(), t.toInt(), t.toBool(),
    ];
  };
  const theirs = of(judge);
  of(fj).forEach((t, i) => close(t, theirs[i]));
});

test('ops take numbers, nested arrays and typed arrays', () => {
  assert.equal(fj.add(1, 2).dataSync()[0], 3);
  assert.deepEqual(fj.mul([[1, 2], [3, 4]], 10).arraySync(), [[10, 20], [30, 40]]);
  assert.deepEqual(fj.matMul([[1, 2]], [[3], [4]]).arraySync(), [[11]]);
  assert.deepEqual([...fj.tensor([1, 2]).add(Float32Array.of(5, 6)).dataSync()], [6, 8]);
});

test('mixed types become the wider one', () => {
  const mixed = (tf) => [
    tf.add(tf.scalar(1, 'int32'), tf.scalar(0.5)), tf.mul(tf.tensor([true, false]), tf.scalar(3, 'int32')), tf.div(tf.scalar(7, 'int32'), tf.scalar(2, 'int32')),
    tf.sub(tf.tensor([true, false]), tf.scalar(0.5)),
  ];
  const theirs = mixed(judge);
  mixed(fj).forEach((t, i) => close(t, theirs[i], 1e-6, `pair ${i}`));
});
