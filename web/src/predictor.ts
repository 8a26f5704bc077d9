// A model that predicts: what the engine holds of it, its weights, and its outputs for some inputs. model.ts makes one that is described
// layer by layer, trained, saved, and taken to a GPU.
//
//   const model = await loadPredictor('https://../model.json');
//   const y = model.predict(x);

import {call, callForJson, engine, heap, withArguments} from './engine.js';
import type {GpuModel} from './device.js';
import {kPredictArgs} from './fit.js';
import {Held} from './held.js';
import {Later} from './later.js';
import {kLoadArgs, loadFrom, type IOHandler, type LoadArgs, type ModelArtifacts, type ModelFile, type WeightSpec} from './io.js';
import {loadRestFor, ready} from './load.js';
import {pathsIn} from './named.js';
import {kPageSlice} from './pauses.js';
import {batchSizeOf, flagOf, known, tensorsOf, type Data} from './samples.js';
import {handleOf, Tensor, tensor, tidy, type DataType} from './tensor.js';

export type Shape = (number | null)[];
/** Keras's description of a layer or a model. */
export interface Described {
  class_name: string;
  config: Record<string, unknown>;
}
export interface ModelWeight {
  name: string;
  shape: number[];
  trainable: boolean;
}
export interface ModelInfo {
  inputs: {name: string; dtype: DataType; shape: Shape}[];
  outputs: {name: string; dtype: DataType; shape: Shape}[];
  weights: ModelWeight[];
  slots: {name: string; shape: number[]}[];
  summary: string;
  seed: number;
  step: number;
  rate: number;
  /** What stands for sizes of samples that are open, in the memory of a step; 0 where none is. */
  openSize: number;
  /** How many values a step of the compiled model logs. */
  logs: number;
  /** Whether the first axis of all outputs counts samples. */
  bySample: boolean;
  /** Whether other models have some of the weights. */
  shares: boolean;
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

export const first = <T>(list: T[]): T | T[] => (list.length === 1 ? list[0]! : list);
export const nameOf = ({config}: Described): string | undefined => (typeof config?.['name'] === 'string' ? config['name'] : undefined);
/** The name here of what Keras 2 and TensorFlow.js call hard_sigmoid: 0.2 x + 0.5. Keras 3's, x / 6 + 0.5, has that name itself. */
export const oldHardSigmoid = 'keras2_hard_sigmoid';
/** Without what TensorFlow.js wraps around it. */
export const descriptionIn = ({modelTopology}: ModelArtifacts): Described => {
  const topology = modelTopology as Described & {model_config?: Described; keras_version?: string};
  // Keras has written numbers of NumPy so.
  const number = (_: string, value: unknown) => ((value as {type?: string} | null)?.type === 'ndarray' ? (value as {value: unknown}).value : value);
  const described = JSON.parse(JSON.stringify(topology.model_config ?? topology), number) as Described;
  if (!topology.keras_version || String(topology.keras_version).startsWith('3')) return described;
  return renamed(described, 'hard_sigmoid', oldHardSigmoid);
};
/** With another name of an activation, however deep. */
export const renamed = <T>(value: T, from: string | null, to: string): T =>
  JSON.parse(JSON.stringify(value), (key, inner: unknown) => (inner === from && /activation$/i.test(key) ? to : inner)) as T;
/** The config of a layer: TensorFlow.js writes what an RNN's cell says a second time, as if the RNN said it. */
export function ownConfig({class_name: className, config}: Described): Described['config'] {
  const cell = (config?.['cell'] as Described | undefined)?.config;
  if (className !== 'RNN' || !cell) return config;
  const isAgain = (key: string) => !/^(name|trainable|dtype)$/.test(key) && JSON.stringify(cell[key]) === JSON.stringify(config[key]);
  return Object.fromEntries(Object.entries(config).filter(([key]) => !isAgain(key)));
}
/** A description as TensorFlow.js writes it. Keras 3's hard_sigmoid it does not have: a description with that is one of Keras 3. */
export function theirTopology({class_name, config}: Described): Described & {keras_version: string; backend: string} {
  const isNew = /activation":"hard_sigmoid"/.test(JSON.stringify(config));
  const stack = (key: string, value: unknown) => (key === 'cell' && Array.isArray(value) ? {class_name: 'StackedRNNCells', config: {name: 'stacked_rnn_cells', cells: value}} : value);
  const written = JSON.parse(JSON.stringify(isNew ? config : renamed(config, oldHardSigmoid, 'hard_sigmoid')), stack) as Described['config'];
  return {class_name, config: written, keras_version: isNew ? '3' : '2', backend: 'fjord'};
}

/** What the engine and a GPU hold for a model. */
export class HeldModel extends Held {
  gpu?: GpuModel;
}
export function free(held: HeldModel): void {
  held.gpu?.dispose();
  held.gpu = undefined;
  if (held.handle) engine().fj_modelFree(held.handle);
  held.handle = 0;
}
const forgotten = new FinalizationRegistry<HeldModel>(free);

export class Predictor {
  #isEnded = false;
  protected readonly held = new HeldModel();
  protected outputCount?: number;
  /** A prediction that is on its way. */
  protected later?: Promise<void>;

