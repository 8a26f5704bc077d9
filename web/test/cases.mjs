// Calls of ops that mean the same in Fjord and in TensorFlow.js: values, chained methods and gradients are tested on them.
//
//   {op: 'matMul', inputs: [f32([2, 3]), f32([3, 4])], args: [false, false], grad: true}
//
// `equivalent` is for TensorFlow.js's gradients, where its own of the op is missing, fails or is wrong: the same from other ops.
import {random} from './helpers.mjs';

let seed = 100;
export const f32 = (shape, low = -2, high = 2) => ({shape, dtype: 'float32', values: random(shape, low, high, ++seed)});
export const i32 = (shape, low = -20, high = 20) => ({shape, dtype: 'int32', values: Int32Array.from(random(shape, low, high, ++seed), Math.floor)});
export const bool = (shape) => ({shape, dtype: 'bool', values: Array.from(random(shape, 0, 1, ++seed), (v) => v < 0.5)});
export const given = (values, shape = [values.length], dtype = 'float32') => ({shape, dtype, values});

const call = (op, inputs, args = [], more = {}) => ({op, inputs, args, grad: true, ...more});
const flat = (op, inputs, args = [], more = {}) => call(op, inputs, args, {grad: false, ...more});

// ---- one operand: where it is alive, and whether it has a gradient ------------------------------------------------------------

const unaryRanges = {
  abs: [-3, 3], acos: [-0.9, 0.9], acosh: [1.1, 4], asin: [-0.9, 0.9], asinh: [-3, 3], atan: [-3, 3], atanh: [-0.9, 0.9], cos: [-7, 7],
  cosh: [-3, 3], erf: [-2, 2], exp: [-4, 4], expm1: [-2, 2], log: [0.1, 9], log1p: [-0.8, 4], logSigmoid: [-4, 4], neg: [-3, 3],
  reciprocal: [0.3, 4], relu: [-2, 2], relu6: [-2, 8], rsqrt: [0.1, 9], selu: [-2, 2], sigmoid: [-5, 5], sin: [-7, 7], sinh: [-3, 3],
  softplus: [-4, 4], sqrt: [0.1, 9], square: [-3, 3], tan: [-1.3, 1.3], tanh: [-3, 3],
};
const flatRanges = {ceil: [-5, 5], floor: [-5, 5], round: [-5, 5], sign: [-3, 3]};
// Not a multiple of any vector width, and more than one block of work.
const shapes = [[7], [3, 5], [2, 3, 4, 5]];
const unary = [
  ...Object.entries(unaryRanges).flatMap(([op, range]) => shapes.map((shape) => call(op, [f32(shape, ...range)]))),
  ...Object.entries(flatRanges).flatMap(([op, range]) => shapes.map((shape) => flat(op, [f32(shape, ...range)]))),
];
const special = given([NaN, Infinity, -Infinity, 0, -1.5, 3e38]);
const tests = ['isNaN', 'isInf', 'isFinite'].map((op) => flat(op, [special]));

// ---- two operands: equal shapes, and both broadcast ----------------------------------------------------------------------------

const pairs = [[[5], [5]], [[3, 4], [3, 4]], [[3, 4], [4]], [[2, 1, 5], [3, 1]], [[], [2, 3]]];
const binaryRanges = {
  add: [-3, 3], sub: [-3, 3], mul: [-3, 3], div: [0.4, 3], divNoNan: [0.4, 3], maximum: [-3, 3], minimum: [-3, 3], squaredDifference: [-3, 3],
  pow: [0.4, 2.5], atan2: [0.3, 3], mod: [0.5, 4],
};
// It forgets to sum these over what was broadcast; adding zeros broadcasts as well. It has none of divNoNan.
const spread = (op) => (tf, a, b) => tf[op](tf.add(a, tf.zerosLike(b)), tf.add(b, tf.zerosLike(a)));
const equivalents = {
  maximum: spread('maximum'), minimum: spread('minimum'), squaredDifference: spread('squaredDifference'), divNoNan: (tf, a, b) => tf.div(a, b),
};
const binary = [
  ...Object.entries(binaryRanges).flatMap(([op, range]) =>
    pairs.map(([a, b]) => call(op, [f32(a, ...range), f32(b, ...range)], [], {equivalent: equivalents[op]})),
  ),
  ...['add', 'sub', 'mul', 'maximum', 'minimum', 'squaredDifference'].map((op) => flat(op, [i32([3, 4]), i32([4])])),
  ...['equal', 'notEqual', 'less', 'lessEqual', 'greater', 'greaterEqual'].flatMap((op) => [
    flat(op, [i32([4, 5], 0, 3), i32([5], 0, 3)]),
    flat(op, [f32([7]), f32([7])]),
  ]),
  ...['logicalAnd', 'logicalOr', 'logicalXor'].map((op) => flat(op, [bool([3, 7]), bool([7])])),
  flat('logicalNot', [bool([9])]),
  flat('bitwiseAnd', [i32([9], -100, 100), i32([9], -100, 100)]),
  flat('floorDiv', [i32([20], 1, 60), i32([20], 1, 9)]),
  flat('mod', [f32([20], -4, 4), f32([20], 0.5, 3)]),
  flat('divNoNan', [given([1, 2, 3]), given([0, 4, 0])]),
];

