// What the benchmarks and tests need to know of this machine's GPU.
import {existsSync} from 'node:fs';

/** Whether there is one beside the software adapter. */
export const hasGpu = () => ['/dev/nvidia0', '/dev/dri/renderD128', '/dev/kfd'].some((path) => existsSync(path));

/** Arguments with which headless Chromium computes on it: launch() otherwise asks for software, which is there everywhere. */
export const chromiumArgs = () =>
  hasGpu() ? ['--use-webgpu-adapter=default', '--use-angle=vulkan', '--enable-features=Vulkan', '--disable-vulkan-surface', '--ignore-gpu-blocklist'] : [];

/** Whether an adapter of this name computes on the CPU: rightly, and slower than any GPU. */
export const isSoftware = (name) => /swiftshader|llvmpipe|software/i.test(name ?? '');

export const softwareWarning = 'THE ADAPTER IS SOFTWARE: THESE TIMES SAY NOTHING ABOUT A GPU.';
