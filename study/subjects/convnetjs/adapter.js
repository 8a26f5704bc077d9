// ConvNetJS: volumes of float64, one sample at a time; its trainer adds the gradients of a batch and divides them by its size.
/* global convnetjs */
import {get} from '/harness/api.js';
import {Unsupported} from '/harness/unsupported.js';

const file = 'network.json';

/** A network with these weights. Each unit has a filter of its own: a column of our kernel. */
function networkOf({input, layers}) {
  const [height, width, depth] = imageOf(input);
  const make = {
    dense: ({kernel, activation}) => (activation === 'softmax' ? {type: 'softmax', num_classes: kernel[1]} : {type: 'fc', num_neurons: kernel[1], activation}),
    conv2d: ({kernel, padding, activation}) => ({
      type: 'conv', sx: kernel[0], pad: padding === 'same' ? (kernel[0] - 1) / 2 : 0, stride: 1, filters: kernel[3], activation,
    }),
    maxPool: ({size}) => ({type: 'pool', sx: size, stride: size}),
  };
  const net = new convnetjs.Net();
  // Its dense layers flatten by themselves, in the same order.
  const made = layers.filter(({type}) => type !== 'flatten').map((layer) => make[layer.type](layer));
  net.makeLayers([{type: 'input', out_sx: width, out_sy: height, out_depth: depth}, ...made]);
  const pools = layers.filter(({type}) => type === 'maxPool');
  net.layers
    .filter(({layer_type}) => layer_type === 'pool')
    .forEach(({in_sx}, i) => {
      if (pools[i].padding === 'same' && in_sx % pools[i].size) throw new Unsupported(`its pooling leaves out the last row of an image of ${in_sx}`);
    });
  const weighted = net.layers.filter((layer) => layer.filters);
  layers
    .filter(({weights}) => weights)
    .forEach(({weights: {kernel, bias}}, i) => {
      weighted[i].filters.forEach(({w}, unit, all) => {
        for (let k = 0; k < w.length; ++k) w[k] = kernel[k * all.length + unit];
      });
      weighted[i].biases.w.set(bias);
    });
  return net;
}

/** Values without an image are one pixel of many channels. */
const imageOf = (input) => (input.length === 3 ? input : [1, 1, input[0]]);

function volumeOf(x, input) {
  const [height, width, depth] = imageOf(input);
  const volume = new convnetjs.Vol(width, height, depth, 0);
  volume.w.set(x);
  return volume;
}

// ---- what the library has, found by trying: it ignores a name that it does not know

const activations = ['elu', 'gelu', 'leaky_relu', 'maxout', 'relu', 'selu', 'sigmoid', 'softplus', 'softsign', 'swish', 'tanh'];
const methods = ['sgd', 'momentum', 'nesterov', 'adagrad', 'adadelta', 'windowgrad', 'rmsprop', 'adam', 'adamax'];

function smallNet(activation) {
  const net = new convnetjs.Net();
  const hidden = {type: 'fc', num_neurons: 4, ...(activation && {activation})};
  net.makeLayers([{type: 'input', out_sx: 1, out_sy: 1, out_depth: 2}, hidden, {type: 'softmax', num_classes: 2}]);
  return net;
}

/** The weights after two steps from the same start. */
function afterSteps(start, method) {
  const net = new convnetjs.Net();
  net.fromJSON(start);
  const trainer = new convnetjs.Trainer(net, {method, momentum: 0, learning_rate: 0.1});
  for (let i = 0; i < 2; ++i) trainer.train(new convnetjs.Vol([1, -2]), 0);
  return JSON.stringify(net.toJSON());
}

function facts() {
  const layers = Object.keys(convnetjs).filter((name) => /.Layer$/.test(name));
  const start = smallNet().toJSON();
  const plain = afterSteps(start, 'unknown');
  return {
    training: typeof convnetjs.Trainer === 'function',
    cnn: layers.includes('ConvLayer'),
    rnn: layers.some((name) => /RNN|LSTM|GRU|Recurrent/.test(name)),
    layers,
    activations: activations.filter((name) => smallNet(name).layers.length > smallNet().layers.length),
    optimizers: methods.filter((name) => name === 'sgd' || afterSteps(start, name) !== plain),
    save: typeof convnetjs.Net.prototype.toJSON === 'function',
    load: typeof convnetjs.Net.prototype.fromJSON === 'function',
  };
}

export const adapter = ({packages}) => ({
  async info() {
    const {version} = await get(`${packages}/convnetjs/package.json`);
    return {version, engine: 'JavaScript, float64', facts};
  },

  async build(network) {
    const net = networkOf(network);
    const options = {method: 'sgd', learning_rate: network.rate, batch_size: network.batch, momentum: 0, l1_decay: 0, l2_decay: 0};
    return {net, input: network.input, trainer: new convnetjs.Trainer(net, options)};
  },

  async load(url, {input}) {
    const net = new convnetjs.Net();
    net.fromJSON(await get(url + file));
    return {net, input};
  },

  async infer({net, input}, x) {
    return net.forward(volumeOf(x, input)).w;
  },

  batch({input}, {x, labels}) {
    const length = x.length / labels.length;
    return Array.from(labels, (label, i) => ({volume: volumeOf(x.subarray(i * length, (i + 1) * length), input), label}));
  },

  async train({trainer}, batch) {
    trainer.batch_size = batch.length;
    let loss = 0;
    for (const {volume, label} of batch) loss += trainer.train(volume, label).cost_loss;
    return loss / batch.length;
  },

  async read(network) {
    return {[file]: JSON.stringify(networkOf(network).toJSON())};
  },

  async dispose() {},
});
