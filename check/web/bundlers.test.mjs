// With bundlers as they come, without a line of configuration for Fjord: what they build trains in a page, and in a worker of it.
import assert from 'node:assert/strict';
import {cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {after, suite, test} from 'node:test';
import {fileURLToPath, pathToFileURL} from 'node:url';
import {must} from '../../tools/build.mjs';
import {agrees, open, project, variantOf} from './setting.mjs';

const folder = await project('app');
const require = createRequire(`${folder}package.json`);
const load = (name) => import(pathToFileURL(require.resolve(name)));
// The same where a worker is a module of its own: it may import all of Fjord.
const kFull = `${folder}full/`;
mkdirSync(kFull, {recursive: true});
for (const name of ['index.html', 'main.js', 'train.js']) cpSync(folder + name, kFull + name);
writeFileSync(`${kFull}in-worker.js`, readFileSync(`${folder}in-worker.js`, 'utf8').replace("'fjord/worker'", "'fjord'"));

const setting = await open();
after(() => setting.close());
const dist = (name) => {
  const made = `${folder}dist/${name}/`;
  rmSync(made, {recursive: true, force: true});
  mkdirSync(made, {recursive: true});
  return made;
};
const page = (script, type = 'module') => `<!doctype html>\n<link rel="icon" href="data:,">\n<title>Fjord trains</title>\n<script type="${type}" src="${script}"></script>\n`;

/** The page and its worker have what this kind of page can have; the console has a line where there could be more. */
function works(result, isolated, parts = ['page', 'worker']) {
  for (const part of parts) {
    agrees(result[part], {variant: variantOf(isolated)});
    assert.equal(result[part].threads > 1, isolated, part);
  }
  assert.equal(new Set(result.requests.filter((request) => request.endsWith('.wasm'))).size, 1, result.requests.join('\n'));
  assert.equal(result.lines.some((line) => line.startsWith('Fjord runs on one thread: this page is not cross-origin isolated.')), !isolated);
  assert.deepEqual(result.lines.filter((line) => !line.startsWith('Fjord runs on one thread: this page is not cross-origin isolated.') && !line.startsWith('[vite]')), []);
}
/** Nothing of the machine that built is in what it publishes. */
function clean(made) {
  for (const name of readdirSync(made, {recursive: true})) {
    if (!statSync(made + name).isFile() || name.endsWith('.map')) continue;
    const bytes = readFileSync(made + name, 'latin1');
    for (const place of [folder.slice(0, -1), 'file:///']) assert.ok(!bytes.includes(place), `${name} holds ${place}`);
  }
}
/** A page that forbids workers has one thread, and is told why. */
async function tellsWhoForbids(made) {
  const {page, lines} = await setting.result(made, {says: 'Fjord runs on one thread', headers: {'Content-Security-Policy': "worker-src 'none'"}});
  agrees(page, {variant: 'relaxed-simd-threads'});
  assert.deepEqual(lines.filter((line) => line.startsWith('Fjord')), ['Fjord runs on one thread: its workers could not start: the Content-Security-Policy of this page forbids it (worker-src).']);
}
/** A bundle without its WebAssembly, then with the server's start page in its place, says so. */
async function tellsWhatIsMissing(made) {
  for (const name of readdirSync(made, {recursive: true})) if (name.endsWith('.wasm')) rmSync(made + name);
  for (const [answer, why] of [[undefined, 'the server answered 404'], [{contentType: 'text/html', body: '<!doctype html>'}, 'an HTML page came in its place']]) {
    const {page} = await setting.result(made, {prepare: (page) => answer && page.route('**/*.wasm', (route) => route.fulfill(answer))});
    assert.match(page.error, /Fjord cannot load http:\/\/[\d.:]+\/.*\.wasm: /);
    assert.ok(page.error.includes(why), page.error);
    assert.match(page.error, /import 'fjord\/single'/);
  }
}

suite('Vite', async () => {
  const vite = await load('vite');
  const quiet = {root: folder, configFile: false, logLevel: 'warn', clearScreen: false};
  for (const isolated of [true, false]) {
    test(`dev, ${isolated ? 'isolated' : 'plain'}`, async () => {
      rmSync(`${folder}node_modules/.vite`, {recursive: true, force: true});
      const headers = isolated ? {'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp'} : {};
      const server = await vite.createServer({...quiet, server: {host: '127.0.0.1', headers}});
      try {
        await server.listen();
        works(await setting.resultAt(server.resolvedUrls.local[0]), isolated);
      } finally {
        await server.close();
      }
    });
  }
  test('build', async () => {
    const made = dist('vite');
    await vite.build({...quiet, build: {outDir: made, emptyOutDir: true}});
    clean(made);
    for (const isolated of [true, false]) works(await setting.result(made, {isolated}), isolated);
    await tellsWhoForbids(made);
    await tellsWhatIsMissing(made);
  });
  test('build, with workers that are modules', async () => {
    const made = dist('vite-full');
    await vite.build({...quiet, root: kFull, worker: {format: 'es'}, build: {outDir: made, emptyOutDir: true}});
    for (const isolated of [true, false]) works(await setting.result(made, {isolated}), isolated);
  });
});

suite('webpack', async () => {
  const {default: webpack} = await load('webpack');
  for (const [mode, name] of [['production', 'fjord/worker'], ['development', 'fjord']]) {
    test(`${mode}, ${name} in the worker`, async () => {
      const made = dist(`webpack-${mode}`);
      const stats = await new Promise((resolve, reject) => webpack({mode, context: name === 'fjord' ? kFull : folder, entry: './main.js', output: {path: made}}, (error, stats) => (error ? reject(error) : resolve(stats))));
      const {errors, warnings} = stats.toJson({all: false, errors: true, warnings: true});
      assert.deepEqual([...errors, ...warnings].map(({message}) => message).filter((message) => !/size limit|performance/.test(message)), []);
      writeFileSync(`${made}index.html`, page('main.js', 'text/javascript'));
      if (mode === 'production') clean(made);
      for (const isolated of [true, false]) works(await setting.result(made, {isolated}), isolated);
      await tellsWhoForbids(made);
      await tellsWhatIsMissing(made);
    });
  }
});

suite('Rollup', async () => {
  const {rollup} = await load('rollup');
  const {nodeResolve} = await load('@rollup/plugin-node-resolve');
  const {importMetaAssets} = await load('@web/rollup-plugin-import-meta-assets');
  const build = async (entry, plugins, output) => {
    const bundle = await rollup({input: folder + entry, plugins: [nodeResolve({browser: true}), ...plugins], onwarn: ({message}) => assert.fail(message)});
    await bundle.write(output);
    await bundle.close();
  };
  for (const [format, type] of [['es', 'module'], ['iife', 'text/javascript']]) {
    test(`fjord/single as ${format}`, async () => {
      const made = dist(`rollup-${format}`);
      await build('single.js', [], {file: `${made}main.js`, format});
      writeFileSync(`${made}index.html`, page('main.js', type));
      clean(made);
      agrees((await setting.result(made)).page, {variant: 'simd', threads: 1});
    });
  }
  test('fjord, with the plugin that copies what new URL() names', async () => {
    const made = dist('rollup-assets');
    await build('module.js', [importMetaAssets()], {dir: made, format: 'es', entryFileNames: 'main.js'});
    writeFileSync(`${made}index.html`, page('main.js'));
    clean(made);
    for (const isolated of [true, false]) works(await setting.result(made, {isolated}), isolated, ['page']);
  });
  test('fjord, without: the page says what to do', async () => {
    const made = dist('rollup-bare');
    await build('module.js', [], {dir: made, format: 'es', entryFileNames: 'main.js'});
    writeFileSync(`${made}index.html`, page('main.js'));
    await tellsWhatIsMissing(made);
  });
});

suite('esbuild', async () => {
  const {default: esbuild} = await load('esbuild');
  const build = async (entry, made, options) => {
    const {errors, warnings} = await esbuild.build({entryPoints: [folder + entry], bundle: true, minify: true, outfile: `${made}main.js`, logLevel: 'silent', ...options});
    assert.deepEqual([...errors, ...warnings], []);
  };
  for (const [format, type] of [['esm', 'module'], ['iife', 'text/javascript']]) {
    test(`fjord/single as ${format}`, async () => {
      const made = dist(`esbuild-${format}`);
      await build('single.js', made, {format});
      writeFileSync(`${made}index.html`, page('main.js', type));
      clean(made);
      agrees((await setting.result(made)).page, {variant: 'simd', threads: 1});
    });
  }
  test('fjord, with its files copied beside the bundle', async () => {
    const made = dist('esbuild-copied');
    await build('module.js', made, {format: 'esm'});
    writeFileSync(`${made}index.html`, page('main.js'));
    for (const name of ['simd', 'simd-threads', 'relaxed-simd', 'relaxed-simd-threads', 'thread.js']) cpSync(`${folder}node_modules/fjord/${name}`, made + name, {recursive: true});
    clean(made);
    for (const isolated of [true, false]) works(await setting.result(made, {isolated}), isolated, ['page']);
  });
  test('fjord, without: the page says what to do', async () => {
    const made = dist('esbuild-bare');
    await build('module.js', made, {format: 'esm'});
    writeFileSync(`${made}index.html`, page('main.js'));
    await tellsWhatIsMissing(made);
  });
});

test('TypeScript finds the types of every entry', async () => {
  const programs = {
    'typed.mts': "import * as tf from 'fjord';\nimport * as single from 'fjord/single';\nimport * as worker from 'fjord/worker';\nimport {hashing} from 'fjord/text';\nimport * as small from 'fjord/predict/text';\nexport const all: (typeof tf)[] = [tf, single, worker];\nexport const both: tf.Tensor[] = [hashing({numBins: 3}).apply('a'), small.stringLookup().apply(['a'])];",
    'typed.cts': "import tf = require('fjord');\nimport text = require('fjord/text');\nexport const made: tf.Tensor = text.hashing({numBins: 3}).apply('a');",
    'typed.ts': 'const tf = fjord;',
  };
  for (const [name, program] of Object.entries(programs)) {
    writeFileSync(folder + name, `${program}\nconst x: number = tf.add(1, 2).dataSync()[0]!;\n// @ts-expect-error There is no such function.\ntf.nothing();\n`);
  }
  const tsc = (...args) => must('node', [fileURLToPath(new URL('../../node_modules/typescript/bin/tsc', import.meta.url)), '--noEmit', '--strict', '--target', 'es2022', ...args], {cwd: folder});
  await tsc('--module', 'nodenext', 'typed.mts', 'typed.cts');
  await tsc('--module', 'esnext', '--moduleResolution', 'bundler', '--moduleDetection', 'legacy', '--types', 'fjord', 'typed.ts');
});
