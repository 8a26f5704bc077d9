// Gradients of functions of tensors: the engine records what f computes and differentiates it as one plan.
//
//   const df = tf.grad((x) => x.square().sum());
//   const {value, grads} = tf.variableGrads(() => loss());

import {endCustomCalls, startCustomCalls, throughCustomCalls} from './custom_grad.js';
import {play} from './eager.js';
import {call, callForJson, engine, heap, withArguments} from './engine.js';
import {Held} from './held.js';
import {inCamelCase, inKerasNames, snakeCase} from './layers.js';
import type {Described} from './predictor.js';
import {castTo, run} from './run.js';
import {flagOf, shown} from './samples.js';
import {endScope, handleOf, startScope, Tensor, tidy, toTensor, type TensorLike} from './tensor.js';
import {refuseTraced} from './tracing.js';
import {brandPart, refuseForeignPart} from './values.js';
import {allVariables, endAssignments, startAssignments, valuesOf, variableNamed, Variable} from './variables.js';

// ---- recording ------------------------------------------------------------------------------------------------------------------

let tapes = 0;
/** Whether what is computed now is differentiated. */
export const isRecording = (): boolean => tapes > 0;

/** Tells the tapes that a model has judged `xs` by `ys`: what it does is not recorded, and a gradient through it is refused. */
export function recordModel(xs: readonly Tensor[], ys: readonly Tensor[]): void {
  if (tapes === 0) return;
  for (const x of xs) for (const y of ys) call('fj_tapeModel', handleOf(x), handleOf(y));
}

/** Weights as variables, of models by their handles: models.ts knows them. */
export const modelWeights: {variable?: (model: number, index: number) => Variable} = {};
/** The trainable weights of the models that the innermost tape has seen. */
function tapedWeights(): Variable[] {
  return callForJson<[number, number][]>('fj_tapeWeights').map(([model, index]) => modelWeights.variable!(model, index));
}

function tapedGradients(y: Tensor, dy: Tensor | undefined, xs: readonly Tensor[], all: boolean): (Tensor | undefined)[] {
  return withArguments((a) => {
    const out = a.results(xs.length);
    call('fj_gradients', handleOf(y), dy ? handleOf(dy) : 0, a.i32(xs.map((t) => handleOf(t))), xs.length, all ? 1 : 0, out);
    play();
    return [...heap.i32(out, xs.length)].map((handle) => (handle ? new Tensor(handle) : undefined));
  });
}

/**
 * Runs f with a tape around it, then takes the derivatives of its result by xs, which may be known after it alone; none by what it does not
 * depend on. `all`: xs are all trainable variables.
 */
function differentiate<X extends Tensor>(f: () => Tensor, given: () => readonly X[], dy?: Tensor, all = false): {value: Tensor; grads: (Tensor | undefined)[]; xs: readonly X[]} {
  startAssignments();
  startScope();
  engine().fj_tapeStart();
  const customs = startCustomCalls();
  ++tapes;
  let result: {value: Tensor; grads: (Tensor | undefined)[]} | undefined;
  let xs: readonly X[] = [];
  try {
    const value = f();
    if (!(value instanceof Tensor)) throw new Error('The function that is differentiated must return a tensor');
    xs = given();
    // What is whole has no slope, whatever dy is.
    const by = dy && value.dtype !== 'float32' && dy instanceof Tensor && dy.dtype === 'float32' ? castTo(dy, value.dtype) : dy;
    const parts = xs.map(valuesOf);
    const slopes = throughCustomCalls(customs, (y, dy, xs) => tapedGradients(y, dy, xs, all))(value, by, parts.flat());
    const grads = parts.map((list) => slopes.splice(0, list.length).reduce((sum, g) => (sum && g ? run('add', [sum, g]) : (sum ?? g))));
    result = {value, grads};
    return {...result, xs};
  } finally {
    --tapes;
    engine().fj_tapeStop();
    endCustomCalls();
    endAssignments();
    endScope(result);
  }
}

