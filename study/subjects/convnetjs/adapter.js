// ConvNetJS: volumes of float64, one sample at a time; its trainer adds the gradients of a batch and divides them by its size.
/* global convnetjs */
import {get} from '/harness/api.js';

const file = 'network.json';

/** A network with these weights. Each unit has a filter of its own: a column of our kernel. */
function networkOf({sizes, hidden, output, weights}) {
  const net = new convnetjs.Net();
  net.makeLayers([
    {type: 'input', out_sx: 1, out_sy: 1, out_depth: sizes[0]},
    ...sizes.slice(1, -1).map((units) => ({type: 'fc', num_neurons: units, activation: hidden})),
    {type: output, num_classes: sizes.at(-1)},
  ]);
  const dense = net.layers.filter((layer) => layer.filters);
  weights.forEach(({kernel, bias}, i) => {
    dense[i].filters.forEach(({w}, unit, all) => {
      for (let k = 0; k < w.length; ++k) w[k] = kernel[k * all.length + unit];
    });
    dense[i].biases.w.set(bias);
  });
  return net;
}

function volumeOf(x) {
  const volume = new convnetjs.Vol(1, 1, x.length, 0);
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
    return {net, trainer: new convnetjs.Trainer(net, options)};
  },

  async load(url) {
    const net = new convnetjs.Net();
    net.fromJSON(await get(url + file));
    return {net};
  },

  async infer({net}, x) {
    return net.forward(volumeOf(x)).w;
  },

  async train({trainer}, {x, labels}) {
    const length = x.length / labels.length;
    let loss = 0;
    labels.forEach((label, i) => (loss += trainer.train(volumeOf(x.subarray(i * length, (i + 1) * length)), label).cost_loss));
    return loss / labels.length;
  },

  async read(network) {
    return {[file]: JSON.stringify(networkOf(network).toJSON())};
  },

  async dispose() {},
});
