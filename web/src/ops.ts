// The ops under TensorFlow.js's names and signatures. The elementwise ones come from the engine's table; the others are
// adapters from positional arguments to the attributes of engine/ops/all.inc.

import {castTo, run, type PaddingAttr} from './run.js';
import {binaryNames, unaryNames, type BinaryName, type UnaryName} from './generated/tables.js';
import {emptyTensor, memoryOf, Tensor, tensor, tidy, toTensor, type DataType, type TensorLike} from './tensor.js';

type Input = Tensor | TensorLike;
type Axis = number | readonly number[];

/** What is made of several ops leaves nothing behind but its result. */
export const tidied =
  <A extends unknown[], R>(f: (...args: A) => R) =>
  (...args: A): R =>
    tidy(() => f(...args));

const axesOf = (axis?: Axis | null): number[] => (axis == null ? [] : typeof axis === 'number' ? [axis] : [...axis]);

// ---- elementwise ------------------------------------------------------------------------------------------------------------

type UnaryOps = {[name in UnaryName]: (x: Input) => Tensor};
type BinaryOps = {[name in BinaryName]: (a: Input, b: Input) => Tensor};
const unary = Object.fromEntries(unaryNames.map((name) => [name, (x: Input) => run(name, [x])])) as UnaryOps;
const binary = Object.fromEntries(binaryNames.map((name) => [name, (a: Input, b: Input) => run(name, [a, b])])) as BinaryOps;

/** Every elementwise op of one or two operands, by name. */
export const elementwise: UnaryOps & BinaryOps = {
  ...unary,
  ...binary,
  /** Whole numbers divide to whole numbers, as in TensorFlow.js. */
  div: tidied((a, b) => {
    const [x, y] = [toTensor(a), toTensor(b)];
    return x.dtype === 'int32' && y.dtype === 'int32' ? binary.floorDiv(x, y) : binary.div(x, y);
  }),
};

export const where = (condition: Input, a: Input, b: Input): Tensor => run('where', [toTensor(condition, 'bool'), a, b]);
export const clipByValue = (x: Input, min: number, max: number): Tensor => run('clip', [x, min, max]);
export const leakyRelu = (x: Input, alpha = 0.2): Tensor => run('leakyRelu', [x, alpha]);
export const prelu = (x: Input, alpha: Input): Tensor => run('leakyRelu', [x, alpha]);
export const elu = (x: Input, alpha = 1): Tensor => run('elu', [x, alpha]);
export const step = (x: Input, alpha = 0): Tensor => run('step', [x, alpha]);
export const cast = (x: Input, dtype: DataType): Tensor => castTo(toTensor(x), dtype);
export const clone = (x: Input): Tensor => toTensor(x).clone();
export const identity = clone;
export const addN = tidied((xs: readonly Tensor[]): Tensor => xs.slice(1).reduce((sum, x) => run('add', [sum, x]), xs[0]!.clone()));

// ---- reductions -------------------------------------------------------------------------------------------------------------

type Reduction = (x: Input, axis?: Axis | null, keepDims?: boolean) => Tensor;
const reduction =
  (op: 'sum' | 'max' | 'min' | 'prod' | 'any' | 'all' | 'logSumExp'): Reduction =>
  (x, axis, keepDims = false) =>
    run(op, [x], {axes: axesOf(axis), keepDims});

export const prod = reduction('prod');
export const max = reduction('max');
export const min = reduction('min');
export const any = reduction('any');
export const all = reduction('all');
export const logSumExp = reduction('logSumExp');
/** Bools are counted. */
export const sum: Reduction = tidied((x, axis, keepDims = false) => {
  const t = toTensor(x);
  return run('sum', [t.dtype === 'bool' ? castTo(t, 'int32') : t], {axes: axesOf(axis), keepDims});
});
export const mean: Reduction = tidied((x, axis, keepDims = false) => run('mean', [castTo(toTensor(x), 'float32')], {axes: axesOf(axis), keepDims}));
export const argMax = (x: Input, axis = 0): Tensor => run('argMax', [x], {axis});
export const argMin = (x: Input, axis = 0): Tensor => run('argMin', [x], {axis});
export const cumsum = (x: Input, axis = 0, exclusive = false, reverse = false): Tensor => run('cumsum', [x], {axis, exclusive, reverse});

