// Everything the page asks of the engine. The engine's names are those of TensorFlow.js.
//
//   await start();
//   const model = create('medium', 83);                                  // for texts of 83 kinds of characters
//   await train(model, codes, {step: 0, steps: 2000, onStep, onRound, signal});
//   const loss = await createExaminer(model, unseen).examine(signal);    // nats a character
//   const writer = createWriter(model);
//   await writer.begin();
//   let chances = await writer.next(12);                                 // it reads a character ..
//   chances = await writer.next(pick(chances, 0.7));                     // .. and writes one
//
// Characters are numbers here, their places in the text's alphabet: data.js.
import * as tf from 'fjord';

/** A training step reads so many places of the text at once, and at each so many characters. */
export const kBatch = 16;
export const kWindow = 64;
/** So many steps read on from the same places; then it goes to others. */
export const kRound = 20;

const kUnits = {small: 128, medium: 256};
const kSizes = {small: 32, medium: 64};

/** Loads the engine and says in words what it runs on: 'wasm', 'webgpu', or 'auto', which tries both and keeps the faster. */
export async function start(backend = 'wasm') {
  await tf.setBackend(backend);
  return {backend: tf.getBackend(), variant: tf.wasm?.getVariant?.(), threads: tf.wasm?.getThreadsCount?.() ?? 1};
}

// A character becomes a few numbers, the LSTM reads them one after the other and remembers, and after each it says how likely
// every character is to come next. stateful: with the next batch it reads on where it was, until resetStates().
const build = (characters, units, size, batch, window) =>
  tf.sequential({
    layers: [
      tf.layers.embedding({inputDim: characters, outputDim: size, batchInputShape: [batch, window]}),
      tf.layers.lstm({units, returnSequences: true, stateful: true, recurrentActivation: 'sigmoid'}),
      tf.layers.dense({units: characters, activation: 'softmax'}),
    ],
  });

/** A new network, 'small' or 'medium', with random weights. */
export function create(kind, characters) {
  const model = build(characters, kUnits[kind], kSizes[kind], kBatch, kWindow);
  // Quick at first, finer as it goes on; gradients that would throw it off its way are cut.
  const rate = tf.schedules.exponentialDecay({initialLearningRate: 0.01, decaySteps: 1000, decayRate: 0.5});
  model.compile({optimizer: {class_name: 'Adam', config: {learning_rate: rate, clipnorm: 1}}, loss: 'sparseCategoricalCrossentropy'});
  return model;
}

/** The same network for batches of another shape. What it has learnt is given to it by setWeights. */
function another(model, batch, window) {
  const [embedding, lstm, dense] = model.layers.map((layer) => layer.getConfig());
  return build(dense.units, lstm.units, embedding.outputDim, batch, window);
}

/**
 * For training: from each of some places, `batches` windows that follow one another. x [batches * places, window] are characters,
 * y [.., window, 1] what comes after each of them.
 */
function windows(codes, places, batches) {
  const x = new Int32Array(batches * places.length * kWindow);
  const y = new Int32Array(x.length);
  let at = 0;
  for (let batch = 0; batch < batches; ++batch) {
    for (const place of places) {
      for (let i = place + batch * kWindow, end = i + kWindow; i < end; ++i, ++at) {
        x[at] = codes[i];
        y[at] = codes[i + 1];
      }
    }
  }
  const shape = [batches * places.length, kWindow];
  return {x: tf.tensor2d(x, shape, 'int32'), y: tf.tensor3d(y, [...shape, 1], 'int32')};
}

/** How many characters a text must have for training. */
export const kLeast = kRound * kWindow + 1;

