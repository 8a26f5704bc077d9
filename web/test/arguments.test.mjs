// Wrong arguments of every op, with the exact words. What is no tensor is compared with what TensorFlow.js says of it; the rest has a
// row for each op: an exported op without one fails.
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {suite, test} from 'node:test';
import {fj, judge} from './helpers.mjs';

// Its words are those of a development build.
judge.env().set('TENSORLIKE_CHECK_SHAPE_CONSISTENCY', true);

const index = readFileSync(new URL('../src/forward.ts', import.meta.url), 'utf8');
const namesIn = (pattern) => index.match(pattern)[1].split(/[\s,]+/).filter(Boolean);
const elementwise = namesIn(/export const \{([^}]*)\} = elementwise/);
const ops = [...elementwise, ...namesIn(/export \{([^}]*)\} from '.\/ops.js'/)];

const zeros = (...shape) => fj.zeros(shape);
const ints = (...values) => fj.tensor(values, [values.length], 'int32');

function wordsOf(call) {
  try {
    call();
  } catch (error) {
    return error.message;
  }
  assert.fail(`${call} throws nothing`);
}

// ---- what is no tensor ----------------------------------------------------------------------------------------------------------

const wrong = {null: null, undefined, 'an object': {}, 'a function': () => 1, 'a map': new Map(), 'an array of doubles': Float64Array.of(1)};
/** The names of the tensors that an op takes, and what it is called with: right, but for the one that is wrong. */
const image = [[[[1]]]];
const tensorArguments = {
  ...Object.fromEntries(elementwise.map((op) => [op, fj[op].length === 1 ? [['x'], [1]] : [['a', 'b'], [1, 1]]])),
  pow: [['base', 'exp'], [1, 1]], bitwiseAnd: [['x', 'y'], [ints(1), ints(1)]], bitwiseOr: [['x', 'y'], [ints(1), ints(1)]], bitwiseXor: [['x', 'y'], [ints(1), ints(1)]],
  all: [['x'], [true]], any: [['x'], [true]], ...Object.fromEntries(['argMax', 'argMin', 'cumsum', 'logSumExp', 'max', 'mean', 'min', 'prod', 'sum', 'moments'].map((op) => [op, [['x'], [[1]]]])),
  cast: [['x'], [1, 'int32']], clone: [['x'], [1]], identity: [['x'], [1]], clipByValue: [['x'], [1, 0, 2]], dropout: [['x'], [1, 0.5]], elu: [['x'], [1]],
  expandDims: [['x'], [1, 0]], gather: [['x', 'indices'], [[1], [0]]], leakyRelu: [['x'], [1]], logSoftmax: [['logits'], [[1]]], softmax: [['logits'], [[1]]],
  matMul: [['a', 'b'], [[[1]], [[1]]]], dot: [['t1', 't2'], [[1], [1]]], outerProduct: [['v1', 'v2'], [[1], [1]]], mirrorPad: [['x'], [[1, 2], [[1, 0]], 'reflect']],
  oneHot: [['indices'], [[0], 3]], onesLike: [['x'], [1]], zerosLike: [['x'], [1]], pad: [['x'], [[1], [[1, 1]]]], prelu: [['x', 'alpha'], [1, 1]],
  reshape: [['x'], [[1], [1, 1]]], reverse: [['x'], [[1]]], slice: [['x'], [[1], 0]], split: [['x'], [[1, 2], 2]], squeeze: [['x'], [[1]]], step: [['x'], [1]],
  stridedSlice: [['x'], [[1], [0], [1]]], tile: [['x'], [[1], [2]]], transpose: [['x'], [[1]]], unsortedSegmentSum: [['x', 'segmentIds'], [[1], [0], 1]],
  unstack: [['x'], [[1]]], where: [['condition', 'a', 'b'], [true, 1, 1]], broadcastTo: [['x'], [1, [2]]],
  conv2d: [['x', 'filter'], [image, image, 1, 'same']], depthwiseConv2d: [['x', 'filter'], [image, image, 1, 'same']],
  separableConv2d: [['x', 'depthwiseFilter', 'pointwiseFilter'], [image, image, image, 1, 'same']],
  conv2dTranspose: [['x', 'filter'], [image, image, [1, 1, 1, 1], 1, 'same']], avgPool: [['x'], [image, 1, 1, 'same']], maxPool: [['x'], [image, 1, 1, 'same']],
  conv1d: [['x', 'filter'], [[[[1]]], [[[1]]], 1, 'same']], conv3d: [['x', 'filter'], [[image], [image], 1, 'same']],
  conv3dTranspose: [['x', 'filter'], [[image], [image], [1, 1, 1, 1, 1], 1, 'same']], avgPool3d: [['x'], [[image], 1, 1, 'same']], maxPool3d: [['x'], [[image], 1, 1, 'same']],
  spaceToBatchND: [['x'], [[[1]], [1], [[0, 0]]]], batchToSpaceND: [['x'], [[[1]], [1], [[0, 0]]]],
  batchNorm: [['x', 'mean', 'variance'], [[[1]], [1], [1]]], layerNorm: [['x', 'scale', 'offset'], [[[1]], [1], [1]]],
};
// Where TensorFlow.js's words name another argument or op: divNoNan says div, identity clone, broadcastTo has them swapped.
const itsOwnNames = ['divNoNan', 'broadcastTo', 'identity'];

