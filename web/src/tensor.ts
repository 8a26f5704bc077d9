// Tensor, with TensorFlow.js's names and meaning.
//
//   const a = tf.tensor2d([[1, 2], [3, 4]]);
//   const b = tf.tidy(() => a.matMul(a).add(1));
//   b.print();
//
// dispose() frees at once and using a tensor afterwards is an error; a tensor that is merely forgotten is freed when the
// garbage collector finds it.

import {bytesInGpu} from './device.js';
import {bring} from './eager.js';
import {call, engine, heap, heapBytes, withArguments} from './engine.js';
import type {BinaryName, UnaryName} from './generated/tables.js';

export type DataType = 'float32' | 'int32' | 'bool';
export type TypedArray = Float32Array | Int32Array | Uint8Array | Uint8ClampedArray;
type Nested = number | boolean | Nested[];
export type TensorLike = TypedArray | Nested;
export type NestedArray = number | NestedArray[];

const kTypes: readonly DataType[] = ['float32', 'int32', 'bool'];

const forgotten = new FinalizationRegistry<{handle: number}>((held) => {
  if (held.handle) engine().fj_dispose(held.handle);
});

// Typed chained methods of the elementwise ops; ops.ts puts them on the prototype, and types those with defaults itself.
type Unary = {[name in UnaryName]: <T extends Tensor>(this: T) => Tensor};
type Binary = {[name in Exclude<BinaryName, 'elu' | 'leakyRelu' | 'step'>]: (other: Tensor | TensorLike) => Tensor};
export interface Tensor extends Unary, Binary {}

export class Tensor {
  readonly shape: number[];
  readonly dtype: DataType;
  readonly size: number;
  readonly id: number;
  kept = false;
  /** The engine's handle; 0 once disposed. In an object of its own so that the garbage collector's notice can hold it. */
  private readonly held: {handle: number};
  private waiting?: Promise<undefined>;
  private static next = 0;

  /** Wraps a handle of the engine. */
  constructor(handle: number) {
    this.held = {handle};
    this.dtype = kTypes[engine().fj_dtype(handle)]!;
    this.shape = withArguments((a) => {
      const pointer = a.i32(new Int32Array(8));
      return [...heap.i32(pointer, engine().fj_shape(handle, pointer))];
    });
    this.size = this.shape.reduce((n, d) => n * d, 1);
    this.id = ++Tensor.next;
    forgotten.register(this, this.held, this.held);
    scopes.at(-1)?.push(this);
  }

  get rank(): number {
    return this.shape.length;
  }
  get isDisposed(): boolean {
    return this.held.handle === 0;
  }
  /** The engine's handle, or an error once disposed or before its values are there. */
  get handle(): number {
    if (this.waiting) {
      throw new Error(`Tensor ${this.id} of shape [${this.shape}] is still being computed on the GPU, which answers later: await its data() first`);
    }
    if (this.held.handle === 0) throw new Error(`Tensor ${this.id} of shape [${this.shape}] is disposed and cannot be used`);
    return this.held.handle;
  }
  /** Gives this tensor another value: only variables do. */
  protected replaceHandle(handle: number): void {
    if (this.held.handle && this.held.handle !== handle) engine().fj_dispose(this.held.handle);
    this.held.handle = handle;
  }

  dispose(): void {
    if (this.isDisposed) return;
    forgotten.unregister(this.held);
    engine().fj_dispose(this.held.handle);
    this.held.handle = 0;
  }

  // ---- values --------------------------------------------------------------------------------------------------------------

  /** A copy of the values: Float32Array, Int32Array, or Uint8Array for bools. What a GPU has computed answers to data() only. */
  dataSync<T extends TypedArray = Float32Array>(): T {
    return this.typed<T>(heap.i32(call('fj_data', this.handle), this.size).slice().buffer);
  }
  async data<T extends TypedArray = Float32Array>(): Promise<T> {
    // Who disposes of it after this call gets the values none the less.
    if (this.waiting) await this.waiting;
    const values = await bring(this.handle, this.size * 4);
    return values ? this.typed<T>(values) : this.dataSync<T>();
  }
  private typed<T>(values: ArrayBuffer): T {
    if (this.dtype === 'float32') return new Float32Array(values) as T;
    const integers = new Int32Array(values);
    return (this.dtype === 'bool' ? Uint8Array.from(integers) : integers) as T;
  }
  arraySync(): NestedArray {
    return nest(this.dataSync(), this.shape);
  }
  async array(): Promise<NestedArray> {
    return nest(await this.data(), this.shape);
  }
  async bytes(): Promise<Uint8Array> {
    const values = await this.data<TypedArray>();
    return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  }
  /** Where its values are still on a GPU, a little later. */
  print(): void {
    if (this.isHere) console.log(this.toString());
    else void this.data().then(() => this.print());
  }
  /** Whether its values can be read at once. */
  get isHere(): boolean {
    return !this.waiting && !engine().fj_gpuNumber(this.handle);
  }
  toString(): string {
    return `Tensor\n    ${format(this.arraySync(), 4, this.dtype === 'bool')}`;
  }

