// Where the steps of a model run: in WebAssembly, or on a GPU; with the backend 'auto' where they were measured to be faster.
//
//   const home = new Home(() => handle, copyOfTheModel);
//   if (home.isElsewhere) await home.queued(async () => (await home.enter())?.play(..));

import {currentBackend, GpuModel, type Place} from './device.js';
import type {Progress} from './gpu.js';
import {call} from './engine.js';

/** With the backend 'auto' milliseconds a step where each was tried; NaN where it cannot run. */
export interface Placement {
  backend: Place;
  milliseconds?: Record<Place, number>;
  adapter?: string;
  /** Pipelines compiled so far, for all models. */
  pipelines?: number;
}

/** A model that can be tried: a step is `train` of a batch. */
export interface Trial {
  train(): Promise<unknown>;
  dispose(): void;
}

// Steps that the backend 'auto' tries on each backend.
const kTriedSteps = 5;

export class Home {
  /** What the backend 'auto' has found for this model. */
  private found?: Placement;
  /** Steps on a GPU, one after the other. */
  private queue: Promise<unknown> = Promise.resolve();
  private waiting = 0;

  /**
   * `handle` gives the engine's handle; `held` is where the model on a GPU stands, which outlives a model that is forgotten; `forced` says
   * where the model has to be: a copy that is tried, or one that shares its weights.
   */
  constructor(
    private readonly handle: () => number,
    private readonly held: {gpu?: GpuModel} = {},
    private readonly forced: () => Place | undefined = () => undefined,
  ) {}

  /** Where the model is on a GPU. */
  get gpu(): GpuModel | undefined {
    return this.held.gpu;
  }
  set gpu(gpu: GpuModel | undefined) {
    this.held.gpu = gpu;
  }

  private get wanted(): Place {
    const backend = this.forced() ?? currentBackend();
    return backend === 'auto' ? (this.found?.backend ?? 'wasm') : backend;
  }
  get isElsewhere(): boolean {
    return this.gpu !== undefined || this.wanted === 'webgpu';
  }
  /** Whether it is not known yet where the model is faster. */
  get isOpen(): boolean {
    return currentBackend() === 'auto' && !this.forced() && !this.found;
  }

  /** `work` after what is on its way to the GPU. */
  queued<T>(work: () => Promise<T>): Promise<T> {
    ++this.waiting;
    const next = this.queue.then(work).finally(() => --this.waiting);
    this.queue = next.catch(() => {});
    return next;
  }
  /** The model on the GPU where ops run there, too, and nothing is on its way. */
  now(): GpuModel | undefined {
    if (this.waiting || currentBackend() !== 'webgpu' || this.forced() === 'wasm' || this.gpu?.isLost) return undefined;
    return (this.gpu ??= GpuModel.now(this.handle()));
  }
  /** The model where the backend wants it: on the GPU, or undefined. */
  async enter(): Promise<GpuModel | undefined> {
    if (this.gpu?.isLost || (this.gpu && this.wanted === 'wasm')) await this.leave();
    if (this.wanted === 'webgpu') this.gpu ??= await GpuModel.open(this.handle());
    return this.gpu;
  }
  private async leave(): Promise<void> {
    const {gpu} = this;
    if (!gpu) return;
    if (!gpu.isLost) await gpu.sync();
    this.drop();
    if (gpu.isLost) await gpu.reportLoss();
  }
  /** Frees what is on the GPU: the model is what the engine has of it. */
  drop(): void {
    this.gpu?.dispose();
    this.gpu = undefined;
  }
  /** Brings the weights from the GPU, where they are there. */
  async sync(): Promise<void> {
    if (this.gpu) await this.queued(async () => this.gpu?.sync());
  }

  /** Where the next step runs, and what was measured to find that. */
  get placement(): Placement {
    const {adapter, pipelines} = this.gpu ?? {};
    return {backend: this.wanted, ...(currentBackend() === 'auto' ? this.found : {}), ...(adapter ? {adapter, pipelines} : {})};
  }
  /** Takes a few steps of a copy of the model on each backend; the faster one stays. */
  async find(copyFor: (place: Place) => Trial): Promise<void> {
    const wasm = await timeOf(copyFor('wasm'));
    // What cannot run there is not faster there.
    const webgpu = await timeOf(copyFor('webgpu')).catch(() => NaN);
    this.found = {backend: webgpu < wasm ? 'webgpu' : 'wasm', milliseconds: {wasm, webgpu}};
  }

  /** Plans a step before it is needed; on a GPU compiles its shaders, all at once, and says how far it is. */
  async warm(training: boolean, batchSize: number, onProgress?: (progress: Progress) => void): Promise<void> {
    const prepare = () => call('fj_modelPrepare', this.handle(), training ? 1 : 0, batchSize);
    if (!this.isElsewhere) {
      prepare();
      onProgress?.({done: 1, of: 1});
      return;
    }
    await this.queued(async () => {
      const gpu = await this.enter();
      prepare();
      await gpu?.warm(onProgress);
    });
  }
}

/** Milliseconds of a training step: a median. */
async function timeOf(trial: Trial): Promise<number> {
  try {
    // Planned and compiled, then into the caches.
    for (let i = 0; i < 2; ++i) await trial.train();
    const times: number[] = [];
    for (let i = 0; i < kTriedSteps; ++i) {
      const start = performance.now();
      await trial.train();
      times.push(performance.now() - start);
    }
    return times.sort((a, b) => a - b)[kTriedSteps >> 1]!;
  } finally {
    trial.dispose();
  }
}