suite('what is no tensor: which argument of which op, as in TensorFlow.js', () => {
  for (const [op, [names, args]] of Object.entries(tensorArguments)) {
    test(op, () => {
      names.forEach((name, i) => {
        for (const value of Object.values(wrong)) {
          const given = args.map((a, j) => (i === j ? value : a));
          const type = value == null ? 'null' : value.constructor.name;
          const called = op === 'identity' ? 'clone' : op;
          const message = `Argument '${name}' passed to '${called}' must be a Tensor or TensorLike, but got '${type}'`;
          assert.throws(() => fj[op](...given), {message});
          if (op in judge && !itsOwnNames.includes(op)) assert.throws(() => judge[op](...given.map((a) => (a instanceof fj.Tensor ? judge.tensor(a.arraySync(), a.shape, a.dtype) : a))), {message});
        }
        assert.throws(() => fj[op](...args.map((a, j) => (i === j ? ['a'] : a))), /must be (numeric|bool|int32|float32) tensor, but got string tensor$/);
      });
    });
  }
  test('lists of tensors', () => {
    for (const op of ['concat', 'stack']) {
      assert.throws(() => fj[op]([[1], null]), {message: `Argument 'tensors[1]' passed to '${op}' must be a Tensor or TensorLike, but got 'null'`});
      assert.throws(() => judge[op]([[1], null]), {message: `Argument 'tensors[1]' passed to '${op}' must be a Tensor or TensorLike, but got 'null'`});
      assert.throws(() => fj[op](fj.scalar(1)), {message: `Argument tensors passed to ${op} must be a \`Tensor[]\` or \`TensorLike[]\``});
    }
    assert.throws(() => fj.addN([[1], {}]), {message: "Argument 'tensors1' passed to 'addN' must be a Tensor or TensorLike, but got 'Object'"});
  });
  test('losses', () => {
    const names = {sigmoidCrossEntropy: ['multiClassLabels', 'logits'], softmaxCrossEntropy: ['onehotLabels', 'logits']};
    for (const loss of Object.keys(fj.losses).filter((name) => name !== 'computeWeightedLoss')) {
      const [labels, predictions] = names[loss] ?? ['labels', 'predictions'];
      for (const tf of [fj, judge]) {
        assert.throws(() => tf.losses[loss](null, [[1]], 0), {message: `Argument '${labels}' passed to '${loss}' must be a Tensor or TensorLike, but got 'null'`});
        assert.throws(() => tf.losses[loss]([[1]], {}, 0), {message: `Argument '${predictions}' passed to '${loss}' must be a Tensor or TensorLike, but got 'Object'`});
        if (loss !== 'cosineDistance') assert.throws(() => tf.losses[loss]([[1]], [[1]], {}), {message: `Argument 'weights' passed to '${loss}' must be a Tensor or TensorLike, but got 'Object'`});
        assert.throws(() => tf.losses[loss]([1, 2, 3], [[1], [2], [3]], 0), {message: `Error in ${loss}:  Shapes 3 and 3,1 must match`});
      }
    }
    for (const tf of [fj, judge]) {
      assert.throws(() => tf.losses.computeWeightedLoss(null), {message: "Argument 'losses' passed to 'computeWeightedLoss' must be a Tensor or TensorLike, but got 'null'"});
      assert.throws(() => tf.losses.computeWeightedLoss([1], [1], 7), {message: 'Unknown reduction: 7'});
    }
  });
  test('chained methods say the same', () => {
    assert.throws(() => fj.scalar(1).add(null), {message: "Argument 'b' passed to 'add' must be a Tensor or TensorLike, but got 'null'"});
    assert.throws(() => fj.scalar(1).where({}, 1), {message: "Argument 'condition' passed to 'where' must be a Tensor or TensorLike, but got 'Object'"});
  });
  test('irregular and empty-handed arrays', () => {
    const cases = [[[1, 2], [3]], [[1, 2], 3], [1, [2]], [[[1], [2]], [[3], 4]]];
    for (const values of cases) {
      assert.throws(() => fj.abs(values), {message: wordsOf(() => judge.abs(values))});
    }
    assert.throws(() => fj.abs([1, null]), {message: "Element arr[1] should be a number or a boolean, but got 'null'"});
    assert.throws(() => fj.abs([[1], [undefined]]), {message: "Element arr[1][0] should be a number or a boolean, but got 'null'"});
    assert.throws(() => fj.abs([1, 2n]), {message: "Element arr[1] should be a number or a boolean, but got 'BigInt'"});
  });
});

// ---- types that would lose something --------------------------------------------------------------------------------------------

