// Models from layers in a row, from layers that were joined, and from files.
//
//   const model = tf.sequential({layers: [tf.layers.dense({units: 10, inputShape: [784]})]});
//   const x = tf.input({shape: [784]});
//   const other = tf.model({inputs: x, outputs: tf.layers.dense({units: 10}).apply(x)});

import {isAtHand} from './engine.js';
import {isRecording} from './gradients.js';
import {partsOfJson, type ModelArtifacts, type ModelFile} from './io.js';
import {alone, inKerasNames, input, Layer} from './layers.js';
import {ready} from './load.js';
import {resumptionIn} from './metadata.js';
import {layersOf, LayersModel, type AnyLayer} from './model.js';
import {descriptionIn, nameOf, type Described} from './predictor.js';
import {known, shown} from './samples.js';
import {describing} from './saved.js';
import {callsBehind, SymbolicTensor, type Call, type FoundCall, type SymbolicType} from './symbolic.js';
import {type DataType, tidy} from './tensor.js';
import {uniqueName} from './unique.js';
import {refuseForeignPart, show} from './values.js';

interface RowArgs {
  layers?: AnyLayer[];
  name?: string;
  seed?: number;
}
type Parts = ConstructorParameters<typeof LayersModel>;

const rowOf = (name: string, list: AnyLayer[]): Parts[0] => (one) => ({class_name: 'Sequential', config: {name, layers: list.map(one)}});
function inRow(given: RowArgs): Parts {
  const args = known(given, ['layers', 'name', 'seed'], 'sequential');
  if (!Array.isArray(args.layers ?? [])) throw new Error(`sequential: layers is a list of layers, got ${shown(args.layers)}`);
  const list: AnyLayer[] = [];
  const name = args.name ?? uniqueName('Sequential');
  return [rowOf(name, list), list, {...args, name, className: 'Sequential'}];
}

export class Sequential extends LayersModel {
  /** What the last layer gives, as far as that is known before the model is used. */
  #types?: SymbolicType[];

  /** `saved` is of a model that comes from a file. */
  constructor(args: RowArgs = {}, saved?: Parts) {
    super(...(saved ?? inRow(args)));
    if (!saved) for (const layer of args?.layers ?? []) this.add(layer);
  }
  /** Before its layers change. Of one that was used the layers are joined, and tell their shapes. */
  #open(): void {
    const {isAPart, symbolicCalls, homeModels} = this;
    if (isAPart || symbolicCalls.list.length || homeModels.all.length) throw new Error(`Layers can only be added or removed before the model ${this.name} is a layer of another: make a new one of its layers`);
    if (this.isBuilt) this.join();
  }
  protected override change(): void {
    super.change();
    this.description = rowOf(this.name, this.layers);
  }
  #refuseEmpty(): void {
    if (!this.layers.length) throw new Error('The model has no layers yet');
  }
  add(layer: AnyLayer): void {
    refuseForeignPart(layer, 'add');
    const isLayer = layer instanceof Layer;
    if (!isLayer && !(layer instanceof LayersModel)) throw new Error('add takes a layer, such as tf.layers.dense({units: 10}), or a model');
    this.#open();
    if (this.layers.length === 0 && isLayer && layer.className !== 'InputLayer' && !layer.batchInputShape) {
      throw new Error(`The first layer in a Sequential model must get an \`inputShape\` or \`batchInputShape\` argument: ${layer.name} has none, such as [28, 28, 1]`);
    }
    const outputs = this.ends && [layer.apply(this.ends.outputs)].flat();
    const types = outputs ?? this.#typesAfter(layer);
    this.change();
    if (outputs) this.ends!.outputs = outputs;
    this.#types = types;
    this.layers.push(layer);
    if (isLayer) layer.joinedModel = this;
  }
  /** What does not fit is refused where it is added. */
  #typesAfter(layer: AnyLayer): SymbolicType[] | undefined {
    // Or, where the engine has to be loaded first, at the first use.
    if (!isAtHand()) return undefined;
    if (!(layer instanceof Layer)) return layer instanceof Sequential ? layer.#types : layer.info().outputs;
    const {dtype, batchInputShape: shape} = layer;
    const types = this.#types ?? (this.layers.length || !shape ? undefined : [{dtype, shape}]);
    return types && (layer.className === 'InputLayer' ? types : layer.typesFor(types));
  }
  /** Takes the last layer away. */
  pop(): void {
    this.#refuseEmpty();
    this.#open();
    const outputs = this.ends?.outputs[0]!.inputs;
    const layer = this.layers.at(-1)!;
    if (this.layers.indexOf(layer) === this.layers.length - 1) this.release(layer);
    this.change();
    this.layers.pop();
    this.ends = this.layers.length && outputs ? {...this.ends!, outputs} : undefined;
    this.#types = this.ends?.outputs;
  }
  override join(): void {
    this.#refuseEmpty();
    super.join();
  }
}

