// The MNIST page as a person uses it: training, the chart, drawing, saving and resuming, on a wide and on a narrow screen.
import assert from 'node:assert/strict';
import {after, suite, test} from 'node:test';
import {nothingOff, offScreen, open, screens} from './setting.mjs';

const setting = await open();
after(() => setting.close());

const state = (wanted) => `document.body.dataset.state === '${wanted}'`;
/** The dense network, with a third of the pictures: two seconds of training. */
async function opened(options = {}, query = 'images=20000') {
  const page = await setting.page({path: `/mnist/?model=mlp&epochs=1&${query}`, ...options});
  await page.waitForFunction(state('ready'));
  return page;
}
async function train(page) {
  await page.click('#primary');
  await page.waitForFunction(state('done'), null, {timeout: 60000});
}
/** Sums of the pixels of 20 columns of the chart, read from a copy: its own canvas is not made for being read. */
const chartOf = (page) =>
  page.evaluate(() => {
    const canvas = document.querySelector('#chart');
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', {willReadFrequently: true});
    copy.drawImage(canvas, 0, 0);
    const {data} = copy.getImageData(0, 0, canvas.width, canvas.height);
    const columns = new Float64Array(20);
    for (let i = 0; i < data.length; i += 4) columns[Math.floor((((i / 4) % canvas.width) * 20) / canvas.width)] += data[i] + data[i + 1] + data[i + 2];
    return Array.from(columns);
  });
async function drawSeven(page) {
  const pad = page.locator('#pad');
  await pad.scrollIntoViewIfNeeded();
  const box = await pad.boundingBox();
  const move = (x, y) => page.mouse.move(box.x + box.width * x, box.y + box.height * y, {steps: 6});
  await move(0.3, 0.25);
  await page.mouse.down();
  await move(0.7, 0.25);
  await move(0.45, 0.85);
  await page.mouse.up();
}
const reading = (page) => page.waitForFunction(() => document.querySelector('#reading').textContent).then((handle) => handle.jsonValue());

