// The ops under TensorFlow.js's names and signatures. The elementwise ones come from the engine's table; the others are
// adapters from positional arguments to the attributes of engine/ir/all.inc.

import {avgPool, conv2d, conv2dTranspose, depthwiseConv2d, maxPool, separableConv2d} from './images.js';
import {binaryNames, unaryNames, type BinaryName, type UnaryName} from './generated/tables.js';
import {avgPool3d, batchToSpaceND, conv1d, conv3d, conv3dTranspose, maxPool3d, pool, spaceToBatchND} from './volumes.js';
import {ones, scalar, zeros} from './make.js';
import {as, castTo, run, type Attributes} from './run.js';
import {memoryOf, Tensor, tidied, toTensor, type DataType, type TensorLike} from './tensor.js';
import {checkShape, flatten, show} from './values.js';

export * from './images.js';
export * from './make.js';
export * from './volumes.js';

type Input = Tensor | TensorLike;
type Axis = number | readonly number[];

const axesOf = (axis?: Axis | null): number[] => (axis == null ? [] : typeof axis === 'number' ? [axis] : [...axis]);
/** From the first, of a tensor of that rank. */
function axesWithin(axis: Axis, rank: number): number[] {
  const axes = axesOf(axis);
  if (!axes.every((a) => a >= -rank && a < rank)) throw new Error(`All values in axis param must be in range [-${rank}, ${rank}) but got axis ${axis}`);
  if (!axes.every(Number.isInteger)) throw new Error(`All values in axis param must be integers but got axis ${axis}`);
  return axes.map((a) => (a < 0 ? a + rank : a));
}
/** Tensors for each of a list. */
function listOf(xs: readonly Input[], op: string): Tensor[] {
  if (!Array.isArray(xs)) throw new Error(`Argument tensors passed to ${op} must be a \`Tensor[]\` or \`TensorLike[]\``);
  if (xs.length === 0) throw new Error(`Pass at least one tensor to ${op}`);
  return xs.map((x, i) => toTensor(x, `tensors[${i}]`, op));
}

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
    const [x, y] = [toTensor(a, 'a', 'div'), toTensor(b, 'b', 'div')];
    return x.dtype === 'int32' && y.dtype === 'int32' ? binary.floorDiv(x, y) : binary.div(x, y);
  }),
};

export const where = tidied((condition: Input, a: Input, b: Input): Tensor => run('where', [toTensor(condition, 'condition', 'where', 'bool'), a, b]));
/** A number as a scalar of the type of `t`, or int32 for bools; what is beyond int32 bounds nothing there. */
function scalarLike(value: number, t: Tensor, what: string): Tensor {
  if (typeof value !== 'number') throw new Error(`${what} must be a number, got ${show(value)}`);
  return t.dtype === 'float32' ? scalar(value) : scalar(Math.min(Math.max(value, -(2 ** 31)), 2 ** 31 - 1), 'int32');
}
export const clipByValue = tidied((x: Input, clipValueMin: number, clipValueMax: number): Tensor => {
  const t = toTensor(x, 'x', 'clipByValue');
  if (!(clipValueMin <= clipValueMax)) throw new Error(`Error in clip: min (${clipValueMin}) must be less than or equal to max (${clipValueMax}).`);
  return as(run('clip', [t, scalarLike(clipValueMin, t, 'clipByValue: clipValueMin'), scalarLike(clipValueMax, t, 'clipByValue: clipValueMax')], {}, 'clipByValue'), t.dtype);
});
export const leakyRelu = (x: Input, alpha = 0.2): Tensor => run('leakyRelu', [x, alpha]);
export const prelu = (x: Input, alpha: Input): Tensor => run('leakyRelu', [x, alpha], {}, 'prelu');
export const elu = (x: Input, alpha = 1): Tensor => run('elu', [x, alpha]);
export const step = tidied((x: Input, alpha: number = 0): Tensor => {
  const t = toTensor(x, 'x', 'step');
  return run('step', [t, scalarLike(alpha, t, 'step: alpha')]);
});
export const cast = tidied((x: Input, dtype: DataType): Tensor => castTo(toTensor(x, 'x', 'cast'), dtype));
export const clone = tidied((x: Input): Tensor => toTensor(x, 'x', 'clone').clone());
export const identity = clone;
export const addN = tidied((tensors: readonly Input[]): Tensor => {
  if (!Array.isArray(tensors)) throw new Error('The argument passed to tf.addN() must be a list of tensors');
  if (tensors.length < 1) throw new Error(`Must pass at least one tensor to tf.addN(), but got ${tensors.length}`);
  const [first, ...rest] = tensors.map((x, i) => toTensor(x, `tensors${i}`, 'addN')) as [Tensor, ...Tensor[]];
  if (rest.some((t) => t.dtype !== first.dtype)) throw new Error('All tensors passed to tf.addN() must have the same dtype');
  if (rest.some((t) => String(t.shape) !== String(first.shape))) throw new Error('All tensors passed to tf.addN() must have the same shape');
  return rest.reduce((sum, t) => run('add', [sum, t]), first.clone());
});

