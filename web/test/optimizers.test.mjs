// Optimizers on variables, twenty steps each, against TensorFlow.js, and against their formulas where it has none; and losses of
// tensors.
import assert from 'node:assert/strict';
import {suite, test} from 'node:test';
import {close, closeValues, fj, judge, random} from './helpers.mjs';

const start = random([6], -1, 1, 3);
const target = random([6], -2, 2, 4);
/** A valley with other curvatures in each direction: the gradient is 2 c (w - target). */
const curvature = [0.2, 0.5, 1, 1.5, 2, 3];
const valley = (tf, w) => () => w.sub(tf.tensor(target)).square().mul(tf.tensor(curvature)).sum();

const kSteps = 20;
function descend(tf, optimizer) {
  const w = tf.variable(tf.tensor(start));
  const costs = Array.from({length: kSteps}, () => optimizer.minimize(valley(tf, w), true, [w]).dataSync()[0]);
  const end = w.dataSync();
  w.dispose();
  optimizer.dispose();
  return [...costs, ...end];
}

suite('optimizers move as in TensorFlow.js', () => {
  const cases = {
    sgd: [0.1],
    momentum: [0.05, 0.9],
    'momentum/nesterov': [0.05, 0.9, true],
    adagrad: [0.3],
    'adagrad/accumulator': [0.3, 0.5],
    adam: [0.05],
    'adam/betas': [0.05, 0.8, 0.99, 1e-5],
    adamax: [0.05],
    rmsprop: [0.02],
    'rmsprop/momentum': [0.02, 0.8, 0.5, 1e-6],
    'rmsprop/centered': [0.02, 0.9, 0, 1e-6, true],
  };
  for (const [name, args] of Object.entries(cases)) {
    const [method] = name.split('/');
    test(name, () => closeValues(descend(fj, fj.train[method](...args)), descend(judge, judge.train[method](...args)), 2e-4, name));
  }
});

suite('optimizers move as their formulas', () => {
  const rate = 0.05;
  const [b1, b2, epsilon] = [0.9, 0.999, 1e-7];
  /** Each is a closure over one weight's state: (w, g, t from 1) => w. */
  const formulas = {
    // Zeiler 2012, algorithm 1. TensorFlow.js takes the average of the gradients from before the step.
    adadelta: (squares = 0, moves = 0) => (w, g) => {
      squares = 0.95 * squares + 0.05 * g * g;
      const move = (Math.sqrt(moves + epsilon) / Math.sqrt(squares + epsilon)) * g;
      moves = 0.95 * moves + 0.05 * move * move;
      return w - rate * move;
    },
    // Loshchilov, Hutter 2019, as Keras has it: the decay comes first.
    adamw: (decay = 0.004, m = 0, v = 0) => (w, g, t) => {
      m = b1 * m + (1 - b1) * g;
      v = b2 * v + (1 - b2) * g * g;
      return w * (1 - decay * rate) - (rate * (m / (1 - b1 ** t))) / (Math.sqrt(v / (1 - b2 ** t)) + epsilon);
    },
    // Dozat 2016, with its schedule of the momentum.
    nadam: (m = 0, v = 0, product = 1) => (w, g, t) => {
      const [now, next] = [t, t + 1].map((k) => b1 * (1 - 0.5 * 0.96 ** k));
      product *= now;
      m = b1 * m + (1 - b1) * g;
      v = b2 * v + (1 - b2) * g * g;
      const direction = (next * m) / (1 - product * next) + ((1 - now) * g) / (1 - product);
      return w - (rate * direction) / (Math.sqrt(v / (1 - b2 ** t)) + epsilon);
    },
    // McMahan et al. 2013, algorithm 1, without penalties.
    ftrl: (squares = 0.1, linear = 0) => (w, g) => {
      const more = squares + g * g;
      linear += g - ((Math.sqrt(more) - Math.sqrt(squares)) / rate) * w;
      squares = more;
      return (-linear * rate) / Math.sqrt(squares);
    },
    // Defazio et al. 2024: z descends, x is the mean of all z, and the weight lies between them.
    scheduleFreeAdamw: (z, v = 0) => (w, g, t) => {
      const old = z ?? w;
      v = b2 * v + (1 - b2) * g * g;
      z = old - (rate * g) / (Math.sqrt(v / (1 - b2 ** t)) + 1e-8);
      const x = (w - (1 - b1) * old) / b1;
      return (1 - b1) * z + b1 * (x + (z - x) / t);
    },
    // Chen et al. 2023, algorithm 2.
    lion: (m = 0) => (w, g) => {
      const step = Math.sign(0.9 * m + 0.1 * g);
      m = 0.99 * m + 0.01 * g;
      return w - rate * step;
    },
  };
  for (const [name, formula] of Object.entries(formulas)) {
    test(name, () => {
      const moves = Array.from(start, () => formula());
      const w = Float64Array.from(start);
      for (let t = 1; t <= kSteps; ++t) moves.forEach((move, i) => (w[i] = move(w[i], 2 * curvature[i] * (w[i] - target[i]), t)));
      closeValues(descend(fj, fj.train[name](rate)).slice(kSteps), w, 2e-4, name);
    });
  }
});

