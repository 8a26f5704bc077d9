// Node's own modules, where this runs in Node (or Deno, or Bun): no bundler for pages sees them.

/** Whether files are read from a disk, and workers are Node's. */
export const isNode = typeof process === 'object' && !!process.versions?.node && (process as {type?: string}).type !== 'renderer';

export interface NodeModules {
  fs: typeof import('node:fs');
  os: typeof import('node:os');
  url: typeof import('node:url');
  threads: typeof import('node:worker_threads');
}

/** Undefined in a browser, and in an ES module until loadNode(). */
export let node: NodeModules | undefined;

/** What a CommonJS module has at once. */
export function provideNode(modules: NodeModules): void {
  node = modules;
}

export async function loadNode(): Promise<void> {
  if (!isNode || node) return;
  // Not a literal, which a bundler would follow.
  const get = (name: string) => import(/* webpackIgnore: true */ /* @vite-ignore */ `node:${name}`) as Promise<never>;
  const [fs, os, url, threads] = await Promise.all([get('fs'), get('os'), get('url'), get('worker_threads')]);
  node = {fs, os, url, threads};
}
