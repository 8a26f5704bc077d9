"""Makes the files of the models that ./dev bench infer runs: python models.py [--fjord] FOLDER [NAME...]

FOLDER/NAME/ then holds one model for every framework, all with the same seeded weights:

  model.safetensors   for Fjord: Keras JSON and weights
  model.json          the description alone, as keras.Model.to_json() writes it
  model.onnx          for ONNX Runtime
  model.tflite        for LiteRT
  input.bin           one sample, float32
  output.bin          what TensorFlow makes of it

With --fjord the files of other frameworks are left out, and so is the need for their converters.

Names are those of the paper's dense grid (layers x width, such as 2x128) and of six convolutional networks. Their weights
are drawn, not learned, so that nothing need be downloaded; the statistics of batch normalisation are those of a batch of
noise, and the last layer is scaled, so that the output depends on the input as a trained network's does.
"""
import multiprocessing
import os
import sys

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
os.environ.setdefault('CUDA_VISIBLE_DEVICES', '-1')

import keras
import numpy as np
import safetensors.numpy
import tensorflow as tf

L = keras.layers
apps = keras.applications


def dense(layers, width):
    return keras.Sequential([keras.Input((784,)), *(L.Dense(width, activation='relu') for _ in range(layers)),
                             L.Dense(10, activation='softmax')])


def squeezenet():
    """SqueezeNet 1.1 (Iandola et al. 2016, and the authors' second release)."""
    def fire(x, squeeze, expand):
        x = L.Conv2D(squeeze, 1, activation='relu')(x)
        return L.Concatenate()([L.Conv2D(expand, 1, activation='relu')(x),
                                L.Conv2D(expand, 3, padding='same', activation='relu')(x)])

    inputs = keras.Input((227, 227, 3))
    x = L.MaxPooling2D(3, 2)(L.Conv2D(64, 3, strides=2, activation='relu')(inputs))
    x = L.MaxPooling2D(3, 2)(fire(fire(x, 16, 64), 16, 64))
    x = L.MaxPooling2D(3, 2)(fire(fire(x, 32, 128), 32, 128))
    for squeeze, expand in ((48, 192), (48, 192), (64, 256), (64, 256)):
        x = fire(x, squeeze, expand)
    x = L.GlobalAveragePooling2D()(L.Conv2D(1000, 1, activation='relu')(x))
    return keras.Model(inputs, L.Softmax()(x))


MODELS = {
    **{f'{layers}x{width}': lambda layers=layers, width=width: dense(layers, width)
       for layers in (1, 2, 4, 8) for width in (64, 128, 256)},
    'squeezenet': squeezenet,
    'mobilenetv2': lambda: apps.MobileNetV2(weights=None),
    'resnet50': lambda: apps.ResNet50(weights=None),
    'densenet121': lambda: apps.DenseNet121(weights=None),
    'inceptionv3': lambda: apps.InceptionV3(weights=None),
    'vgg16': lambda: apps.VGG16(weights=None),
}


def draw(model, random):
    """Weights that keep the scale of what passes through (He et al. 2015), biases that are not zero."""
    for layer in model.layers:
        for w in layer.weights:
            if 'kernel' in w.name:
                fan_in = np.prod(w.shape[:2]) if isinstance(layer, L.DepthwiseConv2D) else np.prod(w.shape[:-1])
                w.assign(random.normal(0, np.sqrt(2 / fan_in), w.shape))
            elif w.name in ('gamma', 'bias', 'beta'):
                w.assign(random.normal(1.0 if w.name == 'gamma' else 0, 0.1, w.shape))


def samples(model, random, count):
    """Soft blots of colour with noise on them, as a photograph has regions; or plain noise for vectors."""
    shape = (count, *model.input_shape[1:])
    x = random.normal(0, 1, shape)
    if len(shape) == 4:
        blots = random.normal(0, 2, (count, 5, 5, shape[3])) + random.normal(0, 1, (count, 1, 1, shape[3]))
        x = 0.3 * x + tf.image.resize(blots, shape[1:3], 'bicubic').numpy()
    return x.astype(np.float32)


def enliven(model, random):
    """Batch statistics of noise, and an output that is neither uniform nor one-hot."""
    norms = [layer for layer in model.layers if isinstance(layer, L.BatchNormalization)]
    if norms:
        momentum = [layer.momentum for layer in norms]
        for layer in norms:
            layer.momentum = 0
        model(samples(model, random, 4), training=True)
        for layer, value in zip(norms, momentum):
            layer.momentum = value
    last = [layer for layer in model.layers if layer.weights][-1]
    x = samples(model, random, 2)
    for _ in range(3):
        logits = np.log(np.maximum(model(x).numpy(), 1e-30))
        scale = 1.5 / logits.std()
        for w in last.weights:
            w.assign(w * scale)
    a, b = model(x).numpy()
    if not (np.abs(a - b).max() > 0.02 * a.max() and a.max() < 0.9):
        raise ValueError(f'{model.name}: the output does not depend on the input: {a.max()}, {np.abs(a - b).max()}')


