// Our Mind, against slopes measured by moving each weight a little.
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {suite, test} from 'node:test';

// A page's module: Node takes it for one from an address that says so.
const source = readFileSync(new URL('mind.js', import.meta.url), 'utf8');
const {Mind} = await import(`data:text/javascript,${encodeURIComponent(source)}`);

const examples = Array.from({length: 5}, (_, i) => ({input: [Math.sin(i), Math.cos(2 * i), 0.3 * i], output: [0.8 * (i % 2), 0.1 * i]}));

suite('Mind', () => {
  for (const activator of ['sigmoid', 'htan']) {
    test(`learns along the gradient of half the squared error, ${activator}`, () => {
      const options = {activator, hiddenLayers: 2, hiddenUnits: 4, learningRate: 1, iterations: 1};
      const begin = new Mind(options).begin(3, 2);
      const error = (weights) => {
        const mind = new Mind(options).upload({weights});
        const errors = examples.flatMap(({input, output}) => mind.predict(input).map((y, i) => output[i] - y));
        return errors.reduce((sum, e) => sum + 0.5 * e * e, 0);
      };
      const moved = (layer, row, column, by) => {
        const weights = structuredClone(begin);
        weights[layer][row][column] += by;
        return error(weights);
      };
      const {weights} = new Mind(options).upload({weights: begin}).learn(examples).download();
      assert.deepEqual(weights.map((matrix) => [matrix.length, matrix[0].length]), [[3, 4], [4, 4], [4, 2]]);
      begin.forEach((matrix, l) =>
        matrix.forEach((row, i) =>
          row.forEach((weight, j) => {
            const slope = (moved(l, i, j, 1e-5) - moved(l, i, j, -1e-5)) / 2e-5;
            assert.ok(Math.abs(weight - weights[l][i][j] - slope) < 1e-8, `${l} ${i} ${j}: ${weight - weights[l][i][j]}, ${slope}`);
          }),
        ),
      );
    });
  }

  test('predicts what the numbers say', () => {
    // One unit: sigmoid(1 * 0.5 + 2 * -0.25) = sigmoid(0) = 1/2; then sigmoid(2 * 1/2) = 1 / (1 + 1/e).
    const mind = new Mind().upload({weights: [[[0.5], [-0.25]], [[2]]]});
    assert.ok(Math.abs(mind.predict([1, 2])[0] - 0.7310585786) < 1e-9);
  });

  test('tells the mean squared error before each update', () => {
    const heard = [];
    const mind = new Mind({iterations: 2, learningRate: 0.5}).upload({weights: [[[0.5], [-0.25]], [[2]]]});
    mind.on('data', (i, error) => heard.push([i, error])).learn([{input: [1, 2], output: [1]}]);
    assert.deepEqual(heard.map(([i]) => i), [0, 1]);
    assert.ok(Math.abs(heard[0][1] - (1 - 0.7310585786) ** 2) < 1e-9 && heard[1][1] < heard[0][1], JSON.stringify(heard));
  });

  test('an activator or an event that it does not have', () => {
    assert.throws(() => new Mind({activator: 'relu'}), /no activator relu: there are sigmoid, htan/);
    assert.throws(() => new Mind().on('end', () => {}), /no event end/);
  });
});
