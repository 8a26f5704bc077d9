// What TensorFlow.js and Fjord have in common: the same program builds, trains and infers with the same names.
//
//   export const adapter = () => ({...layersModel(() => tf), async info() {}, ..});

/** `library` gives the namespace; it may not be loaded yet. */
export const layersModel = (library) => ({
  async build({sizes, hidden, output, batch: _, rate, weights}) {
    const tf = library();
    const dense = (units, i) => tf.layers.dense({units, activation: i + 1 < weights.length ? hidden : output, ...(i ? {} : {inputShape: [sizes[0]]})});
    const model = tf.sequential({layers: sizes.slice(1).map(dense)});
    model.compile({optimizer: tf.train.sgd(rate), loss: 'categoricalCrossentropy'});
    const values = weights.flatMap(({kernel, bias}, i) => [tf.tensor(kernel, [sizes[i], sizes[i + 1]]), tf.tensor(bias)]);
    model.setWeights(values);
    values.forEach((value) => value.dispose());
    return model;
  },

  async infer(model, x) {
    const input = library().tensor(x, [1, x.length]);
    const output = model.predict(input);
    const values = await output.data();
    input.dispose();
    output.dispose();
    return values;
  },

  async train(model, {x, labels, oneHot}) {
    const shape = (values) => [labels.length, values.length / labels.length];
    const [input, wanted] = [x, oneHot].map((values) => library().tensor(values, shape(values)));
    const loss = await model.trainOnBatch(input, wanted);
    input.dispose();
    wanted.dispose();
    return loss;
  },

  async dispose(model) {
    model.dispose();
  },
});
