// Trains the MNIST CNN of the example page in headless Chromium, with progress here, and leaves a screenshot.
//
//   ./dev demo [--model cnn|mlp] [--epochs 5] [--open]      --open: serve the page for a person's own browser instead
import {mkdirSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import {launch} from '../tools/browser.mjs';
import {serve} from '../tools/serve.mjs';
import {readOptions} from '../tools/options.mjs';

const options = readOptions({model: {type: 'string', default: 'cnn'}, epochs: {type: 'string', default: '5'}, open: {type: 'boolean', default: false}});
const root = fileURLToPath(new URL('..', import.meta.url));
const server = await serve({port: options.open ? 8080 : 0}).catch((error) => {
  console.error(`The server cannot start: ${error.message}`);
  process.exit(1);
});
const url = `${server.url}/mnist/?model=${options.model}&epochs=${options.epochs}`;
if (options.open) {
  console.log(`Open ${url} in your browser (stop with Ctrl-C)`);
} else {
  const browser = await launch();
  try {
    process.exitCode = await train(await browser.newPage({viewport: {width: 1280, height: 900}}));
  } finally {
    await browser.close();
    await server.close();
  }
}

/** Follows the page until it is done; 0 if it got there. */
async function train(page) {
  page.on('console', (message) => message.type() === 'error' && console.error(`page: ${message.text()}`));
  await page.goto(`${url}&autostart=1`);
  let shown = 0;
  const show = (text) => process.stdout.write(process.stdout.isTTY ? `\r\x1b[K${text}` : '');
  for (;;) {
    const {state, status, history, error} = await page.evaluate(() => ({
      state: document.body.dataset.state,
      status: document.querySelector('#status')?.textContent ?? '',
      history: window.fjordExample?.history ?? [],
      error: String(window.fjordExample?.error ?? ''),
    }));
    show(status);
    for (const e of history.slice(shown)) {
      show('');
      console.log(
        `epoch ${e.epoch}  loss ${e.loss.toFixed(4)}  accuracy ${(100 * e.accuracy).toFixed(2)} %  ` +
          `on the 10,000 test digits ${(100 * e.testAccuracy).toFixed(2)} %  ${Math.round(e.imagesPerSecond)} images/s  ${e.seconds.toFixed(1)} s`,
      );
    }
    shown = history.length;
    if (state === 'error') {
      console.error(error);
      return 1;
    }
    if (state === 'done') break;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  mkdirSync(`${root}build/demo`, {recursive: true});
  const picture = 'build/demo/mnist.png';
  await page.screenshot({path: root + picture, fullPage: true});
  const {history} = await page.evaluate(() => ({history: window.fjordExample.history}));
  const seconds = history.reduce((sum, e) => sum + e.seconds, 0);
  console.log(`${(100 * history.at(-1).testAccuracy).toFixed(2)} % of the test digits after ${seconds.toFixed(1)} s of training; the page is in ${picture}`);
  return 0;
}
