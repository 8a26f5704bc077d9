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

test('what the function does not depend on is refused as in TensorFlow.js', () => {
  const words = (which) => `Cannot compute gradient of y=f(x) with respect to x${which}: y does not depend on it. All ops that lead from x to y have to be called inside of f`;
  for (const tf of [judge, fj]) {
    const outside = tf.scalar(3).square();
    const refusal = (which) => (tf === judge ? /Cannot compute gradient of y=f\(x\) with respect to x/ : {message: words(which)});
    assert.throws(() => tf.grads((a) => a.square())([tf.scalar(1), tf.scalar(2)]), refusal(' number 1'));
    assert.throws(() => tf.grad(() => outside)(tf.scalar(1)), refusal(''));
    assert.throws(() => tf.grad(() => outside.square())(tf.scalar(1)), refusal(''));
  }
});

suite('what depends by steps alone has the gradient zero, as in TensorFlow.js', () => {
  const steps = {
    floor: (tf, x) => tf.floor(x),
    ceil: (tf, x) => tf.ceil(x),
    round: (tf, x) => tf.round(x),
    sign: (tf, x) => tf.sign(x),
    step: (tf, x) => tf.step(x, 0.5),
    argMax: (tf, x) => tf.argMax(x),
    argMin: (tf, x) => tf.argMin(x),
    'a comparison': (tf, x) => tf.greater(x, 0),
    'a condition': (tf, x) => tf.where(tf.less(x, 1), tf.ones([3]), tf.zeros([3])),
    'a cast': (tf, x) => tf.cast(tf.cast(x, 'int32'), 'float32'),
    oneHot: (tf, x) => tf.oneHot(tf.cast(x, 'int32'), 3),
  };
  for (const [name, f] of Object.entries(steps)) {
    test(name, () => {
      // TensorFlow.js has none of a comparison, and lets a cast to whole numbers pass as if it changed nothing.
      for (const tf of ['a comparison', 'a condition', 'a cast'].includes(name) ? [fj] : [fj, judge]) {
        const g = tf.grad((x) => f(tf, x))(tf.tensor1d([0.3, 1.7, -2.2]));
        assert.deepEqual([...g.dataSync()].map(Math.abs), [0, 0, 0], tf === fj ? 'ours' : 'theirs');
        assert.deepEqual(g.shape, [3]);
      }
    });
  }
  test('beside a slope', () => {
    const g = fj.grad((x) => x.square().add(x.floor()).add(x.argMax().toFloat()))(fj.tensor1d([1.5, 3]));
    assert.deepEqual([...g.dataSync()], [3, 6]);
  });
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
  assert.deepEqual(fj.variableGrads(loss, [b, fixed]).grads.fixed, null);
  for (const v of [w, b, fixed]) v.dispose();
});

suite('variables beside the loss', () => {
  const withVariables = (tf, f) => {
    const made = [tf.variable(tf.tensor1d([1, 2]), true, 'used'), tf.variable(tf.tensor1d([5]), true, 'unused')];
    try {
      return f(...made);
    } finally {
      for (const v of made) v.dispose();
    }
  };
  test('are left out of variableGrads, and minimize leaves them alone', () => {
    for (const tf of [fj, judge]) {
      withVariables(tf, (used, unused) => {
        assert.deepEqual(Object.keys(tf.variableGrads(() => used.square().sum()).grads), ['used']);
        assert.deepEqual(Object.keys(tf.variableGrads(() => used.square().sum(), [used, unused]).grads), ['used']);
        tf.train.sgd(0.25).minimize(() => used.square().sum());
        tf.train.sgd(0.25).minimize(() => used.square().sum(), false, [unused, used]);
        assert.deepEqual([...used.dataSync()], [0.25, 0.5]);
        assert.deepEqual([...unused.dataSync()], [5]);
      });
    }
  });
  test('alone are an error', () => {
    for (const tf of [fj, judge]) {
      withVariables(tf, (used, unused) => {
        const words = /Cannot find a connection between any variable and the result of the loss function y=f\(x\)/;
        assert.throws(() => tf.train.sgd(0.1).minimize(() => tf.scalar(1).square()), words);
        assert.throws(() => tf.variableGrads(() => used.sum(), [unused]), words);
      });
    }
  });
});

