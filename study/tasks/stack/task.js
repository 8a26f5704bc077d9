// How deep a training step's calls go, for the paper's smallest network: what the browser's own profiler sees (JavaScript
// Self-Profiling), harness left out. The page is served for it (run.html?..&profile): a page that may be profiled is slower.
import {batchesOf, networkOf} from '/harness/data.js';
import {callDepth} from '/harness/measure.js';
import {Unsupported} from '/harness/unsupported.js';

export async function run(page) {
  if (page.subject.training === 'none') throw new Unsupported('it only infers');
  const {trial} = page;
  const network = await networkOf({size: '1x64', network: {...trial.network, depth: 1, width: 64, sizes: [784, 64, 10]}});
  if (page.subject.training !== 'batch') network.rate /= network.batch;
  const [batch] = await batchesOf(network, 1);
  await page.open();
  const model = await page.adapter.build(network);
  // Once before, so that what is seen is a step and not its compilation.
  await page.adapter.train(model, batch);
  await page.enter('steady');
  const depth = await callDepth(() => page.adapter.train(model, batch), trial.budget / 2);
  if (depth === null) throw new Unsupported('this browser has no profiler for pages (JavaScript Self-Profiling)');
  if (depth === 0) throw new Unsupported('the profiler of pages shows none of its calls: it takes samples, and leaves out functions that are made at run time');
  page.samples = [];
  page.sample('depth', depth);
  return {check: null, samples: page.samples};
}
