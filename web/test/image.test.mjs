// tf.image against TensorFlow.js's: values, gradients, words.
import assert from 'node:assert/strict';
import {suite, test} from 'node:test';
import {close, closeValues, fj, judge, random} from './helpers.mjs';

const images = (tf, shape, seed = 1) => tf.tensor(random(shape, -2, 2, seed), shape);

suite('images of another size', () => {
  for (const op of ['resizeBilinear', 'resizeNearestNeighbor']) {
    for (const [shape, size] of [[[2, 3, 4, 2], [5, 7]], [[1, 9, 11, 3], [4, 5]], [[2, 4, 4, 2], [5, 7]], [[1, 9, 9, 3], [4, 5]], [[5, 6, 1], [1, 1]], [[1, 1, 1, 3], [2, 3]], [[2, 4, 4, 1], [4, 9]]]) {
      for (const options of [[], [true], [false, true]]) {
        test(`${op} [${shape}] to [${size}] ${options}`, () => {
          const resize = (tf) => (x) => tf.image[op](x, size, ...options);
          const y = resize(fj)(images(fj, shape));
          close(y, resize(judge)(images(judge, shape)), 1e-5);
          // The gradient is the transpose: <resize(x), dy> = <x, gradient(dy)>. TensorFlow.js's is that of square images alone, by bilinear
          // pixels, without half ones.
          const x = images(fj, shape), dy = images(fj, y.shape, 2);
          const slope = fj.grad(resize(fj))(x, dy);
          closeValues(x.mul(slope).sum().dataSync(), y.mul(dy).sum().dataSync(), 1e-4);
          if (op === 'resizeBilinear' && shape.at(-3) === shape.at(-2) && !options[1]) {
            close(slope, judge.grad(resize(judge))(images(judge, shape), images(judge, y.shape, 2)), 1e-5);
          }
        });
      }
    }
  }
});

suite('moved images', () => {
  const transforms = [[0.91, 0.23, -1.07, -0.1, 1.21, 0.6, 0, 0], [1.5, -0.4, 2, 0.3, 0.8, -3, 0.02, 0.01], [-1.11, 0.31, 6.03, 0.21, -0.93, 4.04, 0, 0]];
  for (const fillMode of ['constant', 'reflect', 'wrap', 'nearest']) {
    for (const interpolation of ['nearest', 'bilinear']) {
      for (const [given, size] of [[transforms, undefined], [transforms.slice(1, 2), [3, 7]]]) {
        test(`transform ${fillMode} ${interpolation} of ${given.length} by ${size}`, () => {
          const moved = (tf, x, by) => tf.image.transform(x, tf.tensor2d(by), interpolation, fillMode, 0.5, size);
          // TensorFlow.js moves the first image of a batch alone: it gets them one by one.
          const one = (_, i) => moved(judge, images(judge, [3, 4, 5, 2]).slice([i, 0, 0, 0], [1, -1, -1, -1]), [given[i] ?? given[0]]);
          close(moved(fj, images(fj, [3, 4, 5, 2]), given), judge.concat(Array.from({length: 3}, one)), 1e-4);
        });
      }
    }
  }
  for (const [radians, fillValue, center] of [[0.3], [Math.PI / 2, 7, [0.5, 0.4]], [-1, [1, 2, 3]], [2, 0.5, [0.2, 0.7]]]) {
    for (const channels of [1, 3, 4]) {
      test(`rotateWithOffset ${radians} ${fillValue} ${center} of ${channels}`, () => {
        const turned = (tf) => tf.image.rotateWithOffset(images(tf, [2, 5, 6, channels]), radians, fillValue, center);
        close(turned(fj), turned(judge), 1e-5);
      });
    }
  }
  test('flipLeftRight', () => {
    const x = images(fj, [2, 3, 4, 2]);
    close(fj.image.flipLeftRight(x), judge.image.flipLeftRight(images(judge, [2, 3, 4, 2])));
    const dy = images(fj, [2, 3, 4, 2], 2);
    close(fj.grad((t) => fj.image.flipLeftRight(t))(x, dy), judge.reverse(images(judge, [2, 3, 4, 2], 2), 2));
  });
  test('transform has the gradient of moved pixels', () => {
    // Half a pixel to the right: each is the mean of two.
    const half = fj.tensor2d([[1, 0, -0.5, 0, 1, 0, 0, 0]]);
    const dx = fj.grad((x) => fj.image.transform(x, half, 'bilinear'))(fj.ones([1, 1, 3, 1]), fj.tensor([1, 10, 100], [1, 1, 3, 1]));
    assert.deepEqual([...dx.dataSync()], [5.5, 55, 50]);
  });
});

suite('colours', () => {
  for (const shape of [[4, 3], [2, 4, 3], [2, 3, 4, 3]]) {
    test(`rgbToGrayscale [${shape}]`, () => {
      close(fj.image.rgbToGrayscale(images(fj, shape)), judge.image.rgbToGrayscale(images(judge, shape)), 1e-5);
      const whole = (tf) => tf.image.rgbToGrayscale(tf.cast(tf.mul(images(tf, shape), 100), 'int32'));
      close(whole(fj), whole(judge));
    });
  }
  test('grayscaleToRGB', () => close(fj.image.grayscaleToRGB(images(fj, [2, 3, 1])), judge.image.grayscaleToRGB(images(judge, [2, 3, 1]))));
});

test('what tf.image cannot do, in TensorFlow.js\'s words', () => {
  const calls = [
    (tf) => tf.image.resizeBilinear(tf.zeros([3, 3]), [2, 2]), (tf) => tf.image.resizeBilinear(tf.zeros([3, 3, 1]), [2]),
    (tf) => tf.image.resizeNearestNeighbor(tf.zeros([3, 3, 1]), [2, 2], true, true), (tf) => tf.image.flipLeftRight(tf.zeros([3, 3, 1])),
    (tf) => tf.image.rgbToGrayscale(tf.zeros([3, 3, 1])), (tf) => tf.image.grayscaleToRGB(tf.zeros([3])), (tf) => tf.image.grayscaleToRGB(tf.zeros([3, 3])),
    (tf) => tf.image.transform(tf.zeros([2, 3, 3, 1]), tf.zeros([3, 8])), (tf) => tf.image.transform(tf.zeros([2, 3, 3, 1]), tf.zeros([2, 8]), 'nearest', 'constant', 0, [1]),
    (tf) => tf.image.resizeBilinear(null, [2, 2]), (tf) => tf.image.rotateWithOffset({}, 1),
  ];
  for (const call of calls) {
    let words;
    assert.throws(() => call(judge), ({message}) => ((words = message), true));
    assert.throws(() => call(fj), {message: words});
  }
  assert.throws(() => fj.image.transform(fj.zeros([1, 3, 3, 1]), fj.zeros([1, 8]), 'cubic'), {message: "Error in transform: interpolation must be 'nearest' or 'bilinear', but got cubic"});
  assert.throws(() => fj.image.transform(fj.zeros([1, 3, 3, 1]), fj.zeros([1, 8]), 'nearest', 'dots'), {message: "transform: fillMode must be 'constant', 'reflect', 'wrap' or 'nearest', got 'dots'"});
  assert.throws(() => fj.image.resizeBilinear(fj.zeros([3, 3, 1]), [0, 2]), /^Error: resizeBilinear: size must be at least 1, got 0 and 2/);
});