test('two variables of one name are refused, until the first is disposed of', () => {
  for (const tf of [fj, judge]) {
    const v = tf.variable(tf.scalar(1), true, 'twice');
    assert.throws(() => tf.variable(tf.scalar(1), true, 'twice'), /Variable with name twice was already registered/);
    v.dispose();
    tf.variable(tf.scalar(1), true, 'twice').dispose();
  }
});

test('applyGradients takes gradients by name and as a list, and refuses names that there are not', () => {
  const v = fj.variable([1, 2], true, 'applied');
  const optimizer = fj.train.sgd(1);
  optimizer.applyGradients({applied: fj.tensor1d([1, 0])});
  optimizer.applyGradients([{name: 'applied', tensor: fj.tensor1d([0, 1])}]);
  optimizer.applyGradients({applied: null});
  assert.deepEqual([...v.dataSync()], [0, 1]);
  const words = {message: 'applyGradients: there is no variable named missing'};
  assert.throws(() => optimizer.applyGradients({applied: fj.ones([2]), missing: fj.ones([2])}), words);
  assert.throws(() => optimizer.applyGradients([{name: 'missing', tensor: fj.ones([2])}]), words);
  assert.deepEqual([...v.dataSync()], [0, 1]);
  v.dispose();
});

suite('a model inside of a function that is differentiated', () => {
  const network = () => {
    const model = fj.sequential({layers: [fj.layers.dense({units: 1, inputShape: [2]})]});
    model.compile({optimizer: 'sgd', loss: 'meanSquaredError'});
    return model;
  };
  const x = () => fj.tensor2d([[1, 2], [3, 4]]);
  test('is a constant where the gradient is by something else', () => {
    const model = network();
    const predicted = model.predict(x()).dataSync();
    const g = fj.grad((t) => model.predict(x()).mul(t).sum())(fj.ones([2, 1]));
    assert.deepEqual([...g.dataSync()], [...predicted]);
    const v = fj.variable(fj.ones([2, 1]), true, 'student');
    assert.deepEqual([...fj.variableGrads(() => v.mul(model.predict(x())).sum(), [v]).grads.student.dataSync()], [...predicted]);
    // Beside the loss it adds nothing.
    const {grads} = fj.variableGrads(() => (model.predict(x()), v.sum()));
    assert.deepEqual([...grads.student.dataSync()], [1, 1]);
    v.dispose();
  });
  test('before it, or in a tidy alone, predicts as ever', () => {
    const model = network();
    const before = model.predict(x());
    const g = fj.grad((t) => t.mul(before).sum())(fj.ones([2, 1]));
    assert.deepEqual([...g.dataSync()], [...before.dataSync()]);
    assert.deepEqual([...fj.tidy(() => model.predict(x())).dataSync()], [...before.dataSync()]);
  });
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
  assert.throws(() => fj.variableGrads(() => fj.scalar(1)), {message: 'variableGrads: there are no trainable variables among the 0 given; make some with tf.variable'});
  assert.throws(() => fj.grad(() => 3)(fj.scalar(1)), /must return a tensor/);
  const v = fj.variable([1, 2]);
  assert.throws(() => fj.variableGrads(() => v.square()), /must return a scalar/);
  v.dispose();
});

