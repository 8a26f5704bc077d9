// The order in which TensorFlow.js lists the weights of a model: those that are trained first.

import type {Layer} from './layers.js';
import type {AnyLayer} from './model.js';
import type {ModelWeight} from './predictor.js';
import {pathsOf} from './saved.js';

interface Row {
  layers: AnyLayer[];
  trainable: boolean;
}

/**
 * The numbers of these weights, trainable where no layer and no model says otherwise. A model's flag is written into the weights of its own
 * layers there, not into those of models in it: these come first.
 */
export function theirOrder(whole: Row, weights: ModelWeight[]): number[] {
  const trained = weights.map((w) => w.trainable);
  const paths = pathsOf(whole.layers);
  const known = new Set(paths.values());
  const within = new Map<string, number[]>();
  for (const [i, {name}] of weights.entries()) {
    // What stands within a layer has no path of its own.
    let path = name;
    while (path && !known.has(path)) path = path.slice(0, Math.max(0, path.lastIndexOf('/')));
    within.set(path, [...(within.get(path) ?? []), i]);
  }
  const split = (model: Row): number[][] => {
    const lists: number[][] = [[], []];
    for (const l of model.layers) {
      const own = within.get(paths.get(l)!) ?? [];
      const isTrained = (i: number) => trained[i]! && l.trainable && !(l as Layer).isHeld;
      const parts = 'layers' in l ? split(l) : [own.filter(isTrained), [...own].sort((a, b) => +trained[b]! - +trained[a]!).filter((i) => !isTrained(i))];
      parts.forEach((part, k) => lists[k]!.push(...part));
    }
    return model.trainable ? lists : [[], lists.flat()];
  };
  // A layer may stand in several places.
  return [...new Set([...split(whole).flat(), ...weights.keys()])];
}
