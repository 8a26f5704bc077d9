"""A framework natively, for ./dev bench train --native: answers a line of JSON with a line of JSON.

  {"create": cell}   the network of a cell (networks.mjs), its numbers from cell["data"]   ->  {"about": ".."}
  {"step": i}        trains on batch i                                                      ->  {"loss": mean before the update}
  {"slice": ms}      trains for so long, reading each loss                                  ->  {"ms": a step}

    python native.py tensorflow | pytorch

The frameworks are native_tensorflow.py and native_pytorch.py: about, and make_step(cell, weights, x, y), which gives a
function from the number of a batch to a loss.
"""
import importlib
import json
import os
import sys
import time

# What libraries print must not get between the answers.
answers = os.fdopen(os.dup(1), 'w', buffering=1)
os.dup2(2, 1)

import numpy as np


class Network:
    def __init__(self, framework, cell):
        data, at = np.fromfile(cell['data'], np.float32), 0

        def take(*shape):
            nonlocal at
            size = int(np.prod(shape))
            at += size
            return data[at - size:at].reshape(shape)

        kernels = [layer['kernel'] for layer in cell['layers'] if 'kernel' in layer]
        weights = [(take(*kernel), take(kernel[-1])) for kernel in kernels]
        x = [take(cell['batch'], *cell['input']) for _ in range(cell['batches'])]
        y = [take(cell['batch'], cell['classes']) for _ in range(cell['batches'])]
        self.batches = cell['batches']
        # Compiled or not, whichever is faster for this network.
        best = None
        for compiled in (False, True):
            self.step = framework.make_step(cell, weights, x, y, compiled)
            took = self.best()
            if best is None or took < best[0]:
                best = (took, compiled)
        self.compiled = best[1]
        self.step = framework.make_step(cell, weights, x, y, self.compiled)

    def best(self):
        """The fastest slice of a sixth of a second, or the second step where one takes longer."""
        self.step(0)
        end, took = time.perf_counter() + 0.15, []
        while not took or time.perf_counter() < end:
            took.append(self.slice(30))
        return min(took)

    def slice(self, ms):
        start, steps = time.perf_counter(), 0
        while True:
            self.step(steps % self.batches)
            steps += 1
            spent = time.perf_counter() - start
            if spent * 1e3 >= ms:
                return spent * 1e3 / steps


def main():
    framework, network = importlib.import_module('native_' + sys.argv[1]), None
    for line in sys.stdin:
        request = json.loads(line)
        if 'create' in request:
            network = None
            network = Network(framework, request['create'])
            answer = {'about': framework.about + (f', {framework.compiler}' if network.compiled else '')}
        elif 'step' in request:
            answer = {'loss': network.step(request['step'])}
        else:
            network.step(0)
            answer = {'ms': network.slice(request['slice'])}
        answers.write(json.dumps(answer) + '\n')


if __name__ == '__main__':
    main()
