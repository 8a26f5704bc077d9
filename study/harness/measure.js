// The clock: how long a call takes when it is called again and again, and what the page's own frames and memory say meanwhile.
//
//   const watch = watchFrames();
//   const samples = await slices(call, {most: 100, budget: 1000});      // ms a call
//   const {frames, longTasks} = watch.stop();

// Milliseconds, at least. A cross-origin isolated page's clock has steps of 5 us: of a slice that is 0.1 %.
const kSlice = 5;
// The first so many gaps between frames are kept, 5 s of them.
const kMostFrames = 300;
// Chromium answers after its next garbage collection, up to 20 s later, unless it was started with
// --enable-blink-features=ForceEagerMeasureMemory; and never while one of the page's workers sleeps in Atomics.wait.
const kHeapPatience = 500;
const kMostProfiles = 6;

const channel = new MessageChannel();
/** Lets the browser draw and answer. */
export const breathe = () =>
  new Promise((resolve) => {
    channel.port1.onmessage = resolve;
    channel.port2.postMessage(null);
  });

/**
 * Milliseconds a call, one number a slice: a single call, or the mean of as many as fill a slice's share of the time, of which
 * there are `most` at most, and one at least. It goes on for `budget` ms, and keeps nothing of their first half: engines compile a
 * function better while it runs. Between slices the page may draw; that is not counted.
 */
export async function slices(call, {most, budget}) {
  const slice = Math.max(kSlice, budget / 2 / most);
  const begin = performance.now();
  const samples = [];
  let calls = 1;
  for (let now = begin; samples.length === 0 || now - begin < budget; now = performance.now()) {
    await breathe();
    const start = performance.now();
    for (let i = 0; i < calls; ++i) await call();
    const ms = performance.now() - start;
    if (ms < slice) calls *= 2;
    else if (start - begin >= budget / 2) samples.push(ms / calls);
  }
  return samples;
}

/** From now until stop(): milliseconds between frames, and of tasks of more than 50 ms where the browser tells. */
export function watchFrames() {
  const frames = [];
  const longTasks = [];
  let last = 0;
  let going = true;
  const begin = performance.now();
  requestAnimationFrame(function frame(now) {
    if (last && frames.length < kMostFrames) frames.push(now - last);
    last = now;
    if (going) requestAnimationFrame(frame);
  });
  const note = (list) => list.getEntries().forEach(({startTime, duration}) => startTime >= begin && longTasks.push(duration));
  const observer = new PerformanceObserver(note);
  if (PerformanceObserver.supportedEntryTypes.includes('longtask')) observer.observe({type: 'longtask'});
  return {
    stop() {
      going = false;
      note({getEntries: () => observer.takeRecords()});
      observer.disconnect();
      return {frames, longTasks: longTasks.slice(0, kMostFrames)};
    },
  };
}

// The frames between a task and the library: ours.
const kHarness = /\/(harness|tasks)\/|\/subjects\/\w[\w-]*\/(adapter|layers-model)\.js/;

/** The deepest stack, ours left out, that the browser's own profiler sees in so many ms of calls. */
async function depthWithin(call, ms) {
  const profiler = new Profiler({sampleInterval: 1, maxBufferSize: 100_000});
  const end = performance.now() + ms;
  do {
    await breathe();
    await call();
  } while (performance.now() < end);
  const {frames, stacks, resources, samples} = await profiler.stop();
  const isHarness = frames.map(({resourceId}) => kHarness.test(resources[resourceId] ?? ''));
  // A stack comes after those that it calls from.
  const depths = [];
  stacks.forEach(({parentId, frameId}) => depths.push((depths[parentId] ?? 0) + (isHarness[frameId] ? 0 : 1)));
  return Math.max(0, ...samples.filter(({stackId}) => stackId !== undefined).map(({stackId}) => depths[stackId]));
}

/**
 * The deepest stack of calls that the browser's profiler sees while a call is repeated; null where it has none, or may not use it
 * in this page. It looks a thousand times a second at most and misses what is short, so it is asked, `ms` at a time, until
 * twice nothing deeper was seen.
 */
export async function callDepth(call, ms) {
  if (typeof Profiler !== 'function') return null;
  let deepest = 0;
  for (let unchanged = 0, rounds = 0; unchanged < 2 && rounds < kMostProfiles; ++rounds) {
    const depth = await depthWithin(call, ms);
    unchanged = depth > deepest ? 0 : unchanged + 1;
    deepest = Math.max(deepest, depth);
  }
  return deepest;
}

const memories = new Set();

/** Has to be called before a library is loaded: heapBytes() then counts its WebAssembly memory too. */
export function watchMemories() {
  const keep = (value) => value instanceof WebAssembly.Memory && memories.add(new WeakRef(value));
  const keepExports = (made) => (Object.values((made.instance ?? made).exports ?? {}).forEach(keep), made);
  const construct = (after) => ({construct: (target, given, as) => after(Reflect.construct(target, given, as))});
  WebAssembly.Instance = new Proxy(WebAssembly.Instance, construct(keepExports));
  WebAssembly.Memory = new Proxy(WebAssembly.Memory, construct((memory) => (keep(memory), memory)));
  for (const name of ['instantiate', 'instantiateStreaming']) {
    const original = WebAssembly[name];
    WebAssembly[name] = async (...given) => keepExports(await original.apply(WebAssembly, given));
  }
}

/**
 * Bytes of JavaScript's and WebAssembly's heaps, or null where the browser does not tell. Chromium's own count has shared
 * WebAssembly memory in it and leaves out what is not shared.
 */
export async function heapBytes() {
  const buffers = new Set([...memories].map((kept) => kept.deref()?.buffer).filter(Boolean));
  const bytes = (wanted) => [...buffers].filter(wanted).reduce((sum, {byteLength}) => sum + byteLength, 0);
  const isShared = (buffer) => typeof SharedArrayBuffer === 'function' && buffer instanceof SharedArrayBuffer;
  if (performance.measureUserAgentSpecificMemory && crossOriginIsolated) {
    const patience = new Promise((resolve) => setTimeout(resolve, kHeapPatience));
    const told = await Promise.race([performance.measureUserAgentSpecificMemory().catch(() => null), patience]);
    if (told) return told.bytes + bytes((buffer) => !isShared(buffer));
  }
  return performance.memory ? performance.memory.usedJSHeapSize + bytes(() => true) : null;
}
