// Recurrent layers: what they compute, train, keep and save; TensorFlow.js is the judge of what it can do.
import assert from 'node:assert/strict';
import {suite, test} from 'node:test';
import {close, closeValues, fj, judge, random, same, tensor, weightsOf} from './helpers.mjs';

const listed = (x) => [x].flat();
const alone = (list) => (list.length === 1 ? list[0] : list);

/** Gives both models the same weights, layer by layer. */
function share(ours, theirs) {
  const [a, b] = [ours, theirs].map((m) => m.layers.filter((l) => l.getWeights().length));
  assert.equal(a.length, b.length);
  b.forEach((layer, i) => {
    const values = layer.getWeights().map((t, k) => random(t.shape, -0.7, 0.7, 10 + 3 * i + k));
    layer.setWeights(layer.getWeights().map((t, k) => judge.tensor(values[k], t.shape)));
    a[i].setWeights(layer.getWeights().map((t, k) => fj.tensor(values[k], t.shape)));
  });
}
/** Both predict the same before and after they train. */
async function sameTraining(build, xShapes, yShapes) {
  const [ours, theirs] = [build(fj), build(judge)];
  share(ours, theirs);
  const batch = (tf) => [xShapes, yShapes].map((shapes, k) => alone(shapes.map((shape, i) => tensor(tf, shape, 20 + 5 * k + i))));
  const compare = (what) => {
    const [got, want] = [[fj, ours], [judge, theirs]].map(([tf, model]) => listed(model.predict(batch(tf)[0])));
    got.forEach((y, i) => close(y, want[i], 1e-4, `${what}, output ${i}`));
  };
  compare('at first');
  for (const [tf, model] of [[fj, ours], [judge, theirs]]) model.compile({optimizer: tf.train.sgd(0.1), loss: 'meanSquaredError'});
  for (let i = 0; i < 3; ++i) {
    const [loss, expected] = [await ours.trainOnBatch(...batch(fj)), await theirs.trainOnBatch(...batch(judge))].map((l) => listed(l)[0]);
    closeValues([loss], [expected], 1e-4, `the loss of step ${i}`);
  }
  compare('at last');
  return ours;
}

