// Ops of tensors on a GPU: plays what the engine asks for (engine/abi/remote.h), in order.
//
//   runOpsOn(gpu);               // from now on; runOpsOn() brings them back to WebAssembly
//   call('fj_op', ..); play();   // after each call that may run ops
//
// A tensor's values have a number there. Buffers that nobody needs any more are used again. Commands are gathered and submitted
// when the page's code has come to its end, or when there are many.

import {call, callForJson, engine, heap, withArguments} from './engine.js';
import {playDispatches, Staging, type Gpu, type GpuProgram} from './gpu.js';
import {Held} from './held.js';
import {onReset} from './load.js';

// The commands of engine/abi/remote.h.
const kUpload = 0;
const kRun = 1;
const kRelease = 2;
// Dispatches that are submitted together at most: a GPU that waits for more does nothing meanwhile.
const kMostDispatches = 256;
// Bytes of buffers that wait to be used again.
const kMostSpare = 128 << 20;

let player: EagerPlayer | undefined;
onReset(() => (player = undefined));

/** Where ops run from now on: on this GPU, or in WebAssembly. */
export function runOpsOn(gpu?: Gpu): void {
  if (!gpu) {
    if (player) engine().fj_eagerGpu(0, 0);
    return;
  }
  const isNew = player?.gpu !== gpu;
  if (isNew) player = new EagerPlayer(gpu);
  withArguments((a) => engine().fj_eagerGpu(1, isNew ? a.f64(gpu.numbers) : 0));
}

/** Does what the engine has asked for. */
export function play(): void {
  player?.play();
}

export const isThere = (handle: number): boolean => engine().fj_gpuNumber(handle) !== 0;

/** The values of a tensor that are on a GPU only, which the engine has as well from then on; undefined where they are here. */
export async function bring(handle: number, bytes: number): Promise<ArrayBuffer | undefined> {
  const number = engine().fj_gpuNumber(handle);
  if (!number) return undefined;
  // Whoever disposes of the tensor meanwhile disposes of another handle.
  const held = new Held(engine().fj_clone(handle));
  try {
    const values = await player!.read(number, bytes);
    const pointer = held.handle && engine().fj_gpuLand(held.handle);
    if (pointer) heap.i32(pointer, bytes / 4).set(new Int32Array(values));
    return values;
  } finally {
    if (held.handle) engine().fj_dispose(held.handle);
  }
}

/** A tensor with a buffer of its own there, to be filled before anything else happens. */
export function emptyThere(type: number, shape: readonly number[]): {handle: number; buffer: GPUBuffer} {
  const handle = withArguments((a) => call('fj_tensor', type, shape.length, a.i32(shape), 1));
  return {handle, buffer: player!.add(engine().fj_gpuNumber(handle), shape.reduce((n, d) => n * d, 4))};
}

/** A program, its pipelines and the buffers of its constants. */
interface Prepared {
  program: GpuProgram;
  pipelines: GPUComputePipeline[];
  constants: GPUBuffer[];
}

class EagerPlayer {
  private readonly buffers = new Map<number, GPUBuffer>();
  private readonly programs = new Map<number, Prepared>();
  /** By size. */
  private readonly spare = new Map<number, GPUBuffer[]>();
  private spareBytes = 0;
  private readonly staging: Staging;
  private encoder?: GPUCommandEncoder;
  private pass?: GPUComputePassEncoder;
  private dispatches = 0;

  constructor(readonly gpu: Gpu) {
    this.staging = new Staging(gpu);
  }

  play(): void {
    const address = engine().fj_gpuCommands();
    const count = heap.i32(address, 1)[0]!;
    if (!count) return;
    const commands = heap.i32(address + 4, count).slice();
    try {
      this.check();
      for (let at = 0; at < commands.length; ) at = this.command(commands, at);
    } finally {
      engine().fj_gpuPlayed();
    }
  }

  private check(): void {
    if (!this.gpu.isLost) return;
    throw new Error("The GPU was lost, and with it the values of tensors that were only there: await tf.setBackend('webgpu') to go on with another device");
  }

