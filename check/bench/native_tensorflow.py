"""TensorFlow natively, for native.py."""
import os

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
os.environ.setdefault('CUDA_VISIBLE_DEVICES', '-1')

import tensorflow as tf

tf.config.threading.set_intra_op_parallelism_threads(2)
tf.config.threading.set_inter_op_parallelism_threads(1)
about = f'{tf.__version__}, 2 threads'
compiler = 'XLA'


def logits(layers, weights, h):
    weights = iter(weights)
    for layer in layers:
        if layer['type'] == 'flatten':
            h = tf.reshape(h, [h.shape[0], -1])
            continue
        if layer['type'] == 'maxPool':
            h = tf.nn.max_pool2d(h, layer['size'], layer['size'], 'VALID')
            continue
        kernel, bias = next(weights)
        product = tf.linalg.matmul(h, kernel) if layer['type'] == 'dense' else tf.nn.conv2d(h, kernel, 1, 'SAME')
        h = tf.nn.bias_add(product, bias)
        if layer['relu']:
            h = tf.nn.relu(h)
    return h


def make_step(cell, weights, x, y, compiled):
    weights = [(tf.Variable(kernel), tf.Variable(bias)) for kernel, bias in weights]
    x, y = [tf.constant(v) for v in x], [tf.constant(v) for v in y]

    @tf.function(jit_compile=compiled)
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(y, logits(cell['layers'], weights, x)))
        flat = [w for pair in weights for w in pair]
        for w, d in zip(flat, tape.gradient(loss, flat)):
            w.assign_sub(cell['rate'] * d)
        return loss

    return lambda i: float(step(x[i], y[i]))
