// What a build without threads needs of Emscripten's glue, in a tenth of its size: five functions for the engine, and its own under their
// names. web/build.mjs takes the names from Emscripten's glue, where imports and exports have one letter each.

import type {Glue} from './parts.js';

/** Letters by name: of imports ('_emscripten_get_now'), of exports ('_fj_init'); of the memory, and of the constructors of C++. */
interface Letters {
  imports: Record<string, string>;
  exports: Record<string, string>;
  memory: string;
  begin: string;
}

const kPage = 65536;
/** What 32 bits reach, in whole pages. */
const kMost = 2 ** 32 - kPage;
/** No more than this is reserved ahead. */
const kAhead = 96 * 2 ** 20;

/** Makes room for so many bytes, and some more, so that memory does not grow at each step; less where the browser has not that much. */
function grow(memory: WebAssembly.Memory, wanted: number): boolean {
  const now = memory.buffer.byteLength;
  if (wanted > kMost) return false;
  for (const more of [0.2, 0.1, 0.05, 0]) {
    const bytes = Math.min(kMost, Math.max(wanted, Math.min(now * (1 + more), wanted + kAhead)));
    try {
      memory.grow(Math.ceil((bytes - now) / kPage));
      return true;
    } catch {}
  }
  return false;
}

export const leanGlue = (letters: Letters): Glue => (hooks) => {
  let memory!: WebAssembly.Memory;
  const given: Record<string, (...numbers: [number, ...number[]]) => unknown> = {
    _fj_trace: (...numbers) => hooks.trace(...numbers),
    _emscripten_resize_heap: (bytes) => grow(memory, bytes >>> 0),
    _emscripten_get_now: () => performance.now(),
    __emscripten_get_now_is_monotonic: () => 1,
    __abort_js: () => {
      throw new WebAssembly.RuntimeError('Aborted()');
    },
  };
  const imports = Object.fromEntries(Object.entries(letters.imports).map(([name, letter]) => [letter, given[name]!]));
  hooks.instantiateWasm({a: imports}, ({exports}) => {
    memory = exports[letters.memory] as WebAssembly.Memory;
    const functions = Object.entries(letters.exports).map(([name, letter]) => [name, exports[letter]]);
    Object.assign(hooks, Object.fromEntries(functions), {wasmMemory: memory});
    (exports[letters.begin] as () => void)();
    return exports;
  });
};