suite('recurrent layers compute and train as in TensorFlow.js', () => {
  const row = (make) => (tf) => tf.sequential({layers: [make(tf), tf.layers.dense({units: 2})]});
  const inputShape = [5, 3];
  const cases = {
    simpleRNN: row((tf) => tf.layers.simpleRNN({units: 4, inputShape})),
    lstm: row((tf) => tf.layers.lstm({units: 4, inputShape})),
    'an lstm with other gates': row((tf) => tf.layers.lstm({units: 4, inputShape, recurrentActivation: 'sigmoid'})),
    gru: row((tf) => tf.layers.gru({units: 4, inputShape})),
    'an lstm of what tf.layers.input gives': (tf) => {
      const x = tf.layers.input({shape: inputShape});
      return tf.model({inputs: x, outputs: tf.layers.lstm({units: 2}).apply(x)});
    },
    'an lstm that goes backwards': row((tf) => tf.layers.lstm({units: 4, inputShape, goBackwards: true, activation: 'relu'})),
    'lstms in a row': (tf) =>
      tf.sequential({layers: [tf.layers.lstm({units: 4, inputShape, returnSequences: true}), tf.layers.lstm({units: 3}), tf.layers.dense({units: 2})]}),
    'rnn of a cell': row((tf) => tf.layers.rnn({cell: tf.layers.lstmCell({units: 4}), inputShape})),
    'rnn of cells': row((tf) => tf.layers.rnn({cell: [tf.layers.gruCell({units: 4}), tf.layers.simpleRNNCell({units: 3})], inputShape})),
    'rnn of a stack': row((tf) => tf.layers.rnn({cell: tf.layers.stackedRNNCells({cells: [tf.layers.gruCell({units: 4}), tf.layers.simpleRNNCell({units: 3})]}), inputShape})),
    bidirectional: row((tf) => tf.layers.bidirectional({layer: tf.layers.lstm({units: 4}), inputShape})),
  };
  for (const mergeMode of ['sum', 'mul', 'ave']) cases[`bidirectional by ${mergeMode}`] = row((tf) => tf.layers.bidirectional({layer: tf.layers.gru({units: 4}), mergeMode, inputShape}));
  for (const [name, build] of Object.entries(cases)) test(name, () => sameTraining(build, [[6, 5, 3]], [[6, 2]]));

  test('convLstm2d', () => {
    const build = (tf) =>
      tf.sequential({
        layers: [
          tf.layers.convLstm2d({filters: 3, kernelSize: 3, padding: 'same', returnSequences: true, inputShape: [3, 5, 4, 2]}),
          tf.layers.convLstm2d({filters: 2, kernelSize: [2, 3]}),
          tf.layers.flatten(),
          tf.layers.dense({units: 2}),
        ],
      });
    return sameTraining(build, [[2, 3, 5, 4, 2]], [[2, 2]]);
  });
  test('convLstm2dCell', () => {
    const shapes = [[2, 5, 4, 2], [2, 4, 3, 3], [2, 4, 3, 3]];
    const [ours, theirs] = [fj, judge].map((tf) => tf.layers.convLstm2dCell({filters: 3, kernelSize: 2}));
    const inputs = shapes.map((shape) => fj.input({shape: shape.slice(1)}));
    const model = fj.model({inputs, outputs: ours.apply(inputs)});
    theirs.build(shapes[0]);
    const weights = theirs.getWeights().map((t, i) => random(t.shape, -0.7, 0.7, 10 + i));
    for (const [tf, layer] of [[fj, ours], [judge, theirs]]) layer.setWeights(theirs.getWeights().map((t, i) => tf.tensor(weights[i], t.shape)));
    const given = (tf) => shapes.map((shape, i) => tensor(tf, shape, 3 + i));
    const expected = theirs.apply(given(judge));
    model.predict(given(fj)).forEach((y, i) => close(y, expected[i], 1e-5));
  });
  test('convLstm1d is convLstm2d of one row, and convLstm3d of one plane', () => {
    const [rows, images, volumes] = [[[5, 2], [3]], [[1, 5, 2], [1, 3]], [[1, 1, 5, 2], [1, 1, 3]]].map(([size, kernelSize], i) =>
      fj.sequential({layers: [fj.layers[`convLstm${i + 1}d`]({filters: 3, kernelSize, padding: 'same', recurrentActivation: 'sigmoid', inputShape: [4, ...size]})]}));
    images.setWeights(rows.getWeights().map((t) => (t.shape.length > 1 ? t.expandDims(0) : t)));
    volumes.setWeights(images.getWeights().map((t) => (t.shape.length > 1 ? t.expandDims(0) : t)));
    const x = tensor(fj, [2, 4, 5, 2]);
    const expected = rows.predict(x).dataSync();
    closeValues(images.predict(x.expandDims(2)).dataSync(), expected, 1e-6);
    closeValues(volumes.predict(x.expandDims(2).expandDims(2)).dataSync(), expected, 1e-6);
  });
  test('both directions apart', () => {
    const build = (tf) => {
      const x = tf.input({shape: inputShape});
      const outputs = tf.layers.bidirectional({layer: tf.layers.lstm({units: 4, returnSequences: true}), mergeMode: null}).apply(x);
      return tf.model({inputs: x, outputs});
    };
    return sameTraining(build, [[6, 5, 3]], [[6, 5, 4], [6, 5, 4]]);
  });
  test('states that come out and go in', () => {
    const build = (tf) => {
      const [a, b] = [tf.input({shape: inputShape}), tf.input({shape: [4, 2]})];
      const [, h, c] = tf.layers.lstm({units: 4, returnState: true}).apply(a);
      const y = tf.layers.lstm({units: 4}).apply(b, {initialState: [h, c]});
      return tf.model({inputs: [a, b], outputs: tf.layers.dense({units: 2}).apply(y)});
    };
    return sameTraining(build, [[6, 5, 3], [6, 4, 2]], [[6, 2]]);
  });
  test('a mask', () => {
    // What is masked is 0, and so is each step that does not count.
    const build = (tf) => tf.sequential({layers: [tf.layers.masking({inputShape}), tf.layers.lstm({units: 4, returnSequences: true}), tf.layers.gru({units: 3})]});
    const [ours, theirs] = [build(fj), build(judge)];
    share(ours, theirs);
    const values = random([6, 5, 3], -1, 1, 8);
    for (let i = 0; i < 30; ++i) if (i % 5 > i / 5 - 1) values.fill(0, 3 * i, 3 * i + 3);
    close(ours.predict(fj.tensor(values, [6, 5, 3])), theirs.predict(judge.tensor(values, [6, 5, 3])), 1e-5);
  });
});