// ---- activations with a number, choices ------------------------------------------------------------------------------------------

const numbered = [
  call('leakyRelu', [f32([3, 7])], [0.3]),
  call('leakyRelu', [f32([7])]),
  call('elu', [f32([3, 7])]),
  call('prelu', [f32([3, 7]), f32([7], 0.1, 0.5)]),
  flat('step', [f32([3, 7])], [0.25]),
  call('clipByValue', [f32([3, 7])], [-1, 0.5]),
  call('where', [bool([3, 4]), f32([3, 4]), f32([3, 4])]),
  flat('cast', [f32([7], -5, 5)], ['int32']),
  flat('cast', [i32([7], -1, 2)], ['bool']),
  flat('cast', [bool([7])], ['float32']),
  call('clone', [f32([2, 3])]),
];

// ---- reductions ----------------------------------------------------------------------------------------------------------------

const axes = [[], [0], [1, true], [[0, 2]], [-1], [null], [[]]];
// It cannot count an axis from the end, and transposes once too seldom.
const prodEquivalent = (args) => (tf, x) => (args[0] === -1 ? tf.prod(x, x.rank - 1) : tf.prod(x, ...args));
const cumsumEquivalent = (args) => (tf, x) => (args[0] ? tf.cumsum(x, ...args) : tf.transpose(tf.cumsum(tf.transpose(x), 1, ...args.slice(1))));
const reductions = [
  ...['sum', 'mean', 'max', 'min', 'logSumExp'].flatMap((op) => axes.map((args) => call(op, [f32([3, 4, 5])], args))),
  ...axes.map((args) => call('prod', [f32([3, 4, 2], 0.5, 1.5)], args, {equivalent: prodEquivalent(args)})),
  ...['any', 'all'].flatMap((op) => axes.map((args) => flat(op, [bool([2, 3, 4])], args))),
  flat('sum', [i32([3, 4])], [1]),
  flat('sum', [bool([3, 4])], [0]),
  flat('mean', [i32([3, 4])], [0]),
  flat('max', [i32([3, 4])], [0]),
  ...['argMax', 'argMin'].flatMap((op) => [[], [1], [-1]].map((args) => flat(op, [f32([3, 4, 5])], args))),
  ...[[], [1], [0, true], [0, false, true], [1, true, true]].map((args) => call('cumsum', [f32([4, 5])], args, {equivalent: cumsumEquivalent(args)})),
];

// ---- products and images --------------------------------------------------------------------------------------------------------

