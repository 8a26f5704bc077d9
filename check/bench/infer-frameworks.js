// One model in every framework, from the files that models.py made, for one sample at a time: subjects of the lab, and what their
// models are made from here.
//
//   const model = await sets.wasm.Fjord.create(folder, cell);
//   const output = await model.run(x);        // x Float32Array, the output read back as Float32Array
//   model.dispose();
//
// cell: {input: the shape of a sample, convolutional, layers: Keras's list}. A framework that cannot run a cell has a reason:
// refuses(cell) gives it, or ''.
/* global tf */
import {open} from './frameworks.js';
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

/** A dense network as adapters build it. */
async function denseNetwork(folder, {input, layers}) {
  const weights = await weightsOf(folder);
  const dense = layers.filter((layer) => layer.class_name === 'Dense');
  const made = dense.map(({config: {name, activation}}) => {
    const {shape: kernel, values} = weights.get(`${name}/kernel`);
    return {type: 'dense', kernel, activation, weights: {kernel: values, bias: weights.get(`${name}/bias`).values}};
  });
  return {input, layers: made, hidden: 'relu', output: 'softmax', bias: true, batch: 1, rate: 0};
}

/** A layers model of TensorFlow.js: each layer calls its ops, batch normalisation is one of them. */
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

/** A subject on a backend; `load` gives its adapter's model. */
const subject = (place, load, refuses = () => '') => ({
  refuses,
  async create(folder, cell, title) {
    const {adapter, about} = await open(title, place);
    this.about = about;
    this.before = adapter.activate;
    const model = await load(adapter, folder, cell);
    return {run: (x) => adapter.infer(model, x), dispose: () => adapter.dispose(model)};
  },
});
const fromFiles = (place, refuses) => subject(place, (adapter, folder, cell) => adapter.load(`${folder}/`, cell), refuses);
const built = (place, reason) => subject(place, async (adapter, folder, cell) => adapter.build(await denseNetwork(folder, cell)), (cell) => (cell.convolutional ? reason : ''));
const tfjs = (backend, modelOf) =>
  subject(
    `tfjs/${backend}`,
    async (_, folder, {input}) => ({model: await modelOf(await get(`${folder}/model.json`, 'json'), await weightsOf(folder)), input}),
    (cell) => (backend === 'cpu' && cell.convolutional ? 'plain JavaScript: minutes an image' : ''),
  );

const onCpu = {
  Fjord: fromFiles('fjord/wasm-threads'),
  'ONNX Runtime': fromFiles('onnxruntime-web/wasm-threads'),
  'LiteRT 2 threads': fromFiles('litert/wasm'),
  'LiteRT 1 thread': fromFiles('litert/wasm-1-thread', (cell) => (cell.convolutional ? 'has work enough for two threads' : '')),
  'tfjs wasm graph': tfjs('wasm-threads', graphModel),
  'tfjs wasm layers': tfjs('wasm-threads', layersModel),
  'jax-js': built('jax-js/wasm', 'has no reader of such models'),
  ConvNetJS: built('convnetjs/cpu', 'no batch normalisation, no branches'),
  'tfjs cpu': tfjs('cpu', layersModel),
};
const onGpu = {
  Fjord: fromFiles('fjord/webgpu'),
  'ONNX Runtime': fromFiles('onnxruntime-web/webgpu'),
  'tfjs webgpu graph': tfjs('webgpu', graphModel),
  'tfjs webgpu layers': tfjs('webgpu', layersModel),
  'tfjs webgl graph': tfjs('webgl', graphModel),
  'tfjs webgl layers': tfjs('webgl', layersModel),
};

/** Two commits of Fjord: against.mjs. */
const bothCommits = {Fjord: fromFiles('fjord/wasm-threads'), against: fromFiles('fjord/wasm-threads')};

/** What computes on the CPU, what on the GPU. */
export const sets = {wasm: onCpu, webgpu: onGpu, against: bothCommits};
