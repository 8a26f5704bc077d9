// Gradients of functions of tensors: the engine records what f computes and differentiates it as one plan.
//
//   const df = tf.grad((x) => x.square().sum());
//   const {value, grads} = tf.variableGrads(() => loss());

import {play} from './eager.js';
import {call, engine, heap, withArguments} from './engine.js';
import {castTo} from './run.js';
import {endScope, handleOf, startScope, Tensor, tidied, tidy, toTensor, type DataType, type TensorLike} from './tensor.js';

// ---- variables ------------------------------------------------------------------------------------------------------------------

const variables = new Set<Variable>();

/** A tensor whose value can change. It lives until it is disposed of. */
export class Variable extends Tensor {
  private static count = 0;
  readonly variableId = ++Variable.count;
  readonly trainable: boolean;
  readonly name: string;

  constructor(handle: number, trainable: boolean, name?: string) {
    super(handle);
    this.kept = true;
    this.trainable = trainable;
    this.name = name ?? `variable_${this.variableId}`;
    variables.add(this);
  }
  assign(value: Tensor): void {
    if (String(value.shape) !== String(this.shape) || value.dtype !== this.dtype) {
      throw new Error(`The variable ${this.name} is ${this.dtype} [${this.shape}]: it cannot take ${value.dtype} [${value.shape}]`);
    }
    this.replaceHandle(call('fj_clone', handleOf(value)));
  }
  override dispose(): void {
    variables.delete(this);
    super.dispose();
  }
}

export const variable = tidied((initialValue: Tensor | TensorLike, trainable: boolean = true, name?: string, dtype?: DataType | null): Variable => {
  const t = initialValue instanceof Tensor ? initialValue : toTensor(initialValue, 'initialValue', 'variable', dtype ?? undefined);
  return new Variable(call('fj_clone', castTo(t, dtype ?? t.dtype).handle), trainable, name);
});

// ---- recording ------------------------------------------------------------------------------------------------------------------

/** Runs f with a tape around it, then takes the derivatives of its result. */
function differentiate(f: () => Tensor, xs: readonly Tensor[], dy?: Tensor): {value: Tensor; grads: Tensor[]} {
  startScope();
  engine().fj_tapeStart();
  let result: {value: Tensor; grads: Tensor[]} | undefined;
  try {
    const value = f();
    if (!(value instanceof Tensor)) throw new Error('The function that is differentiated must return a tensor');
    const grads = withArguments((a) => {
      const out = a.i32(new Int32Array(xs.length));
      call('fj_gradients', handleOf(value), dy ? handleOf(dy) : 0, a.i32(xs.map((t) => handleOf(t))), xs.length, out);
      play();
      return [...heap.i32(out, xs.length)].map((handle) => new Tensor(handle));
    });
    return (result = {value, grads});
  } finally {
    engine().fj_tapeStop();
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
      return differentiate(() => f(...tensors), tensors, dy);
    });
}

export interface VariableGrads {
  value: Tensor;
  grads: Record<string, Tensor>;
}

/** Gradients of a scalar by the trainable variables that it is computed from. */
export function variableGrads(f: () => Tensor, list?: Variable[]): VariableGrads {
  const {value, grads, used} = gradientsByVariable(f, list);
  return {value, grads: Object.fromEntries(used.map((v, i) => [v.name, grads[i]!]))};
}

export function gradientsByVariable(f: () => Tensor, list?: Variable[]): {value: Tensor; grads: Tensor[]; used: Variable[]} {
  const used = list ?? [...variables].filter((v) => v.trainable && !v.isDisposed);
  if (used.length === 0) throw new Error('variableGrads: there are no trainable variables; make some with tf.variable');
  const {value, grads} = differentiate(() => {
    const y = f();
    if (y.rank !== 0) throw new Error(`variableGrads: the function must return a scalar, got the shape [${y.shape}]`);
    return y;
  }, used);
  return {value, grads, used};
}