suite('stateful layers', () => {
  const build = (tf) => tf.sequential({layers: [tf.layers.lstm({units: 3, stateful: true, batchInputShape: [2, 4, 3]})]});
  test('go on where the last batch ended, as in TensorFlow.js', () => {
    const [ours, theirs] = [build(fj), build(judge)];
    share(ours, theirs);
    const predict = (tf, model, seed) => model.predict(tensor(tf, [2, 4, 3], seed), {batchSize: 2});
    for (const seed of [1, 2, 3]) close(predict(fj, ours, seed), predict(judge, theirs, seed), 1e-5);
    ours.resetStates();
    theirs.resetStates();
    close(predict(fj, ours, 4), predict(judge, theirs, 4), 1e-5);
  });
  test('a layer resets its own', () => {
    const model = build(fj);
    const predict = () => model.predict(tensor(fj, [2, 4, 3]), {batchSize: 2});
    const first = predict();
    assert.notDeepEqual(predict().dataSync(), first.dataSync());
    model.layers[0].resetStates();
    same(predict(), first);
  });
  test('say of what size batches are', () => {
    const model = build(fj);
    model.predict(tensor(fj, [2, 4, 3]));
    assert.throws(() => model.predict(tensor(fj, [3, 4, 3])), /is stateful and has the states of 2 samples, got 3: batches have one size until resetStates/);
    model.resetStates();
    assert.deepEqual(model.predict(tensor(fj, [3, 4, 3])).shape, [3, 3]);
  });
  test('keep what is no weight, and in no file', () => {
    const model = build(fj);
    model.predict(tensor(fj, [2, 4, 3]));
    assert.equal(model.getWeights().length, 3);
    assert.deepEqual(model.artifacts().weightSpecs.map(({name}) => name.split('/').pop()), ['kernel', 'recurrent_kernel', 'bias']);
  });
});

suite('files', () => {
  const build = (tf) =>
    tf.sequential({
      layers: [
        tf.layers.bidirectional({layer: tf.layers.lstm({units: 3, returnSequences: true}), inputShape: [4, 2]}),
        tf.layers.gru({units: 4, returnSequences: true}),
        tf.layers.rnn({cell: [tf.layers.simpleRNNCell({units: 3}), tf.layers.gruCell({units: 2})]}),
      ],
    });
  test('of the package are read again', async () => {
    const model = build(fj);
    const x = tensor(fj, [3, 4, 2]);
    for (const saved of [model.artifacts(), model.file()]) {
      const loaded = await fj.loadLayersModel({load: async () => saved});
      same(loaded.predict(x), model.predict(x));
      assert.deepEqual(weightsOf(loaded), weightsOf(model));
    }
  });
  test('of TensorFlow.js are read', async () => {
    // Without rnn: TensorFlow.js cannot read its own file of that.
    const model = judge.sequential({
      layers: [
        judge.layers.bidirectional({layer: judge.layers.lstm({units: 3, returnSequences: true}), inputShape: [4, 2]}),
        judge.layers.gru({units: 4, returnSequences: true}),
        judge.layers.simpleRNN({units: 3}),
      ],
    });
    let saved;
    await model.save({save: async (artifacts) => ((saved = artifacts), {modelArtifactsInfo: {dateSaved: new Date(), modelTopologyType: 'JSON'}})});
    const loaded = await fj.loadLayersModel({load: async () => JSON.parse(JSON.stringify({...saved, weightData: undefined}), (_, v) => v) && saved});
    close(loaded.predict(tensor(fj, [3, 4, 2])), model.predict(tensor(judge, [3, 4, 2])), 1e-5);
  });
});

