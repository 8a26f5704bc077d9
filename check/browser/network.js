// A small network and data for the tests of the package in a page or a worker: the same numbers wherever it runs.
import * as tf from '/fjord/fjord.js';

export {tf};

/** x [64,8,8,1], y [64,3]: three classes that a bright third of the picture tells apart. */
export function data() {
  const x = Float32Array.from({length: 64 * 64}, (_, i) => {
    const [picture, row] = [Math.floor(i / 64), Math.floor((i % 64) / 8)];
    return Math.abs(Math.sin(i * 12.9898 + 4)) * 0.4 + (Math.floor(row / 3) === picture % 3 ? 1 : 0);
  });
  const y = Float32Array.from({length: 64 * 3}, (_, i) => (i % 3 === Math.floor(i / 3) % 3 ? 1 : 0));
  return {x: tf.tensor4d(x, [64, 8, 8, 1]), y: tf.tensor2d(y, [64, 3])};
}

export function network(seed = 7) {
  const model = tf.sequential({
    seed,
    layers: [
      tf.layers.conv2d({filters: 8, kernelSize: 3, activation: 'relu', inputShape: [8, 8, 1]}),
      tf.layers.maxPooling2d({poolSize: 2}),
      tf.layers.flatten(),
      tf.layers.dense({units: 16, activation: 'tanh'}),
      tf.layers.dense({units: 3, activation: 'softmax'}),
    ],
  });
  model.compile({optimizer: 'adam', loss: 'categoricalCrossentropy', metrics: ['accuracy']});
  return model;
}

/** Trains it; plain numbers, for the test to look at. */
export async function train(epochs = 20) {
  const model = network();
  const {x, y} = data();
  const {history} = await model.fit(x, y, {epochs, batchSize: 16});
  return {...about(), loss: history.loss, accuracy: history.acc, weights: weights(model)};
}
export const about = () => ({variant: tf.wasm.getVariant(), threads: tf.wasm.getThreadsCount()});
export const weights = (model) => model.getWeights().flatMap((t) => Array.from(t.dataSync()));
