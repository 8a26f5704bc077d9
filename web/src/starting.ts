// How an ES module of the package starts: the engine's file is asked for before anything else runs, so that the rest of the package is
// evaluated while it comes. started.ts waits for it.
//
// A worker gets messages meanwhile, which nobody could listen to yet: they are held back until what imports this has run.
import {isNode} from './node.js';
import {prepare, prepareNode} from './load.js';
import {filesBeside} from './beside.js';
import {provide} from './parts.js';

provide({
  files: filesBeside,
  threads: {
    // In pages that have threads only; a literal, as bundlers look for it.
    load: async () => (await import('./thread.js')).default,
    makeWorker: () => new Worker(new URL('./thread.js', import.meta.url), {type: 'module', name: 'em-pthread'}),
  },
});

const kTypes = ['message', 'connect'];
const isWorker = 'WorkerGlobalScope' in globalThis;
const held: MessageEvent[] = [];
const hold = (event: Event): void => {
  event.stopImmediatePropagation();
  held.push(event as MessageEvent);
};
if (isWorker) for (const type of kTypes) addEventListener(type, hold, {capture: true});

export const started = isNode ? prepareNode() : prepare();

/** Whoever has imported the package listens now, or does so in this turn. */
export function release(): void {
  if (!isWorker) return;
  setTimeout(() => {
    for (const type of kTypes) removeEventListener(type, hold, {capture: true});
    for (const {type, data, origin, lastEventId, source, ports} of held) {
      dispatchEvent(new MessageEvent(type, {data, origin, lastEventId, source, ports: [...ports]}));
    }
  });
}