export function grad(f: (x: Tensor) => Tensor): (x: Tensor | TensorLike, dy?: Tensor) => Tensor {
  return (x, dy) => tidy(() => valueAndGrad(f)(x, dy).grad);
}
export function grads(f: (...xs: Tensor[]) => Tensor): (xs: ReadonlyArray<Tensor | TensorLike>, dy?: Tensor) => Tensor[] {
  return (xs, dy) => tidy(() => valueAndGrads(f)(xs, dy).grads);
}
export function valueAndGrad(f: (x: Tensor) => Tensor): (x: Tensor | TensorLike, dy?: Tensor) => {value: Tensor; grad: Tensor} {
  return (x, dy) => {
    const {value, grads} = valueAndGrads(f)([x], dy);
    return {value, grad: grads[0]!};
  };
}
export function valueAndGrads(f: (...xs: Tensor[]) => Tensor): (xs: ReadonlyArray<Tensor | TensorLike>, dy?: Tensor) => {value: Tensor; grads: Tensor[]} {
  return (xs, dy) =>
    tidy(() => {
      const tensors = xs.map((x) => (x instanceof Tensor ? x : toTensor(x, 'x', 'tf.grad', 'float32')));
      // By a condition it is 0, as in TensorFlow.js; by whole numbers it would be 0 where a program means a slope.
      if (tensors.some((t) => t.dtype === 'int32')) throw new Error('There is no gradient with respect to an int32 tensor: make it float32 before, with toFloat()');
      const {value, grads} = differentiate(() => f(...tensors), () => tensors, dy);
      const connected = grads.filter((g) => g !== undefined);
      if (connected.length < grads.length) {
        const without = grads.findIndex((g) => g === undefined);
        throw new Error(
          `Cannot compute gradient of y=f(x) with respect to x${xs.length > 1 ? ` number ${without}` : ''}: ` +
            `y does not depend on it. All ops that lead from x to y have to be called inside of f`,
        );
      }
      return {value, grads: connected};
    });
}

export interface VariableGrads {
  value: Tensor;
  /** By the variable's name; null, as in TensorFlow.js, for one that was listed and is not trainable. */
  grads: Record<string, Tensor>;
}

/**
 * Gradients of a scalar by the trainable variables, of all or of those listed, that it is computed from. All are those of tf.variable, and the
 * trainable weights of models that f calls; a list may have weights, too: model.trainableWeights.map((w) => w.val).
 */
export function variableGrads(f: () => Tensor, list?: Variable[] | null): VariableGrads {
  if (list && !(Array.isArray(list) && list.every((v) => v instanceof Variable))) {
    throw new Error('variableGrads: varList is to be a list of variables, such as tf.variable makes');
  }
  const given = list ?? allVariables();
  const listed = given.filter((v) => v.trainable);
  const chosen = () => (list ? listed : [...new Set([...listed, ...tapedWeights()])]);
  const {value, grads, xs: trainable} = differentiate(
    () => {
      const y = f();
      if (y instanceof Tensor && y.rank !== 0) throw new Error(`variableGrads: the function must return a scalar, got the shape [${y.shape}]`);
      return y;
    },
    () => {
      const all = chosen();
      if (all.length) return all;
      throw new Error(`variableGrads: there are no trainable variables among the ${given.length} given; make some with tf.variable`);
    },
    undefined,
    !list,
  );
  const whole = trainable.find((v, i) => grads[i] && v.dtype === 'int32');
  if (whole) {
    for (const t of [value, ...grads]) t?.dispose();
    throw new Error(`There is no gradient with respect to the int32 variable ${whole.name}: make it float32, or not trainable`);
  }
  const named = trainable.flatMap((v, i) => (grads[i] ? [[v.name, grads[i]] as const] : []));
  if (named.length === 0) {
    throw new Error(
      'Cannot find a connection between any variable and the result of the loss function y=f(x): the ops that use variables have to be called inside of f',
    );
  }
  const fixed = list ? given.filter((v) => !v.trainable).map((v) => [v.name, null as unknown as Tensor] as const) : [];
  return {value, grads: Object.fromEntries([...named, ...fixed])};
}

// ---- optimizers -----------------------------------------------------------------------------------------------------------------

export type Rate = number | object;

/** What is trained by an optimizer beside variables: a model that was compiled with it. */
export interface Trained {
  /** Of the next step. */
  rate: number;
}

/** In a function that is called once. */
export const refuseRate = (): void => refuseTraced('reads the learning rate', 'a callback reads it as often as it is called');