  /** `handle` is the engine's; 0 where it is made later. */
  constructor(
    public name: string,
    handle = 0,
  ) {
    this.held.handle = handle;
    forgotten.register(this, this.held, this.held);
  }

  get isDisposed(): boolean {
    return this.#isEnded || this.held.isLost;
  }
  /** The engine's handle. */
  protected get built(): number {
    this.held.check(`the model ${this.name}`);
    if (this.isDisposed) throw new Error('The model is disposed and cannot be used');
    return this.held.handle;
  }

  // ---- description --------------------------------------------------------------------------------------------------------------

  info(): ModelInfo {
    return callForJson<ModelInfo>('fj_modelInfo', this.built);
  }
  get inputNames(): string[] {
    return this.info().inputs.map((t) => t.name);
  }
  get outputNames(): string[] {
    return this.info().outputs.map((t) => t.name);
  }
  get inputShape(): Shape {
    return this.info().inputs[0]!.shape;
  }
  get outputShape(): Shape | Shape[] {
    return first(this.info().outputs.map((t) => t.shape));
  }
  countParams(): number {
    return this.info().weights.reduce((n, w) => n + w.shape.reduce((a, b) => a * b, 1), 0);
  }
  /** Whether its next step is one of training. */
  protected get trains(): boolean {
    return false;
  }
  summary(_lineLength?: number, _positions?: number[], printFn: (line: string) => void = console.log): void {
    for (const line of this.info().summary.trimEnd().split('\n')) printFn(line);
    const training = this.trains;
    const {total, weights, optimizer, batch, arena} = this.stepMemory({training});
    const open = this.info().openSize ? `, open sizes ${this.info().openSize},` : '';
    const mb = (bytes: number) => `${(bytes / 1e6).toPrecision(3)} MB`;
    printFn(
      `${training ? 'a training step' : 'a prediction'} on 32 samples${open} holds ${mb(total)}: weights ${mb(weights)}, ` +
        `${training ? `optimizer ${mb(optimizer)}, ` : ''}batch ${mb(batch)}, activations${training ? ' and gradients' : ''} ${mb(arena)}`,
    );
  }
  protected get topology(): Described {
    return callForJson<{model: Described}>('fj_modelDescription', this.built).model;
  }
  /** As TensorFlow.js writes it: a text, or where `returnString` is false an object. */
  toJSON(unused?: unknown, returnString?: true): string;
  toJSON(unused: unknown, returnString: boolean): string | object;
  toJSON(_unused?: unknown, returnString = true): string | object {
    const described = theirTopology(this.topology);
    return returnString ? JSON.stringify(described) : described;
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

  // ---- weights --------------------------------------------------------------------------------------------------------------------

  /** The engine's numbers of the weights, in TensorFlow.js's order: those that are trained, then the others, each by layers. */
  protected order(weights: ModelWeight[]): number[] {
    const numbers = (trainable: boolean) => weights.flatMap((w, i) => (w.trainable === trainable ? [i] : []));
    return [...numbers(true), ...numbers(false)];
  }
  get weights(): ModelWeight[] {
    const {weights} = this.info();
    return this.order(weights).map((i) => weights[i]!);
  }
  get trainableWeights(): ModelWeight[] {
    return this.weights.filter((w) => w.trainable);
  }
  get nonTrainableWeights(): ModelWeight[] {
    return this.weights.filter((w) => !w.trainable);
  }
  protected weightTensors(wanted: (w: ModelWeight) => boolean, weights = this.info().weights): Tensor[] {
    return this.order(weights).flatMap((i) => (wanted(weights[i]!) ? [new Tensor(call('fj_modelWeight', this.built, i))] : []));
  }
  getWeights(trainableOnly = false): Tensor[] {
    return this.weightTensors((w) => w.trainable || !trainableOnly);
  }
  /** All of them, or none where one does not fit. */
  setWeights(values: Tensor[]): void {
    const order = this.order(this.info().weights);
    const handles = tensorsOf(values, () => this.weights.map((w) => w.name), 'setWeights').map((t) => handleOf(t));
    // What are too many or too few, the engine says.
    const placed = [...handles];
    if (handles.length === order.length) order.forEach((place, i) => (placed[place] = handles[i]!));
    withArguments((a) => call('fj_modelSetWeights', this.built, a.i32(placed), placed.length));
  }
  /**
   * The weights of a file, and to `takeOther` what else it has. What its names are here, by theirs, is told with the rest.
   */
  protected takeWeights(artifacts: ModelArtifacts, takeOther: (spec: WeightSpec, value: Tensor, names: ReadonlyMap<string, string | undefined>) => void, isStrict = true): void {
    const stored = artifacts.weightSpecs.filter(({group}) => group !== 'optimizer');
    const places = new Map(this.info().weights.map((w, i) => [w.name, i]));
    const paths = pathsIn(stored, this.topology, this.weights.map((w) => w.name), isStrict);
    const names = new Map(stored.map(({name}, i) => [name, paths[i]]));
    const other = stored.find(({dtype}) => dtype !== 'float32');
    if (other) throw new Error(`The weight ${other.name} is float32 in the model, and ${other.dtype} in the file`);
    const data = new Float32Array(artifacts.weightData as ArrayBuffer);
    let at = 0;
    for (const spec of artifacts.weightSpecs) {
      const size = spec.shape.reduce((n, d) => n * d, 1);
      const shaped = tensor(data.subarray(at, at + size), spec.shape);
      at += size;
      if (spec.group === 'optimizer') {
        takeOther(spec, shaped, names);
      } else {
        const place = places.get(names.get(spec.name) ?? '');
        if (place !== undefined) call('fj_modelSetWeight', this.built, place, shaped.handle);
      }
      shaped.dispose();
    }
  }

  // ---- predicting -----------------------------------------------------------------------------------------------------------------

  /**
   * In a page, what takes long goes on while that draws: `await data()` of the result waits for the values, and dataSync() or an op
   * computes the rest at once. On a GPU the values come later: await data(). While the model trains, or x is on the GPU, ops have to await
   * it, too.
   */
  predict(x: Data, args: {batchSize?: number; verbose?: number} = {}): Tensor | Tensor[] {
    const batchSize = batchSizeOf(known(args, kPredictArgs, 'predict').batchSize);
    return this.predictBy(tensorsOf(x, () => this.inputNames, 'predict'), batchSize);
  }
  /** What takes longer than so many milliseconds, where it is not 0, goes on later. */
  protected predictBy(xs: Tensor[], batchSize: number, milliseconds = kPageSlice): Tensor | Tensor[] {
    const handles = xs.map((t) => handleOf(t));
    return first(
      withArguments((a) => {
        const room = (this.outputCount ??= this.info().outputs.length);
        const out = a.results(room);
        const {built} = this;
        if (milliseconds) Later.finishCurrent();
        const count = call('fj_modelPredict', built, a.i32(handles), handles.length, batchSize, milliseconds, out, room);
        const made = [...heap.i32(out, Math.abs(count))].map((handle) => new Tensor(handle));
        if (count < 0) this.#awaitLater(new Later(made));
        return made;
      }),
    );
  }
  #awaitLater({done}: Later): void {
    this.later = done;
    const forget = () => {
      if (this.later === done) this.later = undefined;
    };
    done.then(forget, forget);
  }
  predictOnBatch(x: Data): Tensor | Tensor[] {
    const xs = tensorsOf(x, () => this.inputNames, 'predictOnBatch');
    return this.predictBy(xs, Math.max(1, xs[0]?.shape[0] ?? 1));
  }

