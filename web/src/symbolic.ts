// What layers and models give before there are values: tensors that know the call they come from.

import type {AnyLayer} from './model.js';
import type {Shape} from './predictor.js';
import type {DataType} from './tensor.js';
import {brandPart} from './values.js';

export interface SymbolicType {
  dtype: DataType;
  shape: Shape;
}

export class SymbolicTensor {
  constructor(
    readonly dtype: DataType,
    readonly shape: Shape,
    readonly sourceLayer: AnyLayer,
    readonly nodeIndex: number,
    readonly tensorIndex = 0,
  ) {}
  get rank(): number {
    return this.shape.length;
  }
  get name(): string {
    return this.sourceLayer.name;
  }
  /** The call that gave it. */
  get call(): Call {
    return this.sourceLayer.symbolicCalls.list[this.nodeIndex]!;
  }
  /** What the layer was given. */
  get inputs(): SymbolicTensor[] {
    return this.call.inputs;
  }
}

brandPart(SymbolicTensor.prototype, 'output of a layer');

export interface Call {
  inputs: SymbolicTensor[];
  outputs: SymbolicTensor[];
  /** What the call itself says beside its inputs, in Keras's names: whether it is training, whatever the model does. */
  args?: Readonly<Record<string, unknown>>;
}

/** What the engine says of outputs, which knows no sizes of batches: they have that of the inputs, where these have one. */
export function inBatch(inputs: readonly SymbolicType[], outputs: readonly SymbolicType[]): SymbolicType[] {
  const batch = inputs.find(({shape}) => shape[0] != null)?.shape[0] ?? null;
  return outputs.map(({dtype, shape: [first, ...sizes]}) => ({dtype, shape: first === null ? [batch, ...sizes] : first === undefined ? [] : [first, ...sizes]}));
}

/** The calls of a layer, or of a model as one, in all models. */
export class Calls {
  readonly list: Call[] = [];

  constructor(private readonly layer: AnyLayer) {}

  add(inputs: SymbolicTensor[], types: SymbolicType[], args?: Call['args']): SymbolicTensor[] {
    const node = this.list.length;
    const outputs = types.map(({dtype, shape}, i) => new SymbolicTensor(dtype, shape, this.layer, node, i));
    this.list.push({inputs, outputs, args});
    return outputs;
  }
  /** The one call that there is. */
  only(what: string): Call {
    const {length} = this.list;
    if (length === 1) return this.list[0]!;
    const {name} = this.layer;
    throw new Error(
      length ? `${name}.${what}: the layer was applied ${length} times, keep what apply() gives` : `${name}.${what}: the layer is not joined to others yet: apply it, or add it to a model`,
    );
  }
}

/** Where a model begins and ends. */
export interface Ends {
  inputs: SymbolicTensor[];
  outputs: SymbolicTensor[];
}
/** How the engine says that layers are joined: [layer, call, output]. */
export type Ref = [string, number, number];
export interface ModelGraph {
  calls: {layer: string; node: number; inputs: Ref[]; outputs: SymbolicType[]; arguments?: Record<string, unknown>}[];
  inputs: Ref[];
  outputs: Ref[];
}

/** A call, and how many were met before it on the way back from the ends. */
export interface FoundCall {
  layer: AnyLayer;
  call: Call;
  met: number;
}
/** The calls that tensors come from, each after those that it reads; what comes before `begins` counts for nothing. */
export function callsBehind(ends: SymbolicTensor[], begins: ReadonlySet<SymbolicTensor>): FoundCall[] {
  const seen = new Set<Call>();
  const found: FoundCall[] = [];
  // As deep as the model, so without recursion: a call is found when all that it reads has been.
  const open: (FoundCall & {reads: SymbolicTensor[]})[] = [];
  const visit = (t: SymbolicTensor) => {
    const {call, sourceLayer: layer} = t;
    if (begins.has(t) || seen.has(call)) return;
    seen.add(call);
    open.push({layer, call, met: seen.size, reads: [...call.inputs].reverse()});
  };
  for (const end of ends) {
    visit(end);
    for (let top = open.at(-1); top; top = open.at(-1)) {
      const next = top.reads.pop();
      if (next) visit(next);
      else found.push(open.pop()!);
    }
  }
  return found;
}

/** What `apply` was given, if that is symbolic tensors alone. */
export function symbolicOf(inputs: unknown): SymbolicTensor[] | undefined {
  const list = [inputs].flat();
  return list.length && list.every((t) => t instanceof SymbolicTensor) ? list : undefined;
}
