// Next.js, built by Turbopack and by webpack: imported on the server, trained in the browser, and on the server.
import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {cpSync, rmSync} from 'node:fs';
import http from 'node:http';
import {after, suite, test} from 'node:test';
import {must} from '../../tools/build.mjs';
import {agrees, onlyInAll, open, project, variantOf} from './setting.mjs';

/** A server before another one, which adds headers: what a page's host does. */
async function before(port, headers) {
  const server = http.createServer((request, response) => {
    const {method, url, headers: asked} = request;
    const passed = http.request({host: '127.0.0.1', port, method, path: url, headers: asked}, (answer) => {
      response.writeHead(answer.statusCode, {...answer.headers, ...headers});
      answer.pipe(response);
    });
    passed.on('error', () => response.destroy());
    request.pipe(passed);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {url: `http://127.0.0.1:${server.address().port}`, close: () => (server.close(), server.closeAllConnections())};
}

suite('Next.js', {skip: onlyInAll}, async () => {
  if (onlyInAll) return;
  const folder = await project('next');
  for (const name of ['train.js', 'in-worker.js']) cpSync(new URL(`app/${name}`, import.meta.url), `${folder}app/${name}`);
  const setting = await open();
  after(() => setting.close());
  const next = `${folder}node_modules/next/dist/bin/next`;

  for (const [bundler, external] of [['turbopack', ''], ['webpack', ''], ['webpack', '1']]) {
    test(bundler + (external && ', serverExternalPackages'), async () => {
      rmSync(`${folder}.next`, {recursive: true, force: true});
      const env = {...process.env, NEXT_TELEMETRY_DISABLED: '1', FJORD_EXTERNAL: external};
      await must(process.execPath, [next, 'build', `--${bundler}`], {cwd: folder, env});
      const server = spawn(process.execPath, [next, 'start', '-H', '127.0.0.1', '-p', '0'], {cwd: folder, env});
      try {
        let output = '';
        const port = await new Promise((resolve, reject) => {
          for (const stream of [server.stdout, server.stderr]) {
            stream.setEncoding('utf8').on('data', (text) => {
              const found = (output += text).match(/http:\/\/127\.0\.0\.1:(\d+)/);
              if (found) resolve(Number(found[1]));
            });
          }
          server.on('exit', () => reject(new Error(output)));
        });
        const isolation = {'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp'};
        for (const isolated of [true, false]) {
          const host = await before(port, isolated ? isolation : {});
          after(host.close);
          assert.match(await (await fetch(host.url)).text(), /Fjord (<!-- -->)?\d+\.\d+\.\d+/);
          const result = await setting.resultAt(host.url);
          for (const part of ['page', 'worker']) {
            agrees(result[part], {variant: variantOf(isolated)});
            assert.equal(result[part].threads > 1, isolated, part);
          }
          assert.equal(new Set(result.requests.filter((request) => request.endsWith('.wasm'))).size, 1);
        }
        const onServer = await (await fetch(`http://127.0.0.1:${port}/predict`)).json();
        if (bundler === 'turbopack' || external) agrees(onServer);
        else assert.match(onServer.error, /Fjord cannot load \/_next\/static\/media\/fjord\..*\.wasm: .*in Next\.js serverExternalPackages: \['fjord'\]/);
      } finally {
        server.kill();
      }
    });
  }
});
