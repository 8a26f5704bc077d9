// Gradients of every op that has one, against TensorFlow.js's, and against differences where it lacks the op; and the functions
// that give gradients.
import assert from 'node:assert/strict';
import {suite, test} from 'node:test';
import {callOf, cases, formulaInputs, formulas, nameOf, splits, tensorsOf} from './cases.mjs';
import {close, closeValues, fj, judge, random} from './helpers.mjs';

/** The gradients of the op's result, each element weighed differently, by its inputs of numbers. */
function gradients(tf, c, call) {
  const tensors = tensorsOf(tf, c);
  const moving = c.inputs.map((i, at) => (i.dtype === 'float32' ? at : -1)).filter((at) => at >= 0);
  const f = (...xs) => {
    const all = tensors.map((t, i) => xs[moving.indexOf(i)] ?? t);
    const y = call(...all);
    return tf.sum(tf.mul(y, tf.tensor(random(y.shape, 0.5, 1.5, 7), y.shape)));
  };
  return tf.grads(f)(moving.map((i) => tensors[i]));
}

suite('gradients are those of TensorFlow.js', () => {
  for (const c of cases.filter((c) => c.grad)) {
    test(nameOf(c), () => {
      const expected = gradients(judge, c, c.equivalent ? (...xs) => c.equivalent(judge, ...xs) : callOf(judge, c));
      gradients(fj, c, callOf(fj, c)).forEach((g, i) => close(g, expected[i], 1e-4, `by input ${i}`));
    });
  }
  for (const c of splits) {
    // The second part only: the others get no gradient.
    test(nameOf(c), () => close(gradients(fj, c, (x) => callOf(fj, c)(x)[1])[0], gradients(judge, c, (x) => callOf(judge, c)(x)[1])[0]));
  }
});

suite('gradients of formulas are their differences', () => {
  const kStep = 1e-5;
  for (const [op, formula] of Object.entries(formulas)) {
    const [f, , , differentiable] = formula;
    if (!differentiable) continue;
    test(op, () => {
      const inputs = formulaInputs(formula).map((i) => i.values);
      const grads = fj.grads((...xs) => fj[op](...xs).sum())(inputs.map((values) => fj.tensor(values)));
      inputs.forEach((values, at) => {
        const moved = (i, by) => f(...inputs.map((v, k) => v[i] + (k === at ? by : 0)));
        const expected = Array.from(values, (_, i) => (moved(i, kStep) - moved(i, -kStep)) / (2 * kStep));
        closeValues(grads[at].dataSync(), expected, 2e-4, `${op} by input ${at}`);
      });
    });
  }
});

test('layerNorm', () => {
  const [x, scale, offset] = [random([3, 8]), random([8]), random([8])];
  const weights = random([3, 8], 0.5, 1.5, 9);
  const ours = fj.grads((...xs) => fj.layerNorm(...xs, -1, 0.01).mul(fj.tensor(weights, [3, 8])).sum())([fj.tensor(x, [3, 8]), scale, offset]);
  const theirs = judge.grads((x, scale, offset) => {
    const {mean, variance} = judge.moments(x, -1, true);
    return x.sub(mean).div(variance.add(0.01).sqrt()).mul(scale).add(offset).mul(judge.tensor(weights, [3, 8])).sum();
  })([judge.tensor(x, [3, 8]), judge.tensor(scale), judge.tensor(offset)]);
  ours.forEach((g, i) => close(g, theirs[i], 1e-4));
});

// ---- the functions ----------------------------------------------------------------------------------------------------------

test('grad: x^3 has the gradient 3 x^2, weighed by dy', () => {
  const df = fj.grad((x) => x.pow(3));
  assert.deepEqual([...df(fj.tensor([1, 2, -1])).dataSync()], [3, 12, 3]);
  assert.deepEqual([...df(fj.tensor([1, 2, -1]), fj.tensor([1, 0, 10])).dataSync()], [3, 0, 30]);
  assert.deepEqual([...df([2]).dataSync()], [12]);
});

