// Convolutions and pools along one axis and along three, and pools with dilations: TensorFlow.js's arguments as those of images.ts,
// and as the attributes of engine/ir/all.inc.

import {attributesOf, avgPool, maxPool, onBatch, sizesOf, type Pad, type Rounding, type Size, type Windows} from './images.js';
import {pad as padded, reshape, slice, transpose} from './ops.js';
import {run, type PaddingAttr} from './run.js';
import {tidied, toTensor, type Tensor, type TensorLike} from './tensor.js';
import {show} from './values.js';

type Input = Tensor | TensorLike;

/** Steps as images of one row. */
export const conv1d = tidied(
  (x: Input, filter: Input, stride: number, pad: Pad, dataFormat: 'NWC' | 'NCW' = 'NWC', dilation: number = 1, dimRoundingMode?: Rounding): Tensor => {
    const op = 'conv1d';
    const w = {op, strides: stride, pad, dataFormat, dilations: dilation, rounding: dimRoundingMode};
    return onBatch(w, x, (t) => {
      const kernel = toTensor(filter, 'filter', op);
      if (kernel.rank !== 3) throw new Error(`Error in ${op}: filter must be rank 3, but got rank ${kernel.rank}.`);
      const {strides, dilations, padding} = attributesOf(w, t.shape.slice(1, 2), kernel.shape);
      const [n, steps, channels] = t.shape as [number, number, number];
      const y = run('conv2d', [reshape(t, [n, 1, steps, channels]), reshape(kernel, [1, ...kernel.shape])], {
        strides: [1, ...strides],
        dilations: [1, ...dilations],
        padding: typeof padding === 'string' ? padding : [0, 0, ...padding],
      }, op);
      return reshape(y, [n, ...y.shape.slice(2)]);
    }, 1);
  },
);

/** The attributes of windows along depth, height and width. */
function attributesOfVolume(w: Windows, inputs: readonly number[], taps: readonly number[]) {
  const {strides, dilations, padding} = attributesOf(w, inputs, taps);
  if (typeof padding === 'string') return {strides, dilations, padding};
  const sides = padding as readonly number[];
  return {strides, dilations, padding: sides.slice(2) as unknown as PaddingAttr, depthPadding: sides.slice(0, 2)};
}
function kernelOf(filter: Input, op: string): Tensor {
  const kernel = toTensor(filter, 'filter', op);
  if (kernel.rank !== 5) throw new Error(`Error in ${op}: filter must be rank 5, but got rank ${kernel.rank}.`);
  return kernel;
}

export const conv3d = tidied(
  (x: Input, filter: Input, strides: Size, pad: Pad, dataFormat: 'NDHWC' | 'NCDHW' = 'NDHWC', dilations: Size = 1): Tensor => {
    const w = {op: 'conv3d', strides, pad, dataFormat, dilations};
    return onBatch(w, x, (t) => {
      const kernel = kernelOf(filter, 'conv3d');
      return run('conv3d', [t, kernel], attributesOfVolume(w, t.shape.slice(1, 4), kernel.shape));
    }, 3);
  },
);

/** The filter is [D, H, W, outputs, inputs]. */
export const conv3dTranspose = tidied((x: Input, filter: Input, outputShape: readonly number[], strides: Size, pad: Pad): Tensor => {
  const op = 'conv3dTranspose';
  const w = {op, strides, pad, dataFormat: 'NDHWC', dilations: 1};
  const given = toTensor(x, 'x', op);
  if (outputShape?.length !== given.rank) throw new Error(`${op}: outputShape must have an entry for each axis of x [${given.shape}], got ${show(outputShape)}`);
  return onBatch(w, given, (t) => {
    const kernel = kernelOf(filter, op);
    const shape = outputShape.length === 4 ? [1, ...outputShape] : outputShape;
    const {dilations: _, ...attributes} = attributesOfVolume(w, shape.slice(1, 4), kernel.shape);
    return run(op, [t, kernel], {outputShape: shape, ...attributes});
  }, 3);
});

const pooling =
  (op: 'maxPool3d' | 'avgPool3d') =>
  (x: Input, filterSize: Size, strides: Size, pad: Pad, dimRoundingMode?: Rounding, dataFormat: 'NDHWC' | 'NCDHW' = 'NDHWC'): Tensor => {
    const w: Windows = {op, strides, pad, dataFormat, dilations: 1, rounding: dimRoundingMode};
    return onBatch(w, x, (t) => {
      const window = sizesOf(op, 'filterSize', filterSize, 3);
      const {dilations: _, ...attributes} = attributesOfVolume(w, t.shape.slice(1, 4), window);
      return run(op, [t], {window, ...attributes});
    }, 3);
  };
export const maxPool3d = pooling('maxPool3d');
export const avgPool3d = pooling('avgPool3d');

// ---- between space and batch, in TensorFlow.js's words --------------------------------------------------------------------------------------------------

type Pairs = readonly (readonly number[])[];

