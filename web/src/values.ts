// What a program gives where a tensor or a shape is wanted, and the words where it cannot be one. TensorFlow.js's where it has any.

import type {DataType, TensorLike} from './tensor.js';

// A tensor knows its copy of this module: handles are numbers of one engine, and mean nothing to another.
const kBrand = Symbol.for('fjord.Tensor');
const kHere = {};
export const brand = (prototype: object) => Object.defineProperty(prototype, kBrand, {value: kHere});
const brandOf = (x: unknown): unknown => (typeof x === 'object' && x !== null ? (x as {[kBrand]?: unknown})[kBrand] : undefined);

/** What something is, in the words of an error. */
export const nameOf = (x: unknown): string => (x == null ? 'null' : brandOf(x) ? 'Tensor' : ((x as object).constructor?.name ?? typeof x));

/** A value that was refused, in the words of an error. */
export const show = (value: unknown): string =>
  Array.isArray(value) ? `[${value.map(show).join(', ')}]` : typeof value === 'string' ? `'${value}'` : typeof value === 'object' && value ? nameOf(value) : String(value);

/** Throws where `x` is a tensor of another copy of the module, or of TensorFlow.js; `what` says where it was found. */
export function refuseForeign(x: unknown, what: string): void {
  if (x === null || typeof x !== 'object' || brandOf(x) === kHere) return;
  const owner = kBrand in x ? 'another copy of Fjord that the page loaded' : 'dataId' in x ? 'TensorFlow.js' : undefined;
  if (owner) throw new Error(`${what}: this tensor belongs to ${owner}: make one here of its values, tf.tensor(await x.data(), x.shape, x.dtype)`);
}

// So do layers, models and optimizers, whose engine is that of their copy.
const kPart = Symbol.for('fjord.Part');
export const brandPart = (prototype: object, kind: string) => Object.defineProperty(prototype, kPart, {value: [kind, kHere]});
/** Throws where `x` is one of another copy of the module. */
export function refuseForeignPart(x: unknown, what: string): void {
  const [kind, copy] = ((Object(x) as {[kPart]?: [string, object]})[kPart] ?? []) as [string?, object?];
  if (kind && copy !== kHere) throw new Error(`${what}: this ${kind} belongs to another copy of Fjord that the page loaded: make one here, or load Fjord once`);
}

// ---- shapes -----------------------------------------------------------------------------------------------------------------

// Four bytes each, in two gigabytes: as engine/base/shape.h has it.
const kMostElements = 2 ** 29 - 1;
export function sizeOf(shape: readonly number[]): number {
  let size = 1;
  for (const d of shape) size *= d;
  return size;
}

/** A shape that a tensor can have. */
export function checkShape(shape: readonly number[]): readonly number[] {
  if (!Array.isArray(shape)) throw new Error(`A shape must be an array of numbers, but got '${nameOf(shape)}'`);
  if (!shape.every((d) => Number.isInteger(d) && d >= 0)) {
    throw new Error(`Tensor must have a shape comprised of positive integers but got shape [${shape}].`);
  }
  if (sizeOf(shape) > kMostElements || shape.some((d) => d > kMostElements)) {
    throw new Error(`The shape [${shape}] is too large: a tensor has at most ${kMostElements} elements`);
  }
  return shape;
}

// ---- values -----------------------------------------------------------------------------------------------------------------

// By their tags, which hold for arrays of other frames of the page as well.
const kTypedArrays: Record<string, DataType> = {Float32Array: 'float32', Int32Array: 'int32', Uint8Array: 'int32', Uint8ClampedArray: 'int32'};
const typedAs = (x: unknown): DataType | undefined =>
  ArrayBuffer.isView(x) ? kTypedArrays[(x as unknown as {[Symbol.toStringTag]: string})[Symbol.toStringTag]] : undefined;
const isArray = (x: unknown): x is ArrayLike<unknown> => Array.isArray(x) || typedAs(x) !== undefined;

/** Whether numbers may be in it: its elements are looked at when they are read. */
export const isTensorLike = (x: unknown): x is TensorLike => isArray(x) || typeof x === 'number' || typeof x === 'boolean';

/** The first element decides. */
export function typeOf(values: unknown): DataType | 'string' {
  let v = values;
  while (Array.isArray(v)) v = v[0];
  return typedAs(v) ?? (typeof v === 'boolean' ? 'bool' : typeof v === 'string' ? 'string' : 'float32');
}

export function shapeOf(values: unknown): number[] {
  const shape: number[] = [];
  for (let v = values; isArray(v); v = v[0]) shape.push(v.length);
  return shape;
}

/** Nested arrays flat, if they are as regular as their first rows. */
export function flatten(values: TensorLike, shape: readonly number[]): ArrayLike<number> {
  if (typedAs(values)) return values as unknown as ArrayLike<number>;
  const into = new Float64Array(sizeOf(shape));
  let at = 0;
  const visit = (v: unknown, axis: number, path: number[]): void => {
    const count = shape[axis];
    const fail = (words: string): never => {
      refuseForeign(v, `Element arr[${path.join('][')}]`);
      throw new Error(`Element arr[${path.join('][')}] ${words}`);
    };
    if (count === undefined) {
      if (isArray(v)) fail(`should be a primitive, but is an array of ${v.length} elements`);
      if (typeof v !== 'number' && typeof v !== 'boolean') fail(`should be a number or a boolean, but got '${nameOf(v)}'`);
      into[at++] = Number(v);
      return;
    }
    if (!isArray(v)) return fail(`is a primitive, but should be an array/TypedArray of ${count} elements`);
    if (v.length !== count) fail(`should have ${count} elements, but has ${v.length} elements`);
    for (let i = 0; i < count; ++i) {
      const item = v[i];
      if (typeof item === 'number' && axis === shape.length - 1) into[at++] = item;
      else visit(item, axis + 1, [...path, i]);
    }
  };
  visit(values, 0, []);
  return into;
}

/** Throws where a number is outside of int32; fractions are cut off, and NaN is 0, as in TensorFlow.js. */
export function checkInt32(v: number, what: string): number {
  if (v >= 2 ** 31 || v <= -(2 ** 31) - 1) throw new Error(`${what}: ${v} is outside of int32, -2147483648 to 2147483647`);
  return v;
}

/** Numbers into the memory of a tensor of this type. */
export function fillWith(memory: Float32Array | Int32Array, values: ArrayLike<number>, dtype: DataType): void {
  if (dtype === 'int32' && !(values instanceof Int32Array)) for (let i = 0; i < values.length; ++i) checkInt32(values[i]!, `Element ${i} of an int32 tensor`);
  if (dtype === 'bool') for (let i = 0; i < values.length; ++i) memory[i] = Math.round(values[i]!) === 0 ? 0 : 1;
  else memory.set(values);
}