  // ---- other shapes of the same -----------------------------------------------------------------------------------------

  clone(): Tensor {
    return new Tensor(call('fj_clone', this.handle));
  }
}

/** A tensor whose values a GPU is still computing: `done` fills the engine's array. Until then only its data can be awaited. */
export function fillLater(t: Tensor, done: Promise<void>): Tensor {
  const waiting = done.then(() => (t['waiting'] = undefined));
  waiting.catch(() => {});
  t['waiting'] = waiting;
  return t;
}

/** Awaits values that a GPU computes, for what needs them here. */
export async function allHere(...lists: Tensor[][]): Promise<void> {
  await Promise.all(lists.flat().map((t) => t.isHere || t.data()));
}

/** An array of arrays from values in row-major order. */
export function nest(values: ArrayLike<number>, shape: readonly number[]): NestedArray {
  if (shape.length === 0) return values[0]!;
  let level: NestedArray[] = Array.from(values);
  for (let axis = shape.length - 1; axis > 0; --axis) {
    const width = shape[axis]!;
    const count = shape.slice(0, axis).reduce((n, d) => n * d, 1);
    level = Array.from({length: count}, (_, i) => level.slice(i * width, (i + 1) * width));
  }
  return level;
}

/** Long rows and columns show their first and last three. */
function format(value: NestedArray, indent: number, isBool: boolean): string {
  if (!Array.isArray(value)) return isBool ? String(value !== 0) : Number.isInteger(value) ? String(value) : String(+value.toPrecision(7));
  const show = (items: NestedArray[]) => items.map((v) => format(v, indent + 1, isBool));
  const parts = value.length > 20 ? [...show(value.slice(0, 3)), '...', ...show(value.slice(-3))] : show(value);
  const separator = Array.isArray(value[0]) ? `,\n${' '.repeat(indent + 1)}` : ', ';
  return `[${parts.join(separator)}]`;
}

// ---- making tensors ---------------------------------------------------------------------------------------------------------

function shapeOf(values: TensorLike): number[] {
  const shape: number[] = [];
  let v: unknown = values;
  while (Array.isArray(v) || ArrayBuffer.isView(v)) {
    shape.push((v as unknown[]).length);
    v = (v as unknown[])[0];
  }
  return shape;
}

/** Nested arrays flat, if they are as regular as their first rows. */
function flatten(values: TensorLike, shape: readonly number[]): Float64Array {
  const into = new Float64Array(shape.reduce((n, d) => n * d, 1));
  let at = 0;
  const visit = (v: unknown, axis: number): void => {
    if (axis === shape.length) {
      if (typeof v !== 'number' && typeof v !== 'boolean') throw new Error(`A tensor holds numbers, not ${typeof v} at element ${at}`);
      into[at++] = Number(v);
      return;
    }
    const row = v as ArrayLike<unknown>;
    if ((!Array.isArray(row) && !ArrayBuffer.isView(row)) || row.length !== shape[axis]) {
      throw new Error(`The nested array is not regular: axis ${axis} should have ${shape[axis]} entries everywhere`);
    }
    for (let i = 0; i < row.length; ++i) visit(row[i], axis + 1);
  };
  visit(values, 0);
  return into;
}

function typeOf(values: TensorLike): DataType {
  if (values instanceof Int32Array || values instanceof Uint8Array || values instanceof Uint8ClampedArray) return 'int32';
  let v: unknown = values;
  while (Array.isArray(v) && v.length > 0) v = v[0];
  return typeof v === 'boolean' ? 'bool' : 'float32';
}

/** The engine's number of a type. */
export function typeNumber(dtype: DataType): number {
  const type = kTypes.indexOf(dtype);
  if (type < 0) throw new Error(`The dtype '${dtype}' is not supported: use 'float32', 'int32' or 'bool'`);
  return type;
}

