// Writes web/src/generated/tables.ts: the ops, layers and names that the engine has, from its own tables (build/native/describe).
import {execFileSync} from 'node:child_process';
import {mkdirSync, writeFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

const readTables = () => JSON.parse(execFileSync(`${root}/build/native/describe`, {encoding: 'utf8'}));
/** The names that a model's description has for them. */
export function layersAndActivations() {
  const {layers, activations} = readTables();
  return [...layers.map(({className}) => className), ...activations];
}

export function generate() {
  const tables = readTables();
  const elementwise = tables.ops.filter((op) => op.kind === 'elementwise' && op.attrs.length === 0);
  const unary = elementwise.filter((op) => op.arity === 1).map((op) => op.name);
  const binary = elementwise.filter((op) => op.arity === 2).map((op) => op.name);
  const attrs = (op) => op.attrs.map((a) => [a.name, a.type, a.default]);
  // The type that all inputs of an op must have, where another is refused.
  const inputs = {logic: 'bool', bits: 'int32'};
  // TensorFlow.js refuses integers here.
  const floats = ['ceil', 'cos', 'cosh', 'elu', 'floor', 'log', 'rsqrt', 'sigmoid', 'sin', 'softmax', 'sqrt', 'tan', 'tanh'];
  const inputType = (op) => (inputs[op.row] ? `, '${inputs[op.row]}'` : floats.includes(op.name) ? ", 'float32'" : '');
  const lines = [
    '// Generated from the engine\'s tables: see web/generate.mjs.',
    `export type AttrType = 'bool' | 'int' | 'float' | 'dtype' | 'mirror' | 'pair' | 'padding' | 'ints';`,
    `export type OpName = ${tables.ops.map((op) => `'${op.name}'`).join(' | ')};`,
    `export type UnaryName = ${unary.map((n) => `'${n}'`).join(' | ')};`,
    `export type BinaryName = ${binary.map((n) => `'${n}'`).join(' | ')};`,
    `export const ops: Record<OpName, readonly [number, ReadonlyArray<readonly [string, AttrType, unknown]>, ('bool' | 'int32' | 'float32')?]> = {`,
    ...tables.ops.map((op) => `  ${op.name}: [${op.number}, ${JSON.stringify(attrs(op))}${inputType(op)}],`),
    '};',
    `export const unaryNames: readonly UnaryName[] = ${JSON.stringify(unary)};`,
    `export const binaryNames: readonly BinaryName[] = ${JSON.stringify(binary)};`,
    `export type LayerName = ${tables.layers.map((l) => `'${l.name}'`).join(' | ')};`,
    `export const layerClasses: Record<LayerName, string> = ${JSON.stringify(Object.fromEntries(tables.layers.map((l) => [l.name, l.className])))};`,
    `export type ActivationName = ${tables.activations.map((n) => `'${n}'`).join(' | ')};`,
    '',
  ];
  mkdirSync(`${root}/web/src/generated`, {recursive: true});
  writeFileSync(`${root}/web/src/generated/tables.ts`, lines.join('\n'));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) generate();
