"""Golden values of convolution, its transpose and pooling of volumes [N,D,H,W,C].

A convolution is a sum over the taps, in TensorFlow's elementary ops; where tf.nn has the op it must agree.
"""
import itertools

from ops_conv import window
from ops_golden import Ops, here, np, tf


def windows(x, kernel, strides, dilations, padding):
    """padding is 'same', 'valid' or a pair for each of depth, height and width."""
    return [window(x.shape[i + 1], kernel[i], strides[i], dilations[i], padding if isinstance(padding, str) else padding[i])
            for i in range(3)]


def taps(x, kernel, strides, dilations, padding, fill=0.0):
    """For each tap (kz, ky, kx): what of x [N,D,H,W,C] it sees, [N,OD,OH,OW,C]."""
    axes = windows(x, kernel, strides, dilations, padding)
    x = tf.pad(x, [[0, 0], *[a[:2] for a in axes], [0, 0]], constant_values=fill)
    for tap in itertools.product(*map(range, kernel)):
        at = [slice(k * d, k * d + (a[2] - 1) * s + 1, s) for k, d, s, a in zip(tap, dilations, strides, axes)]
        yield tap, x[(slice(None), *at)]


def convolve(x, w, strides, dilations, padding, groups):
    y = 0
    for tap, seen in taps(x, w.shape[:3], strides, dilations, padding):
        parts = [tf.einsum('ndhwc,co->ndhwo', a, b) for a, b in zip(tf.split(seen, groups, 4), tf.split(w[tap], groups, 1))]
        y += tf.concat(parts, 4)
    return y


def named(padding):
    """As the attributes of Fjord's op say it."""
    if isinstance(padding, str):
        return {'padding': padding}
    return {'padding': [*padding[1], *padding[2]], 'depthPadding': padding[0]}