/** Every so-many-th entry along the axes after the batch, as samples of their own. */
export const spaceToBatchND = tidied((x: Input, blockShape: readonly number[], paddings: Pairs): Tensor => {
  const t = toTensor(x, 'x', 'spaceToBatchND');
  const axes = blockShape.length;
  if (t.rank < 1 + axes) throw new Error(`input rank ${t.rank} should be > than [blockShape] ${axes}`);
  if (paddings.length !== axes) throw new Error(`paddings.shape[0] ${paddings.length} must be equal to [blockShape] ${axes}`);
  const rest = t.shape.slice(1 + blockShape.length);
  const whole = padded(t, [[0, 0], ...paddings, ...rest.map(() => [0, 0])] as [number, number][]);
  const sizes = blockShape.map((block, i) => whole.shape[i + 1]! / block);
  if (!sizes.every(Number.isInteger)) {
    throw new Error(`input spatial dimensions ${t.shape.slice(1)} with paddings ${paddings} must be divisible by blockShapes ${blockShape}`);
  }
  const n = t.shape[0]!;
  const parted = reshape(whole, [n, ...sizes.flatMap((size, i) => [size, blockShape[i]!]), ...rest]);
  const [places, blocks] = [sizes.map((_, i) => 2 * i + 1), sizes.map((_, i) => 2 * i + 2)];
  const moved = transpose(parted, [...blocks, 0, ...places, ...rest.map((_, i) => 2 * sizes.length + 1 + i)]);
  return reshape(moved, [blockShape.reduce((a, b) => a * b, n), ...sizes, ...rest]);
});

/** The inverse of spaceToBatchND. */
export const batchToSpaceND = tidied((x: Input, blockShape: readonly number[], crops: Pairs): Tensor => {
  const t = toTensor(x, 'x', 'batchToSpaceND');
  const count = blockShape.length;
  if (t.rank < 1 + count) throw new Error(`input rank is ${t.rank} but should be > than blockShape.length ${count}`);
  if (crops.length !== count) throw new Error(`crops.length is ${crops.length} but should be equal to blockShape.length  ${count}`);
  const product = blockShape.reduce((a, b) => a * b, 1);
  const n = t.shape[0]! / product;
  if (!Number.isInteger(n)) {
    throw new Error(`input tensor batch is ${t.shape[0]} but is not divisible by the product of the elements of blockShape ${blockShape.join(' * ')} === ${product}`);
  }
  const [sizes, rest] = [t.shape.slice(1, 1 + count), t.shape.slice(1 + count)];
  const parted = reshape(t, [...blockShape, n, ...sizes, ...rest]);
  const moved = transpose(parted, [count, ...sizes.flatMap((_, i) => [count + 1 + i, i]), ...rest.map((_, i) => 2 * count + 1 + i)]);
  const whole = sizes.map((size, i) => size * blockShape[i]!);
  const kept = whole.map((size, i) => size - crops[i]![0]! - crops[i]![1]!);
  return slice(reshape(moved, [n, ...whole, ...rest]), [0, ...crops.map(([before]) => before!), ...rest.map(() => 0)], [n, ...kept, ...rest]);
});

/** Of every so-many-th pixel, with dilations: zeros around the image count then, as in TensorFlow. */
export const pool = tidied(
  (input: Input, windowShape: Size, poolingType: 'avg' | 'max', pad: Pad, dilations: Size = 1, strides: Size = 1, dimRoundingMode?: Rounding): Tensor => {
    const op = 'pool';
    if (poolingType !== 'avg' && poolingType !== 'max') throw new Error(`${op}: poolingType must be 'avg' or 'max', got ${show(poolingType)}`);
    const f = poolingType === 'avg' ? avgPool : maxPool;
    const [window, apart] = [sizesOf(op, 'windowShape', windowShape, 2), sizesOf(op, 'dilations', dilations, 2)];
    if (apart.every((d) => d === 1)) return f(input, window, strides, pad, dimRoundingMode);
    const w = {op, strides, pad, dataFormat: 'NHWC', dilations, rounding: dimRoundingMode};
    return onBatch(w, input, (t) => {
      const {padding} = attributesOf(w, t.shape.slice(1, 3), window);
      if (padding !== 'same' && padding !== 'valid' && (padding as readonly number[]).some((p) => p !== 0)) {
        throw new Error(`${op}: with dilations pad must be 'valid', 'same' or 0, got ${show(pad)}`);
      }
      const around = apart.map((d, i) => (padding === 'same' ? (window[i]! - 1) * d : 0));
      const more = apart.map((d, i) => (d - ((t.shape[i + 1]! + around[i]!) % d)) % d);
      const sides = around.map((total, i) => [total >> 1, total - (total >> 1) + more[i]!]);
      const y = f(spaceToBatchND(t, apart, sides), window, 1, 'valid');
      return batchToSpaceND(y, apart, more.map((extra) => [0, extra]));
    });
  },
);
