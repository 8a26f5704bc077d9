// The pages of trials in Chromium: every subject that has an adapter of this kind, with the stand-in server's reference.
import assert from 'node:assert/strict';
import {after, suite, test} from 'node:test';
import {launch} from '../../tools/browser.mjs';
import {standIn, subjects} from './stand-in.mjs';

const lab = await standIn({budget: 200, samples: 5});
// Memory is told at once, and not after the next garbage collection.
const browser = await launch({args: ['--enable-blink-features=ForceEagerMeasureMemory']});
after(() => Promise.all([browser.close(), lab.close()]));

async function open(path, {prepare = async () => {}, ...options} = {}) {
  const page = await (await browser.newContext(options)).newPage();
  await prepare(page);
  await page.goto(lab.url + path);
  return page;
}
/** Runs a trial on a page of its own: its result. */
async function run(cell, options) {
  const {id} = lab.trial(cell);
  const page = await open(`/harness/run.html?trial=${id}`, options);
  await page.waitForFunction(() => /^(done|failed)/.test(document.title), null, {timeout: 60000});
  const {result, phases} = lab.trials.get(id);
  const title = await page.title();
  await page.context().close();
  return {...result, title, phases, measured: [...new Set(result?.samples.map(({phase}) => phase))]};
}
const kCell = {subject: 'tfjs', backend: 'cpu', task: 'train', workload: 'dense/1x64'};
const answers = (fulfilment) => (route) => route.fulfill(fulfilment);

const kPhases = {
  probe: ['download', 'parse', 'start'],
  save: ['file'],
  train: ['download', 'parse', 'start', 'build', 'first', 'steady', 'heap'],
  infer: ['download', 'parse', 'start', 'load', 'first', 'steady', 'heap'],
};
for (const subject of subjects().filter(({name}) => ['fjord', 'tfjs', 'onnxruntime-web', 'litert', 'jax-js'].includes(name))) {
  suite(subject.title, () => {
    for (const [i, backend] of Object.keys(subject.backends).entries()) {
      for (const task of ['probe', 'save', 'train', 'infer'].filter((task) => task !== 'save' || i === 0)) {
        test(`${backend} ${task}`, async () => {
          const cell = {subject: subject.name, backend, task, workload: task === 'probe' ? '' : 'dense/1x64'};
          const {outcome, message, measured, samples, check, version, engine, facts, title} = await run(cell);
          if (subject.unsupported?.[task]) {
            assert.deepEqual([outcome, message, samples], ['unsupported', subject.unsupported[task], []]);
            return;
          }
          assert.deepEqual([outcome, message, title], ['ok', '', 'done']);
          // Frames and long tasks come as the machine has them.
          assert.deepEqual(measured.filter((phase) => !['frame', 'longtask'].includes(phase)), kPhases[task]);
          for (const {phase, value} of samples) assert.ok(Number.isFinite(value) && value >= 0, `${phase}: ${value}`);
          assert.ok(version && engine, `version "${version}", engine "${engine}"`);
          if (task === 'train' || task === 'infer') {
            assert.ok(check.difference < 1e-4 && check.tolerance === 1e-3, JSON.stringify(check));
            assert.ok(samples.find(({phase}) => phase === 'steady').value > 0);
          }
          // 784*64 + 64 + 64*10 + 10 float32 are 203,560 bytes; a description comes to it.
          if (task === 'save') assert.ok(samples[0].value >= 203560 && samples[0].value < 206000, `${samples[0].value} bytes`);
          if (task === 'probe') assert.ok(facts.activations.length > 5 && facts.cnn && facts.training === (subject.training !== 'none'), JSON.stringify(facts));
        });
      }
    }
  });
}

