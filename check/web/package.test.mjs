// What npm publishes: everything that programs import, nothing of the machine that packed it.
import assert from 'node:assert/strict';
import {existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {after, suite, test} from 'node:test';
import {must, root} from '../../tools/build.mjs';
import {tarball} from './setting.mjs';

const folder = mkdtempSync(path.join(os.tmpdir(), 'fjord-packed-'));
after(() => rmSync(folder, {recursive: true}));
const {file, contents} = await tarball();
await must('tar', ['-xzf', file, '-C', folder, '--strip-components=1']);
const read = (name) => readFileSync(path.join(folder, name), 'utf8');
const description = JSON.parse(read('package.json'));
const kVariants = ['simd', 'simd-threads', 'relaxed-simd', 'relaxed-simd-threads'];

suite('the tarball', () => {
  test('has all that was built, and nothing else', () => {
    const built = readdirSync(`${root}build/npm`, {recursive: true}).filter((name) => statSync(`${root}build/npm/${name}`).isFile());
    assert.deepEqual(contents.toSorted(), built.toSorted());
    const expected = [
      ...['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json', 'fjord.js', 'fjord.js.map', 'thread.js', 'worker.js', 'fjord.cjs', 'single.js', 'fjord.min.js', 'fjord.d.ts', 'fjord.d.cts', 'worker.d.ts', 'single.d.ts'],
      ...['text.js', 'text.cjs', 'text.d.ts', 'text.d.cts', ...['worker', 'single', 'predict'].flatMap((folder) => [`${folder}/text.js`, `${folder}/text.d.ts`])],
      ...['predict/fjord.js', 'predict/fjord.d.ts', 'predict/thread.js'],
      ...kVariants.flatMap((variant) => [`${variant}/fjord.wasm`, `predict/${variant}/fjord.wasm`]),
      ...['predict/simd/rest.wasm', 'predict/relaxed-simd/rest.wasm'],
    ];
    assert.deepEqual(expected.filter((name) => !contents.includes(name)), []);
    assert.deepEqual(contents.filter((name) => !expected.includes(name) && !/^(types|commonjs)\/([\w-]+\/)?[\w-]+\.d\.ts$|^commonjs\/package\.json$/.test(name)), []);
  });

  test('holds no path of the machine that packed it', () => {
    const places = [root.slice(0, -1), os.homedir(), os.tmpdir(), process.execPath, 'file:///'].filter((place) => place.length > 1);
    for (const name of contents) {
      // Bytes as characters: WebAssembly is looked through, too.
      const bytes = readFileSync(path.join(folder, name), 'latin1');
      // A short home such as /root also begins other words.
      for (const place of places) assert.ok(!bytes.includes(`${place}/`) && !bytes.includes(`${place}"`), `${name} holds ${place}`);
    }
  });

  test('the map has relative names and all sources inside', () => {
    const map = JSON.parse(read('fjord.js.map'));
    assert.ok(map.sources.length > 20);
    assert.deepEqual(map.sources.filter((source) => !/^(web|build)\/[\w./-]+$/.test(source) || source.includes('..')), []);
    assert.equal(map.sourcesContent.length, map.sources.length);
    assert.deepEqual(map.sources.filter((_, i) => !map.sourcesContent[i]), []);
    for (const name of ['thread.js', 'worker.js', 'single.js', 'fjord.min.js', 'fjord.cjs']) assert.ok(!read(name).includes('\n//# sourceMappingURL='), name);
  });
});

suite('package.json', () => {
  const targets = (value) => (typeof value === 'string' ? [value] : Object.values(value).flatMap(targets));
  test('what it names is there', () => {
    for (const target of [description.main, description.types, description.unpkg, description.jsdelivr, ...targets(description.exports)]) {
      if (!target.includes('*')) assert.ok(existsSync(path.join(folder, target)), target);
    }
  });
  test('tells what the package is and needs, and no address that is not there', () => {
    for (const key of ['name', 'version', 'description', 'license', 'type', 'keywords', 'engines']) assert.ok(description[key], key);
    assert.equal(description.engines.node, '>=20');
    assert.equal(description.scripts, undefined);
    assert.equal(description.dependencies, undefined);
  });
  test('every condition of an import has types of its kind', () => {
    const {'./*': any, ...entries} = description.exports;
    for (const entry of Object.values(entries).flatMap(({node, ...entry}) => [entry, ...Object.values(node ?? {})])) {
      assert.match(entry.types, /\.d\.c?ts$/);
      assert.equal(entry.types.endsWith('.d.cts'), entry.default.endsWith('.cjs'));
    }
  });
});

test('the README has the program of the repository, and no link that leads nowhere', () => {
  const program = (text) => text.match(/```js\n([^]*?)```/)[1];
  assert.equal(program(read('README.md')), program(readFileSync(`${root}README.md`, 'utf8')));
  assert.deepEqual([...read('README.md').matchAll(/\]\((?!https?:)(.*?)\)/g)].map(([, link]) => link), []);
});

test('the WebAssembly of the single file is the variant that it says', async () => {
  const {unpack} = await import('./unpacked.mjs');
  const [text] = read('single.js').match(/(?<==")[#-{|}]{100000,}(?=")/);
  assert.deepEqual(Buffer.from(unpack(text)), readFileSync(path.join(folder, 'simd/fjord.wasm')));
});
