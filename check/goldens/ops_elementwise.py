"""Golden values of the elementwise ops."""
from ops_golden import Ops, here, keras, np, tf

K, M = keras.ops, tf.math

# Fjord's name: the op in TensorFlow or Keras, and where its derivative is alive (-2 to 2 if not said).
UNARY = {
    'abs': (M.abs,), 'neg': (M.negative,), 'sign': (M.sign,), 'square': (M.square,), 'reciprocal': (M.reciprocal, 0.3, 3),
    'sqrt': (M.sqrt, 0.1, 5), 'rsqrt': (M.rsqrt, 0.1, 5),
    'cbrt': (lambda x: M.sign(x) * M.pow(M.abs(x), 1 / 3), 0.2, 3), 'ceil': (M.ceil,), 'floor': (M.floor,),
    'round': (M.round,), 'trunc': (lambda x: M.sign(x) * M.floor(M.abs(x)),), 'exp': (M.exp,),
    'exp2': (lambda x: M.pow(tf.constant(2, x.dtype), x),), 'expm1': (M.expm1,), 'log': (M.log, 0.1, 5),
    'log1p': (M.log1p, -0.8, 4), 'log2': (lambda x: M.log(x) / np.log(2), 0.1, 5),
    'log10': (lambda x: M.log(x) / np.log(10), 0.1, 5), 'sin': (M.sin,), 'cos': (M.cos,), 'tan': (M.tan, -1.4, 1.4),
    'asin': (M.asin, -0.95, 0.95), 'acos': (M.acos, -0.95, 0.95), 'atan': (M.atan,), 'sinh': (M.sinh,),
    'cosh': (M.cosh,), 'tanh': (M.tanh,), 'asinh': (M.asinh,), 'acosh': (M.acosh, 1.1, 5), 'atanh': (M.atanh, -0.95, 0.95),
    'erf': (M.erf,), 'relu': (tf.nn.relu,), 'relu6': (tf.nn.relu6, -4, 9), 'sigmoid': (M.sigmoid,),
    'logSigmoid': (M.log_sigmoid,), 'softplus': (M.softplus,), 'softsign': (M.softsign,), 'silu': (K.silu,),
    'mish': (lambda x: x * M.tanh(M.softplus(x)),), 'gelu': (lambda x: tf.nn.gelu(x, approximate=False),),
    'geluTanh': (lambda x: tf.nn.gelu(x, approximate=True),), 'selu': (tf.nn.selu,), 'hardSigmoid': (K.hard_sigmoid, -4, 4),
    'hardSilu': (K.hard_silu, -4, 4), 'hardTanh': (K.hard_tanh,), 'tanhShrink': (K.tanh_shrink,),
    'sparsePlus': (K.sparse_plus,), 'sparseSigmoid': (K.sparse_sigmoid,),
}
# TensorFlow's erf of an infinite float64 is NaN.
NOT_COMPARED = {'erf': [np.inf, -np.inf]}
EDGES = np.array([0, -0.0, 0.5, -0.5, 1.5, 2.5, -2.5, 1, -1, 3, -3, 6, 1e-7, -1e-7, 20, -20, np.inf, -np.inf, np.nan],
                 np.float32)

where = tf.where
# With the domains of both inputs.
BINARY = {
    'add': (M.add,), 'sub': (M.subtract,), 'mul': (M.multiply,), 'div': (M.divide, (-2, 2), (0.4, 3)),
    'divNoNan': (M.divide_no_nan, (-2, 2), (0.4, 3)), 'mod': (M.floormod, (-5, 5), (0.7, 3)),
    'pow': (M.pow, (0.3, 2), (-2, 2)), 'maximum': (M.maximum,), 'minimum': (M.minimum,),
    'squaredDifference': (M.squared_difference,), 'atan2': (M.atan2,), 'xlogy': (M.xlogy, (-2, 2), (0.2, 3)),
}
# Parameters are inputs, so a derivative by them is taken too: from the formula, which the framework's own op must equal.
PARAMETERS = {
    'leakyRelu': ([0.2], lambda x, a: where(x < 0, x * a, x), lambda x: tf.nn.leaky_relu(x, 0.2)),
    'elu': ([0.7], lambda x, a: where(x < 0, a * M.expm1(x), x), lambda x: K.elu(x, 0.7)),
    'celu': ([0.7], lambda x, a: where(x < 0, a * M.expm1(x / a), x), lambda x: K.celu(x, 0.7)),
    'softShrink': ([0.4], lambda x, t: M.sign(x) * tf.nn.relu(M.abs(x) - t), lambda x: K.soft_shrink(x, 0.4)),
    'hardShrink': ([0.4], lambda x, t: where(M.abs(x) > t, x, 0 * x), lambda x: K.hard_shrink(x, 0.4)),
    'squareplus': ([3.0], lambda x, b: 0.5 * (x + M.sqrt(x * x + b)), lambda x: K.squareplus(x, 3)),
    'threshold': ([0.3, -1.5], lambda x, t, v: where(x > t, x, v + 0 * x), lambda x: K.threshold(x, 0.3, -1.5)),
    'clip': ([-0.9, 1.1], lambda x, lo, hi: M.minimum(M.maximum(x, lo), hi), lambda x: tf.clip_by_value(x, -0.9, 1.1)),
    'step': ([0.3], lambda x, a: where(x > 0, 1 + 0 * x, a + 0 * x), None),
}
COMPARE = {'equal': M.equal, 'notEqual': M.not_equal, 'less': M.less, 'lessEqual': M.less_equal,
           'greater': M.greater, 'greaterEqual': M.greater_equal}
