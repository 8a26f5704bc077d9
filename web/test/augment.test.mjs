// Augmentation of images: what each layer does where nothing is left to chance, that it does nothing in prediction, and that a model
// with it trains, is saved and goes on.
import assert from 'node:assert/strict';
import {suite, test} from 'node:test';
import {closeValues, fj, judge, random} from './helpers.mjs';

const shape = [2, 4, 5, 3];
const values = [...random(shape)].map((v) => 127 + 50 * Math.max(-2, Math.min(2, v)));
const image = () => fj.tensor(values, shape);
const each = (f) => values.map(f);
/** f of the three colors of each pixel gives three. */
const pixels = (f) => Array.from({length: values.length / 3}, (_, i) => f(...values.slice(3 * i, 3 * i + 3))).flat();
const gray = pixels((r, g, b) => Array(3).fill(0.2989 * r + 0.587 * g + 0.114 * b));
const always = [1, 1];
const same = values;

/** [arguments, what comes out in training]. */
const layers = {
  randomInvert: [{factor: always}, each((v) => 255 - v)],
  randomColorDegeneration: [{factor: always}, gray],
  randomGrayscale: [{factor: 1}, gray],
  // Half a turn of its hue leaves the lightest and the darkest color, which change places with each other's opposite.
  randomHue: [{factor: always}, pixels((...c) => c.map((v) => Math.max(...c) + Math.min(...c) - v))],
  randomSaturation: [{factor: [0.5, 0.5]}, same],
  randomColorJitter: [{brightnessFactor: [0.1, 0.1]}, each((v) => Math.min(255, v + 25.5))],
  randomPosterization: [{factor: [2, 2]}, each((v) => 64 * Math.floor(v / 64))],
  solarization: [{}, each((v) => 255 - v)],
  randomSharpness: [{factor: [0.5, 0.5]}, same],
  randomGaussianBlur: [{factor: always, kernelSize: 1}, same],
  randomErasing: [{factor: always, scale: always, fillValue: [1, 2, 3]}, pixels(() => [1, 2, 3])],
  randomShear: [{}, same],
  randomPerspective: [{factor: always, scale: 0}, same],
  randomElasticTransform: [{scale: 0}, same],
  pipeline: [{layers: [fj.layers.rescaling({scale: 0.5}), fj.layers.rescaling({scale: 4})]}, each((v) => 2 * v)],
};

suite('images in training', () => {
  for (const [name, [args, expected]] of Object.entries(layers)) {
    test(name, () => {
      const layer = fj.layers[name](args);
      closeValues(layer.apply(image(), {training: true}).dataSync(), expected, 1e-3);
      if (name !== 'pipeline') closeValues(layer.apply(image()).dataSync(), same, 1e-4, 'in prediction');
    });
  }
  test('randomHue and randomColorDegeneration refuse images without colors', () => {
    for (const name of ['randomHue', 'randomColorDegeneration']) {
      const layer = fj.layers[name]({factor: 0.5});
      assert.throws(() => layer.apply(fj.ones([1, 4, 4, 2])), /needs images of three channels, red, green and blue/);
    }
  });
  for (const [name, args] of Object.entries({randAugment: {}, augMix: {numChains: 2, chainDepth: 2}})) {
    test(name, () => {
      const layer = fj.layers[name](args);
      closeValues(layer.apply(image()).dataSync(), same, 1e-4, 'in prediction');
      const model = fj.sequential({layers: [fj.layers[name]({...args, inputShape: shape.slice(1), seed: 3}), fj.layers.flatten()]});
      const [first, second] = [0, 1].map(() => model.apply(image(), {training: true}).dataSync());
      for (const output of [first, second]) assert.ok(output.every((v) => v >= -1e-3 && v <= 255.001));
      assert.notDeepEqual(first, second);
    });
  }
});

suite('images in every mode', () => {
  test('randomCrop: the part in the middle is resized in prediction, as it is; a window in training', () => {
    const layer = fj.layers.randomCrop({height: 2, width: 3});
    const theirs = judge.image.resizeBilinear(judge.tensor(values, shape).slice([0, 0, 0, 0], [2, 3, 5, 3]), [2, 3], false, true);
    assert.equal(layer.apply(image()).shape.join(), '2,2,3,3');
    closeValues(layer.apply(image()).dataSync(), theirs.dataSync(), 1e-3);
    const window = layer.apply(image(), {training: true}).arraySync();
    const whole = image().arraySync();
    const isAt = (i, j) => window.every((one, n) => one.every((row, k) => row.every((pixel, l) => pixel.every((v, c) => v === whole[n][i + k][j + l][c]))));
    assert.ok([0, 1, 2].some((i) => [0, 1, 2].some((j) => isAt(i, j))));
  });
  test('autoContrast', () => {
    const lowest = [0, 1].map((n) => [0, 1, 2].map((c) => values.slice(60 * n, 60 * n + 60).filter((_, i) => i % 3 === c)));
    const expected = each((v, i) => {
      const channel = lowest[Math.floor(i / 60)][i % 3];
      return ((v - Math.min(...channel)) / (Math.max(...channel) - Math.min(...channel))) * 255;
    });
    closeValues(fj.layers.autoContrast({}).apply(image()).dataSync(), expected, 1e-2);
  });
  test('equalization: as many pixels below a value as it says', () => {
    const ramp = fj.tensor(Array.from({length: 16}, (_, i) => 3 * i), [1, 4, 4, 1]);
    closeValues(fj.layers.equalization({}).apply(ramp, {training: true}).dataSync(), Array.from({length: 16}, (_, i) => 17 * i));
    closeValues(fj.layers.equalization({}).apply(ramp).dataSync(), ramp.dataSync());
  });
  test('contrastLimitedAdaptiveHistogramEqualization: of one tile without a limit it is one of all values', () => {
    const ramp = fj.tensor(Array.from({length: 16}, (_, i) => 3 * i), [1, 4, 4, 1]);
    const layer = fj.layers.contrastLimitedAdaptiveHistogramEqualization({clipLimit: 0, tileGridSize: 1});
    closeValues(layer.apply(ramp).dataSync(), Array.from({length: 16}, (_, i) => 17 * i), 1e-3);
  });
});

test('a model with augmentation trains, is saved and goes on bit for bit', async () => {
  const model = fj.sequential({layers: [
    fj.layers.pipeline({layers: [fj.layers.randomHue({factor: 0.2}), fj.layers.randomErasing({}), fj.layers.randomShear({xFactor: 0.2})], inputShape: shape.slice(1)}),
    fj.layers.rescaling({scale: 1 / 255}), fj.layers.flatten(), fj.layers.dense({units: 1}),
  ]});
  model.compile({optimizer: 'adam', loss: 'meanSquaredError'});
  const batch = [image(), fj.ones([2, 1])];
  await model.trainOnBatch(...batch);
  const again = await fj.loadLayersModel(fj.io.fromMemory(model.file(true)));
  const losses = [];
  for (const m of [model, again]) losses.push([await m.trainOnBatch(...batch), await m.trainOnBatch(...batch)]);
  assert.deepEqual(losses[0], losses[1]);
});

test('initializers.stft: cosines and sines in a window', () => {
  const angle = (k, j) => (-2 * Math.PI * k * j) / 4;
  const all = (f) => Array.from({length: 4}, (_, k) => [0, 1, 2].map((j) => f(angle(k, j)))).flat();
  for (const [side, f] of [['real', Math.cos], ['imag', Math.sin]]) {
    closeValues(fj.initializers.stft({side, window: null}).apply([4, 1, 3]).dataSync(), all(f), 1e-6);
  }
});
