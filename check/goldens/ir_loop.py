"""Golden values of recurrent cells, computed by Keras's layers, for loops that compute the same.

A case: {"name", "cell": "lstm" or "simple", "x" [B,T,F], "states" [[B,H], ..], "w" [F,gates H], "u" [H,gates H], "b" [gates H],
"dy" [B,T,H], and what Keras gives: "y" [B,T,H], "last" [[B,H], ..], "grads" of sum(dy * y) + sum(last[-1] ** 2) by x, each
state, w, u, b}. The gates of the LSTM are input, forget, cell, output.
"""
from golden import Golden, here, keras, tf


def cell(file, name, kind, batch, trips, features, units):
    gates = 4 if kind == 'lstm' else 1
    layer = {'lstm': keras.layers.LSTM, 'simple': keras.layers.SimpleRNN}[kind](units, return_sequences=True, return_state=True)
    x = file.normal(batch, trips, features)
    states = [file.normal(batch, units) for _ in range(2 if kind == 'lstm' else 1)]
    weights = [file.normal(features, gates * units) * 0.5, file.normal(units, gates * units) * 0.5, file.normal(gates * units) * 0.2]
    dy = file.normal(batch, trips, units)
    layer.build(x.shape)
    layer.set_weights(weights)
    given = [tf.Variable(a) for a in [x, *states]]
    with tf.GradientTape() as tape:
        y, *last = layer(given[0], initial_state=given[1:])
        loss = tf.reduce_sum(dy * y) + tf.reduce_sum(last[-1] ** 2)
    grads = tape.gradient(loss, given + [v.value for v in layer.trainable_variables])
    put = lambda arrays: [file.put(a) for a in arrays]
    w, u, b = put(weights)
    file.case(name=name, cell=kind, x=file.put(x), states=put(states), w=w, u=u, b=b, dy=file.put(dy),
              y=file.put(y), last=put(last), grads=put(grads))


def make(folder):
    file = Golden('ir_loop', seed=20261128)
    cell(file, 'simple, 5 trips', 'simple', 3, 5, 4, 6)
    cell(file, 'simple, 1 trip', 'simple', 2, 1, 3, 3)
    cell(file, 'lstm, 7 trips', 'lstm', 3, 7, 5, 4)
    cell(file, 'lstm, 40 trips', 'lstm', 2, 40, 3, 8)
    file.save(folder)


if __name__ == '__main__':
    make(here())
