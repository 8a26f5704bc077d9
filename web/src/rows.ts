// What the layers of fjord/text have in common: lists of texts or numbers, however deep, as rows; and the tensors that are made of a number
// for each token. The tensors are those of the main package, which is loaded once: './index.js' stands for its file (web/build.mjs).

import {camelCase, shown} from './given.js';
import {tensor, Tensor} from './index.js';

/** A text, or texts in lists, however deep. */
export type Texts = string | readonly Texts[];
/** The same of whole numbers, or a tensor of them. */
export type Indices = number | ArrayLike<number> | readonly Indices[] | Tensor;
export type Config = Record<string, unknown>;

/** The innermost lists; how many there are along each axis around them; and how deep they lie, 0 where a value stands alone. */
export interface Rows<T> {
  rows: T[][];
  outer: number[];
  rank: number;
}

/** Tensors and typed arrays as lists. */
export function listed(given: unknown): unknown {
  if (given instanceof Tensor) return given.arraySync();
  return ArrayBuffer.isView(given) ? Array.from(given as Int32Array) : given;
}

/** A value, where it is of a kind; `kinds` are the words for these. */
export function ofKind<T>(value: unknown, is: (value: unknown) => value is T, what: string, kinds: string): T {
  if (!is(value)) throw new Error(`${what} takes ${kinds}, got ${shown(value)}`);
  return value;
}
export const isText = (value: unknown): value is string => typeof value === 'string';
export const isNumber = (value: unknown): value is number => Number.isFinite(value);

function refuseUneven(what: string): never {
  throw new Error(`${what}: lists of different lengths or depths have no shape, as a tensor needs one`);
}
/** The rows of what was given. Rows may be of several lengths, lists around them may not. */
export function rowsOf<T>(given: unknown, is: (value: unknown) => value is T, what: string, kinds: string): Rows<T> {
  const [rows, outer]: [T[][], number[]] = [[], []];
  let rank = 0;
  const words = `${kinds} or lists of them`;
  const check = (value: unknown) => ofKind(value, is, what, words);
  const fail = () => refuseUneven(what);
  const visit = (list: unknown[], depth: number): void => {
    if (!Array.isArray(listed(list[0]))) {
      rows.push(list.map(check));
      if (depth !== (rank ||= depth)) fail();
      return;
    }
    if (list.length !== (outer[depth - 1] ??= list.length)) fail();
    for (const inner of list.map(listed)) visit(Array.isArray(inner) ? inner : fail(), depth + 1);
  };
  const list = listed(given);
  if (Array.isArray(list)) visit(list, 1);
  else rows.push([check(list)]);
  return {rows, outer, rank};
}

export const kModes = ['int', 'one_hot', 'multi_hot', 'count', 'tf_idf'] as const;
/** The numbers themselves, or a vector for each token or each row: in Keras's case or in JavaScript's. */
export type OutputMode = (typeof kModes)[number] | 'oneHot' | 'multiHot' | 'tfIdf';

export interface Encoding {
  mode: string;
  /** How long vectors are. */
  depth: number;
  /** By which counts are multiplied. */
  weights?: Float32Array | undefined;
  /** How long rows become. Otherwise as long as the longest, where `pads`; or they must be of one length. */
  length?: number | null;
  pads?: boolean;
}

/** A tensor of the numbers of all values: those below 0 are dropped from vectors. */
export function encoded<T>({rows, outer, rank}: Rows<T>, numberOf: (value: T) => number, encoding: Encoding, what: string): Tensor {
  const {mode, depth, weights, length, pads} = encoding;
  const longest = length ?? rows.reduce((most, row) => Math.max(most, row.length), 0);
  const isOfEach = mode === 'int' || mode === 'one_hot';
  if (isOfEach && !pads && rows.some((row) => row.length !== longest)) refuseUneven(what);
  const size = mode === 'int' ? longest : mode === 'one_hot' ? longest * depth : depth;
  const values = new (mode === 'int' ? Int32Array : Float32Array)(rows.length * size);
  rows.forEach((row, r) => {
    for (const [i, value] of (isOfEach ? row.slice(0, longest) : row).entries()) {
      const n = numberOf(value);
      const at = r * size;
      if (mode === 'int') values[at + i] = n;
      else if (n >= 0) {
        const place = at + n + (mode === 'one_hot' ? i * depth : 0);
        values[place] = mode.endsWith('hot') ? 1 : values[place]! + 1;
      }
    }
  });
  if (weights) for (let i = 0; i < values.length; ++i) values[i]! *= weights[i % depth]!;
  // As in Keras, an axis of 1 is taken for no axis of tokens where a vector is made of each.
  const ofEach = mode === 'int' ? [longest] : rank > 1 && longest === 1 && !pads ? [depth] : [longest, depth];
  return tensor(values, rank === 0 && mode === 'int' ? [] : [...outer, ...(isOfEach ? ofEach : [depth])]);
}

// What Keras's configs say of every layer, and of what there is not here.
const kUnused = /^(trainable|dtype|vocabularySize|oovMethod)$/;
const kNothing: Config = {sparse: false, ragged: false, encoding: 'utf-8'};
/** The arguments that a config holds, which may be Keras's own. */
export const argumentsIn = <T>(config: Config): T =>
  Object.fromEntries(Object.entries(config).map(([key, value]) => [camelCase(key), value] as const).filter(([key, value]) => !kUnused.test(key) && kNothing[key] !== value)) as T;
