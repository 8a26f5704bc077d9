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
    dataType: kFloat,
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

/** A dense network: Gemm and an activation for each layer. */
export function denseNetwork(protobuf, {sizes, hidden, output, weights}) {
  const ops = {relu: 'Relu', sigmoid: 'Sigmoid', tanh: 'Tanh', softmax: 'Softmax'};
  const tensors = {};
  const nodes = weights.flatMap(({kernel, bias}, i) => {
    tensors[`kernel${i}`] = {shape: [sizes[i], sizes[i + 1]], values: kernel};
    tensors[`bias${i}`] = {shape: [sizes[i + 1]], values: bias};
    const isLast = i + 1 === weights.length;
    return [
      {op: 'Gemm', inputs: [i ? `a${i}` : 'x', `kernel${i}`, `bias${i}`], outputs: [`z${i}`]},
      {op: ops[isLast ? output : hidden], inputs: [`z${i}`], outputs: [isLast ? 'y' : `a${i + 1}`]},
    ];
  });
  return writeModel(protobuf, {inputs: {x: [1, sizes[0]]}, outputs: {y: [1, sizes.at(-1)]}, tensors, nodes});
}
