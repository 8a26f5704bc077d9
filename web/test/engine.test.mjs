// The engine under the package: threads and variants in Node give the same bits, pictures without a browser, waiting for frames.
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {availableParallelism} from 'node:os';
import {suite, test} from 'node:test';
import {fileURLToPath} from 'node:url';
import {closeValues, fj, judge, random, weightsOf} from './helpers.mjs';

/** A network large enough that its work is divided among threads. */
async function train() {
  const model = fj.sequential({
    seed: 9,
    layers: [
      fj.layers.conv2d({filters: 8, kernelSize: 5, activation: 'relu', inputShape: [28, 28, 1]}),
      fj.layers.maxPooling2d({poolSize: 2}),
      fj.layers.batchNormalization({}),
      fj.layers.flatten(),
      fj.layers.dropout({rate: 0.25}),
      fj.layers.dense({units: 128, activation: 'relu'}),
      fj.layers.dense({units: 10, activation: 'softmax'}),
    ],
  });
  model.compile({optimizer: 'adam', loss: 'categoricalCrossentropy'});
  const x = fj.tensor(random([96, 28, 28, 1], 0, 1, 4), [96, 28, 28, 1]);
  const y = fj.oneHot(Array.from({length: 96}, (_, i) => i % 10), 10);
  await model.fit(x, y, {epochs: 2, batchSize: 32});
  const weights = weightsOf(model).flatMap((w) => Array.from(w));
  model.dispose();
  return weights;
}

suite('threads', () => {
  test('Node uses those of the machine', () => {
    assert.match(fj.wasm.getVariant(), /threads$/);
    const cores = availableParallelism();
    assert.equal(fj.wasm.getThreadsCount(), cores > 4 ? cores - 1 : cores);
  });
  test('their number changes no bit of the weights', async () => {
    fj.wasm.setThreadsCount(1);
    assert.equal(fj.wasm.getThreadsCount(), 1);
    const one = await train();
    fj.wasm.setThreadsCount(2);
    const two = await train();
    fj.wasm.setThreadsCount(3);
    assert.deepEqual(two, one);
    assert.deepEqual(await train(), one);
    fj.wasm.setThreadsCount(2);
  });
});

suite('variants give the same weights', () => {
  const program = fileURLToPath(new URL('variant.mjs', import.meta.url));
  const flags = process.execArgv.filter((flag) => flag.startsWith('--experimental-wasm'));
  const trainedBy = (variant) => JSON.parse(execFileSync(process.execPath, [...flags, program, variant], {encoding: 'utf8'}));
  const plain = trainedBy('simd');
  const variants = ['simd-threads', ...(fj.features().relaxedSimd ? ['relaxed-simd', 'relaxed-simd-threads'] : [])];
  for (const variant of variants) {
    test(variant, () => {
      const result = trainedBy(variant);
      assert.equal(result.variant, variant);
      if (variant.startsWith('relaxed')) closeValues(result.weights, plain.weights, 1e-3);
      else assert.deepEqual(result.weights, plain.weights);
    });
  }
});

suite('pictures without a browser', () => {
  const pixels = {width: 2, height: 2, data: Uint8Array.of(1, 2, 3, 255, 4, 5, 6, 128, 7, 8, 9, 0, 250, 251, 252, 253)};
  test('fromPixels takes bytes', () => {
    for (const channels of [1, 2, 3, 4]) {
      const t = fj.browser.fromPixels(pixels, channels);
      assert.deepEqual([t.shape, t.dtype], [[2, 2, channels], 'int32']);
      assert.deepEqual([...t.dataSync()], [...judge.browser.fromPixels(pixels, channels).dataSync()]);
    }
    assert.deepEqual(fj.browser.fromPixels(pixels).shape, [2, 2, 3]);
  });
  test('fromPixels takes what draws like a canvas, and has no more than its bytes', () => {
    const asked = [];
    const getImageData = (...place) => (asked.push(place), {data: pixels.data});
    const canvas = {width: 2, height: 2, getContext: (kind) => (asked.push(kind), {getImageData})};
    const t = fj.browser.fromPixels(canvas);
    assert.deepEqual([t.shape, ...t.dataSync()], [[2, 2, 3], 1, 2, 3, 4, 5, 6, 7, 8, 9, 250, 251, 252]);
    assert.deepEqual(asked, ['2d', [0, 0, 2, 2]]);
  });
  test('toPixels gives bytes', async () => {
    for (const image of [
      (tf) => tf.tensor([[0, 0.5], [0.25, 1]]),
      (tf) => tf.tensor([[[0], [128]], [[255], [7]]], undefined, 'int32'),
      (tf) => tf.tensor(random([3, 2, 3], 0, 1), [3, 2, 3]),
      (tf) => tf.tensor(random([3, 2, 4], 0, 1), [3, 2, 4]),
    ]) {
      assert.deepEqual([...(await fj.browser.toPixels(image(fj)))], [...(await judge.browser.toPixels(image(judge)))]);
    }
  });
  test('what is no picture is refused', async () => {
    const {fromPixels, toPixels} = fj.browser;
    const four = {data: new Uint8Array(16), width: 2, height: 2};
    assert.throws(() => fromPixels(four, 5), {message: 'Cannot construct Tensor with more than 4 channels from pixels.'});
    assert.throws(() => fromPixels(four, 1.5), {message: 'numChannels passed to tf.browser.fromPixels() must be 1, 2, 3 or 4, got 1.5'});
    assert.throws(() => fromPixels(null), {message: 'pixels passed to tf.browser.fromPixels() can not be null'});
    for (const [source, name] of [[{}, 'Object'], ['a', 'String'], [{data: [1, 2, 3, 4], width: 1, height: 1}, 'Object'], [fj.zeros([2, 2, 3]), 'Tensor']]) {
      assert.throws(() => fromPixels(source), {message: new RegExp(`^pixels passed to tf.browser.fromPixels\\(\\) must be either an HTMLVideoElement.*, but was ${name}$`)});
    }
    assert.throws(() => fromPixels({...four, width: 3}), {message: 'pixels passed to tf.browser.fromPixels() must have 4 bytes for each of 3x2 pixels, got 16 bytes'});
    const refused = [
      [null, "Argument 'img' passed to 'toPixels' must be a Tensor or TensorLike, but got 'null'"],
      [fj.zeros([4]), 'toPixels only supports rank 2 or 3 tensors, got rank 1.'],
      [fj.zeros([2, 2, 2]), 'toPixels only supports depth of size 1, 3 or 4 but got 2'],
      [fj.zeros([2, 2], 'bool'), 'Unsupported type for toPixels: bool. Please use float32 or int32 tensors.'],
      [fj.tensor([[0.5, 1.5]]), 'Tensor values for a float32 Tensor must be in the range [0 - 1] but encountered 1.5.'],
      [fj.tensor([[-1]], [1, 1], 'int32'), 'Tensor values for a int32 Tensor must be in the range [0 - 255] but encountered -1.'],
    ];
    for (const [image, message] of refused) await assert.rejects(toPixels(image), {message});
  });
  test('arrays are pixels from 0 to 255', async () => assert.deepEqual([...(await fj.browser.toPixels([[7, 255]]))], [...(await judge.browser.toPixels([[7, 255]]))]));
});

test('nextFrame lets other things happen', async () => {
  let happened = false;
  setImmediate(() => (happened = true));
  for (let i = 0; i < 100 && !happened; ++i) await fj.nextFrame();
  assert.ok(happened);
});