// ---- reductions -------------------------------------------------------------------------------------------------------------

type Reduction = (x: Input, axis?: Axis | null, keepDims?: boolean) => Tensor;
type ReductionName = 'sum' | 'mean' | 'max' | 'min' | 'prod' | 'any' | 'all' | 'logSumExp';
/** The largest of bools is whether any is true, also of none. */
const ofBools: {[name: string]: ReductionName} = {max: 'any', min: 'all'};
/** No axis is all of them, an empty list none: each element is reduced by itself. Bools are counted. */
const reduction = (name: ReductionName, inputType?: 'bool'): Reduction =>
  tidied((x, axis, keepDims = false) => {
    const t = toTensor(x, 'x', name, inputType);
    const isBool = t.dtype === 'bool' && !inputType;
    const op = (isBool && ofBools[name]) || name;
    const numbers = name === 'mean' ? as(t, 'float32') : isBool && op === name ? as(t, 'int32') : t;
    const isNone = Array.isArray(axis) && axis.length === 0;
    return isNone ? run(op, [expandDims(numbers, -1)], {axes: [-1]}) : run(op, [numbers], {axes: axesOf(axis), keepDims});
  });

export const sum = reduction('sum');
export const mean = reduction('mean');
export const prod = reduction('prod');
export const max = reduction('max');
export const min = reduction('min');
export const any = reduction('any', 'bool');
export const all = reduction('all', 'bool');
export const logSumExp = reduction('logSumExp');
/** Along one axis; bools as 0 and 1. */
const along = (op: 'argMax' | 'argMin' | 'cumsum', x: Input, attrs: Attributes): Tensor => {
  const t = toTensor(x, 'x', op);
  return run(op, [t.dtype === 'bool' ? as(t, 'int32') : t], attrs);
};
export const argMax = tidied((x: Input, axis: number = 0): Tensor => along('argMax', x, {axis}));
export const argMin = tidied((x: Input, axis: number = 0): Tensor => along('argMin', x, {axis}));
export const cumsum = tidied((x: Input, axis: number = 0, exclusive: boolean = false, reverse: boolean = false): Tensor => along('cumsum', x, {axis, exclusive, reverse}));

// ---- products ---------------------------------------------------------------------------------------------------------------

