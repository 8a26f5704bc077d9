// Which build of the engine runs here, and how it starts: while the package is imported if it can wait there, and else, at once, at
// the first use. What goes wrong is told at the first use, and by ready().
//
//   await ready();                       // the engine that the settings ask for
//   functions ?? settle()                // the engine, started now if it can be without waiting
//
// A build is Emscripten's glue and a compiled module: together they make an instance at once. To load them (files.ts) takes time.

import type {Exports} from './engine.js';
import {features, kEmptyModule, whyNotShared, type Features} from './features.js';
import {address, canWait, folder, glueNow, hasThreads, isLoaded, isWorker, kRestFile, load, loadGlue, locate, moduleNow, lookIn, ownAddress, Policy, unstartable, urls} from './files.js';
import {isNode, loadNode, node} from './node.js';
import {kVariants, parts, restParts, type Glue, type Hooks, type Variant} from './parts.js';
import type {Rest} from './rest.js';
import {Crew} from './threads.js';

export type {Variant} from './parts.js';

/** What Emscripten's factory makes: functions under their C names with an underscore before them. */
interface Instance {
  wasmMemory: WebAssembly.Memory;
  [name: `_${string}`]: (...numbers: number[]) => number;
}

interface Running {
  variant: Variant;
  threads: number;
  exports: Exports;
  memory: WebAssembly.Memory;
  crew: Crew;
  /** The second file of this build, where it has one. */
  rest?: Rest;
  /** Whether its workers have been asked for. */
  isEnlisted: boolean;
  /** A block for short arrays and texts, so that a call allocates nothing. */
  scratch: number;
}

export const kScratchBytes = 16384;
/** Behind it there is room for a shape. */
const kShapeBytes = 32;
const kMostThreads = 128;

/** The engine in use; undefined until settle(), and again when the settings ask for another. */
export let functions: Exports | undefined;
export let memory: WebAssembly.Memory;
export let scratch = 0;

let running: Running | undefined;
let loading: Promise<void> | undefined;
let failure: Error | undefined;
/** Why the workers did not start. */
let refused: string | undefined;
/** What was said on the console. */
let said: string | undefined;
/** Changes with the settings. */
let version = 0;

/** Counts the engines that were given up with all that they held: a handle is one of its own life only. */
export let life = 1;
const atReset: (() => void)[] = [];
/** What else has to be given up with the engine, because it is of its memory or its handles. */
export const onReset = (forget: () => void): void => void atReset.push(forget);

let wanted: Variant | undefined;
/** 0 is the engine's choice. */
let threads = 0;

// ---- what this machine can do ------------------------------------------------------------------------------------------

/** What keeps every build from running here, as an error. */
function check(f: Features): void {
  if (typeof WebAssembly !== 'object') throw new Error('Fjord needs WebAssembly, which this browser does not have, or has switched off');
  try {
    new WebAssembly.Module(new Uint8Array(kEmptyModule));
  } catch (error) {
    throw new Error(
      `Fjord cannot run: the Content-Security-Policy of this page forbids WebAssembly. Add 'wasm-unsafe-eval' to its script-src (${(error as Error).message})`,
    );
  }
  if (!f.simd) throw new Error('Fjord needs WebAssembly SIMD, which this browser does not have; every browser since 2023 has it');
  if (wanted?.startsWith('relaxed') && !f.relaxedSimd) throw new Error(`The variant '${wanted}' needs relaxed SIMD, which is not there`);
  if (hasThreads(wanted) && !f.threads) throw new Error(`The variant '${wanted}' needs threads: ${whyNotShared()}`);
}

/** What the settings ask for, of what can be had. */
function choose(): {variant: Variant; count: number} {
  const f = features();
  check(f);
  if (parts.inside && !wanted && !folder) return {variant: parts.inside.variant, count: 1};
  const shared = wanted ? hasThreads(wanted) : f.threads && !refused && threads !== 1;
  // One thread stays free for the page where there are many; on two cores both are used.
  const most = Math.min(kMostThreads, f.cores > 4 ? f.cores - 1 : f.cores);
  return {variant: wanted ?? `${f.relaxedSimd ? 'relaxed-' : ''}simd${shared ? '-threads' : ''}`, count: shared ? threads || most : 1};
}

/** Both without waiting, where that can be. */
function loadNow(variant: Variant): {glue: Glue; module: WebAssembly.Module} {
  const url = locate(variant);
  const glue = glueNow(variant);
  if (!glue || (!isLoaded(url) && !node && (failure || !isWorker))) {
    throw failure ?? new Error('Fjord is not loaded yet: after tf.wasm.setWasmPaths, setVariant or setThreadsCount, await tf.ready() before anything is computed');
  }
  return {glue, module: moduleNow(url)};
}
// ---- starting -------------------------------------------------------------------------------------------------------------

