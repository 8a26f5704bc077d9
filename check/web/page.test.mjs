// Without a bundler: modules and scripts in pages, workers and service workers, from here and from elsewhere, under policies.
import assert from 'node:assert/strict';
import {cpSync, mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {after, suite, test} from 'node:test';
import {importMap, kept, kTrain, makePages, page} from './pages.mjs';
import {agrees, open, variantOf} from './setting.mjs';

const folder = await makePages('page');
const write = (name, text) => writeFileSync(folder + name, text);
// A script that is told where other variants are.
write('told.html', page('<script src="fjord/fjord.min.js"></script>', kTrain, `<script>fjord.wasm.setWasmPaths('fjord/'); ${kept('fjord.ready().then(() => train(fjord))')}</script>`));
const setting = await open();
after(() => setting.close());

const of = (requests, pattern) => [...new Set(requests.filter((request) => pattern.test(request)))];
/** Workers are started after the first use, and told of when they cannot. */
const kOneThread = 'Fjord runs on one thread';
/** A page fetches the variant that it runs, and the thread's script if it has threads. */
function fetched({requests}, isolated) {
  assert.deepEqual(of(requests, /\.wasm$/), [`/fjord/${variantOf(isolated)}/fjord.wasm`]);
  assert.deepEqual(of(requests, /thread\.js$/), isolated ? ['/fjord/thread.js'] : []);
}
const lines = ({lines}) => lines.filter((line) => line.startsWith('Fjord'));

for (const isolated of [true, false]) {
  suite(isolated ? 'an isolated page' : 'a page like most', () => {
    for (const [name, path] of Object.entries({'a module': '/module.html', 'a module worker': '/in-worker.html', 'a worker that waits for its file': '/waiting-worker.html'})) {
      test(name, async () => {
        const result = await setting.result(folder, {path, isolated});
        agrees(result.page, {variant: variantOf(isolated)});
        assert.equal(result.page.threads > 1, isolated);
        if (path === '/waiting-worker.html') assert.deepEqual(of(result.requests, /\.wasm$/), [`/fjord/${variantOf(isolated)}/fjord.wasm`]);
        else fetched(result, isolated);
        assert.equal(lines(result).length, isolated ? 0 : 1);
      });
    }
    test('a script', async () => {
      const result = await setting.result(folder, {path: '/script.html', isolated});
      agrees(result.page, {variant: 'simd', threads: 1});
      assert.deepEqual(of(result.requests, /wasm|thread/), []);
      assert.deepEqual(lines(result), []);
    });
    test('a script in a worker', async () => {
      const result = await setting.result(folder, {path: '/classic-worker.html', isolated});
      agrees(result.page, {variant: 'simd', threads: 1});
    });
  });
}

suite('a script', () => {
  test('under another global name', async () => {
    write('tf.html', page('<script src="fjord/fjord.min.js" data-global="tf"></script>', kTrain, `<script>${kept('train(tf)')}</script>`));
    const result = await setting.result(folder, {path: '/tf.html'});
    agrees(result.page, {variant: 'simd'});
  });
  test('in a page of another encoding', async () => {
    const result = await setting.result(folder, {path: '/script.html', headers: {'Content-Type': 'text/html; charset=windows-1251'}, prepare: (page) => page.route('**/*.js', async (route) => {
      const response = await route.fetch();
      await route.fulfill({response, headers: {...response.headers(), 'content-type': 'text/javascript'}});
    })});
    agrees(result.page, {variant: 'simd'});
  });
  test('has other variants where it is told where they are', async () => {
    const result = await setting.result(folder, {path: '/told.html'});
    agrees(result.page, {variant: 'relaxed-simd', threads: 1});
  });
  test('says that it has no threads when it is asked for some', async () => {
    write('asked.html', page('<script src="fjord/fjord.min.js"></script>', kTrain, `<script>fjord.wasm.setThreadsCount(4); ${kept('train(fjord)')}</script>`));
    const result = await setting.result(folder, {path: '/asked.html'});
    agrees(result.page, {variant: 'simd', threads: 1});
    assert.deepEqual(lines(result), ['Fjord runs on one thread: the build in one file (fjord.min.js, fjord/single) has no threads.']);
  });
});

test('fjord/text has the engine of the page', async () => {
  const program = `import * as tf from 'fjord';
    import {textVectorization} from 'fjord/text';
    const numbers = textVectorization({vocabulary: ['a', 'b']}).apply(['a b c']);
    globalThis.result = {page: {isOurs: numbers instanceof tf.Tensor, values: tf.add(numbers, 1).arraySync()}};`;
  write('text.html', page(importMap(), `<script type="module">${program}</script>`));
  const {page: found, requests} = await setting.result(folder, {path: '/text.html'});
  assert.deepEqual(found, {isOurs: true, values: [[3, 4, 2]]});
  assert.deepEqual(requests.filter((request) => /(fjord|text)\.js$/.test(request)).sort(), ['/fjord/fjord.js', '/fjord/text.js']);
});

suite('a service worker', () => {
  for (const type of ['classic', 'module']) {
    test(type, async () => {
      const result = await setting.result(folder, {path: `/service.${type}.html`});
      agrees(result.page, {variant: 'simd', threads: 1});
    });
  }
});

suite('policies', () => {
  const [, documented] = readFileSync(new URL('../../docs/csp.md', import.meta.url), 'utf8').match(/^Content-Security-Policy: (.*)$/m);
  // The pages of these tests have scripts in them.
  const strict = documented.replace("'self'", "'self' 'unsafe-inline'");
  const policies = (policy) => ({headers: {'Content-Security-Policy': policy}});
  test('a strict one, with what Fjord needs', async () => {
    const result = await setting.result(folder, {path: '/module.html', ...policies(strict)});
    agrees(result.page, {variant: 'relaxed-simd-threads'});
  });
  test('a strict one, for a script', async () => {
    const result = await setting.result(folder, {path: '/script.html', ...policies(strict.replace("connect-src 'self'; worker-src 'self'", "connect-src 'none'; worker-src 'none'"))});
    agrees(result.page, {variant: 'simd'});
  });
  test('one that forbids WebAssembly, in words', async () => {
    for (const path of ['/module.html', '/told.html']) {
      const {page} = await setting.result(folder, {path, ...policies(`script-src 'self' 'unsafe-inline'`)});
      assert.match(page.error, /Fjord cannot run: the Content-Security-Policy of this page forbids WebAssembly\. Add 'wasm-unsafe-eval' to its script-src/);
    }
  });
  test('one that forbids requests, in words', async () => {
    for (const path of ['/module.html', '/in-worker.html']) {
      const {page} = await setting.result(folder, {path, ...policies(strict.replace("connect-src 'self'", "connect-src 'none'"))});
      assert.match(page.error, /Fjord cannot load http.*fjord\.wasm: the Content-Security-Policy of this page forbids it \(connect-src\)\. /, path);
    }
  });
  const oneThread = {
    "worker-src 'none'": [strict.replace("worker-src 'self'", "worker-src 'none'"), /^its workers could not start: the Content-Security-Policy of this page forbids it \(worker-src\)\.$/],
    'trusted types': [`${strict}; require-trusted-types-for 'script'`, /^its workers could not start: the Content-Security-Policy of this page forbids it \(require-trusted-types-for\)\.$/],
  };
  for (const [name, [policy, why]] of Object.entries(oneThread)) {
    test(`${name}: one thread, and one line that says why`, async () => {
      const result = await setting.result(folder, {path: '/module.html', says: kOneThread, ...policies(policy)});
      agrees(result.page, {variant: 'relaxed-simd-threads'});
      const said = lines(result);
      assert.equal(said.length, 1, result.lines.join('\n'));
      assert.match(said[0].replace(`${kOneThread}: `, ''), why);
    });
  }
});

suite('a CDN', () => {
  const kElsewhere = {isolated: false, headers: {'Access-Control-Allow-Origin': '*', 'Cross-Origin-Resource-Policy': 'cross-origin'}, mounts: {'/': folder}};
  for (const isolated of [true, false]) {
    test(`a module, ${isolated ? 'isolated: with threads' : 'not isolated'}`, async () => {
      const cdn = await setting.serve(kElsewhere);
      write('cdn.html', page(importMap(cdn.url), '<script type="module" src="module.js"></script>'));
      const result = await setting.result(folder, {path: '/cdn.html', isolated});
      agrees(result.page, {variant: variantOf(isolated)});
      assert.equal(result.page.threads > 1, isolated);
      assert.equal(lines(result).length, isolated ? 0 : 1);
    });
  }
  test('a script', async () => {
    const cdn = await setting.serve(kElsewhere);
    write('cdn-script.html', page(`<script src="${cdn.url}/fjord/fjord.min.js" crossorigin></script>`, kTrain, `<script>${kept('train(fjord)')}</script>`));
    const result = await setting.result(folder, {path: '/cdn-script.html'});
    agrees(result.page, {variant: 'simd'});
  });
  test('a page whose policy forbids the worker that imports the script: one thread, and why', async () => {
    const cdn = await setting.serve(kElsewhere);
    write('cdn-strict.html', page(importMap(cdn.url), '<script type="module" src="module.js"></script>'));
    const result = await setting.result(folder, {path: '/cdn-strict.html', says: kOneThread, headers: {'Content-Security-Policy': `script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval' ${cdn.url}; worker-src 'self'`}});
    agrees(result.page, {variant: 'relaxed-simd-threads'});
    assert.deepEqual(lines(result), ['Fjord runs on one thread: its workers could not start: the Content-Security-Policy of this page forbids it (worker-src).']);
  });
});

suite('what is not there is told, with its address', () => {
  const failing = async (options) => (await setting.result(folder, {path: '/module.html', ...options})).page;
  const routes = (pattern, answer) => ({prepare: (page) => page.route(pattern, (route) => route.fulfill(answer))});
  test('no WebAssembly', async () => {
    const {error} = await failing(routes('**/*.wasm', {status: 404}));
    assert.match(error, /Fjord cannot load http:\/\/[\d.:]+\/fjord\/relaxed-simd-threads\/fjord\.wasm: the server answered 404\. .*setWasmPaths.*'fjord\/single'/);
  });
  test('an HTML page in its place', async () => {
    const {error} = await failing(routes('**/*.wasm', {contentType: 'text/html', body: '<!doctype html><title>Home</title>'}));
    assert.match(error, /fjord\.wasm: an HTML page came in its place\. /);
  });
  test('either, to a worker that waits for its file', async () => {
    for (const [answer, why] of [[{status: 404}, /fjord\.wasm: the server answered 404\. /], [{contentType: 'text/html', body: '<!doctype html>'}, /fjord\.wasm: an HTML page came in its place\. /]]) {
      const {error} = await failing({path: '/waiting-worker.html', ...routes('**/*.wasm', answer)});
      assert.match(error, why);
    }
  });
  test('by the name of the folder that older versions of Vite lose it in', async () => {
    mkdirSync(`${folder}.vite/deps`, {recursive: true});
    cpSync(`${folder}fjord/fjord.js`, `${folder}.vite/deps/fjord.js`);
    write('vite.html', page(importMap().replace('/fjord/fjord.js', '/.vite/deps/fjord.js'), '<script type="module" src="module.js"></script>'));
    const {error} = await failing({path: '/vite.html'});
    assert.match(error, /\/\.vite\/deps\/.*fjord\.wasm: the server answered 404\. .*Vite before 8 needs optimizeDeps: {exclude: \['fjord'\]}/);
  });
  for (const [name, answer] of Object.entries({'no script for threads': {status: 404}, 'an HTML page in place of the script': {contentType: 'text/html', body: '<!doctype html>'}})) {
    test(`${name}: one thread`, async () => {
      const result = await setting.result(folder, {path: '/module.html', ...routes('**/thread.js', answer)});
      agrees(result.page, {variant: 'relaxed-simd', threads: 1});
      assert.match(lines(result).join(), /^Fjord runs on one thread: its threads could not start: .*\/fjord\/thread\.js\.$/);
    });
  }
});