  dispose(): void {
    forgotten.unregister(this.held);
    free(this.held);
    this.#isEnded = true;
  }
}

/** A model from what was saved: Fjord's own file, or TensorFlow.js's parts. */
export function predictorFrom(saved: ModelArtifacts | ModelFile, isStrict = true): Predictor {
  if (saved instanceof Uint8Array) {
    const handle = withArguments((a) => call('fj_modelLoad', a.bytes(saved), saved.length, 0));
    return new Predictor(nameOf(callForJson<{model: Described}>('fj_modelDescription', handle).model) ?? 'model', handle);
  }
  const description = descriptionIn(saved);
  const handle = withArguments((a) => call('fj_model', a.json(description), 0, isStrict && saved.weightData ? 0 : 1, 0));
  const made = new Predictor(nameOf(description) ?? 'model', handle);
  try {
    if (saved.weightData) tidy(() => made['takeWeights'](saved, () => {}, isStrict));
  } catch (error) {
    made.dispose();
    throw error;
  }
  return made;
}

/** The header of a safetensors file, as it says how long it is. */
export function headerOf(file: ModelFile): string {
  const bytes = new DataView(file.buffer, file.byteOffset, file.length);
  const length = file.length < 8 ? 0 : Math.min(bytes.getUint32(0, true), file.length - 8);
  return new TextDecoder().decode(file.subarray(8, 8 + length));
}
/** The description in the header; its quotes are escaped there. */
const descriptionOfFile = (file: ModelFile): string => headerOf(file).replaceAll('\\"', '"');
/** The texts in it. */
export const textsOf = (file: ModelFile): Record<string, string | undefined> => (JSON.parse(headerOf(file)) as {__metadata__?: Record<string, string>}).__metadata__ ?? {};
/** The description, read; an empty one of what is no such file, which the engine says in words. */
export function descriptionOf(file: ModelFile): Described {
  try {
    const model = JSON.parse(textsOf(file)['model'] ?? '{}') as Described & {modelTopology?: Described; model_config?: Described};
    const inner = model.modelTopology ?? model;
    const description = (inner as typeof model).model_config ?? inner;
    return {...description, config: description.config ?? {}};
  } catch {
    return {class_name: '', config: {}};
  }
}

export const isStrict = (args: LoadArgs): boolean => flagOf(known(args, kLoadArgs, 'loadLayersModel').strict, 'strict', true);

/** A model from a place that handlers know: indexeddb://, localstorage://, http(s):// or an object with load(). */
export async function loadPredictor(target: string | IOHandler, args: LoadArgs = {}): Promise<Predictor> {
  const strict = isStrict(args);
  await ready();
  const saved = await loadFrom(target);
  await loadRestFor(saved instanceof Uint8Array ? descriptionOfFile(saved) : JSON.stringify(saved.modelTopology));
  return predictorFrom(saved, strict);
}