LOGIC = {'logicalAnd': M.logical_and, 'logicalOr': M.logical_or, 'logicalXor': M.logical_xor}
BITS = {'bitwiseAnd': tf.bitwise.bitwise_and, 'bitwiseOr': tf.bitwise.bitwise_or, 'bitwiseXor': tf.bitwise.bitwise_xor}
# Piecewise constant.
FLAT = ('ceil', 'floor', 'round', 'trunc', 'sign')


def unary(file):
    for name, (f, *domain) in UNARY.items():
        low, high = domain or (-2, 2)
        file.op(name, name, [file.floats(5, 13, low=low, high=high)], f, grads=name not in FLAT)
        far = np.array([x for x in EDGES if x not in NOT_COMPARED.get(name, [])], np.float32)
        file.op(f'{name} edges', name, [far], f, grads=False, rtol=2e-5)
    # Every number of elements around the width of a vector and of a tile.
    for n in (1, 3, 7, 16, 17, 33, 64, 257):
        file.op(f'tanh of {n}', 'tanh', [file.floats(n)], M.tanh)
    for name, f in {'abs': M.abs, 'neg': M.negative, 'sign': M.sign, 'square': M.square, 'relu': tf.nn.relu,
                    'relu6': tf.nn.relu6, 'bitwiseNot': tf.bitwise.invert}.items():
        file.op(f'{name} int32', name, [file.ints(17)], f)
    for name, f in {'isNaN': M.is_nan, 'isInf': M.is_inf, 'isFinite': M.is_finite}.items():
        file.op(name, name, [EDGES], f)
    file.op('logicalNot', 'logicalNot', [file.bools(17)], M.logical_not)


def binary(file):
    for name, (f, *domains) in BINARY.items():
        (a0, a1), (b0, b1) = domains or [(-2, 2), (-2, 2)]
        shapes = [((3, 5), (3, 5)), ((4, 1, 3), (5, 1)), ((7,), ()), ((), (17,))]
        for a, b in shapes:
            file.op(f'{name} {a} {b}', name, [file.floats(*a, low=a0, high=a1), file.floats(*b, low=b0, high=b1)], f)
    for name, (parameters, f, same) in PARAMETERS.items():
        x = file.floats(3, 7)
        file.op(name, name, [x, *np.array(parameters, np.float32)], f, rtol=2e-5, grads=name != 'step',
                same=same and (lambda x, *_, same=same: same(x)))
    for name, f in {'add': M.add, 'sub': M.subtract, 'mul': M.multiply, 'maximum': M.maximum, 'minimum': M.minimum,
                    'squaredDifference': M.squared_difference}.items():
        file.op(f'{name} int32', name, [file.ints(3, 7), file.ints(7)], f)
    divisors = np.array([1, -1, 2, -2, 3, -3, 7], np.int32)
    for name, f in {'floorDiv': M.floordiv, 'mod': M.floormod}.items():
        file.op(f'{name} int32', name, [file.ints(9, 7), divisors], f)
        file.op(f'{name} signs', name, [np.array([5.5, -5.5, 5.5, -5.5, 0], np.float32),
                                        np.array([2, 2, -2, -2, 3], np.float32)], f, grads=False)
    file.op('divNoNan by 0', 'divNoNan', [file.floats(5), np.array([0, 1, 0, -2, 0], np.float32)], M.divide_no_nan,
            grads=False)
    file.op('div by 0', 'div', [np.array([1, -1, 0], np.float32), np.zeros(3, np.float32)], M.divide, grads=False)
    file.op('xlogy of 0', 'xlogy', [np.zeros(3, np.float32), np.array([0, 1, 5], np.float32)], M.xlogy, grads=False)
    file.op('pow edges', 'pow', [np.array([-2, -2, 0, 0, 2, -8], np.float32), np.array([3, 0.5, 0, 2, -3, 2], np.float32)],
            M.pow, grads=False)


def logic(file):
    special = np.array([0, -0.0, 1, np.nan, np.inf, -np.inf, 2], np.float32)
    for name, f in COMPARE.items():
        file.op(name, name, [special[:, None], special], f)
        file.op(f'{name} int32', name, [file.ints(5, 7, low=-2, high=3), file.ints(7, low=-2, high=3)], f)
    for name, f in LOGIC.items():
        file.op(name, name, [file.bools(5, 7), file.bools(7)], f)
    for name, f in BITS.items():
        file.op(name, name, [file.ints(33, low=-1000, high=1000), file.ints(33, low=-1000, high=1000)], f)
    file.op('where', 'where', [file.bools(3, 1), file.floats(3, 5), file.floats(5)], tf.where)
    file.op('where int32', 'where', [file.bools(7), file.ints(7), file.ints(7)], tf.where)
    floats = np.array([0, 1.9, -1.9, 3, -0.5, 100], np.float32)
    file.op('cast to int32', 'cast', [floats], lambda x: tf.cast(x, tf.int32), {'dtype': 'int32'})
    file.op('cast to bool', 'cast', [floats], lambda x: tf.cast(x, tf.bool), {'dtype': 'bool'})
    file.op('cast to float32', 'cast', [file.ints(7)], lambda x: tf.cast(x, tf.float64), {'dtype': 'float32'}, grads=False)
    file.op('cast bool', 'cast', [file.bools(7)], lambda x: tf.cast(x, tf.int32), {'dtype': 'int32'})


def make(folder):
    file = Ops('ops_elementwise', seed=20260201)
    for family in (unary, binary, logic):
        family(file)
    file.save(folder)


if __name__ == '__main__':
    make(here())
