"""What Keras takes where an argument of a layer, optimizer, loss, .. is not given.

A case: {kind, name: the class, needed: the arguments that have no default, with a value, config: what Keras writes of an
instance that was given these alone, without them and without a name, signature: the defaults of the constructor that its
config does not tell; of a metric direction: up, down or null, whichever values are better}.
"""
import inspect

import nn_golden
from nn_golden import Golden, description, here, keras
# After the module that settles which backend Keras has.
from keras.src.legacy import layers as legacy

CLASSES = {
    'layer': (keras.layers, '''
        Activation ActivityRegularization AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D
        AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D Add AdditiveAttention AlphaDropout Attention
        AugMix AutoContrast Average AveragePooling1D AveragePooling2D AveragePooling3D BatchNormalization Bidirectional CategoryEncoding
        CenterCrop Concatenate ContrastLimitedAdaptiveHistogramEqualization Conv1D Conv1DTranspose Conv2D Conv2DTranspose Conv3D Conv3DTranspose ConvLSTM1D
        ConvLSTM2D ConvLSTM3D Cropping1D Cropping2D Cropping3D Dense DepthwiseConv1D DepthwiseConv2D Discretization Dot Dropout ELU
        EinsumDense Embedding Equalization Flatten GRU GRUCell GaussianDropout GaussianNoise GlobalAveragePooling1D
        GlobalAveragePooling2D GlobalAveragePooling3D GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D
        GroupNormalization GroupQueryAttention Identity IntegerLookup LSTM LSTMCell LayerNormalization LeakyReLU Masking
        MaxPooling1D MaxPooling2D MaxPooling3D Maximum MelSpectrogram Minimum MultiHeadAttention Multiply Normalization PReLU
        Permute Pipeline RMSNormalization RNN RandAugment RandomBrightness RandomColorDegeneration RandomColorJitter
        RandomContrast RandomCrop RandomElasticTransform RandomErasing RandomFlip RandomGaussianBlur RandomGrayscale RandomHue
        RandomInvert RandomPerspective RandomPosterization RandomRotation RandomSaturation RandomSharpness RandomShear
        RandomTranslation RandomZoom ReLU RepeatVector Rescaling Reshape Resizing ReversibleEmbedding STFTSpectrogram SeparableConv1D SeparableConv2D SimpleRNN
        SimpleRNNCell Softmax Solarization SpatialDropout1D SpatialDropout2D SpatialDropout3D SpectralNormalization
        StackedRNNCells Subtract TimeDistributed UnitNormalization UpSampling1D UpSampling2D UpSampling3D
        ZeroPadding1D ZeroPadding2D ZeroPadding3D'''),
    # Of Keras 2.
    'legacy': (legacy, 'ThresholdedReLU'),
    'inner': (nn_golden, 'ConvLSTM2DCell'),
    'optimizer': (keras.optimizers, 'Adadelta Adafactor Adagrad Adam AdamW Adamax Ftrl Lamb Lion Muon Nadam RMSprop ScheduleFreeAdamW SGD'),
    'schedule': (keras.optimizers.schedules, '''
        CosineDecay CosineDecayRestarts ExponentialDecay InverseTimeDecay PiecewiseConstantDecay PolynomialDecay'''),
    'loss': (keras.losses, '''
        BinaryCrossentropy BinaryFocalCrossentropy CTC CategoricalCrossentropy CategoricalFocalCrossentropy
        CategoricalGeneralizedCrossEntropy CategoricalHinge Circle CosineSimilarity Dice Hinge Huber KLDivergence LogCosh
        MeanAbsoluteError MeanAbsolutePercentageError MeanSquaredError MeanSquaredLogarithmicError Poisson
        SparseCategoricalCrossentropy SquaredHinge Tversky'''),
    'metric': (keras.metrics, '''
        AUC Accuracy BinaryAccuracy BinaryCrossentropy BinaryIoU CategoricalAccuracy CategoricalCrossentropy CategoricalHinge
        ConcordanceCorrelation CosineSimilarity F1Score FBetaScore FalseNegatives FalsePositives Hinge IoU KLDivergence LogCoshError
        MeanAbsoluteError MeanAbsolutePercentageError MeanIoU MeanSquaredError MeanSquaredLogarithmicError OneHotIoU OneHotMeanIoU
        PearsonCorrelation Poisson Precision PrecisionAtRecall R2Score Recall RecallAtPrecision RootMeanSquaredError
        SensitivityAtSpecificity SparseCategoricalAccuracy SparseCategoricalCrossentropy SparseTopKCategoricalAccuracy
        SpecificityAtSensitivity SquaredHinge TopKCategoricalAccuracy TrueNegatives TruePositives'''),
    'initializer': (keras.initializers, '''
        Constant GlorotNormal GlorotUniform HeNormal HeUniform Identity LecunNormal LecunUniform Ones Orthogonal
        RandomNormal RandomUniform STFT TruncatedNormal VarianceScaling Zeros'''),
    'regularizer': (keras.regularizers, 'L1 L1L2 L2 OrthogonalRegularizer'),
    'constraint': (keras.constraints, 'MaxNorm MinMaxNorm NonNeg UnitNorm'),
    'callback': (keras.callbacks, 'EarlyStopping ModelCheckpoint ReduceLROnPlateau SwapEMAWeights TerminateOnNaN'),
}

