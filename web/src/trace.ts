// Functions of the program that are parts of a model: a loss, a metric, an activation, a regularizer, a constraint, a layer. The engine
// calls each once while it builds a graph, with tensors that stand for values; the ops that it calls become nodes of that graph, and their
// gradients, too. A step does not come back here.

import {call, engine, heap, withArguments} from './engine.js';
import {onTrace} from './load.js';
import type {Described} from './predictor.js';
import {shown} from './samples.js';
import {endScope, handleOf, keep, startScope, Tensor} from './tensor.js';
import {beginTracing, endTracing, tracingDepth, type Tracing} from './tracing.js';

/** A layer, or what stands for a function. */
export interface Traceable {
  /** What it gives, and of each output the mask. */
  traceCall(inputs: Tensor[], masks: (Tensor | undefined)[], training: boolean): {outputs: unknown; masks?: (Tensor | null | undefined)[]};
  /** Of a layer: as files describe it. */
  inKerasNames?(): Described;
}

// The engine knows them by numbers. Whoever has given one to the engine holds it.
const known = new Map<number, WeakRef<Traceable>>();
const numbers = new WeakMap<object, {number: number; traceable: Traceable}>();
const forgotten = new FinalizationRegistry<number>((number) => known.delete(number));
let last = 0;

/** The number of a function or a layer, for as long as `key` lives. */
export function numberOf(key: object, traceable: Traceable): number {
  const met = numbers.get(key);
  if (met) return met.number;
  const number = ++last;
  numbers.set(key, {number, traceable});
  known.set(number, new WeakRef(traceable));
  forgotten.register(key, number);
  return number;
}

/** An activation, a regularizer or a constraint: a function, or an object as TensorFlow.js has them. */
export type TensorFunction = ((x: Tensor) => Tensor) | {apply(x: Tensor): Tensor};
type AnyFunction = (...inputs: Tensor[]) => unknown;
interface Applied {
  apply: AnyFunction;
}
// What has a description of its own is the engine's.
export const isApplied = (value: unknown): value is Applied => typeof value === 'object' && value !== null && typeof (value as Applied).apply === 'function' && !('class_name' in value);

/** A function, or an object with `apply`, as the engine describes it; undefined where it is neither. `kind` is what it is: "loss". */
export function describedFunction(value: unknown, kind: string): Described | undefined {
  if (typeof value !== 'function' && !isApplied(value)) return undefined;
  const isFunction = typeof value === 'function';
  // Logs have no name for a metric that has none.
  const name = (isFunction ? value.name : value.constructor.name) || (kind === 'metric' ? '' : kind);
  const f: AnyFunction = isFunction ? (value as AnyFunction) : (...inputs) => value.apply(...inputs);
  const traceable = {traceCall: (inputs: Tensor[]) => ({outputs: f(...inputs)})};
  return {class_name: 'Traced', config: {number: numberOf(value, traceable), name}};
}
/** The same of all functions in lists and objects. */
export function withFunctions(value: unknown, kind: string): unknown {
  const described = describedFunction(value, kind);
  if (described) return described;
  if (Array.isArray(value)) return value.map((one) => withFunctions(one, kind));
  const isPlain = typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
  return isPlain ? Object.fromEntries(Object.entries(value).map(([key, one]) => [key, withFunctions(one, kind)])) : value;
}
/** Whether a description has a function somewhere, which no file can hold. */
export const hasFunction = (described: unknown): boolean => JSON.stringify(described ?? null).includes('"class_name":"Traced"');
/** The layer of the program that the engine knows by its number, in a description of what stands within others. */
export const layerOf = (className: unknown, config: unknown): Traceable | undefined =>
  className === 'Traced' ? known.get((config as {number: number} | undefined)?.number ?? 0)?.deref() : undefined;
/** A description for files: such layers are named by their classes. */
export const withClasses = <T>(described: T): T =>
  JSON.parse(JSON.stringify(described), (_, value: Described | null) => layerOf(value?.class_name, value?.config)?.inKerasNames?.() ?? value) as T;

// ---- a call ---------------------------------------------------------------------------------------------------------------------------

/** Of layers, names of those that they call. */
const namesWithin = new WeakMap<Traceable, Map<string, string>>();

class Call implements Tracing {
  private state?: Tensor;

  constructor(readonly names: Map<string, string>) {}
  random(): Tensor {
    return (this.state ??= keep(new Tensor(call('fj_traceRandom'))));
  }
  end(): void {
    this.state?.dispose();
  }
}

/** A layer called within the one that is being traced, with the weights in its scope. */
export function callWithin(layer: Described, inputs: Tensor[]): Tensor[] {
  return withArguments((a) => {
    const out = a.results(kMostOutputs);
    const count = call('fj_traceLayer', a.json(layer), a.i32(inputs.map((t) => handleOf(t))), inputs.length, out, kMostOutputs);
    return [...heap.i32(out, count)].map((handle) => new Tensor(handle));
  });
}
// Of a layer.
const kMostOutputs = 64;
// Of calls within calls: what is deeper would end the engine's stack.
const kMostDepth = 12;

function refuseMathRandom(): never {
  throw new Error('it calls Math.random, whose number would be the same in each step: tf.randomUniform and the like draw anew');
}

function outputsOf({outputs}: {outputs: unknown}): Tensor[] {
  const list = [outputs].flat();
  if (outputs instanceof Promise) {
    outputs.catch(() => {});
    throw new Error('it is asynchronous: it is called once, to find out which ops it calls, and has to give a tensor at once');
  }
  const wrong = list.find((t) => !(t instanceof Tensor));
  if (!list.length || wrong !== undefined) throw new Error(`it has to give a tensor, got ${shown(list.length ? wrong : outputs)}`);
  return list as Tensor[];
}

/** What the engine calls. It tells the engine what came out, or why nothing did, and never throws. */
function trace(number: number, pointer: number, count: number, training: number): number {
  const handles = [...heap.i32(pointer, 2 * count)];
  const mathRandom = Math.random;
  const traceable = known.get(number)?.deref();
  const names = (traceable && namesWithin.get(traceable)) ?? new Map<string, string>();
  if (traceable) namesWithin.set(traceable, names);
  const call = new Call(names);
  startScope();
  beginTracing(call);
  Math.random = refuseMathRandom;
  try {
    if (tracingDepth() > kMostDepth) throw new Error('it calls itself again and again');
    if (!traceable) throw new Error('it is gone: compile the model, or load it, anew');
    const tensors = handles.map((handle) => (handle ? new Tensor(handle) : undefined));
    const result = traceable.traceCall(tensors.slice(0, count) as Tensor[], tensors.slice(count), training !== 0);
    const outputs = outputsOf(result).map((t) => handleOf(t));
    const masks = result.masks ? outputs.map((_, i) => (result.masks![i] ? handleOf(result.masks![i]) : 0)) : undefined;
    withArguments((a) => engine().fj_traced(a.i32(outputs), outputs.length, masks ? a.i32(masks) : 0, 0));
    return 1;
  } catch (error) {
    const {message} = error as Error;
    withArguments((a) => engine().fj_traced(0, 0, 0, a.text(`it cannot be a part of a model: ${message}`)));
    return 0;
  } finally {
    Math.random = mathRandom;
    endTracing();
    call.end();
    endScope();
  }
}
onTrace.call = trace;
