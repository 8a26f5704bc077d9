// Plays the programs that the engine makes for a GPU (engine/run/gpu.h): pipelines, buffers and bind groups are made once,
// a step is one command buffer.
//
//   const gpu = await Gpu.open();
//   const player = await gpu.player(program, {onProgress: ({done, of}) => ..});
//   player.write(0, x);
//   player.run();
//   const [y] = await player.readOutputs();

import {fromBase64} from './base64.js';
import {isNode} from './node.js';

interface Dispatch {
  shader: number;
  bindings: [kind: number, index: number, offset: number, bytes: number][];
  groups: [number, number, number];
  /** The loops whose trips its shader asks about, each by a uniform buffer behind the bindings. */
  trips?: number[];
}

/** engine/abi/gpu_json.h describes it. */
export interface GpuProgram {
  shaders: string[];
  dispatches: Dispatch[];
  inputs: number[];
  outputs: number[];
  arenas: number[];
  settled: [begin: number, end: number];
  /** Of dispatches; one that lies in another one comes after that. */
  loops?: [begin: number, end: number, trips: number][];
  /** Arrays that never change, as base64. */
  constants?: string[];
}

/** Of a program's array; a view of the engine's memory, which threads may share. */
export type Values = Float32Array | Int32Array;

/** What a program is to be compiled for; the names are those of GpuLimits. */
export interface GpuLimits {
  bindings: number;
  bindingBytes: number;
  bufferBytes: number;
  groupsPerDimension: number;
}

export interface Progress {
  done: number;
  of: number;
}

// WebGPU's numbers, so that this file can be loaded where there is none.
const kMapRead = 1;
const kCopySrc = 4;
const kCopyDst = 8;
const kUniform = 64;
const kStorage = 128;
const kRead = 1;
const kCompute = 4;

// As far apart as uniforms have to be on any GPU.
const kTripBytes = 256;

// A binding, and a copy, has at least four bytes, in fours.
const padded = (bytes: number) => Math.max(4, (bytes + 3) & ~3);

/** One adapter's device, the pipelines made for it, and the bytes that its buffers take. */
export class Gpu {
  readonly limits: GpuLimits;
  /** What the adapter says it is. */
  readonly name: string;
  readonly lost: Promise<GPUDeviceLostInfo>;
  isLost = false;
  bytes = 0;
  private readonly pipelines = new Map<string, Promise<GPUComputePipeline>>();
  private readonly compiled = new Map<string, GPUComputePipeline>();
  private readonly layouts = new Map<string, GPUBindGroupLayout>();
  /** The numbers of trips, which shaders see through a window that moves. */
  private tripNumbers?: GPUBuffer;

  private constructor(
    readonly device: GPUDevice,
    info: GPUAdapterInfo,
  ) {
    const {limits} = device;
    this.limits = {
      bindings: limits.maxStorageBuffersPerShaderStage,
      bindingBytes: limits.maxStorageBufferBindingSize,
      bufferBytes: limits.maxBufferSize,
      groupsPerDimension: limits.maxComputeWorkgroupsPerDimension,
    };
    this.name = [info.vendor, info.architecture, info.device, info.description].filter(Boolean).join(' ') || 'unnamed adapter';
    this.lost = device.lost.then((why) => ((this.isLost = true), why));
  }

  /** Gives back everything on it. */
  destroy(): void {
    this.isLost = true;
    this.bytes = 0;
    this.device.destroy();
  }

  /** Opens the machine's fastest adapter; `gpu` is navigator.gpu, or that of another implementation. */
  static async open(gpu: GPU | undefined = globalThis.navigator?.gpu): Promise<Gpu> {
    if (!gpu) throw new Error('This browser has no WebGPU (navigator.gpu): use the backend wasm');
    const adapter = await gpu.requestAdapter({powerPreference: 'high-performance'});
    if (!adapter) throw new Error('WebGPU finds no adapter on this machine: use the backend wasm');
    const wanted = ['maxStorageBuffersPerShaderStage', 'maxStorageBufferBindingSize', 'maxBufferSize'] as const;
    const requiredLimits = Object.fromEntries(wanted.map((limit) => [limit, adapter.limits[limit]]));
    return new Gpu(await adapter.requestDevice({requiredLimits}), adapter.info);
  }