suite('what goes wrong', () => {
  test('answers that differ from the reference by 1 % have no times', async () => {
    lab.deviation = 1.01;
    for (const [task, kind] of [['train', 'loss'], ['infer', 'output']]) {
      const {outcome, message, check, samples} = await run({...kCell, task});
      assert.deepEqual([outcome, check.kind, samples], ['wrong', kind, []]);
      assert.ok(check.difference > 1e-3 && check.difference < 1.02e-2, JSON.stringify(check));
      assert.match(message, /reference/);
    }
    lab.deviation = 1;
  });
  test('a package that is not there', async () => {
    const {outcome, message} = await run(kCell, {prepare: (page) => page.route('**/tf.min.js', answers({status: 404}))});
    assert.deepEqual([outcome, message], ['error', '/packages/@tensorflow/tfjs/dist/tf.min.js: 404 Not Found; is the package installed (npm ci)?']);
  });
  test('a script with a mistake', async () => {
    const {outcome, message} = await run(kCell, {prepare: (page) => page.route('**/tf.min.js', answers({contentType: 'text/javascript', body: 'let let = 1'}))});
    assert.equal(outcome, 'error');
    assert.match(message, /let/);
  });
  test('an adapter that throws, one that fails where nobody waits, and one that is not there', async () => {
    const adapters = ["throw new Error('planted')", "async () => { Promise.reject(new Error('planted')); await new Promise(() => {}); }"];
    for (const info of adapters.map((body) => (body.startsWith('throw') ? `async () => { ${body}; }` : body))) {
      const body = `export const adapter = () => ({info: ${info}});`;
      const {outcome, message, title} = await run(kCell, {prepare: (page) => page.route('**/adapter.js', answers({contentType: 'text/javascript', body}))});
      assert.deepEqual([outcome, message, title], ['error', 'planted', 'failed: error: planted']);
    }
    const missing = await run(kCell, {prepare: (page) => page.route('**/adapter.js', answers({status: 404}))});
    assert.match(`${missing.outcome} ${missing.message}`, /^error .*adapter\.js/);
  });
  test('a library that never answers', async () => {
    const {outcome, message} = await run(kCell, {
      async prepare(page) {
        await page.route('**/harness/page.js', async (route) => {
          const response = await route.fetch();
          await route.fulfill({response, body: (await response.text()).replace('kPatience = 120e3', 'kPatience = 500')});
        });
        await page.route('**/adapter.js', answers({contentType: 'text/javascript', body: 'export const adapter = () => ({info: () => new Promise(() => {})});'}));
      },
    });
    assert.deepEqual([outcome, message], ['error', 'nothing came of "start" within 0.5 s']);
  });
  /** A trial of an adapter whose train() is this. */
  const trained = (train, cell = kCell) =>
    run(cell, {
      prepare: (page) =>
        page.route('**/adapter.js', answers({
          contentType: 'text/javascript',
          body: `export const adapter = () => ({
            info: async () => ({version: '1', engine: 'none'}), build: async () => ({step: 0}), dispose: async () => {}, train: ${train}});`,
        })),
    });
  test('a loss that is not a number', async () => {
    const {outcome, check, samples} = await trained('async () => NaN');
    assert.deepEqual([outcome, check.difference, samples], ['wrong', null, []]);
  });
  test('an online trainer is compared with itself: its loss has to fall', async () => {
    const cell = {...kCell, subject: 'brainjs'};
    const own = await run(cell);
    assert.deepEqual([own.outcome, own.check.kind, own.message], ['ok', 'falling', '']);
    assert.ok(own.check.difference > 0 && own.check.difference < 1);
    const same = await trained('async () => 2.3', cell);
    assert.deepEqual([same.outcome, same.check, same.samples], ['wrong', {kind: 'falling', difference: 1, tolerance: 1}, []]);
  });
  test('a step that takes longer than the budget is not repeated', async () => {
    // 300 ms, the budget being 200; the losses are the reference's own.
    const {outcome, samples} = await trained(`async (model) => {
      const query = 'workload=dense/1x64&hidden=relu&output=softmax&bias=1&batch=64&rate=0.05&steps=3';
      const losses = await (await fetch('/data/losses.json?' + query)).json();
      await new Promise((resolve) => setTimeout(resolve, 300));
      return losses[model.step++];
    }`);
    const steady = samples.filter(({phase}) => phase === 'steady');
    assert.deepEqual([outcome, steady.length], ['ok', 1]);
    assert.ok(steady[0].value >= 299, `${steady[0].value} ms`);
  });
  test('browsers without WebGPU or WebGL', async () => {
    const without = (script) => ({prepare: (page) => page.addInitScript(script)});
    for (const subject of ['fjord', 'tfjs', 'onnxruntime-web', 'litert', 'jax-js']) {
      const cell = {subject, backend: 'webgpu', task: 'probe'};
      const noApi = await run(cell, without("Object.defineProperty(navigator, 'gpu', {value: undefined})"));
      assert.equal(noApi.outcome, 'unsupported', `${subject}: ${noApi.message}`);
      const noAdapter = await run(cell, without('GPU.prototype.requestAdapter = async () => null'));
      assert.equal(noAdapter.outcome, 'unsupported', `${subject}: ${noAdapter.message}`);
    }
    const noContext = 'for (const c of [HTMLCanvasElement, OffscreenCanvas]) c.prototype.getContext = () => null';
    const noWebGl = await run({...kCell, backend: 'webgl'}, without(noContext));
    assert.equal(noWebGl.outcome, 'unsupported', noWebGl.message);
  });
  test('a trial that is not there, and one that has its result already', async () => {
    for (const id of [999999, 1]) {
      const page = await open(`/harness/run.html?trial=${id}`);
      await page.waitForFunction(() => document.title.startsWith('failed'), null, {timeout: 60000});
      assert.match(await page.textContent('main'), id === 1 ? /has its result already/ : /there is no/);
      await page.context().close();
    }
  });
});

