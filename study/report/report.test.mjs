// A report in a browser: it parses, all charts are drawn, nothing is fetched, nothing sticks out on
// a phone. The report is that of study_report_tests, which has to be built; FJORD_REPORT_TESTS
// names it where it is not in build/native.
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {existsSync, mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, test} from 'node:test';
import {fileURLToPath, pathToFileURL} from 'node:url';
import {launch} from '../../tools/browser.mjs';

const program = process.env.FJORD_REPORT_TESTS ?? fileURLToPath(new URL('../../build/native/study_report_tests', import.meta.url));
const skip = !existsSync(program) && `there is no ${program}: build its target study_report_tests`;
let browser, folder;

before(async () => {
  if (skip) return;
  folder = mkdtempSync(join(tmpdir(), 'report-'));
  execFileSync(program, ['--gtest_filter=Report.OfAWholeRun:Report.OfOneDepth'], {env: {...process.env, FJORD_REPORT: folder}});
  browser = await launch();
});

after(async () => {
  if (skip) return;
  await browser.close();
  rmSync(folder, {recursive: true});
});

/** Opens the report; what the page asks for and what its console says is collected. */
async function open(options, file = 'report.html') {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.requests = [];
  page.complaints = [];
  page.on('request', (request) => page.requests.push(request.url()));
  page.on('console', (message) => page.complaints.push(message.text()));
  page.on('pageerror', (error) => page.complaints.push(String(error)));
  await page.goto(pathToFileURL(join(folder, file)).href);
  return page;
}

const drawn = () => [...document.querySelectorAll('[data-chart]')].every((place) => place.querySelector('svg, p'));

test('all charts are drawn, and nothing is fetched', {skip}, async () => {
  const page = await open();
  await page.waitForFunction(drawn);
  assert.deepEqual(page.complaints, []);
  assert.deepEqual(page.requests, [page.url()]);
  const charts = await page.locator('[data-chart]').count();
  assert.ok(charts >= 5 * 3, `${charts} charts`); // five figures of three widths, and the gap's
  assert.equal(await page.locator('[data-chart] svg').count(), charts);
  // Each has marks inside its own area, with a colour of the page.
  const empty = await page.evaluate(() => [...document.querySelectorAll('[data-chart] svg')].filter((svg) => !svg.querySelector('.mark-symbol path')).length);
  assert.equal(empty, 0);
});

for (const file of ['report.html', 'one-depth.html']) {
  test(`every mark of ${file} has a place, in the colour and shape of its subject`, {skip}, async () => {
    const page = await open({}, file);
    await page.waitForFunction(drawn);
    assert.deepEqual(page.complaints, []);
    const marks = await page.evaluate(() =>
      [...document.querySelectorAll('[data-chart] svg .mark-symbol path, [data-chart] svg .mark-rule line')].map((mark) => mark.getAttribute('d') ?? `M${mark.getAttribute('x2')},${mark.getAttribute('transform')}`),
    );
    assert.ok(marks.length > 60, `${marks.length} marks`);
    assert.deepEqual(marks.filter((path) => /NaN|undefined|Infinity/.test(path)), []);
    // Two subjects of one colour have different shapes.
    const looks = await page.evaluate(() => {
      const rows = [...document.querySelectorAll('tbody th[scope=row]')].filter((cell) => cell.querySelector('i'));
      return rows.map((cell) => {
        const dot = cell.querySelector('i');
        const name = cell.firstElementChild.nextSibling.textContent.split('·')[0].replace(/^\u00a0/, '').trim();
        return [name, `${dot.style.color} ${dot.textContent}`];
      });
    });
    const byName = new Map(looks);
    assert.ok(byName.size > 8, `${byName.size} subjects`);
    assert.equal(new Set(byName.values()).size, byName.size, JSON.stringify([...byName]));
  });
}

for (const width of [360, 1280]) {
  test(`no sideways scrolling at ${width} pixels`, {skip}, async () => {
    const page = await open({viewport: {width, height: 800}});
    await page.waitForFunction(drawn);
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= width);
  });
}

test('without JavaScript the tables tell everything', {skip}, async () => {
  const page = await open({javaScriptEnabled: false});
  const sections = await page.locator('section').count();
  assert.equal(sections, 10);
  assert.ok(await page.locator('noscript p').isVisible());
  assert.ok((await page.locator('table').count()) >= 15);
  assert.ok(await page.getByRole('rowheader', {name: 'TensorFlow.js · WebGL'}).first().isVisible());
});

test('what is folded is printed', {skip}, async () => {
  const page = await open();
  await page.pdf({preferCSSPageSize: true});
  assert.equal(await page.locator('details:not([open])').count(), 0);
});
