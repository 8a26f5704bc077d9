// Ops of tensors on WebGPU, in headless Chromium: beside the same ops in WebAssembly.
import assert from 'node:assert/strict';
import {after, before, test} from 'node:test';
import {close, openPage} from './setting.mjs';

let page, end;
before(async () => {
  ({page, end} = await openPage());
  await page.evaluate(() => {
    /** What f computes on each backend, as lists of numbers: f gives tensors. */
    window.onBoth = async (f) => {
      const results = {};
      for (const backend of ['webgpu', 'wasm']) {
        await tf.setBackend(backend);
        results[backend] = [];
        for (const t of await f()) results[backend].push([...(await t.data())]);
      }
      return results;
    };
    /** A small convolutional network by hand: twenty steps of an optimizer that minimizes; the losses and the variables. */
    window.trainByHand = async (makeOptimizer, steps) => {
      const x = tf.randomUniform([16, 8, 8, 2], -1, 1, 'float32', 5);
      const labels = tf.oneHot(tf.tensor1d(Array.from({length: 16}, (_, i) => (i * 7) % 4), 'int32'), 4);
      const filter = tf.variable(tf.randomUniform([3, 3, 2, 4], -0.4, 0.4, 'float32', 6));
      const kernel = tf.variable(tf.randomUniform([64, 4], -0.2, 0.2, 'float32', 7));
      const bias = tf.variable(tf.zeros([4]));
      const optimizer = makeOptimizer();
      const loss = () =>
        tf.losses.softmaxCrossEntropy(labels, x.conv2d(filter, 1, 'same').relu().maxPool(2, 2, 'valid').reshape([16, 64]).matMul(kernel).add(bias)).asScalar();
      const values = [];
      for (let i = 0; i < steps; ++i) values.push(optimizer.minimize(loss, true, [filter, kernel, bias]));
      const weights = [await filter.data(), await kernel.data(), await bias.data()];
      const list = [];
      for (const v of values) list.push((await v.data())[0]);
      for (const t of [x, labels, filter, kernel, bias, ...values]) t.dispose();
      optimizer.dispose();
      return {list, weights: weights.map((w) => [...w])};
    };
  });
});
after(() => end?.());

test('chains of ops have the values of WebAssembly, random numbers their bits', async () => {
  const names = ['matMul', 'conv2d', 'softmax', 'moved', 'chosen', 'reduced', 'gathered', 'random', 'whole'];
  const {webgpu, wasm} = await page.evaluate(() =>
    window.onBoth(() => {
      const a = tf.randomUniform([5, 7], -2, 2, 'float32', 1);
      const b = tf.randomUniform([7, 6], -2, 2, 'float32', 2);
      const image = tf.randomUniform([2, 9, 9, 3], -1, 1, 'float32', 3);
      const filter = tf.randomUniform([3, 3, 3, 4], -1, 1, 'float32', 4);
      const y = a.matMul(b);
      return [
        y.add(1).tanh(),
        image.conv2d(filter, 2, 'same').relu().avgPool(2, 1, 'valid'),
        y.softmax(),
        tf.concat([y.transpose(), y.transpose().reverse(0)], 1).slice([1, 2], [4, 5]).pad([[1, 0], [0, 2]]),
        tf.where(y.greater(0), y.square(), y.neg()),
        tf.stack([y.sum(1), y.max(1), y.argMax(1).toFloat(), y.mean(1)]),
        tf.gather(y, tf.tensor1d([4, 0, 4], 'int32')),
        tf.randomNormal([40], 0, 1, 'float32', 9),
        tf.tensor1d([7, -7, 3], 'int32').floorDiv(tf.scalar(2, 'int32')),
      ];
    }),
  );
  names.forEach((name, i) => close(webgpu[i], wasm[i], 1e-4, name));
  assert.ok(wasm[0].some((v) => Math.abs(v) > 0.1), 'there is something to compare');
});

