// What goes wrong is an error that names the op or the layer, and both shapes; afterwards everything works as before.
import assert from 'node:assert/strict';
import {afterEach, suite, test} from 'node:test';
import {fj, random} from './helpers.mjs';

afterEach(() => assert.equal(fj.add(1, 2).dataSync()[0], 3, 'the engine is usable'));

const zeros = (...shape) => fj.zeros(shape);

suite('shapes that do not fit: the op and both shapes', () => {
  const cases = {
    add: [() => fj.add(zeros(2, 3), zeros(4, 5)), ['add', '[2,3]', '[4,5]']],
    'a method': [() => zeros(2, 3).mul(zeros(4)), ['mul', '[2,3]', '[4]']],
    matMul: [() => fj.matMul(zeros(2, 3), zeros(4, 5)), ['matMul', '[2,3]', '[4,5]']],
    'matMul in batches': [() => fj.matMul(zeros(2, 3, 4), zeros(3, 4, 5)), ['matMul', '[2,3,4]', '[3,4,5]']],
    conv2d: [() => fj.conv2d(zeros(1, 8, 8, 3), zeros(3, 3, 4, 2), 1, 'same'), ['conv2d', '[1,8,8,3]', '[3,3,4,2]']],
    'conv2d with a filter that is too large': [() => fj.conv2d(zeros(1, 2, 2, 3), zeros(3, 3, 3, 2), 1, 'valid'), ['conv2d']],
    depthwiseConv2d: [() => fj.depthwiseConv2d(zeros(1, 8, 8, 3), zeros(3, 3, 4, 2), 1, 'same'), ['depthwiseConv2d', '[1,8,8,3]', '[3,3,4,2]']],
    maxPool: [() => fj.maxPool(zeros(8, 8), 2, 2, 'valid'), ['maxPool', '[8,8]']],
    concat: [() => fj.concat([zeros(2, 3), zeros(2, 4)]), ['concat', '[2,3]', '[2,4]']],
    stack: [() => fj.stack([zeros(2, 3), zeros(2, 4)]), ['stack', 'Shapes 2,3 and 2,4 must match']],
    reshape: [() => fj.reshape(zeros(2, 3), [4, 2]), ['reshape', '[2,3]', '[4,2]']],
    'reshape with two unknowns': [() => fj.reshape(zeros(2, 3), [-1, -1]), ['reshape', '[2,3]', '[-1,-1]']],
    transpose: [() => fj.transpose(zeros(2, 3), [0, 2]), ['transpose', '[2,3]']],
    broadcastTo: [() => fj.broadcastTo(zeros(2, 3), [4, 3]), ['broadcastTo', '[2,3]', '[4,3]']],
    slice: [() => fj.slice(zeros(4), [2], [3]), ['slice', '[4]']],
    pad: [() => fj.pad(zeros(4), [[1, 1], [1, 1]]), ['pad', '[4]']],
    gather: [() => fj.gather(zeros(4, 2), [0], 5), ['gather', '[4,2]']],
    sum: [() => fj.sum(zeros(2, 3), 7), ['sum', '7', '[2,3]']],
    argMax: [() => fj.argMax(zeros(2, 3), -3), ['argMax', '-3', '[2,3]']],
    softmax: [() => fj.softmax(zeros(2, 3), 4), ['softmax', '4', '[2,3]']],
    where: [() => fj.where([true, false], zeros(3), zeros(3)), ['where', '[2]', '[3]']],
    squeeze: [() => fj.squeeze(zeros(2, 3), [0]), ['squeeze', '[2,3]']],
    split: [() => fj.split(zeros(7), 2), ['split', '7', '2']],
    batchNorm: [() => fj.batchNorm(zeros(2, 3), zeros(4), zeros(4)), ['[2,3]', '[4]']],
  };
  for (const [name, [call, words]] of Object.entries(cases)) {
    test(name, () => {
      assert.throws(call, (error) => {
        // Spaces after commas are a matter of taste.
        const message = error.message.replaceAll(', ', ',');
        for (const word of words) assert.ok(message.includes(word), `"${error.message}" does not say ${word}`);
        return true;
      });
    });
  }
});

