// What TensorFlow.js and Fjord have in common: the same program builds, trains and infers with the same names.
//
//   export const adapter = () => ({...layersModel(() => tf), async info() {}, ..});
//
// What build() and load() give is {model, input}: the shape of a sample beside the framework's own.

/** `library` gives the namespace; it may not be loaded yet. */
export const layersModel = (library) => ({
  async build({input, layers, bias, optimizer, rate}) {
    const tf = library();
    const make = {
      dense: ({kernel, activation}) => ({of: tf.layers.dense, units: kernel[1], activation, useBias: bias}),
      conv2d: ({kernel, padding, activation}) => ({of: tf.layers.conv2d, filters: kernel[3], kernelSize: kernel[0], padding, activation, useBias: bias}),
      maxPool: ({size, padding}) => ({of: tf.layers.maxPooling2d, poolSize: size, padding}),
      flatten: () => ({of: tf.layers.flatten}),
      // Its own weights are drawn by what is quick: drawing orthogonal ones, the default, takes seconds.
      lstm: ({recurrent, sequences}) => ({
        of: tf.layers.lstm, units: recurrent[0], returnSequences: sequences, recurrentActivation: 'sigmoid', recurrentInitializer: 'glorotUniform', useBias: bias,
      }),
    };
    const made = layers.map((layer, i) => {
      const {of, ...options} = make[layer.type](layer);
      return of(i ? options : {...options, inputShape: input});
    });
    const model = tf.sequential({layers: made});
    model.compile({optimizer: tf.train[optimizer](rate), loss: 'categoricalCrossentropy'});
    const values = layers
      .filter(({weights}) => weights)
      .flatMap(({kernel, recurrent, weights}) => [
        tf.tensor(weights.kernel, kernel),
        ...(recurrent ? [tf.tensor(weights.recurrent, recurrent)] : []),
        ...(bias ? [tf.tensor(weights.bias)] : []),
      ]);
    model.setWeights(values);
    values.forEach((value) => value.dispose());
    return {model, input};
  },

  batch({input}, {x, labels, oneHot}) {
    const tf = library();
    return [tf.tensor(x, [labels.length, ...input]), tf.tensor(oneHot, [labels.length, oneHot.length / labels.length])];
  },

  train: ({model}, [x, y]) => model.trainOnBatch(x, y),

  async infer({model, input}, x) {
    const image = library().tensor(x, [1, ...input]);
    const output = model.predict(image);
    const values = await output.data();
    image.dispose();
    output.dispose();
    return values;
  },

  async dispose({model}) {
    model.dispose();
  },
});
