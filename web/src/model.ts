// Models with TensorFlow.js's names: a description in Keras JSON, whose weights and plans the engine holds.
//
//   const model = tf.sequential({layers: [tf.layers.dense({units: 10, activation: 'softmax', inputShape: [784]})]});
//   model.compile({optimizer: 'adam', loss: 'categoricalCrossentropy', metrics: ['accuracy']});
//   await model.fit(xs, ys, {epochs: 5, batchSize: 64});

import {currentBackend, type GpuModel, type Pending} from './device.js';
import {call, callForJson, engine, heap, messageBytes, withArguments} from './engine.js';
import {Optimizer} from './gradients.js';
import {saveTo, type IOHandler, type ModelArtifacts, type ModelFile, type SaveResult} from './io.js';
import {Layer, SymbolicTensor, type Described, type Shape} from './layers.js';
import type {Progress} from './gpu.js';
import {isNode} from './node.js';
import {slice, zeros} from './ops.js';
import {Home, type Placement} from './place.js';
import {allHere, fillLater, handleOf, keep, Tensor, tensor, tidy, typeNumber, type DataType} from './tensor.js';

export interface CompileArgs {
  optimizer: string | Optimizer | Described;
  loss: string | Described | Array<string | Described> | Record<string, string | Described>;
  metrics?: unknown;
  lossWeights?: unknown;
}
export type Logs = Record<string, number>;

export interface CustomCallbacks {
  onTrainBegin?(logs?: Logs): void | Promise<void>;
  onTrainEnd?(logs?: Logs): void | Promise<void>;
  onEpochBegin?(epoch: number, logs?: Logs): void | Promise<void>;
  onEpochEnd?(epoch: number, logs?: Logs): void | Promise<void>;
  onBatchBegin?(batch: number, logs?: Logs): void | Promise<void>;
  onBatchEnd?(batch: number, logs?: Logs): void | Promise<void>;
  onYield?(epoch: number, batch: number, logs: Logs): void | Promise<void>;
}
export type CallbackArg = CustomCallbacks | Described;

export interface FitArgs {
  batchSize?: number;
  epochs?: number;
  initialEpoch?: number;
  shuffle?: boolean;
  validationSplit?: number;
  validationData?: [Tensor | Tensor[], Tensor | Tensor[]];
  callbacks?: CallbackArg | CallbackArg[];
  classWeight?: Record<string, number>;
  sampleWeight?: Tensor;
  verbose?: number;
  yieldEvery?: unknown;
}
export interface WarmupArgs {
  /** Of training, if the model is compiled; otherwise of predicting. */
  training?: boolean;
  batchSize?: number;
  onProgress?: (progress: Progress) => void;
}
export interface History {
  epoch: number[];
  history: Record<string, number[]>;
  /** Why training ended before its last epoch, if it did. */
  reason: string;
}

interface Info {
  inputs: {dtype: DataType; shape: Shape}[];
  outputs: {dtype: DataType; shape: Shape}[];
  weights: {name: string; shape: number[]; trainable: boolean}[];
  slots: {name: string; shape: number[]}[];
  summary: string;
  seed: number;
  step: number;
  rate: number;
}
/** Bytes. */
export interface StepMemory {
  weights: number;
  optimizer: number;
  batch: number;
  live: number;
  arena: number;
  least: number;
  total: number;
}
interface FitState {
  epoch: number;
  batch: number;
  batches: number;
  done: boolean;
  reason: string;
  checkpoints: string[];
  /** Of the epoch so far, and of the last batch alone. */
  logs: Logs;
  batchLogs: Logs;
}

// A frame at 60 Hz is 16.7 ms: work this long, then let the page draw and answer.
const kBusyMilliseconds = 10;

/** Lets events and frames happen. A message is not delayed as a nested timer is. */
function breathe(): Promise<void> {
  if (isNode) return new Promise((resolve) => setImmediate(resolve));
  return new Promise((resolve) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => {
      channel.port1.close();
      resolve();
    };
    channel.port2.postMessage(0);
  });
}

