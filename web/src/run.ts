// Runs an op of the engine by name, its attributes by the names of engine/ir/all.inc.

import {call, withArguments, type Arguments} from './engine.js';
import {ops, type AttrType, type OpName} from './generated/tables.js';
import {Tensor, toTensor, typeNumber, type DataType, type TensorLike} from './tensor.js';
import {there} from './there.js';
import {show} from './values.js';

export type PaddingAttr = 'valid' | 'same' | readonly [top: number, bottom: number, left: number, right: number];
/** What is given has to be right: defaults stand for what is not named. */
export type Attributes = Readonly<Record<string, number | boolean | string | readonly number[] | null | undefined>>;

/** The numbers that stand for an attribute, as AttrReader in engine/ops/op.h takes them, which looks at their values; or what it may be. */
function encode(type: AttrType, value: unknown): unknown[] | string {
  switch (type) {
    case 'bool':
      return typeof value === 'boolean' ? [value ? 1 : 0] : 'true or false';
    case 'dtype':
      return [typeNumber(value as DataType)];
    case 'mirror':
      return value === 'reflect' ? [0] : value === 'symmetric' ? [1] : "'reflect' or 'symmetric'";
    case 'fill': {
      const mode = ['constant', 'reflect', 'wrap', 'nearest'].indexOf(value as string);
      return mode < 0 ? "'constant', 'reflect', 'wrap' or 'nearest'" : [mode];
    }
    case 'pair':
      return typeof value === 'number' ? [value, value] : Array.isArray(value) && value.length === 2 ? value : 'a number, or two';
    case 'padding':
      return value === 'valid' ? [0, 0, 0, 0, 0] : value === 'same' ? [1, 0, 0, 0, 0] : [2, ...(value as number[])];
    case 'text':
      return typeof value === 'string' ? [value.length, ...Array.from(value, (c) => c.charCodeAt(0))] : 'a text';
    case 'ints':
      return Array.isArray(value) ? [value.length, ...value] : 'a list of numbers';
    default:
      return [value];
  }
}

// TensorFlow.js's names of parameters, where they are not the engine's of attributes.
const kAttributes: Record<string, string> = {low: 'minval', high: 'maxval', stddev: 'stdDev', value: 'constantValue', axes: 'axis'};
export const nameOfAttribute = (attribute: string): string => kAttributes[attribute] ?? attribute;

function attributeNumbers(op: OpName, name: string, given: Attributes): number[] {
  const all: number[] = [];
  for (const [attribute, type, fallback] of ops[op][1]) {
    const value = attribute in given ? given[attribute] : fallback;
    const numbers = encode(type, value);
    const allowed = typeof numbers === 'string' ? numbers : numbers.every((n) => typeof n === 'number') ? undefined : numbers.length > 1 ? 'numbers' : 'a number';
    if (allowed) throw new Error(`${name}: ${nameOfAttribute(attribute)} must be ${allowed}, got ${show(value)}`);
    all.push(...(numbers as number[]));
  }
  return all;
}

// TensorFlow.js's names of the arguments, where they are not x, or a and b.
const kArguments: {[op in OpName]?: string} = {
  pow: 'base exp', where: 'condition a b', bitwiseAnd: 'x y', bitwiseOr: 'x y', bitwiseXor: 'x y', softmax: 'logits', logSoftmax: 'logits',
  conv2d: 'x filter', depthwiseConv2d: 'x filter', conv2dTranspose: 'x filter', conv3d: 'x filter', conv3dTranspose: 'x filter', batchNorm: 'x mean variance offset scale', layerNorm: 'x scale offset',
  gather: 'x indices', oneHot: 'indices', leakyRelu: 'x alpha', elu: 'x alpha', step: 'x alpha',
};
/** The name of input i of `count`. */
function argument(op: OpName, i: number, count: number): string {
  if (op === 'concat' || op === 'stack') return `tensors[${i}]`;
  return kArguments[op]?.split(' ')[i] ?? (count === 1 ? 'x' : 'ab'[i]!);
}

/** One op. Inputs that are not tensors become tensors. `name` is the function's, where it is not the op's. */
export function run(op: OpName, inputs: ReadonlyArray<Tensor | TensorLike>, attrs: Attributes = {}, name: string = op): Tensor {
  const row = ops[op];
  const tensors = inputs.map((x, i) => (x instanceof Tensor && !row[2] ? x : toTensor(x, argument(op, i, inputs.length), name, row[2])));
  const handles = tensors.map((t) => t.handle);
  const numbers = row[1].length === 0 ? [] : attributeNumbers(op, name, attrs);
  const handle = withArguments((a: Arguments) => {
    try {
      return call('fj_op', row[0], a.i32(handles), handles.length, a.f64(numbers), numbers.length);
    } catch (error) {
      throw name === op ? error : new Error((error as Error).message.replace(op, name));
    }
  });
  there?.play();
  // What was made only for this call is not needed any more.
  tensors.forEach((t, i) => t !== inputs[i] && t.dispose());
  return new Tensor(handle);
}

export function castTo(x: Tensor, dtype: DataType): Tensor {
  return x.dtype === dtype ? x.clone() : run('cast', [x], {dtype});
}
/** In this type: itself, if it is. */
export const as = (t: Tensor, dtype: DataType): Tensor => (t.dtype === dtype ? t : castTo(t, dtype));
