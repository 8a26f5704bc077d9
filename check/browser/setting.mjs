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
