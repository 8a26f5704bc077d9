// What a training step holds in memory, beside the least that it could: weights, the optimizer's state, the batch, and the
// most of activations and gradients that is alive at once. Nothing is timed or run: the plan says it.
//
//   ./dev bench memory [--batch 64] [--json rows.json]
import {writeFileSync} from 'node:fs';
import * as fj from '../../build/npm/fjord.js';
import {readOptions} from '../../tools/options.mjs';

const options = readOptions({batch: {type: 'string', default: '64'}, json: {type: 'string'}});
const batchSize = Number(options.batch);
const dense = (layers, width) => () => [
  ...Array.from({length: layers}, (_, i) => fj.layers.dense({units: width, activation: 'relu', ...(i ? {} : {inputShape: [784]})})),
  fj.layers.dense({units: 10, activation: 'softmax'}),
];
const conv = (filters, inputShape) => fj.layers.conv2d({filters, kernelSize: 5, activation: 'relu', ...(inputShape ? {inputShape} : {})});
const networks = {
  ...Object.fromEntries([1, 2, 4, 8].flatMap((layers) => [64, 128, 256].map((width) => [`${layers}x${width}`, dense(layers, width)]))),
  'MNIST CNN': () => [
    conv(8, [28, 28, 1]),
    fj.layers.maxPooling2d({poolSize: 2, strides: 2}),
    conv(16),
    fj.layers.maxPooling2d({poolSize: 2, strides: 2}),
    fj.layers.flatten(),
    fj.layers.dense({units: 10, activation: 'softmax'}),
  ],
};

await fj.ready();
const rows = [];
const kb = (bytes) => Math.round(bytes / 1e3).toLocaleString('en').padStart(11);
console.log(`a training step on ${batchSize} samples, in KB`);
console.log('network    optimizer     weights      state      batch       live      arena      total   beyond the least');
for (const [name, layers] of Object.entries(networks)) {
  for (const optimizer of ['sgd', 'adam']) {
    const model = fj.sequential({layers: layers()});
    model.compile({optimizer, loss: 'categoricalCrossentropy'});
    const memory = model.stepMemory({training: true, batchSize});
    model.dispose();
    rows.push({name, optimizer, ...memory});
    const parts = [memory.weights, memory.optimizer, memory.batch, memory.live, memory.arena, memory.total];
    console.log(`${name.padEnd(10)} ${optimizer.padEnd(7)} ${parts.map(kb).join('')} ${((100 * memory.total) / memory.least - 100).toFixed(1).padStart(9)} %`);
  }
}
if (options.json) writeFileSync(options.json, `${JSON.stringify(rows, null, 1)}\n`);