const listOf = <T>(x: T | T[] | undefined): T[] => (x === undefined ? [] : Array.isArray(x) ? x : [x]);
const isDescribed = (c: CallbackArg): c is Described => 'class_name' in c;
const first = (list: Tensor[]): Tensor | Tensor[] => (list.length === 1 ? list[0]! : list);
/** Room for the values that a step logs. */
const kLogs = new Float64Array(64);
/** The loss, or the loss and the metrics. */
const valuesOf = (count: number, pointer: number) => (count === 1 ? heap.f64(pointer, 1)[0]! : [...heap.f64(pointer, count)]);

// What fj_fitAdvance says has ended, and what fj_fitBegin says has begun.
const kBatchEnd = 1;
const kEpochEnd = 3;
const kNothingBegun = 1;
const kTrainingBegun = 2;
interface Advance {
  event: number;
  /** Batches of the epoch so far. */
  batch: number;
  done: boolean;
  /** Of the batch. */
  loss: number;
}
// Batches that are on their way to a GPU at a time: it should never wait for the page.
const kMostBegun = 3;
const kAdvance = new Float64Array(3);
/** Takes the next batch of a training or an evaluation, or finishes what has begun on a GPU. */
function advanceHere(fit: number): Advance {
  return withArguments((a) => {
    const out = a.f64(kAdvance);
    const event = call('fj_fitAdvance', fit, out);
    const [batch, done, loss] = heap.f64(out, 3);
    return {event, batch: batch!, done: done !== 0, loss: loss!};
  });
}
const logsOf = (fit: number): Logs => numbers(callForJson<FitState>('fj_fitState', fit).logs);
/** NaN and infinity travel as texts. */
const numbers = (logs: Logs): Logs => Object.fromEntries(Object.entries(logs).map(([key, value]) => [key, Number(value)]));

export class LayersModel {
  optimizer?: Optimizer | string | Described;
  stopTraining = false;
  private handle: number;
  private outputCount?: number;
  private seed: number;
  /** Whether weights are drawn when the model is built: not where a file has them. */
  private draws: boolean;
  private compiled?: object;
  private home = new Home(() => this.built);

  constructor(
    protected description: () => Described,
    public layers: Layer[],
    options: {seed?: number; name?: string; handle?: number; training?: object | null; draws?: boolean} = {},
  ) {
    this.draws = options.draws ?? true;
    this.handle = options.handle ?? 0;
    this.compiled = options.training ?? undefined;
    this.seed = options.seed ?? (Math.random() * 2 ** 31) | 0;
    this.name = options.name ?? 'model';
  }
  name: string;

  // ---- description --------------------------------------------------------------------------------------------------------------

  /** The engine's handle; the weights are made on first use. */
  protected get built(): number {
    if (!this.handle) {
      const names = this.layers.map((l) => l.name);
      const twice = names.find((name, i) => names.indexOf(name) < i);
      if (twice) throw new Error(`Two layers of the model are named ${twice}`);
      this.handle = withArguments((a) => call('fj_model', a.json(this.description()), this.seed, this.draws ? 1 : 0));
    }
    return this.handle;
  }
  protected get isBuilt(): boolean {
    return this.handle !== 0;
  }
  info(): Info {
    return callForJson<Info>('fj_modelInfo', this.built);
  }
  get inputs(): {shape: Shape; dtype: DataType}[] {
    return this.info().inputs;
  }
  get outputs(): {shape: Shape; dtype: DataType}[] {
    return this.info().outputs;
  }
  get inputShape(): Shape {
    return this.info().inputs[0]!.shape;
  }
  get outputShape(): Shape {
    return this.info().outputs[0]!.shape;
  }
  getLayer(nameOrIndex: string | number): Layer {
    const layer = typeof nameOrIndex === 'number' ? this.layers[nameOrIndex] : this.layers.find((l) => l.name === nameOrIndex);
    if (!layer) throw new Error(`The model has no layer ${nameOrIndex}; it has ${this.layers.map((l) => l.name).join(', ')}`);
    return layer;
  }
  countParams(): number {
    return this.info().weights.reduce((n, w) => n + w.shape.reduce((a, b) => a * b, 1), 0);
  }
  summary(_lineLength?: number, _positions?: number[], printFn: (line: string) => void = console.log): void {
    for (const line of this.info().summary.trimEnd().split('\n')) printFn(line);
    const training = this.compiled !== undefined;
    const {total, weights, optimizer, batch, arena} = this.stepMemory({training});
    const mb = (bytes: number) => `${(bytes / 1e6).toPrecision(3)} MB`;
    printFn(
      `${training ? 'a training step' : 'a prediction'} on 32 samples holds ${mb(total)}: weights ${mb(weights)}, ` +
        `${training ? `optimizer ${mb(optimizer)}, ` : ''}batch ${mb(batch)}, activations${training ? ' and gradients' : ''} ${mb(arena)}`,
    );
  }
  toJSON(): string {
    return JSON.stringify(this.description());
  }

