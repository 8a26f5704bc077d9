// Training that pauses within its steps, and is stopped there: the weights are those after a whole step, and the same bits.
import assert from 'node:assert/strict';
import {suite, test} from 'node:test';
import {fj, random} from './helpers.mjs';

const [kSamples, kBatch, kIn] = [96, 32, 512];
const data = () => ({
  x: fj.tensor(random([kSamples, kIn], -1, 1, 2), [kSamples, kIn]),
  y: fj.oneHot(Array.from({length: kSamples}, (_, i) => i % 5), 5).toFloat(),
});
// Products in which the engine looks at the clock, a moving average, random numbers, an optimizer with state.
function network() {
  const model = fj.sequential({
    seed: 5,
    layers: [
      fj.layers.dense({units: 1280, activation: 'relu', inputShape: [kIn]}),
      fj.layers.batchNormalization(),
      fj.layers.dropout({rate: 0.2}),
      fj.layers.dense({units: 1280, activation: 'relu'}),
      fj.layers.dense({units: 5, activation: 'softmax'}),
    ],
  });
  model.compile({optimizer: 'adam', loss: 'categoricalCrossentropy', metrics: ['accuracy']});
  return model;
}
const bits = (model) => model.getWeights().map((t) => fj.tidy(() => t.dataSync()));

/** `run` with a clock that is 10 ms later at each look, the engine's looks too, so that every budget is over at once. */
async function withFastClock(run) {
  const {now} = performance;
  let time = 0;
  performance.now = () => (time += 10);
  try {
    return await run();
  } finally {
    performance.now = now;
  }
}
const plain = {batchSize: kBatch, shuffle: false};

suite('pauses within steps', () => {
  test('change no bit', async () => {
    const {x, y} = data();
    const [whole, cut] = [network(), network()];
    const expected = await whole.fit(x, y, {...plain, epochs: 2, validationSplit: 0.34, yieldEvery: 'never'});
    let [pauses, yields, batches] = [0, [], 0];
    const callbacks = {nextFrameFunc: () => void ++pauses, onYield: (epoch, batch) => void yields.push([epoch, batch]), onBatchEnd: () => void ++batches};
    const {history} = await withFastClock(() => cut.fit(x, y, {...plain, epochs: 2, validationSplit: 0.34, yieldEvery: 1, callbacks}));
    assert.deepEqual(history, expected.history);
    assert.deepEqual(bits(cut), bits(whole));
    // In steps, not only between them.
    assert.ok(pauses > 4 * batches, `${pauses} pauses in ${batches} batches`);
    // One for each of 2 batches, 2 of validation and the end, in 2 epochs.
    assert.equal(yields.length, 10);
  });
  test('are not where somebody else has the time, or asks for none', async () => {
    const {x, y} = data();
    const model = network();
    let [pauses, time] = [0, 0];
    const nextFrameFunc = () => void ++pauses;
    await withFastClock(() => model.fit(x, y, {...plain, yieldEvery: 1, callbacks: {nextFrameFunc, nowFunc: () => (time += 10)}}));
    assert.equal(pauses, 4);
    pauses = 0;
    for (const yieldEvery of ['batch', 'epoch', 'never']) await withFastClock(() => model.fit(x, y, {...plain, yieldEvery, callbacks: {nextFrameFunc}}));
    assert.equal(pauses, 4);
  });
});

