// Keras 3's description of a network as the two kinds of models that TensorFlow.js runs.
//
//   tf.models.modelFromJSON({modelTopology: asKeras2(description)})       // a layers model; weights are set afterwards
//   tf.loadGraphModel(tf.io.fromMemory(asGraph(description, weights)))    // a graph model, as its converter makes one
//
// weights: Map from `layer/weight`, as in the safetensors file, to {shape, values Float32Array}.
//
// A graph model is a list of TensorFlow's nodes with constants. Its converter makes three changes that the times depend on, and so
// does asGraph: batch normalisation goes into the weights of the convolution before it; a bias and a ReLU behind a convolution or a
// product become a part of it (_FusedConv2D, FusedDepthwiseConv2dNative, _FusedMatMul); batch normalisation without a convolution
// before it (DenseNet's) becomes a multiplication and an addition.

/** Names of the tensors that one call of a layer reads: [layer, call, output]. */
function readBy(call) {
  const tensors = (v) => (Array.isArray(v) ? v.flatMap(tensors) : v?.class_name === '__keras_tensor__' ? [v.config.keras_history] : []);
  return call.args.flatMap(tensors);
}

const isSequential = (description) => description.class_name === 'Sequential';

/** Keras 3's description as the Keras 2 that TensorFlow.js reads. */
export function asKeras2(description) {
  const plain = (config) =>
    Object.fromEntries(
      Object.entries(config).flatMap(([key, value]) => {
        if (key === 'batch_shape') return [['batch_input_shape', value]];
        if (key === 'dtype') return [['dtype', 'float32']];
        // Keras 3 writes the axis as a number or, for batch normalisation, sometimes as a list of one.
        if (key === 'axis' && Array.isArray(value)) return [[key, value[0]]];
        return key === 'build_config' || value?.registered_name === undefined ? [[key, value]] : [[key, {class_name: value.class_name, config: value.config}]];
      }),
    );
  const layers = description.config.layers.map((layer) => ({
    class_name: layer.class_name,
    config: plain(layer.config),
    name: layer.config.name,
    inbound_nodes: (layer.inbound_nodes ?? []).map((call) => readBy(call).map((tensor) => [...tensor, {}])),
  }));
  const list = (ends) => (typeof ends?.[0] === 'string' ? [ends] : ends);
  const {config} = description;
  const sequential = isSequential(description);
  return {
    class_name: sequential ? 'Sequential' : 'Model',
    config: sequential
      ? {name: config.name, layers: layers.map(({class_name, config}) => ({class_name, config}))}
      : {name: config.name, layers, input_layers: list(config.input_layers), output_layers: list(config.output_layers)},
  };
}

// Attributes as protocol buffers are written in JSON: text in base64.
const text = (s) => ({s: btoa(s)});
const texts = (list) => ({list: {s: list.map((s) => btoa(s))}});
const integers = (list) => ({list: {i: list}});
const float = {type: 'DT_FLOAT'};

/** The nodes so far, and the constants that they read. */
class Graph {
  nodes = [];
  weightSpecs = [];
  weightData = [];

  node(op, name, input = [], attr = {}) {
    this.nodes.push({name, op, input, attr});
    return name;
  }

  constant(name, values, shape = [values.length]) {
    const dtype = values instanceof Int32Array ? 'int32' : 'float32';
    this.weightSpecs.push({name, shape, dtype});
    this.weightData.push(values.buffer);
    return this.node('Const', name);
  }

  /** Bytes are those of each constant, in the order of their names; loadGraphModel takes them so. */
  artifacts() {
    const {weightSpecs, weightData} = this;
    return {modelTopology: {node: this.nodes, versions: {producer: 1}}, weightSpecs, weightData};
  }
}