  // ---- weights --------------------------------------------------------------------------------------------------------------------

  get weights(): {name: string; shape: number[]; trainable: boolean}[] {
    return this.info().weights;
  }
  getWeights(trainableOnly = false): Tensor[] {
    this.home.gpu?.check('getWeights');
    return this.info().weights.flatMap((w, i) => (trainableOnly && !w.trainable ? [] : [new Tensor(call('fj_modelWeight', this.built, i))]));
  }
  setWeights(values: Tensor[]): void {
    const count = this.info().weights.length;
    if (values.length !== count) throw new Error(`The model has ${count} weights, got ${values.length}`);
    values.forEach((t, i) => call('fj_modelSetWeight', this.built, i, handleOf(t)));
    this.home.gpu?.upload();
  }
  // ---- on a GPU -------------------------------------------------------------------------------------------------------------------

  /** Brings the weights from the GPU, where they are there: before getWeights, and before anything that reads them at once. */
  async sync(): Promise<void> {
    await this.home.sync();
  }
  /** Where the next step runs, and what was measured to find that. */
  placement(): Placement {
    return this.home.placement;
  }
  /** Plans a step before it is needed; on a GPU compiles its shaders, all at once, and says how far it is. */
  async warmup({training = this.compiled !== undefined, batchSize = 32, onProgress}: WarmupArgs = {}): Promise<void> {
    await this.home.warm(training, batchSize, onProgress);
  }
  /** For the backend 'auto', once: measures where such batches are trained on faster. */
  private async findPlace(x: Tensor | Tensor[], y: Tensor | Tensor[], batchSize: number): Promise<void> {
    if (!this.home.isOpen) return;
    const rows = (t: Tensor) => slice(t, t.shape.map(() => 0), [Math.min(batchSize, t.shape[0]!), ...t.shape.slice(1)]);
    const [xs, ys] = [listOf(x).map(rows), listOf(y).map(rows)];
    try {
      await this.home.find((place) => {
        const copy = modelFrom(this.file(true));
        copy.home = new Home(() => copy.built, place);
        return {train: () => copy.trainOnBatch(xs, ys), dispose: () => copy.dispose()};
      });
    } finally {
      for (const t of [...xs, ...ys]) t.dispose();
    }
  }

  // ---- training -------------------------------------------------------------------------------------------------------------------

  compile(args: CompileArgs): void {
    if (typeof args.loss === 'function') throw new Error('A loss is named or described, not a function; for one of your own use tf.variableGrads');
    const {optimizer} = args;
    const described = optimizer instanceof Optimizer ? {class_name: optimizer.className, config: optimizer.config} : optimizer;
    // TensorFlow.js logs it as acc.
    const metrics: unknown = JSON.parse(JSON.stringify(listOf(args.metrics)), (_, name) => (name === 'accuracy' ? 'acc' : name));
    this.home.gpu?.check('compile');
    this.home.drop();
    this.compiled = {optimizer: described, loss: args.loss, metrics, loss_weights: args.lossWeights};
    withArguments((a) => call('fj_modelCompile', this.built, a.json(this.compiled)));
    this.optimizer = optimizer;
  }

