"""PyTorch natively, for ./dev bench train --pytorch, as study/subjects/native.py asks. Images are [C,H,W]; in memory channels come
last, which it is faster with on a CPU. It is no subject of the study: its package brings 5.5 GB."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../study/subjects'))

import native
import torch
from torch.nn import functional as F


def parameter(kernel):
    """[in,out] as [out,in], [H,W,in,out] as [out,in,H,W]."""
    kernel = torch.tensor(kernel)
    if kernel.ndim == 2:
        return kernel.T.contiguous().requires_grad_()
    return kernel.permute(3, 2, 0, 1).contiguous(memory_format=torch.channels_last).requires_grad_()


def padded(h, size):
    """Rows and columns below and beside an image that a window would leave out."""
    rows, columns = (-side % size for side in h.shape[2:])
    return F.pad(h, (0, columns, 0, rows), value=-torch.inf) if rows or columns else h


def logits(network, weights, h):
    weights = iter(weights)
    for layer in network['layers']:
        if layer['type'] == 'flatten':
            h = h.permute(0, 2, 3, 1).flatten(1)
        elif layer['type'] == 'maxPool':
            h = F.max_pool2d(padded(h, layer['size']) if layer['padding'] == 'same' else h, layer['size'])
        else:
            kernel, bias = next(weights)
            h = F.linear(h, kernel, bias) if layer['type'] == 'dense' else F.conv2d(h, kernel, bias, padding=layer['padding'])
            if layer is not network['layers'][-1]:
                h = getattr(torch, layer['activation'])(h)
    return h


class PyTorch:
    backends = ['eager', 'torch.compile']

    def __init__(self, backend):
        self.backend = backend

    def info(self):
        torch.set_num_threads(len(os.sched_getaffinity(0)))
        return {'version': torch.__version__, 'engine': f'{self.backend}, {torch.get_num_threads()} threads'}

    def build(self, network):
        pairs = [layer['weights'] for layer in network['layers'] if 'weights' in layer]
        weights = [(parameter(kernel), torch.tensor(bias).requires_grad_()) for kernel, bias in pairs]
        loss_of = lambda x, y: F.cross_entropy(logits(network, weights, x), y)
        return torch.compile(loss_of) if self.backend == 'torch.compile' else loss_of, [w for pair in weights for w in pair], network['rate']

    def batch(self, x, one_hot):
        x = torch.tensor(x)
        return x.permute(0, 3, 1, 2) if x.ndim == 4 else x, torch.tensor(one_hot)

    def train(self, model, batch):
        loss_of, weights, rate = model
        loss = loss_of(*batch)
        gradients = torch.autograd.grad(loss, weights)
        with torch.no_grad():
            torch._foreach_add_(weights, gradients, alpha=-rate)
        return loss.item()


native.run(PyTorch)
