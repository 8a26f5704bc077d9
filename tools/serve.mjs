// A small static server for the examples, the tests and the benchmarks, with the two headers that a page needs to have
// threads (cross-origin isolation).
//
//   ./dev serve [--port 8080]                   the examples, for a person's browser
//   const server = await serve();               in a test: any free port of this machine
//   await page.goto(`${server.url}/mnist/`);
//   await server.close();
//
// Paths: / is examples/, /fjord/ the built package, /wasm/ the builds it is made from, /models/ the models of
// the benchmarks, /check/ and /node_modules/ the folders of these names.
import http from 'node:http';
import {existsSync} from 'node:fs';
import path from 'node:path';
import {fileURLToPath} from 'node:url';
import sirv from 'sirv';
import {readOptions} from './options.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const mounts = {
  '/fjord/': 'build/npm',
  '/wasm/': 'build/wasm',
  '/models/': 'build/models',
  '/gpu/': 'build/gpu',
  '/check/': 'check',
  '/node_modules/': 'node_modules',
  '/': 'examples',
};

/**
 * Starts the server. `isolated: false` leaves the headers out, as most of the web's servers do; `headers` are sent besides, or in
 * place of these; `mounts` are more folders, by what their paths begin with, or others.
 */
export function serve({port = 0, host = '127.0.0.1', isolated = true, headers = {}, mounts: more = {}} = {}) {
  const handlers = Object.entries({...more, ...mounts, ...more}).map(
    // dev: files are looked up on each request, so a rebuilt package is served at once.
    ([prefix, folder]) => [prefix, sirv(path.resolve(root, folder), {dev: true, etag: true})],
  );
  const server = http.createServer((request, response) => {
    response.setHeader('Cache-Control', 'no-cache');
    if (isolated) {
      response.setHeader('Cross-Origin-Opener-Policy', 'same-origin');
      response.setHeader('Cross-Origin-Embedder-Policy', 'require-corp');
      response.setHeader('Cross-Origin-Resource-Policy', 'same-origin');
    }
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    const [prefix, handler] = handlers.find(([prefix]) => request.url.startsWith(prefix));
    request.url = '/' + request.url.slice(prefix.length);
    handler(request, response, () => response.writeHead(404).end(`There is no ${prefix}${request.url.slice(1)}\n`));
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () =>
      resolve({
        url: `http://${host.includes(':') ? `[${host}]` : host}:${server.address().port}`,
        close: () => new Promise((done) => (server.close(done), server.closeAllConnections())),
      }),
    );
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const values = readOptions({port: {type: 'string', default: '8080'}});
  if (!existsSync(`${root}/build/npm`)) {
    console.error('The package is not built yet: run ./dev build');
    process.exit(1);
  }
  const server = await serve({port: Number(values.port)}).catch((error) => {
    console.error(`${error.message}. Choose another port: ./dev serve --port 8081`);
    process.exit(1);
  });
  console.log(`Serving the examples at ${server.url}/ (stop with Ctrl-C)`);
}
