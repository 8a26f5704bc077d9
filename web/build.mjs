// Packs build/npm: the bundle, its types, the WebAssembly variants, package.json. `./dev build` builds the variants first.
import {execFileSync} from 'node:child_process';
import {copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import {build} from 'esbuild';
import {generate} from './generate.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const out = `${root}build/npm`;
const variants = ['simd', 'simd-threads', 'relaxed-simd', 'relaxed-simd-threads'];

generate();
rmSync(out, {recursive: true, force: true});
mkdirSync(out, {recursive: true});
await build({
  entryPoints: [`${root}web/src/index.ts`],
  outfile: `${out}/fjord.js`,
  bundle: true,
  minify: true,
  sourcemap: true,
  // One ES module for pages, workers and Node; the variants are loaded from beside it at run time.
  format: 'esm',
  target: 'es2022',
});
execFileSync(process.execPath, [`${root}node_modules/typescript/bin/tsc`, '-p', `${root}web`], {stdio: 'inherit'});
writeFileSync(`${out}/fjord.d.ts`, `export * from './types/index.js';\n`);

for (const variant of variants) {
  const from = `${root}build/wasm/${variant}`;
  if (!existsSync(`${from}/fjord.wasm`)) continue;
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
      main: 'fjord.js',
      types: 'fjord.d.ts',
      exports: {'.': {types: './fjord.d.ts', default: './fjord.js'}, './*': './*'},
      sideEffects: ['fjord.js'],
      files: ['fjord.js', 'fjord.js.map', 'fjord.d.ts', 'types', ...variants],
    },
    null,
    2,
  ),
);
copyFileSync(`${root}LICENSE`, `${out}/LICENSE`);
