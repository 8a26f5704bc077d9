// The package's GPU player in Node, on Dawn (npm webgpu).
import {existsSync, mkdirSync} from 'node:fs';
import {build} from 'esbuild';
import {root} from '../../tools/build.mjs';

const kSwiftShader = '/usr/lib/chromium/vk_swiftshader_icd.json';

/** The package's player alone, as build/gpu/gpu.mjs. */
export async function bundlePlayer() {
  mkdirSync(`${root}build/gpu`, {recursive: true});
  await build({entryPoints: [`${root}web/src/gpu.ts`], outfile: `${root}build/gpu/gpu.mjs`, bundle: true, format: 'esm', target: 'es2022'});
}

/** Opens the adapter of this machine; software where it has no other. */
export async function openDawn() {
  const hasGpu = ['/dev/nvidia0', '/dev/dri/renderD128', '/dev/kfd'].some((path) => existsSync(path));
  if (!hasGpu && existsSync(kSwiftShader)) process.env.VK_ICD_FILENAMES ??= kSwiftShader;
  const {create, globals} = await import('webgpu');
  Object.assign(globalThis, globals);
  const {Gpu} = await import(`${root}build/gpu/gpu.mjs`);
  return Gpu.open(create([]));
}
