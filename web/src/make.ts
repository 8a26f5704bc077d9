// Tensors that are made of values, or of a rule for them.

import {emptyTensor, memoryOf, tensor, tidied, toTensor, type DataType, type Tensor, type TensorLike} from './tensor.js';
import {checkInt32, checkShape, shapeOf, show} from './values.js';

/** A type that was not given is the value's. */
export function fill(shape: readonly number[], value: number | boolean, dtype?: DataType | null): Tensor {
  if (typeof value !== 'number' && typeof value !== 'boolean') throw new Error(`fill: value must be a number or a boolean, got ${show(value)}`);
  const type = dtype ?? (typeof value === 'boolean' ? 'bool' : 'float32');
  const number = type === 'int32' ? checkInt32(Number(value), 'fill: value') : Number(value);
  const t = emptyTensor(shape, type);
  memoryOf(t).fill(type === 'bool' ? Number(Math.trunc(number) !== 0) : number);
  return t;
}
export const zeros = (shape: readonly number[], dtype?: DataType | null): Tensor => fill(shape, 0, dtype);
export const ones = (shape: readonly number[], dtype?: DataType | null): Tensor => fill(shape, 1, dtype);
const filledLike = (value: number, op: string) =>
  tidied((x: Tensor | TensorLike): Tensor => {
    const t = toTensor(x, 'x', op);
    return fill(t.shape, value, t.dtype);
  });
export const zerosLike = filledLike(0, 'zerosLike');
export const onesLike = filledLike(1, 'onesLike');
export function scalar(value: number | boolean, dtype?: DataType | null): Tensor {
  if (typeof value === 'object') throw new Error('Error creating a new Scalar: value must be a primitive (number|boolean)');
  return tensor(value, [], dtype);
}
type Made = (values: TensorLike, shape?: readonly number[] | null, dtype?: DataType | null) => Tensor;
export const tensor1d = (values: TensorLike, dtype?: DataType | null): Tensor => {
  checkValues(1, values);
  return tensor(values, null, dtype);
};
const ranked =
  (rank: number, numbers: string): Made =>
  (values, shape, dtype) => {
    if (shape && shape.length !== rank) throw new Error(`tensor${rank}d() requires shape to have ${numbers} numbers`);
    const given = checkValues(rank, values);
    if (given === 1 && !shape) throw new Error(`tensor${rank}d() requires shape to be provided when \`values\` are a flat${rank === 2 ? '/TypedArray' : ' array'}`);
    return tensor(values, shape, dtype);
  };
export const tensor2d = ranked(2, 'two');
export const tensor3d = ranked(3, 'three');
export const tensor4d = ranked(4, 'four');
/** The rank of values that are flat or of this rank. */
function checkValues(rank: number, values: TensorLike): number {
  if (values == null) throw new Error('The input to the tensor constructor must be a non-null value.');
  const given = shapeOf(values).length;
  if (given === rank || (given === 1 && rank > 1)) return given;
  throw new Error(`tensor${rank}d() requires values to be ${rank > 1 ? `number${'[]'.repeat(rank)} or ` : 'a '}flat/TypedArray`);
}
/** Downwards by 1 where stop is below start and no step says otherwise. */
export function range(start: number, stop: number, step = 1, dtype: 'float32' | 'int32' = 'float32'): Tensor {
  if (step === 0) throw new Error('Cannot have a step of zero');
  if (dtype !== 'float32' && dtype !== 'int32') throw new Error(`range: dtype must be 'float32' or 'int32', got ${show(dtype)}`);
  for (const [name, value] of Object.entries({start, stop, step})) {
    const isWhole = dtype === 'int32' && name !== 'stop';
    if (!(isWhole ? Number.isInteger(value) : Number.isFinite(value))) throw new Error(`range: ${name} must be a ${isWhole ? 'whole' : 'finite'} number, got ${show(value)}`);
  }
  const by = stop < start && step === 1 ? -1 : step;
  const [count] = checkShape([Math.max(0, Math.ceil((stop - start) / by))]) as [number];
  if (dtype === 'int32') for (const end of [start, start + (count - 1) * by]) checkInt32(end, 'range');
  const t = emptyTensor([count], dtype);
  const memory = memoryOf(t);
  for (let i = 0; i < count; ++i) memory[i] = start + i * by;
  return t;
}
export function linspace(start: number, stop: number, num: number): Tensor {
  if (num <= 0) throw new Error('The number of values should be positive.');
  for (const [name, value] of Object.entries({start, stop})) if (typeof value !== 'number') throw new Error(`linspace: ${name} must be a number, got ${show(value)}`);
  checkShape([num]);
  return tensor(Float32Array.from({length: num}, (_, i) => (num === 1 ? start : start + ((stop - start) * i) / (num - 1))));
}
