// What the server has for a trial: the weights of its network, digits of MNIST or sequences of a text, and what the reference makes
// of them.
//
//   const network = await networkOf(trial);               // {data, input, layers: [{type, kernel, activation, weights}, ..], batch, rate, ..}
//   const batches = await batchesOf(network, 10, 64);     // [{x [64*784], labels [64], oneHot [64*10]}]
import {request} from './api.js';
import {sizeOf} from './network.js';

/** GET /data/NAME?QUERY as a Response. */
export const fetchData = (name, query) => request(`/data/${name}?${new URLSearchParams(query)}`);

/** What a network's data are asked for by. */
const queryOf = ({workload, hidden, output, bias}) => ({workload, hidden, output, bias: Number(bias)});

/**
 * The network with the weights that every subject is given: layers with a kernel have `weights`, a bias of zeros where there is none,
 * and an LSTM's `recurrent` beside its `kernel`.
 */
export async function networkOf({network}) {
  const values = new Float32Array(await (await fetchData('weights.bin', queryOf(network))).arrayBuffer());
  let at = 0;
  const take = (count) => values.slice(at, (at += count));
  const layers = network.layers.map((layer) => {
    if (!layer.kernel) return layer;
    const kernel = take(sizeOf(layer.kernel));
    const recurrent = layer.recurrent && take(sizeOf(layer.recurrent));
    const units = layer.kernel.at(-1);
    const bias = network.bias ? take(units) : new Float32Array(units);
    return {...layer, weights: {kernel, ...(recurrent && {recurrent}), bias}};
  });
  if (at !== values.length) throw new Error(`weights.bin has ${values.length} numbers, ${network.workload} needs ${at}`);
  return {...network, layers};
}

/** Pixels in [0, 1], or a row for each character, with a 1 at its number. */
function inputOf({data, input}, bytes) {
  if (data === 'digits') return Float32Array.from(bytes, (pixel) => pixel / 255);
  const x = new Float32Array(sizeOf(input));
  bytes.forEach((character, step) => (x[step * input[1] + character] = 1));
  return x;
}

/** {inputs: [Float32Array [..input], ..], labels} of what a network learns. */
export async function examplesOf(network, first, count) {
  const bytes = new Uint8Array(await (await fetchData(`${network.data}.bin`, {first, count})).arrayBuffer());
  const each = network.data === 'digits' ? sizeOf(network.input) : network.input[0];
  const inputs = Array.from({length: count}, (_, i) => inputOf(network, bytes.subarray(i * each, (i + 1) * each)));
  // A file that was written beforehand has more than were asked for: all inputs come before all labels.
  const all = bytes.length / (each + 1);
  return {inputs, labels: bytes.slice(all * each, all * each + count)};
}

/** The first `count` batches of so many examples: [{x, labels, oneHot}]. */
export async function batchesOf(network, count, batch) {
  const {inputs, labels} = await examplesOf(network, 0, count * batch);
  const [length, classes] = [sizeOf(network.input), network.layers.at(-1).kernel.at(-1)];
  return Array.from({length: count}, (_, b) => {
    const x = new Float32Array(batch * length);
    const oneHot = new Float32Array(batch * classes);
    const own = labels.slice(b * batch, (b + 1) * batch);
    own.forEach((label, i) => {
      x.set(inputs[b * batch + i], i * length);
      oneHot[i * classes + label] = 1;
    });
    return {x, labels: own, oneHot};
  });
}

/** The reference's numbers: outputs.json or losses.json for this network. */
export const reference = async (name, {network}, query) => (await fetchData(name, {...queryOf(network), ...query})).json();
