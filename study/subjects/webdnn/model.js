// The folder that WebDNN runs: for each backend a description of the network and its kernels, and the weights. WebDNN's
// converter, a Python program for the Keras and Chainer of 2018, writes such folders from trained networks; here the folder is
// written by hand for dense layers with ReLU and a softmax.
//
//   const files = await filesOf(network);     // {'graph_fallback.json': '..', 'weight.bin': Uint8Array, ..}
//
// Numbers of units are rounded up to a multiple of four (an RGBA texel has four numbers); what is added is zero. Each row of a
// matrix has the weights of one unit.
import {denseModule} from './wasm.js';

const rounded = (count) => 4 * Math.ceil(count / 4);
const script = async (name) => (await fetch(new URL(name, import.meta.url))).text();

/** Of each layer its matrix [outputs][inputs] and bias, rounded. */
function layersOf({sizes, weights}) {
  return weights.map(({kernel, bias}, i) => {
    const [inputs, outputs] = [rounded(sizes[i]), rounded(sizes[i + 1])];
    const rows = new Float32Array(outputs * inputs);
    kernel.forEach((weight, at) => (rows[(at % bias.length) * inputs + Math.floor(at / bias.length)] = weight));
    const padded = new Float32Array(outputs);
    padded.set(bias);
    return {inputs, outputs, rows, bias: padded};
  });
}

/** The network as steps over named variables: those with values first, as they stand in weight.bin. */
function planOf(layers, classes) {
  const last = layers.length - 1;
  const constants = layers.flatMap(({rows, bias}, i) => [
    {name: `w${i}`, values: rows, width: rows.length / bias.length, height: bias.length},
    {name: `b${i}`, values: bias, width: bias.length, height: 1},
  ]);
  const plain = (name, size) => ({name, size, width: rounded(size), height: 1});
  const variables = [
    ...constants.map((constant) => ({...constant, size: constant.values.length})),
    plain('x', layers[0].inputs),
    ...layers.map(({outputs}, i) => plain(`h${i}`, outputs)),
    plain('y', classes),
  ];
  const dense = (layer, i) => {
    const inputs = [i ? `h${i - 1}` : 'x', `w${i}`, `b${i}`];
    return {kernel: 'dense', inputs, output: `h${i}`, layer, relu: i < last};
  };
  return {constants, variables, steps: [...layers.map(dense), {kernel: 'softmax', inputs: [`h${last}`], output: 'y'}]};
}

const common = {converted_at: 1, inputs: ['x'], outputs: ['y'], weight_encoding: 'raw', placeholders: {}};

/** All variables one after the other in one array; offsets in numbers. */
function inOneArray({variables}) {
  const allocations = {};
  let size = 0;
  for (const variable of variables) {
    allocations[variable.name] = {name: variable.name, offset: size, size: variable.size};
    // Kernels for four units at once may write past the last.
    size += rounded(variable.size);
  }
  return {static: {size, allocations}, dynamic: {size: 0, allocations: {}}};
}

// ---- fallback: kernels_fallback.js has the kernels

function fallbackGraph(plan) {
  const exec_infos = plan.steps.map(({kernel, inputs, output, relu}) => {
    return {entry_func_name: kernel, inputs, outputs: [output], weights: [], call_option: {relu}};
  });
  return {...common, memory_layout: inOneArray(plan), kernel_source: '', exec_infos};
}

// ---- webassembly: kernels_webassembly.js is the program of a worker, which knows the plan; wasm.js makes its dense kernel

const webassemblyGraph = (plan) => ({...common, memory_layout: inOneArray(plan), unresolved_value_lists: []});

function webassemblySteps(plan) {
  const {static: {size, allocations}} = inOneArray(plan);
  const offset = (name) => allocations[name].offset;
  const steps = plan.steps.map(({kernel, inputs, output, layer, relu}) => {
    const numbers = {inputs: inputs.map(offset), output: offset(output), size: allocations[output].size};
    return {kernel, ...numbers, stride: layer?.inputs, relu};
  });
  return {size, steps};
}

// ---- webgl: textures of four numbers a texel, and a fragment shader a step

