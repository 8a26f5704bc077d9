// Runs models on a build that notes which functions are called, for web/split.mjs.
//
//   node web/profile.mjs build/npm/predict/fjord.js instrumented.wasm profile                a list of typical models
//   node web/profile.mjs PACKAGE/fjord.js instrumented.wasm profile model.safetensors        this one
//
// What is typical: a page loads a small dense or convolutional network of images, as Fjord or as TensorFlow.js saves it, makes a tensor of
// pixels or of numbers, predicts one example or a batch, and looks for the best class. A network with millions of weights makes more of a
// download than the whole engine, and need not be listed. Prints the layers and activations of the models as JSON.
import {readFileSync, writeFileSync} from 'node:fs';
import {pathToFileURL} from 'node:url';

const [packed, instrumented, out, ...files] = process.argv.slice(2);

// Products of few rows have kernels of their own.
const kBatches = [1, 2, 3, 4, 5, 10, 32, 50];

/** Predicts batches, and looks at what a page would. */
async function use(model) {
  const {inputs} = model.info();
  for (const count of kBatches) {
    const xs = inputs.map(({shape}) => tf.ones([count, ...shape.slice(1).map((n) => n ?? 32)]));
    const ys = [model.predict(xs.length > 1 ? xs : xs[0], {batchSize: 8})].flat();
    for (const y of ys) await y.data();
    // As in a page, in slices.
    for (const y of [model.predictBy(xs, 8, 1e-3)].flat()) await y.data().then(() => y.dispose());
    tf.tidy(() => ys[0].argMax(-1).dataSync());
    tf.dispose([xs, ys]);
  }
  model.getWeights().forEach((w) => w.dispose());
  model.dispose();
}

/** What stands around a model in its page, of those ops that a build for one model has, too. */
function around() {
  tf.tidy(() => {
    const x = tf.tensor([[1, 2, 3], [4, 5, 6]]).div(255).sub(0.5).mul(2).add(1);
    x.reshape([3, 2]).slice([1, 0], [2, 2]).dataSync();
    x.argMax(1).dataSync();
  });
}
/** And what else is common. */
function aroundAny() {
  tf.tidy(() => {
    const pixels = {data: new Uint8Array(4 * 28 * 28), width: 28, height: 28};
    tf.browser.fromPixels(pixels, 1).toFloat().div(tf.scalar(255)).expandDims(0).squeeze().flatten().dataSync();
    tf.tensor2d([1, 2, 3, 4, 5, 6], [2, 3]).softmax().dataSync();
  });
  tf.memory();
}

// ---- the models ------------------------------------------------------------------------------------------------------------------

/** As Fjord and as TensorFlow.js would have saved it. */
async function saved(model) {
  const kinds = [];
  await model.save({saveFile: async (file) => kinds.push(new Uint8Array(file))});
  await model.save({save: async (artifacts) => kinds.push(artifacts)});
  const {modelTopology, ...weights} = kinds[1];
  for (const write of [tfjs, keras3]) kinds.push({modelTopology: write(modelTopology), ...weights});
  return kinds;
}

// Both write all arguments of a layer, those with the values that they have anyway, too.
const scaling = {class_name: 'VarianceScaling', config: {scale: 1, mode: 'fan_avg', distribution: 'normal', seed: null}};
const glorot = {module: 'keras.initializers', class_name: 'GlorotUniform', config: {seed: null}, registered_name: null};
const plain = (class_name, more = {}) => ({class_name, config: {}, ...more});
const policy = {module: 'keras', class_name: 'DTypePolicy', config: {name: 'float32'}, registered_name: null};
const none = (...names) => Object.fromEntries(names.map((name) => [name, null]));
const kernels = (kernel_initializer) => ({
  use_bias: true, activation: 'linear', kernel_initializer, bias_initializer: plain('Zeros'),
  ...none('kernel_regularizer', 'bias_regularizer', 'activity_regularizer', 'kernel_constraint', 'bias_constraint'),
});
const images = {strides: [1, 1], padding: 'valid', data_format: 'channels_last'};
const written = (initializer) => ({
  Dense: kernels(initializer),
  Conv2D: {...kernels(initializer), ...images, dilation_rate: [1, 1]},
  MaxPooling2D: {...images, strides: [2, 2]},
  Flatten: {data_format: 'channels_last'},
  Dropout: {noise_shape: null, seed: null},
  BatchNormalization: {
    axis: -1, momentum: 0.99, epsilon: 0.001, center: true, scale: true, beta_initializer: plain('Zeros'), gamma_initializer: plain('Ones'), moving_mean_initializer: plain('Zeros'),
    moving_variance_initializer: plain('Ones'), ...none('beta_regularizer', 'gamma_regularizer', 'beta_constraint', 'gamma_constraint'),
  },
});
const withAll = (topology, all, shared) => {
  const layers = topology.config.layers.map(({config, ...layer}) => ({...layer, config: {...shared, ...all[layer.class_name], ...config}}));
  return {...topology, config: {...topology.config, layers}};
};
const tfjs = (topology) => withAll(topology, written(scaling), {trainable: true, dtype: 'float32'});
const keras3 = (topology) => ({keras_version: '3.7.0', backend: 'tensorflow', model_config: withAll(topology, written(glorot), {trainable: true, dtype: policy})});

