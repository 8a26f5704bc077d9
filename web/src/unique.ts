// Names of layers and models that the program gives none.

import type {Described} from './predictor.js';

const counts = new Map<string, number>();
const given = new Set<string>();
/** Keras's names: conv2d_1, zero_padding2d_1, p_re_lu_1. */
export function uniqueName(className: string): string {
  const base = className.replace(/(.)([A-Z][a-z]+)/g, '$1_$2').replace(/([a-z])([A-Z])/g, '$1_$2').toLowerCase();
  const count = (counts.get(base) ?? 0) + 1;
  counts.set(base, count);
  const name = `${base}_${count}`;
  given.add(name);
  return name;
}

/**
 * A layer that one of the program calls. Names that were given here are counted anew within that one, so that its weights are called the
 * same wherever a file of it is read. `names` are those that it has met.
 */
export function namedWithin(layer: Described, names: Map<string, string>): Described {
  const nameOf = (name: string): string => {
    const base = given.has(name) ? name.replace(/_\d+$/, '') : name;
    const taken = new Set(names.values());
    let other = base;
    for (let i = 1; taken.has(other); ++i) other = `${base}_${i}`;
    names.set(name, names.get(name) ?? other);
    return names.get(name)!;
  };
  const renamed = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(renamed);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, key === 'name' && typeof inner === 'string' ? nameOf(inner) : renamed(inner)]));
  };
  return renamed(layer) as Described;
}
