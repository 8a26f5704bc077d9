// What fit, evaluate and predict are given: obeyed as TensorFlow.js does, or refused in words that name it.
import assert from 'node:assert/strict';
import {suite, test} from 'node:test';
import {closeValues, fj, judge, random, shareWeights, weightsOf} from './helpers.mjs';

const kCount = 12;
const xs = (tf) => tf.tensor(random([kCount, 4], -1, 1, 3), [kCount, 4]);
const classes = Array.from({length: kCount}, (_, i) => i % 3);
const hot = (tf) => tf.oneHot(tf.tensor1d(classes, 'int32'), 3).toFloat();
const network = (tf, {last = 'softmax', name} = {}) => tf.sequential({name, layers: [tf.layers.dense({units: 3, activation: last, inputShape: [4], name: name && `${name}_out`})]});
const compiled = (loss = 'categoricalCrossentropy', args) => {
  const model = network(fj, args);
  model.compile({optimizer: fj.train.sgd(0.1), loss});
  return model;
};
/** Losses of an epoch of three batches by definition: mean of weight times loss of each sample. */
function epochByHand(weights) {
  const [ours, theirs] = [compiled(), network(judge)];
  shareWeights(ours, theirs);
  const w = weights(judge);
  const optimizer = judge.train.sgd(0.1);
  const [kernel, bias] = theirs.getWeights().map((t) => judge.variable(t));
  let total = 0;
  for (let at = 0; at < kCount; at += 4) {
    const cost = optimizer.minimize(
      () => {
        const logits = xs(judge).slice([at, 0], [4, 4]).matMul(kernel).add(bias);
        const losses = hot(judge).slice([at, 0], [4, 3]).mul(judge.logSoftmax(logits)).sum(-1).neg();
        return losses.mul(w.slice([at], [4])).mean();
      },
      true,
      [kernel, bias],
    );
    total += cost.dataSync()[0] * 4;
  }
  const expected = [kernel, bias].map((v) => v.dataSync());
  for (const v of [kernel, bias]) v.dispose();
  return {ours, loss: total / kCount, expected};
}
const plain = {batchSize: 4, shuffle: false, epochs: 1};

suite('weights of samples', () => {
  const values = Array.from({length: kCount}, (_, i) => i % 4);
  const forms = {
    'float32': (tf) => tf.tensor1d(values),
    'int32, which are numbers all the same': (tf) => tf.tensor1d(values, 'int32'),
    'a column': (tf) => tf.tensor2d(values.map((v) => [v])),
  };
  for (const [name, form] of Object.entries(forms)) {
    test(name, async () => {
      const {ours, loss, expected} = epochByHand((tf) => tf.tensor1d(values));
      const {history} = await ours.fit(xs(fj), hot(fj), {...plain, sampleWeight: form(fj)});
      closeValues(history.loss, [loss], 1e-5);
      weightsOf(ours).forEach((w, i) => closeValues(w, expected[i], 1e-5));
    });
  }
  test('bool, with weights of classes', async () => {
    const keep = values.map((v) => v > 1);
    const {ours, loss} = epochByHand((tf) => tf.tensor1d(values.map((v, i) => (v > 1 ? [1, 2, 4][classes[i]] : 0))));
    const {history} = await ours.fit(xs(fj), hot(fj), {...plain, sampleWeight: fj.tensor1d(keep), classWeight: {0: 1, 1: 2, 2: 4}});
    closeValues(history.loss, [loss], 1e-5);
  });
  test('of validation data: the third entry', async () => {
    const model = compiled();
    const weights = fj.tensor1d(values, 'int32');
    const {history} = await model.fit(xs(fj), hot(fj), {...plain, validationData: [xs(fj), hot(fj), weights]});
    const losses = hot(fj).mul(model.predict(xs(fj)).log()).sum(-1).neg().mul(fj.tensor1d(values)).mean().dataSync();
    closeValues(history.val_loss, losses, 1e-5);
    closeValues([model.evaluate(xs(fj), hot(fj), {sampleWeight: weights}).dataSync()[0]], losses, 1e-5);
  });
  test('of another number are refused', async () => {
    const model = compiled();
    await assert.rejects(model.fit(xs(fj), hot(fj), {sampleWeight: fj.ones([5])}), {message: 'fit: sample weights are one number a sample, [12], got an array [5]'});
    await assert.rejects(model.fit(xs(fj), hot(fj), {validationData: [xs(fj), hot(fj), fj.ones([12, 2])]}), {
      message: 'validation data: sample weights are one number a sample, [12], got an array [12,2]',
    });
  });
});