const products = [
  call('matMul', [f32([5, 7]), f32([7, 3])]),
  call('matMul', [f32([7, 5]), f32([7, 3])], [true]),
  call('matMul', [f32([5, 7]), f32([3, 7])], [false, true]),
  call('matMul', [f32([2, 5, 7]), f32([2, 7, 3])]),
  // Across the blocks of the kernel.
  call('matMul', [f32([33, 65]), f32([65, 50])]),
  flat('matMul', [i32([2, 3, 4]), i32([2, 3, 5])], [true]),
  flat('matMul', [i32([3, 4]), i32([5, 4])], [false, true]),
  flat('matMul', [i32([3, 4]), f32([4, 2])]),
  flat('matMul', [given([16777217, 3], [1, 2], 'int32'), given([1, 16777219], [2, 1], 'int32')]),
  flat('dot', [i32([7]), i32([7])]),
  call('dot', [f32([7]), f32([7])]),
  call('dot', [f32([3, 7]), f32([7])]),
  call('dot', [f32([3, 7]), f32([7, 2])]),
  call('outerProduct', [f32([3]), f32([4])]),
];
/** A filter [3,3,I,O] with zeros between its entries: what dilation by 2 means. */
const dilated = (tf, x, filter) => {
  const [, , inputs, outputs] = filter.shape;
  const apart = tf.pad(filter.reshape([3, 1, 3, 1, inputs * outputs]), [[0, 0], [0, 1], [0, 0], [0, 1], [0, 0]]);
  return tf.conv2d(x, apart.reshape([6, 6, inputs, outputs]).slice([0, 0, 0, 0], [5, 5, inputs, outputs]), 1, 'valid');
};
/** Average pooling by 3 every 2 with [8,7] padded to [9,9]: it divides the gradient at the border by all of the window. */
const pooledSame = (tf, x) => {
  const pool = (t) => tf.avgPool(tf.pad(t, [[0, 0], [0, 1], [1, 1], [0, 0]]), 3, 2, 'valid');
  return tf.div(pool(x), pool(tf.onesLike(x)));
};
/** It has no gradient of this. */
const channelsFirst = (tf, x, filter) => tf.transpose(tf.conv2d(tf.transpose(x, [0, 2, 3, 1]), filter, 1, 'same'), [0, 3, 1, 2]);
const images = [
  call('conv2d', [f32([2, 7, 8, 3]), f32([3, 3, 3, 5])], [1, 'same']),
  call('conv2d', [f32([2, 9, 8, 2]), f32([3, 2, 2, 4])], [2, 'valid']),
  call('conv2d', [f32([2, 9, 8, 2]), f32([3, 3, 2, 4])], [[2, 1], 'same']),
  call('conv2d', [f32([7, 8, 3]), f32([5, 5, 3, 2])], [1, 'valid']),
  call('conv2d', [f32([1, 9, 9, 2]), f32([3, 3, 2, 4])], [1, 'valid', 'NHWC', 2], {equivalent: dilated}),
  flat('conv2d', [f32([1, 6, 6, 2]), f32([3, 3, 2, 4])], [1, 1]),
  call('depthwiseConv2d', [f32([2, 7, 8, 3]), f32([3, 3, 3, 2])], [1, 'same']),
  call('depthwiseConv2d', [f32([1, 9, 8, 5]), f32([3, 3, 5, 1])], [2, 'valid']),
  flat('separableConv2d', [f32([1, 7, 8, 3]), f32([3, 3, 3, 2]), f32([1, 1, 6, 4])], [1, 'same']),
  call('conv2dTranspose', [f32([2, 4, 5, 3]), f32([3, 3, 2, 3])], [[2, 8, 10, 2], 2, 'same']),
  call('conv2dTranspose', [f32([1, 4, 5, 3]), f32([3, 3, 2, 3])], [[1, 6, 7, 2], 1, 'valid']),
  call('maxPool', [f32([2, 8, 7, 3])], [2, 2, 'valid']),
  call('maxPool', [f32([2, 8, 7, 3])], [3, 2, 'same']),
  call('maxPool', [f32([8, 7, 3])], [[2, 3], 1, 'valid']),
  call('conv2d', [f32([2, 3, 7, 8]), f32([3, 3, 3, 5])], [1, 'same', 'NCHW'], {equivalent: channelsFirst}),
  flat('conv2d', [f32([2, 3, 7, 8]), f32([3, 3, 3, 5])], [2, [[0, 0], [0, 0], [2, 0], [0, 1]], 'NCHW']),
  flat('conv2d', [f32([3, 7, 8]), f32([3, 3, 3, 5])], [1, 'valid', 'NCHW', 2]),
  flat('conv2d', [f32([1, 6, 8, 2]), f32([3, 3, 2, 4])], [2, [[0, 0], [1, 0], [0, 2], [0, 0]]]),
  ...['floor', 'round', 'ceil'].flatMap((mode) => [
    flat('conv2d', [f32([1, 6, 6, 2]), f32([3, 3, 2, 4])], [2, 1, 'NHWC', 1, mode]),
    flat('depthwiseConv2d', [f32([1, 6, 6, 2]), f32([3, 3, 2, 2])], [2, 0, 'NHWC', [1, 1], mode]),
    flat('maxPool', [f32([1, 6, 7, 2])], [3, 2, 1, mode]),
    flat('avgPool', [f32([1, 6, 7, 2])], [3, 2, [[0, 0], [1, 1], [0, 1], [0, 0]], mode]),
  ]),
  flat('conv2dTranspose', [f32([1, 3, 3, 2]), f32([3, 3, 2, 2])], [[1, 6, 6, 2], 2, 1, 'floor']),
  flat('separableConv2d', [f32([7, 8, 3]), f32([3, 3, 3, 2]), f32([1, 1, 6, 4])], [1, 'valid', 2]),
  call('avgPool', [f32([2, 8, 7, 3])], [2, 2, 'valid']),
  call('avgPool', [f32([2, 8, 7, 3])], [3, 2, 'same'], {equivalent: pooledSame}),
];