suite('optimizers of Keras that go by more than one weight', () => {
  test('lamb moves as its formula', () => {
    // You et al. 2020, algorithm 2, without decay: the step is as long as the weights, times the rate.
    const rate = 0.05;
    let w = [...start], m = w.map(() => 0), v = w.map(() => 0);
    const norm = (x) => Math.hypot(...x);
    for (let t = 1; t <= kSteps; ++t) {
      const g = w.map((x, i) => 2 * curvature[i] * (x - target[i]));
      m = m.map((x, i) => 0.9 * x + 0.1 * g[i]);
      v = v.map((x, i) => 0.999 * x + 0.001 * g[i] * g[i]);
      const step = m.map((x, i) => x / (1 - 0.9 ** t) / (Math.sqrt(v[i] / (1 - 0.999 ** t)) + 1e-7));
      w = w.map((x, i) => x - (rate * norm(w) * step[i]) / norm(step));
    }
    closeValues(descend(fj, fj.train.lamb(rate)).slice(kSteps), w, 2e-4);
  });
  for (const name of ['adafactor', 'muon']) {
    test(`${name} descends`, () => {
      const costs = descend(fj, fj.train[name](0.05)).slice(0, kSteps);
      assert.ok(costs.at(-1) < costs[0], String(costs));
    });
  }
  test('swapEMAWeights validates with the averages, and an optimizer of variables refuses them', async () => {
    const model = fj.sequential({layers: [fj.layers.dense({units: 1, inputShape: [2]})]});
    const averaged = {class_name: 'SGD', config: {learning_rate: 0.1, use_ema: true, ema_momentum: 0.5}};
    model.compile({optimizer: averaged, loss: 'meanSquaredError'});
    const [x, y] = [fj.tensor2d([1, 2, 3, -1, 0, 1], [3, 2]), fj.tensor2d([1, 0, 2], [3, 1])];
    const {history} = await model.fit(x, y, {epochs: 3, validationData: [x, y], callbacks: fj.callbacks.swapEMAWeights()});
    // They are the weights in the end.
    const loss = model.evaluate(x, y).dataSync();
    closeValues([history.val_loss[2]], loss, 1e-6);
    assert.ok(Math.abs(history.loss[2] - loss[0]) > 1e-4);
  });
});

