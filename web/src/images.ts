// Convolutions and pools: TensorFlow.js's paddings, rounding and data formats, as the attributes of engine/ir/all.inc.

import {reshape, transpose} from './ops.js';
import {run, type PaddingAttr} from './run.js';
import {tidied, toTensor, type Tensor, type TensorLike} from './tensor.js';
import {show} from './values.js';

type Input = Tensor | TensorLike;
export type Size = number | readonly number[];
/** Explicit padding is a number, or a pair for each axis: [[0, 0], [top, bottom], [left, right], [0, 0]]. */
export type Pad = 'valid' | 'same' | number | readonly (readonly [number, number])[];
/** How many windows there are where the last one is not whole. */
export type Rounding = 'floor' | 'round' | 'ceil';
export type DataFormat = 'NHWC' | 'NCHW';

/** What looks through windows at images, or at what has another number of axes. */
export interface Windows {
  op: string;
  strides: Size;
  pad: Pad;
  dataFormat: string;
  dilations: Size;
  rounding?: Rounding | null;
}

/** Where the channels come last, and first, by the number of axes. */
const kFormats = [['NC', 'NC'], ['NWC', 'NCW'], ['NHWC', 'NCHW'], ['NDHWC', 'NCDHW']] as const;
const kCounts = ['none', 'one', 'two', 'three'];

export function sizesOf(op: string, name: string, size: Size, axes: number): readonly number[] {
  if (typeof size === 'number') return Array(axes).fill(size);
  if (!Array.isArray(size) || size.length !== axes) throw new Error(`${op}: ${name} must be a number, or ${kCounts[axes]}, got ${show(size)}`);
  return size;
}

/** The attributes of a window of `taps` over `inputs`, each with a number for each axis. Sides are before and after, axis by axis. */
export function attributesOf(w: Windows, inputs: readonly number[], taps: readonly number[]) {
  const axes = inputs.length;
  const [strides, dilations] = [sizesOf(w.op, 'strides', w.strides, axes), sizesOf(w.op, 'dilations', w.dilations ?? 1, axes)];
  if (strides.some((s) => s !== 1) && dilations.some((d) => d !== 1)) {
    throw new Error(`Error in ${w.op}: Either strides or dilations must be 1. Got strides ${w.strides} and dilations '${w.dilations}'`);
  }
  const sides = sidesOf(w, axes);
  if (typeof sides !== 'string' && w.rounding && w.rounding !== 'floor') {
    // Another window needs padding for the rest of it, behind the image.
    for (let axis = 0; axis < axes; ++axis) {
      const room = inputs[axis]! + sides[2 * axis]! + sides[2 * axis + 1]! - (taps[axis]! - 1) * dilations[axis]! - 1;
      const count = Math[w.rounding](room / strides[axis]! + 1);
      sides[2 * axis + 1]! += Math.max(0, (count - 1) * strides[axis]! - room);
    }
  }
  return {strides, dilations, padding: sides as PaddingAttr};
}

function sidesOf({op, pad, dataFormat, rounding}: Windows, axes: number): 'valid' | 'same' | number[] {
  if (rounding != null && !['floor', 'round', 'ceil'].includes(rounding)) throw new Error(`Unknown roundingMode ${rounding}`);
  const whole = (p: unknown): never => {
    throw new Error(`Error in ${op}: pad must be an integer${rounding ? ` when using dimRoundingMode ${rounding}` : ''} but got pad ${p}.`);
  };
  if (pad === 'valid' || pad === 'same') return rounding ? whole(pad) : pad;
  const isList = Array.isArray(pad) && pad.length === axes + 2 && pad.every((p) => Array.isArray(p) && p.length === 2);
  if (typeof pad !== 'number' && !isList) {
    throw new Error(`Unknown padding parameter: ${show(pad)}: use 'valid', 'same', a number, or a pair for each axis`);
  }
  if (typeof pad === 'number') return Number.isInteger(pad) ? Array(2 * axes).fill(pad) : whole(pad);
  const first = dataFormat === kFormats[axes]![0] ? 1 : 2;
  pad.flat().forEach((p) => Number.isInteger(p) || whole(p));
  if (pad.some((p, axis) => (axis < first || axis >= first + axes) && (p[0] || p[1]))) {
    throw new Error(`Error in ${op}: only ${['', 'the width', 'height and width', 'depth, height and width'][axes]} can be padded, got ${show(pad)}`);
  }
  return pad.slice(first, first + axes).flat();
}

