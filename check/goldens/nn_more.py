"""Golden values of layers of noise, of images and of encodings: cases as those of nn_layers.py, and trainings (nn_golden.py).

What a random layer computes is known where its draw is: of an interval of one number, such as a rotation by 0.1 to 0.1 turns.
"""
from nn_golden import Golden, description, here, keras, np, split, tf, training

L = keras.layers
O = keras.optimizers
R = keras.regularizers


def by_tape(layer, x, training, dy):
    with tf.GradientTape() as tape:
        tape.watch(x)
        s = tf.reduce_sum(layer(x, training=training) * dy)
    return tape.gradient(s, x)


def by_units(layer, x, training, dy):
    """Of a layer that is linear in each image, up to a constant: its values for images of one pixel."""
    size = int(np.prod(x.shape[1:]))
    units = np.eye(size, dtype=np.float32).reshape(size, *x.shape[1:])
    rows = layer(units, training=training) - layer(np.zeros_like(units), training=training)
    return np.einsum('khwc,nhwc->nk', rows, dy).reshape(x.shape)


def add(file, name, layer, x, training=False, gradient=by_tape):
    x = tf.constant(x)
    y = layer(x, training=training)
    dy = file.normal(*y.shape)
    d = description(layer)
    given, filled = split(layer, {k: v for k, v in d['config'].items() if not k.endswith('_initializer')})
    file.case(name=name, class_name=d['class_name'], config=given, defaults=filled, training=training, inputs=[file.put(x)],
              weights={w.name: file.put(w.numpy()) for w in layer.weights}, output=file.put(y), dy=file.put(dy),
              input_gradients=[file.put(gradient(layer, x, training, dy))] if gradient else [],
              weight_gradients={w.name: None for w in layer.weights}, updated={})


def noise(file):
    x, steps, image, volume = file.normal(3, 5), file.normal(2, 4, 3), file.normal(2, 3, 4, 2), file.normal(1, 2, 3, 2, 2)
    for layer, nothing, input in [
        (L.SpatialDropout1D(0.4), L.SpatialDropout1D(0), steps), (L.SpatialDropout2D(0.4), L.SpatialDropout2D(0), image),
        (L.SpatialDropout3D(0.4), L.SpatialDropout3D(0), volume), (L.AlphaDropout(0.4), L.AlphaDropout(0), x),
        (L.AlphaDropout(0.4, noise_shape=[None, 1]), L.AlphaDropout(0), x), (L.Dropout(0.4, noise_shape=[None, 1]), L.Dropout(0), x),
        (L.GaussianDropout(0.4), L.GaussianDropout(0), x), (L.GaussianNoise(0.4), L.GaussianNoise(0), x)]:
        add(file, f'{layer.name} in prediction', layer, input)
        add(file, f'{layer.name} of nothing', nothing, input, training=True)


def others(file):
    from keras.src.legacy.layers import ThresholdedReLU
    x = file.normal(3, 5) * 2
    add(file, 'identity', L.Identity(), x)
    add(file, 'activity_regularization', L.ActivityRegularization(0.1, 0.2), x, training=True)
    add(file, 'thresholded_re_lu', ThresholdedReLU(), x)
    add(file, 'thresholded_re_lu 0.3', ThresholdedReLU(theta=0.3), x)


def sizes(file):
    image = file.random.uniform(0, 255, (2, 5, 7, 3)).astype(np.float32)
    for size in ((3, 4), (8, 9), (5, 3), (1, 1)):
        for options in ({}, {'interpolation': 'nearest'}, {'crop_to_aspect_ratio': True}, {'pad_to_aspect_ratio': True, 'fill_value': 9.0}):
            add(file, f'resizing {size} {options}', L.Resizing(*size, **options), image)
    whole = file.random.integers(0, 256, (2, 3, 4, 3)).astype(np.int32)
    for kind in ('bilinear', 'nearest'):
        add(file, f'resizing of whole numbers {kind}', L.Resizing(5, 6, interpolation=kind), whole, gradient=None)
    for size in ((3, 4), (2, 6), (5, 7), (8, 4), (6, 9), (2, 10)):
        add(file, f'center_crop {size}', L.CenterCrop(*size), image)
    add(file, 'center_crop of whole numbers', L.CenterCrop(2, 2), whole, gradient=None)


