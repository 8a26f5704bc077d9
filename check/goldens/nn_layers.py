"""Golden values of the layers: what Keras computes for each, its gradients, and its weights after a call in training.

A case: {class_name, config: what was given, defaults: the rest of Keras's config, training, inputs [@], weights {name: @}, output @, dy @, input_gradients [@],
weight_gradients {name: @ or null where it is not trained}, updated {name: @}}.
"""
from nn_golden import Golden, description, here, keras, np, split, tf

L = keras.layers


def add(file, layer, *inputs, training=False, name=None, shown=None):
    """`shown` is the layer whose description is written, where `layer` computes what that one would."""
    xs = [tf.constant(x) for x in inputs]
    arg = xs if len(xs) > 1 else xs[0]
    layer(arg)
    for w in layer.weights:
        # Weights far from what initializers give, so that none can stand in for another.
        value = file.normal(*w.shape) * 0.5
        w.assign(np.abs(value) + 0.5 if w.name in ('moving_variance', 'gamma') else value)
    weights = {w.name: file.put(w.numpy()) for w in layer.weights}
    # Parts of a layer (SeparableConv2D) would be told apart by path; none of the layers here needs it.
    assert len(weights) == len(layer.weights)
    before = {w.name: w.numpy() for w in layer.weights}
    with tf.GradientTape() as tape:
        for x in xs:
            tape.watch(x)
        y = layer(arg, training=training)
        dy = file.normal(*y.shape)
        s = tf.reduce_sum(y * dy)
    trained = {w.name: w.value for w in layer.trainable_weights}
    dx, dw = tape.gradient(s, (xs, trained))
    d = description(shown or layer)
    given, filled = split(shown or layer, {k: v for k, v in d['config'].items() if not k.endswith('_initializer')})
    file.case(
        name=name or layer.name, class_name=d['class_name'], config=given, defaults=filled, training=training,
        inputs=[file.put(x) for x in inputs], weights=weights, output=file.put(y), dy=file.put(dy),
        input_gradients=[file.put(g) for g in dx],
        weight_gradients={n: file.put(tf.convert_to_tensor(dw[n])) if n in dw else None for n in weights},
        updated={w.name: file.put(w.numpy()) for w in layer.weights if np.any(before[w.name] != w.numpy())})


def activations(file):
    # Both tails and the middle, none of it on a corner of a piecewise function.
    tails = np.array([[-90.3, -20.7, -8.1, -4.4, -3.3, -2.2, -1.3, -0.7], [-0.3, -0.01, 0.01, 0.2, 0.45, 0.7, 0.9, 1.2],
                      [1.9, 2.6, 3.4, 4.2, 5.3, 7.7, 21.2, 88.5]], np.float32)
    # Keras 3.15's sparsemax on TensorFlow takes the sum of all partial sums for the last: it does not add up to 1.
    names = [n for n in dir(keras.activations)
             if not n.startswith('_') and n not in ('get', 'serialize', 'deserialize', 'threshold') and n != 'sparsemax']
    for name in names:
        add(file, L.Activation(name), tails, name=f'activation {name}')


def advanced(file):
    x = file.normal(3, 5) * 3
    image = file.normal(2, 3, 4, 2) * 2
    for options in [{}, {'negative_slope': 0.2}, {'max_value': 1.5}, {'threshold': 0.7},
                    {'negative_slope': 0.1, 'max_value': 2.0, 'threshold': 0.5}, {'max_value': 6.0}]:
        add(file, L.ReLU(**options), x, name=f'relu {options}')
    add(file, L.LeakyReLU(), x)
    add(file, L.LeakyReLU(negative_slope=0.05), image, name='leaky_re_lu 0.05')
    add(file, L.ELU(), x)
    add(file, L.ELU(alpha=0.4), x, name='elu 0.4')
    add(file, L.PReLU(), x, name='prelu')
    add(file, L.PReLU(shared_axes=[1, 2]), image, name='prelu shared')
    add(file, L.Softmax(), x, name='softmax')
    add(file, L.Softmax(axis=1), image, name='softmax axis 1')
    add(file, L.Dropout(0.4), x, name='dropout in inference')
    add(file, L.Dropout(0.0), x, training=True, name='dropout of nothing')
    add(file, L.Rescaling(1 / 127.5, offset=-1), image * 100, name='rescaling')
    add(file, L.Rescaling([0.5, 2.0], offset=[-1.0, 1.0]), image, name='rescaling by channel')


