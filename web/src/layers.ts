// Layers as descriptions: a layer is Keras JSON, and the engine knows what it means. Applying layers to symbolic tensors
// records how they are joined.

import {statisticsOf} from './adapt.js';
import {callForJson, isAtHand, withArguments} from './engine.js';
import type {LayerArgsByName} from './generated/arguments.js';
import {defaultsOfTensorFlowJs, layerClasses, type LayerName} from './generated/tables.js';
import {camelCase, inCamelCase, inKerasNames, snakeCase} from './given.js';
import {Homes, type LayerHome} from './homes.js';
import type {AnyLayer, LayersModel} from './model.js';
import {first, oldHardSigmoid, ownConfig, renamed, type Described, type Shape} from './predictor.js';
import {flagOf, shown, tensorsOf} from './samples.js';
import {fromRegistered, type Config} from './serialization.js';
import {Calls, inBatch, symbolicOf, type SymbolicTensor, type SymbolicType} from './symbolic.js';
import {Tensor, type DataType} from './tensor.js';
import {callWithin, describedFunction, layerOf, withClasses, type TensorFunction} from './trace.js';
import {tracing} from './tracing.js';
import {namedWithin, uniqueName} from './unique.js';
import {brandPart, refuseForeignPart} from './values.js';
import type {LayerVariable} from './weights.js';

export {inCamelCase, inKerasNames, snakeCase};

