// Trains a small network with the variant that is named, and prints its weights as JSON: a module is loaded once, so a process each.
//
//   node web/test/variant.mjs simd-threads
import * as fj from '../../build/npm/fjord.js';

fj.wasm.setVariant(process.argv[2]);
await fj.ready();
const model = fj.sequential({seed: 2, layers: [fj.layers.dense({units: 40, activation: 'tanh', inputShape: [30]}), fj.layers.dense({units: 5})]});
model.compile({optimizer: 'adam', loss: 'meanSquaredError'});
const x = fj.tensor(Float32Array.from({length: 64 * 30}, (_, i) => Math.sin(i)), [64, 30]);
await model.fit(x, x.slice([0, 0], [64, 5]), {epochs: 5});
console.log(JSON.stringify({variant: fj.wasm.getVariant(), weights: model.getWeights().flatMap((t) => [...t.dataSync()])}));
process.exit();