suite('weights of classes', () => {
  const twoOutputs = (tf) => {
    const x = tf.input({shape: [4]});
    const outputs = ['left', 'right'].map((name) => tf.layers.dense({units: 3, activation: 'softmax', name}).apply(x));
    return tf.model({inputs: x, outputs});
  };
  const weights = {0: 0.5, 1: 2, 2: 3};
  const forms = {
    'an object': [network, weights],
    'a list of one': [network, [weights]],
    'a list': [twoOutputs, [weights, {0: 1, 1: 0, 2: 4}]],
    'by the name of the output': [twoOutputs, {right: weights, left: {0: 3, 1: 1, 2: 1}}],
  };
  for (const [name, [make, classWeight]] of Object.entries(forms)) {
    test(name, async () => {
      const [ours, theirs] = [make(fj), make(judge)];
      shareWeights(ours, theirs);
      const histories = [];
      for (const [tf, model] of [[fj, ours], [judge, theirs]]) {
        model.compile({optimizer: tf.train.sgd(0.1), loss: 'categoricalCrossentropy'});
        const y = make === network ? hot(tf) : [hot(tf), hot(tf)];
        const {history} = await model.fit(xs(tf), y, {...plain, epochs: 2, classWeight, verbose: 0});
        histories.push(history);
      }
      closeValues(histories[0].loss, histories[1].loss, 1e-4);
    });
  }
  test('that cannot be are refused', async () => {
    const cases = [
      [network, {0: 1, 1: 1}, 'classWeight must contain all classes in the training data: class 2 of sample 2 has no weight'],
      [network, {0: 1, 1: 'much', 2: 1}, 'classWeight must contain all classes in the training data: class 1 of sample 1 has the weight "much"'],
      [network, [weights, weights], /^classWeight is to be an object of weights by class/],
      [twoOutputs, weights, /^classWeight is to be an object of weights by class, for a model with several outputs a list of 2 such, or one for each name of an output/],
      [twoOutputs, {middle: weights}, 'classWeight: the model has no output middle'],
    ];
    for (const [make, classWeight, message] of cases) {
      const model = make(fj);
      model.compile({optimizer: 'sgd', loss: 'categoricalCrossentropy'});
      const before = weightsOf(model);
      await assert.rejects(model.fit(xs(fj), make === network ? hot(fj) : [hot(fj), hot(fj)], {classWeight}), {message});
      assert.deepEqual(weightsOf(model), before);
    }
  });
});

