// Packs build/npm: the bundle, its types, the WebAssembly variants, package.json. `./dev build` builds the variants first.
import {execFileSync} from 'node:child_process';
import {copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import {build} from 'esbuild';
import {generate} from './generate.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const out = `${root}build/npm`;
const variants = ['simd', 'simd-threads', 'relaxed-simd', 'relaxed-simd-threads'];

generate();
rmSync(out, {recursive: true, force: true});
mkdirSync(out, {recursive: true});
const built = variants.filter((variant) => existsSync(`${root}build/wasm/${variant}/fjord.wasm`));
const options = {bundle: true, minify: true, sourcemap: true, target: 'es2022'};
// One ES module for pages, workers and Node, which waits for the engine; the variants are loaded from beside it.
await build({...options, entryPoints: [`${root}web/src/module.ts`], outfile: `${out}/fjord.js`, format: 'esm'});
// For require() in Node, where nothing can wait: with the glue of all variants inside, the engine starts at the first use.
await build({
  ...options,
  stdin: {
    resolveDir: `${root}web/src`,
    sourcefile: 'commonjs.ts',
    loader: 'ts',
    contents: [
      ...['fs', 'os', 'url'].map((name) => `import ${name} from 'node:${name}';`),
      `import threads from 'node:worker_threads';`,
      `import {provideGlues} from './load.js';`,
      `import {provideNode} from './node.js';`,
      ...built.map((variant, i) => `import glue${i} from '${root}build/wasm/${variant}/fjord.mjs';`),
      `provideNode({fs, os, url, threads});`,
      `provideGlues({${built.map((variant, i) => `'${variant}': glue${i}`)}});`,
      `export * from './index.js';`,
    ].join('\n'),
  },
  outfile: `${out}/fjord.cjs`,
  // Nobody downloads it, and Node shows the line that an error comes from.
  minify: false,
  sourcemap: false,
  format: 'cjs',
  platform: 'node',
  define: {'import.meta.url': 'fjordUrl'},
  banner: {js: `const fjordUrl = require('node:url').pathToFileURL(__filename).href;`},
});
execFileSync(process.execPath, [`${root}node_modules/typescript/bin/tsc`, '-p', `${root}web`], {stdio: 'inherit'});
writeFileSync(`${out}/fjord.d.ts`, `export * from './types/index.js';\n`);
// The same types for TypeScript's CommonJS, which takes a file's kind from the package.json above it.
cpSync(`${out}/types`, `${out}/commonjs`, {recursive: true});
writeFileSync(`${out}/commonjs/package.json`, '{"type": "commonjs"}\n');
writeFileSync(`${out}/fjord.d.cts`, `export * from './commonjs/index.js';\n`);

for (const variant of built) {
  const from = `${root}build/wasm/${variant}`;
  mkdirSync(`${out}/${variant}`);
  for (const file of ['fjord.mjs', 'fjord.wasm']) copyFileSync(`${from}/${file}`, `${out}/${variant}/${file}`);
}
const {license} = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));
writeFileSync(
  `${out}/package.json`,
  JSON.stringify(
    {
      name: 'fjord',
      version: '0.1.0',
      description: 'Trains and runs neural networks in the browser, with TensorFlow.js\'s names',
      license,
      type: 'module',
      engines: {node: '>=20'},
      main: 'fjord.js',
      types: 'fjord.d.ts',
      exports: {
        '.': {
          node: {require: {types: './fjord.d.cts', default: './fjord.cjs'}},
          types: './fjord.d.ts',
          default: './fjord.js',
        },
        './*': './*',
      },
      sideEffects: ['fjord.js', 'fjord.cjs'],
      files: ['fjord.js', 'fjord.js.map', 'fjord.d.ts', 'types', 'fjord.cjs', 'fjord.d.cts', 'commonjs', ...variants],
    },
    null,
    2,
  ),
);
copyFileSync(`${root}LICENSE`, `${out}/LICENSE`);