  /** The limits as the engine takes them. */
  get numbers(): number[] {
    const {bindings, bindingBytes, bufferBytes, groupsPerDimension} = this.limits;
    return [bindings, bindingBytes, bufferBytes, groupsPerDimension];
  }

  /** Pipelines made so far. */
  get pipelineCount(): number {
    return this.pipelines.size;
  }

  buffer(bytes: number, usage: number): GPUBuffer {
    const size = padded(bytes);
    this.bytes += size;
    return this.device.createBuffer({size, usage});
  }
  /** A buffer for a program's arrays. */
  storage(bytes: number): GPUBuffer {
    return this.buffer(bytes, kStorage | kCopySrc | kCopyDst);
  }
  /** Copies values to a buffer, in the order of the steps. */
  write(buffer: GPUBuffer, values: Values): void {
    if (!values.byteLength) return;
    // Dawn in Node ends when it is given memory that threads share.
    const own = isNode && !(values.buffer instanceof ArrayBuffer) ? values.slice() : values;
    this.device.queue.writeBuffer(buffer, 0, own as Float32Array<ArrayBuffer>);
  }
  /** Buffers with a program's constants. */
  constants({constants = []}: GpuProgram): GPUBuffer[] {
    return constants.map((text) => {
      const values = new Int32Array(fromBase64(text).buffer);
      const buffer = this.storage(values.byteLength);
      this.write(buffer, values);
      return buffer;
    });
  }
  /** Copies all of a buffer's `bytes` into another one. */
  copy(from: GPUBuffer, to: GPUBuffer, offset: number, bytes: number): void {
    const encoder = this.device.createCommandEncoder();
    encoder.copyBufferToBuffer(from, 0, to, offset, bytes);
    this.device.queue.submit([encoder.finish()]);
  }
  free(buffer: GPUBuffer): void {
    this.bytes -= buffer.size;
    buffer.destroy();
  }

  /** The buffers of a dispatch; `places` are those of the arena, the inputs, the outputs and the constants. */
  group({bindings, trips = []}: Dispatch, places: GPUBuffer[][]): GPUBindGroup {
    const entries = bindings.map(([kind, index, offset, bytes], binding): GPUBindGroupEntry => ({
      binding,
      resource: {buffer: places[kind]![index]!, offset, size: Math.max(4, bytes)},
    }));
    for (const _ of trips) entries.push({binding: entries.length, resource: {buffer: this.tripNumbers!, size: 16}});
    return this.device.createBindGroup({layout: this.layout([bindings.length, trips.length]), entries});
  }
  /** So many storage buffers, and so many numbers of trips. */
  private layout([bindings, trips]: Bindings): GPUBindGroupLayout {
    const key = `${bindings} ${trips}`;
    let made = this.layouts.get(key);
    if (!made) {
      const entries = Array.from({length: bindings + trips}, (_, binding): GPUBindGroupLayoutEntry => ({
        binding,
        visibility: kCompute,
        buffer: binding < bindings ? {type: 'storage'} : {type: 'uniform', hasDynamicOffset: true},
      }));
      this.layouts.set(key, (made = this.device.createBindGroupLayout({entries})));
    }
    return made;
  }
  /** Makes room for the numbers of so many trips. */
  private count(trips: number): void {
    const bytes = trips * kTripBytes;
    if (bytes <= (this.tripNumbers?.size ?? 0)) return;
    // Groups that were made before keep the smaller one.
    this.tripNumbers = this.device.createBuffer({size: bytes, usage: kUniform | kCopyDst});
    const numbers = new Uint32Array(bytes / 4);
    for (let trip = 0; trip < trips; ++trip) numbers[(trip * kTripBytes) / 4] = trip;
    this.device.queue.writeBuffer(this.tripNumbers, 0, numbers);
  }