def dense(file):
    x = file.normal(3, 5)
    add(file, L.Dense(4), x, name='dense')
    add(file, L.Dense(4, activation='tanh', use_bias=False), x, name='dense without bias')
    add(file, L.Dense(3, activation='softmax'), file.normal(2, 4, 5), name='dense rank 3')
    add(file, L.Dense(4, activation=L.LeakyReLU(negative_slope=0.1)), x, name='dense with a layer as activation')
    add(file, L.Activation(L.ReLU(max_value=0.8)), x, name='activation that is a layer')
    add(file, L.Dense(2, activation='gelu'), file.normal(2, 2, 3, 4), name='dense rank 4')


def shapes(file):
    image = file.normal(2, 3, 4, 2)
    add(file, L.Flatten(), image, name='flatten')
    add(file, L.Flatten(), file.normal(3, 5), name='flatten of rank 2')
    add(file, L.Reshape((4, 6)), image, name='reshape')
    add(file, L.Reshape((2, -1)), image, name='reshape with a free axis')
    add(file, L.Permute((3, 1, 2)), image, name='permute')
    add(file, L.RepeatVector(3), file.normal(2, 4), name='repeat_vector')
    add(file, L.ZeroPadding2D(), image, name='zero_padding2d')
    add(file, L.ZeroPadding2D((1, 2)), image, name='zero_padding2d 1 2')
    add(file, L.ZeroPadding2D(((1, 0), (0, 2))), image, name='zero_padding2d each side')
    add(file, L.Cropping2D(((1, 0), (1, 2))), image, name='cropping2d each side')
    add(file, L.Cropping2D((1, 0)), image, name='cropping2d')
    add(file, L.UpSampling2D(), image, name='up_sampling2d')
    add(file, L.UpSampling2D((1, 3)), image, name='up_sampling2d 1 3')
    add(file, L.UpSampling2D(2, interpolation='bilinear'), image, name='up_sampling2d bilinear')


def convolutions(file):
    x = file.normal(2, 7, 6, 4)
    odd = file.normal(1, 9, 8, 3)
    for name, layer, image in [
        ('conv2d', L.Conv2D(3, 3), x),
        ('conv2d same', L.Conv2D(3, (2, 3), padding='same', activation='relu'), x),
        ('conv2d strides', L.Conv2D(5, 3, strides=2, padding='same', use_bias=False), odd),
        ('conv2d valid strides', L.Conv2D(2, (3, 2), strides=(3, 2)), odd),
        ('conv2d dilation', L.Conv2D(2, 3, dilation_rate=(2, 1), padding='same'), odd),
        ('conv2d dilation valid', L.Conv2D(2, 2, dilation_rate=3), odd),
        ('conv2d groups', L.Conv2D(6, 3, groups=2, padding='same', activation='tanh'), x),
        ('conv2d groups strides', L.Conv2D(4, 2, groups=4, strides=2), x),
        ('conv2d 1x1', L.Conv2D(5, 1, strides=2), x),
        ('depthwise_conv2d', L.DepthwiseConv2D(3), x),
        ('depthwise_conv2d multiplier', L.DepthwiseConv2D(3, depth_multiplier=2, padding='same'), x),
        ('depthwise_conv2d strides', L.DepthwiseConv2D(2, strides=2, use_bias=False, activation='silu'), x),
        ('depthwise_conv2d dilation', L.DepthwiseConv2D(2, dilation_rate=2, padding='same'), x),
        ('separable_conv2d', L.SeparableConv2D(3, 3), x),
        ('separable_conv2d multiplier',
         L.SeparableConv2D(5, (2, 3), depth_multiplier=2, padding='same', activation='relu', use_bias=False), x),
        ('separable_conv2d strides', L.SeparableConv2D(3, 3, strides=2, padding='same'), x),
        ('conv2d_transpose', L.Conv2DTranspose(3, 3), x),
        ('conv2d_transpose strides', L.Conv2DTranspose(2, 3, strides=2), x),
        ('conv2d_transpose same', L.Conv2DTranspose(2, 3, strides=2, padding='same', activation='sigmoid'), x),
        ('conv2d_transpose narrow', L.Conv2DTranspose(2, (2, 1), strides=(3, 2), use_bias=False), x),
        ('conv2d_transpose narrow same', L.Conv2DTranspose(2, (1, 2), strides=3, padding='same'), x),
        ('conv2d_transpose output padding', L.Conv2DTranspose(2, 3, strides=2, padding='same', output_padding=1), x),
    ]:
        add(file, layer, image, name=name)


