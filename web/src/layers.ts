// Layers as descriptions: a layer is Keras JSON, and the engine knows what it means. Applying layers to symbolic tensors
// records how they are joined.

import {statisticsOf} from './adapt.js';
import {callForJson, withArguments} from './engine.js';
import type {
  ConstantInitializerArgs, CosineDecayRestartsScheduleArgs, CosineDecayScheduleArgs, EarlyStoppingCallbackArgs,
  ExponentialDecayScheduleArgs, IdentityInitializerArgs, InverseTimeDecayScheduleArgs, L1L2RegularizerArgs, L1RegularizerArgs,
  L2RegularizerArgs, LayerArgsByName, MaxNormConstraintArgs, MinMaxNormConstraintArgs, ModelCheckpointCallbackArgs,
  OrthogonalInitializerArgs, OrthogonalRegularizerRegularizerArgs, PiecewiseConstantDecayScheduleArgs, PolynomialDecayScheduleArgs, RandomNormalInitializerArgs,
  RandomUniformInitializerArgs, ReduceLrOnPlateauCallbackArgs, SwapEmaWeightsCallbackArgs, TruncatedNormalInitializerArgs, UnitNormConstraintArgs,
  VarianceScalingInitializerArgs,
} from './generated/arguments.js';
import {defaultsOfTensorFlowJs, layerClasses, type LayerName} from './generated/tables.js';
import type {AnyLayer} from './model.js';
import {first, oldHardSigmoid, renamed, type Described, type Shape} from './predictor.js';
import {flagOf, shown, tensorsOf} from './samples.js';
import {Calls, symbolicOf, type SymbolicTensor, type SymbolicType} from './symbolic.js';
import {Tensor, type DataType} from './tensor.js';
import {callWithin, describedFunction, type TensorFunction} from './trace.js';
import {tracing} from './tracing.js';
import {brandPart, refuseForeignPart} from './values.js';
import type {LayerVariable} from './weights.js';

