// The engine's functions, and the way numbers and texts get in and out. load.ts starts it.
//
// Everything that can fail gives 0, and message() says why: call() turns that into an Error.

import {functions, kScratchBytes, memory, onReset, scratch, settle} from './load.js';

/** The functions of engine/abi/abi.h. */
export type FunctionName =
  | 'fj_init'
  | 'fj_startThreads'
  | 'fj_living'
  | 'fj_message'
  | 'fj_messageLength'
  | 'fj_memory'
  | 'fj_tensor'
  | 'fj_data'
  | 'fj_dtype'
  | 'fj_shape'
  | 'fj_clone'
  | 'fj_dispose'
  | 'fj_opNumber'
  | 'fj_op'
  | 'fj_tapeStart'
  | 'fj_tapeStop'
  | 'fj_tapePause'
  | 'fj_tapeModel'
  | 'fj_tapeWeights'
  | 'fj_gradients'
  | 'fj_optimizer'
  | 'fj_optimizerApply'
  | 'fj_optimizerRate'
  | 'fj_optimizerSetRate'
  | 'fj_optimizerFree'
  | 'fj_model'
  | 'fj_modelFree'
  | 'fj_modelCompile'
  | 'fj_modelSave'
  | 'fj_modelLoad'
  | 'fj_modelDescription'
  | 'fj_modelTrainable'
  | 'fj_modelInfo'
  | 'fj_modelGraph'
  | 'fj_modelWeight'
  | 'fj_modelSetWeight'
  | 'fj_modelSetWeights'
  | 'fj_modelSlot'
  | 'fj_modelSetSlot'
  | 'fj_modelSetStep'
  | 'fj_modelSetRate'
  | 'fj_modelResetStates'
  | 'fj_modelSetWinograd'
  | 'fj_modelForgetPlans'
  | 'fj_modelMemory'
  | 'fj_modelPredict'
  | 'fj_predictGoOn'
  | 'fj_modelApply'
  | 'fj_modelVariable'
  | 'fj_modelPrepare'
  | 'fj_modelSetGpu'
  | 'fj_gpuBatch'
  | 'fj_gpuPredict'
  | 'fj_gpuStep'
  | 'fj_gpuProgram'
  | 'fj_gpuFinish'
  | 'fj_gpuHostCopy'
  | 'fj_eagerGpu'
  | 'fj_gpuCommands'
  | 'fj_gpuPlayed'
  | 'fj_gpuEagerProgram'
  | 'fj_gpuNumber'
  | 'fj_gpuLand'
  | 'fj_modelBatch'
  | 'fj_fit'
  | 'fj_fitBegin'
  | 'fj_fitAdvance'
  | 'fj_fitState'
  | 'fj_fitStop'
  | 'fj_fitFree'
  | 'fj_layerConfig'
  | 'fj_layerShape'
  | 'fj_traced'
  | 'fj_traceWeight'
  | 'fj_traceUpdate'
  | 'fj_traceRandom'
  | 'fj_traceLayer';

/** What the module exports. Pointers are numbers of bytes into its memory. */
export type Exports = Record<FunctionName | 'malloc' | 'free', (...numbers: number[]) => number>;

// ---- calling --------------------------------------------------------------------------------------------------------------

export function engine(): Exports {
  return functions ?? settle();
}

/** Whether it is there, or starts now without waiting. */
export function isAtHand(): boolean {
  try {
    return !!engine();
  } catch {
    return false;
  }
}

export function message(): string {
  return decoder.decode(messageBytes());
}

/** What the last function left in the message buffer: a copy, because shared memory cannot be decoded in place. */
export function messageBytes(): Uint8Array<ArrayBuffer> {
  const e = engine();
  return new Uint8Array(memory.buffer, e.fj_message() >>> 0, e.fj_messageLength()).slice() as Uint8Array<ArrayBuffer>;
}

/** Calls a function whose 0 means failure. */
export function call(name: FunctionName, ...numbers: number[]): number {
  const result = engine()[name](...numbers);
  if (result === 0) throw new Error(message());
  return result;
}

