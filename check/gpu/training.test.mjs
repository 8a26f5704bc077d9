// Whole models on WebGPU, in headless Chromium: beside the same models in WebAssembly.
import assert from 'node:assert/strict';
import {after, before, test} from 'node:test';
import {apart, fitApart, modelNames, optimizerNames, stepsApart} from './models.mjs';
import {openPage} from './setting.mjs';

/** A page with the package and the functions of models.mjs. */
async function open() {
  const opened = await openPage();
  await opened.page.evaluate(async () => {
    const {trainings} = await import('/check/gpu/models.mjs');
    Object.assign(window, trainings(tf));
  });
  return opened;
}
let page, end;
before(async () => ({page, end} = await open()));
after(() => end?.());

for (const name of modelNames) {
  for (const optimizer of optimizerNames) {
    test(`${name} with ${optimizer}: 20 steps, a prediction, an evaluation and the weights are those of WebAssembly`, async () => {
      const [gpu, cpu] = await page.evaluate(
        async ([name, optimizer]) => [await window.steps('webgpu', name, optimizer, 20), await window.steps('wasm', name, optimizer, 20)],
        [name, optimizer],
      );
      assert.equal(stepsApart(gpu, cpu), '');
    });
  }
}

test('fit with validation, callbacks that predict, and saving', async () => {
  const {history, seen, same} = await page.evaluate(async () => {
    await tf.setBackend('webgpu');
    const [model, x, y] = window.make('mlp', 'adam');
    const seen = [];
    const {history} = await model.fit(x, y, {
      epochs: 3,
      batchSize: 40,
      validationSplit: 0.25,
      callbacks: {onEpochEnd: async () => void seen.push((await model.predict(x).data()).length)},
    });
    let file;
    await model.save({save: async (artifacts) => ((file = artifacts), {modelArtifactsInfo: {}})});
    const predicted = await model.predict(x).data();
    await tf.setBackend('wasm');
    const again = await tf.loadLayersModel({load: async () => file});
    const same = Math.max(...(await again.predict(x).data()).map((v, i) => Math.abs(v - predicted[i])));
    return {history, seen, same};
  });
  assert.equal(history.loss.length, 3);
  assert.ok(history.val_loss.at(-1) < history.val_loss[0]);
  assert.deepEqual(seen, [480, 480, 480]);
  assert.ok(same < 1e-5, `${same}`);
});

test('batches that are begun ahead have the rates and random numbers of their steps', async () => {
  const [gpu, cpu] = await page.evaluate(async () => [await window.fit('webgpu'), await window.fit('wasm')]);
  assert.equal(fitApart(gpu, cpu), '');
});

test('what cannot answer at once says so', async () => {
  const errors = await page.evaluate(async () => {
    await tf.setBackend('webgpu');
    const [model, x, y] = window.make('mlp', 'sgd');
    const said = (f) => {
      try {
        f();
        return '';
      } catch (error) {
        return error.message;
      }
    };
    await model.trainOnBatch(x, y);
    const pending = model.predict(x);
    const list = [said(() => pending.dataSync()), said(() => pending.add(1)), said(() => model.getWeights()), said(() => model.evaluate(x, y))];
    await pending.data();
    list.push(said(() => pending.dataSync()));
    await model.sync();
    list.push(said(() => model.getWeights()));
    model.dispose();
    await tf.setBackend('wasm');
    return list;
  });
  assert.match(errors[0], /await its data\(\)/);
  assert.equal(errors[1], '', 'an op runs there, too');
  assert.match(errors[2], /await model\.sync\(\)/i);
  assert.match(errors[3], /evaluateAsync/);
  assert.deepEqual(errors.slice(4), ['', '']);
});

