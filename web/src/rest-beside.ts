// The addresses of the second files (rest.ts): literals for bundlers, as in beside.ts. Packages that have such files import
// this first. The variants with threads have all in one: a worker cannot fetch a file while it computes.
import {provideRest} from './parts.js';
import {needsRest, Rest} from './rest.js';

provideRest({
  files: {
    simd: () => new URL('./simd/rest.wasm', import.meta.url).href,
    'relaxed-simd': () => new URL('./relaxed-simd/rest.wasm', import.meta.url).href,
  },
  Rest,
  needsRest,
});
