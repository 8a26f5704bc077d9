// Where models are kept: handlers by URL, as TensorFlow.js has them.
//
//   await model.save('indexeddb://digits', {includeOptimizer: true});
//   const model = await tf.loadLayersModel('indexeddb://digits');
//
// indexeddb:// and localstorage:// keep in the browser, downloads:// saves a file, http(s):// reads one and posts one. What
// they write is one safetensors file (engine/io/model_file.h); what they read is that, or TensorFlow.js's model.json with
// its weights.

import {fromBase64} from './base64.js';
import {shown} from './given.js';
import type {Metadata} from './metadata.js';

export interface WeightSpec {
  name: string;
  shape: number[];
  dtype: string;
  group?: string;
  quantization?: {dtype: 'uint8' | 'uint16' | 'float16'; scale?: number; min?: number};
}
export interface ModelArtifacts {
  modelTopology: object;
  format?: string;
  generatedBy?: string;
  /** With no weightData a model is described alone: its weights begin as their initializers say. */
  weightSpecs: WeightSpec[];
  weightData?: ArrayBuffer | ArrayBuffer[];
  trainingConfig?: object;
  /**
   * What the program keeps with the model; and what resuming needs beside weights and optimizer state, with what compile was given, where
   * TensorFlow.js has other words or none.
   */
  userDefinedMetadata?: Metadata;
}
export interface SaveResult {
  modelArtifactsInfo: {dateSaved: Date; weightDataBytes: number};
}
export interface LoadArgs {
  /** Whether a file of TensorFlow.js is to have all weights of the model, and no others: without it the others are left out, and what is not there begins anew. */
  strict?: boolean;
}
export const kLoadArgs = ['strict'];
/** A model's safetensors file. */
export type ModelFile = Uint8Array<ArrayBuffer>;
export interface IOHandler {
  /** Gets the model in TensorFlow.js's parts. */
  save?(artifacts: ModelArtifacts): Promise<SaveResult>;
  /** Gets it as one file instead. */
  saveFile?(file: ModelFile): Promise<void>;
  load?(): Promise<ModelArtifacts | ModelFile>;
}

// ---- IndexedDB ------------------------------------------------------------------------------------------------------------------

const kDatabase = 'fjord';
const kStore = 'models';

function request<T>(r: IDBRequest<T>, what: string): Promise<T> {
  return new Promise((resolve, reject) => {
    r.onsuccess = () => resolve(r.result);
    r.onerror = () => reject(new Error(`${what}: ${r.error?.message ?? 'IndexedDB failed'}`));
  });
}

async function withStore<T>(mode: IDBTransactionMode, what: string, f: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  if (typeof indexedDB === 'undefined') throw new Error('indexeddb:// needs a browser: here there is no IndexedDB');
  const open = indexedDB.open(kDatabase, 1);
  open.onupgradeneeded = () => open.result.createObjectStore(kStore);
  const database = await request(open, what);
  try {
    const transaction = database.transaction(kStore, mode);
    const result = await request(f(transaction.objectStore(kStore)), what);
    // A full disk shows only when the transaction ends.
    await new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(new Error(`${what}: ${transaction.error?.message ?? 'the browser refused, its disk may be full'}`));
    });
    return result;
  } finally {
    database.close();
  }
}

const inIndexedDB = (name: string): IOHandler => ({
  async saveFile(file) {
    await withStore('readwrite', `Saving ${name}`, (store) => store.put(file, name));
  },
  async load() {
    const what = `Loading ${name}`;
    const file = (await withStore('readonly', what, (store) => store.get(name))) as ModelFile | undefined;
    if (file) return file;
    const theirs = (await withTheirStore('readonly', what, (store) => store.get(name))) as {modelArtifacts: ModelArtifacts} | undefined;
    if (!theirs) throw new Error(`There is no model indexeddb://${name} in this browser`);
    return theirs.modelArtifacts;
  },
});

// ---- what TensorFlow.js has saved in the browser ---------------------------------------------------------------------------------

