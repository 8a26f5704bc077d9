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
// --enable-blink-features=ForceEagerMeasureMemory.
const kHeapPatience = 2000;

const channel = new MessageChannel();
/** Lets the browser draw and answer. */
export const breathe = () =>
  new Promise((resolve) => {
    channel.port1.onmessage = resolve;
    channel.port2.postMessage(null);
  });

/**
 * Milliseconds a call, one number a slice: a single call, or the mean of as many as fill a slice's share of `budget` ms, of which
 * there are `most` at most, and one at least. Between slices the page may draw; that is not counted. The whole budget is used, so
 * that what is compiled better and better while it runs has had its time.
 */
export async function slices(call, {most, budget}) {
  const slice = Math.max(kSlice, budget / most);
  const end = performance.now() + budget;
  const samples = [];
  let calls = 1;
  do {
    await breathe();
    const start = performance.now();
    for (let i = 0; i < calls; ++i) await call();
    const ms = performance.now() - start;
    if (ms < slice) calls *= 2;
    else samples.push(ms / calls);
  } while (samples.length === 0 || performance.now() < end);
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

/**
 * The deepest stack of calls, harness left out, that the browser's own profiler sees while a call is repeated for `budget` ms;
 * null where it has none, or may not use it in this page.
 */
export async function callDepth(call, budget) {
  if (typeof Profiler !== 'function') return null;
  const profiler = new Profiler({sampleInterval: 1, maxBufferSize: 100_000});
  const end = performance.now() + budget;
  do {
    await breathe();
    await call();
  } while (performance.now() < end);
  const {frames, stacks, resources, samples} = await profiler.stop();
  const isHarness = frames.map(({resourceId}) => /\/(harness|tasks)\//.test(resources[resourceId] ?? ''));
  // A stack comes after those that it calls from.
  const depths = [];
  stacks.forEach(({parentId, frameId}) => depths.push((depths[parentId] ?? 0) + (isHarness[frameId] ? 0 : 1)));
  const seen = samples.filter(({stackId}) => stackId !== undefined).map(({stackId}) => depths[stackId]);
  return seen.length ? Math.max(...seen) : null;
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
