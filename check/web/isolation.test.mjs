// What docs/threads.md, docs/csp.md and docs/browsers.md say of pages: their programs are taken from there, and tried in Chromium.
import assert from 'node:assert/strict';
import {readFileSync, writeFileSync} from 'node:fs';
import {after, suite, test} from 'node:test';
import {importMap, makePages, page} from './pages.mjs';
import {agrees, open, variantOf} from './setting.mjs';

const folder = await makePages('isolation');
const write = (name, text) => writeFileSync(folder + name, text);
const docs = (name) => readFileSync(new URL(`../../docs/${name}.md`, import.meta.url), 'utf8');
const kModule = '<script type="module" src="module.js"></script>';
const setting = await open();
after(() => setting.close());

/** The page trains with threads, or on one with a line that says so. */
async function trains(path, isolated, options) {
  const result = await setting.result(folder, {path, isolated: false, ...options});
  agrees(result.page, {variant: variantOf(isolated)});
  assert.equal(result.page.threads > 1, isolated);
  return result;
}

suite('a page is isolated', () => {
  test('by a service worker, where the host sends no headers', async () => {
    const [, worker] = docs('threads').match(/```js\n(\/\/ isolate\.js\n[^]*?)\n```/);
    const [, register] = docs('threads').match(/```html\n([^]*?isolate\.js[^]*?)\n```/);
    write('isolate.js', worker);
    write('worker.html', page(register, importMap(), kModule));
    // The first page trains on one thread until it is loaded again.
    const from = await setting.serve({isolated: false, mounts: {'/': folder}});
    const context = await setting.browser.newContext();
    const shown = await context.newPage();
    await shown.goto(`${from.url}/worker.html`, {waitUntil: 'commit'});
    await shown.waitForFunction(() => crossOriginIsolated && globalThis.result, undefined, {timeout: 30000});
    agrees((await shown.evaluate(() => globalThis.result)).page, {variant: 'relaxed-simd-threads'});
    await context.close();
  });
  test('by a Document-Isolation-Policy alone', () => trains('/module.html', true, {headers: {'Document-Isolation-Policy': 'isolate-and-require-corp'}}));
  test('by a Cross-Origin-Embedder-Policy without credentials', () => trains('/module.html', true, {headers: {'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'credentialless'}}));
  test('and not by one header of the two', () => trains('/module.html', false, {headers: {'Cross-Origin-Embedder-Policy': 'require-corp'}}));
});

suite('policies', () => {
  const [, policy] = docs('csp').match(/^Content-Security-Policy: (.*)$/m);
  const modules = readFileSync(`${folder}module.html`, 'utf8').replaceAll('<script', '<script nonce="random"');
  test('with a nonce in place of the origin, which goes over to what a module imports', async () => {
    write('nonce.html', modules);
    const headers = {'Content-Security-Policy': policy.replace("script-src 'self'", "script-src 'nonce-random'")};
    const result = await setting.result(folder, {path: '/nonce.html', headers});
    agrees(result.page, {variant: 'relaxed-simd-threads'});
    assert.equal(result.page.threads > 1, true);
  });
  test('in a tag', async () => {
    const text = modules.replace('<title>', `<meta http-equiv="Content-Security-Policy" content="${policy.replace("script-src 'self'", "script-src 'self' 'nonce-random'")}">\n<title>`);
    write('tag.html', text);
    const result = await setting.result(folder, {path: '/tag.html'});
    agrees(result.page, {variant: 'relaxed-simd-threads'});
    // The tag is obeyed.
    write('tag-strict.html', text.replace("'wasm-unsafe-eval'", ''));
    const {page: refused} = await setting.result(folder, {path: '/tag-strict.html'});
    assert.match(refused.error, /forbids WebAssembly/);
  });
});

test('fjord/worker in a page, after ready()', async () => {
  write('worker-build.html', page('<script type="module" src="worker-build.js"></script>'));
  write('worker-build.js', readFileSync(`${folder}module.js`, 'utf8').replace("'fjord'", "'./fjord/worker.js'").replace('\n\n', '\nawait tf.ready();\n\n'));
  await trains('/worker-build.html', false);
});
