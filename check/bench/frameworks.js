// One network in every framework: dense and convolutional layers with ReLU, softmax and cross-entropy, plain gradient descent
// on the mean loss of a batch. All get the same weights, so all should report the same losses.
//
//   const net = await sets.wasm.fjord.create(cell, layers, batches);
//   const loss = await net.step(i);           // trains on batches[i]; the mean loss before the update
//   net.dispose();
//
// cell: see networks.mjs; layers: those of the cell with {weights: {kernel, bias}}; batches: [{x [batch,..input],
// labels [batch], oneHot [batch,classes]}], all Float32Array but for the labels. A framework that cannot train a cell has a
// reason: refuses(cell) gives it, or ''.
/* global tf, convnetjs */

const convolutional = (cell) => cell.layers.some(({type}) => type === 'conv2d');

/** Fjord and TensorFlow.js: the same program. */
async function layersModel(tf, cell, layers, batches) {
  const make = {
    dense: ({kernel, relu}) => tf.layers.dense({units: kernel[1], activation: relu ? 'relu' : 'softmax'}),
    conv2d: ({kernel}) => tf.layers.conv2d({filters: kernel[3], kernelSize: kernel[0], padding: 'same', activation: 'relu'}),
    maxPool: ({size}) => tf.layers.maxPooling2d({poolSize: size}),
    flatten: () => tf.layers.flatten(),
  };
  const model = tf.sequential({layers: [tf.layers.inputLayer({inputShape: cell.input}), ...layers.map((layer) => make[layer.type](layer))]});
  model.compile({optimizer: tf.train.sgd(cell.rate), loss: 'categoricalCrossentropy'});
  const values = layers.filter((layer) => layer.weights).flatMap(({kernel, weights}) => [tf.tensor(weights.kernel, kernel), tf.tensor(weights.bias)]);
  model.setWeights(values);
  values.forEach((t) => t.dispose());
  const data = batches.map((b) => [tf.tensor(b.x, [cell.batch, ...cell.input]), tf.tensor(b.oneHot, [cell.batch, cell.classes])]);
  return {
    model,
    step: (i) => model.trainOnBatch(...data[i]),
    dispose() {
      data.flat().forEach((t) => t.dispose());
      model.dispose();
    },
  };
}

/** Samples one by one; the weights change after each batch, by the mean of its gradients. Double precision. */
function convNet(cell, layers, batches) {
  const [height, width = 1, depth = 1] = cell.input;
  const shape = cell.input.length === 1 ? [1, 1, height] : [width, height, depth];
  const make = {
    dense: ({kernel, relu}) => (relu ? {type: 'fc', num_neurons: kernel[1], activation: 'relu'} : {type: 'softmax', num_classes: kernel[1]}),
    conv2d: ({kernel}) => ({type: 'conv', sx: kernel[0], pad: (kernel[0] - 1) / 2, stride: 1, filters: kernel[3], activation: 'relu'}),
    maxPool: ({size}) => ({type: 'pool', sx: size, stride: size}),
  };
  const net = new convnetjs.Net();
  // Its dense layers flatten by themselves, in the same order.
  const wanted = layers.filter(({type}) => type !== 'flatten').map((layer) => make[layer.type](layer));
  net.makeLayers([{type: 'input', out_sx: shape[0], out_sy: shape[1], out_depth: shape[2]}, ...wanted]);
  const weighted = net.layers.filter((layer) => layer.filters);
  layers
    .filter((layer) => layer.weights)
    .forEach(({kernel, weights}, i) => {
      const outputs = kernel.at(-1);
      weighted[i].filters.forEach((filter, o) => {
        for (let k = 0; k < filter.w.length; ++k) filter.w[k] = weights.kernel[k * outputs + o];
      });
      weighted[i].biases.w.set(weights.bias);
    });
  const trainer = new convnetjs.Trainer(net, {method: 'sgd', learning_rate: cell.rate, momentum: 0, l2_decay: 0, batch_size: cell.batch});
  const volumes = batches.map(({x}) =>
    Array.from({length: cell.batch}, (_, i) => {
      const volume = new convnetjs.Vol(...shape, 0);
      volume.w.set(x.subarray(i * volume.w.length, (i + 1) * volume.w.length));
      return volume;
    }),
  );
  return {
    step(i) {
      let loss = 0;
      volumes[i].forEach((volume, k) => (loss += trainer.train(volume, batches[i].labels[k]).cost_loss));
      return loss / cell.batch;
    },
    dispose() {},
  };
}

