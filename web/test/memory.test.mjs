// What is freed and when: dispose, tidy, keep, the garbage collector, and that training needs no more memory after a while.
import assert from 'node:assert/strict';
import {suite, test} from 'node:test';
import {setFlagsFromString} from 'node:v8';
import {runInNewContext} from 'node:vm';
import {callOf, cases, nameOf, splits, tensorsOf} from './cases.mjs';
import {close, fj, judge, random} from './helpers.mjs';

const count = () => fj.memory().numTensors;
const grown = (f) => {
  const before = count();
  f();
  return count() - before;
};

suite('dispose', () => {
  test('frees at once, twice is as good as once', () => {
    const before = fj.memory();
    const t = fj.zeros([1000]);
    assert.equal(fj.memory().numTensors, before.numTensors + 1);
    assert.equal(fj.memory().numBytes, before.numBytes + 4000);
    t.dispose();
    t.dispose();
    assert.ok(t.isDisposed);
    assert.equal(fj.memory().numTensors, before.numTensors);
    assert.equal(fj.memory().numBytes, before.numBytes);
  });
  test('of lists and objects', () => {
    const all = {a: fj.scalar(1), b: [fj.scalar(2), {c: fj.scalar(3)}], d: 'text', e: null};
    assert.equal(grown(() => fj.dispose(all)), -3);
  });
  test('what shares the memory lives on', () => {
    const t = fj.tensor([1, 2, 3, 4]);
    const shaped = t.reshape([2, 2]);
    t.dispose();
    assert.deepEqual(shaped.arraySync(), [[1, 2], [3, 4]]);
    shaped.dispose();
  });
  for (const [what, use] of Object.entries({
    'reading it': (t) => t.dataSync(),
    'a method': (t) => t.add(1),
    'an op': (t) => fj.matMul([[1]], t),
    cloning: (t) => t.clone(),
  })) {
    test(`afterwards ${what} is an error that says so`, () => {
      const t = fj.tensor([[1]]);
      t.dispose();
      assert.throws(() => use(t), {message: /^Tensor is disposed\. It was tensor \d+, float32 of shape \[1,1\]$/});
    });
  }
});

suite('tidy', () => {
  test('frees all but the result', () => {
    assert.equal(grown(() => fj.tidy(() => fj.scalar(1).add(2).mul(3).square())), 1);
    assert.equal(grown(() => fj.tidy('with a name', () => [fj.scalar(1).add(2), {a: fj.scalar(3)}])), 2);
    assert.equal(grown(() => fj.tidy(() => void fj.scalar(1).add(2))), 0);
  });
  test('what is no function', () => {
    assert.throws(() => fj.tidy('a name'), {message: 'Please provide a function to tidy()'});
    assert.throws(() => fj.tidy(null), {message: 'Please provide a function to tidy()'});
    assert.throws(() => fj.tidy(1, () => 1), {message: 'When calling with two arguments, the first argument to tidy() must be a string'});
    assert.equal(fj.tidy('a name', () => 7), 7);
  });
  test('within tidy', () => {
    let inner;
    assert.equal(
      grown(() =>
        fj.tidy(() => {
          inner = fj.tidy(() => fj.scalar(2).square());
          assert.equal(inner.dataSync()[0], 4);
        }),
      ),
      0,
    );
    assert.ok(inner.isDisposed);
  });
  test('keep saves a tensor from it, variables are saved anyway', () => {
    let kept, variable;
    fj.tidy(() => {
      kept = fj.keep(fj.scalar(5));
      variable = fj.variable([1]);
    });
    assert.equal(kept.dataSync()[0], 5);
    assert.equal(variable.dataSync()[0], 1);
    fj.dispose([kept, variable]);
  });
  test('frees when the function fails, and refuses promises', () => {
    assert.equal(
      grown(() =>
        assert.throws(() =>
          fj.tidy(() => {
            fj.scalar(1);
            throw new Error('mine');
          }),
        /mine/),
      ),
      0,
    );
    assert.throws(() => fj.tidy(async () => {}), /promise/);
  });
});