/** A learning rate, or an error that names it. */
export function checkedRate(rate: unknown): number {
  if (typeof rate === 'number' && Number.isFinite(rate) && rate >= 0) return rate;
  throw new Error(`learningRate must be a finite number, at least 0, got ${shown(rate)}`);
}

/** What the engine holds for an optimizer is given back when nobody holds the optimizer any more. */
function free(held: Held): void {
  if (held.handle) engine().fj_optimizerFree(held.handle);
  held.handle = 0;
}
const forgotten = new FinalizationRegistry<Held>(free);

/** Keras's name of an optimizer's parameter: learningRate and lr are learning_rate, beta1 is beta_1. */
const parameterName = (name: string): string => (name === 'lr' ? 'learning_rate' : snakeCase(name).replace(/^beta(?=[12]$)/, 'beta_'));

/** An optimizer as Keras describes it. It serves a model's compile, or updates variables by itself. */
export class Optimizer {
  private readonly held = new Held();
  private readonly trained = new Set<WeakRef<Trained>>();
  /** In Keras's names. */
  readonly config: Record<string, unknown> = {};
  /** The names that the program wrote, by Keras's: the engine, which knows both, names a parameter by them. */
  private readonly names: Record<string, string> = {};

  constructor(
    readonly className: string,
    config: Record<string, unknown>,
  ) {
    for (const [name, value] of Object.entries(config)) {
      const key = parameterName(name);
      const isSchedule = typeof value === 'object' && value !== null && 'class_name' in value;
      if (key === 'learning_rate' && !isSchedule) checkedRate(value);
      // TensorFlow.js's way to ask for the default.
      if (key === 'epsilon' && value === null) continue;
      if (typeof value === 'number' && !Number.isFinite(value)) throw new Error(`${name} must be a finite number, got ${value}`);
      if (Object.hasOwn(this.config, key)) throw new Error(`${name} is given twice`);
      this.config[key] = value;
      // Files have what is sent, so beta_1 is sent.
      if (key === snakeCase(name)) this.names[key] = name;
    }
  }

  /** TensorFlow.js's. */
  getClassName(): string {
    return this.className === 'RMSprop' ? 'RMSProp' : this.hasMomentum ? 'Momentum' : this.className;
  }
  private get hasMomentum(): boolean {
    return this.className === 'SGD' && 'momentum' in this.config;
  }
  /** In TensorFlow.js's names, with the rate of now. */
  getConfig(): Record<string, unknown> {
    const {learning_rate: rate, nesterov, rho, ...others} = this.config;
    // A schedule is what is told of it, but for the one by which a decay is made.
    const {class_name: schedule, config} = Object(rate) as Partial<Described>;
    const decay = this.className === 'Adamax' && schedule === 'InverseTimeDecay' ? (inCamelCase(config) as Record<string, unknown>) : undefined;
    return {
      learningRate: decay ? decay['initialLearningRate'] : schedule ? rate : this.learningRate,
      ...(rho === undefined ? {} : {[/rms/i.test(this.className) ? 'decay' : 'rho']: rho}),
      ...(inCamelCase(others) as object),
      ...(nesterov === undefined ? {} : {[this.hasMomentum ? 'useNesterov' : 'nesterov']: nesterov}),
      ...(this.className === 'Adamax' ? {decay: decay?.['decayRate'] ?? others['decay'] ?? 0} : {}),
    };
  }
  /** For files, with the rate of now. @internal */
  inKerasNames(rate: number): Described {
    // A schedule goes on.
    const config = typeof this.config['learning_rate'] === 'object' ? this.config : {...this.config, learning_rate: rate};
    return {class_name: this.className, config: inKerasNames(config) as Record<string, unknown>};
  }
  /** For the engine. */
  asWritten(): Described {
    return {class_name: this.className, config: Object.fromEntries(Object.entries(this.config).map(([key, value]) => [this.names[key] ?? key, value]))};
  }
  /** One step downhill: computes f, moves the variables, returns the cost if asked to. */
  minimize(f: () => Tensor, returnCost = false, varList?: Variable[] | null): Tensor | null {
    const {value, grads} = variableGrads(f, varList);
    this.applyGradients(grads);
    for (const g of Object.values(grads)) g?.dispose();
    if (returnCost) return value;
    value.dispose();
    return null;
  }
  computeGradients(f: () => Tensor, varList?: Variable[] | null): VariableGrads {
    return variableGrads(f, varList);
  }
  /** By name, or as a list; a variable without a gradient stays as it is. */
  applyGradients(grads: Record<string, Tensor | null> | {name: string; tensor: Tensor | null}[]): void {
    const list = Array.isArray(grads) ? grads.map(({name, tensor}) => [name, tensor] as const) : Object.entries(grads);
    const unknown = list.find(([name]) => !variableNamed(name));
    if (unknown) throw new Error(`applyGradients: there is no variable named ${unknown[0]}`);
    const moved = list.filter((entry): entry is readonly [string, Tensor] => !!entry[1]);
    if (moved.length) this.update(moved.map(([name]) => variableNamed(name)!), moved.map(([, tensor]) => tensor));
  }
  private get made(): number {
    this.held.check('what this optimizer had noted of its variables');
    if (!this.held.handle) {
      this.held.handle = withArguments((a) => call('fj_optimizer', a.json(this.asWritten())));
      forgotten.register(this, this.held, this.held);
    }
    return this.held.handle;
  }
  private update(used: readonly Variable[], grads: readonly Tensor[]): void {
    withArguments((a) =>
      call('fj_optimizerApply', this.made, a.i32(used.map((t) => handleOf(t))), a.i32(used.map((v) => v.variableId)), a.i32(grads.map((t) => handleOf(t))), used.length),
    );
    play();
    for (const v of used) v['written']();
  }

