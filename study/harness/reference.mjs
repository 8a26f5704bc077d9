// The reference network of the stand-in for the tests: plain loops in double precision, with weights and rounding of its own,
// so that what a framework gives is compared with nothing that it shares.
//
//   outputs({workload: 'dense/2x128', hidden: 'relu', output: 'softmax', bias: '1'}, digits(folder, 0, 10))    // [[10 numbers], ..]
import {readFileSync} from 'node:fs';

/** MNIST's test digits: `count` images of 784 bytes, then the labels. */
export function digits(folder, first, count) {
  const images = readFileSync(`${folder}/t10k-images-idx3-ubyte`).subarray(16 + first * 784, 16 + (first + count) * 784);
  const labels = readFileSync(`${folder}/t10k-labels-idx1-ubyte`).subarray(8 + first, 8 + first + count);
  return Buffer.concat([images, labels]);
}

/** All weights, float32: kernel [in,out] and bias of each layer. */
export function weights({workload, bias}) {
  let state = 1;
  // A linear congruential generator modulo 2^32 (Knuth's multiplier); its high bits are good enough for weights.
  const uniform = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 31 - 1;
  const values = layersOf(workload).flatMap(([inputs, outputs]) => {
    const limit = Math.sqrt(6 / (inputs + outputs));
    const kernel = Array.from({length: inputs * outputs}, () => limit * uniform());
    return bias === '1' ? [...kernel, ...Array.from({length: outputs}, () => 0.1 * uniform())] : kernel;
  });
  return new Float32Array(values);
}

/** [in, out] of each layer. */
export function layersOf(workload) {
  const [depth, width] = workload.replace('dense/', '').split('x').map(Number);
  const sizes = [784, ...Array(depth).fill(width), 10];
  return sizes.slice(1).map((outputs, i) => [sizes[i], outputs]);
}

function layersWithWeights(query) {
  const all = Float64Array.from(weights(query));
  let at = 0;
  const take = (count) => all.subarray(at, (at += count));
  return layersOf(query.workload).map(([inputs, outputs]) => {
    const kernel = take(inputs * outputs);
    return {inputs, outputs, kernel, bias: query.bias === '1' ? take(outputs) : new Float64Array(outputs)};
  });
}

const activations = {relu: (z) => Math.max(0, z), sigmoid: (z) => 1 / (1 + Math.exp(-z)), tanh: Math.tanh};
/** By the activation's own value. */
const slopes = {relu: (a) => (a > 0 ? 1 : 0), sigmoid: (a) => a * (1 - a), tanh: (a) => 1 - a * a};

function softmax(z) {
  const top = Math.max(...z);
  const e = z.map((v) => Math.exp(v - top));
  const sum = e.reduce((a, b) => a + b);
  return e.map((v) => v / sum);
}

/** The values of all layers, the image first. */
function forward(layers, image, {hidden, output}) {
  const values = [Array.from(image, (pixel) => pixel / 255)];
  layers.forEach(({inputs, outputs, kernel, bias}, l) => {
    const z = Array.from(bias);
    for (let i = 0; i < inputs; ++i) for (let o = 0; o < outputs; ++o) z[o] += values[l][i] * kernel[i * outputs + o];
    const name = l + 1 < layers.length ? hidden : output;
    values.push(name === 'softmax' ? softmax(z) : z.map(activations[name]));
  });
  return values;
}

export function outputs(query, bytes) {
  const layers = layersWithWeights(query);
  const count = bytes.length / 785;
  return Array.from({length: count}, (_, k) => forward(layers, bytes.subarray(784 * k, 784 * (k + 1)), query).at(-1));
}

/** Plain gradient descent on the mean cross-entropy of each batch: the loss of each step, before its update. Softmax only. */
export function losses({batch, rate, steps, ...query}, bytes) {
  const layers = layersWithWeights(query);
  const labels = bytes.subarray(784 * batch * steps);
  return Array.from({length: Number(steps)}, (_, step) => {
    let loss = 0;
    const gradients = layers.map(({kernel, bias}) => ({kernel: new Float64Array(kernel.length), bias: new Float64Array(bias.length)}));
    for (let k = step * batch; k < (step + 1) * batch; ++k) {
      const values = forward(layers, bytes.subarray(784 * k, 784 * (k + 1)), {...query, output: 'softmax'});
      loss -= Math.log(values.at(-1)[labels[k]]) / batch;
      let delta = values.at(-1).map((p, o) => (p - (o === labels[k] ? 1 : 0)) / batch);
      for (let l = layers.length - 1; l >= 0; --l) delta = backward(layers[l], gradients[l], values[l], delta, slopes[query.hidden]);
    }
    layers.forEach((layer, l) => {
      for (const part of ['kernel', 'bias']) layer[part].forEach((v, i) => (layer[part][i] = v - rate * gradients[l][part][i]));
    });
    return loss;
  });
}

/** Adds to the gradients of a layer; gives the delta of the layer below. */
function backward({inputs, outputs, kernel}, gradient, below, delta, slope) {
  const next = Array(inputs).fill(0);
  for (let i = 0; i < inputs; ++i) {
    for (let o = 0; o < outputs; ++o) {
      gradient.kernel[i * outputs + o] += below[i] * delta[o];
      next[i] += kernel[i * outputs + o] * delta[o];
    }
    next[i] *= slope(below[i]);
  }
  delta.forEach((d, o) => (gradient.bias[o] += d));
  return next;
}
