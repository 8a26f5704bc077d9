// brain.js: online gradient descent, one pattern after the other, on the squared error. One activation for all layers.
/* global brain */
import {get} from '/harness/api.js';
import {denseOf} from '/harness/network.js';

const file = 'network.json';

/** The network as the library's toJSON writes it: {layers: [{"0": {}, ..}, {"0": {bias, weights}, ..}, ..]}. */
function jsonOf(network) {
  const {sizes, hidden, rate, weights} = denseOf(network);
  const inputs = Object.fromEntries(Array.from({length: sizes[0]}, (_, k) => [k, {}]));
  const layers = weights.map(({kernel, bias}) => {
    const units = Array.from(bias, (b, unit) => {
      const column = new Float32Array(kernel.length / bias.length);
      for (let k = 0; k < column.length; ++k) column[k] = kernel[k * bias.length + unit];
      return {bias: b, weights: column};
    });
    return {...units};
  });
  // Its momentum may not be 0: the default, 0.1, stays.
  const trainOpts = {...brain.NeuralNetwork.trainDefaults, learningRate: rate};
  // With `false` for null it would write `true` when it is saved, and name its inputs and outputs when it is loaded.
  return {sizes: [...sizes], layers: [inputs, ...layers], outputLookup: null, inputLookup: null, activation: hidden, trainOpts};
}

const networkOf = (network) => new brain.NeuralNetwork({activation: network.hidden}).fromJSON(jsonOf(network));

// ---- what the library has: it refuses activations that it does not know, and ignores other optimizers

const activations = ['elu', 'gelu', 'leaky-relu', 'linear', 'relu', 'selu', 'sigmoid', 'softmax', 'softplus', 'softsign', 'swish', 'tanh'];
const praxes = ['adagrad', 'adadelta', 'adam', 'adamax', 'momentum', 'nesterov', 'rmsprop'];

function knows(activation) {
  try {
    new brain.NeuralNetwork().setActivation(activation);
    return true;
  } catch {
    return false;
  }
}

/** Another way of adjusting weights than all networks have: an own member of this one. */
function changes(praxis) {
  const net = new brain.NeuralNetwork({praxis, hiddenLayers: [2]});
  net.verifyIsInitialized([{input: [0, 1], output: [1]}]);
  return Object.hasOwn(net, 'adjustWeights');
}

function facts() {
  const kinds = {NeuralNetwork: brain.NeuralNetwork, ...brain.recurrent};
  const layers = Object.keys(kinds).filter((name) => typeof kinds[name].prototype.train === 'function');
  return {
    training: layers.includes('NeuralNetwork'),
    cnn: layers.some((name) => /Conv/.test(name)),
    rnn: layers.includes('RNN'),
    layers,
    activations: activations.filter(knows),
    optimizers: ['sgd', ...praxes.filter(changes)],
    save: typeof brain.NeuralNetwork.prototype.toJSON === 'function',
    load: typeof brain.NeuralNetwork.prototype.fromJSON === 'function',
  };
}

export const adapter = ({packages}) => ({
  async info() {
    const {version} = await get(`${packages}/brain.js/package.json`);
    return {version, engine: 'JavaScript, float32 weights', facts};
  },

  async build(network) {
    return networkOf(network);
  },

  async load(url) {
    return new brain.NeuralNetwork().fromJSON(await get(url + file));
  },

  async infer(net, x) {
    return net.run(x);
  },

  /** The loss is the mean squared error, of each pattern before the update that it leads to. */
  async train(net, {x, labels, oneHot}) {
    const [inputs, outputs] = [x.length / labels.length, oneHot.length / labels.length];
    let loss = 0;
    for (let i = 0; i < labels.length; ++i) {
      const input = x.subarray(i * inputs, (i + 1) * inputs);
      const output = oneHot.subarray(i * outputs, (i + 1) * outputs);
      loss += net.trainPattern({input, output}, true);
    }
    return loss / labels.length;
  },

  async read(network) {
    return {[file]: JSON.stringify(networkOf(network).toJSON())};
  },

  async dispose() {},
});
