// tf.image: images of another size, moved, or in other colours.

import {concat, elementwise as e, fill, ones, reshape, reverse, sum, tensor1d, tile, where} from './ops.js';
import {castTo, run} from './run.js';
import {tidied, toTensor, type Tensor, type TensorLike} from './tensor.js';

type Input = Tensor | TensorLike;
type Size = readonly [height: number, width: number];

function imagesOf(image: Input, op: string): Tensor {
  const t = toTensor(image, 'image', op, 'float32');
  if (t.rank !== 4) throw new Error(`Error in ${op}: image must be rank 4,but got rank ${t.rank}.`);
  return t;
}

/** One image [H,W,C], or a batch of them. */
const resizing = (op: 'resizeBilinear' | 'resizeNearestNeighbor') =>
  tidied((images: Input, size: Size, alignCorners: boolean = false, halfPixelCenters: boolean = false): Tensor => {
    const t = toTensor(images, 'images', op);
    if (t.rank !== 3 && t.rank !== 4) throw new Error(`Error in ${op}: x must be rank 3 or 4, but got rank ${t.rank}.`);
    if (!Array.isArray(size) || size.length !== 2) throw new Error(`Error in ${op}: new shape must 2D, but got shape ${size}.`);
    if (halfPixelCenters && alignCorners) throw new Error(`Error in ${op}: If halfPixelCenters is true, alignCorners must be false.`);
    const batch = t.rank === 3 ? reshape(t, [1, ...t.shape]) : t;
    const y = run(op, [batch], {size, alignCorners, halfPixelCenters});
    return t.rank === 3 ? reshape(y, y.shape.slice(1)) : y;
  });

/** With the one channel three times. */
const grayscaleToRGB = tidied((image: Input): Tensor => {
  const t = coloured(image, 'grayscaleToRGB', 1, 'a grayscale');
  return tile(t, t.shape.map((_, axis) => (axis === t.rank - 1 ? 3 : 1)));
});
/** Weighted as the eye does: ITU-R BT.601. */
const rgbToGrayscale = tidied((image: Input): Tensor => {
  const t = coloured(image, 'RGBToGrayscale', 3, 'an RGB');
  return castTo(sum(e.mul(castTo(t, 'float32'), tensor1d([0.2989, 0.587, 0.114])), -1, true), t.dtype);
});
function coloured(image: Input, op: string, channels: number, kind: string): Tensor {
  const t = toTensor(image, 'image', op);
  if (t.rank < 2) throw new Error(`Error in ${op}: images must be at least rank 2, but got rank ${t.rank}.`);
  const last = t.shape[t.rank - 1];
  if (last !== channels) throw new Error(`Error in ${op}: last dimension of ${kind} image should be size ${channels}, but got size ${last}.`);
  return t;
}

const flipLeftRight = tidied((image: Input): Tensor => reverse(imagesOf(image, 'flipLeftRight'), 2));

type FillMode = 'constant' | 'reflect' | 'wrap' | 'nearest';
/**
 * Each pixel (column, row) is taken from ((a0 column + a1 row + a2) / k, (b0 column + b1 row + b2) / k), k = c0 column + c1 row + 1; the
 * numbers of an image, [a0, a1, a2, b0, b1, b2, c0, c1], are a row of `transforms`, or the same row for all.
 */
const transform = tidied(
  (image: Input, transforms: Input, interpolation: 'nearest' | 'bilinear' = 'nearest', fillMode: FillMode = 'constant', fillValue: number = 0, outputShape?: Size | null): Tensor => {
    const [x, t] = [imagesOf(image, 'transform'), toTensor(transforms, 'transforms', 'transform', 'float32')];
    const isRight = t.rank === 2 && (t.shape[0] === x.shape[0] || t.shape[0] === 1) && t.shape[1] === 8;
    if (!isRight) throw new Error('Error in transform: Input transform should be batch x 8 or 1 x 8');
    if (outputShape != null && outputShape.length !== 2) throw new Error(`Error in transform: outputShape must be [height, width] or null, but got ${outputShape}.`);
    if (interpolation !== 'nearest' && interpolation !== 'bilinear') throw new Error(`Error in transform: interpolation must be 'nearest' or 'bilinear', but got ${interpolation}`);
    return run('transform', [x, t], {size: outputShape ?? [x.shape[1]!, x.shape[2]!], bilinear: interpolation === 'bilinear', fillMode, fillValue});
  },
);
/** The nearest pixels; `center` is a share of height and width, or [of the width, of the height]. A colour's alpha is 255. */
const rotateWithOffset = tidied((image: Input, radians: number, fillValue: number | readonly [number, number, number] = 0, center: number | readonly [number, number] = 0.5): Tensor => {
  const x = imagesOf(image, 'rotateWithOffset');
  const [, height, width, channels] = x.shape as [number, number, number, number];
  const [shareX, shareY] = typeof center === 'number' ? [center, center] : center;
  const [cx, cy, cos, sin] = [width * shareX, height * shareY, Math.cos(radians), Math.sin(radians)];
  // A pixel that lies halfway between two is the one behind, as TensorFlow.js rounds: of a quarter turn that is every other one.
  const behind = 2 ** -14;
  const turn = [[cos, -sin, cx - cx * cos + cy * sin + behind, sin, cos, cy - cx * sin - cy * cos + behind, 0, 0]];
  if (typeof fillValue === 'number') return transform(x, turn, 'nearest', 'constant', fillValue);
  const colours = concat([tensor1d([...fillValue]), fill([1], 255)]).slice(0, Math.min(channels, 4));
  const inside = castTo(transform(ones(x.shape), turn), 'bool');
  return where(inside, transform(x, turn), e.mul(colours, ones(x.shape)));
});

export const image = {
  flipLeftRight,
  grayscaleToRGB,
  resizeBilinear: resizing('resizeBilinear'),
  resizeNearestNeighbor: resizing('resizeNearestNeighbor'),
  rgbToGrayscale,
  rotateWithOffset,
  transform,
};
