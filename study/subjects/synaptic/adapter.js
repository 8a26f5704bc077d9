// synaptic: a graph of neurons, from which the first activation generates a program with one statement a connection. Online
// gradient descent on the cross-entropy of each output.
/* global synaptic */
import {get} from '/harness/api.js';
import {denseOf} from '/harness/network.js';

const file = 'network.json';
const squashes = {sigmoid: 'LOGISTIC', tanh: 'TANH', relu: 'RELU'};

/** The network as the library's toJSON writes it: all neurons, then all connections. It is what a Perceptron gives. */
function jsonOf(network) {
  const {sizes, hidden, output, weights} = denseOf(network);
  const last = sizes.length - 1;
  const layerOf = (i) => (i === 0 ? 'input' : i === last ? 'output' : i - 1);
  const neurons = sizes.flatMap((size, i) =>
    Array.from({length: size}, (_, unit) => ({
      trace: {elegibility: {}, extended: {}},
      state: 0,
      old: 0,
      activation: 0,
      bias: i === 0 ? 0 : weights[i - 1].bias[unit],
      layer: layerOf(i),
      squash: squashes[i === last ? output : hidden],
    })),
  );
  const connections = [];
  let first = 0;
  weights.forEach(({kernel, bias}, i) => {
    const next = first + sizes[i];
    kernel.forEach((weight, at) => {
      const unit = at % bias.length;
      connections.push({from: first + (at - unit) / bias.length, to: next + unit, weight, gater: null});
    });
    first = next;
  });
  return {neurons, connections};
}

/** Lets the page draw and answer. */
const pause = () =>
  new Promise((resolve) => {
    const {port1, port2} = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });

function facts() {
  const layers = Object.keys(synaptic).filter((name) => /Layer$/.test(name));
  const architectures = Object.keys(synaptic.Architect);
  return {
    training: typeof synaptic.Trainer === 'function',
    cnn: [...layers, ...architectures].some((name) => /Conv/.test(name)),
    rnn: architectures.includes('LSTM'),
    layers,
    architectures,
    activations: Object.keys(synaptic.Neuron.squash),
    // One rule for all neurons, and nothing to choose.
    optimizers: typeof synaptic.Neuron.prototype.propagate === 'function' ? ['sgd'] : [],
    losses: Object.keys(synaptic.Trainer.cost),
    save: typeof synaptic.Network.prototype.toJSON === 'function',
    load: typeof synaptic.Network.fromJSON === 'function',
  };
}

export const adapter = ({packages}) => ({
  async info() {
    const {version} = await get(`${packages}/synaptic/package.json`);
    return {version, engine: 'JavaScript that it generates, float64', facts};
  },

  async build(network) {
    const json = jsonOf(network);
    await pause();
    return {net: synaptic.Network.fromJSON(json), rate: network.rate};
  },

  async load(url) {
    const json = await get(url + file);
    await pause();
    return {net: synaptic.Network.fromJSON(json)};
  },

  async infer({net}, x) {
    return net.activate(x);
  },

  /** The loss is the cross-entropy, summed over the outputs, of each pattern before the update that it leads to. */
  async train({net, rate}, {x, labels, oneHot}) {
    const [inputs, outputs] = [x.length / labels.length, oneHot.length / labels.length];
    let loss = 0;
    let rested = performance.now();
    for (let i = 0; i < labels.length; ++i) {
      const target = oneHot.subarray(i * outputs, (i + 1) * outputs);
      const output = net.activate(x.subarray(i * inputs, (i + 1) * inputs));
      loss += synaptic.Trainer.cost.CROSS_ENTROPY(target, output);
      net.propagate(rate, target);
      // A batch may take many seconds.
      if (performance.now() - rested > 100) {
        await pause();
        rested = performance.now();
      }
    }
    return loss / labels.length;
  },

  async read(network) {
    return {[file]: JSON.stringify(synaptic.Network.fromJSON(jsonOf(network)).toJSON())};
  },

  async dispose() {},
});
