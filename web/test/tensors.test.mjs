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
    'an empty list': (tf) => tf.tensor([]),
    'empty rows': (tf) => tf.tensor([[], []]),
    'integers in arrays': (tf) => tf.tensor([Int32Array.of(1, 2), Int32Array.of(3, 4)]),
    'bytes in arrays': (tf) => tf.tensor([Uint8Array.of(1, 255), Uint8Array.of(3, 4)]),
    'the type of the first': (tf) => tf.tensor([true, 0, 2]),
    'a number and a boolean': (tf) => tf.tensor([2, true]),
    'fractions as integers': (tf) => tf.tensor([1.9, -1.9, NaN], [3], 'int32'),
    'integers that float32 has not': (tf) => tf.tensor([16777217, -16777219, 2147483647, -2147483648], [4], 'int32'),
    'fractions as bools': (tf) => tf.tensor([0.4, 0.5, -0.6, NaN, 0], [5], 'bool'),
    'bools as integers': (tf) => tf.tensor([true, false], [2], 'int32'),
    'nested rows of which the last axis is divided': (tf) => tf.tensor([[1, 2, 3, 4], [5, 6, 7, 8]], [2, 2, 2]),
    'a number with a shape': (tf) => tf.tensor(5, [1, 1]),
    'null for the shape and the type': (tf) => tf.tensor([1, 2], null, null),
    'scalar of an integer that float32 has not': (tf) => tf.scalar(16777217, 'int32'),
    'zeros without a type': (tf) => tf.zeros([2], null),
    'fill with a boolean': (tf) => tf.fill([2], true),
    'fill with an integer that float32 has not': (tf) => tf.fill([2], 16777217, 'int32'),
    'range of integers that float32 has not': (tf) => tf.range(16777216, 16777222, 1, 'int32'),
    'range to the end of int32': (tf) => tf.range(2147483640, 2147483647, 3, 'int32'),
    'eye in batches': (tf) => tf.eye(2, 3, [2, 2], 'int32'),
    'eye of bools': (tf) => tf.eye(2, null, null, 'bool'),
    'onesLike of an array': (tf) => tf.onesLike([[1, 2]]),
  };
  for (const [name, make] of Object.entries(makers)) test(name, () => close(make(fj), make(judge), 1e-6));
});

