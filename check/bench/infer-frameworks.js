// One model in every framework, from the files that models.py made, for one sample at a time.
//
//   const model = await sets.wasm.Fjord.create(folder, cell);
//   const output = await model.run(x);        // x Float32Array, the output read back as Float32Array
//   model.dispose();
//
// cell: {name, shape [without the sample axis], convolutional, layers: Keras's list}. A framework that cannot run a cell has
// a reason: refuses(cell) gives it, or ''.
/* global tf, convnetjs */
import {asGraph, asKeras2} from './tfjs-models.js';

const get = async (url, as) => {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return response[as]();
};

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

/** Threads for whoever takes a number: infer.mjs says why there are two. */
const threads = 2;

/** What Fjord and TensorFlow.js have in common: from an array to an array. What a GPU computes is awaited. */
const predictor = (tf, model, shape, isGpu) => ({
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
    fj.wasm.setThreadsCount(threads);
    await fj.setBackend(backend);
    this.about = `${fj.wasm.getVariant()}, ${fj.wasm.getThreadsCount()} threads`;
    const made = predictor(fj, await fj.loadLayersModel(`${folder}/model.safetensors`), cell.shape, backend === 'webgpu');
    return backend === 'webgpu' ? {...made, placement: () => made.model.placement()} : made;
  },
});

async function tensorflow(backend) {
  if (backend !== 'wasm') {
    if (!(await tf.setBackend(backend))) throw new Error(`TensorFlow.js has no backend ${backend} here`);
    return;
  }
  tf.wasm.setWasmPaths('/node_modules/@tensorflow/tfjs-backend-wasm/dist/');
  tf.wasm.setThreadsCount(threads);
  // It takes half of the cores at most, whatever it is asked for.
  Object.defineProperty(navigator, 'hardwareConcurrency', {value: 2 * threads, configurable: true});
  try {
    if (!(await tf.setBackend(backend))) throw new Error(`TensorFlow.js has no backend ${backend} here`);
  } finally {
    delete navigator.hardwareConcurrency;
  }
}

/** A layers model: each layer calls its ops, batch normalisation is one of them. */
async function layersModel(description, weights) {
  const model = await tf.models.modelFromJSON({modelTopology: asKeras2(description)});
  for (const layer of model.layers) {
    const tensors = layer.weights.map((w) => {
      const {values, shape} = weights.get(`${layer.name}/${w.originalName.split('/').pop()}`);
      return tf.tensor(values, shape);
    });
    layer.setWeights(tensors);
    tensors.forEach((t) => t.dispose());
  }
  return model;
}

/** A graph model, as TensorFlow.js's converter makes it: tfjs-models.js. */
const graphModel = (description, weights) => tf.loadGraphModel(tf.io.fromMemory(asGraph(description, weights)));

const tfjs = (backend, modelOf) => ({
  before: () => tensorflow(backend),
  refuses: (cell) => (backend === 'cpu' && cell.convolutional ? 'plain JavaScript: minutes an image' : ''),
  async create(folder, cell) {
    await this.before();
    this.about = tf.version.tfjs + (backend === 'wasm' ? `, ${tf.wasm.getThreadsCount()} threads` : '');
    const model = await modelOf(await get(`${folder}/model.json`, 'json'), await weightsOf(folder));
    return predictor(tf, model, cell.shape, backend.startsWith('webg'));
  },
});

const onnx = (provider) => ({
  async create(folder, cell) {
    const ort = await import(`/node_modules/onnxruntime-web/dist/ort.${provider}.min.mjs`);
    ort.env.wasm.numThreads = threads;
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

let litertLoading;

/** As many threads as it is told; the small networks of the grid have hardly work for two. */
const litert = (numThreads) => ({
  refuses: (cell) => (numThreads === 1 && cell.convolutional ? 'has work enough for two threads' : ''),
  async create(folder, cell) {
    const lite = await import('/node_modules/@litertjs/core/dist/index.js');
    // Its threaded build with relaxed SIMD; without the word it has one thread.
    await (litertLoading ??= lite.loadLiteRt('/node_modules/@litertjs/core/wasm/', {threads: true}));
    const {version} = await get('/node_modules/@litertjs/core/package.json', 'json');
    this.about = `${version}, ${numThreads} thread${numThreads > 1 ? 's' : ''}`;
    const model = await lite.loadAndCompile(`${folder}/model.tflite`, {accelerator: 'wasm', cpuOptions: {numThreads}});
    return {
      async run(x) {
        const input = new lite.Tensor(x, [1, ...cell.shape]);
        const [y] = await model.run(input);
        const values = y.toTypedArray();
        y.delete();
        input.delete();
        return values;
      },
      dispose: () => model.delete(),
    };
  },
});

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

const onCpu = {
  Fjord: fjord('wasm'),
  'ONNX Runtime': onnx('wasm'),
  [`LiteRT ${threads} threads`]: litert(threads),
  'LiteRT 1 thread': litert(1),
  'tfjs wasm graph': tfjs('wasm', graphModel),
  'tfjs wasm layers': tfjs('wasm', layersModel),
  'jax-js': jax,
  ConvNetJS: convnet,
  'tfjs cpu': tfjs('cpu', layersModel),
};
const onGpu = {
  Fjord: fjord('webgpu'),
  'ONNX Runtime': onnx('webgpu'),
  'tfjs webgpu graph': tfjs('webgpu', graphModel),
  'tfjs webgpu layers': tfjs('webgpu', layersModel),
  'tfjs webgl graph': tfjs('webgl', graphModel),
  'tfjs webgl layers': tfjs('webgl', layersModel),
};

/** Two commits of Fjord: against.mjs. */
const bothCommits = {Fjord: onCpu.Fjord, against: fjord('wasm', '/against/npm/fjord.js')};

/** What computes on the CPU, what on the GPU. */
export const sets = {wasm: onCpu, webgpu: onGpu, against: bothCommits};
