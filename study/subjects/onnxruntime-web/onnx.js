// Writes ONNX models: a graph of operators in order, as protocol buffers.
//
//   const bytes = writeModel(protobuf, {
//     inputs: {x: [1, 784]}, outputs: {y: [1, 10]},
//     tensors: {w: {shape: [784, 10], values: Float32Array}},
//     nodes: [{op: 'MatMul', inputs: ['x', 'w'], outputs: ['y']}],
//   });
//
// `protobuf` is npm's protobufjs. Numbers of fields: onnx/onnx.proto of the ONNX project, of which this is the part used here.

const kFloat = 1;
const kInt64 = 7;
const kInts = 7;
const kInt = 2;
// Opset 17 has every operator used here, LayerNormalization being the youngest; it came with version 8 of the format.
const kOpset = 17;
const kFormat = 8;

const field = ([name, [id, type, rule]]) => [name, {id, type, ...(rule && {rule})}];
const message = (fields) => ({fields: Object.fromEntries(Object.entries(fields).map(field))});
const kSchema = {
  nested: {
    Model: message({irVersion: [1, 'int64'], producerName: [2, 'string'], graph: [7, 'Graph'], opsetImport: [8, 'Opset', 'repeated']}),
    Opset: message({domain: [1, 'string'], version: [2, 'int64']}),
    Graph: message({
      node: [1, 'Node', 'repeated'],
      name: [2, 'string'],
      initializer: [5, 'Tensor', 'repeated'],
      input: [11, 'Value', 'repeated'],
      output: [12, 'Value', 'repeated'],
    }),
    Node: message({
      input: [1, 'string', 'repeated'],
      output: [2, 'string', 'repeated'],
      name: [3, 'string'],
      opType: [4, 'string'],
      attribute: [5, 'Attribute', 'repeated'],
    }),
    Attribute: message({name: [1, 'string'], i: [3, 'int64'], ints: [8, 'int64', 'repeated'], type: [20, 'int32']}),
    Tensor: message({dims: [1, 'int64', 'repeated'], dataType: [2, 'int32'], name: [8, 'string'], rawData: [9, 'bytes']}),
    Value: message({name: [1, 'string'], type: [2, 'Type']}),
    Type: message({tensorType: [1, 'TensorType']}),
    TensorType: message({elemType: [1, 'int32'], shape: [2, 'Shape']}),
    Shape: message({dim: [1, 'Dimension', 'repeated']}),
    Dimension: message({dimValue: [1, 'int64'], dimParam: [2, 'string']}),
  },
};

/** A shape's entries are numbers; null is an axis whose length is not told. */
const value = ([name, shape]) => ({
  name,
  type: {tensorType: {elemType: kFloat, shape: {dim: shape.map((length, i) => (length === null ? {dimParam: `d${i}`} : {dimValue: length}))}}},
});
const attribute = ([name, given]) => (Array.isArray(given) ? {name, ints: given, type: kInts} : {name, i: given, type: kInt});

export function writeModel(protobuf, {inputs, outputs, tensors = {}, nodes}) {
  const Model = protobuf.Root.fromJSON(kSchema).lookupType('Model');
  const initializer = Object.entries(tensors).map(([name, {shape, values}]) => ({
    name,
    dims: shape,
    dataType: values instanceof BigInt64Array ? kInt64 : kFloat,
    rawData: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
  }));
  const node = nodes.map(({op, inputs: input, outputs: output, attributes = {}}, i) => ({
    name: `${op}_${i}`,
    opType: op,
    input,
    output,
    attribute: Object.entries(attributes).map(attribute),
  }));
  const graph = {name: 'network', node, initializer, input: Object.entries(inputs).map(value), output: Object.entries(outputs).map(value)};
  return Model.encode(Model.fromObject({irVersion: kFormat, producerName: 'fjord-study', opsetImport: [{domain: '', version: kOpset}], graph})).finish();
}

const kActivations = {relu: 'Relu', sigmoid: 'Sigmoid', tanh: 'Tanh', softmax: 'Softmax'};

/** The gates of an LSTM, i, f, c, o in a row [in,4*units], as i, o, f, c in rows [4*units,in]. */
function gatesOf(values, units) {
  const inputs = values.length / (4 * units);
  const out = new Float32Array(values.length);
  [0, 3, 1, 2].forEach((from, to) => {
    for (let k = 0; k < units; ++k) for (let i = 0; i < inputs; ++i) out[(to * units + k) * inputs + i] = values[(4 * i + from) * units + k];
  });
  return out;
}