/** Runs in a page that has the harness's modules. */
async function inPage(work, given) {
  const page = await open('/');
  const result = await page.evaluate(work, given);
  await page.context().close();
  return result;
}

suite('what networks learn', () => {
  test('a text is a row a character, with a 1 at its number', async () => {
    const [{x, labels, oneHot}] = await inPage(async () => {
      // Two sequences of three characters of four, and what comes after each; then what was not asked for.
      window.fetch = async () => new Response(Uint8Array.of(1, 0, 2, 3, 3, 0, 1, 1, 1, 2, 1, 0));
      const {batchesOf} = await import('/harness/data.js');
      const batches = await batchesOf({data: 'text', input: [3, 4], layers: [{kernel: [5, 4]}]}, 1, 2);
      return batches.map((batch) => Object.fromEntries(Object.entries(batch).map(([name, values]) => [name, [...values]])));
    });
    assert.deepEqual(x, [0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0, 0]);
    assert.deepEqual([labels, oneHot], [[2, 1], [0, 0, 1, 0, 0, 1, 0, 0]]);
  });
  test('what an optimizer is that the reference has not: plain descent is compared, and its own loss falls', async () => {
    const trained = (own) =>
      inPage(async (own) => {
        const {begin} = await import('/harness/training.js');
        const built = [];
        const adapter = {
          build: async ({optimizer, rate}) => ({losses: optimizer === 'sgd' ? [4, 3] : [...own], described: built.push(`${optimizer} ${rate}`)}),
          train: async ({losses}) => (losses.length > 1 ? losses.shift() : losses[0]),
          dispose: async () => {},
        };
        const network = {optimizer: 'rmsprop', rate: 0.01, compared: {rate: 1}};
        const numbers = {batches: [0], asked: [0, 0], expected: [4, 3], isSame: false, rate: 0.01};
        const once = async (call) => ({value: await call(), ms: 1});
        const {check, last} = await begin(adapter, network, numbers, {timed: (_, call) => call(), once});
        return {check, last, built};
      }, own);
    const good = await trained([5, 5.5, 4.9]);
    assert.deepEqual(good, {check: {kind: 'loss', difference: 0, tolerance: 1e-3, message: ''}, last: 1, built: ['rmsprop 0.01', 'sgd 1', 'rmsprop 0.01']});
    const bad = await trained([5, 5]);
    assert.deepEqual([bad.check.kind, bad.check.difference], ['falling', 1]);
    assert.match(bad.check.message, /its loss goes 5, 5/);
  });
});

