// How deep a training step's calls go, for the network of task.json: what the browser's own profiler sees (JavaScript
// Self-Profiling), harness left out. The page is served for it (run.html?..&profile): a page that may be profiled is slower.
import {batchesOf} from '/harness/data.js';
import {callDepth} from '/harness/measure.js';
import {Unsupported} from '/harness/unsupported.js';

export async function run(page) {
  if (page.subject.training === 'none') throw new Unsupported('it only infers');
  const network = await page.network();
  if (page.subject.training !== 'batch') network.rate /= network.batch;
  const batches = await batchesOf(network, 1, network.batch);
  await page.open();
  const {adapter} = page;
  const batch = await (adapter.batch?.(network, batches[0]) ?? batches[0]);
  const model = await adapter.build(network);
  // Once before, so that what is seen is a step and not its compilation.
  await adapter.train(model, batch);
  await page.enter('steady');
  const depth = await callDepth(() => adapter.train(model, batch), page.trial.budget / 2);
  if (depth === null) throw new Unsupported('this browser has no profiler for pages (JavaScript Self-Profiling)');
  if (depth === 0) throw new Unsupported('the profiler of pages shows none of its calls: it takes samples, and leaves out functions that are made at run time');
  page.samples = [];
  page.sample('depth', depth);
  return {check: null, samples: page.samples};
}
