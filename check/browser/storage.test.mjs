// What the browser keeps: IndexedDB, local storage, downloads and chosen files, models over HTTP; training that goes on after the
// page was closed.
import assert from 'node:assert/strict';
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import http from 'node:http';
import {createRequire} from 'node:module';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, suite, test} from 'node:test';
import {open} from './setting.mjs';

const setting = await open();
const folder = mkdtempSync(join(tmpdir(), 'fjord-'));
after(async () => {
  rmSync(folder, {recursive: true});
  await setting.close();
});

/** Weights of a run of `epochs` epochs without a break. */
const straight = (epochs) => import('/check/browser/network.js').then(async (m) => (await m.train(epochs)).weights);
const kEpochs = 6;
const kBreak = 3;

/** Trains until the break and saves. */
async function first([target, epochs]) {
  const {tf, network, data} = await import('/check/browser/network.js');
  const model = network();
  const {x, y} = data();
  await model.fit(x, y, {epochs, batchSize: 16});
  await model.save(target, {includeOptimizer: true});
}
/** Loads and trains on. */
async function second([target, from, epochs]) {
  const {tf, data, weights} = await import('/check/browser/network.js');
  const model = await tf.loadLayersModel(target);
  const {x, y} = data();
  await model.fit(x, y, {initialEpoch: from, epochs, batchSize: 16});
  return weights(model);
}

suite('a model goes on where it stood after the page was loaded anew', () => {
  for (const target of ['indexeddb://digits', 'localstorage://digits']) {
    test(target, async () => {
      const page = await setting.page();
      await page.evaluate(first, [target, kBreak]);
      await page.reload();
      const weights = await page.evaluate(second, [target, kBreak, kEpochs]);
      assert.deepEqual(weights, await page.evaluate(straight, kEpochs));
      assert.deepEqual(page.complaints, []);
      await page.context().close();
    });
  }
  test('saved by modelCheckpoint while it trained', async () => {
    const page = await setting.page();
    await page.evaluate(async (epochs) => {
      const {tf, network, data} = await import('/check/browser/network.js');
      const {x, y} = data();
      await network().fit(x, y, {epochs, batchSize: 16, callbacks: tf.callbacks.modelCheckpoint({filepath: 'indexeddb://last'})});
    }, kBreak);
    await page.reload();
    assert.deepEqual(await page.evaluate(second, ['indexeddb://last', kBreak, kEpochs]), await page.evaluate(straight, kEpochs));
    await page.context().close();
  });
});

test('models that are kept can be listed, copied, moved and removed', async () => {
  const page = await setting.page();
  const lists = await page.evaluate(async () => {
    const {tf, network} = await import('/check/browser/network.js');
    const list = async () => Object.keys(await tf.io.listModels()).sort();
    const lists = [await list()];
    await network().save('indexeddb://a');
    await tf.io.copyModel('indexeddb://a', 'localstorage://b');
    lists.push(await list());
    await tf.io.moveModel('localstorage://b', 'indexeddb://c');
    lists.push(await list());
    await tf.io.removeModel('indexeddb://a');
    lists.push(await list());
    lists.push(await tf.loadLayersModel('indexeddb://a').catch((error) => error.message));
    lists.push(await tf.loadLayersModel('localstorage://a').catch((error) => error.message));
    lists.push((await tf.loadLayersModel('indexeddb://c')).countParams() === network().countParams());
    return lists;
  });
  assert.deepEqual(lists, [
    [],
    ['indexeddb://a', 'localstorage://b'],
    ['indexeddb://a', 'indexeddb://c'],
    ['indexeddb://c'],
    'There is no model indexeddb://a in this browser',
    'There is no model localstorage://a in this browser',
    true,
  ]);
  await page.context().close();
});

test('models that TensorFlow.js kept in the browser load, are listed and can be removed', async () => {
  const page = await setting.page();
  await page.addScriptTag({url: '/node_modules/@tensorflow/tfjs/dist/tf.min.js'});
  const told = await page.evaluate(async () => {
    const theirs = globalThis.tf;
    await theirs.setBackend('cpu');
    const {tf} = await import('/check/browser/network.js');
    const urls = ['indexeddb://theirs', 'localstorage://theirs'];
    const missing = [];
    for (const url of urls) missing.push(await tf.loadLayersModel(url).catch((error) => error.message));
    // Looking for what is not there makes no database.
    const databases = (await indexedDB.databases()).map(({name}) => name).sort();
    const model = theirs.sequential({layers: [theirs.layers.dense({units: 3, activation: 'tanh', inputShape: [4]}), theirs.layers.dense({units: 2})]});
    model.compile({optimizer: 'sgd', loss: 'meanSquaredError'});
    const values = [0.5, -1, 2, 0.25];
    const expected = [...model.predict(theirs.tensor2d([values])).dataSync()];
    const results = [];
    for (const url of urls) {
      await model.save(url);
      results.push([...(await tf.loadLayersModel(url)).predict(tf.tensor2d([values])).dataSync()]);
    }
    const listed = Object.keys(await tf.io.listModels()).sort();
    for (const url of urls) await tf.io.removeModel(url);
    const left = [Object.keys(await tf.io.listModels()), Object.keys(await theirs.io.listModels())];
    return {missing, databases, expected, results, listed, left};
  });
  assert.deepEqual(told.missing, ['There is no model indexeddb://theirs in this browser', 'There is no model localstorage://theirs in this browser']);
  assert.deepEqual(told.databases, ['fjord']);
  for (const result of told.results) {
    result.forEach((value, i) => assert.ok(Math.abs(value - told.expected[i]) < 1e-6, `${result}, expected ${told.expected}`));
  }
  assert.deepEqual(told.listed, ['indexeddb://theirs', 'localstorage://theirs']);
  assert.deepEqual(told.left, [[], []]);
  await page.context().close();
});

