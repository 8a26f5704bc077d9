// Where models are kept: handlers by URL, as TensorFlow.js has them.
//
//   await model.save('indexeddb://digits', {includeOptimizer: true});
//   const model = await tf.loadLayersModel('indexeddb://digits');
//
// indexeddb:// and localstorage:// keep in the browser, downloads:// saves a file, http(s):// reads one and posts one. What
// they write is one safetensors file (engine/io/model_file.h); what they read is that, or TensorFlow.js's model.json with
// its weights.


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
  weightSpecs: WeightSpec[];
  weightData: ArrayBuffer;
  trainingConfig?: object;
  /** What resuming needs beside weights and optimizer state. */
  userDefinedMetadata?: {seed?: number; step?: number};
}
export interface SaveResult {
  modelArtifactsInfo: {dateSaved: Date; weightDataBytes: number};
}
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
    const file = (await withStore('readonly', `Loading ${name}`, (store) => store.get(name))) as ModelFile | undefined;
    if (!file) throw new Error(`There is no model indexeddb://${name} in this browser`);
    return file;
  },
});

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
    if (!text) throw new Error(`There is no model localstorage://${name} in this browser`);
    return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
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

/** Quantised weights become float32: value = stored * scale + min. */
function dequantized(specs: WeightSpec[], data: ArrayBuffer): ModelArtifacts['weightData'] {
  if (specs.every((s) => !s.quantization && s.dtype === 'float32')) return data;
  const total = specs.reduce((n, s) => n + s.shape.reduce((a, b) => a * b, 1), 0);
  const out = new Float32Array(total);
  let from = 0;
  let to = 0;
  for (const spec of specs) {
    const size = spec.shape.reduce((n, d) => n * d, 1);
    const stored = spec.quantization?.dtype ?? spec.dtype;
    const width = stored === 'uint8' || stored === 'bool' ? 1 : stored === 'uint16' || stored === 'float16' ? 2 : 4;
    const bytes = data.slice(from, from + size * width);
    const values = width === 1 ? new Uint8Array(bytes) : width === 2 ? new Uint16Array(bytes) : stored === 'int32' ? new Int32Array(bytes) : new Float32Array(bytes);
    const {scale = 1, min = 0} = spec.quantization ?? {};
    for (let i = 0; i < size; ++i) out[to + i] = stored === 'float16' ? fromFloat16(values[i]!) : values[i]! * scale + min;
    from += size * width;
    to += size;
  }
  return out.buffer;
}

async function readModelJson(json: ModelJson, read: (path: string) => Promise<ArrayBuffer>): Promise<ModelArtifacts> {
  if (!json.modelTopology) throw new Error('This JSON has no modelTopology: it is not a layers model');
  const manifest = json.weightsManifest ?? [];
  const parts = await Promise.all(manifest.flatMap((group) => group.paths).map(read));
  const data = await new Blob(parts).arrayBuffer();
  const specs = manifest.flatMap((group) => group.weights);
  return {...json, weightSpecs: specs.map(({quantization: _, ...s}) => ({...s, dtype: 'float32'})), weightData: dequantized(specs, data)};
}

/** A file is a model.json or a safetensors file, whose first bytes are a length below 2^32. */
const isJson = (file: ModelFile) => file[7] !== 0;
const parseModelJson = (file: ModelFile) => JSON.parse(new TextDecoder().decode(file)) as ModelJson;

const overHttp = (url: string, init?: RequestInit): IOHandler => ({
  async saveFile(file) {
    const response = await fetch(url, {method: 'POST', headers: {'Content-Type': 'application/octet-stream'}, ...init, body: file});
    if (!response.ok) throw new Error(`${url} answered ${response.status} ${response.statusText}`);
  },
  async load() {
    const get = async (address: string): Promise<ArrayBuffer> => {
      const response = await fetch(address, init);
      if (!response.ok) throw new Error(`${address} answered ${response.status} ${response.statusText}`);
      return response.arrayBuffer();
    };
    const file = new Uint8Array(await get(url));
    const base = new URL(url, globalThis.location?.href);
    return isJson(file) ? readModelJson(parseModelJson(file), (path) => get(new URL(path, base).href)) : file;
  },
});

// ---- choosing -------------------------------------------------------------------------------------------------------------------

function handlerFor(target: string | IOHandler): IOHandler {
  if (typeof target !== 'string') return target;
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
  return handler.load();
}

const kStored = /^(indexeddb|localstorage):\/\//;

export const io = {
  http: overHttp,
  browserHTTPRequest: overHttp,
  /** The files that a person chose: a safetensors file, or a model.json and its weights. */
  browserFiles: (files: File[]): IOHandler => ({
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
  }),
  browserDownloads: asDownload,
  fromMemory: (model: ModelArtifacts | ModelFile): IOHandler => ({load: async () => model}),
  withSaveHandler: (save: (artifacts: ModelArtifacts) => Promise<SaveResult>): IOHandler => ({save}),
  /** The models that this browser keeps, by URL. */
  async listModels(): Promise<Record<string, {modelTopologyType: string}>> {
    const stored = await withStore('readonly', 'Listing models', (store) => store.getAllKeys());
    const local = Object.keys(localStorage).filter((key) => key.startsWith(kPrefix));
    const urls = [...stored.map((name) => `indexeddb://${String(name)}`), ...local.map((key) => `localstorage://${key.slice(kPrefix.length)}`)];
    return Object.fromEntries(urls.map((url) => [url, {modelTopologyType: 'JSON'}]));
  },
  async removeModel(url: string): Promise<void> {
    const [, scheme] = kStored.exec(url) ?? [];
    if (!scheme) throw new Error(`"${url}": only models at indexeddb:// and localstorage:// can be removed`);
    const name = url.replace(kStored, '');
    if (scheme === 'localstorage') localStorage.removeItem(kPrefix + name);
    else await withStore('readwrite', `Removing ${url}`, (store) => store.delete(name));
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
