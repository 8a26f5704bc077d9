// How often a step goes from JavaScript to WebAssembly: calls of all that the engine exports are counted.
import assert from 'node:assert/strict';
import {test} from 'node:test';

const calls = new Map();
const counted = (exports) =>
  Object.fromEntries(
    Object.entries(exports).map(([name, value]) => {
      if (typeof value !== 'function') return [name, value];
      return [name, (...args) => (calls.set(name, (calls.get(name) ?? 0) + 1), value(...args))];
    }),
  );
const {instantiate} = WebAssembly;
WebAssembly.instantiate = async (...given) => {
  const made = await instantiate(...given);
  return made instanceof WebAssembly.Instance ? {exports: counted(made.exports)} : {module: made.module, instance: {exports: counted(made.instance.exports)}};
};

const fj = await import('../../build/npm/fjord.js');
await fj.ready();

const kBatch = 4;
/** How many calls each of n more runs brings. */
async function crossings(run) {
  await run(2);
  const during = async (count) => {
    calls.clear();
    await run(count);
    return [...calls.values()].reduce((sum, n) => sum + n, 0);
  };
  const few = await during(10);
  return ((await during(30)) - few) / 20;
}
const repeated = (call) => async (count) => {
  for (let i = 0; i < count; ++i) await call();
};
const model = fj.sequential({
  layers: [fj.layers.dense({units: 8, activation: 'relu', inputShape: [6]}), fj.layers.dense({units: 3, activation: 'softmax'})],
});
model.compile({optimizer: 'adam', loss: 'categoricalCrossentropy', metrics: ['accuracy']});
const [x, y] = [fj.ones([kBatch, 6]), fj.ones([kBatch, 3])];

test('a step of fit is one', async () => {
  const run = async (batches) => {
    const [x, y] = [fj.ones([kBatch * batches, 6]), fj.ones([kBatch * batches, 3])];
    await model.fit(x, y, {batchSize: kBatch, epochs: 1});
    fj.dispose([x, y]);
  };
  assert.equal(await crossings(run), 1);
});
test('trainOnBatch is one', async () => assert.equal(await crossings(repeated(() => model.trainOnBatch(x, y))), 1));
// The step or the op; the type and the shape of what it gives; its end.
test('predict is four', async () => assert.equal(await crossings(repeated(() => model.predict(x).dispose())), 4));
test('an op is four', async () => assert.equal(await crossings(repeated(() => fj.relu(x).dispose())), 4));
test('the weights of a layer are read and written by themselves', async () => {
  const counts = [3, 30].map((layers) => {
    const row = fj.sequential({layers: Array.from({length: layers}, (_, i) => fj.layers.dense({units: 6, ...(i ? {} : {inputShape: [6]})}))});
    const values = row.layers[1].getWeights();
    calls.clear();
    row.layers[1].setWeights(values);
    fj.dispose(row.layers[1].getWeights());
    return [...calls.values()].reduce((sum, n) => sum + n, 0);
  });
  assert.equal(counts[0], counts[1]);
});
