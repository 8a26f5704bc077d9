// The forms in which programs write layers: the names of arguments, shapes as numbers, first values of weights, names of layers.
import assert from 'node:assert/strict';
import {suite, test} from 'node:test';
import {close, fj, judge, random} from './helpers.mjs';

const zeros = (...shape) => fj.zeros(shape);

suite('errors call an argument as the program does', () => {
  const dense = (args) => fj.sequential({layers: [fj.layers.dense({name: 'd', units: 2, inputShape: [3], ...args})]}).countParams();
  const cases = {
    'a value that is none': [() => dense({useBias: 3}), 'd: useBias must be true or false, got 3'],
    'the same in Keras\'s name': [() => dense({use_bias: 3}), 'd: use_bias must be true or false, got 3'],
    'both names': [() => dense({useBias: true, use_bias: true}), /^d: use_?[bB]ias is given twice, also by another of its names use_bias$/],
    'an argument that there is not': [() => dense({kernelInitialiser: 'ones'}), /^d: kernelInitialiser is not an argument of Dense; did you mean kernel_initializer\? There are units, /],
    'of an initializer': [
      () => dense({kernelInitializer: fj.initializers.randomNormal({stdDev: 'wide'})}),
      'd: kernelInitializer: random_normal: stdDev must be a finite number of at least 0, got "wide"',
    ],
    'of a constraint': [() => dense({kernelConstraint: fj.constraints.maxNorm({maxValue: 'much'})}), 'd: kernelConstraint: max_norm: maxValue must be a finite number of at least 0, got "much"'],
    'of a layer that is applied': [
      () => fj.layers.dense({name: 'd', units: 2, useBias: 'no'}).apply(fj.input({shape: [3]})),
      /useBias must be true or false, got "no"/,
    ],
    'of an optimizer': [() => train({optimizer: {class_name: 'SGD', config: {useNesterov: 2}}}), /useNesterov must be true or false, got 2/],
    'of an optimizer of tf.train': [() => train({optimizer: fj.train.adagrad(0.1, -1)}), /initialAccumulatorValue must be a finite number of at least 0, got -1/],
    'a parameter in both names': [() => train({optimizer: {class_name: 'SGD', config: {learning_rate: 1, learningRate: 2}}}), 'learningRate is given twice'],
    'of a schedule': [() => train({optimizer: fj.train.sgd(fj.schedules.cosineDecay({initialLearningRate: 0.1, decaySteps: 0}))}), /decaySteps must be a finite number above 0, got 0/],
    'a shape': [() => dense({inputShape: [2.5]}), /^d: inputShape must be a list of at most 8 whole numbers from 1, .*, got \[2\.5\]$/],
    'a type': [() => dense({inputDType: 'text'}), /^d: inputDType/],
  };
  const train = (args) => fj.sequential({layers: [fj.layers.dense({units: 2, inputShape: [3]})]}).compile({loss: 'meanSquaredError', ...args});
  for (const [name, [call, message]] of Object.entries(cases)) test(name, () => assert.throws(call, {message}));
  test('of a callback', async () => {
    const model = fj.sequential({layers: [fj.layers.dense({units: 2, inputShape: [3]})]});
    model.compile({optimizer: 'sgd', loss: 'meanSquaredError'});
    await assert.rejects(model.fit(zeros(4, 3), zeros(4, 2), {callbacks: fj.callbacks.earlyStopping({minDelta: 'x'})}), /minDelta must be a finite number.*, got "x"/);
  });
});

