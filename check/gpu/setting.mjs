// A page of headless Chromium in which the package is loaded as window.tf, and how its numbers are compared.
//
//   const {page, end} = await openPage();
//   close(await page.evaluate(..), wanted, 1e-3, 'loss');
//   await end();
import assert from 'node:assert/strict';
import {launch} from '../../tools/browser.mjs';
import {serve} from '../../tools/serve.mjs';
import {apart} from './models.mjs';

export async function openPage() {
  const server = await serve();
  const browser = await launch();
  const page = await browser.newPage();
  page.on('pageerror', (error) => console.error(error));
  await page.goto(`${server.url}/check/bench/blank.html`);
  await page.evaluate(async () => {
    window.tf = await import('/fjord/fjord.js');
  });
  return {
    page,
    async end() {
      await browser.close();
      await server.close();
    },
  };
}

/** Asserts that numbers are near others: within tolerance (1 + the number). */
export const close = (a, b, tolerance, what) => assert.equal(apart(a, b, tolerance, what), '');