suite('an optimizer', () => {
  test('takes gradients by the names of variables', () => {
    const w = fj.variable([1, 2], true, 'mine');
    const optimizer = fj.train.sgd(0.5);
    const {grads, value} = optimizer.computeGradients(() => w.square().sum());
    optimizer.applyGradients(grads);
    assert.equal(value.dataSync()[0], 5);
    assert.deepEqual([...w.dataSync()], [0, 0]);
    w.dispose();
    optimizer.dispose();
  });
  test('can be slowed down', () => {
    const w = fj.variable([1]);
    const optimizer = fj.train.sgd(0.25);
    optimizer.minimize(() => w.square().sum(), false, [w]);
    optimizer.setLearningRate(0);
    optimizer.minimize(() => w.square().sum(), false, [w]);
    assert.deepEqual([...w.dataSync()], [0.5]);
    assert.equal(optimizer.getConfig().learningRate, 0);
    assert.equal(optimizer.getClassName(), 'SGD');
    w.dispose();
    optimizer.dispose();
  });
  test('follows a schedule', () => {
    const rates = (schedule, steps) => {
      const w = fj.variable([0]);
      const optimizer = fj.train.sgd(schedule);
      const at = Array.from({length: steps}, () => (optimizer.minimize(() => w.sum(), false, [w]), w.dataSync()[0]));
      w.dispose();
      optimizer.dispose();
      return at.map((value, i) => (i ? at[i - 1] : 0) - value);
    };
    const {schedules} = fj;
    const expected = {
      exponentialDecay: [{initialLearningRate: 1, decaySteps: 2, decayRate: 0.25}, (t) => 0.25 ** (t / 2)],
      inverseTimeDecay: [{initialLearningRate: 1, decaySteps: 2, decayRate: 0.5}, (t) => 1 / (1 + (0.5 * t) / 2)],
      polynomialDecay: [{initialLearningRate: 1, decaySteps: 4, endLearningRate: 0.2, power: 2}, (t) => 0.8 * (1 - Math.min(t, 4) / 4) ** 2 + 0.2],
      piecewiseConstantDecay: [{boundaries: [1, 3], values: [1, 0.5, 0.1]}, (t) => (t <= 1 ? 1 : t <= 3 ? 0.5 : 0.1)],
      cosineDecay: [{initialLearningRate: 1, decaySteps: 4}, (t) => (1 + Math.cos((Math.PI * Math.min(t, 4)) / 4)) / 2],
      cosineDecayRestarts: [{initialLearningRate: 1, firstDecaySteps: 3, tMul: 1, mMul: 1}, (t) => (1 + Math.cos((Math.PI * (t % 3)) / 3)) / 2],
    };
    for (const [name, [config, rate]] of Object.entries(expected)) {
      closeValues(rates(schedules[name](config), 6), Array.from({length: 6}, (_, t) => rate(t)), 1e-5, name);
    }
  });
  const made = {
    sgd: [[0.1]], momentum: [[0.1, 0.9], [0.1, 0, true]], adagrad: [[0.1], [0.1, 0.5]], adadelta: [[], [0.5, 0.9, 1e-6]], adam: [[], [0.1, 0.8, 0.99, 1e-6]],
    adamax: [[], [0.1, 0.8, 0.99, 1e-6, 0.1]], rmsprop: [[0.1], [0.1, 0.8, 0.5, 1e-6, true]],
  };
  for (const [name, lists] of Object.entries(made)) {
    test(`${name} tells TensorFlow.js's names, and is made of them, and of a file, again`, async () => {
      for (const args of lists) {
        const [ours, theirs] = [fj, judge].map((tf) => tf.train[name](...args));
        assert.deepEqual([ours.getClassName(), ours.getConfig()], [theirs.getClassName(), theirs.getConfig()]);
        const model = fj.sequential({layers: [fj.layers.dense({units: 1, inputShape: [1]})]});
        model.compile({optimizer: {class_name: ours.getClassName(), config: ours.getConfig()}, loss: 'meanSquaredError'});
        assert.deepEqual(model.optimizer.getConfig(), ours.getConfig());
        model.compile({optimizer: ours, loss: 'meanSquaredError'});
        const loaded = await fj.loadLayersModel(fj.io.fromMemory(model.file(true)));
        assert.deepEqual([loaded.optimizer.getClassName(), loaded.optimizer.getConfig()], [ours.getClassName(), ours.getConfig()]);
      }
    });
  }
  test('that cannot be right is refused when it is made, in the words of the program', () => {
    const refused = {
      'beta1 must be a finite number from 0 to below 1, got 1.5': () => fj.train.adam(0.1, 1.5),
      "beta2 must be a finite number from 0 to below 1, got '1'": () => fj.train.adamax(0.1, 0.9, '1'),
      'momentum must be a finite number from 0 to below 1, got 2': () => fj.train.momentum(0.1, 2),
      'momentum must be a finite number from 0 to below 1, got undefined': () => fj.train.momentum(0.1),
      'decay must be a finite number from 0 to below 1, got 1.5': () => fj.train.rmsprop(0.1, 1.5),
      'rho must be a finite number from 0 to below 1, got -1': () => fj.train.adadelta(0.1, -1),
      'initialAccumulatorValue must be a finite number of at least 0, got -1': () => fj.train.adagrad(0.1, -1),
      'epsilon must be a finite number of at least 0, got NaN': () => fj.train.adam(0.1, 0.9, 0.9, NaN),
      "useNesterov is true or false, got 'yes'": () => fj.train.momentum(0.1, 0.9, 'yes'),
      'centered is true or false, got 1': () => fj.train.rmsprop(0.1, 0.9, 0, null, 1),
      'decay must be a finite number, at least 0, got -1': () => fj.train.adamax(0.1, 0.9, 0.9, null, -1),
    };
    for (const [message, make] of Object.entries(refused)) assert.throws(make, {message});
    assert.throws(() => judge.train.momentum(0.1));
  });
  test('that is not known is named', () => {
    const w = fj.variable([1]);
    assert.throws(() => new fj.Optimizer('Newton', {}).minimize(() => w.sum(), false, [w]), /Newton/);
    w.dispose();
  });
});