/** Of integers exactly, by their broadcast products; otherwise as float32. */
export const matMul = tidied((a: Input, b: Input, transposeA: boolean = false, transposeB: boolean = false): Tensor => {
  const [x, y] = [toTensor(a, 'a', 'matMul'), toTensor(b, 'b', 'matMul')];
  if (x.dtype === 'float32' || y.dtype === 'float32' || x.rank < 2 || y.rank < 2) {
    return run('matMul', [as(x, 'float32'), as(y, 'float32')], {transposeA, transposeB});
  }
  // The summed axis last in both.
  const rows = (t: Tensor, isRight: boolean) => (isRight ? t : transpose(t, [...t.shape.keys()].map((i) => (i < t.rank - 2 ? i : 2 * t.rank - 3 - i))));
  const [left, right] = [rows(as(x, 'int32'), !transposeA), rows(as(y, 'int32'), transposeB)];
  if (left.shape.at(-1) !== right.shape.at(-1)) throw new Error(`matMul: the inner sizes of [${x.shape}] and [${y.shape}] differ`);
  return sum(binary.mul(expandDims(left, -2), expandDims(right, -3)), -1);
});
/** Vectors and matrices: inner product, or product. */
export const dot = tidied((t1: Input, t2: Input): Tensor => {
  const [x, y] = [toTensor(t1, 't1', 'dot'), toTensor(t2, 't2', 'dot')];
  if ([x, y].some((t) => t.rank !== 1 && t.rank !== 2)) throw new Error(`Error in dot: inputs must all be rank 1 or 2, but got ranks ${x.rank} and ${y.rank}.`);
  const inner = [x.shape.at(-1)!, y.shape[0]!];
  if (inner[0] !== inner[1]) throw new Error(`Error in dot: inner dimensions of inputs must match, but got ${inner[0]} and ${inner[1]}.`);
  const product = matMul(x.rank === 1 ? reshape(x, [1, x.size]) : x, y.rank === 1 ? reshape(y, [y.size, 1]) : y);
  return reshape(product, [...x.shape.slice(0, -1), ...y.shape.slice(1)]);
});
export const outerProduct = tidied((v1: Input, v2: Input): Tensor => {
  const [x, y] = [toTensor(v1, 'v1', 'outerProduct'), toTensor(v2, 'v2', 'outerProduct')];
  if (x.rank !== 1 || y.rank !== 1) throw new Error(`Error in outerProduct: inputs must be rank 1, but got ranks ${x.rank} and ${y.rank}.`);
  return matMul(reshape(x, [x.size, 1]), reshape(y, [1, y.size]));
});
/**
 * Products of tensors along named axes, summed over those that the result has not: tf.einsum('bij,bjk->bik', a, b). Any number of tensors; "..." stands
 * for further axes.
 */
export const einsum = tidied((equation: string, ...tensors: Input[]): Tensor => run('einsum', tensors.map((x, i) => toTensor(x, `tensors${i}`, 'einsum')), {equation}));

// ---- softmax and normalisation ------------------------------------------------------------------------------------------------

export const softmax = (logits: Input, axis = -1): Tensor => run('softmax', [logits], {axis});
export const logSoftmax = (logits: Input, axis = -1): Tensor => run('logSoftmax', [logits], {axis});
export const batchNorm = tidied(
  (x: Input, mean: Input, variance: Input, offset?: Input | null, scale?: Input | null, varianceEpsilon?: number | null): Tensor => {
    const t = toTensor(mean, 'mean', 'batchNorm');
    return run('batchNorm', [x, t, variance, offset ?? zeros(t.shape), scale ?? ones(t.shape)], {epsilon: varianceEpsilon ?? 0.001});
  },
);
export const layerNorm = (x: Input, scale: Input, offset: Input, axes: Axis = -1, epsilon = 1e-3): Tensor =>
  run('layerNorm', [x, scale, offset], {axes: axesOf(axes), epsilon});

/** The mean and the variance over the axes. */
export const moments = tidied((x: Input, axis?: Axis | null, keepDims: boolean = false): {mean: Tensor; variance: Tensor} => {
  const t = toTensor(x, 'x', 'moments');
  const isNone = Array.isArray(axis) && axis.length === 0;
  const centre = mean(t, axis, true);
  const variance = mean(elementwise.squaredDifference(t, centre), axis, keepDims);
  return {mean: keepDims || isNone ? centre : reshape(centre, variance.shape), variance};
});

// ---- movement -----------------------------------------------------------------------------------------------------------------

