// Fjord for pages that only predict: tensors and their ops, images, and models that were saved.
//
//   import * as tf from 'fjord/predict';
//   const model = await tf.loadLayersModel('model.json');
//   const scores = model.predict(tf.browser.fromPixels(image).expandDims(0));
//
// Programs written for it run with 'fjord' as well, which has everything; what is not here says so.

import {browserFiles, fromMemory, overHttp} from './io.js';
import {Predictor} from './predictor.js';

export * from './forward.js';
export {loadPredictor as loadLayersModel, Predictor as LayersModel} from './predictor.js';
export type {IOHandler, ModelArtifacts} from './io.js';

export const io = {http: overHttp, browserHTTPRequest: overHttp, browserFiles, fromMemory};

/** Models, and ops on tensors, are computed in WebAssembly. */
export async function setBackend(name: string): Promise<boolean> {
  if (name !== 'wasm') throw new Error(`There is no backend '${name}' in fjord/predict, which has 'wasm': import 'fjord' for others`);
  return true;
}
export const getBackend = (): string => 'wasm';

for (const name of ['compile', 'fit', 'fitDataset', 'evaluate', 'evaluateDataset', 'trainOnBatch', 'testOnBatch', 'save']) {
  Object.defineProperty(Predictor.prototype, name, {
    value: () => {
      throw new Error(`model.${name}: this is fjord/predict, which only predicts: import 'fjord' to train`);
    },
  });
}
