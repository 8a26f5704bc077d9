"""Golden values of layers along one, two and three axes, channels last and first: convolutions, pooling, padding, cropping,
upsampling; and whole trainings with them.

Cases of layers are as nn_layers.py writes them, trainings as nn_golden.training does.
"""
import json

from nn_golden import Golden, description, here, keras, np, split, tf, training
from nn_layers import add

L, O = keras.layers, keras.optimizers

# TensorFlow's kernels for processors want channels last.
LAST = {3: (0, 2, 1), 4: (0, 2, 3, 1), 5: (0, 2, 3, 4, 1)}
FIRST = {3: (0, 2, 1), 4: (0, 3, 1, 2), 5: (0, 4, 1, 2, 3)}


class Moved:
    """What a layer with channels first gives, by the same layer with channels last; then the activation, whose axes are those
    of what it gives."""
    def __init__(self, layer, activation=None):
        self.layer, self.activation, self.name = layer, activation, layer.name

    def __call__(self, x, training=False):
        y = self.layer(tf.transpose(x, LAST[len(x.shape)]), training=training)
        y = tf.transpose(y, FIRST[len(y.shape)]) if len(y.shape) > 2 else y
        return keras.activations.get(self.activation)(y)

    weights = property(lambda self: self.layer.weights)
    trainable_weights = property(lambda self: self.layer.trainable_weights)


def first(file, name, make, *arguments, x, activation=None, **options):
    """A layer of Keras with channels first, on x whose channels come last."""
    layer = make(*arguments, **options)
    kind = {'activation': activation} if activation else {}
    add(file, Moved(layer, activation), x.transpose(FIRST[x.ndim]), name=f'{name} first',
        shown=make(*arguments, **options, **kind, data_format='channels_first'))


def convolutions(file):
    x, odd = file.normal(2, 9, 4), file.normal(2, 10, 3)
    for name, layer, steps in [
        ('conv1d', L.Conv1D(3, 3), x),
        ('conv1d same', L.Conv1D(5, 4, padding='same', activation='relu'), x),
        ('conv1d causal', L.Conv1D(3, 3, padding='causal', activation='tanh'), x),
        ('conv1d causal dilated', L.Conv1D(3, 2, padding='causal', dilation_rate=3, use_bias=False), x),
        ('conv1d causal strides', L.Conv1D(2, 3, padding='causal', strides=2), odd),
        ('conv1d strides', L.Conv1D(4, 3, strides=2), odd),
        ('conv1d same strides', L.Conv1D(4, [3], strides=[3], padding='same'), odd),
        ('conv1d dilated', L.Conv1D(4, 2, dilation_rate=2, padding='same'), odd),
        ('conv1d groups', L.Conv1D(6, 3, groups=2, padding='same'), x),
        ('conv1d one step', L.Conv1D(5, 1), x),
        ('depthwise_conv1d', L.DepthwiseConv1D(3), x),
        ('depthwise_conv1d multiplier', L.DepthwiseConv1D(2, depth_multiplier=3, padding='same', activation='elu'), x),
        ('depthwise_conv1d strides', L.DepthwiseConv1D(3, strides=2, padding='same', use_bias=False), odd),
        ('depthwise_conv1d dilated', L.DepthwiseConv1D(3, dilation_rate=2), odd),
        ('separable_conv1d', L.SeparableConv1D(5, 3), x),
        ('separable_conv1d multiplier', L.SeparableConv1D(3, 2, depth_multiplier=2, padding='same', activation='relu'), x),
        ('separable_conv1d strides', L.SeparableConv1D(4, 3, strides=2, use_bias=False), odd),
        ('separable_conv1d dilated', L.SeparableConv1D(4, 2, dilation_rate=3, padding='same'), odd),
        ('conv1d_transpose', L.Conv1DTranspose(3, 3), x),
        ('conv1d_transpose strides', L.Conv1DTranspose(2, 3, strides=2), x),
        ('conv1d_transpose same', L.Conv1DTranspose(2, 4, strides=3, padding='same', activation='sigmoid'), x),
        ('conv1d_transpose narrow', L.Conv1DTranspose(2, 1, strides=2, use_bias=False), x),
        ('conv1d_transpose output padding', L.Conv1DTranspose(2, 3, strides=2, padding='same', output_padding=1), x),
    ]:
        add(file, layer, steps, name=name)


