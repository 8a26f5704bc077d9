// Descriptions that were saved: the layers in them, and what these say now.

import type {ModelOptions} from './assembled.js';
import {isObject, refuse} from './io.js';
import {Layer, layersWithin, registeredLayer} from './layers.js';
import type {AnyLayer, LayersModel} from './model.js';
import {nameOf, ownConfig, type Described} from './predictor.js';

export type Describe = (layer: AnyLayer) => Described;
/** A layer's entry. */
type Entry = Described & {name?: string; module?: string; shared_object_id?: number};
export type SavedConfig = {layers?: Entry[]} | Entry[];
function entriesOf(config?: SavedConfig): Entry[] {
  const list = Array.isArray(config) ? config : (config?.layers ?? []);
  if (!Array.isArray(list)) refuse('The layers of a model must be a list', list);
  for (const entry of list) if (!isObject(entry) || typeof entry.class_name !== 'string') refuse('A layer must have a class_name', entry);
  // Operations that have computed masks, in Keras 3's files, are no layers.
  return list.filter((entry) => !String(entry.module).startsWith('keras.src.ops'));
}
const kModels = ['Sequential', 'Functional', 'Model'];

type MakeModel = (description: (one: Describe) => Described, layers: AnyLayer[], options: ModelOptions) => LayersModel;

/** The layers of a description; the same object where Keras writes the same number. */
export function layersIn(config: SavedConfig, makeModel: MakeModel, known = new Map<number, AnyLayer>()): AnyLayer[] {
  return entriesOf(config).map((entry) => {
    const {class_name: className, config: inner, name, shared_object_id: id} = entry;
    const met = id === undefined ? undefined : known.get(id);
    if (met) return met;
    const made = () => {
      if (!kModels.includes(className)) return registeredLayer(className, {name, ...inner}) ?? new Layer(className, {name, ...ownConfig(entry)});
      const layers = layersIn(inner, makeModel, known);
      return makeModel(describing(entry, layers), layers, {name: nameOf(entry) ?? name, className, isPart: true, trainable: inner?.['trainable'] !== false});
    };
    const layer = made();
    if (id !== undefined) known.set(id, layer);
    return layer;
  });
}

/** All layers, those of inner models too, with the paths that name their weights: those of the first place. */
export function pathsOf(layers: readonly AnyLayer[], prefix = '', found = new Map<AnyLayer, string>()): Map<AnyLayer, string> {
  for (const l of layers) {
    if (!found.has(l)) found.set(l, prefix + l.name);
    if (!(l instanceof Layer)) pathsOf(l.layers, `${prefix}${l.name}/`, found);
  }
  return found;
}

/** Whether layers of the program stand within it, or within layers of it: the engine knows these by their numbers. */
export const hasOwnWithin = (l: AnyLayer): boolean => (l instanceof Layer ? layersWithin(l).length > 0 : l.layers.some(hasOwnWithin));

/** A description that was saved, of its layers what they say now. */
export function describing(saved: Described, layers: AnyLayer[]): (one: Describe) => Described {
  const plain = ({shared_object_id: _, ...entry}: Entry) => entry;
  return (one) => {
    const list = entriesOf(saved.config).map((entry, i) => ({...plain(entry), ...one(layers[i]!)}));
    return {...plain(saved), config: Array.isArray(saved.config) ? (list as never) : {...saved.config, layers: list}};
  };
}
