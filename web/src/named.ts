// How TensorFlow.js names weights in its files: by the layer alone where a model stands in a model, and without what stands within a layer,
// but for the two layers of Bidirectional and the cells of a stack. Here names are whole paths.

import type {WeightSpec} from './io.js';
import type {Described} from './predictor.js';

interface Parts {
  layers?: Described[];
  layer?: Described;
  cell?: Described | Described[];
  cells?: Described[];
}
const kModels = ['Sequential', 'Functional', 'Model'];
const partsOf = ({config}: Described): Parts => (Array.isArray(config) ? {layers: config as Described[]} : config);
const nameOf = (one: Described & {name?: string}) => one.config['name'] ?? one.name;
/** The layers of each model by name: it may have thousands. */
const indexes = new WeakMap<Described[], Map<unknown, Described>>();
function layerNamed(name: string, layers: Described[]): Described | undefined {
  let index = indexes.get(layers);
  if (!index) indexes.set(layers, (index = new Map(layers.map((one) => [nameOf(one), one]))));
  return index.get(name);
}

/** The name there of the rest of a path that is within `part`, which is called `before`. */
function nameWithin(part: Described | undefined, before: string[], [name = '', ...rest]: string[]): string {
  const {layers = [], layer, cell, cells = []} = part ? partsOf(part) : {};
  if (kModels.includes(part?.class_name ?? '')) return nameWithin(layerNamed(name, layers), [name], rest);
  if (part && rest.length) {
    if (part.class_name === 'TimeDistributed') return nameWithin(layer, before, rest);
    if (part.class_name === 'Bidirectional') return nameWithin(layer, [...before, name], rest);
    if (part.class_name === 'RNN') return nameWithin(Array.isArray(cell) ? {class_name: 'StackedRNNCells', config: {cells: cell}} : cell, before, rest);
    const i = cells.findIndex((one) => nameOf(one) === name);
    if (i >= 0) return nameWithin(cells[i], [...before, `RNNCell_${i}`], rest);
  }
  return [...before, name, ...rest].join('/');
}
/** The names there of the weights with these paths; the paths themselves where two would have one name. */
export function theirNames(model: Described, paths: string[]): string[] {
  const names = paths.map((path) => nameWithin(model, [], path.split('/')));
  return new Set(names).size === names.length ? names : paths;
}

/**
 * The path of each weight in a file. Names are those of here or of TensorFlow.js, also with the name of a cell, as Keras has it. Where none
 * is known they go by order; where some are not, they have none, which `isStrict` refuses.
 */
export function pathsIn(specs: WeightSpec[], model: Described, paths: string[], isStrict = true): (string | undefined)[] {
  const known = new Map<string, string>();
  theirNames(model, paths).forEach((name, i) => known.set(name, paths[i]!));
  for (const path of paths) known.set(path, path);
  const found = specs.map(({name}) => known.get(name) ?? known.get(name.replace(/[^/]+\/(?=[^/]+$)/, '')));
  const all = new Set(found.filter((path) => path !== undefined));
  if (isStrict && !all.size && specs.length === paths.length) return paths;
  const unknown = specs.filter((_, i) => !found[i]).map(({name}) => name);
  const missing = paths.filter((path) => !all.has(path));
  const met = new Set<string>();
  const twice = specs.filter((_, i) => found[i] && met.size === met.add(found[i]).size).map(({name}) => name);
  if (twice.length || (isStrict && (unknown.length || missing.length))) {
    const said = (what: string, names: string[]) => (names.length ? [`${what} ${names.join(', ')}`] : []);
    throw new Error(`The weights of the file are not the model's: ${[...said('the model has no', unknown), ...said('the file has no', missing), ...said('the file has twice', twice)].join('; ')}`);
  }
  return found;
}