/** Keras writes snake_case: kernelSize is kernel_size. */
export const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`);
/** The same of the names in a description, however deep. */
export function inKerasNames(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inKerasNames);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [snakeCase(key), inKerasNames(inner)]));
}

/** kernel_size is kernelSize, in all objects of a description. */
export function inCamelCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inCamelCase);
  if (typeof value !== 'object' || value === null) return value;
  const name = (key: string) => key.replace(/_([a-z0-9])/g, (_, c: string) => c.toUpperCase());
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [name(key), inCamelCase(inner)]));
}

/** What each layer takes. Arguments are in camelCase, as TensorFlow.js names them; what they mean is Keras's. */
export interface LayerArgs {
  /** How it is called; names of weights begin with it. */
  name?: string;
  /** Without the batch; a number is an axis alone. */
  inputShape?: Shape | number;
  /** The same with the batch: [null, 28, 28, 1]. */
  batchInputShape?: Shape;
  /** The size of a batch. One of any size is taken, whatever is said here. */
  batchSize?: number | null;
  /** The type of a first layer's input. */
  inputDType?: DataType;
  dtype?: DataType;
  /** Whether training changes its weights. */
  trainable?: boolean;
  /** What its weights are to be at first. */
  weights?: Tensor[];
  /** What its outputs add to the loss. */
  activityRegularizer?: string | Described | TensorFunction | null;
}
/** As the program has given them, or a file. */
type Given = Record<string, unknown> & {name?: string; weights?: unknown; inputShape?: Shape | number; batchSize?: number | null};

const isLayer = (value: unknown): value is AnyLayer => typeof (value as AnyLayer | null)?.asWritten === 'function';

const kMerging = ['Add', 'Average', 'Concatenate', 'Maximum', 'Minimum', 'Multiply'];
const kTypes: readonly DataType[] = ['float32', 'int32', 'bool'];

const counts = new Map<string, number>();
/** Keras's names: conv2d_1, zero_padding2d_1, p_re_lu_1. */
export function uniqueName(className: string): string {
  const base = className.replace(/(.)([A-Z][a-z]+)/g, '$1_$2').replace(/([a-z])([A-Z])/g, '$1_$2').toLowerCase();
  const count = (counts.get(base) ?? 0) + 1;
  counts.set(base, count);
  return `${base}_${count}`;
}

/** A model, as far as its layers know it. */
export interface LayerHome {
  readonly name: string;
  readonly isDisposed: boolean;
  /** Joins layers that merely follow one another. */
  join(): void;
  /** Of the layer at a path, such as "base/dense". @internal */
  weightsAt(path: string): LayerVariable[];
  /** @internal */
  valuesAt(path: string, trainableOnly: boolean): Tensor[];
  /** @internal */
  setValuesAt(path: string, values: Tensor[]): void;
  /** @internal */
  resetStatesAt(path: string): void;
}

/** The models that have the weights of a layer, or of a model that is a layer of theirs. */
export class Homes {
  private list: {model: LayerHome; path: string}[] = [];

  add(model: LayerHome, path: string): void {
    this.list = this.list.filter((home) => home.model !== model && !home.model.isDisposed);
    this.list.push({model, path});
  }
  remove(model: LayerHome): void {
    this.list = this.list.filter((home) => home.model !== model);
  }
  get all(): readonly {model: LayerHome; path: string}[] {
    return this.list.filter(({model}) => !model.isDisposed);
  }
  /** One that is there; none where no model has made the weights. */
  of(name: string): {model: LayerHome; path: string} | undefined {
    const there = this.list.find(({model}) => !model.isDisposed);
    const gone = this.list.at(-1);
    if (!there && gone) {
      throw new Error(`The layer ${name} belonged to the model ${gone.model.name}, which was disposed of with its weights: make a new layer`);
    }
    return there;
  }
}

/** What a call says beside its inputs. */
export interface CallArgs {
  /** Whether dropout, normalisation and the like work as in training, whatever the model does. */
  training?: boolean;
  /** Of attention: whether a query sees no step after its own. */
  useCausalMask?: boolean;
  /** Of attention: whether the weights of the steps are a second output. */
  returnAttentionScores?: boolean;
}
/** What a call of a layer says. */
export interface LayerCallArgs<T> extends CallArgs {
  /** What a recurrent layer begins with. */
  initialState?: T | T[] | null;
}
/** What a call of a layer says, but for what is not given. The engine knows what it may say. */
function saidIn(args: CallArgs | null | undefined): {training?: boolean} & Record<string, unknown> {
  // Tensors and other objects are no arguments that the engine knows: it says so.
  const plain = (value: unknown) => (typeof value === 'object' ? 'an object' : value);
  const said: Record<string, unknown> = Object.fromEntries(
    Object.entries(args ?? {}).filter(([, value]) => value != null).map(([key, value]) => [key, plain(value)]),
  );
  return said['training'] === undefined ? said : {...said, training: flagOf(said['training'], 'training', false)};
}
/** The same of a model's call. */
export function trainingOf(args: CallArgs | null | undefined, what: string): boolean | undefined {
  const {training, ...others} = args ?? {};
  const [other] = Object.keys(others);
  if (other !== undefined) throw new Error(`${what}: a call takes training alone beside its inputs, got ${other}`);
  return training == null ? undefined : flagOf(training, 'training', false);
}

/** Computes with values what a layer gives: models.ts does, with a model of the layer alone. */
export const alone: {compute?: (layer: Layer, inputs: Tensor[], args: object, training?: boolean) => Tensor | Tensor[]} = {};

export class Layer {
  /** Changes of `trainable`, of all layers and models. */
  static changes = 0;
  readonly name: string;
  /** In Keras's names. */
  readonly config: Record<string, unknown> = {};
  /** The same in those that the program wrote: the engine, which knows both, names an argument by them. */
  protected readonly written: Record<string, unknown> = {};
  /** Of its arguments: the engine knows them by numbers. */
  private readonly functions: unknown[] = [];
  /** Values that its weights are to have at first, until a model has given them these. */
  initial?: {shape: number[]; values: Float32Array | Int32Array | Uint8Array}[];
  /** Whether `trainable` of its model was set to false after its own was set: the order of weights goes by that. @internal */
  isHeld = false;
  readonly calls = new Calls(this);
  readonly homes = new Homes();
  /** The model that it was put into last. */
  home?: LayerHome;

  constructor(
    readonly className: string,
    given?: object | null,
  ) {
    const {inputShape, batchSize, inputDType, weights, ...others} = (given ?? {}) as Given;
    this.name = others.name || uniqueName(className);
    if (weights != null) this.begin(tensorsOf(weights, () => [], `${this.name}: weights`));
    const sizes = [inputShape].flat();
    // What is no shape or no type goes to the engine under its own name, which refuses it.
    const isShape = inputShape != null && sizes.every((d) => d === null || (Number.isInteger(d) && d! > 0));
    const isType = others.dtype == null && kTypes.includes(inputDType as DataType);
    const rest = {...others, [isType ? 'dtype' : 'inputDType']: inputDType, ...(isShape ? {} : {inputShape})};
    for (const [key, value] of Object.entries(rest)) if (value !== undefined) this.put(key, value);
    // A batch of any size is taken, whatever is said here; the shape says what was asked for.
    if (isShape && others.batchInputShape == null) this.put('batchInputShape', [batchSize ?? null, ...sizes]);
    else if (batchSize !== undefined) this.put('batchSize', batchSize);
    this.put('name', this.name);
  }
  private begin(weights: Tensor[]): void {
    this.initial = weights.map((t) => ({shape: t.shape, values: t.dataSync()}));
  }
  protected put(key: string, value: unknown): void {
    const one = (v: unknown) => {
      if (!isLayer(v)) return v;
      if ('isOfProgram' in v) {
        throw new Error(`${this.name}: ${key} is a layer that the program has written, which is not supported within ${this.className}: write what that does in the layer's own call`);
      }
      return v.inKerasNames();
    };
    // Of no activation SimpleRNN makes its own there.
    const isTanh = this.className.startsWith('SimpleRNN');
    if (/activation$/i.test(key)) value = value === 'hardSigmoid' ? oldHardSigmoid : value === null && !isTanh ? 'linear' : value;
    const described = Array.isArray(value) ? value.map(one) : (this.functionAt(key, value) ?? one(value));
    // getConfig of a layer around others tells theirs in the program's words.
    const plain = typeof described === 'object' && /^(backward_?)?(layer|cells?)$/i.test(key) ? renamed(described, 'hardSigmoid', oldHardSigmoid) : described;
    this.written[key] = plain;
    this.config[snakeCase(key)] = inKerasNames(plain);
  }

  /** An argument that may be a function, where it is one. */
  private functionAt(key: string, value: unknown): Described | undefined {
    const [kind] = /(activation|regularizer|constraint)$/.exec(snakeCase(key)) ?? [];
    const described = kind && describedFunction(value, kind);
    if (described) this.functions.push(value);
    return described || undefined;
  }

  getClassName(): string {
    return this.className;
  }
  /** All of its arguments, those that were not given with their defaults. */
  getConfig(): Record<string, unknown> {
    if (this.className === 'InputLayer') return inCamelCase(this.config) as Record<string, unknown>;
    const config = withArguments((a) => callForJson<Record<string, unknown>>('fj_layerConfig', a.text(this.className), a.json(this.written)));
    return inCamelCase(renamed(renamed(config, oldHardSigmoid, 'hardSigmoid'), null, 'linear')) as Record<string, unknown>;
  }
  toJSON(): Described {
    return this.inKerasNames();
  }
  /** For files. @internal */
  inKerasNames(): Described {
    return {class_name: this.className, config: this.config};
  }
  /** For the engine. @internal */
  asWritten(): Described {
    return {class_name: this.className, config: this.written};
  }

  /** As one that is called by a layer of the program. */
  protected get within(): Described {
    return this.asWritten();
  }

  /** What it gives for these inputs: symbolic tensors, and the call can be a part of a model; or values, computed now. */
  apply(inputs: SymbolicTensor | SymbolicTensor[], args: LayerCallArgs<SymbolicTensor> & {returnAttentionScores: true}): SymbolicTensor[];
  apply(inputs: SymbolicTensor | SymbolicTensor[], args?: LayerCallArgs<SymbolicTensor>): SymbolicTensor;
  apply(inputs: Tensor | Tensor[], args?: LayerCallArgs<Tensor>): Tensor | Tensor[];
  apply(given: SymbolicTensor | SymbolicTensor[] | Tensor | Tensor[], args?: LayerCallArgs<SymbolicTensor | Tensor>): SymbolicTensor | SymbolicTensor[] | Tensor | Tensor[] {
    const {initialState, ...others} = args ?? {};
    const {training, ...said} = saidIn(others);
    const inputs = [given, initialState ?? []].flat(2);
    if (kMerging.includes(this.className) && inputs.length < 2) throw new Error(`${this.name}: takes at least 2 inputs, got ${inputs.length}`);
    const list = symbolicOf(inputs);
    if (list) {
      const all = inKerasNames({...(training === undefined ? {} : {training}), ...said}) as Record<string, unknown>;
      return first(this.calls.add(list, this.typesFor(list, said), all));
    }
    for (const t of inputs) refuseForeignPart(t, `${this.name}: apply`);
    if (!alone.compute || !inputs.length || !inputs.every((t) => t instanceof Tensor)) {
      throw new Error(`${this.name}: apply takes tensors, or what tf.input() or another layer's apply() gives`);
    }
    if (tracing()) return first(callWithin(this.within, inputs));
    return alone.compute(this, inputs, said, training);
  }
  /** The types of its outputs, where the call says `args`. @internal */
  typesFor(inputs: readonly SymbolicType[], args: object = {}): SymbolicType[] {
    const types = inputs.map(({dtype, shape}) => ({dtype, shape}));
    return withArguments((a) =>
      callForJson<SymbolicType[]>('fj_layerShape', a.text(this.className), a.json(this.written), a.json(types), a.json(args)),
    );
  }

  /** Whether fit changes its weights; a change counts from the next compile on. */
  get trainable(): boolean {
    return this.config['trainable'] !== false;
  }
  set trainable(trainable: boolean) {
    checkTrainable(trainable);
    this.isHeld = false;
    if (trainable === this.trainable) return;
    this.put('trainable', trainable);
    ++Layer.changes;
  }
  private onlyCall(what: string) {
    if (!this.calls.list.length) this.home?.join();
    return this.calls.only(what);
  }
  /** What its one call gave. */
  get output(): SymbolicTensor {
    return first(this.onlyCall('output').outputs) as SymbolicTensor;
  }
  get input(): SymbolicTensor | SymbolicTensor[] {
    const {inputs, outputs} = this.onlyCall('input');
    return first(inputs.length ? inputs : outputs);
  }

  private get there(): {model: LayerHome; path: string} {
    const known = this.homes.of(this.name);
    if (known) return known;
    if (!this.home) throw new Error(`The layer ${this.name} has no weights yet: they are made with the model that it belongs to`);
    // They are made when they are asked for; some layers have none.
    this.home.weightsAt(this.name);
    return this.homes.of(this.name) ?? {model: this.home, path: this.name};
  }
  /** Whether nothing has asked for its weights. */
  private get isUnused(): boolean {
    return !this.home && !this.calls.list.length && !this.homes.of(this.name);
  }
  get weights(): LayerVariable[] {
    if (this.isUnused) return [];
    const {model, path} = this.there;
    return model.weightsAt(path);
  }
  get trainableWeights(): LayerVariable[] {
    return this.weights.filter((w) => w.trainable);
  }
  get nonTrainableWeights(): LayerVariable[] {
    return this.weights.filter((w) => !w.trainable);
  }
  countParams(): number {
    const {model, path} = this.there;
    return model.weightsAt(path).reduce((n, w) => n + w.shape.reduce((a, b) => a * b, 1), 0);
  }
  getWeights(trainableOnly = false): Tensor[] {
    if (this.isUnused) return [];
    const {model, path} = this.there;
    return model.valuesAt(path, trainableOnly);
  }
  setWeights(values: Tensor[]): void {
    const {model, path} = this.there;
    model.setValuesAt(path, values);
  }
  /** Of a stateful layer: what it keeps from batch to batch begins anew at 0, in each model that has it. */
  resetStates(states?: unknown): void {
    const {config, name} = this;
    if (!config['stateful'] && !(config['layer'] as Described | undefined)?.config['stateful']) throw new Error(`The layer ${name} keeps no states that can be reset: that takes stateful: true`);
    if (states != null) throw new Error(`${name}: resetStates takes no states: they begin anew at 0; a call begins with others by initialState`);
    for (const {model, path} of this.homes.all) model.resetStatesAt(path);
  }
  /** Of tf.layers.normalization: the mean and the variance of the data, [N, ..], become its own. */
  adapt(data: Tensor): void {
    if (this.className !== 'Normalization' || this.config['mean'] != null) throw new Error(`${this.name}: adapt is of tf.layers.normalization without mean and variance`);
    const values = statisticsOf(data, (this.config['axis'] as number | undefined) ?? -1);
    if (this.home ?? this.homes.of(this.name)) this.setWeights(values);
    else this.begin(values);
    for (const t of values) t.dispose();
  }
}

