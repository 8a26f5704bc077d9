// WebDNN: runs a folder that its converter wrote. The converter does not run here: model.js writes the folder, and the kernels
// in it are ours.
/* global WebDNN */
import {get} from '/harness/api.js';
import {denseOf} from '/harness/network.js';
import {Unsupported} from '/harness/unsupported.js';
import {filesOf} from './model.js';

const engines = {fallback: 'JavaScript, float32', webassembly: 'WebAssembly in a worker', webgl: 'WebGL'};

const facts = () => ({
  training: 'train' in WebDNN,
  // It has no layers and activations of its own, and runs whatever kernels a folder has.
  cnn: typeof WebDNN.load === 'function',
  rnn: typeof WebDNN.load === 'function',
  save: 'save' in WebDNN,
  load: typeof WebDNN.load === 'function',
});

export const adapter = ({backend, packages}) => ({
  async info() {
    // The others do not depend on what there is, and would wait here for WebGL to start.
    const isThere = backend !== 'webgl' || WebDNN.getBackendAvailability().status.webgl;
    if (!isThere) throw new Unsupported('WebDNN does not find WebGL with float textures in this browser');
    const {version} = await get(`${packages}/webdnn/package.json`);
    return {version, engine: engines[backend], facts};
  },

  async build() {
    throw new Unsupported('WebDNN only infers');
  },

  async load(url) {
    return WebDNN.load(url.slice(0, -1), {
      backendOrder: [backend],
      cacheStrategy: 'networkOnly',
      saveCache: false,
      // The converter writes a file of weights for each backend. Ours are the same for all.
      transformUrlDelegate: (address) => address.replace(/weight_\w+\.bin$/, 'weight.bin'),
    });
  },

  async infer(runner, x) {
    runner.inputs[0].set(x);
    await runner.run();
    // The next run writes into the same array.
    return runner.outputs[0].toActual().slice();
  },

  async train() {
    throw new Unsupported('WebDNN only infers');
  },

  async read(network) {
    return filesOf(denseOf(network));
  },

  async dispose(runner) {
    runner.worker?.terminate();
  },
});
