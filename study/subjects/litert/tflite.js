// Writes .tflite models, TensorFlow Lite's flatbuffers: float32 tensors, and operators in order.
//
//   const bytes = writeModel(flatbuffers, {
//     tensors: [{name: 'x', shape: [1, 784]}, {name: 'w', shape: [10, 784], values: Float32Array}, ..],    // isState: it is kept
//     inputs: [0], outputs: [3],
//     operators: [{code: kOperators.FULLY_CONNECTED, inputs: [0, 1, 2], outputs: [3], options: fullyConnected(kFused.relu)}],
//   });
//
// `flatbuffers` is npm's package of that name. Numbers of fields, operators and options: TensorFlow Lite's schema.fbs, version 3.

export const kOperators = {
  AVERAGE_POOL_2D: 1, CONV_2D: 3, DEPTHWISE_CONV_2D: 4, FULLY_CONNECTED: 9, LOGISTIC: 14, MAX_POOL_2D: 17, RELU: 19, RELU_N1_TO_1: 20, RELU6: 21,
  RNN: 24, SOFTMAX: 25, TANH: 28, UNIDIRECTIONAL_SEQUENCE_RNN: 35, LOG_SOFTMAX: 50, PRELU: 54, LEAKY_RELU: 98, ELU: 111, HARD_SWISH: 117, GELU: 150,
};
/** Activations that an operator has within itself. */
export const kFused = {none: 0, relu: 1, tanh: 4};

// Options: the union's number, then [type of number, value] of each field, null for a field that is left out.
export const fullyConnected = (activation) => ({type: 8, fields: [['Int8', activation]]});
export const softmax = (beta = 1) => ({type: 9, fields: [['Float32', beta]]});
/** Of stride 1. Padding is 0 where the size stays, 1 where there is none. */
export const conv2d = (isSame = false, activation = kFused.none) => ({type: 1, fields: [['Int8', isSame ? 0 : 1], ['Int32', 1], ['Int32', 1], ['Int8', activation]]});
export const depthwiseConv2d = () => ({type: 2, fields: [['Int8', 1], ['Int32', 1], ['Int32', 1], ['Int32', 1]]});
export const rnn = () => ({type: 7, fields: [['Int8', kFused.tanh]]});
export const sequenceRnn = () => ({type: 31, fields: [['Int8', 0], ['Int8', kFused.tanh]]});
export const pool2d = (size, isSame = false, stride = 1) => ({type: 5, fields: [['Int8', isSame ? 0 : 1], ['Int32', stride], ['Int32', stride], ['Int32', size], ['Int32', size]]});

/** A table of entries [kind, value]: an offset, or a number of that type; null leaves a field out. Gives its offset. */
function table(builder, entries) {
  builder.startObject(entries.length);
  entries.forEach((entry, field) => {
    if (!entry) return;
    const [kind, value] = entry;
    // Always written, though it may be the default: what stands there can be read.
    if (kind === 'offset') builder.addFieldOffset(field, value, 0);
    else builder[`addField${kind}`](field, value, null);
  });
  return builder.endObject();
}

function vector(builder, offsets) {
  builder.startVector(4, offsets.length, 4);
  for (const offset of offsets.toReversed()) builder.addOffset(offset);
  return builder.endVector();
}

function integers(builder, values) {
  builder.startVector(4, values.length, 4);
  for (const value of values.toReversed()) builder.addInt32(value);
  return builder.endVector();
}

/** Bytes that lie at a multiple of 16, as the schema demands of a buffer. */
function bytes(builder, {buffer, byteOffset, byteLength}) {
  builder.startVector(1, byteLength, 16);
  builder.bb.setPosition((builder.space -= byteLength));
  builder.bb.bytes().set(new Uint8Array(buffer, byteOffset, byteLength), builder.space);
  return builder.endVector();
}

