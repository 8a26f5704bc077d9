// What fjord and fjord/predict both have: tensors, their ops, images, and the settings of the engine.

import {elementwise} from './ops.js';
import {scopesOfEngine} from './tensor.js';

export {features, type Features} from './features.js';
export {ready, wasm, type Variant} from './load.js';
export {reset} from './reset.js';
export {dispose, keep, memory, Tensor, tensor, tidy, type DataType, type MemoryInfo, type TensorLike, type TypedArray} from './tensor.js';
export {dropout, randomNormal, randomUniform, truncatedNormal} from './random.js';
export {
  addN, all, any, argMax, argMin, avgPool, avgPool3d, batchNorm, batchToSpaceND, broadcastTo, cast, clipByValue, clone, concat, conv1d, conv2d,
  conv2dTranspose, conv3d, conv3dTranspose, cumsum, depthwiseConv2d,
  dot, einsum, elu, expandDims, eye, fill, gather, identity, layerNorm, leakyRelu, linspace, logSoftmax, logSumExp, matMul, max, maxPool, maxPool3d, mean, min,
  mirrorPad, moments, oneHot, ones, onesLike, outerProduct, pad, pool, prelu, prod, range, reshape, reverse, scalar,
  separableConv2d, slice, softmax, spaceToBatchND, split, squeeze, stack, step, stridedSlice, sum, tensor1d, tensor2d, tensor3d, tensor4d, tile, transpose,
  unsortedSegmentSum, unstack, where, zeros, zerosLike,
} from './ops.js';
export {browser, nextFrame} from './browser.js';
export {image} from './image.js';

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
