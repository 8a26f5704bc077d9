// What layers, compile and fit are given by name: a description each, which the engine knows.
//
//   tf.layers.dense({units: 10, kernelInitializer: tf.initializers.heNormal(), kernelRegularizer: tf.regularizers.l2({l2: 1e-4})})
//   const kernel = tf.variable(tf.initializers.heNormal().apply([784, 10]));

import {Weights} from './custom.js';
import type {
  ConstantInitializerArgs, CosineDecayRestartsScheduleArgs, CosineDecayScheduleArgs, EarlyStoppingCallbackArgs,
  ExponentialDecayScheduleArgs, IdentityInitializerArgs, InverseTimeDecayScheduleArgs, L1L2RegularizerArgs, L1RegularizerArgs,
  L2RegularizerArgs, MaxNormConstraintArgs, MinMaxNormConstraintArgs, ModelCheckpointCallbackArgs,
  OrthogonalInitializerArgs, OrthogonalRegularizerRegularizerArgs, PiecewiseConstantDecayScheduleArgs, PolynomialDecayScheduleArgs, RandomNormalInitializerArgs,
  RandomUniformInitializerArgs, ReduceLrOnPlateauCallbackArgs, StftInitializerArgs, SwapEmaWeightsCallbackArgs, TruncatedNormalInitializerArgs, UnitNormConstraintArgs,
  VarianceScalingInitializerArgs,
} from './generated/arguments.js';
import {inCamelCase} from './layers.js';
import {Sequential} from './models.js';
import {cast, clipByValue, elementwise as e, onesLike, sum} from './ops.js';
import type {Described} from './predictor.js';
import {tidy, type DataType, type Tensor} from './tensor.js';

/** Its description, and what programs ask it for. */
class Chosen implements Described {
  readonly config: Record<string, unknown>;

  constructor(
    readonly class_name: string,
    config?: object | null,
  ) {
    this.config = {...config};
  }
  getClassName(): string {
    return this.class_name;
  }
  getConfig(): Record<string, unknown> {
    return {...this.config};
  }
}

export class Initializer extends Chosen {
  /** New values, drawn as for a weight of this shape. */
  apply(shape: number[], dtype: DataType = 'float32'): Tensor {
    const model = new Sequential({layers: [new Weights(this.class_name, [{name: 'values', shape, initializer: this}])]});
    try {
      return tidy(() => cast(model.getWeights()[0]!, dtype));
    } finally {
      model.dispose();
    }
  }
}

type Formula = (w: Tensor, config: Record<string, number | undefined>) => Tensor;
const kEpsilon = 1e-7;
/** Each vector along an axis brought from its length to another one. */
function resized(w: Tensor, axis = 0, wanted: (lengths: Tensor) => Tensor): Tensor {
  const lengths = e.sqrt(sum(e.square(w), axis, true));
  return e.mul(w, e.div(wanted(lengths), e.add(lengths, kEpsilon)));
}
/** Lengths within bounds; what these are where nothing is said. */
const bounded =
  (most: number): Formula =>
  (w, {minValue = 0, maxValue = most, rate = 1, axis}) =>
    resized(w, axis, (n) => e.add(e.mul(rate, clipByValue(n, minValue, maxValue)), e.mul(1 - rate, n)));
const penalty =
  (a: number, b: number): Formula =>
  (w, {l1 = a, l2 = b}) => e.add(e.mul(l1, sum(e.abs(w))), e.mul(l2, sum(e.square(w))));
/** What the engine does in a step, with tensors. */
const kFormulas: Record<string, Formula> = {
  MaxNorm: bounded(2),
  MinMaxNorm: bounded(1),
  NonNeg: (w) => e.relu(w),
  UnitNorm: (w, {axis}) => resized(w, axis, onesLike),
  L1: penalty(0.01, 0),
  L2: penalty(0, 0.01),
  L1L2: penalty(0.01, 0.01),
};
/** A regularizer or a constraint. */
export class Applied extends Chosen {
  /** The penalty of a weight, or the weight as the constraint allows it. */
  apply(w: Tensor): Tensor {
    const formula = kFormulas[this.class_name];
    if (!formula) throw new Error(`${this.class_name} has no apply`);
    return tidy(() => formula(w, inCamelCase(this.config) as Parameters<Formula>[1]));
  }
}

