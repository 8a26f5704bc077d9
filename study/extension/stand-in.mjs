// A small server with the part of docs/study.md's API that the extension uses, for its test. Of its three trials one is right, one
// never ends, one is wrong.
//
//   const lab = await standIn();
//   .. lab.url, lab.results, lab.used ..
//   .. lab.begun[1].steady ..          // when that phase of trial 1 began, in ms of performance.now()
//   lab.reset();                       // as at the start
import http from 'node:http';

export const kToken = 'a b';
const kCells = ['right', 'endless', 'wrong'];

// Does what harness/run.js does: phases and the end in its title, its result to the server.
const page = (id) => `<!doctype html><title>Trial</title><script type="module">
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  const post = (what, value) => fetch('/api/trials/${id}/' + what, {method: 'POST', body: JSON.stringify(value)});
  for (const [phase, ms] of [['download', 50], ['steady', 2000], ['heap', 1000]]) {
    document.title = phase;
    post('phase', {phase});
    await wait(ms);
    if (${kCells[id - 1] === 'endless'}) for (;;);
  }
  const outcome = '${kCells[id - 1] === 'wrong' ? 'wrong' : 'ok'}';
  await post('result', {outcome, message: ''});
  document.title = outcome === 'ok' ? 'done' : 'failed: wrong: 0.3, not 0.1';
</script>`;

export async function standIn() {
  const lab = {
    reset: () => Object.assign(lab, {next: 0, results: {}, begun: {}, used: [], profiled: [], authorizations: new Set(), usage: 204, refusal: null}),
  };
  lab.reset();

  /** [status, body] */
  function answer({method, url, headers}, body) {
    const {pathname, searchParams} = new URL(url, 'http://localhost');
    const [, id, what] = pathname.match(/^\/api\/trials\/(\d+)(?:\/(\w+))?$/) ?? [];
    if (headers.authorization) lab.authorizations.add(headers.authorization);
    if (searchParams.has('profile')) lab.profiled.push(searchParams.get('trial'));
    if (pathname === '/harness/run.html') return [searchParams.get('token') === kToken ? 200 : 401, page(searchParams.get('trial'))];
    if (pathname === '/') return [200, '<title>The study</title>'];
    if (lab.refusal) return lab.refusal;
    if (pathname === '/api/next') {
      const subject = kCells[lab.next++];
      return [200, subject ? {id: lab.next, subject, backend: 'cpu', task: 'train', workload: 'dense/1x64', profile: subject === 'wrong', left: kCells.length - lab.next} : null];
    }
    if (id && !what && method === 'GET') return [200, {id: Number(id)}];
    if (what === 'phase') return [204, void ((lab.begun[id] ??= {})[JSON.parse(body).phase] = performance.now())];
    if (what === 'usage') return [lab.usage, void lab.used.push({id: Number(id), after: id in lab.results, ...JSON.parse(body)})];
    if (what === 'result') return id in lab.results ? [409] : [204, void (lab.results[id] = JSON.parse(body))];
    return [404, {error: {status: 404, message: `there is no ${pathname}`}}];
  }

  const server = http.createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const [status, value] = answer(request, body);
    const isPage = typeof value === 'string';
    response.writeHead(status, {'Content-Type': isPage ? 'text/html' : 'application/json'}).end(isPage ? value : JSON.stringify(value));
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return Object.assign(lab, {
    url: `http://127.0.0.1:${server.address().port}`,
    close: () => new Promise((done) => (server.close(done), server.closeAllConnections())),
  });
}