def fjord_name(layer, weight):
    name = 'depthwise_kernel' if isinstance(layer, L.DepthwiseConv2D) and weight.name == 'kernel' else weight.name
    return f'{layer.name}/{name}'


def write_plain_onnx(model, path):
    """A plain sequence of layers as ONNX. The converter takes more than 20 GB for VGG-16's 138 million weights."""
    import onnx
    h = onnx.helper
    nodes, weights = [], []

    def add(op, inputs, **attributes):
        nodes.append(h.make_node(op, inputs, [f'v{len(nodes)}'], **attributes))
        return nodes[-1].output[0]

    def store(value):
        weights.append(onnx.numpy_helper.from_array(np.ascontiguousarray(value), f'w{len(weights)}'))
        return weights[-1].name

    v = 'x'
    for layer in model.layers:
        kind = type(layer)
        if kind is L.InputLayer:
            v = add('Transpose', [v], perm=[0, 3, 1, 2])
            continue
        if kind is L.MaxPooling2D:
            v = add('MaxPool', [v], kernel_shape=layer.pool_size, strides=layer.strides)
            continue
        if kind is L.Flatten:
            v = add('Flatten', [add('Transpose', [v], perm=[0, 2, 3, 1])])
            continue
        kernel, bias = (w.numpy() for w in layer.weights)
        if kind is L.Conv2D and layer.padding == 'same' and layer.strides == (1, 1):
            pad = layer.kernel_size[0] // 2
            v = add('Conv', [v, store(kernel.transpose(3, 2, 0, 1)), store(bias)], pads=[pad] * 4)
        elif kind is L.Dense:
            v = add('Gemm', [v, store(kernel), store(bias)])
        else:
            raise ValueError(f'{layer.name}: not a layer of a plain sequence')
        activation = keras.activations.serialize(layer.activation)
        v = add({'relu': 'Relu', 'softmax': 'Softmax'}[activation], [v])
    shapes = [h.make_tensor_value_info(name, onnx.TensorProto.FLOAT, (1, *shape[1:]))
              for name, shape in (('x', model.input_shape), (v, model.output_shape))]
    graph = h.make_graph(nodes, model.name, shapes[:1], shapes[1:], weights)
    onnx.save(h.make_model(graph, opset_imports=[h.make_opsetid('', 17)], ir_version=8), path)


def convert(model, path):
    """The files for ONNX Runtime and LiteRT."""
    import tf2onnx
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
    signature = (tf.TensorSpec((1, *model.input_shape[1:]), tf.float32, name='x'),)
    function = tf.function(lambda x: model(x, training=False), input_signature=signature)
    if model.name == 'vgg16':
        write_plain_onnx(model, path('model.onnx'))
    else:
        tf2onnx.convert.from_function(function, signature, opset=17, output_path=path('model.onnx'))
    frozen = convert_variables_to_constants_v2(function.get_concrete_function())
    converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen])
    with open(path('model.tflite'), 'wb') as file:
        file.write(converter.convert())


def make(folder, name, only_fjord):
    keras.utils.clear_session()
    random = np.random.default_rng(20190513)
    model = MODELS[name]()
    draw(model, random)
    enliven(model, random)
    partial = os.path.join(folder, f'{name}.partial')
    os.makedirs(partial, exist_ok=True)

    def path(file):
        return os.path.join(partial, file)

    weights = {fjord_name(layer, w): w.numpy() for layer in model.layers for w in layer.weights}
    description = model.to_json()
    safetensors.numpy.save_file(weights, path('model.safetensors'), metadata={'model': description})
    with open(path('model.json'), 'w', encoding='utf-8') as file:
        file.write(description)
    x = samples(model, random, 1)
    x.tofile(path('input.bin'))
    model(x).numpy().astype(np.float32).tofile(path('output.bin'))
    if not only_fjord:
        convert(model, path)
    os.rename(partial, os.path.join(folder, name))


def main(folder, names, only_fjord):
    missing = [name for name in names or MODELS if not os.path.isdir(os.path.join(folder, name))]
    for i, name in enumerate(missing):
        print(f'making the files of {name} ({i + 1} of {len(missing)})', flush=True)
        # In a process of its own: the converters keep what they have allocated.
        process = multiprocessing.get_context('spawn').Process(target=make, args=(folder, name, only_fjord))
        process.start()
        process.join()
        if process.exitcode:
            sys.exit(f'{name} could not be made: the process ended with {process.exitcode}')


if __name__ == '__main__':
    only_fjord = '--fjord' in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != '--fjord']
    unknown = [name for name in arguments[1:] if name not in MODELS]
    if not arguments or unknown:
        sys.exit(f'{__doc__}\nThere is no {", ".join(unknown)}' if unknown else __doc__)
    main(arguments[0], arguments[1:], only_fjord)
