// How deep the calls of a step are in the package's WebAssembly, from the function that JavaScript calls to the kernel: what Node's
// profiler sees. engine/abi/depth_test.cc counts them in the native build, where every kernel is stopped.
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {Session} from 'node:inspector/promises';
import {suite, test} from 'node:test';

const fj = await import('../../build/npm/fjord.js');
await fj.ready();

// The border is the first call, and the fifth is that of a kernel.
const kMostToKernel = 5;
// What works on numbers is at most five calls further: threads are handed the kernel's work (6), a part of it (7) runs the chain that
// finishes its output (8), tile by tile (9), op by op (10).
const kMostToNumbers = 10;
// Samples within kernels that are enough to have seen each kind of call. As many rounds are more than any machine takes.
const kEnough = 400, kMostRounds = 100;

/** The names of WebAssembly's functions, by number, as web/build.mjs has written them: "12:fjord::Executor::run()". */
const symbols = readFileSync(new URL(`../../build/wasm/${fj.wasm.getVariant()}/packed.symbols`, import.meta.url), 'utf8');
const names = new Map(symbols.trim().split('\n').map((line) => [`wasm-function[${line.split(':', 1)}]`, line.slice(line.indexOf(':') + 1)]));
const kExecutor = [...names].find(([, name]) => name.startsWith('fjord::Executor::run('))?.[0];

/** The WebAssembly functions from the border to each place where a sample was taken, by number. */
function stacks({nodes}) {
  const parents = new Map(nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node])));
  return nodes
    .filter((node) => node.hitCount)
    .map((node) => {
      const path = [];
      // Between JavaScript and the border is a function of the browser's own, js-to-wasm.
      for (let at = node; at; at = parents.get(at.id)) {
        if (names.has(at.callFrame.functionName)) path.unshift(at.callFrame.functionName);
      }
      return {path, hits: node.hitCount};
    });
}

/** Runs steps until enough was seen of those that begin at this border, and looks how deep its kernels were. */
async function expectShallow(border, step) {
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', {interval: 100});
  for (let i = 0; i < 20; ++i) await step();
  let seen = 0, deepest = [];
  for (let round = 0; seen < kEnough; ++round) {
    assert.ok(round < kMostRounds, `only ${seen} samples of kernels under ${border}`);
    await session.post('Profiler.start');
    for (let i = 0; i < 50; ++i) await step();
    const {profile} = await session.post('Profiler.stop');
    for (const {path, hits} of stacks(profile)) {
      const executor = path.indexOf(kExecutor);
      if (names.get(path[0]) !== border || executor < 0 || executor === path.length - 1) continue;
      seen += hits;
      const words = path.map((name) => names.get(name)).join(' > ');
      assert.ok(executor + 2 <= kMostToKernel, `a kernel is call ${executor + 2}: ${words}`);
      if (path.length > deepest.length) deepest = path;
    }
  }
  session.disconnect();
  assert.ok(deepest.length <= kMostToNumbers, `${deepest.length} calls: ${deepest.map((name) => names.get(name)).join(' > ')}`);
}

suite('calls from JavaScript to a kernel', () => {
  const {layers} = fj;
  const networks = {
    dense: [layers.dense({units: 128, activation: 'relu', inputShape: [256]}), layers.dense({units: 10, activation: 'softmax'})],
    convolutional: [
      layers.conv2d({filters: 16, kernelSize: 3, activation: 'relu', inputShape: [16, 16, 8]}),
      layers.maxPooling2d({}),
      layers.batchNormalization(),
      layers.depthwiseConv2d({kernelSize: 3}),
      layers.flatten(),
      layers.dense({units: 10, activation: 'softmax'}),
    ],
  };
  for (const [name, list] of Object.entries(networks)) {
    const model = fj.sequential({layers: list});
    model.compile({optimizer: 'adam', loss: 'categoricalCrossentropy', metrics: ['accuracy']});
    const [x, y] = [fj.ones([64, ...model.inputs[0].shape.slice(1)]), fj.ones([64, 10])];
    test(`a training step, ${name}`, () => expectShallow('fj_modelBatch', () => model.trainOnBatch(x, y)));
    test(`a batch of fit, ${name}`, () => expectShallow('fj_fitAdvance', () => model.fit(x, y, {batchSize: 8, epochs: 1})));
    test(`a prediction, ${name}`, () => expectShallow('fj_modelPredict', () => model.predict(x).dispose()));
  }
  const a = fj.ones([128, 128]);
  test('an op', () => expectShallow('fj_op', () => fj.matMul(a, a).dispose()));
});