/** `f` of the place where TensorFlow.js keeps models in IndexedDB; undefined where it has never kept one. */
async function withTheirStore<T>(
  mode: IDBTransactionMode,
  what: string,
  f: (store: IDBObjectStore) => IDBRequest<T>,
  name: 'models_store' | 'model_info_store' = 'models_store',
): Promise<T | undefined> {
  const open = indexedDB.open('tensorflowjs');
  let isNew = false;
  open.onupgradeneeded = () => {
    // To look must not make one.
    isNew = true;
    open.transaction!.abort();
  };
  let database: IDBDatabase;
  try {
    database = await request(open, what);
  } catch (error) {
    if (isNew) return undefined;
    throw error;
  }
  try {
    return database.objectStoreNames.contains(name) ? await request(f(database.transaction(name, mode).objectStore(name)), what) : undefined;
  } finally {
    database.close();
  }
}

const kTheirPrefix = 'tensorflowjs_models/';
const kTheirParts = ['info', 'model_topology', 'weight_specs', 'weight_data', 'model_metadata'];

function theirsInLocalStorage(name: string): ModelArtifacts | undefined {
  const part = (key: string) => localStorage.getItem(`${kTheirPrefix}${name}/${key}`);
  const [topology, specs, data] = [part('model_topology'), part('weight_specs'), part('weight_data')];
  if (!topology || !specs || !data) return undefined;
  const metadata = JSON.parse(part('model_metadata') ?? '{}') as Partial<ModelArtifacts>;
  return {...metadata, modelTopology: JSON.parse(topology) as object, weightSpecs: JSON.parse(specs) as WeightSpec[], weightData: fromBase64(data).buffer};
}

// ---- local storage and downloads ----------------------------------------------------------------------------------------------

const kPrefix = 'fjord/';

const inLocalStorage = (name: string): IOHandler => ({
  async saveFile(file) {
    let text = '';
    for (let i = 0; i < file.length; i += 8192) text += String.fromCharCode(...file.subarray(i, i + 8192));
    try {
      localStorage.setItem(kPrefix + name, btoa(text));
    } catch {
      throw new Error(`The model is too large for localStorage (${file.length} bytes): save it to indexeddb://${name}`);
    }
  },
  async load() {
    const text = localStorage.getItem(kPrefix + name);
    if (text) return fromBase64(text);
    const theirs = theirsInLocalStorage(name);
    if (!theirs) throw new Error(`There is no model localstorage://${name} in this browser`);
    return theirs;
  },
});

const asDownload = (name: string): IOHandler => ({
  async saveFile(file) {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([file]));
    link.download = `${name}.safetensors`;
    link.click();
    URL.revokeObjectURL(link.href);
  },
});

// ---- model.json and its weights -----------------------------------------------------------------------------------------------

interface ModelJson extends Omit<ModelArtifacts, 'weightSpecs' | 'weightData'> {
  weightsManifest?: {paths: string[]; weights: WeightSpec[]}[];
}

/** IEEE 754 binary16. */
function fromFloat16(bits: number): number {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const magnitude = exponent === 31 ? (fraction ? NaN : Infinity) : exponent ? (1024 + fraction) * 2 ** (exponent - 25) : fraction * 2 ** -24;
  return bits & 0x8000 ? -magnitude : magnitude;
}

/** Bytes of an element, as it is stored. */
const kWidths: Record<string, number> = {float32: 4, int32: 4, bool: 1, uint8: 1, uint16: 2, float16: 2};

export const isObject = (v: unknown): v is Record<string, unknown> => typeof v === 'object' && v !== null && !Array.isArray(v);
const sizeOf = ({shape}: WeightSpec) => shape.reduce((n, d) => n * d, 1);
const storedAs = (spec: WeightSpec) => spec.quantization?.dtype ?? spec.dtype;
export function refuse(what: string, given: unknown): never {
  throw new Error(`${what}, got ${given === undefined ? 'nothing' : JSON.stringify(given).slice(0, 100)}`);
}