  /** Trains for some epochs. It gives the page time to draw and to answer between batches. */
  async fit(x: Tensor | Tensor[], y: Tensor | Tensor[], args: FitArgs = {}): Promise<History> {
    const callbacks = listOf(args.callbacks);
    const custom = callbacks.filter((c): c is CustomCallbacks => !isDescribed(c));
    const validation = args.validationData ? [listOf(args.validationData[0]), listOf(args.validationData[1])].flat() : [];
    await allHere(listOf(x), listOf(y), validation, args.sampleWeight ? [args.sampleWeight] : []);
    const arrays = [...listOf(x), ...listOf(y), ...validation].map((t) => handleOf(t));
    const options = {
      epochs: args.epochs ?? 1,
      initialEpoch: args.initialEpoch ?? 0,
      batchSize: args.batchSize ?? 32,
      shuffle: args.shuffle ?? true,
      validationSplit: args.validationSplit ?? 0,
      classWeight: args.classWeight ?? null,
      callbacks: callbacks.filter(isDescribed),
    };
    await this.findPlace(x, y, options.batchSize);
    if (this.home.isElsewhere) await this.home.queued(() => this.home.enter());
    const fit = withArguments((a) =>
      call('fj_fit', this.built, a.i32(arrays), listOf(x).length, listOf(y).length, validation.length ? 1 : 0, args.sampleWeight ? handleOf(args.sampleWeight) : 0, a.json(options)),
    );
    const result: History = {epoch: [], history: {}, reason: ''};
    this.stopTraining = false;
    try {
      for (const c of custom) await c.onTrainBegin?.();
      await this.run(fit, custom, options, result);
      for (const c of custom) await c.onTrainEnd?.();
    } finally {
      engine().fj_fitFree(fit);
    }
    return result;
  }

  private async run(fit: number, custom: CustomCallbacks[], options: {callbacks: Described[]}, result: History): Promise<void> {
    const seesBatches = custom.some((c) => c.onBatchBegin || c.onBatchEnd || c.onYield) || options.callbacks.some((c) => c.class_name === 'TerminateOnNaN');
    const advance = this.advancer(fit, seesBatches ? 1 : kMostBegun);
    let state = callForJson<FitState>('fj_fitState', fit);
    let pausedAt = performance.now();
    let begins = true;
    let warned = false;
    for (let done = state.done; !done; ) {
      const {epoch} = state;
      if (begins) for (const c of custom) await c.onEpochBegin?.(epoch);
      begins = false;
      if (seesBatches && state.batch < state.batches) {
        for (const c of custom) await c.onBatchBegin?.(state.batch);
      }
      const now = await advance();
      done = now.done;
      // What took place is asked for where somebody wants to know.
      if (seesBatches || now.event === kEpochEnd) state = callForJson<FitState>('fj_fitState', fit);
      const logs = numbers(now.event === kBatchEnd ? state.batchLogs : state.logs);
      if (now.event === kBatchEnd) {
        if (!warned && !Number.isFinite(now.loss)) {
          console.warn(`The loss is ${now.loss} in batch ${now.batch} of epoch ${epoch + 1}: a lower learning rate or clipnorm may help`);
          warned = true;
        }
        for (const c of custom) await c.onBatchEnd?.(now.batch - 1, {batch: now.batch - 1, ...logs});
      } else if (now.event === kEpochEnd) {
        result.epoch.push(epoch);
        for (const [key, value] of Object.entries(logs)) (result.history[key] ??= []).push(value);
        for (const url of state.checkpoints) await this.save(url, {includeOptimizer: true});
        for (const c of custom) await c.onEpochEnd?.(epoch, logs);
        begins = true;
      }
      if (this.stopTraining) {
        if (now.event === kEpochEnd) break;
        engine().fj_fitStop(fit);
      }
      if (performance.now() - pausedAt > kBusyMilliseconds) {
        await breathe();
        pausedAt = performance.now();
        for (const c of custom) await c.onYield?.(epoch, now.batch, logs);
      }
    }
    await this.sync();
    result.reason = callForJson<FitState>('fj_fitState', fit).reason;
  }

