// TensorFlow.js's comparisons, with the precision of a backend in float32.
import {ENGINE} from '../../node_modules/@tensorflow/tfjs-core/dist/engine.js';
import * as theirs from '../../node_modules/@tensorflow/tfjs-core/dist/test_util.js';

ENGINE.registerBackend('float32', () => ({floatPrecision: () => 32, epsilon: () => 1e-7, dispose() {}, setDataMover() {}}));
ENGINE.setBackend('float32');

export * from '../../node_modules/@tensorflow/tfjs-core/dist/test_util.js';
export const {expectArraysClose} = theirs;