/** Hooks for the glue: what `instantiate` does when the imports are there. */
const hooks = (crew: Crew, instantiateWasm: Hooks['instantiateWasm']): Hooks => ({
  instantiateWasm, makeWorker: () => crew.makeWorker(), trace: (...numbers) => onTrace.call?.(...numbers) ?? 0,
});
/** What the engine calls for a function of the program: trace.ts sets it. */
export const onTrace: {call?: (...numbers: number[]) => number} = {};

/** The workers' script, where the package lies as it was packed. Bundlers give it another name, which they put into the literal. */
function workerScript(variant: Variant): string | undefined {
  const url = ownAddress(variant);
  return url?.endsWith(`/${variant}/fjord.wasm`) ? new URL('../thread.js', url).href : undefined;
}

/** What stands in for the second file of a build that has one, among the imports of the first. */
const standIn = (variant: Variant, imports: WebAssembly.Imports): Rest | undefined =>
  restParts?.files[variant] && new restParts.Rest(imports, () => moduleNow(locate(variant, kRestFile)));

async function loadRest({variant, rest}: Running): Promise<void> {
  if (!rest || rest.isHere) return;
  const url = locate(variant, kRestFile);
  const policy = new Policy(url);
  try {
    rest.join(await load(url, policy));
  } finally {
    policy.stop();
  }
}

/** The engine of an instance that is there. */
function begin(made: Hooks, variant: Variant, count: number, crew: Crew, rest?: Rest): Running {
  // The glue adds to its hooks what the module exports.
  const instance = made as unknown as Instance;
  const named = Object.entries(instance).filter(([name]) => name.startsWith('_'));
  const exports = Object.fromEntries(named.map(([name, f]) => [name.slice(1), f])) as Exports;
  return {variant, exports, crew, rest, isEnlisted: false, memory: instance.wasmMemory, scratch: exports.malloc(kScratchBytes + kShapeBytes), threads: exports.fj_init(count)};
}

function startNow(): Running {
  const {variant, count} = choose();
  const {glue, module} = loadNow(variant);
  const crew = new Crew(workerScript(variant));
  try {
    let problem: unknown;
    let rest: Rest | undefined;
    const made = hooks(crew, (imports, receive) => {
      try {
        rest = standIn(variant, imports);
        const instance = new WebAssembly.Instance(module, imports);
        rest?.follow(instance);
        return receive(instance, module);
      } catch (error) {
        problem = error;
        return {};
      }
    });
    glue(made);
    if (problem) throw problem;
    return begin(made, variant, count, crew, rest);
  } catch (error) {
    crew.dismiss();
    if (!hasThreads(variant) || wanted) throw unstartable(locate(variant), error);
    refused = `its threads could not start: ${(error as Error).message}.`;
    return startNow();
  }
}

/**
 * Starts the workers when the page's code pauses for the first time: what it computes until then neither waits for them nor shares the
 * processor with their start. Node's start whether or not it pauses, and programs there need not.
 */
function enlistLater(engine: Running): void {
  if (engine.isEnlisted || !hasThreads(engine.variant)) return;
  engine.isEnlisted = true;
  coming = engine;
  if (isNode) enlist(engine);
  else setTimeout(() => running === engine && enlist(engine));
}
/** The engine whose workers have been asked for and are not there. */
let coming: Running | undefined;

/**
 * What is awaited pauses while workers start: they need the page's events for that, and a program all of whose promises are resolved
 * already, as a loop of trainOnBatch, has none.
 */
export function letWorkersCome(): Promise<void> | undefined {
  return coming && coming === running ? new Promise((resolve) => setTimeout(resolve)) : undefined;
}

/** Workers that turn out not to start are told of; until then, and then, the others compute. */
function enlist(engine: Running): void {
  try {
    engine.exports.fj_startThreads();
  } catch (error) {
    // One that the page forbids.
    engine.threads = 1 + engine.crew.alive;
    coming = undefined;
    return void tell(error as Error, engine);
  }
  const policy = new Policy(locate(engine.variant));
  engine.crew.started().finally(() => coming === engine && (coming = undefined)).then(
    () => policy.stop(),
    (error) => {
      // Those of an engine that was given up meanwhile have been ended.
      if (running !== engine) return policy.stop();
      engine.threads = 1 + engine.crew.alive;
      return tell(error, engine, policy);
    },
  );
}
async function tell(error: Error, {variant, crew}: Running, policy = new Policy(locate(variant))): Promise<void> {
  say(await whyNotStarted(error, crew, variant, policy));
  policy.stop();
}