// ---- one axis, three axes -------------------------------------------------------------------------------------------------------

/** The filter with zeros between its entries. */
const dilatedSteps = (tf, x, filter) => {
  const [taps, inputs, outputs] = filter.shape;
  const apart = tf.pad(filter.reshape([taps, 1, inputs, outputs]), [[0, 0], [0, 1], [0, 0], [0, 0]]);
  return tf.conv1d(x, apart.reshape([2 * taps, inputs, outputs]).slice([0, 0, 0], [2 * taps - 1, inputs, outputs]), 1, 'valid');
};
/** x with `stride` - 1 zeros after each element of an axis but the last. */
const apartAlong = (tf, x, axis, stride) => {
  const size = x.shape[axis], before = x.shape.slice(0, axis), after = x.shape.slice(axis + 1);
  const count = (sizes) => sizes.reduce((a, b) => a * b, 1);
  const apart = tf.pad(x.reshape([count(before), size, 1, count(after)]), [[0, 0], [0, 0], [0, stride - 1], [0, 0]]);
  const length = (size - 1) * stride + 1;
  return apart.reshape([count(before), size * stride, count(after)]).slice([0, 0, 0], [-1, length, -1]).reshape([...before, length, ...after]);
};
/** TensorFlow.js has no gradient of it: a convolution of the elements, apart by the stride, with the filter turned round. */
const turnedConv3d = (tf, x, filter, stride, shape) => {
  for (const axis of [1, 2, 3]) x = apartAlong(tf, x, axis, stride);
  const taps = filter.shape.slice(0, 3);
  const turned = tf.transpose(tf.reverse(filter, [0, 1, 2]), [0, 1, 2, 4, 3]);
  const borders = taps.map((size, i) => {
    const border = shape[i + 1] + size - 1 - x.shape[i + 1];
    return [Math.ceil(border / 2), Math.floor(border / 2)];
  });
  return tf.conv3d(pad5d(tf, x, borders), turned, 1, 'valid');
};
/** tf.pad of three inner axes of five, one at a time: TensorFlow.js pads no more than four. */
const pad5d = (tf, x, borders) => {
  borders.forEach((border, i) => {
    const [size, after] = [x.shape[i + 1], x.shape.slice(i + 2)];
    const rows = x.reshape([-1, size, after.reduce((a, b) => a * b, 1)]);
    x = tf.pad(rows, [[0, 0], border, [0, 0]]).reshape([...x.shape.slice(0, i + 1), size + border[0] + border[1], ...after]);
  });
  return x;
};
const volumes = [
  call('conv1d', [f32([2, 9, 3]), f32([3, 3, 4])], [1, 'same']),
  call('conv1d', [f32([2, 9, 3]), f32([2, 3, 4])], [2, 'valid']),
  call('conv1d', [f32([9, 3]), f32([4, 3, 2])], [1, 'valid']),
  call('conv1d', [f32([1, 9, 2]), f32([3, 2, 3])], [1, 'valid', 'NWC', 2], {equivalent: dilatedSteps}),
  call('conv3d', [f32([2, 4, 5, 4, 2]), f32([2, 3, 2, 2, 3])], [1, 'valid']),
  call('conv3d', [f32([1, 4, 5, 6, 2]), f32([3, 3, 3, 2, 2])], [[2, 1, 2], 'same']),
  call('conv3d', [f32([3, 4, 4, 2]), f32([1, 2, 2, 2, 3])], [1, 'same']),
  flat('conv3d', [f32([1, 5, 5, 5, 2]), f32([2, 2, 3, 2, 2])], [1, 'valid', 'NDHWC', [2, 1, 2]]),
  call('conv3dTranspose', [f32([1, 2, 3, 2, 3]), f32([3, 3, 2, 2, 3])], [[1, 4, 6, 4, 2], 2, 'same'], {equivalent: (tf, x, f) => turnedConv3d(tf, x, f, 2, [1, 4, 6, 4, 2])}),
  call('conv3dTranspose', [f32([1, 2, 3, 2, 2]), f32([2, 2, 2, 3, 2])], [[1, 3, 4, 3, 3], 1, 'valid'], {equivalent: (tf, x, f) => turnedConv3d(tf, x, f, 1, [1, 3, 4, 3, 3])}),
  call('maxPool3d', [f32([1, 4, 6, 4, 2])], [2, 2, 'valid']),
  // The largest of each image's windows, and of these along the depth.
  call('maxPool3d', [f32([5, 4, 5, 2])], [[3, 2, 3], [2, 1, 2], 'same'], {
    equivalent: (tf, x) => tf.maxPool(tf.maxPool(x, [2, 3], [1, 2], 'same').reshape([1, 5, 12, 2]), [3, 1], [2, 1], 'same').reshape([3, 4, 3, 2]),
  }),
  call('avgPool3d', [f32([1, 4, 6, 4, 2])], [2, 2, 'valid']),
  flat('avgPool3d', [f32([2, 5, 4, 5, 2])], [3, 2, 'same']),
  ...['floor', 'round', 'ceil'].map((mode) => flat('maxPool3d', [f32([1, 5, 6, 5, 1])], [3, 2, 1, mode])),
  flat('pool', [f32([1, 6, 7, 2])], [[2, 3], 'max', 'valid', 1, [1, 2]]),
  flat('pool', [f32([1, 6, 7, 2])], [2, 'avg', 'same']),
  flat('pool', [f32([1, 6, 7, 2])], [2, 'max', 'valid', 2]),
  flat('pool', [f32([6, 7, 2])], [[3, 2], 'avg', 'valid', [2, 3]]),
  flat('pool', [f32([1, 5, 6, 2])], [[3, 2], 'max', 'same', 2]),
  call('spaceToBatchND', [f32([2, 4, 6, 3])], [[2, 3], [[0, 0], [2, 1]]]),
  call('batchToSpaceND', [f32([12, 2, 3, 1])], [[2, 3], [[1, 0], [0, 2]]]),
];