export const reshape = (x: Input, shape: readonly number[]): Tensor => run('reshape', [x], {shape});
/** The axes backwards where there is no perm. `conjugate` is for complex numbers, which there are none of. */
export const transpose = tidied((x: Input, perm?: readonly number[] | null, _conjugate?: boolean): Tensor => {
  const t = toTensor(x, 'x', 'transpose');
  if (perm && perm.length !== t.rank) {
    throw new Error(`Error in transpose: rank of input ${t.rank} must match length of perm ${show(perm)}: the shape is [${t.shape}].`);
  }
  return run('transpose', [t], {perm: perm ?? []});
});
export const broadcastTo = (x: Input, shape: readonly number[]): Tensor => run('broadcastTo', [x], {shape});
export const tile = tidied((x: Input, reps: readonly number[]): Tensor => {
  const t = toTensor(x, 'x', 'tile');
  if (reps?.length !== t.rank) throw new Error(`Error in tile: rank of input ${t.rank} must match length of reps ${show(reps)}.`);
  return run('tile', [t], {reps});
});
/** Along all axes where none is named, and along none of an empty list. */
export const reverse = tidied((x: Input, axis?: Axis | null): Tensor => {
  const t = toTensor(x, 'x', 'reverse');
  const axes = axesWithin(axis ?? [], t.rank);
  if (new Set(axes).size < axes.length) throw new Error(`reverse: an axis is named twice in ${show(axis)}`);
  return Array.isArray(axis) && axis.length === 0 ? t.clone() : run('reverse', [t], {axes});
});
export const expandDims = tidied((x: Input, axis: number = 0): Tensor => {
  const t = toTensor(x, 'x', 'expandDims');
  if (!Number.isInteger(axis) || axis < -t.rank - 1 || axis > t.rank) {
    throw new Error(`Axis must be in the interval [${-t.rank - 1}, ${t.rank}]: expandDims got axis ${show(axis)}`);
  }
  const shape = [...t.shape];
  shape.splice(axis < 0 ? axis + t.rank + 1 : axis, 0, 1);
  return reshape(t, shape);
});
/** Without axes, and with an empty list of them, every axis of size 1 goes. */
export const squeeze = tidied((x: Input, axis?: Axis | null): Tensor => {
  const t = toTensor(x, 'x', 'squeeze');
  const drops = axesWithin(axis ?? [], t.rank);
  const bad = drops.find((a) => t.shape[a] !== 1);
  if (bad !== undefined) throw new Error(`Can't squeeze axis ${bad} since its dim '${t.shape[bad]}' is not 1: the shape is [${t.shape}]`);
  return reshape(t, t.shape.filter((d, i) => (drops.length ? !drops.includes(i) : d !== 1)));
});
/** -1 in size, or no size, reaches to the end. */
export const slice = tidied((x: Input, begin: Axis, size?: Axis | null): Tensor => {
  const t = toTensor(x, 'x', 'slice');
  if (t.rank === 0) throw new Error('Slicing scalar is not possible');
  if (begin == null) throw new Error(`slice: begin must be a number or a list of numbers, got ${begin}`);
  const [from, sizes] = [axesOf(begin), axesOf(size)];
  for (const [name, list] of [['begin', from], ['size', sizes]] as const) {
    if (list.length > t.rank) throw new Error(`Error in slice${t.rank}D: Length of ${name} ${list} must match the rank of the array (${t.rank}).`);
  }
  const starts = t.shape.map((_, i) => from[i] ?? 0);
  if (starts.some((d) => d < 0)) throw new Error(`slice() does not support negative begin indexing. begin is ${show(begin)}`);
  const counts = t.shape.map((d, i) => {
    const count = sizes[i] ?? -1;
    if (count < -1) throw new Error(`Negative size values should be exactly -1 but got ${count} for the slice() size at index ${i}.`);
    return count === -1 ? d - starts[i]! : count;
  });
  return run('slice', [t], {begin: starts, size: counts});
});
/**
 * Masks as in TensorFlow, bit i for entry i: of beginMask and endMask ignores its begin or its end, of ellipsisMask lets it stand for all
 * axes that are not mentioned, of newAxisMask inserts an axis of size 1, of shrinkAxisMask takes the one element at begin and drops the axis.
 */
