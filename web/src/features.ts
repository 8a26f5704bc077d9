// What this browser offers of what the builds of the engine need.

import {isNode, node} from './node.js';
import {parts} from './parts.js';

// The smallest modules that use the feature: one function that returns f32x4/i8x16 results of the instruction in question.
const kSimdProbe = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11];
const kRelaxedProbe = [
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 19, 1, 17, 0, 65, 1, 253, 17, 65, 2, 253, 17, 65, 3, 253, 17, 253, 133, 2, 11,
];
export const kEmptyModule = [0, 97, 115, 109, 1, 0, 0, 0];

export interface Features {
  simd: boolean;
  relaxedSimd: boolean;
  /** Shared memory, which a page has only when it is cross-origin isolated. */
  threads: boolean;
  cores: number;
}

/** What the browser offers, as the choice of the variant sees it. */
export function features(): Features {
  const validates = (bytes: number[]) => typeof WebAssembly === 'object' && WebAssembly.validate(new Uint8Array(bytes));
  return {
    simd: validates(kSimdProbe),
    relaxedSimd: validates(kRelaxedProbe),
    threads: !whyNotShared(),
    cores: globalThis.navigator?.hardwareConcurrency ?? node?.os.availableParallelism() ?? 1,
  };
}

/** Why there is no shared memory here; undefined where there is. */
export function whyNotShared(): string | undefined {
  if (!parts.threads) return 'the build in one file (fjord.min.js, fjord/single) has no threads.';
  if (!isNode && globalThis.crossOriginIsolated === false) {
    return (
      'this page is not cross-origin isolated. For more, serve it with the headers ' +
      'Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp.'
    );
  }
  if (typeof SharedArrayBuffer !== 'function') return 'this browser has no SharedArrayBuffer, which threads need, even in a page that is cross-origin isolated.';
  try {
    new WebAssembly.Memory({initial: 0, maximum: 1, shared: true});
  } catch (error) {
    return `this browser refuses shared memory (${(error as Error).message}).`;
  }
  return undefined;
}
