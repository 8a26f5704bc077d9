// Layers as descriptions: a layer is Keras JSON, and the engine knows what it means. Applying layers to symbolic tensors
// records how they are joined.

import {callForJson, withArguments} from './engine.js';
import {layerClasses, type ActivationName, type LayerName} from './generated/tables.js';
import type {Described, ModelWeight, Shape} from './predictor.js';
import {shown, tensorsOf} from './samples.js';
import type {DataType, Tensor} from './tensor.js';

/** Keras writes snake_case: kernelSize is kernel_size. */
export const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`);
/** The same of the names in a description, however deep. */
export function inKerasNames(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inKerasNames);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [snakeCase(key), inKerasNames(inner)]));
}

/** What a layer gives, before there are values. */
export class SymbolicTensor {
  constructor(
    readonly dtype: DataType,
    readonly shape: Shape,
    readonly sourceLayer: Layer,
    readonly nodeIndex: number,
  ) {}
  get rank(): number {
    return this.shape.length;
  }
  get name(): string {
    return this.sourceLayer.name;
  }
}

/** Arguments in camelCase, as TensorFlow.js names them; what they mean is Keras's. */
export interface LayerArgs {
  name?: string;
  /** Without the batch; a number is an axis alone. */
  inputShape?: Shape | number;
  batchInputShape?: Shape;
  batchSize?: number | null;
  trainable?: boolean;
  /** What its weights are to be at first. */
  weights?: Tensor[];
  activation?: ActivationName | (string & {}) | null;
  units?: number;
  [argument: string]: unknown;
}

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
  join(asking?: Layer): void;
  weightsOf(layer: Layer): ModelWeight[];
  valuesOf(layer: Layer): Tensor[];
  setValuesOf(layer: Layer, values: Tensor[]): void;
}
export class Layer {
  /** Changes of `trainable`, of all layers and models. */
  static changes = 0;
  readonly name: string;
  /** In Keras's names. */
  readonly config: Record<string, unknown> = {};
  /** The same in those that the program wrote: the engine, which knows both, names an argument by them. */
  private readonly written: Record<string, unknown> = {};
  /** Values that its weights are to have at first, until a model has given them these. */
  initial?: {shape: number[]; values: Float32Array | Int32Array | Uint8Array}[];
  /** The inputs of each call, and what it gave. */
  readonly calls: SymbolicTensor[][] = [];
  readonly results: SymbolicTensor[] = [];
  /** The model that it was put into last, and the one that has its weights. */
  home?: LayerHome;
  owner?: LayerHome;

  constructor(
    readonly className: string,
    given?: LayerArgs | null,
  ) {
    const {inputShape, batchSize, inputDType, weights, ...others} = given ?? {};
    this.name = others.name || uniqueName(className);
    if (weights != null) {
      this.initial = tensorsOf(weights, () => [], `${this.name}: weights`).map((t) => ({shape: t.shape, values: t.dataSync()}));
    }
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
  private put(key: string, value: unknown): void {
    this.written[key] = value;
    this.config[snakeCase(key)] = inKerasNames(value);
  }

  getClassName(): string {
    return this.className;
  }
  getConfig(): Record<string, unknown> {
    return {...this.config};
  }
  toJSON(): Described {
    return {class_name: this.className, config: this.config};
  }
  /** For the engine. */
  asWritten(): Described {
    return {class_name: this.className, config: this.written};
  }

  /** Joins the layer to what others give. */
  apply(inputs: SymbolicTensor | SymbolicTensor[]): SymbolicTensor {
    const list = [inputs].flat();
    if (!list.every((t) => t instanceof SymbolicTensor)) {
      throw new Error(`${this.name}: apply takes what tf.input() or another layer's apply() gives; for values use a model's predict`);
    }
    const types = list.map((t) => ({dtype: t.dtype, shape: t.shape}));
    const out = withArguments((a) =>
      callForJson<{dtype: DataType; shape: Shape}>('fj_layerShape', a.text(this.className), a.json(this.written), a.json(types)),
    );
    this.calls.push(list);
    this.results.push(new SymbolicTensor(out.dtype, out.shape, this, this.calls.length - 1));
    return this.results.at(-1)!;
  }

  /** Whether fit changes its weights; a change counts from the next compile on. */
  get trainable(): boolean {
    return this.config['trainable'] !== false;
  }
  set trainable(trainable: boolean) {
    checkTrainable(trainable);
    if (trainable === this.trainable) return;
    this.put('trainable', trainable);
    ++Layer.changes;
  }
  private theCall(what: string): number {
    if (this.calls.length === 0) this.home?.join(this);
    const count = this.calls.length;
    if (count === 1) return 0;
    throw new Error(
      count ? `${this.name}.${what}: the layer was applied ${count} times, keep what apply() gives` : `${this.name}.${what}: the layer is not joined to others yet: apply it, or add it to a model`,
    );
  }
  /** What its one call gave. */
  get output(): SymbolicTensor {
    return this.results[this.theCall('output')]!;
  }
  get input(): SymbolicTensor | SymbolicTensor[] {
    const [only, ...more] = this.calls[this.theCall('input')]!;
    return only ? (more.length ? [only, ...more] : only) : this.output;
  }

  private get model(): LayerHome {
    const model = this.owner ?? this.home;
    if (!model) throw new Error(`The layer ${this.name} has no weights yet: they are made with the model that it belongs to`);
    return model;
  }
  get weights(): ModelWeight[] {
    return this.model.weightsOf(this);
  }
  get trainableWeights(): ModelWeight[] {
    return this.weights.filter((w) => w.trainable);
  }
  get nonTrainableWeights(): ModelWeight[] {
    return this.weights.filter((w) => !w.trainable);
  }
  countParams(): number {
    return this.weights.reduce((n, w) => n + w.shape.reduce((a, b) => a * b, 1), 0);
  }
  getWeights(): Tensor[] {
    return this.model.valuesOf(this);
  }
  setWeights(values: Tensor[]): void {
    this.model.setValuesOf(this, values);
  }
}

export function checkTrainable(value: unknown): void {
  if (typeof value !== 'boolean') throw new Error(`trainable is true or false, got ${shown(value)}`);
}

/** A second model cannot have a layer's weights, and new ones in its place would not be what was asked for. */
export function refuseShared(layer: Layer): never {
  const {owner} = layer;
  if (owner!.isDisposed) throw new Error(`The layer ${layer.name} belonged to the model ${owner!.name}, which was disposed of with its weights: make a new layer`);
  throw new Error(
    `The layer ${layer.name} already belongs to the model ${owner!.name}, whose weights a second model cannot share yet: ` +
      `make new layers, and give them the values of getWeights() with setWeights()`,
  );
}

/** Where a functional model begins. */
export function input(args: {shape?: Shape | number; batchShape?: Shape; name?: string; dtype?: DataType}): SymbolicTensor {
  const shape = args.batchShape ?? (args.shape != null ? [null, ...[args.shape].flat()] : undefined);
  if (!shape) throw new Error('tf.input needs a shape, such as {shape: [784]}');
  const layer = new Layer('InputLayer', {name: args.name, batchInputShape: shape, dtype: args.dtype ?? 'float32'});
  layer.calls.push([]);
  layer.results.push(new SymbolicTensor(args.dtype ?? 'float32', shape, layer, 0));
  return layer.results[0]!;
}

type Factories = {[name in LayerName]: (args?: LayerArgs | null) => Layer};
const factories = Object.fromEntries(
  Object.entries(layerClasses).map(([name, className]) => [name, (args?: LayerArgs | null) => new Layer(className, args)]),
) as Factories;

export const layers = {
  ...factories,
  inputLayer: (args?: LayerArgs | null) => new Layer('InputLayer', args),
  avgPool2d: factories.averagePooling2d,
  avgPooling2d: factories.averagePooling2d,
  maxPool2d: factories.maxPooling2d,
  globalMaxPool2d: factories.globalMaxPooling2d,
  globalAvgPool2d: factories.globalAveragePooling2d,
};

// ---- choices by name ------------------------------------------------------------------------------------------------------------

const described = (className: string) => (config: Record<string, unknown> = {}): Described => ({
  class_name: className,
  config: {...config},
});

export const initializers = {
  zeros: described('Zeros'),
  ones: described('Ones'),
  constant: described('Constant'),
  randomUniform: described('RandomUniform'),
  randomNormal: described('RandomNormal'),
  truncatedNormal: described('TruncatedNormal'),
  identity: described('Identity'),
  varianceScaling: described('VarianceScaling'),
  glorotUniform: described('GlorotUniform'),
  glorotNormal: described('GlorotNormal'),
  heUniform: described('HeUniform'),
  heNormal: described('HeNormal'),
  leCunUniform: described('LecunUniform'),
  leCunNormal: described('LecunNormal'),
  orthogonal: described('Orthogonal'),
};
export const regularizers = {l1: described('L1'), l2: described('L2'), l1l2: described('L1L2')};
export const constraints = {
  maxNorm: described('MaxNorm'),
  minMaxNorm: described('MinMaxNorm'),
  nonNeg: described('NonNeg'),
  unitNorm: described('UnitNorm'),
};
/** For fit: run by the engine between epochs. */
export const callbacks = {
  earlyStopping: described('EarlyStopping'),
  reduceLROnPlateau: described('ReduceLROnPlateau'),
  /** Saves with the optimizer's state: modelCheckpoint({filepath: 'indexeddb://best', monitor: 'val_loss', saveBestOnly: true}). */
  modelCheckpoint: described('ModelCheckpoint'),
  terminateOnNaN: described('TerminateOnNaN'),
};
/** Learning rates that change from step to step, as Keras describes them. */
export const schedules = {
  exponentialDecay: described('ExponentialDecay'),
  inverseTimeDecay: described('InverseTimeDecay'),
  polynomialDecay: described('PolynomialDecay'),
  piecewiseConstantDecay: described('PiecewiseConstantDecay'),
  cosineDecay: described('CosineDecay'),
  cosineDecayRestarts: described('CosineDecayRestarts'),
};
