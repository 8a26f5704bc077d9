// What compile, fit and evaluate are given and give, and how the engine takes their batches one by one.

import type {CallbackArg, Logs, YieldEvery} from './callbacks.js';
import {call, heap, withArguments} from './engine.js';
import type {Optimizer} from './gradients.js';
import {shown} from './given.js';
import type {Described} from './predictor.js';
import type {Data} from './samples.js';
import type {Tensor} from './tensor.js';

export type ClassWeight = Record<number | string, number>;

/** Of a batch: a number, or one for each sample, or more, of which the mean is taken. It is called once, to find out which ops it calls. */
export type LossOrMetricFn = (yTrue: Tensor, yPred: Tensor) => Tensor;
type Loss = string | Described | LossOrMetricFn;
export interface CompileArgs {
  optimizer: string | Optimizer | Described;
  loss: Loss | Loss[] | Record<string, Loss>;
  /** Named, described, or functions; logs name those as the function is named. */
  metrics?: unknown;
  lossWeights?: unknown;
}
/** The same in Keras's names, as the engine and files have it. */
export interface Training {
  optimizer?: unknown;
  loss?: unknown;
  metrics?: unknown;
}
export interface FitArgs {
  batchSize?: number;
  epochs?: number;
  initialEpoch?: number;
  shuffle?: boolean;
  validationSplit?: number;
  /** What is given, what is wanted, and weights of samples. */
  validationData?: [Data, Data] | [Data, Data, Data] | null;
  callbacks?: CallbackArg | CallbackArg[] | null;
  /** Weights by the number of the class; for each output in a list, or by its name. */
  classWeight?: ClassWeight | (ClassWeight | null)[] | Record<string, ClassWeight> | null;
  /** A number for each sample: the same for all outputs, or for each. */
  sampleWeight?: Data | null;
  verbose?: number;
  /** How often the page gets its turn: 'auto' is often enough for its frames, also within a batch. */
  yieldEvery?: YieldEvery | null;
  /** Ends the training when it aborts: fit rejects with its reason, and the model is that after the last whole batch. */
  signal?: AbortSignal | null;
}
export interface EvaluateArgs {
  batchSize?: number;
  sampleWeight?: Data | null;
  verbose?: number;
}
export const kFitArgs = ['batchSize', 'epochs', 'initialEpoch', 'shuffle', 'validationSplit', 'validationData', 'callbacks', 'classWeight', 'sampleWeight', 'verbose', 'yieldEvery', 'signal'];
export const kCompileArgs = ['optimizer', 'loss', 'metrics', 'lossWeights'];
export const kEvaluateArgs = ['batchSize', 'sampleWeight', 'verbose'];
export const kPredictArgs = ['batchSize', 'verbose'];

export function checkedWeights(byClass: FitArgs['classWeight']): FitArgs['classWeight'] {
  if (byClass && !Object.keys(byClass).length) throw new Error('classWeight must contain all classes in the training data, and is empty');
  return byClass ?? null;
}
export function checkLossWeights(given: unknown): void {
  const all = typeof given === 'object' ? Object.values(given ?? {}) : [given];
  const wrong = all.findIndex((weight) => !Number.isFinite(weight));
  if (wrong >= 0) throw new Error(`compile: lossWeights is a finite number, or one for each output, in a list or by its name, got ${shown(all[wrong])}`);
}

export interface FitState {
  epoch: number;
  batch: number;
  batches: number;
  /** Samples of the next batch. */
  size: number;
  done: boolean;
  reason: string;
  checkpoints: string[];
  /** Of the epoch so far, and of the last batch alone. */
  logs: Logs;
  batchLogs: Logs;
}

// What fj_fitAdvance says has ended, and what fj_fitBegin says has begun.
export const kBatchEnd = 1;
export const kEpochEnd = 3;
export const kPaused = 4;
export const kNothingBegun = 1;
export const kTrainingBegun = 2;
export interface Advance {
  event: number;
  /** Batches of the epoch so far. */
  batch: number;
  done: boolean;
  /** Of the batch. */
  loss: number;
}
// Batches that are on their way to a GPU at a time: it should never wait for the page.
export const kMostBegun = 3;
export const kAdvance = new Float64Array(3);
/**
 * Takes the next batch of a training or an evaluation, or finishes what has begun on a GPU. What takes longer than so many milliseconds,
 * where it is not 0, is paused: the next call goes on.
 */
export function advanceHere(fit: number, milliseconds = 0): Advance {
  return withArguments((a) => {
    const out = a.f64(kAdvance);
    const event = call('fj_fitAdvance', fit, milliseconds, out);
    const [batch, done, loss] = heap.f64(out, 3);
    return {event, batch: batch!, done: done !== 0, loss: loss!};
  });
}
/** Logs of the engine: NaN and infinity travel as texts. */
export const numbers = (logs: Logs): Logs => Object.fromEntries(Object.entries(logs).map(([key, value]) => [key, Number(value)]));
