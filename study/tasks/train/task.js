// Training: batches of 64 digits, plain gradient descent, the mean loss read after each. The first step is the page's very
// first. Only a network that trains rightly is timed, and from the weights that all start with.
import {batchesOf} from '/harness/data.js';

const kBatches = 10;
const kCompared = 3;
// float32 sums in another order differ by 1e-6; a learning rate, a mean or a bias that is not as it should be by 1e-2 and more.
const kTolerance = 1e-3;

export async function run(page) {
  const network = await page.network();
  const batches = await batchesOf(network, kBatches);
  const {batch, rate} = network;
  const isBatch = page.subject.training === 'batch';
  const expected = isBatch ? await page.reference('losses.json', {batch, rate, steps: kCompared}) : null;
  // Who adds up the digits' gradients instead of taking their mean gets a rate with which a batch moves as far.
  if (!isBatch) network.rate = rate / batch;
  await page.open();
  let model = await page.timed('build', () => page.adapter.build(network));

  // An online trainer's loss is comparable with itself alone, and on the same digits.
  const compared = Array.from({length: kCompared}, (_, i) => batches[isBatch ? i : 0]);
  const losses = [await page.timed('first', () => page.adapter.train(model, compared[0]))];
  let last;
  for (const digits of compared.slice(1)) {
    const {value, ms} = await page.once(() => page.adapter.train(model, digits));
    losses.push(value);
    last = ms;
  }
  const check = isBatch ? near(losses, expected) : falling(losses);
  if (check.message) return {check, samples: []};

  if (last <= page.trial.budget) {
    await page.adapter.dispose(model);
    ({value: model} = await page.once(() => page.adapter.build(network)));
    // Untimed: what compiles for each new network does so here.
    await page.once(() => page.adapter.train(model, batches[0]));
  }
  let next = 1;
  await page.steady(() => page.adapter.train(model, batches[next++ % kBatches]), last);
  await page.adapter.dispose(model);
  return {check, samples: page.samples};
}

function near(losses, expected) {
  const differences = losses.map((loss, i) => Math.abs(loss - expected[i]) / Math.abs(expected[i]));
  // What is not a number is as wrong as can be.
  const difference = Math.max(...differences.map((value) => (Number.isNaN(value) ? Infinity : value)));
  const message = difference <= kTolerance ? '' : `the first losses are ${losses.join(', ')}; those of the reference ${expected.join(', ')}`;
  return {kind: 'loss', difference, tolerance: kTolerance, message};
}

function falling(losses) {
  const ratio = losses.at(-1) / losses[0];
  const difference = Number.isNaN(ratio) ? Infinity : ratio;
  const message = difference < 1 ? '' : `trained on the same digits again and again, its loss goes ${losses.join(', ')}`;
  return {kind: 'falling', difference, tolerance: 1, message};
}
