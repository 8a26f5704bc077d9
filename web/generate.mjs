// Writes web/src/generated/: tables.ts, the ops, layers and names that the engine has, and arguments.ts, the types of what layers and the
// like take, with words for editors; from the engine's own tables (build/native/describe).
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

/** How most layers are called after their classes: GRUCell gruCell, Conv2D conv2d. The package has this function, too. */
const nameOfClass = (className = '') => className.replace(/^[A-Z]+(?![a-z])|^./, (capitals) => capitals.toLowerCase()).replace(/(\d)D/, '$1d');
/** Ops have numbers one after the other. */
function checkNumbers(ops) {
  if (!ops.every(({number}, i) => number === ops[0].number + i)) throw new Error('The numbers of ops have a gap: the package counts them');
}
/** Where these names stand among those of all ops: one after the other. */
function placeOf(names, ops) {
  const first = ops.findIndex((op) => op.name === names[0]);
  if (!names.every((name, i) => ops[first + i].name === name)) throw new Error('Elementwise ops of so many inputs do not stand together any more');
  return `${first}, ${first + names.length}`;
}

/** Where TensorFlow.js's defaults are others than Keras's, those of tf.layers are TensorFlow.js's. */
const theirDefaults = {
  ...Object.fromEntries(['LSTM', 'LSTMCell', 'ConvLSTM2D', 'ConvLSTM2DCell'].map((className) => [className, {recurrentActivation: 'hardSigmoid'}])),
  ...Object.fromEntries(['GRU', 'GRUCell'].map((className) => [className, {recurrentActivation: 'hardSigmoid', resetAfter: false}])),
};

// ---- types of arguments

/** kernel_size: kernelSize, as TensorFlow.js says it. */
const camelCase = (name) => name.replace(/_([a-z0-9])/g, (_, c) => c.toUpperCase());
const pascalCase = (name) => camelCase(`_${name}`);

/** What an argument may be, as a type. */
function typeOf({kind, choices, names: [name]}) {
  if (kind === 'choice') return [...new Set(choices.flatMap((c) => [camelCase(c), c]))].map((c) => (c === 'null' ? c : `'${c}'`)).join(' | ');
  if (kind === 'described') {
    if (name === 'activation') return `ActivationName | (string & {}) | Described | TensorFunction | null`;
    if (/(activation|regularizer|constraint)$/.test(name)) return 'string | Described | TensorFunction | null';
    return `${name.endsWith('initializer') ? 'InitializerName | (string & {})' : 'string'} | Described | null`;
  }
  const types = {
    flag: 'boolean', whole: 'number', number: 'number', text: 'string', perAxis: 'number | number[]', wholes: 'number | number[]',
    shape: 'number | (number | null)[]', borders: 'number | number[] | number[][]', numbers: 'number[]', oneOrMore: 'number | number[]', interval: 'number | number[]', texts: 'string[]',
  };
  const ofLayers = {layer: 'AnyLayer | Described', backward_layer: 'AnyLayer | Described | null', cell: 'AnyLayer | Described | (AnyLayer | Described)[]', cells: '(AnyLayer | Described)[]'};
  return types[kind] ?? ofLayers[name] ?? 'unknown';
}
const shown = (value) => (value === null ? '' : ` Default: ${JSON.stringify(value)}.`);
/** The members of an interface, one for each name that an argument has. */
const membersOf = (list, defaults) =>
  list.flatMap((a) => a.names.map((name) => `  /** ${a.words}${shown(defaults[camelCase(name)] ?? a.default)} */\n  ${camelCase(name)}${a.needed ? '' : '?'}: ${typeOf(a)};`));
const interfaceOf = (name, about, list, base = '', defaults = {}) => [`/** ${about} */`, `export interface ${name}${base && ` extends ${base}`} {`, ...membersOf(list, defaults), '}'];

