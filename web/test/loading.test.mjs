// How the package starts in Node: everything works after the import, and after require(), where the engine starts at the first use.
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync} from 'node:fs';
import {suite, test} from 'node:test';
import {fileURLToPath} from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = `${root}build/readme`;
mkdirSync(`${folder}/node_modules`, {recursive: true});
if (!existsSync(`${folder}/node_modules/fjord`)) symlinkSync('../../npm', `${folder}/node_modules/fjord`);
const flags = process.execArgv.filter((flag) => flag.includes('wasm'));

/** What a program prints, run as a file of its own. */
function run(name, program, {env} = {}) {
  writeFileSync(`${folder}/${name}`, program);
  return execFileSync(process.execPath, [...flags, name], {cwd: folder, encoding: 'utf8', env: {...process.env, ...env}});
}
const json = (...args) => JSON.parse(run(...args));

const kRequire = `const tf = require('fjord');
const words = (f) => { try { return f() ?? 'nothing'; } catch (error) { return error.message; } };
`;
const kImport = kRequire.replace("const tf = require('fjord');", "import * as tf from 'fjord';");

suite('the JavaScript of the README trains a network, with nothing but the import', () => {
  const [, program] = readFileSync(`${root}README.md`, 'utf8').match(/```js\n([^]*?)```/);
  const trains = (output) => {
    const [, accuracy] = output.match(/accuracy ([\d.]+)/);
    assert.ok(Number(accuracy) > 0.93, output);
    assert.match(output, /Tensor/);
  };
  test('as it stands', () => trains(run('train.mjs', program)));
  test('by require', () => {
    const required = program.replace("import * as tf from 'fjord';", "const tf = require('fjord');\n(async () => {");
    trains(run('train.cjs', `${required}\n})();`));
  });
  test('in an older Node 20, which has no process.getBuiltinModule', () => trains(run('older.mjs', `delete process.getBuiltinModule;\n${program.replace(/import .*/, "const tf = await import('fjord');")}`)));
});

suite('require', () => {
  test('the first op starts the engine, with threads', () => {
    const [before, sum, variant, threads] = json('first.cjs', `${kRequire}
      console.log(JSON.stringify([tf.wasm.getVariant() ?? 'none', tf.add(1, 2).dataSync()[0], tf.wasm.getVariant(), tf.wasm.getThreadsCount()]));`);
    assert.deepEqual([before, sum], ['none', 3]);
    assert.match(variant, /-threads$/);
    assert.ok(threads >= 1);
  });
  test('everything that can come first', () => {
    const firsts = ['tf.memory().numTensors', 'tf.zeros([2]).size', 'tf.tidy(() => tf.scalar(3).dataSync()[0])', 'tf.train.adam().getClassName?.() ?? 1',
      'tf.sequential({layers: [tf.layers.dense({units: 2, inputShape: [3]})]}).predict(tf.ones([1, 3])).size', 'tf.grad((x) => x.square())(tf.scalar(3)).dataSync()[0]'];
    for (const first of firsts) assert.doesNotMatch(run('anything.cjs', `${kRequire}console.log(words(() => ${first}));`), /undefined|buffer|ready/i, first);
  });
  test('threads change no bit, and may come late', () => {
    const program = (count) => `${kRequire}
      tf.wasm.setThreadsCount(${count});
      const x = tf.tensor(Float32Array.from({length: 250000}, (_, i) => Math.sin(i)), [500, 500]);
      console.log(JSON.stringify([tf.wasm.getThreadsCount(), [...x.matMul(x).sum(0).dataSync()]]));`;
    const [one, ...others] = [1, 2, 5].map((count) => json('bits.cjs', program(count)));
    for (const [i, other] of others.entries()) {
      assert.equal(other[0], [2, 5][i]);
      assert.deepEqual(other[1], one[1]);
    }
  });
  test('a model is loaded before anything else', () => {
    const output = run('model.cjs', `${kRequire}(async () => {
      const model = tf.sequential({layers: [tf.layers.dense({units: 2, inputShape: [3]})]});
      let bytes;
      await model.save({saveFile: async (file) => (bytes = file)});
      require('fs').writeFileSync('model.safetensors', bytes);
      console.log(bytes.length > 0);
    })();`);
    assert.equal(output.trim(), 'true');
    const loaded = run('load.cjs', `${kRequire}
      tf.loadLayersModel({load: async () => new Uint8Array(require('fs').readFileSync('model.safetensors'))}).then((model) => console.log(model.predict(tf.ones([1, 3])).shape.join()));`);
    assert.equal(loaded.trim(), '1,2');
  });
  test('settings need no ready()', () => {
    const [variant, sum] = json('settings.cjs', `${kRequire}
      tf.wasm.setVariant('simd');
      console.log(JSON.stringify([0, tf.add(1, 2).dataSync()[0]].map((v) => v || (tf.add(1, 1).dispose(), tf.wasm.getVariant()))));`);
    assert.deepEqual([variant, sum], ['simd', 3]);
  });
});

