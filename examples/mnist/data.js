// MNIST as its authors publish it: four idx files. A picture is 28 x 28 bytes, 0 is paper and 255 is ink.
//
//   const {train, test} = await load('/data/', (bytes, total) => ...);
//   train.images [60000*784] bytes, train.labels [60000] bytes, train.count 60000
//
// The format: http://yann.lecun.com/exdb/mnist/, "FILE FORMATS FOR THE MNIST DATABASE".
import {fetchBytes} from '../page.js';

export const kSide = 28;
export const kPixels = kSide * kSide;

const kFiles = [
  {set: 'train', part: 'images', name: 'train-images-idx3-ubyte', bytes: 47040016},
  {set: 'train', part: 'labels', name: 'train-labels-idx1-ubyte', bytes: 60008},
  {set: 'test', part: 'images', name: 't10k-images-idx3-ubyte', bytes: 7840016},
  {set: 'test', part: 'labels', name: 't10k-labels-idx1-ubyte', bytes: 10008},
];

/** Fetches the files from `folder`; `progress(bytes, total)` is called as they come in. */
export async function load(folder, progress) {
  const total = kFiles.reduce((sum, file) => sum + file.bytes, 0);
  let received = 0;
  const advance = (bytes) => progress((received += bytes), total);
  const parts = await Promise.all(kFiles.map((file) => fetchIdx(folder + file.name, advance)));
  const data = {train: {}, test: {}};
  kFiles.forEach((file, i) => (data[file.set][file.part] = parts[i]));
  for (const [name, set] of Object.entries(data)) {
    set.count = set.labels.length;
    if (set.images.length !== set.count * kPixels) {
      throw new Error(`The ${name} set has ${set.images.length / kPixels} pictures but ${set.count} labels.`);
    }
  }
  return data;
}

async function fetchIdx(url, advance) {
  return parseIdx(await fetchBytes(url, 'The digits', advance), url);
}

/** The values behind the header: two zero bytes, 8 for "unsigned byte", the rank, then each dimension, big-endian. */
function parseIdx(bytes, url) {
  const view = new DataView(bytes.buffer);
  const rank = bytes[3];
  const header = 4 + 4 * rank;
  if (bytes.length < header || view.getUint16(0) !== 0 || bytes[2] !== 8) {
    throw new Error(`${url} is not an idx file of bytes.`);
  }
  let count = 1;
  for (let i = 0; i < rank; ++i) count *= view.getUint32(4 + 4 * i);
  if (bytes.length !== header + count) {
    throw new Error(`${url} is cut short: its header promises ${count} bytes, it has ${bytes.length - header}.`);
  }
  return bytes.subarray(header);
}
