// A model whose steps run on a GPU: what the engine begins is uploaded, played and read back.
//
// Weights and the optimizer's state live in buffers that all programs of the model share. The engine has a copy of them, which
// sync() renews: it is what saving reads, and what a model goes on with when its device is lost.

import {call, callForJson, engine, heap, withArguments} from './engine.js';
import {bring, emptyThere, isThere, play, runOpsOn} from './eager.js';
import {Gpu, type GpuProgram, type Player, type Progress} from './gpu.js';
import {Held} from './held.js';
import {onReset} from './load.js';
import {provideThere} from './there.js';

/** A program as the engine describes it, and where each of its inputs comes from. */
interface ModelProgram extends GpuProgram {
  sources: [kind: number, index: number][];
}
// Kinds of sources.
const kGiven = 0;
const kState = 3;
const kMostPrograms = 8;

/** An input that a step is given anew, from the engine's memory. */
interface Upload {
  input: number;
  pointer: number;
  bytes: number;
}

/** A step that was submitted. */
export interface Pending {
  /** The bytes of its outputs. */
  values: Promise<ArrayBuffer[]>;
  /** Gives them to the engine, as results of a training or a test step. */
  deliver(): Promise<void>;
}

export type Place = 'wasm' | 'webgpu';
/** 'auto' leaves it to each model. */
export type Backend = Place | 'auto';
let backend: Backend = 'wasm';
let opened: Promise<Gpu> | undefined;
let gpu: Gpu | undefined;
onReset(() => {
  gpu?.destroy();
  gpu = opened = undefined;
  backend = 'wasm';
  provideThere();
});

/** Ops run there from now on, and models take their next step there. */
export async function useBackend(name: Backend): Promise<void> {
  const opened = name === 'webgpu' ? await openGpu() : undefined;
  backend = name;
  runOpsOn(opened);
}
export function currentBackend(): Backend {
  return backend;
}
function openGpu(): Promise<Gpu> {
  opened ??= Gpu.open().then(
    (made) => {
      // Whoever needs one after it is lost opens another.
      void made.lost.then(() => gpu === made && (opened = undefined));
      if (backend === 'webgpu') runOpsOn(made);
      provideThere({play, bring, has: isThere, bytes: () => (play(), made.bytes)});
      return (gpu = made);
    },
    (error: unknown) => {
      opened = undefined;
      throw error;
    },
  );
  return opened;
}

export class GpuModel {
  /** By the number of their program. */
  private readonly players = new Map<number, Player>();
  /** By kind and number: 1 weights, 2 the optimizer's state, 3 what stateful layers keep. */
  private readonly resident = new Map<string, {buffer: GPUBuffer; bytes: number; kind: number; index: number}>();
  /** Whether the GPU's arrays are newer than the engine's copy. */
  private ahead = false;
  /** Whether a prediction changes some, too. */
  private keepsStates = false;
  steps = 0;
  /** Room for what fj_gpuStep says of a step: enough for ten inputs, and grown where there are more. */
  private numbers = new Int32Array(33);
  private isDisposed = false;
  private readonly held: Held;

  private constructor(
    private readonly gpu: Gpu,
    model: number,
  ) {
    this.held = new Held(model);
  }
  /** The engine's handle. */
  private get model(): number {
    this.held.check('this model');
    return this.held.handle;
  }

  static async open(model: number): Promise<GpuModel> {
    return GpuModel.on(await openGpu(), model);
  }
  /** The same at once, where a device is open. */
  static now(model: number): GpuModel | undefined {
    return gpu && !gpu.isLost ? GpuModel.on(gpu, model) : undefined;
  }
  private static on(gpu: Gpu, model: number): GpuModel {
    withArguments((a) => call('fj_modelSetGpu', model, a.f64(gpu.numbers)));
    return new GpuModel(gpu, model);
  }

