// TensorFlow.js: its layers API, as its documentation has it. Files: model.json and weights.bin.
/* global tf */
import {layersModel} from './layers-model.js';
import {Unsupported} from '/harness/unsupported.js';
import {counted} from '/harness/words.js';

/** Names of what is registered for being read from model.json, of one kind. */
const registered = (kind) =>
  Object.entries(tf.serialization.SerializationMap.getMap().classNameMap)
    .filter(([, [made]]) => made.prototype instanceof kind)
    .map(([name]) => name);

function facts() {
  // tf.layers has classes and aliases (avgPool1d, ..) beside what makes layers, whose names are those of their classes.
  const classes = new Set(registered(tf.layers.Layer).map((name) => name.toLowerCase()));
  const layers = Object.keys(tf.layers).filter((name) => /^[a-z]/.test(name) && classes.has(name.toLowerCase()));
  // The activations' common base is not exported: it is what relu's class is made from.
  const {classNameMap} = tf.serialization.SerializationMap.getMap();
  const activations = registered(Object.getPrototypeOf(classNameMap.relu[0]));
  return {
    training: typeof tf.LayersModel.prototype.fit === 'function',
    cnn: layers.includes('conv2d'),
    rnn: layers.includes('lstm'),
    layers,
    activations,
    optimizers: registered(tf.Optimizer),
    save: typeof tf.LayersModel.prototype.save === 'function',
    load: typeof tf.loadLayersModel === 'function',
  };
}

/** It takes half of the cores at most, whatever it is asked for: all of them if it sees twice as many. Only while it starts. */
async function onAllCores(start) {
  const cores = navigator.hardwareConcurrency;
  tf.wasm.setThreadsCount(cores);
  Object.defineProperty(navigator, 'hardwareConcurrency', {value: 2 * cores, configurable: true});
  try {
    await start();
  } finally {
    delete navigator.hardwareConcurrency;
  }
}

export const adapter = ({backend, packages}) => {
  const name = backend.replace(/-threads$/, '');
  /** It has one backend at a time. */
  const activate = async () => {
    if (!(await tf.setBackend(name))) throw new Unsupported(`TensorFlow.js cannot start its backend ${name} in this browser`);
  };
  return {
    ...layersModel(() => tf),
    activate,

    async info() {
      if (name === 'wasm') tf.wasm.setWasmPaths(`${packages}/@tensorflow/tfjs-backend-wasm/dist/`);
      await (backend === 'wasm-threads' ? onAllCores(activate) : activate());
      await tf.ready();
      const engine = name === 'wasm' ? `wasm, ${counted(tf.wasm.getThreadsCount(), 'thread')}` : name;
      return {version: tf.version.tfjs, engine, facts};
    },

    load: async (url, {input}) => ({model: await tf.loadLayersModel(`${url}model.json`), input}),

    async read(network) {
      const {model} = await this.build(network);
      let files;
      const handler = tf.io.withSaveHandler(async ({weightSpecs, weightData, ...description}) => {
        const weightsManifest = [{paths: ['weights.bin'], weights: weightSpecs}];
        files = {'model.json': JSON.stringify({...description, weightsManifest}), 'weights.bin': new Uint8Array(weightData)};
        return {modelArtifactsInfo: {dateSaved: new Date(), modelTopologyType: 'JSON'}};
      });
      await model.save(handler);
      return files;
    },
  };
};