test('whole numbers have no gradient, and conditions one of 0', () => {
  const words = {message: 'There is no gradient with respect to an int32 tensor: make it float32 before, with toFloat()'};
  const n = fj.tensor([1, 2], [2], 'int32');
  assert.throws(() => fj.grad((t) => t.toFloat().square().sum())(n), words);
  assert.throws(() => fj.grads((x, t) => x.pow(t))([fj.tensor([1, 2]), n]), words);
  const v = fj.variable(n, true, 'counted');
  const w = fj.variable([1, 2]);
  const before = fj.memory().numTensors;
  const ofVariables = {message: 'There is no gradient with respect to the int32 variable counted: make it float32, or not trainable'};
  assert.throws(() => fj.variableGrads(() => v.toFloat().mul(w).sum()), ofVariables);
  assert.throws(() => fj.train.sgd(1).minimize(() => v.toFloat().mul(w).sum(), false, [w, v]), ofVariables);
  assert.equal(fj.memory().numTensors, before);
  // One that is not used is not asked for.
  fj.train.sgd(1).minimize(() => w.sum());
  assert.deepEqual([...w.dataSync()], [0, 1]);
  fj.dispose([v, w]);

  const [byCondition, byA] = fj.grads((c, a) => fj.where(c, a, [7, 7]))([fj.tensor([true, false]), fj.tensor([1, 2])]);
  assert.deepEqual([[...byCondition.dataSync()], [...byA.dataSync()]], [[0, 0], [1, 0]]);
});

test('results that are whole have a gradient of 0, with any dy', () => {
  const dy = [0.5, 2];
  const functions = {
    argMax: (tf) => (x) => tf.argMax(x, 1),
    greaterEqual: (tf) => (x) => tf.greaterEqual(tf.sum(x, 1), 0),
    isNaN: (tf) => (x) => tf.isNaN(tf.sum(x, 1)),
  };
  for (const [name, f] of Object.entries(functions)) {
    for (const tf of [fj, judge]) {
      const g = tf.grad(f(tf))(tf.tensor([[1, 2], [3, 4]]), tf.tensor(dy));
      assert.deepEqual([g.dtype, ...g.dataSync()], ['float32', 0, 0, 0, 0], name);
    }
  }
});

test('after a failure gradients work again', () => {
  assert.throws(() => fj.grad((x) => x.reshape([99]))(fj.tensor([1, 2])), {message: 'reshape: cannot reshape [2] (2 elements) to [99] (inputs: float32[2])'});
  assert.deepEqual([...fj.grad((x) => x.square())(fj.tensor([1, 2])).dataSync()], [2, 4]);
});

suite('variables that are assigned to meanwhile, as in TensorFlow.js', () => {
  const cases = {
    'what is assigned carries no gradient': (tf, e, v) => tf.variableGrads(() => (e.assign(v.square()), e.add(v)), [v]).grads[v.name],
    'nor does it by an argument': (tf, e) => tf.grad((x) => (e.assign(x.square()), e.add(x)))(tf.scalar(3)),
    'nor what a variable begins with': (tf) => tf.grad((x) => tf.variable(x.square()).add(x))(tf.scalar(3)),
    'nor what was assigned before': (tf, e) => {
      const x = tf.scalar(3);
      e.assign(x);
      return tf.grad((x) => e.mul(x))(x);
    },
    'what was computed before keeps its way': (tf, e, v) => {
      const f = () => {
        const r = v.square();
        v.assign(tf.scalar(10));
        return r.mul(v);
      };
      return tf.variableGrads(f, [v]).grads[v.name];
    },
    'also twice, and from itself': (tf, e, v) => {
      const f = () => {
        const r = v.square();
        v.assign(tf.scalar(10));
        v.assign(v.add(1));
        return r.mul(v).add(v.square());
      };
      return tf.variableGrads(f, [v]).grads[v.name];
    },
    'also of a gradient': (tf, e, v) => {
      const inner = (u) => {
        const r = v.mul(u).square();
        v.assign(tf.scalar(5));
        return r.mul(v).mul(u);
      };
      return tf.variableGrads(() => tf.grad(inner)(tf.scalar(3)), [v]).grads[v.name];
    },
  };
  for (const [name, f] of Object.entries(cases)) {
    test(name, () => {
      const run = (tf) => f(tf, tf.variable(tf.scalar(0)), tf.variable(tf.scalar(2)));
      close(run(fj), run(judge));
    });
  }
  test('nothing is left of it', () => {
    const v = fj.variable(fj.scalar(2));
    const step = () => fj.train.sgd(0.1).minimize(() => (v.assign(v.square()), v.square()), false, [v]);
    step();
    const before = fj.memory().numTensors;
    step();
    assert.equal(fj.memory().numTensors, before);
    v.dispose();
  });
});
