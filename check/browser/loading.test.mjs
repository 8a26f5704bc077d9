// How the package starts in a page: everything works after the import; threads that cannot start are one thread and a line that says
// why; what keeps the engine from starting is told at the first use, in words; settings may change after the import.
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {after, suite, test} from 'node:test';
import {open} from './setting.mjs';

const setting = await open();
after(() => setting.close());
const kPackage = new URL('../../build/npm/', import.meta.url);

/** What a program gets that asks for nothing but numbers. */
async function compute(url = '/fjord/fjord.js') {
  const tf = await import(url);
  return {sum: tf.add(1, 2).dataSync()[0], variant: tf.wasm.getVariant(), threads: tf.wasm.getThreadsCount()};
}
/** Workers are started behind the first op: what keeps them from that is said then. What was said, and how many threads there are. */
async function told(page, url = '/fjord/fjord.js') {
  const said = () => page.lines.filter((line) => line.startsWith('Fjord'));
  for (let i = 0; i < 60 && !said().length; ++i) await new Promise((resolve) => setTimeout(resolve, 100));
  return {lines: said(), threads: await page.evaluate(async (address) => (await import(address)).wasm.getThreadsCount(), url)};
}
/** What the first op says, and ready(), after an import that never fails. */
async function complaints() {
  const tf = await import('/fjord/fjord.js');
  const words = [];
  try {
    tf.add(1, 2);
  } catch (error) {
    words.push(error.message);
  }
  await tf.ready().catch((error) => words.push(error.message));
  return words;
}

suite('the program of the README, with nothing but the import', () => {
  const [, program] = readFileSync(new URL('../../README.md', import.meta.url), 'utf8').match(/```js\n([^]*?)```/);
  for (const isolated of [true, false]) {
    test(isolated ? 'isolated' : 'plain', async () => {
      const page = await setting.page({isolated});
      const trained = page.waitForEvent('console', {predicate: (message) => message.text().startsWith('accuracy')});
      const printed = page.waitForEvent('console', {predicate: (message) => message.text().startsWith('Tensor')});
      await page.evaluate((program) => {
        const add = (type, text) => document.head.append(Object.assign(document.createElement('script'), {type, text}));
        add('importmap', '{"imports": {"fjord": "/fjord/fjord.js"}}');
        add('module', program);
      }, program);
      assert.ok(Number((await trained).text().split(' ')[1]) > 0.93);
      await printed;
      assert.deepEqual(page.complaints, []);
      await page.context().close();
    });
  }
});