suite('compiled again, an optimizer goes on as in TensorFlow.js', () => {
  const layersOf = (tf) => ['base', 'head'].map((name) => tf.layers.dense({units: 2, useBias: false, kernelInitializer: tf.initializers.constant({value: 0.5}), name, ...(name === 'base' ? {inputShape: [2]} : {})}));
  const made = {
    momentum: (tf) => tf.train.momentum(0.02, 0.9),
    adam: (tf) => tf.train.adam(0.05, 0.8, 0.9),
    rmsprop: (tf) => tf.train.rmsprop(0.02, 0.8, 0.5, 1e-6),
    adagrad: (tf) => tf.train.adagrad(0.1),
    'adamax with a decay': (tf) => tf.train.adamax(0.05, 0.9, 0.999, 1e-7, 0.1),
  };
  for (const [name, make] of Object.entries(made)) {
    test(name, async () => {
      const [ours, theirs] = await Promise.all([fj, judge].map(async (tf) => {
        const optimizer = make(tf);
        const layers = layersOf(tf);
        const model = tf.sequential({layers});
        const values = [];
        for (let time = 0; time < 3; ++time) {
          const before = tf.memory().numTensors;
          model.compile({optimizer, loss: 'meanSquaredError'});
          if (tf === fj && time) assert.equal(tf.memory().numTensors, before);
          for (let step = 0; step < 3; ++step) values.push(await model.trainOnBatch(tf.tensor(random([4, 2], -1, 1, step), [4, 2]), tf.tensor(random([4, 2], -1, 1, 9), [4, 2])));
        }
        return [...values, ...model.getWeights().flatMap((t) => [...t.dataSync()])];
      }));
      closeValues(ours, theirs, 1e-4);
    });
  }
  test('what is unfrozen begins, and the rest goes on', async () => {
    const layers = layersOf(fj);
    const [base, head] = layers;
    const model = fj.sequential({layers});
    const optimizer = fj.train.momentum(0.1, 0.5);
    const [x, y] = [fj.ones([1, 2]), fj.zeros([1, 2])];
    const step = async () => {
      const before = layers.map((l) => l.getWeights()[0].dataSync());
      await model.trainOnBatch(x, y);
      return layers.map((l, i) => l.getWeights()[0].dataSync().map((v, k) => v - before[i][k]));
    };
    base.trainable = false;
    model.compile({optimizer, loss: 'meanSquaredError'});
    const [, first] = await step();
    base.trainable = true;
    model.compile({optimizer, loss: 'meanSquaredError'});
    // y = x A B of ones and equal elements a and b is 4 a b: the gradient by an element of A is 2 (4 a b) b = 8 a b^2, by one of B 8 a^2 b.
    const [a, b] = layers.map((l) => l.getWeights()[0].dataSync()[0]);
    const [begun, gone] = await step();
    closeValues(begun, Array(4).fill(-0.1 * 8 * a * b * b), 1e-4);
    closeValues(gone, first.map((v) => 0.5 * v - 0.1 * 8 * a * a * b), 1e-4);
    assert.ok(head.trainable);
  });
  test('another one begins anew', async () => {
    const steps = [];
    for (const fresh of [false, true]) {
      const model = fj.sequential({layers: layersOf(fj)});
      let optimizer = fj.train.adam(0.1);
      for (let time = 0; time < 2; ++time) {
        model.compile({optimizer, loss: 'meanSquaredError'});
        await model.trainOnBatch(fj.ones([1, 2]), fj.zeros([1, 2]));
        steps.push(model.info().step);
        if (fresh) optimizer = fj.train.adam(0.1);
      }
    }
    assert.deepEqual(steps, [1, 2, 1, 1]);
  });
});

