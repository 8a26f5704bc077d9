// Tensors that are not this module's: of another copy of it that the page loaded, of TensorFlow.js, or disposed of.
import assert from 'node:assert/strict';
import {suite, test} from 'node:test';
import {fj, judge} from './helpers.mjs';

const other = await import('../../build/npm/fjord.js?another-copy');
await other.ready();

const kAdvice = 'make one here of its values, tf.tensor(await x.data(), x.shape, x.dtype)';
const foreign = {
  'another copy': [(values) => other.tensor(values), `this tensor belongs to another copy of Fjord that the page loaded: ${kAdvice}`],
  'TensorFlow.js': [(values) => judge.tensor(values), `this tensor belongs to TensorFlow.js: ${kAdvice}`],
};
const model = () => {
  const made = fj.sequential({layers: [fj.layers.dense({units: 1, inputShape: [1], useBias: false})]});
  made.compile({optimizer: 'sgd', loss: 'meanSquaredError'});
  return made;
};

for (const [owner, [make, words]] of Object.entries(foreign)) {
  suite(`a tensor of ${owner} is refused wherever a tensor enters`, () => {
    const given = 'What is given as a tensor';
    const calls = {
      'an op': [() => fj.abs(make([1])), "Argument 'x' passed to 'abs'"],
      'the second operand': [() => fj.tensor([1]).add(make([1])), "Argument 'b' passed to 'add'"],
      'a list': [() => fj.concat([fj.tensor([1]), make([1])]), "Argument 'tensors[1]' passed to 'concat'"],
      'a list of values': [() => fj.tensor([make([1])]), 'Element arr[0]'],
      'tf.tensor': [() => fj.tensor(make([1])), "Argument 'values' passed to 'tensor'"],
      variable: [() => fj.variable(make([1])), "Argument 'initialValue' passed to 'variable'"],
      assign: [() => fj.variable([1]).assign(make([1])), given],
      'a gradient': [() => fj.grad((x) => x.square())(make([1])), "Argument 'x' passed to 'tf.grad'"],
      predict: [() => model().predict(make([[1]])), 'predict'],
      evaluate: [() => model().evaluate(make([[1]]), fj.tensor([[1]])), 'evaluate: x'],
      setWeights: [() => model().setWeights([make([[1]])]), 'setWeights'],
      'an optimizer': [
        () => {
          const v = fj.variable([1], true, 'mine');
          try {
            fj.train.sgd(1).applyGradients({mine: make([1])});
          } finally {
            v.dispose();
          }
        }, given],
      tidy: [() => fj.tidy(() => make([1])), 'A tensor to tidy, keep or dispose of'],
      keep: [() => fj.keep(make([1])), "Argument 'result' passed to 'keep'"],
      dispose: [() => fj.dispose({a: [make([1])]}), 'A tensor to tidy, keep or dispose of'],
    };
    for (const [name, [call, where]] of Object.entries(calls)) {
      test(name, () => assert.throws(call, {message: `${where}: ${words}`}));
    }
    test('fit', () => assert.rejects(model().fit(make([[1]]), fj.tensor([[1]])), {message: `fit: x: ${words}`}));
  });
}

suite('what another copy has made is refused by its name', () => {
  const dense = (tf) => tf.layers.dense({units: 1, inputShape: [1]});
  const words = (where, kind) => ({message: `${where}: this ${kind} belongs to another copy of Fjord that the page loaded: make one here, or load Fjord once`});
  const x = other.input({shape: [1]});
  const theirs = other.sequential({layers: [dense(other)]});
  const calls = {
    'a layer': [() => fj.sequential({layers: [dense(other)]}), words('add', 'layer')],
    'a model as a layer': [() => fj.sequential().add(theirs), words('add', 'model')],
    'an optimizer': [() => model().compile({optimizer: other.train.sgd(1), loss: 'meanSquaredError'}), words('compile', 'optimizer')],
    'an input of a layer': [() => fj.layers.dense({units: 1, name: 'here'}).apply(x), words('here: apply', 'output of a layer')],
    'one of several inputs': [() => fj.layers.add({name: 'sum'}).apply([fj.input({shape: [1]}), x]), words('sum: apply', 'output of a layer')],
    'an input of a model': [() => fj.sequential({name: 'm', layers: [dense(fj)]}).apply(x), words('m: apply', 'output of a layer')],
    'what a model begins with': [() => fj.model({inputs: x, outputs: x}), words('model', 'output of a layer')],
  };
  for (const [name, [call, message]] of Object.entries(calls)) test(name, () => assert.throws(call, message));
  test('one made here is not', () => {
    const made = model();
    made.compile({optimizer: made.optimizer, loss: 'meanSquaredError'});
    assert.ok(fj.sequential({layers: [dense(fj)]}).predict(fj.ones([1, 1])));
  });
});

test('what tidy made is disposed of all the same', () => {
  const before = fj.memory().numTensors;
  const theirs = other.tensor([1]);
  assert.throws(() => fj.tidy(() => [fj.zeros([2]), theirs]), /another copy/);
  assert.equal(fj.memory().numTensors, before);
});

test('each copy goes on computing with its own', async () => {
  const [ours, theirs] = [fj.tensor([1, 2, 3]), other.tensor([100, 200, 300])];
  assert.deepEqual([...fj.mul(ours, 2).dataSync(), ...other.mul(theirs, 2).dataSync()], [2, 4, 6, 200, 400, 600]);
  assert.deepEqual([...fj.tensor(await theirs.data(), theirs.shape, theirs.dtype).dataSync()], [100, 200, 300]);
});

suite('data of what is disposed of meanwhile', () => {
  test('of a tensor', async () => {
    const t = fj.tensor([1, 2]);
    const [data, array, bytes] = [t.data(), t.array(), t.bytes()];
    t.dispose();
    assert.deepEqual([...(await data)], [1, 2]);
    assert.deepEqual(await array, [1, 2]);
    assert.equal((await bytes).length, 8);
  });
  test('of a tensor that tidy disposes of', async () => {
    const promises = [];
    fj.tidy(() => void promises.push(fj.tensor([1, 2]).add(1).data()));
    assert.deepEqual([...(await promises[0])], [2, 3]);
  });
  test('nothing is left behind', async () => {
    const before = fj.memory().numTensors;
    const t = fj.tensor([1, 2]);
    const data = t.data();
    t.dispose();
    await data;
    assert.equal(fj.memory().numTensors, before);
  });
  test('asked for afterwards', () => {
    const t = fj.tensor([1, 2]);
    t.dispose();
    return assert.rejects(t.data(), {message: /^Tensor is disposed\. It was tensor \d+, float32 of shape \[2\]$/});
  });
});
