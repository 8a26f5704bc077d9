"""Golden values of reductions and cumulative sums."""
from ops_golden import Ops, here, np, tf

M = tf.math


def near_one(file, *shape):
    """Of either sign: a product of many neither vanishes below the tolerance nor grows large."""
    return file.floats(*shape, low=0.7, high=1.35) * np.where(file.bools(*shape), np.float32(1), np.float32(-1))


def reductions(file):
    for name, f in {'sum': M.reduce_sum, 'mean': M.reduce_mean, 'prod': M.reduce_prod, 'max': M.reduce_max,
                    'min': M.reduce_min, 'logSumExp': M.reduce_logsumexp}.items():
        draw = {'max': file.distinct, 'min': file.distinct, 'prod': lambda *shape: near_one(file, *shape)}.get(name, file.floats)
        for shape, axes, keep in [((17,), [], False), ((3, 65), [1], False), ((65, 3), [0], True), ((2, 5, 7), [1], False),
                                  ((2, 5, 7), [0, 2], True), ((4, 3, 2, 5), [-1, 1], False), ((2, 3, 1, 16), [0, 1, 2], False),
                                  ((5, 1), [1], False), ((), [], False)]:
            def g(x, axes=axes, keep=keep):
                return f(x, axis=axes or None, keepdims=keep)
            file.op(f'{name} {shape} by {axes}', name, [draw(*shape)], g, {'axes': axes, 'keepDims': keep})
    file.op('prod with zeros', 'prod', [np.array([[2, 0, 3], [0, 0, 1], [1, 2, 4]], np.float32)],
            lambda x: M.reduce_prod(x, axis=1), {'axes': [1]})
    # Among equals the gradient of a maximum goes to all in equal parts there, to each in whole here as in TensorFlow.js:
    # only values are compared.
    ties = np.array([[1, 3, 3], [-2, -2, -5]], np.float32)
    file.op('max of equals', 'max', [ties], lambda x: M.reduce_max(x, axis=1), {'axes': [1]}, grads=False)
    file.op('logSumExp of large numbers', 'logSumExp', [np.array([[1000, 999, -1000], [-900, -901, -902]], np.float32)],
            lambda x: M.reduce_logsumexp(x, axis=1), {'axes': [1]})
    large = file.floats(2, 5000)
    file.op('sum of many', 'sum', [large], lambda x: M.reduce_sum(x, axis=1), {'axes': [1]}, grads=False, atol=1e-4)
    for name, f in {'sum': M.reduce_sum, 'prod': M.reduce_prod, 'max': M.reduce_max, 'min': M.reduce_min}.items():
        file.op(f'{name} int32', name, [file.ints(3, 4, 5, low=-3, high=4)], lambda x: f(x, axis=[1]), {'axes': [1]})
    for name, f in {'any': M.reduce_any, 'all': M.reduce_all}.items():
        x = file.bools(4, 3) | (np.arange(4) == 2)[:, None]
        x[1] = False
        file.op(name, name, [x], lambda x: f(x, axis=[1]), {'axes': [1]})
        file.op(f'{name} of everything', name, [x], lambda x: f(x, keepdims=True), {'keepDims': True})
        for shape, axes in [((65, 3), [0]), ((2, 5, 17), [0, -1])]:
            # The last element alone decides its group, the others are decided by none.
            rare = np.arange(np.prod(shape)).reshape(shape) == np.prod(shape) - 1
            file.op(f'{name} {shape} by {axes}', name, [rare if name == 'any' else ~rare], lambda x: f(x, axis=axes), {'axes': axes})


def places(file):
    for name, f in {'argMax': M.argmax, 'argMin': M.argmin}.items():
        for shape, axis in [((17,), 0), ((5, 33), 1), ((5, 33), 0), ((2, 3, 4), -2)]:
            file.op(f'{name} {shape} by {axis}', name, [file.distinct(*shape)],
                    lambda x: f(x, axis=axis, output_type=tf.int32), {'axis': axis})
        file.op(f'{name} of equals', name, [np.array([1, 2, 2, 0, 0], np.float32)], lambda x: f(x, output_type=tf.int32))
        file.op(f'{name} int32', name, [file.ints(6, 5)], lambda x: f(x, axis=1, output_type=tf.int32), {'axis': 1})


def running(file):
    for shape, axis in [((17,), 0), ((3, 5), 0), ((3, 33), 1), ((2, 5, 3), -2)]:
        for exclusive in (False, True):
            for reverse in (False, True):
                file.op(f'cumsum {shape} by {axis} {exclusive} {reverse}', 'cumsum', [file.floats(*shape)],
                        lambda x: M.cumsum(x, axis=axis, exclusive=exclusive, reverse=reverse),
                        {'axis': axis, 'exclusive': exclusive, 'reverse': reverse})
    file.op('cumsum int32', 'cumsum', [file.ints(4, 5)], lambda x: M.cumsum(x, axis=1), {'axis': 1})


def make(folder):
    file = Ops('ops_reduce', seed=20260202)
    for family in (reductions, places, running):
        family(file)
    file.save(folder)


if __name__ == '__main__':
    make(here())
