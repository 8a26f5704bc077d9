import * as tf from 'fjord/single';
import {train} from './train.js';

console.log(JSON.stringify(await train(tf)));
