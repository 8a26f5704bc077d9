// What the browser tests share: one Chromium and one server for a file's tests, pages whose console is watched.
//
//   const setting = await open();
//   after(() => setting.close());
//   const page = await setting.page();                    // an empty page that can import /fjord/fjord.js
//   await page.evaluate(async () => { const tf = await import('/fjord/fjord.js'); ... });
//   assert.deepEqual(page.complaints, []);                // errors and warnings of its console
import {launch} from '../../tools/browser.mjs';
import {serve} from '../../tools/serve.mjs';

/** The page that the package's tests run in: nothing but a heading. */
const kEmpty = '/check/browser/empty.html';

export async function open(options) {
  const [browser, server, plainServer] = await Promise.all([launch(options), serve(), serve({isolated: false})]);
  const servers = [server, plainServer];
  return {
    browser,
    url: server.url,
    /** A page in a context of its own: with its own storage. `headers` are those of a server of its own; `before` runs in the page first. */
    async page({path = kEmpty, isolated = true, headers, before, ...options} = {}) {
      const context = await browser.newContext(options);
      const page = await context.newPage();
      watch(page);
      if (before) await page.addInitScript(before);
      const from = headers ? await this.serve({isolated, headers}) : isolated ? server : plainServer;
      await page.goto(from.url + path);
      return page;
    },
    /** Another server, until the end. */
    async serve(options) {
      const server = await serve(options);
      servers.push(server);
      return server;
    },
    async close() {
      await browser.close();
      await Promise.all(servers.map((server) => server.close()));
    },
  };
}

/** Collects what the page's console says. */
export function watch(page) {
  page.lines = [];
  page.complaints = [];
  page.on('console', (message) => {
    page.lines.push(message.text());
    if (['error', 'warning'].includes(message.type())) page.complaints.push(message.text());
  });
  page.on('pageerror', (error) => page.complaints.push(String(error)));
  return page;
}

/** Screens that the examples are looked at on, as options of a page. */
export const screens = {
  '1280 x 900': {viewport: {width: 1280, height: 900}},
  '390 x 844': {viewport: {width: 390, height: 844}, hasTouch: true, isMobile: true},
  '320 x 640': {viewport: {width: 320, height: 640}},
};
/** What of a page does not fit its screen; `nothingOff` where all does. */
export const offScreen = (page) =>
  page.evaluate(() => ({
    scroll: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    outside: [...document.querySelectorAll('main button, main input, main canvas, main p, main dd, main label')]
      .filter((e) => e.checkVisibility() && !e.closest('.hidden') && !e.matches('.hidden, [type=radio]'))
      .filter((e) => e.getBoundingClientRect().right > innerWidth + 1 || e.getBoundingClientRect().left < -1)
      .map((e) => e.id || e.className || e.tagName),
    // A button's text on two lines, or longer than the button.
    broken: [...document.querySelectorAll('.buttons button')].filter((e) => e.checkVisibility() && (e.offsetHeight > 50 || e.scrollWidth > e.clientWidth)).map((e) => e.id),
  }));
export const nothingOff = {scroll: 0, outside: [], broken: []};