suite('an op leaves nothing but its result', () => {
  for (const c of [...cases, ...splits]) {
    const seen = `${c.op}/${c.args.length}`;
    test(nameOf(c), () => {
      const tensors = tensorsOf(fj, c);
      let result;
      const more = grown(() => (result = callOf(fj, c)(...tensors)));
      assert.equal(more, [result].flat().length, seen);
      fj.dispose([tensors, result]);
    });
  }
  for (const [name, loss] of Object.entries({
    ...fj.losses,
    cosineDistance: (y, p, w) => fj.losses.cosineDistance(y, p, 1, w),
    computeWeightedLoss: (y, p, w) => fj.losses.computeWeightedLoss(p, w),
  })) {
    test(`losses.${name}`, () => {
      const inputs = [1, 2, 3].map((seed) => fj.tensor(random([4, 3], 0.1, 0.9, seed), [4, 3]));
      if (name === 'softmaxCrossEntropy') inputs[2] = fj.ones([4]);
      if (name === 'cosineDistance') inputs[2] = fj.ones([4, 1]);
      let result;
      assert.equal(grown(() => (result = loss(...inputs))), 1);
      fj.dispose([inputs, result]);
    });
  }
  test('grad, variableGrads and minimize', () => {
    const x = fj.tensor([1, 2, 3]);
    const v = fj.variable([1, 2, 3]);
    const optimizer = fj.train.adam();
    optimizer.minimize(() => v.square().sum());
    assert.equal(grown(() => fj.grad((t) => t.square().mul(2).sum())(x)), 1);
    assert.equal(grown(() => fj.variableGrads(() => v.square().sum())), 2);
    assert.equal(grown(() => optimizer.minimize(() => v.square().sum())), 0);
    assert.equal(grown(() => optimizer.minimize(() => v.square().sum(), true)), 1);
    optimizer.dispose();
    v.dispose();
  });
});

test('a tensor that is forgotten is freed by the garbage collector', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc');
  const before = fj.memory().numBytes;
  for (let i = 0; i < 50; ++i) fj.zeros([10000]);
  assert.ok(fj.memory().numBytes >= before + 50 * 40000);
  for (let i = 0; i < 50 && fj.memory().numBytes > before + 40000; ++i) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.ok(fj.memory().numBytes <= before + 40000, `${fj.memory().numBytes - before} bytes are still held`);
});

