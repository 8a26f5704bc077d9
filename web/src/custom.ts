// Layers that a program writes itself.
//
//   class Scale extends tf.layers.Layer {
//     static className = 'Scale';
//     build(inputShape) {
//       this.factor = this.addWeight('factor', [inputShape.at(-1)], 'float32', tf.initializers.ones());
//     }
//     call(inputs) {
//       return inputs[0].mul(this.factor.read());
//     }
//   }
//   tf.serialization.registerClass(Scale);
//
// `call` runs once for each size of batch, when a step is planned (trace.ts): it is written with ops alone.

import {call, withArguments} from './engine.js';
import {layerClasses} from './generated/tables.js';
import {alone as models, factoriesOfLayers, inKerasNames, Layer, type CallArgs} from './layers.js';
import {LayersModel} from './model.js';
import type {Described, Shape} from './predictor.js';
import {flagOf, shown} from './samples.js';
import type {SymbolicType} from './symbolic.js';
import {handleOf, keep, Tensor, type DataType} from './tensor.js';
import type {Config, SerializableConstructor} from './serialization.js';
import {describedFunction, isApplied, numberOf} from './trace.js';
import {tracing} from './tracing.js';
import {LayerVariable} from './weights.js';

// Of layers that were traced, not in them, whose names are the program's: what it keeps in them, as the last call has left it; how often it
// has changed that; and the layers that they have called.
const seen = new WeakMap<CustomLayer, {fields: Fields; changes: number; called: Set<CustomLayer>}>();
/** Those that are being traced. */
const open: CustomLayer[] = [];

const kOfAllLayers = new Set(Object.keys(new Layer('Layer', {name: 'layer'})));
// Lists and plain objects within each other: they may go round.
const kDeepest = 5;

/**
 * What a program keeps in a layer, as it was at the last look: numbers, texts and flags, also those in lists and plain objects; of anything
 * else, which it is.
 */
class Fields {
  readonly #seen: unknown[] = [];
  #at = 0;
  #differs = false;

  /** Whether it is other now. */
  differ(layer: CustomLayer): boolean {
    this.#at = 0;
    this.#differs = false;
    this.#look(layer, 0);
    if (this.#seen.length === this.#at) return this.#differs;
    this.#seen.length = this.#at;
    return true;
  }
  #look(value: unknown, depth: number): void {
    if (typeof value !== 'object' || value === null || depth > kDeepest) return this.#note(value);
    if (Array.isArray(value) || ArrayBuffer.isView(value)) {
      const {length} = value as unknown[];
      this.#note(length);
      for (let i = 0; i < length; ++i) this.#look((value as unknown[])[i], depth + 1);
    } else if (!depth || Object.getPrototypeOf(value) === Object.prototype) {
      for (const key in value) {
        if (!depth && kOfAllLayers.has(key)) continue;
        this.#note(key);
        this.#look((value as Record<string, unknown>)[key], depth + 1);
      }
    } else {
      this.#note(value);
    }
  }
  #note(value: unknown): void {
    if (!Object.is(this.#seen[this.#at], value)) {
      this.#seen[this.#at] = value;
      this.#differs = true;
    }
    ++this.#at;
  }
}
/** How often the program has changed what calls of these layers have read of them. */
export function changesOf(layers: Iterable<CustomLayer>): number {
  let sum = 0;
  for (const layer of layers) {
    const last = seen.get(layer);
    if (!last) continue;
    if (last.fields.differ(layer)) ++last.changes;
    sum += last.changes + changesOf(last.called);
  }
  return sum;
}

/** What an input has to be. */
export class InputSpec {
  readonly dtype?: DataType;
  readonly shape?: Shape;
  readonly ndim?: number;
  readonly maxNDim?: number;
  readonly minNDim?: number;
  /** Sizes by number of the axis; from the last one, where it is negative. */
  readonly axes: Record<number, number>;

