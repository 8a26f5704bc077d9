// Models that train: compile, fit, evaluate, and steps by themselves, here or on a GPU. model.ts has what they are made of, and files.

import type {ModelOptions} from './assembled.js';
import {History, Listeners, type Logs} from './callbacks.js';
import {currentBackend, type Pending} from './device.js';
import {Elsewhere} from './elsewhere.js';
import {call, callForJson, engine, heap, withArguments, type Arguments} from './engine.js';
import {
  advanceHere, kBatchEnd, kCompileArgs, kEpochEnd, kEvaluateArgs, kFitArgs, kMostBegun, kNothingBegun, kPaused, kTrainingBegun, numbers,
  checkedWeights, checkLossWeights, type Advance, type CompileArgs, type EvaluateArgs, type FitArgs, type FitState, type Training,
} from './fit.js';
import {checkedRate, optimizerOf, recordModel, refuseRate, type Optimizer, type Trained} from './gradients.js';
import {numbersOf} from './custom.js';
import {hasOwnWithin, pathsOf, type Describe} from './saved.js';
import type {IOHandler, SaveResult} from './io.js';
import type {Disposal} from './layers.js';
import {letWorkersCome} from './load.js';
import type {Progress} from './gpu.js';
import {slice} from './ops.js';
import {breathe, isPage, kBusy, kSlice} from './pauses.js';
import {Home, type Placement} from './place.js';
import {first, type Described} from './predictor.js';
import {batchSizeOf, flagOf, known, shareOf, shown, signalOf, tensorsOf, wholeOf, type Data} from './samples.js';
import {allHere, handleOf, Tensor, tensor, tidy} from './tensor.js';
import {distinct, metricsOf} from './theirs.js';
import {hasFunction, withFunctions} from './trace.js';
import type {AnyLayer} from './model.js';

export interface WarmupArgs {
  /** Of training, if the model is compiled; otherwise of predicting. */
  training?: boolean;
  batchSize?: number;
  onProgress?: (progress: Progress) => void;
}

export abstract class TrainedModel extends Elsewhere implements Trained {
  optimizer?: Optimizer;
  /** What compile was given. */
  loss?: CompileArgs['loss'];
  metrics?: unknown;
  /** What evaluate gives, in this order: the loss, losses of outputs, metrics. */
  metricsNames: string[] = [];
  stopTraining = false;
  #logRoom?: Float64Array;
  #logNames: string[] = [];
  protected compiled?: object;
  #detach?: () => void;
  #isTraining = false;
  /** All flags when it was compiled. */
  #compiledFlags?: string;

