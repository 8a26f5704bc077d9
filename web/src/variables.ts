// Variables: tensors whose values change. Optimizers move them, and find them by their names.

import {call} from './engine.js';
import {onReset} from './load.js';
import {castTo} from './run.js';
import {handleOf, Tensor, tidied, toTensor, type DataType, type TensorLike} from './tensor.js';
import {refuseTraced} from './tracing.js';

/** By name. Those that are weights of models live as long as these. */
const variables = new Map<string, Variable>();
const weights = new Map<string, WeakRef<Variable>>();
onReset(() => {
  variables.clear();
  weights.clear();
});

/** All that were made by tf.variable and live. */
export const allVariables = (): Variable[] => [...variables.values()];
export const variableNamed = (name: string): Variable | undefined => variables.get(name) ?? weights.get(name)?.deref();

/** A tensor whose value can change. It lives until it is disposed of. */
export class Variable extends Tensor {
  private static count = 0;
  readonly variableId = ++Variable.count;
  readonly name: string;

  /** `isLoose`: it belongs to nobody. The name of a weight gets a number where another one has it. */
  constructor(
    handle: number,
    public trainable: boolean,
    name: string,
    isLoose = true,
  ) {
    super(handle);
    this.kept = true;
    this.name = isLoose ? name : unusedName(name);
    if (isLoose) variables.set(this.name, this);
    else weights.set(this.name, new WeakRef(this));
  }
  override get handle(): number {
    refuseTraced(`uses the variable ${this.name}`, 'a layer has weights of its own, by addWeight, and read() gives them');
    return super.handle;
  }
  assign(value: Tensor): void {
    this.checkFits(value);
    this.replaceHandle(() => call('fj_clone', handleOf(value)));
  }
  protected checkFits(value: Tensor): void {
    refuseTraced(`writes to the variable ${this.name}`, 'a callback writes to it, or a layer to a weight of its own, by write()');
    if (String(value.shape) !== String(this.shape) || value.dtype !== this.dtype) {
      throw new Error(`The variable ${this.name} is ${this.dtype} [${this.shape}]: it cannot take ${value.dtype} [${value.shape}]`);
    }
  }
  /** An optimizer has written to it. */
  protected written(): void {}
  override dispose(): void {
    if (!this.isDisposed && variables.get(this.name) === this) variables.delete(this.name);
    if (weights.get(this.name)?.deref() === this) weights.delete(this.name);
    super.dispose();
  }
}

function unusedName(name: string): string {
  let unused = name;
  for (let i = 1; variableNamed(unused); ++i) unused = `${name}_${i}`;
  return unused;
}

let unnamed = 0;

function unnamedVariable(): string {
  let name: string;
  do name = `variable_${++unnamed}`;
  while (variables.has(name));
  return name;
}

export const variable = tidied((initialValue: Tensor | TensorLike, trainable: boolean = true, name?: string, dtype?: DataType | null): Variable => {
  const t = initialValue instanceof Tensor ? initialValue : toTensor(initialValue, 'initialValue', 'variable', dtype ?? undefined);
  if (name !== undefined && variables.has(name)) {
    throw new Error(`Variable with name ${name} was already registered: dispose of it first, or give this one another name`);
  }
  return new Variable(call('fj_clone', castTo(t, dtype ?? t.dtype).handle), trainable, name ?? unnamedVariable());
});
