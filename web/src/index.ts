// Fjord: deep learning in the browser, with TensorFlow.js's names.
//
//   import * as tf from 'fjord';
//   const model = tf.sequential({layers: [
//     tf.layers.dense({units: 128, activation: 'relu', inputShape: [784]}),
//     tf.layers.dense({units: 10, activation: 'softmax'})]});
//   model.compile({optimizer: 'adam', loss: 'categoricalCrossentropy', metrics: ['accuracy']});
//   await model.fit(xs, ys, {epochs: 5});

import {currentBackend, useBackend} from './device.js';
import {ready} from './load.js';
import {loadFrom, type IOHandler, type LoadArgs} from './io.js';
import type {LayersModel} from './model.js';
import {modelFrom, modelFromJSON} from './models.js';
import {isStrict} from './predictor.js';
import {getRegisteredName, registerClass, Serializable, SerializationMap} from './serialization.js';

export * from './forward.js';
export {grad, grads, Optimizer, train, valueAndGrad, valueAndGrads, variableGrads} from './gradients.js';
export {customGrad, type CustomGradientFunc, type GradSave} from './custom_grad.js';
export {Variable, variable} from './variables.js';
export {LayerVariable} from './weights.js';
export {callbacks, constraints, initializers, regularizers, schedules} from './chosen.js';
export {input, Layer, type CallArgs, type LayerArgs} from './layers.js';
export {InputSpec, layers} from './custom.js';
export * as metrics from './metrics.js';
export const serialization = {Serializable, SerializationMap, registerClass, getRegisteredName};
export {Callback, CustomCallback, History, type CustomCallbacks, type Logs} from './callbacks.js';
export type {CompileArgs, EvaluateArgs, FitArgs, LossOrMetricFn} from './fit.js';
export type * from './generated/arguments.js';
export type {AnyLayer} from './model.js';
export {FunctionalModel as LayersModel, model, Sequential, sequential, type ModelArgs} from './models.js';
export {SymbolicTensor} from './symbolic.js';
export {losses, Reduction} from './losses.js';
export {io, type IOHandler, type ModelArtifacts} from './io.js';

/**
 * Where models, and ops on tensors, are computed from now on: 'wasm' or 'webgpu'. With 'auto' a model's first training step
 * measures a few steps of a copy on both and keeps the faster (model.placement() tells); ops on tensors then stay in WebAssembly.
 * Throws where 'webgpu' is asked for and the browser has none.
 */
export async function setBackend(name: string): Promise<boolean> {
  if (name !== 'wasm' && name !== 'webgpu' && name !== 'auto') throw new Error(`There is no backend '${name}': use 'wasm', 'webgpu' or 'auto'`);
  await ready();
  await useBackend(name);
  return true;
}
export function getBackend(): string {
  return currentBackend();
}

export const models = {modelFromJSON};
/** A model from a place that handlers know: indexeddb://, localstorage://, http(s):// or an object with load(). */
export async function loadLayersModel(target: string | IOHandler, args: LoadArgs = {}): Promise<LayersModel> {
  const strict = isStrict(args);
  await ready();
  return modelFrom(await loadFrom(target), strict);
}
