// Two commits of Fjord in one run: another one is built beside this tree, both take turns, and ratios of neighbouring slices
// say whether this tree is slower. A machine that is busy disturbs both alike, so that the ratios stand where times do not.
//
//   const other = await buildBoth('HEAD~3', packageSteps);          // {hash, root, mounts}
//   const server = await serve({mounts: other.mounts});             // its build/ is /against/
//   process.exit(await judge(other, async () => new Map([['1x64', [1.01, 0.99]]])));
//
// The other commit lies in build/against/HASH, with a build of its own that is kept for the next time; the compiler cache is
// shared by all, and so is node_modules while package-lock.json is equal.
import {execFileSync} from 'node:child_process';
import {existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync} from 'node:fs';
import {Failure, jobs, must, root} from '../../tools/build.mjs';

/** What Chromium takes of the package. */
export const variant = 'relaxed-simd-threads';
const runs = 3;
// Of three, so that one run that was slower by chance is not a loss.
const runsOfALoss = 2;
const leastMean = 0.99;
const leastRow = 0.95;

export const geometricMean = (list) => Math.exp(list.reduce((sum, v) => sum + Math.log(v), 0) / list.length);

/** A preset's targets, as commands that run in the folder of a commit. */
export const ninjaSteps = (preset, targets) => [
  ['cmake', '--preset', preset],
  ['ninja', '-C', `build/${preset.replace(/^wasm-/, 'wasm/')}`, `-j${jobs}`, ...targets],
];
export const packageSteps = [
  ...ninjaSteps('native', ['describe']),
  ...ninjaSteps(`wasm-${variant}`, ['fjord_wasm']),
  ['node', 'web/build.mjs'],
];

/** Brings this tree and another commit up to date by the same steps. */
export async function buildBoth(commit, steps) {
  const other = await treeOf(commit);
  for (const [folder, title] of [[root, 'this tree'], [other.root, other.hash]]) {
    process.stdout.write(`building ${title} ... `);
    const start = performance.now();
    for (const [command, ...args] of steps) await must(command, args, {cwd: folder});
    console.log(`${((performance.now() - start) / 1000).toFixed(1)} s`);
  }
  return other;
}

/** The files of a commit in a folder of their own. */
async function treeOf(commit) {
  let hash;
  try {
    hash = execFileSync('git', ['rev-parse', '--short=10', '--verify', '--quiet', `${commit}^{commit}`], {cwd: root, encoding: 'utf8'}).trim();
  } catch {
    throw new Failure(`There is no commit "${commit}": --against takes what git rev-parse knows, such as HEAD~3 or main`);
  }
  const folder = `${root}build/against/${hash}`;
  if (!existsSync(folder)) {
    // Under its name only when it is complete.
    const partial = `${folder}.partial`;
    rmSync(partial, {recursive: true, force: true});
    mkdirSync(partial, {recursive: true});
    await must('bash', ['-c', 'set -o pipefail; git archive "$0" | tar -x -C "$1"', hash, partial]);
    renameSync(partial, folder);
  }
  await packagesOf(folder);
  return {hash, root: `${folder}/`, mounts: {'/against/': `${folder}/build`}};
}

async function packagesOf(folder) {
  if (existsSync(`${folder}/node_modules`)) return;
  const lock = (of) => readFileSync(`${of}/package-lock.json`, 'utf8');
  if (lock(folder) === lock(root)) symlinkSync(`${root}node_modules`, `${folder}/node_modules`);
  else await must('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {cwd: folder});
}

/** Slices for neighbours to be close on a busy machine; as many as fit into the time for a row. In milliseconds. */
export const slicesOf = (quick) => ({slice: 4, rounds: 400, most: quick ? 2000 : 6000});

/** Whoever is timed second in a pair had the caches of the first: the order turns in each. */
export const inTurn = (pair, index) => (index % 2 ? pair.toReversed() : pair);

/** Times of the other commit over this tree's, by pairs of slices: above 1 this tree is faster. */
export const ratiosOf = (old, now) => old.map((time, i) => time / now[i]);

/** The median of ratios, and the interval that holds the true one 19 times in 20 (by ranks: binomial, whatever the noise). */
function medianOf(ratios) {
  const sorted = ratios.toSorted((a, b) => a - b);
  const count = sorted.length;
  const below = Math.max(0, Math.floor((count - 1.96 * Math.sqrt(count)) / 2));
  return {middle: sorted[count >> 1], low: sorted[below], high: sorted[count - 1 - below]};
}

/** The geometric mean of medians, and its interval: that of each is wide by 3.92 standard errors. */
function meanOf(medians) {
  const middle = geometricMean(medians.map((m) => m.middle));
  const error = Math.hypot(...medians.map(({low, high}) => Math.log(high / low) / 3.92)) / medians.length;
  return around(middle, error);
}

/**
 * The same of runs. What lasts for a run, such as a thread that shares a core with a compiler, shows only between them: the error is at
 * least that of how they differ.
 */
function acrossRuns(each) {
  const {middle, low, high} = meanOf(each);
  const within = Math.log(high / low) / 3.92;
  const variance = each.reduce((sum, m) => sum + Math.log(m.middle / middle) ** 2, 0) / (each.length - 1);
  return around(middle, Math.max(within, Math.sqrt(variance / each.length)));
}

function around(middle, error) {
  return {middle, low: middle * Math.exp(-1.96 * error), high: middle * Math.exp(1.96 * error)};
}

/**
 * Measures three times: measure(run) gives the ratios of each row. Prints them, and what is slower; gives the exit status, 1 where
 * this tree loses: a geometric mean below 0.99 or a row below 0.95, in two of the three runs, and the interval of all below 1.
 */
export async function judge({hash}, measure) {
  const all = [];
  for (let run = 0; run < runs; ++run) all.push(await measure(run));
  const rows = [...all[0].keys()].filter((title) => all.every((run) => run.get(title)?.length));
  if (!rows.length) throw new Failure('nothing was measured by both');
  const perRun = new Map(rows.map((title) => [title, all.map((run) => medianOf(run.get(title)))]));
  const mean = 'geometric mean';
  const means = all.map((_, run) => meanOf(rows.map((title) => perRun.get(title)[run])));
  const wide = Math.max(mean.length, ...rows.map((title) => title.length)) + 2;
  const print = (title, {middle, low, high}, each) => {
    const numbers = each.map((m) => m.middle.toFixed(3)).join(' ');
    console.log(`  ${title.padEnd(wide)}${middle.toFixed(3)}   ${low.toFixed(3)} to ${high.toFixed(3)}   ${numbers}`);
  };
  console.log(`\nms of ${hash} / ms of this tree: above 1 this tree is faster. Its interval (95 %), and the median of each run\n`);
  for (const title of rows) print(title, acrossRuns(perRun.get(title)), perRun.get(title));
  const total = acrossRuns(means);
  print(mean, total, means);
  const isLoss = (each, least) => each.filter(({middle}) => middle < least).length >= runsOfALoss && acrossRuns(each).high < 1;
  const losses = rows.filter((title) => isLoss(perRun.get(title), leastRow));
  if (isLoss(means, leastMean)) losses.unshift(mean);
  const noise = (50 * (total.high - total.low)).toFixed(1);
  console.log(losses.length ? `\nLOSS against ${hash}: ${losses.join(', ')}` : `\nno loss against ${hash} that is above the noise, ${noise} % of the mean`);
  return losses.length ? 1 : 0;
}
