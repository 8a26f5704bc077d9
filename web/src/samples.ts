// What fit, evaluate and predict are given: tensors, in the order of the model's inputs or outputs.

import {shown} from './given.js';
import {Tensor} from './tensor.js';
import {refuseForeign} from './values.js';

export {batchSizeOf, flagOf, known, shareOf, shown, signalOf, wholeOf} from './given.js';

/** One tensor; or for each input, or output, one: in a list, or by name. */
export type Data = Tensor | Tensor[] | Record<string, Tensor>;

/** The tensors that were given for the names, which are asked for where they are needed. */
export function tensorsOf(given: unknown, names: () => string[], what: string): Tensor[] {
  if (given instanceof Tensor) return [given];
  for (const t of Array.isArray(given) ? given : [given]) refuseForeign(t, what);
  const isNamed = typeof given === 'object' && given !== null && !Array.isArray(given) && !ArrayBuffer.isView(given);
  const list = isNamed ? byName(given as Record<string, unknown>, names(), what) : given;
  if (Array.isArray(list) && list.every((t) => t instanceof Tensor)) return list;
  const wrong = Array.isArray(list) && list.some((t) => t instanceof Tensor) ? `a list with ${shown(list.find((t) => !(t instanceof Tensor)))}` : shown(list);
  throw new Error(`${what} takes a tensor or a list of tensors, got ${wrong}${/number|Array/.test(wrong) ? ': make a tensor of it with tf.tensor2d(..) or the like' : ''}`);
}

function byName(given: Record<string, unknown>, names: string[], what: string): unknown[] {
  const unknown = Object.keys(given).find((name) => !names.includes(name));
  if (unknown !== undefined) throw new Error(`${what} names ${unknown}; the model's are ${names.join(', ')}`);
  return names.map((name) => {
    if (given[name] === undefined) throw new Error(`${what} has no tensor for ${name}`);
    refuseForeign(given[name], what);
    return given[name];
  });
}