  /** Does the command at `at`; gives where the next one begins. */
  private command(commands: Int32Array, at: number): number {
    const [kind, number, address, bytes] = commands.subarray(at, at + 4) as unknown as [number, number, number, number];
    if (kind === kUpload) {
      const buffer = this.take(bytes);
      // What has been gathered may still read the values that this buffer had.
      this.flush();
      this.gpu.write(buffer, heap.i32(address, bytes >> 2));
      this.buffers.set(number, buffer);
      return at + 4;
    }
    if (kind === kRun) {
      const inputs = at + 3;
      const outputs = inputs + commands[inputs - 1]! + 1;
      const end = outputs + commands[outputs - 1]!;
      this.run(number, commands.subarray(inputs, outputs - 1), commands.subarray(outputs, end));
      return end;
    }
    if (kind === kRelease) {
      const buffer = this.buffers.get(number);
      this.buffers.delete(number);
      if (buffer) this.give(buffer);
    } else {
      for (const buffer of this.programs.get(number)?.constants ?? []) this.give(buffer);
      this.programs.delete(number);
    }
    return at + 2;
  }

  private run(number: number, inputs: Int32Array, outputs: Int32Array): void {
    const {program, pipelines, constants} = this.prepared(number);
    const arenas = program.arenas.map((bytes) => this.take(bytes));
    outputs.forEach((output, i) => this.buffers.set(output, this.take(program.outputs[i]!)));
    const outs = Array.from(outputs, (n) => this.buffers.get(n)!);
    const ins: GPUBuffer[] = [];
    // Two bindings of a dispatch must not be the same memory.
    const copies: GPUBuffer[] = [];
    for (const n of inputs) {
      let buffer = this.buffers.get(n)!;
      if (ins.includes(buffer)) copies.push((buffer = this.copied(buffer)));
      ins.push(buffer);
    }
    const pass = this.open();
    playDispatches(program, 0, program.dispatches.length, (i, offsets) => {
      const dispatch = program.dispatches[i]!;
      pass.setPipeline(pipelines[dispatch.shader]!);
      pass.setBindGroup(0, this.gpu.group(dispatch, [arenas, ins, outs, constants]), offsets);
      pass.dispatchWorkgroups(...dispatch.groups);
      ++this.dispatches;
    });
    if (this.dispatches >= kMostDispatches) this.flush();
    [...arenas, ...copies].forEach((buffer) => this.give(buffer));
  }
  private copied(buffer: GPUBuffer): GPUBuffer {
    const copy = this.take(buffer.size);
    this.open();
    this.pass!.end();
    this.encoder!.copyBufferToBuffer(buffer, 0, copy, 0, buffer.size);
    this.pass = this.encoder!.beginComputePass();
    return copy;
  }

  private prepared(number: number): Prepared {
    let made = this.programs.get(number);
    if (!made) {
      const program = callForJson<GpuProgram>('fj_gpuEagerProgram', number);
      made = {program, pipelines: this.gpu.pipelinesNow(program), constants: this.gpu.constants(program)};
      this.programs.set(number, made);
    }
    return made;
  }

  private open(): GPUComputePassEncoder {
    if (!this.pass) {
      this.encoder = this.gpu.device.createCommandEncoder();
      this.pass = this.encoder.beginComputePass();
      queueMicrotask(() => this.flush());
    }
    return this.pass;
  }
  private flush(): void {
    if (!this.pass) return;
    this.pass.end();
    this.gpu.device.queue.submit([this.encoder!.finish()]);
    this.pass = this.encoder = undefined;
    this.dispatches = 0;
  }

  private take(bytes: number): GPUBuffer {
    const size = Math.max(4, (bytes + 3) & ~3);
    const buffer = this.spare.get(size)?.pop();
    if (!buffer) return this.gpu.storage(size);
    this.spareBytes -= size;
    return buffer;
  }
  private give(buffer: GPUBuffer): void {
    const list = this.spare.get(buffer.size);
    if (list) list.push(buffer);
    else this.spare.set(buffer.size, [buffer]);
    this.spareBytes += buffer.size;
    if (this.spareBytes > kMostSpare) this.freeSpare();
  }
  private freeSpare(): void {
    // A buffer that is destroyed must not be in what has yet to be submitted.
    this.flush();
    for (const buffer of [...this.spare.values()].flat()) this.gpu.free(buffer);
    this.spare.clear();
    this.spareBytes = 0;
  }

  add(number: number, bytes: number): GPUBuffer {
    this.flush();
    const buffer = this.take(bytes);
    this.buffers.set(number, buffer);
    return buffer;
  }

  async read(number: number, bytes: number): Promise<ArrayBuffer> {
    this.check();
    const buffer = this.buffers.get(number);
    if (!buffer) throw new Error('The values of this tensor were on a GPU device that was lost');
    this.flush();
    return (await this.staging.read([buffer], [bytes]))[0]!;
  }
}
