// Packs build/npm: the package's builds, their types, the WebAssembly variants, package.json. `./dev build` builds the variants first.
//
//   fjord.js    the ES module, for pages, workers, bundlers and Node      thread.js      its threads: their glue, and their script
//   worker.js   for workers that a bundler makes one script of            fjord.cjs      for require() in Node
//   single.js   with the variant `simd` inside: an ES module              fjord.min.js   the same as a script
//   predict/    what fjord/predict imports: fjord.js and thread.js, without training and WebGPU. Its WebAssembly is split in two:
//               fjord.wasm, and rest.wasm, which few pages load (split.mjs)
//   text.js     fjord/text, over fjord.js; text.cjs over fjord.cjs. worker/text.js, single/text.js and predict/text.js: over those
//
//   node web/build.mjs [--only wasm]      without fjord/predict
//   node web/build.mjs --for FOLDER OUT   a package for one model (./dev build --for)
import {execFileSync} from 'node:child_process';
import {appendFileSync, copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {fileURLToPath} from 'node:url';
import {build, transform} from 'esbuild';
import {reorder, symbols} from './binaryen.mjs';
import {generate, layersAndActivations} from './generate.mjs';
import {split, splitVariants} from './split.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const out = `${root}build/npm`;
const variants = ['simd', 'simd-threads', 'relaxed-simd', 'relaxed-simd-threads'];
/** The variants that are built in a folder of build/. */
const builtIn = (folder) => variants.filter((variant) => existsSync(`${root}build/${folder}/${variant}/fjord.wasm`));
const built = builtIn('wasm');

/**
 * Emscripten's glue of a folder's variants with threads, or without. One for both of a kind: relaxed SIMD changes no name between JavaScript
 * and WebAssembly. It loads nothing, so it needs no address of its own, which a bundler would replace by a path of its machine.
 */
function glueOf(threads, folder) {
  const [first, ...others] = builtIn(folder).filter((variant) => variant.endsWith('threads') === threads);
  if (!first) return undefined;
  const read = (variant) => readFileSync(`${root}build/${folder}/${variant}/fjord.mjs`, 'utf8');
  for (const other of others) {
    if (read(first) !== read(other)) throw new Error(`The glue of ${first} and that of ${other} differ: build all variants from the same sources`);
  }
  return read(first);
}
// A benchmark of two commits builds one variant alone.
const noGlue = (which) => `export default () => { throw new Error('No variant ${which} threads was built'); };`;

async function glueOfThreads(folder = 'wasm') {
  const glue = glueOf(true, folder);
  if (!glue) return noGlue('with');
  const {code} = await transform(glue, {define: {'import.meta.url': '""'}, minify: true, target: 'es2022'});
  return code;
}

// What src/lean-glue.ts has for the engine.
const given = ['_fj_trace', '_emscripten_resize_heap', '_emscripten_get_now', '__emscripten_get_now_is_monotonic', '__abort_js'];
/** Ours, with the letters that Emscripten's has for the names. */
function leanGlue(folder = 'wasm') {
  const glue = glueOf(false, folder);
  if (!glue) return noGlue('without');
  const letter = (pattern) => glue.match(pattern)?.[1] ?? fail(pattern);
  const fail = (what) => {
    throw new Error(`Emscripten's glue is not as web/build.mjs knows it: ${what}`);
  };
  const imports = letter(/wasmImports\s*=\s*{([^}]*)}/).split(',').map((pair) => pair.split(':').map((word) => word.trim()).reverse());
  for (const [name] of imports) if (!given.includes(name)) fail(name);
  const exports = [...glue.matchAll(/Module\["(_\w+)"\]\s*=\s*wasmExports\["([\w$]+)"\]/g)].map(([, ...pair]) => pair);
  if (exports.length !== new Set(glue.match(/Module\["_\w+"\]/g)).size) fail('an export without a letter');
  const letters = {
    imports: Object.fromEntries(imports), exports: Object.fromEntries(exports),
    memory: letter(/wasmMemory\s*=\s*wasmExports\["([\w$]+)"\]/), begin: letter(/addOnInit\(wasmExports\["([\w$]+)"\]\)/),
  };
  return `import {leanGlue} from './lean-glue';\nexport default leanGlue(${JSON.stringify(letters)});`;
}

/** Bytes as text: web/src/unpack.ts tells how. */
function pack(bytes) {
  const digits = Array.from({length: 89}, (_, i) => String.fromCharCode(35 + i)).filter((c) => c !== '\\' && c !== '`');
  return Array.from(bytes, (byte) => ['', '|', '}'][Math.floor(byte / 87)] + digits[byte % 87]).join('');
}

/** Layers and activations that a first file may be without: known when it has been split. */
let restNames = [];
/** What src/*.d.ts declare and only a build has. */
const parts = {
  './glue.js': leanGlue,
  './thread.js': glueOfThreads,
  './rest-names.js': () => `export const kRestNames = ${JSON.stringify(restNames)};`,
  './inside.js': () => `export const text = ${JSON.stringify(pack(readFileSync(`${out}/simd/fjord.wasm`)))};`,
};
const provideParts = (folder) => ({
  name: 'parts',
  setup({onResolve, onLoad, initialOptions}) {
    onResolve({filter: /^\.\/(glue|thread|inside|rest-names)\.js$/}, ({path}) => (initialOptions.external?.includes(path) ? {path, external: true} : {path, namespace: 'parts'}));
    onLoad({filter: /.*/, namespace: 'parts'}, async ({path}) => ({contents: await parts[path](folder), loader: 'js', resolveDir: `${root}web/src`}));
  },
});