def volumes(file):
    x, odd = file.normal(2, 3, 4, 3, 2), file.normal(1, 5, 4, 5, 3)
    for name, layer, volume in [
        ('conv3d', L.Conv3D(3, 2), x),
        ('conv3d same', L.Conv3D(4, (3, 2, 3), padding='same', activation='relu'), x),
        ('conv3d strides', L.Conv3D(3, 3, strides=2, padding='same', use_bias=False), odd),
        ('conv3d valid strides', L.Conv3D(2, (2, 3, 1), strides=(2, 1, 3)), odd),
        ('conv3d 1x1x1', L.Conv3D(5, 1, activation='softmax'), x),
        ('conv3d groups', L.Conv3D(4, 2, groups=2, padding='same'), x),
        ('conv3d_transpose', L.Conv3DTranspose(3, 2), x),
        ('conv3d_transpose strides', L.Conv3DTranspose(2, 3, strides=2), x),
        ('conv3d_transpose same', L.Conv3DTranspose(2, (3, 2, 3), strides=(2, 2, 1), padding='same', activation='tanh'), x),
        ('conv3d_transpose narrow', L.Conv3DTranspose(2, (1, 2, 1), strides=(2, 3, 2), use_bias=False), x),
        ('conv3d_transpose output padding', L.Conv3DTranspose(2, 3, strides=2, padding='same', output_padding=(1, 0, 1)), x),
    ]:
        add(file, layer, volume, name=name)


def images(file):
    """Combinations of groups, dilation and strides of images."""
    x, odd = file.normal(2, 7, 6, 4), file.normal(1, 9, 8, 3)
    for name, layer, image in [
        ('conv2d groups dilated', L.Conv2D(6, 2, groups=2, dilation_rate=2), x),
        ('conv2d groups dilated same', L.Conv2D(4, (3, 2), groups=4, dilation_rate=(1, 2), padding='same'), x),
        ('conv2d groups strides same', L.Conv2D(8, 3, groups=2, strides=2, padding='same', activation='elu'), x),
        ('depthwise_conv2d dilated multiplier', L.DepthwiseConv2D(3, dilation_rate=(2, 1), depth_multiplier=2), odd),
        ('depthwise_conv2d dilated same', L.DepthwiseConv2D((2, 3), dilation_rate=3, padding='same', use_bias=False), odd),
        ('separable_conv2d dilated', L.SeparableConv2D(4, 2, dilation_rate=2), odd),
        ('separable_conv2d dilated same',
         L.SeparableConv2D(3, 3, dilation_rate=(1, 2), padding='same', depth_multiplier=2, activation='relu'), odd),
        ('conv2d_transpose output padding valid', L.Conv2DTranspose(2, 3, strides=(2, 3), output_padding=(1, 2)), x),
    ]:
        add(file, layer, image, name=name)