suite('a tensor of another type, as in TensorFlow.js', () => {
  const f = (tf) => tf.tensor([1, 0.5]);
  const cases = {
    all: (tf) => tf.all(f(tf)), any: (tf) => tf.any(f(tf)), logicalNot: (tf) => tf.logicalNot(f(tf)), logicalAnd: (tf) => tf.logicalAnd([true], f(tf)),
    logicalOr: (tf) => tf.logicalOr(f(tf), [true]), logicalXor: (tf) => tf.logicalXor(f(tf), [true]), where: (tf) => tf.where(f(tf), 1, 2),
    gather: (tf) => tf.gather([1, 2], f(tf)), oneHot: (tf) => tf.oneHot(f(tf), 3), unsortedSegmentSum: (tf) => tf.unsortedSegmentSum([1, 2], f(tf), 2),
  };
  for (const [op, call] of Object.entries(cases)) {
    test(op, () => {
      const words = wordsOf(() => call(judge));
      assert.match(words, /must be (bool|int32) tensor, but got float32 tensor$/);
      assert.throws(() => call(fj), {message: words});
    });
  }
  for (const op of ['ceil', 'cos', 'cosh', 'elu', 'floor', 'log', 'rsqrt', 'sigmoid', 'sin', 'softmax', 'sqrt', 'tan', 'tanh']) {
    test(op, () => {
      for (const tf of [fj, judge]) {
        const argument = op === 'softmax' ? 'logits' : 'x';
        assert.throws(() => tf[op](tf.tensor([1, 2], [2], 'int32')), {message: `Argument '${argument}' passed to '${op}' must be float32 tensor, but got int32 tensor`});
        assert.throws(() => tf[op](['a']), {message: `Argument '${argument}' passed to '${op}' must be float32 tensor, but got string tensor`});
      }
    });
  }
  test('images', () => {
    for (const tf of [fj, judge]) {
      const [x, filter] = [tf.ones([1, 4, 4, 1], 'int32'), tf.ones([2, 2, 1, 1])];
      for (const op of ['conv2d', 'depthwiseConv2d']) {
        assert.throws(() => tf[op](x, filter, 1, 'same'), {message: `Argument 'x' passed to '${op}' must be float32 tensor, but got int32 tensor`});
        assert.throws(() => tf[op](x.toFloat(), filter.toInt(), 1, 'same'), {message: `Argument 'filter' passed to '${op}' must be float32 tensor, but got int32 tensor`});
      }
      assert.throws(() => tf.avgPool(x, 2, 1, 'same'), {message: "Argument 'x' passed to 'avgPool' must be float32 tensor, but got int32 tensor"});
    }
  });
  test('bits', () => assert.throws(() => fj.bitwiseOr(f(fj), f(fj)), {message: "Argument 'x' passed to 'bitwiseOr' must be int32 tensor, but got float32 tensor"}));
});

// ---- a row for each op -----------------------------------------------------------------------------------------------------------