/** Uninitialised. */
export function emptyTensor(shape: readonly number[], dtype: DataType): Tensor {
  const type = typeNumber(dtype);
  if (!shape.every(Number.isInteger)) throw new Error(`A shape is made of whole numbers, got [${shape}]`);
  return new Tensor(withArguments((a) => call('fj_tensor', type, shape.length, a.i32(shape), 0)));
}

/** A view of a tensor's memory, to be written to before anything else happens. */
export function memoryOf(t: Tensor): Float32Array | Int32Array {
  const pointer = engine().fj_data(t.handle);
  return t.dtype === 'float32' ? heap.f32(pointer, t.size) : heap.i32(pointer, t.size);
}

export function tensor(values: TensorLike, shape?: readonly number[], dtype: DataType = typeOf(values)): Tensor {
  const given = shapeOf(values);
  const size = given.reduce((n, d) => n * d, 1);
  const wanted = shape ?? given;
  if (wanted.reduce((n, d) => n * d, 1) !== size || (given.length > 1 && shape && String(given) !== String(shape))) {
    throw new Error(`The values have the shape [${given}], which is not the shape [${wanted}] that was asked for`);
  }
  // Before there is a tensor: it can fail.
  const flat = ArrayBuffer.isView(values) ? (values as TypedArray) : flatten(values, given);
  const t = emptyTensor(wanted, dtype);
  const memory = memoryOf(t);
  memory.set(flat);
  if (dtype === 'bool') memory.forEach((v, i) => (memory[i] = v ? 1 : 0));
  return t;
}

/** What an op takes where it takes a tensor. */
export function toTensor(x: Tensor | TensorLike, dtype?: DataType): Tensor {
  return x instanceof Tensor ? x : tensor(x, undefined, dtype);
}

// ---- scopes -------------------------------------------------------------------------------------------------------------------

const scopes: Tensor[][] = [];

type Container = Tensor | Container[] | {[key: string]: unknown} | unknown;

export function tensorsIn(value: Container, found: Set<Tensor> = new Set(), seen: Set<unknown> = new Set()): Set<Tensor> {
  if (value instanceof Tensor) {
    found.add(value);
  } else if (value !== null && typeof value === 'object' && !seen.has(value) && !ArrayBuffer.isView(value)) {
    seen.add(value);
    for (const item of Object.values(value)) tensorsIn(item, found, seen);
  }
  return found;
}

export function startScope(): void {
  scopes.push([]);
}
/** Disposes of what the scope made, but for kept tensors and those in `result`, which pass to the scope around. */
export function endScope(result?: Container): void {
  const returned = tensorsIn(result);
  for (const t of scopes.pop() ?? []) {
    if (t.isDisposed || t.kept) continue;
    if (returned.has(t)) {
      scopes.at(-1)?.push(t);
    } else {
      t.dispose();
    }
  }
}

/** Runs `f` and disposes of every tensor that it made, but for those in its result. */
export function tidy<T>(nameOrF: string | (() => T), f?: () => T): T {
  const run = typeof nameOrF === 'function' ? nameOrF : f!;
  startScope();
  let result: T | undefined;
  try {
    result = run();
    if (result instanceof Promise) throw new Error('tidy cannot wait for a promise: use it around the synchronous parts');
    return result;
  } finally {
    endScope(result);
  }
}
export function keep<T extends Tensor>(t: T): T {
  t.kept = true;
  return t;
}
export function dispose(container: Container): void {
  for (const t of tensorsIn(container)) t.dispose();
}

export interface MemoryInfo {
  numTensors: number;
  numBytes: number;
  numDataBuffers: number;
  /** All memory that the engine holds for arrays, models and plans included. */
  numBytesInEngine: number;
  /** All buffers on the GPU. */
  numBytesInGPU: number;
  /** The WebAssembly memory, which grows and never shrinks. */
  numBytesInHeap: number;
  unreliable: boolean;
}

export function memory(): MemoryInfo {
  return withArguments((a) => {
    const pointer = a.f64(new Float64Array(4));
    engine().fj_memory(pointer);
    const [numTensors, numBytes, numDataBuffers, numBytesInEngine] = heap.f64(pointer, 4) as unknown as [number, number, number, number];
    return {numTensors, numBytes, numDataBuffers, numBytesInEngine, numBytesInGPU: bytesInGpu(), numBytesInHeap: heapBytes(), unreliable: false};
  });
}
