// What the tests of the package share: the package, TensorFlow.js as the independent judge, numbers, closeness.
//
//   import {fj, judge, random, close} from './helpers.mjs';
//   close(fj.square(x), judge.square(x));
//
// `judge` is the plain JavaScript backend of TensorFlow.js: slow, and written by others.
import assert from 'node:assert/strict';
import {createRequire} from 'node:module';
import * as fj from '../../build/npm/fjord.js';

const judge = createRequire(import.meta.url)('@tensorflow/tfjs');
judge.env().set('PROD', true);
await Promise.all([judge.setBackend('cpu'), fj.ready()]);

export {fj, judge};

/** Numbers in [low, high), the same in every run: the high bits of a linear congruential generator (Numerical Recipes). */
export function random(shape, low = -2, high = 2, seed = 1) {
  let state = (seed * 2654435761) >>> 0;
  const next = () => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 8) / 2 ** 24;
  for (let i = 0; i < 8; ++i) next();
  return Float32Array.from({length: size(shape)}, () => low + (high - low) * next());
}
/** The same numbers from -1 to 1 in both packages. */
export const tensor = (tf, shape, seed = 5) => tf.tensor(random(shape, -1, 1, seed), shape);
export const size = (shape) => shape.reduce((n, d) => n * d, 1);

/** Equal shapes and types, and values within tolerance: relative to the value, absolute below 1. */
export function close(actual, expected, tolerance = 1e-5, what = '') {
  assert.deepEqual(actual.shape, expected.shape, `${what}: the shape`);
  assert.equal(actual.dtype, expected.dtype, `${what}: the type`);
  closeValues(actual.dataSync(), expected.dataSync(), tolerance, what);
}
export function closeValues(actual, expected, tolerance = 1e-5, what = '') {
  assert.equal(actual.length, expected.length, `${what}: the number of values`);
  for (let i = 0; i < expected.length; ++i) {
    const [a, e] = [actual[i], expected[i]];
    if (Object.is(a, e) || a === e || (Number.isNaN(a) && Number.isNaN(e))) continue;
    // Not "greater": a NaN is not close to anything.
    if (!(Math.abs(a - e) <= tolerance * Math.max(1, Math.abs(e)))) assert.fail(`${what}: value ${i} is ${a}, expected ${e}`);
  }
}
/** Equal to the last bit. */
export function same(actual, expected, what = '') {
  assert.deepEqual(actual.shape, expected.shape, `${what}: the shape`);
  assert.deepEqual(actual.dataSync(), expected.dataSync(), what);
}
/** Values that training has brought from `start` to the same place: what is between them is a small part of the way, by their norms. */
export function sameChange(actual, expected, start, part = 1e-3, what = '') {
  const distance = (a, b) => Math.hypot(...a.map((v, i) => v - b[i]));
  const [way, far] = [distance(expected, start), distance(actual, expected)];
  // Beside it a rounding of what was there.
  assert.ok(way > 0 && far <= part * way + 1e-6, `${what}: ${far} away, after a way of ${way}`);
}
export const weightsOf = (model) => model.getWeights().map((t) => t.dataSync());

/** Gives the same random weights to both models. */
export function shareWeights(model, other, seed = 3) {
  const specs = other.weights;
  const values = specs.map(({shape, originalName}, i) => {
    const limit = shape.length > 1 ? Math.sqrt(6 / (size(shape) / shape.at(-1))) : 0.2;
    // Variances are positive.
    const [low, high] = /moving_variance/.test(originalName) ? [0.5, 1.5] : [-limit, limit];
    return random(shape, low, high, seed + i);
  });
  assert.deepEqual(model.weights.map((w) => w.shape), specs.map((w) => w.shape), 'the shapes of the weights');
  model.setWeights(values.map((v, i) => fj.tensor(v, specs[i].shape)));
  values.forEach((v, i) => specs[i].write(judge.tensor(v, specs[i].shape)));
}