def pooling(file):
    steps, volume = file.normal(2, 9, 3), file.normal(2, 5, 4, 5, 3)
    for name, layer, x in [
        ('max_pooling1d', L.MaxPooling1D(), steps),
        ('max_pooling1d same', L.MaxPooling1D(3, strides=2, padding='same'), steps),
        ('max_pooling1d overlapping', L.MaxPooling1D([3], strides=1), steps),
        ('average_pooling1d', L.AveragePooling1D(2), steps),
        ('average_pooling1d same', L.AveragePooling1D(4, strides=3, padding='same'), steps),
        ('max_pooling3d', L.MaxPooling3D(), volume),
        ('max_pooling3d same', L.MaxPooling3D((3, 2, 3), strides=2, padding='same'), volume),
        ('average_pooling3d', L.AveragePooling3D(2), volume),
        ('average_pooling3d same', L.AveragePooling3D((2, 3, 3), strides=(2, 1, 2), padding='same'), volume),
    ]:
        add(file, layer, x, name=name)
    for keep in ({}, {'keepdims': True}):
        for axes, x in ((1, steps), (3, volume)):
            for kind in ('Max', 'Average'):
                add(file, getattr(L, f'Global{kind}Pooling{axes}D')(**keep), x,
                    name=f'global {kind} {axes}d {" ".join(keep)}')
    for axes, x, sizes in ((1, steps, (4, 9, 11)), (2, file.normal(2, 5, 7, 3), (3, (5, 2))), (3, volume, (2, (3, 4, 1)))):
        for kind in ('Max', 'Average'):
            for size in sizes:
                add(file, getattr(L, f'Adaptive{kind}Pooling{axes}D')(size), x, name=f'adaptive {kind} {axes}d {size}')


def borders(file):
    steps, image, volume = file.normal(2, 5, 3), file.normal(2, 3, 4, 2), file.normal(2, 4, 3, 5, 2)
    for name, layer, x in [
        ('zero_padding1d', L.ZeroPadding1D(), steps),
        ('zero_padding1d each side', L.ZeroPadding1D((2, 0)), steps),
        ('zero_padding3d', L.ZeroPadding3D(), volume),
        ('zero_padding3d each axis', L.ZeroPadding3D((1, 0, 2)), volume),
        ('zero_padding3d each side', L.ZeroPadding3D(((0, 2), (1, 0), (1, 3))), volume),
        ('cropping1d', L.Cropping1D(), steps),
        ('cropping1d each side', L.Cropping1D((0, 3)), steps),
        ('cropping3d', L.Cropping3D(), volume),
        ('cropping3d each axis', L.Cropping3D((1, 0, 2)), volume),
        ('cropping3d each side', L.Cropping3D(((0, 2), (1, 1), (3, 0))), volume),
        ('up_sampling1d', L.UpSampling1D(), steps),
        ('up_sampling1d 3', L.UpSampling1D(3), steps),
        ('up_sampling3d', L.UpSampling3D(), volume),
        ('up_sampling3d each axis', L.UpSampling3D((1, 3, 2)), volume),
        ('up_sampling2d bilinear each axis', L.UpSampling2D((3, 2), interpolation='bilinear'), image),
        ('up_sampling2d bilinear of one row', L.UpSampling2D((4, 5), interpolation='bilinear'), file.normal(2, 1, 3, 2)),
    ]:
        add(file, layer, x, name=name)