def augmented(file):
    image = file.random.uniform(0, 255, (2, 4, 5, 2)).astype(np.float32)
    for layer in [L.RandomFlip(), L.RandomFlip('horizontal'), L.RandomContrast(0.3), L.RandomBrightness(0.2), L.RandomRotation(0.2),
                  L.RandomTranslation(0.2, 0.3), L.RandomZoom(0.3)]:
        add(file, f'{layer.name} in prediction', layer, image)
    # Some of it beyond the range, but none on its end.
    add(file, 'random_brightness', L.RandomBrightness((0.3, 0.3)), image, training=True)
    add(file, 'random_brightness of a range', L.RandomBrightness((-0.4, -0.4), value_range=[-1, 1]), file.normal(2, 3, 4, 1), training=True)
    for fill in ({}, {'fill_mode': 'constant', 'fill_value': 7.0}, {'fill_mode': 'wrap'}, {'fill_mode': 'nearest'}):
        for kind in ('bilinear', 'nearest'):
            options = fill | ({} if kind == 'bilinear' else {'interpolation': kind})
            for layer in [L.RandomRotation((0.07, 0.07), **options), L.RandomTranslation((0.3, 0.3), (-0.45, -0.45), **options),
                          L.RandomZoom((0.4, 0.4), (-0.3, -0.3), **options)]:
                add(file, f'{layer.name} {options}', layer, image, training=True, gradient=by_units)
    add(file, 'random_rotation by a quarter', L.RandomRotation((-0.25, -0.25)), image, training=True, gradient=by_units)
    add(file, 'random_zoom in proportion', L.RandomZoom((0.4, 0.4), fill_mode='constant'), image, training=True, gradient=by_units)


def colors(file):
    image = file.random.uniform(0, 255, (2, 4, 5, 3)).astype(np.float32)
    unit = file.random.uniform(-1, 1, (2, 4, 5, 3)).astype(np.float32)
    always, never, span = (1.0, 1.0), (0.0, 0.0), [-1, 1]
    for layer in [L.RandomColorDegeneration(0.3), L.RandomGrayscale(), L.RandomHue(0.3), L.RandomInvert(), L.RandomPosterization(3),
                  L.Solarization(0.3, 0.3), L.RandomSharpness(0.5), L.RandomGaussianBlur(), L.RandomErasing(), L.Equalization(),
                  L.RandomShear(0.3, 0.2), L.RandomPerspective(), L.RandomElasticTransform(), L.RandAugment(), L.AugMix(),
                  L.RandomColorJitter(brightness_factor=0.2, hue_factor=0.5), L.RandomSaturation(0.4)]:
        add(file, f'{layer.name} in prediction', layer, image)
    for x, values in ((image, {}), (unit, {'value_range': span})):
        for layer in [L.RandomColorDegeneration((0.4, 0.4), **values), L.RandomColorDegeneration((-0.3, -0.3), **values),
                      L.RandomInvert(always, **values), L.RandomInvert(never, **values), L.Solarization(**values),
                      L.RandomSharpness((0.8, 0.8), **values), L.RandomSharpness((0.1, 0.1), **values), L.AutoContrast(**values),
                      L.RandomErasing(always, scale=always, fill_value=[0.25, 0.5, 0.75], **values)]:
            add(file, f'{layer.name} {values}', layer, x, training=True)
        # TensorFlow has no gradient of these. By half a turn a hue comes to the same place on both ways.
        for layer in [L.RandomHue(always, **values), L.RandomPosterization((3, 3), **values), L.RandomPosterization((1, 1), **values),
                      L.RandomColorJitter(brightness_factor=(0.1, 0.1), saturation_factor=(0.6, 0.6), hue_factor=always, **values)]:
            add(file, f'{layer.name} {values}', layer, x, training=True, gradient=None)
        for bins in ({}, {'bins': 16}):
            add(file, f'equalization {bins} {values}', L.Equalization(**bins, **values), x, training=True, gradient=None)
        for options in ({}, {'clip_limit': 0.0, 'tile_grid_size': (2, 2)}, {'clip_limit': 40.0, 'tile_grid_size': (1, 3)}):
            layer = L.ContrastLimitedAdaptiveHistogramEqualization(**options, **values)
            add(file, f'contrast_limited_adaptive_histogram_equalization {options} {values}', layer, file.random.uniform(
                *(values.get('value_range', [0, 255])), (2, 13, 10, 3)).astype(np.float32), training=True, gradient=None)
    for factor in (0.7, 0.2, -0.4):
        add(file, f'random_saturation {factor}', L.RandomSaturation((factor, factor)), image, training=True, gradient=None)
    for factor in (0.0, 1.0):
        add(file, f'random_grayscale {factor}', L.RandomGrayscale(factor), image, training=True)
    for size in (3, 5):
        layer = L.RandomGaussianBlur(always, kernel_size=size, sigma=(0.7, 0.7))
        add(file, f'random_gaussian_blur of {size}', layer, image, training=True)
    # Whole numbers, of which many are equal; and one value alone.
    whole = file.random.integers(0, 4, (2, 5, 6, 3)).astype(np.float32) * 60
    whole[..., 1] = 17
    add(file, 'equalization of few values', L.Equalization(), whole, training=True, gradient=None)
    add(file, 'auto_contrast of few values', L.AutoContrast(), whole, gradient=None)
    add(file, 'random_crop of the whole image', L.RandomCrop(8, 10), image, training=True)
    add(file, 'random_perspective of nothing', L.RandomPerspective(always, scale=0.0), image, training=True, gradient=None)
    add(file, 'random_shear of nothing', L.RandomShear(), image, training=True, gradient=by_units)
    add(file, 'random_elastic_transform of nothing', L.RandomElasticTransform(scale=0.0), image, training=True)
    add(file, 'pipeline', L.Pipeline([L.Rescaling(0.5), L.Rescaling(2.0, offset=1.0), L.Solarization()]), image, training=True)
    add(file, 'pipeline in prediction', L.Pipeline([L.Rescaling(0.5), L.RandomFlip()]), image)