// ---- softmax, normalisation, movement ------------------------------------------------------------------------------------------

const norms = [
  call('softmax', [f32([4, 9])]),
  call('softmax', [f32([2, 3, 5])]),
  call('logSoftmax', [f32([4, 9])]),
  call('batchNorm', [f32([2, 3, 3, 4]), f32([4]), f32([4], 0.5, 2), f32([4]), f32([4])], [0.01]),
  flat('batchNorm', [f32([5, 4]), f32([4]), f32([4], 0.5, 2)]),
];
/** It has no gradient of this: batch by batch. */
const inBatches = (tf, x, indices) => tf.stack(tf.unstack(x).map((part, i) => tf.gather(part, tf.unstack(indices)[i])));
const moves = [
  call('reshape', [f32([3, 4])], [[2, 6]]),
  call('reshape', [f32([3, 4])], [[-1]]),
  call('transpose', [f32([3, 4])]),
  call('transpose', [f32([2, 3, 4, 5])], [[0, 3, 1, 2]]),
  call('broadcastTo', [f32([3, 1])], [[2, 3, 4]]),
  call('tile', [f32([2, 3])], [[2, 3]]),
  call('reverse', [f32([3, 4, 2])], [[0, 2]]),
  call('reverse', [f32([3, 4])]),
  call('expandDims', [f32([3, 4])], [1]),
  call('expandDims', [f32([3, 4])], [-1]),
  call('squeeze', [f32([1, 3, 1, 4])]),
  call('squeeze', [f32([1, 3, 1, 4])], [[2]]),
  call('slice', [f32([4, 5, 6])], [[1, 0, 2], [2, 5, 3]]),
  call('slice', [f32([4, 5])], [[1, 2], [-1, 2]]),
  call('slice', [f32([6])], [2]),
  call('stridedSlice', [f32([6, 7])], [[1, 0], [6, 7], [2, 3]], {
    equivalent: (tf, x) => tf.gather(tf.gather(x, tf.tensor1d([1, 3, 5], 'int32')), tf.tensor1d([0, 3, 6], 'int32'), 1),
  }),
  flat('stridedSlice', [f32([6, 7])], [[5, -1], [0, 0], [-2, -1]]),
  flat('stridedSlice', [f32([6, 7])], [[1, 2], [4, 5], [1, 2], 1, 2]),
  call('pad', [f32([3, 4])], [[[1, 2], [0, 3]], 0.5]),
  // Masks: a whole axis, an ellipsis in front, between and behind, new axes, dropped ones, all at once.
  ...[[3, 0], [1, 2, 2], [0, 0, 1], [0, 0, 4], [0, 0, 0, 1], [0, 0, 2, 1], [0, 0, 0, 0, 5], [0, 0, 1, 0, 4], [1, 0, 2, 4, 1]].map((masks) =>
    flat('stridedSlice', [f32([3, 4, 5])], [[1, -2, 2], [3, 4, 5], [1, 1, 1], ...masks]),
  ),
  flat('stridedSlice', [f32([3, 4, 5])], [[-1, 0], [-4, 9], [-1, 2], 0, 1]),
  flat('pad', [i32([3, 4])], [[[1, 2], [0, 3]], 16777217]),
  flat('squeeze', [f32([1, 3, 1])], [[]]),
  flat('reverse', [f32([3, 4])], [[]]),
  flat('mirrorPad', [f32([3, 4])], [[[1, 2], [2, 1]], 'reflect']),
  flat('mirrorPad', [f32([3, 4])], [[[1, 2], [2, 1]], 'symmetric']),
  call('gather', [f32([5, 3]), given([4, 0, 4], [3], 'int32')]),
  call('gather', [f32([2, 5, 3]), given([1, 3, 3, 0], [2, 2], 'int32')], [1]),
  call('gather', [f32([2, 5, 3]), given([1, 3, 3, 0], [2, 2], 'int32')], [1, 1], {equivalent: inBatches}),
  flat('gather', [f32([2, 2, 5, 3]), given([1, 3, 3, 0], [2, 2, 1], 'int32')], [2, 2]),
  flat('gather', [f32([2, 3, 5]), given([1, 3, 3, 0], [2, 2], 'int32')], [2, 1]),
  flat('gather', [f32([2, 5]), given([1, 3, 3, 0], [2, 2], 'int32')], [1, -1]),
  flat('gather', [given([16777217, 2147483647, -16777219], [3], 'int32'), given([2, 0, 1], [3], 'int32')]),
  flat('oneHot', [given([0, 3, -1, 9], [4], 'int32')], [4, 3, 0, 'float32']),
  flat('clipByValue', [i32([9])], [-3.5, 7.5]),
  flat('clipByValue', [i32([9])], [0, Infinity]),
  flat('clipByValue', [bool([9])], [0, Infinity]),
  call('unsortedSegmentSum', [f32([5, 3]), given([0, 2, 0, 1, 2], [5], 'int32')], [4]),
  flat('oneHot', [given([0, 3, 1, 2], [4], 'int32')], [4]),
  flat('oneHot', [given([0, 3, 1, 2], [2, 2], 'int32')], [5, 2, -1]),
];

