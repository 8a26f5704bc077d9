// Functions with a gradient that the program says itself.
//
//   const clipped = tf.customGrad((x) => ({value: x.clone(), gradFunc: (dy) => dy.clipByValue(-1, 1)}));
//   tf.grad((x) => clipped(x).square().sum())(tf.tensor1d([0.2, 3]));       // [0.4, 1]
//
// What such a function computes is not recorded. A gradient goes to its outputs, by the program's function to its inputs, and on from there.

import {engine} from './engine.js';
import {run} from './run.js';
import {shown} from './samples.js';
import {keep, Tensor, toTensor, type TensorLike} from './tensor.js';
import {tracing} from './tracing.js';

type GradFunction = (dy: Tensor, saved: Tensor[]) => Tensor | Tensor[];
/** The last argument of the function that is given: keeps tensors for the gradient. */
export type GradSave = (tensors: Tensor[]) => void;
export type CustomGradientFunc = (...inputs: [...Tensor[], GradSave] | Tensor[]) => {value: Tensor; gradFunc: GradFunction};

/** A call of such a function, as a tape remembers it: with handles of its own. */
interface CustomCall {
  inputs: Tensor[];
  output: Tensor;
  saved: Tensor[];
  gradFunc: GradFunction;
}
/** A tape's calls of such functions, in their order. */
export type CustomCalls = CustomCall[];
const tapes: CustomCalls[] = [];

export function startCustomCalls(): CustomCalls {
  tapes.push([]);
  return tapes.at(-1)!;
}
export function endCustomCalls(): void {
  for (const {inputs, output, saved} of tapes.pop()!) for (const t of [...inputs, output, ...saved]) t.dispose();
}
let paused = 0;
/** What is computed meanwhile is not recorded: no gradient goes through it. */
export function unrecorded<T>(f: () => T): T {
  engine().fj_tapePause(++paused);
  try {
    return f();
  } finally {
    engine().fj_tapePause(--paused);
  }
}
/** The same values as something of its own, through which no gradient comes. */
export const detached = (t: Tensor): Tensor => unrecorded(() => run('broadcastTo', [t], {shape: t.shape}));

const kept = (t: Tensor): Tensor => keep(t.clone());

export function customGrad(f: CustomGradientFunc): (...inputs: (Tensor | TensorLike)[]) => Tensor {
  if (typeof f !== 'function') throw new Error(`customGrad takes a function, got ${shown(f)}`);
  return (...given) => {
    if (tracing()) throw new Error('it calls a function of tf.customGrad, whose gradient a model that is trained by fit does not take');
    const inputs = given.map((x, i) => toTensor(x, `inputs[${i}]`, 'customGrad'));
    const saved: Tensor[] = [];
    return unrecorded(() => {
      const {value, gradFunc} = f(...inputs, (tensors: Tensor[]) => void saved.push(...tensors)) ?? {};
      if (!(value instanceof Tensor)) throw new Error('customGrad: the function has to give an object whose value is a tensor');
      if (typeof gradFunc !== 'function') throw new Error('customGrad: the function has to give an object whose gradFunc is a function');
      // Another value than an input that it may be.
      const output = detached(value);
      for (const tape of tapes) tape.push({inputs: inputs.map(kept), output: kept(output), saved: saved.map(kept), gradFunc});
      return output;
    });
  };
}

/** d y / d x for each x by the innermost tape; undefined where y does not depend on an x. */
export type Differentiate = (y: Tensor, dy: Tensor | undefined, xs: readonly Tensor[]) => (Tensor | undefined)[];

/** The same where functions with gradients of their own are between y and xs. */
export function throughCustomCalls(calls: CustomCalls, gradients: Differentiate): Differentiate {
  if (!calls.length) return gradients;
  return (y, dy, xs) => {
    // What gradients go on from: first y, then the inputs of the calls that it is computed from, the last call first.
    const seeds: {y: Tensor; dy?: Tensor}[] = [{y, dy}];
    const reaching = (targets: readonly Tensor[]) => {
      const sums: (Tensor | undefined)[] = targets.map(() => undefined);
      for (const seed of seeds) {
        gradients(seed.y, seed.dy, targets).forEach((g, i) => {
          if (g) sums[i] = sums[i] ? run('add', [sums[i]!, g]) : g;
        });
      }
      return sums;
    };
    for (const {inputs, output, saved, gradFunc} of [...calls].reverse()) {
      const [reached] = reaching([output]);
      if (!reached) continue;
      const slopes = [gradFunc(reached, saved)].flat();
      if (slopes.length !== inputs.length || !slopes.every((t) => t instanceof Tensor)) {
        throw new Error(`customGrad: gradFunc has to give a tensor for each of ${inputs.length} inputs, got ${slopes.length === inputs.length ? shown(slopes.find((t) => !(t instanceof Tensor))) : slopes.length}`);
      }
      inputs.forEach((x, i) => {
        if (String(slopes[i]!.shape) !== String(x.shape)) throw new Error(`customGrad: the gradient by input ${i} is of shape [${slopes[i]!.shape}], the input of [${x.shape}]`);
        if (x.dtype === 'float32') seeds.push({y: x, dy: slopes[i]!});
      });
    }
    return reaching(xs);
  };
}
