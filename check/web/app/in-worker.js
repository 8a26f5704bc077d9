import * as tf from 'fjord/worker';
import {train} from './train.js';

onmessage = async () => postMessage(await train(tf).catch((error) => ({error: String(error)})));
