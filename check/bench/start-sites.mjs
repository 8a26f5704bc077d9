// The pages of ./dev bench start: one small dense network in each framework, as a page that wants nothing else would ship it.
//
//   const {files, pages} = await makeSites();
//   files['/fjord/fjord.js']                         // bytes by path
//   pages.predict['fjord/predict']                   // the path of the page
//
// A page prints {ms, numbers}: milliseconds from the start of its navigation until JavaScript has the numbers.
import {readFileSync, readdirSync} from 'node:fs';
import {createRequire} from 'node:module';
import {build} from 'esbuild';
import protobuf from 'protobufjs';
import {denseNetwork} from '../../study/subjects/onnxruntime-web/onnx.js';
import {root} from '../../tools/build.mjs';

/** Digits of 8 x 8 pixels: 2,410 weights, so that a page's time is that of the framework. */
export const kSizes = [64, 32, 10];
const kBatch = 32;
const kRate = 0.1;

// What every page begins with. The same numbers everywhere: no framework's random numbers are another's.
const kCommon = `
const sizes = ${JSON.stringify(kSizes)};
const fill = (count, scale, phase) => Float32Array.from({length: count}, (_, i) => scale * Math.sin(12.9898 * i + phase));
const network = sizes.slice(1).map((units, i) => ({units, kernel: fill(sizes[i] * units, 0.6, i), bias: fill(units, 0.1, i + 7)}));
const input = fill(sizes[0], 1, 3);
`;
const kDone = `
const done = (numbers) => {
  const list = Array.from(numbers);
  return {ms: performance.now(), numbers: list};
};
`;
const kPredict = `
const model = await tf.loadLayersModel('/model/model.json');
console.log(JSON.stringify(done(model.predict(tf.tensor(input, [1, sizes[0]])).dataSync())));
`;
// The time is that of the first step; the second's loss tells whether the first one has learned.
const kTrain = `
const batch = ${kBatch};
const model = tf.sequential({layers: [
  tf.layers.dense({units: sizes[1], activation: 'relu', inputShape: [sizes[0]]}),
  tf.layers.dense({units: sizes[2], activation: 'softmax'})]});
model.compile({optimizer: tf.train.sgd(${kRate}), loss: 'categoricalCrossentropy'});
model.setWeights(network.flatMap(({units, kernel, bias}) => [tf.tensor(kernel, [kernel.length / units, units]), tf.tensor(bias)]));
const x = tf.tensor(fill(batch * sizes[0], 1, 3), [batch, sizes[0]]);
const y = tf.tensor(Float32Array.from({length: batch * sizes[2]}, (_, i) => (i % sizes[2] === (i / sizes[2] | 0) % sizes[2] ? 1 : 0)), [batch, sizes[2]]);
const answer = done([await model.trainOnBatch(x, y)]);
answer.numbers.push(await model.trainOnBatch(x, y));
console.log(JSON.stringify(answer));
`;
const kOnnx = `
const session = await ort.InferenceSession.create('/model/model.onnx');
const {y} = await session.run({x: new ort.Tensor('float32', input, [1, sizes[0]])});
console.log(JSON.stringify(done(y.data)));
`;

const {network, input, fill} = new Function(`${kCommon} return {network, input, fill};`)();

// ---- what the answers have to be ----------------------------------------------------------------------------------------------

/** The outputs for one sample, in double precision. */
function forward(x) {
  let values = Array.from(x);
  network.forEach(({units, kernel, bias}, layer) => {
    values = Array.from(bias, (b, o) => values.reduce((sum, v, i) => sum + v * kernel[i * units + o], b));
    if (layer + 1 < network.length) values = values.map((v) => Math.max(0, v));
  });
  const powers = values.map((v) => Math.exp(v - Math.max(...values)));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((p) => p / sum);
}
/** The loss of the first step: mean of -log of what the right class got. */
function firstLoss() {
  const x = fill(kBatch * kSizes[0], 1, 3);
  const losses = Array.from({length: kBatch}, (_, i) => -Math.log(forward(x.subarray(i * kSizes[0], (i + 1) * kSizes[0]))[i % kSizes[2]]));
  return losses.reduce((a, b) => a + b) / kBatch;
}
export const expected = {predict: forward(input), train: [firstLoss()]};

// ---- files ---------------------------------------------------------------------------------------------------------------------

