// The files of a build, Emscripten's glue and a module that is compiled: where they lie, how they are loaded, with or without waiting, and
// words for what goes wrong.
//
//   const module = await load(locate('simd'), policy);       // moduleNow(url) where the program cannot wait

import {kEmptyModule} from './features.js';
import glueOfOne from './glue.js';
import {isNode, node} from './node.js';
import {parts, restParts, type Glue, type Variant} from './parts.js';

/** What tf.wasm.setWasmPaths has said; undefined is the folder of this module. */
export let folder: string | undefined;
/** Of single files. */
export let urls: Readonly<Record<string, string>> = {};
export const lookIn = (place: string | undefined, files: Readonly<Record<string, string>>): unknown => ([folder, urls] = [place, files]);

export const hasThreads = (variant?: Variant): boolean => !!variant?.endsWith('threads');

/** Modules by their addresses. */
const modules = new Map<string, WebAssembly.Module>();

export const kInside = 'the WebAssembly in its own file';

export const kRestFile = 'rest.wasm';
/** The address of a variant's file. */
export function locate(variant: Variant, name = 'fjord.wasm'): string {
  const file = `${variant}/${name}`;
  if (urls[file]) return urls[file];
  if (folder) return folder + file;
  if (parts.inside?.variant === variant) return kInside;
  const url = ownAddress(variant, name);
  if (url) return url;
  throw new Error('Fjord does not know where its files are, because this module has no address of its own (as in a blob or in one file): tf.wasm.setWasmPaths(url) tells it');
}
/** Where the package, or the bundler, has laid it. */
export function ownAddress(variant: Variant, name?: string): string | undefined {
  try {
    return (name === kRestFile ? restParts : parts)?.files?.[variant]?.();
  } catch {
    return undefined;
  }
}
/** The address of a folder or a file, as a page or Node would read it. */
export function address(path: string): string {
  const isUrl = /^[a-z][a-z\d+.-]+:/i.test(path);
  if (isNode && !isUrl && node) return node.url.pathToFileURL(path).href;
  return new URL(path, globalThis.document?.baseURI ?? globalThis.location?.href).href;
}

const forBundler = (url: string) => {
  if (isNode) return "a server's bundle leaves fjord out (in Next.js serverExternalPackages: ['fjord'])";
  // Where it moves a package's scripts to, and not its files.
  if (url.includes('/.vite/deps/')) return "Vite before 8 needs optimizeDeps: {exclude: ['fjord']} for that";
  return "where a bundler does not copy them, import 'fjord/single'";
};
const unloadable = (url: string, why: string) =>
  new Error(`Fjord cannot load ${url}: ${why}. Its files have to lie beside fjord.js, or where tf.wasm.setWasmPaths says; ${forBundler(url)}`);
const kHtml = 'an HTML page came in its place';

/** The module in these bytes, if they are one. */
function checked(bytes: Uint8Array<ArrayBuffer>, url: string): Uint8Array<ArrayBuffer> {
  if (kEmptyModule.every((byte, i) => bytes[i] === byte)) return bytes;
  const start = new TextDecoder().decode(bytes.subarray(0, 20)).trim();
  throw unloadable(url, start.startsWith('<') ? kHtml : `it is no WebAssembly: it has ${bytes.length} bytes and begins with ${JSON.stringify(start)}`);
}
export function unstartable(url: string, error: unknown): Error {
  const {message} = error as Error;
  const isDamaged = error instanceof WebAssembly.CompileError || error instanceof WebAssembly.LinkError;
  return isDamaged ? unloadable(url, `it is damaged, or of another version (${message})`) : new Error(`Fjord cannot start ${url}: ${message}`);
}

const readFile = (url: string) => {
  try {
    return new Uint8Array(node!.fs.readFileSync(new URL(url)));
  } catch (error) {
    throw unloadable(url, (error as Error).message);
  }
};

