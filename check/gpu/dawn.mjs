// The package's GPU player in Node, on Dawn (npm webgpu).
import {existsSync, mkdirSync} from 'node:fs';
import {root} from '../../tools/build.mjs';
import {hasGpu, isSoftwareAdapter} from './adapter.mjs';

const kSwiftShader = '/usr/lib/chromium/vk_swiftshader_icd.json';
const kBarrier = 'Dawn in Node ends at a workgroup barrier on a software adapter';

/** The package's player alone, as build/gpu/gpu.mjs of a folder. */
export async function bundlePlayer(folder = root) {
  const {build} = await import('esbuild');
  mkdirSync(`${folder}build/gpu`, {recursive: true});
  await build({entryPoints: [`${root}web/src/gpu.ts`], outfile: `${folder}build/gpu/gpu.mjs`, bundle: true, format: 'esm', target: 'es2022'});
}

/** Gives Node what a browser has as navigator.gpu, with the adapter of this machine, software where it has no other; gives the adapter. */
export async function provideGpu() {
  if (!globalThis.navigator?.gpu) {
    if (!hasGpu() && existsSync(kSwiftShader)) process.env.VK_ICD_FILENAMES ??= kSwiftShader;
    const {create, globals} = await import('webgpu');
    Object.assign(globalThis, globals);
    // Node has a navigator from version 21 on.
    if (!globalThis.navigator) globalThis.navigator = {};
    Object.defineProperty(globalThis.navigator, 'gpu', {value: create([]), configurable: true});
  }
  const adapter = await navigator.gpu.requestAdapter({powerPreference: 'high-performance'});
  if (adapter && isSoftwareAdapter(adapter.info)) refuseBarriers(GPUDevice.prototype);
  return adapter;
}

/** An error instead of the end of the process. */
function refuseBarriers(device) {
  const {createShaderModule} = device;
  if (createShaderModule.refusesBarriers) return;
  device.createShaderModule = function (descriptor) {
    if (descriptor.code.includes('workgroupBarrier')) throw new Error(kBarrier);
    return createShaderModule.call(this, descriptor);
  };
  device.createShaderModule.refusesBarriers = true;
}

/** Whether an error says that nothing is wrong but this. */
export const isBarrier = (message) => message.includes(kBarrier);

export async function openDawn() {
  await provideGpu();
  const {Gpu} = await import(`${root}build/gpu/gpu.mjs`);
  return Gpu.open();
}
