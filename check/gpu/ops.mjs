// Every op's cases on a GPU against the double reference: the player of the package (web/src/gpu.ts) plays what the engine
// makes of them, in headless Chromium or, with --dawn, in Node on Dawn (npm webgpu).
//
//   node check/gpu/ops.mjs [--only conv2d] [--list] [--dawn]
//   const {ops, refused, failures, bytes} = await playCases({only: ['conv2d']});
import {spawnSync} from 'node:child_process';
import {writeFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import {launch} from '../../tools/browser.mjs';
import {build, folderOf, root} from '../../tools/build.mjs';
import {serve} from '../../tools/serve.mjs';
import {bundlePlayer, openDawn} from './dawn.mjs';
import {tryCases} from './try.mjs';
import {readOptions} from '../../tools/options.mjs';

/** The names of the ops that were tried, those that were refused with their reasons, what failed, and GPU bytes left. */
export async function playCases({only, list = false, dawn = false} = {}, say = () => {}) {
  const made = spawnSync(`${folderOf('native')}/fjord_gpu_cases`, {maxBuffer: 1 << 30});
  if (made.status !== 0) throw new Error(`${made.error ?? made.stderr}`);
  await bundlePlayer();
  const cases = `${made.stdout}`
    .trim()
    .split('\n')
    .filter((line) => !only || only.includes(JSON.parse(line).op));
  if (dawn) return tryCases(await openDawn(), cases, {list, say});
  writeFileSync(`${root}build/gpu/cases.json`, `[${cases.join(',\n')}]`);
  const server = await serve();
  const browser = await launch();
  try {
    const page = await browser.newPage();
    await page.exposeFunction('say', say);
    await page.goto(`${server.url}/check/bench/blank.html`);
    return await page.evaluate(async (list) => {
      const [{Gpu}, {tryCases}, cases] = await Promise.all([import('/gpu/gpu.mjs'), import('/check/gpu/try.mjs'), fetch('/gpu/cases.json').then((r) => r.json())]);
      return tryCases(await Gpu.open(), cases.map((c) => JSON.stringify(c)), {list, say: window.say});
    }, list);
  } finally {
    await browser.close();
    await server.close();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const values = readOptions({only: {type: 'string', multiple: true}, list: {type: 'boolean', default: false}, dawn: {type: 'boolean', default: false}});
  await build('native', ['fjord_gpu_cases']);
  const {ops, refused, failures, bytes} = await playCases(values, console.log);
  for (const {op, why} of refused) console.log(`refused: ${op}: ${why}`);
  console.log(`${ops.length} ops, ${failures.length} failures, ${bytes} bytes left`);
  process.exit(failures.length || !ops.length || bytes ? 1 : 0);
}