  /** Of the next step: of the model that was compiled with this optimizer last, or else of the variables. */
  get learningRate(): number {
    refuseRate();
    const [model] = [...this.trained].map((t) => t.deref()).filter((t) => t !== undefined).slice(-1);
    if (model) return model.rate;
    const rate = this.config['learning_rate'];
    return typeof rate === 'number' ? rate : engine().fj_optimizerRate(this.made);
  }
  /** From the next step on; a schedule is replaced. */
  set learningRate(rate: number) {
    this.config['learning_rate'] = checkedRate(rate);
    if (this.held.handle) engine().fj_optimizerSetRate(this.held.handle, rate);
    for (const t of this.trained) {
      const model = t.deref();
      if (model) model.rate = rate;
      else this.trained.delete(t);
    }
  }
  setLearningRate(rate: number): void {
    this.learningRate = rate;
  }
  /** A model is trained by this optimizer from now on; the function that is returned ends that. */
  attach(model: Trained): () => void {
    const reference = new WeakRef(model);
    this.trained.add(reference);
    return () => this.trained.delete(reference);
  }
  dispose(): void {
    forgotten.unregister(this.held);
    free(this.held);
  }
}

brandPart(Optimizer.prototype, 'optimizer');

const kClassNames = ['SGD', 'Adagrad', 'Adadelta', 'Adam', 'Adamax', 'RMSprop', 'AdamW', 'Nadam', 'Ftrl', 'Lion', 'Lamb', 'Adafactor', 'Muon', 'ScheduleFreeAdamW'];

/** TensorFlow.js's decay: the rate of step t, from 0, is rate / (1 + decay t). */
function decaying(rate: Rate, decay: number): Rate {
  if (decay === 0) return rate;
  if (!(Number.isFinite(decay) && decay > 0)) throw new Error(`decay must be a finite number, at least 0, got ${shown(decay)}`);
  return {class_name: 'InverseTimeDecay', config: {initialLearningRate: checkedRate(rate), decaySteps: 1, decayRate: decay}};
}

/** One of TensorFlow.js's, whose arguments are looked at when it is made. */
function made(className: string, given: Record<string, unknown>, names: Record<string, string> = {}): Optimizer {
  const {learningRate, epsilon, ...others} = given;
  const kEpsilon = 1e-7;
  const config: Record<string, unknown> = {learningRate, ...('epsilon' in given ? {epsilon: numberOf(epsilon ?? kEpsilon, 'epsilon')} : {})};
  for (const [name, value] of Object.entries(others)) {
    const isFlag = name === 'useNesterov' || name === 'centered';
    config[names[name] ?? name] = isFlag ? flagOf(value, name, false) : numberOf(value, name, name === 'initialAccumulatorValue' ? Infinity : 1);
  }
  return new Optimizer(className, config);
}
function numberOf(value: unknown, name: string, most = Infinity): number {
  if (typeof value === 'number' && value >= 0 && value < most) return value;
  throw new Error(`${name} must be a finite number ${most === 1 ? 'from 0 to below 1' : 'of at least 0'}, got ${shown(value)}`);
}