export const stridedSlice = tidied(
  (x: Input, begin: readonly number[], end: readonly number[], strides?: readonly number[] | null, beginMask: number = 0, endMask: number = 0,
    ellipsisMask: number = 0, newAxisMask: number = 0, shrinkAxisMask: number = 0): Tensor => {
    const t = toTensor(x, 'x', 'stridedSlice');
    const fail = (words: string): never => {
      throw new Error(`stridedSlice: ${words}`);
    };
    const by = strides ?? begin.map(() => 1);
    if (end.length !== begin.length || by.length !== begin.length) fail(`begin, end and strides must be of one length, got ${begin.length}, ${end.length} and ${by.length}`);
    if (ellipsisMask & (ellipsisMask - 1)) fail('Multiple ellipses in slice is not allowed.');
    const [from, to, steps, shape]: number[][] = [[], [], [], []] as number[][] as [number[], number[], number[], number[]];
    const add = (first: number, last: number, step: number) => (from!.push(first), to!.push(last), steps!.push(step));
    const addWhole = (until: number) => {
      for (let axis = from!.length; axis < until; ++axis) shape!.push(add(0, t.shape[axis]!, 1) && t.shape[axis]!);
    };
    const newAxes = (after: number) => begin.filter((_, i) => i > after && (newAxisMask >> i) & 1).length;
    begin.forEach((_, i) => {
      const has = (mask: number) => (mask >> i) & 1;
      if (has(ellipsisMask)) return addWhole(t.rank - (begin.length - i - 1 - newAxes(i)));
      if (has(newAxisMask)) return void shape!.push(1);
      const d = t.shape[from!.length];
      if (d === undefined) return fail(`there are more entries in begin than axes in [${t.shape}]`);
      const step = by[i]!;
      if (step === 0) fail(`strides[${i}] must be non-zero`);
      const fromFront = (v: number) => (v < 0 ? v + d : v);
      if (has(shrinkAxisMask)) {
        const at = fromFront(begin[i]!);
        if (step < 0) fail('only stride 1 allowed on non-range indexing.');
        if (!(at >= 0 && at < d)) fail(`slice index ${begin[i]} of dimension ${from!.length} out of bounds.`);
        return void add(at, at + 1, 1);
      }
      const [least, most] = step > 0 ? [0, d] : [-1, d - 1];
      const bounded = (v: number) => Math.min(Math.max(fromFront(v), least!), most!);
      const first = has(beginMask) ? (step > 0 ? 0 : d - 1) : bounded(begin[i]!);
      const last = has(endMask) ? (step > 0 ? d : -1) : bounded(end[i]!);
      add(first, last, step);
      shape!.push(Math.max(0, Math.ceil((last - first) / step)));
    });
    addWhole(t.rank);
    return reshape(run('stridedSlice', [t], {begin: from, end: to, strides: steps}), shape!);
  },
);
type Paddings = ReadonlyArray<readonly [number, number]>;
function flatPaddings(paddings: Paddings, op: string): number[] {
  if (!Array.isArray(paddings) || !paddings.every((p) => Array.isArray(p) && p.length === 2)) {
    throw new Error(`${op}: paddings must be a pair [before, after] for each axis, got ${show(paddings)}`);
  }
  return paddings.flat();
}
export const pad = tidied((x: Input, paddings: Paddings, constantValue: number = 0): Tensor => {
  const t = toTensor(x, 'x', 'pad');
  if (t.rank === 0) throw new Error('pad(scalar) is not defined. Pass non-scalar to pad');
  const attrs = {paddings: flatPaddings(paddings, 'pad')};
  if (t.dtype === 'float32' || Math.fround(constantValue) === constantValue) return run('pad', [t], {...attrs, value: constantValue});
  // The attribute is a float32, which does not hold every int32.
  return where(run('pad', [ones(t.shape, 'bool')], attrs), run('pad', [t], attrs), scalar(constantValue, t.dtype));
});
export const mirrorPad = (x: Input, paddings: Paddings, mode: 'reflect' | 'symmetric'): Tensor =>
  run('mirrorPad', [x], {paddings: flatPaddings(paddings, 'mirrorPad'), mode});