suite('what cannot be a tensor', () => {
  const one = fj.scalar(1);
  const kNoValues = 'values passed to tensor(values) must be a number/boolean or an array of numbers/booleans, or a TypedArray';
  const kNoShape = (shape) => `Tensor must have a shape comprised of positive integers but got shape [${shape}].`;
  const refused = {
    'a shape that does not fit': [() => fj.tensor([1, 2, 3], [2, 2]), 'Based on the provided shape, [2,2], the tensor should have 4 values but has 3'],
    'nested arrays of another shape': [
      () => fj.tensor([[1, 2]], [2, 1]), 'Error creating a new Tensor. Inferred shape (1,2) does not match the provided shape (2,1). '],
    'rows of different lengths': [() => fj.tensor([[1, 2], [3]]), 'Element arr[1] should have 2 elements, but has 1 elements'],
    'a number for a row': [() => fj.tensor([[1, 2], 3]), 'Element arr[1] is a primitive, but should be an array/TypedArray of 2 elements'],
    'a row for a number': [() => fj.tensor([1, [2, 3]]), 'Element arr[1] should be a primitive, but is an array of 2 elements'],
    strings: [() => fj.tensor(['a', 'b']), "Element arr[0] should be a number or a boolean, but got 'String'"],
    'a string': [() => fj.tensor('a'), kNoValues],
    nothing: [() => fj.tensor(null), kNoValues],
    'an object': [() => fj.tensor({}), kNoValues],
    'an array of doubles': [() => fj.tensor(Float64Array.of(1)), kNoValues],
    'a hole': [() => fj.tensor([1, undefined]), "Element arr[1] should be a number or a boolean, but got 'null'"],
    'null among rows': [() => fj.tensor([[1, 2], [3, null]]), "Element arr[1][1] should be a number or a boolean, but got 'null'"],
    'tensors in an array': [() => fj.tensor([[one]]), "Element arr[0][0] should be a number or a boolean, but got 'Tensor'"],
    'a type there is not': [() => fj.tensor([1], [1], 'float64'), "The dtype 'float64' is not supported: use 'float32', 'int32' or 'bool'"],
    'rank 1 where 2 is asked for': [() => fj.tensor2d([1, 2]), 'tensor2d() requires shape to be provided when `values` are a flat/TypedArray'],
    'rank 4 for tensor3d': [() => fj.tensor3d([[[[1]]]]), 'tensor3d() requires values to be number[][][] or flat/TypedArray'],
    'three numbers for the shape of rank 4': [() => fj.tensor4d([1], [1, 1, 1]), 'tensor4d() requires shape to have four numbers'],
    'rank 2 for tensor1d': [() => fj.tensor1d([[1]]), 'tensor1d() requires values to be a flat/TypedArray'],
    'nothing for tensor1d': [() => fj.tensor1d(null), 'The input to the tensor constructor must be a non-null value.'],
    'an array for scalar': [() => fj.scalar([1]), 'Error creating a new Scalar: value must be a primitive (number|boolean)'],
    'beyond int32': [() => fj.tensor([1, 3e9], [2], 'int32'), 'Element 1 of an int32 tensor: 3000000000 is outside of int32, -2147483648 to 2147483647'],
    'a scalar beyond int32': [() => fj.scalar(-(2 ** 31) - 1, 'int32'), /-2147483649 is outside of int32/],
    'infinite for int32': [() => fj.fill([2], Infinity, 'int32'), 'fill: value: Infinity is outside of int32, -2147483648 to 2147483647'],
    'a text to fill with': [() => fj.fill([2], '3'), "fill: value must be a number or a boolean, got '3'"],
    'a negative dimension': [() => fj.zeros([-1, 2]), kNoShape('-1,2')],
    'a fraction of a dimension': [() => fj.zeros([1.5]), kNoShape('1.5')],
    'a text for a dimension': [() => fj.ones(['3']), kNoShape('3')],
    'NaN for a dimension': [() => fj.fill([NaN], 1), kNoShape('NaN')],
    'a number for a shape': [() => fj.zeros(3), "A shape must be an array of numbers, but got 'Number'"],
    'a dimension beyond int32': [() => fj.zeros([2 ** 32 + 3]), 'The shape [4294967299] is too large: a tensor has at most 536870911 elements'],
    'a dimension beyond int32 beside an empty one': [() => fj.zeros([0, 2 ** 40]), /too large/],
    'too many elements': [() => fj.randomNormal([2 ** 16, 2 ** 16]), 'The shape [65536,65536] is too large: a tensor has at most 536870911 elements'],
    'one element too many': [() => fj.zeros([2 ** 29]), 'The shape [536870912] is too large: a tensor has at most 536870911 elements'],
    'too many dimensions': [() => fj.zeros([1, 1, 1, 1, 1, 1, 1, 1, 1]), 'a tensor has at most 8 axes, got 9'],
    'a range without a step': [() => fj.range(0, 3, 0), 'Cannot have a step of zero'],
    'a range without an end': [() => fj.range(0, Infinity), 'range: stop must be a finite number, got Infinity'],
    'a range that is too long': [() => fj.range(0, 1e12), /\[1000000000000\] is too large/],
    'fractions in a range of integers': [() => fj.range(0, 3, 0.5, 'int32'), 'range: step must be a whole number, got 0.5'],
    'a range beyond int32': [() => fj.range(2 ** 31 - 2, 2 ** 31 + 2, 1, 'int32'), 'range: 2147483649 is outside of int32, -2147483648 to 2147483647'],
    'a range of bools': [() => fj.range(0, 2, 1, 'bool'), "range: dtype must be 'float32' or 'int32', got 'bool'"],
    'no points': [() => fj.linspace(0, 1, 0), 'The number of values should be positive.'],
    'half a point': [() => fj.linspace(0, 1, 2.5), kNoShape('2.5')],
    'a matrix of -1 rows': [() => fj.eye(-1), kNoShape('-1,-1')],
    'batches of matrices, half of one': [() => fj.eye(2, 2, [0.5]), kNoShape('0.5')],
    'normal bools': [() => fj.randomNormal([2], 0, 1, 'bool'), 'Unsupported data type bool'],
    'an object for a seed': [() => fj.randomUniform([2], 0, 1, 'float32', {}), 'A seed must be a number or a string, got Object'],
  };
  for (const [name, [make, message]] of Object.entries(refused)) {
    test(name, () => {
      const before = fj.memory().numTensors;
      assert.throws(make, {message});
      assert.equal(fj.memory().numTensors, before, 'nothing is left behind');
    });
  }
});

test('a variable takes its type', () => {
  const made = [fj.variable(fj.tensor([1.7]), true, undefined, 'int32'), fj.variable([1.7], true, undefined, 'int32'), fj.variable([1.7], true, undefined, null)];
  assert.deepEqual(made.map((v) => [v.dtype, ...v.dataSync()]), [['int32', 1], ['int32', 1], ['float32', Math.fround(1.7)]]);
  fj.dispose(made);
});