suite('the clock', () => {
  test('slices are one call or the mean of many, and fill their time', async () => {
    const {short, long, last} = await inPage(async () => {
      const {slices} = await import('/harness/measure.js');
      // The page's clock goes on by what the calls say that they take.
      let now = 0;
      performance.now = () => now;
      const taking = (ms) => async () => void (now += ms);
      return {
        short: await slices(taking(0.125), {most: 10, budget: 200}),
        long: await slices(taking(20), {most: 1000, budget: 200}),
        last: await slices(taking(20), {most: 1000, budget: 0}),
      };
    });
    // Ten slices of 10 ms would fill the second half of 200 ms: 128 calls are the first power of two that takes as long, 16 ms. They
    // begin after 1 + 2 + .. + 64 calls, 15.875 ms, and then every 16: at 111.875, .., 191.875 in the second half.
    assert.deepEqual(short, Array(6).fill(0.125));
    // A call that is longer than a slice is one: those that begin at 100, 120, .., 180.
    assert.deepEqual(long, Array(5).fill(20));
    assert.deepEqual(last, [20]);
  });
  test('the heap has WebAssembly memory in it, shared or not', async () => {
    const bytes = await inPage(async () => {
      const {heapBytes, watchMemories} = await import('/harness/measure.js');
      watchMemories();
      const sizes = [await heapBytes()];
      const kept = [];
      for (const shared of [false, true]) {
        kept.push(new WebAssembly.Memory({initial: 1600, maximum: 1600, shared}));
        sizes.push(await heapBytes());
      }
      return [...sizes, kept.length];
    });
    // 1600 pages of 65,536 bytes; the rest of the page moves by some 100 kB.
    for (const i of [1, 2]) assert.ok(Math.abs(bytes[i] - bytes[i - 1] - 1600 * 65536) < 5e6, bytes.join());
  });
});

suite('the index', () => {
  test('links make trials, and a walk goes through all that the server has', async () => {
    const page = await open('/');
    await page.click('input[value="dense/2x64"] + span');
    await page.locator('.subject', {hasText: 'TensorFlow.js'}).locator('a', {hasText: 'Training'}).first().click();
    await page.waitForFunction(() => document.title === 'done', null, {timeout: 60000});
    const {trial} = [...lab.trials.values()].at(-1);
    assert.deepEqual([trial.subject, trial.backend, trial.task, trial.workload], ['tfjs', 'cpu', 'train', 'dense/2x64']);
    assert.equal(new URL(page.url()).search, `?trial=${trial.id}`);

    const train = {subject: 'onnxruntime-web', backend: 'wasm', task: 'train', workload: 'dense/1x64'};
    lab.queue.push({...kCell, task: 'empty', workload: ''}, train, {...kCell, task: 'save'});
    await page.goto(lab.url);
    await page.click('#start');
    await page.waitForURL('**/index.html?walked', {timeout: 60000});
    await page.waitForFunction(() => document.querySelector('#progress').textContent.startsWith('All done'));
    assert.equal(await page.textContent('#progress'), 'All done: 2 of 3 trials have numbers.');
    assert.match(await page.textContent('#problems'), /^onnxruntime-web wasm train dense\/1x64: unsupported/);
    await page.context().close();
  });
  test('nothing scrolls sideways on a phone', async () => {
    const viewport = {width: 360, height: 740};
    const {id} = lab.trial({...kCell, task: 'probe', workload: ''});
    for (const path of ['/', `/harness/run.html?trial=${id}`]) {
      const page = await open(path, {viewport});
      await page.waitForFunction(() => document.querySelector('.subject, dl'));
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360, path);
      await page.context().close();
    }
  });
});