suite('data', () => {
  const model = compiled('categoricalCrossentropy', {name: 'mine'});
  const hint = ': make a tensor of it with tf.tensor2d(..) or the like';
  const cases = {
    'arrays of numbers': [[[[1, 2, 3, 4]], [[1, 0, 0]]], `fit: x takes a tensor or a list of tensors, got an array of numbers${hint}`],
    'labels in an array': [[xs(fj), [[1, 0, 0]]], `fit: y takes a tensor or a list of tensors, got an array of numbers${hint}`],
    'a typed array': [[new Float32Array(4), hot(fj)], `fit: x takes a tensor or a list of tensors, got a Float32Array${hint}`],
    'no labels': [[xs(fj)], 'fit: y takes a tensor or a list of tensors, got undefined'],
    'a list with something else': [[[xs(fj), 7], hot(fj)], `fit: x takes a tensor or a list of tensors, got a list with 7`],
    'a name there is not': [[{elsewhere: xs(fj)}, hot(fj)], "fit: x names elsewhere; the model's are mine_out_input"],
    'a name that is missing': [[{}, hot(fj)], 'fit: x has no tensor for mine_out_input'],
    'too many': [[[xs(fj), xs(fj)], hot(fj)], 'fit: the model has 1 inputs, got 2'],
    'too many labels': [[xs(fj), [hot(fj), hot(fj)]], 'fit: the model has 1 outputs, got 2 arrays of labels'],
    'samples of another shape': [[fj.zeros([12, 5]), hot(fj)], 'fit: the input mine_out_input takes [samples,4], got an array [12,5]'],
    'samples of as many numbers in another shape': [[fj.zeros([12, 2, 2]), hot(fj)], 'fit: the input mine_out_input takes [samples,4], got an array [12,2,2]'],
    'a scalar': [[fj.scalar(1), hot(fj)], 'fit: the input mine_out_input takes [samples,4], got an array []'],
    'labels of another shape': [[xs(fj), fj.zeros([12, 2])], 'fit: the labels of mine_out are to be [samples,3], as its output is, got an array [12,2]'],
    'class numbers for one-hot labels': [
      [xs(fj), fj.tensor1d(classes)],
      'fit: the labels of mine_out are to be [samples,3], as its output is, got an array [12]; class numbers go with the loss sparseCategoricalCrossentropy',
    ],
    'another number of labels': [[xs(fj), fj.zeros([5, 3])], 'fit: arrays of 12 samples and of 5 labels of mine_out'],
    'validation data that is no pair': [[xs(fj), hot(fj), {validationData: [xs(fj)]}], 'fit: validationData is to be [x, y] or [x, y, sampleWeight], got a list of 1'],
    'validation data of numbers': [[xs(fj), hot(fj), {validationData: [[1], [1]]}], `fit: validationData: x takes a tensor or a list of tensors, got an array of numbers${hint}`],
    'validation data of another shape': [[xs(fj), hot(fj), {validationData: [xs(fj), fj.zeros([12, 2])]}], 'validation data: the labels of mine_out are to be [samples,3], as its output is, got an array [12,2]'],
    'an argument there is not': [[xs(fj), hot(fj), {batchsize: 4}], /^fit: there is no argument batchsize; known are batchSize, epochs/],
    'a batch size': [[xs(fj), hot(fj), {batchSize: 2.5}], 'batchSize is required to be a positive integer, but got 2.5'],
    'a batch size in words': [[xs(fj), hot(fj), {batchSize: '8'}], "batchSize is required to be a positive integer, but got '8'"],
    'epochs in words': [[xs(fj), hot(fj), {epochs: '5'}], "epochs must be a whole number, at least 0, got '5'"],
    'epochs that are none': [[xs(fj), hot(fj), {epochs: NaN}], 'epochs must be a whole number, at least 0, got NaN'],
    'more epochs than there can be': [[xs(fj), hot(fj), {epochs: 1e10}], 'epochs must be a whole number, at least 0 and at most 2147483647, got 10000000000'],
    'an epoch to begin with': [[xs(fj), hot(fj), {initialEpoch: 0.5}], 'initialEpoch must be a whole number, at least 0, got 0.5'],
    'a share in words': [[xs(fj), hot(fj), {validationSplit: '0.25'}], "validationSplit must be a number from 0 to below 1, got '0.25'"],
    'a share that is none': [[xs(fj), hot(fj), {validationSplit: NaN}], 'validationSplit must be a number from 0 to below 1, got NaN'],
    'a share of more': [[xs(fj), hot(fj), {validationSplit: 1.5}], 'validationSplit must be a number from 0 to below 1, got 1.5'],
    'shuffled batches': [[xs(fj), hot(fj), {shuffle: 'batch'}], "shuffle is true or false, got 'batch'"],
    'pauses': [[xs(fj), hot(fj), {yieldEvery: 'sometimes'}], "yieldEvery is 'auto', 'batch', 'epoch', 'never' or a number of milliseconds, got 'sometimes'"],
  };
  for (const [name, [args, message]] of Object.entries(cases)) test(`${name}: refused by fit`, () => assert.rejects(model.fit(...args), {message}));

  test('refused by predict, evaluate and trainOnBatch in the same words', async () => {
    assert.throws(() => model.predict([[1, 2, 3, 4]]), {message: `predict takes a tensor or a list of tensors, got an array of numbers${hint}`});
    assert.throws(() => model.predict(), {message: 'predict takes a tensor or a list of tensors, got undefined'});
    assert.throws(() => model.predict(fj.zeros([2, 5])), {message: 'the input mine_out_input takes [samples,4], got an array [2,5]'});
    assert.throws(() => model.evaluate(xs(fj), [[1]]), {message: `evaluate: y takes a tensor or a list of tensors, got an array of numbers${hint}`});
    assert.throws(() => model.evaluate(xs(fj), fj.zeros([12, 2])), {message: 'evaluate: the labels of mine_out are to be [samples,3], as its output is, got an array [12,2]'});
    assert.throws(() => model.evaluate(xs(fj), hot(fj), {steps: 3}), {message: 'evaluate: there is no argument steps; known are batchSize, sampleWeight, verbose'});
    await assert.rejects(model.trainOnBatch([[1]], hot(fj)), {message: `trainOnBatch: x takes a tensor or a list of tensors, got an array of numbers${hint}`});
    for (const [size, said] of [[0, '0'], [2.5, '2.5'], [NaN, 'NaN'], ['8', "'8'"], [-1, '-1']]) {
      assert.throws(() => model.predict(xs(fj), {batchSize: size}), {message: `batchSize is required to be a positive integer, but got ${said}`});
      assert.throws(() => model.evaluate(xs(fj), hot(fj), {batchSize: size}), {message: `batchSize is required to be a positive integer, but got ${said}`});
    }
    assert.throws(() => model.predict(xs(fj), {batchSize: 2 ** 40}), {message: 'batchSize is required to be a positive integer of at most 2147483647, but got 1099511627776'});
  });
  test('by name', async () => {
    const x = {mine_out_input: xs(fj)};
    const whole = model.evaluate(xs(fj), hot(fj)).dataSync();
    assert.deepEqual(model.evaluate(x, {mine_out: hot(fj)}).dataSync(), whole);
    await model.fit(x, {mine_out: hot(fj)});
    assert.deepEqual(model.inputNames, ['mine_out_input']);
    assert.deepEqual(model.outputNames, ['mine_out']);
  });
  test('null stands for what was not said', async () => {
    await model.fit(xs(fj), hot(fj), {batchSize: null, callbacks: null, classWeight: null, sampleWeight: null, validationData: null, yieldEvery: null, epochs: undefined});
    model.predict(xs(fj), {batchSize: null});
  });
});