/** Where the round that begins with this step reads: anywhere, but always the same, so that training can go on to the same bits. */
function placesOf(step, length) {
  let state = step;
  // Mulberry32.
  const random = () => {
    let t = (state += 0x6d2b79f5);
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return Array.from({length: kBatch}, () => Math.floor(random() * (length - kLeast + 1)));
}

/**
 * Trains from `step` to `steps`. onStep(step, loss) comes after each step; onRound() after each round, and is awaited. Where the
 * signal aborts, training ends at once, and the network is that after its last step.
 */
export async function train(model, codes, {step, steps, onStep, onRound, signal}) {
  const onBatchEnd = (_, {loss}) => {
    if (!Number.isFinite(loss)) throw new Error('The loss is no longer a number: the training went astray.');
    onStep(++step, loss);
  };
  while (step < steps && !signal.aborted) {
    const {x, y} = windows(codes, placesOf(step, codes.length), Math.min(kRound, steps - step));
    model.resetStates();
    try {
      await model.fit(x, y, {batchSize: kBatch, epochs: 1, shuffle: false, callbacks: {onBatchEnd}, signal, verbose: 0});
    } catch (error) {
      if (error !== signal.reason) throw error;
    } finally {
      x.dispose();
      y.dispose();
    }
    if (!signal.aborted) await onRound();
  }
}

/** Finds how well the network foretells a text: the mean of -ln p over its characters, each seen after all that stand before it. */
export function createExaminer(model, codes) {
  // Read at many places at once, as in training: it knows nothing of what stands before each of them.
  const windowsOf = (places) => Math.floor((codes.length - 1) / places / kWindow);
  const places = Math.max(1, Math.min(32, windowsOf(2)));
  const batches = windowsOf(places);
  const reader = another(model, places, kWindow);
  reader.compile({optimizer: 'sgd', loss: 'sparseCategoricalCrossentropy'});
  const {x, y} = windows(codes, Array.from({length: places}, (_, i) => i * batches * kWindow), batches);
  return {
    /** Null where the signal aborts before the end. */
    async examine(signal) {
      await model.sync();
      reader.setWeights(model.getWeights());
      reader.resetStates();
      // A few windows at a time, to stop in between.
      const kPart = 4;
      let sum = 0;
      for (let batch = 0; batch < batches; batch += kPart) {
        if (signal?.aborted) return null;
        const [from, count] = [batch * places, Math.min(kPart, batches - batch) * places];
        const part = [x.slice([from, 0], [count, kWindow]), y.slice([from, 0, 0], [count, kWindow, 1])];
        const {loss} = await reader.evaluateAsync(...part, {batchSize: places});
        for (const t of part) t.dispose();
        sum += loss * count;
      }
      return sum / (batches * places);
    },
    dispose() {
      for (const t of [reader, x, y]) t.dispose();
    },
  };
}

/** A copy of the network that writes: one character costs one step, since it remembers what it has read. */
export function createWriter(model) {
  const writer = another(model, 1, 1);
  return {
    /** Takes over what the network has learnt by now, and forgets what it has read. */
    async begin() {
      await model.sync();
      writer.setWeights(model.getWeights());
      writer.resetStates();
    },
    /** Reads a character; how likely each is to come next. */
    async next(code) {
      const x = tf.tensor2d([code], [1, 1], 'int32');
      const y = writer.predict(x);
      try {
        return await y.data();
      } finally {
        x.dispose();
        y.dispose();
      }
    },
    dispose: () => writer.dispose(),
  };
}

/** Draws a character: below 1, a temperature makes what is likely likelier, and above 1 what is unlikely. */
export function pick(chances, temperature, random = Math.random) {
  const best = Math.max(...chances);
  const weights = Array.from(chances, (p) => (p / best) ** (1 / temperature));
  let left = random() * weights.reduce((sum, weight) => sum + weight, 0);
  const found = weights.findIndex((weight) => (left -= weight) < 0);
  return found < 0 ? weights.indexOf(1) : found;
}

const address = (name) => `indexeddb://fjord-text-${name}`;

/** Keeps the network and its optimizer's state in this browser. */
export async function save(model, name) {
  await model.save(address(name), {includeOptimizer: true});
}

/** The network that save() kept, compiled as it was: training goes on where it stood. */
export const restore = (name) => tf.loadLayersModel(address(name));