brandPart(Layer.prototype, 'layer');

export function checkTrainable(value: unknown): void {
  if (typeof value !== 'boolean') throw new Error(`trainable is true or false, got ${shown(value)}`);
}

/** Where a functional model begins. */
export function input(args: {shape?: Shape | number; batchShape?: Shape; name?: string; dtype?: DataType}): SymbolicTensor {
  const shape = args.batchShape ?? (args.shape != null ? [null, ...[args.shape].flat()] : undefined);
  if (!shape) throw new Error('tf.input needs a shape, such as {shape: [784]}');
  const layer = new Layer('InputLayer', {name: args.name, batchInputShape: shape, dtype: args.dtype ?? 'float32'});
  return layer.calls.add([], [{dtype: args.dtype ?? 'float32', shape}])[0]!;
}

// What has no argument that is needed can be called without any.
type Factory<Args> = {} extends Args ? (args?: Args | null) => Layer : (args: Args) => Layer;
type Factories = {[name in LayerName]: Factory<LayerArgsByName[name]>};
/** As TensorFlow.js has them, where Keras has others. */
function withDefaults(className: string, args?: object | null): object | null | undefined {
  const defaults = defaultsOfTensorFlowJs[className];
  if (!defaults) return args;
  return {...defaults, ...Object.fromEntries(Object.entries(args ?? {}).filter(([, value]) => value !== undefined))};
}
const factories = Object.fromEntries(Object.entries(layerClasses).map(([name, className]) => [name, (args?: object | null) => new Layer(className, withDefaults(className, args))])) as Factories;

