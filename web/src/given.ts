// What a program gives by name: arguments that are checked, in words where they are refused, and names in the case of Keras or JavaScript.

/** A value as an error says it. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`;
  if (typeof value === 'function') return 'a function';
  if (Array.isArray(value)) return typeof value.flat(Infinity)[0] === 'number' ? 'an array of numbers' : 'a list';
  if (ArrayBuffer.isView(value)) return `a ${value.constructor.name}`;
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

/** A description with the keys of all its objects renamed, however deep. */
const withKeys = (nameOf: (key: string) => string) =>
  function renamed(value: unknown): unknown {
    if (Array.isArray(value)) return value.map(renamed);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [nameOf(key), renamed(inner)]));
  };

/** Keras writes snake_case: kernelSize is kernel_size. */
export const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`);
export const inKerasNames = withKeys(snakeCase);
/** kernel_size is kernelSize. */
export const camelCase = (name: string): string => name.replace(/_([a-z0-9])/g, (_, c: string) => c.toUpperCase());
export const inCamelCase = withKeys(camelCase);

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
export function wholeOf(given: unknown, name: string, otherwise?: number, least = 0): number {
  const value = given ?? otherwise;
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= kMost) return value;
  throw new Error(`${name} must be a whole number, at least ${least}${(value as number) > kMost ? ` and at most ${kMost}` : ''}, got ${shown(value)}`);
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
/** One of some names, in Keras's case or in JavaScript's: 'multi_hot' is 'multiHot'. `also` tells what else is taken. */
export function choiceOf<T extends string>(given: unknown, name: string, choices: readonly T[], otherwise: T, also = ''): T {
  const value = given ?? otherwise;
  const found = choices.find((choice) => typeof value === 'string' && choice === snakeCase(value));
  if (found === undefined) throw new Error(`${name} must be one of ${choices.join(', ')}${also}, got ${shown(value)}`);
  return found;
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