test('grads: by each operand', () => {
  const [da, db] = fj.grads((a, b) => a.mul(b).add(b))([fj.scalar(2), fj.scalar(5)]);
  assert.equal(da.dataSync()[0], 5);
  assert.equal(db.dataSync()[0], 3);
});

test('valueAndGrad and valueAndGrads', () => {
  const {value, grad} = fj.valueAndGrad((x) => x.square().sum())([1, 2, 3]);
  assert.equal(value.dataSync()[0], 14);
  assert.deepEqual([...grad.dataSync()], [2, 4, 6]);
  const both = fj.valueAndGrads((a, b) => a.mul(b).sum())([[1, 2], [3, 4]]);
  assert.equal(both.value.dataSync()[0], 11);
  assert.deepEqual(both.grads.map((g) => [...g.dataSync()]), [[3, 4], [1, 2]]);
});

test('a value that is used twice collects both gradients', () => {
  const g = fj.grad((x) => x.mul(x).add(x.sin()))(fj.scalar(0.5)).dataSync()[0];
  assert.ok(Math.abs(g - (1 + Math.cos(0.5))) < 1e-6);
});

test('what the function does not depend on is refused as in TensorFlow.js, or has no gradient', () => {
  assert.throws(() => judge.grads((a) => a.square())([judge.scalar(1), judge.scalar(2)]));
  let gradient;
  try {
    [, gradient] = fj.grads((a) => a.square())([fj.scalar(1), fj.scalar(2)]);
  } catch {
    return;
  }
  assert.equal(gradient.dataSync()[0], 0);
});

test('variables: variableGrads by name, only the trainable ones, or those that are listed', () => {
  const w = fj.variable(fj.tensor([1, 2]), true, 'weights');
  const b = fj.variable([3], true, 'bias');
  const fixed = fj.variable([7], false, 'fixed');
  const loss = () => w.mul(w).sum().add(b.mul(fixed).sum());
  const {value, grads} = fj.variableGrads(loss);
  assert.equal(value.dataSync()[0], 26);
  assert.deepEqual(Object.keys(grads).sort(), ['bias', 'weights']);
  assert.deepEqual([...grads.weights.dataSync()], [2, 4]);
  assert.deepEqual([...grads.bias.dataSync()], [7]);
  assert.deepEqual(Object.keys(fj.variableGrads(loss, [b]).grads), ['bias']);
  for (const v of [w, b, fixed]) v.dispose();
});

test('a variable is assigned values of its own shape and type', () => {
  const v = fj.variable(fj.tensor([1, 2]), true, 'v');
  assert.ok(v instanceof fj.Variable && v instanceof fj.Tensor);
  v.assign(fj.tensor([5, 6]));
  assert.deepEqual([...v.dataSync()], [5, 6]);
  assert.throws(() => v.assign(fj.tensor([1, 2, 3])), /v is float32 \[2\].*\[3\]/);
  v.dispose();
  assert.ok(v.isDisposed);
});

test('functions that have no gradient say so', () => {
  assert.throws(() => fj.variableGrads(() => fj.scalar(1)), /no trainable variables/);
  assert.throws(() => fj.grad(() => 3)(fj.scalar(1)), /must return a tensor/);
  const v = fj.variable([1, 2]);
  assert.throws(() => fj.variableGrads(() => v.square()), /must return a scalar/);
  v.dispose();
});

test('after a failure gradients work again', () => {
  assert.throws(() => fj.grad((x) => x.reshape([99]))(fj.tensor([1, 2])), {message: 'reshape: cannot reshape [2] (2 elements) to [99] (inputs: float32[2])'});
  assert.deepEqual([...fj.grad((x) => x.square())(fj.tensor([1, 2])).dataSync()], [2, 4]);
});
