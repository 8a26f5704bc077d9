// The page server of ./dev bench start: files in memory, zipped beforehand, with the headers of a site that is made well, over a line of
// a certain speed.
//
//   const server = await serveSite({files: {'/app.js': bytes}, line: {bitsPerSecond: 10e6, latency: 40}, isolated: true});
//   server.sent = 0; ...; server.sent          // bytes of bodies since then
//
// The server is the line, as what a browser's developer tools slow down leaves workers out. All responses share its bits, and the first
// of a response come `latency` ms after the request.
import http from 'node:http';
import path from 'node:path';
import {brotliCompressSync, gzipSync} from 'node:zlib';

const kTypes = {html: 'text/html; charset=utf-8', js: 'text/javascript', mjs: 'text/javascript', json: 'application/json', wasm: 'application/wasm'};
const kZips = {gzip: (bytes) => gzipSync(bytes, {level: 9}), br: (bytes) => brotliCompressSync(bytes)};
// Some 3 ms of 10 Mbit/s: responses that share the line take turns so often.
const kPiece = 4096;

const until = (time) => new Promise((resolve) => setTimeout(resolve, Math.max(0, time - performance.now())));

/** Sends pieces one after the other, whoever they belong to. */
class Line {
  free = 0;
  constructor({bitsPerSecond = Infinity, latency = 0} = {}) {
    this.bytesPerMs = bitsPerSecond / 8e3;
    this.latency = latency;
  }
  async send(response, body) {
    if (this.bytesPerMs === Infinity) return void response.end(body);
    await until(performance.now() + this.latency);
    this.free = Math.max(this.free, performance.now());
    for (let sent = 0; sent < body.length; sent += kPiece) {
      const piece = body.subarray(sent, sent + kPiece);
      // A timer that comes late makes the next pieces come sooner, not the line slower.
      this.free += piece.length / this.bytesPerMs;
      if (this.free > performance.now()) await until(this.free);
      response.write(piece);
    }
    response.end();
  }
}

const zipped = (name, bytes, encoding) => {
  const type = kTypes[path.extname(name).slice(1)] ?? 'application/octet-stream';
  const body = kZips[encoding](bytes);
  // As servers do: weights do not get smaller.
  return body.length < 0.95 * bytes.length ? {type, body, encoding} : {type, body: Buffer.from(bytes)};
};

export async function serveSite({files, isolated = false, line, encoding = 'gzip'}) {
  const site = new Map(Object.entries(files).map(([name, bytes]) => [name, zipped(name, bytes, encoding)]));
  const connection = new Line(line);
  const server = http.createServer((request, response) => {
    const {pathname} = new URL(request.url, 'http://site');
    const file = site.get(pathname);
    if (!file) return void response.writeHead(404).end();
    const isPage = pathname.endsWith('.html');
    response.writeHead(200, {
      'Content-Type': file.type,
      'Content-Length': file.body.length,
      ...(file.encoding ? {'Content-Encoding': file.encoding, Vary: 'Accept-Encoding'} : {}),
      'Cache-Control': isPage ? 'no-cache' : 'public, max-age=31536000, immutable',
      ...(isolated
        ? {'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp', 'Cross-Origin-Resource-Policy': 'same-origin'}
        : {}),
    });
    made.sent += file.body.length;
    void connection.send(response, file.body);
  });
  const made = {
    sent: 0,
    url: '',
    close: () => new Promise((done) => (server.close(done), server.closeAllConnections())),
  };
  await new Promise((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  made.url = `http://127.0.0.1:${server.address().port}`;
  return made;
}

/** How long a page, a worker of it, and an import take for some 400 KB: what a line promises is looked at before it is used. */
export async function checkLine(browser, line) {
  // Does not get smaller.
  let state = 1;
  const noise = Buffer.from(Array.from({length: 400_000}, () => ((state = (Math.imul(state, 1664525) + 1013904223) | 0) >>> 24) & 0xff));
  const files = {
    '/page.html': '<!doctype html><link rel="icon" href="data:,">',
    '/noise': noise,
    '/noise.js': `export default ${JSON.stringify(noise.toString('base64'))};`,
    '/worker.js': `onmessage = async ({data}) => { const start = performance.now(); await (await fetch(data)).arrayBuffer(); postMessage(performance.now() - start); };`,
  };
  const server = await serveSite({files: Object.fromEntries(Object.entries(files).map(([name, file]) => [name, Buffer.from(file)])), line});
  const page = await browser.newPage();
  try {
    await page.goto(`${server.url}/page.html`);
    const measured = {};
    for (const [name, download] of Object.entries(downloads)) {
      const ratios = [];
      // A machine that is busy at the moment is asked again.
      for (let i = 0; i < kTries && !(ratios.at(-1) < kSlack); ++i) {
        server.sent = 0;
        const ms = await page.evaluate(download, i);
        ratios.push(ms / (line.latency + (8e3 * server.sent) / line.bitsPerSecond));
        measured[name] = {ms, bytes: server.sent};
      }
      const least = Math.min(...ratios);
      if (!(least > 0.97 && least < kSlack)) throw new Error(`The line is not what it should be: a ${name} takes ${least.toFixed(2)} times as long. Is the machine busy?`);
    }
    return measured;
  } finally {
    await page.close();
    await server.close();
  }
}
const kTries = 8;
const kSlack = 1.2;

/** In the page; `i` is for an address that no cache has. No methods: a function named fetch would call itself there. */
const downloads = {
  fetch: async (i) => {
    const start = performance.now();
    await (await fetch(`/noise?${i}`)).arrayBuffer();
    return performance.now() - start;
  },
  import: async (i) => {
    const start = performance.now();
    await import(`/noise.js?${i}`);
    return performance.now() - start;
  },
  worker: (i) =>
    new Promise((resolve) => {
      const worker = new Worker('/worker.js');
      worker.onmessage = ({data}) => resolve(data);
      worker.postMessage(`/noise?worker${i}`);
    }),
};