/** Refuses in words what a description of a model's weights cannot be. */
function checkSpecs(specs: WeightSpec[]): void {
  if (!Array.isArray(specs)) refuse('The weights of a model must be a list', specs);
  for (const spec of specs) {
    if (!isObject(spec) || typeof spec.name !== 'string') refuse('A weight must have a name', spec);
    const {name, shape, quantization} = spec;
    if (!Array.isArray(shape) || !shape.every((d) => Number.isInteger(d) && d >= 0) || !Number.isSafeInteger(8 * sizeOf(spec))) {
      refuse(`The weight ${name} must have a shape, a list of sizes`, shape);
    }
    if (quantization !== undefined) {
      const {dtype, scale, min} = isObject(quantization) ? quantization : ({} as {dtype?: string; scale?: number; min?: number});
      if (dtype !== 'float16' && !(['uint8', 'uint16'].includes(dtype!) && Number.isFinite(scale) && Number.isFinite(min))) {
        refuse(`The quantization of the weight ${name} must have the dtype float16, or uint8 or uint16 and the numbers scale and min`, quantization);
      }
    }
    for (const dtype of [storedAs(spec), spec.dtype]) {
      if (!Object.hasOwn(kWidths, dtype)) refuse(`The weight ${name} must be of ${Object.keys(kWidths).join(', ')}`, dtype);
    }
  }
}

/** Weights as they are stored become float32; quantised ones are stored * scale + min. They have to be all of the data. */
function widened(specs: WeightSpec[], data: ArrayBuffer): ArrayBuffer {
  const bytes = specs.reduce((n, spec) => n + sizeOf(spec) * kWidths[storedAs(spec)]!, 0);
  if (bytes !== data.byteLength) {
    throw new Error(`The weights take ${bytes} bytes, and there are ${data.byteLength}: the file is ${data.byteLength < bytes ? 'truncated' : "another model's"}`);
  }
  if (specs.every((spec) => storedAs(spec) === 'float32')) return data;
  const out = new Float32Array(specs.reduce((n, spec) => n + sizeOf(spec), 0));
  let from = 0;
  let to = 0;
  for (const spec of specs) {
    const [size, stored] = [sizeOf(spec), storedAs(spec)];
    const width = kWidths[stored]!;
    const own = data.slice(from, (from += size * width));
    const values = width === 1 ? new Uint8Array(own) : width === 2 ? new Uint16Array(own) : stored === 'int32' ? new Int32Array(own) : new Float32Array(own);
    const {scale = 1, min = 0} = spec.quantization ?? {};
    for (let i = 0; i < size; ++i) out[to++] = stored === 'float16' ? fromFloat16(values[i]!) : values[i]! * scale + min;
  }
  return out.buffer;
}

