// Images in and out of the page.

import {castTo} from './run.js';
import {tensor, toTensor, type Tensor, type TensorLike} from './tensor.js';
import {nameOf} from './values.js';

type Pixels = ImageData | HTMLImageElement | HTMLCanvasElement | HTMLVideoElement | ImageBitmap | OffscreenCanvas | {data: Uint8Array; width: number; height: number};

/** Whether it is of this class, where there is such a class. */
const isA = (x: unknown, name: string): boolean => {
  const type = (globalThis as Record<string, unknown>)[name];
  return typeof type === 'function' && x instanceof type;
};

/** RGBA, row by row. */
function rgbaOf(source: Pixels): {data: ArrayLike<number>; width: number; height: number} {
  if (source == null) throw new Error('pixels passed to tf.browser.fromPixels() can not be null');
  if (typeof source === 'object' && 'data' in source && ArrayBuffer.isView(source.data)) return source;
  const isDrawable = ['HTMLVideoElement', 'HTMLImageElement', 'HTMLCanvasElement', 'OffscreenCanvas', 'ImageBitmap'].some((name) => isA(source, name));
  const own = source as {getContext?: HTMLCanvasElement['getContext']; width: number; height: number};
  if (!isDrawable && typeof own.getContext === 'function') {
    const {width, height} = own;
    return {data: own.getContext('2d')!.getImageData(0, 0, width, height).data, width, height};
  }
  if (!isDrawable) {
    throw new Error(
      'pixels passed to tf.browser.fromPixels() must be either an HTMLVideoElement, HTMLImageElement, HTMLCanvasElement, OffscreenCanvas, ' +
        `ImageBitmap, ImageData or {data: Uint8Array, width: number, height: number}, but was ${nameOf(source)}`,
    );
  }
  const [width, height] = isA(source, 'HTMLVideoElement')
    ? [(source as HTMLVideoElement).videoWidth, (source as HTMLVideoElement).videoHeight]
    : isA(source, 'HTMLImageElement')
      ? [(source as HTMLImageElement).naturalWidth, (source as HTMLImageElement).naturalHeight]
      : [source.width, source.height];
  if (!width || !height) throw new Error(`pixels passed to tf.browser.fromPixels() are ${width}x${height}: has the ${nameOf(source)} been loaded?`);
  const context = new OffscreenCanvas(width, height).getContext('2d', {willReadFrequently: true})!;
  context.drawImage(source as CanvasImageSource, 0, 0, width, height);
  return context.getImageData(0, 0, width, height);
}

export const browser = {
  /** int32 [height, width, channels] with values 0 to 255. */
  fromPixels(pixels: Pixels, numChannels = 3): Tensor {
    if (numChannels > 4) throw new Error('Cannot construct Tensor with more than 4 channels from pixels.');
    if (!(Number.isInteger(numChannels) && numChannels > 0)) throw new Error(`numChannels passed to tf.browser.fromPixels() must be 1, 2, 3 or 4, got ${numChannels}`);
    const {data, width, height} = rgbaOf(pixels);
    if (data.length !== width * height * 4) {
      throw new Error(`pixels passed to tf.browser.fromPixels() must have 4 bytes for each of ${width}x${height} pixels, got ${data.length} bytes`);
    }
    const values = new Int32Array(width * height * numChannels);
    for (let i = 0; i < values.length; ++i) values[i] = data[Math.floor(i / numChannels) * 4 + (i % numChannels)]!;
    return tensor(values, [height, width, numChannels]);
  },
  /** float32 in [0, 1] or int32 in [0, 255], [height, width] or [height, width, 1 | 3 | 4], as RGBA bytes; drawn on the canvas if given. */
  async toPixels(img: Tensor | TensorLike, canvas?: HTMLCanvasElement | OffscreenCanvas): Promise<Uint8ClampedArray> {
    const given = toTensor(img, 'img', 'toPixels');
    const image = given === img ? given : castTo(given, 'int32');
    if (image.rank !== 2 && image.rank !== 3) throw new Error(`toPixels only supports rank 2 or 3 tensors, got rank ${image.rank}.`);
    const [height, width, depth = 1] = image.shape as [number, number, number?];
    if (![1, 3, 4].includes(depth)) throw new Error(`toPixels only supports depth of size 1, 3 or 4 but got ${depth}`);
    if (image.dtype === 'bool') throw new Error('Unsupported type for toPixels: bool. Please use float32 or int32 tensors.');
    const values = await image.data();
    const most = image.dtype === 'float32' ? 1 : 255;
    const bad = values.find((v) => !(v >= 0 && v <= most));
    if (bad !== undefined) throw new Error(`Tensor values for a ${image.dtype} Tensor must be in the range [0 - ${most}] but encountered ${bad}.`);
    if (image !== img) [image, given].forEach((t) => t.dispose());
    const bytes = new Uint8ClampedArray(width * height * 4);
    for (let i = 0; i < width * height; ++i) {
      for (let c = 0; c < 4; ++c) {
        bytes[i * 4 + c] = c === 3 && depth < 4 ? 255 : Math.round(values[i * depth + (depth === 1 ? 0 : c)]! * (255 / most));
      }
    }
    if (canvas) {
      canvas.width = width;
      canvas.height = height;
      const context = canvas.getContext('2d') as CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;
      context.putImageData(new ImageData(bytes, width, height), 0, 0);
    }
    return bytes;
  },
};

/** Resolves with the page's next frame, or soon where there are no frames. */
export function nextFrame(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof requestAnimationFrame === 'function') {
      requestAnimationFrame(() => resolve());
    } else {
      setTimeout(resolve);
    }
  });
}