/** The layers as steps in the order of the description: {name, kind, config, inputs: names of steps, readers: steps}. */
function stepsOf(description) {
  let before;
  const steps = new Map();
  for (const {class_name: kind, config, inbound_nodes: calls = []} of description.config.layers) {
    const {name} = config;
    if (calls.length > 1) throw new Error(`${name} is called ${calls.length} times: a layer is called once in what is made a graph here`);
    const inputs = isSequential(description) ? [before].filter(Boolean) : calls.flatMap(readBy).map(([layer]) => layer);
    steps.set(name, {name, kind, config, inputs, readers: []});
    before = name;
  }
  for (const step of steps.values()) for (const input of step.inputs) steps.get(input).readers.push(step);
  return [...steps.values()];
}

const nodeOfActivation = {relu: 'Relu', relu6: 'Relu6', softmax: 'Softmax'};

/** The activation that a layer is or has: '' for none, or a node's name. */
function activationOf({name, kind, config}) {
  if (kind === 'Softmax') return 'Softmax';
  if (kind === 'ReLU') {
    const {max_value: most, negative_slope: slope, threshold} = config;
    if (slope || threshold || ![null, 6].includes(most)) throw new Error(`${name} is a ReLU with ${JSON.stringify({most, slope, threshold})}: there are Relu and Relu6`);
    return most ? 'Relu6' : 'Relu';
  }
  const {activation = 'linear'} = config;
  if (activation === 'linear') return '';
  if (!nodeOfActivation[activation]) throw new Error(`${name} has the activation ${activation}: there are linear, ${Object.keys(nodeOfActivation).join(', ')}`);
  return nodeOfActivation[activation];
}

/** Batch normalisation is x * scale + shift, in each channel. */
function scaleAndShift({name, config}, weights) {
  const of = (weight) => weights.get(`${name}/${weight}`)?.values;
  const [gamma, beta, mean, variance] = ['gamma', 'beta', 'moving_mean', 'moving_variance'].map(of);
  const scale = Float64Array.from(variance, (v, c) => (gamma?.[c] ?? 1) / Math.sqrt(v + config.epsilon));
  return {scale, shift: scale.map((s, c) => (beta?.[c] ?? 0) - mean[c] * s)};
}

/** A layer's only reader, if it is of one of these kinds and the layer does nothing more itself. */
const onlyReader = ({readers}, ...kinds) => (readers.length === 1 && kinds.includes(readers[0].kind) ? readers[0] : undefined);

/**
 * A convolution or a product, with what follows it: batch normalisation, then ReLU. `fused` is the node with a bias, `bare` the one
 * without; the last axis (of a depthwise kernel: the last two) counts channels. Gives the layers that it is.
 */
function weighted(graph, step, [x], weights, {bare, fused, kernelName = 'kernel', attr}) {
  const {name} = step;
  const layers = [step];
  const {values, shape} = weights.get(`${name}/${kernelName}`);
  let kernel = values;
  let bias = weights.get(`${name}/bias`)?.values;
  let activation = activationOf(step);
  const norm = !activation && bare !== 'MatMul' && onlyReader(step, 'BatchNormalization');
  if (norm) {
    const {scale, shift} = scaleAndShift(norm, weights);
    kernel = values.map((v, i) => v * scale[i % scale.length]);
    bias = Float32Array.from(shift, (v, c) => v + (bias?.[c] ?? 0) * scale[c]);
    layers.push(norm);
  }
  // Softmax is a node of its own, and so is a ReLU where there is no bias to be fused with.
  const canFuse = (name) => Boolean(bias) && name !== 'Softmax';
  const next = !activation && onlyReader(layers.at(-1), 'ReLU', 'Activation');
  if (next && canFuse(activationOf(next))) {
    activation = activationOf(next);
    layers.push(next);
  }
  const last = layers.at(-1).name;
  const apart = activation && !canFuse(activation);
  const product = apart ? `${last}/product` : last;
  const inputs = [x, graph.constant(`${name}/kernel`, kernel, shape)];
  if (bias) {
    const ops = ['BiasAdd', ...(activation && !apart ? [activation] : [])];
    graph.node(fused, product, [...inputs, graph.constant(`${name}/bias`, bias)], {...attr, T: float, num_args: {i: 1}, fused_ops: texts(ops)});
  } else {
    graph.node(bare, product, inputs, {...attr, T: float});
  }
  if (apart) graph.node(activation, last, [product], {T: float});
  return layers;
}