def convolutions(file):
    one = (1, 1, 1)
    for name, x, kernel, outputs, strides, dilations, padding, groups in [
        ('1x1x1', (2, 2, 3, 2, 3), one, 4, one, one, 'valid', 1),
        ('3x3x3 valid', (1, 4, 5, 4, 3), (3, 3, 3), 5, one, one, 'valid', 1),
        ('3x2x3 same', (2, 3, 4, 3, 2), (3, 2, 3), 4, one, one, 'same', 1),
        ('2x2x2 same', (1, 3, 3, 4, 2), (2, 2, 2), 3, one, one, 'same', 1),
        ('strides 2 same', (1, 5, 4, 5, 2), (3, 3, 3), 3, (2, 2, 2), one, 'same', 1),
        ('strides 3 1 2', (1, 7, 3, 5, 2), (2, 2, 2), 3, (3, 1, 2), one, 'valid', 1),
        ('stride beyond the filter', (1, 5, 5, 5, 2), one, 3, (2, 3, 2), one, 'valid', 1),
        ('planes alone', (2, 3, 5, 5, 2), (1, 3, 3), 4, one, one, 'same', 1),
        ('depth alone', (1, 5, 2, 3, 3), (3, 1, 1), 4, one, one, 'same', 1),
        ('dilated', (1, 6, 5, 7, 2), (3, 2, 2), 3, one, (2, 1, 3), 'valid', 1),
        ('dilated same', (1, 5, 4, 4, 2), (2, 3, 2), 2, one, (2, 2, 2), 'same', 1),
        ('own padding', (1, 3, 4, 3, 2), (3, 2, 2), 3, (2, 1, 2), one, [(2, 0), (0, 1), (1, 1)], 1),
        ('groups', (1, 3, 3, 4, 6), (2, 2, 3), 4, one, one, 'valid', 2),
        ('groups stride 2 same', (1, 4, 4, 3, 4), (3, 2, 2), 8, (2, 2, 2), one, 'same', 4),
    ]:
        same = None
        if isinstance(padding, str) and groups == 1 and dilations == one:
            def same(x, w):
                return tf.nn.conv3d(x, w, [1, *strides, 1], padding.upper())
        file.op(name, 'conv3d', [file.floats(*x), file.floats(*kernel, x[4] // groups, outputs, low=-1, high=1)],
                lambda x, w: convolve(x, w, strides, dilations, padding, groups),
                {'strides': strides, 'dilations': dilations, 'groups': groups, **named(padding)}, same=same, atol=2e-5)


def transposed(file):
    for name, y, kernel, outputs, strides, padding, size in [
        ('valid', (2, 2, 3, 2, 2), (2, 2, 3), 3, (1, 1, 1), 'valid', (3, 4, 4)),
        ('stride 2 same', (1, 2, 3, 2, 3), (3, 3, 2), 2, (2, 2, 2), 'same', (4, 6, 4)),
        ('stride 2 same, odd', (1, 3, 2, 2, 2), (3, 3, 3), 2, (2, 2, 2), 'same', (5, 3, 4)),
        ('strides 3 2 1', (1, 2, 2, 3, 2), (2, 3, 2), 3, (3, 2, 1), 'valid', (6, 5, 4)),
        ('depth alone', (1, 3, 2, 2, 2), (4, 1, 1), 3, (2, 1, 1), 'same', (6, 2, 2)),
    ]:
        shape = [y[0], *size, outputs]
        file.op(f'transpose {name}', 'conv3dTranspose', [file.floats(*y), file.floats(*kernel, outputs, y[4])],
                lambda y, w: tf.nn.conv3d_transpose(y, w, shape, strides, padding.upper()),
                {'strides': strides, 'padding': padding, 'outputShape': shape}, atol=2e-5)


def pools(file):
    for name, x, size, strides, padding in [
        ('2x2x2', (2, 4, 4, 6, 3), (2, 2, 2), (2, 2, 2), 'valid'),
        ('2x2x2 of odd sizes', (1, 5, 3, 5, 2), (2, 2, 2), (2, 2, 2), 'valid'),
        ('3x3x3 overlapping same', (1, 5, 4, 6, 2), (3, 3, 3), (2, 2, 2), 'same'),
        ('3x2x1 stride 1', (1, 4, 4, 3, 2), (3, 2, 1), (1, 1, 1), 'valid'),
        ('stride 3 same', (1, 7, 4, 5, 2), (2, 2, 2), (3, 3, 3), 'same'),
        ('planes alone', (2, 3, 4, 4, 2), (1, 2, 2), (1, 2, 2), 'same'),
        ('every second plane', (1, 5, 3, 3, 2), (1, 2, 2), (2, 1, 1), 'valid'),
        ('own padding', (1, 4, 4, 4, 2), (3, 3, 2), (2, 2, 2), [(1, 0), (1, 1), (0, 1)]),
    ]:
        attrs = {'window': size, 'strides': strides, **named(padding)}

        def maximum(x):
            return tf.reduce_max(tf.stack([t for _, t in taps(x, size, strides, (1, 1, 1), padding, -np.inf)]), 0)

        def average(x):
            seen = sum(t for _, t in taps(x, size, strides, (1, 1, 1), padding))
            return seen / sum(t for _, t in taps(tf.ones_like(x), size, strides, (1, 1, 1), padding))

        own = {'maxPool3d': tf.nn.max_pool3d, 'avgPool3d': tf.nn.avg_pool3d}
        for op, f in {'maxPool3d': maximum, 'avgPool3d': average}.items():
            # These are of float32 on a processor.
            same = None
            if isinstance(padding, str):
                def same(x):
                    return own[op](tf.cast(x, tf.float32), size, strides, padding.upper())
            file.op(f'{op} {name}', op, [file.distinct(*x)], f, attrs, same=same)


def make(folder):
    file = Ops('ops_dims', seed=20261129)
    for family in (convolutions, transposed, pools):
        family(file)
    file.save(folder)


if __name__ == '__main__':
    make(here())