// ---- optimizers -----------------------------------------------------------------------------------------------------------------

/** An optimizer as Keras describes it. It serves a model's compile, or updates variables by itself. */
export class Optimizer {
  private handle = 0;

  constructor(
    readonly className: string,
    readonly config: Record<string, number | boolean | object>,
  ) {}

  getClassName(): string {
    return this.className;
  }
  getConfig(): Record<string, unknown> {
    return {...this.config};
  }
  /** One step downhill: computes f, moves the variables, returns the cost if asked to. */
  minimize(f: () => Tensor, returnCost = false, varList?: Variable[]): Tensor | null {
    const {value, grads, used} = gradientsByVariable(f, varList);
    this.update(used, grads);
    for (const g of grads) g.dispose();
    if (returnCost) return value;
    value.dispose();
    return null;
  }
  computeGradients(f: () => Tensor, varList?: Variable[]): VariableGrads {
    return variableGrads(f, varList);
  }
  applyGradients(grads: Record<string, Tensor>): void {
    const used = [...variables].filter((v) => v.name in grads);
    this.update(used, used.map((v) => grads[v.name]!));
  }
  private update(used: readonly Variable[], grads: readonly Tensor[]): void {
    this.handle ||= withArguments((a) => call('fj_optimizer', a.json({class_name: this.className, config: this.config})));
    withArguments((a) =>
      call('fj_optimizerApply', this.handle, a.i32(used.map((t) => handleOf(t))), a.i32(used.map((v) => v.variableId)), a.i32(grads.map((t) => handleOf(t))), used.length),
    );
    play();
  }
  setLearningRate(rate: number): void {
    this.config['learning_rate'] = rate;
    if (this.handle) engine().fj_optimizerRate(this.handle, rate);
  }
  dispose(): void {
    if (this.handle) engine().fj_optimizerFree(this.handle);
    this.handle = 0;
  }
}

type Rate = number | object;

/** TensorFlow.js's optimizers, with its parameters and defaults, and those of Keras that it lacks. */
export const train = {
  sgd: (learningRate: Rate) => new Optimizer('SGD', {learning_rate: learningRate}),
  momentum: (learningRate: Rate, momentum: number, useNesterov = false) =>
    new Optimizer('SGD', {learning_rate: learningRate, momentum, nesterov: useNesterov}),
  adagrad: (learningRate: Rate, initialAccumulatorValue = 0.1) =>
    new Optimizer('Adagrad', {learning_rate: learningRate, initial_accumulator_value: initialAccumulatorValue}),
  adadelta: (learningRate: Rate = 0.001, rho = 0.95, epsilon = 1e-7) => new Optimizer('Adadelta', {learning_rate: learningRate, rho, epsilon}),
  adam: (learningRate: Rate = 0.001, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7) =>
    new Optimizer('Adam', {learning_rate: learningRate, beta_1: beta1, beta_2: beta2, epsilon}),
  adamax: (learningRate: Rate = 0.002, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7) =>
    new Optimizer('Adamax', {learning_rate: learningRate, beta_1: beta1, beta_2: beta2, epsilon}),
  rmsprop: (learningRate: Rate, decay = 0.9, momentum = 0, epsilon = 1e-7, centered = false) =>
    new Optimizer('RMSprop', {learning_rate: learningRate, rho: decay, momentum, epsilon, centered}),
  adamw: (learningRate: Rate = 0.001, weightDecay = 0.004) => new Optimizer('AdamW', {learning_rate: learningRate, weight_decay: weightDecay}),
  nadam: (learningRate: Rate = 0.001) => new Optimizer('Nadam', {learning_rate: learningRate}),
  ftrl: (learningRate: Rate = 0.001) => new Optimizer('Ftrl', {learning_rate: learningRate}),
  lion: (learningRate: Rate = 0.001) => new Optimizer('Lion', {learning_rate: learningRate}),
};

