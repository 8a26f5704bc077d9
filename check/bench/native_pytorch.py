"""PyTorch natively, for native.py. Images are [C,H,W]; in memory channels come last, which it is faster with on a CPU."""
import torch
from torch.nn import functional as F

torch.set_num_threads(2)
about = f'{torch.__version__}, 2 threads'
compiler = 'torch.compile'


def logits(layers, weights, h):
    weights = iter(weights)
    for layer in layers:
        if layer['type'] == 'flatten':
            h = h.permute(0, 2, 3, 1).flatten(1)
            continue
        if layer['type'] == 'maxPool':
            h = F.max_pool2d(h, layer['size'])
            continue
        kernel, bias = next(weights)
        h = F.linear(h, kernel, bias) if layer['type'] == 'dense' else F.conv2d(h, kernel, bias, padding='same')
        if layer['relu']:
            h = F.relu(h)
    return h


def image(x):
    """[N,H,W,C] as [N,C,H,W], which leaves the memory as it is."""
    return torch.tensor(x).permute(0, 3, 1, 2) if x.ndim == 4 else torch.tensor(x)


def parameter(kernel):
    """[in,out] as [out,in], [H,W,in,out] as [out,in,H,W]."""
    kernel = torch.tensor(kernel)
    if kernel.ndim == 2:
        return kernel.T.contiguous().requires_grad_()
    return kernel.permute(3, 2, 0, 1).contiguous(memory_format=torch.channels_last).requires_grad_()


def make_step(cell, weights, x, y, compiled):
    weights = [(parameter(kernel), torch.tensor(bias).requires_grad_()) for kernel, bias in weights]
    flat = [w for pair in weights for w in pair]
    x, y = [image(v) for v in x], [torch.tensor(v) for v in y]

    def loss_of(x, y):
        return F.cross_entropy(logits(cell['layers'], weights, x), y)

    if compiled:
        loss_of = torch.compile(loss_of)

    def step(i):
        loss = loss_of(x[i], y[i])
        gradients = torch.autograd.grad(loss, flat)
        with torch.no_grad():
            torch._foreach_add_(flat, gradients, alpha=-cell['rate'])
        return loss.item()

    return step