  /** What the adapter says it is. */
  get adapter(): string {
    return this.gpu.name;
  }
  get pipelines(): number {
    return this.gpu.pipelineCount;
  }
  /** Compiles the shaders of the step that the engine has prepared. */
  async warm(onProgress?: (progress: Progress) => void): Promise<void> {
    const {serial} = this.begun();
    if (!this.players.has(serial)) await this.prepare(serial, onProgress);
  }
  get isLost(): boolean {
    return this.gpu.isLost;
  }

  /** The engine has new weights: the GPU's are uploaded anew. */
  upload(): void {
    for (const {buffer, bytes, kind, index} of this.resident.values()) {
      this.gpu.write(buffer, this.host(kind, index, bytes));
    }
    for (const player of this.players.values()) player.refresh();
    this.ahead = false;
  }

  /** The same of what stateful layers keep. */
  uploadStates(): void {
    for (const {buffer, bytes, kind, index} of this.resident.values()) {
      if (kind === kState) this.gpu.write(buffer, this.host(kind, index, bytes));
    }
  }

  /** Throws where the engine's copy is older than what is on the GPU. */
  check(what: string): void {
    if (this.ahead) throw new Error(`${what} would see old values: the weights are on the GPU. Await model.sync() first`);
  }

  /** Brings weights and the optimizer's state to the engine. */
  async sync(): Promise<void> {
    if (!this.ahead) return;
    const all = [...this.resident.values()];
    const [first] = this.players.values();
    const read = first!.read(all.map(({buffer}) => buffer), all.map(({bytes}) => bytes));
    const values = await read.catch(async (error: unknown) => Promise.reject(await this.lossOr(error, this.steps)));
    all.forEach(({kind, index, bytes}, i) => this.host(kind, index, bytes).set(new Float32Array(values[i]!)));
    this.ahead = false;
  }

  /** The step that the engine has begun: its program's number, where results go, and what is given anew. */
  private begun() {
    return withArguments((a) => {
      let out = a.i32(this.numbers);
      const given = call('fj_gpuStep', this.model, out, this.numbers.length) - 1;
      const needed = 3 + 3 * given;
      if (needed > this.numbers.length) {
        this.numbers = new Int32Array(needed);
        out = a.i32(this.numbers);
        call('fj_gpuStep', this.model, out, needed);
      }
      const [serial, results, count, ...rest] = heap.i32(out, needed);
      const uploads = Array.from({length: given}, (_, i) => ({input: rest[3 * i]!, pointer: rest[3 * i + 1]!, bytes: rest[3 * i + 2]!}));
      return {serial: serial!, results: results!, count: count!, uploads};
    });
  }

  /** Submits the step that the engine has begun. */
  async submit(trains: boolean): Promise<Pending> {
    const {serial, uploads, results, count} = this.begun();
    const player = this.players.get(serial) ?? (await this.prepare(serial));
    this.give(player, uploads);
    player.run();
    this.ahead ||= trains || this.keepsStates;
    if (trains) {
      for (const other of this.players.values()) if (other !== player) other.refresh();
    }
    const values = this.outputsOf(player, ++this.steps);
    // Whoever awaits another step's outputs first may never come to these.
    values.catch(() => {});
    const deliver = async () => {
      const outputs = await values;
      if (this.isDisposed || this.held.isLost) return;
      const into = heap.f32(results, count);
      let at = 0;
      for (const bytes of outputs) {
        into.set(new Float32Array(bytes), at);
        at += bytes.byteLength / 4;
      }
    };
    return {values, deliver};
  }