  private describe(code: string, bindings: Bindings): GPUComputePipelineDescriptor & {compute: {module: GPUShaderModule}} {
    const layout = this.device.createPipelineLayout({bindGroupLayouts: [this.layout(bindings)]});
    return {layout, compute: {module: this.device.createShaderModule({code}), entryPoint: 'main'}};
  }
  /** The pipeline of a shader: one for each text, compiled beside others and beside the page. */
  private pipeline(code: string, bindings: Bindings): Promise<GPUComputePipeline> {
    let made = this.pipelines.get(code);
    if (!made) {
      const described = this.describe(code, bindings);
      made = this.device.createComputePipelineAsync(described).catch(async (error: unknown) => {
        const {messages} = await described.compute.module.getCompilationInfo();
        const said = messages.map((m) => `${m.lineNum}: ${m.message}`).join('\n');
        throw new Error(`The GPU's compiler refuses a shader: ${said || String(error)}\n${code}`);
      });
      void made.then((pipeline) => this.compiled.set(code, pipeline)).catch(() => {});
      this.pipelines.set(code, made);
    }
    return made;
  }
  /** The same at once: what it is dispatched for waits until it is compiled, and the page does not. */
  private pipelineNow(code: string, bindings: Bindings): GPUComputePipeline {
    let made = this.compiled.get(code);
    if (!made) {
      made = this.device.createComputePipeline(this.describe(code, bindings));
      this.compiled.set(code, made);
      this.pipelines.set(code, Promise.resolve(made));
    }
    return made;
  }

  /** Makes what a program needs. Inputs may be buffers of other players: weights that several programs share. */
  async player(program: GpuProgram, {shared = [], onProgress}: {shared?: Shared; onProgress?: (progress: Progress) => void} = {}): Promise<Player> {
    let done = 0;
    const pipelines = await Promise.all(
      program.shaders.map(async (code, i) => {
        const pipeline = await this.pipeline(code, bindingsOf(program, i));
        onProgress?.({done: ++done, of: program.shaders.length});
        return pipeline;
      }),
    );
    this.count(mostTrips(program));
    return new Player(this, program, pipelines, shared);
  }
  /** The same at once. */
  playerNow(program: GpuProgram, shared: Shared): Player {
    return new Player(this, program, this.pipelinesNow(program), shared);
  }
  pipelinesNow(program: GpuProgram): GPUComputePipeline[] {
    this.count(mostTrips(program));
    return program.shaders.map((code, i) => this.pipelineNow(code, bindingsOf(program, i)));
  }
}

type Shared = (GPUBuffer | undefined)[];

type Bindings = [storage: number, trips: number];

const bindingsOf = ({dispatches}: GpuProgram, i: number): Bindings => {
  const {bindings, trips = []} = dispatches.find(({shader}) => shader === i)!;
  return [bindings.length, trips.length];
};
const mostTrips = ({loops = []}: GpuProgram) => Math.max(0, ...loops.map(([, , trips]) => trips));

const kNoOffsets: number[] = [];

/** Calls `each` for dispatches [begin, end), again in each trip of a loop, with the offsets of its numbers of trips. */
export function playDispatches({dispatches, loops = []}: GpuProgram, begin: number, end: number, each: (dispatch: number, offsets: number[]) => void): void {
  const trip: number[] = [];
  // The loops from number `loop` on.
  const play = (begin: number, end: number, loop: number) => {
    for (let i = begin; i < end; ) {
      while (loop < loops.length && (loops[loop]![0] < i || loops[loop]![0] === loops[loop]![1])) ++loop;
      const next = loops[loop];
      if (next?.[0] !== i) {
        each(i, dispatches[i]!.trips?.map((l) => trip[l]! * kTripBytes) ?? kNoOffsets);
        ++i;
        continue;
      }
      const [, last, trips] = next;
      for (let t = 0; t < trips; ++t) {
        trip[loop] = t;
        play(i, last, loop + 1);
      }
      i = last;
    }
  };
  play(begin, end, 0);
}

