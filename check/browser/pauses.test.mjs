// A page while the engine computes: it has its frames, whatever the browser offers to wait with, and a prediction that takes long goes on
// beside them. Nothing here is about how long something takes: clocks are the test's own, and looks at them are counted.
import assert from 'node:assert/strict';
import {after, suite, test} from 'node:test';
import {open} from './setting.mjs';

const setting = await open();
after(() => setting.close());

/** In the page: `window.setting`. */
async function prepare() {
  const {tf} = await import('/check/browser/network.js');
  const dense = (units, more) => tf.layers.dense({units, activation: 'relu', ...more});
  const network = () => {
    const model = tf.sequential({seed: 3, layers: [dense(1024, {inputShape: [512]}), dense(1024), tf.layers.dense({units: 10, activation: 'softmax'})]});
    model.compile({optimizer: 'adam', loss: 'categoricalCrossentropy'});
    return model;
  };
  const samples = 512;
  const x = tf.randomUniform([samples, 512], -1, 1, 'float32', 7);
  const y = tf.oneHot(Array.from({length: samples}, (_, i) => i % 10), 10).toFloat();
  const count = {frames: 0, looks: 0, pauses: 0, mostLooks: 0};
  const {now} = performance;
  const watch = (seen) => {
    const frame = () => {
      ++count.frames;
      if (seen.goesOn) requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  };
  window.setting = {
    tf, network, x, y, count,
    bits: (model) => model.getWeights().flatMap((t) => [...t.dataSync()]),
    /** `run` while frames are counted; every look at the clock, the engine's too, is `step` ms after the last. */
    async counted(step, run) {
      Object.assign(count, {frames: 0, looks: 0, pauses: 0, mostLooks: 0});
      const seen = {goesOn: true};
      watch(seen);
      let time = now.call(performance);
      performance.now = () => {
        ++count.looks;
        return (time += step);
      };
      try {
        return await run();
      } finally {
        seen.goesOn = false;
        performance.now = now;
      }
    },
    /** A pause has begun. */
    pause() {
      ++count.pauses;
      count.mostLooks = Math.max(count.mostLooks, count.looks);
      count.looks = 0;
    },
  };
}
const pageFor = async (options) => {
  const page = await setting.page(options);
  await page.evaluate(prepare);
  return page;
};

for (const isolated of [true, false]) {
  test(`frames come within a step, ${isolated ? 'with threads' : 'on one thread, and no slice takes more than its budget'}`, {timeout: 120_000}, async () => {
    const page = await pageFor({isolated});
    const {count, same} = await page.evaluate(async () => {
      const {network, x, y, count, counted, pause, bits} = window.setting;
      const {postTask} = scheduler;
      scheduler.postTask = (...given) => {
        pause();
        return postTask.apply(scheduler, given);
      };
      const [whole, cut] = [network(), network()];
      const args = {batchSize: 512, shuffle: false, epochs: 4};
      await whole.fit(x, y, {...args, yieldEvery: 'never'});
      await counted(1, () => cut.fit(x, y, args));
      const [a, b] = [bits(whole), bits(cut)];
      return {count: {...count}, same: a.length === b.length && a.every((v, i) => v === b[i])};
    });
    assert.ok(same, 'pauses change the weights');
    // 4 steps; each is more than two slices.
    assert.ok(count.pauses > 8, `${count.pauses} pauses`);
    assert.ok(count.frames >= 4, `${count.frames} frames`);
    // A slice is 8 ms, and each look at the clock takes one: those of the page and the engine before and after come beside them. Who waits
    // for a thread looks at it as well.
    if (!isolated) assert.ok(count.mostLooks <= 14, `${count.mostLooks} looks in a slice`);
    assert.deepEqual(page.complaints, []);
    await page.context().close();
  });
}

test('without a scheduler there is a frame in every pause', {timeout: 120_000}, async () => {
  const page = await pageFor({before: () => delete window.scheduler && (window.scheduler = undefined)});
  const {count, drawn} = await page.evaluate(async () => {
    const {network, x, y, count, counted, pause} = window.setting;
    let drawn = 0;
    const {requestAnimationFrame} = window;
    // Those that are not asked for by the test.
    const own = () => !new Error().stack.includes('frame (');
    window.requestAnimationFrame = (f) => {
      if (own()) pause();
      return requestAnimationFrame((time) => (own() && ++drawn, f(time)));
    };
    await counted(4, () => network().fit(x, y, {batchSize: 512}));
    return {count: {...count}, drawn};
  });
  assert.ok(count.pauses > 3, `${count.pauses} pauses`);
  assert.ok(drawn >= count.pauses, `${drawn} frames in ${count.pauses} pauses`);
  await page.context().close();
});

test('a page that nobody sees trains on, though it has no frames', {timeout: 120_000}, async () => {
  const page = await pageFor({
    before: () => {
      Object.defineProperty(document, 'visibilityState', {get: () => 'hidden'});
      Object.defineProperty(document, 'hidden', {get: () => true});
      window.requestAnimationFrame = () => 0;
      window.scheduler = undefined;
      // Timers of such a page may be minutes late.
      window.setTimeout = ((real) => (f, ms, ...rest) => real(f, ms > 50 ? 1e6 : ms, ...rest))(window.setTimeout);
    },
  });
  const epochs = await page.evaluate(async () => (await window.setting.network().fit(window.setting.x, window.setting.y, {epochs: 3})).epoch.length);
  assert.equal(epochs, 3);
  await page.context().close();
});

test('a page that is always busy does not hold up a training for good', {timeout: 120_000}, async () => {
  const page = await pageFor();
  const epochs = await page.evaluate(async () => {
    // What is in the background never has its turn.
    scheduler.postTask = () => new Promise(() => {});
    return (await window.setting.network().fit(window.setting.x, window.setting.y, {epochs: 2, batchSize: 512})).epoch.length;
  });
  assert.equal(epochs, 2);
  await page.context().close();
});

test('evaluateAsync gives the page its frames', {timeout: 120_000}, async () => {
  const page = await pageFor();
  const {loss, whole, frames} = await page.evaluate(async () => {
    const {network, x, y, count, counted} = window.setting;
    const model = network();
    const whole = model.evaluate(x, y, {batchSize: 512}).dataSync()[0];
    let loss;
    await counted(8, async () => {
      for (let i = 0; i < 10; ++i) ({loss} = await model.evaluateAsync(x, y, {batchSize: 512}));
    });
    return {loss, whole, frames: count.frames};
  });
  assert.ok(Math.abs(loss - whole) < 1e-7 * whole + 1e-12, `${loss}, and ${whole} at once`);
  assert.ok(frames >= 1, `${frames} frames`);
  await page.context().close();
});

suite('a prediction that takes long', () => {
  /** Gives what `use` gives; a prediction is not through after its first slice, because each look at the clock is 8 ms later. */
  const predicted = async (use, isolated = true) => {
    const page = await pageFor({isolated});
    const result = await page.evaluate(
      async ([source]) => {
        const {tf, network, x, count, counted} = window.setting;
        const model = network();
        const y = model.predict(x, {batchSize: 64});
        // Through, whatever it has done.
        const expected = [...y.dataSync()];
        const use = eval(source);
        const got = await counted(8, () => use({tf, model, x, count, predict: (m = model, rows = x) => m.predict(rows, {batchSize: 64}), same: (values) => values.length === expected.length && expected.every((v, i) => v === values[i]), expected}));
        return {got, tensors: tf.memory().numTensors};
      },
      [`(${use})`],
    );
    assert.deepEqual(page.complaints, []);
    await page.context().close();
    return result.got;
  };
  const cases = {
    'is awaited while the page draws': async ({predict, same, count}) => {
      const y = predict();
      const isLater = y.waiting !== undefined;
      const values = await y.data();
      return isLater && same(values) && count.frames > 0 && y.waiting === undefined && same(y.dataSync());
    },
    'is computed at once for dataSync': async ({predict, same}) => same(predict().dataSync()),
    'is computed at once for an op, and then is there': async ({predict, same, tf}) => {
      const y = predict();
      return same(y.add(0).dataSync()) && same(await y.data()) && y.clone().isHere;
    },
    'is that of the weights of before': async ({predict, same, model, tf}) => {
      const y = predict();
      model.setWeights(model.getWeights().map((t) => tf.zerosLike(t)));
      const zeros = predict();
      return same(await y.data()) && !same(await zeros.data());
    },
    'goes on though the model is trained': async ({predict, same, model, x, tf}) => {
      const labels = tf.oneHot(Array.from({length: 512}, (_, i) => i % 10), 10).toFloat();
      const y = predict();
      const training = model.fit(x, labels, {epochs: 1});
      const values = await y.data();
      await training;
      return same(values) && !same(predict().dataSync());
    },
    'and trained on a batch': async ({predict, same, model, x, tf}) => {
      const labels = tf.oneHot(Array.from({length: 512}, (_, i) => i % 10), 10).toFloat();
      const y = predict();
      await model.trainOnBatch(x, labels);
      return same(await y.data());
    },
    'goes on though the model is disposed of': async ({predict, same, model}) => {
      const y = predict();
      model.dispose();
      return same(await y.data());
    },
    'is ended by another': async ({predict, same}) => {
      const all = [predict(), predict(), predict()];
      return (await Promise.all(all.map((y) => y.data()))).every(same);
    },
    'may be disposed of': async ({predict, same}) => {
      const y = predict();
      const values = y.data();
      y.dispose();
      const other = predict();
      other.dispose();
      return same(await values) && same(await predict().data());
    },
    'of what was given, though that is disposed of': async ({predict, same, x, model}) => {
      const rows = x.clone();
      const y = predict(model, rows);
      rows.dispose();
      return same(await y.data());
    },
    'in tidy gives its result': async ({predict, same, tf}) => same(await tf.tidy(() => predict()).data()),
    'can be saved and asked for weights meanwhile': async ({predict, same, model, tf}) => {
      const y = predict();
      const again = await tf.loadLayersModel({load: async () => model.artifacts()});
      const other = again.predict(window.setting.x, {batchSize: 64});
      return same(await y.data()) && same(await other.data());
    },
  };
  for (const [name, use] of Object.entries(cases)) test(name, {timeout: 120_000}, async () => assert.equal(await predicted(use), true));
  test('is awaited on one thread', {timeout: 120_000}, async () => assert.equal(await predicted(cases['is awaited while the page draws'], false), true));
});

// Whose promises are all resolved already.
for (const [name, turn] of Object.entries({'trainOnBatch': (tf, model, x, y) => model.trainOnBatch(x, y), 'data()': (tf, model, x) => model.predict(x).data()})) {
  test(`a loop of ${name} pauses while threads start`, {timeout: 120_000}, async () => {
    const page = await setting.page({isolated: true});
    const {turns, isOver} = await page.evaluate(async (turn) => {
      const tf = await import('/fjord/fjord.js');
      const model = tf.sequential({layers: [tf.layers.dense({units: 4, inputShape: [8]})]});
      model.compile({optimizer: 'sgd', loss: 'meanSquaredError'});
      const [x, y] = [tf.ones([2, 8]), tf.ones([2, 4])];
      let [turns, isOver] = [0, false];
      setTimeout(() => (isOver = true));
      for (; !isOver && turns < 1000; ++turns) await (0, eval)(turn)(tf, model, x, y);
      return {turns, isOver};
    }, String(turn));
    assert.ok(isOver, `no event came in ${turns} turns`);
    await page.context().close();
  });
}