/** TensorFlow.js's optimizers, with its parameters and defaults, and those of Keras that it lacks. */
export const train = {
  sgd: (learningRate: Rate) => made('SGD', {learningRate}),
  momentum: (learningRate: Rate, momentum: number, useNesterov = false) => made('SGD', {learningRate, momentum, useNesterov}, {useNesterov: 'nesterov'}),
  adagrad: (learningRate: Rate, initialAccumulatorValue = 0.1) => made('Adagrad', {learningRate, initialAccumulatorValue}),
  adadelta: (learningRate: Rate = 0.001, rho = 0.95, epsilon?: number | null) => made('Adadelta', {learningRate, rho, epsilon}),
  adam: (learningRate: Rate = 0.001, beta1 = 0.9, beta2 = 0.999, epsilon?: number | null) => made('Adam', {learningRate, beta1, beta2, epsilon}),
  adamax: (learningRate: Rate = 0.002, beta1 = 0.9, beta2 = 0.999, epsilon?: number | null, decay = 0) =>
    made('Adamax', {learningRate: decaying(learningRate, decay), beta1, beta2, epsilon}),
  rmsprop: (learningRate: Rate, decay = 0.9, momentum = 0, epsilon?: number | null, centered = false) => {
    if (learningRate == null) throw new Error('learningRate for RMSPropOptimizer must be defined.');
    return made('RMSprop', {learningRate, decay, momentum, epsilon, centered}, {decay: 'rho'});
  },
  adamw: (learningRate: Rate = 0.001, weightDecay = 0.004) => new Optimizer('AdamW', {learningRate, weightDecay}),
  nadam: (learningRate: Rate = 0.001) => new Optimizer('Nadam', {learningRate}),
  ftrl: (learningRate: Rate = 0.001) => new Optimizer('Ftrl', {learningRate}),
  lion: (learningRate: Rate = 0.001) => new Optimizer('Lion', {learningRate}),
  lamb: (learningRate: Rate = 0.001) => new Optimizer('Lamb', {learningRate}),
  adafactor: (learningRate: Rate = 0.001) => new Optimizer('Adafactor', {learningRate}),
  muon: (learningRate: Rate = 0.001) => new Optimizer('Muon', {learningRate}),
  scheduleFreeAdamw: (learningRate: Rate = 0.0025) => new Optimizer('ScheduleFreeAdamW', {learningRate}),
};

// Of those that TensorFlow.js's compile knows by name: its functions have no rate of their own for some, and another for adadelta.
const kRates = {sgd: 0.01, adagrad: 0.01, adadelta: 1, adam: 0.001, adamax: 0.002, rmsprop: 0.001};

/** The optimizer that compile was given: itself, by its name, or as Keras describes it. In a file a name means what Keras means by it. */
export function optimizerOf(given: unknown, isOfFile = false): Optimizer {
  if (given instanceof Optimizer) return given;
  refuseForeignPart(given, 'compile');
  if (typeof given === 'string') {
    const name = given.toLowerCase() as keyof typeof kRates;
    if (!isOfFile && Object.hasOwn(kRates, name)) return train[name](kRates[name]);
    const named = kClassNames.find((one) => one.toLowerCase() === name);
    return new Optimizer(named ?? given, {});
  }
  if (typeof given === 'object' && given !== null && 'class_name' in given) {
    const {class_name: name, config} = given as {class_name: string; config?: Record<string, unknown> | null};
    // TensorFlow.js's name of it.
    return new Optimizer(name === 'Momentum' ? 'SGD' : name, config ?? {});
  }
  throw new Error(`compile: optimizer is to be a name such as 'adam', or an optimizer such as tf.train.adam(), got ${shown(given)}`);
}