suite('reading', () => {
  test('strides and rankType are those of TensorFlow.js', () => {
    for (const shape of [[], [3], [2, 3], [2, 3, 4], [1, 2, 3, 4], [2, 0, 3], [1, 2, 1, 2, 3], [1, 1, 1, 1, 1, 2]]) {
      const [ours, theirs] = [fj, judge].map((tf) => tf.zeros(shape)).map((t) => [t.strides, t.rankType]);
      assert.deepEqual(ours, theirs, String(shape));
    }
  });
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
    fj.tensor([true, false]).print(true);
    assert.deepEqual(print.mock.calls.map((call) => call.arguments), [
      ['Tensor\n    [[1, 2.5],\n     [3, 4  ]]'],
      ['Tensor\n  dtype: bool\n  rank: 1\n  shape: [2]\n  values:\n    [true, false]'],
    ]);
  });
  test('texts are those of TensorFlow.js', () => {
    const wide = (n) => Float32Array.from({length: n}, (_, i) => ((i * 7919) % 1000) / (i % 7 ? 8 : 1) - 50);
    const shapes = [[], [1], [5], [20], [21], [3, 3], [1, 4], [4, 1], [2, 3, 2], [1, 1, 2], [3, 1, 2], [2, 2, 2, 2], [1, 2, 1, 3], [2, 20], [20, 2], [2, 1, 0], [0], [0, 1], [1, 0, 1], [3, 0]];
    for (const shape of shapes) {
      const size = shape.reduce((n, d) => n * d, 1);
      for (const dtype of ['float32', 'int32', 'bool']) {
        const values = dtype === 'float32' ? wide(size) : Array.from(wide(size), Math.trunc);
        for (const verbose of [false, true]) {
          assert.equal(fj.tensor(values, shape, dtype).toString(verbose), judge.tensor(values, shape, dtype).toString(verbose), `${dtype} [${shape}]`);
        }
      }
    }
    for (const shape of [[100], [30, 4], [4, 30], [30, 30], [2, 30, 2], [30, 2, 2]]) {
      assert.equal(fj.ones(shape).toString(), judge.ones(shape).toString(), `[${shape}]`);
    }
    for (const values of [[0.1, -1 / 3, 1e10, 3.4e38], [NaN, Infinity, -Infinity, -0]]) assert.equal(fj.tensor(values).toString(), judge.tensor(values).toString());
    assert.equal(fj.scalar(0.1).toString(), 'Tensor\n    0.10000000149011612');
  });
  test('small numbers are not shown as 0', () => {
    assert.equal(fj.tensor([1e-8, -1.5e-30, 0.0005, 0]).toString(), 'Tensor\n    [1e-8, -1.5e-30, 0.0005, 0]');
  });
  test('columns are as wide as what is shown of them', () => {
    const t = fj.tensor(Array.from({length: 30}, (_, i) => [i === 15 ? 123456 : 1, 2]));
    assert.equal(t.toString(), 'Tensor\n    [[1, 2],\n     [1, 2],\n     [1, 2],\n     ...,\n     [1, 2],\n     [1, 2],\n     [1, 2]]');
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
  test('normal integers are rounded', () => {
    for (const name of ['randomNormal', 'truncatedNormal']) {
      const [whole, exact] = ['int32', 'float32'].map((dtype) => [...fj[name]([1000], 0, 3, dtype, 5).dataSync()]);
      assert.deepEqual(whole, exact.map((v) => Math.round(v) + 0), name);
    }
  });
  test('uniform integers are cut, and bools are of them', () => {
    const [whole, exact] = ['int32', 'float32'].map((dtype) => [...fj.randomUniform([1000], -3, 3, dtype, 5).dataSync()]);
    assert.deepEqual(whole, exact.map((v) => Math.trunc(v) + 0));
    const bools = fj.randomUniform([1000], 0, 2, 'bool', 5).dataSync();
    assert.deepEqual([...bools], [...fj.randomUniform([1000], 0, 2, 'int32', 5).dataSync()]);
  });
  test('seeds of any kind: each gives its own numbers, again and again', () => {
    const seeds = [0, 1, -1, 0.5, 0.25, 1e-9, 2 ** 32 + 1, 2 ** 40 + 1, 'a', 'b', 'ab'];
    const of = (seed) => String(fj.randomUniform([4], 0, 1, 'float32', seed).dataSync());
    assert.equal(new Set(seeds.map(of)).size, seeds.length);
    assert.deepEqual(seeds.map(of), seeds.map(of));
  });
  test('dropout of whole rows', () => {
    const x = fj.tensor(Float32Array.from({length: 200}, (_, i) => i + 1), [100, 2]);
    for (const noiseShape of [[100, 1], [null, 1]]) {
      const rows = fj.dropout(x, 0.5, noiseShape, 3).arraySync();
      const kept = rows.map(([a, b], i) => (a === 0 && b === 0 ? 0 : a === 4 * i + 2 && b === 4 * i + 4 ? 1 : NaN));
      const count = kept.reduce((a, b) => a + b, 0);
      assert.ok(count > 30 && count < 70, `${count} of 100 rows`);
    }
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
  });
});