# Values for what has no default.
NEEDED = {'activation': 'relu', 'axes': 1, 'boundaries': [1], 'decay_rate': 0.5, 'decay_steps': 10, 'dims': [1], 'factor': 0.5,
          'cell': keras.layers.LSTMCell(1), 'cells': [keras.layers.LSTMCell(1)], 'equation': 'ab,bc->ac',
          'filepath': 'kept.keras', 'filters': 1, 'first_decay_steps': 10, 'head_dim': 1, 'height': 2, 'height_factor': 0.5,
          'initial_learning_rate': 0.1, 'input_dim': 1, 'kernel_size': 1, 'key_dim': 1, 'layer': keras.layers.SimpleRNN(1), 'layers': [keras.layers.Rescaling(0.5)],
          'n': 1, 'num_classes': 2, 'num_heads': 1, 'num_key_value_heads': 1, 'num_query_heads': 1, 'output_dim': 1, 'output_shape': [1],
          'output_size': 2, 'pool_size': 2, 'precision': 0.5, 'rate': 0.5, 'recall': 0.5, 'scale': 2.0, 'sensitivity': 0.5, 'specificity': 0.5, 'stddev': 0.1,
          'target_class_ids': [0], 'target_shape': [1], 'units': 1,
          'values': [0.5, 0.25], 'width': 2, 'width_factor': 0.5}

# What cannot be left out, although it has a default.
ALSO = {'CategoryEncoding': {'num_tokens': 3}, 'Discretization': {'bin_boundaries': [0.5]}, 'RandomPosterization': {'factor': 3}, 'IntegerLookup': {'vocabulary': [7]}}


def signature(thing):
    """What a constructor takes by name, and what the next one takes that it hands its **kwargs to."""
    arguments = {}
    for base in thing.__mro__:
        if '__init__' not in vars(base):
            continue
        parameters = list(inspect.signature(base.__init__).parameters.values())[1:]
        for p in parameters:
            # What a base class cannot do without, the class itself gives it.
            if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and (base is thing or p.default is not p.empty):
                arguments.setdefault(p.name, p.default)
        if not any(p.kind == p.VAR_KEYWORD for p in parameters):
            break
    return arguments


def takes(thing, needed, name, value):
    """Some of what the constructors of base classes take, the class itself gives them: the mode of a pooling."""
    try:
        thing(**needed, **{name: value})
    except (TypeError, ValueError):
        return False
    return True


def described(v):
    return [described(one) for one in v] if isinstance(v, list) else description(v) if isinstance(v, keras.layers.Layer) else v


def add(file, kind, thing, exported):
    arguments = signature(thing)
    needed = {n: NEEDED[n] for n, default in arguments.items() if default is inspect.Parameter.empty}
    needed |= ALSO.get(thing.__name__, {})
    # Callbacks have no config.
    config = description(thing(**needed))['config'] if hasattr(thing, 'get_config') else {}
    config = {n: v for n, v in config.items() if n not in needed and n != 'name'}
    written = {n: described(v) for n, v in needed.items()}
    direction = {'direction': getattr(thing(**needed), '_direction', None)} if kind == 'metric' else {}
    file.case(kind=kind, name=exported, needed=written, config=config, **direction,
              signature={n: v for n, v in arguments.items()
                         if n not in needed and n not in config and takes(thing, needed, n, v)})


def make(folder):
    file = Golden('nn_defaults', seed=20261128)
    for kind, (module, names) in CLASSES.items():
        for name in names.split():
            add(file, 'layer' if kind in ('legacy', 'inner') else kind, getattr(module, name), name)
    file.save(folder)


if __name__ == '__main__':
    make(here())