  /**
   * What takes the next batch of a training or an evaluation, wherever the model is. On a GPU up to `most` batches are on their
   * way: the results of the first are awaited while the next ones are computed.
   */
  private advancer(fit: number, most: number): () => Promise<Advance> {
    const pending: Pending[] = [];
    const onGpu = async () => {
      // What has begun on one device is finished there.
      const gpu = pending.length ? this.home.gpu : await this.home.enter();
      while (gpu && pending.length < most) {
        const begun = call('fj_fitBegin', fit);
        if (begun === kNothingBegun) break;
        pending.push(await gpu.submit(begun === kTrainingBegun));
      }
      await pending.shift()?.deliver();
      const now = advanceHere(fit);
      // What a callback sees, and what is left if the GPU is lost, is the model after the epoch.
      if (now.event === kEpochEnd) await gpu?.sync();
      return now;
    };
    return async () => (this.home.isElsewhere ? this.home.queued(onGpu) : advanceHere(fit));
  }

  /** Begins an evaluation, which goes on as a training does. */
  private evaluation(x: Tensor | Tensor[], y: Tensor | Tensor[], batchSize = 32): number {
    const arrays = [...listOf(x), ...listOf(y)].map((t) => handleOf(t));
    return withArguments((a) =>
      call('fj_fit', this.built, a.i32(arrays), listOf(x).length, listOf(y).length, 0, 0, a.json({batchSize, evaluate: true})),
    );
  }
  /** Loss and metrics, as scalars in the order of the logs: at once, as in TensorFlow.js. */
  evaluate(x: Tensor | Tensor[], y: Tensor | Tensor[], args: {batchSize?: number} = {}): Tensor | Tensor[] {
    if (this.home.isElsewhere) throw new Error('evaluate answers at once, which a GPU does not: await model.evaluateAsync(x, y)');
    const fit = this.evaluation(x, y, args.batchSize);
    try {
      while (!advanceHere(fit).done);
      return first(Object.values(logsOf(fit)).map((v) => tensor(v)));
    } finally {
      engine().fj_fitFree(fit);
    }
  }
  /** The same by name, with pauses in which the page can draw and answer. */
  async evaluateAsync(x: Tensor | Tensor[], y: Tensor | Tensor[], args: {batchSize?: number} = {}): Promise<Logs> {
    await allHere(listOf(x), listOf(y));
    if (this.home.isElsewhere) await this.home.queued(() => this.home.enter());
    const fit = this.evaluation(x, y, args.batchSize);
    const advance = this.advancer(fit, kMostBegun);
    try {
      let pausedAt = performance.now();
      while (!(await advance()).done) {
        if (performance.now() - pausedAt < kBusyMilliseconds) continue;
        await breathe();
        pausedAt = performance.now();
      }
      return logsOf(fit);
    } finally {
      engine().fj_fitFree(fit);
    }
  }

