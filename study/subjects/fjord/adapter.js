// Fjord, through its public API, which has TensorFlow.js's names. One file: model.safetensors.
import {counted} from '/harness/words.js';
import {layersModel} from '../tfjs/layers-model.js';

/** Its activations: what it lists when it is asked for one that it does not have. */
function activations(tf) {
  const model = tf.sequential({layers: [tf.layers.dense({units: 1, activation: 'none of these', inputShape: [1]})]});
  try {
    model.getWeights();
    return [];
  } catch (error) {
    return error.message.match(/there are (.*)$/i)?.[1].split(', ') ?? [];
  } finally {
    model.dispose();
  }
}

function factsOf(tf) {
  // A layer has aliases (avgPool2d, ..), which make the same class; Layer is that of all, and input makes none.
  const names = Object.keys(tf.layers).filter((name) => !['Layer', 'input'].includes(name));
  const classes = names.map((name) => tf.layers[name]({}).getClassName());
  const layers = names.filter((_, i) => classes.indexOf(classes[i]) === i);
  return {
    training: typeof tf.LayersModel.prototype.fit === 'function',
    cnn: classes.includes('Conv2D'),
    rnn: classes.some((name) => ['LSTM', 'GRU', 'SimpleRNN'].includes(name)),
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