suite('types and choices', () => {
  const cases = {
    'a type there is not': [() => fj.zeros([1], 'complex64'), /complex64/],
    'a cast to a type there is not': [() => fj.cast([1], 'string'), "The dtype 'string' is not supported: use 'float32', 'int32' or 'bool'"],
    'indices beyond the end read nothing': [() => fj.gather([1, 2, 3], fj.tensor([7], [1], 'int32'))],
    'a data format there is not': [() => fj.conv2d(zeros(1, 3, 8, 8), zeros(3, 3, 3, 2), 1, 'same', 'CHWN'), /^Unknown dataFormat CHWN$/],
    'a backend there is not': [null, /There is no backend 'webgl'/],
  };
  for (const [name, [call, message]] of Object.entries(cases)) {
    if (!call) test(name, () => assert.rejects(fj.setBackend('webgl'), message));
    else if (name.startsWith('indices')) {
      test(name, () => {
        // TensorFlow gives zeros on some machines and an error on others: never what lies beside the data.
        try {
          assert.deepEqual([...call().dataSync()], [0]);
        } catch (error) {
          if (error.code === 'ERR_ASSERTION') throw error;
        }
      });
    } else test(name, () => assert.throws(call, {message}));
  }
  test('the backend there is', async () => {
    assert.equal(await fj.setBackend('wasm'), true);
    assert.equal(fj.getBackend(), 'wasm');
    assert.match(fj.version.fjord, /^\d+\.\d+\.\d+$/);
    const {simd, threads, cores} = fj.features();
    assert.ok(simd && threads && cores >= 1);
  });
});

suite('models', () => {
  const dense = (args) => fj.layers.dense({units: 2, inputShape: [3], ...args});
  const network = () => {
    const model = fj.sequential({layers: [dense({name: 'first'})]});
    model.compile({optimizer: 'sgd', loss: 'meanSquaredError'});
    return model;
  };
  test('an activation there is not: named with its layer', () =>
    assert.throws(() => fj.sequential({layers: [dense({name: 'mine', activation: 'relux'})]}).info(), {message: /^mine: activation: unknown activation "relux"; did you mean relu\? There are linear, relu, /}));
  test('a class of layer there is not', () =>
    assert.throws(() => fj.sequential({layers: [new fj.Layer('Hologram', {name: 'mine', inputShape: [3]})]}).info(), {message: /^unknown layer class "Hologram"; there are Dense, /}));
  test('layers that do not fit: named, with the shape', () =>
    assert.throws(() => fj.sequential({layers: [dense(), fj.layers.conv2d({name: 'mine', filters: 2, kernelSize: 3})]}), {message: 'mine: needs an image batch [N,H,W,C], got float32[1,2]'}));
  test('layers that do not fit, when applied', () => {
    const [a, b] = [fj.input({shape: [3]}), fj.input({shape: [4]})];
    assert.throws(() => fj.layers.add({name: 'mine'}).apply([a, b]), {message: 'mine: add: the shapes do not broadcast (inputs: float32[1,3], float32[1,4])'});
  });
  test('apply of what is no tensor', () => assert.throws(() => dense().apply(3), /tf\.input/));
  test('an input without a shape', () => assert.throws(() => fj.input({}), /shape/));
  test('a model without an input shape', () => assert.throws(() => fj.sequential({layers: [fj.layers.dense({name: 'mine', units: 2})]}).info(), {message: 'The first layer in a Sequential model must get an `inputShape` or `batchInputShape` argument: mine has none, such as [28, 28, 1]'}));
  test('a model without layers', () => assert.throws(() => fj.sequential().info(), {message: 'a Sequential model needs a list of layers'}));
  test('something that is no layer', () => assert.throws(() => fj.sequential({layers: [{units: 3}]}), /add takes a layer/));
  test('a layer added too late', () => {
    const model = network();
    fj.sequential({layers: [model]}).info();
    assert.throws(() => model.add(fj.layers.dense({units: 2})), /before the model .* is a layer of another/);
  });
  test('an optimizer, a loss, a metric there is not: named', () => {
    assert.throws(() => network().compile({optimizer: 'newton', loss: 'meanSquaredError'}), {message: /^compile: optimizer: unknown optimizer "newton"; there are sgd, /});
    assert.throws(() => network().compile({optimizer: 'sgd', loss: 'regret'}), {message: /^loss: unknown loss "regret"; there are mean_squared_error, /});
    assert.throws(() => network().compile({optimizer: 'sgd', loss: 'meanSquaredError', metrics: ['charm']}), {message: /^metric charm: unknown metric "charm"/});
  });
  test('training without compile', () => assert.rejects(fj.sequential({layers: [dense()]}).fit(zeros(1, 3), zeros(1, 2)), /compile/));
  test('inputs of another shape: both shapes', async () => {
    const message = 'the input first_input takes [samples,3], got an array [4,5]';
    assert.throws(() => network().predict(zeros(4, 5)), {message});
    await assert.rejects(network().fit(zeros(4, 5), zeros(4, 2)), {message: `fit: ${message}`});
  });
  test('targets of another shape', () => assert.rejects(network().fit(zeros(4, 3), zeros(4, 5)), {message: 'fit: the labels of first are to be [samples,2], as its output is, got an array [4,5]'}));
  test('fewer targets than inputs: both numbers', () => assert.rejects(network().fit(zeros(4, 3), zeros(5, 2)), {message: 'fit: arrays of 4 samples and of 5 labels of first'}));
  test('too many inputs', () => assert.throws(() => network().predict([zeros(4, 3), zeros(4, 3)]), {message: 'the model has 1 inputs, got 2'}));
  test('no examples at all', () => assert.rejects(network().fit(zeros(0, 3), zeros(0, 2)), {message: 'fit: there are no samples'}));
  test('batches of nothing', () => assert.rejects(network().fit(zeros(4, 3), zeros(4, 2), {batchSize: 0}), {message: 'batchSize is required to be a positive integer, but got 0'}));
  test('a disposed input', () => {
    const x = zeros(4, 3);
    x.dispose();
    return assert.rejects(network().fit(x, zeros(4, 2)), /disposed/);
  });
  test('weights of another number or shape', () => {
    assert.throws(() => network().setWeights([zeros(3, 2)]), {message: 'The model has 2 weights, got 1'});
    assert.throws(() => network().setWeights([zeros(2, 3), zeros(2)]), {message: 'the weight first/kernel is float32[3,2], got float32[2,3]: no weight was set'});
  });
  test('a disposed model says so', async () => {
    const model = network();
    model.dispose();
    model.dispose();
    assert.throws(() => model.predict(zeros(1, 3)), /model is disposed/);
    await assert.rejects(model.fit(zeros(1, 3), zeros(1, 2)), /model is disposed/);
    await assert.rejects(model.save(fj.io.withSaveHandler(async () => {})), /model is disposed/);
  });
  test('two names that are the same', () => {
    const layers = [dense({name: 'one'}), fj.layers.dense({name: 'one', units: 2})];
    assert.throws(() => fj.sequential({layers}).info(), /one/);
  });
});