def channels_first(file):
    steps, image, volume = file.normal(2, 6, 4), file.normal(2, 5, 4, 6), file.normal(1, 3, 4, 3, 2)
    for name, make, arguments, x, options in [
        ('conv1d', L.Conv1D, (3, 2), steps, {'padding': 'causal', 'activation': 'relu'}),
        ('conv2d', L.Conv2D, (3, 3), image, {'padding': 'same', 'strides': 2}),
        ('conv2d softmax', L.Conv2D, (5, 2), image, {'activation': 'softmax'}),
        ('conv3d', L.Conv3D, (3, 2), volume, {'padding': 'same'}),
        ('depthwise_conv1d', L.DepthwiseConv1D, (3,), steps, {}),
        ('depthwise_conv2d', L.DepthwiseConv2D, (2,), image, {'depth_multiplier': 2, 'activation': 'tanh'}),
        ('separable_conv1d', L.SeparableConv1D, (3, 2), steps, {}),
        ('separable_conv2d', L.SeparableConv2D, (4, 3), image, {'padding': 'same', 'activation': 'softmax'}),
        ('conv1d_transpose', L.Conv1DTranspose, (2, 3), steps, {'strides': 2}),
        ('conv2d_transpose', L.Conv2DTranspose, (2, 3), image, {'strides': (2, 1), 'padding': 'same'}),
        ('conv3d_transpose', L.Conv3DTranspose, (2, 2), volume, {'strides': 2}),
        ('max_pooling1d', L.MaxPooling1D, (2,), steps, {}),
        ('max_pooling2d', L.MaxPooling2D, ((2, 3),), image, {'strides': 1, 'padding': 'same'}),
        ('average_pooling2d', L.AveragePooling2D, (3,), image, {'strides': 2, 'padding': 'same'}),
        ('max_pooling3d', L.MaxPooling3D, ((2, 2, 1),), volume, {}),
        ('average_pooling1d', L.AveragePooling1D, (2,), steps, {}),
        ('average_pooling3d', L.AveragePooling3D, (2,), volume, {'strides': 1}),
    ]:
        first(file, name, make, *arguments, x=x, **options)
    # These Keras computes with channels first itself.
    image, volume = image.transpose(0, 3, 1, 2), volume.transpose(0, 4, 1, 2, 3)
    for make, arguments, x in [
        (L.Flatten, (), image), (L.Flatten, (), volume), (L.ZeroPadding1D, ((1, 2),), steps),
        (L.ZeroPadding2D, (((1, 0), (0, 2)),), image), (L.ZeroPadding3D, ((1, 2, 0),), volume),
        (L.Cropping2D, (((1, 0), (1, 2)),), image), (L.Cropping3D, ((1, 1, 0),), volume),
        (L.UpSampling2D, ((2, 3),), image), (L.UpSampling3D, ((1, 2, 2),), volume),
        (L.GlobalMaxPooling1D, (), steps), (L.GlobalAveragePooling1D, (True,), steps), (L.GlobalMaxPooling2D, (True,), image),
        (L.GlobalAveragePooling2D, (), image), (L.GlobalMaxPooling3D, (), volume), (L.GlobalAveragePooling3D, (True,), volume),
        (L.AdaptiveAveragePooling2D, (3,), image), (L.AdaptiveMaxPooling1D, (4,), steps),
    ]:
        options = {'keepdims': True} if arguments == (True,) else {}
        layer = make(*([] if options else arguments), **options, data_format='channels_first')
        add(file, layer, x, name=f'{layer.name} first {x.ndim}')
    for mode in (False, True):
        add(file, L.BatchNormalization(axis=1), image * 2 + 1, training=mode, name=f'batch_normalization axis 1 {mode}')
        add(file, L.BatchNormalization(axis=2, scale=False), image, training=mode, name=f'batch_normalization axis 2 {mode}')


# ---- trainings

def classes(file, count, samples):
    return file.random.integers(0, count, samples).astype(np.int32)


def train(file, name, model, x, y, steps=20, batch=8):
    training(file, name, model, [x], [y], batch, steps, as_written=True)


def sequences(file):
    """Convolutions of steps: a pattern of each class somewhere in noise."""
    x, y = file.normal(40, 24, 3) * 0.5, classes(file, 4, 40)
    for i, kind in enumerate(y):
        at = file.random.integers(0, 16)
        x[i, at:at + 6, kind % 3] += np.sin(np.arange(6) * (1 + kind))
    model = keras.Sequential([
        keras.Input((24, 3)), L.Conv1D(8, 5, padding='causal', activation='relu'), L.MaxPooling1D(2),
        L.SeparableConv1D(10, 3, padding='same', use_bias=False), L.BatchNormalization(), L.ReLU(), L.AveragePooling1D(2, padding='same'),
        L.Conv1D(8, 3, dilation_rate=2, padding='same', activation='gelu'), L.GlobalMaxPooling1D(),
        L.Dense(4, activation='softmax')])
    model.compile(O.SGD(0.1, momentum=0.9), 'sparse_categorical_crossentropy', metrics=['accuracy'])
    train(file, 'convolutions of steps', model, x.astype(np.float32), y)


