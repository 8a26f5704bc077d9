// Keras.js: runs networks of Keras 2 from one file, a Protocol Buffers message with Keras's description and the weights.
/* global KerasJS, protobuf */
import {get} from '/harness/api.js';
import {Unsupported} from '/harness/unsupported.js';

const file = 'model.bin';

/** The file's messages, as the library's own decoder reads them. */
const schema = {
  nested: {
    Weights: {
      fields: {
        layerName: {type: 'string', id: 1},
        weightName: {type: 'string', id: 2},
        shape: {rule: 'repeated', type: 'uint32', id: 3},
        type: {type: 'string', id: 4},
        data: {type: 'bytes', id: 5},
      },
    },
    Model: {
      fields: {
        id: {type: 'string', id: 1},
        name: {type: 'string', id: 2},
        kerasVersion: {type: 'string', id: 3},
        backend: {type: 'string', id: 4},
        modelConfig: {type: 'string', id: 5},
        modelWeights: {rule: 'repeated', type: 'Weights', id: 6},
      },
    },
  },
};

/** What Keras's `model.save` and the library's encoder.py would give for this network. */
function modelOf({input, layers}) {
  const images = {data_format: 'channels_last'};
  const make = {
    dense: ({kernel, activation}) => ['Dense', {units: kernel[1], activation, use_bias: true}],
    conv2d: ({kernel, padding, activation}) => [
      'Conv2D', {...images, filters: kernel[3], kernel_size: kernel.slice(0, 2), strides: [1, 1], dilation_rate: [1, 1], padding, activation, use_bias: true},
    ],
    maxPool: ({size, padding}) => ['MaxPooling2D', {...images, pool_size: [size, size], strides: [size, size], padding}],
    flatten: () => ['Flatten', {}],
  };
  const config = layers.map((layer, i) => {
    const [className, own] = make[layer.type](layer);
    return {class_name: className, config: {name: `${className.toLowerCase()}_${i + 1}`, ...own, ...(i === 0 && {batch_input_shape: [null, ...input]})}};
  });
  const bytes = ({buffer, byteOffset, byteLength}) => new Uint8Array(buffer, byteOffset, byteLength);
  const modelWeights = layers.flatMap(({kernel, weights}, i) => {
    if (!weights) return [];
    const layerName = config[i].config.name;
    return [
      {layerName, weightName: `${layerName}/kernel:0`, shape: kernel, type: 'float32', data: bytes(weights.kernel)},
      {layerName, weightName: `${layerName}/bias:0`, shape: kernel.slice(-1), type: 'float32', data: bytes(weights.bias)},
    ];
  });
  const modelConfig = JSON.stringify({class_name: 'Sequential', config});
  return {id: '1', name: 'network', kerasVersion: '2.1.2', backend: 'tensorflow', modelConfig, modelWeights};
}

function facts() {
  const layers = Object.keys(KerasJS.layers);
  return {
    training: ['train', 'fit'].some((name) => name in KerasJS.Model.prototype),
    cnn: layers.includes('Conv2D'),
    rnn: layers.includes('LSTM'),
    layers,
    activations: Object.keys(KerasJS.activations),
    optimizers: [],
    save: ['save', 'toJSON'].some((name) => name in KerasJS.Model.prototype),
    load: 'ready' in KerasJS.Model.prototype,
  };
}

export const adapter = ({backend, packages}) => ({
  async info() {
    const gpu = backend === 'webgl';
    // Without it the library computes on the CPU, and does not tell.
    if (gpu && !KerasJS.GPU_SUPPORT) throw new Unsupported('This browser has no WebGL 2');
    const {version} = await get(`${packages}/keras-js/package.json`);
    return {version, engine: gpu ? 'WebGL 2' : 'JavaScript, float32', facts};
  },

  async build() {
    throw new Unsupported('Keras.js only infers');
  },

  async load(url) {
    const model = new KerasJS.Model({filepath: url + file, gpu: backend === 'webgl'});
    await model.ready();
    return model;
  },

  async infer(model, x) {
    const {output} = await model.predict({input: x});
    // The next call may write into the same array.
    return output.slice();
  },

  async train() {
    throw new Unsupported('Keras.js only infers');
  },

  async read(network) {
    await import(`${packages}/protobufjs/dist/protobuf.min.js`);
    const Model = protobuf.Root.fromJSON(schema).lookupType('Model');
    return {[file]: Model.encode(Model.create(modelOf(network))).finish()};
  },

  async dispose(model) {
    model.cleanup();
  },
});