def pooling(file):
    x = file.normal(2, 7, 6, 3)
    for name, layer in [
        ('max_pooling2d', L.MaxPooling2D()),
        ('max_pooling2d same', L.MaxPooling2D((3, 2), strides=2, padding='same')),
        ('max_pooling2d overlapping', L.MaxPooling2D(3, strides=(1, 2))),
        ('average_pooling2d', L.AveragePooling2D(2)),
        ('average_pooling2d same', L.AveragePooling2D((3, 2), strides=2, padding='same')),
        ('average_pooling2d overlapping', L.AveragePooling2D(3, strides=(1, 2), padding='same')),
        ('global_max_pooling2d', L.GlobalMaxPooling2D()),
        ('global_max_pooling2d keepdims', L.GlobalMaxPooling2D(keepdims=True)),
        ('global_average_pooling2d', L.GlobalAveragePooling2D()),
        ('global_average_pooling2d keepdims', L.GlobalAveragePooling2D(keepdims=True)),
    ]:
        add(file, layer, x, name=name)


def normalization(file):
    image, rows = file.normal(3, 4, 3, 5) * 2 + 1, file.normal(6, 4) * 3 - 1
    for training in (False, True):
        mode = 'training' if training else 'inference'
        for name, options, x in [
            ('', {}, image), (' of rank 2', {'momentum': 0.8, 'epsilon': 1e-5}, rows),
            (' without scale', {'scale': False}, image), (' without center', {'center': False}, rows),
            (' frozen', {'trainable': False}, rows),
        ]:
            add(file, L.BatchNormalization(**options), x, training=training, name=f'batch_normalization{name} {mode}')
    add(file, L.BatchNormalization(axis=1), image, training=True, name='batch_normalization axis 1')
    add(file, L.BatchNormalization(renorm=True), rows, name='batch_normalization renorm')
    for name, options, x in [
        ('', {}, image), (' of rank 2', {'epsilon': 1e-6}, rows), (' axes 2 3', {'axis': [2, 3]}, image),
        (' axis 1', {'axis': 1}, image), (' without scale', {'scale': False}, rows),
        (' without center', {'center': False}, rows), (' rms_scaling', {'rms_scaling': True}, rows),
    ]:
        add(file, L.LayerNormalization(**options), x, name=f'layer_normalization{name}')


def merging(file):
    a, b, c = file.normal(3, 4, 5), file.normal(3, 4, 5), file.normal(3, 4, 5)
    row = file.normal(3, 5)
    for layer, count in [(L.Add(), 3), (L.Subtract(), 2), (L.Multiply(), 3), (L.Average(), 3), (L.Maximum(), 3),
                         (L.Minimum(), 3)]:
        add(file, layer, *[a, b, c][:count])
        # Keras puts the missing axes after the batch.
        add(file, type(layer)(), a, row, name=f'{layer.name} of two ranks')
    add(file, L.Add(), a, file.normal(3, 1, 5), name='add broadcast')
    add(file, L.Concatenate(), a, b, file.normal(3, 4, 2), name='concatenate')
    add(file, L.Concatenate(axis=1), a, file.normal(3, 2, 5), name='concatenate axis 1')
    for name, options, x, y in [
        ('', {'axes': 1}, row, file.normal(3, 5)), (' normalized', {'axes': -1, 'normalize': True}, row, c[:, 0]),
        (' 1 1', {'axes': 1}, a, file.normal(3, 4, 2)), (' 2 1', {'axes': (2, 1)}, a, file.normal(3, 5, 3)),
        (' 2 2', {'axes': 2, 'normalize': True}, a, b), (' 1 2', {'axes': (1, 2)}, a, file.normal(3, 3, 4)),
        (' ranks 2 3', {'axes': (1, 2)}, row, a), (' ranks 3 2', {'axes': (2, 1)}, a, row),
    ]:
        add(file, L.Dot(**options), x, y, name=f'dot{name}')


def steps(file):
    x = file.normal(2, 4, 3) * (file.random.uniform(size=(2, 4, 1)) < 0.5)
    add(file, L.Masking(), x)
    add(file, L.Masking(mask_value=0.5), x + 0.5, name='masking 0.5')
    add(file, L.TimeDistributed(L.Dense(4, activation='tanh')), x, name='time_distributed')
    add(file, L.TimeDistributed(L.Conv2D(2, 2)), file.normal(2, 3, 4, 4, 2), name='time_distributed conv2d')


def make(folder):
    file = Golden('nn_layers', seed=20260101)
    for family in (activations, advanced, dense, shapes, convolutions, pooling, normalization, merging, steps):
        family(file)
    file.save(folder)


if __name__ == '__main__':
    make(here())