test('it trains, draws its chart, reads digits it has never seen, and its console stays empty', async () => {
  const page = await opened();
  assert.match(await page.textContent('#engine'), /WebAssembly.*SIMD.*threads.*cross-origin isolated/);
  const before = await chartOf(page);
  const guessed = Number.parseFloat(await page.textContent('#accuracy'));
  assert.ok(guessed < 40, `it reads ${guessed} % before it was trained`);
  await train(page);
  const {accuracy, history} = await page.evaluate(() => ({accuracy: window.fjordExample.testAccuracy, history: window.fjordExample.history}));
  assert.ok(accuracy > 0.9, `the accuracy is ${accuracy}`);
  assert.equal(history.length, 1);
  assert.ok(history[0].loss < 0.6 && history[0].imagesPerSecond > 100 && history[0].seconds > 0, JSON.stringify(history));
  assert.equal(Number.parseFloat(await page.textContent('#accuracy')), Number((100 * accuracy).toFixed(2)));
  await page.waitForTimeout(100);
  const changed = (await chartOf(page)).filter((sum, i) => sum !== before[i]).length;
  assert.ok(changed >= 15, `${changed} of 20 columns of the chart are drawn`);
  assert.match(await page.textContent('#numbers'), /^\s*1\s*0\.\d{4}/);
  // Those that it gets wrong are as many as the accuracy says.
  assert.match(await page.textContent('#mistakes'), new RegExp(`\\(${Math.round((1 - accuracy) * 10000).toLocaleString('en')}\\)`));
  await page.check('[name=show][value=mistakes]', {force: true});
  assert.equal(await page.locator('#grid .tile:not(.wrong)').count(), 0);
  assert.ok((await page.locator('#grid .tile.wrong').count()) >= 20);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test('it trains on WebGPU', async () => {
  const page = await setting.page({path: '/mnist/?model=mlp&epochs=1&images=6400&backend=webgpu'});
  await page.waitForFunction(state('ready'), null, {timeout: 60000});
  assert.match(await page.textContent('#engine'), /WebGPU/);
  await train(page);
  const {accuracy, placement} = await page.evaluate(() => ({accuracy: window.fjordExample.testAccuracy, placement: window.fjordExample.model.placement()}));
  assert.ok(accuracy > 0.8, `the accuracy is ${accuracy}`);
  assert.equal(placement.backend, 'webgpu');
  await drawSeven(page);
  assert.match(await reading(page), /Reads \d/);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test('a drawn digit is read, a picture can be put on the pad, and it can be cleared', async () => {
  const page = await opened();
  await train(page);
  await drawSeven(page);
  assert.match(await reading(page), /Reads 7/);
  const sure = await page.$$eval('#bars li', (items) => items.map((item) => Number.parseInt(item.textContent.replace(/^\s*\d/, ''), 10)));
  assert.equal(sure.length, 10);
  assert.equal(sure.indexOf(Math.max(...sure)), 7);
  await page.click('#clear');
  assert.ok(await page.isHidden('#clear'));
  await page.locator('#grid .tile').first().click();
  const title = await page.locator('#grid .tile').first().getAttribute('title');
  const digit = title.match(/read as (\d)|A (\d), read correctly/).slice(1).find(Boolean);
  await page.waitForFunction((digit) => document.querySelector('#reading').textContent.includes(`Reads ${digit}`), digit);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test('the keyboard draws as well', async () => {
  const page = await opened();
  await train(page);
  await page.focus('#pad');
  // A one: down from the top.
  await page.keyboard.press(' ');
  for (let i = 0; i < 16; ++i) await page.keyboard.press('ArrowDown');
  await page.keyboard.press(' ');
  assert.match(await reading(page), /Reads 1/);
  await page.keyboard.press('Escape');
  assert.ok(await page.isHidden('#clear'));
  await page.context().close();
});

test('what was saved is resumed after a reload, and trains on', async () => {
  const page = await opened();
  await train(page);
  const weights = () => page.evaluate(() => window.fjordExample.model.getWeights().flatMap((t) => Array.from(t.dataSync())));
  const saved = await weights();
  const accuracy = await page.textContent('#accuracy');
  await page.click('#save');
  await page.waitForFunction(() => document.querySelector('#save').textContent === 'Saved');
  await page.reload();
  await page.waitForFunction(state('ready'));
  assert.notEqual(await page.textContent('#accuracy'), accuracy);
  assert.match(await page.textContent('#resume'), /Resume \(1 epoch\)/);
  await page.click('#resume');
  await page.waitForFunction(state('done'));
  assert.deepEqual(await weights(), saved);
  assert.equal(await page.textContent('#accuracy'), accuracy);
  await page.click('#primary');
  await page.waitForFunction(() => window.fjordExample.epoch === 2 && document.body.dataset.state === 'done');
  assert.notDeepEqual(await weights(), saved);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test('training can be stopped, continued and begun anew', async () => {
  const page = await opened({}, '');
  await page.click('#primary');
  await page.waitForFunction(() => document.querySelector('#fact-loss').textContent !== '–');
  await page.click('#primary');
  await page.waitForFunction(state('ready'));
  assert.match(await page.textContent('#status'), /Stopped in epoch 1/);
  assert.equal(await page.textContent('#primary'), 'Continue');
  await page.click('#restart');
  await page.waitForFunction(() => document.querySelector('#primary').textContent === 'Train');
  assert.equal(await page.evaluate(() => window.fjordExample.epoch), 0);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test('the convolutional network trains too', async () => {
  const page = await opened({}, 'images=3000');
  await page.check('[name=kind][value=cnn]', {force: true});
  await page.waitForFunction(() => document.querySelector('#about').textContent.includes('filters') && document.body.dataset.state === 'ready');
  await train(page);
  const accuracy = await page.evaluate(() => window.fjordExample.testAccuracy);
  assert.ok(accuracy > 0.7, `the accuracy is ${accuracy}`);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

suite('on every screen', () => {
  for (const [name, options] of Object.entries(screens)) {
    test(`${name}: nothing is cut off or under something else`, async () => {
      const page = await opened(options, 'images=2000');
      assert.deepEqual(await offScreen(page), nothingOff, 'before training');
      await train(page);
      await page.click('#save');
      await page.waitForFunction(() => document.querySelector('#save').textContent === 'Saved');
      assert.deepEqual(await offScreen(page), nothingOff, 'after training');
      await page.context().close();
    });
  }
});

test('where there is no cross-origin isolation it trains on one thread and says how to get more', async () => {
  const page = await opened({isolated: false}, 'images=3000');
  assert.match(await page.textContent('#engine'), /1 thread .*not cross-origin isolated/);
  await train(page);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test('without WebAssembly SIMD the page says so', async () => {
  const context = await setting.browser.newContext();
  await context.addInitScript(() => (WebAssembly.validate = () => false));
  const page = await context.newPage();
  await page.goto(`${setting.url}/mnist/`);
  await page.waitForFunction(state('error'));
  assert.match(await page.textContent('#status'), /WebAssembly SIMD/);
  await context.close();
});
