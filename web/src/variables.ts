// Variables: tensors whose values change. Optimizers move them, and find them by their names.

import {call} from './engine.js';
import {detached} from './custom_grad.js';
import {onReset} from './load.js';
import {castTo} from './run.js';
import {checkTensor, keep, Tensor, tidied, tidy, toTensor, type DataType, type TensorLike} from './tensor.js';
import {refuseTraced, tracing} from './tracing.js';

/** By name. Those that are weights of models live as long as these. */
const variables = new Map<string, Variable>();
const weights = new Map<string, WeakRef<Variable>>();
onReset(() => {
  variables.clear();
  weights.clear();
  sharing.clear();
});

/** All that were made by tf.variable and live. */
export const allVariables = (): Variable[] => [...variables.values()];
// Of each function that is being differentiated, what variables were before it has assigned to them: gradients go there, too.
const tapes: Map<Variable, Tensor[]>[] = [];
/** Variables that share the values of the tensors that they were given, which a tape would take them for. */
const sharing = new Set<Variable>();
export function startAssignments(): void {
  if (!tracing()) for (const v of sharing) v['own']();
  tapes.push(new Map());
}
/** A variable, and what it was. */
export const valuesOf = (v: Tensor): Tensor[] => [v, ...(tapes.at(-1)!.get(v as Variable) ?? [])];
export function endAssignments(): void {
  for (const t of [...tapes.pop()!.values()].flat()) t.dispose();
}

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
    refuseTraced(`uses the variable ${this.name}`);
    return super.handle;
  }
  assign(value: Tensor): void {
    this.checkFits(checkTensor(value, 'What is given as a tensor'));
    for (const tape of tapes) tape.set(this, [...(tape.get(this) ?? []), keep(this.clone())]);
    this.take(value);
  }
  /** The values of another tensor: its own copy of them where somebody differentiates, and otherwise when somebody does. */
  private take(value: Tensor): void {
    this.replaceHandle(() => call('fj_clone', value.handle));
    sharing.add(this);
    if (tapes.length) this.own();
  }
  private own(): void {
    tidy(() => {
      const values = detached(this);
      this.replaceHandle(() => call('fj_clone', values.handle));
    });
    sharing.delete(this);
  }
  protected checkFits(value: Tensor): void {
    refuseTraced(`writes to the variable ${this.name}`);
    if (String(value.shape) !== String(this.shape) || value.dtype !== this.dtype) {
      throw new Error(`The variable ${this.name} is ${this.dtype} [${this.shape}]: it cannot take ${value.dtype} [${value.shape}]`);
    }
  }
  /** An optimizer has written to it. */
  protected written(): void {}
  override dispose(): void {
    if (!this.isDisposed && variables.get(this.name) === this) variables.delete(this.name);
    sharing.delete(this);
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
  refuseTraced('makes a variable');
  const values = castTo(t, dtype ?? t.dtype);
  const made = new Variable(call('fj_clone', values.handle), trainable, name ?? unnamedVariable());
  made['take'](values);
  return made;
});
