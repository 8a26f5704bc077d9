// For bundlers that copy no files: everything in one.
import * as tf from 'fjord/single';
import {train} from './train.js';

train(tf)
  .catch((error) => ({error: String(error)}))
  .then((page) => (globalThis.result = {page}));
