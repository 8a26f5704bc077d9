// jax-js: one compiled function from weights to weights, one from an image to probabilities. Arguments are consumed: `.ref`
// keeps one for later. Its parameters are arrays, and it has no file format for them: parameters.json says which arrays lie
// in parameters.bin, one after the other.
import {get, request} from '/harness/api.js';
import {Unsupported} from '/harness/unsupported.js';
import {counted} from '/harness/words.js';

export const adapter = ({backend, packages, library}) => {
  const {jit, lax, nn, numpy: np, tree, valueAndGrad} = library;

  const named = (name) => nn[name] ?? np[name];
  /** [N,in] -> the last layer's sums [N,out] */
  const forward = (params, x, hidden) => params.reduce((h, {w, b}, i) => (i ? np.dot(named(hidden)(h), w) : np.dot(h, w)).add(b), x);
  const array = (values, shape) => np.array(values).reshape(shape);

  function predictor(params, {hidden, output}) {
    return {params, forward: jit((params, x) => named(output)(forward(params, x, hidden)))};
  }

  return {
    async info() {
      if (!(await library.init(backend)).includes(backend)) throw new Unsupported(`jax-js cannot start its backend ${backend} in this browser`);
      library.defaultDevice(backend);
      const {version} = await get(`${packages}/@jax-js/jax/package.json`);
      return {version, engine: backend === 'wasm' ? `wasm, up to ${counted(navigator.hardwareConcurrency, 'thread')}` : backend, facts: () => facts(library)};
    },

    async build({sizes, hidden, rate, batch, weights}) {
      const loss = (params, x, y) => nn.logSoftmax(forward(params, x, hidden)).mul(y).sum().mul(-1 / batch);
      const update = jit((params, x, y) => {
        const [value, gradients] = valueAndGrad(loss)(tree.ref(params), x, y);
        return [value, tree.map((p, g) => p.sub(g.mul(rate)), params, gradients)];
      });
      const params = weights.map(({kernel, bias}, i) => ({w: array(kernel, [sizes[i], sizes[i + 1]]), b: np.array(bias)}));
      return {params, update};
    },

    async train(model, {x, labels, oneHot}) {
      const [images, wanted] = [x, oneHot].map((values) => array(values, [labels.length, values.length / labels.length]));
      const [loss, params] = model.update(model.params, images, wanted);
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
      return model.forward(tree.ref(model.params), array(x, [1, x.length])).data();
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