suite('class numbers', () => {
  const model = compiled('sparseCategoricalCrossentropy', {name: 'sparse'});
  const bad = {'too large': [3, '3'], negative: [-1, '-1'], fractional: [1.5, '1.5'], NaN: [NaN, 'NaN']};
  for (const [name, [value, said]] of Object.entries(bad)) {
    test(`${name}: named with the sample, before anything is trained`, async () => {
      const y = fj.tensor1d(classes.map((c, i) => (i === 7 ? value : c)));
      const before = weightsOf(model);
      const words = `the labels of sparse_out are class numbers from 0 to 2: that of sample 7 is ${said}`;
      await assert.rejects(model.fit(xs(fj), y, {batchSize: 2}), {message: `fit: ${words}`});
      await assert.rejects(model.fit(xs(fj), fj.tensor1d(classes), {validationData: [xs(fj), y]}), {message: `validation data: ${words}`});
      await assert.rejects(model.trainOnBatch(xs(fj), y), {message: words});
      await assert.rejects(model.testOnBatch(xs(fj), y.expandDims(1)), {message: words});
      assert.throws(() => model.evaluate(xs(fj), y), {message: `evaluate: ${words}`});
      assert.deepEqual(weightsOf(model), before);
    });
  }
  test('of every type and shape train alike', async () => {
    const forms = [fj.tensor1d(classes), fj.tensor1d(classes, 'int32'), fj.tensor2d(classes.map((c) => [c])), fj.tensor2d(classes.map((c) => [c]), [kCount, 1], 'int32')];
    const losses = forms.map((y) => model.evaluate(xs(fj), y).dataSync()[0]);
    assert.deepEqual(losses, Array(4).fill(losses[0]));
  });
});

