// Tensor, with TensorFlow.js's names and meaning.
//
//   const a = tf.tensor2d([[1, 2], [3, 4]]);
//   const b = tf.tidy(() => a.matMul(a).add(1));
//   b.print();
//
// dispose() frees at once and using a tensor afterwards is an error; a tensor that is merely forgotten is freed when the
// garbage collector finds it.

import {call, engine, heap, heapBytes, shapeOfHandle, withArguments} from './engine.js';
import type {BinaryName, UnaryName} from './generated/tables.js';
import {Held} from './held.js';
import {letWorkersCome} from './load.js';
import {there} from './there.js';
import {brand, checkShape, fillWith, flatten, isTensorLike, nameOf, refuseForeign, shapeOf, sizeOf, typeOf} from './values.js';

export type DataType = 'float32' | 'int32' | 'bool';
export type TypedArray = Float32Array | Int32Array | Uint8Array | Uint8ClampedArray;
type Nested = number | boolean | Nested[];
export type TensorLike = TypedArray | Nested;
export type NestedArray = number | NestedArray[];

const kTypes: readonly DataType[] = ['float32', 'int32', 'bool'];

const forgotten = new FinalizationRegistry<Held>((held) => {
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
  /** The engine's handle; 0 once disposed. */
  private readonly held: Held;
  /** Where its values come later: when they are there, and what has them computed at once, unless a GPU does. */
  private waiting?: Promise<void>;
  private finish?: () => void;
  private static next = 0;

  /** Wraps a handle of the engine. */
  constructor(handle: number) {
    this.held = new Held(handle);
    this.dtype = kTypes[engine().fj_dtype(handle)]!;
    this.shape = shapeOfHandle(handle);
    this.size = sizeOf(this.shape);
    this.id = ++Tensor.next;
    forgotten.register(this, this.held, this.held);
    scopes.at(-1)?.push(this);
  }

  get rank(): number {
    return this.shape.length;
  }
  /** The rank as a text, "higher" from 5 on: TensorFlow.js's. */
  get rankType(): string {
    return this.rank < 5 ? String(this.rank) : 'higher';
  }
  /** By how many elements the next one along each axis but the last is away. */
  get strides(): number[] {
    return this.shape.slice(1).map((_, axis) => sizeOf(this.shape.slice(axis + 1)));
  }
  get isDisposed(): boolean {
    return this.held.handle === 0;
  }
  /** The engine's handle, or an error once disposed or before its values are there. What may be no tensor goes through handleOf. */
  get handle(): number {
    this.checkAlive();
    if (this.finish) this.finish();
    else if (this.waiting) {
      throw new Error(`Tensor ${this.id} of shape [${this.shape}] is still being computed on the GPU, which answers later: await its data() first`);
    }
    return this.held.handle;
  }
  private get about(): string {
    return `tensor ${this.id}, ${this.dtype} of shape [${this.shape}]`;
  }
  private checkAlive(): void {
    if (!this.isDisposed) return;
    this.held.check(this.about);
    throw new Error(`Tensor is disposed. It was ${this.about}`);
  }
  /** Gives this tensor another value: only variables do. */
  protected replaceHandle(made: () => number): void {
    this.held.check(this.about);
    const handle = made();
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
    this.checkAlive();
    if (!this.waiting && this.isHere) {
      const values = this.dataSync<T>();
      await letWorkersCome();
      return values;
    }
    // Whoever disposes of it from now on disposes of another handle, and gets the values none the less.
    const held = new Held(call('fj_clone', this.held.handle));
    try {
      await this.waiting;
      const values = await there?.bring(held.handle, this.size * 4);
      held.check(this.about);
      return this.typed<T>(values ?? heap.i32(call('fj_data', held.handle), this.size).slice().buffer);
    } finally {
      if (held.handle) engine().fj_dispose(held.handle);
    }
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
  /** Where its values are still on a GPU, a little later. With its type and shape if `verbose`. */
  print(verbose = false): void {
    if (this.isHere) console.log(this.toString(verbose));
    else void this.data().then((values) => console.log(this.text(values, verbose)));
  }
  /** Whether its values can be read at once. */
  get isHere(): boolean {
    this.checkAlive();
    return (!this.waiting || !!this.finish) && !there?.has(this.held.handle);
  }
  toString(verbose = false): string {
    return this.text(this.dataSync(), verbose);
  }
  private text(values: TypedArray, verbose: boolean): string {
    const about = verbose ? [`  dtype: ${this.dtype}`, `  rank: ${this.rank}`, `  shape: [${this.shape}]`, '  values:'] : [];
    return ['Tensor', ...about, ...linesOf(values, this.shape, this.dtype === 'bool').map((line) => `    ${line}`)].join('\n');
  }

  // ---- other shapes of the same -----------------------------------------------------------------------------------------

  clone(): Tensor {
    return new Tensor(call('fj_clone', this.handle));
  }
}

brand(Tensor.prototype);

/** Itself, if it is a tensor of this copy; `what` names it in the error where it is not. */
export function checkTensor<T extends Tensor>(x: T, what: string): T {
  refuseForeign(x, what);
  if (!(x instanceof Tensor)) throw new Error(`${what} must be a Tensor, but got '${nameOf(x)}'`);
  return x;
}
/** The engine's handle of what should be a tensor. */
export const handleOf = (x: Tensor, what = 'What is given as a tensor'): number => checkTensor(x, what).handle;
/**
 * A tensor whose values come later, when `done` resolves; or are there now. Until then its data can be awaited, and all else has them
 * computed at once by `finish`, or is refused where there is no such way, as on a GPU.
 */
export function fillLater(t: Tensor, done?: Promise<void>, finish?: () => void): Tensor {
  const waiting = done?.then(() => void fillLater(t));
  waiting?.catch(() => {});
  t['waiting'] = waiting;
  t['finish'] = finish;
  return t;
}

/** Awaits values that come later, for what needs them here. */
export async function allHere(...lists: Tensor[][]): Promise<void> {
  await Promise.all(lists.flat().map((t) => t['waiting'] ?? (t.isHere || t.data())));
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

// Axes longer than this show their first and last entries only.
const kMostShown = 20;
const kEndsShown = 3;
function shownOf(size: number): number[] {
  const all = Array.from({length: Math.min(size, kMostShown + 1)}, (_, i) => i);
  return size <= kMostShown ? all : [...all.slice(0, kEndsShown), ...all.slice(0, kEndsShown).map((i) => size - kEndsShown + i)];
}

/** Seven digits after the point; of small numbers seven digits that are not 0. */
function shownNumber(v: number, isBool: boolean): string {
  if (isBool) return String(v !== 0);
  return String(Number(Math.abs(v) < 1e-3 ? v.toPrecision(7) : v.toFixed(7)));
}

/** The lines of TensorFlow.js's toString: the columns of matrices below each other. */
function linesOf(values: TypedArray, shape: readonly number[], isBool: boolean): string[] {
  if (shape.length === 0) return [isBool ? String(values[0] !== 0) : String(values[0])];
  const columns = shape.at(-1)!;
  const widths = new Map<number, number>();
  const row = (at: number): string => {
    const cells = shownOf(columns).map((i) => shownNumber(values[at + i]!, isBool).padEnd(widths.get(i) ?? 0));
    if (columns > kMostShown) cells.splice(kEndsShown, 0, '...');
    return `[${cells.join(', ')}]`;
  };
  if (shape.length === 1) return [row(0)];

  // Only what is shown counts: a long tensor prints as fast as a short one.
  const measure = (axis: number, at: number): void => {
    for (const i of shownOf(shape[axis]!)) {
      if (axis < shape.length - 1) measure(axis + 1, at + i * sizeOf(shape.slice(axis + 1)));
      else widths.set(i, Math.max(widths.get(i) ?? 0, shownNumber(values[at + i]!, isBool).length));
    }
  };
  measure(0, 0);

  /** The entries along an axis. Blank lines part them, more where there are more axes below. */
  const block = (axis: number, at: number, isLast: boolean): string[] => {
    if (axis === shape.length - 1) return [row(at)];
    const below = shape.length - axis;
    const size = shape[axis]!;
    const stride = sizeOf(shape.slice(axis + 1));
    const lines = shownOf(size).flatMap((i) => [
      ...(i === size - kEndsShown && size > kMostShown ? ['...'] : []),
      ...block(axis + 1, at + i * stride, i === size - 1),
    ]);
    const isParted = (i: number) => below === 2 && (i === 0 || i < lines.length - 1);
    const opened = lines.map((line, i) => `${i === 0 ? '[' : ' '}${line}${isParted(i) ? ',' : ''}`);
    if (opened.length === 0) opened.push('[');
    // A single line is at once the first and the last one, which TensorFlow.js indents.
    if (opened.length === 1) opened[0] = ` ${opened[0]}`;
    opened[opened.length - 1] += `]${isLast ? '' : `,${'\n'.repeat(below - 1)}`}`;
    return opened;
  };
  return block(0, 0, true);
}

// ---- making tensors ---------------------------------------------------------------------------------------------------------

/** The engine's number of a type. */
export function typeNumber(dtype: DataType): number {
  const type = kTypes.indexOf(dtype);
  if (type < 0) throw new Error(`The dtype '${dtype}' is not supported: use 'float32', 'int32' or 'bool'`);
  return type;
}

/** Uninitialised. */
export function emptyTensor(shape: readonly number[], dtype: DataType): Tensor {
  const type = typeNumber(dtype);
  checkShape(shape);
  return new Tensor(withArguments((a) => call('fj_tensor', type, shape.length, a.i32(shape), 0)));
}

/** A view of a tensor's memory, to be written to before anything else happens. */
export function memoryOf(t: Tensor): Float32Array | Int32Array {
  const pointer = engine().fj_data(t.handle);
  return t.dtype === 'float32' ? heap.f32(pointer, t.size) : heap.i32(pointer, t.size);
}

export function tensor(values: TensorLike, shape?: readonly number[] | null, dtype?: DataType | null): Tensor {
  if (!isTensorLike(values)) {
    refuseForeign(values, "Argument 'values' passed to 'tensor'");
    throw new Error('values passed to tensor(values) must be a number/boolean or an array of numbers/booleans, or a TypedArray');
  }
  const given = shapeOf(values);
  if (shape) checkFits(given, checkShape(shape));
  // Before there is a tensor: it can fail.
  const flat = flatten(values, given);
  const t = emptyTensor(shape ?? given, dtype ?? (typeOf(values) as DataType));
  try {
    fillWith(memoryOf(t), flat, t.dtype);
  } catch (error) {
    t.dispose();
    throw error;
  }
  return t;
}
/** Flat values take any shape of their size; of nested ones only the last axis may be divided. */
function checkFits(given: readonly number[], shape: readonly number[]): void {
  const size = sizeOf(given);
  if (sizeOf(shape) !== size) throw new Error(`Based on the provided shape, [${shape}], the tensor should have ${sizeOf(shape)} values but has ${size}`);
  const last = given.length - 1;
  if (given.some((d, i) => d !== shape[i] && !(i === last && d === sizeOf(shape.slice(i))))) {
    throw new Error(`Error creating a new Tensor. Inferred shape (${given}) does not match the provided shape (${shape}). `);
  }
}

/**
 * What `op` takes as its argument of that name: a tensor, or what one can be made of. Numbers become `dtype`, which a tensor must have
 * already.
 */
export function toTensor(x: Tensor | TensorLike, argument: string, op: string, dtype?: DataType): Tensor {
  if (x instanceof Tensor) {
    if (dtype && x.dtype !== dtype) fail(`must be ${dtype} tensor, but got ${x.dtype} tensor`);
    return x;
  }
  refuseForeign(x, where());
  if (typeOf(x) === 'string') fail(`must be ${dtype ?? 'numeric'} tensor, but got string tensor`);
  if (!isTensorLike(x)) fail(`must be a Tensor or TensorLike, but got '${nameOf(x)}'`);
  return tensor(x, undefined, dtype);

  function where(): string {
    return `Argument '${argument}' passed to '${op}'`;
  }
  function fail(words: string): never {
    throw new Error(`${where()} ${words}`);
  }
}

// ---- scopes -------------------------------------------------------------------------------------------------------------------

const scopes: Tensor[][] = [];
export const isScoped = (): boolean => scopes.length > 0;

type Container = Tensor | Container[] | {[key: string]: unknown} | unknown;

export function tensorsIn(value: Container, found: Set<Tensor> = new Set(), seen: Set<unknown> = new Set()): Set<Tensor> {
  refuseForeign(value, 'A tensor to tidy, keep or dispose of');
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
  const made = scopes.pop() ?? [];
  let isReturned = (t: Tensor) => t === result;
  try {
    if (!(result instanceof Tensor)) {
      const returned = tensorsIn(result);
      isReturned = (t) => returned.has(t);
    }
  } finally {
    for (const t of made) {
      if (t.isDisposed || t.kept) continue;
      if (isReturned(t)) {
        scopes.at(-1)?.push(t);
      } else {
        t.dispose();
      }
    }
  }
}

/** Runs `f` and disposes of every tensor that it made, but for those in its result. */
export function tidy<T>(nameOrF: string | (() => T), f?: () => T): T {
  const run = f ?? nameOrF;
  if (f && typeof nameOrF !== 'string') throw new Error('When calling with two arguments, the first argument to tidy() must be a string');
  if (typeof run !== 'function') throw new Error('Please provide a function to tidy()');
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
/** A function that leaves nothing behind but its result. */
export const tidied =
  <A extends unknown[], R>(f: (...args: A) => R) =>
  (...args: A): R =>
    tidy(() => f(...args));

/** TensorFlow.js's engine, of which programs use the scopes: what is made between start and end is disposed of at the end. */
export const scopesOfEngine = {
  /** The name is for readers of the program. */
  startScope: (_name?: string): void => startScope(),
  endScope: (result?: Container): void => {
    if (scopes.length === 0) throw new Error('endScope: no scope has been started');
    endScope(result);
  },
};
export function keep<T extends Tensor>(t: T): T {
  checkTensor(t, "Argument 'result' passed to 'keep'").kept = true;
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
  /** The WebAssembly memory, which grows, and never shrinks until reset(). */
  numBytesInHeap: number;
  unreliable: boolean;
}

export function memory(): MemoryInfo {
  return withArguments((a) => {
    const pointer = a.f64(new Float64Array(4));
    engine().fj_memory(pointer);
    const [numTensors, numBytes, numDataBuffers, numBytesInEngine] = heap.f64(pointer, 4) as unknown as [number, number, number, number];
    return {numTensors, numBytes, numDataBuffers, numBytesInEngine, numBytesInGPU: there?.bytes() ?? 0, numBytesInHeap: heapBytes(), unreliable: false};
  });
}