const listOf = <T>(x: T | T[]): T[] => (Array.isArray(x) ? x : [x]);

export const sequential = (args?: RowArgs): Sequential => new Sequential(args);

/** Layers as TensorFlow.js lists them: the furthest from the outputs first, of equally far ones the one that is met first on the way back. */
function inOrder(found: FoundCall[], begins: ReadonlyMap<SymbolicTensor, SymbolicTensor>): AnyLayer[] {
  const depths = new Map<AnyLayer | Call, number>();
  const deepen = (key: AnyLayer | Call, depth = 0) => void depths.set(key, Math.max(depth, depths.get(key) ?? 0));
  for (const {layer, call} of [...found].reverse()) {
    deepen(call, depths.get(layer));
    deepen(layer, depths.get(call));
    for (const t of call.inputs) deepen((begins.get(t) ?? t).call, depths.get(call)! + 1);
  }
  const met = [...found].sort((a, b) => a.met - b.met).map(({layer}) => layer);
  return [...new Set(met)].sort((a, b) => depths.get(b)! - depths.get(a)!);
}

export interface ModelArgs {
  inputs: SymbolicTensor | SymbolicTensor[];
  outputs: SymbolicTensor | SymbolicTensor[];
  name?: string;
  seed?: number;
}
/** What a functional model is made of: everything between its inputs and its outputs. What an input comes from is no part of it. */
function between(given: ModelArgs): Parts {
  const args = known(given, ['inputs', 'outputs', 'name', 'seed'], 'model');
  const ends = {inputs: listOf(args.inputs), outputs: listOf(args.outputs)};
  for (const [what, list] of Object.entries(ends)) {
    for (const t of list) {
      refuseForeignPart(t, 'model');
      if (!(t instanceof SymbolicTensor)) throw new Error(`model: ${what} are what tf.input or apply() of a layer gives, got ${show(t)}`);
    }
  }
  const twice = ends.inputs.find((t, i) => ends.inputs.indexOf(t) < i);
  if (twice) throw new Error(`model: each input stands once in the list of inputs, and ${twice.name} stands there twice`);
  const name = args.name ?? uniqueName('Model');
  // Where an input is what a layer gives, a new one takes its place.
  const begins = new Map(ends.inputs.filter((t) => t.call.inputs.length).map((t) => [t, input({batchShape: t.shape, dtype: t.dtype})]));
  const found = callsBehind([...ends.outputs, ...ends.inputs.map((t) => begins.get(t) ?? t)], new Set(begins.keys()));
  const calls = new Map<AnyLayer, Call[]>();
  for (const {layer, call} of found) calls.set(layer, [...(calls.get(layer) ?? []), call]);
  // The calls of a layer are counted in the order in which they were made; those of a model from 1, as Keras does.
  for (const [layer, list] of calls) calls.set(layer, layer.symbolicCalls.list.filter((call) => list.includes(call)));
  const ref = (given: SymbolicTensor) => {
    const t = begins.get(given) ?? given;
    const node = calls.get(t.sourceLayer)!.indexOf(t.call) + (t.sourceLayer instanceof LayersModel ? 1 : 0);
    return [t.sourceLayer.name, node, t.tensorIndex];
  };
  const node = ({inputs, args}: Call) => inputs.map((t) => [...ref(t), args ?? {}]);
  const layers = inOrder(found, begins);
  const nodes = layers.map((l) => calls.get(l)!.filter(({inputs}) => inputs.length).map(node));
  const description = (one: (layer: AnyLayer) => Described) => ({
    class_name: 'Functional',
    config: {
      name,
      layers: layers.map((l, i) => ({...one(l), name: l.name, inbound_nodes: nodes[i]})),
      input_layers: ends.inputs.map(ref),
      output_layers: ends.outputs.map(ref),
    },
  });
  return [description, layers, {name, seed: args.seed, ends}];
}
/** As programs make and extend it. */
export class FunctionalModel extends LayersModel {
  constructor(args: ModelArgs) {
    super(...between(args));
    this.info();
  }
  // Models in a row, and those of files, are instances of what programs call LayersModel, too.
  static override [Symbol.hasInstance](x: unknown): boolean {
    return this === FunctionalModel ? LayersModel[Symbol.hasInstance](x) : Function.prototype[Symbol.hasInstance].call(this, x);
  }
}
export const model = (args: ModelArgs): LayersModel => new FunctionalModel(args);

