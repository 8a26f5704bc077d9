// Fjord, through its public API, which has TensorFlow.js's names. One file: model.safetensors.
import {counted} from '/harness/words.js';
import {layersModel} from '../tfjs/layers-model.js';

/** Its activations: what it lists when it is asked for one that it does not have. */
function activations(tf) {
  try {
    tf.layers.dense({units: 1, activation: 'none of these', inputShape: [1]});
    return [];
  } catch (error) {
    return error.message.match(/there are (.*)$/i)?.[1].split(', ') ?? [];
  }
}

function factsOf(tf) {
  // A layer has aliases (avgPool2d, ..), which are the same function; Layer and RNNCell are classes to extend, and input makes no layer.
  const names = Object.keys(tf.layers).filter((name) => !['Layer', 'RNNCell', 'input'].includes(name));
  const layers = names.filter((name, i) => names.findIndex((other) => tf.layers[other] === tf.layers[name]) === i);
  return {
    training: typeof tf.LayersModel.prototype.fit === 'function',
    cnn: names.includes('conv2d'),
    rnn: ['lstm', 'gru', 'simpleRNN'].some((name) => names.includes(name)),
    layers,
    activations: activations(tf),
    optimizers: Object.keys(tf.train),
    save: typeof tf.LayersModel.prototype.save === 'function',
    load: typeof tf.loadLayersModel === 'function',
  };
}

export const adapter = ({backend, library: tf}) => ({
  ...layersModel(() => tf),

  async info() {
    if (backend === 'wasm') tf.wasm.setThreadsCount(1);
    await tf.setBackend(backend === 'webgpu' ? 'webgpu' : 'wasm');
    await tf.ready();
    return {
      version: tf.version.fjord,
      engine: `${backend === 'webgpu' ? 'webgpu, and ' : ''}wasm ${tf.wasm.getVariant()}, ${counted(tf.wasm.getThreadsCount(), 'thread')}`,
      facts: () => factsOf(tf),
    };
  },

  load: async (url, {input}) => ({model: await tf.loadLayersModel(`${url}model.safetensors`), input}),

  async read(network) {
    const {model} = await this.build(network);
    let bytes;
    await model.save({saveFile: async (file) => (bytes = file)});
    return {'model.safetensors': bytes};
  },
});
