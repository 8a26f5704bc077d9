// Everything the page asks of the engine. The engine's names are those of TensorFlow.js.
//
//   await start();
//   const model = create('cnn');
//   await train(model, pictures(train), {epochs: 5, onBatch, onEpoch, shouldStop});
//   const digits = await classify(model, pictures(test).x);       // Uint8Array, one digit a picture
import * as tf from 'fjord';
import {kPixels, kSide} from './data.js';

export const kBatch = 64;

/** Loads the engine and says in words what it runs on: 'wasm', 'webgpu', or 'auto', which tries both and keeps the faster. */
export async function start(backend = 'wasm') {
  await tf.setBackend(backend);
  return {backend: tf.getBackend(), variant: tf.wasm?.getVariant?.(), threads: tf.wasm?.getThreadsCount?.() ?? 1};
}

/** Tensors of the first `count` pictures of a set: x [N,28,28,1] in 0...1, y [N,10] one-hot. */
export function tensors(set, count = set.count) {
  const pixels = new Float32Array(count * kPixels);
  for (let i = 0; i < pixels.length; ++i) pixels[i] = set.images[i] / 255;
  const x = tf.tensor4d(pixels, [count, kSide, kSide, 1]);
  const y = tf.tidy(() => tf.oneHot(tf.tensor1d(Int32Array.from(set.labels.subarray(0, count)), 'int32'), 10).toFloat());
  return {x, y, count};
}

const kLayers = {
  cnn: () => [
    tf.layers.conv2d({inputShape: [kSide, kSide, 1], filters: 8, kernelSize: 5, activation: 'relu'}),
    tf.layers.maxPooling2d({poolSize: 2, strides: 2}),
    tf.layers.conv2d({filters: 16, kernelSize: 5, activation: 'relu'}),
    tf.layers.maxPooling2d({poolSize: 2, strides: 2}),
    tf.layers.flatten(),
    tf.layers.dense({units: 10, activation: 'softmax'}),
  ],
  mlp: () => [
    tf.layers.flatten({inputShape: [kSide, kSide, 1]}),
    tf.layers.dense({units: 128, activation: 'relu'}),
    tf.layers.dense({units: 10, activation: 'softmax'}),
  ],
};

/** A new network, 'cnn' or 'mlp', with random weights. */
export function create(kind) {
  const model = tf.sequential({layers: kLayers[kind]()});
  // Quick at first, finer with every epoch: half the rate after each 60,000 pictures.
  const rate = tf.schedules.exponentialDecay({initialLearningRate: 0.003, decaySteps: Math.ceil(60000 / kBatch), decayRate: 0.5});
  model.compile({optimizer: {class_name: 'Adam', config: {learning_rate: rate}}, loss: 'categoricalCrossentropy', metrics: ['accuracy']});
  return model;
}

// TensorFlow.js calls it acc, Keras accuracy.
const accuracyOf = (logs) => logs.acc ?? logs.accuracy;

/**
 * Trains from `epoch` to `epochs`. onBatch(loss, accuracy, size) comes after each batch; onEpoch(loss, accuracy) after each
 * epoch that ran to its end, and is awaited. Where shouldStop() says so, training ends after the batch.
 */
export async function train(model, {x, y, count}, {epoch, epochs, onBatch, onEpoch, shouldStop}) {
  const batches = Math.ceil(count / kBatch);
  let done = 0;
  const callbacks = {
    onEpochBegin: () => void (done = 0),
    onBatchEnd: (batch, logs) => {
      done = batch + 1;
      if (!Number.isFinite(logs.loss)) throw new Error('The loss is no longer a number: the training went astray.');
      onBatch(logs.loss, accuracyOf(logs), Math.min(kBatch, count - batch * kBatch));
      if (shouldStop()) model.stopTraining = true;
    },
    onEpochEnd: async (_, logs) => {
      if (done === batches) await onEpoch(logs.loss, accuracyOf(logs));
      if (shouldStop()) model.stopTraining = true;
    },
  };
  await model.fit(x, y, {batchSize: kBatch, initialEpoch: epoch, epochs, shuffle: true, callbacks, verbose: 0});
}

/** The digit that the network sees in each picture of x [N,28,28,1]: in slices, so that the page stays alive. */
export async function classify(model, x) {
  const kSlice = 250;
  const [count] = x.shape;
  const digits = new Uint8Array(count);
  let resumed = performance.now();
  for (let i = 0; i < count; i += kSlice) {
    const size = Math.min(kSlice, count - i);
    const part = x.slice([i, 0, 0, 0], [size, kSide, kSide, 1]);
    const y = model.predict(part);
    // A GPU gives its values later.
    await y.data();
    const found = y.argMax(1);
    digits.set(await found.data(), i);
    for (const t of [part, y, found]) t.dispose();
    if (performance.now() - resumed > 8) {
      await new Promise((resolve) => setTimeout(resolve));
      resumed = performance.now();
    }
  }
  return digits;
}

/** Probabilities of the ten digits for each of the pictures, given as 784 numbers in 0...1 each: Float32Array [N*10]. */
export async function probabilities(model, pixels) {
  const x = tf.tensor4d(pixels, [pixels.length / kPixels, kSide, kSide, 1]);
  const y = model.predict(x);
  try {
    return await y.data();
  } finally {
    x.dispose();
    y.dispose();
  }
}

const address = (kind) => `indexeddb://fjord-mnist-${kind}`;

/** Keeps the network and its optimizer's state in this browser. */
export async function save(model, kind) {
  await model.save(address(kind), {includeOptimizer: true});
}

/** The network that save() kept, compiled as it was: training goes on where it stood. */
export const restore = (kind) => tf.loadLayersModel(address(kind));
