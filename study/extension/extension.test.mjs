// The extension in headless Chromium, with a small server of trials of its own: one is right, one never ends, one is wrong.
import assert from 'node:assert/strict';
import os from 'node:os';
import {after, before, beforeEach, test} from 'node:test';
import {fileURLToPath} from 'node:url';
import {chromium} from 'playwright-core';
import {kToken, standIn} from './stand-in.mjs';

const lab = await standIn();
let browser, popup;

beforeEach(() => lab.reset());
before(async () => {
  const folder = fileURLToPath(new URL('.', import.meta.url));
  browser = await chromium.launchPersistentContext('', {
    executablePath: process.env.FJORD_CHROMIUM ?? '/usr/bin/chromium',
    viewport: {width: 360, height: 640},
    args: ['--disable-dev-shm-usage', `--disable-extensions-except=${folder}`, `--load-extension=${folder}`],
  });
  const worker = browser.serviceWorkers()[0] ?? (await browser.waitForEvent('serviceworker'));
  popup = await browser.newPage();
  await allow(new URL(worker.url()).host);
  await popup.goto(new URL('popup.html', worker.url()).href);
});
after(async () => {
  await browser?.close();
  await lab.close();
});

/** What a person does at the question whether the extension may reach the server, by the page that lists the extensions. */
async function allow(extensionId) {
  await popup.goto('chrome://extensions');
  await popup.evaluate(
    async ([extensionId, pattern]) => {
      await chrome.developerPrivate.updateExtensionConfiguration({extensionId, hostAccess: 'ON_SPECIFIC_SITES'});
      await chrome.developerPrivate.addHostPermission(extensionId, pattern);
    },
    [extensionId, `${lab.url}/*`],
  );
}

async function start() {
  await popup.bringToFront();
  await popup.getByLabel('Server', {exact: true}).fill(`${lab.url}/?token=${encodeURIComponent(kToken)}`);
  await popup.getByLabel('Seconds').fill('5');
  await popup.getByLabel('Seconds').press('Enter');
}
/** Waits until the popup has this text. */
const says = (text) => popup.getByText(text).first().waitFor({timeout: 20_000});
const tabs = () => browser.pages().filter((tab) => tab.url().startsWith(lab.url));
/** Ends the worker, as the browser does after half a minute without an event. */
async function sleep() {
  const session = await browser.newCDPSession(popup);
  const stopped = new Promise((done) => session.on('ServiceWorker.workerVersionUpdated', ({versions}) => versions[0]?.runningStatus === 'stopped' && done()));
  await session.send('ServiceWorker.enable');
  await session.send('ServiceWorker.stopAllWorkers');
  await stopped;
  await session.detach();
}

test('it walks through all trials, with a limit of time, although its worker is ended meanwhile', {timeout: 60_000}, async () => {
  await start();
  await says('1 of 3 done, 1 ok');
  await says('endless/cpu train dense/1x64');
  await sleep();
  if (process.env.SHOTS) await popup.screenshot({path: `${process.env.SHOTS}/running.png`});
  await says('3 of 3 done, 1 ok');
  await says('All trials are done.');
  assert.deepEqual(lab.results, {
    1: {outcome: 'ok', message: ''},
    2: {outcome: 'error', message: 'timeout: no result within 5 s, in the phase download'},
    3: {outcome: 'wrong', message: ''},
  });
  await popup.getByText('2 were not ok').click();
  await says('endless/cpu train dense/1x64: error, timeout: no result within 5 s');
  await says('wrong/cpu train dense/1x64: wrong, 0.3, not 0.1');
  assert.deepEqual([...lab.authorizations], [`Bearer ${kToken}`]);
  assert.deepEqual(lab.profiled, ['3']);
  assert.equal(tabs().length, 1, 'one tab at a time');
  // The trial that never ends was never through its steady phase.
  assert.deepEqual(lab.used.map(({id, after, of}) => ({id, after, of})), [1, 3].map((id) => ({id, after: false, of: 'machine'})));
  for (const {id, samples} of lab.used) {
    const units = samples.map(({phase, unit}) => `${phase} in ${unit}`);
    // An interval is 200 ms; the memory is one sample. The heap's phase is no part of it, and has five intervals.
    const steady = lab.begun[id].heap - lab.begun[id].steady;
    assert.ok(samples.length >= 3 && samples.length <= steady / 200 + 3, `${units.join()} in ${steady} ms`);
    assert.deepEqual(new Set(units), new Set(['cpu in percent', 'memory in bytes']));
    const {value} = samples.pop();
    assert.ok(value > 64 * 2 ** 20 && value < os.totalmem(), `${value} bytes are in use`);
    for (const {value: percent} of samples) assert.ok(percent >= 0 && percent <= 100 * os.cpus().length, `${percent} %`);
  }
});