suite('descriptions have Keras\'s names', () => {
  const layer = () => fj.layers.dense({name: 'd', units: 2, inputShape: [3], useBias: false, kernelInitializer: fj.initializers.constant({value: 2}), kernelConstraint: fj.constraints.maxNorm({maxValue: 4})});
  const config = {
    units: 2,
    use_bias: false,
    kernel_initializer: {class_name: 'Constant', config: {value: 2}},
    kernel_constraint: {class_name: 'MaxNorm', config: {max_value: 4}},
    batch_input_shape: [null, 3],
    name: 'd',
  };
  test('a layer', () => {
    // As TensorFlow.js says it, all arguments.
    assert.deepEqual(layer().getConfig(), {
      name: 'd',
      units: 2,
      trainable: true,
      useBias: false,
      activation: 'linear',
      kernelInitializer: {className: 'Constant', config: {value: 2}},
      kernelRegularizer: null,
      kernelConstraint: {className: 'MaxNorm', config: {maxValue: 4}},
      biasInitializer: 'zeros',
      biasRegularizer: null,
      biasConstraint: null,
      batchInputShape: [null, 3],
    });
    assert.deepEqual(fj.layers.dense(layer().getConfig()).toJSON().config.units, 2);
    const pooling = fj.layers.maxPooling2d({poolSize: 3, name: 'p'}).getConfig();
    assert.deepEqual(pooling, {name: 'p', trainable: true, poolSize: [3, 3], strides: null, padding: 'valid', dataFormat: 'channelsLast'});
    assert.deepEqual(layer().toJSON(), {class_name: 'Dense', config});
    assert.deepEqual(Object.keys(layer().asWritten().config).sort(), ['batchInputShape', 'kernelConstraint', 'kernelInitializer', 'name', 'units', 'useBias']);
  });
  for (const isBuilt of [false, true]) {
    test(isBuilt ? 'a model with weights' : 'a model without', () => {
      const model = fj.sequential({name: 's', layers: [layer()]});
      if (isBuilt) model.countParams();
      assert.deepEqual(JSON.parse(model.toJSON()).config.layers, [{class_name: 'Dense', config}]);
    });
  }
  test('a functional model', () => {
    const x = fj.input({shape: 3, name: 'x'});
    const model = fj.model({inputs: x, outputs: fj.layers.dense({name: 'd', units: 2, useBias: false}).apply(x)});
    assert.deepEqual(JSON.parse(model.toJSON()).config.layers[1].config, {name: 'd', units: 2, use_bias: false});
  });
  test('an optimizer, also one with a schedule', () => {
    const rate = fj.schedules.cosineDecay({initialLearningRate: 0.1, decaySteps: 5});
    const described = {class_name: 'CosineDecay', config: {initial_learning_rate: 0.1, decay_steps: 5}};
    const saved = {class_name: 'Adam', config: {learning_rate: described, beta_1: 0.8, beta_2: 0.999, epsilon: 1e-7}};
    const optimizer = fj.train.adam(rate, 0.8);
    assert.deepEqual(optimizer.getConfig(), {learningRate: rate, beta1: 0.8, beta2: 0.999, epsilon: 1e-7});
    assert.deepEqual(optimizer.asWritten().config, {learningRate: rate, beta_1: 0.8, beta_2: 0.999, epsilon: 1e-7});
    const model = fj.sequential({layers: [layer()]});
    model.compile({optimizer, loss: {d: 'meanSquaredError'}});
    assert.deepEqual(model.artifacts(true).userDefinedMetadata.fjord.training.optimizer, saved);
    assert.deepEqual(model.artifacts(true).userDefinedMetadata.fjord.training.loss, {d: 'meanSquaredError'});
  });
  test('a rate in either name is one', () => {
    const model = fj.sequential({layers: [layer()]});
    for (const config of [{learningRate: 0.5}, {learning_rate: 0.5}, {lr: 0.5}]) {
      model.compile({optimizer: {class_name: 'SGD', config}, loss: 'meanSquaredError'});
      assert.equal(model.optimizer.learningRate, 0.5);
      model.optimizer.learningRate = 0.25;
      model.compile({optimizer: model.optimizer, loss: 'meanSquaredError'});
      assert.equal(model.learningRate, 0.25);
    }
  });
});

suite('forms that TensorFlow.js takes', () => {
  const shapes = {
    'inputShape: 3': [{inputShape: 3}, [null, 3]],
    'inputShape: [3]': [{inputShape: [3]}, [null, 3]],
    'batchInputShape': [{batchInputShape: [7, 3]}, [7, 3]],
    'inputShape and batchSize': [{inputShape: [3], batchSize: 7}, [7, 3]],
    'input_shape': [{input_shape: [3]}, [null, 3], true],
    'inputDim': [{inputDim: 3}, [null, 3]],
    'no activation, no bias said': [{inputShape: [3], activation: null, useBias: undefined, trainable: null, name: ''}, [null, 3]],
  };
  for (const [name, [args, , isKeras]] of Object.entries(shapes)) {
    test(name, () => {
      const build = (tf) => tf.sequential({layers: [tf.layers.dense({units: 2, kernelInitializer: 'ones', ...args})]});
      const [ours, theirs] = [build(fj), isKeras ? judge.sequential({layers: [judge.layers.dense({units: 2, kernelInitializer: 'ones', inputShape: [3]})]}) : build(judge)];
      const x = (tf) => tf.tensor(random([7, 3], -1, 1, 3), [7, 3]);
      assert.deepEqual(ours.inputs[0].shape.slice(1), [3]);
      close(ours.predict(x(fj)), theirs.predict(x(judge)), 1e-6);
      assert.deepEqual([ours.countParams(), ours.inputShape.slice(1)], [theirs.countParams(), theirs.inputs[0].shape.slice(1)]);
    });
  }
  test('a shape stands in the configuration with its batch', () => {
    for (const [args, shape] of Object.values(shapes).slice(0, 4)) assert.deepEqual(fj.layers.dense({units: 2, ...args}).getConfig().batchInputShape, shape);
  });
  test('dtype and inputDType', () => {
    for (const args of [{dtype: 'int32'}, {inputDType: 'int32'}, {dtype: 'int32', inputDType: 'float32'}]) {
      const build = (tf) => tf.sequential({layers: [tf.layers.flatten({inputShape: [2, 2], ...args})]});
      assert.equal(build(fj).inputs[0].dtype, build(judge).inputs[0].dtype);
    }
  });
  test('no arguments', () => assert.equal(fj.layers.flatten(null).getClassName(), 'Flatten'));
  test('inputLayer with a type and a batch', () => {
    const args = {inputShape: 3, batchSize: 4, dtype: 'int32', name: 'in'};
    assert.deepEqual(fj.layers.inputLayer(args).getConfig(), {dtype: 'int32', name: 'in', batchInputShape: [4, 3]});
    const model = fj.sequential({layers: [fj.layers.inputLayer({name: 'in'}), fj.layers.flatten()]});
    assert.throws(() => model.inputs, {message: /^input in: needs the shape of a sample: inputShape, such as \[28, 28, 1\]/});
  });
  test('a list of one for two axes is refused, as there', () => {
    const build = (tf) => tf.sequential({layers: [tf.layers.conv2d({name: 'c', filters: 1, kernelSize: [3], inputShape: [5, 5, 1]})]});
    assert.throws(() => build(judge), /kernelSize argument must be an integer or tuple of 2 integers/);
    assert.throws(() => build(fj).countParams(), {message: 'c: kernelSize must be a whole number from 1 to 2147483647, or a list of two, got [3]'});
  });
});

