// Losses over tensors, with TensorFlow.js's names, weights and reductions.

import {elementwise as e, logSoftmax, mean, sum, tidied} from './ops.js';
import {tensor, toTensor, type Tensor, type TensorLike} from './tensor.js';

type Input = Tensor | TensorLike;

/** How the losses of the elements become one number: by the number of weights that are not zero unless said otherwise. */
export enum Reduction {
  NONE,
  MEAN,
  SUM,
  SUM_BY_NONZERO_WEIGHTS,
}

export function computeWeightedLoss(losses: Input, weights?: Input, reduction = Reduction.SUM_BY_NONZERO_WEIGHTS): Tensor {
  const all = toTensor(losses);
  const weighted = weights === undefined ? all : e.mul(all, weights);
  if (reduction === Reduction.NONE) return weighted;
  if (reduction === Reduction.SUM) return sum(weighted);
  if (weights === undefined) return mean(weighted);
  const spread = e.mul(toTensor(weights), tensor(new Float32Array(all.size).fill(1), all.shape));
  if (reduction === Reduction.MEAN) return e.div(sum(weighted), sum(spread));
  return e.div(sum(weighted), sum(e.notEqual(spread, 0)).toFloat());
}

type Loss = (labels: Input, predictions: Input, weights?: Input, reduction?: Reduction) => Tensor;
const kEpsilon = 1e-7;

const meanSquaredError: Loss = (y, p, w, r) => computeWeightedLoss(e.squaredDifference(y, p), w, r);
const absoluteDifference: Loss = (y, p, w, r) => computeWeightedLoss(e.abs(e.sub(y, p)), w, r);
const hingeLoss: Loss = (y, p, w, r) => computeWeightedLoss(e.relu(e.sub(1, e.mul(e.sub(e.mul(2, y), 1), p))), w, r);
const huberLoss = (y: Input, p: Input, w?: Input, delta = 1, r?: Reduction): Tensor => {
  const error = e.abs(e.sub(p, y));
  const quadratic = e.minimum(error, delta);
  return computeWeightedLoss(e.add(e.mul(0.5, e.square(quadratic)), e.mul(delta, e.sub(error, quadratic))), w, r);
};
const logLoss = (y: Input, p: Input, w?: Input, epsilon = kEpsilon, r?: Reduction): Tensor => {
  const positive = e.mul(y, e.log(e.add(p, epsilon)));
  const negative = e.mul(e.sub(1, y), e.log(e.add(e.sub(1, p), epsilon)));
  return computeWeightedLoss(e.neg(e.add(positive, negative)), w, r);
};
const cosineDistance = (y: Input, p: Input, axis: number, w?: Input, r?: Reduction): Tensor =>
  computeWeightedLoss(e.sub(1, sum(e.mul(y, p), axis, true)), w, r);
const sigmoidCrossEntropy = (y: Input, logits: Input, w?: Input, labelSmoothing = 0, r?: Reduction): Tensor => {
  const smooth = labelSmoothing > 0 ? e.add(e.mul(y, 1 - labelSmoothing), 0.5 * labelSmoothing) : toTensor(y);
  return computeWeightedLoss(e.sub(e.softplus(logits), e.mul(logits, smooth)), w, r);
};
const softmaxCrossEntropy = (y: Input, logits: Input, w?: Input, labelSmoothing = 0, r?: Reduction): Tensor => {
  const labels = toTensor(y);
  const classes = labels.shape.at(-1)!;
  const smooth = labelSmoothing > 0 ? e.add(e.mul(labels, 1 - labelSmoothing), labelSmoothing / classes) : labels;
  return computeWeightedLoss(e.neg(sum(e.mul(smooth, logSoftmax(logits)), -1)), w, r);
};

export const losses = {
  absoluteDifference: tidied(absoluteDifference),
  computeWeightedLoss: tidied(computeWeightedLoss),
  cosineDistance: tidied(cosineDistance),
  hingeLoss: tidied(hingeLoss),
  huberLoss: tidied(huberLoss),
  logLoss: tidied(logLoss),
  meanSquaredError: tidied(meanSquaredError),
  sigmoidCrossEntropy: tidied(sigmoidCrossEntropy),
  softmaxCrossEntropy: tidied(softmaxCrossEntropy),
};