test('stopped and started again it goes on where it was; to close its tab is to stop it', {timeout: 60_000}, async () => {
  lab.usage = 404;
  await start();
  await says('train dense/1x64 · steady');
  await popup.getByRole('button', {name: 'Stop'}).click();
  await says('Stopped.');
  await tabs().at(-1).waitForURL(`${lab.url}/?token=*`);
  await start();
  await says('1 of 3 done, 1 ok');
  await says('The server does not take resource use.');
  assert.deepEqual([lab.next, Object.keys(lab.results)], [2, ['1']]);
  // Offered once, and never again; on a slow machine once more by the start that was stopped, if its phase was over by then.
  assert.ok(lab.used.length >= 1 && lab.used.length <= 2 && lab.used.every(({id}) => id === 1), JSON.stringify(lab.used));
  await says('endless/cpu train dense/1x64');
  await tabs().at(-1).close();
  await says('Its tab was closed.');
  assert.equal(await popup.getByRole('button', {name: 'Start'}).isEnabled(), true);
});

test('a server that is no server, is gone, or refuses', async () => {
  const field = popup.getByLabel('Server', {exact: true});
  await field.fill('ftp://127.0.0.1');
  await field.press('Enter');
  await says('ftp://127.0.0.1 is no address of a server');
  lab.refusal = [401, {error: {status: 401, message: 'open the address that the lab printed'}}];
  await start();
  await says('open the address that the lab printed');
  await lab.close();
  await start();
  await says(`${lab.url} does not answer: is the study's server running?`);
});

test('numbers, ends and addresses, by hand', async () => {
  const found = await popup.evaluate(async () => {
    const [{busyBetween, startMeters}, {serverOf, pageOf}, {endOf}] = await Promise.all(['meter', 'server', 'walk'].map((name) => import(`/${name}.js`)));
    const core = (total, idle) => ({usage: {total, idle}});
    let note;
    chrome.processes = {onUpdatedWithMemory: {addListener: (f) => (note = f), removeListener: () => (note = null)}};
    const [, meter] = startMeters();
    note({1: {cpu: 90, privateMemory: 3000}, 2: {privateMemory: 4000}});
    await new Promise((done) => setTimeout(done, 1000));
    note({1: {cpu: 90, privateMemory: 1000}, 2: {cpu: 35, privateMemory: 2000}});
    return {
      // Of 100 ms one core was idle for 25, and of 200 the other for 100: 75 % and 50 %.
      busy: busyBetween([core(1000, 500), core(2000, 0)], [core(1100, 525), core(2200, 100)]),
      stood: busyBetween([core(1000, 500)], [core(1000, 500)]),
      browser: meter.stop(),
      listens: note !== null,
      ends: ['done', 'steady', 'failed: unsupported: no WebGPU: none', 'failed: the server is gone'].map((title) => endOf(title) ?? null),
      server: serverOf('lab.example:8000/harness/?token=7f', 'old'),
      page: pageOf({address: 'http://lab.example', token: '7f'}, '/harness/run.html', {trial: 3}),
    };
  });
  assert.deepEqual(found, {
    busy: 125,
    stood: null,
    browser: {of: 'browser', samples: [{phase: 'cpu', unit: 'percent', value: 125}, {phase: 'memory', unit: 'bytes', value: 7000}]},
    listens: false,
    ends: [['ok', ''], null, ['unsupported', 'no WebGPU: none'], ['not reported', 'the server is gone']],
    server: {address: 'http://lab.example:8000', token: '7f'},
    page: 'http://lab.example/harness/run.html?trial=3&token=7f',
  });
});