/** An argument as TensorFlow.js says it. */
function inTheirWords(key: string, value: unknown): unknown {
  if (/activation$/i.test(key)) return value === oldHardSigmoid ? 'hardSigmoid' : (value ?? 'linear');
  return typeof value === 'string' && /^(dataFormat|mode|distribution|outputMode)$|Initializer$/.test(key) ? camelCase(value) : value;
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

/** What a call says beside its inputs. */
export interface CallArgs {
  /** Whether dropout, normalisation and the like work as in training, whatever the model does. */
  training?: boolean;
  /** Of attention: whether a query sees no step after its own. */
  useCausalMask?: boolean;
  /** Of attention: whether the weights of the steps are a second output. */
  returnAttentionScores?: boolean;
  /** Of a reversible embedding: whether it says how well each row fits, in place of rows. */
  reverse?: boolean;
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

/** What models.ts does for a layer by itself, with a model of it alone for such inputs: it computes values, or has the weights. */
export const alone: {model?: (layer: Layer, inputs: readonly SymbolicType[], args?: object) => LayersModel} = {};
/** What dispose says, as in TensorFlow.js: who has the weights still, and how many are gone. */
export interface Disposal {
  refCountAfterDispose: number;
  numDisposedVariables: number;
}

// Layers that the program has written, which one of the engine calls by their numbers. Not in that, whose names are the program's.
const within = new WeakMap<Layer, Layer[]>();
export const layersWithin = (layer: Layer): readonly Layer[] => within.get(layer) ?? [];

/** A layer of a class that was registered, from what a file says of it; undefined where the class was not. */
export function registeredLayer(className: string, config: Config): Layer | undefined {
  const made = fromRegistered(className, inCamelCase(config) as Config);
  if (made === undefined || made instanceof Layer) return made;
  throw new Error(`The class ${className}, which was registered, is no layer`);
}

export class Layer {
  /** Changes of `trainable`, of all layers and models. */
  static changes = 0;
  readonly name: string;
  /** In Keras's names. */
  readonly config: Record<string, unknown> = {};
  /** The same in those that the program wrote: the engine, which knows both, names an argument by them. */
  protected readonly written: Record<string, unknown> = {};
  /** Of its arguments: the engine knows them by numbers. */
  readonly #functions: unknown[] = [];
  /** Values that its weights are to have at first, until a model has given them these. */
  firstValues?: {shape: number[]; values: Float32Array | Int32Array | Uint8Array}[];
  /** Whether `trainable` of its model was set to false after its own was set: the order of weights goes by that. @internal */
  isHeld = false;
  /** The shape of a first layer's input, the batch included, and its type. */
  batchInputShape?: Shape;
  dtype: DataType;
  stateful: boolean;
  readonly symbolicCalls = new Calls(this);
  readonly homeModels = new Homes();
  /** Of it alone, by the shapes of their samples. */
  readonly modelsAlone = new Map<string, LayersModel>();
  /** The model that it was put into last. */
  joinedModel?: LayerHome;

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
    for (const [key, value] of Object.entries(rest)) if (value !== undefined) this.putArgument(key, value);
    // A batch of any size is taken, whatever is said here; the shape says what was asked for.
    if (isShape && others.batchInputShape == null) this.putArgument('batchInputShape', [batchSize ?? null, ...sizes]);
    else if (batchSize !== undefined) this.putArgument('batchSize', batchSize);
    this.putArgument('name', this.name);
    const {dtype, stateful, batch_input_shape: said, batch_shape: shape = said, input_shape: sample, batch_size: batch} = this.config;
    this.dtype = kTypes.find((type) => type === dtype) ?? 'float32';
    this.stateful = stateful === true;
    // An embedding's input_dim is the number of its rows.
    const {[className === 'Embedding' ? 'input_length' : 'input_dim']: size = sample} = this.config;
    this.batchInputShape = (shape ?? (size == null ? undefined : [batch ?? null, size].flat())) as Shape | undefined;
  }
  /** The next model that has it gives its weights these values. @internal */
  begin(weights: Tensor[]): void {
    this.firstValues = weights.map((t) => ({shape: t.shape, values: t.dataSync()}));
  }
  protected putArgument(key: string, value: unknown): void {
    // Of no activation SimpleRNN makes its own there.
    const isTanh = this.className.startsWith('SimpleRNN');
    if (/activation$/i.test(key)) value = value === 'hardSigmoid' ? oldHardSigmoid : value === null && !isTanh ? 'linear' : value;
    // getConfig of a layer around others tells theirs in the program's words.
    const isAround = typeof value === 'object' && /^(backward_?)?(layers?|cells?)$/i.test(key);
    const plain = isAround ? renamed(this.#described(value), 'hardSigmoid', oldHardSigmoid) : (this.#functionAt(key, value) ?? value);
    this.written[key] = plain;
    this.config[snakeCase(key)] = inKerasNames(plain);
  }
  /** What stands within this layer, made by the program or described by a file: layers of the program as the engine knows them. */
  #described(value: unknown): unknown {
    if (Array.isArray(value)) return value.map((one) => this.#described(one));
    if (isLayer(value)) {
      const own = 'isOfProgram' in value ? [value as Layer] : value instanceof Layer ? layersWithin(value) : [];
      within.set(this, [...layersWithin(this), ...own]);
      return own[0] === value ? own[0].describedWithin : value.inKerasNames();
    }
    if (typeof value !== 'object' || value === null) return value;
    const {class_name: className, config} = value as Described;
    const made = className && registeredLayer(className, {...config});
    const plain = className ? {...value, config: ownConfig(value as Described)} : value;
    return made ? this.#described(made) : Object.fromEntries(Object.entries(plain).map(([key, one]) => [key, this.#described(one)]));
  }

  /** An argument that may be a function, where it is one. */
  #functionAt(key: string, value: unknown): Described | undefined {
    const [kind] = /(activation|regularizer|constraint)$/.exec(snakeCase(key)) ?? [];
    const described = kind && describedFunction(value, kind);
    if (described) this.#functions.push(value);
    return described || undefined;
  }

  getClassName(): string {
    return this.className;
  }
  /** Its arguments as the engine reads them, which refuses what they cannot be. */
  get #read(): Record<string, unknown> {
    return withArguments((a) => callForJson('fj_layerConfig', a.text(this.className), a.json(this.written)));
  }
  /** One that a program makes: what is wrong with its arguments is said now, or, where the engine has to be loaded first, at its first use. @internal */
  static from(className: string, args?: object | null): Layer {
    const layer = new Layer(className, args);
    try {
      if (isAtHand()) void layer.#read;
    } catch (error) {
      throw new Error(`${layer.name}: ${(error as Error).message}`);
    }
    return layer;
  }
  /** All of its arguments, those that were not given with their defaults. */
  getConfig(): Record<string, unknown> {
    if (this.className === 'InputLayer') return inCamelCase(this.config) as Record<string, unknown>;
    const words = (key: string, value: unknown) => {
      const {className, config} = Object(value) as {className?: string; config?: object};
      const own = layerOf(className, config);
      return own instanceof Layer ? {className: own.className, config: own.getConfig()} : inTheirWords(key, value);
    };
    return JSON.parse(JSON.stringify(inCamelCase(this.#read)), words) as Record<string, unknown>;
  }
  toJSON(): Described {
    return withClasses(this.inKerasNames());
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
  protected get describedWithin(): Described {
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
      return first(this.symbolicCalls.add(list, this.typesFor(list, said), all));
    }
    for (const t of inputs) refuseForeignPart(t, `${this.name}: apply`);
    if (!inputs.length || !inputs.every((t) => t instanceof Tensor)) {
      throw new Error(`${this.name}: apply takes tensors, or what tf.input() or another layer's apply() gives`);
    }
    const call = tracing();
    if (call) return first(callWithin(namedWithin(this.describedWithin, call.names), inputs));
    return alone.model!(this, inputs, said).apply(inputs, {training});
  }
  call(inputs: Tensor | Tensor[], args?: LayerCallArgs<Tensor>): Tensor | Tensor[] {
    return this.apply(inputs, args);
  }
  /** The types of its outputs, where the call says `args`. @internal */
  typesFor(inputs: readonly SymbolicType[], args: object = {}): SymbolicType[] {
    const types = inputs.map(({dtype, shape}) => ({dtype, shape}));
    const outputs = withArguments((a) =>
      callForJson<SymbolicType[]>('fj_layerShape', a.text(this.className), a.json(this.written), a.json(types), a.json(args)),
    );
    return inBatch(inputs, outputs);
  }

  #typesOf(shape: Shape | Shape[]): SymbolicType[] {
    const shapes = (Array.isArray(shape[0]) ? shape : [shape]) as Shape[];
    return shapes.map((one) => ({dtype: this.dtype, shape: one}));
  }
  /** The shape of what it gives for inputs of such shapes; those with the batch. */
  computeOutputShape(inputShape: Shape | Shape[]): Shape | Shape[] {
    return first(this.typesFor(this.#typesOf(inputShape)).map((t) => t.shape));
  }
  /** Makes the weights, before a model or a call does. */
  build(inputShape: Shape | Shape[]): void {
    // Within a layer of the program its call declares them.
    if (!tracing() && !this.homeModels.of(this.name)) void alone.model!(this, this.#typesOf(inputShape)).weightsAt(this.name);
  }

  /** Whether fit changes its weights; a change counts from the next compile on. */
  get trainable(): boolean {
    return this.config['trainable'] !== false;
  }
  set trainable(trainable: boolean) {
    checkTrainable(trainable);
    this.isHeld = false;
    if (trainable === this.trainable) return;
    this.putArgument('trainable', trainable);
    ++Layer.changes;
  }
  #onlyCall(what: string) {
    if (!this.symbolicCalls.list.length) this.joinedModel?.join();
    return this.symbolicCalls.only(what);
  }
  /** Of what it gives, the batch included; the same in all of its calls. */
  get outputShape(): Shape | Shape[] {
    const shapes = this.symbolicCalls.list.map(({outputs}) => first(outputs.map((t) => t.shape)));
    if (new Set(shapes.map(String)).size === 1) return shapes[0]!;
    return first(this.#onlyCall('outputShape').outputs.map((t) => t.shape));
  }
  /** What its one call gave. */
  get output(): SymbolicTensor {
    return first(this.#onlyCall('output').outputs) as SymbolicTensor;
  }
  get input(): SymbolicTensor | SymbolicTensor[] {
    const {inputs, outputs} = this.#onlyCall('input');
    return first(inputs.length ? inputs : outputs);
  }

  get #there(): {model: LayerHome; path: string} {
    const known = this.homeModels.of(this.name);
    if (known) return known;
    const model = this.joinedModel ?? this.modelAlone();
    if (!model) throw new Error(`The layer ${this.name} has no weights yet: they are made with the model that it belongs to`);
    // They are made when they are asked for; some layers have none.
    model.weightsAt(this.name);
    return this.homeModels.of(this.name) ?? {model, path: this.name};
  }
  /** One of it alone, where something has told what it is to take. */
  protected modelAlone(): LayersModel | undefined {
    const [call] = this.symbolicCalls.list;
    return call && alone.model!(this, call.inputs);
  }
  /** Whether nothing has asked for its weights. */
  protected get isUnused(): boolean {
    return !this.joinedModel && !this.symbolicCalls.list.length && !this.homeModels.of(this.name);
  }
  get weights(): LayerVariable[] {
    if (this.isUnused) return [];
    const {model, path} = this.#there;
    return model.weightsAt(path);
  }
  get trainableWeights(): LayerVariable[] {
    return this.weights.filter((w) => w.trainable);
  }
  get nonTrainableWeights(): LayerVariable[] {
    return this.weights.filter((w) => !w.trainable);
  }
  countParams(): number {
    const {model, path} = this.#there;
    return model.weightsAt(path).reduce((n, w) => n + w.shape.reduce((a, b) => a * b, 1), 0);
  }
  getWeights(trainableOnly = false): Tensor[] {
    if (this.isUnused) return [];
    const {model, path} = this.#there;
    return model.valuesAt(path, trainableOnly);
  }
  setWeights(values: Tensor[]): void {
    const {model, path} = this.#there;
    model.setValuesAt(path, values);
  }
  /** Ends what it has computed with by itself; models keep what they have of it. */
  dispose(): Disposal {
    const count = this.homeModels.all.length ? this.weights.length : 0;
    for (const model of this.modelsAlone.values()) model.dispose();
    this.modelsAlone.clear();
    const {length} = this.homeModels.all;
    return {refCountAfterDispose: length, numDisposedVariables: length ? 0 : count};
  }
  /** Of a stateful layer: what it keeps from batch to batch begins anew at 0, in each model that has it. */
  resetStates(states?: unknown): void {
    const {config, name} = this;
    if (!this.stateful && !(config['layer'] as Described | undefined)?.config['stateful']) throw new Error(`The layer ${name} keeps no states that can be reset: that takes stateful: true`);
    if (states != null) throw new Error(`${name}: resetStates takes no states: they begin anew at 0; a call begins with others by initialState`);
    for (const {model, path} of this.homeModels.all) model.resetStatesAt(path);
  }
  /** Of tf.layers.normalization: the mean and the variance of the data, [N, ..], become its own. */
  adapt(data: Tensor): void {
    if (this.className !== 'Normalization' || this.config['mean'] != null) throw new Error(`${this.name}: adapt is of tf.layers.normalization without mean and variance`);
    const values = statisticsOf(data, (this.config['axis'] as number | undefined) ?? -1);
    if (this.joinedModel ?? this.homeModels.of(this.name)) this.setWeights(values);
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
  return layer.symbolicCalls.add([], [{dtype: args.dtype ?? 'float32', shape}])[0]!;
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
const factories = Object.fromEntries(Object.entries(layerClasses).map(([name, className]) => [name, (args?: object | null) => Layer.from(className, withDefaults(className, args))])) as Factories;

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
