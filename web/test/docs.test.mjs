// The documentation is true: its programs run, its links lead somewhere, and the messages that it explains are those of the source.
//
// A program that needs something says so before it, in a comment that a reader does not see:
//   <!-- given: model x -->       what stands in the text around it, from `given` below
//   <!-- worker: [1, 2] -->       it is a worker's, and is sent this message
//   <!-- server -->               it exports a server, which is asked for a page
//   <!-- not run: why -->         only its syntax and its names are looked at
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {suite, test} from 'node:test';
import {fileURLToPath, pathToFileURL} from 'node:url';
import {gzipSync} from 'node:zlib';
import {build, transform} from 'esbuild';
import {kerasInMarkdown} from '../../tools/keras.mjs';
import {fj, judge} from './helpers.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (file) => readFileSync(root + file, 'utf8');
const pages = ['README.md', 'CHANGELOG.md', ...readdirSync(`${root}docs`).filter((file) => file.endsWith('.md')).map((file) => `docs/${file}`)];

// ---- programs -----------------------------------------------------------------------------------------------------------------

const given = {
  model: `const model = tf.sequential({layers: [tf.layers.dense({units: 1, inputShape: [2]})]});
    model.compile({optimizer: 'sgd', loss: 'meanSquaredError'});`,
  x: 'const x = tf.ones([4, 2]);',
  y: 'const y = tf.ones([4, 1]);',
  status: 'const status = {};',
  stopButton: 'const stopButton = {};',
};
/** The lab's adapters are sketched there, with `..` for what they do. */
const sketches = ['docs/study.md'];

/** The programs of a page: {line, language, code} and what the comment before one says. */
function programsIn(page) {
  const text = read(page);
  return [...text.matchAll(/(?:<!-- (given|worker|server|not run):? ?(.*?) -->\n)?```(jsx?)\n([^]*?)\n```/g)].map(({1: kind, 2: said, 3: language, 4: code, index}) => ({
    line: text.slice(0, index).split('\n').length, kind, said, language, code,
  }));
}

const folder = `${root}build/docs-test/`;
rmSync(folder, {recursive: true, force: true});
mkdirSync(`${folder}node_modules`, {recursive: true});
symlinkSync(`${root}build/npm`, `${folder}node_modules/fjord`);
/** Bundled as a page would be, but for Fjord: TensorFlow.js is no module in Node. */
async function run(name, code) {
  const outfile = `${folder}${name}.mjs`;
  const banner = {js: "import {createRequire} from 'node:module'; const require = createRequire(import.meta.url);"};
  await build({stdin: {contents: code, resolveDir: root}, outfile, bundle: true, format: 'esm', platform: 'node', external: ['fjord', 'fjord/*'], banner, logLevel: 'error'});
  return import(pathToFileURL(outfile));
}

/** The worker's answer to a message. */
async function answerTo(message, start) {
  const answers = [];
  Object.assign(globalThis, {onmessage: null, postMessage: (data) => answers.push(data)});
  try {
    await start();
    await globalThis.onmessage({data: message});
  } finally {
    delete globalThis.onmessage;
    delete globalThis.postMessage;
  }
  assert.ok(answers.length, 'it has answered');
}

suite('programs of the documentation run', () => {
  for (const page of pages.filter((page) => !sketches.includes(page))) {
    for (const {line, kind, said, language, code} of programsIn(page)) {
      const name = `${page.replace(/\W/g, '-')}-${line}`;
      test(`${page}:${line}${kind === 'not run' ? `, its names: ${said}` : ''}`, async (t) => {
        await transform(code, {loader: language, supported: {'top-level-await': true}});
        for (const [whole, first, second] of code.matchAll(/(?<![\w.])tf\.(\w+)(?:\.(\w+))?/g)) {
          assert.ok(first in fj, `there is no ${whole}`);
          if (second && typeof fj[first] === 'object') assert.ok(second in fj[first], `there is no ${whole}`);
        }
        if (kind === 'not run' || language === 'jsx') return;
        for (const method of ['log', 'info', 'warn']) t.mock.method(console, method, () => {});
        if (kind === 'worker') return answerTo(JSON.parse(said), () => run(name, code));
        const start = kind === 'given' ? `${/from 'fjord'/.test(code) ? '' : "import * as tf from 'fjord';\n"}${said.split(' ').map((word) => given[word]).join('\n')}\n` : '';
        // Somebody's port may be taken.
        const program = await run(name, start + code.replace('listen(8080)', 'listen(0)'));
        if (kind === 'server') await isolates(program.server);
      });
    }
  }
});

async function isolates(server) {
  if (!server.listening) await new Promise((resolve) => server.once('listening', resolve));
  const {headers} = await fetch(`http://localhost:${server.address().port}/`);
  server.close();
  server.closeAllConnections();
  assert.equal(headers.get('Cross-Origin-Opener-Policy'), 'same-origin');
  assert.equal(headers.get('Cross-Origin-Embedder-Policy'), 'require-corp');
}

// ---- links --------------------------------------------------------------------------------------------------------------------

