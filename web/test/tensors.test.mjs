// Making tensors and reading them: shapes, types, nested and typed arrays, printing, random numbers.
import assert from 'node:assert/strict';
import {suite, test} from 'node:test';
import {close, fj, judge, same} from './helpers.mjs';

suite('making', () => {
  const makers = {
    'nested arrays': (tf) => tf.tensor([[1, 2, 3], [4, 5, 6]]),
    'a shape for flat values': (tf) => tf.tensor([1, 2, 3, 4, 5, 6], [3, 2]),
    'whole numbers': (tf) => tf.tensor([1, 2, 3], [3], 'int32'),
    bools: (tf) => tf.tensor([true, false, true]),
    'Float32Array': (tf) => tf.tensor(Float32Array.of(1.5, -2, 3)),
    'Int32Array': (tf) => tf.tensor(Int32Array.of(1, -2, 3)),
    'Uint8Array': (tf) => tf.tensor(Uint8Array.of(0, 7, 255), [3], 'int32'),
    'typed arrays in an array': (tf) => tf.tensor([Float32Array.of(1, 2), Float32Array.of(3, 4)]),
    'a number': (tf) => tf.tensor(7),
    scalar: (tf) => tf.scalar(3.5),
    'scalar bool': (tf) => tf.scalar(true),
    'scalar int32': (tf) => tf.scalar(3, 'int32'),
    tensor1d: (tf) => tf.tensor1d([1, 2, 3]),
    tensor2d: (tf) => tf.tensor2d([1, 2, 3, 4], [2, 2], 'int32'),
    tensor3d: (tf) => tf.tensor3d([[[1], [2]], [[3], [4]]]),
    tensor4d: (tf) => tf.tensor4d([[[[1], [2]], [[3], [4]]]]),
    zeros: (tf) => tf.zeros([2, 3]),
    'zeros bool': (tf) => tf.zeros([2, 3], 'bool'),
    ones: (tf) => tf.ones([2, 3], 'int32'),
    zerosLike: (tf) => tf.zerosLike(tf.tensor([1, 2], [2], 'int32')),
    onesLike: (tf) => tf.onesLike(tf.tensor([[1, 2]])),
    fill: (tf) => tf.fill([2, 2], -1.5),
    range: (tf) => tf.range(0, 5),
    'range by steps': (tf) => tf.range(1, 2, 0.25),
    'range downwards': (tf) => tf.range(5, 0, -2, 'int32'),
    'range that is empty': (tf) => tf.range(3, 3),
    linspace: (tf) => tf.linspace(0, 1, 5),
    'linspace of one': (tf) => tf.linspace(2, 9, 1),
    eye: (tf) => tf.eye(3),
    'eye that is not square': (tf) => tf.eye(2, 4),
    'an empty tensor': (tf) => tf.zeros([0, 3]),
  };
  for (const [name, make] of Object.entries(makers)) test(name, () => close(make(fj), make(judge), 1e-6));
});

suite('what cannot be a tensor', () => {
  const refused = {
    'a shape that does not fit': [() => fj.tensor([1, 2, 3], [2, 2]), /\[3\].*\[2,2\]/],
    'nested arrays of another shape': [() => fj.tensor([[1, 2]], [2, 1]), /\[1,2\].*\[2,1\]/],
    'rows of different lengths': [() => fj.tensor([[1, 2], [3]]), /not regular/],
    strings: [() => fj.tensor(['a', 'b']), /numbers, not string/],
    'a string': [() => fj.tensor('a'), /numbers, not string/],
    'a hole': [() => fj.tensor([1, undefined]), /numbers, not undefined/],
    'a type there is not': [() => fj.tensor([1], [1], 'float64'), /'float64'.*float32.*int32.*bool/],
    'rank 1 where 2 is asked for': [() => fj.tensor2d([1, 2]), /rank 2/],
    'rank 4 for tensor3d': [() => fj.tensor3d([[[[1]]]]), /rank 3/],
    'a negative dimension': [() => fj.zeros([-1, 2]), Error],
    'a fraction of a dimension': [() => fj.zeros([1.5]), Error],
    'too many dimensions': [() => fj.zeros([1, 1, 1, 1, 1, 1, 1, 1, 1]), Error],
    'a range without a step': [() => fj.range(0, 3, 0), /step/],
    'no points': [() => fj.linspace(0, 1, 0), /num/],
  };
  for (const [name, [make, message]] of Object.entries(refused)) {
    test(name, () => {
      const before = fj.memory().numTensors;
      assert.throws(make, message === Error ? Error : {message});
      assert.equal(fj.memory().numTensors, before, 'nothing is left behind');
    });
  }
});

