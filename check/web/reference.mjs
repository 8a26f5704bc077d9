// The training of app/train.js written out in double precision: two dense layers, mean squared error, gradient descent.
import {kProblem} from './app/train.js';

export function reference() {
  const {x, y, rate, epochs} = kProblem;
  const [w1, b1, w2, b2] = ['w1', 'b1', 'w2', 'b2'].map((name) => [...kProblem[name]]);
  const samples = y.length;
  const forward = (n) => {
    const hidden = b1.map((b, j) => Math.tanh(b + x[2 * n] * w1[j] + x[2 * n + 1] * w1[4 + j]));
    return {hidden, output: hidden.reduce((sum, h, j) => sum + h * w2[j], b2[0])};
  };
  for (let epoch = 0; epoch < epochs; ++epoch) {
    const [dw1, db1, dw2, db2] = [w1, b1, w2, b2].map((values) => values.map(() => 0));
    for (let n = 0; n < samples; ++n) {
      const {hidden, output} = forward(n);
      const slope = (2 * (output - y[n])) / samples;
      db2[0] += slope;
      for (let j = 0; j < 4; ++j) {
        dw2[j] += slope * hidden[j];
        const inner = slope * w2[j] * (1 - hidden[j] ** 2);
        db1[j] += inner;
        dw1[j] += inner * x[2 * n];
        dw1[4 + j] += inner * x[2 * n + 1];
      }
    }
    for (const [values, slopes] of [[w1, dw1], [b1, db1], [w2, dw2], [b2, db2]]) for (const i of values.keys()) values[i] -= rate * slopes[i];
  }
  return Array.from({length: samples}, (_, n) => forward(n).output);
}