test('in a page layers and rows are made before what the settings ask for is loaded, and looked at afterwards', () => {
  const lines = json('page.mjs', `import fs from 'node:fs';
    process.type = 'renderer';
    globalThis.fetch = async (url) => new Response(fs.readFileSync(new URL(url)), {headers: {'Content-Type': 'application/wasm'}});
    const tf = await import('fjord');
    const words = (f) => { try { return f(); } catch (error) { return error.message; } };
    tf.wasm.setWasmPaths(new URL('node_modules/fjord', import.meta.url).href);
    const model = tf.sequential({layers: [tf.layers.dense({units: 2, inputShape: [3]})]});
    model.add(tf.layers.dense({units: 4}));
    const wrong = tf.sequential({layers: [tf.layers.dense({units: -1, inputShape: [3], name: 'wrong'})]});
    const early = words(() => tf.layers.dense({units: 2, name: 'early'}).apply(tf.input({shape: [3]})));
    await tf.ready();
    console.log(JSON.stringify([early, words(() => wrong.build()), model.predict(tf.ones([1, 3])).shape]));`);
  assert.match(lines[0], /^Fjord is not loaded yet: after tf\.wasm\.setWasmPaths, .* await tf\.ready\(\)/);
  assert.match(lines[1], /^wrong: units must be a whole number from 1/);
  assert.deepEqual(lines[2], [1, 4]);
});

suite('what cannot be is told', () => {
  const words = (name, program, expected) => test(name, () => {
    assert.deepEqual(json('words.cjs', kRequire + program).map((line) => line.replaceAll(root, 'ROOT/')), expected);
  });
  const kAdvice = "Its files have to lie beside fjord.js, or where tf.wasm.setWasmPaths says; a server's bundle leaves fjord out (in Next.js serverExternalPackages: ['fjord'])";
  words('a folder without the files', `
    tf.wasm.setVariant('simd');
    tf.wasm.setWasmPaths('nowhere');
    const first = words(() => tf.add(1, 2));
    tf.ready().then(() => 'nothing', (error) => error.message).then((second) => console.log(JSON.stringify([first, second])));`,
  Array(2).fill(`Fjord cannot load file://ROOT/build/readme/nowhere/simd/fjord.wasm: ENOENT: no such file or directory, open 'ROOT/build/readme/nowhere/simd/fjord.wasm'. ${kAdvice}`));
  words('values that are no settings', `
    console.log(JSON.stringify([() => tf.wasm.setVariant('fast'), () => tf.wasm.setWasmPaths(''), () => tf.wasm.setWasmPaths(7), () => tf.wasm.setWasmPaths({'simd/fjord.wasm': 7}),
      () => tf.wasm.setThreadsCount('4')].map(words)));`,
  [
    "tf.wasm.setVariant: there is no variant 'fast'; there are simd, simd-threads, relaxed-simd, relaxed-simd-threads",
    "tf.wasm.setWasmPaths takes an address, or addresses by name of file, got ''",
    'tf.wasm.setWasmPaths takes an address, or addresses by name of file, got 7',
    "tf.wasm.setWasmPaths takes an address, or addresses by name of file, got 7 for 'simd/fjord.wasm'",
    "tf.wasm.setThreadsCount takes a number from 1 to 128, got '4'",
  ]);
  words('another engine while tensors live', `
    tf.wasm.setVariant('simd');
    const x = tf.ones([2]);
    const held = [() => tf.wasm.setVariant('simd-threads'), () => tf.wasm.setThreadsCount(2), () => tf.wasm.setVariant('simd')].map(words);
    x.dispose();
    console.log(JSON.stringify([...held, words(() => tf.wasm.setVariant('simd-threads')), String(tf.add(1, 2).dataSync()[0]), tf.wasm.getVariant()]));`,
  ["tf.wasm.setVariant('simd-threads') would exchange the engine, which holds 1 tensor: call it before they are made, or dispose of them", 'nothing', 'nothing', 'nothing', '3', 'simd-threads']);
});

test('a file that is damaged', () => {
  mkdirSync(`${folder}/damaged/simd`, {recursive: true});
  writeFileSync(`${folder}/damaged/simd/fjord.wasm`, readFileSync(`${root}build/npm/simd/fjord.wasm`).subarray(0, 5000));
  for (const [name, program] of [['damaged.cjs', kRequire], ['damaged.mjs', kImport]]) {
    const output = run(name, `${program}tf.wasm.setVariant('simd');\ntf.wasm.setWasmPaths('damaged');\ntf.ready().catch((error) => console.log(error.message));`);
    assert.match(output, /^Fjord cannot load file:\/\/.*\/damaged\/simd\/fjord\.wasm: it is damaged, or of another version \(.*\)\. Its files/);
  }
});
