"""Golden values of whole trainings: models of every kind, each with a loss and an optimizer of its own, 20 steps.

The cases are trainings (nn_golden.py), the models described as keras.Model.to_json() writes them.
"""
from nn_golden import Golden, here, keras, np, training

L = keras.layers
O = keras.optimizers


def classes(file, count, *shape):
    return file.random.integers(0, count, shape).astype(np.int32)


def train(file, name, model, xs, ys, batch=8, steps=20, **options):
    training(file, name, model, xs, ys, batch, steps, as_written=True, **options)


def mlp(file):
    x = file.normal(64, 12)
    y = np.argmax(x[:, :4] + 0.5 * x[:, 4:8], -1).astype(np.int32)
    model = keras.Sequential([keras.Input((12,)), L.Dense(16, activation='relu'), L.Dense(8, activation='gelu'),
                              L.Dense(4, activation='softmax')])
    model.compile(O.Adam(0.01), 'sparse_categorical_crossentropy', metrics=['accuracy'])
    train(file, 'mlp', model, [x], [y], batch=16)


def cnn(file):
    """The network of TensorFlow.js's MNIST example on smaller images."""
    model = keras.Sequential([
        keras.Input((16, 16, 1)),
        L.Conv2D(8, 5, activation='relu', kernel_initializer='variance_scaling'), L.MaxPooling2D(2, strides=2),
        L.Conv2D(16, 5, activation='relu', kernel_initializer='variance_scaling'), L.MaxPooling2D(2, strides=2),
        L.Flatten(), L.Dense(10, activation='softmax', kernel_initializer='variance_scaling')])
    x, labels = np.round(file.random.uniform(0, 1, (40, 16, 16, 1)), 2), classes(file, 10, 40)
    for i, label in enumerate(labels):
        x[i, label:label + 5, 3:13] += 1
    model.compile(O.RMSprop(0.002, momentum=0.5), 'categorical_crossentropy', metrics=['accuracy'])
    train(file, 'cnn', model, [x.astype(np.float32)], [np.eye(10, dtype=np.float32)[labels]], batch=10)


def residual(file):
    def block(x, filters, strides):
        y = L.Conv2D(filters, 3, strides=strides, padding='same', use_bias=False, kernel_regularizer='l2')(x)
        y = L.ReLU()(L.BatchNormalization()(y))
        y = L.BatchNormalization(momentum=0.8)(L.Conv2D(filters, 3, padding='same', use_bias=False)(y))
        if strides > 1:
            x = L.Conv2D(filters, 1, strides=strides)(x)
        return L.Activation('relu')(L.Add()([x, y]))

    inputs = keras.Input((8, 8, 3), name='image')
    x = block(L.Conv2D(4, 3, padding='same')(inputs), 4, 1)
    x = L.GlobalAveragePooling2D()(block(x, 6, 2))
    model = keras.Model(inputs, L.Dense(3, activation='softmax')(x))
    model.compile(O.AdamW(0.005, weight_decay=0.05), keras.losses.CategoricalCrossentropy(label_smoothing=0.1))
    train(file, 'residual', model, [file.normal(24, 8, 8, 3)], [np.eye(3, dtype=np.float32)[classes(file, 3, 24)]])


def two_inputs(file):
    a, b = keras.Input((6,), name='a'), keras.Input((5,), name='b')
    p, q = L.Dense(7, activation='selu')(a), L.Dense(7, activation='softsign')(b)
    x = L.Concatenate()([p, q, L.Multiply()([p, q]), L.Dot(axes=1)([p, q])])
    model = keras.Model([a, b], L.Dense(1, activation='sigmoid')(x))
    model.compile(O.Nadam(0.01), 'binary_crossentropy', metrics=['binary_accuracy'])
    xs = [file.normal(32, 6), file.normal(32, 5)]
    y = (xs[0][:, :1] * xs[1][:, :1] > 0).astype(np.float32)
    train(file, 'two inputs', model, xs, [y], sample_weight=file.random.uniform(0, 2, 32).astype(np.float32))


def two_outputs(file, name, describe):
    x = keras.Input((6,))
    h = L.Dense(8, activation='mish')(x)
    kind, size = L.Dense(3, activation='softmax', name='kind')(h), L.Dense(2, name='size')(h)
    model = keras.Model(x, [kind, size])
    model.compile(O.SGD(O.schedules.ExponentialDecay(0.05, 7, 0.8), momentum=0.9, nesterov=True),
                  describe(['sparse_categorical_crossentropy', keras.losses.Huber()]),
                  loss_weights=describe([1.0, 0.4]), metrics=describe([['accuracy'], ['mae']]))
    train(file, name, model, [file.normal(32, 6)], [classes(file, 3, 32), file.normal(32, 2) * 2])


def several_outputs(file):
    two_outputs(file, 'two outputs', lambda both: both)
    two_outputs(file, 'two outputs by name', lambda both: dict(zip(('kind', 'size'), both)))


