// How a page gets its turns while the engine computes. Work is done in slices, and between two of them what the page has to do comes
// first: frames, clicks, its own timers.
//
//   while (call('fj_predictGoOn', kSlice) !== 1) await breathe();
//
// In a worker, and in Node, nobody waits for a frame: work pauses there now and then, and is not cut into slices.

import {isNode} from './node.js';

/** Whether frames are drawn by the thread that computes. */
export const isPage = !isNode && typeof document === 'object';

// A frame at 60 Hz is 16.7 ms: work this long, then let the others have their turn. What the browser has to do for a frame fits beside it.
export const kSlice = 8;
/** How long what a page waits for may take before it gets its turn; 0 is however long. */
export const kPageSlice = isPage ? kSlice : 0;
// In a worker.
export const kBusy = 10;
// Work is never held up for longer, however busy the page itself is.
const kPatience = 100;

interface Scheduler {
  postTask?(task: () => void, options: {priority: 'background'}): Promise<unknown>;
}

/** Lets events happen. A message is not delayed as a nested timer is, nor by a page that nobody sees. */
function message(): Promise<void> {
  return new Promise((resolve) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => {
      channel.port1.close();
      resolve();
    };
    channel.port2.postMessage(0);
  });
}

/** Resolves when `ask` calls what it is given, or when it was patient for long enough. */
const patiently = (ask: (resolve: () => void) => void): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, kPatience);
    ask(() => {
      clearTimeout(timer);
      resolve();
    });
  });

/** Lets events and frames happen. */
export function breathe(): Promise<void> {
  if (isNode) return new Promise((resolve) => setImmediate(resolve));
  // Frames of a page that is hidden never come.
  if (!isPage || document.visibilityState === 'hidden') return message();
  // Messages take turns with frames, and some frames are late; what is in the background comes after them.
  const {scheduler} = globalThis as {scheduler?: Scheduler};
  if (scheduler?.postTask) return patiently((resolve) => void scheduler.postTask!(resolve, {priority: 'background'}));
  // A message that is sent when a frame is made arrives when it is drawn.
  return patiently((resolve) => requestAnimationFrame(() => void message().then(resolve)));
}
