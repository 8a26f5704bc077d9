// Pages without a bundler that train, each in its way, and leave what they found in `result`:
//
//   const folder = await makePages('page');               build/web/page, with the package in fjord/
//
// module.html, script.html, in-worker.html, waiting-worker.html, classic-worker.html, service.classic.html, service.module.html
import {cpSync, mkdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {must} from '../../tools/build.mjs';
import {built, tarball} from './setting.mjs';

export const page = (...lines) => ['<!doctype html>', '<link rel="icon" href="data:,">', '<title>Fjord trains</title>', ...lines, ''].join('\n');
/** Where a page's modules find Fjord. */
export const importMap = (base = '') => `<script type="importmap">${JSON.stringify({imports: {fjord: `${base}/fjord/fjord.js`, 'fjord/single': `${base}/fjord/single.js`, 'fjord/text': `${base}/fjord/text.js`}})}</script>`;
/** A call of `train` whose result, or error, is kept. */
export const kept = (call) => `${call}.catch((error) => ({error: String(error)})).then((page) => (globalThis.result = {page}))`;
export const kTrain = '<script src="train.classic.js"></script>';

const inWorker = (script, type) => `<script type="module">
  const worker = new Worker('${script}', {type: '${type}'});
  worker.onmessage = ({data}) => (globalThis.result = {page: data});
  worker.onerror = ({message}) => (globalThis.result = {page: {error: message}});
  worker.postMessage('train');
</script>`;
const inService = (script, type) => `<script type="module">
  await navigator.serviceWorker.register('${script}', {type: '${type}'}).catch((error) => (globalThis.result = {page: {error: String(error)}}));
  const {port1, port2} = new MessageChannel();
  port1.onmessage = ({data}) => (globalThis.result = {page: data});
  (await navigator.serviceWorker.ready).active.postMessage('train', [port2]);
</script>`;
const kAnswer = 'onmessage = ({ports}) => train(fjord).then((page) => ports[0].postMessage(page), (error) => ports[0].postMessage({error: String(error)}));';

export async function makePages(name) {
  const folder = `${built}${name}/`;
  rmSync(folder, {recursive: true, force: true});
  mkdirSync(`${folder}fjord`, {recursive: true});
  await must('tar', ['-xzf', (await tarball()).file, '-C', `${folder}fjord`, '--strip-components=1']);
  cpSync(new URL('app/', import.meta.url), folder, {recursive: true});
  const read = (file) => readFileSync(folder + file, 'utf8');
  const files = {
    // The same program for scripts.
    'train.classic.js': read('train.js').replace(/^export /gm, ''),
    'module.html': page(importMap(), '<script type="module" src="module.js"></script>'),
    // The op in the second script waits for nothing.
    'script.html': page('<script src="fjord/fjord.min.js"></script>', '<script>globalThis.first = fjord.add(1, 2).dataSync()[0];</script>', kTrain, `<script>${kept('train(fjord)')}</script>`),
    'in-worker.html': page(inWorker('in-worker.plain.js', 'module')),
    // A worker has no import map.
    'in-worker.plain.js': read('in-worker.js').replace("'fjord/worker'", "'./fjord/fjord.js'"),
    // The build whose first op waits for the file.
    'waiting-worker.html': page(inWorker('waiting-worker.js', 'module')),
    'waiting-worker.js': read('in-worker.js').replace("'fjord/worker'", "'./fjord/worker.js'"),
    'classic-worker.html': page(inWorker('classic-worker.js', 'classic')),
    'classic-worker.js': "importScripts('fjord/fjord.min.js', 'train.classic.js');\nonmessage = () => train(fjord).then(postMessage, (error) => postMessage({error: String(error)}));\n",
    'service.classic.html': page(inService('service.classic.js', 'classic')),
    'service.classic.js': `importScripts('fjord/fjord.min.js', 'train.classic.js');\n${kAnswer}\n`,
    'service.module.html': page(inService('service.module.js', 'module')),
    'service.module.js': `import * as fjord from './fjord/single.js';\nimport {train} from './train.js';\n${kAnswer}\n`,
  };
  for (const [file, text] of Object.entries(files)) writeFileSync(folder + file, text);
  return folder;
}