/** What all layers take is written by hand in layers.ts, where it is read. */
function argumentTypes({layers, tables}) {
  const choices = (what) => tables[what].map((row) => [`${pascalCase(row.name)}${pascalCase(what)}Args`, row]);
  const chosen = ['initializer', 'regularizer', 'constraint', 'callback', 'schedule'].flatMap(choices);
  return [
    '// Generated from the engine\'s tables: see web/generate.mjs.',
    `import type {LayerArgs} from '../layers.js';`,
    `import type {AnyLayer} from '../model.js';`,
    `import type {Described} from '../predictor.js';`,
    `import type {TensorFunction} from '../trace.js';`,
    `import type {ActivationName} from './tables.js';`,
    ...layers.flatMap((l) => interfaceOf(`${l.className}Args`, `Arguments of tf.layers.${l.name}.`, l.arguments, 'LayerArgs', theirDefaults[l.className])),
    `export interface LayerArgsByName {`,
    ...layers.map((l) => `  ${l.name}: ${l.className}Args;`),
    '}',
    ...chosen.flatMap(([name, row]) => interfaceOf(name, `Arguments of ${row.name}.`, row.arguments)),
    `export type InitializerName = ${tables.initializer.map(({name}) => `'${camelCase(name)}'`).join(' | ')};`,
    '',
  ];
}

export function generate() {
  const tables = readTables();
  checkNumbers(tables.ops);
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
    `export type AttrType = 'bool' | 'int' | 'float' | 'dtype' | 'mirror' | 'fill' | 'pair' | 'padding' | 'text' | 'ints';`,
    `export type OpName = ${tables.ops.map((op) => `'${op.name}'`).join(' | ')};`,
    `export type UnaryName = ${unary.map((n) => `'${n}'`).join(' | ')};`,
    `export type BinaryName = ${binary.map((n) => `'${n}'`).join(' | ')};`,
    `type Row = [ReadonlyArray<readonly [string, AttrType, unknown]>?, ('bool' | 'int32' | 'float32')?];`,
    'const rows: Record<OpName, Row> = {',
    ...tables.ops.map((op) => `  ${op.name}: ${inputType(op) || op.attrs.length ? `[${JSON.stringify(attrs(op))}${inputType(op)}]` : '[]'},`),
    '};',
    'const opNames = Object.keys(rows) as OpName[];',
    '/** The number, the attributes, the type of its inputs if no other is taken. */',
    `export const ops = Object.fromEntries(opNames.map((name, i) => [name, [${tables.ops[0].number} + i, rows[name][0] ?? [], rows[name][1]] as const])) as Record<OpName, readonly [number, NonNullable<Row[0]>, Row[1]]>;`,
    `export const unaryNames = opNames.slice(${placeOf(unary, tables.ops)}) as UnaryName[];`,
    `export const binaryNames = opNames.slice(${placeOf(binary, tables.ops)}) as BinaryName[];`,
    `export type LayerName = ${tables.layers.map((l) => `'${l.name}'`).join(' | ')};`,
    `const nameOfClass = ${nameOfClass};`,
    '/** The class of each by its name. Pure, so that a package without layers is without it. */',
    'export const layerClasses = /* @__PURE__ */ (() => {',
    `  const layers = '${tables.layers.map(({name, className}) => (nameOfClass(className) === name ? className : `${className}:${name}`)).join(' ')}'.split(' ');`,
    "  return Object.fromEntries(layers.map((one) => one.split(':')).map(([className, name = nameOfClass(className)]) => [name, className]));",
    '})() as Record<LayerName, string>;',
    `export const defaultsOfTensorFlowJs: Record<string, object> = ${JSON.stringify(theirDefaults)};`,
    `export type ActivationName = ${tables.activations.map((n) => `'${n}'`).join(' | ')};`,
    '',
  ];
  mkdirSync(`${root}/web/src/generated`, {recursive: true});
  writeFileSync(`${root}/web/src/generated/tables.ts`, lines.join('\n'));
  writeFileSync(`${root}/web/src/generated/arguments.ts`, argumentTypes(tables).join('\n'));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) generate();
