// The workers that the engine's threads run in: how one is made, and whether it starts.
//
// Work is handed to whoever is free, the caller included (engine/base/threads.h), so a worker may come late, or never: the
// results are the same. Whoever can wait asks started(), and takes the build without threads if none does.

import {isNode, node} from './node.js';
import {parts} from './parts.js';

// How long a page waits for a sign of life: not every browser reports that a policy forbids a worker. In turns of 100 ms: while the
// page's own code blocks it, no message comes through, and only one turn passes.
const kTurns = 15;
const kTurn = 100;

/** What Emscripten's thread support uses of a worker. */
interface ThreadWorker {
  postMessage(message: unknown): void;
  terminate(): unknown;
  onmessage: ((event: {data: unknown}) => void) | null;
  onerror: ((event: unknown) => void) | null;
}

/** How to hear of a worker once: that it lives, or why it does not. */
interface Listener {
  alive(): void;
  failed(error: Error): void;
}

export class Crew {
  /** Workers that have started. */
  alive = 0;
  private readonly workers: ThreadWorker[] = [];
  private readonly starts: Promise<void>[] = [];

  /** `script` is the workers' script, where its address is known. */
  constructor(readonly script?: string) {}

  /** Whether there was to be a worker at all. */
  get isAsked(): boolean {
    return this.starts.length > 0;
  }

  /** Emscripten's hook (web/workers.js). */
  makeWorker(): ThreadWorker {
    let listener!: Listener;
    this.starts.push(
      new Promise((resolve, reject) => {
        const alive = () => {
          ++this.alive;
          resolve();
        };
        listener = {alive, failed: reject};
      }),
    );
    // Whoever waits hears of it as well.
    this.starts.at(-1)!.catch(() => {});
    try {
      const worker = isNode ? nodeWorker(this.script, listener) : listen(pageWorker(this.script), listener);
      this.workers.push(worker);
      return worker;
    } catch (error) {
      listener.failed(error as Error);
      throw error;
    }
  }

  /** Resolves when all work, or some after a while: the others come later. Rejects with the first that cannot start, or if none does. */
  async started(): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const patience = new Promise<void>((resolve, reject) => {
      const wait = (turns: number): void => {
        timer = setTimeout(() => {
          if (turns > 1) return wait(turns - 1);
          if (this.alive) return resolve();
          reject(new Error(`no worker answered within ${(kTurns * kTurn) / 1000} s`));
        }, kTurn);
      };
      // Node tells of every worker that does not start.
      if (!isNode && this.isAsked) wait(kTurns);
    });
    try {
      await Promise.race([Promise.all(this.starts), patience]);
    } finally {
      clearTimeout(timer);
    }
  }

  dismiss(): void {
    for (const worker of this.workers) void worker.terminate();
  }
}

/** A browser takes no worker's script from another origin, as a CDN's; but one of this page may import it. */
function pageWorker(script?: string): Worker {
  try {
    return parts.threads!.makeWorker();
  } catch (error) {
    if (!script || new URL(script).origin === globalThis.location?.origin) throw error;
    const url = URL.createObjectURL(new Blob([`import ${JSON.stringify(script)}`], {type: 'text/javascript'}));
    const worker = new Worker(url, {type: 'module', name: 'em-pthread'});
    worker.addEventListener('message', () => URL.revokeObjectURL(url), {once: true});
    return worker;
  }
}

function listen(worker: Worker, {alive, failed}: Listener): ThreadWorker {
  const onError = (event: ErrorEvent) => {
    // Told once, by whoever asked for threads.
    event.preventDefault();
    event.stopImmediatePropagation();
    failed(new Error(event.message || 'its script did not start'));
  };
  worker.addEventListener('error', onError);
  const onMessage = () => {
    // From here on an error is one of the engine.
    worker.removeEventListener('error', onError);
    alive();
  };
  worker.addEventListener('message', onMessage, {once: true});
  return worker as ThreadWorker;
}

// What the glue expects of the place where a worker runs, then the glue.
const kNodeScript = `
import {parentPort, workerData} from 'node:worker_threads';
const postMessage = (message) => parentPort.postMessage(message);
Object.assign(globalThis, {self: globalThis, name: 'em-pthread', importScripts() {}, postMessage});
globalThis.location ??= {href: workerData};
await import(workerData);
parentPort.on('message', (data) => globalThis.onmessage({data}));`;

function nodeWorker(script: string | undefined, {alive, failed}: Listener): ThreadWorker {
  if (!script) throw new Error('a bundle has no script for workers of Node');
  const worker = new node!.threads.Worker(new URL(`data:text/javascript,${encodeURIComponent(kNodeScript)}`), {workerData: script});
  const made: ThreadWorker = {
    postMessage: (message) => worker.postMessage(message),
    terminate: () => worker.terminate(),
    onmessage: null,
    onerror: null,
  };
  worker.once('message', () => {
    // A thread that waits for work keeps no program from ending.
    worker.unref();
    alive();
  });
  worker.once('exit', (code) => failed(new Error(`a worker ended with code ${code}`)));
  worker.on('message', (data) => made.onmessage?.({data}));
  worker.on('error', (error: Error) => failed(error));
  return made;
}
