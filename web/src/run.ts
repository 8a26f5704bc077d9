// Runs an op of the engine by name, its attributes by the names of engine/ops/all.inc.

import {play} from './eager.js';
import {call, withArguments, type Arguments} from './engine.js';
import {ops, type AttrType, type OpName} from './generated/tables.js';
import {Tensor, toTensor, typeNumber, type DataType, type TensorLike} from './tensor.js';

export type PaddingAttr = 'valid' | 'same' | readonly [top: number, bottom: number, left: number, right: number];
export type AttrValue = number | boolean | string | readonly number[];

/** The numbers that stand for an attribute, as AttrReader in engine/ops/op.h takes them. */
function encode(type: AttrType, value: unknown): number[] {
  switch (type) {
    case 'bool':
      return [value ? 1 : 0];
    case 'int':
    case 'float':
      return [Number(value)];
    case 'dtype':
      return [typeNumber(value as DataType)];
    case 'mirror':
      return [value === 'symmetric' ? 1 : 0];
    case 'pair':
      return typeof value === 'number' ? [value, value] : [...(value as number[])];
    case 'padding': {
      if (value === 'valid') return [0, 0, 0, 0, 0];
      if (value === 'same') return [1, 0, 0, 0, 0];
      return [2, ...(value as number[])];
    }
    case 'ints': {
      const list = value as number[];
      return [list.length, ...list];
    }
  }
}

function attributeNumbers(op: OpName, given: Readonly<Record<string, AttrValue>>): number[] {
  const numbers: number[] = [];
  for (const [name, type, fallback] of ops[op][1]) numbers.push(...encode(type, given[name] ?? fallback));
  return numbers;
}

/** One op. Inputs that are not tensors become tensors. */
export function run(op: OpName, inputs: ReadonlyArray<Tensor | TensorLike>, attrs: Readonly<Record<string, AttrValue>> = {}): Tensor {
  const tensors = inputs.map((x) => toTensor(x));
  const numbers = attributeNumbers(op, attrs);
  const handle = withArguments((a: Arguments) =>
    call('fj_op', ops[op][0], a.i32(tensors.map((t) => t.handle)), tensors.length, a.f64(numbers), numbers.length),
  );
  play();
  // What was made only for this call is not needed any more.
  tensors.forEach((t, i) => t !== inputs[i] && t.dispose());
  return new Tensor(handle);
}

export function castTo(x: Tensor, dtype: DataType): Tensor {
  return x.dtype === dtype ? x.clone() : run('cast', [x], {dtype});
}
