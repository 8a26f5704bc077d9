"""TensorFlow natively, for ./dev bench train --native: answers a line of JSON with a line of JSON.

  {"create": {"layers", "width", "batch", "inputs", "classes", "rate"}, "data": FILE}  ->  {"about": ".."}
  {"step": i}     trains on batch i                                                    ->  {"loss": mean before the update}
  {"slice": ms}   trains for so long, reading each loss                                ->  {"ms": a step}

FILE has float32: kernel [in,out] and bias of each layer, then the batches x [batch,inputs], then their labels
[batch,classes], one-hot.
"""
import json
import os
import sys
import time

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
os.environ.setdefault('CUDA_VISIBLE_DEVICES', '-1')
# What libraries print must not get between the answers.
answers = os.fdopen(os.dup(1), 'w', buffering=1)
os.dup2(2, 1)

import numpy as np
import tensorflow as tf

tf.config.threading.set_intra_op_parallelism_threads(2)
tf.config.threading.set_inter_op_parallelism_threads(1)
BATCHES = 8


def make_step(weights, rate, compiled):
    @tf.function(jit_compile=compiled)
    def step(x, y):
        with tf.GradientTape() as tape:
            h = x
            for i in range(0, len(weights), 2):
                h = tf.linalg.matmul(h, weights[i]) + weights[i + 1]
                if i + 2 < len(weights):
                    h = tf.nn.relu(h)
            loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(y, h))
        for w, d in zip(weights, tape.gradient(loss, weights)):
            w.assign_sub(rate * d)
        return loss

    return step


class Network:
    def __init__(self, cell, file):
        data, at = np.fromfile(file, np.float32), 0

        def take(*shape):
            nonlocal at
            size = int(np.prod(shape))
            at += size
            return data[at - size:at].reshape(shape)

        sizes = [cell['inputs'], *[cell['width']] * cell['layers'], cell['classes']]
        start = [w for a, b in zip(sizes, sizes[1:]) for w in (take(a, b), take(b))]
        self.x = [tf.constant(take(cell['batch'], cell['inputs'])) for _ in range(BATCHES)]
        self.y = [tf.constant(take(cell['batch'], cell['classes'])) for _ in range(BATCHES)]
        # XLA or not, whichever is faster for this network.
        best = None
        for compiled in (False, True):
            weights = [tf.Variable(w) for w in start]
            self.step = make_step(weights, cell['rate'], compiled)
            took = min(self.slice(30) for _ in range(5))
            if best is None or took < best[0]:
                best = (took, compiled)
        self.compiled = best[1]
        self.step = make_step([tf.Variable(w) for w in start], cell['rate'], self.compiled)

    def train(self, i):
        return float(self.step(self.x[i % BATCHES], self.y[i % BATCHES]))

    def slice(self, ms):
        self.train(0)
        start, steps = time.perf_counter(), 0
        while True:
            self.train(steps)
            steps += 1
            spent = time.perf_counter() - start
            if spent * 1e3 >= ms:
                return spent * 1e3 / steps


def main():
    network = None
    for line in sys.stdin:
        request = json.loads(line)
        if 'create' in request:
            network = Network(request['create'], request['data'])
            answer = {'about': f'{tf.__version__}, 2 threads{", XLA" if network.compiled else ""}'}
        elif 'step' in request:
            answer = {'loss': network.train(request['step'])}
        else:
            answer = {'ms': network.slice(request['slice'])}
        answers.write(json.dumps(answer) + '\n')


if __name__ == '__main__':
    main()