def shared_layer(file):
    a, b = keras.Input((5,)), keras.Input((5,))
    encoder, norm = L.Dense(6, activation='tanh'), L.LayerNormalization()
    distance = L.Subtract()([norm(encoder(a)), norm(encoder(b))])
    model = keras.Model([a, b], L.Dense(1)(distance))
    model.compile(O.Adamax(0.02), 'log_cosh')
    train(file, 'shared layer', model, [file.normal(32, 5), file.normal(32, 5)], [file.normal(32, 1)])


def autoencoder(file):
    model = keras.Sequential([
        keras.Input((6, 6, 2)), L.SeparableConv2D(5, 3, padding='same', depth_multiplier=2), L.PReLU(shared_axes=[1, 2]),
        L.AveragePooling2D(2), L.Conv2D(6, 2, padding='same', groups=1, dilation_rate=2), L.LeakyReLU(negative_slope=0.1),
        L.Conv2DTranspose(4, 3, strides=2, padding='same', activation='elu'), L.ZeroPadding2D(1), L.Cropping2D(1),
        L.Conv2D(2, 3, padding='same')])
    model.compile(O.Adagrad(0.05), 'mean_squared_error')
    x = file.normal(24, 6, 6, 2)
    train(file, 'autoencoder', model, [x], [x])


def segmentation(file):
    model = keras.Sequential([
        keras.Input((5, 4, 2)), L.Rescaling(0.5, offset=0.1), L.Conv2D(6, 3, padding='same', activation='silu'),
        L.UpSampling2D((1, 2)), L.MaxPooling2D((1, 2)), L.Conv2D(3, 1), L.Softmax()])
    model.compile(O.Ftrl(0.1), 'sparse_categorical_crossentropy', metrics=['sparse_categorical_accuracy'])
    train(file, 'segmentation', model, [file.normal(16, 5, 4, 2)], [classes(file, 3, 16, 5, 4)])


def held(file):
    """Regularizers, constraints, and layers that do not train."""
    R, C = keras.regularizers, keras.constraints
    x, y = file.normal(16, 4) * 2, file.normal(16, 2) * 2

    def dense(name, steps=6, first=None, **options):
        model = keras.Sequential([keras.Input((4,)), first or L.Dense(5, activation='tanh', **options), L.Dense(2)])
        for w in model.weights:
            w.assign(file.normal(*w.shape))
        model.compile(O.SGD(0.1), 'mse')
        training(file, name, model, [x], [y], 8, steps, trajectory=True)

    dense('L1', kernel_regularizer=R.L1(0.02))
    dense('L2', kernel_regularizer=R.L2(0.03), bias_regularizer='l2')
    dense('L1L2', kernel_regularizer=R.L1L2(0.01, 0.02), bias_regularizer=R.L1(0.5))
    dense('OrthogonalRegularizer', kernel_regularizer=R.OrthogonalRegularizer(0.01))
    dense('activity_regularizer', activity_regularizer=R.L2(0.01))
    dense('MaxNorm', kernel_constraint=C.MaxNorm(1.2), bias_constraint=C.MaxNorm(0.5))
    dense('MaxNorm axis', kernel_constraint=C.MaxNorm(1.2, axis=1))
    dense('MinMaxNorm', kernel_constraint=C.MinMaxNorm(0.8, 1.1, rate=0.7, axis=0))
    dense('NonNeg', kernel_constraint=C.NonNeg(), bias_constraint='non_neg')
    dense('UnitNorm', kernel_constraint=C.UnitNorm(axis=[0, 1]))
    dense('not trainable', first=L.Dense(5, activation='tanh', trainable=False, kernel_regularizer='l2'))
    model = keras.Sequential([keras.Input((4, 4, 2)), L.Conv2D(3, 3, kernel_constraint=C.MaxNorm(0.7, axis=[0, 1, 2])),
                              L.DepthwiseConv2D(2, depthwise_regularizer=R.L2(0.05), depthwise_constraint=C.NonNeg()),
                              L.Flatten()])
    model.compile(O.SGD(0.1), 'mse')
    training(file, 'kernels of convolutions', model, [file.normal(8, 4, 4, 2)], [file.normal(8, 3)], 4, 4)


def nested(file):
    inner = keras.Sequential([keras.Input((3,)), L.Dense(4, activation='relu')])
    x = keras.Input((3,))
    model = keras.Model(x, L.Dense(1)(inner(x)))
    model.compile('sgd', 'mse')
    training(file, 'a model as a layer', model, [file.normal(8, 3)], [file.normal(8, 1)], 4, 2)


def make(folder):
    file = Golden('nn_models', seed=20260104)
    for family in (mlp, cnn, residual, two_inputs, several_outputs, shared_layer, autoencoder, segmentation, held, nested):
        keras.utils.clear_session()
        family(file)
    file.save(folder)


if __name__ == '__main__':
    make(here())