/** [height,width,in,out] as [out,in,height,width] */
function turned(values, [height, width, inputs, outputs]) {
  const out = new Float32Array(values.length);
  const taps = height * width;
  for (let tap = 0; tap < taps; ++tap)
    for (let i = 0; i < inputs; ++i)
      for (let o = 0; o < outputs; ++o) out[(o * inputs + i) * taps + tap] = values[(tap * inputs + i) * outputs + o];
  return out;
}

/**
 * A network as the lab has it: x [1,..input] -> y. ONNX's images are [C,H,W], so they are turned at the beginning and before they
 * are flattened; its sequences are [steps,1,values], and an LSTM gives [steps,directions,1,units], or [directions,1,units] of the last.
 */
export function networkModel(protobuf, {input, layers}) {
  const tensors = {};
  const nodes = [];
  let at = 'x';
  let sides = input.slice(0, 2);
  const add = (op, inputs, attributes) => {
    const to = `h${nodes.length}`;
    nodes.push({op, inputs: [at, ...inputs], outputs: [to], attributes});
    at = to;
  };
  const weighted = (op, kernel, values, {bias}, attributes) => {
    const [w, b] = [`kernel${nodes.length}`, `bias${nodes.length}`];
    tensors[w] = {shape: kernel, values};
    tensors[b] = {shape: [bias.length], values: bias};
    add(op, [w, b], attributes);
  };
  const make = {
    dense: ({kernel, weights}) => weighted('Gemm', kernel, weights.kernel, weights),
    conv2d({kernel, padding, weights}) {
      const [height, width, inputs, outputs] = kernel;
      const [top, left] = padding === 'same' ? [(height - 1) >> 1, (width - 1) >> 1] : [0, 0];
      const pads = padding === 'same' ? [top, left, height - 1 - top, width - 1 - left] : [0, 0, 0, 0];
      sides = sides.map((side, i) => (padding === 'same' ? side : side - kernel[i] + 1));
      weighted('Conv', [outputs, inputs, height, width], turned(weights.kernel, kernel), weights, {kernel_shape: [height, width], pads});
    },
    maxPool({size, padding}) {
      const after = sides.map((side) => (padding === 'same' ? Math.ceil(side / size) : Math.floor(side / size)));
      const missing = sides.map((side, i) => Math.max(0, after[i] * size - side));
      const before = missing.map((count) => count >> 1);
      const pads = [...before, ...missing.map((count, i) => count - before[i])];
      sides = after;
      add('MaxPool', [], {kernel_shape: [size, size], strides: [size, size], pads: padding === 'same' ? pads : [0, 0, 0, 0]});
    },
    lstm({kernel, recurrent, sequences, weights}) {
      const [inputs, units] = [kernel[0], recurrent[0]];
      const names = ['kernel', 'recurrent', 'bias', 'axis'].map((name) => `${name}${nodes.length}`);
      // The second half of its biases is added with what is recurrent.
      const bias = new Float32Array(8 * units);
      bias.set(gatesOf(weights.bias, units));
      const values = [gatesOf(weights.kernel, units), gatesOf(weights.recurrent, units), bias, BigInt64Array.of(sequences ? 1n : 0n)];
      const shapes = [[1, 4 * units, inputs], [1, 4 * units, units], [1, 8 * units], [1]];
      names.forEach((name, i) => (tensors[name] = {shape: shapes[i], values: values[i]}));
      add('LSTM', names.slice(0, 3), {hidden_size: units});
      if (!sequences) nodes.at(-1).outputs.unshift('');
      add('Squeeze', [names[3]]);
    },
    flatten() {
      add('Transpose', [], {perm: [0, 2, 3, 1]});
      add('Flatten', [], {axis: 1});
    },
  };
  if (input.length === 3) add('Transpose', [], {perm: [0, 3, 1, 2]});
  if (input.length === 2) add('Transpose', [], {perm: [1, 0, 2]});
  for (const layer of layers) {
    make[layer.type](layer);
    if (layer.activation) add(kActivations[layer.activation], []);
  }
  nodes.at(-1).outputs = ['y'];
  return writeModel(protobuf, {inputs: {x: [1, ...input]}, outputs: {y: [1, layers.at(-1).kernel[1]]}, tensors, nodes});
}