/** Reads buffers back, in one copy, through a ring: as many buffers as reads are under way. */
export class Staging {
  private readonly ring: GPUBuffer[] = [];
  private isDisposed = false;

  constructor(private readonly gpu: Gpu) {}

  async read(buffers: GPUBuffer[], bytes: number[]): Promise<ArrayBuffer[]> {
    const {device} = this.gpu;
    const sizes = bytes.map(padded);
    const total = sizes.reduce((a, b) => a + b, 0);
    let at = this.ring.findIndex((buffer) => buffer.size >= total);
    const staging = at >= 0 ? this.ring.splice(at, 1)[0]! : this.gpu.buffer(total, kMapRead | kCopyDst);
    const encoder = device.createCommandEncoder();
    at = 0;
    buffers.forEach((buffer, i) => {
      encoder.copyBufferToBuffer(buffer, 0, staging, at, sizes[i]!);
      at += sizes[i]!;
    });
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(kRead, 0, total);
    const mapped = staging.getMappedRange(0, total);
    at = 0;
    const values = bytes.map((n, i) => {
      const value = mapped.slice(at, at + n);
      at += sizes[i]!;
      return value;
    });
    staging.unmap();
    if (this.isDisposed) this.gpu.free(staging);
    else this.ring.push(staging);
    return values;
  }

  dispose(): void {
    this.isDisposed = true;
    for (const buffer of this.ring) this.gpu.free(buffer);
  }
}

/** A program with its buffers. */
export class Player {
  readonly inputs: GPUBuffer[];
  readonly outputs: GPUBuffer[];
  private readonly own: GPUBuffer[] = [];
  private readonly staging: Staging;
  private readonly groups: GPUBindGroup[];
  private settled = false;

  constructor(
    private readonly gpu: Gpu,
    readonly program: GpuProgram,
    private readonly pipelines: GPUComputePipeline[],
    shared: Shared,
  ) {
    this.staging = new Staging(gpu);
    const make = (bytes: number) => {
      const buffer = gpu.storage(bytes);
      this.own.push(buffer);
      return buffer;
    };
    this.inputs = program.inputs.map((bytes, i) => shared[i] ?? make(bytes));
    this.outputs = program.outputs.map((bytes) => make(bytes));
    const constants = gpu.constants(program);
    this.own.push(...constants);
    const places = [program.arenas.map(make), this.inputs, this.outputs, constants];
    this.groups = program.dispatches.map((dispatch) => gpu.group(dispatch, places));
  }

  /** Copies values to an input, in the order of the steps. */
  write(input: number, values: Values): void {
    this.gpu.write(this.inputs[input]!, values);
  }

  /** A parameter has changed: the next run computes anew what depends on it. */
  refresh(): void {
    this.settled = false;
  }

  /** Submits one run. */
  run(): void {
    const encoder = this.gpu.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    const {dispatches, settled} = this.program;
    const play = (begin: number, end: number) =>
      playDispatches(this.program, begin, end, (i, offsets) => {
        const {shader, groups} = dispatches[i]!;
        pass.setPipeline(this.pipelines[shader]!);
        pass.setBindGroup(0, this.groups[i]!, offsets);
        pass.dispatchWorkgroups(...groups);
      });
    if (!this.settled) play(...settled);
    this.settled = true;
    play(0, settled[0]);
    play(settled[1], dispatches.length);
    pass.end();
    this.gpu.device.queue.submit([encoder.finish()]);
  }

  /** The values of buffers after what has been submitted so far. */
  read(buffers: GPUBuffer[], bytes: number[]): Promise<ArrayBuffer[]> {
    return this.staging.read(buffers, bytes);
  }
  /** The values of all outputs. */
  readOutputs(): Promise<ArrayBuffer[]> {
    return this.read(this.outputs, this.program.outputs);
  }

  dispose(): void {
    for (const buffer of this.own) this.gpu.free(buffer);
    this.staging.dispose();
  }
}