suite('losses are those of TensorFlow.js', () => {
  const labels = Float32Array.from(random([4, 3], 0, 1, 2), (v) => (v < 0.5 ? 0 : 1));
  const hot = [0, 2, 1, 1].flatMap((k) => [0, 1, 2].map((i) => (i === k ? 1 : 0)));
  const inputs = (tf, y, low, high) => [tf.tensor(y, [4, 3]), tf.tensor(random([4, 3], low, high, 5), [4, 3])];
  const weights = {none: () => undefined, null: () => null, 'by row': (tf) => tf.tensor([0.5, 0, 2, 1], [4, 1]), scalar: (tf) => tf.scalar(0.5), 'by element': (tf) => tf.tensor([0, 1, 2, 0.5, 0, 1, 1, 1, 0, 3, 1, 2], [4, 3])};
  /** name: the rest of the arguments after labels, predictions and weights. */
  const cases = {
    absoluteDifference: (tf, y, p, w, r) => tf.losses.absoluteDifference(y, p, w, r),
    meanSquaredError: (tf, y, p, w, r) => tf.losses.meanSquaredError(y, p, w, r),
    hingeLoss: (tf, y, p, w, r) => tf.losses.hingeLoss(y, p, w, r),
    huberLoss: (tf, y, p, w, r) => tf.losses.huberLoss(y, p, w, 0.5, r),
    logLoss: (tf, y, p, w, r) => tf.losses.logLoss(y, p, w, 1e-3, r),
    sigmoidCrossEntropy: (tf, y, p, w, r) => tf.losses.sigmoidCrossEntropy(y, p, w, 0.1, r),
    computeWeightedLoss: (tf, y, p, w, r) => tf.losses.computeWeightedLoss(p, w, r),
  };
  for (const [name, loss] of Object.entries(cases)) {
    for (const [kind, weight] of Object.entries(weights)) {
      test(`${name}, weights: ${kind}`, () => {
        for (const reduction of ['NONE', 'MEAN', 'SUM', 'SUM_BY_NONZERO_WEIGHTS']) {
          const value = (tf) => loss(tf, ...inputs(tf, labels, 0.05, 0.95), weight(tf), tf.Reduction[reduction]);
          close(value(fj), value(judge), 1e-5, reduction);
        }
      });
    }
  }
  test('cosineDistance', () => {
    const value = (tf) => tf.losses.cosineDistance(...inputs(tf, labels, -1, 1), 1);
    close(value(fj), value(judge));
  });
  test('softmaxCrossEntropy', () => {
    for (const smoothing of [0, 0.1]) {
      const value = (tf) => tf.losses.softmaxCrossEntropy(...inputs(tf, hot, -3, 3), undefined, smoothing);
      close(value(fj), value(judge));
    }
    // Weights of more axes than the losses repeat these, as there.
    for (const reduction of [0, 1, 2, 3]) {
      const value = (tf) => tf.losses.softmaxCrossEntropy(...inputs(tf, hot, -3, 3), weights['by row'](tf), 0, reduction);
      close(value(fj), value(judge));
    }
  });
});

test('rmsprop has no learning rate of its own, as in TensorFlow.js', () => {
  for (const tf of [fj, judge]) {
    for (const rate of [undefined, null]) assert.throws(() => tf.train.rmsprop(rate), {message: 'learningRate for RMSPropOptimizer must be defined.'});
  }
});