/** Lists of tensors as the first argument. */
const lists = [
  call('concat', [f32([2, 3]), f32([4, 3])], [0], {list: true}),
  call('concat', [f32([2, 3]), f32([2, 1]), f32([2, 2])], [1], {list: true}),
  call('stack', [f32([2, 3]), f32([2, 3])], [1], {list: true}),
  call('addN', [f32([2, 3]), f32([2, 3]), f32([2, 3])], [], {list: true}),
];
/** Lists of tensors as the result. */
export const splits = [
  call('split', [f32([6, 3])], [3]),
  call('split', [f32([3, 7])], [[1, 4, 2], 1]),
  call('split', [f32([3, 7])], [[1, -1, 2], 1]),
  call('unstack', [f32([3, 4])]),
  call('unstack', [f32([3, 4])], [1]),
];

// The equation comes before the tensors. It has no gradients of these.
const einsums = [
  ['ij,jk->ik', [[5, 7], [7, 3]], (tf, a, b) => tf.matMul(a, b)],
  ['ij,jk->ki', [[5, 7], [7, 3]], (tf, a, b) => tf.transpose(tf.matMul(a, b))],
  ['bij,bkj->bik', [[2, 5, 7], [2, 3, 7]], (tf, a, b) => tf.matMul(a, b, false, true)],
  ['i,i->', [[9], [9]], (tf, a, b) => tf.dot(a, b)],
  ['bi,bi->b', [[4, 5], [4, 5]], (tf, a, b) => tf.sum(tf.mul(a, b), 1)],
  ['i,j->ij', [[4], [5]], (tf, a, b) => tf.outerProduct(a, b)],
  ['ijk->kj', [[3, 4, 5]], (tf, x) => tf.transpose(tf.sum(x, 0))],
].map(([equation, shapes, equivalent]) => call('einsum', shapes.map((shape) => f32(shape)), [equation], {equivalent, isFirst: true}));

