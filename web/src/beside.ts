// The addresses of the WebAssembly files beside this module. Bundlers copy a file, and put its new address here, where they find
// exactly this form: four literals, and no template.
import type {Variant} from './parts.js';

export const filesBeside: Record<Variant, () => string> = {
  simd: () => new URL('./simd/fjord.wasm', import.meta.url).href,
  'simd-threads': () => new URL('./simd-threads/fjord.wasm', import.meta.url).href,
  'relaxed-simd': () => new URL('./relaxed-simd/fjord.wasm', import.meta.url).href,
  'relaxed-simd-threads': () => new URL('./relaxed-simd-threads/fjord.wasm', import.meta.url).href,
};
