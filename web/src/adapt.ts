// What tf.layers.normalization learns from data before the training: mean and variance.

import {moments, scalar} from './ops.js';
import {tidied, type Tensor} from './tensor.js';

/** The weights of the layer: mean and variance over all axes but some, and a count that is not used. */
export const statisticsOf = tidied((data: Tensor, axis: number | readonly number[]): Tensor[] => {
  const kept = [axis].flat().map((a: number) => {
    if (a < -data.rank || a >= data.rank) throw new Error(`adapt: axis must be from ${-data.rank} to ${data.rank - 1}, got ${a}`);
    return a < 0 ? a + data.rank : a;
  });
  const {mean, variance} = moments(data, [...data.shape.keys()].filter((a) => !kept.includes(a)));
  return [mean, variance, scalar(0)];
});
