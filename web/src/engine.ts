// The engine: one WebAssembly module, chosen for what this browser can do, and the way numbers and texts get in and out.
//
//   await ready();                       // once; everything else is synchronous after it
//   wasm.setThreadsCount(4);             // before ready(), or before the first model
//
// Everything that can fail gives 0, and message() says why: call() turns that into an Error.

/** The functions of engine/abi/abi.h. */
export type FunctionName =
  | 'fj_init'
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
  | 'fj_gradients'
  | 'fj_optimizer'
  | 'fj_optimizerApply'
  | 'fj_optimizerRate'
  | 'fj_optimizerFree'
  | 'fj_model'
  | 'fj_modelFree'
  | 'fj_modelCompile'
  | 'fj_modelSave'
  | 'fj_modelLoad'
  | 'fj_modelDescription'
  | 'fj_modelInfo'
  | 'fj_modelWeight'
  | 'fj_modelSetWeight'
  | 'fj_modelSlot'
  | 'fj_modelSetSlot'
  | 'fj_modelSetStep'
  | 'fj_modelSetRate'
  | 'fj_modelSetWinograd'
  | 'fj_modelMemory'
  | 'fj_modelPredict'
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
  | 'fj_layerShape';

/** What the module exports. Pointers are numbers of bytes into its memory. */
export type Exports = Record<FunctionName | 'malloc' | 'free', (...numbers: number[]) => number>;

/** What Emscripten's factory makes: functions under their C names with an underscore before them. */
interface Module {
  wasmMemory: WebAssembly.Memory;
  [name: `_${string}`]: (...numbers: number[]) => number;
}

export type Variant = 'simd' | 'simd-threads' | 'relaxed-simd' | 'relaxed-simd-threads';

let memory: WebAssembly.Memory;
let functions: Exports | undefined;
let loading: Promise<void> | undefined;
let variant: Variant | undefined;
let threads = 0;
let folder: string | undefined;
let wanted: Variant | undefined;
// A block for short arrays and texts, so that a call allocates nothing.
let scratch = 0;
const kScratchBytes = 16384;

// ---- what this machine can do ------------------------------------------------------------------------------------------

// The smallest modules that use the feature: one function that returns f32x4/i8x16 results of the instruction in question.
const kSimdProbe = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11];
const kRelaxedProbe = [
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 19, 1, 17, 0, 65, 1, 253, 17, 65, 2, 253, 17, 65, 3, 253, 17, 253, 133, 2, 11,
];

export interface Features {
  simd: boolean;
  relaxedSimd: boolean;
  /** Shared memory, which a page has only when it is cross-origin isolated. */
  threads: boolean;
  cores: number;
}

/** What the browser offers, as the choice of the variant sees it. */
export function features(): Features {
  const validates = (bytes: number[]) => WebAssembly.validate(new Uint8Array(bytes));
  const isNode = typeof process === 'object' && !!process.versions?.node;
  const isolated = isNode || (globalThis as {crossOriginIsolated?: boolean}).crossOriginIsolated === true;
  return {
    simd: validates(kSimdProbe),
    relaxedSimd: validates(kRelaxedProbe),
    threads: isolated && typeof SharedArrayBuffer === 'function',
    cores: globalThis.navigator?.hardwareConcurrency ?? (isNode ? process.getBuiltinModule('node:os').availableParallelism() : 1),
  };
}

function choose(f: Features): Variant {
  if (!f.simd) throw new Error('Fjord needs WebAssembly SIMD, which this browser does not have; every browser since 2023 has it');
  const shared = f.threads && threads !== 1;
  return `${f.relaxedSimd ? 'relaxed-' : ''}simd${shared ? '-threads' : ''}`;
}

// ---- loading ------------------------------------------------------------------------------------------------------------

/** Resolves when the engine can compute. */
export function ready(): Promise<void> {
  return (loading ??= load().catch((error) => {
    loading = undefined;
    throw error;
  }));
}

async function load(): Promise<void> {
  const f = features();
  variant = wanted ?? choose(f);
  if (!f.threads && threads !== 1 && !wanted) {
    console.info(
      'Fjord runs on one thread: this page is not cross-origin isolated. For more, serve it with the headers ' +
        'Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp.',
    );
  }
  const shared = variant.endsWith('threads');
  // One thread stays free for the page where there are many; on two cores both are used.
  const count = shared ? threads || Math.max(1, f.cores > 4 ? f.cores - 1 : f.cores) : 1;
  const base = folder ?? new URL('.', import.meta.url).href;
  const {default: create} = (await import(/* @vite-ignore */ `${base}${variant}/fjord.mjs`)) as {
    default: (options: object) => Promise<Module>;
  };
  const module = await create({threadPoolSize: count - 1});
  const named = Object.entries(module).filter(([name]) => name.startsWith('_'));
  const loaded = Object.fromEntries(named.map(([name, f]) => [name.slice(1), f])) as Exports;
  memory = module.wasmMemory;
  scratch = loaded.malloc(kScratchBytes);
  threads = loaded.fj_init(count);
  functions = loaded;
}

export const wasm = {
  /** Threads to compute with, this one included. Before `ready()`, or while no model or optimizer exists. */
  setThreadsCount(count: number): void {
    threads = count;
    if (functions) call('fj_init', variant!.endsWith('threads') ? count : 1);
  },
  getThreadsCount(): number {
    return threads;
  },
  /** Where the folders of the variants lie, if not beside this file. */
  setWasmPaths(path: string): void {
    folder = path.endsWith('/') ? path : `${path}/`;
  },
  /** A certain build instead of the best: for tests and measurements. Before `ready()`. */
  setVariant(name: Variant): void {
    wanted = name;
  },
  getVariant(): Variant | undefined {
    return variant;
  },
};

// ---- calling --------------------------------------------------------------------------------------------------------------

export function engine(): Exports {
  if (!functions) throw new Error('Fjord is not loaded yet: await tf.ready() first');
  return functions;
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

/** Bytes of the module's memory: it grows and never shrinks. */
export function heapBytes(): number {
  return memory.buffer.byteLength;
}

/** Room for short arguments in one call: arrays of int32 and float64, and texts. Longer ones are allocated and freed. */
export class Arguments {
  private used = 0;
  private readonly allocated: number[] = [];

  private room(bytes: number): number {
    const padded = (bytes + 15) & ~15;
    if (this.used + padded <= kScratchBytes) {
      this.used += padded;
      return scratch + this.used - padded;
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
  bytes(values: Uint8Array): number {
    const pointer = this.room(values.length);
    new Uint8Array(memory.buffer, pointer >>> 0, values.length).set(values);
    return pointer;
  }
  text(value: string): number {
    return this.bytes(encoder.encode(`${value}\0`));
  }
  json(value: unknown): number {
    return this.text(JSON.stringify(value));
  }
  free(): void {
    for (const pointer of this.allocated) engine().free(pointer);
  }
}

/** Runs `f` with room for arguments that is given back afterwards. */
export function withArguments<T>(f: (a: Arguments) => T): T {
  const a = new Arguments();
  try {
    return f(a);
  } finally {
    a.free();
  }
}
