// Browsers that Playwright does not drive as Debian has them: Firefox ESR and WebKitGTK. They open one page, which runs those of
// pages.mjs in frames, one after the other, and posts what it found.
import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {existsSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import {after, suite, test} from 'node:test';
import sirv from 'sirv';
import {makePages, page} from './pages.mjs';
import {agrees, onlyInAll} from './setting.mjs';

const kPages = ['module', 'script', 'in-worker', 'waiting-worker', 'classic-worker', 'service.classic', 'service.module'];
const kMiniBrowser = ['4.1', '4.0'].map((version) => `/usr/lib/${os.machine()}-linux-gnu/webkit2gtk-${version}/MiniBrowser`);

/** Ends a program and waits for it. */
const end = (child) =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode) return resolve();
    child.on('exit', resolve);
    child.kill('SIGKILL');
  });
const temporary = () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'fjord-browser-'));
  after(() => rmSync(folder, {recursive: true, force: true, maxRetries: 5}));
  return folder;
};

/** The folder's server, and the results that are posted to it. */
async function collect(folder, isolated) {
  const files = sirv(folder, {dev: true});
  let arrived;
  const results = new Promise((resolve) => (arrived = resolve));
  const server = http.createServer(async (request, response) => {
    if (isolated) {
      response.setHeader('Cross-Origin-Opener-Policy', 'same-origin');
      response.setHeader('Cross-Origin-Embedder-Policy', 'require-corp');
    }
    if (request.method !== 'POST') return files(request, response, () => response.writeHead(404).end());
    let text = '';
    for await (const part of request) text += part;
    response.end();
    arrived(JSON.parse(text));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {url: `http://127.0.0.1:${server.address().port}/all.html`, results, close: () => (server.close(), server.closeAllConnections())};
}

/** A screen for a browser that wants one. */
async function screen() {
  const child = spawn('Xvfb', ['-displayfd', '3', '-screen', '0', '800x600x24', '-nolisten', 'tcp'], {stdio: ['ignore', 'ignore', 'ignore', 'pipe']});
  const number = await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => reject(new Error(`Xvfb ended with code ${code}`)));
    child.stdio[3].once('data', (data) => resolve(String(data).trim()));
  });
  return {child, DISPLAY: `:${number}`};
}

const browsers = {
  'Firefox ESR': {
    programs: ['/usr/bin/firefox-esr'],
    open: async (url) => spawn('/usr/bin/firefox-esr', ['--headless', '--no-remote', '--profile', temporary(), url], {stdio: 'ignore', env: {...process.env, HOME: temporary()}}),
    variants: {isolated: /^(relaxed-)?simd-threads$/, plain: /^(relaxed-)?simd$/},
  },
  WebKitGTK: {
    programs: [kMiniBrowser.find(existsSync) ?? kMiniBrowser[0], '/usr/bin/Xvfb'],
    open: async (url) => {
      const {child, DISPLAY} = await screen();
      const browser = spawn(browsers.WebKitGTK.programs[0], [url], {stdio: 'ignore', env: {...process.env, DISPLAY, HOME: temporary(), LIBGL_ALWAYS_SOFTWARE: '1'}});
      browser.on('exit', () => end(child));
      return browser;
    },
    // It has no SharedArrayBuffer, isolated or not.
    variants: {isolated: /^(relaxed-)?simd(-threads)?$/, plain: /^(relaxed-)?simd$/},
  },
};

for (const [name, {programs, open, variants}] of Object.entries(browsers)) {
  suite(name, {skip: onlyInAll}, async () => {
    if (onlyInAll) return;
    const folder = await makePages(`browser-${programs.length}`);
    writeFileSync(
      `${folder}all.html`,
      page(`<script type="module">
        const results = {isolated: crossOriginIsolated, agent: navigator.userAgent};
        for (const name of ${JSON.stringify(kPages)}) {
          const frame = Object.assign(document.createElement('iframe'), {src: name + '.html'});
          document.body.append(frame);
          for (let turn = 0; turn < 300 && !frame.contentWindow.result; ++turn) await new Promise((done) => setTimeout(done, 100));
          results[name] = frame.contentWindow.result?.page ?? {error: 'nothing came within 30 s'};
          frame.remove();
        }
        await fetch('/results', {method: 'POST', body: JSON.stringify(results)});
      </script>`).replace('</title>', '</title>\n<body>'),
    );
    for (const kind of ['isolated', 'plain']) {
      test(kind, {timeout: 240000}, async () => {
        for (const program of programs) assert.ok(existsSync(program), `There is no ${program}: run ./dev setup --web`);
        const server = await collect(folder, kind === 'isolated');
        const browser = await open(server.url);
        try {
          const ended = new Promise((_, reject) => browser.on('exit', (code) => reject(new Error(`${name} ended with code ${code}`))));
          const results = await Promise.race([server.results, ended]);
          assert.equal(results.isolated, kind === 'isolated', results.agent);
          for (const page of kPages) {
            agrees(results[page]);
            assert.match(results[page].variant, ['module', 'in-worker', 'waiting-worker'].includes(page) ? variants[kind] : /^simd$/, page);
          }
        } finally {
          await end(browser);
          server.close();
        }
      });
    }
  });
}
