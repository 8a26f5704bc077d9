// For a page alone.
import * as tf from 'fjord';
import {train} from './train.js';

globalThis.result = {page: await train(tf).catch((error) => ({error: String(error)}))};