/** The first tensor's type is the result's: what it cannot hold is refused. */
export const concat = tidied((tensors: readonly Input[], axis: number = 0): Tensor => {
  const list = listOf(tensors, 'concat');
  const order: DataType[] = ['bool', 'int32', 'float32'];
  const {dtype} = list[0]!;
  const wider = list.find((t) => order.indexOf(t.dtype) > order.indexOf(dtype));
  if (wider) throw new Error(`concat: the first tensor is ${dtype}, which cannot hold another's ${wider.dtype}: cast it`);
  return run('concat', list.map((t) => as(t, dtype)), {axis});
});
export const stack = tidied((tensors: readonly Input[], axis: number = 0): Tensor => {
  const list = listOf(tensors, 'stack');
  const {shape, dtype} = list[0]!;
  for (const t of list) {
    if (String(t.shape) !== String(shape)) throw new Error(`All tensors passed to stack must have matching shapes Shapes ${shape} and ${t.shape} must match`);
    if (t.dtype !== dtype) throw new Error('All tensors passed to stack must have matching dtypes');
  }
  return run('stack', list, {axis});
});
/** Equal parts by their number, or parts of the given sizes, of which one may be -1: the rest. */
export const split = tidied((x: Input, numOrSizeSplits: number | readonly number[], axis: number = 0): Tensor[] => {
  const t = toTensor(x, 'x', 'split');
  const at = axesWithin(axis, t.rank)[0]!;
  const total = t.shape[at]!;
  const fail = (words: string): never => {
    throw new Error(`${words} split: ${show(numOrSizeSplits)} of ${total} entries along axis ${axis}`);
  };
  let sizes: number[];
  if (typeof numOrSizeSplits === 'number') {
    if (!(numOrSizeSplits > 0 && Number.isInteger(total / numOrSizeSplits) && Number.isInteger(numOrSizeSplits))) fail('Number of splits must evenly divide the axis.');
    sizes = new Array<number>(numOrSizeSplits).fill(total / numOrSizeSplits);
  } else {
    if (!Array.isArray(numOrSizeSplits)) fail('The parts must be a number or a list of sizes.');
    if (numOrSizeSplits.filter((s) => s === -1).length > 1) fail('There should be only one negative value in split array.');
    const rest = total - numOrSizeSplits.reduce((sum, s) => sum + (s === -1 ? 0 : s), 0);
    sizes = numOrSizeSplits.map((s) => (s === -1 ? rest : s));
    if (!sizes.every((s) => Number.isInteger(s) && s >= 0) || sizes.reduce((a, b) => a + b, 0) !== total) {
      fail('The sum of sizes must match the size of the axis dimension.');
    }
  }
  let begin = 0;
  return sizes.map((size) => {
    const from = t.shape.map((_, i) => (i === at ? begin : 0));
    begin += size;
    return run('slice', [t], {begin: from, size: t.shape.map((d, i) => (i === at ? size : d))});
  });
});
export const unstack = tidied((x: Input, axis: number = 0): Tensor[] => {
  const t = toTensor(x, 'x', 'unstack');
  if (!Number.isInteger(axis) || axis < -t.rank || axis >= t.rank) throw new Error(`Axis = ${axis} is not in [-${t.rank}, ${t.rank})`);
  const count = t.shape[axis < 0 ? axis + t.rank : axis]!;
  return count === 0 ? [] : split(t, count, axis).map((part) => squeeze(part, [axis]));
});
/** With `batchDims` the leading axes of both are the same, and each entry of them has its own indices. */
export const gather = tidied((x: Input, indices: Input, axis: number = 0, batchDims: number = 0): Tensor => {
  const [t, at] = [toTensor(x, 'x', 'gather'), indicesOf(indices, 'indices', 'gather')];
  if (batchDims === 0) return run('gather', [t, at], {axis});
  const fail = (words: string): never => {
    throw new Error(`gather: ${words}`);
  };
  if (!Number.isInteger(batchDims) || Math.abs(batchDims) > at.rank) fail(`Expect batchDims in the range of [-${at.rank}, ${at.rank}], but got ${batchDims}`);
  const batches = batchDims < 0 ? batchDims + at.rank : batchDims;
  const along = axesWithin(axis, t.rank)[0]!;
  if (along < batches) fail(`batchDims (${batches}) must be less than or equal to axis (${along}).`);
  const batch = t.shape.slice(0, batches);
  batch.forEach((d, i) => d === at.shape[i] || fail(`x.shape[${i}]: ${d} should be equal to indices.shape[${i}]: ${at.shape[i]}.`));
  const count = batch.reduce((n, d) => n * d, 1);
  const parts = (of: Tensor) => unstack(reshape(of, [count, ...of.shape.slice(batches)]));
  const rows = parts(at);
  const shape = [...t.shape.slice(0, along), ...at.shape.slice(batches), ...t.shape.slice(along + 1)];
  if (count === 0) return zeros(shape, t.dtype);
  return reshape(stack(parts(t).map((part, i) => run('gather', [part, rows[i]!], {axis: along - batches}))), shape);
});
/** Positions are whole numbers: nothing is rounded to one. */
function indicesOf(x: Input, argument: string, op: string): Tensor {
  const t = toTensor(x, argument, op, 'int32');
  if (x instanceof Tensor || x instanceof Int32Array) return t;
  const bad = Array.from(flatten(x, t.shape)).find((v) => !Number.isInteger(v));
  if (bad !== undefined) throw new Error(`Argument '${argument}' passed to '${op}' must hold whole numbers, but got ${bad}`);
  return t;
}
export const unsortedSegmentSum = tidied((x: Input, segmentIds: Input, numSegments: number): Tensor => {
  const t = toTensor(x, 'x', 'unsortedSegmentSum');
  if (!Number.isInteger(numSegments)) throw new Error(`numSegments must be of dtype int, got ${show(numSegments)}`);
  const values = t.dtype === 'bool' ? as(t, 'int32') : t;
  return run('scatterAdd', [indicesOf(segmentIds, 'segmentIds', 'unsortedSegmentSum'), values], {axis: 0, size: numSegments}, 'unsortedSegmentSum');
});
export const oneHot = tidied((indices: Input, depth: number, onValue: number = 1, offValue: number = 0, dtype: DataType = 'int32'): Tensor => {
  const at = indicesOf(indices, 'indices', 'oneHot');
  const isExact = dtype === 'float32' || [onValue, offValue].every((v) => Math.fround(v) === v);
  if (isExact) return as(run('oneHot', [at], {depth, onValue, offValue}), dtype);
  return where(as(run('oneHot', [at], {depth}), 'bool'), scalar(onValue, dtype), scalar(offValue, dtype));
});