async function start(): Promise<Running> {
  const {variant, count} = choose();
  const policy = new Policy(locate(variant));
  const crew = new Crew(workerScript(variant));
  try {
    const loading = loadGlue(variant);
    // Told below, after the module.
    loading.catch(() => {});
    const module = await load(locate(variant), policy);
    try {
      const glue = await loading;
      let rest: Rest | undefined;
      const made = await new Promise<Hooks>((resolve, reject) => {
        const made = hooks(crew, (imports, receive) => {
          rest = standIn(variant, imports);
          const received = WebAssembly.instantiate(module, imports).then((instance) => {
            rest?.follow(instance);
            return receive(instance, module);
          });
          received.then(() => resolve(made), reject);
          return {};
        });
        glue(made);
      });
      const engine = begin(made, variant, count, crew, rest);
      // A service worker can wait for no file later.
      if (!canWait) await loadRest(engine);
      // Whoever names a variant with threads wants these, or an error.
      if (hasThreads(wanted)) {
        engine.isEnlisted = true;
        engine.exports.fj_startThreads();
        await crew.started();
      }
      return engine;
    } catch (error) {
      crew.dismiss();
      if (!hasThreads(variant)) throw unstartable(locate(variant), error);
      const why = await whyNotStarted(error as Error, crew, variant, policy);
      if (wanted) throw new Error(`The variant '${wanted}' cannot start: ${why}`);
      refused = why;
    }
  } finally {
    policy.stop();
  }
  return start();
}

async function whyNotStarted(error: Error, crew: Crew, variant: Variant, policy: Policy): Promise<string> {
  if (!crew.isAsked) return `its threads could not start: ${error.message}.`;
  const forbidden = await policy.forbids();
  if (!isNode && !forbidden) {
    const {href, origin} = globalThis.location;
    // A bundler's address may be a path.
    const from = new URL(ownAddress(variant) ?? locate(variant), href).origin;
    if (from !== origin) return `workers start only from the page's own origin, and the package comes from ${from}. For more, serve it from ${origin}.`;
  }
  return `its workers could not start: ${forbidden ?? error.message}.`;
}

/** Starts what the settings ask for: what the import waits for. Never rejects: `failure` is told at the first use. */
export function prepare(): Promise<void> {
  return (loading ??= (async () => {
    // A page asks for its file in this very turn.
    if (isNode) await loadNode();
    // The settings may change meanwhile.
    for (let seen = -1; seen !== version; ) {
      seen = version;
      failure = undefined;
      try {
        if (running && (running.variant === choose().variant || running.exports.fj_living())) continue;
        const engine = await start();
        if (seen === version) exchange(engine);
        else engine.crew.dismiss();
      } catch (error) {
        failure = error as Error;
      }
    }
  })().finally(() => (loading = undefined)));
}

/** In Node the import of the module fetches what cannot be read at once, and starts nothing: on a server many import what few use. */
export async function prepareNode(): Promise<void> {
  await loadNode();
  await loadGlue('simd-threads').catch((error) => (refused = `its threads could not start: ${error.message}.`));
}

function exchange(engine?: Running): void {
  running?.crew.dismiss();
  running = engine;
  functions = undefined;
  ++version;
}

/** Gives the engine up, with its memory and all that it holds: the next call starts another. */
export function abandon(what: string): void {
  if (!running) return;
  running.exports.fj_living();
  // Their handles are numbers in functions that go on.
  const [busy] = /\d+ trainings?/.exec(message(running)) ?? [];
  if (busy) throw new Error(`${what}: ${busy} or evaluation goes on: end it first (model.stopTraining, or an AbortSignal), and await it`);
  ++life;
  for (const forget of atReset) forget();
  exchange();
  memory = undefined as unknown as WebAssembly.Memory;
}

/** The engine, started now where that needs no waiting: what engine() does at the first call. */
export function settle(): Exports {
  if (!running) exchange(startNow());
  const {variant, exports} = running!;
  // Whoever takes the build in one file has chosen one thread with it.
  const asked = parts.threads ? threads !== 1 : threads > 1;
  if (asked && !wanted && !hasThreads(variant)) say(whyNotShared() ?? refused);
  ({memory, scratch} = running!);
  enlistLater(running!);
  return (functions = exports);
}

/** Once for each reason. */
function say(why?: string): void {
  if (!why || why === said) return;
  said = why;
  console.info(`Fjord runs on one thread: ${why}`);
}