suite('out of memory is an error', () => {
  const kOutOfMemory = /out of memory|is too large|has more than the 536870911 elements/;
  test('a tensor larger than the address space', () => {
    const before = fj.memory();
    for (const shape of [[40000, 40000, 4], [100000, 100000], [2 ** 31 - 1, 2 ** 31 - 1, 2 ** 31 - 1]]) assert.throws(() => fj.zeros(shape), {message: `The shape [${shape}] is too large: a tensor has at most 536870911 elements`});
    assert.deepEqual(fj.memory(), before);
  });
  test('a result larger than the memory', () => {
    const column = zeros(60000, 1);
    assert.throws(() => fj.matMul(column, column, false, true), kOutOfMemory);
    assert.throws(() => fj.add(column, column.transpose()), kOutOfMemory);
    column.dispose();
  });
  test('a model larger than the memory, and then one that fits', async () => {
    const sized = (units) => fj.sequential({layers: [fj.layers.dense({units, inputShape: [50000]})]});
    assert.throws(() => sized(50000).info(), kOutOfMemory);
    await train();
  });
  // WebAssembly's memory ends at 4 GB; above 2 GB its pointers are negative numbers for JavaScript.
  test('tensors until no more fit: the last are used as well, and when they are freed there is room again', async () => {
    const held = [];
    assert.throws(() => {
      for (;;) held.push(fj.zeros([1 << 27]));
    }, kOutOfMemory);
    assert.ok(held.length >= 6, `${held.length} tensors of 512 MB`);
    await train();
    fj.dispose(held);
    fj.zeros([1 << 27]).dispose();
    await train();
  });

  async function train() {
    const model = fj.sequential({layers: [fj.layers.dense({units: 2, inputShape: [3]})]});
    model.compile({optimizer: 'adam', loss: 'meanSquaredError'});
    const {history} = await model.fit(fj.tensor(random([8, 3]), [8, 3]), zeros(8, 2), {epochs: 3});
    assert.ok(history.loss[2] < history.loss[0]);
    model.dispose();
  }
});
