// Trains the network of an example page in headless Chromium, with progress here, and leaves a screenshot.
//
//   ./dev demo [--model cnn|mlp] [--epochs 5]
//   ./dev demo --example text [--size small|medium] [--steps 2000]    fails where it learns Moby-Dick less well than it should
//   .. --open                                                         serve the page for a person's own browser instead
import {mkdirSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import {launch} from '../tools/browser.mjs';
import {serve} from '../tools/serve.mjs';
import {readOptions} from '../tools/options.mjs';

const options = readOptions({
  example: {type: 'string', default: 'mnist'},
  model: {type: 'string', default: 'cnn'},
  epochs: {type: 'string', default: '5'},
  size: {type: 'string', default: 'medium'},
  steps: {type: 'string', default: '2000'},
  open: {type: 'boolean', default: false},
});

/** Nats a character of text that it has never seen, after this many steps or more. */
const kPromised = {small: 1.75, medium: 1.6};
const kPromisedAfter = 2000;

/** What each page is opened with, what is printed of an entry of its history, and at the end: its words, and whether it kept its promise. */
const examples = {
  mnist: {
    query: `model=${options.model}&epochs=${options.epochs}`,
    line: (e) =>
      `epoch ${e.epoch}  loss ${e.loss.toFixed(4)}  accuracy ${(100 * e.accuracy).toFixed(2)} %  ` +
      `on the 10,000 test digits ${(100 * e.testAccuracy).toFixed(2)} %  ${Math.round(e.imagesPerSecond)} images/s  ${e.seconds.toFixed(1)} s`,
    end({history}) {
      const seconds = history.reduce((sum, e) => sum + e.seconds, 0);
      return {words: `${(100 * history.at(-1).testAccuracy).toFixed(2)} % of the test digits after ${seconds.toFixed(1)} s of training`};
    },
  },
  text: {
    query: `size=${options.size}&steps=${options.steps}`,
    line: (e) => `step ${e.step}  loss ${e.loss.toFixed(3)}  on text it has never seen ${e.unseen.toFixed(3)} nats a character  ${e.seconds.toFixed(1)} s`,
    end({history, written}) {
      const {step, unseen, seconds} = history.at(-1);
      const promised = kPromised[options.size];
      const broken = step >= kPromisedAfter && !(unseen <= promised);
      const words = `${unseen.toFixed(3)} nats a character after ${seconds.toFixed(1)} s of training`;
      return {words: `\n${written}\n\n${words}`, broken: broken ? `It promises ${promised} or less after ${kPromisedAfter} steps.` : null};
    },
  },
};

const example = examples[options.example];
if (!example) {
  console.error(`There is no example ${options.example}: there are ${Object.keys(examples).join(', ')}`);
  process.exit(2);
}
const root = fileURLToPath(new URL('..', import.meta.url));
const server = await serve({port: options.open ? 8080 : 0}).catch((error) => {
  console.error(`The server cannot start: ${error.message}`);
  process.exit(1);
});
const url = `${server.url}/${options.example}/?${example.query}`;
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
      console.log(example.line(e));
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
  const picture = `build/demo/${options.example}.png`;
  await page.screenshot({path: root + picture, fullPage: true});
  const {words, broken} = example.end(await page.evaluate(() => (({history, written}) => ({history, written}))(window.fjordExample)));
  console.log(`${words}; the page is in ${picture}`);
  if (broken) console.error(broken);
  return broken ? 1 : 0;
}