// ---- making ---------------------------------------------------------------------------------------------------------------------

/** With a `batchShape` a matrix for each of its entries. */
export const eye = tidied((numRows: number, numColumns?: number | null, batchShape?: readonly number[] | null, dtype?: DataType | null): Tensor => {
  const columns = numColumns ?? numRows;
  const t = zeros([numRows, columns], dtype);
  const memory = memoryOf(t);
  for (let i = 0; i < Math.min(numRows, columns); ++i) memory[i * columns + i] = 1;
  return batchShape ? broadcastTo(t, [...checkShape(batchShape), numRows, columns]) : t;
});

// ---- chained methods ------------------------------------------------------------------------------------------------------------

const chained = {
  where: (t: Tensor, condition: Input, b: Input) => where(condition, t, b),
  clipByValue, leakyRelu, prelu, elu, step, cast, sum, mean, prod, max, min, any, all, logSumExp, argMax, argMin, cumsum, matMul, dot, outerProduct,
  conv1d, conv2d, conv3d, depthwiseConv2d, separableConv2d, conv2dTranspose, conv3dTranspose, maxPool, avgPool, maxPool3d, avgPool3d, pool,
  spaceToBatchND, batchToSpaceND, softmax, logSoftmax, batchNorm, reshape, transpose, broadcastTo, tile,
  reverse, expandDims, squeeze, slice, stridedSlice, pad, mirrorPad, split, unstack, gather, unsortedSegmentSum, oneHot,
  flatten: (t: Tensor) => reshape(t, [t.size]),
  as1D: (t: Tensor) => reshape(t, [t.size]),
  as2D: (t: Tensor, rows: number, columns: number) => reshape(t, [rows, columns]),
  as3D: (t: Tensor, rows: number, columns: number, depth: number) => reshape(t, [rows, columns, depth]),
  as4D: (t: Tensor, rows: number, columns: number, depth: number, depth2: number) => reshape(t, [rows, columns, depth, depth2]),
  asScalar: (t: Tensor) => reshape(t, []),
  reshapeAs: (t: Tensor, x: Tensor) => reshape(t, x.shape),
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