/** Where a link within a page can lead: named places, and headings as GitHub names them. */
function anchorsIn(file) {
  const text = readFileSync(file, 'utf8').replace(/^```[^]*?^```/gm, '');
  const slug = (heading) => heading.toLowerCase().replaceAll(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-');
  return new Set([...[...text.matchAll(/<a id="([^"]+)"><\/a>/g)].map(([, id]) => id), ...[...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) => slug(heading))]);
}

suite('links of the documentation lead somewhere', () => {
  for (const page of pages) {
    test(page, () => {
      const text = read(page).replace(/^```[^]*?^```/gm, '').replaceAll(/`[^`\n]*`/g, '');
      const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target).filter((target) => !/^https?:/.test(target));
      for (const link of links) {
        const [file, anchor] = link.split('#');
        const target = file ? path.resolve(path.dirname(root + page), file) : root + page;
        assert.ok(existsSync(target), `${link}: there is no such file`);
        if (anchor) assert.ok(anchorsIn(target).has(anchor), `${link}: the page has no such place`);
      }
    });
  }
  test('every page of docs/ is in its list', () => {
    const list = read('docs/README.md');
    assert.deepEqual(pages.filter((page) => page.startsWith('docs/') && page !== 'docs/README.md' && !list.includes(`](${page.slice(5)})`)), []);
  });
});

// ---- messages -----------------------------------------------------------------------------------------------------------------

/** All source of the engine and of the package, with texts that are written in parts joined. */
const sources = execFileSync('git', ['ls-files', '-z', 'engine', 'web/src'], {cwd: root})
  .toString()
  .split('\0')
  .filter((file) => /\.(cc|h|ts)$/.test(file) && !/_test\.cc$/.test(file))
  .map((file) => read(file).replaceAll(/["'`]\s*\+\s*["'`]/g, '').replaceAll(/"\s*\n\s*"/g, '').replaceAll(/\\(["'`])/g, '$1'))
  .join('\n');

/** Whether the source has these words in this order, near each other; anything may stand for `<..>`. */
function isSaid(message) {
  const parts = message.split(/<[^>]+>/).map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(parts.join('[^]{0,120}?')).test(sources);
}

test('messages that docs/errors.md explains are those of the source', () => {
  const text = read('docs/errors.md');
  const rows = [...text.matchAll(/^\| `([^`]+)`( \(the browser\))?/gm)];
  assert.ok(rows.length > 60, `${rows.length} messages`);
  const unknown = rows.filter(([, message, byOthers]) => !byOthers && !isSaid(message)).map(([, message]) => message);
  assert.deepEqual(unknown, []);
  // The search itself can fail.
  assert.ok(!isSaid('Fjord cannot load <address>: the server is out of coffee'));
});

// ---- names of Keras -----------------------------------------------------------------------------------------------------------

test('docs/keras.md says what of Keras the engine has', () => {
  const [, written] = read('docs/keras.md').match(/<!-- names -->\n([^]*)\n<!-- end -->/);
  const described = JSON.parse(execFileSync(`${root}build/native/describe`, {encoding: 'utf8'}));
  assert.equal(written, kerasInMarkdown(described), './dev docs writes it anew');
});

// ---- README -------------------------------------------------------------------------------------------------------------------

test('sizes of the README are the budgets, and those of the packages', () => {
  const budget = JSON.parse(read('tools/size-budget.json'));
  const kB = (bytes) => Math.round(bytes / 1000);
  const packed = (...files) => kB(files.reduce((sum, file) => sum + gzipSync(readFileSync(`${root}node_modules/${file}`), {level: 9}).length, 0));
  const wasm = ['tf-backend-wasm.min.js', 'tfjs-backend-wasm-simd.wasm'].map((file) => `@tensorflow/tfjs-backend-wasm/dist/${file}`);
  const whole = '@tensorflow/tfjs/dist/tf.min.js';
  const most = (...names) => kB(Math.max(...names.map((name) => budget[name])));
  const expected = [
    most('simd', 'relaxed-simd'),
    most('simd-threads', 'relaxed-simd-threads'),
    most('predict/simd', 'predict/relaxed-simd'),
    most('predict/simd-threads', 'predict/relaxed-simd-threads'),
    packed(whole),
    packed(whole, ...wasm),
    packed('@tensorflow/tfjs-core/dist/tf-core.min.js', '@tensorflow/tfjs-layers/dist/tf-layers.min.js', ...wasm),
    packed(...['ort.wasm.min.js', 'ort-wasm-simd-threaded.mjs', 'ort-wasm-simd-threaded.wasm'].map((file) => `onnxruntime-web/dist/${file}`)),
  ];
  const [, table] = read('README.md').match(/^## How large$([^]*?)^## /m);
  const written = [...table.matchAll(/\| (\d+) \|$/gm)].map(([, number]) => Number(number));
  assert.equal(written.length, expected.length);
  // Versions of zlib differ by less than a hundredth.
  written.forEach((number, i) => assert.ok(Math.abs(number - expected[i]) <= (i < 4 ? 0 : expected[i] / 100), `${number} kB is ${expected[i]}`));
});

test('what the README calls missing is missing', () => {
  const [, table] = read('README.md').match(/^## What is not there yet$([^]*?)^## /m);
  // The first cell of a row; `(tf.layers.Layer)` is tf.Layer here, which describes the layers that there are.
  const names = [...table.matchAll(/^\| (.*?) \|/gm)].flatMap(([, cell]) => [...cell.matchAll(/`tf\.([\w.]+)`/g)].map(([, name]) => name));
  assert.ok(names.length > 5, names.join());
  const lookUp = (tf, name) => name.split('.').reduce((object, key) => object?.[key], tf);
  assert.deepEqual(names.filter((name) => lookUp(fj, name) !== undefined), []);
  assert.deepEqual(names.filter((name) => lookUp(judge, name) === undefined), []);
});