// ---- products ---------------------------------------------------------------------------------------------------------------

export const matMul = (a: Input, b: Input, transposeA = false, transposeB = false): Tensor => run('matMul', [a, b], {transposeA, transposeB});
/** Vectors and matrices: inner product, or product. */
export const dot = tidied((a: Input, b: Input): Tensor => {
  const x = toTensor(a);
  const y = toTensor(b);
  const left = x.rank === 1 ? reshape(x, [1, -1]) : x;
  const right = y.rank === 1 ? reshape(y, [-1, 1]) : y;
  const product = matMul(left, right);
  const shape = [...(x.rank === 1 ? [] : [x.shape[0]!]), ...(y.rank === 1 ? [] : [y.shape[1]!])];
  return reshape(product, shape);
});
export const outerProduct = tidied((a: Input, b: Input): Tensor => matMul(reshape(a, [-1, 1]), reshape(b, [1, -1])));

// ---- images -----------------------------------------------------------------------------------------------------------------

type Size = number | readonly [number, number];
export type Pad = 'valid' | 'same' | number | readonly (readonly [number, number])[];

const both = (size: Size): number[] => (typeof size === 'number' ? [size, size] : [...size]);
/** TensorFlow.js's explicit padding is a number, or [[0,0], [top,bottom], [left,right], [0,0]]. */
function padding(pad: Pad): PaddingAttr {
  if (pad === 'valid' || pad === 'same') return pad;
  if (typeof pad === 'number') return [pad, pad, pad, pad];
  return [pad[1]![0], pad[1]![1], pad[2]![0], pad[2]![1]];
}
function channelsLast(format: string): void {
  if (format !== 'NHWC') throw new Error(`dataFormat '${format}' is not supported: transpose to 'NHWC'`);
}
/** One image [H,W,C] is computed as a batch of one. */
const batched = tidied((x: Input, f: (batch: Tensor) => Tensor): Tensor => {
  const t = toTensor(x);
  if (t.rank !== 3) return f(t);
  const y = f(reshape(t, [1, ...t.shape]));
  return reshape(y, y.shape.slice(1));
});

export function conv2d(x: Input, filter: Input, strides: Size, pad: Pad, dataFormat = 'NHWC', dilations: Size = 1): Tensor {
  channelsLast(dataFormat);
  return batched(x, (t) => run('conv2d', [t, filter], {strides: both(strides), padding: padding(pad), dilations: both(dilations)}));
}
export function depthwiseConv2d(x: Input, filter: Input, strides: Size, pad: Pad, dataFormat = 'NHWC', dilations: Size = 1): Tensor {
  channelsLast(dataFormat);
  return batched(x, (t) => run('depthwiseConv2d', [t, filter], {strides: both(strides), padding: padding(pad), dilations: both(dilations)}));
}
export const separableConv2d = tidied((x: Input, depthwise: Input, pointwise: Input, strides: Size, pad: Pad, dilations: Size = 1): Tensor => {
  return conv2d(depthwiseConv2d(x, depthwise, strides, pad, 'NHWC', dilations), pointwise, 1, 'valid');
});
/** The filter is [H, W, outputs, inputs]. */
export function conv2dTranspose(x: Input, filter: Input, outputShape: readonly number[], strides: Size, pad: Pad): Tensor {
  return batched(x, (t) => {
    const shape = outputShape.length === 3 ? [1, ...outputShape] : [...outputShape];
    return run('conv2dTranspose', [t, filter], {outputShape: shape, strides: both(strides), padding: padding(pad)});
  });
}
const pooling =
  (op: 'maxPool' | 'avgPool') =>
  (x: Input, filterSize: Size, strides: Size, pad: Pad): Tensor =>
    batched(x, (t) => run(op, [t], {window: both(filterSize), strides: both(strides), padding: padding(pad)}));
export const maxPool = pooling('maxPool');
export const avgPool = pooling('avgPool');

// ---- softmax and normalisation ------------------------------------------------------------------------------------------------

