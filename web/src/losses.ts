// Losses over tensors, with TensorFlow.js's names, weights and reductions.

import {elementwise as e, logSoftmax, mean, ones, sum} from './ops.js';
import {tidied, toTensor, type Tensor, type TensorLike} from './tensor.js';

type Input = Tensor | TensorLike;

/** How the losses of the elements become one number: by the number of weights that are not zero unless said otherwise. */
export enum Reduction {
  NONE,
  MEAN,
  SUM,
  SUM_BY_NONZERO_WEIGHTS,
}

/** `op` is the loss that it is of. */
function weightedLoss(op: string, losses: Input, weights?: Input | null, reduction = Reduction.SUM_BY_NONZERO_WEIGHTS): Tensor {
  const all = toTensor(losses, 'losses', op);
  if (Reduction[reduction] === undefined) throw new Error(`Unknown reduction: ${reduction}`);
  const given = weights == null ? undefined : toTensor(weights, 'weights', op);
  const weighted = given ? e.mul(all, given) : all;
  if (reduction === Reduction.NONE) return weighted;
  if (reduction === Reduction.SUM) return sum(weighted);
  if (!given) return mean(weighted);
  if (reduction === Reduction.MEAN) return e.div(sum(weighted), e.mul(sum(given).toFloat(), Math.max(1, all.size / given.size)));
  return e.div(sum(weighted), sum(e.notEqual(e.mul(given, ones(all.shape)), 0)).toFloat());
}
const computeWeightedLoss = (losses: Input, weights?: Input | null, reduction?: Reduction): Tensor =>
  weightedLoss('computeWeightedLoss', losses, weights, reduction);

const kEpsilon = 1e-7;

/** Labels and predictions under the names that the loss has for them: of one shape, since none is repeated for the other. */
function pairOf(op: string, labels: Input, predictions: Input, names: readonly [string, string] = ['labels', 'predictions']): [Tensor, Tensor] {
  const [y, p] = [toTensor(labels, names[0], op), toTensor(predictions, names[1], op)];
  if (String(y.shape) !== String(p.shape)) throw new Error(`Error in ${op}:  Shapes ${y.shape} and ${p.shape} must match`);
  return [y, p];
}
type Loss = (labels: Input, predictions: Input, weights?: Input | null, reduction?: Reduction) => Tensor;
const lossOf =
  (op: string, f: (y: Tensor, p: Tensor) => Tensor): Loss =>
  (labels, predictions, weights, reduction) =>
    weightedLoss(op, f(...pairOf(op, labels, predictions)), weights, reduction);

const meanSquaredError = lossOf('meanSquaredError', (y, p) => e.squaredDifference(y, p));
const absoluteDifference = lossOf('absoluteDifference', (y, p) => e.abs(e.sub(y, p)));
const hingeLoss = lossOf('hingeLoss', (y, p) => e.relu(e.sub(1, e.mul(e.sub(e.mul(2, y), 1), p))));
const huberLoss = (labels: Input, predictions: Input, weights?: Input | null, delta = 1, reduction?: Reduction): Tensor => {
  const error = e.abs(e.sub(...pairOf('huberLoss', labels, predictions)));
  const quadratic = e.minimum(error, delta);
  return weightedLoss('huberLoss', e.add(e.mul(0.5, e.square(quadratic)), e.mul(delta, e.sub(error, quadratic))), weights, reduction);
};
const logLoss = (labels: Input, predictions: Input, weights?: Input | null, epsilon = kEpsilon, reduction?: Reduction): Tensor => {
  const [y, p] = pairOf('logLoss', labels, predictions);
  const positive = e.mul(y, e.log(e.add(p, epsilon)));
  const negative = e.mul(e.sub(1, y), e.log(e.add(e.sub(1, p), epsilon)));
  return weightedLoss('logLoss', e.neg(e.add(positive, negative)), weights, reduction);
};
const cosineDistance = (labels: Input, predictions: Input, axis: number, weights?: Input | null, reduction?: Reduction): Tensor =>
  weightedLoss('cosineDistance', e.sub(1, sum(e.mul(...pairOf('cosineDistance', labels, predictions)), axis, true)), weights, reduction);
const sigmoidCrossEntropy = (multiClassLabels: Input, logits: Input, weights?: Input | null, labelSmoothing = 0, reduction?: Reduction): Tensor => {
  const [y, x] = pairOf('sigmoidCrossEntropy', multiClassLabels, logits, ['multiClassLabels', 'logits']);
  const smooth = labelSmoothing > 0 ? e.add(e.mul(y, 1 - labelSmoothing), 0.5 * labelSmoothing) : y;
  return weightedLoss('sigmoidCrossEntropy', e.sub(e.softplus(x), e.mul(x, smooth)), weights, reduction);
};
const softmaxCrossEntropy = (onehotLabels: Input, logits: Input, weights?: Input | null, labelSmoothing = 0, reduction?: Reduction): Tensor => {
  const [y, x] = pairOf('softmaxCrossEntropy', onehotLabels, logits, ['onehotLabels', 'logits']);
  const smooth = labelSmoothing > 0 ? e.add(e.mul(y, 1 - labelSmoothing), labelSmoothing / y.shape.at(-1)!) : y;
  return weightedLoss('softmaxCrossEntropy', e.neg(sum(e.mul(smooth, logSoftmax(x)), -1)), weights, reduction);
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
