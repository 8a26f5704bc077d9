// The second WebAssembly file of fjord/predict in a page and in a worker: loaded when something needs it, waited for, or told of.
import assert from 'node:assert/strict';
import {after, suite, test} from 'node:test';
import {open} from './setting.mjs';

const setting = await open();
after(() => setting.close());

/** What the package loads before and after an op that is not in its first file, and that op's values. */
async function compute(url, first) {
  const tf = await import(url);
  const files = () => performance.getEntriesByType('resource').map(({name}) => name.split('/').at(-1)).filter((name) => name.endsWith('.wasm'));
  if (first === 'loadAll') await tf.wasm.loadAll();
  const product = [...tf.tensor([[1, 2], [4, 3]]).div(2).softmax().argMax(1).dataSync()];
  const before = files();
  try {
    return {product, before, sums: [...tf.tensor([1, 2, 3]).cumsum().dataSync()], after: files(), again: [...tf.tensor([1, 2]).reverse().dataSync()]};
  } catch (error) {
    return {before, words: error.message, goesOn: [...tf.tensor([1, 2]).add(1).dataSync()]};
  }
}
const kUrl = '/fjord/predict/fjord.js';
const kGood = {product: [1, 0], sums: [1, 3, 6], again: [2, 1]};

suite('a page', () => {
  test('waits for the second file where an op needs it', async () => {
    const page = await setting.page({isolated: false});
    const result = await page.evaluate(compute, kUrl);
    assert.deepEqual(result, {...kGood, before: ['fjord.wasm'], after: ['fjord.wasm', 'rest.wasm']});
    await page.context().close();
  });
  test('has it before, after loadAll', async () => {
    const page = await setting.page({isolated: false});
    const {before, sums} = await page.evaluate(`(${compute})('${kUrl}', 'loadAll')`);
    assert.deepEqual([before, sums], [['fjord.wasm', 'rest.wasm'], kGood.sums]);
    await page.context().close();
  });
  test('with threads has all in one file', async () => {
    const page = await setting.page();
    const {before, after: files, sums} = await page.evaluate(compute, kUrl);
    assert.deepEqual([before, files, sums], [['fjord.wasm'], ['fjord.wasm'], kGood.sums]);
    await page.context().close();
  });
  for (const [what, response, expected] of [
    ['is not there', {status: 404}, 'the server answered 404'],
    ['is an HTML page', {contentType: 'text/html', body: '<!doctype html>'}, 'an HTML page came in its place'],
  ]) {
    test(`is told that the second file ${what}, and goes on`, async () => {
      const page = await setting.page({isolated: false});
      await page.route('**/rest.wasm', (route) => route.fulfill(response));
      const {words, goesOn} = await page.evaluate(compute, kUrl);
      assert.match(words, new RegExp(`^Fjord cannot load http://.*/predict/(relaxed-)?simd/rest\\.wasm: ${expected}\\..*await tf\\.wasm\\.loadAll\\(\\) would have loaded it before$`));
      assert.deepEqual(goesOn, [2, 3]);
      await page.context().close();
    });
  }
});

test('a worker waits for it, too', async () => {
  const page = await setting.page({isolated: false});
  const result = await page.evaluate(
    ([source, url]) =>
      new Promise((resolve, reject) => {
        const script = `(${source})(${JSON.stringify(new URL(url, location.href).href)}).then(postMessage)`;
        const worker = new Worker(URL.createObjectURL(new Blob([script], {type: 'text/javascript'})), {type: 'module'});
        worker.onmessage = ({data}) => resolve(data);
        worker.onerror = reject;
      }),
    [String(compute), kUrl],
  );
  assert.deepEqual(result, {...kGood, before: ['fjord.wasm'], after: ['fjord.wasm', 'rest.wasm']});
  await page.context().close();
});