  constructor(description: (one: Describe) => Described, layers: AnyLayer[], options: ModelOptions & {training?: Training | null} = {}) {
    super(description, layers, options);
    if (options.training) this.#takeTraining(options.training);
  }
  protected override get trains(): boolean {
    return this.compiled !== undefined;
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
  async #findPlace(x: Tensor[], y: Tensor[], batchSize: number): Promise<void> {
    // A copy would be made by a file, which holds no functions.
    if (!this.home.isOpen || this.#hasFunctions) return;
    const rows = (t: Tensor) => slice(t, t.shape.map(() => 0), [Math.min(batchSize, t.shape[0]!), ...t.shape.slice(1)]);
    const [xs, ys] = [x.map(rows), y.map(rows)];
    try {
      await this.home.find((place) => {
        const copy = this.copied();
        copy.home = new Home(() => copy.built, copy.held, () => place);
        return {train: () => copy.trainOnBatch(xs, ys), dispose: () => copy.dispose()};
      });
    } finally {
      for (const t of [...xs, ...ys]) t.dispose();
    }
  }

  // ---- training -------------------------------------------------------------------------------------------------------------------

  compile(args: CompileArgs): void {
    if (this.#isTraining) throw new Error('compile: a fit() call is ongoing: await it first');
    if (typeof args !== 'object' || args === null) throw new Error(`compile takes an object with optimizer and loss, got ${shown(args)}`);
    known(args, kCompileArgs, 'compile');
    const optimizer = optimizerOf(args.optimizer);
    // What callbacks have made of the rate stays.
    if (optimizer === this.optimizer && typeof optimizer.config['learning_rate'] === 'number') optimizer.config['learning_rate'] = this.rate;
    if (args.lossWeights !== undefined) checkLossWeights(args.lossWeights);
    this.home.gpu?.check('compile');
    this.home.drop();
    const [loss, metrics] = [withFunctions(args.loss, 'loss'), metricsOf(withFunctions(args.metrics, 'metric'))];
    const training = {optimizer: optimizer.asWritten(), loss, metrics, loss_weights: args.lossWeights};
    tidy(() => {
      const goOn = optimizer === this.optimizer ? this.#stateOfTraining() : undefined;
      this.compileWith(training, optimizer);
      goOn?.();
    });
    [this.loss, this.metrics] = [args.loss, args.metrics];
  }
  protected setSlot(name: string, state: Tensor): void {
    withArguments((a) => call('fj_modelSetSlot', this.built, a.text(name), handleOf(state)));
  }
  /** What the optimizer has noted of the weights, and how many steps it has taken: what is returned gives them back after a compile. */
  #stateOfTraining(): () => void {
    const {slots, step} = this.info();
    const values = slots.map((_, i) => new Tensor(call('fj_modelSlot', this.built, i)));
    return () => {
      slots.forEach(({name}, i) => this.setSlot(name, values[i]!));
      call('fj_modelSetStep', this.built, step);
    };
  }
  /** Whether functions or layers of the program are a part of it. */
  get #hasFunctions(): boolean {
    return hasFunction(this.compiled) || hasFunction(this.topology) || numbersOf(pathsOf(this.layers)).length > 0 || this.layers.some(hasOwnWithin);
  }
  protected compileWith(training: Training, optimizer: Optimizer): void {
    const names = this.#namesOf(training);
    const said = {...training, metrics: names.metrics};
    try {
      withArguments((a) => call('fj_modelCompile', this.built, a.json(said)));
    } catch (error) {
      // Of a metric without a name.
      throw new Error((error as Error).message.replace(/^metric: : /, 'metric: '));
    }
    this.#takeTraining(said, optimizer, names);
  }
  #namesOf({metrics, loss}: Training) {
    return distinct(metrics, this.info().outputs, loss);
  }
  /** The engine was compiled so. */
  #takeTraining(training: Training, optimizer = optimizerOf(training.optimizer, true), {names, said} = this.#namesOf(training)): void {
    this.compiled = training;
    [this.loss, this.metrics, this.metricsNames, this.#logNames] = [training.loss as CompileArgs['loss'], training.metrics, names, said];
    this.#logRoom = undefined;
    this.#compiledFlags = this.flags;
    this.#detach?.();
    this.optimizer = optimizer;
    this.#detach = optimizer.attach(this);
  }

  protected override change(): void {
    if (this.#isTraining) throw new Error('add or pop: a fit() call is ongoing: await it first');
    super.change();
    // What was compiled was another model.
    this.#forget();
    this.compiled = this.optimizer = undefined;
  }

  /** Trains for some epochs. It leaves a page its frames, and answers it, also while a batch is on its way. */
  async fit(x: Data, y: Data, args: FitArgs = {}): Promise<History> {
    if (this.#isTraining) throw new Error('Cannot start training because another fit() call is ongoing.');
    this.#isTraining = true;
    try {
      return await this.#train(x, y, args);
    } finally {
      this.#isTraining = false;
    }
  }
  async #train(x: Data, y: Data, given: FitArgs): Promise<History> {
    const args = known(given, kFitArgs, 'fit');
    const batchSize = batchSizeOf(args.batchSize);
    const signal = signalOf(args.signal);
    signal?.throwIfAborted();
    const listeners = new Listeners(args.callbacks, args.yieldEvery);
    const samples = this.#samples('fit', x, y, args.sampleWeight);
    const held = args.validationData ?? [];
    if (!Array.isArray(held) || (args.validationData && held.length !== 2 && held.length !== 3)) {
      throw new Error(`fit: validationData is to be [x, y] or [x, y, sampleWeight], got ${Array.isArray(held) ? `a list of ${held.length}` : shown(held)}`);
    }
    const validation = held.length ? this.#samples('fit: validationData', held[0], held[1], held[2]) : [[], [], []];
    await allHere(...samples, ...validation);
    const options = {
      epochs: wholeOf(args.epochs, 'epochs', 1),
      initialEpoch: wholeOf(args.initialEpoch, 'initialEpoch', 0),
      batchSize,
      shuffle: flagOf(args.shuffle, 'shuffle', true),
      validationSplit: shareOf(args.validationSplit, 'validationSplit'),
      classWeight: checkedWeights(args.classWeight),
      callbacks: listeners.described,
    };
    await this.#findPlace(samples[0]!, samples[1]!, batchSize);
    if (this.home.isElsewhere) await this.home.queued(() => this.home.enter());
    const fit = this.#begin([...samples, ...validation], options);
    if (this.flags !== this.#compiledFlags) {
      console.warn(`The model ${this.name} was compiled before trainable was changed: it is trained as it was then. Call compile() for the change to count`);
    }
    const result = new History();
    this.stopTraining = false;
    try {
      const {epochs, initialEpoch, validationSplit} = options;
      const doValidation = held.length > 0 || validationSplit > 0;
      const samplesTrained = Math.floor((samples[0]![0]!.shape[0] ?? 0) * (1 - (held.length ? 0 : validationSplit)));
      result.setParams({
        epochs, initialEpoch, batchSize, verbose: args.verbose ?? 1, samples: samplesTrained, steps: null, doValidation,
        metrics: [...this.#logNames, ...(doValidation ? this.#logNames.map((name) => `val_${name}`) : [])],
      });
      listeners.begin(this, result.params);
      await listeners.call('onTrainBegin', {});
      await this.#run(fit, listeners, result, signal);
      await listeners.call('onTrainEnd', {});
    } finally {
      engine().fj_fitFree(fit);
    }
    return result;
  }
  /** Tensors of x, of y, and of weights. */
  #samples(what: string, x: unknown, y: unknown, weights?: unknown): Tensor[][] {
    const outputs = () => this.outputNames;
    return [tensorsOf(x, () => this.inputNames, `${what}: x`), tensorsOf(y, outputs, `${what}: y`), weights == null ? [] : tensorsOf(weights, outputs, `${what}: sampleWeight`)];
  }
  #begin(samples: Tensor[][], options: object): number {
    this.refuseCalls();
    return withArguments((a) => call('fj_fit', this.built, a.i32(samples.flat().map((t) => handleOf(t))), a.i32(samples.map((list) => list.length)), a.json(options)));
  }

  async #run(fit: number, listeners: Listeners, result: History, signal?: AbortSignal): Promise<void> {
    const {seesBatches} = listeners;
    const advance = this.#advancer(fit, seesBatches ? 1 : kMostBegun);
    let state = callForJson<FitState>('fj_fitState', fit);
    let [begins, goesOn, warned, aborts] = [true, false, false, false];
    for (let done = state.done; !done; ) {
      if (this.isDisposed) throw new Error('The model was disposed of while fit() was running');
      aborts ||= !!signal?.aborted;
      if (this.stopTraining || aborts) {
        // The engine may give back the weights of an earlier epoch.
        await this.sync();
        // A batch that has not changed anything yet is dropped, and of an epoch without a batch nobody hears.
        if (call('fj_fitStop', fit) === 1) {
          this.home.gpu?.upload();
          break;
        }
      }
      const {epoch, size} = state;
      if (begins) await listeners.call('onEpochBegin', epoch, {});
      begins = false;
      if (seesBatches && !goesOn && state.batch < state.batches) await listeners.call('onBatchBegin', state.batch, {batch: state.batch, size});
      // What a callback has changed of a layer of the program counts from now on.
      if (state.batch === 0 || (seesBatches && !goesOn)) void this.built;
      const now = await advance(listeners.budget);
      done = now.done;
      goesOn = now.event === kPaused;
      if (goesOn) {
        await listeners.pauseWithin();
        continue;
      }
      // What took place is asked for where somebody wants to know.
      if (seesBatches || now.event === kEpochEnd) state = callForJson<FitState>('fj_fitState', fit);
      const logs = numbers(now.event === kBatchEnd ? state.batchLogs : state.logs);
      if (now.event === kBatchEnd) {
        if (!warned && !Number.isFinite(now.loss)) {
          console.warn(`The loss is ${now.loss} in batch ${now.batch} of epoch ${epoch + 1}: a lower learning rate or clipnorm may help`);
          warned = true;
        }
        const at = {batch: now.batch - 1, size};
        // A metric may have one of these names.
        if (seesBatches) await listeners.call('onBatchEnd', at.batch, {...at, ...logs, ...at});
      } else if (now.event === kEpochEnd) {
        for (const url of state.checkpoints) await this.save(url, {includeOptimizer: true});
        await listeners.call('onEpochEnd', epoch, logs);
        // Callbacks may have written to them.
        result.epoch.push(epoch);
        for (const [key, value] of Object.entries(logs)) (result.history[key] ??= []).push(value);
        begins = true;
      }
      await listeners.pause(now.event === kBatchEnd ? 'batch' : now.event === kEpochEnd ? 'epoch' : undefined, epoch, now.batch, logs);
    }
    await this.sync();
    result.reason = callForJson<FitState>('fj_fitState', fit).reason;
    if (aborts) signal!.throwIfAborted();
  }

  /**
   * What takes the next batch of a training or an evaluation, wherever the model is. On a GPU up to `most` batches are on their
   * way: the results of the first are awaited while the next ones are computed.
   */
  #advancer(fit: number, most: number): (milliseconds: number) => Promise<Advance> {
    const pending: Pending[] = [];
    const onGpu = async () => {
      // What has begun on one device is finished there.
      const gpu = pending.length ? this.home.gpu : await this.home.enter();
      while (gpu && pending.length < most) {
        const begun = call('fj_fitBegin', fit);
        if (begun === kNothingBegun) break;
        pending.push(await gpu.submit(begun === kTrainingBegun));
      }
      // What ends the epoch, a callback of the engine too, sees the model after it, and that is what is left if the GPU is lost.
      const endsEpoch = !pending.length;
      if (endsEpoch) await gpu?.sync();
      await pending.shift()?.deliver();
      const now = advanceHere(fit);
      // Such a callback may have given it other weights.
      if (endsEpoch && now.done) gpu?.upload();
      return now;
    };
    return async (milliseconds) => {
      // It is of the weights of before.
      if (this.later) await this.later.catch(() => {});
      return this.home.isElsewhere ? this.home.queued(onGpu) : advanceHere(fit, milliseconds);
    };
  }

  #logsOf(fit: number): Logs {
    return numbers(callForJson<FitState>('fj_fitState', fit).logs);
  }
  /** Begins an evaluation, which goes on as a training does. */
  #evaluation(samples: Tensor[][], args: EvaluateArgs): number {
    return this.#begin([...samples, [], [], []], {batchSize: batchSizeOf(args.batchSize), evaluate: true});
  }
  /** Loss and metrics, as scalars in the order of the logs: at once, as in TensorFlow.js. */
  evaluate(x: Data, y: Data, given: EvaluateArgs = {}): Tensor | Tensor[] {
    const args = known(given, kEvaluateArgs, 'evaluate');
    const samples = this.#samples('evaluate', x, y, args.sampleWeight);
    if (this.home.isElsewhere) throw new Error('evaluate answers at once, which a GPU does not: await model.evaluateAsync(x, y)');
    const fit = this.#evaluation(samples, args);
    try {
      while (!advanceHere(fit).done);
      const results = Object.values(this.#logsOf(fit)).map((v) => tensor(v));
      recordModel([...samples[0]!, ...samples[1]!], results);
      return first(results);
    } finally {
      engine().fj_fitFree(fit);
    }
  }
  /** The same by name, with pauses in which the page can draw and answer. */
  async evaluateAsync(x: Data, y: Data, given: EvaluateArgs = {}): Promise<Logs> {
    const args = known(given, kEvaluateArgs, 'evaluateAsync');
    const samples = this.#samples('evaluateAsync', x, y, args.sampleWeight);
    await allHere(...samples);
    if (this.home.isElsewhere) await this.home.queued(() => this.home.enter());
    const fit = this.#evaluation(samples, args);
    const advance = this.#advancer(fit, kMostBegun);
    try {
      const slice = isPage ? kSlice : kBusy;
      let pausedAt = performance.now();
      let left = slice;
      for (;;) {
        const {done, event} = await advance(isPage ? left : 0);
        if (done) break;
        left = slice - (performance.now() - pausedAt);
        if (left > 1 && event !== kPaused) continue;
        await breathe();
        pausedAt = performance.now();
        left = slice;
      }
      return this.#logsOf(fit);
    } finally {
      engine().fj_fitFree(fit);
    }
  }

  /** What a step on whole arrays logs: the loss, or the loss and the metrics. */
  #logged(step: (a: Arguments, out: number, room: number) => number): number | number[] {
    this.#logRoom ??= new Float64Array(this.info().logs);
    return withArguments((a) => {
      const out = a.f64(this.#logRoom!);
      const values = heap.f64(out, step(a, out, this.#logRoom!.length));
      return values.length === 1 ? values[0]! : [...values];
    });
  }
  #batch(train: number, xs: Tensor[], ys: Tensor[]): number | number[] {
    const [x, y] = [xs.map((t) => handleOf(t)), ys.map((t) => handleOf(t))];
    return this.#logged((a, out, room) => call('fj_modelBatch', this.built, train, a.i32(x), x.length, a.i32(y), y.length, out, room));
  }
  async #batchAnywhere(train: number, what: string, givenX: Data, givenY: Data): Promise<number | number[]> {
    const [x, y] = this.#samples(what, givenX, givenY) as [Tensor[], Tensor[]];
    await allHere(x, y);
    if (!this.home.isElsewhere && currentBackend() !== 'auto') {
      const logs = this.#batch(train, x, y);
      await letWorkersCome();
      return logs;
    }
    if (train === 1) await this.#findPlace(x, y, x[0]!.shape[0] ?? 1);
    if (!this.home.isElsewhere) return this.#batch(train, x, y);
    return this.home.queued(async () => {
      const gpu = await this.home.enter();
      if (!gpu) return this.#batch(train, x, y);
      const [xs, ys] = [x.map((t) => handleOf(t)), y.map((t) => handleOf(t))];
      withArguments((a) => call('fj_gpuBatch', this.built, train, a.i32(xs), xs.length, a.i32(ys), ys.length));
      await (await gpu.submit(train === 1)).deliver();
      return this.#logged((_, out, room) => call('fj_gpuFinish', this.built, out, room));
    });
  }
  async trainOnBatch(x: Data, y: Data): Promise<number | number[]> {
    return this.#batchAnywhere(1, 'trainOnBatch', x, y);
  }
  async testOnBatch(x: Data, y: Data): Promise<number | number[]> {
    return this.#batchAnywhere(0, 'testOnBatch', x, y);
  }
  /** Of the next step; its optimizer's, too. Setting it replaces a schedule. */
  get learningRate(): number {
    return this.rate;
  }
  set learningRate(rate: number) {
    if (this.optimizer) this.optimizer.learningRate = rate;
    else this.rate = checkedRate(rate);
  }
  get rate(): number {
    refuseRate();
    return this.info().rate;
  }
  set rate(rate: number) {
    call('fj_modelSetRate', this.built, rate);
  }

  // ---- what a file has a part in ----------------------------------------------------------------------------------------------------

  /** Another one that is alike. */
  protected abstract copied(): TrainedModel;
  abstract save(target: string | IOHandler, args?: {includeOptimizer?: boolean}): Promise<SaveResult>;
  /** As a file says; what TensorFlow.js trains by and the engine does not know is no reason not to load the model. */
  protected compileAs({training, isTheirs}: {training: Training; isTheirs: boolean}): void {
    try {
      this.compileWith(training, optimizerOf(training.optimizer, true));
    } catch (error) {
      if (!isTheirs) throw error;
      console.warn(`The model ${this.name} is not compiled: ${(error as Error).message}`);
    }
  }

  override dispose(): Disposal {
    const disposal = super.dispose();
    this.#forget();
    this.description = () => {
      throw new Error('The model is disposed and cannot be used');
    };
    return disposal;
  }
  /** The optimizer has nothing to do with it any more. */
  #forget(): void {
    this.#detach?.();
    this.#detach = undefined;
  }
}