  private async outputsOf(player: Player, step: number): Promise<ArrayBuffer[]> {
    try {
      return await player.readOutputs();
    } catch (error) {
      throw await this.lossOr(error, step);
    }
  }
  /** A read that failed because the device is lost, in words; dispose() leaves a buffer alone that is being read. Other errors as they are. */
  private async lossOr(error: unknown, step: number): Promise<unknown> {
    if ((error as Error).name !== 'AbortError') return error;
    // The device says why in its own time.
    const why = await this.gpu.lost;
    this.ahead = false;
    return new Error(
      `The GPU was lost in step ${step} of this model (${why.message || why.reason}), which is not repeated: the model goes on, on a new device, with the ` +
        `weights that the engine had last, those of the end of an epoch or of sync()`,
    );
  }
  /** To be called of a device that is lost before the model goes on elsewhere: throws, once, where steps are lost with it. */
  async reportLoss(): Promise<void> {
    if (this.ahead) throw await this.lossOr(new DOMException('', 'AbortError'), this.steps);
  }

  private host(kind: number, index: number, bytes: number): Float32Array {
    const pointer = call('fj_gpuHostCopy', this.model, kind, index);
    return heap.f32(pointer, bytes / 4);
  }

  private async prepare(serial: number, onProgress?: (progress: Progress) => void): Promise<Player> {
    const program = this.described();
    return this.keep(serial, await this.gpu.player(program, {shared: this.sharedBy(program), onProgress}));
  }
  private described(): ModelProgram {
    return callForJson<ModelProgram>('fj_gpuProgram', this.model);
  }
  private sharedBy(program: ModelProgram): (GPUBuffer | undefined)[] {
    return program.sources.map(([kind, index], input) => {
      if (kind === kGiven) return undefined;
      this.keepsStates ||= kind === kState;
      const key = `${kind} ${index}`;
      const known = this.resident.get(key);
      if (known) return known.buffer;
      const bytes = program.inputs[input]!;
      const buffer = this.gpu.storage(bytes);
      this.gpu.write(buffer, this.host(kind, index, bytes));
      this.resident.set(key, {buffer, bytes, kind, index});
      return buffer;
    });
  }
  private keep(serial: number, made: Player): Player {
    // The engine keeps as many, and forgets the oldest first.
    if (this.players.size === kMostPrograms) {
      const [oldest, player] = this.players.entries().next().value!;
      player.dispose();
      this.players.delete(oldest);
    }
    this.players.set(serial, made);
    return made;
  }

  /** Predicts all rows of `xs` at once, in batches; the handles of the outputs, whose values stay on the GPU. */
  predict(xs: number[], outputs: {type: number; shape: number[]}[], batchSize: number): number[] {
    const made = outputs.map(({type, shape}) => emptyThere(type, shape));
    const samples = outputs[0]!.shape[0]!;
    for (let begin = 0; begin < samples; begin += batchSize) {
      withArguments((a) => call('fj_gpuPredict', this.model, a.i32(xs), xs.length, begin, Math.min(batchSize, samples - begin)));
      const {serial, uploads} = this.begun();
      let player = this.players.get(serial);
      if (!player) {
        const program = this.described();
        player = this.keep(serial, this.gpu.playerNow(program, this.sharedBy(program)));
      }
      this.give(player, uploads);
      player.run();
      const {program, outputs: values} = player;
      made.forEach(({buffer}, i) => {
        const rowBytes = outputs[i]!.shape.slice(1).reduce((n, d) => n * d, 4);
        this.gpu.copy(values[i]!, buffer, begin * rowBytes, program.outputs[i]!);
      });
    }
    this.ahead ||= this.keepsStates;
    return made.map(({handle}) => handle);
  }
  private give(player: Player, uploads: Upload[]): void {
    for (const {input, pointer, bytes} of uploads) player.write(input, heap.f32(pointer, bytes / 4));
  }

  /** Frees what is on the GPU. */
  dispose(): void {
    this.isDisposed = true;
    for (const player of this.players.values()) player.dispose();
    for (const {buffer} of this.resident.values()) this.gpu.free(buffer);
    this.players.clear();
    this.resident.clear();
    if (this.held.handle) engine().fj_modelSetGpu(this.held.handle, 0);
  }
}
