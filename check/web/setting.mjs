// What the tests of this folder share: the package as `npm pack` makes it, installed beside real bundlers; pages and their results.
//
//   const folder = await project('app');                  build/web/app, with the package and the dependencies of check/web/app
//   const {page} = await setting.result(folder, {path: '/index.html'});
//   agrees(page);
import assert from 'node:assert/strict';
import {cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {fileURLToPath} from 'node:url';
import {must, root} from '../../tools/build.mjs';
import {open as openBrowser} from '../browser/setting.mjs';
import {reference} from './reference.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
export const built = `${root}build/web/`;

/** The suite's longer part: what is large to install, or seldom there. */
export const isAll = !!process.env.FJORD_WEB_ALL;
export const onlyInAll = isAll ? false : './dev test web --all has it';

let packed;
/** The package as it is published: {file, contents}, the file's address and what is in it. */
export const tarball = () =>
  (packed ??= (async () => {
    mkdirSync(built, {recursive: true});
    const {output} = await must('npm', ['pack', '--json', '--pack-destination', built], {cwd: `${root}build/npm`});
    const [{filename, files}] = JSON.parse(output.slice(output.indexOf('[')));
    return {file: built + filename, contents: files.map(({path}) => path)};
  })());

const npm = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
/** A copy of check/web/NAME in build/web/NAME with its dependencies, and Fjord from the tarball. */
export async function project(name, sources = name) {
  const folder = `${built}${name}/`;
  mkdirSync(folder, {recursive: true});
  cpSync(here + sources, folder, {recursive: true});
  const lock = readFileSync(`${folder}package-lock.json`, 'utf8');
  const stamp = `${folder}node_modules/.fjord-lock`;
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== lock) {
    await must('npm', ['ci', ...npm], {cwd: folder});
    writeFileSync(stamp, lock);
  }
  const {file} = await tarball();
  rmSync(`${folder}node_modules/fjord`, {recursive: true, force: true});
  mkdirSync(`${folder}node_modules/fjord`);
  // What npm does with a package that depends on nothing.
  await must('tar', ['-xzf', file, '-C', `${folder}node_modules/fjord`, '--strip-components=1']);
  return folder;
}

/** The numbers are those of the reference, and the product is exact. */
export function agrees(result, about = {}) {
  assert.equal(result?.error, undefined);
  const expected = reference();
  assert.equal(result.numbers.length, expected.length);
  for (const [i, number] of result.numbers.entries()) assert.ok(Math.abs(number - expected[i]) < 1e-5, `${number} is not ${expected[i]}`);
  assert.equal(result.sum, 300 ** 3);
  for (const [name, value] of Object.entries(about)) assert.equal(result[name], value, name);
}

/** What a page gets, by whether it is isolated. */
export const variantOf = (isolated) => (isolated ? 'relaxed-simd-threads' : 'relaxed-simd');

export async function open(options) {
  const setting = await openBrowser(options);
  return {
    ...setting,
    /**
     * Opens a page of a folder and waits for what its program leaves in `result`, and for a line on the console that has the words `says`,
     * which may come later; `requests` are the files that it fetched.
     */
    async result(folder, {path: file = '/index.html', isolated = true, headers, before, mounts = {}, prepare, says} = {}) {
      const from = await setting.serve({isolated, headers, mounts: {...mounts, '/': path.resolve(root, folder)}});
      return this.resultAt(from.url + file, {before, prepare, says});
    },
    async resultAt(url, {before, prepare, says} = {}) {
      const context = await setting.browser.newContext();
      const page = await context.newPage();
      const [lines, requests] = [[], []];
      page.on('console', (message) => lines.push(message.text()));
      page.on('pageerror', (error) => lines.push(String(error)));
      context.on('request', (request) => requests.push(new URL(request.url()).pathname));
      if (before) await page.addInitScript(before);
      await prepare?.(page);
      await page.goto(url);
      const handle = await page.waitForFunction(() => globalThis.result, undefined, {timeout: 30000}).catch((error) => {
        throw new Error(`${error.message}\nThe page's console:\n${lines.join('\n')}\nIts requests:\n${requests.join('\n')}`);
      });
      const result = await handle.jsonValue();
      for (let i = 0; says && i < 100 && !lines.some((line) => line.includes(says)); ++i) await new Promise((resolve) => setTimeout(resolve, 100));
      await context.close();
      return {...result, lines, requests};
    },
  };
}