def scans(file):
    x, y = file.normal(24, 6, 8, 8, 2), classes(file, 3, 24)
    for i, kind in enumerate(y):
        x[i, kind:kind + 3, 2:6, kind:kind + 4] += 1.5
    model = keras.Sequential([
        keras.Input((6, 8, 8, 2)), L.Conv3D(6, 3, padding='same', activation='relu'), L.MaxPooling3D((1, 2, 2)),
        L.Conv3D(8, (3, 2, 2), activation='elu'), L.BatchNormalization(), L.AveragePooling3D(2, padding='same'),
        L.Flatten(), L.Dense(3, activation='softmax')])
    model.compile(O.SGD(0.02, momentum=0.9), 'sparse_categorical_crossentropy', metrics=['accuracy'])
    train(file, 'convolutions of volumes', model, x.astype(np.float32), y)


def denoising(file):
    x = file.normal(16, 4, 4, 4, 1)
    model = keras.Sequential([keras.Input((4, 4, 4, 1)), L.Conv3D(4, 2, strides=2, activation='tanh'),
                              L.Conv3DTranspose(3, 3, strides=2, padding='same', activation='relu'), L.Conv3D(1, 1)])
    model.compile(O.Adam(0.02), 'mse')
    train(file, 'volumes made smaller and larger', model, x, x, steps=10)


def channels_come_first(file):
    """A model with channels first is one with channels last whose inputs are transposed: so it was trained."""
    x, y = file.normal(24, 9, 8, 3), classes(file, 4, 24)
    for i, kind in enumerate(y):
        x[i, 2 * kind:2 * kind + 3, :, kind % 3] += 1
    x = x.astype(np.float32)
    inputs = keras.Input((9, 8, 3), name='image')
    h = L.Conv2D(6, 3, padding='same', use_bias=False)(inputs)
    h = L.ReLU()(L.BatchNormalization()(h))
    side = L.SeparableConv2D(6, 3, padding='same', activation='relu')(h)
    h = L.Concatenate()([L.Add()([h, side]), L.DepthwiseConv2D(3, padding='same')(h)])
    h = L.AveragePooling2D(2)(L.LeakyReLU(negative_slope=0.1)(h))
    model = keras.Model(inputs, L.Dense(4, activation='softmax')(L.Flatten()(L.Conv2D(5, 2, activation='tanh')(h))))
    model.compile(O.SGD(0.02, momentum=0.5), 'sparse_categorical_crossentropy', metrics=['accuracy'])
    train(file, 'channels first', model, x, y)
    case = file.cases[-1]

    def moved(j):
        if isinstance(j, list):
            return [moved(v) for v in j]
        if not isinstance(j, dict):
            return 'channels_first' if j == 'channels_last' else j
        j = {k: moved(v) for k, v in j.items() if k != 'build_config'}
        if 'batch_shape' in j:
            j['batch_shape'] = [None, 3, 9, 8]
        if j.get('class_name') in ('BatchNormalization', 'Concatenate'):
            j['config']['axis'] = 1
        return j

    case['model'] = moved(case['model'])
    case['x'] = [file.put(x.transpose(0, 3, 1, 2))]


def masked(file):
    """The average of the steps that count."""
    x = file.normal(16, 6, 3)
    lengths = file.random.integers(1, 7, 16)
    for i, n in enumerate(lengths):
        x[i, n:] = 0
    model = keras.Sequential([keras.Input((6, 3)), L.Masking(), L.Dense(5, activation='tanh'), L.GlobalAveragePooling1D(),
                              L.Dense(2)])
    model.compile(O.SGD(0.1), 'mse')
    train(file, 'an average by a mask', model, x, file.normal(16, 2), steps=5)


def make(folder):
    file = Golden('nn_dims', seed=20261129)
    for family in (convolutions, volumes, images, pooling, borders, channels_first, sequences, scans, denoising,
                   channels_come_first, masked):
        keras.utils.clear_session()
        family(file)
    file.save(folder)


if __name__ == '__main__':
    make(here())
