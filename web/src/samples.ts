// What fit, evaluate and predict are given: tensors, in the order of the model's inputs or outputs.

import {Tensor} from './tensor.js';
import {refuseForeign} from './values.js';

/** One tensor; or for each input, or output, one: in a list, or by name. */
export type Data = Tensor | Tensor[] | Record<string, Tensor>;

/** A value as an error says it. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`;
  if (typeof value === 'function') return 'a function';
  if (Array.isArray(value)) return typeof value.flat(Infinity)[0] === 'number' ? 'an array of numbers' : 'a list';
  if (ArrayBuffer.isView(value)) return `a ${value.constructor.name}`;
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

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
    return given[name];
  });
}

/** Arguments by name, of those that are known; others would do nothing. */
export function known<T extends object>(args: T | null | undefined, names: readonly string[], what: string): T {
  const given = args ?? ({} as T);
  if (typeof given !== 'object') throw new Error(`${what}: the arguments are an object, got ${shown(given)}`);
  const unknown = Object.keys(given).find((name) => !names.includes(name));
  if (unknown !== undefined) throw new Error(`${what}: there is no argument ${unknown}; known are ${names.join(', ')}`);
  return given;
}

// Of an int32.
const kMost = 2 ** 31 - 1;
/** Whole numbers, shares and flags among arguments, or what stands for those that were not said. */
export function wholeOf(given: unknown, name: string, otherwise: number): number {
  const value = given ?? otherwise;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= kMost) return value;
  throw new Error(`${name} must be a whole number, at least 0${(value as number) > kMost ? ` and at most ${kMost}` : ''}, got ${shown(value)}`);
}
export function shareOf(given: unknown, name: string): number {
  const value = given ?? 0;
  if (typeof value === 'number' && value >= 0 && value < 1) return value;
  throw new Error(`${name} must be a number from 0 to below 1, got ${shown(value)}`);
}
export function flagOf(given: unknown, name: string, otherwise: boolean): boolean {
  const value = given ?? otherwise;
  if (typeof value === 'boolean') return value;
  throw new Error(`${name} is true or false, got ${shown(value)}`);
}
export function batchSizeOf(given: unknown): number {
  const size = given ?? 32;
  if (typeof size === 'number' && Number.isInteger(size) && size > 0 && size <= kMost) return size;
  throw new Error(`batchSize is required to be a positive integer${(size as number) > kMost ? ` of at most ${kMost}` : ''}, but got ${shown(size)}`);
}
export function signalOf(given: unknown): AbortSignal | undefined {
  if (given == null) return undefined;
  if (given instanceof AbortSignal) return given;
  throw new Error(`signal is an AbortSignal, such as that of an AbortController, got ${shown(given)}`);
}
