// What a model is made of: its layers and how they are joined, described in Keras JSON; and its weights, which the engine holds, and which
// other models may have, too. model.ts trains it.

import {call, callForJson, engine, heap, withArguments} from './engine.js';
import {changesOf, numbersOf, type CustomLayer} from './custom.js';
import {Homes, type LayerHome} from './homes.js';
import {type CallArgs, checkTrainable, type Disposal, inCamelCase, Layer, layersWithin, trainingOf} from './layers.js';
import type {AnyLayer, LayersModel} from './model.js';
import {theirOrder} from './order.js';
import {Home} from './place.js';
import {first, free, Predictor, type Described, type ModelInfo, type ModelWeight, type Shape} from './predictor.js';
import {modelWeights} from './gradients.js';
import {tensorsOf, type Data} from './samples.js';
import {hasOwnWithin, pathsOf, type Describe} from './saved.js';
import {Calls, inBatch, symbolicOf, type Ends, type ModelGraph, type Ref, type SymbolicTensor, type SymbolicType} from './symbolic.js';
import {handleOf, Tensor, tensor, tidy} from './tensor.js';
import {there} from './there.js';
import {withClasses} from './trace.js';
import {refuseTraced, tracing} from './tracing.js';
import {uniqueName} from './unique.js';
import {brandPart, refuseForeignPart} from './values.js';
import {LayerVariable, WeightVariable, type WeightOwner} from './weights.js';

export interface ModelOptions {
  seed?: number;
  name?: string;
  className?: string;
  /** The engine's, of a model that it has already. */
  handle?: number;
  ends?: Ends;
  /** The description in the file that it comes from: the weights are that file's. */
  saved?: Described;
  /** Whether weights begin as their initializers say, though there is a file. */
  draws?: boolean;
  /** Of a model in a model that comes from a file: that one has its weights. */
  isPart?: boolean;
  trainable?: boolean;
}

/** By handle, for who has one of the engine. */
const models = new Map<number, WeakRef<Assembled>>();
const gone = new FinalizationRegistry<number>((handle) => models.delete(handle));
modelWeights.variable = (handle, index) => models.get(handle)!.deref()!['variableAt'](index);