export const softmax = (logits: Input, axis = -1): Tensor => run('softmax', [logits], {axis});
export const logSoftmax = (logits: Input, axis = -1): Tensor => run('logSoftmax', [logits], {axis});
export const batchNorm = tidied((x: Input, average: Input, variance: Input, offset?: Input, scale?: Input, varianceEpsilon: number = 0.001): Tensor => {
  const t = toTensor(average);
  return run('batchNorm', [x, t, variance, offset ?? zeros(t.shape), scale ?? ones(t.shape)], {epsilon: varianceEpsilon});
});
export const layerNorm = (x: Input, scale: Input, offset: Input, axes: Axis = -1, epsilon = 1e-3): Tensor =>
  run('layerNorm', [x, scale, offset], {axes: axesOf(axes), epsilon});

/** The mean and the variance over the axes. */
export const moments = tidied((x: Input, axis?: Axis | null, keepDims: boolean = false): {mean: Tensor; variance: Tensor} => {
  const t = toTensor(x);
  const centre = mean(t, axis, true);
  const variance = mean(elementwise.squaredDifference(t, centre), axis, keepDims);
  return {mean: keepDims ? centre : reshape(centre, variance.shape), variance};
});

// ---- movement -----------------------------------------------------------------------------------------------------------------

export const reshape = (x: Input, shape: readonly number[]): Tensor => run('reshape', [x], {shape: [...shape]});
export const transpose = (x: Input, perm: readonly number[] = []): Tensor => run('transpose', [x], {perm: [...perm]});
export const broadcastTo = (x: Input, shape: readonly number[]): Tensor => run('broadcastTo', [x], {shape: [...shape]});
export const tile = (x: Input, reps: readonly number[]): Tensor => run('tile', [x], {reps: [...reps]});
export const reverse = (x: Input, axis?: Axis): Tensor => run('reverse', [x], {axes: axesOf(axis)});
export function expandDims(x: Input, axis = 0): Tensor {
  const t = toTensor(x);
  const shape = [...t.shape];
  shape.splice(axis < 0 ? axis + t.rank + 1 : axis, 0, 1);
  return reshape(t, shape);
}
export function squeeze(x: Input, axis?: readonly number[]): Tensor {
  const t = toTensor(x);
  const drops = axis?.map((a) => (a < 0 ? a + t.rank : a));
  const bad = drops?.find((a) => t.shape[a] !== 1);
  if (bad !== undefined) throw new Error(`squeeze: axis ${bad} of the shape [${t.shape}] is not 1`);
  return reshape(t, t.shape.filter((d, i) => (drops ? !drops.includes(i) : d !== 1)));
}
/** -1 in size, or no size, reaches to the end. */
export function slice(x: Input, begin: Axis, size?: Axis): Tensor {
  const t = toTensor(x);
  const from = t.shape.map((_, i) => axesOf(begin)[i] ?? 0);
  const sizes = t.shape.map((d, i) => {
    const wanted = axesOf(size)[i] ?? -1;
    return wanted < 0 ? d - from[i]! : wanted;
  });
  return run('slice', [t], {begin: from, size: sizes});
}
/** Masks as in TensorFlow: bit i of beginMask ignores begin[i], of endMask end[i]. */
export function stridedSlice(x: Input, begin: readonly number[], end: readonly number[], strides?: readonly number[], beginMask = 0, endMask = 0): Tensor {
  const t = toTensor(x);
  const from: number[] = [];
  const to: number[] = [];
  const steps = t.shape.map((_, i) => strides?.[i] ?? 1);
  t.shape.forEach((d, i) => {
    const forwards = steps[i]! > 0;
    const bounded = (v: number) => Math.min(Math.max(v < 0 ? v + d : v, forwards ? 0 : -1), forwards ? d : d - 1);
    from.push(begin[i] === undefined || beginMask & (1 << i) ? (forwards ? 0 : d - 1) : bounded(begin[i]!));
    to.push(end[i] === undefined || endMask & (1 << i) ? (forwards ? d : -1) : bounded(end[i]!));
  });
  return run('stridedSlice', [t], {begin: from, end: to, strides: steps});
}
export const pad = (x: Input, paddings: ReadonlyArray<readonly [number, number]>, constantValue = 0): Tensor =>
  run('pad', [x], {paddings: paddings.flat(), value: constantValue});
export const mirrorPad = (x: Input, paddings: ReadonlyArray<readonly [number, number]>, mode: 'reflect' | 'symmetric'): Tensor =>
  run('mirrorPad', [x], {paddings: paddings.flat(), mode});