  constructor(args: {dtype?: DataType; shape?: Shape; ndim?: number; maxNDim?: number; minNDim?: number; axes?: Record<number, number>}) {
    this.dtype = args.dtype;
    this.shape = args.shape;
    this.ndim = args.shape ? args.shape.length : args.ndim;
    this.maxNDim = args.maxNDim;
    this.minNDim = args.minNDim;
    this.axes = args.axes ?? {};
  }
  /** What is wrong with an input; nothing where it fits. */
  problem({dtype, shape}: SymbolicType): string | undefined {
    const rank = shape.length;
    if (this.ndim != null && rank !== this.ndim) return `expected ndim=${this.ndim}, found ndim=${rank}`;
    if (this.maxNDim != null && rank > this.maxNDim) return `expected max_ndim=${this.maxNDim}, found ndim=${rank}`;
    if (this.minNDim != null && rank < this.minNDim) return `expected min_ndim=${this.minNDim}, found ndim=${rank}`;
    if (this.dtype != null && dtype !== this.dtype) return `expected dtype=${this.dtype}, found dtype=${dtype}`;
    for (const [axis, size] of Object.entries(this.axes)) {
      const found = shape.at(Number(axis));
      if (size != null && found !== null && found !== size) return `expected axis ${axis} of input shape to have value ${size} but got shape ${shown(shape)}`;
    }
    const differs = this.shape?.some((d, i) => d != null && shape[i] != null && shape[i] !== d);
    return differs ? `expected shape=${this.shape}, found shape=${shape}` : undefined;
  }
}

/** What a weight is made with, as the engine takes it. */
interface WeightArgs {
  name: string;
  shape: number[];
  initializer: unknown;
  regularizer: unknown;
  constraint: unknown;
  trainable: boolean;
}

const alone = <T>(list: T[]): T | T[] => (list.length === 1 ? list[0]! : list);
const kOwn = [...Object.values(layerClasses), 'InputLayer', 'Sequential', 'Functional', 'Model', 'Traced'];
const kBaseArgs = ['name', 'trainable', 'inputShape', 'batchInputShape', 'batchSize', 'inputDType', 'dtype', 'weights', 'activityRegularizer'];

class CustomWeight extends LayerVariable {
  constructor(
    private readonly layer: CustomLayer,
    readonly args: WeightArgs,
  ) {
    super(`${layer.name}/${args.name}`, args.shape, args.trainable, () => layer.variableOf(this));
  }
  override get originalName(): string {
    return this.args.name;
  }
  override read(): Tensor {
    return tracing() ? this.layer.tracedWeight(this) : super.read();
  }
  override write(value: Tensor): this {
    if (!tracing()) return super.write(value);
    if (this.trainable) throw new Error(`the weight ${this.name} is written to in a call: that takes one that was made with trainable = false`);
    call('fj_traceUpdate', handleOf(this.layer.tracedWeight(this)), handleOf(value));
    this.layer.setTracedWeight(this, keep(value.clone()));
    return this;
  }
}

export class CustomLayer extends Layer {
  built = false;
  supportsMasking = false;
  inputSpec: InputSpec | InputSpec[] | null = null;
  #variables: CustomWeight[] = [];
  /** Of each call that is being traced, its weights. */
  readonly #traced: Map<CustomWeight, Tensor>[] = [];
  #callHook?: (inputs: Tensor | Tensor[], kwargs: CallArgs) => void;

  constructor(args: Config | null = {}) {
    const {className} = new.target as unknown as {className?: string};
    if (typeof className !== 'string') throw new Error(`${new.target.name}: a layer of a program needs a static className, by which models that are saved name it`);
    if (kOwn.includes(className)) throw new Error(`${new.target.name}: the className ${className} is that of another layer: choose one of its own`);
    super(className, Object.fromEntries(Object.entries(args ?? {}).filter(([key]) => kBaseArgs.includes(key))));
  }
  // Layers of the engine are layers, too, and models.
  static override [Symbol.hasInstance](x: unknown): boolean {
    return this === CustomLayer ? x instanceof Layer || x instanceof LayersModel : Function.prototype[Symbol.hasInstance].call(this, x);
  }
  static fromConfig(cls: SerializableConstructor, config: Config): unknown {
    return new (cls as unknown as new (config: Config) => unknown)(config);
  }

  // ---- what a program writes ------------------------------------------------------------------------------------------------------

  /** Makes the weights. Shapes have the batch, which is null. */
  override build(_inputShape: Shape | Shape[]): void {
    this.built = true;
  }
  /** What the layer gives. It gets a list of tensors. */
  override call(inputs: Tensor | Tensor[], _kwargs: CallArgs & {mask?: unknown}): Tensor | Tensor[] {
    return inputs;
  }
  override computeOutputShape(inputShape: Shape | Shape[]): Shape | Shape[] {
    return inputShape;
  }
  /** The mask of the output. */
  computeMask(_inputs: Tensor | Tensor[], mask?: Tensor | Tensor[]): Tensor | (Tensor | null)[] | null {
    const list = [mask].flat().filter((m) => m != null);
    if (!this.supportsMasking && list.length) throw new Error(`Layer ${this.name} does not support masking, but was passed an inputMask.`);
    return mask ?? null;
  }
  override getConfig(): Config {
    const {name, trainable, written} = this;
    const {batchInputShape, dtype} = written;
    return {name, trainable, ...(batchInputShape ? {batchInputShape} : {}), dtype: dtype ?? 'float32'};
  }