test('a model too large for local storage is told where to go', async () => {
  const page = await setting.page();
  const message = await page.evaluate(async () => {
    const {tf} = await import('/check/browser/network.js');
    const model = tf.sequential({layers: [tf.layers.dense({units: 2000, inputShape: [2000]})]});
    return model.save('localstorage://large').then(() => 'saved', (error) => error.message);
  });
  assert.match(message, /too large for localStorage.*indexeddb:\/\/large/);
  await page.context().close();
});

suite('downloads are files that can be chosen again', () => {
  for (const how of ['downloads://', 'browserDownloads']) {
    test(how, async () => {
      const page = await setting.page({acceptDownloads: true});
      const [download] = await Promise.all([
        page.waitForEvent('download'),
        page.evaluate(async ([how, epochs]) => {
          const {tf, network, data} = await import('/check/browser/network.js');
          const model = network();
          const {x, y} = data();
          await model.fit(x, y, {epochs, batchSize: 16});
          await model.save(how.endsWith('//') ? `${how}mine` : tf.io.browserDownloads('mine'), {includeOptimizer: true});
        }, [how, kBreak]),
      ]);
      assert.equal(download.suggestedFilename(), 'mine.safetensors');
      const file = join(folder, `${how.replace(/\W/g, '')}.safetensors`);
      await download.saveAs(file);
      assert.ok(readFileSync(file).length > 1000);
      await page.reload();
      await page.evaluate(() => document.body.append(Object.assign(document.createElement('input'), {type: 'file', multiple: true})));
      await page.setInputFiles('input', file);
      const weights = await page.evaluate(async ([from, epochs]) => {
        const {tf, data, weights} = await import('/check/browser/network.js');
        const model = await tf.loadLayersModel(tf.io.browserFiles([...document.querySelector('input').files]));
        const {x, y} = data();
        await model.fit(x, y, {initialEpoch: from, epochs, batchSize: 16});
        return weights(model);
      }, [kBreak, kEpochs]);
      assert.deepEqual(weights, await page.evaluate(straight, kEpochs));
      await page.context().close();
    });
  }
});

suite('a model.json that TensorFlow.js has written', () => {
  /** Its model, what it predicts, and its files in the folder. */
  const written = (async () => {
    const judge = createRequire(import.meta.url)('@tensorflow/tfjs');
    judge.env().set('PROD', true);
    await judge.setBackend('cpu');
    const model = judge.sequential({
      layers: [
        judge.layers.conv2d({filters: 4, kernelSize: 3, activation: 'relu', inputShape: [8, 8, 1]}),
        judge.layers.batchNormalization({}),
        judge.layers.flatten(),
        judge.layers.dense({units: 3, activation: 'softmax'}),
      ],
    });
    const x = Array.from({length: 2 * 64}, (_, i) => Math.sin(i));
    const expected = Array.from(model.predict(judge.tensor(x, [2, 8, 8, 1])).dataSync());
    await model.save(
      judge.io.withSaveHandler(async ({modelTopology, weightSpecs, weightData, format, generatedBy}) => {
        const manifest = [{paths: ['weights.bin'], weights: weightSpecs}];
        writeFileSync(join(folder, 'model.json'), JSON.stringify({modelTopology, format, generatedBy, convertedBy: null, weightsManifest: manifest}));
        writeFileSync(join(folder, 'weights.bin'), Buffer.from(weightData));
        return {modelArtifactsInfo: {dateSaved: new Date(), modelTopologyType: 'JSON'}};
      }),
    );
    return {x, expected};
  })();
  const predict = async ([url, x]) => {
    const {tf} = await import('/check/browser/network.js');
    const model = await tf.loadLayersModel(url ?? tf.io.browserFiles([...document.querySelector('input').files]));
    return Array.from(model.predict(tf.tensor(x, [2, 8, 8, 1])).dataSync());
  };
  const near = (values, expected) => values.forEach((v, i) => assert.ok(Math.abs(v - expected[i]) < 1e-5, `value ${i} is ${v}, expected ${expected[i]}`));

  test('over HTTP', async () => {
    const {x, expected} = await written;
    // From another origin, as weights often are.
    const server = http.createServer((request, response) => {
      response.setHeader('Access-Control-Allow-Origin', '*');
      response.setHeader('Cross-Origin-Resource-Policy', 'cross-origin');
      response.end(readFileSync(join(folder, request.url.slice(1))));
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    const page = await setting.page();
    near(await page.evaluate(predict, [`http://127.0.0.1:${server.address().port}/model.json`, x]), expected);
    assert.deepEqual(page.complaints, []);
    await page.context().close();
    server.closeAllConnections();
    server.close();
  });
  test('as chosen files', async () => {
    const {x, expected} = await written;
    const page = await setting.page();
    await page.evaluate(() => document.body.append(Object.assign(document.createElement('input'), {type: 'file', multiple: true})));
    await page.setInputFiles('input', ['model.json', 'weights.bin'].map((name) => join(folder, name)));
    near(await page.evaluate(predict, [null, x]), expected);
    await page.context().close();
  });
});