const described =
  <Args extends object = Record<string, never>>(className: string) =>
  (config?: Args | null): Described => new Chosen(className, config);
const initializer =
  <Args extends object = Record<string, never>>(className: string) =>
  (config?: Args | null): Initializer => new Initializer(className, config);
const applied =
  <Args extends object = Record<string, never>>(className: string) =>
  (config?: Args | null): Applied => new Applied(className, config);

/** Of those that draw numbers. */
interface SeededArgs {
  /** The number that the draws follow from; the model's, if not said. */
  seed?: number;
}
export const initializers = {
  zeros: initializer('Zeros'),
  ones: initializer('Ones'),
  constant: initializer<ConstantInitializerArgs>('Constant'),
  randomUniform: initializer<RandomUniformInitializerArgs>('RandomUniform'),
  randomNormal: initializer<RandomNormalInitializerArgs>('RandomNormal'),
  truncatedNormal: initializer<TruncatedNormalInitializerArgs>('TruncatedNormal'),
  identity: initializer<IdentityInitializerArgs>('Identity'),
  varianceScaling: initializer<VarianceScalingInitializerArgs>('VarianceScaling'),
  glorotUniform: initializer<SeededArgs>('GlorotUniform'),
  glorotNormal: initializer<SeededArgs>('GlorotNormal'),
  heUniform: initializer<SeededArgs>('HeUniform'),
  heNormal: initializer<SeededArgs>('HeNormal'),
  leCunUniform: initializer<SeededArgs>('LecunUniform'),
  leCunNormal: initializer<SeededArgs>('LecunNormal'),
  orthogonal: initializer<OrthogonalInitializerArgs>('Orthogonal'),
  stft: initializer<StftInitializerArgs>('STFT'),
};
export const regularizers = {
  l1: applied<L1RegularizerArgs>('L1'),
  l2: applied<L2RegularizerArgs>('L2'),
  l1l2: applied<L1L2RegularizerArgs>('L1L2'),
  orthogonal: applied<OrthogonalRegularizerRegularizerArgs>('OrthogonalRegularizer'),
};
export const constraints = {
  maxNorm: applied<MaxNormConstraintArgs>('MaxNorm'),
  minMaxNorm: applied<MinMaxNormConstraintArgs>('MinMaxNorm'),
  nonNeg: applied('NonNeg'),
  unitNorm: applied<UnitNormConstraintArgs>('UnitNorm'),
};
/** For fit: run by the engine between epochs. */
export const callbacks = {
  earlyStopping: described<EarlyStoppingCallbackArgs>('EarlyStopping'),
  reduceLROnPlateau: described<ReduceLrOnPlateauCallbackArgs>('ReduceLROnPlateau'),
  /** Saves with the optimizer's state: modelCheckpoint({filepath: 'indexeddb://best', monitor: 'val_loss', saveBestOnly: true}). */
  modelCheckpoint: described<ModelCheckpointCallbackArgs>('ModelCheckpoint'),
  terminateOnNaN: described('TerminateOnNaN'),
  /** Validates with the moving averages of an optimizer with useEma; saves them, too, with {swapOnEpoch: true} before modelCheckpoint. */
  swapEMAWeights: described<SwapEmaWeightsCallbackArgs>('SwapEMAWeights'),
};
/** Learning rates that change from step to step, as Keras describes them. */
export const schedules = {
  exponentialDecay: described<ExponentialDecayScheduleArgs>('ExponentialDecay'),
  inverseTimeDecay: described<InverseTimeDecayScheduleArgs>('InverseTimeDecay'),
  polynomialDecay: described<PolynomialDecayScheduleArgs>('PolynomialDecay'),
  piecewiseConstantDecay: described<PiecewiseConstantDecayScheduleArgs>('PiecewiseConstantDecay'),
  cosineDecay: described<CosineDecayScheduleArgs>('CosineDecay'),
  cosineDecayRestarts: described<CosineDecayRestartsScheduleArgs>('CosineDecayRestarts'),
};