suite('what layers say', () => {
  test('a gru is reset before the product where nothing is said, as in TensorFlow.js', () => {
    assert.equal(fj.layers.gru({units: 2}).getConfig().resetAfter, false);
    assert.equal(fj.layers.gruCell({units: 2, resetAfter: true}).getConfig().resetAfter, true);
    assert.equal(judge.layers.gru({units: 2}).getConfig().resetAfter, false);
  });
  test('states are listed', () => {
    const outputs = fj.layers.lstm({units: 4, returnState: true, returnSequences: true}).apply(fj.input({shape: [5, 3]}));
    assert.deepEqual(outputs.map((t) => t.shape), [[null, 5, 4], [null, 4], [null, 4]]);
    const apart = fj.layers.bidirectional({layer: fj.layers.gru({units: 4, returnState: true}), mergeMode: null}).apply(fj.input({shape: [5, 3]}));
    assert.deepEqual(apart.map((t) => t.shape), Array(4).fill([null, 4]));
  });
  test('of values, with states', () => {
    const layer = fj.layers.gru({units: 4});
    const [x, h] = [tensor(fj, [2, 5, 3]), tensor(fj, [2, 4], 6)];
    const given = layer.apply(x, {initialState: h});
    same(layer.apply([x, h]), given);
    assert.notDeepEqual(layer.apply(x).dataSync(), given.dataSync());
  });
  test('a call has training and initialState alone, and a cell is one', () => {
    const x = fj.input({shape: [5, 3]});
    assert.throws(() => fj.layers.lstm({units: 4}).apply(x, {constants: x}), /: constants is not an argument of a call of LSTM/);
    assert.throws(() => fj.layers.lstm({units: 4}).apply(x, {initialState: [x]}), /has 2 states, got 1/);
    assert.throws(() => fj.layers.rnn({cell: fj.layers.dense({units: 4})}).apply(x), /cell must be a cell, SimpleRNNCell, LSTMCell, GRUCell, StackedRNNCells or an RNNCell, got/);
  });
});

/** A cell of two states, of different sizes: y after a step is what both say together. */
const cellOf = (tf) =>
  class Own extends tf.layers.RNNCell {
    static className = 'Own';
    stateSize = [3, 2];
    build(inputShape) {
      const weight = (name, shape) => this.addWeight(name, shape, 'float32', tf.initializers.zeros());
      this.kernel = weight('kernel', [inputShape.at(-1), 3]);
      this.mix = weight('mix', [3, 3]);
      this.slow = weight('slow', [3, 2]);
      this.out = weight('out', [2, 3]);
      this.built = true;
    }
    call([x, fast, slow]) {
      return tf.tidy(() => {
        const h = tf.matMul(x, this.kernel.read()).add(tf.matMul(fast, this.mix.read())).tanh();
        const memory = slow.mul(0.5).add(tf.matMul(h, this.slow.read()));
        return [h.add(tf.matMul(memory, this.out.read())), h, memory];
      });
    }
    getConfig() {
      return {...super.getConfig()};
    }
  };
suite('cells that a program writes', () => {
  const row = (args) => (tf) => {
    const rest = [...(args.returnSequences ? [tf.layers.flatten()] : []), tf.layers.dense({units: 2})];
    return tf.sequential({layers: [tf.layers.rnn({cell: new (cellOf(tf))({}), inputShape: [5, 4], ...args}), ...rest]});
  };
  for (const args of [{}, {returnSequences: true}, {goBackwards: true}]) {
    test(`compute and train as in TensorFlow.js, ${JSON.stringify(args)}`, async () => {
      await sameTraining(row(args), [[3, 5, 4]], [[3, 2]]);
    });
  }
  test('in a stack, and within timeDistributed and bidirectional', async () => {
    const Own = cellOf(fj);
    const layer = () => fj.layers.rnn({cell: [fj.layers.gruCell({units: 4}), new Own({})], returnSequences: true});
    const model = fj.sequential({layers: [fj.layers.bidirectional({layer: layer(), inputShape: [5, 4]}), fj.layers.timeDistributed({layer: fj.layers.dense({units: 1})})]});
    model.compile({optimizer: 'adam', loss: 'meanSquaredError'});
    const [x, y] = [tensor(fj, [3, 5, 4]), tensor(fj, [3, 5, 1], 6)];
    const losses = [];
    for (let i = 0; i < 8; ++i) losses.push(await model.trainOnBatch(x, y));
    assert.ok(losses.at(-1) < losses[0], String(losses));
  });
  test('are told in getConfig, and refused in words where they cannot be used', () => {
    const Own = cellOf(fj);
    const layer = fj.layers.rnn({cell: new Own({name: 'mine'})});
    assert.deepEqual(layer.getConfig().cell, {className: 'Own', config: {name: 'mine', trainable: true, dtype: 'float32'}});
    class Unsized extends Own {
      static className = 'Unsized';
      stateSize = 0;
    }
    assert.throws(() => fj.layers.rnn({cell: new Unsized({})}), /cell must be a cell whose stateSize is the size of its state, or a list of them/);
  });
});