/** Computes four units: their rows times x. The library's vertex shader asks for GLSL ES 1.00. */
const denseShader = ({inputs, outputs}, relu) => `precision highp float;
uniform sampler2D x, w, b;
void main() {
  float row = 4.0 * floor(gl_FragCoord.x) + 0.5;
  vec4 sum = texture2D(b, vec2((floor(gl_FragCoord.x) + 0.5) / ${outputs / 4}.0, 0.5));
  for (int k = 0; k < ${inputs / 4}; ++k) {
    float column = (float(k) + 0.5) / ${inputs / 4}.0;
    vec4 v = texture2D(x, vec2(column, 0.5));
    sum += vec4(dot(v, texture2D(w, vec2(column, row / ${outputs}.0))),
                dot(v, texture2D(w, vec2(column, (row + 1.0) / ${outputs}.0))),
                dot(v, texture2D(w, vec2(column, (row + 2.0) / ${outputs}.0))),
                dot(v, texture2D(w, vec2(column, (row + 3.0) / ${outputs}.0))));
  }
  gl_FragColor = ${relu ? 'max(sum, 0.0)' : 'sum'};
}
`;

/** Each fragment sums over all classes. */
const softmaxShader = (classes) => `precision highp float;
uniform sampler2D x;
const int texels = ${rounded(classes) / 4};
vec4 at(int i) { return texture2D(x, vec2((float(i) + 0.5) / float(texels), 0.5)); }
vec4 inside(int i) { return vec4(lessThan(4.0 * float(i) + vec4(0.0, 1.0, 2.0, 3.0), vec4(${classes}.0))); }
void main() {
  float most = at(0).x;
  for (int i = 0; i < texels; ++i) {
    vec4 v = mix(vec4(most), at(i), inside(i));
    most = max(max(max(v.x, v.y), max(v.z, v.w)), most);
  }
  float sum = 0.0;
  for (int i = 0; i < texels; ++i) sum += dot(exp(at(i) - most), inside(i));
  vec4 here = texture2D(x, vec2(gl_FragCoord.x / float(texels), 0.5));
  gl_FragColor = exp(here - most) / sum;
}
`;

function webglGraph({constants, variables, steps}, classes) {
  const texture = ({name, size, width, height}) => ({name, size, width: width / 4, height, channel_mode: 'RGBA'});
  const allocations = Object.fromEntries(variables.map((variable) => [variable.name, texture(variable)]));
  const mapping = Object.fromEntries(variables.map(({name}) => [name, name]));
  const constants_map = {};
  let byte_offset = 0;
  for (const {name, values} of constants) {
    constants_map[name] = {size: values.length, byte_offset};
    byte_offset += values.byteLength;
  }
  const samplers = ['x', 'w', 'b'];
  const shader_sources = {};
  const exec_infos = steps.map(({kernel, inputs, output, layer, relu}, i) => {
    const shader_name = `${kernel}${i}`;
    shader_sources[shader_name] = kernel === 'dense' ? denseShader(layer, relu) : softmaxShader(classes);
    return {
      shader_name,
      uniforms: Object.fromEntries(inputs.map((_, unit) => [samplers[unit], {type: 'sampler2D', value: unit}])),
      inputs: inputs.map((variable_name, value) => ({variable_name, value})),
      output,
    };
  });
  const memory_layout = {static: {size: -1, allocations}, dynamic: {size: 0, allocations: {}}, mapping};
  return {...common, memory_layout, shader_sources, constants_map, exec_infos};
}

export async function filesOf(network) {
  const classes = network.sizes.at(-1);
  const plan = planOf(layersOf(network), classes);
  const steps = webassemblySteps(plan);
  return {
    'weight.bin': new Uint8Array(await new Blob(plan.constants.map(({values}) => values)).arrayBuffer()),
    'graph_fallback.json': JSON.stringify(fallbackGraph(plan)),
    'kernels_fallback.js': await script('kernels_fallback.js'),
    'graph_webassembly.json': JSON.stringify(webassemblyGraph(plan)),
    'kernels_webassembly.js': `const plan = ${JSON.stringify(steps)};\n${await script('kernels_webassembly.js')}`,
    'kernels_webassembly.wasm': denseModule(4 * steps.size),
    // The name has the largest texture that the library asks for, on all GPUs that it takes.
    'graph_webgl_4096.json': JSON.stringify(webglGraph(plan, classes)),
  };
}
