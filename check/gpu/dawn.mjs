// The package's GPU player in Node, on Dawn (npm webgpu).
import {existsSync, mkdirSync} from 'node:fs';
import {root} from '../../tools/build.mjs';
import {hasGpu} from './adapter.mjs';

const kSwiftShader = '/usr/lib/chromium/vk_swiftshader_icd.json';
const kBarrier = 'Dawn in Node ends at a workgroup barrier on a software adapter';

/** The package's player alone, as build/gpu/gpu.mjs. */
export async function bundlePlayer() {
  const {build} = await import('esbuild');
  mkdirSync(`${root}build/gpu`, {recursive: true});
  await build({entryPoints: [`${root}web/src/gpu.ts`], outfile: `${root}build/gpu/gpu.mjs`, bundle: true, format: 'esm', target: 'es2022'});
}

/** Gives Node what a browser has as navigator.gpu: the adapter of this machine; software where it has no other. */
export async function provideGpu() {
  if (globalThis.navigator?.gpu) return;
  const isSoftware = !hasGpu() && existsSync(kSwiftShader);
  if (isSoftware) process.env.VK_ICD_FILENAMES ??= kSwiftShader;
  const {create, globals} = await import('webgpu');
  Object.assign(globalThis, globals);
  if (isSoftware) refuseBarriers(globals.GPUDevice.prototype);
  // Node has a navigator from version 21 on.
  if (!globalThis.navigator) globalThis.navigator = {};
  Object.defineProperty(globalThis.navigator, 'gpu', {value: create([]), configurable: true});
}

/** An error instead of the end of the process. */
function refuseBarriers(device) {
  const {createShaderModule} = device;
  device.createShaderModule = function (descriptor) {
    if (descriptor.code.includes('workgroupBarrier')) throw new Error(kBarrier);
    return createShaderModule.call(this, descriptor);
  };
}

/** Whether an error says that nothing is wrong but this. */
export const isBarrier = (message) => message.includes(kBarrier);

export async function openDawn() {
  await provideGpu();
  const {Gpu} = await import(`${root}build/gpu/gpu.mjs`);
  return Gpu.open();
}