test('gradients, and gradients of gradients', async () => {
  const {webgpu, wasm} = await page.evaluate(() =>
    window.onBoth(() => {
      const f = (x) => x.mul(x).mul(x).add(x.sin()).sum();
      const x = tf.tensor1d([0.3, -1.2, 2.5]);
      const {value, grads} = tf.valueAndGrads((a, b) => a.matMul(b).sigmoid().mean())([tf.randomUniform([4, 3], -1, 1, 'float32', 1), tf.randomUniform([3, 2], -1, 1, 'float32', 2)]);
      return [tf.grad(f)(x), tf.grad((x) => tf.grad(f)(x).square().sum())(x), value, ...grads];
    }),
  );
  webgpu.forEach((values, i) => close(values, wasm[i], 1e-4, `result ${i}`));
  // f' = 3 x^2 + cos x
  close(webgpu[0], [0.3, -1.2, 2.5].map((x) => 3 * x * x + Math.cos(x)), 1e-5, 'by hand');
  // The derivative of the sum of f'^2 is 2 f' f'', f'' = 6 x - sin x.
  close(webgpu[1], [0.3, -1.2, 2.5].map((x) => 2 * (3 * x * x + Math.cos(x)) * (6 * x - Math.sin(x))), 1e-4, 'by hand, twice');
});

for (const optimizer of ['sgd', 'momentum', 'adam', 'rmsprop']) {
  test(`twenty steps of minimize with ${optimizer} are those of WebAssembly`, async () => {
    const train = (backend) =>
      page.evaluate(
        async ([backend, name]) => {
          await tf.setBackend(backend);
          return window.trainByHand(() => tf.train[name](0.01, 0.9), 20);
        },
        [backend, optimizer],
      );
    const [gpu, cpu] = [await train('webgpu'), await train('wasm')];
    close(gpu.list, cpu.list, 1e-3, 'loss');
    assert.ok(gpu.list.at(-1) < gpu.list[0], 'the loss falls');
    gpu.weights.forEach((w, i) => close(w, cpu.weights[i], 2e-3, `variable ${i}`));
  });
}

test('values are awaited: dataSync says so, and works once they are here', async () => {
  const seen = await page.evaluate(async () => {
    await tf.setBackend('webgpu');
    const y = tf.tensor1d([1, 2, 3]).square();
    const early = (() => {
      try {
        return y.dataSync();
      } catch (error) {
        return error.message;
      }
    })();
    const here = [y.isHere];
    const half = y.add(0.5);
    const data = half.data();
    half.dispose();
    const awaited = [...(await y.data())];
    here.push(y.isHere, tf.scalar(1).isHere);
    const bools = await tf.tensor1d([1, 5]).greater(2).data();
    // What is computed in WebAssembly needs the values there.
    await tf.setBackend('wasm');
    const there = [...y.add(1).dataSync()];
    await tf.setBackend('webgpu');
    const z = y.neg();
    await tf.setBackend('wasm');
    const refused = (() => {
      try {
        return z.add(1);
      } catch (error) {
        return error.message;
      }
    })();
    return {early, here, awaited, later: [...y.dataSync()], disposed: [...(await data)], bools: [bools.constructor.name, ...bools], there, refused};
  });
  assert.match(seen.early, /on the GPU.*await its data\(\)/);
  assert.deepEqual(seen.here, [false, true, true]);
  assert.deepEqual(seen.awaited, [1, 4, 9]);
  assert.deepEqual(seen.later, [1, 4, 9]);
  assert.deepEqual(seen.disposed, [1.5, 4.5, 9.5]);
  assert.deepEqual(seen.bools, ['Uint8Array', 0, 1]);
  assert.deepEqual(seen.there, [2, 5, 10]);
  assert.match(seen.refused, /on the GPU.*await its data\(\)/);
});

