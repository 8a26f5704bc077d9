// What the server has for a trial: the weights of its network, digits of MNIST, and what the reference makes of them.
//
//   const network = await networkOf(trial);          // {depth, width, sizes, hidden, output, bias, batch, rate, weights}
//   const batches = await batchesOf(network, 10);    // [{x [64*784], labels [64], oneHot [64*10]}]
import {request} from './api.js';

const kPixels = 784;
const kClasses = 10;

/** GET /data/NAME?QUERY as a Response. */
export const fetchData = (name, query) => request(`/data/${name}?${new URLSearchParams(query)}`);

/** The network with the weights that every subject is given: [{kernel [in*out], bias [out]}], a bias of zeros where it has none. */
export async function networkOf({size, network}) {
  const {sizes, bias} = network;
  const values = new Float32Array(await (await fetchData('weights.bin', {size, bias: Number(bias)})).arrayBuffer());
  let at = 0;
  const take = (count) => values.slice(at, (at += count));
  const weights = sizes.slice(1).map((outputs, i) => {
    const kernel = take(sizes[i] * outputs);
    return {kernel, bias: bias ? take(outputs) : new Float32Array(outputs)};
  });
  if (at !== values.length) throw new Error(`weights.bin has ${values.length} numbers, a network of ${sizes.join('-')} needs ${at}`);
  return {...network, weights};
}

/** {images: [Float32Array [784], ..], labels}, pixels in [0, 1]. */
export async function digitsOf(first, count) {
  const bytes = new Uint8Array(await (await fetchData('digits.bin', {first, count})).arrayBuffer());
  const images = Array.from({length: count}, (_, i) => Float32Array.from(bytes.subarray(i * kPixels, (i + 1) * kPixels), (pixel) => pixel / 255));
  return {images, labels: bytes.slice(count * kPixels)};
}

/** The first `count` batches of digits, as adapters train on them. */
export async function batchesOf({batch}, count) {
  const {images, labels} = await digitsOf(0, count * batch);
  return Array.from({length: count}, (_, b) => {
    const x = new Float32Array(batch * kPixels);
    const oneHot = new Float32Array(batch * kClasses);
    const own = labels.slice(b * batch, (b + 1) * batch);
    own.forEach((label, i) => {
      x.set(images[b * batch + i], i * kPixels);
      oneHot[i * kClasses + label] = 1;
    });
    return {x, labels: own, oneHot};
  });
}

/** The reference's numbers: outputs.json or losses.json for this network. */
export async function reference(name, {size, network}, query) {
  const {hidden, output, bias} = network;
  return (await fetchData(name, {size, hidden, output, bias: Number(bias), ...query})).json();
}