suite('reading', () => {
  test('shape, rank, size, type', () => {
    const t = fj.tensor([[1, 2, 3]], undefined, 'int32');
    assert.deepEqual([t.shape, t.rank, t.size, t.dtype], [[1, 3], 2, 3, 'int32']);
  });
  test('each type as its typed array', async () => {
    assert.ok(fj.tensor([1.5]).dataSync() instanceof Float32Array);
    assert.ok(fj.tensor([1], [1], 'int32').dataSync() instanceof Int32Array);
    assert.ok(fj.tensor([true]).dataSync() instanceof Uint8Array);
    assert.deepEqual(await fj.tensor([1, 2]).data(), Float32Array.of(1, 2));
  });
  test('as nested arrays', async () => {
    const nested = [[[1, 2], [3, 4], [5, 6]]];
    assert.deepEqual(fj.tensor(nested).arraySync(), nested);
    assert.deepEqual(await fj.tensor(nested).array(), nested);
    assert.equal(fj.scalar(4).arraySync(), 4);
    assert.deepEqual(fj.zeros([2, 0]).arraySync(), [[], []]);
  });
  test('as bytes', async () => assert.deepEqual(await fj.tensor([1, -2]).bytes(), new Uint8Array(Float32Array.of(1, -2).buffer)));
  test('what is read is a copy', () => {
    const t = fj.tensor([1, 2]);
    t.dataSync()[0] = 9;
    assert.deepEqual([...t.dataSync()], [1, 2]);
  });
  test('printing', (context) => {
    const print = context.mock.method(console, 'log', () => {});
    fj.tensor([[1, 2.5], [3, 4]]).print();
    assert.match(print.mock.calls[0].arguments[0], /^Tensor\n\s+\[\[1, 2\.5\],\n\s+\[3, 4\]\]$/);
    assert.match(fj.tensor([true, false]).toString(), /\[true, false\]/);
    assert.match(fj.range(0, 100).toString(), /\[0, 1, 2, \.\.\., 97, 98, 99\]/);
  });
});

suite('values are not changed by what is done to copies', () => {
  test('clone', () => {
    const t = fj.tensor([1, 2]);
    const copy = t.clone();
    t.dispose();
    assert.deepEqual([...copy.dataSync()], [1, 2]);
  });
  test('variables do not change the tensor they came from', () => {
    const t = fj.tensor([1, 2]);
    const v = fj.variable(t);
    const optimizer = fj.train.sgd(1);
    optimizer.minimize(() => v.sum(), false, [v]);
    assert.deepEqual([...v.dataSync()], [0, 1]);
    assert.deepEqual([...t.dataSync()], [1, 2]);
    optimizer.dispose();
    v.dispose();
  });
});

suite('random numbers', () => {
  const count = 20000;
  const statistics = (t) => {
    const values = t.dataSync();
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    return {mean, deviation: Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length), min: Math.min(...values), max: Math.max(...values)};
  };
  // Five standard errors of the mean: one run in two million would be outside, and the seed is fixed.
  const kErrors = 5 / Math.sqrt(count);

  test('randomUniform stays in its bounds, with their middle as the mean', () => {
    const s = statistics(fj.randomUniform([count], -1, 3, 'float32', 5));
    assert.ok(s.min >= -1 && s.max < 3 && s.min < -0.99 && s.max > 2.99);
    assert.ok(Math.abs(s.mean - 1) < kErrors * s.deviation);
    assert.ok(Math.abs(s.deviation - 4 / Math.sqrt(12)) < 0.03);
  });
  test('randomNormal has its mean and deviation', () => {
    const s = statistics(fj.randomNormal([count], 2, 0.5, 'float32', 5));
    assert.ok(Math.abs(s.mean - 2) < kErrors * 0.5);
    assert.ok(Math.abs(s.deviation - 0.5) < 0.02);
  });
  test('truncatedNormal stays within two deviations', () => {
    const s = statistics(fj.truncatedNormal([count], 1, 2, 'float32', 5));
    assert.ok(s.min >= -3 && s.max <= 5 && s.min < -2.9 && s.max > 4.9);
    assert.ok(Math.abs(s.mean - 1) < kErrors * 2);
  });
  test('whole numbers', () => {
    const t = fj.randomUniform([1000], 0, 10, 'int32', 5);
    assert.equal(t.dtype, 'int32');
    assert.deepEqual([...new Set(t.dataSync())].sort(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });
  for (const name of ['randomUniform', 'randomNormal', 'truncatedNormal']) {
    test(`${name}: the same seed gives the same numbers, no seed gives others`, () => {
      const draw = (seed) => fj[name]([100], 0, 1, 'float32', seed);
      same(draw(42), draw(42));
      assert.notDeepEqual(draw(42).dataSync(), draw(43).dataSync());
      assert.notDeepEqual(draw().dataSync(), draw().dataSync());
    });
  }
  test('dropout drops its share and scales what stays', () => {
    const values = fj.dropout(fj.ones([count]), 0.25, undefined, 3).dataSync();
    const kept = values.filter((v) => v !== 0);
    assert.ok(Math.abs(kept.length / count - 0.75) < kErrors * Math.sqrt(0.75 * 0.25));
    assert.ok(kept.every((v) => Math.abs(v - 1 / 0.75) < 1e-6));
    assert.throws(() => fj.dropout([1, 2], 0.5, [1]), /noiseShape/);
  });
});
