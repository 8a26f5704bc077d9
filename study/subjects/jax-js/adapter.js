// jax-js: one compiled function from weights to weights, one from an image to probabilities. Arguments are consumed: `.ref`
// keeps one for later. Its parameters are arrays, and it has no file format for them: parameters.json says which arrays lie
// in parameters.bin, one after the other.
import {get, request} from '/harness/api.js';
import {Unsupported} from '/harness/unsupported.js';
import {counted} from '/harness/words.js';

export const adapter = ({backend, packages, library}) => {
  const {jit, lax, nn, numpy: np, tree, valueAndGrad} = library;

  const named = (name) => nn[name] ?? np[name];
  /** `order`: how axes are then arranged. Its images are [N,C,H,W], its filters [out,in,H,W]. */
  const array = (values, shape, order) => (order ? np.transpose(np.array(values).reshape(shape), order) : np.array(values).reshape(shape));
  const images = (values, count, input) => array(values, [count, ...input], input.length === 3 && [0, 3, 1, 2]);

  const apply = {
    dense: (h, _, {w, b}) => np.dot(h, w).add(b),
    conv2d: (h, {kernel, padding}, {w, b}) => lax.conv(h, w, [1, 1], padding.toUpperCase()).add(b.reshape([kernel[3], 1, 1])),
    maxPool(h, {size, padding}) {
      if (size === 1) return h;
      const rounded = padding === 'same' ? Math.ceil : Math.floor;
      const [n, c, ...sides] = h.shape;
      const [rows, columns] = sides.map((side) => rounded(side / size));
      const [below, beside] = [rows * size - sides[0], columns * size - sides[1]];
      // What comes before is after a ReLU: zeros around it change no largest value.
      const whole =
        padding === 'same' && (below || beside) ? np.pad(h, [[0, 0], [0, 0], [0, below], [0, beside]]) : h.slice([], [], [0, rows * size], [0, columns * size]);
      return np.max(whole.reshape([n, c, rows, size, columns, size]), [3, 5]);
    },
    flatten: (h) => np.transpose(h, [0, 2, 3, 1]).reshape([h.shape[0], -1]),
  };
  /** From a batch to the last layer's sums [N,out]. */
  function forward(params, x, layers) {
    let h = x;
    let next = 0;
    layers.forEach((layer, i) => {
      h = apply[layer.type](h, layer, layer.kernel && params[next++]);
      if (layer.activation && i + 1 < layers.length) h = named(layer.activation)(h);
    });
    return h;
  }

  const predictor = (params, {input, layers, output}) => ({params, input, forward: jit((params, x) => named(output)(forward(params, x, layers)))});

  return {
    async info() {
      if (!(await library.init(backend)).includes(backend)) throw new Unsupported(`jax-js cannot start its backend ${backend} in this browser`);
      library.defaultDevice(backend);
      const {version} = await get(`${packages}/@jax-js/jax/package.json`);
      return {version, engine: backend === 'wasm' ? `wasm, up to ${counted(navigator.hardwareConcurrency, 'thread')}` : backend, facts: () => facts(library)};
    },

    async build(network) {
      const {layers, rate} = network;
      const loss = (params, x, y) => {
        const share = -1 / y.shape[0];
        return nn.logSoftmax(forward(params, x, layers)).mul(y).sum().mul(share);
      };
      const update = jit((params, x, y) => {
        const [value, gradients] = valueAndGrad(loss)(tree.ref(params), x, y);
        return [value, tree.map((p, g) => p.sub(g.mul(rate)), params, gradients)];
      });
      const params = layers
        .filter(({weights}) => weights)
        .map(({kernel, weights}) => ({w: array(weights.kernel, kernel, kernel.length === 4 && [3, 2, 0, 1]), b: np.array(weights.bias)}));
      return {...predictor(params, network), update};
    },

    batch: ({input}, {x, labels, oneHot}) => [images(x, labels.length, input), array(oneHot, [labels.length, oneHot.length / labels.length])],

    async train(model, [x, y]) {
      const [loss, params] = model.update(model.params, x.ref, y.ref);
      model.params = params;
      return loss.jsAsync();
    },

    async load(url, network) {
      const {shapes} = await get(`${url}parameters.json`);
      const bytes = await (await request(`${url}parameters.bin`)).arrayBuffer();
      let at = 0;
      const take = (shape) => {
        const values = new Float32Array(bytes, at, shape.reduce((a, b) => a * b));
        at += values.byteLength;
        return array(values, shape);
      };
      return predictor(shapes.map(({w, b}) => ({w: take(w), b: take(b)})), network);
    },

    async infer(model, x) {
      return model.forward(tree.ref(model.params), images(x, 1, model.input)).data();
    },

    async read(network) {
      const {params} = await this.build(network);
      const shapes = params.map(({w, b}) => ({w: w.shape, b: b.shape}));
      const parts = await Promise.all(params.flatMap(({w, b}) => [w.data(), b.data()]));
      return {'parameters.json': JSON.stringify({shapes}), 'parameters.bin': new Uint8Array(await new Blob(parts).arrayBuffer())};
    },

    async dispose(model) {
      tree.dispose(model.params);
      model.update?.dispose();
      model.forward?.dispose();
    },
  };
};

// In jax.nn beside the activations.
const kNoActivations = ['standardize', 'log1mexp'];

/** Activations: functions of jax.nn that take an array to one of its shape. It has no layers and no optimizers. */
function facts({nn, numpy: np, lax, valueAndGrad}) {
  const isActivation = (name) => {
    try {
      const y = nn[name](np.array([0.25, 0.5]));
      const {shape} = y;
      y.dispose();
      return shape.length === 1 && shape[0] === 2;
    } catch {
      return false;
    }
  };
  return {
    training: typeof valueAndGrad === 'function',
    cnn: typeof lax.conv === 'function',
    rnn: false,
    layers: [],
    activations: Object.keys(nn).filter((name) => !kNoActivations.includes(name) && isActivation(name)),
    optimizers: [],
    save: false,
    load: false,
  };
}