  // ---- what it is given -----------------------------------------------------------------------------------------------------------

  /** A weight of this layer, to be made in `build`. Initializers, regularizers and constraints are those of tf.initializers and so on, or named. */
  addWeight(name: string, shape: Shape, dtype?: DataType | null, initializer?: unknown, regularizer?: unknown, trainable?: boolean | null, constraint?: unknown): LayerVariable {
    const fail = (words: string): never => {
      throw new Error(`${this.name}: addWeight: ${words}`);
    };
    if (typeof name !== 'string' || !name) fail(`name is a text, got ${shown(name)}`);
    if (this.#variables.some((v) => v.args.name === name)) fail(`Duplicate weight name ${name} for layer ${this.name}`);
    if (!Array.isArray(shape) || !shape.every((d) => Number.isInteger(d) && d! > 0)) fail(`the shape of ${name} is a list of sizes, got ${shown(shape)}`);
    if ((dtype ?? 'float32') !== 'float32') fail(`dtype of ${name} must be 'float32', got ${shown(dtype)}`);
    if (typeof initializer === 'function' || isApplied(initializer)) fail(`the initializer of ${name} is one of tf.initializers, or its name, not a function`);
    const args = {
      name, shape: shape as number[], initializer: initializer ?? 'glorotUniform', trainable: flagOf(trainable, 'trainable', true),
      regularizer: describedFunction(regularizer, 'regularizer') ?? regularizer ?? null, constraint: describedFunction(constraint, 'constraint') ?? constraint ?? null,
    };
    const made = new CustomWeight(this, args);
    this.#variables.push(made);
    if (this.#traced.length) this.#declare(made);
    return made;
  }
  invokeCallHook(inputs: Tensor | Tensor[], kwargs: CallArgs): void {
    this.#callHook?.(inputs, kwargs);
  }
  setCallHook(hook: (inputs: Tensor | Tensor[], kwargs: CallArgs) => void): void {
    this.#callHook = hook;
  }
  clearCallHook(): void {
    this.#callHook = undefined;
  }
  addLoss(): void {
    throw new Error(`${this.name}: addLoss is not supported: a regularizer of a weight, activityRegularizer, or the loss of the model adds what is to be added`);
  }

  // ---- as the engine sees it --------------------------------------------------------------------------------------------------------

  /** Other layers say that they are instances of this class, too. */
  readonly isOfProgram = true;
  override inKerasNames(): Described {
    return {class_name: this.className, config: inKerasNames(this.getConfig()) as Config};
  }
  override asWritten(): Described {
    return {class_name: this.className, config: {...this.inKerasNames().config, ...this.config}};
  }
  protected override get describedWithin(): Described {
    return {class_name: 'Traced', config: {number: numberOf(this, this), name: this.name}};
  }
  override typesFor(inputs: readonly SymbolicType[]): SymbolicType[] {
    this.#checkInputs(inputs);
    const shape = this.computeOutputShape(alone(inputs.map((t) => t.shape)));
    const shapes = Array.isArray(shape[0]) ? (shape as Shape[]) : [shape as Shape];
    return shapes.map((one) => ({dtype: 'float32', shape: one}));
  }
  #checkInputs(inputs: readonly SymbolicType[]): void {
    const specs = [this.inputSpec ?? []].flat();
    if (specs.length && specs.length !== inputs.length) throw new Error(`Layer ${this.name} expects ${specs.length} inputs, but it received ${inputs.length} input tensors.`);
    specs.forEach((spec, i) => {
      const problem = spec?.problem(inputs[i]!);
      if (problem) throw new Error(`Input ${i} is incompatible with layer ${this.name}: ${problem}`);
    });
  }

  /** Its weights are named, and made, in the order in which `build` has added them. */
  traceCall(inputs: Tensor[], masks: (Tensor | undefined)[], training: boolean) {
    const tensors = new Map<CustomWeight, Tensor>();
    changesOf([this]);
    // One that calls itself is refused, later.
    if (open.length && !open.includes(this)) seen.get(open.at(-1)!)!.called.add(this);
    if (!seen.has(this)) seen.set(this, {fields: new Fields(), changes: 0, called: new Set()});
    open.push(this);
    this.#traced.push(tensors);
    try {
      for (const v of this.#variables) this.#declare(v);
      // A program may have called build itself.
      if (!this.built && !this.#variables.length) this.#buildFor(inputs);
      const mask = masks.some((m) => m) ? (alone(masks) as Tensor) : undefined;
      const outputs = this.call(inputs, {training, ...(mask ? {mask} : {})});
      return {outputs, masks: mask ? [this.computeMask(alone(inputs), mask)].flat() : undefined};
    } finally {
      open.pop();
      this.#traced.pop();
      // A call may change them itself.
      seen.get(this)!.fields.differ(this);
      for (const t of tensors.values()) t.dispose();
    }
  }
  /** The shapes that `build` gets. */
  protected shapesOf(inputs: Tensor[]): Shape | Shape[] {
    return alone(inputs.map(({shape}) => [null, ...shape.slice(1)]));
  }
  #buildFor(inputs: Tensor[]): void {
    try {
      this.build(this.shapesOf(inputs));
      this.built = true;
      this.#checkInputs(inputs);
    } catch (error) {
      this.built = false;
      this.#variables = [];
      throw error;
    }
  }
  #declare(v: CustomWeight): void {
    this.setTracedWeight(v, keep(new Tensor(withArguments((a) => call('fj_traceWeight', a.json(v.args))))));
  }
  // Where a program has called build, and nothing else has told what the layer is to take.
  protected override modelAlone(): LayersModel | undefined {
    const applied = super.modelAlone();
    if (applied || !this.#variables.length) return applied;
    const model = models.model!(new Weights(this.name, this.#variables.map((v) => v.args)), [{dtype: 'float32', shape: [null, 1]}]);
    this.modelsAlone.set('', model);
    this.homeModels.add(model, this.name);
    return model;
  }
  protected override get isUnused(): boolean {
    return !this.#variables.length && super.isUnused;
  }
  setTracedWeight(v: CustomWeight, t: Tensor): void {
    const tensors = this.#traced.at(-1)!;
    tensors.get(v)?.dispose();
    tensors.set(v, t);
  }
  tracedWeight(v: CustomWeight): Tensor {
    const found = this.#traced.at(-1)?.get(v);
    if (!found) throw new Error(`it reads the weight ${v.name} of another layer`);
    return found;
  }
  variableOf(v: CustomWeight) {
    const found = this.weights.find((w) => w.name.endsWith(`/${v.args.name}`));
    if (!found) throw new Error(`The weight ${v.name} is not there yet: it is made with the model that the layer belongs to`);
    return found.val;
  }
}

/** Weights by themselves: a layer that does nothing. */
export class Weights extends CustomLayer {
  static className = 'Weights';

  constructor(
    name: string,
    private readonly list: Pick<WeightArgs, 'name' | 'shape' | 'initializer'>[],
  ) {
    super({name, inputShape: [1]});
  }
  override build(): void {
    for (const {name, shape, ...args} of this.list as WeightArgs[]) this.addWeight(name, shape, null, args.initializer, args.regularizer, args.trainable, args.constraint);
  }
}

/** A step of a recurrent layer, tf.layers.rnn({cell}): `call` gets [x, ...states] and gives [y, ...states], those after the step. */
export abstract class RNNCell extends CustomLayer {
  /** The sizes of its states, without the batch. */
  abstract stateSize: number | number[];

  protected override get describedWithin(): Described {
    const {class_name, config} = super.describedWithin;
    return {class_name, config: {...config, state_sizes: [this.stateSize].flat()}};
  }
  /** A cell is built for x alone. */
  protected override shapesOf([x]: Tensor[]): Shape {
    return [null, ...x!.shape.slice(1)];
  }
}

/** The numbers of the layers of programs with the paths of their weights, as the engine takes them. */
export const numbersOf = (paths: ReadonlyMap<object, string>): [string, number][] =>
  [...paths].flatMap(([layer, path]) => ('isOfProgram' in layer ? [[path, numberOf(layer, layer as CustomLayer)] as [string, number]] : []));

export const layers = {...factoriesOfLayers, Layer: CustomLayer, RNNCell};
