// The program of the worker in which WebDNN's webassembly backend computes: the library loads it from the model's folder and
// talks to it in messages. Before it stands `const plan = {size, steps}`, with offsets in numbers; model.js puts it there.
/* global plan */
let memory;
let dense;

const run = {
  dense({inputs: [x, w, b], output, size, stride, relu}) {
    dense(4 * x, 4 * w, 4 * b, 4 * output, 4 * stride, size, relu ? 0 : -Infinity);
  },
  // Ten numbers: no work for WebAssembly, which has no exponential function.
  softmax({inputs: [from], output, size}) {
    const x = memory.subarray(from, from + size);
    const most = x.reduce((a, b) => Math.max(a, b));
    const exponentials = x.map((v) => Math.exp(v - most));
    const sum = exponentials.reduce((a, b) => a + b);
    memory.set(exponentials.map((v) => v / sum), output);
  },
};

onmessage = ({data}) => {
  if (data.type === 'weight') {
    memory.set(data.data);
    postMessage(0);
  } else if (data.type === 'run') {
    for (const input of data.inputs) memory.set(input.data, input.offset);
    for (const step of plan.steps) run[step.kernel](step);
    postMessage(data.outputs.map(({offset, size}) => memory.slice(offset, offset + size)));
  } else {
    postMessage(`There is no message ${data.type} here`);
  }
};

async function start() {
  // The library writes the address here.
  const response = await fetch('WEBDNN_URL_KERNELS_WASM');
  if (!response.ok) throw new Error(`${response.url}: ${response.status}`);
  const {instance} = await WebAssembly.instantiate(await response.arrayBuffer());
  memory = new Float32Array(instance.exports.memory.buffer, 0, plan.size);
  dense = instance.exports.dense;
}

start().then(
  () => postMessage(0),
  (error) => postMessage(String(error)),
);
