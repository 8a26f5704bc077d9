// The WebAssembly of the single file: web/build.mjs packs it (unpack.ts).
export const text: string;
