// The package in real pages: with threads and without, in a Worker, every variant, and browsers that lack what it needs.
import assert from 'node:assert/strict';
import {after, suite, test} from 'node:test';
import {open} from './setting.mjs';

const setting = await open();
after(() => setting.close());

const train = () => import('/check/browser/network.js').then((module) => module.train());

/** The largest difference of two lists of numbers. */
const distance = (a, b) => a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), a.length === b.length ? 0 : Infinity);

test('a page that is cross-origin isolated trains with threads, and its console stays empty', async () => {
  const page = await setting.page();
  const result = await page.evaluate(train);
  assert.match(result.variant, /-threads$/);
  assert.ok(result.threads >= 2, `${result.threads} threads`);
  assert.ok(result.loss.at(-1) < 0.3 * result.loss[0], `the loss went from ${result.loss[0]} to ${result.loss.at(-1)}`);
  assert.ok(result.accuracy.at(-1) > 0.95, `the accuracy is ${result.accuracy.at(-1)}`);
  assert.deepEqual(page.lines, []);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test('a page that is not trains with one thread, and one line says how to get more', async () => {
  const page = await setting.page({isolated: false});
  const result = await page.evaluate(train);
  assert.doesNotMatch(result.variant, /threads/);
  assert.equal(result.threads, 1);
  assert.ok(result.accuracy.at(-1) > 0.95, `the accuracy is ${result.accuracy.at(-1)}`);
  assert.equal(page.lines.length, 1, page.lines.join('\n'));
  assert.match(page.lines[0], /one thread.*Cross-Origin-Opener-Policy: same-origin.*Cross-Origin-Embedder-Policy: require-corp/);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

suite('every variant can be chosen and gives the same weights', () => {
  const results = {};
  for (const variant of ['simd', 'simd-threads', 'relaxed-simd', 'relaxed-simd-threads']) {
    test(variant, async () => {
      const page = await setting.page();
      results[variant] = await page.evaluate(async (variant) => {
        const {tf, train} = await import('/check/browser/network.js');
        tf.wasm.setVariant(variant);
        await tf.ready();
        return train();
      }, variant);
      assert.equal(results[variant].variant, variant);
      assert.equal(results[variant].threads > 1, variant.endsWith('threads'));
      assert.ok(distance(results[variant].weights, results.simd.weights) < 1e-3, 'the weights differ');
      assert.deepEqual(page.complaints, []);
      await page.context().close();
    });
  }
  test('threads change no bit', () => {
    assert.deepEqual(results['simd-threads'].weights, results.simd.weights);
    assert.deepEqual(results['relaxed-simd-threads'].weights, results['relaxed-simd'].weights);
  });
});

for (const isolated of [true, false]) {
  test(`in a Worker of a page that is ${isolated ? '' : 'not '}cross-origin isolated`, async () => {
    const page = await setting.page({isolated});
    const result = await page.evaluate(
      () =>
        new Promise((resolve, reject) => {
          const worker = new Worker('/check/browser/worker.js', {type: 'module'});
          worker.onmessage = ({data}) => resolve(data);
          worker.onerror = (event) => reject(new Error(event.message || 'The worker could not start'));
          worker.postMessage(20);
        }),
    );
    assert.equal(result.error, undefined);
    assert.equal(result.threads > 1, isolated);
    assert.ok(result.accuracy.at(-1) > 0.95, `the accuracy is ${result.accuracy.at(-1)}`);
    await page.context().close();
  });
}