/**
 * Puts the WebAssembly of the variants in a folder of build/ into a package, and the names of its functions, for tests, beside what was built.
 * Those that are split afterwards are ordered then.
 */
function packVariants(folder, to, splits = []) {
  for (const variant of builtIn(folder)) {
    const built = `${root}build/${folder}/${variant}`;
    mkdirSync(`${to}/${variant}`, {recursive: true});
    copyFileSync(`${built}/fjord.wasm`, `${to}/${variant}/fjord.wasm`);
    if (splits.includes(variant)) continue;
    const names = symbols(folder, variant);
    const order = reorder(variant, `${to}/${variant}/fjord.wasm`);
    writeFileSync(`${built}/packed.symbols`, order.map((old, number) => `${number}:${names[old]}`).join('\n'));
  }
}

/**
 * The package of the variants in a folder of build/: an entry `predicting.ts`, whose WebAssembly is split in two by what `models` call, or
 * typical ones; or for one that trains too `module.ts`.
 */
async function packFolder(folder, to, entry, models = []) {
  mkdirSync(to, {recursive: true});
  const bundle = () => build({
    entryPoints: [`${root}web/src/${entry}`], outfile: `${to}/fjord.js`, bundle: true, minify: true, target: 'es2022', format: 'esm',
    external: ['./thread.js'], plugins: [provideParts(folder)], banner,
  });
  await bundle();
  if (builtIn(folder).some((variant) => variant.endsWith('threads'))) writeFileSync(`${to}/thread.js`, await glueOfThreads(folder));
  // A benchmark of two commits builds one variant alone.
  const isSplit = entry === 'predicting.ts' && builtIn(folder).includes('simd');
  packVariants(folder, to, isSplit ? splitVariants : []);
  if (!isSplit) return;
  const tried = split({folder, to, models});
  const [all, those] = [layersAndActivations(), tried].map((names) => new Set(names.map((name) => name.replaceAll('_', '').toLowerCase())));
  restNames = [...all].filter((name) => !those.has(name));
  await bundle();
}
/** A module of its own over another file of the package, which it imports: src/text.ts has no engine inside. */
const bundleOver = (main, outfile, options) =>
  build({
    entryPoints: [`${root}web/src/text.ts`], outfile: `${out}/${outfile}`, bundle: true, minify: true, target: 'es2022', format: 'esm',
    plugins: [{name: 'main', setup: ({onResolve}) => onResolve({filter: /^\.\/index\.js$/}, () => ({path: main, external: true}))}],
    ...options,
  });
// What src/node.ts declares.
const banner = {js: 'const importUnseen=(address)=>import(/* webpackIgnore: true */ /* turbopackIgnore: true */ /* @vite-ignore */ address);'};

generate();
if (process.argv[2] === '--for') {
  const [folder, to, entry, model] = process.argv.slice(3);
  const madeFor = path.basename(model);
  const isOurs = () => existsSync(`${to}/fjord.js`) && existsSync(`${to}/package.json`);
  if (existsSync(to) && readdirSync(to).length && !isOurs()) throw new Error(`${to} holds something else than a package of Fjord: name a folder that is new or empty`);
  rmSync(to, {recursive: true, force: true});
  mkdirSync(to, {recursive: true});
  writeFileSync(`${to}/package.json`, `${JSON.stringify({name: 'fjord', description: `Fjord with what ${madeFor} needs, and no more`, type: 'module', main: './fjord.js', exports: './fjord.js'}, null, 2)}\n`);
  await packFolder(folder, to, entry, [model]);
  process.exit();
}
rmSync(out, {recursive: true, force: true});
mkdirSync(out, {recursive: true});
// For Node, until all of it is known: what is split is run.
writeFileSync(`${out}/package.json`, '{"type": "module"}');
packVariants('wasm', out);
const bundle = (entry, outfile, options) =>
  build({entryPoints: [`${root}web/src/${entry}`], outfile: `${out}/${outfile}`, bundle: true, minify: true, target: 'es2022', plugins: [provideParts('wasm')], ...options});
