// Makes build/gpu-kit: one folder that tries Fjord on the GPU of a Linux machine on x86-64 that has nothing but a Vulkan driver, and times it.
//
//   node tools/gpu-kit.mjs [--no-build]
//
// It holds what check/gpu/kit/run.mjs needs, in the folders in which it stands here: this Node, Dawn, the package, the cases as data, the
// problems in WebAssembly. Node is gzipped, which every machine unpacks; the rest is what Node unpacks.
import {execFileSync} from 'node:child_process';
import {chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {brotliCompressSync, constants, gzipSync} from 'node:zlib';
import {bundlePlayer} from '../check/gpu/dawn.mjs';
import {buildForGpu, buildPackage, fail, Failure, folderOf, root, run, variants} from './build.mjs';

const kKit = `${root}build/gpu-kit/`;
const kMostBytes = 60e6;
const kProblems = 'build/wasm/relaxed-simd-threads/fjord_bench_ops';
const kDawn = 'node_modules/webgpu/dist/linux-x64/dawn.node';
// Libraries of Debian's packages for machines that lack them: Vulkan's loader, and what NVIDIA's driver loads. Those of X11 come with Chromium.
const kLibraries = [
  ['lib', 'libvulkan1', 'libvulkan.so.1'],
  ['nvidia', 'libx11-6', 'libX11.so.6'],
  ['nvidia', 'libxext6', 'libXext.so.6'],
  ['nvidia', 'libxcb1', 'libxcb.so.1'],
  ['nvidia', 'libxau6', 'libXau.so.6'],
  ['nvidia', 'libxdmcp6', 'libXdmcp.so.6'],
  ['nvidia', 'libbsd0', 'libbsd.so.0'],
  ['nvidia', 'libmd0', 'libmd.so.0'],
  ['nvidia', 'libglvnd0', 'libGLdispatch.so.0'],
  ['nvidia', 'libegl1', 'libEGL.so.1'],
];
// What the kit starts; what they import comes along.
const kPrograms = ['check/gpu/kit/run.mjs', 'check/gpu/kit/part.mjs', 'check/bench/gpu.mjs', 'check/bench/problems.mjs'];

/** Writes it compressed, for run.mjs to unpack: at a quality that takes seconds, over a window that sees equal arrays of several cases. */
function pack(file, contents) {
  const params = {[constants.BROTLI_PARAM_QUALITY]: 5, [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS};
  write(`${file}.br`, brotliCompressSync(contents, {params}));
}

/** Copies files to the same places in the kit. */
function carry(...files) {
  for (const file of files) {
    mkdirSync(path.dirname(kKit + file), {recursive: true});
    cpSync(root + file, kKit + file, {recursive: true});
  }
}
function write(file, contents) {
  mkdirSync(path.dirname(kKit + file), {recursive: true});
  writeFileSync(kKit + file, contents);
}

/** A program or library without its symbols. */
async function stripped(file) {
  const out = `${root}build/gpu-kit.stripped`;
  const {code, output} = await run('llvm-strip-19', ['--strip-all', '-o', out, file]);
  if (code) throw new Failure(`${file} cannot be stripped: ${output}`);
  const bytes = readFileSync(out);
  rmSync(out);
  return bytes;
}

/** What a page imports from its server is no file of this machine, even where the project lies in a folder of that name. */
const importsOfPages = {
  name: 'imports of pages',
  setup: ({onResolve}) => onResolve({filter: /^\/(gpu|check)\//}, ({path: external}) => ({path: external, external: true})),
};

/** Our programs, and what they import, as esbuild finds it. */
async function sources() {
  const {build} = await import('esbuild');
  const {metafile} = await build({
    absWorkingDir: root,
    entryPoints: kPrograms,
    bundle: true,
    write: false,
    metafile: true,
    outdir: 'build/none',
    format: 'esm',
    platform: 'node',
    packages: 'external',
    external: [`${root}build/*`],
    plugins: [importsOfPages],
  });
  return Object.keys(metafile.inputs);
}

/** The cases, a line each: the first of every op, then the second, so that an end of the time leaves out no op. */
function cases() {
  const lines = execFileSync(`${folderOf('native')}/fjord_gpu_cases`, {maxBuffer: 1 << 30, encoding: 'utf8'}).trim().split('\n');
  const counts = new Map();
  const ranked = lines.map((line) => {
    const {op} = JSON.parse(line);
    const rank = counts.get(op) ?? 0;
    counts.set(op, rank + 1);
    return {line, rank};
  });
  return ranked.toSorted((a, b) => a.rank - b.rank).map(({line}) => JSON.stringify(shortened(JSON.parse(line)))).join('\n');
}

/**
 * The same case, its float32 inputs with nine digits, which tell each from its neighbours, and so its outputs where these may differ a
 * little: what is lost of them is less than a hundredth of the tolerance.
 */
function shortened({inputs = [], outputs = [], ...rest}) {
  const inexact = rest.tolerance > 0 ? outputs : [];
  for (const {values} of [...inputs, ...inexact].filter(({dtype}) => dtype === 'float32')) {
    // What JSON lacks, such as infinity, is a word.
    values.forEach((v, i) => typeof v === 'number' && (values[i] = Number(v.toPrecision(9))));
  }
  return {...rest, inputs, outputs};
}

function description() {
  const git = (...args) => execFileSync('git', args, {cwd: root, encoding: 'utf8'}).trim();
  const isChanged = git('status', '--porcelain', '--untracked-files=no') !== '';
  const {version} = JSON.parse(readFileSync(`${root}node_modules/webgpu/package.json`));
  return {commit: git('rev-parse', 'HEAD') + (isChanged ? ' and changes' : ''), made: new Date().toISOString(), node: process.version, dawn: version};
}

const about = ({commit, node, dawn}) => `# Fjord on a GPU

\`./run\` tries every op of Fjord and the training of whole models on this machine's GPU, beside the processor, then times them: eight minutes
at most. It leaves \`result.json\` and \`result.md\` here. It needs Linux on x86-64 with glibc 2.34 or newer, libstdc++ and the GPU's Vulkan
driver, and no network; it sets nothing of the GPU. \`./run --help\` tells the rest.

Commit ${commit}; inside are Node ${node}, Dawn (npm webgpu ${dawn}) and, for a machine that lacks them, Vulkan's loader and what NVIDIA's driver
loads, each under its own licence: LICENSE.node, node_modules/webgpu/LICENSE.md, fallback/*/copyright.*
`;

function licences() {
  const node = ['/usr/share/doc/nodejs/LICENSE', path.join(path.dirname(process.execPath), '../LICENSE')].find((file) => existsSync(file));
  if (!node) throw new Failure(`There is no LICENSE of the Node at ${process.execPath}, which the kit has to bring: get Node from nodejs.org or NodeSource`);
  copyFileSync(node, `${kKit}LICENSE.node`);
}

function fallbackLibraries() {
  for (const [folder, name, library] of kLibraries) {
    const file = `/usr/lib/x86_64-linux-gnu/${library}`;
    if (!existsSync(file)) {
      console.log(`The kit goes without ${library}, which this machine lacks: apt-get install ${name}`);
      continue;
    }
    pack(`fallback/${folder}/${library}`, readFileSync(file));
    write(`fallback/${folder}/copyright.${name}`, readFileSync(`/usr/share/doc/${name}/copyright`));
  }
}

async function make() {
  if (process.platform !== 'linux' || process.arch !== 'x64') throw new Failure(`The kit is made on Linux on x86-64, whose Node it brings, and this is ${process.platform} on ${process.arch}`);
  rmSync(kKit, {recursive: true, force: true});
  carry(...(await sources()), 'LICENSE', `${kProblems}.mjs`, 'build/npm/fjord.js', 'build/npm/package.json');
  // The glue of all variants with threads is one file, that of the others is in fjord.js.
  carry('build/npm/thread.js');
  for (const file of [kProblems, ...variants.map((variant) => `build/npm/${variant}/fjord`)]) pack(`${file}.wasm`, readFileSync(`${root}${file}.wasm`));
  carry(...['package.json', 'index.js', 'LICENSE.md'].map((file) => `node_modules/webgpu/${file}`));
  await bundlePlayer(kKit);
  pack('build/gpu/cases.jsonl', cases());
  pack(kDawn, await stripped(root + kDawn));
  write('node.gz', gzipSync(await stripped(process.execPath)));
  fallbackLibraries();
  for (const name of ['GLX', 'EGL']) {
    const icd = {file_format_version: '1.0.0', ICD: {library_path: `lib${name}_nvidia.so.0`, api_version: '1.3.0'}};
    write(`fallback/${name.toLowerCase()}_nvidia_icd.json`, JSON.stringify(icd));
  }
  licences();
  const kit = description();
  write('kit.json', JSON.stringify(kit));
  write('README.md', about(kit));
  copyFileSync(`${root}check/gpu/kit/run`, `${kKit}run`);
  chmodSync(`${kKit}run`, 0o755);
}

/** Bytes of the kit; throws where it is too large to be sent about. */
function weigh() {
  const files = readdirSync(kKit, {recursive: true}).map((file) => ({file, stat: statSync(kKit + file)})).filter(({stat}) => stat.isFile());
  const total = files.reduce((sum, {stat}) => sum + stat.size, 0);
  for (const {file, stat} of files.toSorted((a, b) => b.stat.size - a.stat.size).slice(0, 8)) console.log(`${stat.size.toLocaleString('en').padStart(12)}  ${file}`);
  console.log(`${total.toLocaleString('en').padStart(12)}  of ${kMostBytes.toLocaleString('en')} bytes in ${kKit}`);
  if (total > kMostBytes) throw new Failure(`The kit has ${total} bytes, and may have ${kMostBytes}`);
}

try {
  if (!process.argv.includes('--no-build')) {
    await buildPackage();
    await buildForGpu();
  }
  await make();
  weigh();
} catch (error) {
  fail(error);
}
