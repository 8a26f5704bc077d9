// Nothing that the package offers is without a test: every export, every member of an exported object and every method of a
// tensor is named in the code of some test. And what the package offers is what TensorFlow.js's programs look for.
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {readdirSync, readFileSync} from 'node:fs';
import {suite, test} from 'node:test';
import {fileURLToPath} from 'node:url';
import {fj, judge} from './helpers.mjs';

const root = new URL('../../', import.meta.url);
const code = ['web/test/', 'check/browser/', 'check/gpu/']
  .flatMap((folder) => readdirSync(new URL(folder, root)).map((file) => new URL(folder + file, root)))
  .filter((url) => /js$/.test(url.pathname) && url.href !== import.meta.url)
  .map((url) => readFileSync(url, 'utf8').replaceAll(/^\s*(\/\/|\*|\/\*).*$/gm, ''))
  .join('\n');

/** Called or read after a dot, or a name in a table of cases: quoted, or the key of an entry. */
const isUsed = (name) => new RegExp(`\\.${name}\\b|'${name}(/\\w+)?'|^\\s*${name}: |[{,] ?${name}: `, 'm').test(code);
const unused = (names) => names.filter((name) => !isUsed(name));

suite('what there is is tested', () => {
  test('exports', () => assert.deepEqual(unused(Object.keys(fj)), []));
  for (const [name, value] of Object.entries(fj)) {
    if (typeof value !== 'object' || name === 'version') continue;
    test(`tf.${name}`, () => assert.deepEqual(unused(Object.keys(value).filter((key) => Number.isNaN(Number(key)))), []));
  }
  for (const name of ['Tensor', 'Variable', 'LayersModel', 'Sequential', 'Layer', 'SymbolicTensor', 'Optimizer']) {
    const {prototype} = fj[name];
    // What a model is made of, and where it predicts, are classes behind it.
    const behind = Object.getPrototypeOf(prototype);
    const own = name === 'LayersModel' ? [prototype, behind, Object.getPrototypeOf(behind)] : [prototype];
    const names = own.flatMap((object) => Object.getOwnPropertyNames(object)).filter((method) => method !== 'constructor' && method !== 'handle');
    // handle is the engine's number, for the package itself. Private ones are public in JavaScript: what counts is what is declared, and not as private or protected.
    const files = {Tensor: ['tensor'], Variable: ['variables'], Optimizer: ['gradients'], Layer: ['layers'], SymbolicTensor: ['symbolic'], Sequential: ['models'], LayersModel: ['model', 'elsewhere', 'assembled', 'predictor']}[name];
    const declared = files.map((file) => readFileSync(new URL(`build/npm/types/${file}.d.ts`, root), 'utf8')).join('\n');
    const hidden = new Set([...declared.matchAll(/(?:private|protected) (?:get )?(\w+)/g)].map((m) => m[1]));
    const isDeclared = (method) => new RegExp(`^ .*\\b${method}[(<?:;]`, 'm').test(declared);
    test(`methods of ${name}`, () => assert.deepEqual(unused(names.filter((method) => isDeclared(method) && !hidden.has(method))), []));
  }
});

test('every elementwise op of the engine\'s table is exported and a method', () => {
  const {ops} = JSON.parse(execFileSync(fileURLToPath(new URL('build/native/describe', root)), {encoding: 'utf8'}));
  const names = ops.filter((op) => op.kind === 'elementwise' && op.arity < 3 && op.attrs.length === 0).map((op) => op.name);
  assert.ok(names.length > 80, `${names.length} ops`);
  assert.deepEqual(names.filter((name) => typeof fj[name] !== 'function'), []);
  assert.deepEqual(names.filter((name) => typeof fj.Tensor.prototype[name] !== 'function'), []);
});

test('names that TensorFlow.js has are of the same kind there', () => {
  // Its train is a class with static methods.
  const shared = Object.keys(fj).filter((name) => name in judge && name !== 'train');
  assert.ok(shared.length > 120, `${shared.length} names`);
  assert.deepEqual(shared.filter((name) => typeof fj[name] !== typeof judge[name]), []);
  for (const group of ['train', 'losses', 'layers', 'io', 'initializers', 'regularizers', 'constraints', 'callbacks', 'browser']) {
    assert.deepEqual(Object.keys(fj[group]).filter((name) => name in judge[group] && typeof fj[group][name] !== typeof judge[group][name]), [], group);
  }
});

test('the package names its files, and they are there', () => {
  const folder = new URL('build/npm/', root);
  const description = JSON.parse(readFileSync(new URL('package.json', folder), 'utf8'));
  assert.equal(description.name, 'fjord');
  assert.equal(description.version, fj.version.fjord);
  for (const file of [description.main, description.types, ...description.files]) {
    assert.ok(readdirSync(folder).includes(file), file);
  }
  for (const variant of ['simd', 'simd-threads', 'relaxed-simd', 'relaxed-simd-threads']) {
    assert.deepEqual(readdirSync(new URL(`${variant}/`, folder)).sort(), ['fjord.wasm']);
  }
});