const scalarOnly = (op) => [() => fj[op](), `Argument '${tensorArguments[op][0][0]}' passed to '${op}' must be a Tensor or TensorLike, but got 'null'`];
const noBroadcast = (op) => [() => fj[op](zeros(2, 3), zeros(4)), new RegExp(`^${op}: .*\\[2,3\\].*\\[4\\]`)];
const shapeWords = (shape) => `Tensor must have a shape comprised of positive integers but got shape [${shape}].`;
const outside = (op) => [() => fj[op](zeros(2, 3), 7), new RegExp(`^${op}: axis 7 is outside a shape of rank 2`)];
const rows = {
  ...Object.fromEntries(elementwise.map((op) => [op, [fj[op].length === 1 ? scalarOnly(op) : op.startsWith('logical') || op.startsWith('bitwise') ? scalarOnly(op) : noBroadcast(op)]])),
  addN: [
    [() => fj.addN(zeros(2)), 'The argument passed to tf.addN() must be a list of tensors'],
    [() => fj.addN([]), 'Must pass at least one tensor to tf.addN(), but got 0'],
    [() => fj.addN([zeros(2), zeros(1)]), 'All tensors passed to tf.addN() must have the same shape'],
    [() => fj.addN([zeros(2), ints(1, 2)]), 'All tensors passed to tf.addN() must have the same dtype'],
  ],
  ...Object.fromEntries(['argMax', 'argMin', 'cumsum', 'max', 'mean', 'min', 'prod', 'sum'].map((op) => [op, [outside(op)]])),
  sum: [outside('sum'), [() => fj.sum(zeros(2), '0'), "sum: axis must be numbers, got ['0']"], [() => fj.sum(zeros(2), 0, 'no'), "sum: keepDims must be true or false, got 'no'"]],
  logSumExp: [[() => fj.logSumExp(zeros(2, 3), 7), /^logSumExp: max: axis 7 is outside a shape of rank 2/]],
  all: [[() => fj.all([true], 7), /^all: axis 7 is outside a shape of rank 1/]],
  any: [[() => fj.any([[true]], [0, 0]), /^any: axis 0 is named twice/]],
  einsum: [
    [() => fj.einsum('ij,jk', zeros(2, 3), zeros(3, 2)), /^einsum: the equation must have one ->/],
    [() => fj.einsum('ij->ij', zeros(2, 3), zeros(2, 3)), /^einsum: the equation "ij->ij" is of 1 arrays, got 2/],
    [() => fj.einsum('i->i'), /^einsum: /],
    [() => fj.einsum('i->i', null), "Argument 'tensors0' passed to 'einsum' must be a Tensor or TensorLike, but got 'null'"],
  ],
  layerNorm: [[() => fj.layerNorm(zeros(2, 3), zeros(4), zeros(4)), /\[4\]/], [() => fj.layerNorm(zeros(2, 3), zeros(3), zeros(3), -1, '0'), "layerNorm: epsilon must be a number, got '0'"]],
  moments: [[() => fj.moments(zeros(2, 3), 7), /^mean: axis 7 is outside a shape of rank 2/]],
  avgPool: [
    [() => fj.avgPool(zeros(8, 8), 2, 2, 'valid'), 'Error in avgPool: input must be rank 4, but got rank 2: [8,8].'],
    [() => fj.avgPool(zeros(8, 8, 1), 2, 2, 'valid', 'ceil'), 'Error in avgPool: pad must be an integer when using dimRoundingMode ceil but got pad valid.'],
    [() => fj.avgPool(zeros(8, 8, 1), 2, 2, 1, 'up'), 'Unknown roundingMode up'],
  ],
  maxPool: [
    [() => fj.maxPool(zeros(8, 8, 1), 2), 'maxPool: strides must be a number, or two, got undefined'],
    [() => fj.maxPool(zeros(8, 8, 1), [2], 1, 'same'), 'maxPool: filterSize must be a number, or two, got [2]'],
    [() => fj.maxPool(zeros(8, 8, 1), 2, 1, 0.5), 'Error in maxPool: pad must be an integer but got pad 0.5.'],
    [() => fj.maxPool(zeros(8, 8, 1), 2, 1, [[1, 1], [0, 0], [0, 0], [0, 0]]), 'Error in maxPool: only height and width can be padded, got [[1, 1], [0, 0], [0, 0], [0, 0]]'],
  ],
  conv2d: [
    [() => fj.conv2d(zeros(1, 8, 8, 1), zeros(3, 3, 1, 1), 2, 'same', 'NHWC', 2), "Error in conv2d: Either strides or dilations must be 1. Got strides 2 and dilations '2'"],
    [() => fj.conv2d(zeros(1, 8, 8, 1), zeros(3, 3, 1, 1), 1, 'Same'), "Unknown padding parameter: 'Same': use 'valid', 'same', a number, or a pair for each axis"],
    [() => fj.conv2d(zeros(1, 8, 8, 1), zeros(3, 3, 1, 1), 1, [1, 1]), "Unknown padding parameter: [1, 1]: use 'valid', 'same', a number, or a pair for each axis"],
    [() => fj.conv2d(zeros(1, 8, 8, 1), zeros(3, 3, 1, 1), 1, [[0, 0], [1, 0.5], [0, 0], [0, 0]]), 'Error in conv2d: pad must be an integer but got pad 0.5.'],
    [() => fj.conv2d(zeros(1, 8, 8, 1), zeros(3, 3, 1, 1), 1, 'same', 'NCWH'), 'Unknown dataFormat NCWH'],
    [() => fj.conv2d(zeros(1, 8, 8, 2), zeros(3, 3, 1, 1), 1, 'same'), /^conv2d: .*\[1,8,8,2\].*\[3,3,1,1\]/],
    [() => fj.conv2d(zeros(1, 8, 8, 1), zeros(3, 3, 1, 1), 0, 'same'), /^conv2d: strides must be at least 1, got 0 and 0/],
  ],
  depthwiseConv2d: [[() => fj.depthwiseConv2d(zeros(1, 8, 8, 1), zeros(3, 3, 1, 1), '1', 'same'), "depthwiseConv2d: strides must be a number, or two, got '1'"]],
  separableConv2d: [
    [() => fj.separableConv2d(zeros(8, 8), zeros(3, 3, 1, 1), zeros(1, 1, 1, 1), 1, 'same'), 'Error in separableConv2d: input must be rank 4, but got rank 2: [8,8].'],
    [() => fj.separableConv2d(zeros(1, 8, 8, 1), zeros(3, 3, 1, 1), zeros(3, 3, 1, 1), 1, 'same'), 'Error in separableConv2d: the first dimension of pointwise filter must be 1, but got 3.'],
    [() => fj.separableConv2d(zeros(1, 8, 8, 1), zeros(3, 3, 1, 2), zeros(1, 1, 1, 1), 1, 'same'), 'Error in separableConv2d: the third dimension of pointwise filter must be 2, but got 1.'],
    [() => fj.separableConv2d(zeros(1, 8, 8, 1), zeros(3, 3, 1), zeros(1, 1, 1, 1), 1, 'same'), 'Error in separableConv2d: depthwise filter must be rank 4, but got rank 3.'],
  ],
  conv2dTranspose: [
    [() => fj.conv2dTranspose(zeros(1, 3, 3, 2), zeros(3, 3, 2, 2), [6, 6, 2], 2, 'same'), 'conv2dTranspose: outputShape must have an entry for each axis of x [1,3,3,2], got [6, 6, 2]'],
    [() => fj.conv2dTranspose(zeros(1, 3, 3, 2), zeros(3, 3, 2, 2), undefined, 2, 'same'), 'conv2dTranspose: outputShape must have an entry for each axis of x [1,3,3,2], got undefined'],
  ],
  conv1d: [
    [() => fj.conv1d(zeros(1, 8, 8, 1), zeros(3, 1, 1), 1, 'same'), 'Error in conv1d: input must be rank 3, but got rank 4: [1,8,8,1].'],
    [() => fj.conv1d(zeros(8, 1), zeros(3, 1), 1, 'same'), 'Error in conv1d: filter must be rank 3, but got rank 2.'],
    [() => fj.conv1d(zeros(8, 1), zeros(3, 1, 1), [1, 2], 'same'), 'conv1d: strides must be a number, or one, got [1, 2]'],
    [() => fj.conv1d(zeros(8, 2), zeros(3, 1, 1), 1, 'same'), /^conv1d: .*\[1,1,8,2\].*\[1,3,1,1\]/],
  ],
  conv3d: [
    [() => fj.conv3d(zeros(1, 8, 8, 1), zeros(3, 3, 1, 1), 1, 'same'), 'Error in conv3d: filter must be rank 5, but got rank 4.'],
    [() => fj.conv3d(zeros(1, 2, 8, 8, 1), zeros(3, 3, 3, 1, 1), 2, 'same', 'NDHWC', 2), "Error in conv3d: Either strides or dilations must be 1. Got strides 2 and dilations '2'"],
    [() => fj.conv3d(zeros(1, 2, 8, 8, 1), zeros(3, 3, 3, 1, 1), [1, 1], 'same'), 'conv3d: strides must be a number, or three, got [1, 1]'],
    [() => fj.conv3d(zeros(1, 2, 8, 8, 1), zeros(3, 3, 3, 1, 1), 1, 'valid'), /^conv3d: a filter of 3 planes does not fit the padded volume of 2/],
  ],
  conv3dTranspose: [[() => fj.conv3dTranspose(zeros(1, 3, 3, 3, 2), zeros(3, 3, 3, 2, 2), [6, 6, 2], 2, 'same'), 'conv3dTranspose: outputShape must have an entry for each axis of x [1,3,3,3,2], got [6, 6, 2]']],
  maxPool3d: [[() => fj.maxPool3d(zeros(8, 8, 1), 2, 2, 'valid'), 'Error in maxPool3d: input must be rank 5, but got rank 3: [8,8,1].']],
  avgPool3d: [[() => fj.avgPool3d(zeros(4, 8, 8, 1), [2, 2], 2, 'valid'), 'avgPool3d: filterSize must be a number, or three, got [2, 2]']],
  pool: [
    [() => fj.pool(zeros(8, 8, 1), 2, 'sum', 'valid'), "pool: poolingType must be 'avg' or 'max', got 'sum'"],
    [() => fj.pool(zeros(8, 8, 1), 2, 'max', 1, 2), "pool: with dilations pad must be 'valid', 'same' or 0, got 1"],
  ],
  spaceToBatchND: [
    [() => fj.spaceToBatchND(zeros(1, 5, 1), [2], [[0, 0]]), 'input spatial dimensions 5,1 with paddings 0,0 must be divisible by blockShapes 2'],
    [() => fj.spaceToBatchND(zeros(5), [2], [[0, 0]]), 'input rank 1 should be > than [blockShape] 1'],
  ],
  batchToSpaceND: [
    [() => fj.batchToSpaceND(zeros(3, 5), [2], [[0, 0]]), 'input tensor batch is 3 but is not divisible by the product of the elements of blockShape 2 === 2'],
    [() => fj.batchToSpaceND(zeros(4, 5), [2], []), 'crops.length is 0 but should be equal to blockShape.length  1'],
  ],
  batchNorm: [[() => fj.batchNorm(zeros(2, 3), zeros(4), zeros(4)), /^batchNorm: .*\[2,3\].*\[4\]/]],
  broadcastTo: [[() => fj.broadcastTo(zeros(2, 3)), 'broadcastTo: shape must be a list of numbers, got undefined']],
  cast: [[() => fj.cast([1], 'string'), "The dtype 'string' is not supported: use 'float32', 'int32' or 'bool'"]],
  clipByValue: [
    [() => fj.clipByValue([1], 2, 1), 'Error in clip: min (2) must be less than or equal to max (1).'],
    [() => fj.clipByValue([1], NaN, 1), 'Error in clip: min (NaN) must be less than or equal to max (1).'],
  ],
  clone: [scalarOnly('clone')],
  identity: [[() => fj.identity(), "Argument 'x' passed to 'clone' must be a Tensor or TensorLike, but got 'null'"]],
  concat: [
    [() => fj.concat([]), 'Pass at least one tensor to concat'],
    [() => fj.concat([ints(1), zeros(1)]), "concat: the first tensor is int32, which cannot hold another's float32: cast it"],
    [() => fj.concat([zeros(2, 3), zeros(3)]), /^concat: the inputs differ beside axis 0 .*\[2,3\].*\[3\]/],
  ],
  stack: [
    [() => fj.stack([]), 'Pass at least one tensor to stack'],
    [() => fj.stack([zeros(2, 3), zeros(2, 3, 1)]), 'All tensors passed to stack must have matching shapes Shapes 2,3 and 2,3,1 must match'],
    [() => fj.stack([zeros(1), ints(1)]), 'All tensors passed to stack must have matching dtypes'],
  ],
  dot: [
    [() => fj.dot(zeros(2, 2, 2), zeros(2)), 'Error in dot: inputs must all be rank 1 or 2, but got ranks 3 and 1.'],
    [() => fj.dot(zeros(3), zeros(2)), 'Error in dot: inner dimensions of inputs must match, but got 3 and 2.'],
  ],
  outerProduct: [[() => fj.outerProduct(zeros(1, 3), zeros(2)), 'Error in outerProduct: inputs must be rank 1, but got ranks 2 and 1.']],
  matMul: [
    [() => fj.matMul(zeros(2, 3), zeros(2, 3)), /^matMul: .*\[2,3\]/],
    [() => fj.matMul(fj.ones([2, 3], 'int32'), fj.ones([2, 3], 'int32')), 'matMul: the inner sizes of [2,3] and [2,3] differ'],
    [() => fj.matMul(zeros(2, 3), zeros(3, 2), 'no'), "matMul: transposeA must be true or false, got 'no'"],
  ],
  dropout: [
    [() => fj.dropout([1], 1), 'rate must be a float in the range [0, 1), but got 1.'],
    [() => fj.dropout([1], -0.1), 'rate must be a float in the range [0, 1), but got -0.1.'],
    [() => fj.dropout([1], '0.5'), 'rate must be a float in the range [0, 1), but got 0.5.'],
    [() => fj.dropout(ints(1), 0.5), "x has to be a floating point tensor since it's going to be scaled, but got a int32 tensor instead."],
    [() => fj.dropout(zeros(4, 3), 0.5, [2, 3]), /^broadcastTo: cannot broadcast \[2,3\] to \[4,3\]/],
  ],
  elu: [[() => fj.elu([1], null), "Argument 'alpha' passed to 'elu' must be a Tensor or TensorLike, but got 'null'"]],
  leakyRelu: [[() => fj.leakyRelu([1], {}), "Argument 'alpha' passed to 'leakyRelu' must be a Tensor or TensorLike, but got 'Object'"]],
  prelu: [[() => fj.prelu(zeros(2, 3), zeros(2)), /^prelu: .*\[2,3\].*\[2\]/]],
  step: [[() => fj.step([1], 'a'), "step: alpha must be a number, got 'a'"]],
  expandDims: [
    [() => fj.expandDims(zeros(2, 3), 9), 'Axis must be in the interval [-3, 2]: expandDims got axis 9'],
    [() => fj.expandDims(zeros(2, 3), -4), 'Axis must be in the interval [-3, 2]: expandDims got axis -4'],
    [() => fj.expandDims(zeros(2, 3), 0.5), 'Axis must be in the interval [-3, 2]: expandDims got axis 0.5'],
  ],
  eye: [[() => fj.eye(2, 2, [-1]), shapeWords('-1')]],
  fill: [[() => fj.fill([2], {}), 'fill: value must be a number or a boolean, got Object']],
  gather: [
    [() => fj.gather(zeros(3), [1.5]), "Argument 'indices' passed to 'gather' must hold whole numbers, but got 1.5"],
    [() => fj.gather(zeros(2, 3), [[0], [1]], 0, 1), 'gather: batchDims (1) must be less than or equal to axis (0).'],
    [() => fj.gather(zeros(2, 3), [[0], [1], [1]], 1, 1), 'gather: x.shape[0]: 2 should be equal to indices.shape[0]: 3.'],
    [() => fj.gather(zeros(2, 3), [[0], [1]], 1, 3), 'gather: Expect batchDims in the range of [-2, 2], but got 3'],
    [() => fj.gather(zeros(2, 3), [0], 2), /^gather: axis 2 is outside a shape of rank 2/],
  ],
  linspace: [[() => fj.linspace(0, '1', 2), "linspace: stop must be a number, got '1'"]],
  logSoftmax: [outside('logSoftmax')],
  softmax: [outside('softmax')],
  mirrorPad: [
    [() => fj.mirrorPad(zeros(3), [[1, 1]], 'edge'), "mirrorPad: mode must be 'reflect' or 'symmetric', got 'edge'"],
    [() => fj.mirrorPad(zeros(3), [[1]], 'reflect'), 'mirrorPad: paddings must be a pair [before, after] for each axis, got [[1]]'],
  ],
  pad: [
    [() => fj.pad(zeros(3), [1, 1]), 'pad: paddings must be a pair [before, after] for each axis, got [1, 1]'],
    [() => fj.pad(fj.scalar(1), []), 'pad(scalar) is not defined. Pass non-scalar to pad'],
    [() => fj.pad(zeros(3), [[1, 1]], '0'), "pad: constantValue must be a number, got '0'"],
    [() => fj.pad(zeros(3), [[-1, 1]]), /^pad: paddings must be at least 0, got \[-1,1\]/],
  ],
  oneHot: [
    [() => fj.oneHot([0, 1.5], 3), "Argument 'indices' passed to 'oneHot' must hold whole numbers, but got 1.5"],
    [() => fj.oneHot([0], '3'), "oneHot: depth must be a number, got '3'"],
    [() => fj.oneHot([0], 0), /^oneHot: depth must be at least 1, got 0/],
  ],
  ones: [[() => fj.ones([1.5]), shapeWords('1.5')]],
  zeros: [[() => fj.zeros([-1]), shapeWords('-1')]],
  onesLike: [scalarOnly('onesLike')],
  zerosLike: [scalarOnly('zerosLike')],
  randomNormal: [[() => fj.randomNormal([-1]), shapeWords('-1')], [() => fj.randomNormal([1], '0'), "randomNormal: mean must be a finite number, got '0'"]],
  randomUniform: [
    [() => fj.randomUniform(3), "A shape must be an array of numbers, but got 'Number'"],
    [() => fj.randomUniform([3], NaN, 1), 'randomUniform: minval must be a finite number, got NaN'],
    [() => fj.randomUniform([3], 0, Infinity), 'randomUniform: maxval must be a finite number, got Infinity'],
  ],
  truncatedNormal: [[() => fj.truncatedNormal([2], 0, 1, 'bool'), 'Unsupported data type bool']],
  range: [[() => fj.range(0, '3'), "range: stop must be a finite number, got '3'"]],
  reshape: [
    [() => fj.reshape(zeros(2, 3), 6), 'reshape: shape must be a list of numbers, got 6'],
    [() => fj.reshape(zeros(2, 3), ['6']), "reshape: shape must be numbers, got ['6']"],
    [() => fj.reshape(zeros(2, 3), [-1, 4]), /^reshape: cannot reshape \[2,3\] \(6 elements\) to \[-1,4\]/],
  ],
  reverse: [
    [() => fj.reverse(zeros(2, 3), 2), 'All values in axis param must be in range [-2, 2) but got axis 2'],
    [() => fj.reverse(zeros(2, 3), [0, -2]), 'reverse: an axis is named twice in [0, -2]'],
  ],
  scalar: [[() => fj.scalar([1]), 'Error creating a new Scalar: value must be a primitive (number|boolean)']],
  slice: [
    [() => fj.slice(fj.scalar(1), 0), 'Slicing scalar is not possible'],
    [() => fj.slice(zeros(2, 3)), 'slice: begin must be a number or a list of numbers, got undefined'],
    [() => fj.slice(zeros(2, 3), [0, 0, 0]), 'Error in slice2D: Length of begin 0,0,0 must match the rank of the array (2).'],
    [() => fj.slice(zeros(2, 3), 0, [1, 1, 1]), 'Error in slice2D: Length of size 1,1,1 must match the rank of the array (2).'],
    [() => fj.slice(zeros(2, 3), 0, -2), 'Negative size values should be exactly -1 but got -2 for the slice() size at index 0.'],
    [() => fj.slice(zeros(2, 3), [0, 1], [2, 3]), /^slice: begin \[0,1\] and size \[2,3\] leave the shape \[2,3\]/],
    [() => fj.slice(zeros(2, 3), [-1, 0], [1, 1]), 'slice() does not support negative begin indexing. begin is [-1, 0]'],
  ],
  split: [
    [() => fj.split(zeros(7), 2), 'Number of splits must evenly divide the axis. split: 2 of 7 entries along axis 0'],
    [() => fj.split(zeros(7), 0), 'Number of splits must evenly divide the axis. split: 0 of 7 entries along axis 0'],
    [() => fj.split(zeros(7), [3, 3]), 'The sum of sizes must match the size of the axis dimension. split: [3, 3] of 7 entries along axis 0'],
    [() => fj.split(zeros(7), [9, -1]), 'The sum of sizes must match the size of the axis dimension. split: [9, -1] of 7 entries along axis 0'],
    [() => fj.split(zeros(7), [-1, -1]), 'There should be only one negative value in split array. split: [-1, -1] of 7 entries along axis 0'],
    [() => fj.split(zeros(7), 7, 1), 'All values in axis param must be in range [-1, 1) but got axis 1'],
    [() => fj.split(zeros(7), '7'), "The parts must be a number or a list of sizes. split: '7' of 7 entries along axis 0"],
  ],
  squeeze: [
    [() => fj.squeeze(zeros(1, 3), [1]), "Can't squeeze axis 1 since its dim '3' is not 1: the shape is [1,3]"],
    [() => fj.squeeze(zeros(1, 3), [5]), 'All values in axis param must be in range [-2, 2) but got axis 5'],
    [() => fj.squeeze(zeros(1, 3), [0.5]), 'All values in axis param must be integers but got axis 0.5'],
  ],
  stridedSlice: [
    [() => fj.stridedSlice(zeros(2, 3), [0, 0], [1]), 'stridedSlice: begin, end and strides must be of one length, got 2, 1 and 2'],
    [() => fj.stridedSlice(zeros(2, 3), [0], [1], [0]), 'stridedSlice: strides[0] must be non-zero'],
    [() => fj.stridedSlice(zeros(2, 3), [0, 0, 0], [1, 1, 1]), 'stridedSlice: there are more entries in begin than axes in [2,3]'],
    [() => fj.stridedSlice(zeros(2, 3), [0, 0], [1, 1], [1, 1], 0, 0, 3), 'stridedSlice: Multiple ellipses in slice is not allowed.'],
    [() => fj.stridedSlice(zeros(2, 3), [5], [6], [1], 0, 0, 0, 0, 1), 'stridedSlice: slice index 5 of dimension 0 out of bounds.'],
    [() => fj.stridedSlice(zeros(2, 3), [1], [0], [-1], 0, 0, 0, 0, 1), 'stridedSlice: only stride 1 allowed on non-range indexing.'],
  ],
  tensor1d: [[() => fj.tensor1d([[1]]), 'tensor1d() requires values to be a flat/TypedArray']],
  tensor2d: [[() => fj.tensor2d([1], [1]), 'tensor2d() requires shape to have two numbers']],
  tensor3d: [[() => fj.tensor3d([1]), 'tensor3d() requires shape to be provided when `values` are a flat array']],
  tensor4d: [[() => fj.tensor4d([[1]]), 'tensor4d() requires values to be number[][][][] or flat/TypedArray']],
  tile: [
    [() => fj.tile(zeros(2, 3), [2]), 'Error in tile: rank of input 2 must match length of reps [2].'],
    [() => fj.tile(zeros(2, 3), 2), 'Error in tile: rank of input 2 must match length of reps 2.'],
  ],
  transpose: [
    [() => fj.transpose(zeros(2, 3), []), 'Error in transpose: rank of input 2 must match length of perm []: the shape is [2,3].'],
    [() => fj.transpose(zeros(2, 3), [0, 0]), /^transpose: perm \[0,0\] is not a permutation of the axes/],
  ],
  unsortedSegmentSum: [
    [() => fj.unsortedSegmentSum([1, 2], [0, 1], 1.5), 'numSegments must be of dtype int, got 1.5'],
    [() => fj.unsortedSegmentSum([1, 2], [0], 2), /^unsortedSegmentSum: as many updates along axis 0 are needed as indices/],
  ],
  unstack: [[() => fj.unstack(zeros(2, 3), 2), 'Axis = 2 is not in [-2, 2)']],
  where: [[() => fj.where([true, false], zeros(3), zeros(3)), /^where: .*\[2\].*\[3\]/]],
};