export const canWait = isNode || typeof XMLHttpRequest === 'function';
/** A worker may wait for a file, where a page should not. */
export const isWorker = !isNode && !globalThis.document && canWait;
function fetchNow(url: string): Uint8Array<ArrayBuffer> {
  const request = new XMLHttpRequest();
  request.open('GET', url, false);
  // A page gets no bytes this way, but a text whose characters are these.
  if (isWorker) request.responseType = 'arraybuffer';
  else request.overrideMimeType('text/plain; charset=x-user-defined');
  try {
    request.send();
  } catch (error) {
    throw unloadable(url, (error as Error).message);
  }
  if (request.status !== 200) throw unloadable(url, `the server answered ${request.status}`);
  return isWorker ? new Uint8Array(request.response as ArrayBuffer) : Uint8Array.from(request.responseText, (c) => c.charCodeAt(0) & 255);
}

const inWords = (compiled: Promise<WebAssembly.Module>, url: string) => compiled.catch((error) => Promise.reject(unstartable(url, error)));
async function fetchModule(url: string, policy: Policy): Promise<WebAssembly.Module> {
  if (url === kInside || (isNode && url.startsWith('file:'))) return inWords(WebAssembly.compile(bytesNow(url)), url);
  const response = await fetch(url, {credentials: 'same-origin'}).catch(async (error: Error) => {
    throw unloadable(url, (await policy.forbids()) ?? error.message);
  });
  if (!response.ok) throw unloadable(url, `the server answered ${response.status}`);
  // Compiled while it arrives, where the server says what it is.
  const streams = response.headers.get('Content-Type')?.startsWith('application/wasm');
  return inWords(streams ? WebAssembly.compileStreaming(response) : WebAssembly.compile(checked(new Uint8Array(await response.arrayBuffer()), url)), url);
}

export async function load(url: string, policy: Policy): Promise<WebAssembly.Module> {
  if (!modules.has(url)) modules.set(url, await fetchModule(url, policy));
  return modules.get(url)!;
}
/** Undefined where it has to be loaded first. */
export const glueNow = (variant: Variant): Glue | undefined => (hasThreads(variant) ? parts.threads!.glue : glueOfOne);
export const loadGlue = async (variant: Variant): Promise<Glue> => glueNow(variant) ?? (parts.threads!.glue = await parts.threads!.load!());

const bytesNow = (url: string) => checked(url === kInside ? parts.inside!.bytes() : isNode ? readFile(url) : fetchNow(url), url);
export const isLoaded = (url: string): boolean => url === kInside || modules.has(url);
export function moduleNow(url: string): WebAssembly.Module {
  const bytes = !modules.has(url) && bytesNow(url);
  try {
    if (bytes) modules.set(url, new WebAssembly.Module(bytes));
    return modules.get(url)!;
  } catch (error) {
    throw unstartable(url, error);
  }
}

/** Notes which directive of a Content-Security-Policy forbids this file, or a worker. */
export class Policy {
  private directive?: string;
  private readonly target: EventTarget = globalThis.document ?? globalThis;
  private readonly listen: (event: Event) => void;

  constructor(file: string) {
    this.listen = (event) => {
      const {blockedURI, effectiveDirective, sample} = event as SecurityPolicyViolationEvent;
      // A bundler has given the workers' script a name of its own. Of trusted types the event names the constructor that refused a text.
      if (blockedURI === file || effectiveDirective === 'worker-src' || sample.startsWith('Worker')) this.directive ??= effectiveDirective;
    };
    this.target.addEventListener?.('securitypolicyviolation', this.listen);
  }
  async forbids(): Promise<string | undefined> {
    // The event may come after the failure that it explains.
    if (!isNode) await new Promise((resolve) => setTimeout(resolve, 50));
    return this.directive && `the Content-Security-Policy of this page forbids it (${this.directive})`;
  }
  stop(): void {
    this.target.removeEventListener?.('securitypolicyviolation', this.listen);
  }
}
