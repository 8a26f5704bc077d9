// The networks of study/workloads/, and the numbers that all frameworks start from, as the lab tells of them.
//
//   const cells = await networksOf('dense');       // [{title: '2x128', depth, width, workload, input, layers, batch, rate, ..}, ..]
//   const folder = await writeNumbers(cells[0]);   // build/network: what the lab's server has below /data/
//
// docs/study.md says what a network is. A page has them with `mounts` of serve(): /data/weights.bin and the others.
import {execFileSync} from 'node:child_process';
import {mkdirSync} from 'node:fs';
import {build, folderOf, root} from '../../tools/build.mjs';

const numbers = `${root}build/network`;
/** Where pages find the lab's modules, its subjects and their packages, and the numbers of the network that was written last. */
export const mounts = {'/harness/': 'study/harness', '/subjects/': 'study/subjects', '/packages/': 'node_modules', '/data/': numbers};

let built;
async function ask(...words) {
  await (built ??= build('native', ['study_network']));
  return execFileSync(`${folderOf('native')}/study_network`, words, {encoding: 'utf8', maxBuffer: 1 << 26});
}

/** The networks of a family's grid. */
export async function networksOf(family) {
  return JSON.parse(await ask('list', family)).map((network) => {
    const title = network.workload.split('/')[1];
    const [depth, width] = title.split('x').map(Number);
    return {title, depth, width, ...network};
  });
}

/** Writes weights, digits, and what the reference makes of them: the folder's path. */
export async function writeNumbers({workload}) {
  mkdirSync(numbers, {recursive: true});
  await ask('write', workload, numbers);
  return numbers;
}

/** Multiplications and additions of a step of dense layers: forward, the weights' gradients, and the inputs' but for the first layer's. */
export function flops({layers, batch}) {
  const products = layers.filter(({kernel}) => kernel).map(({kernel}) => 2 * batch * kernel[0] * kernel[1]);
  return 3 * products.reduce((a, b) => a + b) - products[0];
}