suite('one fit at a time', () => {
  const ongoing = {message: 'Cannot start training because another fit() call is ongoing.'};
  test('a second is refused, and the first goes on', async () => {
    const model = compiled();
    const running = model.fit(xs(fj), hot(fj), {epochs: 3});
    await assert.rejects(model.fit(xs(fj), hot(fj)), ongoing);
    assert.throws(() => model.compile({optimizer: 'sgd', loss: 'meanSquaredError'}), {message: 'compile: a fit() call is ongoing: await it first'});
    assert.equal((await running).epoch.length, 3);
    await model.fit(xs(fj), hot(fj));
    await assert.rejects(model.fit(xs(fj), fj.zeros([1])), /labels/);
    await model.fit(xs(fj), hot(fj));
  });
  test('callbacks predict, evaluate and train on a batch', async () => {
    const model = compiled();
    const seen = [];
    const {history} = await model.fit(xs(fj), hot(fj), {
      ...plain,
      callbacks: {
        async onBatchEnd() {
          model.predict(xs(fj));
          await assert.rejects(model.fit(xs(fj), hot(fj)), ongoing);
        },
        async onEpochEnd() {
          seen.push(model.evaluate(xs(fj), hot(fj)).dataSync()[0]);
          await model.trainOnBatch(xs(fj), hot(fj));
          seen.push(model.evaluate(xs(fj), hot(fj)).dataSync()[0]);
        },
      },
    });
    assert.equal(history.loss.length, 1);
    assert.ok(seen[1] < seen[0]);
  });
  test('a model that is disposed of meanwhile ends it', async () => {
    const model = compiled();
    await assert.rejects(model.fit(xs(fj), hot(fj), {epochs: 3, callbacks: {onEpochEnd: () => model.dispose()}}), {
      message: 'The model was disposed of while fit() was running',
    });
  });
  test('stopTraining says why it ended', async () => {
    const model = compiled();
    const at = (event, when) => ({[event]: (i) => void (model.stopTraining = i === when)});
    const ended = async (args) => (({epoch, reason}) => [epoch, reason])(await model.fit(xs(fj), hot(fj), {...plain, ...args}));
    assert.deepEqual(await ended({epochs: 5, callbacks: at('onEpochEnd', 1)}), [[0, 1], 'stopTraining was set']);
    assert.deepEqual(await ended({epochs: 5, callbacks: at('onBatchEnd', 1)}), [[0], 'stopTraining was set']);
    assert.deepEqual(await ended({epochs: 2, callbacks: at('onEpochEnd', 7)}), [[0, 1], '']);
    assert.deepEqual(await ended({epochs: 5, initialEpoch: 3}), [[3, 4], '']);
    assert.deepEqual(await ended({epochs: 3, initialEpoch: 3}), [[], '']);
  });
});