suite('what nobody holds is freed by the garbage collector', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc');
  /** Collects until at most `bytes` more than before are held. */
  const comesBack = async (before, slack) => {
    const held = () => fj.memory().numBytesInEngine - before.numBytesInEngine;
    for (let i = 0; i < 200 && held() > slack; ++i) {
      collect();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.ok(held() <= slack, `${held()} bytes are still held`);
  };
  // One of those that are made in a loop may still stand on the stack.
  const kOne = 700_000;

  test('models that were trained, and their optimizers', async () => {
    const before = fj.memory();
    const x = fj.zeros([4, 100]);
    const y = fj.zeros([4, 100]);
    for (let i = 0; i < 20; ++i) {
      const model = fj.sequential({layers: [fj.layers.dense({units: 100, inputShape: [100]})]});
      model.compile({optimizer: fj.train.adam(), loss: 'meanSquaredError'});
      await model.fit(x, y, {epochs: 1});
    }
    // Kernels, biases and two slots of each.
    const least = 20 * 3 * 4 * 100 * 101;
    const {numTensors, numBytes} = fj.memory();
    assert.ok(numBytes - before.numBytes >= least, `${numBytes - before.numBytes} bytes of ${least} are counted`);
    assert.ok(numTensors - before.numTensors >= 20 * 6, `${numTensors - before.numTensors}`);
    fj.dispose([x, y]);
    await comesBack(before, kOne);
  });
  test('models that were built and not used, functional ones, and parts of another', async () => {
    const before = fj.memory();
    for (let i = 0; i < 20; ++i) {
      const x = fj.input({shape: [100]});
      const model = fj.model({inputs: x, outputs: fj.layers.dense({units: 200}).apply(x)});
      model.layers.at(-1).weights;
      model.getWeights().forEach((w) => w.dispose());
    }
    await comesBack(before, kOne);
  });
  test('a model whose layer is held stays', async () => {
    const layer = (() => fj.sequential({layers: [fj.layers.dense({units: 2, inputShape: [2], kernelInitializer: 'ones'})]}))();
    const kept = layer.layers[0];
    layer.getWeights().forEach((w) => w.dispose());
    for (let i = 0; i < 3; ++i) {
      collect();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert.equal(kept.weights.length, 2);
  });
  test('optimizers of variables', async () => {
    const v = fj.variable(fj.zeros([1000]));
    const before = fj.memory();
    for (let i = 0; i < 50; ++i) fj.train.adam(0.1 + i).minimize(() => v.sum());
    await comesBack(before, 100_000);
    v.dispose();
  });
});

suite('a thousand steps leave the memory where ten left it', () => {
  const stays = async (steps) => {
    await steps(10);
    const after = fj.memory();
    await steps(1000);
    const {numTensors, numBytes, numDataBuffers, numBytesInEngine, numBytesInHeap} = fj.memory();
    assert.deepEqual(
      {numTensors, numBytes, numDataBuffers, numBytesInEngine, numBytesInHeap},
      {
        numTensors: after.numTensors, numBytes: after.numBytes, numDataBuffers: after.numDataBuffers, numBytesInEngine: after.numBytesInEngine,
        numBytesInHeap: after.numBytesInHeap,
      },
    );
  };
  const network = () => {
    const model = fj.sequential({
      layers: [
        fj.layers.conv2d({filters: 4, kernelSize: 3, activation: 'relu', inputShape: [8, 8, 1]}),
        fj.layers.batchNormalization({}),
        fj.layers.maxPooling2d({poolSize: 2}),
        fj.layers.flatten(),
        fj.layers.dropout({rate: 0.2}),
        fj.layers.dense({units: 3, activation: 'softmax'}),
      ],
    });
    model.compile({optimizer: 'adam', loss: 'categoricalCrossentropy', metrics: ['accuracy']});
    return model;
  };
  const data = () => [fj.tensor(random([16, 8, 8, 1]), [16, 8, 8, 1]), fj.oneHot(Array.from({length: 16}, (_, i) => i % 3), 3)];

  test('trainOnBatch, predict and evaluate', async () => {
    const [model, [x, y]] = [network(), data()];
    await stays(async (count) => {
      for (let i = 0; i < count; ++i) {
        await model.trainOnBatch(x, y);
        model.predict(x).dispose();
        fj.dispose(model.evaluate(x, y));
      }
    });
    model.dispose();
  });
  test('fit', async () => {
    const [model, [x, y]] = [network(), data()];
    await stays((count) => model.fit(x, y, {epochs: count, batchSize: 8, validationSplit: 0.25, callbacks: {onBatchEnd() {}}}));
    model.dispose();
  });
  test('minimize of tensors', async () => {
    const [w, b] = [fj.variable(random([4, 2])).flatten(), fj.variable(fj.zeros([2]))];
    const matrix = fj.variable(w.reshape([4, 2]));
    const optimizer = fj.train.adam(0.01);
    const [x, y] = [fj.tensor(random([8, 4]), [8, 4]), fj.tensor(random([8, 2]), [8, 2])];
    await stays(async (count) => {
      for (let i = 0; i < count; ++i) optimizer.minimize(() => fj.losses.meanSquaredError(y, x.matMul(matrix).add(b)), false, [matrix, b]);
    });
    optimizer.dispose();
  });
  test('models that come and go', async () => {
    const [x, y] = data();
    await stays(async (count) => {
      for (let i = 0; i < count / 10; ++i) {
        const model = network();
        await model.fit(x, y, {epochs: 1});
        model.dispose();
      }
    });
  });
});

test('a scope of the engine ends with what was made in it', () => {
  const before = fj.memory().numTensors;
  fj.engine().startScope();
  const inner = fj.tensor1d([1, 2]);
  const kept = fj.keep(fj.tensor1d([3]));
  const passed = inner.add(1);
  fj.engine().endScope(passed);
  assert.equal(inner.isDisposed, true);
  assert.deepEqual([...passed.dataSync()], [2, 3]);
  assert.deepEqual([...kept.dataSync()], [3]);
  fj.dispose([passed, kept]);
  assert.equal(fj.memory().numTensors, before);
  assert.throws(() => fj.engine().endScope(), /^Error: endScope: no scope has been started$/);
});

test('scopes of the engine lie in each other, and in tidy: what one returns is of the one around', () => {
  const before = fj.memory().numTensors;
  fj.engine().startScope('outer');
  fj.engine().startScope('inner');
  const a = fj.scalar(1);
  const b = fj.scalar(2);
  const c = fj.scalar(3);
  fj.engine().endScope({list: [a], b});
  assert.deepEqual([a, b, c].map((t) => t.isDisposed), [false, false, true]);
  const inTidy = fj.tidy(() => {
    fj.engine().startScope();
    const t = a.add(b);
    fj.engine().endScope(t);
    return t;
  });
  assert.deepEqual([...inTidy.dataSync()], [3]);
  fj.engine().endScope();
  assert.deepEqual([a, b, inTidy].map((t) => t.isDisposed), [true, true, true]);
  assert.equal(fj.memory().numTensors, before);
  const variable = fj.tidy(() => fj.variable([1]));
  fj.engine().startScope();
  variable.assign(fj.tensor([2]));
  fj.engine().endScope();
  assert.deepEqual([...variable.dataSync()], [2]);
  variable.dispose();
});
suite('a layer that is applied to values of many shapes', () => {
  const x = (tf, steps) => tf.tensor(random([2, steps, 3], -1, 1, steps), [2, steps, 3]);
  test('keeps the plans of the last few, and its weights', () => {
    const layer = fj.layers.lstm({units: 2, returnSequences: true});
    const apply = (steps) => fj.tidy(() => layer.apply(x(fj, steps)).dataSync());
    const first = apply(1);
    for (let steps = 2; steps <= 10; ++steps) apply(steps);
    const {numTensors, numBytes} = fj.memory();
    for (let steps = 11; steps <= 30; ++steps) apply(steps);
    assert.deepEqual([fj.memory().numTensors, fj.memory().numBytes], [numTensors, numBytes]);
    assert.deepEqual(apply(1), first);
    // One without weights keeps none for them.
    const flatten = fj.layers.flatten();
    for (let steps = 1; steps <= 10; ++steps) fj.tidy(() => void flatten.apply(x(fj, steps)));
    assert.equal(flatten.modelsAlone.size, 4);
  });
  test('and trains through all of them as in TensorFlow.js', () => {
    const trained = [fj, judge].map((tf) => {
      const layer = tf.layers.dense({units: 2});
      layer.build([null, 1, 3]);
      layer.setWeights([tf.tensor(random([3, 2]), [3, 2]), tf.zeros([2])]);
      const optimizer = tf.train.sgd(0.1);
      for (let i = 0; i < 3; ++i) optimizer.minimize(() => tf.addN(Array.from({length: 8}, (_, k) => layer.apply(x(tf, k + 1)).square().mean())));
      return layer.getWeights();
    });
    trained[0].forEach((t, i) => close(t, trained[1][i], 1e-5));
  });
});
