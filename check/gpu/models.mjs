// Whole models that are trained on two backends and compared: in a page or in Node.
//
//   const {make, steps, fit} = trainings(tf);
//   const why = stepsApart(await steps('webgpu', 'cnn', 'adam', 20), await steps('wasm', 'cnn', 'adam', 20));

export const modelNames = ['mlp', 'cnn'];
export const optimizerNames = ['sgd', 'adam'];

export function trainings(tf) {
  const x = (shape) => tf.randomUniform([96, ...shape], -1, 1, 'float32', 3);
  const labels = () => tf.tensor1d(Array.from({length: 96}, (_, i) => (i * 7) % 5), 'int32');
  const data = (shape) => tf.tidy(() => [x(shape), tf.oneHot(labels(), 5)]);
  const models = {
    mlp: () => [[20], [tf.layers.dense({units: 33, activation: 'relu'}), tf.layers.dropout({rate: 0.3}), tf.layers.dense({units: 5, activation: 'softmax'})]],
    cnn: () => [
      [9, 9, 2],
      [
        tf.layers.conv2d({filters: 6, kernelSize: 3, padding: 'same', activation: 'relu'}),
        tf.layers.batchNormalization(),
        tf.layers.maxPooling2d({poolSize: 2}),
        tf.layers.conv2d({filters: 4, kernelSize: 3}),
        tf.layers.flatten(),
        tf.layers.dense({units: 5, activation: 'softmax'}),
      ],
    ],
  };
  /** A model with weights that depend on the seed alone. */
  const make = (name, optimizer) => {
    const [inputShape, layers] = models[name]();
    const model = tf.sequential({layers: [tf.layers.inputLayer({inputShape}), ...layers], seed: 11});
    model.compile({optimizer, loss: 'categoricalCrossentropy', metrics: ['accuracy']});
    return [model, ...data(inputShape)];
  };
  return {
    make,
    /** So many steps on a backend: the losses, a prediction, an evaluation, and the weights before and after. */
    async steps(backend, name, optimizer, count) {
      await tf.setBackend(backend);
      const [model, x, y] = make(name, optimizer);
      const start = await Promise.all(model.getWeights().map((t) => t.data()));
      const losses = [];
      for (let i = 0; i < count; ++i) losses.push((await model.trainOnBatch(x, y))[0]);
      const predicted = await model.predict(x, {batchSize: 50}).data();
      const logs = await model.evaluateAsync(x, y, {batchSize: 40});
      await model.sync();
      const weights = await Promise.all(model.getWeights().map((t) => t.data()));
      model.dispose();
      return {losses, predicted: [...predicted], logs: Object.values(logs), weights: weights.map((w) => [...w]), start: start.map((w) => [...w])};
    },
    /** The losses of three epochs of small batches, whose steps are begun ahead, with a falling rate and momentum. */
    async fit(backend) {
      await tf.setBackend(backend);
      const [model, x, y] = make('mlp', 'sgd');
      const schedule = {class_name: 'ExponentialDecay', config: {initial_learning_rate: 0.5, decay_steps: 2, decay_rate: 0.6}};
      model.compile({optimizer: {class_name: 'SGD', config: {learning_rate: schedule, momentum: 0.9}}, loss: 'categoricalCrossentropy'});
      const {history} = await model.fit(x, y, {epochs: 3, batchSize: 10, validationSplit: 0.25});
      const logs = await model.evaluateAsync(x, y, {batchSize: 7});
      model.dispose();
      return [...history.loss, ...history.val_loss, logs.loss];
    },
  };
}

/** Why numbers are not near others, within tolerance (1 + the other number); or ''. */
export function apart(a, b, tolerance, what) {
  if (a.length !== b.length) return `${what}: ${a.length} numbers, want ${b.length}`;
  const i = [...a].findIndex((v, i) => !(Math.abs(v - b[i]) <= tolerance * (1 + Math.abs(b[i]))));
  return i < 0 ? '' : `${what}, element ${i}: ${a[i]}, want ${b[i]}`;
}

const falls = (losses, last) => (losses[last] < losses[0] ? '' : `the loss does not fall: ${losses[0]}, then ${losses[last]}`);

/** Why what steps() gives on the GPU is not what it gives on the CPU; or ''. */
export function stepsApart(gpu, cpu) {
  const weight = (w, i) => {
    // Within a hundredth of the longest way that one of them went: adam goes by signs where gradients are nearly zero.
    const way = Math.max(...cpu.weights[i].map((v, k) => Math.abs(v - cpu.start[i][k])));
    const far = Math.max(...w.map((v, k) => Math.abs(v - cpu.weights[i][k])));
    return way > 0 && far <= 0.01 * way ? '' : `weight ${i}: ${far} away, after a way of ${way}`;
  };
  const all = [
    apart(gpu.losses, cpu.losses, 1e-3, 'loss'),
    falls(gpu.losses, gpu.losses.length - 1),
    apart(gpu.predicted, cpu.predicted, 1e-3, 'prediction'),
    apart(gpu.logs, cpu.logs, 1e-3, 'evaluation'),
    gpu.weights.length === cpu.weights.length ? '' : `${gpu.weights.length} weights, want ${cpu.weights.length}`,
    ...gpu.weights.map(weight),
  ];
  return all.find(Boolean) ?? '';
}

/** The same of fit(). */
export const fitApart = (gpu, cpu) => apart(gpu, cpu, 1e-3, 'loss') || falls(gpu, 2);