suite('stopped within a step', () => {
  test('a model is that after the last whole step', async () => {
    const {x, y} = data();
    const after = [];
    const whole = network();
    after.push(bits(whole));
    await whole.fit(x, y, {...plain, yieldEvery: 'never', callbacks: {onBatchEnd: () => void after.push(bits(whole))}});
    const seen = [0, 0];
    for (let stop = 1, ended = false; !ended; ++stop) {
      const model = network();
      let [pauses, batches] = [0, 0];
      const nextFrameFunc = () => void (model.stopTraining = ++pauses >= stop);
      const {epoch, history, reason} = await withFastClock(() =>
        model.fit(x, y, {...plain, yieldEvery: 1, callbacks: {nextFrameFunc, onBatchEnd: () => void ++batches}}),
      );
      const {step} = model.info();
      assert.deepEqual(bits(model), after[step], `stopped at pause ${stop}, after ${step} steps`);
      assert.equal(batches, step);
      assert.deepEqual(epoch, step ? [0] : []);
      assert.equal(history.loss?.length ?? 0, step ? 1 : 0);
      ended = reason === '';
      if (!ended) ++seen[step ? 1 : 0];
      // It goes on as if it had not been stopped.
      if (step === 1) {
        const rest = [x, y].map((t) => t.slice([kBatch, 0], [kSamples - kBatch, t.shape[1]]));
        await model.fit(...rest, {...plain, yieldEvery: 'never'});
        assert.deepEqual(bits(model), after.at(-1));
      }
      model.dispose();
    }
    assert.ok(seen[0] > 1 && seen[1] > 1, `stopped ${seen[0]} times in the first step, ${seen[1]} times later`);
  });
  test('a callback that throws leaves a whole step, too', async () => {
    const {x, y} = data();
    const [model, whole] = [network(), network()];
    let pauses = 0;
    const nextFrameFunc = () => {
      if (++pauses === 5) throw new Error('enough');
    };
    await assert.rejects(withFastClock(() => model.fit(x, y, {...plain, yieldEvery: 1, callbacks: {nextFrameFunc}})), {message: 'enough'});
    const {step} = model.info();
    for (let i = 0; i < step; ++i) await whole.trainOnBatch(...[x, y].map((t) => t.slice([i * kBatch, 0], [kBatch, t.shape[1]])));
    assert.deepEqual(bits(model), bits(whole));
  });
  test('what is asked in a pause is answered by whole steps', async () => {
    const {x, y} = data();
    const [model, whole] = [network(), network()];
    const answers = [whole.predict(x).dataSync()];
    await whole.fit(x, y, {...plain, callbacks: {onBatchEnd: () => void answers.push(whole.predict(x).dataSync())}});
    const nextFrameFunc = () => {
      const answer = fj.tidy(() => model.predict(x).dataSync());
      const {step} = model.info();
      assert.deepEqual(answer, answers[step]);
    };
    await withFastClock(() => model.fit(x, y, {...plain, yieldEvery: 1, callbacks: {nextFrameFunc}}));
    assert.deepEqual(bits(model), bits(whole));
  });
});

suite('a signal', () => {
  test('that aborts ends fit with its reason, after a whole step', async () => {
    const {x, y} = data();
    const [model, whole] = [network(), network()];
    await whole.trainOnBatch(...[x, y].map((t) => t.slice([0, 0], [kBatch, t.shape[1]])));
    const controller = new AbortController();
    const ended = [];
    const callbacks = {onBatchEnd: () => controller.abort(), onTrainEnd: () => void ended.push('end')};
    await assert.rejects(model.fit(x, y, {...plain, epochs: 3, signal: controller.signal, callbacks}), (error) => error === controller.signal.reason && error.name === 'AbortError');
    assert.deepEqual(bits(model), bits(whole));
    assert.deepEqual(ended, []);
    // Another fit is another matter.
    await model.fit(x, y, plain);
  });
  test('that has aborted already: nothing is trained', async () => {
    const {x, y} = data();
    const model = network();
    const before = bits(model);
    await assert.rejects(model.fit(x, y, {signal: AbortSignal.abort('not today')}), (reason) => reason === 'not today');
    assert.deepEqual(bits(model), before);
  });
  test('that does not abort, or does after the end, changes nothing', async () => {
    const {x, y} = data();
    const controller = new AbortController();
    const {epoch} = await network().fit(x, y, {...plain, epochs: 2, signal: controller.signal, callbacks: {onEpochEnd: (epoch) => void (epoch === 1 && controller.abort())}});
    assert.deepEqual(epoch, [0, 1]);
  });
  test('that is none is refused', async () => {
    const {x, y} = data();
    await assert.rejects(network().fit(x, y, {signal: new AbortController()}), {message: 'signal is an AbortSignal, such as that of an AbortController, got an object'});
  });
});
