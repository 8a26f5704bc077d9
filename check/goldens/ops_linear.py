"""Golden values of matrix products, softmax, cross-entropies and normalisations."""
from ops_golden import Ops, here, keras, np, tf


def products(file):
    for a, b, ta, tb in [((1, 1), (1, 1), False, False), ((3, 5), (5, 7), False, False), ((17, 33), (33, 9), False, False),
                         ((5, 3), (5, 7), True, False), ((3, 5), (7, 5), False, True), ((5, 3), (7, 5), True, True),
                         ((16, 64), (64, 16), False, False), ((7, 65), (65, 17), False, False), ((2, 3, 4), (2, 4, 5), False, False),
                         ((2, 4, 3), (2, 5, 4), True, True), ((2, 1, 3, 4), (3, 4, 2), False, False), ((1, 3, 4), (5, 4, 2), False, False),
                         ((1, 33), (33, 1), False, False), ((33, 1), (1, 33), False, False)]:
        file.op(f'matMul {a} {b} {ta} {tb}', 'matMul', [file.floats(*a), file.floats(*b)],
                lambda a, b: tf.matmul(a, b, transpose_a=ta, transpose_b=tb), {'transposeA': ta, 'transposeB': tb}, atol=1e-5)


def softmaxes(file):
    for shape, axis in [((17,), -1), ((5, 10), -1), ((5, 33), 1), ((5, 3), 0), ((2, 5, 3), 1), ((2, 3, 1), -1)]:
        for name, f in {'softmax': tf.nn.softmax, 'logSoftmax': tf.nn.log_softmax}.items():
            file.op(f'{name} {shape} by {axis}', name, [file.floats(*shape)], lambda x: f(x, axis=axis), {'axis': axis})
    far = np.array([[1000, 0, -1000], [-1e30, 1e30, 0], [88, 89, 90]], np.float32)
    for name, f in {'softmax': tf.nn.softmax, 'logSoftmax': tf.nn.log_softmax}.items():
        file.op(f'{name} of far numbers', name, [far], f, grads=False)
    for shape in [(5, 10), (3, 2, 33), (4, 1)]:
        labels = np.random.default_rng(5).dirichlet(np.ones(shape[-1]), shape[:-1]).astype(np.float32)
        file.op(f'softmaxCrossEntropy {shape}', 'softmaxCrossEntropy', [file.floats(*shape), labels],
                lambda x, y: tf.nn.softmax_cross_entropy_with_logits(y, x))
    one_hot = np.eye(3, dtype=np.float32)
    file.op('softmaxCrossEntropy of far numbers', 'softmaxCrossEntropy', [far[[0, 2, 0]], one_hot],
            lambda x, y: tf.nn.softmax_cross_entropy_with_logits(y, x), grads=False)
    far = np.array([-1000, -50, -1, 0, 1, 50, 1000], np.float32)
    for labels in (np.zeros(7, np.float32), np.ones(7, np.float32), file.floats(7, low=0, high=1)):
        file.op(f'sigmoidCrossEntropy {labels[0]:.1f}', 'sigmoidCrossEntropy', [far, labels],
                lambda x, y: tf.nn.sigmoid_cross_entropy_with_logits(y, x), grads=False)
    file.op('sigmoidCrossEntropy', 'sigmoidCrossEntropy', [file.floats(3, 7), file.floats(3, 7, low=0, high=1)],
            lambda x, y: tf.nn.sigmoid_cross_entropy_with_logits(y, x))


def norms(file):
    for shape, epsilon in [((3, 5), 1e-3), ((2, 4, 3, 17), 0.1), ((33, 1), 1e-5)]:
        c = shape[-1]
        file.op(f'batchNorm {shape}', 'batchNorm',
                [file.floats(*shape), file.floats(c), file.floats(c, low=0.3, high=2), file.floats(c), file.floats(c)],
                lambda x, mean, variance, offset, scale:
                tf.nn.batch_normalization(x, mean, variance, offset, scale, epsilon), {'epsilon': epsilon}, rtol=3e-5, atol=1e-5)
    for shape, axes, epsilon in [((3, 5), [-1], 1e-3), ((4, 33), [-1], 1e-5), ((2, 3, 4), [1, 2], 1e-2)]:
        inner = [shape[a] for a in axes]

        def norm(x, scale, offset):
            mean, variance = tf.nn.moments(x, axes, keepdims=True)
            return (x - mean) / tf.sqrt(variance + epsilon) * scale + offset

        def same(x, scale, offset):
            layer = keras.layers.LayerNormalization(axis=axes, epsilon=epsilon, dtype='float64')
            layer.build(x.shape)
            layer.set_weights([scale, offset])
            return layer(x)
        file.op(f'layerNorm {shape} {axes}', 'layerNorm', [file.floats(*shape), file.floats(*inner), file.floats(*inner)],
                norm, {'axes': axes, 'epsilon': epsilon}, same=same, rtol=3e-5, atol=1e-5)


def make(folder):
    file = Ops('ops_linear', seed=20260204)
    for family in (products, softmaxes, norms):
        family(file)
    file.save(folder)


if __name__ == '__main__':
    make(here())
