// Embeddings and attention: trained as TensorFlow.js trains an embedding, and computed by its ops from the layers' weights.
import assert from 'node:assert/strict';
import {suite, test} from 'node:test';
import {close, closeValues, fj, judge, random, shareWeights, weightsOf} from './helpers.mjs';

const words = Int32Array.from(random([8, 5], 0, 11, 3), Math.floor);

suite('embedding', () => {
  for (const optimizer of ['sgd', 'adam']) {
    test(`trains as in TensorFlow.js, ${optimizer}`, async () => {
      const build = (tf) => {
        const model = tf.sequential({layers: [tf.layers.embedding({inputDim: 11, outputDim: 4, inputLength: 5}), tf.layers.flatten(), tf.layers.dense({units: 2})]});
        // Without epsilon, which stands at another place there.
        model.compile({optimizer: optimizer === 'sgd' ? tf.train.sgd(0.05) : tf.train.adam(0.05, 0.9, 0.999, 1e-12), loss: 'meanSquaredError'});
        return model;
      };
      const [model, theirs] = [build(fj), build(judge)];
      shareWeights(model, theirs);
      const batch = (tf) => [tf.tensor(words, [8, 5], 'int32'), tf.tensor(random([8, 2], -1, 1, 6), [8, 2])];
      close(model.predict(batch(fj)[0]), theirs.predict(batch(judge)[0]));
      for (let step = 0; step < 5; ++step) {
        const [loss, expected] = [await model.trainOnBatch(...batch(fj)), await theirs.trainOnBatch(...batch(judge))];
        assert.ok(Math.abs([loss].flat()[0] - expected) < 1e-5, `step ${step}: ${loss}, expected ${expected}`);
      }
      weightsOf(model).forEach((w, i) => closeValues(w, weightsOf(theirs)[i], 1e-5, `weight ${i}`));
    });
  }
  test('a number that is no row’s stops, and says which', () => {
    const model = fj.sequential({layers: [fj.layers.embedding({inputDim: 11, outputDim: 4, inputLength: 2})]});
    assert.throws(() => model.predict(fj.tensor([[0, 11]], [1, 2], 'int32')), /index 11 .*\[0, ?11\)|11/);
  });
  test('as the first layer it needs to know how long samples are', () => {
    assert.throws(() => fj.sequential({layers: [fj.layers.embedding({inputDim: 11, outputDim: 4})]}), /must get an `inputShape`/);
    const model = fj.sequential({layers: [fj.layers.embedding({inputDim: 11, outputDim: 4, inputShape: [3, 2]})]});
    assert.deepEqual(model.outputs[0].shape, [null, 3, 2, 4]);
  });
});

/** Weights of a layer as tensors of TensorFlow.js. */
const theirs = (layer) => layer.getWeights().map((t) => judge.tensor(t.dataSync(), t.shape));
/** What attention of several heads is, step by step. */
function attend([wq, bq, wk, bk, wv, bv, wo, bo], q, v, isCausal) {
  const heads = (x, w, b) => judge.transpose(judge.add(judge.einsum('ntd,dhk->nthk', x, w), b), [0, 2, 1, 3]);
  const [queries, keys, values] = [heads(q, wq, bq), heads(v, wk, bk), heads(v, wv, bv)];
  let scores = judge.matMul(queries, keys, false, true).div(Math.sqrt(wq.shape[2]));
  const [t, s] = scores.shape.slice(2);
  if (isCausal) scores = scores.add(judge.tensor(Array.from({length: t * s}, (_, i) => (i % s > Math.floor(i / s) ? -1e9 : 0)), [t, s]));
  const weights = judge.softmax(scores);
  return [judge.einsum('nhtk,hkd->ntd', judge.matMul(weights, values), wo).add(bo), weights];
}
const sequence = (tf, steps, size, seed) => tf.tensor(random([2, steps, size], -2, 2, seed), [2, steps, size]);