test('warmup compiles what a step needs, and says how far it is', async () => {
  const {told, before, after} = await page.evaluate(async () => {
    await tf.setBackend('webgpu');
    const [model, x, y] = window.make('cnn', 'rmsprop');
    const told = [];
    await model.warmup({batchSize: 96, onProgress: (p) => told.push(p)});
    const before = model.home.gpu.gpu.pipelineCount;
    await model.trainOnBatch(x, y);
    const after = model.home.gpu.gpu.pipelineCount;
    model.dispose();
    await tf.setBackend('wasm');
    return {told, before, after};
  });
  assert.equal(after, before);
  assert.ok(told.length > 10 && told.every(({done, of}, i) => done === i + 1 && of === told.length), JSON.stringify(told));
});

test('auto measures both and keeps the faster', async () => {
  const {first, then, loss, alone} = await page.evaluate(async () => {
    await tf.setBackend('auto');
    const [model, x, y] = window.make('mlp', 'sgd');
    const first = model.placement();
    const {history} = await model.fit(x, y, {epochs: 1, batchSize: 32, shuffle: false});
    const then = model.placement();
    await tf.setBackend('wasm');
    const [other] = window.make('mlp', 'sgd');
    const alone = (await other.fit(x, y, {epochs: 1, batchSize: 32, shuffle: false})).history.loss[0];
    model.dispose();
    other.dispose();
    return {first, then, loss: history.loss[0], alone};
  });
  assert.deepEqual(first, {backend: 'wasm'});
  const {wasm, webgpu} = then.milliseconds;
  assert.ok(wasm > 0 && webgpu > 0, JSON.stringify(then));
  assert.equal(then.backend, webgpu < wasm ? 'webgpu' : 'wasm');
  // What was tried was a copy.
  assert.ok(Math.abs(loss - alone) < 1e-3 * alone, `${loss}, ${alone}`);
});

test('1,000 steps leave no memory on the GPU and make nothing after the second', async () => {
  // A page of its own: what other tests leave to the garbage collector would go meanwhile.
  const own = await open();
  const [first, thousand] = await own.page.evaluate(async () => {
    await tf.setBackend('webgpu');
    const life = async (steps) => {
      const [model, x, y] = window.make('mlp', 'adam');
      const measure = () => [tf.memory().numBytesInGPU, model.home.gpu.gpu.pipelineCount];
      await model.trainOnBatch(x, y);
      await model.trainOnBatch(x, y);
      const second = measure();
      for (let i = 2; i < steps; ++i) await model.trainOnBatch(x, y);
      const last = measure();
      model.dispose();
      tf.dispose([x, y]);
      return {second, last, end: tf.memory().numBytesInGPU};
    };
    // The first one leaves buffers that the next one of its kind takes again.
    return [await life(2), await life(1000)];
  });
  await own.end();
  assert.deepEqual(thousand, first);
  assert.deepEqual(thousand.last, thousand.second);
});

test('what a model predicts right after another backend was set is computed there', async () => {
  const [first, second] = await page.evaluate(async () => {
    await tf.setBackend('webgpu');
    const [model, x, y] = window.make('mlp', 'sgd');
    await model.trainOnBatch(x, y);
    await tf.setBackend('wasm');
    const predicted = [model.predict(x), model.predict(x)];
    const values = await Promise.all(predicted.map((t) => t.data()));
    model.dispose();
    return values.map((v) => [...v]);
  });
  assert.ok(first.every(Number.isFinite) && new Set(first).size > 1);
  assert.deepEqual(first, second);
});

test('a device that is lost between two steps is reported by the next one, once', async () => {
  const {messages, loss} = await page.evaluate(async () => {
    await tf.setBackend('webgpu');
    const [model, x, y] = window.make('mlp', 'sgd');
    const messages = [];
    const step = () => model.trainOnBatch(x, y).catch((error) => void messages.push(error.message));
    await step();
    await step();
    const {device} = model.home.gpu.gpu;
    device.destroy();
    await device.lost;
    await step();
    const loss = await step();
    model.dispose();
    await tf.setBackend('wasm');
    return {messages, loss: [loss].flat()[0]};
  });
  assert.equal(messages.length, 1, messages.join());
  assert.match(messages[0], /^The GPU was lost in step 2 of this model /);
  assert.ok(loss > 0);
});

