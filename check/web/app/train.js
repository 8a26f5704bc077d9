// What every environment computes: a small dense network trains and predicts. check/web/reference.mjs computes the same in double precision.

const wave = (count, step) => Float32Array.from({length: count}, (_, i) => Math.sin((i + 1) * step));
export const kProblem = {x: wave(16, 1.3), y: wave(8, 2.1), w1: wave(8, 0.7), b1: wave(4, 0.4), w2: wave(4, 1.9), b2: wave(1, 0.2), rate: 0.1, epochs: 30};

export async function train(tf) {
  const {x, y, w1, b1, w2, b2, rate, epochs} = kProblem;
  const model = tf.sequential();
  model.add(tf.layers.dense({units: 4, activation: 'tanh', inputShape: [2]}));
  model.add(tf.layers.dense({units: 1}));
  model.setWeights([tf.tensor2d(w1, [2, 4]), tf.tensor1d(b1), tf.tensor2d(w2, [4, 1]), tf.tensor1d(b2)]);
  model.compile({optimizer: tf.train.sgd(rate), loss: 'meanSquaredError'});
  const inputs = tf.tensor2d(x, [8, 2]);
  await model.fit(inputs, tf.tensor2d(y, [8, 1]), {epochs, batchSize: 8, shuffle: false});
  const numbers = [...model.predict(inputs).dataSync()];
  // Large enough for all threads; whole numbers, so exact.
  const sum = tf.ones([300, 300]).matMul(tf.ones([300, 300])).sum().dataSync()[0];
  return {numbers, sum, variant: tf.wasm.getVariant(), threads: tf.wasm.getThreadsCount()};
}