suite('attention of several heads', () => {
  test('computes what its ops compute', () => {
    const layer = fj.layers.multiHeadAttention({numHeads: 2, keyDim: 3, biasInitializer: 'randomNormal'});
    const [q, v] = [fj.input({shape: [4, 6]}), fj.input({shape: [5, 7]})];
    const model = fj.model({inputs: [q, v], outputs: layer.apply([q, v], {returnAttentionScores: true})});
    const [y, weights] = model.predict([sequence(fj, 4, 6, 1), sequence(fj, 5, 7, 2)]);
    const expected = attend(theirs(layer), sequence(judge, 4, 6, 1), sequence(judge, 5, 7, 2), false);
    close(y, expected[0]);
    close(weights, expected[1]);
    assert.deepEqual(
      layer.weights.map((w) => w.name.split('/').slice(1).join('/')),
      ['query', 'key', 'value', 'attention_output'].flatMap((part) => [`${part}/kernel`, `${part}/bias`]),
    );
  });
  test('what a call says is in a model’s file, and in models over inner outputs', async () => {
    const layer = fj.layers.multiHeadAttention({numHeads: 2, keyDim: 3, name: 'heads'});
    const x = fj.input({shape: [4, 6]});
    const model = fj.model({inputs: x, outputs: fj.layers.dense({units: 2}).apply(layer.apply([x, x], {useCausalMask: true}))});
    const [own] = [sequence(fj, 4, 6, 3)];
    const expected = attend(theirs(layer), sequence(judge, 4, 6, 3), sequence(judge, 4, 6, 3), true)[0];
    let saved;
    await model.save(fj.io.withSaveHandler(async (artifacts) => ((saved = artifacts), {modelArtifactsInfo: {dateSaved: new Date(0), modelTopologyType: 'JSON'}})));
    const copy = await fj.loadLayersModel({load: async () => saved});
    close(copy.predict(own), fj.tensor(model.predict(own).dataSync(), [2, 4, 2]));
    const inner = fj.model({inputs: copy.inputs, outputs: copy.getLayer('heads').output});
    close(inner.predict(own), expected);
    close(layer.apply([own, own], {useCausalMask: true}), expected);
  });
  test('a mask of numbers that stand for no step', () => {
    const embedding = fj.layers.embedding({inputDim: 9, outputDim: 6, maskZero: true});
    const layer = fj.layers.multiHeadAttention({numHeads: 2, keyDim: 3});
    const ids = fj.input({shape: [4], dtype: 'int32'});
    const model = fj.model({inputs: ids, outputs: layer.apply(Array(2).fill(embedding.apply(ids)), {returnAttentionScores: true})});
    const [, weights] = model.predict(fj.tensor([[3, 5, 0, 0]], [1, 4], 'int32'));
    const [, , ...rest] = weights.squeeze([0]).unstack(2);
    for (const t of rest) assert.ok(t.dataSync().every((v) => v === 0));
  });
  test('what a call cannot say', () => {
    const x = fj.input({shape: [4, 6]});
    const layer = fj.layers.multiHeadAttention({numHeads: 2, keyDim: 3, name: 'h'});
    assert.throws(() => layer.apply([x, x], {causal: true}), {
      message: 'h: causal is not an argument of a call of MultiHeadAttention; there are return_attention_scores, use_causal_mask',
    });
    assert.throws(() => layer.apply([x, x], {useCausalMask: 3}), {message: 'h: useCausalMask must be true or false, got 3'});
    assert.throws(() => layer.apply(x), {message: 'h: takes query, value, key and attention_mask, of which the first two are needed, got 1 inputs'});
  });
});

