// Training: batches of examples, the mean loss read after each. The first step is the page's very first.
import {begin, numbersOf} from '/harness/training.js';

export async function run(page) {
  const network = await page.network();
  const numbers = await numbersOf(network, page.subject.training);
  await page.open();
  const {adapter, trial} = page;
  const clock = {timed: (phase, call) => page.timed(phase, call), once: (call) => page.once(call), budget: trial.budget};
  const {model, data, check, last} = await begin(adapter, network, numbers, clock);
  if (check.message) return {check, samples: []};
  let next = 1;
  await page.steady(() => adapter.train(model, data[next++ % data.length]), last);
  await adapter.dispose(model);
  return {check, samples: page.samples};
}
