// What one build of the package brings along. fjord.js and fjord.cjs have the WebAssembly files beside them; single.js and
// fjord.min.js have one of them inside, and no threads. Each entry says it once, before anything runs:
//
//   provide({inside: {variant: 'simd', bytes: () => unpack(text)}});

export const kVariants = ['simd', 'simd-threads', 'relaxed-simd', 'relaxed-simd-threads'] as const;
export type Variant = (typeof kVariants)[number];

export type Receive = (instance: WebAssembly.Instance, module: WebAssembly.Module) => WebAssembly.Exports;
/** What a glue is given: how its module is instantiated, and how it gets a worker (web/workers.js). */
export interface Hooks {
  instantiateWasm(imports: WebAssembly.Imports, receive: Receive): WebAssembly.Exports;
  makeWorker(): unknown;
  /** What the engine calls for a function of the program (trace.ts). */
  trace(...numbers: number[]): number;
}
/** Emscripten's factory. Variants with threads have one, those without have another. */
export type Glue = (hooks: Hooks) => unknown;

export interface Parts {
  /** Where each variant's file is. Whoever writes an address writes it as a literal: bundlers look for these. */
  files?: Record<Variant, () => string>;
  /** The variant that needs no file. */
  inside?: {variant: Variant; bytes(): Uint8Array<ArrayBuffer>};
  /** What the variants with threads need. */
  threads?: {
    /** The glue, once it is there. */
    glue?: Glue;
    load?(): Promise<Glue>;
    /** A worker of a page. */
    makeWorker(): Worker;
  };
}

/** Where a package has a part of its WebAssembly in second files, loaded when something needs it (rest.ts). */
export interface RestParts {
  files: Partial<Record<Variant, () => string>>;
  Rest: typeof import('./rest.js').Rest;
  needsRest: typeof import('./rest.js').needsRest;
}

export let parts: Parts = {};
export let restParts: RestParts | undefined;
export function provideRest(given: RestParts): void {
  restParts = given;
}
export function provide(given: Parts): void {
  parts = given;
}
