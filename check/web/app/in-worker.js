import * as tf from 'fjord';
import {train} from './train.js';

onmessage = async () => postMessage(await train(tf).catch((error) => ({error: String(error)})));
