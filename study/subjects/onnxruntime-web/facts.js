// Which operators ONNX Runtime Web has: it keeps no list for its users, so a model of a single operator is made for each
// that is asked about, and those that it makes a session of are its own.
import {writeModel} from './onnx.js';

// Of ONNX's operators, those that are layers or activations in other frameworks: [shapes of inputs, attributes].
const kImage = [1, 2, 4, 4];
const kSequence = [3, 1, 2];
const recurrent = (gates) => [[kSequence, [1, 2 * gates, 2], [1, 2 * gates, 2]], {hidden_size: 2}];
const kLayers = {
  AveragePool: [[kImage], {kernel_shape: [2, 2]}],
  BatchNormalization: [[kImage, [2], [2], [2], [2]]],
  Concat: [[kImage, kImage], {axis: 1}],
  Conv: [[kImage, [2, 2, 3, 3]]],
  ConvTranspose: [[kImage, [2, 2, 3, 3]]],
  Dropout: [[kImage]],
  Flatten: [[kImage]],
  GRU: recurrent(3),
  Gemm: [[[2, 2], [2, 2]]],
  GlobalAveragePool: [[kImage]],
  GlobalMaxPool: [[kImage]],
  InstanceNormalization: [[kImage, [2], [2]]],
  LRN: [[kImage], {size: 3}],
  LSTM: recurrent(4),
  LayerNormalization: [[kImage, [4]]],
  LpPool: [[kImage], {kernel_shape: [2, 2]}],
  MatMul: [[[2, 2], [2, 2]]],
  MaxPool: [[kImage], {kernel_shape: [2, 2]}],
  RNN: recurrent(1),
};
const kUnary = [
  'Celu', 'Elu', 'HardSigmoid', 'HardSwish', 'Hardmax', 'LeakyRelu', 'LogSoftmax', 'Relu', 'Selu', 'Sigmoid', 'Softmax', 'Softplus', 'Softsign',
  'Tanh', 'ThresholdedRelu',
];
const kActivations = {...Object.fromEntries(kUnary.map((op) => [op, [[[2, 2]]]])), PRelu: [[[2, 2], [2]]]};

async function isThere(ort, protobuf, provider, [op, [shapes, attributes]]) {
  const inputs = Object.fromEntries(shapes.map((shape, i) => [`x${i}`, shape]));
  // How many axes the output has does not matter to a session: all the lengths are left open, and the rank is the first input's
  // but for those that change it.
  const rank = {Flatten: 2, GRU: 4, LSTM: 4, RNN: 4}[op] ?? shapes[0].length;
  const model = writeModel(protobuf, {inputs, outputs: {y: Array(rank).fill(null)}, nodes: [{op, inputs: Object.keys(inputs), outputs: ['y'], attributes}]});
  try {
    await (await ort.InferenceSession.create(model, {executionProviders: [provider], logSeverityLevel: 4})).release();
    return true;
  } catch {
    return false;
  }
}

export async function factsOf(ort, protobuf, provider) {
  const there = async (table) => {
    const names = [];
    for (const entry of Object.entries(table)) if (await isThere(ort, protobuf, provider, entry)) names.push(entry[0]);
    return names;
  };
  const layers = await there(kLayers);
  return {
    training: ort.TrainingSession !== undefined,
    cnn: layers.includes('Conv'),
    rnn: layers.includes('LSTM'),
    layers,
    activations: await there(kActivations),
    optimizers: [],
    save: false,
    load: typeof ort.InferenceSession.create === 'function',
  };
}
