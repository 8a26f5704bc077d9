// Models from layers in a row, from layers that were joined, and from files.
//
//   const model = tf.sequential({layers: [tf.layers.dense({units: 10, inputShape: [784]})]});
//   const x = tf.input({shape: [784]});
//   const other = tf.model({inputs: x, outputs: tf.layers.dense({units: 10}).apply(x)});

import type {ModelArtifacts, ModelFile} from './io.js';
import {input, Layer, refuseShared, SymbolicTensor, uniqueName} from './layers.js';
import {layersOf, LayersModel, listOf} from './model.js';
import {descriptionIn, nameOf, type Described, type Shape} from './predictor.js';
import {known} from './samples.js';
import {tidy, type DataType} from './tensor.js';

export class Sequential extends LayersModel {
  constructor(args: {layers?: Layer[]; name?: string; seed?: number} = {}) {
    known(args, ['layers', 'name', 'seed'], 'sequential');
    const list: Layer[] = [];
    const name = args.name ?? uniqueName('Sequential');
    super((one) => ({class_name: 'Sequential', config: {name, layers: list.map(one)}}), list, {...args, name});
    for (const layer of args.layers ?? []) this.add(layer);
  }
  add(layer: Layer): void {
    if (layer instanceof LayersModel) throw new Error('add takes a layer, such as tf.layers.dense({units: 10}); a model cannot be a layer yet');
    if (!(layer instanceof Layer)) throw new Error('add takes a layer, such as tf.layers.dense({units: 10})');
    if (this.isBuilt || this.ends) throw new Error('Layers can only be added before the model is used');
    if (this.layers.length === 0 && layer.className !== 'InputLayer' && !inputShapeOf(layer)) {
      throw new Error(`The first layer in a Sequential model must get an \`inputShape\` or \`batchInputShape\` argument: ${layer.name} has none, such as [28, 28, 1]`);
    }
    this.layers.push(layer);
    layer.home = this;
  }
  override join(): void {
    if (this.ends) return;
    const [begin] = this.layers;
    if (!begin) throw new Error('The model has no layers yet');
    const isInput = begin.className === 'InputLayer';
    if (isInput && !begin.calls.length) {
      begin.calls.push([]);
      begin.results.push(new SymbolicTensor(this.info().inputs[0]!.dtype, inputShapeOf(begin)!, begin, 0));
    }
    const dtype = begin.config['dtype'] as DataType | undefined;
    const from = isInput ? begin.results[0]! : input({name: `${begin.name}_input`, batchShape: inputShapeOf(begin), dtype});
    let last = from;
    for (const l of isInput ? this.layers.slice(1) : this.layers) last = l.apply(last);
    this.ends = {inputs: [from], outputs: [last]};
  }
}

/** The shape, batch included, that a first layer was given. */
function inputShapeOf(layer: Layer): Shape | undefined {
  const {batch_input_shape: batched, batch_shape: shape, input_shape: sample, input_dim: size = sample, batch_size: batch} = layer.config;
  return (batched ?? shape ?? (size == null ? undefined : [batch ?? null, size].flat())) as Shape | undefined;
}

export const sequential = (args?: {layers?: Layer[]; name?: string; seed?: number}): Sequential => new Sequential(args);

/** The layers that tensors come from, each after those that it reads, but for a layer that reads what it gave itself. */
function layersBehind(ends: SymbolicTensor[]): Layer[] {
  const seen = new Set<Layer>();
  const found: Layer[] = [];
  // As deep as the model, so without recursion: a layer is found when all that it reads has been.
  const open: {layer: Layer; reads: SymbolicTensor[]}[] = [];
  const visit = ({sourceLayer: layer}: SymbolicTensor) => {
    if (seen.has(layer)) return;
    seen.add(layer);
    open.push({layer, reads: layer.calls.flat().reverse()});
  };
  for (const end of ends) {
    visit(end);
    for (let top = open.at(-1); top; top = open.at(-1)) {
      const next = top.reads.pop();
      if (next) visit(next);
      else found.push(open.pop()!.layer);
    }
  }
  return found;
}

/** A functional model: everything between its inputs and its outputs. */
export function model(args: {inputs: SymbolicTensor | SymbolicTensor[]; outputs: SymbolicTensor | SymbolicTensor[]; name?: string; seed?: number}): LayersModel {
  known(args, ['inputs', 'outputs', 'name', 'seed'], 'model');
  const found = layersBehind([...listOf(args.inputs), ...listOf(args.outputs)]);
  for (const l of found) if (l.owner) refuseShared(l);
  const ref = (t: SymbolicTensor) => [t.sourceLayer.name, t.nodeIndex, 0];
  const name = args.name ?? uniqueName('Model');
  const nodes = found.map((l) => l.calls.filter((c) => c.length).map((c) => c.map((t) => [...ref(t), {}])));
  const description = (one: (layer: Layer) => Described) => ({
    class_name: 'Functional',
    config: {
      name,
      layers: found.map((l, i) => ({...one(l), name: l.name, inbound_nodes: nodes[i]})),
      input_layers: listOf(args.inputs).map(ref),
      output_layers: listOf(args.outputs).map(ref),
    },
  });
  const made = new LayersModel(description, found, {name, seed: args.seed, ends: {inputs: listOf(args.inputs), outputs: listOf(args.outputs)}});
  made.info();
  return made;
}

/** A model from what `save` has written: its own file, or TensorFlow.js's parts. */
export function modelFrom(saved: ModelArtifacts | ModelFile): LayersModel {
  if (saved instanceof Uint8Array) return LayersModel.fromFile(saved);
  const description = descriptionIn(saved);
  const made = new LayersModel(() => description, layersOf(description.config), {
    seed: saved.userDefinedMetadata?.seed,
    saved: description,
    name: nameOf(description),
  });
  try {
    tidy(() => made.restore(saved));
  } catch (error) {
    made.dispose();
    throw error;
  }
  return made;
}