/** Inputs of a layer, and how many outputs it has. What computes with float32 alone gets whole numbers as these, as in a model. */
function inputsFor(layer: Layer, types: readonly SymbolicType[], args: object): {inputs: SymbolicTensor[]; count: number} {
  const take = (as?: DataType) => {
    const inputs = types.map(({dtype, shape}) => input({shape: shape.slice(1), dtype: as ?? dtype}));
    return {inputs, count: layer.typesFor(inputs, args).length};
  };
  if (!types.some(({dtype}) => dtype === 'int32')) return take();
  try {
    return take();
  } catch {
    return take('float32');
  }
}

// Of a layer by itself, for so many shapes; and the one that has its weights.
const kMostAlone = 4;

alone.model = (layer: Layer, types: readonly SymbolicType[], args: object = {}) => {
  const key = types.map(({dtype, shape}) => `${dtype} ${shape.slice(1)}`).join() + JSON.stringify(args);
  let made = layer.modelsAlone.get(key);
  if (!made || made.isDisposed) {
    const {inputs, count} = inputsFor(layer, types, args);
    const nodes = [inputs.map((t) => [t.name, 0, 0, inKerasNames(args)])];
    const outputs = Array.from({length: count}, (_, i) => [layer.name, 0, i]);
    const layers = [...inputs.map((t) => t.sourceLayer), layer];
    const {joinedModel: home} = layer;
    made = new LayersModel(
      (one) => ({
        class_name: 'Functional',
        config: {
          layers: layers.map((l) => ({...one(l), name: l.name, inbound_nodes: l === layer ? nodes : []})),
          input_layers: inputs.map((t) => [t.name, 0, 0]),
          output_layers: outputs,
        },
      }),
      layers,
    );
    // It belongs where the program has put it.
    layer.joinedModel = home;
  }
  // Those that were used last are kept. A gradient that is being found may go through all of them.
  layer.modelsAlone.delete(key);
  layer.modelsAlone.set(key, made);
  const home = layer.homeModels.of(layer.name)?.model;
  for (const [other, old] of isRecording() ? [] : [...layer.modelsAlone].slice(0, -kMostAlone)) {
    if (old === home) continue;
    layer.modelsAlone.delete(other);
    old.dispose();
  }
  return made;
};

/** A model from its description, as toJSON gives it, or from a model.json as an object. */
export async function modelFromJSON(json: object): Promise<LayersModel> {
  if (typeof json !== 'object' || json === null) throw new Error(`modelFromJSON takes a JSON object, got ${shown(json)}`);
  await ready();
  return modelFrom(await partsOfJson(json));
}

/** A model from what `save` has written: its own file, or TensorFlow.js's parts. */
export function modelFrom(saved: ModelArtifacts | ModelFile, isStrict = true): LayersModel {
  const row = (...parts: Parts) => new Sequential({}, parts);
  if (saved instanceof Uint8Array) return LayersModel.fromFile(saved, row);
  const description = descriptionIn(saved);
  const layers = layersOf(description.config);
  const options = {seed: resumptionIn(saved)?.seed, saved: description, draws: !isStrict || !saved.weightData, name: nameOf(description)};
  const parts: Parts = [describing(description, layers), layers, options];
  const made = description.class_name === 'Sequential' ? row(...parts) : new LayersModel(...parts);
  try {
    tidy(() => made.restore(saved, isStrict));
  } catch (error) {
    made.dispose();
    throw error;
  }
  return made;
}
