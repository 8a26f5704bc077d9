// What a task has in its hands: the trial, its subject's adapter, a clock that keeps samples, and the server's data.
//
//   await page.open();                                                    // download, parse, start
//   const model = await page.timed('build', () => page.adapter.build(network));
//   await page.steady(() => page.adapter.infer(model, x), last);          // steady, frame, longtask, heap
//   return {check, samples: page.samples};
import {send} from './api.js';
import {fetchData, networkOf, reference} from './data.js';
import {loadLibrary} from './library.js';
import {heapBytes, slices, watchFrames, watchMemories} from './measure.js';
import {Unsupported} from './unsupported.js';

// Nothing that is waited for in a browser takes two minutes, unless its end will not come; what computes for longer than that,
// and blocks the page, is not cut off.
const kPatience = 120e3;
const kUnits = {file: 'bytes', heap: 'bytes', depth: 'calls'};

export class Page {
  samples = [];
  about = {version: '', engine: '', facts: null};

  /** `adapter` is the function that the subject's adapter.js exports; `tell` is called with each phase as it begins. */
  constructor({trial, subject, makeAdapter, tell}) {
    Object.assign(this, {trial, subject, makeAdapter, tell, fetchData});
  }

  network() {
    return networkOf(this.trial);
  }
  reference(name, query) {
    return reference(name, this.trial, query);
  }
  /** Where a network's files are, for PUT and GET. */
  get filesAddress() {
    return `/files/${this.trial.subject}/${this.trial.workload}/`;
  }

  sample(phase, value) {
    this.samples.push({phase, unit: kUnits[phase] ?? 'ms', value});
  }
  /** Tells the server, which meters what the browser uses, and who watches. */
  async enter(phase) {
    this.phase = phase;
    this.tell(phase);
    await send('POST', `/api/trials/${this.trial.id}/phase`, {phase});
  }
  /** What a call gives, and the milliseconds until it did; an error where nothing comes of it. */
  async once(call) {
    let timer;
    const patience = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`nothing came of "${this.phase}" within ${kPatience / 1e3} s`)), kPatience);
    });
    const start = performance.now();
    try {
      const value = await Promise.race([call(), patience]);
      return {value, ms: performance.now() - start};
    } finally {
      clearTimeout(timer);
    }
  }
  /** Enters a phase, keeps how long the call takes, and gives what it gives. */
  async timed(phase, call) {
    await this.enter(phase);
    const {value, ms} = await this.once(call);
    this.sample(phase, ms);
    return value;
  }

  /** Loads the library and starts its backend: samples of download, parse, start; `adapter` and `about` are there then. */
  async open() {
    const {backend, files, module} = this.trial;
    watchMemories();
    await this.enter('download');
    const {value: loaded} = await this.once(() => loadLibrary(files, module));
    this.sample('download', loaded.download);
    this.sample('parse', loaded.parse);
    this.adapter = this.makeAdapter({backend, packages: '/packages', library: loaded.library});
    let failure;
    const about = await this.timed('start', () => this.adapter.info()).catch((error) => void (failure = error ?? new Error('it does not say why')));
    // Asked only now: an adapter that is asked for beforehand would be warm. A library may also have gone on without one.
    const gpu = await gpuName(backend);
    if (gpu === null) throw new Unsupported(`this browser has no ${backend}${failure ? `: ${failure.message}` : ''}`);
    if (failure) throw failure;
    Object.assign(this.about, about);
    if (gpu) this.about.engine += `; ${gpu}`;
  }

  /**
   * Calls again and again: samples of steady, frame, longtask, and then of heap. `last` is what the last call took, in ms; if
   * that is more than the trial's budget it is not repeated, and the one sample.
   */
  async steady(call, last) {
    const {samples: most, budget} = this.trial;
    await this.enter('steady');
    const watch = watchFrames();
    const {value: times} = await this.once(async () => (last > budget ? [last] : slices(call, {most, budget})));
    const {frames, longTasks} = watch.stop();
    times.forEach((ms) => this.sample('steady', ms));
    frames.forEach((ms) => this.sample('frame', ms));
    longTasks.forEach((ms) => this.sample('longtask', ms));
    await this.enter('heap');
    const bytes = await heapBytes();
    if (bytes !== null) this.sample('heap', bytes);
  }
}

/** The adapter behind a backend, as the browser names it: null where it has none, '' where no name is told or none is needed. */
export async function gpuName(backend) {
  if (backend === 'webgpu') {
    const adapter = await navigator.gpu?.requestAdapter();
    if (!adapter) return null;
    const {vendor, architecture, description} = adapter.info;
    return [vendor, architecture, description].filter(Boolean).join(' ');
  }
  if (backend !== 'webgl') return '';
  const gl = new OffscreenCanvas(1, 1).getContext('webgl2');
  if (!gl) return null;
  const named = gl.getExtension('WEBGL_debug_renderer_info');
  return named ? gl.getParameter(named.UNMASKED_RENDERER_WEBGL) : '';
}
