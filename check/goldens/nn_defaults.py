"""What Keras takes where an argument of a layer, optimizer, loss, .. is not given.

A case: {kind, name: the class, needed: the arguments that have no default, with a value, config: what Keras writes of an
instance that was given these alone, without them and without a name, signature: the defaults of the constructor that its
config does not tell}.
"""
import inspect

from nn_golden import Golden, description, here, keras

CLASSES = {
    'layer': (keras.layers, '''
        Activation AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D AdaptiveMaxPooling1D
        AdaptiveMaxPooling2D AdaptiveMaxPooling3D Add Average AveragePooling1D AveragePooling2D AveragePooling3D
        BatchNormalization Concatenate Conv1D Conv1DTranspose Conv2D Conv2DTranspose Conv3D Conv3DTranspose Cropping1D
        Cropping2D Cropping3D Dense DepthwiseConv1D DepthwiseConv2D Dot Dropout ELU Flatten GlobalAveragePooling1D
        GlobalAveragePooling2D GlobalAveragePooling3D GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D
        LayerNormalization LeakyReLU Masking MaxPooling1D MaxPooling2D MaxPooling3D Maximum Minimum Multiply PReLU Permute
        ReLU RepeatVector Rescaling Reshape SeparableConv1D SeparableConv2D Softmax Subtract TimeDistributed UpSampling1D
        UpSampling2D UpSampling3D ZeroPadding1D ZeroPadding2D ZeroPadding3D'''),
    'optimizer': (keras.optimizers, 'Adadelta Adagrad Adam AdamW Adamax Ftrl Lion Nadam RMSprop SGD'),
    'schedule': (keras.optimizers.schedules, '''
        CosineDecay CosineDecayRestarts ExponentialDecay InverseTimeDecay PiecewiseConstantDecay PolynomialDecay'''),
    'loss': (keras.losses, '''
        BinaryCrossentropy BinaryFocalCrossentropy CategoricalCrossentropy CategoricalFocalCrossentropy
        CategoricalGeneralizedCrossEntropy CategoricalHinge CosineSimilarity Hinge Huber KLDivergence LogCosh
        MeanAbsoluteError MeanAbsolutePercentageError MeanSquaredError MeanSquaredLogarithmicError Poisson
        SparseCategoricalCrossentropy SquaredHinge'''),
    'metric': (keras.metrics, '''
        Accuracy BinaryAccuracy BinaryCrossentropy CategoricalAccuracy CategoricalCrossentropy CategoricalHinge
        CosineSimilarity F1Score FBetaScore FalseNegatives FalsePositives Hinge KLDivergence LogCoshError
        MeanAbsoluteError MeanAbsolutePercentageError MeanSquaredError MeanSquaredLogarithmicError Poisson Precision
        Recall RootMeanSquaredError SparseCategoricalAccuracy SparseCategoricalCrossentropy
        SparseTopKCategoricalAccuracy SquaredHinge TopKCategoricalAccuracy TrueNegatives TruePositives'''),
    'initializer': (keras.initializers, '''
        Constant GlorotNormal GlorotUniform HeNormal HeUniform Identity LecunNormal LecunUniform Ones Orthogonal
        RandomNormal RandomUniform TruncatedNormal VarianceScaling Zeros'''),
    'regularizer': (keras.regularizers, 'L1 L1L2 L2'),
    'constraint': (keras.constraints, 'MaxNorm MinMaxNorm NonNeg UnitNorm'),
    'callback': (keras.callbacks, 'EarlyStopping ModelCheckpoint ReduceLROnPlateau TerminateOnNaN'),
}

# Values for what has no default.
NEEDED = {'activation': 'relu', 'axes': 1, 'boundaries': [1], 'decay_rate': 0.5, 'decay_steps': 10, 'dims': [1],
          'filepath': 'kept.keras', 'filters': 1, 'first_decay_steps': 10, 'initial_learning_rate': 0.1,
          'kernel_size': 1, 'layer': keras.layers.Activation('relu'), 'n': 1, 'output_size': 2, 'pool_size': 2, 'rate': 0.5, 'scale': 2.0, 'target_shape': [1], 'units': 1, 'values': [0.5, 0.25]}


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


def add(file, kind, thing):
    arguments = signature(thing)
    needed = {n: NEEDED[n] for n, default in arguments.items() if default is inspect.Parameter.empty}
    # Callbacks have no config.
    config = description(thing(**needed))['config'] if hasattr(thing, 'get_config') else {}
    config = {n: v for n, v in config.items() if n not in needed and n != 'name'}
    written = {n: description(v) if isinstance(v, keras.layers.Layer) else v for n, v in needed.items()}
    file.case(kind=kind, name=thing.__name__, needed=written, config=config,
              signature={n: v for n, v in arguments.items()
                         if n not in needed and n not in config and takes(thing, needed, n, v)})


def make(folder):
    file = Golden('nn_defaults', seed=20261128)
    for kind, (module, names) in CLASSES.items():
        for name in names.split():
            add(file, kind, getattr(module, name))
    file.save(folder)


if __name__ == '__main__':
    make(here())