async function typical() {
  const whole = await import('../build/npm/fjord.js');
  whole.wasm.setVariant('simd');
  const {layers: l, sequential, input, model} = whole;
  const image = [
    l.conv2d({filters: 32, kernelSize: 3, padding: 'same', activation: 'relu', inputShape: [32, 32, 3]}), l.batchNormalization(), l.conv2d({filters: 32, kernelSize: 3, activation: 'relu'}),
    l.maxPooling2d({poolSize: 2}), l.dropout({rate: 0.25}), l.conv2d({filters: 64, kernelSize: 3, padding: 'same', useBias: false}), l.batchNormalization(),
    l.reLU(), l.conv2d({filters: 10, kernelSize: 1}), l.globalAveragePooling2d(), l.softmax(),
  ];
  const pixels = input({shape: [28, 28, 1]});
  const flat = l.flatten().apply(l.maxPooling2d({poolSize: 2}).apply(l.conv2d({filters: 8, kernelSize: 5, activation: 'relu'}).apply(pixels)));
  const digits = model({inputs: pixels, outputs: l.dense({units: 10, activation: 'softmax'}).apply(flat)});
  const first = input({shape: [16]});
  const [a, b] = ['relu', 'linear'].map((activation) => l.dense({units: 16, activation}).apply(first));
  const residual = model({inputs: first, outputs: l.dense({units: 8}).apply(l.reLU().apply(l.add().apply([a, b])))});
  const lists = [
    [l.reshape({targetShape: [8, 8, 1], inputShape: [64]}), l.conv2d({filters: 8, kernelSize: 3}), l.leakyReLU(), l.flatten(), l.dense({units: 4})],
    [l.dense({units: 128, activation: 'relu', inputShape: [784]}), l.dropout({rate: 0.2}), l.dense({units: 10, activation: 'softmax'})],
    [l.dense({units: 16, activation: 'tanh', inputShape: [4]}), l.dense({units: 16, activation: 'sigmoid'}), l.dense({units: 1})],
    [l.dense({units: 256, useBias: false, inputShape: [20]}), l.batchNormalization(), l.activation({activation: 'relu'}), l.dense({units: 3, activation: 'softmax'})],
    [l.dense({units: 30, activation: 'relu', inputShape: [20]}), l.batchNormalization(), l.dense({units: 12, activation: 'relu'}), l.dense({units: 20})],
    [l.flatten({inputShape: [28, 28]}), l.dense({units: 64, activation: 'elu'}), l.dense({units: 10, activation: 'softmax'})],
    image,
  ];
  const kinds = [];
  for (const made of [digits, residual, ...lists.map((layers) => sequential({layers}))]) kinds.push(...(await saved(made)));
  return kinds;
}

/** A file that there is: Fjord's own, or a model.json with zeros for weights. */
function given(file) {
  const bytes = readFileSync(file);
  if (bytes[7] === 0) return new Uint8Array(bytes);
  const {modelTopology, weightsManifest} = JSON.parse(bytes);
  const weightSpecs = weightsManifest.flatMap(({weights}) => weights).map(({name, shape}) => ({name, shape, dtype: 'float32'}));
  const size = weightSpecs.reduce((sum, {shape}) => sum + shape.reduce((n, d) => n * d, 1), 0);
  return {modelTopology, weightSpecs, weightData: new Float32Array(size).buffer};
}

const models = files.length ? files.map(given) : await typical();
// The package loads simd/fjord.wasm: this one in its place.
const module = await WebAssembly.compile(readFileSync(instrumented));
let instance;
const {Instance} = WebAssembly;
WebAssembly.Instance = function (_, imports) {
  return (instance = new Instance(module, imports));
};
const tf = await import(pathToFileURL(packed).href);
tf.wasm.setVariant('simd');
// The first op starts it at once.
tf.zeros([1]).dispose();

// What a layer has that names no activation.
const names = new Set(['linear']);
for (const model of models) {
  const loaded = await tf.loadLayersModel({load: async () => model});
  const text = model instanceof Uint8Array ? Buffer.from(model).toString('latin1').replaceAll('\\"', '"') : JSON.stringify(model.modelTopology);
  for (const [, name] of text.matchAll(/"(?:class_name|activation)":\s*"(\w+)"/g)) names.add(name);
  await use(loaded);
}
around();
if (!files.length) aroundAny();

// Behind all that the program uses.
const {exports} = instance;
const memory = Object.values(exports).find((one) => one instanceof WebAssembly.Memory);
const begin = memory.buffer.byteLength;
const size = exports.writeProfile(0, 0);
memory.grow(Math.ceil(size / 65536));
exports.writeProfile(begin, size);
writeFileSync(out, new Uint8Array(memory.buffer, begin, size));
console.log(JSON.stringify([...names]));