test('a device that is lost in training is reported, and the model goes on with its last host copy', async () => {
  const {message, before, after, falls} = await page.evaluate(async () => {
    await tf.setBackend('webgpu');
    const [model, x, y] = window.make('mlp', 'sgd');
    await model.fit(x, y, {epochs: 2, batchSize: 48});
    const values = async () => [...(await model.getWeights()[0].data())];
    const before = await values();
    let message = '';
    let batches = 0;
    const destroy = {onBatchEnd: () => void (++batches === 2 && model.home.gpu.gpu.device.destroy())};
    await model.fit(x, y, {epochs: 2, batchSize: 24, callbacks: destroy}).catch((error) => (message = error.message));
    // Its first step opens another device, with the weights of before.
    await model.evaluateAsync(x, y);
    const after = await values();
    const {history} = await model.fit(x, y, {epochs: 2, batchSize: 48});
    model.dispose();
    await tf.setBackend('wasm');
    return {message, before, after, falls: history.loss[1] < history.loss[0]};
  });
  assert.match(message, /The GPU was lost in step \d+/);
  assert.deepEqual(after, before);
  assert.ok(falls);
});

test('tensors that functions of a model have taken are constants of its steps', async () => {
  const [gpu, cpu] = await page.evaluate(async () => {
    const at = async (backend) => {
      await tf.setBackend(backend);
      const wave = tf.tensor2d(Array.from({length: 12}, (_, i) => (i % 5) - 2), [4, 3]);
      class Mixed extends tf.layers.Layer {
        static className = `Mixed_${backend}`;
        call(x) {
          return tf.matMul(Array.isArray(x) ? x[0] : x, wave).add([0.5, -1, 2]);
        }
        computeOutputShape([batch]) {
          return [batch, 3];
        }
      }
      const model = tf.sequential({layers: [tf.layers.dense({units: 4, activation: 'tanh', kernelInitializer: 'ones', inputShape: [2]}), new Mixed()]});
      model.compile({optimizer: tf.train.sgd(0.05), loss: (y, p) => tf.mean(tf.square(tf.sub(y, p)).mul(tf.tensor1d([1, 2, 3])))});
      const x = tf.tensor2d([0.1, 0.2, -0.4, 0.8, 0.5, -0.3], [3, 2]);
      const y = tf.tensor2d([1, 0, 0, 0, 1, 0, 0, 0, 1], [3, 3]);
      const losses = [];
      for (let i = 0; i < 5; ++i) losses.push(await model.trainOnBatch(x, y));
      const predicted = await model.predict(x).data();
      return [...losses.flat(), ...predicted];
    };
    return [await at('webgpu'), await at('wasm')];
  });
  assert.equal(gpu.length, 5 + 9);
  assert.equal(apart(gpu, cpu, 1e-5, 'values'), '');
});

test('early stopping gives back the weights of the best epoch', async () => {
  const [gpu, cpu] = await page.evaluate(async () => {
    const at = async (backend) => {
      await tf.setBackend(backend);
      const [model, x, y] = window.make('mlp', 'sgd');
      // The first epoch is the best one, where the loss is to be large.
      const best = tf.callbacks.earlyStopping({monitor: 'loss', mode: 'max', patience: 2, restoreBestWeights: true});
      const {history} = await model.fit(x, y, {epochs: 8, batchSize: 40, shuffle: false, callbacks: best});
      const predicted = await model.predict(x).data();
      await model.sync();
      const weights = model.getWeights().flatMap((w) => [...w.dataSync()]);
      return {epochs: history.loss.length, loss: history.loss, values: [...predicted, ...weights]};
    };
    return [await at('webgpu'), await at('wasm')];
  });
  assert.deepEqual([gpu.epochs, cpu.epochs], [3, 3]);
  assert.ok(cpu.loss[2] < cpu.loss[0]);
  assert.equal(apart(gpu.values, cpu.values, 1e-4, 'values'), '');
});
