// Which operators LiteRT.js has: it keeps no list for its users, so a model of a single operator is made for each that is
// asked about, and those that it compiles are its own.
import {conv2d, depthwiseConv2d, fullyConnected, kFused, kOperators, pool2d, rnn, sequenceRnn, softmax, writeModel} from './tflite.js';

// Of its schema's operators, those that are layers or activations in other frameworks: shapes of input, weights and state, output.
const kImage = [1, 4, 4, 2];
const kRecurrent = {weights: [[3, 2], [3, 3], [3]], state: [[1, 3]]};
const kLayers = {
  AVERAGE_POOL_2D: {from: kImage, to: [1, 3, 3, 2], options: pool2d(2)},
  CONV_2D: {from: kImage, weights: [[3, 2, 2, 2], [3]], to: [1, 3, 3, 3], options: conv2d()},
  DEPTHWISE_CONV_2D: {from: kImage, weights: [[1, 2, 2, 2], [2]], to: [1, 3, 3, 2], options: depthwiseConv2d()},
  FULLY_CONNECTED: {from: [1, 4], weights: [[3, 4], [3]], to: [1, 3], options: fullyConnected(kFused.none)},
  MAX_POOL_2D: {from: kImage, to: [1, 3, 3, 2], options: pool2d(2)},
  RNN: {from: [1, 2], ...kRecurrent, to: [1, 3], options: rnn()},
  UNIDIRECTIONAL_SEQUENCE_RNN: {from: [1, 4, 2], ...kRecurrent, to: [1, 4, 3], options: sequenceRnn()},
};
const kSame = {from: [1, 4], to: [1, 4]};
const kActivations = {
  ...Object.fromEntries(
    ['ELU', 'GELU', 'HARD_SWISH', 'LEAKY_RELU', 'LOGISTIC', 'LOG_SOFTMAX', 'RELU', 'RELU6', 'RELU_N1_TO_1', 'TANH'].map((name) => [name, kSame]),
  ),
  PRELU: {...kSame, weights: [[4]]},
  SOFTMAX: {...kSame, options: softmax()},
};

/** A model of one operator. */
function modelOf(flatbuffers, name, {from, weights = [], state = [], to, options}) {
  const tensors = [
    {shape: from},
    ...weights.map((shape) => ({shape, values: new Float32Array(shape.reduce((a, b) => a * b))})),
    ...state.map((shape) => ({shape, isState: true})),
    {shape: to},
  ].map((tensor, i) => ({name: `t${i}`, ...tensor}));
  const output = tensors.length - 1;
  const operators = [{code: kOperators[name], inputs: [...Array(output).keys()], outputs: [output], options}];
  return writeModel(flatbuffers, {tensors, inputs: [0], outputs: [output], operators});
}

export async function factsOf(lite, flatbuffers, accelerator) {
  const there = async (table) => {
    const names = [];
    for (const [name, operator] of Object.entries(table)) {
      try {
        (await lite.loadAndCompile(modelOf(flatbuffers, name, operator), {accelerator})).delete();
        names.push(name);
      } catch {
        // It has no such operator.
      }
    }
    return names;
  };
  const layers = await there(kLayers);
  return {
    training: false,
    cnn: layers.includes('CONV_2D'),
    rnn: layers.some((name) => name.endsWith('RNN')),
    layers,
    activations: await there(kActivations),
    optimizers: [],
    save: false,
    load: typeof lite.loadAndCompile === 'function',
  };
}
