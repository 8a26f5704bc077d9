// Headless Chromium for tests, the demo and the benchmarks.
//
//   const browser = await launch();
//   const page = await browser.newPage();
//   ...
//   await browser.close();
//
// The program is /usr/bin/chromium, or what the environment variable FJORD_CHROMIUM names.
import {existsSync} from 'node:fs';
import {chromium} from 'playwright-core';

/** Starts Chromium; `options` are Playwright's, `args` are added to these here. */
export function launch({args = [], ...options} = {}) {
  const executablePath = process.env.FJORD_CHROMIUM ?? '/usr/bin/chromium';
  if (!existsSync(executablePath)) {
    throw new Error(`There is no browser at ${executablePath}: run ./dev setup, or set FJORD_CHROMIUM`);
  }
  return chromium.launch({
    executablePath,
    args: [
      // A container's /dev/shm is often too small for Chromium.
      '--disable-dev-shm-usage',
      // Correct WebGPU and WebGL without a graphics card.
      '--enable-unsafe-webgpu',
      '--use-webgpu-adapter=swiftshader',
      '--use-angle=swiftshader',
      '--enable-unsafe-swiftshader',
      // A hidden page's timers would otherwise be slowed down.
      '--disable-background-timer-throttling',
      '--disable-renderer-backgrounding',
      '--disable-backgrounding-occluded-windows',
      ...args,
    ],
    ...options,
  });
}
