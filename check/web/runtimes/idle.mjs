// An import alone starts nothing, and keeps no program from ending.
import * as tf from 'fjord';

console.log(JSON.stringify({variant: tf.wasm.getVariant() ?? 'none'}));
