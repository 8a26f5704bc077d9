// One network in every framework: dense layers with ReLU, softmax and cross-entropy, plain gradient descent on the mean
// loss of a batch. All get the same weights, so all should report the same losses.
//
//   const net = await frameworks.fjord.create(cell, weights, batches);
//   const loss = await net.step(i);           // trains on batches[i]; the mean loss before the update
//   net.dispose();
//
// cell: {layers, width, inputs, classes, batch, rate}; weights: [{kernel [in,out], bias [out], inputs, outputs}];
// batches: [{x [batch,inputs], labels [batch], oneHot [batch,classes]}], all Float32Array but for the labels.
/* global tf, convnetjs */

/** Fjord and TensorFlow.js: the same program. */
async function layersModel(tf, cell, weights, batches) {
  const layers = weights.map(({inputs, outputs}, i) =>
    tf.layers.dense({units: outputs, activation: i + 1 < weights.length ? 'relu' : 'softmax', ...(i ? {} : {inputShape: [inputs]})}),
  );
  const model = tf.sequential({layers});
  model.compile({optimizer: tf.train.sgd(cell.rate), loss: 'categoricalCrossentropy'});
  const values = weights.flatMap((w) => [tf.tensor2d(w.kernel, [w.inputs, w.outputs]), tf.tensor1d(w.bias)]);
  model.setWeights(values);
  values.forEach((t) => t.dispose());
  const data = batches.map((b) => [tf.tensor2d(b.x, [cell.batch, cell.inputs]), tf.tensor2d(b.oneHot, [cell.batch, cell.classes])]);
  return {
    step: (i) => model.trainOnBatch(...data[i]),
    dispose() {
      data.flat().forEach((t) => t.dispose());
      model.dispose();
    },
  };
}

/** Samples one by one; the weights change after each batch, by the mean of its gradients. Double precision. */
function convNet(cell, weights, batches) {
  const net = new convnetjs.Net();
  net.makeLayers([
    {type: 'input', out_sx: 1, out_sy: 1, out_depth: cell.inputs},
    ...weights.slice(0, -1).map((w) => ({type: 'fc', num_neurons: w.outputs, activation: 'relu'})),
    {type: 'softmax', num_classes: cell.classes},
  ]);
  const dense = net.layers.filter((layer) => layer.layer_type === 'fc');
  weights.forEach((w, i) => {
    dense[i].filters.forEach((filter, o) => {
      for (let k = 0; k < w.inputs; ++k) filter.w[k] = w.kernel[k * w.outputs + o];
    });
    dense[i].biases.w.set(w.bias);
  });
  const trainer = new convnetjs.Trainer(net, {method: 'sgd', learning_rate: cell.rate, momentum: 0, l2_decay: 0, batch_size: cell.batch});
  const volumes = batches.map(({x}) =>
    Array.from({length: cell.batch}, (_, i) => {
      const volume = new convnetjs.Vol(1, 1, cell.inputs, 0);
      volume.w.set(x.subarray(i * cell.inputs, (i + 1) * cell.inputs));
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

/** One compiled function from weights to weights. Arguments are consumed: `.ref` keeps one for later. */
async function jax(cell, weights, batches) {
  const {defaultDevice, init, jit, nn, numpy: np, tree, valueAndGrad} = await import('/node_modules/@jax-js/jax/dist/index.js');
  await init('wasm');
  defaultDevice('wasm');
  const loss = (params, x, y) => {
    let h = x;
    params.forEach(({w, b}, i) => {
      h = np.dot(h, w).add(b);
      if (i + 1 < params.length) h = nn.relu(h);
    });
    return nn.logSoftmax(h).mul(y).sum().mul(-1 / cell.batch);
  };
  const update = jit((params, x, y) => {
    const [value, grads] = valueAndGrad(loss)(tree.ref(params), x, y);
    return [value, tree.map((p, g) => p.sub(g.mul(cell.rate)), params, grads)];
  });
  let params = weights.map((w) => ({w: np.array(w.kernel).reshape([w.inputs, w.outputs]), b: np.array(w.bias)}));
  const data = batches.map((b) => [np.array(b.x).reshape([cell.batch, cell.inputs]), np.array(b.oneHot).reshape([cell.batch, cell.classes])]);
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

/** A program beside the browser, which measures its own slices: native.mjs. */
export function native(name) {
  return {
    async create(cell, weights, batches) {
      const arrays = [...weights.flatMap((w) => [w.kernel, w.bias]), ...batches.map((b) => b.x), ...batches.map((b) => b.oneHot)];
      const url = await new Promise((resolve) => {
        const reader = new FileReader();
        reader.onload = () => resolve(reader.result);
        reader.readAsDataURL(new Blob(arrays));
      });
      this.about = (await window.native(name, {create: cell, data: url.slice(url.indexOf(',') + 1)})).about;
      return {
        step: async (i) => (await window.native(name, {step: i})).loss,
        slice: async (ms) => (await window.native(name, {slice: ms})).ms,
        dispose() {},
      };
    },
  };
}

/** before() comes before each slice of steps: TensorFlow.js has one backend at a time. */
export const frameworks = {
  fjord: {
    async create(...given) {
      const fjord = await import('/fjord/fjord.js');
      fjord.wasm.setThreadsCount(2);
      await fjord.ready();
      this.about = `${fjord.wasm.getVariant()}, ${fjord.wasm.getThreadsCount()} threads`;
      return layersModel(fjord, ...given);
    },
  },
  'tfjs wasm': {
    before: () => tensorflow('wasm'),
    async create(...given) {
      await this.before();
      this.about = `${tf.version.tfjs}, ${tf.wasm.getThreadsCount()} threads`;
      return layersModel(tf, ...given);
    },
  },
  'tfjs cpu': {
    before: () => tensorflow('cpu'),
    async create(...given) {
      await this.before();
      this.about = tf.version.tfjs;
      return layersModel(tf, ...given);
    },
  },
  ConvNetJS: {create: async (...given) => convNet(...given)},
  'jax-js': {create: jax},
};