test('models take what ops have computed', async () => {
  const same = await page.evaluate(async () => {
    await tf.setBackend('webgpu');
    const model = tf.sequential({layers: [tf.layers.dense({units: 3, activation: 'softmax', inputShape: [4]})], seed: 1});
    model.compile({optimizer: 'sgd', loss: 'categoricalCrossentropy'});
    const pixels = tf.tensor2d([[0, 51, 102, 255], [10, 20, 30, 40]]);
    const x = pixels.div(255);
    const y = tf.oneHot(tf.tensor1d([2, 0], 'int32'), 3);
    const before = await model.predict(x).data();
    const best = [...(await model.predict(tf.tensor2d([[0, 0.2, 0.4, 1]])).argMax(-1).data())];
    await model.fit(x, y, {epochs: 2});
    const loss = (await model.evaluateAsync(x, y)).loss;
    const after = await model.predict(x).data();
    const byHand = -(Math.log(after[2]) + Math.log(after[3])) / 2;
    return {best, row: [...before.slice(0, 3)], changed: before.some((v, i) => v !== after[i]), loss, byHand};
  });
  assert.ok(same.changed);
  // A prediction that stays on the GPU goes on there.
  assert.deepEqual(same.best, [same.row.indexOf(Math.max(...same.row))]);
  close([same.loss], [same.byHand], 1e-5, 'loss');
});

test('a thousand steps: no growth of memory, no new pipeline', async () => {
  const counts = await page.evaluate(async () => {
    await tf.setBackend('webgpu');
    let pipelines = 0;
    for (const name of ['createComputePipeline', 'createComputePipelineAsync']) {
      const made = GPUDevice.prototype[name];
      GPUDevice.prototype[name] = function (...args) {
        ++pipelines;
        return made.apply(this, args);
      };
    }
    const w = tf.variable(tf.randomUniform([12, 12], -1, 1, 'float32', 1));
    const x = tf.randomUniform([6, 12], -1, 1, 'float32', 2);
    const optimizer = tf.train.adam(0.001);
    const counts = [];
    for (let i = 1; i <= 1000; ++i) {
      const cost = optimizer.minimize(() => tf.tidy(() => x.matMul(w).square().mean()), true, [w]);
      if (i % 100 === 0) await cost.data();
      cost.dispose();
      if (i === 10 || i === 1000) counts.push({...tf.memory(), pipelines});
    }
    w.dispose();
    x.dispose();
    optimizer.dispose();
    return counts;
  });
  const [ten, thousand] = counts;
  assert.equal(thousand.pipelines, ten.pipelines);
  // Fewer where what the tests before have left is collected meanwhile.
  assert.ok(thousand.numTensors <= ten.numTensors, `${ten.numTensors} to ${thousand.numTensors} tensors`);
  assert.ok(thousand.numDataBuffers <= ten.numDataBuffers, `${ten.numDataBuffers} to ${thousand.numDataBuffers} buffers`);
  // The first read of a cost makes its staging buffer.
  assert.ok(thousand.numBytesInGPU - ten.numBytesInGPU <= 64, `${ten.numBytesInGPU} to ${thousand.numBytesInGPU}`);
});

test('a device that is lost: an error that says so, and another device for what has been read', async () => {
  const seen = await page.evaluate(async () => {
    const {requestDevice} = GPUAdapter.prototype;
    let device;
    GPUAdapter.prototype.requestDevice = async function (...args) {
      return (device = await requestDevice.apply(this, args));
    };
    const other = await import('/fjord/fjord.js?again');
    await other.setBackend('webgpu');
    const a = other.tensor1d([1, 2]).add(1);
    const b = a.mul(2);
    await a.data();
    device.destroy();
    await device.lost;
    const say = async (f) => {
      try {
        return await f();
      } catch (error) {
        return error.message;
      }
    };
    const op = await say(() => a.add(1));
    await other.setBackend('webgpu');
    const again = [...(await a.add(1).data())];
    const lost = await say(() => b.add(1));
    const read = await say(() => b.data());
    return {op, again, lost, read};
  });
  assert.match(seen.op, /GPU was lost.*setBackend\('webgpu'\)/);
  assert.deepEqual(seen.again, [3, 4]);
  assert.match(seen.lost, /device that was lost/);
  assert.match(seen.read, /device that was lost/);
});
