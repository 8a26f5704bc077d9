// Builds with CMake's presets, and the npm package from what they leave.
//
//   node tools/build.mjs                   native and package
//   node tools/build.mjs package asan      these parts; page is the package without fjord/predict, study is the lab, with the page's
//   node tools/build.mjs --for model.safetensors [--train] [--ops argMax,div] [--out DIR]
//                                          a package with what this model needs to predict (or to be trained, too), and these ops
//
// build(preset, targets) and buildPackage() are for other programs of this folder.
import {spawn} from 'node:child_process';
import {existsSync, statSync} from 'node:fs';
import os from 'node:os';
import {basename, resolve} from 'node:path';
import {fileURLToPath} from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));
export const variants = ['simd', 'simd-threads', 'relaxed-simd', 'relaxed-simd-threads'];
// What the packages fjord, fjord/predict and one for a model are made of.
const packages = ['wasm', 'predict', 'for'];
export const presets = ['native', 'bench', 'asan', 'tsan', ...packages.flatMap((name) => variants.map((variant) => `${name}-${variant}`))];
export const folderOf = (preset) => `${root}build/${preset.replace(/^(wasm|predict|for)-/, '$1/')}`;
export const jobs = os.availableParallelism();

/** What Node needs for every WebAssembly variant: version 20 has relaxed SIMD behind a flag, later ones without, and know the flag no more. */
export const nodeFlags = process.version.startsWith('v20.') ? ['--experimental-wasm-relaxed-simd'] : [];

/** A program's failure that is already explained: printed without a stack. */
export class Failure extends Error {}

/** Prints a Failure in one line, anything else with its stack, and ends the program. */
export function fail(error) {
  console.error(error instanceof Failure ? error.message : error);
  process.exit(1);
}

/**
 * Runs a program and resolves to {code, output, seconds}. Its output is shown as it comes where `show` says so, and
 * kept in any case.
 */
export function run(command, args, {show = false, env = {}, cwd = root} = {}) {
  const start = performance.now();
  return new Promise((resolve) => {
    const child = spawn(command, args, {cwd, env: {...process.env, ...env}, stdio: ['ignore', 'pipe', 'pipe']});
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output += text;
        if (show) process.stdout.write(text);
      });
    }
    const end = (code) => resolve({code, output, seconds: (performance.now() - start) / 1000});
    child.on('error', (error) => ((output += error.message), end(127)));
    child.on('close', (code, signal) => end(signal ? 128 : code));
  });
}

/** As run, but a failure throws with the last lines of the output. */
export async function must(command, args, options) {
  const result = await run(command, args, options);
  if (result.code) throw new Failure(`${lastLines(result.output)}\n${command} ${args.join(' ')} failed`);
  return result;
}

/** The end of a long output; generated code can have lines of megabytes. */
export function lastLines(output, count = 60) {
  return output.trimEnd().split('\n').slice(-count).map((line) => line.slice(0, 400)).join('\n');
}

/** Brings one preset's targets (all of them if none is named) up to date; `settings` are CMake's. */
export async function build(preset, targets = [], settings = []) {
  if (!presets.includes(preset)) throw new Failure(`There is no part "${preset}" to build: ${presets.join(', ')}, package, page, study`);
  process.stdout.write(`building ${preset} ${process.stdout.isTTY ? '\n' : '... '}`);
  const start = performance.now();
  // Ninja sees by itself when CMakeLists.txt has changed, but not so the presets.
  const ninja = statSync(`${folderOf(preset)}/build.ninja`, {throwIfNoEntry: false});
  if (settings.length || !(ninja?.mtimeMs > statSync(`${root}CMakePresets.json`).mtimeMs)) await must('cmake', ['--preset', preset, ...settings]);
  // On a terminal ninja shows how far it is in one line; in a log the time is enough.
  const command = ['-C', folderOf(preset), `-j${jobs}`, ...targets];
  if (process.stdout.isTTY) {
    const code = await new Promise((done) => spawn('ninja', command, {stdio: 'inherit'}).on('close', done));
    if (code) throw new Failure(`${preset} does not build`);
  } else {
    await must('ninja', command);
    console.log(`${((performance.now() - start) / 1000).toFixed(1)} s`);
  }
}

/** Builds the WebAssembly variants, then the npm package in build/npm; `only` is 'wasm' where nobody needs fjord/predict. */
export async function buildPackage(only) {
  // The native build tells the generator of the JavaScript bindings what ops and layers there are.
  await build('native');
  for (const name of only ? [only] : ['wasm', 'predict']) for (const variant of variants) await build(`${name}-${variant}`, ['fjord_wasm']);
  if (!existsSync(`${root}web/build.mjs`)) throw new Failure('There is no web/build.mjs, which packs build/npm');
  await must('node', ['web/build.mjs', ...(only ? ['--only', only] : [])], {show: true});
}

/** Builds the cases and the problems that are tried and timed on a GPU. */
export async function buildForGpu() {
  await build('native', ['fjord_gpu_cases', 'fjord_bench_ops']);
  await build('wasm-relaxed-simd-threads', ['fjord_bench_ops']);
}

// What a page does with pixels before a model, and with scores after it.
const kAround = ['add', 'sub', 'mul', 'div', 'reshape', 'slice', 'argMax'];

/** Builds a package for one model, into `out`. */
async function buildFor(args) {
  const options = {'--out': `${root}build/for/package`, '--ops': ''};
  const [model, ...rest] = args;
  let trains = false;
  for (let i = 0; i < rest.length; ++i) {
    if (rest[i] === '--train') trains = true;
    else if (rest[i] in options && rest[i + 1]) options[rest[i]] = rest[++i];
    else throw new Failure(`--for takes a model, then --train, --ops LIST or --out DIR, got ${rest[i]}`);
  }
  const from = process.env.FJORD_CALLER ?? '';
  const file = model && resolve(from, model);
  if (!file || !existsSync(file)) throw new Failure(`--for takes a model.safetensors or a model.json, got ${model ?? 'nothing'}`);
  await build('native', ['needs', 'describe']);
  const {output} = await must(`${root}build/native/needs`, [file, ...(trains ? ['--train'] : [])]);
  const {ops, layers} = JSON.parse(output);
  const asked = options['--ops'].split(',').filter(Boolean);
  const settings = [
    `-DFJORD_OPS=${[...new Set([...ops, ...kAround, ...asked])].join(',')}`,
    `-DFJORD_LAYERS=${layers.join(',')}`,
    `-DFJORD_MADE_FOR=${basename(file)}`,
    `-DFJORD_TRAINING=${trains ? 'ON' : 'OFF'}`,
  ];
  for (const variant of variants) await build(`for-${variant}`, ['fjord_wasm'], settings);
  const out = resolve(from, options['--out']);
  await must('node', ['web/build.mjs', '--for', 'for', out, trains ? 'module.ts' : 'predicting.ts', file], {show: true});
  console.log(`${out} is the package for ${basename(file)}: import its fjord.js`);
}

/** Builds the lab and what it measures of ours. */
export async function buildStudy() {
  await buildPackage('wasm');
  await build('native', ['fjord_study', 'study_fjord_native']);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const parts = process.argv.slice(2);
  try {
    if (parts[0] === '--for') await buildFor(parts.slice(1));
    else for (const part of parts.length ? parts : ['package']) {
      await ({package: () => buildPackage(), page: () => buildPackage('wasm'), study: buildStudy}[part] ?? (() => build(part)))();
    }
  } catch (error) {
    fail(error);
  }
}
