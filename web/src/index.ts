// Fjord: deep learning in the browser, with TensorFlow.js's names.
//
//   import * as tf from 'fjord';
//   const model = tf.sequential({layers: [
//     tf.layers.dense({units: 128, activation: 'relu', inputShape: [784]}),
//     tf.layers.dense({units: 10, activation: 'softmax'})]});
//   model.compile({optimizer: 'adam', loss: 'categoricalCrossentropy', metrics: ['accuracy']});
//   await model.fit(xs, ys, {epochs: 5});

import {ready} from './load.js';
import {loadFrom, type IOHandler} from './io.js';
import type {LayersModel} from './model.js';
import {modelFrom} from './models.js';
import {elementwise} from './ops.js';
import {scopesOfEngine} from './tensor.js';

export {features, ready, wasm, type Features, type Variant} from './load.js';
export {dispose, keep, memory, Tensor, tensor, tidy, type DataType, type MemoryInfo, type TensorLike, type TypedArray} from './tensor.js';
export {
  addN, all, any, argMax, argMin, avgPool, batchNorm, broadcastTo, cast, clipByValue, clone, concat, conv2d, conv2dTranspose, cumsum, depthwiseConv2d,
  dot, dropout, elu, expandDims, eye, fill, gather, identity, layerNorm, leakyRelu, linspace, logSoftmax, logSumExp, matMul, max, maxPool, mean, min,
  mirrorPad, moments, oneHot, ones, onesLike, outerProduct, pad, prelu, prod, randomNormal, randomUniform, range, reshape, reverse, scalar,
  separableConv2d, slice, softmax, split, squeeze, stack, step, stridedSlice, sum, tensor1d, tensor2d, tensor3d, tensor4d, tile, transpose,
  truncatedNormal, unsortedSegmentSum, unstack, where, zeros, zerosLike,
} from './ops.js';
export {grad, grads, Optimizer, train, valueAndGrad, valueAndGrads, Variable, variable, variableGrads} from './gradients.js';
export {callbacks, constraints, initializers, input, Layer, layers, regularizers, schedules, SymbolicTensor} from './layers.js';
export {Callback, CustomCallback, type CustomCallbacks, type Logs} from './callbacks.js';
export type {EvaluateArgs, FitArgs, History} from './fit.js';
export {LayersModel, type CompileArgs} from './model.js';
export {model, Sequential, sequential} from './models.js';
export {losses, Reduction} from './losses.js';
export {io, type IOHandler, type ModelArtifacts} from './io.js';
import {currentBackend, useBackend} from './device.js';
export {browser, nextFrame} from './browser.js';

// The elementwise ops by name. A module's exports are fixed when it is written: a test compares them with the table.
export const {
  abs, acos, acosh, add, asin, asinh, atan, atan2, atanh, bitwiseAnd, bitwiseNot, bitwiseOr, bitwiseXor, cbrt, ceil, celu, cos, cosh, div, divNoNan,
  equal, erf, exp, exp2, expm1, floor, floorDiv, gelu, geluTanh, greater, greaterEqual, hardShrink, hardSigmoid, hardSilu, hardTanh, isFinite, isInf,
  isNaN, less, lessEqual, log, log10, log1p, log2, logSigmoid, logicalAnd, logicalNot, logicalOr, logicalXor, maximum, minimum, mish, mod, mul, neg,
  notEqual, pow, reciprocal, relu, relu6, round, rsqrt, selu, sigmoid, sign, silu, sin, sinh, softShrink, softplus, softsign, sparsePlus,
  sparseSigmoid, sqrt, square, squaredDifference, squareplus, sub, tan, tanh, tanhShrink, trunc, xlogy,
} = elementwise;

/** Scopes that need no function around them, where tidy cannot be: `tf.engine().startScope()`, and `endScope()`. */
export const engine = () => scopesOfEngine;

export const version = {fjord: '0.1.0'};

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

/** A model from a place that handlers know: indexeddb://, localstorage://, http(s):// or an object with load(). */
export async function loadLayersModel(target: string | IOHandler): Promise<LayersModel> {
  await ready();
  return modelFrom(await loadFrom(target));
}
