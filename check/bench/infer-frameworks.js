// One model in every framework, from the files that models.py made, for one sample at a time.
//
//   const model = await sets.wasm.Fjord.create(folder, cell);
//   const output = await model.run(x);        // x Float32Array, the output read back as Float32Array
//   model.dispose();
//
// cell: {name, shape [without the sample axis], convolutional, layers: Keras's list}. A framework that cannot run a cell has
// a reason: refuses(cell) gives it, or ''.
/* global tf, convnetjs */

const get = async (url, as) => {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return response[as]();
};

/** Keras 3's description as the Keras 2 that TensorFlow.js reads. */
function asKeras2(description) {
  const inbound = (node) => {
    const tensors = (v) => (Array.isArray(v) ? v.flatMap(tensors) : v?.class_name === '__keras_tensor__' ? [v.config.keras_history] : []);
    return node.args.flatMap(tensors).map(([layer, call, tensor]) => [layer, call, tensor, {}]);
  };
  const plain = (config) =>
    Object.fromEntries(
      Object.entries(config).flatMap(([key, value]) => {
        if (key === 'batch_shape') return [['batch_input_shape', value]];
        if (key === 'dtype') return [['dtype', 'float32']];
        // Keras 3 writes the axis as a number or, for batch normalisation, sometimes as a list of one.
        if (key === 'axis' && Array.isArray(value)) return [[key, value[0]]];
        return key === 'build_config' || value?.registered_name === undefined ? [[key, value]] : [[key, {class_name: value.class_name, config: value.config}]];
      }),
    );
  const layers = description.config.layers.map((layer) => ({
    class_name: layer.class_name,
    config: plain(layer.config),
    name: layer.config.name,
    inbound_nodes: (layer.inbound_nodes ?? []).map(inbound),
  }));
  const list = (ends) => (typeof ends?.[0] === 'string' ? [ends] : ends);
  const {config} = description;
  const sequential = description.class_name === 'Sequential';
  return {
    class_name: sequential ? 'Sequential' : 'Model',
    config: sequential
      ? {name: config.name, layers: layers.map(({class_name, config}) => ({class_name, config}))}
      : {name: config.name, layers, input_layers: list(config.input_layers), output_layers: list(config.output_layers)},
  };
}

/** The weights of a safetensors file by name: {shape, values}. */
async function weightsOf(folder) {
  const file = await get(`${folder}/model.safetensors`, 'arrayBuffer');
  const length = Number(new DataView(file).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(file, 8, length)));
  const start = 8 + length;
  delete header.__metadata__;
  return new Map(
    Object.entries(header).map(([name, {shape, data_offsets: [begin, end]}]) => [name, {shape, values: new Float32Array(file.slice(start + begin, start + end))}]),
  );
}

/** The kernel and bias of each dense layer, in order. */
async function denseWeights(folder, cell) {
  const weights = await weightsOf(folder);
  return cell.layers
    .filter((layer) => layer.class_name === 'Dense')
    .map(({config: {name}}) => {
      const {shape: [inputs, outputs], values: kernel} = weights.get(`${name}/kernel`);
      return {inputs, outputs, kernel, bias: weights.get(`${name}/bias`).values};
    });
}

/** What Fjord and TensorFlow.js have in common: from an array to an array. What a GPU computes is awaited. */
const layersModel = (tf, model, shape, isGpu) => ({
  model,
  async run(x) {
    const input = tf.tensor(x, [1, ...shape]);
    const y = model.predict(input);
    const values = isGpu ? await y.data() : y.dataSync();
    y.dispose();
    input.dispose();
    return values;
  },
  dispose: () => model.dispose(),
});

const fjord = (backend, url = '/fjord/fjord.js') => ({
  async create(folder, cell) {
    const fj = await import(url);
    fj.wasm.setThreadsCount(2);
    await fj.setBackend(backend);
    this.about = `${fj.wasm.getVariant()}, ${fj.wasm.getThreadsCount()} threads`;
    const made = layersModel(fj, await fj.loadLayersModel(`${folder}/model.safetensors`), cell.shape, backend === 'webgpu');
    return backend === 'webgpu' ? {...made, placement: () => made.model.placement()} : made;
  },
});

async function tensorflow(backend) {
  if (backend !== 'wasm') {
    if (!(await tf.setBackend(backend))) throw new Error(`TensorFlow.js has no backend ${backend} here`);
    return;
  }
  tf.wasm.setWasmPaths('/node_modules/@tensorflow/tfjs-backend-wasm/dist/');
  tf.wasm.setThreadsCount(2);
  // It takes half of the cores at most, whatever it is asked for: two threads if it sees four.
  Object.defineProperty(navigator, 'hardwareConcurrency', {value: 4, configurable: true});
  try {
    if (!(await tf.setBackend(backend))) throw new Error(`TensorFlow.js has no backend ${backend} here`);
  } finally {
    delete navigator.hardwareConcurrency;
  }
}

