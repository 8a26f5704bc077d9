// Memory that comes back: of models that nobody holds, after a collection; of the whole engine, with tf.reset().
import assert from 'node:assert/strict';
import {suite, test} from 'node:test';
import {setFlagsFromString} from 'node:v8';
import {runInNewContext} from 'node:vm';
import {fj, random} from './helpers.mjs';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
/** Collects until `isDone`, for some seconds at most. */
async function collectUntil(isDone) {
  for (let i = 0; i < 200 && !isDone(); ++i) {
    collect();
    await pause(10);
  }
}
const resident = () => process.memoryUsage().rss;
const trained = async (width) => {
  const model = fj.sequential({layers: [fj.layers.dense({units: width, activation: 'relu', inputShape: [width]}), fj.layers.dense({units: 10})]});
  model.compile({optimizer: 'adam', loss: 'meanSquaredError'});
  const batch = [fj.ones([8, width]), fj.ones([8, 10])];
  await model.trainOnBatch(...batch);
  fj.dispose(batch);
  return model;
};

test('200 models that were trained a step and dropped: their memory is told while it is held, comes back, and is used again', async () => {
  const kModels = 200;
  const kWidth = 256;
  // Kernels and biases, and two numbers of Adam for each of theirs.
  const kEach = 3 * 4 * (kWidth * kWidth + kWidth + 10 * kWidth + 10);
  const before = fj.memory();
  const held = [];
  for (let i = 0; i < kModels; ++i) held.push(await trained(kWidth));
  const full = fj.memory();
  assert.equal(full.numBytes - before.numBytes, kModels * kEach);
  assert.equal(full.numTensors - before.numTensors, kModels * 12);
  assert.ok(full.numBytesInEngine - before.numBytesInEngine >= kModels * kEach);
  held.length = 0;
  // The last one may still stand on the stack.
  await collectUntil(() => fj.memory().numBytes - before.numBytes <= kEach);
  const {numBytes, numBytesInEngine} = fj.memory();
  assert.ok(numBytes - before.numBytes <= kEach, `${numBytes - before.numBytes} bytes of weights are still held`);
  assert.ok(numBytesInEngine - before.numBytesInEngine <= 2 * kEach, `${numBytesInEngine - before.numBytesInEngine} bytes are still held`);
  // What is free is used: as many again need no more than a little more.
  for (let i = 0; i < kModels; ++i) held.push(await trained(kWidth));
  const grown = fj.memory().numBytesInHeap - full.numBytesInHeap;
  assert.ok(grown <= 0.1 * full.numBytesInHeap, `the heap grew by ${grown} bytes`);
  for (const model of held) model.dispose();
});

suite('reset', () => {
  const refused = (f, what) =>
    assert.throws(f, (error) => error.message.startsWith('What the engine held was given back by tf.reset(): ') && error.message.includes(what));

  test('gives the heap back', async () => {
    // Filled, so that the system has given pages for it; some of them may have been the engine's before.
    const t = fj.ones([100_000_000]);
    const full = resident();
    assert.ok(full > 400e6, `${full}`);
    assert.ok(fj.memory().numBytesInHeap > 400e6);
    fj.reset();
    await collectUntil(() => full - resident() > 350e6);
    assert.ok(full - resident() > 350e6, `of ${full / 1e6} MB ${(full - resident()) / 1e6} came back`);
    assert.ok(t.isDisposed);
    const now = fj.memory();
    assert.ok(now.numBytesInHeap < 50e6);
    assert.deepEqual([now.numTensors, now.numBytes], [0, 0]);
  });
  test('what was made before refuses, and never stands for something new', async () => {
    const t = fj.tensor([[1, 2, 3]]);
    const v = fj.variable([1, 2, 3], true, 'v');
    const model = await trained(3);
    const predicted = model.predict(t);
    const optimizer = fj.train.adam(0.1);
    optimizer.minimize(() => v.square().sum());
    fj.reset();
    // They take the handles that were theirs.
    const others = Array.from({length: 8}, (_, i) => fj.fill([1, 3], i));
    const another = await trained(3);
    const saved = JSON.stringify(others.map((o) => o.arraySync()));
    refused(() => t.dataSync(), 'float32 of shape [1,3] is gone');
    refused(() => fj.add(t, 1), 'of shape [1,3]');
    refused(() => t.square(), 'of shape [1,3]');
    refused(() => predicted.dataSync(), 'of shape [1,10]');
    refused(() => v.assign(fj.tensor([4, 5, 6])), 'of shape [3]');
    refused(() => model.predict(others[0]), `the model ${model.name}`);
    refused(() => model.getWeights(), `the model ${model.name}`);
    await assert.rejects(model.trainOnBatch(others[0], fj.ones([1, 10])), /given back by tf.reset/);
    await assert.rejects(model.fit(others[0], fj.ones([1, 10])), /given back by tf.reset/);
    await assert.rejects(t.data(), /given back by tf.reset/);
    // Its name is free.
    const w = fj.variable([4], true, 'v');
    refused(() => optimizer.minimize(() => w.square().sum()), 'optimizer');
    fj.train.sgd(0.5).minimize(() => w.square().sum());
    assert.equal(w.dataSync()[0], 0);
    // What is dropped of the old disposes of nothing new.
    for (const old of [t, v, predicted, model, optimizer]) old.dispose();
    collect();
    await pause(20);
    assert.equal(JSON.stringify(others.map((o) => o.arraySync())), saved);
    assert.equal(another.getWeights().length, 4);
    another.dispose();
    fj.dispose([others, w]);
  });
  test('the next op starts an engine like the one before: same settings, same numbers', async () => {
    const product = () => {
      const a = fj.tensor(random([300, 300]), [300, 300]);
      return Array.from(a.matMul(a).sum(0).dataSync());
    };
    const [variant, threads, numbers] = [fj.wasm.getVariant(), fj.wasm.getThreadsCount(), product()];
    for (let i = 0; i < 3; ++i) {
      fj.reset();
      fj.reset();
      assert.deepEqual(product(), numbers);
      assert.deepEqual([fj.wasm.getVariant(), fj.wasm.getThreadsCount()], [variant, threads]);
    }
  });
  test('is refused within tidy, a gradient and while a model trains', async () => {
    const refuses = (words) => assert.throws(() => fj.reset(), {message: words});
    fj.tidy(() => refuses(/^tf\.reset: within tf\.tidy/));
    fj.grad((x) => (refuses(/^tf\.reset: within tf\.tidy/), x.square()))(fj.scalar(1));
    const model = await trained(3);
    let asked = 0;
    await model.fit(fj.ones([4, 3]), fj.ones([4, 10]), {
      callbacks: {onBatchEnd: () => (++asked, refuses('tf.reset: 1 training or evaluation goes on: end it first (model.stopTraining, or an AbortSignal), and await it'))},
    });
    assert.equal(asked, 1);
    fj.reset();
  });
});