  /** On a GPU the values come later: await data() of the result. While the model trains, or x is on the GPU, ops have to await it, too. */
  predict(x: Tensor | Tensor[], args: {batchSize?: number} = {}): Tensor | Tensor[] {
    const {batchSize = 32} = args;
    if (this.home.isElsewhere) {
      const gpu = listOf(x).every((t) => t.isHere) ? this.home.now() : undefined;
      return gpu ? this.predictThere(gpu, listOf(x), batchSize) : this.predictLater(listOf(x), batchSize);
    }
    const handles = listOf(x).map((t) => handleOf(t));
    return withArguments((a) => {
      const out = a.i32(new Int32Array((this.outputCount ??= this.info().outputs.length)));
      const count = call('fj_modelPredict', this.built, a.i32(handles), handles.length, batchSize, out);
      return first([...heap.i32(out, count)].map((handle) => new Tensor(handle)));
    });
  }
  private outputsFor(x: Tensor[]): {shape: number[]; dtype: DataType}[] {
    return this.info().outputs.map(({shape, dtype}) => ({shape: [x[0]!.shape[0] ?? 0, ...(shape.slice(1) as number[])], dtype}));
  }
  /** The values stay on the GPU, where ops can take them at once. */
  private predictThere(gpu: GpuModel, x: Tensor[], batchSize: number): Tensor | Tensor[] {
    const outputs = this.outputsFor(x).map(({shape, dtype}) => ({shape, type: typeNumber(dtype)}));
    return first(gpu.predict(x.map((t) => handleOf(t)), outputs, batchSize).map((handle) => new Tensor(handle)));
  }
  /** After what is on its way to the GPU. */
  private predictLater(x: Tensor[], batchSize: number): Tensor | Tensor[] {
    const samples = x[0]!.shape[0] ?? 0;
    const inputs = x.map((t) => t.clone());
    const outputs = this.outputsFor(x).map(({shape, dtype}) => zeros(shape, dtype));
    // Whoever disposes of the result before it is there disposes of its own handle.
    const kept = outputs.map((t) => t.clone());
    for (const t of [...inputs, ...kept]) keep(t);
    const done = this.home.queued(async () => {
      try {
        const gpu = await this.home.enter();
        await allHere(inputs);
        const handles = inputs.map((t) => handleOf(t));
        if (!gpu) throw new Error('The backend was changed before the prediction was made: predict again');
        for (let begin = 0; begin < samples; begin += batchSize) {
          const count = Math.min(batchSize, samples - begin);
          withArguments((a) => call('fj_gpuPredict', this.built, a.i32(handles), handles.length, begin, count));
          (await (await gpu.submit(false)).values).forEach((bytes, i) => {
            const values = new Float32Array(bytes);
            const {handle} = kept[i]!;
            heap.f32(engine().fj_data(handle) + (begin * 4 * values.length) / count, values.length).set(values);
          });
        }
      } finally {
        for (const t of [...inputs, ...kept]) t.dispose();
      }
    });
    return first(outputs.map((t) => fillLater(t, done)));
  }
  predictOnBatch(x: Tensor | Tensor[]): Tensor | Tensor[] {
    return this.predict(x, {batchSize: listOf(x)[0]!.shape[0] ?? 1});
  }

  private batch(train: number, x: Tensor | Tensor[], y: Tensor | Tensor[]): number | number[] {
    const xs = listOf(x).map((t) => handleOf(t));
    const ys = listOf(y).map((t) => handleOf(t));
    return withArguments((a) => {
      const out = a.f64(kLogs);
      return valuesOf(call('fj_modelBatch', this.built, train, a.i32(xs), xs.length, a.i32(ys), ys.length, 0, out), out);
    });
  }
  private async batchAnywhere(train: number, x: Tensor | Tensor[], y: Tensor | Tensor[]): Promise<number | number[]> {
    await allHere(listOf(x), listOf(y));
    if (!this.home.isElsewhere && currentBackend() !== 'auto') return this.batch(train, x, y);
    if (train === 1) await this.findPlace(x, y, listOf(x)[0]!.shape[0] ?? 1);
    if (!this.home.isElsewhere) return this.batch(train, x, y);
    return this.home.queued(async () => {
      const gpu = await this.home.enter();
      if (!gpu) return this.batch(train, x, y);
      const xs = listOf(x).map((t) => handleOf(t));
      const ys = listOf(y).map((t) => handleOf(t));
      withArguments((a) => call('fj_gpuBatch', this.built, train, a.i32(xs), xs.length, a.i32(ys), ys.length, 0));
      await (await gpu.submit(train === 1)).deliver();
      return withArguments((a) => {
        const out = a.f64(kLogs);
        return valuesOf(call('fj_gpuFinish', this.built, out), out);
      });
    });
  }
  async trainOnBatch(x: Tensor | Tensor[], y: Tensor | Tensor[]): Promise<number | number[]> {
    return this.batchAnywhere(1, x, y);
  }
  async testOnBatch(x: Tensor | Tensor[], y: Tensor | Tensor[]): Promise<number | number[]> {
    return this.batchAnywhere(0, x, y);
  }
  /** Of the next step. */
  get learningRate(): number {
    return this.info().rate;
  }
  set learningRate(rate: number) {
    call('fj_modelSetRate', this.built, rate);
  }
  /**
   * The bytes that a step holds: weights, the optimizer's state, the batch, and an arena for activations and gradients, of
   * which at most `live` are needed at once; `least` is the sum with `live`, `total` that with the arena.
   */
  stepMemory({training = false, batchSize = 32}: {training?: boolean; batchSize?: number} = {}): StepMemory {
    return callForJson<StepMemory>('fj_modelMemory', this.built, training ? 1 : 0, batchSize);
  }
  /**
   * Whether 3x3 convolutions may use Winograd's algorithm (at first they may): up to three times faster, and rounded
   * otherwise, by about 1e-5 of the largest output.
   */
  setWinograd(allowed: boolean): void {
    call('fj_modelSetWinograd', this.built, allowed ? 1 : 0);
  }