function joined(parts: ArrayBuffer[]): ArrayBuffer {
  if (parts.length === 1) return parts[0]!;
  const out = new Uint8Array(parts.reduce((n, part) => n + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    out.set(new Uint8Array(part), at);
    at += part.byteLength;
  }
  return out.buffer;
}

/** A model's parts with all weights in float32, or words. */
function checked(artifacts: ModelArtifacts): ModelArtifacts {
  if (artifacts.format === 'graph-model') throw new Error('This is a graph model: only layers models are read');
  if (!isObject(artifacts.modelTopology)) throw new Error('This JSON has no modelTopology: it is not a layers model');
  const {model_config = artifacts.modelTopology} = artifacts.modelTopology as {model_config?: unknown};
  const config = isObject(model_config) ? model_config.config : undefined;
  const layers = isObject(config) ? config.layers : config;
  if (!Array.isArray(layers)) refuse('The config of a layers model must have a list of layers', config);
  for (const layer of layers) if (!isObject(layer) || typeof layer.class_name !== 'string') refuse('A layer must have a class_name', layer);
  if (artifacts.weightData == null && !artifacts.weightSpecs?.length) return {...artifacts, weightSpecs: []};
  const specs = artifacts.weightSpecs;
  checkSpecs(specs);
  const parts = [artifacts.weightData].flat();
  if (!parts.every((part) => part instanceof ArrayBuffer)) refuse('The weightData of a model must be an ArrayBuffer, or a list of them', artifacts.weightData);
  const weightData = widened(specs, joined(parts));
  return {...artifacts, weightData};
}

async function readModelJson(json: ModelJson, read: (path: string) => Promise<ArrayBuffer>): Promise<ModelArtifacts> {
  const manifest = json.weightsManifest ?? [];
  if (!Array.isArray(manifest)) refuse('The weightsManifest must be a list', manifest);
  for (const group of manifest) {
    if (!isObject(group) || !Array.isArray(group.paths) || !group.paths.every((path) => typeof path === 'string' && path) || !Array.isArray(group.weights)) {
      refuse('A group of the weightsManifest must have lists of paths and of weights', group);
    }
  }
  const weightData = await Promise.all(manifest.flatMap((group) => group.paths).map(read));
  return {...json, weightSpecs: manifest.flatMap((group) => group.weights), weightData};
}

/** What programs give modelFromJSON: a description, or a model.json as an object, with what stands before its paths. */
export async function partsOfJson(json: object): Promise<ModelArtifacts> {
  const {weightsManifest, pathPrefix = '', ...parts} = ('modelTopology' in json ? json : {modelTopology: json}) as ModelJson & {pathPrefix?: string};
  if (!weightsManifest) return checked({...parts, weightSpecs: []});
  return checked(await readModelJson({...parts, weightsManifest}, (path) => fetched(pathPrefix.replace(/[^/]$/, '$&/') + path)));
}

/** A file is a model.json or a safetensors file, whose first bytes are a length below 2^32. */
const isJson = (file: ModelFile) => file[7] !== 0;
function parseModelJson(file: ModelFile): ModelJson {
  const text = new TextDecoder().decode(file);
  if (text.slice(1, 4) === 'HDF') throw new Error('This is an .h5 file of Keras: save the model as .safetensors or as model.json, .h5 is not read');
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // Its position would be JavaScript's words for what may be no JSON at all.
  }
  if (!isObject(json)) throw new Error(`This is neither a safetensors file nor a model.json: it is not whole, or it is something else (${file.length} bytes)`);
  return json as unknown as ModelJson;
}

async function fetched(address: string, init?: RequestInit): Promise<ArrayBuffer> {
  const response = await fetch(address, init);
  if (!response.ok) throw new Error(`${address} answered ${response.status} ${response.statusText}`);
  return response.arrayBuffer();
}
export const overHttp = (url: string, init?: RequestInit): IOHandler => ({
  async saveFile(file) {
    const response = await fetch(url, {method: 'POST', headers: {'Content-Type': 'application/octet-stream'}, ...init, body: file});
    if (!response.ok) throw new Error(`${url} answered ${response.status} ${response.statusText}`);
  },
  async load() {
    const file = new Uint8Array(await fetched(url, init));
    const base = new URL(url, globalThis.location?.href);
    return isJson(file) ? readModelJson(parseModelJson(file), (path) => fetched(new URL(path, base).href, init)) : file;
  },
});

// ---- choosing -------------------------------------------------------------------------------------------------------------------

function handlerFor(target: string | IOHandler): IOHandler {
  if (typeof target !== 'string') {
    if (isObject(target)) return target;
    throw new Error(`A place for models is an address, such as indexeddb://name, or an object that saves or loads, got ${shown(target)}`);
  }
  const [, scheme, rest] = /^(\w+):\/\/(.*)$/.exec(target) ?? [];
  if (scheme === 'indexeddb') return inIndexedDB(rest!);
  if (scheme === 'localstorage') return inLocalStorage(rest!);
  if (scheme === 'downloads') return asDownload(rest || 'model');
  if (scheme === 'http' || scheme === 'https' || scheme === undefined) return overHttp(target);
  throw new Error(`"${target}": use indexeddb://, localstorage://, downloads:// or http(s)://`);
}

/** What is to be saved, in the form that the place wants. */
export interface Saveable {
  artifacts(): ModelArtifacts;
  file(): ModelFile;
}