function checkRank(x: Tensor, op: string, axes = 2): void {
  if (x.rank !== axes + 1 && x.rank !== axes + 2) throw new Error(`Error in ${op}: input must be rank ${axes + 2}, but got rank ${x.rank}: [${x.shape}].`);
}
const kAnyType = ['maxPool', 'conv2dTranspose', 'conv1d', 'conv3d', 'conv3dTranspose', 'maxPool3d'];
/** Computes as a batch [N,H,W,C] what comes as one image, or with its channels first; gives the result as x came. */
export const onBatch = tidied((w: Windows, x: Input, f: (batch: Tensor) => Tensor, axes: number = 2): Tensor => {
  const t = toTensor(x, 'x', w.op, kAnyType.includes(w.op) ? undefined : 'float32');
  const [last, first] = kFormats[axes]!;
  const isFirst = w.dataFormat === first;
  if (!isFirst && w.dataFormat !== last) throw new Error(`Unknown dataFormat ${w.dataFormat}`);
  checkRank(t, w.op, axes);
  const isOne = t.rank === axes + 1;
  const between = Array.from({length: axes}, (_, i) => i + 1);
  const batch = isOne ? reshape(t, [1, ...t.shape]) : t;
  const y = f(isFirst ? transpose(batch, [0, ...between.map((i) => i + 1), 1]) : batch);
  const given = isFirst ? transpose(y, [0, axes + 1, ...between]) : y;
  return isOne ? reshape(given, given.shape.slice(1)) : given;
});

const convolution =
  (op: 'conv2d' | 'depthwiseConv2d') =>
  (x: Input, filter: Input, strides: Size, pad: Pad, dataFormat: DataFormat = 'NHWC', dilations: Size = 1, dimRoundingMode?: Rounding): Tensor => {
    const w = {op, strides, pad, dataFormat, dilations, rounding: dimRoundingMode};
    return onBatch(w, x, (t) => {
      const kernel = toTensor(filter, 'filter', op, 'float32');
      return run(op, [t, kernel], attributesOf(w, t.shape.slice(1, 3), kernel.shape));
    });
  };
export const conv2d = convolution('conv2d');
export const depthwiseConv2d = convolution('depthwiseConv2d');

export const separableConv2d = tidied(
  (x: Input, depthwiseFilter: Input, pointwiseFilter: Input, strides: Size, pad: Pad, dilation: Size = 1, dataFormat: DataFormat = 'NHWC'): Tensor => {
    const op = 'separableConv2d';
    const [t, depthwise, pointwise] = [
      toTensor(x, 'x', op), toTensor(depthwiseFilter, 'depthwiseFilter', op), toTensor(pointwiseFilter, 'pointwiseFilter', op),
    ];
    checkRank(t, op);
    for (const [name, filter] of [['depthwise', depthwise], ['pointwise', pointwise]] as const) {
      if (filter.rank !== 4) throw new Error(`Error in ${op}: ${name} filter must be rank 4, but got rank ${filter.rank}.`);
    }
    [1, 1, depthwise.shape[2]! * depthwise.shape[3]!].forEach((d, i) => {
      const words = `Error in ${op}: the ${['first', 'second', 'third'][i]} dimension of pointwise filter must be ${d}, but got ${pointwise.shape[i]}.`;
      if (pointwise.shape[i] !== d) throw new Error(words);
    });
    return conv2d(depthwiseConv2d(t, depthwise, strides, pad, dataFormat, dilation), pointwise, 1, 'valid', dataFormat);
  },
);

/** The filter is [H, W, outputs, inputs]. */
export const conv2dTranspose = tidied((x: Input, filter: Input, outputShape: readonly number[], strides: Size, pad: Pad, dimRoundingMode?: Rounding): Tensor => {
  const op = 'conv2dTranspose';
  const w: Windows = {op, strides, pad, dataFormat: 'NHWC', dilations: 1, rounding: dimRoundingMode};
  const given = toTensor(x, 'x', op);
  if (outputShape?.length !== given.rank) throw new Error(`${op}: outputShape must have an entry for each axis of x [${given.shape}], got ${show(outputShape)}`);
  return onBatch(w, given, (t) => {
    const kernel = toTensor(filter, 'filter', op);
    const shape = outputShape.length === 3 ? [1, ...outputShape] : outputShape;
    const {strides, padding} = attributesOf(w, shape.slice(1, 3), kernel.shape);
    return run(op, [t, kernel], {outputShape: shape, strides, padding});
  });
});

const pooling =
  (op: 'maxPool' | 'avgPool') =>
  (x: Input, filterSize: Size, strides: Size, pad: Pad, dimRoundingMode?: Rounding): Tensor => {
    const w: Windows = {op, strides, pad, dataFormat: 'NHWC', dilations: 1, rounding: dimRoundingMode};
    return onBatch(w, x, (t) => {
      const window = sizesOf(op, 'filterSize', filterSize, 2);
      const {strides, padding} = attributesOf(w, t.shape.slice(1, 3), window);
      return run(op, [t], {window, strides, padding});
    });
  };
export const maxPool = pooling('maxPool');
export const avgPool = pooling('avgPool');