  // ---- files ------------------------------------------------------------------------------------------------------------------------

  /** Everything that a file holds: the description, the weights, and with includeOptimizer what training needs to go on. */
  artifacts(includeOptimizer = false): ModelArtifacts {
    const info = this.info();
    const state = includeOptimizer ? info.slots : [];
    const specs = [
      ...info.weights.map((w) => ({name: w.name, shape: w.shape, dtype: 'float32' as const})),
      ...state.map((s) => ({name: s.name, shape: s.shape, dtype: 'float32' as const, group: 'optimizer'})),
    ];
    const tensors = [...this.getWeights(), ...state.map((_, i) => new Tensor(call('fj_modelSlot', this.built, i)))];
    const total = tensors.reduce((n, t) => n + t.size, 0);
    const data = new Float32Array(total);
    let at = 0;
    for (const t of tensors) {
      data.set(t.dataSync(), at);
      at += t.size;
      t.dispose();
    }
    return {
      modelTopology: this.description(),
      format: 'layers-model',
      generatedBy: 'Fjord',
      weightSpecs: specs,
      weightData: data.buffer,
      ...(includeOptimizer && this.compiled ? {trainingConfig: this.compiled, userDefinedMetadata: {seed: info.seed, step: info.step}} : {}),
    };
  }
  /** The same as one safetensors file. */
  file(includeOptimizer = false): ModelFile {
    this.home.gpu?.check('file');
    call('fj_modelSave', this.built, includeOptimizer ? 1 : 0);
    return messageBytes();
  }
  async save(target: string | IOHandler, {includeOptimizer = false} = {}): Promise<SaveResult> {
    await this.sync();
    return saveTo(target, {artifacts: () => this.artifacts(includeOptimizer), file: () => this.file(includeOptimizer)});
  }
  /** Weights and, where the artifacts have them, optimizer state, step and seed: training goes on as if never stopped. */
  restore(artifacts: ModelArtifacts): void {
    this.home.drop();
    const step = artifacts.userDefinedMetadata?.step;
    if (typeof artifacts.userDefinedMetadata?.seed === 'number') this.seed = artifacts.userDefinedMetadata.seed;
    if (artifacts.trainingConfig && 'optimizer' in artifacts.trainingConfig) {
      this.compiled = artifacts.trainingConfig;
      withArguments((a) => call('fj_modelCompile', this.built, a.json(this.compiled)));
    }
    const data = new Float32Array(artifacts.weightData);
    const weights = this.info().weights;
    // TensorFlow.js writes those that are not trained last, so by name; by order where the names are others.
    const order = new Map(weights.map((w, i) => [w.name, i]));
    let at = 0;
    let index = 0;
    for (const spec of artifacts.weightSpecs) {
      const size = spec.shape.reduce((n, d) => n * d, 1);
      if (at + size > data.length) throw new Error(`The weights end in the middle of ${spec.name}: the file is truncated`);
      const shaped = tensor(data.subarray(at, at + size), spec.shape);
      at += size;
      if (spec.group === 'optimizer') {
        withArguments((a) => call('fj_modelSetSlot', this.built, a.text(spec.name), shaped.handle));
      } else {
        if (index >= weights.length) throw new Error(`The file has more weights than the model's ${weights.length}`);
        call('fj_modelSetWeight', this.built, order.get(spec.name) ?? index, shaped.handle);
        ++index;
      }
      shaped.dispose();
    }
    if (index !== weights.length) throw new Error(`The model has ${weights.length} weights, the file ${index}`);
    if (step !== undefined) call('fj_modelSetStep', this.built, step);
  }

