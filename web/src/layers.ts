// Layers as descriptions: a layer is Keras JSON, and the engine knows what it means. Applying layers to symbolic tensors
// records how they are joined.

import {callForJson, withArguments} from './engine.js';
import {layerClasses, type ActivationName, type LayerName} from './generated/tables.js';
import {shown} from './samples.js';
import type {DataType, Tensor} from './tensor.js';

/** Keras writes snake_case: kernelSize is kernel_size. */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`);
}

export type Shape = (number | null)[];

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

export interface Described {
  class_name: string;
  config: Record<string, unknown>;
}

/** Arguments in camelCase, as TensorFlow.js names them; what they mean is Keras's. */
export interface LayerArgs {
  name?: string;
  inputShape?: Shape;
  batchInputShape?: Shape;
  trainable?: boolean;
  activation?: ActivationName | (string & {});
  units?: number;
  [argument: string]: unknown;
}

const counts = new Map<string, number>();
export function uniqueName(className: string): string {
  const base = className.replace(/(?<=[a-z0-9])[A-Z]|(?<=[A-Z])[A-Z](?=[a-z])/g, (c) => `_${c}`).toLowerCase();
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
  weightsOf(layer: Layer): LayerWeight[];
  valuesOf(layer: Layer): Tensor[];
  setValuesOf(layer: Layer, values: Tensor[]): void;
}
export interface LayerWeight {
  name: string;
  shape: number[];
  trainable: boolean;
}

export class Layer {
  /** Changes of `trainable`, of all layers and models. */
  static changes = 0;
  readonly name: string;
  readonly config: Record<string, unknown> = {};
  /** The inputs of each call, and what it gave. */
  readonly calls: SymbolicTensor[][] = [];
  readonly results: SymbolicTensor[] = [];
  /** The model that it was put into last, and the one that has its weights. */
  home?: LayerHome;
  owner?: LayerHome;

  constructor(
    readonly className: string,
    args: LayerArgs = {},
  ) {
    this.name = args.name ?? uniqueName(className);
    for (const [key, value] of Object.entries(args)) {
      if (value === undefined) continue;
      if (key === 'inputShape') {
        this.config['batch_input_shape'] = [null, ...(value as Shape)];
      } else {
        this.config[snakeCase(key)] = value;
      }
    }
    this.config['name'] = this.name;
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

  /** Joins the layer to what others give. */
  apply(inputs: SymbolicTensor | SymbolicTensor[]): SymbolicTensor {
    const list = [inputs].flat();
    if (!list.every((t) => t instanceof SymbolicTensor)) {
      throw new Error(`${this.name}: apply takes what tf.input() or another layer's apply() gives; for values use a model's predict`);
    }
    const types = list.map((t) => ({dtype: t.dtype, shape: t.shape}));
    const out = withArguments((a) =>
      callForJson<{dtype: DataType; shape: Shape}>('fj_layerShape', a.text(this.className), a.json(this.config), a.json(types)),
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
    this.config['trainable'] = trainable;
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
  get weights(): LayerWeight[] {
    return this.model.weightsOf(this);
  }
  get trainableWeights(): LayerWeight[] {
    return this.weights.filter((w) => w.trainable);
  }
  get nonTrainableWeights(): LayerWeight[] {
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
export function input(args: {shape?: Shape; batchShape?: Shape; name?: string; dtype?: DataType}): SymbolicTensor {
  const shape = args.batchShape ?? (args.shape ? [null, ...args.shape] : undefined);
  if (!shape) throw new Error('tf.input needs a shape, such as {shape: [784]}');
  const layer = new Layer('InputLayer', {name: args.name, batchInputShape: shape, dtype: args.dtype ?? 'float32'});
  layer.calls.push([]);
  layer.results.push(new SymbolicTensor(args.dtype ?? 'float32', shape, layer, 0));
  return layer.results[0]!;
}

type Factories = {[name in LayerName]: (args?: LayerArgs) => Layer};
const factories = Object.fromEntries(
  Object.entries(layerClasses).map(([name, className]) => [name, (args?: LayerArgs) => new Layer(className, args)]),
) as Factories;

export const layers = {
  ...factories,
  inputLayer: (args: {inputShape?: Shape; batchInputShape?: Shape; name?: string}) =>
    new Layer('InputLayer', {name: args.name, batchInputShape: args.batchInputShape ?? [null, ...(args.inputShape ?? [])]}),
  avgPool2d: factories.averagePooling2d,
  avgPooling2d: factories.averagePooling2d,
  maxPool2d: factories.maxPooling2d,
  globalMaxPool2d: factories.globalMaxPooling2d,
  globalAvgPool2d: factories.globalAveragePooling2d,
};

// ---- choices by name ------------------------------------------------------------------------------------------------------------

const described = (className: string) => (config: Record<string, unknown> = {}): Described => ({
  class_name: className,
  config: Object.fromEntries(Object.entries(config).map(([key, value]) => [snakeCase(key), value])),
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