suite('callbacks', () => {
  const run = async (callbacks, args) => compiled().fit(xs(fj), hot(fj), {...plain, callbacks, ...args});
  test('of a class, of functions, one or a list', async () => {
    const heard = [];
    class Mine extends fj.Callback {
      async onEpochEnd(epoch, logs) {
        heard.push(['class', epoch, typeof logs.loss, this.model instanceof fj.LayersModel, this.params.epochs]);
      }
    }
    const functions = new fj.CustomCallback({onTrainBegin: () => void heard.push('begin'), onTrainEnd: () => void heard.push('end')});
    await run([new Mine(), functions, {onEpochBegin: (epoch) => void heard.push(['plain', epoch])}]);
    await run(functions);
    assert.deepEqual(heard, ['begin', ['plain', 0], ['class', 0, 'number', true, 1], 'end', 'begin', 'end']);
  });
  test('are told the size of a batch', async () => {
    const sizes = [];
    await run({onBatchBegin: (batch, logs) => void sizes.push([batch, logs.batch, logs.size]), onBatchEnd: (_, logs) => void sizes.push(logs.size)}, {batchSize: 5});
    assert.deepEqual(sizes, [[0, 0, 5], 5, [1, 1, 5], 5, [2, 2, 2], 2]);
  });
  test('that are none are refused', async () => {
    const words = (got) => ({message: `callbacks: a callback is an object with functions such as onEpochEnd, or one of tf.callbacks, got ${got}`});
    await assert.rejects(run(() => {}), words('a function'));
    await assert.rejects(run([null]), words('null'));
    await assert.rejects(run('earlyStopping'), words("'earlyStopping'"));
    await assert.rejects(run({onEpochend() {}}), /^Error: callbacks: there is no onEpochend; known are onTrainBegin, /);
    await assert.rejects(run({onEpochEnd: 3}), {message: 'callbacks: onEpochEnd is to be a function, got 3'});
    assert.throws(() => new fj.CustomCallback({onEnd() {}}), /^Error: callbacks: there is no onEnd; known are onTrainBegin, /);
  });
  test('pauses come as often as yieldEvery says', async () => {
    const pauses = async (yieldEvery) => {
      let count = 0;
      let time = 0;
      let yields = 0;
      // Each look at the clock is 40 ms later.
      const callbacks = {nowFunc: () => (time += 40), nextFrameFunc: () => void ++count, ...(yieldEvery === 'never' ? {} : {onYield: () => void ++yields})};
      await run(callbacks, {epochs: 2, yieldEvery});
      return [count, yields];
    };
    assert.deepEqual(await pauses('batch'), [6, 0]);
    assert.deepEqual(await pauses('epoch'), [2, 0]);
    assert.deepEqual(await pauses('never'), [0, 0]);
    assert.deepEqual(await pauses('auto'), [8, 8]);
    assert.deepEqual(await pauses(0), [8, 8]);
    assert.deepEqual(await pauses(1e9), [0, 0]);
    await assert.rejects(run({onYield() {}}, {yieldEvery: 'never'}), {message: "onYield is never called where yieldEvery is 'never'"});
  });
});

test('what callbacks write into the logs of an epoch reaches later ones and the history, as in TensorFlow.js', async () => {
  const [ours, theirs] = await Promise.all([fj, judge].map(async (tf) => {
    const model = tf.sequential({layers: [tf.layers.dense({units: 1, inputShape: [1], kernelInitializer: 'ones'})]});
    model.compile({optimizer: tf.train.sgd(0.1), loss: 'meanSquaredError'});
    const seen = [];
    const first = {
      onEpochEnd(epoch, logs) {
        logs.score = epoch + logs.loss;
        if (epoch === 1) delete logs.loss;
      },
    };
    const second = {onEpochEnd: (epoch, logs) => void seen.push(epoch, logs.score)};
    const {history} = await model.fit(tf.ones([2, 1]), tf.zeros([2, 1]), {epochs: 3, verbose: 0, callbacks: [first, second]});
    return {...history, seen};
  }));
  assert.deepEqual(Object.keys(ours), Object.keys(theirs));
  for (const key of Object.keys(theirs)) closeValues(ours[key], theirs[key], 1e-5, key);
});

suite('models that cannot be', () => {
  test('more outputs and metrics than fit into any buffer of before', async () => {
    const x = fj.input({shape: [2]});
    const outputs = Array.from({length: 70}, () => fj.layers.dense({units: 1}).apply(x));
    const model = fj.model({inputs: x, outputs});
    model.compile({optimizer: 'sgd', loss: 'meanSquaredError', metrics: ['meanAbsoluteError']});
    const y = outputs.map((_, i) => fj.fill([4, 1], i));
    const logs = await model.trainOnBatch(fj.zeros([4, 2]), y);
    assert.equal(logs.length, 141);
    // Of zeros the outputs are zero: the loss of output i is i^2, its error i.
    logs.slice(1, 71).forEach((v, i) => assert.equal(v, i * i));
    logs.slice(71).forEach((v, i) => assert.equal(v, i));
    assert.equal(model.predict(fj.zeros([4, 2])).length, 70);
  });
});

