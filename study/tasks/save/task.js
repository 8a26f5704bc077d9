// The network as the framework keeps it: uploaded, so that `infer` can load it, and its size.
import {request} from '/harness/api.js';

export async function run(page) {
  const network = await page.network();
  await page.open();
  await page.enter('file');
  const {value: files} = await page.once(() => page.adapter.read(network));
  const bytes = Object.entries(files).map(([name, content]) => [name, typeof content === 'string' ? new TextEncoder().encode(content) : content]);
  if (!bytes.length) throw new Error('the adapter gave no files');
  for (const [name, body] of bytes) await request(page.filesAddress + name, {method: 'PUT', body});
  page.sample('file', bytes.reduce((sum, [, {byteLength}]) => sum + byteLength, 0));
  return {check: null, samples: page.samples.filter(({phase}) => phase === 'file')};
}
