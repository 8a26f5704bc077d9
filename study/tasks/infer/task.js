// Inference: the network from its files, the first inference, then one digit at a time, outputs read each time. Only right
// outputs are timed. `save` has to have run for this subject and network.
import {digitsOf} from '/harness/data.js';
import {Unsupported} from '/harness/unsupported.js';

// Probabilities; a GPU's exp and sums in another order are within 1e-5, half precision is not always.
const kTolerance = 1e-3;

export async function run(page) {
  const network = await page.network();
  const count = network.compared.outputs;
  const {images} = await digitsOf(0, count);
  const expected = await page.reference('outputs.json', {count});
  await page.open();
  const {adapter, filesAddress} = page;
  const model = await page.timed('load', () => adapter.load(filesAddress, network)).catch((error) => {
    if (error instanceof Unsupported) throw error;
    throw new Error(`${error?.message ?? error} (it loads what "Files" of the same network has put at ${filesAddress}: open that first)`);
  });
  const outputs = [Array.from(await page.timed('first', () => adapter.infer(model, images[0])))];
  let last;
  for (const image of images.slice(1)) {
    const {value, ms} = await page.once(() => adapter.infer(model, image));
    outputs.push(Array.from(value));
    last = ms;
  }
  const check = near(outputs, expected);
  if (check.message) return {check, samples: []};

  let next = 0;
  await page.steady(() => adapter.infer(model, images[next++ % count]), last);
  await adapter.dispose(model);
  return {check, samples: page.samples};
}

function near(outputs, expected) {
  let [difference, worst] = [0, 0];
  expected.forEach((row, digit) =>
    row.forEach((value, k) => {
      const own = Math.abs(outputs[digit][k] - value);
      // What is not a number, or is not there, is as wrong as can be.
      const distance = Number.isNaN(own) ? Infinity : own;
      if (distance > difference) [difference, worst] = [distance, digit];
    }),
  );
  const message = difference <= kTolerance ? '' : `digit ${worst} gives ${outputs[worst].join(', ')}; the reference gives ${expected[worst].join(', ')}`;
  return {kind: 'output', difference, tolerance: kTolerance, message};
}
