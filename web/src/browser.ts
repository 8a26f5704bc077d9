// Images in and out of the page.

import {emptyTensor, memoryOf, type Tensor} from './tensor.js';

type Pixels = ImageData | HTMLImageElement | HTMLCanvasElement | HTMLVideoElement | ImageBitmap | OffscreenCanvas | {data: Uint8Array; width: number; height: number};

function imageData(source: Exclude<Pixels, {data: Uint8Array}>): ImageData {
  if (source instanceof ImageData) return source;
  const isVideo = typeof HTMLVideoElement !== 'undefined' && source instanceof HTMLVideoElement;
  const isImage = typeof HTMLImageElement !== 'undefined' && source instanceof HTMLImageElement;
  const [width, height] = isVideo ? [source.videoWidth, source.videoHeight] : isImage ? [source.naturalWidth, source.naturalHeight] : [source.width, source.height];
  const context = new OffscreenCanvas(width, height).getContext('2d', {willReadFrequently: true})!;
  context.drawImage(source, 0, 0, width, height);
  return context.getImageData(0, 0, width, height);
}

export const browser = {
  /** int32 [height, width, channels] with values 0 to 255. */
  fromPixels(pixels: Pixels, channels: 1 | 3 | 4 = 3): Tensor {
    const {data, width, height} = 'data' in pixels ? pixels : imageData(pixels);
    const t = emptyTensor([height, width, channels], 'int32');
    const memory = memoryOf(t);
    for (let i = 0; i < width * height; ++i) {
      for (let c = 0; c < channels; ++c) memory[i * channels + c] = data[i * 4 + c]!;
    }
    return t;
  },
  /** float32 in [0, 1] or int32 in [0, 255], [height, width] or [height, width, 1 | 3 | 4], as RGBA bytes; drawn on the canvas if given. */
  async toPixels(image: Tensor, canvas?: HTMLCanvasElement | OffscreenCanvas): Promise<Uint8ClampedArray> {
    const [height, width, depth = 1] = image.shape;
    if (!height || !width || image.rank > 3 || ![1, 3, 4].includes(depth)) {
      throw new Error(`toPixels needs [height, width] or [height, width, 1, 3 or 4], got [${image.shape}]`);
    }
    const values = await image.data();
    const scale = image.dtype === 'float32' ? 255 : 1;
    const bytes = new Uint8ClampedArray(width * height * 4);
    for (let i = 0; i < width * height; ++i) {
      for (let c = 0; c < 3; ++c) bytes[i * 4 + c] = values[i * depth + (depth === 1 ? 0 : c)]! * scale;
      bytes[i * 4 + 3] = depth === 4 ? values[i * depth + 3]! * scale : 255;
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
