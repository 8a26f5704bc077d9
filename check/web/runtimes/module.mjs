import * as tf from 'fjord';
import {train} from './train.js';

console.log(JSON.stringify(await train(tf)));