test('a worker gets every message, once and in order, that was posted before it was there', async () => {
  const page = await setting.page();
  const answer = await page.evaluate(
    () =>
      new Promise((resolve) => {
        const worker = new Worker('/check/browser/early-worker.js', {type: 'module'});
        const {port1, port2} = new MessageChannel();
        port1.onmessage = ({data}) => resolve(data);
        for (const n of [1, 2]) worker.postMessage(n);
        worker.postMessage(3, [port2]);
      }),
  );
  assert.deepEqual(answer, {seen: [1, 2, 3], sum: 3});
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

suite('threads that cannot start: one thread, and one line that says why', () => {
  const cases = {
    'a page that is not isolated': {isolated: false, why: /^this page is not cross-origin isolated\. .*Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp\.$/},
    'a policy that forbids workers': {
      headers: {'Content-Security-Policy': "script-src 'self' 'wasm-unsafe-eval'; worker-src 'none'"},
      why: /^its workers could not start: the Content-Security-Policy of this page forbids it \(worker-src\)\.$/,
    },
    'a policy for scripts that has no own for workers': {
      headers: {'Content-Security-Policy': "script-src 'unsafe-inline' 'wasm-unsafe-eval' http://127.0.0.1:*/fjord/fjord.js http://127.0.0.1:*/fjord/thread.js; child-src 'none'"},
      why: /^its workers could not start: the Content-Security-Policy of this page forbids it \(worker-src\)\.$/,
    },
    'trusted types': {
      headers: {'Content-Security-Policy': "require-trusted-types-for 'script'"},
      why: /^its workers could not start: the Content-Security-Policy of this page forbids it \(require-trusted-types-for\)\.$/,
    },
    'no SharedArrayBuffer': {before: () => delete globalThis.SharedArrayBuffer, why: /^this browser has no SharedArrayBuffer, which threads need, even in a page that is cross-origin isolated\.$/},
    'shared memory that is refused': {
      before: () => {
        const {Memory} = WebAssembly;
        WebAssembly.Memory = function (descriptor) {
          if (descriptor.shared) throw new RangeError('not today');
          return new Memory(descriptor);
        };
      },
      why: /^this browser refuses shared memory \(not today\)\.$/,
    },
    'a large shared memory that is refused': {
      before: () => {
        const {Memory} = WebAssembly;
        WebAssembly.Memory = function (descriptor) {
          if (descriptor.maximum > 1000) throw new RangeError('too much');
          return new Memory(descriptor);
        };
      },
      why: /^its threads could not start: too much\.$/,
    },
    'a worker that never answers': {
      before: () => {
        globalThis.Worker = class extends EventTarget {
          postMessage() {}
          terminate() {}
        };
      },
      why: /^its workers could not start: no worker answered within 1\.5 s\.$/,
    },
    'a worker whose script is not there': {
      before: () => {
        const {Worker} = globalThis;
        globalThis.Worker = class extends Worker {
          constructor(url, options) {
            super(`${url}.gone`, options);
          }
        };
      },
      why: /^its workers could not start: its script did not start\.$/,
    },
  };
  for (const [name, {why, ...options}] of Object.entries(cases)) {
    test(name, async () => {
      const page = await setting.page(options);
      const {sum} = await page.evaluate(compute);
      assert.equal(sum, 3);
      const {lines, threads} = await told(page);
      assert.equal(threads, 1);
      assert.equal(lines.length, 1, page.lines.join('\n'));
      assert.ok(lines[0].startsWith('Fjord runs on one thread: '), lines[0]);
      assert.match(lines[0].slice('Fjord runs on one thread: '.length), why);
      assert.deepEqual(page.workers(), []);
      // The browser tells of its policy itself.
      assert.deepEqual(page.complaints.filter((line) => !/Content Security Policy|Trusted|404|The action has been blocked/.test(line)), []);
      await page.context().close();
    });
  }

  test('a script for threads that is not there', async () => {
    const page = await setting.page();
    await page.route('**/thread.js', (route) => route.fulfill({status: 404}));
    const {sum, variant, threads} = await page.evaluate(compute);
    assert.equal(sum, 3);
    assert.doesNotMatch(variant, /threads/);
    assert.equal(threads, 1);
    const url = new URL('/fjord/thread.js', page.url()).href;
    assert.deepEqual(page.lines.filter((line) => line.startsWith('Fjord')), [`Fjord runs on one thread: its threads could not start: Failed to fetch dynamically imported module: ${url}.`]);
    await page.context().close();
  });

  test('a package from another origin has threads: a worker of this page imports their script', async () => {
    const other = await setting.serve({headers: {'Access-Control-Allow-Origin': '*', 'Cross-Origin-Resource-Policy': 'cross-origin'}});
    const page = await setting.page();
    const {sum, threads} = await page.evaluate(compute, `${other.url}/fjord/fjord.js`);
    assert.equal(sum, 3);
    // Its workers import the package's script, which no browser would start from there.
    for (let i = 0; i < 50 && !page.workers().length; ++i) await new Promise((resolve) => setTimeout(resolve, 100));
    assert.ok(threads > 1);
    assert.equal(page.workers().length, threads - 1);
    assert.deepEqual([...page.lines, ...page.complaints], []);
    await page.context().close();
  });

  test('a package from another origin, in a browser that lets no worker import it', async () => {
    const other = await setting.serve({headers: {'Access-Control-Allow-Origin': '*', 'Cross-Origin-Resource-Policy': 'cross-origin'}});
    const page = await setting.page({
      before: () => {
        const {Worker} = globalThis;
        globalThis.Worker = class extends Worker {
          constructor(url, options) {
            if (String(url).startsWith('blob:')) throw new Error('not from a blob');
            super(url, options);
          }
        };
      },
    });
    const {sum} = await page.evaluate(compute, `${other.url}/fjord/fjord.js`);
    assert.equal(sum, 3);
    assert.equal((await told(page, `${other.url}/fjord/fjord.js`)).threads, 1);
    assert.deepEqual(page.lines, [
      `Fjord runs on one thread: workers start only from the page's own origin, and the package comes from ${other.url}. For more, serve it from ${new URL(page.url()).origin}.`,
    ]);
    assert.deepEqual(page.complaints, []);
    await page.context().close();
  });

  test('who asks for one thread is told nothing', async () => {
    const page = await setting.page({isolated: false});
    await page.evaluate(async () => {
      const tf = await import('/fjord/fjord.js');
      tf.wasm.setThreadsCount(1);
      return tf.add(1, 2).dataSync()[0];
    });
    assert.deepEqual(page.lines, []);
    await page.context().close();
  });
});

suite('what keeps the engine from starting is told by the first op and by ready()', () => {
  const kAdvice = "Its files have to lie beside fjord.js, or where tf.wasm.setWasmPaths says; where a bundler does not copy them, import 'fjord/single'";
  const fails = (name, options, expected) =>
    test(name, async () => {
      const page = await setting.page(options);
      for (const [url, answer] of Object.entries(options.routes ?? {})) await page.route(url, (route) => route.fulfill(answer));
      const [first, second] = await page.evaluate(complaints);
      const url = new URL('/fjord/', page.url()).href;
      if (expected instanceof RegExp) assert.match(first, expected);
      else assert.equal(first.replace(/(relaxed-)?simd(-threads)?\//, 'VARIANT/'), `Fjord cannot load ${url}VARIANT/${expected}. ${kAdvice}`);
      assert.equal(second, first);
      await page.context().close();
    });
  fails('no WebAssembly SIMD', {before: () => (WebAssembly.validate = () => false)}, /^Fjord needs WebAssembly SIMD, which this browser does not have; every browser since 2023 has it$/);
  fails('no WebAssembly', {before: () => delete globalThis.WebAssembly}, /^Fjord needs WebAssembly, which this browser does not have, or has switched off$/);
  fails(
    'a policy that forbids WebAssembly',
    {headers: {'Content-Security-Policy': "script-src 'self'"}},
    /^Fjord cannot run: the Content-Security-Policy of this page forbids WebAssembly\. Add 'wasm-unsafe-eval' to its script-src \(.*\)$/,
  );
  fails('no such file', {routes: {'**/fjord.wasm': {status: 404}}}, 'fjord.wasm: the server answered 404');
  const page = {contentType: 'text/html', body: '<!doctype html><title>Home</title>'};
  fails('a page in place of the file', {routes: {'**/fjord.wasm': page}}, 'fjord.wasm: an HTML page came in its place');
  fails('something else', {routes: {'**/fjord.wasm': {body: 'Hello'}}}, 'fjord.wasm: it is no WebAssembly: it has 5 bytes and begins with "Hello"');
  const half = readFileSync(new URL('simd/fjord.wasm', kPackage)).subarray(0, 100000);
  for (const contentType of ['application/wasm', 'application/octet-stream']) {
    fails(`half a file as ${contentType}`, {routes: {'**/fjord.wasm': {contentType, body: half}}}, /\/fjord\.wasm: it is damaged, or of another version \(.*\)\. Its files have to lie/);
  }
  fails('a policy for requests', {headers: {'Content-Security-Policy': "connect-src 'none'"}}, 'fjord.wasm: the Content-Security-Policy of this page forbids it (connect-src)');

  test('a file that any type is good for', async () => {
    const page = await setting.page();
    await page.route('**/fjord.wasm', async (route) => {
      const response = await route.fetch();
      await route.fulfill({response, headers: {...response.headers(), 'content-type': 'application/octet-stream'}});
    });
    assert.equal((await page.evaluate(compute)).sum, 3);
    await page.context().close();
  });
});

suite('settings after the import', () => {
  test('a module without an address of its own is told where its files are', async () => {
    const page = await setting.page();
    const [words, sum, threads] = await page.evaluate(async () => {
      const bytes = await (await fetch('/fjord/fjord.js')).blob();
      const tf = await import(URL.createObjectURL(bytes.slice(0, bytes.size, 'text/javascript')));
      let words;
      try {
        tf.add(1, 2);
      } catch (error) {
        words = error.message;
      }
      tf.wasm.setWasmPaths('/fjord');
      await tf.ready();
      return [words, tf.add(1, 2).dataSync()[0], tf.wasm.getThreadsCount()];
    });
    assert.equal(words, 'Fjord does not know where its files are, because this module has no address of its own (as in a blob or in one file): tf.wasm.setWasmPaths(url) tells it');
    assert.equal(sum, 3);
    // Nor does it know where their script is.
    assert.equal(threads, 1);
    assert.match(page.lines.join(), /^Fjord runs on one thread: its threads could not start: .*thread\.js/);
    await page.context().close();
  });

  test('a wrong path, then the right one', async () => {
    const page = await setting.page();
    const result = await page.evaluate(async () => {
      const tf = await import('/fjord/fjord.js');
      const words = async (f) => {
        try {
          await f();
          return 'nothing';
        } catch (error) {
          return error.message;
        }
      };
      tf.wasm.setWasmPaths('/nowhere/');
      const unloaded = await words(() => tf.add(1, 2));
      const missing = [await words(tf.ready), await words(() => tf.add(1, 2))];
      tf.wasm.setWasmPaths('/fjord');
      await tf.ready();
      return {unloaded, missing, sum: tf.add(1, 2).dataSync()[0]};
    });
    assert.equal(result.unloaded, 'Fjord is not loaded yet: after tf.wasm.setWasmPaths, setVariant or setThreadsCount, await tf.ready() before anything is computed');
    assert.match(result.missing[0], /^Fjord cannot load http:.*\/nowhere\/.*\/fjord\.wasm: the server answered 404\. Its files/);
    assert.equal(result.missing[1], result.missing[0]);
    assert.equal(result.sum, 3);
    await page.context().close();
  });

  test('what lives keeps the engine: the error names it', async () => {
    const page = await setting.page();
    const words = await page.evaluate(async () => {
      const tf = await import('/fjord/fjord.js');
      const words = (f) => {
        try {
          return f() ?? 'nothing';
        } catch (error) {
          return error.message;
        }
      };
      const x = tf.tensor([1, 2]);
      const v = tf.variable(x);
      const lines = [words(() => tf.wasm.setVariant('simd')), words(() => tf.wasm.setWasmPaths('/elsewhere/'))];
      tf.dispose([x, v]);
      const optimizer = tf.train.adam(0.1);
      const model = tf.sequential({layers: [tf.layers.dense({units: 1, inputShape: [2]})]});
      model.summary?.(undefined, undefined, () => {});
      model.getWeights().forEach((w) => w.dispose());
      lines.push(words(() => tf.wasm.setThreadsCount(3)));
      optimizer.dispose();
      model.dispose();
      lines.push(words(() => tf.wasm.setVariant('simd')));
      await tf.ready();
      return [...lines, tf.wasm.getVariant(), tf.add(1, 2).dataSync()[0]];
    });
    assert.equal(words[0], "tf.wasm.setVariant('simd') would exchange the engine, which holds 2 tensors: call it before they are made, or dispose of them");
    assert.equal(words[1], 'tf.wasm.setWasmPaths would exchange the engine, which holds 2 tensors: call it before they are made, or dispose of them');
    assert.match(words[2], /^tf\.wasm\.setThreadsCount\(3\): the number of threads cannot change while there are .*1 model$/);
    assert.deepEqual(words.slice(3), ['nothing', 'simd', 3]);
    await page.context().close();
  });

  test('numbers of threads: half of the cores is rounded down, others are refused, and no page blocks', async () => {
    const page = await setting.page();
    const result = await page.evaluate(async () => {
      const tf = await import('/fjord/fjord.js');
      const words = [0, -1, NaN, Infinity, 129, 1000, '4', undefined, null].map((count) => {
        try {
          return tf.wasm.setThreadsCount(count) ?? 'nothing';
        } catch (error) {
          return error.message;
        }
      });
      const counts = [];
      for (const count of [3, 2, 1.5, 2.5, 5, 0.5, 4]) {
        tf.wasm.setThreadsCount(count);
        counts.push(tf.wasm.getThreadsCount(), tf.tidy(() => tf.ones([300, 300]).matMul(tf.ones([300, 300])).sum().dataSync()[0]));
      }
      await tf.ready();
      return {words, counts, threads: tf.wasm.getThreadsCount()};
    });
    assert.deepEqual(result.words, ['0', '-1', 'NaN', 'Infinity', '129', '1000', "'4'", 'undefined', 'null'].map((shown) => `tf.wasm.setThreadsCount takes a number from 1 to 128, got ${shown}`));
    assert.deepEqual(result.counts, [3, 2, 1, 2, 5, 1, 4].flatMap((count) => [count, 300 ** 3]));
    assert.equal(result.threads, 4);
    await page.context().close();
  });

  test('one thread is the build for one, and back', async () => {
    const page = await setting.page();
    const variants = await page.evaluate(async () => {
      const tf = await import('/fjord/fjord.js');
      const seen = [];
      for (const count of [1, 2]) {
        tf.wasm.setThreadsCount(count);
        await tf.ready();
        seen.push(tf.wasm.getVariant(), tf.wasm.getThreadsCount());
      }
      return seen;
    });
    assert.deepEqual([variants[1], variants[3]], [1, 2]);
    assert.equal(variants[2], `${variants[0]}-threads`);
    assert.deepEqual(page.lines, []);
    await page.context().close();
  });

  test('addresses by name of file, as TensorFlow.js takes them', async () => {
    const page = await setting.page();
    const [words, sum] = await page.evaluate(async () => {
      const tf = await import('/fjord/fjord.js');
      let words;
      try {
        tf.wasm.setWasmPaths({'tfjs-backend-wasm.wasm': '/a.wasm'});
      } catch (error) {
        words = error.message;
      }
      tf.wasm.setWasmPaths({'simd/fjord.wasm': '/fjord/simd/fjord.wasm?1'}, true);
      tf.wasm.setVariant('simd');
      await tf.ready();
      return [words, tf.add(1, 2).dataSync()[0]];
    });
    assert.match(words, /^tf\.wasm\.setWasmPaths: there is no file 'tfjs-backend-wasm\.wasm' to load; there are 'simd\/fjord\.wasm'/);
    assert.equal(sum, 3);
    await page.context().close();
  });
});