await bundle('module.ts', 'fjord.js', {format: 'esm', external: ['./thread.js'], sourcemap: true, banner});
writeFileSync(`${out}/thread.js`, await glueOfThreads());
await bundle('worker.ts', 'worker.js', {format: 'esm', banner});
if (built.includes('simd')) {
  await bundle('single.ts', 'single.js', {format: 'esm', banner});
  await bundle('classic.ts', 'fjord.min.js', {format: 'iife', define: {importUnseen: 'undefined'}});
}
await bundle('commonjs.ts', 'fjord.cjs', {
  // Nobody downloads it, and Node shows the line that an error comes from.
  minify: false,
  format: 'cjs',
  platform: 'node',
  define: {'import.meta.url': 'fjordUrl', importUnseen: 'undefined'},
  banner: {js: `const fjordUrl = require('node:url').pathToFileURL(__filename).href;`},
});
// The map has its sources inside; their names are those of the repository.
const map = JSON.parse(readFileSync(`${out}/fjord.js.map`, 'utf8'));
map.sources = map.sources.map((source) => source.replace(/^(\.\.\/)*/, '').replace(/^parts:\.\//, 'web/'));
writeFileSync(`${out}/fjord.js.map`, JSON.stringify(map));

await bundleOver('./fjord.js', 'text.js');
await bundleOver('./fjord.cjs', 'text.cjs', {format: 'cjs', platform: 'node', minify: false});
await bundleOver('../worker.js', 'worker/text.js');
if (built.includes('simd')) await bundleOver('../single.js', 'single/text.js');
// What was built before, of other sources, is left out.
const predicts = process.argv[2] !== '--only' && builtIn('predict').length > 0;
if (predicts) {
  await packFolder('predict', `${out}/predict`, 'predicting.ts');
  await bundleOver('./fjord.js', 'predict/text.js');
  writeFileSync(`${out}/predict/fjord.d.ts`, `export * from '../types/predict.js';\n`);
}
execFileSync(process.execPath, [`${root}node_modules/typescript/bin/tsc`, '-p', `${root}web`], {stdio: 'inherit'});
for (const name of ['fjord', 'worker', 'single']) writeFileSync(`${out}/${name}.d.ts`, `export * from './types/index.js';\n`);
writeFileSync(`${out}/text.d.ts`, `export * from './types/text.js';\n`);
for (const name of ['worker', 'single', ...(predicts ? ['predict'] : [])]) {
  mkdirSync(`${out}/${name}`, {recursive: true});
  writeFileSync(`${out}/${name}/text.d.ts`, `export * from '../types/text.js';\n`);
}
// Of fjord.min.js.
appendFileSync(`${out}/fjord.d.ts`, 'export as namespace fjord;\n');
// The same types for TypeScript's CommonJS, which takes a file's kind from the package.json above it.
cpSync(`${out}/types`, `${out}/commonjs`, {recursive: true});
writeFileSync(`${out}/commonjs/package.json`, '{"type": "commonjs"}\n');
writeFileSync(`${out}/fjord.d.cts`, `export * from './commonjs/index.js';\n`);
writeFileSync(`${out}/text.d.cts`, `export * from './commonjs/text.js';\n`);

for (const file of ['LICENSE', 'CHANGELOG.md']) copyFileSync(root + file, `${out}/${file}`);
const [, program] = readFileSync(`${root}README.md`, 'utf8').match(/```js\n([^]*?)\n```/);
writeFileSync(`${out}/README.md`, readFileSync(`${root}web/README.md`, 'utf8').replace('PROGRAM', () => program));

/** An entry that Node's require() finds as well. */
const alsoCommonJs = (name) => ({
  node: {
    require: {types: `./${name}.d.cts`, default: `./${name}.cjs`},
    default: {types: `./${name}.d.ts`, default: `./${name}.js`},
  },
  types: `./${name}.d.ts`,
  default: `./${name}.js`,
});
const esModule = (name) => ({types: `./${name}.d.ts`, default: `./${name}.js`});
const {license, engines} = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));
const [, version] = readFileSync(`${root}web/src/forward.ts`, 'utf8').match(/^export const version = {fjord: '(.*)'}/m);
writeFileSync(
  `${out}/package.json`,
  JSON.stringify(
    {
      name: 'fjord',
      version,
      description: "Trains and runs neural networks in the browser, with TensorFlow.js's names",
      keywords: ['machine learning', 'deep learning', 'neural network', 'training', 'inference', 'tensorflow', 'tensorflow.js', 'tfjs', 'keras', 'webassembly', 'wasm', 'simd', 'webgpu'],
      license,
      type: 'module',
      engines,
      main: 'fjord.js',
      types: 'fjord.d.ts',
      // What a CDN answers to a script tag that names no file.
      unpkg: './fjord.min.js',
      jsdelivr: './fjord.min.js',
      exports: {
        '.': alsoCommonJs('fjord'),
        './text': alsoCommonJs('text'),
        ...Object.fromEntries(['worker', 'single', 'worker/text', 'single/text'].map((name) => [`./${name}`, esModule(name)])),
        ...(predicts ? {'./predict': esModule('predict/fjord'), './predict/text': esModule('predict/text')} : {}),
        './*': './*',
      },
      files: [
        ...['fjord.js', 'fjord.js.map', 'thread.js', 'worker.js', 'worker.d.ts', 'fjord.d.ts', 'types', 'fjord.cjs', 'fjord.d.cts', 'commonjs', 'single.js', 'single.d.ts', 'fjord.min.js', 'CHANGELOG.md'],
        ...['text.js', 'text.cjs', 'text.d.ts', 'text.d.cts', 'worker', 'single'],
        ...built,
        ...(predicts ? ['predict'] : []),
      ],
    },
    null,
    2,
  ),
);
