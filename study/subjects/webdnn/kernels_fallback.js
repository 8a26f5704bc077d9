// The kernels of WebDNN's fallback backend: a classic script, which the library loads from the model's folder. It calls each
// with the variables of a step, as Float32Array.
window.dnn_fallback_kernel = {
  /** y = x w + b; w has a row for each number of y. */
  dense([x, w, b], [y], {relu}) {
    for (let unit = 0; unit < y.length; ++unit) {
      let sum = b[unit];
      const row = unit * x.length;
      for (let k = 0; k < x.length; ++k) sum += w[row + k] * x[k];
      y[unit] = relu && sum < 0 ? 0 : sum;
    }
  },

  softmax([x], [y]) {
    let most = x[0];
    for (let i = 1; i < y.length; ++i) most = Math.max(most, x[i]);
    let sum = 0;
    for (let i = 0; i < y.length; ++i) sum += y[i] = Math.exp(x[i] - most);
    for (let i = 0; i < y.length; ++i) y[i] /= sum;
  },
};