const tfjs = (backend) => ({
  before: () => tensorflow(backend),
  refuses: (cell) => (backend === 'cpu' && cell.convolutional ? 'plain JavaScript: minutes an image' : ''),
  async create(folder, cell) {
    await this.before();
    this.about = tf.version.tfjs + (backend === 'wasm' ? `, ${tf.wasm.getThreadsCount()} threads` : '');
    const weights = await weightsOf(folder);
    const description = await get(`${folder}/model.json`, 'json');
    const model = await tf.models.modelFromJSON({modelTopology: asKeras2(description)});
    for (const layer of model.layers) {
      const tensors = layer.weights.map((w) => {
        const {values, shape} = weights.get(`${layer.name}/${w.originalName.split('/').pop()}`);
        return tf.tensor(values, shape);
      });
      layer.setWeights(tensors);
      tensors.forEach((t) => t.dispose());
    }
    return layersModel(tf, model, cell.shape, backend.startsWith('webg'));
  },
});

const onnx = (provider) => ({
  async create(folder, cell) {
    const ort = await import(`/node_modules/onnxruntime-web/dist/ort.${provider}.min.mjs`);
    ort.env.wasm.numThreads = 2;
    ort.env.wasm.wasmPaths = '/node_modules/onnxruntime-web/dist/';
    this.about = `${ort.env.versions.web}, ${ort.env.wasm.numThreads} threads`;
    const session = await ort.InferenceSession.create(`${folder}/model.onnx`, {executionProviders: [provider], graphOptimizationLevel: 'all'});
    const [input] = session.inputNames;
    const [output] = session.outputNames;
    return {
      run: async (x) => (await session.run({[input]: new ort.Tensor('float32', x, [1, ...cell.shape])}))[output].data,
      dispose: () => session.release(),
    };
  },
});

const litert = {
  async create(folder, cell) {
    const lite = await import('/node_modules/@litertjs/core/dist/index.js');
    // With threads, since the page is isolated; their number is the runtime's choice.
    await (this.loading ??= lite.loadLiteRt('/node_modules/@litertjs/core/wasm/', {threads: true}));
    this.about = 'threads of its own choice';
    const model = await lite.loadAndCompile(`${folder}/model.tflite`, {accelerator: 'wasm'});
    return {
      async run(x) {
        const input = new lite.Tensor(x, [1, ...cell.shape]);
        const [y] = await model.run(input);
        const values = y.toTypedArray().slice();
        y.delete();
        input.delete();
        return values;
      },
      dispose: () => model.delete(),
    };
  },
};

const convnet = {
  refuses: (cell) => (cell.convolutional ? 'no batch normalisation, no branches' : ''),
  async create(folder, cell) {
    const weights = await denseWeights(folder, cell);
    const net = new convnetjs.Net();
    net.makeLayers([
      {type: 'input', out_sx: 1, out_sy: 1, out_depth: cell.shape[0]},
      ...weights.slice(0, -1).map((w) => ({type: 'fc', num_neurons: w.outputs, activation: 'relu'})),
      {type: 'softmax', num_classes: weights.at(-1).outputs},
    ]);
    net.layers
      .filter((layer) => layer.layer_type === 'fc')
      .forEach((layer, i) => {
        layer.filters.forEach((filter, o) => {
          for (let k = 0; k < weights[i].inputs; ++k) filter.w[k] = weights[i].kernel[k * weights[i].outputs + o];
        });
        layer.biases.w.set(weights[i].bias);
      });
    const volume = new convnetjs.Vol(1, 1, cell.shape[0], 0);
    return {
      run(x) {
        volume.w.set(x);
        return net.forward(volume).w;
      },
      dispose() {},
    };
  },
};

const jax = {
  refuses: (cell) => (cell.convolutional ? 'has no reader of such models' : ''),
  async create(folder, cell) {
    const {defaultDevice, init, jit, nn, numpy: np, tree} = await import('/node_modules/@jax-js/jax/dist/index.js');
    await init('wasm');
    defaultDevice('wasm');
    const weights = await denseWeights(folder, cell);
    const params = weights.map((w) => ({w: np.array(w.kernel).reshape([w.inputs, w.outputs]), b: np.array(w.bias)}));
    const forward = jit((params, x) => {
      let h = x;
      params.forEach(({w, b}, i) => {
        h = np.dot(h, w).add(b);
        if (i + 1 < params.length) h = nn.relu(h);
      });
      return nn.softmax(h);
    });
    return {
      run: (x) => forward(tree.ref(params), np.array(x).reshape([1, cell.shape[0]])).data(),
      dispose: () => tree.dispose(params),
    };
  },
};

const onCpu = {Fjord: fjord('wasm'), 'ONNX Runtime': onnx('wasm'), LiteRT: litert, 'tfjs wasm': tfjs('wasm'), 'jax-js': jax, ConvNetJS: convnet, 'tfjs cpu': tfjs('cpu')};
const onGpu = {Fjord: fjord('webgpu'), 'ONNX Runtime': onnx('webgpu'), 'tfjs webgpu': tfjs('webgpu'), 'tfjs webgl': tfjs('webgl')};

/** Two commits of Fjord: against.mjs. */
const bothCommits = {Fjord: onCpu.Fjord, against: fjord('wasm', '/against/npm/fjord.js')};

/** What computes on the CPU, what on the GPU. */
export const sets = {wasm: onCpu, webgpu: onGpu, against: bothCommits};