/** What the engine says of numbers that cannot be an attribute: nothing is cut off or wrapped. */
const kWhole = 'must be a whole number from -2147483648 to 2147483647';
const fractions = {
  tile: [() => fj.tile(zeros(2, 3), [1.5, 1]), `tile: reps ${kWhole}, got 1.5`],
  'tile beyond int32': [() => fj.tile(zeros(2), [2 ** 32 + 2]), `tile: reps ${kWhole}, got 4294967298`],
  reshape: [() => fj.reshape(zeros(20), [2.5, 8]), `reshape: shape ${kWhole}, got 2.5`],
  broadcastTo: [() => fj.broadcastTo(zeros(2), [2 ** 32 + 2]), `broadcastTo: shape ${kWhole}, got 4294967298`],
  sum: [() => fj.sum(zeros(2, 2), 0.5), `sum: axes ${kWhole}, got 0.5`],
  argMax: [() => fj.argMax(zeros(2), NaN), `argMax: axis ${kWhole}, got NaN`],
  softmax: [() => fj.softmax(zeros(2), 0.5), `softmax: axis ${kWhole}, got 0.5`],
  concat: [() => fj.concat([zeros(2), zeros(2)], 0.5), `concat: axis ${kWhole}, got 0.5`],
  gather: [() => fj.gather(zeros(2), [0], 0.5), `gather: axis ${kWhole}, got 0.5`],
  oneHot: [() => fj.oneHot([0], 2 ** 32 + 3), `oneHot: depth ${kWhole}, got 4294967299`],
  slice: [() => fj.slice(zeros(4), 1.5), `slice: begin ${kWhole}, got 1.5`],
  pad: [() => fj.pad(zeros(2), [[0.5, 0]]), `pad: paddings ${kWhole}, got 0.5`],
  maxPool: [() => fj.maxPool(zeros(4, 4, 1), 1.5, 1, 'same'), `maxPool: window ${kWhole}, got 1.5`],
  conv2d: [() => fj.conv2d(zeros(4, 4, 1), zeros(2, 2, 1, 1), 1.5, 'same'), `conv2d: strides ${kWhole}, got 1.5`],
  transpose: [() => fj.transpose(zeros(2, 2), [0, 0.5]), `transpose: perm ${kWhole}, got 0.5`],
  'gather beyond the axis': [() => fj.gather(zeros(2, 3), ints(0, 2)), 'gather: the index value 2 at position 1 is not in [0, 1]'],
  'gather below the axis': [() => fj.gather(zeros(2, 3), [-1]), 'gather: the index value -1 at position 0 is not in [0, 1]'],
  'gather beyond its batch': [() => fj.gather(zeros(2, 3), [[0, 1], [2, 3]], 1, 1), 'gather: the index value 3 at position 1 is not in [0, 2]'],
  'unsortedSegmentSum beyond the segments': [() => fj.unsortedSegmentSum([1, 2], [0, 2], 2), 'unsortedSegmentSum: the index value 2 at position 1 is not in [0, 1]'],
};
suite('numbers that are no sizes, axes or positions', () => {
  for (const [name, [call, message]] of Object.entries(fractions)) test(name, () => assert.throws(() => fj.tidy(call), {message}));
});