suite('compile', () => {
  const words = {
    'nothing at all': [undefined, 'compile takes an object with optimizer and loss, got undefined'],
    'an argument there is not': [{optimizer: 'sgd', loss: 'hinge', metric: 'mse'}, 'compile: there is no argument metric; known are optimizer, loss, metrics, lossWeights'],
    'no optimizer': [{loss: 'meanSquaredError'}, "compile: optimizer is to be a name such as 'adam', or an optimizer such as tf.train.adam(), got undefined"],
    'an optimizer that was not called': [{optimizer: fj.train.adam, loss: 'meanSquaredError'}, "compile: optimizer is to be a name such as 'adam', or an optimizer such as tf.train.adam(), got a function"],
    'no loss': [{optimizer: 'sgd'}, 'compile: loss is missing'],
    'a function in a list': [{optimizer: 'sgd', loss: [() => 0]}, 'loss: loss: it cannot be a part of a model: it has to give a tensor, got 0'],
    'a function as a metric': [{optimizer: 'sgd', loss: 'meanSquaredError', metrics: [() => 0]}, 'metric: it cannot be a part of a model: it has to give a tensor, got 0'],
    'too many losses': [{optimizer: 'sgd', loss: ['meanSquaredError', 'hinge']}, 'compile: loss has 2 entries, the model has 1 outputs: words_out'],
    'a loss for another output': [{optimizer: 'sgd', loss: {elsewhere: 'hinge'}}, 'compile: loss names elsewhere, the model\'s outputs are words_out'],
    'metrics for another output': [{optimizer: 'sgd', loss: 'hinge', metrics: {elsewhere: 'mse'}}, "compile: metrics names elsewhere, the model's outputs are words_out"],
  };
  for (const [name, [args, message]] of Object.entries(words)) {
    test(`${name}: refused, and the model is as before`, async () => {
      const model = compiled('categoricalCrossentropy', {name: 'words'});
      assert.throws(() => model.compile(args), {message});
      await model.fit(xs(fj), hot(fj));
    });
  }
});

suite('in another order', () => {
  test('a first layer without a shape', () =>
    assert.throws(() => fj.sequential({layers: [fj.layers.dense({units: 2, name: 'bare'})]}), {
      message: 'The first layer in a Sequential model must get an `inputShape` or `batchInputShape` argument: bare has none, such as [28, 28, 1]',
    }));
  test('arguments of models that there are not', () => {
    assert.throws(() => fj.sequential({layer: []}), {message: 'sequential: there is no argument layer; known are layers, name, seed'});
    const x = fj.input({shape: [2]});
    assert.throws(() => fj.model({inputs: x, output: x}), {message: 'model: there is no argument output; known are inputs, outputs, name, seed'});
  });
  test('evaluate without compile', () =>
    assert.throws(() => network(fj).evaluate(xs(fj), hot(fj)), {message: /^evaluate: the model is not compiled/}));
  test('trainOnBatch without compile', () => assert.rejects(network(fj).trainOnBatch(xs(fj), hot(fj)), {message: /^the model is not compiled/}));
  test('weights, and a file, of a model that nobody has used', async () => {
    const model = network(fj);
    assert.equal(model.getWeights().length, 2);
    const files = [];
    await network(fj).save({saveFile: async (bytes) => (files.push(bytes), {modelArtifactsInfo: {}})});
    assert.equal((await fj.loadLayersModel(fj.io.fromMemory(files[0]))).countParams(), 15);
  });
  test('disposed of twice, and then used', async () => {
    const model = compiled();
    model.predict(xs(fj));
    model.dispose();
    model.dispose();
    assert.throws(() => model.getWeights(), {message: 'The model is disposed and cannot be used'});
    assert.throws(() => model.compile({optimizer: 'sgd', loss: 'hinge'}), {message: 'The model is disposed and cannot be used'});
  });
});

suite('metrics of class numbers', () => {
  // As many samples as classes: what is broadcast along the wrong axis would have a value.
  for (const metric of ['mse', 'mae', 'cosine', 'accuracy', (y, p) => p.sub(y).abs().mean(-1)]) {
    test(`${typeof metric === 'string' ? metric : 'a function'} is TensorFlow.js's`, () => {
      const [ours, theirs] = [network(fj), network(judge)];
      shareWeights(ours, theirs);
      const [got, want] = [[fj, ours], [judge, theirs]].map(([tf, model]) => {
        model.compile({optimizer: 'sgd', loss: 'sparseCategoricalCrossentropy', metrics: [metric]});
        return model.evaluate(xs(tf).slice([0, 0], [3, 4]), tf.tensor2d([[2], [0], [1]]), {batchSize: 3})[1].dataSync();
      });
      closeValues(got, want, 1e-5);
    });
  }
});