suite('weights: first values', () => {
  const values = (tf) => [tf.tensor2d([[1, 2], [3, 4], [5, 6]]), tf.tensor1d([7, 8])];
  const build = (tf, weights) => tf.sequential({layers: [tf.layers.dense({name: 'd', units: 2, inputShape: [3], weights})]});
  test('are those of the layer', () => {
    const given = values(fj);
    const model = build(fj, given);
    // Theirs are read at once, so what becomes of the tensors means nothing.
    for (const t of given) t.dispose();
    close(model.predict(fj.tensor([[1, 0, 2]])), build(judge, values(judge)).predict(judge.tensor([[1, 0, 2]])), 0);
    assert.deepEqual(model.getWeights().map((t) => t.arraySync()), [[[1, 2], [3, 4], [5, 6]], [7, 8]]);
    assert.deepEqual(Object.keys(model.layers[0].toJSON().config), ['name', 'units', 'batch_input_shape']);
  });
  test('and leave no tensors behind', () => {
    const given = values(fj);
    const made = (weights) => {
      const before = fj.memory().numTensors;
      build(fj, weights).countParams();
      return fj.memory().numTensors - before;
    };
    assert.equal(made(given), made(undefined));
  });
  const wrong = {
    'one too few': [() => values(fj).slice(1), 'The layer d has 2 weights, got 1'],
    'another shape': [() => values(fj).reverse(), /\[3,2\].*\[2\]/],
  };
  for (const [name, [weights, message]] of Object.entries(wrong)) {
    test(`${name}: each time that the model is asked`, () => {
      const model = build(fj, weights());
      for (let i = 0; i < 2; ++i) assert.throws(() => model.predict(zeros(1, 3)), {message});
    });
  }
  test('those of a layer beside a wrong one are kept for the next try', () => {
    const [good, wrong] = [fj.layers.dense({units: 2, inputShape: [3], weights: values(fj)}), fj.layers.dense({units: 1, weights: [zeros(1)]})];
    assert.throws(() => fj.sequential({layers: [good, wrong]}).countParams(), /has 2 weights, got 1$/);
    assert.deepEqual(fj.sequential({layers: [good]}).getWeights()[1].arraySync(), [7, 8]);
  });
  test('no tensors', () => assert.throws(() => build(fj, [[1, 2]]), /^Error: d: weights takes a tensor or a list of tensors, got /));
});

