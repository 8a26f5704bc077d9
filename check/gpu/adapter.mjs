// What the benchmarks and tests need to know of this machine's GPU.
import {existsSync, readdirSync} from 'node:fs';

const filesOf = (folder) => (existsSync(folder) ? readdirSync(folder) : []);

/** The files of /dev through which drivers reach GPUs: NVIDIA's; everyone's; AMD's for computing; that of Windows' Linux. */
export const gpuDevices = () => [
  ...filesOf('/dev').filter((name) => /^(nvidia\d+|kfd|dxg)$/.test(name)),
  ...filesOf('/dev/dri').filter((name) => /^renderD\d+$/.test(name)).map((name) => `dri/${name}`),
].map((name) => `/dev/${name}`);

/** Whether there is one beside the software adapter. */
export const hasGpu = () => gpuDevices().length > 0;

/** Arguments with which headless Chromium computes on it: launch() otherwise asks for software, which is there everywhere. */
export const chromiumArgs = () =>
  hasGpu() ? ['--use-webgpu-adapter=default', '--use-angle=vulkan', '--enable-features=Vulkan', '--disable-vulkan-surface', '--ignore-gpu-blocklist'] : [];

/** Whether an adapter of this name computes on the CPU: rightly, and slower than any GPU. */
export const isSoftware = (name) => /swiftshader|llvmpipe|software/i.test(name ?? '');

/** The same of a GPUAdapterInfo. */
export const isSoftwareAdapter = ({vendor, architecture, device, description, isFallbackAdapter}) =>
  isFallbackAdapter === true || isSoftware([vendor, architecture, device, description].join(' '));

export const softwareWarning = 'THE ADAPTER IS SOFTWARE: THESE TIMES SAY NOTHING ABOUT A GPU.';
