// Our own implementation of what the documentation of Mind 1.0.1 describes, for that library is not on npm: dense layers
// without biases, one activation for all of them, gradient descent on all examples at once, matrices as arrays of rows.
//
//   const mind = new Mind({activator: 'sigmoid', hiddenLayers: 2, hiddenUnits: 64, learningRate: 0.7, iterations: 100});
//   mind.on('data', (iteration, error) => {});
//   mind.learn([{input: [0, 1], output: [1]}, {input: [1, 1], output: [0]}]);
//   mind.predict([0, 1]);                       // [0.93]
//   mind.upload(mind.download());               // the weights: of each layer a matrix [in][out]
//
// Differences: weights that were learned or uploaded are where the next learn() begins; there are no plugins.

/** The activations: of a sum, and their slopes there. */
export const activators = {
  sigmoid: {
    of: (z) => 1 / (1 + Math.exp(-z)),
    slope(z) {
      const y = 1 / (1 + Math.exp(-z));
      return y * (1 - y);
    },
  },
  htan: {
    of: (z) => Math.tanh(z),
    slope: (z) => 1 - Math.tanh(z) ** 2,
  },
};

// ---- matrices

/** a [n][k], b [k][m] -> [n][m] */
function multiply(a, b) {
  return a.map((row) =>
    b[0].map((_, j) => {
      let sum = 0;
      for (let k = 0; k < row.length; ++k) sum += row[k] * b[k][j];
      return sum;
    }),
  );
}

const transpose = (a) => a[0].map((_, j) => a.map((row) => row[j]));
const map = (a, f) => a.map((row) => row.map(f));
/** f of the elements that stand at the same place. */
const zip = (a, b, f) => a.map((row, i) => row.map((v, j) => f(v, b[i][j])));

/** Normal, by Box and Muller's transformation. */
const random = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
const randomMatrix = (rows, columns) => Array.from({length: rows}, () => Array.from({length: columns}, random));

// ---- the network

export class Mind {
  constructor({activator = 'sigmoid', learningRate = 0.7, hiddenLayers = 1, hiddenUnits = 3, iterations = 10000} = {}) {
    const known = Object.keys(activators);
    if (!known.includes(activator)) throw new Error(`Mind has no activator ${activator}: there are ${known.join(', ')}`);
    Object.assign(this, {activator: activators[activator], learningRate, hiddenLayers, hiddenUnits, iterations});
    this.weights = [];
    this.listeners = [];
  }

  /** `listener` hears of each iteration: its number, the mean squared error before its update, the outputs. */
  on(event, listener) {
    if (event !== 'data') throw new Error(`Mind has no event ${event}: there is data`);
    this.listeners.push(listener);
    return this;
  }

  learn(examples) {
    const inputs = examples.map(({input}) => input);
    const targets = examples.map(({output}) => output);
    if (!this.weights.length) this.weights = this.begin(inputs[0].length, targets[0].length);
    for (let i = 0; i < this.iterations; ++i) {
      const layers = this.forward(inputs);
      const {outputs} = layers.at(-1);
      const errors = zip(targets, outputs, (target, output) => target - output);
      this.back(inputs, layers, errors);
      const mean = errors.flat().reduce((sum, e) => sum + e * e, 0) / (errors.length * errors[0].length);
      for (const listener of this.listeners) listener(i, mean, outputs);
    }
    return this;
  }

  predict(input) {
    return this.forward([input]).at(-1).outputs[0];
  }

  download() {
    return {weights: [...this.weights]};
  }

  upload({weights}) {
    // A list of its own; the matrices in it are replaced and never written to.
    this.weights = [...weights];
    return this;
  }

  begin(inputs, outputs) {
    const sizes = [inputs, ...Array(this.hiddenLayers).fill(this.hiddenUnits), outputs];
    return sizes.slice(1).map((size, i) => randomMatrix(sizes[i], size));
  }

  /** Of each layer {sums, outputs}, both [examples][units]. */
  forward(inputs) {
    let x = inputs;
    return this.weights.map((weights) => {
      const sums = multiply(x, weights);
      x = map(sums, this.activator.of);
      return {sums, outputs: x};
    });
  }

  /** Moves all weights by the gradient of half the squared error, summed over the examples. */
  back(inputs, layers, errors) {
    const through = (error, z) => error * this.activator.slope(z);
    let delta = zip(errors, layers.at(-1).sums, through);
    for (let i = layers.length - 1; i >= 0; --i) {
      const gradient = multiply(transpose(i ? layers[i - 1].outputs : inputs), delta);
      if (i) delta = zip(multiply(delta, transpose(this.weights[i])), layers[i - 1].sums, through);
      this.weights[i] = zip(this.weights[i], gradient, (w, g) => w + this.learningRate * g);
    }
  }
}