suite('wrong arguments: the words', () => {
  for (const [op, cases] of Object.entries(rows)) {
    test(op, () => {
      for (const [call, message] of cases) {
        const {numTensors} = fj.memory();
        assert.throws(() => fj.tidy(call), {message}, String(call));
        assert.equal(fj.memory().numTensors, numTensors, `${call}: nothing is left behind`);
      }
    });
  }
  test('every op that is exported has a row', () => {
    assert.ok(ops.length > 140, `${ops.length} ops`);
    assert.deepEqual(ops.filter((op) => !rows[op]), []);
    assert.deepEqual(ops.filter((op) => typeof fj[op] !== 'function'), []);
  });
  test('methods take as many sizes as their names say', () => {
    assert.throws(() => zeros(6).as2D(6), {message: 'reshape: shape must be numbers, got [6, undefined]'});
    assert.throws(() => zeros(6).asScalar(), {message: /^reshape: cannot reshape \[6\]/});
  });
});

// ---- arguments that were taken and ignored -----------------------------------------------------------------------------------------

suite('parameters are those of TensorFlow.js', () => {
  // A declaration's parameters, by name, as `declare function conv2d_(x: .., filter: ..): ..` or `(x: .., filter: ..) => ..` has them.
  const declared = (name) => {
    const text = judgeTypes(name);
    const start = text.search(/declare function \w+_?(<[^(]*>)?\(/);
    if (start < 0) return undefined;
    let [depth, list, at] = [0, '', text.indexOf('(', start)];
    do {
      depth += '([{<'.includes(text[at]) ? 1 : ')]}'.includes(text[at]) || (text[at] === '>' && text[at - 1] !== '=') ? -1 : 0;
      list += depth === 1 && text[at] !== '(' ? text[at] : '';
      ++at;
    } while (depth > 0);
    return list.split(',').map((p) => p.trim().split(/[?:]/)[0]).filter(Boolean);
  };
  const root = new URL('../../node_modules/@tensorflow/tfjs-core/dist/ops/', import.meta.url);
  const files = {matMul: 'mat_mul', addN: 'add_n', batchNorm: 'batchnorm', floorDiv: 'floorDiv', isNaN: 'is_nan', isInf: 'is_inf'};
  function judgeTypes(name) {
    try {
      return readFileSync(new URL(`${files[name] ?? name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`)}.d.ts`, root), 'utf8');
    } catch {
      return '';
    }
  }
  /** The parameters of ours, from the declaration that programs compile against. */
  const ourTypes = ['ops', 'images'].map((file) => readFileSync(new URL(`../../build/npm/types/${file}.d.ts`, import.meta.url), 'utf8')).join('\n');
  const countOf = (name) => {
    const match = ourTypes.match(new RegExp(`(?:declare const ${name}: |declare function ${name})([^;]*);`));
    return match ? match[1] : undefined;
  };
  test('none is missing', () => {
    let compared = 0;
    for (const op of ops) {
      const theirs = declared(op);
      const ours = countOf(op);
      if (!theirs || !ours || !ours.includes('(')) continue;
      ++compared;
      const inner = ours.slice(ours.indexOf('(') + 1);
      const names = [...inner.matchAll(/(\w+)\??: /g)].map((m) => m[1]);
      assert.ok(names.length >= theirs.length, `${op}(${theirs.join(', ')}): ours has ${names.join(', ')}`);
    }
    assert.ok(compared > 30, `${compared} compared`);
  });
});
