// Binaryen's tools on the WebAssembly variants that Emscripten has built.
import {execFileSync} from 'node:child_process';
import {existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import os from 'node:os';
import {fileURLToPath} from 'node:url';
import {orderByLikeness} from './order.mjs';
import {parse, withNames} from './wasm.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const cache = process.env.FJORD_CACHE ?? `${os.homedir()}/.cache/fjord`;
const ours = `${cache}/emscripten-3.1.69/binaryen/bin/`;

const features = (variant) => {
  const names = ['simd', 'bulk-memory', 'nontrapping-float-to-int', 'sign-ext', 'mutable-globals'];
  if (variant.startsWith('relaxed')) names.push('relaxed-simd');
  if (variant.endsWith('threads')) names.push('threads');
  return names.map((name) => `--enable-${name}`);
};

/** Runs a tool, with the instructions that a variant has. */
export const run = (tool, variant, ...args) => execFileSync(existsSync(ours) ? ours + tool : tool, [...features(variant), ...args], {stdio: ['ignore', 'inherit', 'inherit']});

/** The names of the functions of a variant, by their numbers: imports come first. */
export function symbols(folder, variant) {
  const lines = readFileSync(`${root}build/${folder}/${variant}/fjord.mjs.symbols`, 'utf8').trimEnd().split('\n');
  return lines.map((line) => line.slice(line.indexOf(':') + 1).replace(/\\([0-9a-f]{2})/g, (_, code) => String.fromCharCode(parseInt(code, 16))));
}

/** Orders the functions of a file so that it is small when it is zipped; gives the old numbers of all in their new order, imports first. */
export function reorder(variant, file) {
  const scratch = mkdtempSync(`${os.tmpdir()}/fjord-order-`);
  try {
    const module = readFileSync(file);
    const {imports, bodies} = parse(module);
    const order = orderByLikeness(bodies);
    // Binaryen sorts by names: here these are places.
    const names = Array.from({length: imports}, (_, i) => `import${i}`);
    for (const [place, i] of order.entries()) names[imports + i] = `f${String(place).padStart(6, '0')}`;
    writeFileSync(`${scratch}/placed.wasm`, withNames(module, names));
    run('wasm-opt', variant, '--reorder-functions-by-name', `${scratch}/placed.wasm`, '-o', file);
    return [...Array(imports).keys(), ...order.map((i) => imports + i)];
  } finally {
    rmSync(scratch, {recursive: true});
  }
}