suite('a model that writes on', () => {
  const [kinds, longest] = [11, 12];
  /** A small decoder; with a cache it reads `steps` numbers a call, and knows those of the calls before. */
  function decoder(steps, cache) {
    const [ids, places] = [0, 1].map(() => fj.input({batchShape: [2, steps], dtype: 'int32'}));
    const token = fj.layers.embedding({inputDim: kinds, outputDim: 8}).apply(ids);
    let x = fj.layers.add().apply([token, fj.layers.embedding({inputDim: longest, outputDim: 8}).apply(places)]);
    for (let i = 0; i < 2; ++i) {
      const y = fj.layers.layerNormalization().apply(x);
      const heads = fj.layers.multiHeadAttention({numHeads: 2, keyDim: 4, ...(cache ? {cacheLength: longest} : {})});
      x = fj.layers.add().apply([x, heads.apply([y, y], cache ? {} : {useCausalMask: true})]);
    }
    return fj.model({inputs: [ids, places], outputs: fj.layers.dense({units: kinds, activation: 'softmax'}).apply(x)});
  }
  const places = (from, count) => fj.tensor(Array.from({length: 2 * count}, (_, i) => from + (i % count)), [2, count], 'int32');
  const words = Array.from(random([2, longest], 0, kinds, 7), Math.floor);
  const numbersOf = (from, count) => fj.tensor([0, 1].flatMap((n) => words.slice(n * longest + from, n * longest + from + count)), [2, count], 'int32');

  test('one by one its numbers have the chances that they have in the whole', () => {
    const model = decoder(longest, false);
    const writer = decoder(1, true);
    writer.setWeights(model.getWeights());
    const whole = model.predict([numbersOf(0, longest), places(0, longest)]);
    for (let round = 0; round < 2; ++round) {
      for (let i = 0; i < longest; ++i) close(writer.predict([numbersOf(i, 1), places(i, 1)]), judge.tensor(whole.slice([0, i], [-1, 1]).dataSync(), [2, 1, kinds]));
      assert.throws(() => writer.predict([numbersOf(0, 1), places(0, 1)]), /index value 12 at position 0 is not in \[0, 11\]/);
      writer.resetStates();
    }
  });
  test('a cache is in the description of the layer', () => {
    const layer = fj.layers.multiHeadAttention({numHeads: 2, keyDim: 4, cacheLength: 5});
    assert.equal(layer.getConfig().cacheLength, 5);
    assert.throws(() => fj.layers.multiHeadAttention({numHeads: 2, keyDim: 4, cacheLength: 0}), /cacheLength must be a whole number from 1 to/);
  });
});

suite('layers that TensorFlow.js has not: shapes, and a step of training', () => {
  for (const [name, args, inputs, shape] of [
    ['einsumDense', {equation: 'abc,cd->abd', outputShape: [null, 3], biasAxes: 'd'}, 1, [null, 4, 3]],
    ['groupQueryAttention', {headDim: 2, numQueryHeads: 4, numKeyValueHeads: 2}, 2, [null, 4, 6]],
    ['attention', {useScale: true}, 2, [null, 4, 6]],
    ['additiveAttention', {}, 2, [null, 4, 6]],
    ['rmsNormalization', {}, 1, [null, 4, 6]],
    ['groupNormalization', {groups: 3}, 1, [null, 4, 6]],
    ['unitNormalization', {axis: -1}, 1, [null, 4, 6]],
    ['spectralNormalization', {layer: fj.layers.dense({units: 5})}, 1, [null, 4, 5]],
  ]) {
    test(name, async () => {
      const x = fj.input({shape: [4, 6]});
      const y = fj.layers[name](args).apply(inputs === 1 ? x : [x, x]);
      assert.deepEqual(y.shape, shape);
      const model = fj.model({inputs: x, outputs: fj.layers.dense({units: 1}).apply(fj.layers.flatten().apply(y))});
      model.compile({optimizer: 'sgd', loss: 'meanSquaredError'});
      const before = weightsOf(model);
      assert.ok(Number.isFinite([await model.trainOnBatch(sequence(fj, 4, 6, 7), fj.tensor([[1], [-1]]))].flat()[0]));
      const changed = weightsOf(model).filter((w, i) => w.some((v, k) => v !== before[i][k]));
      // Those of the layer, too; the axes of lengths have none.
      assert.ok(changed.length > (name === 'unitNormalization' || inputs === 2 && name !== 'groupQueryAttention' ? 1 : 2), `${changed.length} weights have changed`);
    });
  }
});

test('einsum of several tensors, and of further axes', () => {
  const [a, b, c] = [[2, 3], [3, 4], [4, 5]].map((shape, i) => random(shape, -2, 2, i + 1));
  const chain = (tf) => [tf.tensor(a, [2, 3]), tf.tensor(b, [3, 4]), tf.tensor(c, [4, 5])];
  const [x, y, z] = chain(judge);
  close(fj.einsum('ij,jk,kl->li', ...chain(fj)), judge.transpose(x.matMul(y).matMul(z)));
  close(fj.einsum('...j,jk->...k', sequence(fj, 4, 3, 5), fj.tensor(b, [3, 4])), judge.einsum('nij,jk->nik', sequence(judge, 4, 3, 5), y));
  assert.throws(() => fj.einsum('ij,jk', x.dataSync(), [1]), /^Error: einsum: the equation must have one ->, as in "ij,jk->ik", got "ij,jk"/);
  assert.throws(() => fj.einsum(3, [1]), {message: 'einsum: equation must be a text, got 3'});
});
