// Where models are kept: handlers by URL, as TensorFlow.js has them.
//
//   await model.save('indexeddb://digits', {includeOptimizer: true});
//   const model = await tf.loadLayersModel('indexeddb://digits');
//
// indexeddb:// and localstorage:// keep in the browser, downloads:// saves two files, http(s):// reads a model.json with
// its weights and posts to a server.


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
export interface IOHandler {
  save?(artifacts: ModelArtifacts): Promise<SaveResult>;
  load?(): Promise<ModelArtifacts>;
}

const saved = (artifacts: ModelArtifacts): SaveResult => ({
  modelArtifactsInfo: {dateSaved: new Date(), weightDataBytes: artifacts.weightData.byteLength},
});

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
  async save(artifacts) {
    await withStore('readwrite', `Saving ${name}`, (store) => store.put(artifacts, name));
    return saved(artifacts);
  },
  async load() {
    const artifacts = (await withStore('readonly', `Loading ${name}`, (store) => store.get(name))) as ModelArtifacts | undefined;
    if (!artifacts) throw new Error(`There is no model indexeddb://${name} in this browser`);
    return artifacts;
  },
});

// ---- local storage and downloads ----------------------------------------------------------------------------------------------

function toBase64(data: ArrayBuffer): string {
  let text = '';
  const bytes = new Uint8Array(data);
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return btoa(text);
}
function fromBase64(text: string): ArrayBuffer {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;
}

const inLocalStorage = (name: string): IOHandler => ({
  async save(artifacts) {
    const text = JSON.stringify({...artifacts, weightData: toBase64(artifacts.weightData)});
    try {
      localStorage.setItem(`fjord/${name}`, text);
    } catch {
      throw new Error(`The model is too large for localStorage (${text.length} characters): save it to indexeddb://${name}`);
    }
    return saved(artifacts);
  },
  async load() {
    const text = localStorage.getItem(`fjord/${name}`);
    if (!text) throw new Error(`There is no model localstorage://${name} in this browser`);
    const artifacts = JSON.parse(text) as ModelArtifacts & {weightData: string};
    return {...artifacts, weightData: fromBase64(artifacts.weightData)};
  },
});

/** TensorFlow.js's model.json: the topology, and where the weights lie. */
function modelJson(artifacts: ModelArtifacts, paths: string[]): string {
  const {weightData: _, weightSpecs, ...rest} = artifacts;
  return JSON.stringify({...rest, weightsManifest: [{paths, weights: weightSpecs}]});
}

const asDownload = (name: string): IOHandler => ({
  async save(artifacts) {
    const files: [string, Blob][] = [
      [`${name}.json`, new Blob([modelJson(artifacts, [`${name}.weights.bin`])], {type: 'application/json'})],
      [`${name}.weights.bin`, new Blob([artifacts.weightData])],
    ];
    for (const [file, blob] of files) {
      const link = document.createElement('a');
      link.href = URL.createObjectURL(blob);
      link.download = file;
      link.click();
      URL.revokeObjectURL(link.href);
    }
    return saved(artifacts);
  },
});

// ---- model.json and its weights -----------------------------------------------------------------------------------------------

interface ModelJson extends Omit<ModelArtifacts, 'weightSpecs' | 'weightData'> {
  weightsManifest?: {paths: string[]; weights: WeightSpec[]}[];
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
    const width = stored === 'uint8' || stored === 'bool' ? 1 : stored === 'uint16' ? 2 : 4;
    if (stored === 'float16') throw new Error(`The weight ${spec.name} is stored as float16, which is not read yet`);
    const bytes = data.slice(from, from + size * width);
    const values = width === 1 ? new Uint8Array(bytes) : width === 2 ? new Uint16Array(bytes) : stored === 'int32' ? new Int32Array(bytes) : new Float32Array(bytes);
    const {scale = 1, min = 0} = spec.quantization ?? {};
    for (let i = 0; i < size; ++i) out[to + i] = values[i]! * scale + min;
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

const overHttp = (url: string, init?: RequestInit): IOHandler => ({
  async save(artifacts) {
    const form = new FormData();
    form.append('model.json', new Blob([modelJson(artifacts, ['./model.weights.bin'])], {type: 'application/json'}), 'model.json');
    form.append('model.weights.bin', new Blob([artifacts.weightData]), 'model.weights.bin');
    const response = await fetch(url, {method: 'POST', ...init, body: form});
    if (!response.ok) throw new Error(`${url} answered ${response.status} ${response.statusText}`);
    return saved(artifacts);
  },
  async load() {
    const get = async (address: string): Promise<Response> => {
      const response = await fetch(address, init);
      if (!response.ok) throw new Error(`${address} answered ${response.status} ${response.statusText}`);
      return response;
    };
    const json = (await (await get(url)).json()) as ModelJson;
    const base = new URL(url, globalThis.location?.href);
    return readModelJson(json, async (path) => (await get(new URL(path, base).href)).arrayBuffer());
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

export async function saveArtifacts(target: string | IOHandler, artifacts: ModelArtifacts): Promise<SaveResult> {
  const handler = handlerFor(target);
  if (!handler.save) throw new Error('This place can only be loaded from');
  return handler.save(artifacts);
}
export async function loadArtifacts(target: string | IOHandler): Promise<ModelArtifacts> {
  const handler = handlerFor(target);
  if (!handler.load) throw new Error('This place can only be saved to');
  return handler.load();
}

export const io = {
  http: overHttp,
  browserHTTPRequest: overHttp,
  /** The files that a person chose: model.json and its weights. */
  browserFiles: (files: File[]): IOHandler => ({
    async load() {
      const json = files.find((f) => f.name.endsWith('.json'));
      if (!json) throw new Error('Choose the .json file of the model together with its weights');
      return readModelJson(JSON.parse(await json.text()) as ModelJson, async (path) => {
        const name = path.split('/').at(-1);
        const file = files.find((f) => f.name === name);
        if (!file) throw new Error(`The file ${name} was not chosen`);
        return file.arrayBuffer();
      });
    },
  }),
  browserDownloads: asDownload,
  fromMemory: (artifacts: ModelArtifacts): IOHandler => ({load: async () => artifacts}),
  withSaveHandler: (save: (artifacts: ModelArtifacts) => Promise<SaveResult>): IOHandler => ({save}),
  /** The models that this browser keeps, by URL. */
  async listModels(): Promise<Record<string, {modelTopologyType: string}>> {
    const names = await withStore('readonly', 'Listing models', (store) => store.getAllKeys());
    return Object.fromEntries(names.map((name) => [`indexeddb://${String(name)}`, {modelTopologyType: 'JSON'}]));
  },
  async removeModel(url: string): Promise<void> {
    await withStore('readwrite', `Removing ${url}`, (store) => store.delete(url.replace(/^indexeddb:\/\//, '')));
  },
};