def encodings(file):
    x, image = file.normal(6, 4) * 3 + 1, file.normal(3, 4, 2, 3) * 2
    for axis in (-1, 1, [1, -1], [3, 2, 1]):
        layer = L.Normalization(axis=axis)
        layer.adapt(image)
        add(file, f'normalization {axis}', layer, image)
    layer = L.Normalization()
    layer.adapt(x)
    add(file, 'normalization of rank 2', layer, x)
    add(file, 'normalization given', L.Normalization(mean=[1.0, -2.0, 0.5], variance=[4.0, 0.0, 0.25]), image)
    add(file, 'normalization by one number', L.Normalization(mean=1.0, variance=4.0), x)
    add(file, 'normalization undone', L.Normalization(mean=1.0, variance=4.0, invert=True), x)
    numbers = np.array([[0, 2, 2, 5], [4, 1, 0, 3], [5, 5, 5, 5]], np.int32)
    for mode in ('multi_hot', 'count', 'one_hot'):
        add(file, f'category_encoding {mode}', L.CategoryEncoding(6, mode), numbers, gradient=None)
        add(file, f'category_encoding {mode} of one', L.CategoryEncoding(6, mode), numbers[:, :1], gradient=None)
    # On boundaries as well.
    values = np.array([[-2, -1, 0], [0.5, 0.7, 1.5], [3, 4, 0.49]], np.float32)
    add(file, 'discretization', L.Discretization([-1.0, 0.5, 3.0]), values, gradient=None)
    for mode in ('multi_hot', 'count', 'one_hot'):
        add(file, f'discretization {mode}', L.Discretization([-1.0, 0.5, 3.0], output_mode=mode), values, gradient=None)


def trainings(file):
    x, y = file.normal(16, 4), file.normal(16, 2)
    for name, layer in [('activity_regularization', L.ActivityRegularization(0.01, 0.02)),
                        ('orthogonal_regularizer columns', L.Dense(3, kernel_regularizer=R.OrthogonalRegularizer(0.05, mode='columns')))]:
        model = keras.Sequential([keras.Input((4,)), L.Dense(5, activation='tanh'), layer, L.Dense(2)])
        model.compile(O.SGD(0.1), 'mse')
        training(file, f'training {name}', model, [x], [y], 8, 3, trajectory=True)
    normalization = L.Normalization(mean=[120.0, 130.0, 140.0], variance=[5000.0, 5500.0, 6000.0])
    model = keras.Sequential([
        keras.Input((6, 6, 3)), L.Resizing(8, 8), normalization, L.RandomBrightness((0.01, 0.01), value_range=[-2, 2]),
        L.RandomRotation((0.1, 0.1), fill_mode='nearest'), L.RandomZoom((0.2, 0.2)), L.Conv2D(4, 3, activation='relu'), L.Flatten(), L.Dense(2)])
    model.compile(O.Adam(0.01), 'mse')
    training(file, 'training on augmented images', model, [file.random.uniform(0, 255, (16, 6, 6, 3)).astype(np.float32)], [y], 8, 10, trajectory=True)


def make(folder):
    file = Golden('nn_more', seed=20261128)
    for family in (noise, others, sizes, augmented, encodings, trainings, colors):
        keras.utils.clear_session()
        family(file)
    file.save(folder)


if __name__ == '__main__':
    make(here())
