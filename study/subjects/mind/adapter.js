// Mind, or rather our own implementation of it: mind.js. One step learns a batch as if it were all there is.
import {get} from '/harness/api.js';
import {denseOf} from '/harness/network.js';

const file = 'weights.json';
const names = {sigmoid: 'sigmoid', tanh: 'htan'};

/** A flat array as rows of this length. */
const rowsOf = (values, length) => Array.from({length: values.length / length}, (_, i) => Array.from(values.subarray(i * length, (i + 1) * length)));

/** As download() gives them. */
const weightsOf = (network) => ({weights: denseOf(network).weights.map(({kernel, bias}) => rowsOf(kernel, bias.length))});

function optionsOf(network) {
  const {sizes, hidden, rate} = denseOf(network);
  return {activator: names[hidden], hiddenLayers: sizes.length - 2, hiddenUnits: sizes[1], learningRate: rate, iterations: 1};
}

function facts({Mind, activators}) {
  // It has one layer, and no name for it.
  const layers = ['dense'];
  return {
    training: typeof Mind.prototype.learn === 'function',
    cnn: layers.some((name) => /conv/.test(name)),
    rnn: layers.some((name) => /rnn|lstm|gru/.test(name)),
    layers,
    activations: Object.keys(activators),
    optimizers: typeof Mind.prototype.back === 'function' ? ['sgd'] : [],
    save: typeof Mind.prototype.download === 'function',
    load: typeof Mind.prototype.upload === 'function',
  };
}

export const adapter = ({library}) => ({
  async info() {
    return {version: '1.0.1 (own implementation)', engine: 'JavaScript, float64', facts: () => facts(library)};
  },

  async build(network) {
    const mind = new library.Mind(optionsOf(network)).upload(weightsOf(network));
    const model = {mind, loss: NaN};
    mind.on('data', (_, error) => (model.loss = error));
    return model;
  },

  async load(url, network) {
    return {mind: new library.Mind(optionsOf(network)).upload(await get(url + file))};
  },

  async infer({mind}, x) {
    return mind.predict(Array.from(x));
  },

  /** The loss is the mean squared error of the batch before the update. */
  async train(model, {x, labels, oneHot}) {
    const outputs = rowsOf(oneHot, oneHot.length / labels.length);
    model.mind.learn(rowsOf(x, x.length / labels.length).map((input, i) => ({input, output: outputs[i]})));
    return model.loss;
  },

  async read(network) {
    const mind = new library.Mind(optionsOf(network)).upload(weightsOf(network));
    return {[file]: JSON.stringify(mind.download())};
  },

  async dispose() {},
});
