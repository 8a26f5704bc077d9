// What the server has for a trial: the weights of its network, digits of MNIST, and what the reference makes of them.
//
//   const network = await networkOf(trial);          // {input, layers: [{type, kernel, activation, weights}, ..], batch, rate, ..}
//   const batches = await batchesOf(10, 64);         // [{x [64*784], labels [64], oneHot [64*10]}]
import {request} from './api.js';
import {sizeOf} from './network.js';

const kPixels = 784;
const kClasses = 10;

/** GET /data/NAME?QUERY as a Response. */
export const fetchData = (name, query) => request(`/data/${name}?${new URLSearchParams(query)}`);

/** What a network's data are asked for by. */
const queryOf = ({workload, hidden, output, bias}) => ({workload, hidden, output, bias: Number(bias)});

/** The network with the weights that every subject is given: layers with a kernel have `weights`, a bias of zeros where there is none. */
export async function networkOf({network}) {
  const values = new Float32Array(await (await fetchData('weights.bin', queryOf(network))).arrayBuffer());
  let at = 0;
  const take = (count) => values.slice(at, (at += count));
  const layers = network.layers.map((layer) => {
    if (!layer.kernel) return layer;
    const kernel = take(sizeOf(layer.kernel));
    const units = layer.kernel.at(-1);
    return {...layer, weights: {kernel, bias: network.bias ? take(units) : new Float32Array(units)}};
  });
  if (at !== values.length) throw new Error(`weights.bin has ${values.length} numbers, ${network.workload} needs ${at}`);
  return {...network, layers};
}

/** {images: [Float32Array [784], ..], labels}, pixels in [0, 1]. */
export async function digitsOf(first, count) {
  const bytes = new Uint8Array(await (await fetchData('digits.bin', {first, count})).arrayBuffer());
  const images = Array.from({length: count}, (_, i) => Float32Array.from(bytes.subarray(i * kPixels, (i + 1) * kPixels), (pixel) => pixel / 255));
  // A file that was written beforehand has more than were asked for: all images come before all labels.
  const all = bytes.length / (kPixels + 1);
  return {images, labels: bytes.slice(all * kPixels, all * kPixels + count)};
}

/** The first `count` batches of so many digits: [{x, labels, oneHot}]. */
export async function batchesOf(count, batch) {
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
export const reference = async (name, {network}, query) => (await fetchData(name, {...queryOf(network), ...query})).json();
