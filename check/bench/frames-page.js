// What check/bench/frames.mjs has a page do: train a network, and meanwhile note when frames come and how long a click takes.
import * as tf from '/fjord/fjord.js';

const dense = (units, inputShape) => tf.layers.dense({units, activation: 'relu', ...(inputShape ? {inputShape} : {})});
const conv = (filters, inputShape) => tf.layers.conv2d({filters, kernelSize: 5, activation: 'relu', ...(inputShape ? {inputShape} : {})});
const pool = () => tf.layers.maxPooling2d({poolSize: 2, strides: 2});
const layers = {
  cnn: () => [conv(8, [28, 28, 1]), pool(), conv(16), pool(), tf.layers.flatten()],
  mlp: (width) => [dense(width, [784]), dense(width)],
};

let model;
let [x, y] = [];
let args;

/** A network, and data of so many batches; gives the milliseconds of a step that does not pause. */
export async function prepare({network, width, batchSize, batches}) {
  model = tf.sequential({seed: 1, layers: [...layers[network](width), tf.layers.dense({units: 10, activation: 'softmax'})]});
  model.compile({optimizer: 'adam', loss: 'categoricalCrossentropy'});
  const samples = batchSize * batches;
  x = tf.randomUniform([samples, ...(network === 'cnn' ? [28, 28, 1] : [784])]);
  y = tf.oneHot(tf.range(0, samples, 1, 'int32').mod(tf.scalar(10, 'int32')), 10).toFloat();
  args = {batchSize, shuffle: false};
  await model.fit(x, y, args);
  return (await time('never', 1)) / batches;
}
/** Milliseconds that so many epochs take. */
export async function time(yieldEvery, epochs) {
  const start = performance.now();
  await model.fit(x, y, {...args, epochs, yieldEvery});
  return performance.now() - start;
}

/** The times between frames until `work` is through; something is drawn in each. */
async function framesDuring(work) {
  const shown = document.getElementById('frames');
  const intervals = [];
  let before;
  let goesOn = true;
  const frame = () => {
    const now = performance.now();
    if (before !== undefined) intervals.push(now - before);
    before = now;
    shown.textContent = intervals.length;
    if (goesOn) requestAnimationFrame(frame);
  };
  await new Promise((resolve) => requestAnimationFrame(() => resolve(frame())));
  await work();
  goesOn = false;
  return intervals;
}
const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
export const idle = (milliseconds) => framesDuring(() => sleep(milliseconds));
export const training = (epochs) => framesDuring(() => model.fit(x, y, {...args, epochs}));

/** Milliseconds from a click on the button to the end of fit, where the click sets stopTraining or aborts. */
export async function stop(aborts) {
  const controller = new AbortController();
  let clicked;
  const onClick = ({timeStamp}) => {
    clicked = timeStamp;
    if (aborts) controller.abort();
    else model.stopTraining = true;
  };
  document.getElementById('stop').addEventListener('click', onClick, {once: true});
  try {
    await model.fit(x, y, {...args, epochs: 1e6, signal: controller.signal});
  } catch (error) {
    if (error.name !== 'AbortError') throw error;
  }
  return performance.now() - clicked;
}
export const about = () => ({variant: tf.wasm.getVariant(), threads: tf.wasm.getThreadsCount()});
export function dispose() {
  tf.dispose([x, y]);
  model.dispose();
}
