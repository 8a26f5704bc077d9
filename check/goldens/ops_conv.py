"""Golden values of convolution, its transpose, depthwise convolution and pooling.

TensorFlow's processor kernels have no gradient of a dilated convolution, no grouped one and no padding of one's own: each
convolution is a sum over the taps, in TensorFlow's elementary ops, and where tf.nn has the op it must agree.
"""
from ops_golden import Ops, here, np, tf


def window(size, kernel, stride, dilation, padding):
    """(before, after, outputs) along one axis; padding is 'same', 'valid' or a pair. See tf.nn.convolution."""
    reach = (kernel - 1) * dilation + 1
    if padding == 'same':
        total = max((-(-size // stride) - 1) * stride + reach - size, 0)
        padding = total // 2, total - total // 2
    before, after = (0, 0) if padding == 'valid' else padding
    return before, after, (size + before + after - reach) // stride + 1


def windows(x, kernel, strides, dilations, padding):
    sides = [padding] * 2 if isinstance(padding, str) else [padding[:2], padding[2:]]
    return [window(x.shape[i + 1], kernel[i], strides[i], dilations[i], sides[i]) for i in (0, 1)]


def taps(x, kernel, strides, dilations, padding, fill=0.0):
    """For each tap (ky, kx): what of x [N,H,W,C] it sees, [N,OH,OW,C]."""
    (top, bottom, oh), (left, right, ow) = windows(x, kernel, strides, dilations, padding)
    x = tf.pad(x, [[0, 0], [top, bottom], [left, right], [0, 0]], constant_values=fill)
    for ky in range(kernel[0]):
        for kx in range(kernel[1]):
            y0, x0 = ky * dilations[0], kx * dilations[1]
            yield ky, kx, x[:, y0:y0 + (oh - 1) * strides[0] + 1:strides[0], x0:x0 + (ow - 1) * strides[1] + 1:strides[1]]


def convolve(x, w, strides, dilations, padding, groups):
    y = 0
    for ky, kx, seen in taps(x, w.shape[:2], strides, dilations, padding):
        parts = [tf.einsum('nhwc,co->nhwo', a, b)
                 for a, b in zip(tf.split(seen, groups, 3), tf.split(w[ky, kx], groups, 1))]
        y += tf.concat(parts, 3)
    return y


def depthwise(x, w, strides, dilations, padding):
    y = 0
    for ky, kx, seen in taps(x, w.shape[:2], strides, dilations, padding):
        y += seen[..., None] * w[ky, kx]
    return tf.reshape(y, [*y.shape[:3], -1])


CASES = [
    # name, x, kernel [KH,KW], outputs, strides, dilations, padding, groups
    ('1x1', (2, 4, 4, 3), (1, 1), 5, (1, 1), (1, 1), 'valid', 1),
    ('3x3 valid', (2, 6, 5, 4), (3, 3), 9, (1, 1), (1, 1), 'valid', 1),
    ('3x3 same', (1, 7, 7, 8), (3, 3), 16, (1, 1), (1, 1), 'same', 1),
    ('5x5 of one channel', (1, 9, 10, 1), (5, 5), 8, (1, 1), (1, 1), 'valid', 1),
    ('4x2 same', (1, 6, 7, 2), (4, 2), 3, (1, 1), (1, 1), 'same', 1),
    ('stride 2 same', (2, 7, 8, 3), (3, 3), 5, (2, 2), (1, 1), 'same', 1),
    ('stride 2 by 3', (1, 8, 10, 3), (2, 3), 4, (2, 3), (1, 1), 'valid', 1),
    ('stride beyond the filter', (1, 7, 7, 2), (1, 1), 3, (3, 3), (1, 1), 'valid', 1),
    ('dilated', (1, 9, 9, 2), (3, 2), 5, (1, 1), (2, 3), 'valid', 1),
    ('dilated same', (1, 7, 8, 3), (3, 3), 2, (1, 1), (2, 2), 'same', 1),
    ('own padding', (1, 5, 6, 2), (3, 3), 3, (2, 2), (1, 1), [1, 2, 0, 3], 1),
    ('padding beyond the filter', (1, 4, 4, 2), (2, 2), 3, (1, 1), (1, 1), [3, 0, 2, 2], 1),
    ('groups', (2, 5, 5, 6), (3, 3), 8, (1, 1), (1, 1), 'valid', 2),
    ('groups stride 2', (1, 6, 6, 4), (2, 2), 4, (2, 2), (1, 1), 'same', 4),
    ('deep', (1, 3, 3, 33), (3, 3), 17, (1, 1), (1, 1), 'same', 1),
]


def convolutions(file):
    for name, x, kernel, outputs, strides, dilations, padding, groups in CASES:
        attrs = {'strides': strides, 'dilations': dilations, 'padding': padding, 'groups': groups}
        same = None
        if isinstance(padding, str) and groups == 1:
            def same(x, w):
                return tf.nn.conv2d(x, w, strides, padding.upper(), dilations=dilations)
        file.op(name, 'conv2d', [file.floats(*x), file.floats(*kernel, x[3] // groups, outputs, low=-1, high=1)],
                lambda x, w: convolve(x, w, strides, dilations, padding, groups), attrs, same=same, atol=2e-5)
        if groups > 1 or x[3] > 16:
            continue
        same = None
        if isinstance(padding, str) and strides[0] == strides[1] and not (max(dilations) > 1 and max(strides) > 1):
            def same(x, w):
                return tf.nn.depthwise_conv2d(x, w, [1, *strides, 1], padding.upper(), dilations=dilations)
        del attrs['groups']
        file.op(f'depthwise {name}', 'depthwiseConv2d', [file.floats(*x), file.floats(*kernel, x[3], 1 + outputs % 2)],
                lambda x, w: depthwise(x, w, strides, dilations, padding), attrs, same=same, atol=1e-5)


def transposed(file):
    for name, y, kernel, outputs, strides, padding, size in [
        ('valid', (2, 3, 3, 2), (2, 2), 3, (1, 1), 'valid', (4, 4)),
        ('stride 2 same', (1, 4, 5, 3), (3, 3), 6, (2, 2), 'same', (8, 10)),
        ('stride 2 same, odd', (1, 4, 5, 3), (3, 3), 2, (2, 2), 'same', (7, 9)),
        ('stride 3 by 2', (1, 2, 3, 2), (2, 3), 4, (3, 2), 'valid', (5, 7)),
        ('stride 2 of 4x4', (1, 3, 3, 5), (4, 4), 1, (2, 2), 'same', (6, 6)),
    ]:
        shape = [y[0], *size, outputs]
        file.op(f'transpose {name}', 'conv2dTranspose', [file.floats(*y), file.floats(*kernel, outputs, y[3])],
                lambda y, w: tf.nn.conv2d_transpose(y, w, shape, strides, padding.upper()),
                {'strides': strides, 'padding': padding, 'outputShape': shape}, atol=1e-5)
    # Padding of one's own takes the border off what there is without padding.
    top, bottom, left, right = padding = [1, 0, 0, 2]
    file.op('transpose own padding', 'conv2dTranspose', [file.floats(1, 4, 3, 2), file.floats(3, 4, 5, 2)],
            lambda y, w: tf.nn.conv2d_transpose(y, w, [1, 9, 8, 5], [2, 2], 'VALID')[:, top:9 - bottom, left:8 - right],
            {'strides': [2, 2], 'padding': padding, 'outputShape': [1, 8, 6, 5]}, atol=1e-5)


def pools(file):
    for name, x, size, strides, padding in [
        ('2x2', (2, 6, 8, 5), (2, 2), (2, 2), 'valid'), ('2x2 of an odd image', (1, 7, 5, 17), (2, 2), (2, 2), 'valid'),
        ('3x3 overlapping same', (2, 7, 6, 3), (3, 3), (2, 2), 'same'), ('3x2 stride 1', (1, 5, 6, 9), (3, 2), (1, 1), 'valid'),
        ('stride 3 same', (1, 7, 8, 4), (2, 2), (3, 3), 'same'), ('own padding', (1, 5, 5, 4), (3, 3), (2, 1), [1, 0, 1, 1]),
    ]:
        attrs = {'window': size, 'strides': strides, 'padding': padding}

        def maximum(x):
            return tf.reduce_max(tf.stack([t for *_, t in taps(x, size, strides, (1, 1), padding, -np.inf)]), 0)

        def average(x):
            seen = sum(t for *_, t in taps(x, size, strides, (1, 1), padding))
            return seen / sum(t for *_, t in taps(tf.ones_like(x), size, strides, (1, 1), padding))

        own = {'maxPool': tf.nn.max_pool2d, 'avgPool': tf.nn.avg_pool2d}
        for op, f in {'maxPool': maximum, 'avgPool': average}.items():
            same = (lambda x: own[op](x, size, strides, padding.upper())) if isinstance(padding, str) else None
            file.op(f'{op} {name}', op, [file.distinct(*x)], f, attrs, same=same)


def make(folder):
    file = Ops('ops_conv', seed=20260203)
    for family in (convolutions, transposed, pools):
        family(file)
    file.save(folder)


if __name__ == '__main__':
    make(here())
