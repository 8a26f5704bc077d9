// What comes before a step of training is timed: the first step, and losses that are compared with those of the reference. Only a
// network that trains rightly is timed, and from the weights that all start with. Where the reference's loops would take long, or
// the optimizer is not the reference's plain gradient descent, what is compared are steps of a network of their own, with fewer
// examples, after the first step.
//
//   const numbers = await numbersOf(network, subject.training);
//   const {model, data, check, last} = await begin(adapter, network, numbers, clock);
//   if (!check.message) for (const batch of data) await adapter.train(model, batch);
import {batchesOf, reference} from './data.js';

const kBatches = 10;
// An optimizer that the reference does not have lowers the loss of one batch within so many steps.
const kFalls = 20;
// float32 sums in another order differ by 1e-6; a learning rate, a mean or a bias that is not as it should be by 1e-2 and more.
const kTolerance = 1e-3;

/** Examples and the reference's losses, and the rate that the subject takes, by how it trains. */
export async function numbersOf(network, training) {
  const {batch, rate, optimizer, compared} = network;
  const isBatch = training === 'batch';
  const batches = await batchesOf(network, kBatches, batch);
  // An online trainer's loss is comparable with itself alone, and on the same examples.
  if (!isBatch) return {batches, asked: Array(compared.steps).fill(batches[0]), isSame: true, rate: rate / batch};
  const {outputs: _, ...query} = compared;
  const asked = await batchesOf(network, compared.steps, compared.batch);
  const expected = await reference('losses.json', {network}, query);
  const isSame = compared.batch === batch && compared.rate === rate && optimizer === 'sgd';
  return {batches, asked, expected, isSame, rate};
}

/** Batches as the adapter trains on them, which may be kept as the framework keeps its data. */
const prepared = (adapter, network, batches) => (adapter.batch ? Promise.all(batches.map((batch) => adapter.batch(network, batch))) : batches);

/**
 * `timed(phase, call)` gives what a call gives, and keeps its time; `once(call)` gives {value, ms}. Where a step takes longer than
 * `budget` ms the network is not made anew: `last` is then its time.
 */
export async function begin(adapter, given, {batches, asked, expected, isSame, rate}, {timed, once, budget = Infinity, tolerance = kTolerance}) {
  // Who adds up the examples' gradients instead of taking their mean gets a rate with which a batch moves as far.
  const network = {...given, rate};
  let model = await timed('build', () => adapter.build(network));
  const anew = async (other) => {
    await adapter.dispose(model);
    ({value: model} = await once(() => adapter.build(other)));
  };
  const [data, steps] = await Promise.all([batches, asked].map((list) => prepared(adapter, network, list)));
  const first = await timed('first', () => adapter.train(model, isSame ? steps[0] : data[0]));
  if (!isSame) await anew({...network, optimizer: 'sgd', rate: network.compared.rate});
  const losses = isSame ? [first] : [];
  let last;
  for (const batch of steps.slice(losses.length)) {
    const {value, ms} = await once(() => adapter.train(model, batch));
    losses.push(value);
    last = ms;
  }
  let check = expected ? near(losses, expected, tolerance) : falling(losses);
  if (!check.message && (!isSame || last <= budget)) {
    await anew(network);
    const step = () => once(() => adapter.train(model, data[0]));
    // What compiles for each new network does so here.
    const again = [(await step()).value];
    if (!isSame) {
      // No step with this batch has a time yet.
      const {value, ms} = await step();
      again.push(value);
      last = ms;
    }
    if (network.optimizer !== 'sgd' && last <= budget) {
      const falls = () => again.at(-1) < again[0];
      while (again.length < kFalls && !falls()) again.push((await step()).value);
      if (!falls()) check = falling(again);
    }
  }
  return {model, data, check, last};
}

export function near(losses, expected, tolerance) {
  const differences = losses.map((loss, i) => Math.abs(loss - expected[i]) / Math.abs(expected[i]));
  // What is not a number is as wrong as can be.
  const difference = Math.max(...differences.map((value) => (Number.isNaN(value) ? Infinity : value)));
  const message = difference <= tolerance ? '' : `the first losses are ${losses.join(', ')}; those of the reference ${expected.join(', ')}`;
  return {kind: 'loss', difference, tolerance, message};
}

function falling(losses) {
  const ratio = losses.at(-1) / losses[0];
  const difference = Number.isNaN(ratio) ? Infinity : ratio;
  const message = difference < 1 ? '' : `trained on the same examples again and again, its loss goes ${losses.join(', ')}`;
  return {kind: 'falling', difference, tolerance: 1, message};
}