/** Calls a function that leaves JSON text in the message buffer. */
export function callForJson<T>(name: FunctionName, ...numbers: number[]): T {
  call(name, ...numbers);
  return JSON.parse(message()) as T;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * Typed arrays over the engine's memory; they are valid until the next call, which may grow it. Pointers above 2 GB come from
 * WebAssembly as negative numbers.
 */
export const heap = {
  f32: (pointer: number, count: number) => new Float32Array(memory.buffer, pointer >>> 0, count),
  i32: (pointer: number, count: number) => new Int32Array(memory.buffer, pointer >>> 0, count),
  f64: (pointer: number, count: number) => new Float64Array(memory.buffer, pointer >>> 0, count),
};

// All of the memory, for few numbers, which a view of their own would cost more than to read them.
let words = new Int32Array();
onReset(() => (words = new Int32Array()));

/** The shape of a tensor. In room of its own: while arguments are in theirs, too. */
export function shapeOfHandle(handle: number): number[] {
  const pointer = scratch + kScratchBytes;
  const rank = functions!.fj_shape(handle, pointer);
  if (words.buffer !== memory.buffer) words = new Int32Array(memory.buffer);
  const shape: number[] = [];
  for (let i = 0; i < rank; ++i) shape.push(words[(pointer >>> 2) + i]!);
  return shape;
}

/** Bytes of the module's memory: it grows, and never shrinks. */
export function heapBytes(): number {
  return memory.buffer.byteLength;
}

/** What JSON would leave out, or make a null of, in silence. */
export function written(key: string, value: unknown): unknown {
  if (typeof value === 'function') throw new Error(`${key} is to be named or described, not a function`);
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}

/** Room for short arguments in one call: arrays of int32 and float64, and texts. Longer ones are allocated and freed. */
export class Arguments {
  /** Of the room, by calls that go on: the engine may call a function of the program, which calls the engine. */
  private static used = 0;
  private readonly before = Arguments.used;
  private readonly allocated: number[] = [];

  private room(bytes: number): number {
    const padded = (bytes + 15) & ~15;
    if (Arguments.used + padded <= kScratchBytes) {
      Arguments.used += padded;
      return scratch + Arguments.used - padded;
    }
    const pointer = engine().malloc(padded);
    if (pointer === 0) throw new Error(`Out of memory: ${padded} bytes were asked for`);
    this.allocated.push(pointer);
    return pointer;
  }
  /** `what` names them in the error where one is no whole number of 32 bits: nothing is rounded or wrapped. */
  i32(values: ArrayLike<number>, what = 'A number for the engine'): number {
    for (let i = 0; i < values.length; ++i) {
      if ((values[i]! | 0) !== values[i]) throw new Error(`${what} must be a whole number of 32 bits, but got ${values[i]}`);
    }
    const pointer = this.room(values.length * 4);
    heap.i32(pointer, values.length).set(values);
    return pointer;
  }
  f64(values: ArrayLike<number>, what = 'A number for the engine'): number {
    for (let i = 0; i < values.length; ++i) {
      if (typeof values[i] !== 'number') throw new Error(`${what} must be a number, but got '${values[i]}'`);
    }
    const pointer = this.room(values.length * 8);
    heap.f64(pointer, values.length).set(values);
    return pointer;
  }
  /** Room for so many int32 that the engine writes. */
  results(count: number): number {
    return this.room(count * 4);
  }
  bytes(values: Uint8Array): number {
    const pointer = this.room(values.length);
    new Uint8Array(memory.buffer, pointer >>> 0, values.length).set(values);
    return pointer;
  }
  text(value: string): number {
    return this.bytes(encoder.encode(`${value}\0`));
  }
  json(value: unknown): number {
    return this.text(JSON.stringify(value, written));
  }
  free(): void {
    Arguments.used = this.before;
    for (const pointer of this.allocated) engine().free(pointer);
  }
}

/** Runs `f` with room for arguments that is given back afterwards. */
export function withArguments<T>(f: (a: Arguments) => T): T {
  // The room is the engine's.
  engine();
  const a = new Arguments();
  try {
    return f(a);
  } finally {
    a.free();
  }
}