const windows = ({strides, padding, dilation_rate: dilations = [1, 1]}) => ({
  strides: integers([1, ...strides, 1]),
  padding: text(padding.toUpperCase()),
  dilations: integers([1, ...dilations, 1]),
});
const pooling = (op) => (graph, {name, config}, inputs) => graph.node(op, name, inputs, {...windows(config), ksize: integers([1, ...config.pool_size, 1]), T: float});
const activated = (graph, step, inputs) => graph.node(activationOf(step), step.name, inputs, {T: float});

/** What each layer becomes: (graph, step, names of inputs, weights). One that takes others with it gives the list of them. */
const makers = {
  InputLayer: (graph, {name, config}) =>
    graph.node('Placeholder', name, [], {dtype: float, shape: {shape: {dim: [1, ...config.batch_shape.slice(1)].map((size) => ({size}))}}}),
  Conv2D: (graph, step, inputs, weights) => weighted(graph, step, inputs, weights, {bare: 'Conv2D', fused: '_FusedConv2D', attr: windows(step.config)}),
  DepthwiseConv2D: (graph, step, inputs, weights) =>
    weighted(graph, step, inputs, weights, {
      bare: 'DepthwiseConv2dNative',
      fused: 'FusedDepthwiseConv2dNative',
      kernelName: 'depthwise_kernel',
      attr: windows(step.config),
    }),
  Dense: (graph, step, inputs, weights) => weighted(graph, step, inputs, weights, {bare: 'MatMul', fused: '_FusedMatMul', attr: {}}),
  BatchNormalization(graph, step, [x], weights) {
    const {name} = step;
    const {scale, shift} = scaleAndShift(step, weights);
    const scaled = graph.node('Mul', `${name}/scaled`, [x, graph.constant(`${name}/scale`, Float32Array.from(scale))], {T: float});
    graph.node('AddV2', name, [scaled, graph.constant(`${name}/shift`, Float32Array.from(shift))], {T: float});
  },
  Activation: activated,
  ReLU: activated,
  Softmax: activated,
  MaxPooling2D: pooling('MaxPool'),
  AveragePooling2D: pooling('AvgPool'),
  GlobalAveragePooling2D: (graph, {name, config}, [x]) =>
    graph.node('Mean', name, [x, graph.constant(`${name}/axes`, Int32Array.of(1, 2))], {keep_dims: {b: config.keepdims ?? false}, T: float}),
  ZeroPadding2D: (graph, {name, config}, [x]) =>
    graph.node('Pad', name, [x, graph.constant(`${name}/paddings`, Int32Array.of(0, 0, ...config.padding.flat(), 0, 0), [4, 2])], {T: float}),
  Flatten: (graph, {name}, [x]) => graph.node('Reshape', name, [x, graph.constant(`${name}/shape`, Int32Array.of(1, -1))], {T: float}),
  Concatenate: (graph, {name, config}, inputs) =>
    graph.node('ConcatV2', name, [...inputs, graph.constant(`${name}/axis`, Int32Array.of(config.axis), [])], {N: {i: inputs.length}, T: float}),
  Add: (graph, {name}, inputs) => graph.node('AddV2', name, inputs, {T: float}),
};

/** What tf.io.fromMemory takes: the network as a graph model for one sample, its batch normalisation and its ReLUs fused. */
export function asGraph(description, weights) {
  const graph = new Graph();
  const taken = new Set();
  // A node is called as the last layer that it is; whoever reads one of the others reads it.
  for (const step of stepsOf(description)) {
    if (taken.has(step.name)) continue;
    const make = makers[step.kind];
    if (!make) throw new Error(`${step.name} is a ${step.kind}: there are ${Object.keys(makers).join(', ')}`);
    const layers = make(graph, step, step.inputs, weights);
    if (Array.isArray(layers)) for (const {name} of layers) taken.add(name);
  }
  return graph.artifacts();
}
