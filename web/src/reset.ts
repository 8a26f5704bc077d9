// Gives back all memory of the engine, which by itself only grows: a page that is done with a large model, and goes on without it.
//
//   tf.reset();            // what was made before refuses from now on; the next op starts an engine anew

import {abandon} from './load.js';
import {isScoped} from './tensor.js';

/**
 * Ends the engine and its threads: all tensors, variables, optimizers and models are gone, and their memory with them, on a GPU too.
 * Settings of tf.wasm stay; the backend is 'wasm'. Throws within tidy, and while a model trains or is evaluated.
 */
export function reset(): void {
  if (isScoped()) throw new Error('tf.reset: within tf.tidy, a gradient or a scope of tf.engine(), whose tensors it would take away');
  abandon('tf.reset');
}
