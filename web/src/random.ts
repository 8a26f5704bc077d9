// Random tensors, and dropout: the same seed gives the same numbers everywhere (engine/ops/random.cc).

import {as, nameOfAttribute, run, type Attributes} from './run.js';
import {broadcastTo, elementwise, ones} from './ops.js';
import {tensor, tidied, toTensor, type DataType, type Tensor, type TensorLike} from './tensor.js';
import {tracing} from './tracing.js';
import {checkShape, show} from './values.js';

// Every call draws from its own stream; a seed makes a call repeatable.
let draws = 0;
const session = (Math.random() * 2 ** 31) | 0;
/** The state of engine/ops/random.cc: the seed's words, low and high, and those of the step. */
function stateOf(seed: number | string | null | undefined): Tensor {
  if (seed == null) return tracing()?.random() ?? tensor(Int32Array.of(session, 0, ++draws, 0));
  if (typeof seed === 'number' && Number.isSafeInteger(seed)) return tensor(Int32Array.of(seed, (seed | 0) === seed ? 0 : Math.floor(seed / 2 ** 32), 0, 0));
  if (typeof seed !== 'number' && typeof seed !== 'string') throw new Error(`A seed must be a number or a string, got ${show(seed)}`);
  // Two hashes of the text, FNV-1a from two starts: fractions differ as well.
  const words = [0x811c9dc5, 0x9747b28c].map((start) => [...String(seed)].reduce((h, c) => Math.imul(h ^ c.charCodeAt(0), 0x01000193), start));
  return tensor(Int32Array.of(words[0]!, words[1]!, 0, 0));
}
type Seed = number | string;
const draw = tidied((op: 'randomUniform' | 'randomNormal' | 'truncatedNormal', shape: readonly number[], attrs: Attributes, dtype?: DataType | null, seed?: Seed | null): Tensor => {
  checkShape(shape);
  for (const [name, value] of Object.entries(attrs)) if (!Number.isFinite(value)) throw new Error(`${op}: ${nameOfAttribute(name)} must be a finite number, got ${show(value)}`);
  const t = run(op, [stateOf(seed)], {shape, ...attrs});
  if (!dtype || dtype === 'float32') return t;
  if (op === 'randomUniform') return as(as(t, 'int32'), dtype);
  if (dtype === 'bool') throw new Error(`Unsupported data type ${dtype}`);
  return as(elementwise.round(t), dtype);
});
/** Integers are uniform numbers without their fraction, as in TensorFlow.js. */
export const randomUniform = (shape: readonly number[], minval = 0, maxval = 1, dtype?: DataType | null, seed?: Seed): Tensor =>
  draw('randomUniform', shape, {low: minval, high: maxval}, dtype, seed);
export const randomNormal = (shape: readonly number[], mean = 0, stdDev = 1, dtype?: 'float32' | 'int32' | null, seed?: Seed): Tensor =>
  draw('randomNormal', shape, {mean, stddev: stdDev}, dtype, seed);
export const truncatedNormal = (shape: readonly number[], mean = 0, stdDev = 1, dtype?: 'float32' | 'int32' | null, seed?: Seed): Tensor =>
  draw('truncatedNormal', shape, {mean, stddev: stdDev}, dtype, seed);
/** Along axes where `noiseShape` is 1, all elements stay or go together. */
export const dropout = tidied((x: Tensor | TensorLike, rate: number, noiseShape?: readonly (number | null)[] | null, seed?: Seed): Tensor => {
  const t = toTensor(x, 'x', 'dropout');
  if (t.dtype !== 'float32') throw new Error(`x has to be a floating point tensor since it's going to be scaled, but got a ${t.dtype} tensor instead.`);
  if (!(typeof rate === 'number' && rate >= 0 && rate < 1)) throw new Error(`rate must be a float in the range [0, 1), but got ${rate}.`);
  if (rate === 0) return t.clone();
  if (!noiseShape) return run('dropout', [t, stateOf(seed)], {rate});
  const shape = noiseShape.map((d, i) => d ?? t.shape[i]!);
  return elementwise.mul(t, broadcastTo(run('dropout', [ones(shape), stateOf(seed)], {rate}), t.shape));
});
