// The package and the page it runs in: pictures from and to canvases, a page that stays alive while it trains, tabs that close.
import assert from 'node:assert/strict';
import {after, suite, test} from 'node:test';
import {open, watch} from './setting.mjs';

const setting = await open();
after(() => setting.close());

suite('pictures', () => {
  test('a canvas to a tensor to a canvas', async () => {
    const page = await setting.page();
    const {sources, drawn, bytes, gray} = await page.evaluate(async () => {
      const {tf} = await import('/check/browser/network.js');
      const canvas = Object.assign(document.createElement('canvas'), {width: 5, height: 3});
      const context = canvas.getContext('2d');
      for (let i = 0; i < 15; ++i) {
        context.fillStyle = `rgb(${i * 16}, ${255 - i * 16}, ${(i * 37) % 256})`;
        context.fillRect(i % 5, Math.floor(i / 5), 1, 1);
      }
      const data = context.getImageData(0, 0, 5, 3);
      const bitmap = await createImageBitmap(canvas);
      const image = new Image();
      image.src = canvas.toDataURL();
      await image.decode();
      const offscreen = new OffscreenCanvas(5, 3);
      offscreen.getContext('2d').drawImage(canvas, 0, 0);
      const sources = [canvas, data, bitmap, image, offscreen].map((source) => tf.browser.fromPixels(source, 4)).map((t) => [t.shape, t.dtype, [...t.dataSync()]]);
      const target = document.createElement('canvas');
      const bytes = await tf.browser.toPixels(tf.browser.fromPixels(canvas), target);
      const drawn = [target.width, target.height, [...target.getContext('2d').getImageData(0, 0, 5, 3).data]];
      const gray = await tf.browser.toPixels(tf.tensor2d([[0, 0.5, 1]]));
      return {sources: [...sources, [[3, 5, 4], 'int32', [...data.data]]], drawn, bytes: [...bytes], gray: [...gray]};
    });
    const expected = sources.pop();
    for (const source of sources) assert.deepEqual(source, expected);
    assert.deepEqual(drawn, [5, 3, expected[2]]);
    assert.deepEqual(bytes, expected[2]);
    assert.deepEqual(gray, [0, 0, 0, 255, 128, 128, 128, 255, 255, 255, 255, 255]);
    await page.context().close();
  });
});

/** Trains for a while, and measures the time from frame to frame meanwhile. */
async function framesWhileTraining() {
  const {tf} = await import('/check/browser/network.js');
  const model = tf.sequential({
    layers: [
      tf.layers.conv2d({filters: 8, kernelSize: 5, activation: 'relu', inputShape: [28, 28, 1]}),
      tf.layers.maxPooling2d({poolSize: 2}),
      tf.layers.flatten(),
      tf.layers.dense({units: 10, activation: 'softmax'}),
    ],
  });
  model.compile({optimizer: 'adam', loss: 'categoricalCrossentropy'});
  const [x, y] = [tf.randomUniform([640, 28, 28, 1], 0, 1), tf.oneHot(Array.from({length: 640}, (_, i) => i % 10), 10)];
  await model.fit(x, y, {batchSize: 64});
  let [frames, running, clicks] = [0, true, 0];
  const frame = () => {
    ++frames;
    if (running) requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  addEventListener('click', () => ++clicks);
  // Until it has drawn and answered; a page that does neither is ended by the test's patience.
  const enough = () => frames >= 20 && clicks >= 3;
  const onBatchEnd = () => void (model.stopTraining = enough());
  await model.fit(x, y, {epochs: 1e6, batchSize: 64, callbacks: {onBatchEnd}});
  running = false;
  return {frames, clicks};
}

for (const isolated of [true, false]) {
  test(`while it trains the page draws and answers, ${isolated ? 'with threads' : 'on one thread'}`, {timeout: 120_000}, async () => {
    const page = await setting.page({isolated});
    const result = page.evaluate(framesWhileTraining);
    const clicking = setInterval(() => page.mouse.click(5, 5).catch(() => {}), 200);
    const {frames, clicks} = await result;
    clearInterval(clicking);
    assert.ok(frames >= 20 && clicks >= 3, `${frames} frames, ${clicks} clicks`);
    await page.context().close();
  });
}

test('a tab that closes while it trains leaves the others alone', async () => {
  const page = await setting.page();
  const other = watch(await page.context().newPage());
  await other.goto(page.url());
  const endless = async () => {
    const {tf, network, data} = await import('/check/browser/network.js');
    const {x, y} = data();
    await network().fit(x, y, {epochs: 1e6, callbacks: {onBatchEnd: () => void (window.batches = (window.batches ?? 0) + 1)}});
  };
  for (const p of [page, other]) p.evaluate(endless).catch(() => {});
  for (const p of [page, other]) await p.waitForFunction(() => window.batches > 20);
  await page.close();
  const before = await other.evaluate(() => window.batches);
  await other.waitForFunction((before) => window.batches > before + 50, before);
  assert.deepEqual(other.complaints, []);
  assert.deepEqual(other.lines, []);
  await other.context().close();
});