export function writeModel(flatbuffers, {tensors, inputs, outputs, operators}) {
  const roughly = tensors.reduce((sum, {values}) => sum + (values?.byteLength ?? 0) + 256, 4096);
  const b = new flatbuffers.Builder(roughly);
  // Buffer 0 is the empty one, by agreement.
  const kept = tensors.filter(({values}) => values);
  const buffers = [table(b, [null]), ...kept.map(({values}) => table(b, [['offset', bytes(b, values)]]))];
  const tensorTables = tensors.map((tensor) => {
    const [shape, name] = [integers(b, tensor.shape), b.createString(tensor.name)];
    const [float32, isState] = [0, tensor.isState ? 1 : 0];
    return table(b, [['offset', shape], ['Int8', float32], ['Int32', kept.indexOf(tensor) + 1], ['offset', name], null, ['Int8', isState]]);
  });
  const codes = [...new Set(operators.map(({code}) => code))];
  const operatorTables = operators.map(({code, inputs, outputs, options}) => {
    const [from, to] = [integers(b, inputs), integers(b, outputs)];
    const chosen = options ? [['Int8', options.type], ['offset', table(b, options.fields)]] : [];
    return table(b, [['Int32', codes.indexOf(code)], ['offset', from], ['offset', to], ...chosen]);
  });
  // The first field is of the time when codes had a byte: it holds the code, or 127 for a later one.
  const codeTables = codes.map((code) => table(b, [['Int8', Math.min(code, 127)], null, ['Int32', 1], ['Int32', code]]));
  const graph = [vector(b, tensorTables), integers(b, inputs), integers(b, outputs), vector(b, operatorTables), b.createString('main')];
  const graphs = vector(b, [table(b, graph.map((offset) => ['offset', offset]))]);
  const [codeVector, description, bufferVector] = [vector(b, codeTables), b.createString('fjord-study'), vector(b, buffers)];
  b.finish(table(b, [['Int32', 3], ['offset', codeVector], ['offset', graphs], ['offset', description], ['offset', bufferVector]]), 'TFL3');
  return b.asUint8Array();
}

/** [in,out] as [out,in] */
function transposed(kernel, inputs, outputs) {
  const turned = new Float32Array(kernel.length);
  for (let i = 0; i < inputs; ++i) for (let o = 0; o < outputs; ++o) turned[o * inputs + i] = kernel[i * outputs + o];
  return turned;
}

/** [height,width,in,out] as [out,height,width,in] */
const turned = (values, kernel) => transposed(values, values.length / kernel.at(-1), kernel.at(-1));

/** A network as the lab has it: x [1,..input] -> y; activations are inside of the operators, but for the softmax at the end. */
export function networkModel(flatbuffers, {input, layers}) {
  const tensors = [{name: 'x', shape: [1, ...input]}];
  const add = (tensor) => tensors.push(tensor) - 1;
  const operators = [];
  let at = 0;
  const apply = (code, inputs, shape, options) => {
    const to = add({name: `h${operators.length}`, shape: [1, ...shape]});
    operators.push({code, inputs: [at, ...inputs], outputs: [to], options});
    at = to;
  };
  const weighted = (shape, values, {bias}) => [
    add({name: `kernel${operators.length}`, shape, values}),
    add({name: `bias${operators.length}`, shape: [bias.length], values: bias}),
  ];
  const isSame = ({padding}) => padding === 'same';
  const sidesAfter = (layer, size, stride) =>
    tensors[at].shape.slice(1, 3).map((side) => (isSame(layer) ? Math.ceil(side / stride) : Math.floor((side - size) / stride) + 1));
  const make = {
    dense({kernel, activation, weights}) {
      const [inputs, outputs] = kernel;
      const tensorsOf = weighted([outputs, inputs], transposed(weights.kernel, inputs, outputs), weights);
      apply(kOperators.FULLY_CONNECTED, tensorsOf, [outputs], fullyConnected(kFused[activation] ?? kFused.none));
    },
    conv2d(layer) {
      const {kernel, activation, weights} = layer;
      const [height, width, inputs, outputs] = kernel;
      const tensorsOf = weighted([outputs, height, width, inputs], turned(weights.kernel, kernel), weights);
      apply(kOperators.CONV_2D, tensorsOf, [...sidesAfter(layer, height, 1), outputs], conv2d(isSame(layer), kFused[activation]));
    },
    maxPool(layer) {
      const channels = tensors[at].shape.at(-1);
      apply(kOperators.MAX_POOL_2D, [], [...sidesAfter(layer, layer.size, layer.size), channels], pool2d(layer.size, isSame(layer), layer.size));
    },
    // A dense layer takes the values of an image in their order.
    flatten() {},
  };
  for (const layer of layers) make[layer.type](layer);
  apply(kOperators.SOFTMAX, [], tensors[at].shape.slice(1), softmax());
  return writeModel(flatbuffers, {tensors, inputs: [0], outputs: [at], operators});
}