  dispose(): void {
    this.home.drop();
    if (this.handle) engine().fj_modelFree(this.handle);
    this.handle = 0;
    this.description = () => {
      throw new Error('The model is disposed and cannot be used');
    };
  }
}

export class Sequential extends LayersModel {
  constructor(args: {layers?: Layer[]; name?: string; seed?: number} = {}) {
    const list: Layer[] = [];
    super(() => ({class_name: 'Sequential', config: {name: args.name ?? 'sequential', layers: list.map((l) => l.toJSON())}}), list, args);
    for (const layer of args.layers ?? []) this.add(layer);
  }
  add(layer: Layer): void {
    if (this.isBuilt) throw new Error('Layers can only be added before the model is used');
    if (!(layer instanceof Layer)) throw new Error('add takes a layer, such as tf.layers.dense({units: 10})');
    this.layers.push(layer);
  }
}

export const sequential = (args?: {layers?: Layer[]; name?: string; seed?: number}): Sequential => new Sequential(args);

/** A functional model: everything between its inputs and its outputs. */
export function model(args: {inputs: SymbolicTensor | SymbolicTensor[]; outputs: SymbolicTensor | SymbolicTensor[]; name?: string; seed?: number}): LayersModel {
  const found: Layer[] = [];
  const visit = (t: SymbolicTensor): void => {
    if (found.includes(t.sourceLayer)) return;
    for (const call of t.sourceLayer.calls) call.forEach(visit);
    if (!found.includes(t.sourceLayer)) found.push(t.sourceLayer);
  };
  listOf(args.inputs).forEach(visit);
  listOf(args.outputs).forEach(visit);
  const ref = (t: SymbolicTensor) => [t.sourceLayer.name, t.nodeIndex, 0];
  const description = {
    class_name: 'Functional',
    config: {
      name: args.name ?? 'model',
      layers: found.map((l) => ({...l.toJSON(), name: l.name, inbound_nodes: l.calls.filter((c) => c.length).map((c) => c.map((t) => [...ref(t), {}]))})),
      input_layers: listOf(args.inputs).map(ref),
      output_layers: listOf(args.outputs).map(ref),
    },
  };
  const made = new LayersModel(() => description, found, args);
  made.info();
  return made;
}

const layersOf = (config: {layers?: Described[]} | Described[]): Layer[] =>
  (Array.isArray(config) ? config : (config.layers ?? [])).map((l) => new Layer(l.class_name, l.config));

/** A model from what `save` has written: its own file, or TensorFlow.js's parts. */
export function modelFrom(saved: ModelArtifacts | ModelFile): LayersModel {
  if (saved instanceof Uint8Array) {
    const handle = withArguments((a) => call('fj_modelLoad', a.bytes(saved), saved.length));
    const {model, training} = callForJson<{model: Described; training: object | null}>('fj_modelDescription', handle);
    return new LayersModel(() => model, layersOf(model.config), {handle, training});
  }
  const topology = saved.modelTopology as Described & {model_config?: Described};
  const description = topology.model_config ?? topology;
  const made = new LayersModel(() => description, layersOf(description.config), {seed: saved.userDefinedMetadata?.seed, draws: false});
  try {
    tidy(() => made.restore(saved));
  } catch (error) {
    made.dispose();
    throw error;
  }
  return made;
}
