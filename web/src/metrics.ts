// Metrics as functions of labels and predictions, with TensorFlow.js's names: of tensors, or for compile.

import {argMax, cast, clipByValue, elementwise as e, mean, onesLike, scalar, squeeze, sum, where} from './ops.js';
import {tidied, type Tensor} from './tensor.js';

type Metric = (yTrue: Tensor, yPred: Tensor) => Tensor;
/** With a name that logs can have. */
const metric = (name: string, f: Metric): Metric => Object.defineProperty(tidied(f), 'name', {value: name});

// Probabilities are kept this far from 0 and 1.
const kEpsilon = 1e-7;
const clipped = (p: Tensor): Tensor => clipByValue(p, kEpsilon, 1 - kEpsilon);
const asNumbers = (x: Tensor): Tensor => cast(x, 'float32');
const count = (x: Tensor): Tensor => asNumbers(sum(x));
const both = (a: Tensor, b: Tensor): Tensor => count(e.logicalAnd(a, b));
/** 0 where nothing was to be counted. */
const share = (part: Tensor, all: Tensor): Tensor => where(e.greater(all, 0), e.div(part, e.maximum(all, 1)), scalar(0));

const unit = (x: Tensor): Tensor => e.div(x, e.sqrt(e.maximum(sum(e.square(x), -1, true), kEpsilon)));

/** Whether predictions above 0.5 are the labels, 0 or 1: the share along the last axis. */
export const binaryAccuracy = metric('binaryAccuracy', (y, p) => mean(e.equal(y, cast(e.greater(p, e.mul(0.5, onesLike(p))), y.dtype)), -1));
/** From probabilities; the mean along the last axis. */
export const binaryCrossentropy = metric('binaryCrossentropy', (y, p) => {
  const q = clipped(p);
  return e.neg(mean(e.add(e.mul(y, e.log(q)), e.mul(e.sub(1, y), e.log(e.sub(1, q)))), -1));
});
/** Whether the class with the highest score is that of the label, one-hot. */
export const categoricalAccuracy = metric('categoricalAccuracy', (y, p) => asNumbers(e.equal(argMax(y, -1), argMax(p, -1))));
/** The same of labels that are class numbers, [..] or [.., 1]. */
export const sparseCategoricalAccuracy = metric('sparseCategoricalAccuracy', (y, p) => {
  const labels = y.rank === p.rank ? squeeze(y, [y.rank - 1]) : y;
  return asNumbers(e.equal(labels, cast(argMax(p, -1), labels.dtype)));
});
export const categoricalCrossentropy = metric('categoricalCrossentropy', (y, p) => {
  const normal = clipped(e.div(p, sum(p, -1, true)));
  return e.neg(sum(e.mul(asNumbers(y), e.log(normal)), -1));
});
/** Of what is predicted to be 1, how much is. */
export const precision = metric('precision', (y, p) => share(both(e.equal(y, 1), e.equal(p, 1)), both(e.equal(p, 1), e.logicalOr(e.equal(y, 1), e.equal(y, 0)))));
/** Of what is 1, how much is predicted to be. */
export const recall = metric('recall', (y, p) => share(both(e.equal(y, 1), e.equal(p, 1)), both(e.equal(y, 1), e.logicalOr(e.equal(p, 1), e.equal(p, 0)))));
/** The negative cosine of the angle between both, along the last axis. */
export const cosineProximity = metric('cosineProximity', (y, p) => e.neg(sum(e.mul(unit(y), unit(p)), -1)));
export const meanAbsoluteError = metric('meanAbsoluteError', (y, p) => mean(e.abs(e.sub(p, y)), -1));
/** In percent. */
export const meanAbsolutePercentageError = metric('meanAbsolutePercentageError', (y, p) => e.mul(100, mean(e.abs(e.div(e.sub(y, p), e.maximum(e.abs(y), kEpsilon))), -1)));
export const meanSquaredError = metric('meanSquaredError', (y, p) => mean(e.square(e.sub(p, y)), -1));
/** The share of the variance that is explained: 1 - sum (y - p)^2 / sum (y - mean y)^2. */
export const r2Score = metric('r2Score', (y, p) => e.sub(1, e.div(sum(e.square(e.sub(y, p))), sum(e.square(e.sub(y, mean(y)))))));
// Logs have the name by which the program calls it.
export const MAPE = metric('MAPE', meanAbsolutePercentageError);
export const mape = metric('mape', meanAbsolutePercentageError);
export const MSE = metric('MSE', meanSquaredError);
export const mse = metric('mse', meanSquaredError);
