"""What the modules ops_*.py share: one op, its value and the gradients of its inputs, by TensorFlow in float64.

A case: {name, op, attrs, inputs [@], output @, rtol, atol} and, where derivatives are checked, {dy @, grads [@ or null]}:
the gradients of sum(dy * output). Names of ops and attributes are Fjord's. Inputs are exact in float32, so that the one
rounding is that of the result.
"""
from golden import Golden, here, keras, np, tf

__all__ = ['Golden', 'Ops', 'here', 'keras', 'np', 'tf']


def wide(array):
    """What TensorFlow computes with: float64 where Fjord has float32."""
    return tf.constant(array.astype(np.float64) if array.dtype == np.float32 else array)


class Ops(Golden):
    def floats(self, *shape, low=-2.0, high=2.0):
        return self.random.uniform(low, high, shape).astype(np.float32)

    def distinct(self, *shape):
        """No two equal, so that a maximum has one place."""
        count = int(np.prod(shape))
        return (self.random.permutation(count).astype(np.float32) / count * 4 - 2).reshape(shape)

    def ints(self, *shape, low=-9, high=10):
        return self.random.integers(low, high, shape).astype(np.int32)

    def bools(self, *shape):
        return self.random.integers(0, 2, shape).astype(bool)

    def op(self, name, op, inputs, f, attrs=None, grads=True, same=None, rtol=1e-5, atol=2e-6):
        """f(inputs) is the op in TensorFlow. `same`, another way to compute it, must agree."""
        xs = [wide(np.asarray(x)) for x in inputs]
        with tf.GradientTape() as tape:
            tape.watch([x for x in xs if x.dtype == tf.float64])
            y = f(*xs)
            # The weights of the sum whose gradients are taken.
            dy = self.floats(*y.shape, low=0.5, high=1.5)
            loss = tf.reduce_sum(y * dy.astype(np.float64)) if y.dtype == tf.float64 else None
        if same is not None:
            # A parameter that is a Python number there is float32 here.
            np.testing.assert_allclose(y.numpy(), np.asarray(same(*xs)), rtol=1e-6, atol=1e-7)
        fields = {}
        if grads and loss is not None:
            floats = [x for x in xs if x.dtype == tf.float64]
            found = iter(tape.gradient(loss, floats, unconnected_gradients='zero'))
            fields['grads'] = [self.put(tf.convert_to_tensor(next(found)).numpy()) if x.dtype == tf.float64 else None for x in xs]
            fields['dy'] = self.put(dy)
        self.case(name=name, op=op, attrs=attrs or {}, inputs=[self.put(x, bools=True) for x in inputs],
                  output=self.put(y.numpy(), bools=True), rtol=rtol, atol=atol, **fields)
