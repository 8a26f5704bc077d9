// Weights of layers and models, as programs see them: a description, and where it is asked for a variable that is the weight.
//
//   const [kernel] = model.trainableWeights;
//   optimizer.minimize(() => loss(model.apply(x)), false, [kernel.val]);

import {call} from './engine.js';
import {checkTensor, handleOf, type DataType, type Tensor} from './tensor.js';
import {Variable} from './variables.js';

/** The model that holds a weight. */
export interface WeightOwner {
  isDisposed(): boolean;
  /** The engine's. */
  handle(): number;
  /** To be called before the weights that the engine has are read, and after they were written. */
  check(what: string): void;
  changed(): void;
}

/** A weight of a model, as a variable: they have one value. It lives as long as the model. */
export class WeightVariable extends Variable {
  constructor(
    private readonly owner: WeightOwner,
    private readonly index: number,
    name: string,
    trainable: boolean,
  ) {
    super(call('fj_modelVariable', owner.handle(), index), trainable, name, false);
  }
  override get handle(): number {
    if (this.owner.isDisposed()) throw new Error(`The weight ${this.name} belonged to a model that was disposed of`);
    this.owner.check(`the weight ${this.name}`);
    return super.handle;
  }
  override assign(value: Tensor): void {
    this.checkFits(value);
    call('fj_modelSetWeight', this.owner.handle(), this.index, handleOf(value));
    this.written();
  }
  protected override written(): void {
    this.owner.changed();
  }
  /** The model's weight stays. */
  override dispose(): void {}
  /** The engine's handle is given back. */
  release(): void {
    super.dispose();
  }
}

/** A weight of a layer. */
export class LayerVariable {
  readonly dtype: DataType = 'float32';

  constructor(
    /** With its layer's: "dense_1/kernel". */
    readonly name: string,
    readonly shape: number[],
    readonly trainable: boolean,
    /** The variable, which a model makes. */
    private readonly variable: () => Variable,
  ) {}
  get originalName(): string {
    return this.name;
  }
  get val(): Variable {
    return this.variable();
  }
  /** Its value: a variable, through which gradients go. */
  read(): Tensor {
    return this.val;
  }
  write(value: Tensor): this {
    this.val.assign(checkTensor(value, 'The value of a weight'));
    return this;
  }
}
