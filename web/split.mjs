// Splits the WebAssembly of fjord/predict, or of a package for one model, in two: the functions that typical models call, and the rest,
// which is fetched when it is needed (src/rest.ts).
//
//   const names = split({folder: 'predict', to: 'build/npm/predict', models: []});      // writes simd/fjord.wasm and simd/rest.wasm
//
// Nobody writes a list of functions: a copy of the variant `simd` that notes what is called runs the models (web/profile.mjs). What is
// called stays, with its like for other numbers: a product has a kernel for each count of rows and columns that may be left over. Other
// variants keep the functions of the same names, and those that `simd` does not have. Binaryen's wasm-split does both: in the first file
// an entry of the table of functions stands for each that is missing, and what it calls is imported from JavaScript.
import {execFileSync} from 'node:child_process';
import {existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {fileURLToPath} from 'node:url';
import {reorder, run, symbols} from './binaryen.mjs';
import {parse, withNames} from './wasm.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
// Without threads; these have one file.
export const splitVariants = ['simd', 'relaxed-simd'];

/** A name without the numbers that a template was made for, and of lambdas in a function; `$_98`, one outside of functions, is another formula. */
const like = (name) => name.replace(/(?<![\w$])\d+/g, '0').replace(/(0, )+0/g, '0').replace(/'lambda\d+'/g, "'lambda'");

/** Runs typical models, or these files, and gives the numbers of the functions that were called, and the layers and activations of the models. */
function profile(folder, to, models, scratch) {
  const instrumented = `${scratch}/instrumented.wasm`;
  run('wasm-split', 'simd', '--instrument', '--profile-export=writeProfile', `${root}build/${folder}/simd/fjord.wasm`, '-o', instrumented);
  const output = execFileSync(process.execPath, [`${root}web/profile.mjs`, `${to}/fjord.js`, instrumented, `${scratch}/profile`, ...models], {encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit']});
  // A hash of the module, then for each function of its own when it was called first, or 0.
  const bytes = readFileSync(`${scratch}/profile`);
  const {imports} = parse(readFileSync(`${root}build/${folder}/simd/fjord.wasm`));
  const called = [];
  for (let i = 0; 8 + 4 * i < bytes.length; ++i) if (bytes.readUInt32LE(8 + 4 * i)) called.push(imports + i);
  return {called, names: JSON.parse(output)};
}

/** Splits the variants of build/`folder` into `to`, which has a package that runs; gives the layers and activations that were tried. */
export function split({folder, to, models}) {
  const scratch = mkdtempSync(path.join(os.tmpdir(), 'fjord-split-'));
  try {
    const {called, names} = profile(folder, to, models, scratch);
    const ofSimd = symbols(folder, 'simd');
    const [known, wanted] = [new Set(ofSimd), new Set(called.map((i) => like(ofSimd[i])))];
    for (const variant of splitVariants.filter((variant) => existsSync(`${to}/${variant}/fjord.wasm`))) {
      const module = readFileSync(`${root}build/${folder}/${variant}/fjord.wasm`);
      const {imports, functions} = parse(module);
      const own = symbols(folder, variant);
      // No vector passes JavaScript, so what takes or gives one is not called through it.
      const keeps = (i) => wanted.has(like(own[i])) || !known.has(own[i]) || functions[i].hasVectors;
      const kept = functions.map((_, i) => i).filter((i) => i >= imports && keeps(i));
      writeFileSync(`${scratch}/named.wasm`, withNames(module, functions.map((_, i) => `f${i}`)));
      writeFileSync(`${scratch}/kept`, kept.map((i) => `f${i}`).join('\n'));
      run('wasm-split', variant, `--keep-funcs=@${scratch}/kept`, '--export-prefix=%', '--import-namespace=first', '--placeholder-namespace=later',
        `${scratch}/named.wasm`, '-o1', `${to}/${variant}/fjord.wasm`, '-o2', `${to}/${variant}/rest.wasm`);
      for (const file of ['fjord.wasm', 'rest.wasm']) reorder(variant, `${to}/${variant}/${file}`);
    }
    return names;
  } finally {
    rmSync(scratch, {recursive: true});
  }
}
