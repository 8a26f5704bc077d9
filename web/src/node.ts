// Node's own modules, where this runs in Node (or Deno, or Bun): no bundler for pages sees them.

/** Whether files are read from a disk, and workers are Node's. */
export const isNode = typeof process === 'object' && !!process.versions?.node && (process as {type?: string}).type !== 'renderer';

export interface NodeModules {
  fs: typeof import('node:fs');
  os: typeof import('node:os');
  url: typeof import('node:url');
  threads: typeof import('node:worker_threads');
}

/** import() that no bundler follows. A minifier drops the comments that say so: web/build.mjs writes it as it has to stand. */
declare const importUnseen: ((address: string) => Promise<unknown>) | undefined;

/** Undefined in a browser, and in an ES module until loadNode(). */
export let node: NodeModules | undefined;

/** What a CommonJS module has at once. */
export function provideNode(modules: NodeModules): void {
  node = modules;
}

export async function loadNode(): Promise<void> {
  if (!isNode || node) return;
  // Node before 20.16 has import() alone.
  const get = (name: string) => (process.getBuiltinModule?.(`node:${name}` as 'node:fs') ?? importUnseen?.(`node:${name}`)) as never;
  const [fs, os, url, threads] = await Promise.all([get('fs'), get('os'), get('url'), get('worker_threads')]);
  node = {fs, os, url, threads};
}