/** Resolves when the engine can compute; its threads come to it while it does. Who waits for the import need not ask. */
export async function ready(): Promise<void> {
  do {
    await prepare();
    if (failure && !running) throw failure;
  } while (!running);
}

/** Loads what a model with this description may need of the second file; without one, all of it. */
export async function loadRestFor(description?: string): Promise<void> {
  await ready();
  if (description === undefined || restParts?.needsRest(description)) await loadRest(running!);
}

// ---- settings -------------------------------------------------------------------------------------------------------------

/** Throws where the engine cannot be exchanged, because handles into it exist. */
function assertIdle(what: string): void {
  if (!running?.exports.fj_living()) return;
  throw new Error(`${what} would exchange the engine, which holds ${message(running)}: call it before they are made, or dispose of them`);
}

const decoder = new TextDecoder();
/** What the last function left in the message buffer. A copy, because shared memory cannot be decoded in place. */
const message = ({exports, memory}: Running) => decoder.decode(new Uint8Array(memory.buffer, exports.fj_message() >>> 0, exports.fj_messageLength()).slice());

function resize(engine: Running, count: number): void {
  if (!engine.exports.fj_init(count)) throw new Error(`tf.wasm.setThreadsCount(${count}): ${message(engine)}`);
  engine.threads = count;
  if (engine.isEnlisted) enlist(engine);
}

const shown = (value: unknown) => (typeof value === 'string' ? `'${value}'` : String(value));

export const wasm = {
  /**
   * Threads to compute with, this one included: 1 to 128, and a fraction, as of half the cores, is rounded down. The number changes while
   * no model, optimizer or training lives; from one thread to more, or with `await ready()` back, while no tensor does.
   */
  setThreadsCount(count: number): void {
    const whole = typeof count === 'number' && count > 0 ? Math.max(1, Math.floor(count)) : NaN;
    if (!(whole <= kMostThreads)) throw new Error(`tf.wasm.setThreadsCount takes a number from 1 to ${kMostThreads}, got ${shown(count)}`);
    const engine = running;
    const grows = !hasThreads(engine?.variant) && whole > 1 && !wanted && !refused && !whyNotShared();
    if (engine && grows) {
      assertIdle(`tf.wasm.setThreadsCount(${whole})`);
      exchange();
    } else if (engine && hasThreads(engine.variant)) {
      resize(engine, whole);
    }
    threads = whole;
    ++version;
  },
  getThreadsCount(): number {
    return running?.threads ?? threads;
  },
  /**
   * Where the folders of the variants lie, if not beside this file; or the addresses of their files by name, as 'simd/fjord.wasm'. After
   * the import, while no tensor, variable, optimizer or model lives; then `await ready()`.
   */
  setWasmPaths(paths: string | Readonly<Record<string, string>>, _usePlatformFetch = false): void {
    const what = 'tf.wasm.setWasmPaths';
    const entries = typeof paths === 'object' && paths ? Object.entries(paths) : [['', paths]];
    for (const [name, path] of entries) {
      if (typeof path !== 'string' || !path) throw new Error(`${what} takes an address, or addresses by name of file, got ${shown(path)}${name && ` for '${name}'`}`);
      const files = kVariants.flatMap((variant) => [`${variant}/fjord.wasm`, ...(restParts?.files[variant] ? [`${variant}/${kRestFile}`] : [])]);
      if (name && !files.includes(name)) {
        throw new Error(`${what}: there is no file '${name}' to load; there are ${files.map((file) => `'${file}'`).join(', ')}`);
      }
    }
    const addresses = Object.fromEntries(entries.map(([name, path]) => [name, address(path!)]));
    const {'': base, ...files} = addresses;
    const next = base?.replace(/\/?$/, '/') ?? folder;
    if (next === folder && JSON.stringify(files) === JSON.stringify(urls)) return;
    assertIdle(what);
    lookIn(next, files);
    refused = undefined;
    exchange();
  },
  /** A certain build instead of the best: for tests and measurements. After the import, as setWasmPaths. */
  setVariant(name: Variant): void {
    if (!kVariants.includes(name)) throw new Error(`tf.wasm.setVariant: there is no variant ${shown(name)}; there are ${kVariants.join(', ')}`);
    if (running?.variant !== name) {
      assertIdle(`tf.wasm.setVariant('${name}')`);
      exchange();
    }
    wanted = name;
    ++version;
  },
  getVariant(): Variant | undefined {
    return running?.variant;
  },
  /**
   * Loads what fjord/predict leaves for later: ops and layers that few models have. Without this the first one that is needed is waited
   * for, and a page stands still meanwhile.
   */
  loadAll: (): Promise<void> => loadRestFor(),
};