export const concat = (xs: readonly Input[], axis = 0): Tensor => run('concat', xs, {axis});
export const stack = (xs: readonly Input[], axis = 0): Tensor => run('stack', xs, {axis});
/** Equal parts by their number, or parts of the given sizes. */
export function split(x: Input, parts: number | readonly number[], axis = 0): Tensor[] {
  const t = toTensor(x);
  const at = axis < 0 ? axis + t.rank : axis;
  const total = t.shape[at]!;
  const sizes = typeof parts === 'number' ? new Array<number>(parts).fill(total / parts) : [...parts];
  if (sizes.some((s) => !Number.isInteger(s)) || sizes.reduce((a, b) => a + b, 0) !== total) {
    throw new Error(`split: ${total} entries along axis ${axis} do not divide into [${parts}]`);
  }
  let begin = 0;
  return sizes.map((size) => {
    const from = t.shape.map((_, i) => (i === at ? begin : 0));
    begin += size;
    return run('slice', [t], {begin: from, size: t.shape.map((d, i) => (i === at ? size : d))});
  });
}
export const unstack = tidied((x: Input, axis: number = 0): Tensor[] => {
  const t = toTensor(x);
  return split(t, t.shape[axis < 0 ? axis + t.rank : axis]!, axis).map((part) => squeeze(part, [axis]));
});
export const gather = tidied((x: Input, indices: Input, axis: number = 0): Tensor => run('gather', [x, castTo(toTensor(indices, 'int32'), 'int32')], {axis}));
export const unsortedSegmentSum = (x: Input, segmentIds: Input, numSegments: number): Tensor =>
  run('scatterAdd', [toTensor(segmentIds, 'int32'), x], {axis: 0, size: numSegments});
export const oneHot = tidied((indices: Input, depth: number, onValue: number = 1, offValue: number = 0, dtype: DataType = 'int32'): Tensor =>
  castTo(run('oneHot', [castTo(toTensor(indices, 'int32'), 'int32')], {depth, onValue, offValue}), dtype),
);

// ---- making ---------------------------------------------------------------------------------------------------------------------

export function fill(shape: readonly number[], value: number, dtype: DataType = 'float32'): Tensor {
  const t = emptyTensor(shape, dtype);
  memoryOf(t).fill(value);
  return t;
}
export const zeros = (shape: readonly number[], dtype: DataType = 'float32'): Tensor => fill(shape, 0, dtype);
export const ones = (shape: readonly number[], dtype: DataType = 'float32'): Tensor => fill(shape, 1, dtype);
export const zerosLike = (x: Input): Tensor => zeros(toTensor(x).shape, toTensor(x).dtype);
export const onesLike = (x: Input): Tensor => ones(toTensor(x).shape, toTensor(x).dtype);
export const scalar = (value: number | boolean, dtype?: DataType): Tensor => tensor(value, [], dtype);
export const tensor1d = (values: TensorLike, dtype?: DataType): Tensor => ranked(1, values, undefined, dtype);
export const tensor2d = (values: TensorLike, shape?: readonly number[], dtype?: DataType): Tensor => ranked(2, values, shape, dtype);
export const tensor3d = (values: TensorLike, shape?: readonly number[], dtype?: DataType): Tensor => ranked(3, values, shape, dtype);
export const tensor4d = (values: TensorLike, shape?: readonly number[], dtype?: DataType): Tensor => ranked(4, values, shape, dtype);
function ranked(rank: number, values: TensorLike, shape?: readonly number[], dtype?: DataType): Tensor {
  const t = tensor(values, shape, dtype);
  if (t.rank === rank) return t;
  t.dispose();
  throw new Error(`tensor${rank}d needs values or a shape of rank ${rank}, got [${t.shape}]`);
}
export function range(start: number, stop: number, by = 1, dtype: DataType = 'float32'): Tensor {
  if (by === 0) throw new Error('range: the step must not be 0');
  const step = stop < start && by === 1 ? -1 : by;
  const count = Math.max(0, Math.ceil((stop - start) / step));
  return tensor(Float32Array.from({length: count}, (_, i) => start + i * step), [count], dtype);
}
export function linspace(start: number, stop: number, num: number): Tensor {
  if (num < 1) throw new Error(`linspace: num must be at least 1, got ${num}`);
  return tensor(Float32Array.from({length: num}, (_, i) => (num === 1 ? start : start + ((stop - start) * i) / (num - 1))));
}
export function eye(rows: number, columns = rows): Tensor {
  const t = zeros([rows, columns]);
  const memory = memoryOf(t);
  for (let i = 0; i < Math.min(rows, columns); ++i) memory[i * columns + i] = 1;
  return t;
}