export async function saveTo(target: string | IOHandler, model: Saveable): Promise<SaveResult> {
  const handler = handlerFor(target);
  if (handler.saveFile) {
    const file = model.file();
    await handler.saveFile(file);
    return {modelArtifactsInfo: {dateSaved: new Date(), weightDataBytes: file.length}};
  }
  if (!handler.save) throw new Error('This place can only be loaded from');
  return handler.save(model.artifacts());
}
export async function loadFrom(target: string | IOHandler): Promise<ModelArtifacts | ModelFile> {
  const handler = handlerFor(target);
  if (!handler.load) throw new Error('This place can only be saved to');
  const model = await handler.load();
  if (!isObject(model)) refuse('load() of a handler must give a file, as an Uint8Array, or the parts of a model', model);
  return model instanceof Uint8Array ? model : checked(model);
}

const kStored = /^(indexeddb|localstorage):\/\//;

/** The files that a person chose: a safetensors file, or a model.json and its weights. */
export const browserFiles = (files: File[]): IOHandler => ({
  async load() {
    const main = files.find((f) => f.name.endsWith('.safetensors')) ?? files.find((f) => f.name.endsWith('.json'));
    if (!main) throw new Error('Choose the .safetensors file of a model, or its .json file together with its weights');
    const file = new Uint8Array(await main.arrayBuffer());
    if (!isJson(file)) return file;
    return readModelJson(parseModelJson(file), async (path) => {
      const name = path.split('/').at(-1);
      const part = files.find((f) => f.name === name);
      if (!part) throw new Error(`The file ${name} was not chosen`);
      return part.arrayBuffer();
    });
  },
});
/** A file, or parts; or the description, weights and training of TensorFlow.js one by one. */
export function fromMemory(model: ModelArtifacts | ModelFile | object, weightSpecs?: WeightSpec[], weightData?: ArrayBuffer, trainingConfig?: object): IOHandler {
  const saved = (weightSpecs ? {modelTopology: model, weightSpecs, weightData, trainingConfig} : model) as ModelArtifacts | ModelFile;
  return {load: async () => saved};
}

export const io = {
  http: overHttp,
  browserHTTPRequest: overHttp,
  browserFiles,
  browserDownloads: asDownload,
  fromMemory,
  withSaveHandler: (save: (artifacts: ModelArtifacts) => Promise<SaveResult>): IOHandler => ({save}),
  /** The models that this browser keeps, by URL. */
  async listModels(): Promise<Record<string, {modelTopologyType: string}>> {
    const what = 'Listing models';
    const stored = await withStore('readonly', what, (store) => store.getAllKeys());
    const theirs = (await withTheirStore('readonly', what, (store) => store.getAllKeys())) ?? [];
    const local = Object.keys(localStorage).flatMap((key) => {
      if (key.startsWith(kPrefix)) return [key.slice(kPrefix.length)];
      return key.startsWith(kTheirPrefix) && key.endsWith('/info') ? [key.slice(kTheirPrefix.length, -'/info'.length)] : [];
    });
    const urls = [...[...stored, ...theirs].map((name) => `indexeddb://${String(name)}`), ...local.map((name) => `localstorage://${name}`)];
    return Object.fromEntries(urls.map((url) => [url, {modelTopologyType: 'JSON'}]));
  },
  async removeModel(url: string): Promise<void> {
    const [, scheme] = kStored.exec(url) ?? [];
    if (!scheme) throw new Error(`"${url}": only models at indexeddb:// and localstorage:// can be removed`);
    const name = url.replace(kStored, '');
    const what = `Removing ${url}`;
    if (scheme === 'localstorage') {
      localStorage.removeItem(kPrefix + name);
      for (const part of kTheirParts) localStorage.removeItem(`${kTheirPrefix}${name}/${part}`);
    } else {
      await withStore('readwrite', what, (store) => store.delete(name));
      for (const part of ['models_store', 'model_info_store'] as const) await withTheirStore('readwrite', what, (store) => store.delete(name), part);
    }
  },
  async copyModel(from: string, to: string): Promise<void> {
    const file = await loadFrom(from);
    if (!(file instanceof Uint8Array)) throw new Error(`${from} is a model.json: load the model and save it`);
    await handlerFor(to).saveFile!(file);
  },
  async moveModel(from: string, to: string): Promise<void> {
    await io.copyModel(from, to);
    await io.removeModel(from);
  },
};