/** One compiled function from weights to weights. Arguments are consumed: `.ref` keeps one for later. Images are [C,H,W]. */
async function jax(device, cell, layers, batches) {
  const {defaultDevice, init, jit, lax, nn, numpy: np, tree, valueAndGrad} = await import('/node_modules/@jax-js/jax/dist/index.js');
  await init(device);
  defaultDevice(device);
  const image = cell.input.length === 3;
  const apply = {
    dense: (h, {relu}, {w, b}) => (relu ? nn.relu(np.dot(h, w).add(b)) : np.dot(h, w).add(b)),
    conv2d: (h, {kernel}, {w, b}) => nn.relu(lax.conv(h, w, [1, 1], 'SAME').add(b.reshape([kernel[3], 1, 1]))),
    maxPool(h, {size}) {
      if (size === 1) return h;
      const [n, c, height, width] = h.shape;
      const [rows, columns] = [height >> 1, width >> 1];
      const even = h.slice([], [], [0, 2 * rows], [0, 2 * columns]);
      return np.max(even.reshape([n, c, rows, 2, columns, 2]), [3, 5]);
    },
    flatten: (h) => np.transpose(h, [0, 2, 3, 1]).reshape([cell.batch, -1]),
  };
  const loss = (params, x, y) => {
    let h = x;
    let next = 0;
    for (const layer of layers) h = apply[layer.type](h, layer, layer.weights && params[next++]);
    return nn.logSoftmax(h).mul(y).sum().mul(-1 / cell.batch);
  };
  const update = jit((params, x, y) => {
    const [value, grads] = valueAndGrad(loss)(tree.ref(params), x, y);
    return [value, tree.map((p, g) => p.sub(g.mul(cell.rate)), params, grads)];
  });
  const array = (values, shape, order) => (order ? np.transpose(np.array(values).reshape(shape), order) : np.array(values).reshape(shape));
  let params = layers
    .filter((layer) => layer.weights)
    .map(({kernel, weights}) => ({w: array(weights.kernel, kernel, kernel.length === 4 && [3, 2, 0, 1]), b: np.array(weights.bias)}));
  const data = batches.map((b) => [array(b.x, [cell.batch, ...cell.input], image && [0, 3, 1, 2]), array(b.oneHot, [cell.batch, cell.classes])]);
  return {
    async step(i) {
      const [value, next] = update(params, data[i][0].ref, data[i][1].ref);
      params = next;
      return value.jsAsync();
    },
    dispose() {
      tree.dispose(params);
      data.flat().forEach((a) => a.dispose());
    },
  };
}

async function tensorflow(backend) {
  if (backend !== 'wasm') {
    if (!(await tf.setBackend(backend))) throw new Error(`TensorFlow.js has no backend ${backend} here`);
    return;
  }
  tf.wasm.setWasmPaths('/node_modules/@tensorflow/tfjs-backend-wasm/dist/');
  tf.wasm.setThreadsCount(2);
  // It takes half of the cores at most, whatever it is asked for: two threads if it sees four. Only while it starts,
  // because others size their pools by the same number: jax-js would have four workers on two cores.
  Object.defineProperty(navigator, 'hardwareConcurrency', {value: 4, configurable: true});
  try {
    if (!(await tf.setBackend(backend))) throw new Error(`TensorFlow.js has no backend ${backend} here`);
  } finally {
    delete navigator.hardwareConcurrency;
  }
}

/** A program beside the browser, which reads the cell's data itself and measures its own slices: native.mjs. */
export function native(name) {
  return {
    async create(cell) {
      this.about = (await window.native(name, {create: cell})).about;
      return {
        step: async (i) => (await window.native(name, {step: i})).loss,
        slice: async (ms) => (await window.native(name, {slice: ms})).ms,
        dispose() {},
      };
    },
  };
}

/** TensorFlow.js on a backend. before() comes before each slice of steps: it has one at a time. */
const tfjs = (backend) => ({
  before: () => tensorflow(backend),
  async create(...given) {
    await this.before();
    this.about = backend === 'wasm' ? `${tf.version.tfjs}, ${tf.wasm.getThreadsCount()} threads` : tf.version.tfjs;
    return layersModel(tf, ...given);
  },
});
/** A build of Fjord. */
const fjord = (url) => ({
  async create(...given) {
    const tf = await import(url);
    tf.wasm.setThreadsCount(2);
    await tf.ready();
    this.about = `${tf.wasm.getVariant()}, ${tf.wasm.getThreadsCount()} threads`;
    return layersModel(tf, ...given);
  },
});

const onCpu = {
  fjord: fjord('/fjord/fjord.js'),
  'tfjs wasm': {
    ...tfjs('wasm'),
    refuses: (cell) => (convolutional(cell) ? "its WebAssembly backend has no gradient of a convolution's filter" : ''),
  },
  'tfjs cpu': tfjs('cpu'),
  ConvNetJS: {create: async (...given) => convNet(...given)},
  'jax-js': {create: (...given) => jax('wasm', ...given)},
};

const onGpu = {
  fjord: {
    async create(...given) {
      const tf = await import('/fjord/fjord.js');
      await tf.setBackend('webgpu');
      const net = await layersModel(tf, ...given);
      return {...net, placement: () => net.model.placement()};
    },
  },
  'tfjs webgpu': tfjs('webgpu'),
  'tfjs webgl': tfjs('webgl'),
  'jax-js': {create: (...given) => jax('webgpu', ...given)},
  'tfjs cpu (reference)': tfjs('cpu'),
};

/** Two commits of Fjord: against.mjs. */
const bothCommits = {fjord: onCpu.fjord, against: fjord('/against/npm/fjord.js'), 'tfjs cpu (reference)': tfjs('cpu')};

/** What computes on the CPU, what on the GPU. A name that ends in (reference) is compared with, and not a peer. */
export const sets = {wasm: onCpu, webgpu: onGpu, against: bothCommits};