// Every call draws from its own stream; a seed makes a call repeatable.
let draws = 0;
const session = (Math.random() * 2 ** 31) | 0;
function draw(op: 'randomUniform' | 'randomNormal' | 'truncatedNormal', shape: readonly number[], attrs: Record<string, number>, dtype: DataType, seed?: number): Tensor {
  const state = tensor(Int32Array.of(seed ?? session, 0, seed === undefined ? ++draws : 0, 0));
  const t = run(op, [state], {shape: [...shape], ...attrs});
  state.dispose();
  if (dtype === 'float32') return t;
  const converted = castTo(t, dtype);
  t.dispose();
  return converted;
}
export const randomUniform = (shape: readonly number[], minval = 0, maxval = 1, dtype: DataType = 'float32', seed?: number): Tensor =>
  draw('randomUniform', shape, {low: minval, high: maxval}, dtype, seed);
export const randomNormal = (shape: readonly number[], average = 0, stdDev = 1, dtype: 'float32' | 'int32' = 'float32', seed?: number): Tensor =>
  draw('randomNormal', shape, {mean: average, stddev: stdDev}, dtype, seed);
export const truncatedNormal = (shape: readonly number[], average = 0, stdDev = 1, dtype: 'float32' | 'int32' = 'float32', seed?: number): Tensor =>
  draw('truncatedNormal', shape, {mean: average, stddev: stdDev}, dtype, seed);
export const dropout = tidied((x: Input, rate: number, noiseShape?: readonly number[], seed?: number): Tensor => {
  if (noiseShape) throw new Error('dropout: noiseShape is not supported');
  const state = tensor(Int32Array.of(seed ?? session, 0, seed === undefined ? ++draws : 0, 0));
  return run('dropout', [x, state], {rate});
});

// ---- chained methods ------------------------------------------------------------------------------------------------------------

const chained = {
  where: (t: Tensor, condition: Input, b: Input) => where(condition, t, b),
  clipByValue, leakyRelu, prelu, elu, step, cast, sum, mean, prod, max, min, any, all, logSumExp, argMax, argMin, cumsum, matMul, dot, outerProduct,
  conv2d, depthwiseConv2d, separableConv2d, conv2dTranspose, maxPool, avgPool, softmax, logSoftmax, batchNorm, reshape, transpose, broadcastTo, tile,
  reverse, expandDims, squeeze, slice, stridedSlice, pad, mirrorPad, split, unstack, gather, unsortedSegmentSum, oneHot,
  flatten: (t: Tensor) => reshape(t, [t.size]),
  as1D: (t: Tensor) => reshape(t, [t.size]),
  as2D: (t: Tensor, ...shape: number[]) => reshape(t, shape),
  as3D: (t: Tensor, ...shape: number[]) => reshape(t, shape),
  as4D: (t: Tensor, ...shape: number[]) => reshape(t, shape),
  asScalar: (t: Tensor) => reshape(t, []),
  reshapeAs: (t: Tensor, other: Tensor) => reshape(t, other.shape),
  toFloat: (t: Tensor) => castTo(t, 'float32'),
  toInt: (t: Tensor) => castTo(t, 'int32'),
  toBool: (t: Tensor) => castTo(t, 'bool'),
  concat: (t: Tensor, others: Tensor | Tensor[], axis = 0) => concat([t, ...[others].flat()], axis),
  stack: (t: Tensor, others: Tensor | Tensor[], axis = 0) => stack([t, ...[others].flat()], axis),
};

// The type of a method: the function without its first parameter, the tensor itself.
type Methods = {
  [name in keyof typeof chained]: (typeof chained)[name] extends (first: never, ...rest: infer Rest) => infer Result ? (...rest: Rest) => Result : never;
};
declare module './tensor.js' {
  interface Tensor extends Methods {}
}

for (const [name, op] of Object.entries({...elementwise, ...chained})) {
  Object.defineProperty(Tensor.prototype, name, {
    value(this: Tensor, ...rest: unknown[]) {
      return (op as (...args: unknown[]) => unknown)(this, ...rest);
    },
  });
}
