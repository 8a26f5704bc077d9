// ONNX Runtime Web. Its file, an ONNX model, comes from elsewhere: onnx.js writes it.
import {Unsupported} from '/harness/unsupported.js';
import {counted} from '/harness/words.js';
import {networkModel} from './onnx.js';
import {factsOf} from './facts.js';

// The smallest model: y = x. In base64, what writeModel makes of inputs {x: [1]}, outputs {y: [1]}, nodes [Identity].
const kIdentity =
  'CAgSC2Zqb3JkLXN0dWR5OkkKHAoBeBIBeRoKSWRlbnRpdHlfMCIISWRlbnRpdHkSB25ldHdvcmtaDwoBeBIKCggIARIECgIIAWIPCgF5EgoKCAgBEgQKAggBQgQKABAR';

/** Only where a file is written or facts are asked for: it is no part of the library. */
async function protobufjs(packages) {
  await import(`${packages}/protobufjs/dist/protobuf.min.js`);
  return globalThis.protobuf;
}

export const adapter = ({backend, packages, library: ort}) => {
  const name = backend.replace(/-threads$/, '');
  const options = {executionProviders: [name]};
  return {
    async info() {
      ort.env.wasm.wasmPaths = `${packages}/onnxruntime-web/dist/`;
      // The runtime starts with the first session. It chooses the number of its threads itself, half of the cores, unless it is told.
      if (backend === 'wasm-threads') ort.env.wasm.numThreads = navigator.hardwareConcurrency;
      const smallest = Uint8Array.from(atob(kIdentity), (character) => character.charCodeAt(0));
      await (await ort.InferenceSession.create(smallest, options)).release();
      return {
        version: ort.env.versions.web,
        engine: `${name === 'webgpu' ? 'webgpu, and ' : ''}wasm simd, ${counted(ort.env.wasm.numThreads, 'thread')}`,
        facts: async () => factsOf(ort, await protobufjs(packages), name),
      };
    },

    async build() {
      throw new Unsupported('ONNX Runtime Web only infers');
    },
    async train() {
      throw new Unsupported('ONNX Runtime Web only infers');
    },

    load: async (url, {input}) => ({session: await ort.InferenceSession.create(`${url}model.onnx`, options), input}),

    async infer({session, input}, x) {
      const outputs = await session.run({[session.inputNames[0]]: new ort.Tensor('float32', x, [1, ...input])});
      return outputs[session.outputNames[0]].data;
    },

    async read(network) {
      return {'model.onnx': networkModel(await protobufjs(packages), network)};
    },

    dispose: ({session}) => session.release(),
  };
};
