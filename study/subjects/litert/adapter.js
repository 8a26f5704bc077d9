// LiteRT.js. Its file, a .tflite model, comes from elsewhere: tflite.js writes it.
import {get} from '/harness/api.js';
import {Unsupported} from '/harness/unsupported.js';
import {counted} from '/harness/words.js';
import {networkModel} from './tflite.js';
import {factsOf} from './facts.js';

/** As many threads as there are cores, unless the backend is about one. */
const own = (backend) => (backend === 'wasm-1-thread' ? {numThreads: 1} : {});

/** Only where a file is written or facts are asked for: it is no part of the library. */
const flatbuffers = (packages) => import(`${packages}/flatbuffers/mjs/flatbuffers.js`);

// One runtime is in a page, whatever computes in it.
let loading;

export const adapter = ({backend, packages, library: lite}) => ({
  async info() {
    const isGpu = backend === 'webgpu';
    const has = async (...features) => (await Promise.all(features.map(lite.supportsFeature))).every(Boolean);
    // Threads and JSPI, which its WebGPU needs for models of which only a part is on the GPU, exclude each other.
    const threads = !isGpu && crossOriginIsolated && (await has('relaxedSimd', 'threads'));
    const jspi = isGpu && (await has('relaxedSimd', 'jspi'));
    loading ??= lite.loadLiteRt(`${packages}/@litertjs/core/wasm/`, {threads, jspi});
    const {liteRtWasm} = await loading;
    if (isGpu && !lite.getWebGpuDevice()) throw new Unsupported('LiteRT.js has got no WebGPU device in this browser');
    const {version} = await get(`${packages}/@litertjs/core/package.json`);
    const engine = isGpu ? `webgpu, float32${jspi ? ', JSPI' : ''}` : `wasm simd, ${counted(own(backend).numThreads ?? liteRtWasm.getThreadCount(), 'thread')}`;
    return {version, engine, facts: async () => factsOf(lite, await flatbuffers(packages), isGpu ? 'webgpu' : 'wasm')};
  },

  async build() {
    throw new Unsupported('LiteRT.js only infers');
  },
  async train() {
    throw new Unsupported('LiteRT.js only infers');
  },

  async load(url, {input}) {
    // Its own choice on a GPU is half precision.
    const model = await lite.loadAndCompile(`${url}model.tflite`, {accelerator: backend === 'webgpu' ? 'webgpu' : 'wasm', gpuOptions: {precision: 'fp32'}, cpuOptions: own(backend)});
    if (backend === 'webgpu' && !model.isFullyAccelerated) throw new Unsupported('LiteRT.js computes this model on the CPU, not on the GPU');
    return {model, input};
  },

  async infer({model, input: shape}, x) {
    const input = new lite.Tensor(x, [1, ...shape]);
    const [output] = await model.run(input);
    const values = await output.data();
    input.delete();
    output.delete();
    return values;
  },

  async read(network) {
    return {'model.tflite': networkModel(await flatbuffers(packages), network)};
  },

  async dispose({model}) {
    model.delete();
  },
});