export const factoriesOfLayers = {
  ...factories,
  input,
  inputLayer: (args?: LayerArgs | null) => new Layer('InputLayer', args),
  avgPool1d: factories.averagePooling1d,
  avgPool2d: factories.averagePooling2d,
  avgPool3d: factories.averagePooling3d,
  avgPooling1d: factories.averagePooling1d,
  avgPooling2d: factories.averagePooling2d,
  avgPooling3d: factories.averagePooling3d,
  maxPool1d: factories.maxPooling1d,
  maxPool2d: factories.maxPooling2d,
  maxPool3d: factories.maxPooling3d,
  globalMaxPool1d: factories.globalMaxPooling1d,
  globalMaxPool2d: factories.globalMaxPooling2d,
  globalAvgPool1d: factories.globalAveragePooling1d,
  globalAvgPool2d: factories.globalAveragePooling2d,
};

// ---- choices by name ------------------------------------------------------------------------------------------------------------

const described =
  <Args extends object = Record<string, never>>(className: string) =>
  (config?: Args): Described => ({class_name: className, config: {...config}});

/** Of those that draw numbers. */
interface SeededArgs {
  /** The number that the draws follow from; the model's, if not said. */
  seed?: number;
}
export const initializers = {
  zeros: described('Zeros'),
  ones: described('Ones'),
  constant: described<ConstantInitializerArgs>('Constant'),
  randomUniform: described<RandomUniformInitializerArgs>('RandomUniform'),
  randomNormal: described<RandomNormalInitializerArgs>('RandomNormal'),
  truncatedNormal: described<TruncatedNormalInitializerArgs>('TruncatedNormal'),
  identity: described<IdentityInitializerArgs>('Identity'),
  varianceScaling: described<VarianceScalingInitializerArgs>('VarianceScaling'),
  glorotUniform: described<SeededArgs>('GlorotUniform'),
  glorotNormal: described<SeededArgs>('GlorotNormal'),
  heUniform: described<SeededArgs>('HeUniform'),
  heNormal: described<SeededArgs>('HeNormal'),
  leCunUniform: described<SeededArgs>('LecunUniform'),
  leCunNormal: described<SeededArgs>('LecunNormal'),
  orthogonal: described<OrthogonalInitializerArgs>('Orthogonal'),
};
export const regularizers = {
  l1: described<L1RegularizerArgs>('L1'),
  l2: described<L2RegularizerArgs>('L2'),
  l1l2: described<L1L2RegularizerArgs>('L1L2'),
  orthogonal: described<OrthogonalRegularizerRegularizerArgs>('OrthogonalRegularizer'),
};
export const constraints = {
  maxNorm: described<MaxNormConstraintArgs>('MaxNorm'),
  minMaxNorm: described<MinMaxNormConstraintArgs>('MinMaxNorm'),
  nonNeg: described('NonNeg'),
  unitNorm: described<UnitNormConstraintArgs>('UnitNorm'),
};
/** For fit: run by the engine between epochs. */
export const callbacks = {
  earlyStopping: described<EarlyStoppingCallbackArgs>('EarlyStopping'),
  reduceLROnPlateau: described<ReduceLrOnPlateauCallbackArgs>('ReduceLROnPlateau'),
  /** Saves with the optimizer's state: modelCheckpoint({filepath: 'indexeddb://best', monitor: 'val_loss', saveBestOnly: true}). */
  modelCheckpoint: described<ModelCheckpointCallbackArgs>('ModelCheckpoint'),
  terminateOnNaN: described('TerminateOnNaN'),
  /** Validates with the moving averages of an optimizer with useEma; saves them, too, with {swapOnEpoch: true} before modelCheckpoint. */
  swapEMAWeights: described<SwapEmaWeightsCallbackArgs>('SwapEMAWeights'),
};
/** Learning rates that change from step to step, as Keras describes them. */
export const schedules = {
  exponentialDecay: described<ExponentialDecayScheduleArgs>('ExponentialDecay'),
  inverseTimeDecay: described<InverseTimeDecayScheduleArgs>('InverseTimeDecay'),
  polynomialDecay: described<PolynomialDecayScheduleArgs>('PolynomialDecay'),
  piecewiseConstantDecay: described<PiecewiseConstantDecayScheduleArgs>('PiecewiseConstantDecay'),
  cosineDecay: described<CosineDecayScheduleArgs>('CosineDecay'),
  cosineDecayRestarts: described<CosineDecayRestartsScheduleArgs>('CosineDecayRestarts'),
};