export class Assembled extends Predictor implements LayerHome {
  readonly className: string;
  /** As a layer of others. */
  readonly symbolicCalls = new Calls(this as unknown as LayersModel);
  readonly homeModels = new Homes();
  protected seed: number;
  #saved?: Described;
  protected ends?: Ends;
  readonly #isPart: boolean;
  readonly #draws: boolean;
  /** What it is a part of. */
  #whole?: Assembled;
  #isSharing = false;
  #isBySample = true;
  protected home = new Home(() => this.built, this.held, () => (this.#isSharing || !this.#isBySample ? 'wasm' : undefined));
  #isTrainable = true;
  #isBeingBuilt = false;
  /** Whether it has got other layers since the engine's was made. */
  #isOld = false;
  /** The weights as the engine has made them: trainable are those that are so where no layer and no model says otherwise. */
  #made: ModelWeight[] = [];
  /** Weights that were asked for as variables. */
  readonly #variables = new Map<number, WeightVariable>();
  readonly #weightOwner: WeightOwner = {isDisposed: () => this.isDisposed, handle: () => this.built, check: (what) => this.home.gpu?.check(what), changed: () => this.home.gpu?.upload()};
  /** Layer.changes, and all flags, when the engine was told last. */
  #seenChanges = 0;
  /** Layers of the program, and the sum of their changes then. */
  #ofProgram: CustomLayer[] = [];
  #seenFields = 0;
  protected flags = '';

  constructor(
    /** Of the whole model, of each of its layers what the function says. */
    protected description: (one: Describe) => Described,
    public layers: AnyLayer[],
    options: ModelOptions = {},
  ) {
    super(options.name ?? uniqueName('Model'), options.handle);
    this.className = options.className ?? options.saved?.class_name ?? 'Functional';
    this.#saved = options.saved;
    this.ends = options.ends;
    this.seed = options.seed ?? (Math.random() * 2 ** 31) | 0;
    this.#isTrainable = options.trainable ?? options.saved?.config['trainable'] !== false;
    this.#isPart = options.isPart ?? false;
    this.#draws = options.draws ?? false;
    this.#seenChanges = Layer.changes;
    this.flags = this.#flagsOf(this.#isTrainable);
    for (const l of layers) {
      if (l instanceof Layer) l.joinedModel = this;
      else if (l.isAPart) l.belongTo(this);
    }
    if (this.#handle) this.#own();
  }
  /** @internal */
  get isAPart(): boolean {
    return this.#isPart;
  }
  /** @internal */
  belongTo(whole: Assembled): void {
    this.#whole ??= whole;
  }

  // ---- description --------------------------------------------------------------------------------------------------------------

  get #handle(): number {
    return this.held.handle;
  }
  /** The engine's handle; the weights are made on first use. */
  protected override get built(): number {
    if (this.isDisposed) return super.built;
    if (!this.isBuilt) {
      if (this.#isBeingBuilt) throw new Error(`The weights of ${this.name} are asked for while they are made: a call of a layer reads what addWeight has given, by read()`);
      this.#isBeingBuilt = true;
      try {
        this.#makeWeights();
      } finally {
        this.#isBeingBuilt = false;
      }
    }
    if (this.#seenChanges !== Layer.changes) this.#tellFlags();
    if (!tracing()) this.#followLayers();
    return this.#handle;
  }
  /** What a layer of the program has read of itself, when steps were planned, may have changed: they are planned anew. */
  #followLayers(): void {
    const changes = changesOf(this.#ofProgram);
    if (changes === this.#seenFields) return;
    this.#seenFields = changes;
    call('fj_modelForgetPlans', this.#handle);
  }
  /** Makes the weights now. */
  build(): void {
    void this.built;
  }
  #makeWeights(): void {
    const names = this.layers.map((l) => l.name);
    const twice = names.find((name, i) => names.indexOf(name) < i);
    if (twice) throw new Error(`Two layers of the model are named ${twice}`);
    const [shared, old] = [this.#lent(), this.#handle];
    const given = [...shared.map(({at, model, path}) => [at, model.#handle, path]), ...numbersOf(pathsOf(this.layers))];
    const description = this.#saved && !this.layers.some(hasOwnWithin) ? this.#saved : this.#described();
    this.held.handle = withArguments((a) => call('fj_model', a.json(description), this.seed, this.#saved && !this.#draws ? 0 : 1, given.length ? a.json(given) : 0));
    if (old) engine().fj_modelFree(old);
    this.#isOld = false;
    for (const {model} of shared) if (model !== this) model.#isSharing = this.#isSharing = true;
    this.#own();
    if (!this.#saved) this.#beginLayers();
  }
  /** In the program's words; what stands in it more than once has a number. */
  #described(): Described {
    const times = new Map<AnyLayer, number>();
    this.#walk((l) => times.set(l, (times.get(l) ?? 0) + 1));
    const repeated = [...times].filter(([, n]) => n > 1).map(([l]) => l);
    const one: Describe = (l) => {
      const described = l instanceof Layer ? l.asWritten() : l.description(one);
      return repeated.includes(l) ? {...described, shared_object_id: repeated.indexOf(l) + 1} : described;
    };
    return this.description(one);
  }
  /** All layers, those of inner models after these, with the paths that name their weights: those of the first place. */
  #walk(visit: (layer: AnyLayer, path: string) => void, prefix = '', first = new Map<AnyLayer, string>()): void {
    for (const l of this.layers) {
      const path = first.get(l) ?? prefix + l.name;
      first.set(l, path);
      visit(l, path);
      if (l instanceof Assembled) l.#walk(visit, `${path}/`, first);
    }
  }
  /** The layers whose weights another model has made, with their paths here and there. */
  #lent(): {at: string; model: Assembled; path: string}[] {
    if (this.#whole && !this.#whole.isDisposed) void this.#whole.built;
    const own = this.#isPart ? this.homeModels.of(this.name) : undefined;
    const lent = own ? [{at: '', model: own.model as Assembled, path: own.path}] : [];
    this.#walk((l, at) => {
      if (l instanceof Assembled && !l.isAPart) void l.built;
      const home = l.homeModels.of(l.name);
      if (l instanceof Layer && home && !own) lent.push({at, model: home.model as Assembled, path: home.path});
    });
    for (const {model} of lent) {
      model.home.gpu?.check('the weights of another model');
      model.home.drop();
    }
    return lent;
  }
  /** The weights that layers were made with; where one has others, the model is not built. */
  #beginLayers(): void {
    const list = this.layers.filter((l) => l instanceof Layer);
    try {
      for (const l of list) {
        if (l.firstValues) tidy(() => l.setWeights(l.firstValues!.map(({shape, values}) => tensor(values, shape))));
      }
      for (const l of list) l.firstValues = undefined;
    } catch (error) {
      free(this.held);
      for (const l of list) l.homeModels.remove(this);
      throw error;
    }
  }
  protected get isBuilt(): boolean {
    return this.#handle !== 0 && !this.#isOld;
  }
  /** Before a row gets other layers. The next use makes it anew, with the weights of those that stay. */
  protected change(): void {
    this.home.gpu?.check('add or pop');
    this.home.drop();
    this.#releaseVariables();
    this.#saved = this.outputCount = undefined;
    this.#isOld = true;
  }
  /** Before a layer leaves: it keeps its weights. */
  protected release(layer: AnyLayer): void {
    const [home, other] = layer.homeModels.all;
    if (!(layer instanceof Layer)) void (layer.isAPart && layer.built);
    else if (home?.model === this && !other) tidy(() => layer.begin(this.valuesAt(home.path, false)));
    for (const l of pathsOf([layer]).keys()) l.homeModels.remove(this);
    if (layer instanceof Layer && layer.joinedModel === this) layer.joinedModel = undefined;
  }
  /** The weights are this model's from now on, too. */
  #own(): void {
    models.set(this.#handle, new WeakRef(this));
    gone.register(this, this.#handle);
    // A description does not say all of it.
    this.flags = '';
    this.#tell(this.#flagsOf(true, true));
    const {weights, bySample} = callForJson<ModelInfo>('fj_modelInfo', this.#handle);
    this.#made = weights;
    this.#tellFlags();
    this.#isBySample = bySample;
    this.#ofProgram = [];
    this.#walk((l, path) => {
      for (const one of l instanceof Layer ? [l, ...layersWithin(l)] : []) if ('isOfProgram' in one) this.#ofProgram.push(one as CustomLayer);
      if (this.#saved || l instanceof Assembled || weights.some((w) => w.name.startsWith(`${path}/`))) l.homeModels.add(this, path);
    });
  }
  #flagsOf(model: boolean, all = false): string {
    const layers: Record<string, boolean> = {};
    this.#walk((l, path) => (layers[path] = all || l.trainable));
    return JSON.stringify({model, layers});
  }
  #tell(flags: string): void {
    if (flags !== this.flags) withArguments((a) => call('fj_modelTrainable', this.#handle, a.text(flags)));
    this.flags = flags;
  }
  #tellFlags(): void {
    this.#tell(this.#flagsOf(this.#isTrainable));
    this.#seenChanges = Layer.changes;
  }
  /** Whether fit changes any weights; a change, like that of a layer, counts from the next compile on. */
  get trainable(): boolean {
    return this.#isTrainable;
  }
  set trainable(trainable: boolean) {
    checkTrainable(trainable);
    this.#isTrainable = trainable;
    for (const l of this.layers) if (l instanceof Layer) l.isHeld = !trainable;
    ++Layer.changes;
  }
  /** Sees to it that the model's layers are joined by symbolic tensors: those of a row, or of a file, by what the engine has of them. */
  join(): void {
    if (this.ends) return;
    const graph = callForJson<ModelGraph>('fj_modelGraph', this.built);
    const given = new Map<string, SymbolicTensor[]>();
    const find = ([layer, node, output]: Ref) => given.get(`${layer} ${node}`)![output]!;
    const begins = this.info().inputs;
    graph.inputs.forEach(([name, node], i) => {
      const {dtype, shape: open} = begins[i]!;
      const shape = [this.#batchOf(name), ...open.slice(1)];
      const layer = this.layers.find((l) => l.name === name) ?? new Layer('InputLayer', {name, batchInputShape: shape, dtype});
      given.set(`${name} ${node}`, layer.symbolicCalls.list[0]?.outputs ?? layer.symbolicCalls.add([], [{dtype, shape}]));
    });
    for (const {layer: name, node, inputs, outputs, arguments: args} of graph.calls) {
      const list = inputs.map(find);
      given.set(`${name} ${node}`, this.getLayer(name).symbolicCalls.add(list, inBatch(list, outputs), args));
    }
    this.ends = {inputs: graph.inputs.map(find), outputs: graph.outputs.map(find)};
  }
  /** The size of a batch that one of its inputs was given, or the first layer of a row. */
  #batchOf(input: string): number | null {
    const layer = this.layers.find((l) => l.name === input) ?? this.layers[0]!;
    return (layer instanceof Layer ? layer.batchInputShape : layer.inputs[0]!.shape)?.[0] ?? null;
  }
  get #joined(): Ends {
    this.join();
    return this.ends!;
  }
  get inputs(): SymbolicTensor[] {
    return this.#joined.inputs;
  }
  get outputs(): SymbolicTensor[] {
    return this.#joined.outputs;
  }
  get input(): SymbolicTensor | SymbolicTensor[] {
    return first(this.inputs);
  }
  override get outputShape(): Shape | Shape[] {
    return first(this.outputs.map((t) => t.shape));
  }
  get output(): SymbolicTensor | SymbolicTensor[] {
    return first(this.outputs);
  }
  getLayer(nameOrIndex: string | number | null | undefined, index = typeof nameOrIndex === 'number' ? nameOrIndex : undefined): AnyLayer {
    const layer = index !== undefined ? this.layers[index] : this.layers.find((l) => l.name === nameOrIndex);
    if (!layer) throw new Error(`The model has no layer ${index ?? nameOrIndex}; it has ${this.layers.map((l) => l.name).join(', ')}`);
    return layer;
  }
  getClassName(): string {
    return this.className;
  }
  /** Its layers with all of their arguments, and how they are joined. */
  getConfig(): Record<string, unknown> {
    return inCamelCase(this.description((l) => ({class_name: l.getClassName(), config: l.getConfig()})).config) as Record<string, unknown>;
  }
  /** For files. @internal */
  inKerasNames(): Described {
    return this.description((l) => l.inKerasNames());
  }
  /** For the engine, as a part of another description. @internal */
  asWritten(): Described {
    return this.#described();
  }
  protected override get topology(): Described {
    return withClasses(this.isBuilt ? super.topology : this.inKerasNames());
  }

  // ---- weights --------------------------------------------------------------------------------------------------------------------

  protected override weightTensors(wanted: (w: ModelWeight) => boolean, weights?: ModelWeight[]): Tensor[] {
    refuseTraced(`reads the weights of ${this.name}`);
    this.home.gpu?.check('getWeights');
    return super.weightTensors(wanted, weights);
  }
  override setWeights(values: Tensor[]): void {
    super.setWeights(values);
    this.home.gpu?.upload();
  }
  protected override order(): number[] {
    return theirOrder(this, this.#made);
  }
  override get weights(): LayerVariable[] {
    const {weights} = this.info();
    return this.order().map((i) => new LayerVariable(weights[i]!.name, weights[i]!.shape, weights[i]!.trainable, () => this.variableAt(i)));
  }
  override get trainableWeights(): LayerVariable[] {
    return this.weights.filter((w) => w.trainable);
  }
  override get nonTrainableWeights(): LayerVariable[] {
    return this.weights.filter((w) => !w.trainable);
  }
  /** A weight as a variable. */
  variableAt(index: number): WeightVariable {
    const {name, trainable} = this.info().weights[index]!;
    let made = this.#variables.get(index);
    if (!made) this.#variables.set(index, (made = new WeightVariable(this.#weightOwner, index, name, trainable)));
    made.trainable = trainable;
    return made;
  }
  #releaseVariables(): void {
    for (const variable of this.#variables.values()) variable.release();
    this.#variables.clear();
  }
  override dispose(): Disposal {
    const weights = this.isBuilt && !this.isDisposed ? this.info().weights : [];
    this.#releaseVariables();
    super.dispose();
    const kept = [...pathsOf(this.layers)].filter(([l]) => l.homeModels.all.length).map(([, path]) => `${path}/`);
    return {refCountAfterDispose: 0, numDisposedVariables: weights.filter(({name}) => !kept.some((path) => name.startsWith(path))).length};
  }
  /** @internal */
  weightsAt(path: string): LayerVariable[] {
    return this.weights.filter((w) => w.name.startsWith(`${path}/`));
  }
  /** @internal */
  valuesAt(path: string, trainableOnly: boolean): Tensor[] {
    void this.built;
    return this.weightTensors((w) => w.name.startsWith(`${path}/`) && (w.trainable || !trainableOnly), trainableOnly ? undefined : this.#made);
  }
  /** @internal */
  setValuesAt(path: string, values: Tensor[]): void {
    const {built} = this;
    const places = this.order().filter((i) => this.#made[i]!.name.startsWith(`${path}/`));
    if (values.length !== places.length) throw new Error(`The layer ${path} has ${places.length} weights, got ${values.length}`);
    this.home.gpu?.check('setWeights');
    const handles = tensorsOf(values, () => [], `${path}: setWeights`).map((t) => handleOf(t));
    // All of them are looked at before the first is set.
    values.forEach(({shape, dtype}, i) => {
      const {name, shape: wanted} = this.#made[places[i]!]!;
      if (dtype !== 'float32' || String(shape) !== String(wanted)) throw new Error(`the weight ${name} is float32[${wanted}], got ${dtype}[${shape}]: no weight was set`);
      call('fj_data', handles[i]!);
    });
    handles.forEach((handle, i) => call('fj_modelSetWeight', built, places[i]!, handle));
    this.home.gpu?.upload();
  }
  /** What its stateful layers keep from batch to batch begins anew at 0. */
  resetStates(): void {
    this.resetStatesAt('');
  }
  /** @internal */
  resetStatesAt(path: string): void {
    if (!this.isBuilt) return;
    withArguments((a) => call('fj_modelResetStates', this.#handle, a.text(path)));
    this.home.gpu?.uploadStates();
  }

  // ---- as a layer -----------------------------------------------------------------------------------------------------------------

  /**
   * Of symbolic tensors: the model is a layer of another, with the same weights. Of values: computed now, in one batch; with training as
   * in training, where moving averages go on.
   */
  apply(x: SymbolicTensor | SymbolicTensor[], args?: CallArgs): SymbolicTensor | SymbolicTensor[];
  apply(x: Data, args?: CallArgs): Tensor | Tensor[];
  apply(x: Data | SymbolicTensor | SymbolicTensor[], args?: CallArgs): Tensor | Tensor[] | SymbolicTensor | SymbolicTensor[] {
    const training = trainingOf(args, this.name);
    const list = symbolicOf(x);
    if (list) return first(this.symbolicCalls.add(list, this.#typesFor(list), training === undefined ? undefined : {training}));
    for (const t of [x].flat()) refuseForeignPart(t, `${this.name}: apply`);
    if (training) return first(this.recorded(tensorsOf(x, () => this.inputNames, 'apply'), true));
    return this.predictOnBatch(x as Data);
  }
  /** The outputs for values, computed at once, and noted by what differentiates. */
  protected recorded(xs: Tensor[], training: boolean): Tensor[] {
    this.refuseCalls();
    this.home.gpu?.check('a gradient through the model');
    return withArguments((a) => {
      const room = this.outputNames.length;
      const out = a.results(room);
      const count = call('fj_modelApply', this.built, a.i32(xs.map((t) => handleOf(t))), xs.length, training ? 1 : 0, out, room);
      there?.play();
      return [...heap.i32(out, count)].map((handle) => new Tensor(handle));
    });
  }
  protected refuseCalls(): void {
    refuseTraced(`calls the model ${this.name}`, 'a layer calls other layers, by apply, and a model has all that it is trained by as outputs');
  }
  /** The types of its outputs, where it takes these inputs. */
  #typesFor(given: readonly SymbolicType[]): SymbolicType[] {
    const {inputs, outputs} = this.info();
    const said = (list: readonly SymbolicType[]) => list.map(({shape}) => `[${shape.map((d) => d ?? 'null').join(',')}]`).join(', ');
    const fits = (a: SymbolicType, b: SymbolicType) => a.shape.length === b.shape.length && a.shape.every((d, i) => i === 0 || d === b.shape[i]);
    if (given.length !== inputs.length || !given.every((t, i) => fits(t, inputs[i]!))) {
      throw new Error(`The model ${this.name} takes ${said(inputs)}, got ${said(given)}`);
    }
    return inBatch(given, outputs);
  }
}
brandPart(Assembled.prototype, 'model');