test('automatic names are those of Keras', () => {
  // keras.src.utils.naming.to_snake_case of each class.
  const names = {
    ...Object.fromEntries([1, 2, 3].flatMap((n) => [
      [`conv${n}dTranspose`, `conv${n}d_transpose`], [`conv${n}d`, `conv${n}d`], [`maxPooling${n}d`, `max_pooling${n}d`], [`averagePooling${n}d`, `average_pooling${n}d`],
      [`globalMaxPooling${n}d`, `global_max_pooling${n}d`], [`globalAveragePooling${n}d`, `global_average_pooling${n}d`],
      [`adaptiveMaxPooling${n}d`, `adaptive_max_pooling${n}d`], [`adaptiveAveragePooling${n}d`, `adaptive_average_pooling${n}d`],
      [`upSampling${n}d`, `up_sampling${n}d`], [`zeroPadding${n}d`, `zero_padding${n}d`], [`cropping${n}D`, `cropping${n}d`],
    ])),
    depthwiseConv1d: 'depthwise_conv1d', separableConv1d: 'separable_conv1d',
    activation: 'activation', add: 'add', average: 'average', batchNormalization: 'batch_normalization',
    concatenate: 'concatenate', dense: 'dense',
    depthwiseConv2d: 'depthwise_conv2d', dot: 'dot', dropout: 'dropout', elu: 'elu', flatten: 'flatten',
    layerNormalization: 'layer_normalization', leakyReLU: 'leaky_re_lu', masking: 'masking',
    maximum: 'maximum', minimum: 'minimum', multiply: 'multiply', permute: 'permute', prelu: 'p_re_lu', reLU: 're_lu', repeatVector: 'repeat_vector',
    rescaling: 'rescaling', reshape: 'reshape', separableConv2d: 'separable_conv2d', softmax: 'softmax', subtract: 'subtract',
    timeDistributed: 'time_distributed', thresholdedReLU: 'thresholded_re_lu', identity: 'identity', activityRegularization: 'activity_regularization',
    spatialDropout1d: 'spatial_dropout1d', spatialDropout2d: 'spatial_dropout2d', spatialDropout3d: 'spatial_dropout3d', alphaDropout: 'alpha_dropout',
    gaussianDropout: 'gaussian_dropout', gaussianNoise: 'gaussian_noise', rmsNormalization: 'rms_normalization',
    groupNormalization: 'group_normalization', unitNormalization: 'unit_normalization', spectralNormalization: 'spectral_normalization',
    simpleRNN: 'simple_rnn', lstm: 'lstm', gru: 'gru', simpleRNNCell: 'simple_rnn_cell', lstmCell: 'lstm_cell', gruCell: 'gru_cell',
    stackedRNNCells: 'stacked_rnn_cells', rnn: 'rnn', bidirectional: 'bidirectional', convLstm1d: 'conv_lstm1d', convLstm2d: 'conv_lstm2d', convLstm3d: 'conv_lstm3d', convLstm2dCell: 'conv_lstm2d_cell',
    embedding: 'embedding', einsumDense: 'einsum_dense', multiHeadAttention: 'multi_head_attention',
    groupQueryAttention: 'group_query_attention', attention: 'attention', additiveAttention: 'additive_attention', resizing: 'resizing',
    centerCrop: 'center_crop', randomFlip: 'random_flip', randomContrast: 'random_contrast', randomBrightness: 'random_brightness',
    randomRotation: 'random_rotation', randomTranslation: 'random_translation', randomZoom: 'random_zoom', normalization: 'normalization',
    discretization: 'discretization', categoryEncoding: 'category_encoding', integerLookup: 'integer_lookup',
    autoContrast: 'auto_contrast', augMix: 'aug_mix',
    contrastLimitedAdaptiveHistogramEqualization: 'contrast_limited_adaptive_histogram_equalization', equalization: 'equalization',
    pipeline: 'pipeline', randAugment: 'rand_augment', randomColorDegeneration: 'random_color_degeneration',
    randomColorJitter: 'random_color_jitter', randomCrop: 'random_crop', randomElasticTransform: 'random_elastic_transform',
    randomErasing: 'random_erasing', randomGaussianBlur: 'random_gaussian_blur', randomGrayscale: 'random_grayscale', randomHue: 'random_hue',
    randomInvert: 'random_invert', randomPerspective: 'random_perspective', randomPosterization: 'random_posterization',
    randomSaturation: 'random_saturation', randomSharpness: 'random_sharpness', randomShear: 'random_shear', solarization: 'solarization',
    reversibleEmbedding: 'reversible_embedding', stftSpectrogram: 'stft_spectrogram', melSpectrogram: 'mel_spectrogram',
  };
  const aliases = ['Layer', 'RNNCell', 'input', 'globalMaxPool1d', 'globalMaxPool2d', 'globalAvgPool1d', 'globalAvgPool2d', 'inputLayer', ...[1, 2, 3].flatMap((n) => [`avgPool${n}d`, `avgPooling${n}d`, `maxPool${n}d`])];
  assert.deepEqual(Object.keys(fj.layers).filter((name) => !aliases.includes(name)).sort(), Object.keys(names).sort());
  // Without what it needs an error tells the name.
  const nameOf = (make) => {
    try {
      return make().name;
    } catch ({message}) {
      return message.split(':')[0];
    }
  };
  for (const [name, base] of Object.entries(names)) assert.match(nameOf(fj.layers[name]), new RegExp(`^${base}_[0-9]+$`));
  assert.match(fj.input({shape: [1]}).name, /^input_layer_[0-9]+$/);
});
