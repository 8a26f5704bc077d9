// Inference: the network from its files, the first inference, then one example at a time, outputs read each time. Only right
// outputs are timed. `save` has to have run for this subject and network.
import {examplesOf} from '/harness/data.js';
import {Unsupported} from '/harness/unsupported.js';

// Of an example's largest output, which among 84 characters is 0.014: an LSTM without its recurrence is off by less than 0.001 there. A
// GPU's exp and sums in another order are within 1e-5, half precision is not always.
const kTolerance = 1e-3;

export async function run(page) {
  const network = await page.network();
  const count = network.compared.outputs;
  const {inputs} = await examplesOf(network, 0, count);
  const expected = await page.reference('outputs.json', {count});
  await page.open();
  const {adapter, filesAddress} = page;
  const model = await page.timed('load', () => adapter.load(filesAddress, network)).catch((error) => {
    if (error instanceof Unsupported) throw error;
    throw new Error(`${error?.message ?? error} (it loads what "Files" of the same network has put at ${filesAddress}: open that first)`);
  });
  const outputs = [Array.from(await page.timed('first', () => adapter.infer(model, inputs[0])))];
  let last;
  for (const input of inputs.slice(1)) {
    const {value, ms} = await page.once(() => adapter.infer(model, input));
    outputs.push(Array.from(value));
    last = ms;
  }
  const check = near(outputs, expected);
  if (check.message) return {check, samples: []};

  let next = 0;
  await page.steady(() => adapter.infer(model, inputs[next++ % count]), last);
  await adapter.dispose(model);
  return {check, samples: page.samples};
}

function near(outputs, expected) {
  let [difference, worst] = [0, 0];
  expected.forEach((row, example) => {
    const largest = Math.max(...row.map(Math.abs));
    row.forEach((value, k) => {
      const own = Math.abs(outputs[example][k] - value) / largest;
      // What is not a number, or is not there, is as wrong as can be.
      const distance = Number.isNaN(own) ? Infinity : own;
      if (distance > difference) [difference, worst] = [distance, example];
    });
  });
  const message = difference <= kTolerance ? '' : `example ${worst} gives ${outputs[worst].join(', ')}; the reference gives ${expected[worst].join(', ')}`;
  return {kind: 'output', difference, tolerance: kTolerance, message};
}