/** The model as TensorFlow.js's files, which Fjord reads as well, and as ONNX. */
function models() {
  const names = network.map((_, i) => `dense_${i}`);
  const layers = network.map(({units}, i) => ({
    class_name: 'Dense',
    config: {name: names[i], units, activation: i + 1 < network.length ? 'relu' : 'softmax', use_bias: true, ...(i ? {} : {batch_input_shape: [null, kSizes[0]]})},
  }));
  const weights = network.flatMap(({units, kernel, bias}, i) => [
    {name: `${names[i]}/kernel`, shape: [kernel.length / units, units], dtype: 'float32'},
    {name: `${names[i]}/bias`, shape: [units], dtype: 'float32'},
  ]);
  const json = {
    format: 'layers-model',
    modelTopology: {keras_version: 'tfjs-layers 4.22.0', backend: 'tensor_flow.js', model_config: {class_name: 'Sequential', config: {name: 'sequential', layers}}},
    weightsManifest: [{paths: ['weights.bin'], weights}],
  };
  return {
    '/model/model.json': JSON.stringify(json),
    '/model/weights.bin': Buffer.concat(network.flatMap(({kernel, bias}) => [kernel, bias]).map((a) => Buffer.from(a.buffer))),
    '/model/model.onnx': denseNetwork(protobuf, {sizes: kSizes, hidden: 'relu', output: 'softmax', weights: network}),
  };
}

/** The files of a folder, under another path. */
function filesOf(folder, to) {
  const names = readdirSync(folder, {recursive: true, withFileTypes: true}).filter((entry) => entry.isFile() && /\.(js|wasm)$/.test(entry.name));
  return Object.fromEntries(names.map(({parentPath, name}) => [`${to}${parentPath.slice(folder.length)}/${name}`, readFileSync(`${parentPath}/${name}`)]));
}

/** TensorFlow.js without what the page does not use, in one file. */
async function tensorflow(program, names) {
  const lines = Object.entries(names).map(([from, list]) => `import {${list}} from '@tensorflow/tfjs-${from}';`);
  const contents = `${lines.join('\n')}
const tf = {${Object.values(names).join(', ')}};
setWasmPaths('/tfjs/');
if (!(await setBackend('wasm'))) throw new Error('there is no backend wasm');
${kCommon}${kDone}${program}`;
  const {outputFiles} = await build({stdin: {contents, resolveDir: root}, bundle: true, minify: true, format: 'esm', target: 'es2022', write: false, logLevel: 'error'});
  return outputFiles[0].contents;
}

const html = (script) => `<!doctype html><html lang="en"><meta charset="utf-8"><title>start</title><link rel="icon" href="data:,">${script}</html>\n`;
const inline = (program) => html(`<script type="module">\n${program}</script>`);
const fjord = (url, program) => inline(`import * as tf from '${url}';\n${kCommon}${kDone}${program}`);

export async function makeSites() {
  const package_ = `${root}build/npm`;
  const require = createRequire(import.meta.url);
  const ort = require.resolve('onnxruntime-web').replace(/[^/]*$/, '');
  const tfjs = require.resolve('@tensorflow/tfjs-backend-wasm').replace(/[^/]*$/, '');
  const wasms = readdirSync(tfjs).filter((name) => name.endsWith('.wasm'));
  const core = 'setBackend, tensor';
  const texts = {
    ...models(),
    '/empty.html': inline(`${kDone}console.log(JSON.stringify(done([])));`),
    '/predict-fjord.html': fjord('/fjord/fjord.js', kPredict),
    '/predict-fjord-predict.html': fjord('/fjord/predict/fjord.js', kPredict),
    '/predict-ort.html': inline(`import * as ort from '/ort/ort.wasm.bundle.min.mjs';\n${kCommon}${kDone}${kOnnx}`),
    '/predict-tfjs.html': html('<script type="module" src="/tfjs/predict.js"></script>'),
    '/tfjs/predict.js': await tensorflow(kPredict, {core, layers: 'loadLayersModel', 'backend-wasm': 'setWasmPaths'}),
    '/train-fjord.html': fjord('/fjord/fjord.js', kTrain),
    '/train-tfjs.html': html('<script type="module" src="/tfjs/train.js"></script>'),
    '/tfjs/train.js': await tensorflow(kTrain, {core: `${core}, train`, layers: 'layers, sequential', 'backend-wasm': 'setWasmPaths'}),
  };
  const files = {
    ...filesOf(package_, '/fjord'),
    ...Object.fromEntries(wasms.map((name) => [`/tfjs/${name}`, readFileSync(tfjs + name)])),
    ...Object.fromEntries(['ort.wasm.bundle.min.mjs', 'ort-wasm-simd-threaded.wasm'].map((name) => [`/ort/${name}`, readFileSync(ort + name)])),
    ...Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, Buffer.from(text)])),
  };
  const pages = {
    predict: {
      'fjord/predict': '/predict-fjord-predict.html',
      fjord: '/predict-fjord.html',
      'TensorFlow.js': '/predict-tfjs.html',
      'ONNX Runtime': '/predict-ort.html',
    },
    train: {fjord: '/train-fjord.html', 'TensorFlow.js': '/train-tfjs.html'},
  };
  return {files, pages};
}