export const cases = [...unary, ...tests, ...binary, ...numbered, ...reductions, ...products, ...images, ...volumes, ...norms, ...moves, ...lists, ...einsums];
export const nameOf = ({op, inputs, args}) => `${op}(${[...inputs.map((i) => `[${i.shape}]`), ...args.map((a) => JSON.stringify(a))].join(', ')})`;

/** The inputs of a case as tensors of `tf`. */
export const tensorsOf = (tf, {inputs}) => inputs.map(({values, shape, dtype}) => tf.tensor(values, shape, dtype));
/** The case's op as a function of its tensors. */
export const callOf =
  (tf, {op, args, list, isFirst}) =>
  (...tensors) =>
    list ? tf[op](tensors, ...args) : isFirst ? tf[op](...args, ...tensors) : tf[op](...tensors, ...args);

// ---- what TensorFlow.js lacks: formulas of numbers, as their sources give them ---------------------------------------------------

const sigmoid = (x) => 1 / (1 + Math.exp(-x));
// Abramowitz and Stegun 7.1.5, a series that converges to double precision below 3.
const erf = (x) => {
  let [term, sum] = [x, x];
  for (let n = 1; n < 60; ++n) sum += (term *= (-x * x) / n) / (2 * n + 1);
  return (2 / Math.sqrt(Math.PI)) * sum;
};
const clamp = (x, low, high) => Math.min(high, Math.max(low, x));
const softplus = (x) => Math.log1p(Math.exp(x));

/** name: [formula, low, high, has a gradient]; arguments are drawn from [low, high). */
export const formulas = {
  cbrt: [Math.cbrt, 0.1, 8, true],
  exp2: [(x) => 2 ** x, -4, 4, true],
  log2: [Math.log2, 0.2, 9, true],
  log10: [Math.log10, 0.2, 9, true],
  trunc: [Math.trunc, -4, 4, false],
  softsign: [(x) => x / (1 + Math.abs(x)), -3, 3, true],
  silu: [(x) => x * sigmoid(x), -4, 4, true],
  mish: [(x) => x * Math.tanh(softplus(x)), -4, 4, true],
  gelu: [(x) => (x / 2) * (1 + erf(x / Math.SQRT2)), -3, 3, true],
  geluTanh: [(x) => (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))), -3, 3, true],
  hardSigmoid: [(x) => clamp(x / 6 + 0.5, 0, 1), -4, 4, true],
  hardSilu: [(x) => x * clamp(x / 6 + 0.5, 0, 1), -4, 4, true],
  hardTanh: [(x) => clamp(x, -1, 1), -2, 2, true],
  tanhShrink: [(x) => x - Math.tanh(x), -3, 3, true],
  sparsePlus: [(x) => (x <= -1 ? 0 : x < 1 ? (x + 1) ** 2 / 4 : x), -2, 2, true],
  sparseSigmoid: [(x) => clamp((x + 1) / 2, 0, 1), -2, 2, true],
  celu: [(x, a) => (x > 0 ? x : a * Math.expm1(x / a)), -2, 2, true, 0.5, 2],
  softShrink: [(x, t) => (x > t ? x - t : x < -t ? x + t : 0), -2, 2, true, 0.3, 0.6],
  hardShrink: [(x, t) => (Math.abs(x) > t ? x : 0), -2, 2, false, 0.3, 0.6],
  squareplus: [(x, b) => (x + Math.sqrt(x * x + b)) / 2, -3, 3, true, 0.5, 4],
  xlogy: [(x, y) => x * Math.log(y), 0.2, 3, true, 0.2, 3],
};
/** The same for whole numbers. */
export const bitFormulas = {bitwiseNot: (x) => ~x, bitwiseOr: (x, y) => x | y, bitwiseXor: (x, y) => x ^ y};
export const formulaInputs = ([, low, high, , low2, high2]) => [f32([61], low, high), ...(low2 === undefined ? [] : [f32([61], low2, high2)])];
