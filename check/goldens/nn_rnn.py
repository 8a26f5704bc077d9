"""Golden values of recurrent layers: nn_rnn has layers alone, nn_rnn_models trainings.

A layer's case is as in nn_layers.py, with weights named by where they stand in the layer, forward_lstm/kernel; inputs are the
sequence [N,T,..] and then initial states. Beside that: {mask @ [N,T] or absent, more: the outputs after the first, each
{output @, dy @}}. A training is as nn_golden.training writes it.
"""
import json

from nn_golden import ConvLSTM2DCell, Golden, description, here, keras, np, plain, split, tf, training

L, O = keras.layers, keras.optimizers


def within(layer, prefix=''):
    """The weights of a layer, each with its name: those of a cell that it wraps stand below that, those of its own do not."""
    if isinstance(layer, L.Bidirectional):
        return within(layer.forward_layer, f'{prefix}{layer.forward_layer.name}/') + within(layer.backward_layer, f'{prefix}{layer.backward_layer.name}/')
    if isinstance(layer, L.TimeDistributed):
        return within(layer.layer, f'{prefix}{layer.layer.name}/')
    if type(layer) is L.RNN:
        return within(layer.cell, f'{prefix}{layer.cell.name}/')
    if isinstance(layer, L.StackedRNNCells):
        return [pair for cell in layer.cells for pair in within(cell, f'{prefix}{cell.name}/')]
    return [(prefix + w.name, w) for w in layer.weights]


def named(model):
    return {n: w for layer in model.layers for n, w in within(layer, f'{layer.name}/')}


def bare(j):
    """A config without what the values say: they are not drawn."""
    if isinstance(j, list):
        return [bare(v) for v in j]
    return {k: bare(v) for k, v in j.items() if not k.endswith('_initializer')} if isinstance(j, dict) else j


def flat(outputs):
    return tf.nest.flatten(outputs)


def put(file, name, layer, call, inputs, mask=None):
    """`call` gives the outputs for these inputs."""
    xs = [tf.constant(x) for x in inputs]
    call(*xs)
    weights = within(layer)
    assert len(weights) == len(layer.weights)
    for _, w in weights:
        w.assign(file.normal(*w.shape) * 0.6)
    with tf.GradientTape() as tape:
        for x in xs:
            tape.watch(x)
        ys = flat(call(*xs))
        dys = [file.normal(*y.shape) for y in ys]
        s = tf.add_n([tf.reduce_sum(y * dy) for y, dy in zip(ys, dys)])
    dx, dw = tape.gradient(s, (xs, [w.value for _, w in weights]))
    d = description(layer)
    given, filled = split(layer, bare(d['config']))
    more = [{'output': file.put(y), 'dy': file.put(dy)} for y, dy in zip(ys[1:], dys[1:])]
    fields = {} if mask is None else {'mask': file.put(mask, bools=True)}
    file.case(name=name, class_name=d['class_name'], config=given, defaults=filled, training=False,
              inputs=[file.put(x) for x in inputs], weights={n: file.put(w.numpy()) for n, w in weights},
              output=file.put(ys[0]), dy=file.put(dys[0]), more=more,
              input_gradients=[file.put(g) for g in dx],
              weight_gradients={n: file.put(tf.convert_to_tensor(g)) for (n, _), g in zip(weights, dw)}, updated={}, **fields)


# N, T, F and units.
N, T, F, U = 3, 5, 4, 3
# Sequences of 3 steps, of 5, and one with holes that does not begin at once.
MASK = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [0, 1, 0, 1, 0]], bool)


def layer(file, name, layer, states=0, mask=None, x=None, units=U):
    x = file.normal(N, T, F) if x is None else x
    inputs = [x] + [file.normal(N, units) for _ in range(states)]
    call = lambda x, *s: layer(x, initial_state=list(s) or None, mask=None if mask is None else tf.constant(mask))
    put(file, name, layer, call, inputs, mask)


def cells(file):
    for name, cell, states in [('lstm_cell', L.LSTMCell(U), 2), ('gru_cell', L.GRUCell(U), 1),
                               ('gru_cell reset before', L.GRUCell(U, reset_after=False), 1),
                               ('simple_rnn_cell', L.SimpleRNNCell(U), 1)]:
        call = lambda x, *s, cell=cell: cell(x, list(s))
        put(file, name, cell, call, [file.normal(N, F)] + [file.normal(N, U) for _ in range(states)])
    stack = L.StackedRNNCells([L.LSTMCell(U, name='first'), L.GRUCell(2, name='second')])
    call = lambda x, h, c, g: stack(x, [[h, c], [g]])
    put(file, 'stacked_rnn_cells', stack, call, [file.normal(N, F), file.normal(N, U), file.normal(N, U), file.normal(N, 2)])


def layers(file):
    for name, make, states in [('lstm', L.LSTM, 2), ('gru', L.GRU, 1), ('simple_rnn', L.SimpleRNN, 1)]:
        layer(file, name, make(U))
        layer(file, f'{name} without bias', make(U, use_bias=False, return_sequences=True))
        layer(file, f'{name} sequences', make(U, return_sequences=True))
        layer(file, f'{name} states', make(U, return_sequences=True, return_state=True), states)
        layer(file, f'{name} last states', make(U, return_state=True), states)
        layer(file, f'{name} backwards', make(U, go_backwards=True))
        layer(file, f'{name} sequences backwards', make(U, go_backwards=True, return_sequences=True, return_state=True))
        layer(file, f'{name} mask', make(U), mask=MASK)
        layer(file, f'{name} mask sequences', make(U, return_sequences=True, return_state=True), mask=MASK)
        layer(file, f'{name} mask states', make(U, return_sequences=True, return_state=True), states, mask=MASK)
        layer(file, f'{name} mask last states', make(U, return_state=True), states, mask=MASK)
        layer(file, f'{name} mask backwards', make(U, go_backwards=True, return_sequences=True), mask=MASK)
        layer(file, f'{name} mask zeros', make(U, return_sequences=True, return_state=True, zero_output_for_mask=True), states, mask=MASK)
        layer(file, f'{name} mask zero at last', make(U, zero_output_for_mask=True), mask=MASK)
        layer(file, f'{name} relu', make(U, activation='relu'))
        layer(file, f'{name} one step', make(U, return_sequences=True), x=file.normal(N, 1, F))
    layer(file, 'lstm other gates', L.LSTM(U, activation='softsign', recurrent_activation='hard_sigmoid'))
    layer(file, 'lstm of a name', L.LSTM(U, unroll=True, unit_forget_bias=False, name='other'))
    layer(file, 'gru reset before', L.GRU(U, reset_after=False, return_sequences=True))
    layer(file, 'gru reset before, no bias', L.GRU(U, reset_after=False, use_bias=False), 1)
    layer(file, 'gru reset before, mask', L.GRU(U, reset_after=False, return_sequences=True), mask=MASK)
    layer(file, 'gru other gates', L.GRU(U, recurrent_activation='softsign', activation='elu'))


def wrapped(file):
    layer(file, 'rnn of an lstm cell', L.RNN(L.LSTMCell(U, name='cell'), return_sequences=True, return_state=True), 2)
    layer(file, 'rnn of a gru cell', L.RNN(L.GRUCell(U), go_backwards=True))
    layer(file, 'rnn of a simple cell', L.RNN(L.SimpleRNNCell(U)), mask=MASK)
    for name, mask in (('', None), (' mask', MASK)):
        stack = [L.LSTMCell(U, name='a'), L.SimpleRNNCell(U, name='b')]
        layer(file, f'rnn of a stack{name}', L.RNN(stack), mask=mask)
        stack = [L.GRUCell(U), L.LSTMCell(2)]
        layer(file, f'rnn of a stack, all{name}', L.RNN(stack, return_sequences=True, return_state=True), mask=mask)


def both_ways(file):
    for mode in ('concat', 'sum', 'mul', 'ave', None):
        layer(file, f'bidirectional {mode}', L.Bidirectional(L.LSTM(U, return_sequences=True), merge_mode=mode))
        layer(file, f'bidirectional {mode} last', L.Bidirectional(L.GRU(U), merge_mode=mode))
    layer(file, 'bidirectional states', L.Bidirectional(L.LSTM(U, return_sequences=True, return_state=True)), 4)
    layer(file, 'bidirectional states apart', L.Bidirectional(L.GRU(U, return_state=True), merge_mode=None), 2)
    layer(file, 'bidirectional mask', L.Bidirectional(L.LSTM(U, return_sequences=True)), mask=MASK)
    layer(file, 'bidirectional mask last', L.Bidirectional(L.LSTM(U)), mask=MASK)
    layer(file, 'bidirectional of two', L.Bidirectional(L.LSTM(U), backward_layer=L.GRU(U, go_backwards=True, name='other')))
    layer(file, 'bidirectional of an rnn', L.Bidirectional(L.RNN(L.SimpleRNNCell(U)), name='around'))


def images(file):
    x = file.normal(2, 3, 5, 6, 2)
    mask = np.array([[1, 1, 0], [0, 1, 1]], bool)
    state = [file.normal(2, 5, 6, 3) for _ in range(2)]
    for name, make, states, mask in [
        ('conv_lstm2d', L.ConvLSTM2D(3, 3), [], None),
        ('conv_lstm2d same', L.ConvLSTM2D(3, (3, 2), padding='same', return_sequences=True, return_state=True), state, None),
        ('conv_lstm2d strides', L.ConvLSTM2D(2, 3, strides=2, padding='same', use_bias=False, return_sequences=True, go_backwards=True), [], None),
        ('conv_lstm2d dilation', L.ConvLSTM2D(2, 2, dilation_rate=2, activation='relu', recurrent_activation='softsign'), [], None),
        ('conv_lstm2d mask', L.ConvLSTM2D(3, 2, padding='same', return_sequences=True), [], mask),
        ('bidirectional conv_lstm2d', L.Bidirectional(L.ConvLSTM2D(2, 2, return_sequences=True)), [], None),
    ]:
        call = lambda x, *s, make=make, mask=mask: make(x, initial_state=list(s) or None, mask=None if mask is None else tf.constant(mask))
        put(file, name, make, call, [x] + states, mask)
    cell, state = ConvLSTM2DCell(3, 2, padding='same'), [file.normal(2, 4, 5, 3) for _ in range(2)]
    put(file, 'conv_lstm2d cell', cell, lambda x, h, c: cell(x, [h, c]), [file.normal(2, 4, 5, 2)] + state)
    for name, make, shape, size in [
        ('conv_lstm1d', L.ConvLSTM1D(3, 3, strides=2, padding='same', return_sequences=True), (2, 3, 7, 2), None),
        ('conv_lstm1d states', L.ConvLSTM1D(2, 2, padding='same', return_state=True), (2, 3, 5, 2), (2, 5, 2)),
        ('conv_lstm3d', L.ConvLSTM3D(2, 2, return_sequences=True), (2, 2, 4, 3, 5, 2), None),
        ('conv_lstm3d states', L.ConvLSTM3D(2, (1, 2, 3), padding='same', return_state=True), (1, 2, 3, 2, 4, 2), (1, 3, 2, 4, 2)),
    ]:
        states = [file.normal(*size) for _ in range(2)] if size else []
        put(file, name, make, lambda x, *s, make=make: make(x, initial_state=list(s) or None), [file.normal(*shape)] + states, None)


def texts(file, samples, steps, kinds):
    """Sequences of a few letters in which each letter follows from the two before it, mostly; one-hot."""
    random, letters = file.random, np.zeros((samples, steps + 1), int)
    letters[:, :2] = random.integers(kinds, size=(samples, 2))
    for t in range(2, steps + 1):
        follows = (letters[:, t - 1] * 3 + letters[:, t - 2] + 1) % kinds
        letters[:, t] = np.where(random.uniform(size=samples) < 0.9, follows, random.integers(kinds, size=samples))
    return np.eye(kinds, dtype=np.float32)[letters]


def train(file, name, model, xs, ys, batch, steps, **options):
    # Larger than they are drawn, so that states live.
    for w in model.trainable_weights:
        w.assign(file.normal(*w.shape) * 0.4)
    training(file, name, model, xs, ys, batch, steps, names=named, **options)


def whole(file):
    text = texts(file, 64, 12, 6)
    model = keras.Sequential([keras.Input((12, 6)), L.LSTM(12, return_sequences=True), L.LSTM(12, return_sequences=True),
                              L.Dense(6, activation='softmax')])
    model.compile(O.Adam(0.01), 'categorical_crossentropy')
    train(file, 'two LSTMs on letters', model, [text[:, :-1]], [text[:, 1:]], 16, 20)

    # Which of three waves it is, of 4 to 10 steps; what comes after is 0.
    kinds, lengths = file.random.integers(3, size=48), file.random.integers(4, 11, size=48)
    steps = np.arange(10)
    waves = np.sin(steps[None, :, None] * np.array([0.5, 1.1, 1.9])[kinds][:, None, None] + np.array([0.3, 1.0]) + 0.1 * file.normal(48, 10, 2))
    waves = (waves * (steps[None, :, None] < lengths[:, None, None])).astype(np.float32)
    model = keras.Sequential([keras.Input((10, 2)), L.Masking(), L.Bidirectional(L.LSTM(6)), L.Dense(3, activation='softmax')])
    model.compile(O.RMSprop(0.01), 'categorical_crossentropy', metrics=['accuracy'])
    train(file, 'a bidirectional LSTM on waves of several lengths', model, [waves], [np.eye(3, dtype=np.float32)[kinds]], 16, 20)


def parts(file):
    """A step or three of each layer, by the weights after each."""
    x, y = file.normal(8, 5, 4), file.normal(8, 2)
    for name, inner in [
        ('gru', [L.GRU(3)]), ('gru reset before', [L.GRU(3, reset_after=False)]), ('simple_rnn', [L.SimpleRNN(3)]),
        ('two grus', [L.GRU(4, return_sequences=True), L.GRU(3)]),
        ('stack', [L.RNN([L.LSTMCell(3), L.GRUCell(4)])]),
        ('stack in both directions', [L.Bidirectional(L.RNN([L.GRUCell(3), L.SimpleRNNCell(2)], return_sequences=True), merge_mode='sum'), L.Flatten()]),
        ('masked twice', [L.Masking(), L.LSTM(4, return_sequences=True), L.GRU(3)]),
        ('held', [L.LSTM(4, kernel_regularizer='l2', recurrent_regularizer=keras.regularizers.L1(0.02), bias_regularizer='l2',
                         recurrent_constraint=keras.constraints.MaxNorm(1.2), kernel_constraint='non_neg')]),
        ('what it gives counts', [L.GRU(4, activity_regularizer=keras.regularizers.L2(0.1))]),
    ]:
        model = keras.Sequential([keras.Input((5, 4)), *inner, L.Dense(2)])
        model.compile(O.SGD(0.2), 'mse')
        holes = x * (file.random.uniform(size=(8, 5, 1)) < 0.7) if name == 'masked twice' else x
        train(file, name, model, [holes], [y], 8, 3, trajectory=True)


def states(file):
    a, b = keras.Input((5, 4)), keras.Input((6, 3))
    _, h, c = L.LSTM(3, return_state=True)(a)
    z, last = L.GRU(3, return_sequences=True, return_state=True)(b, initial_state=h)
    z = L.Bidirectional(L.GRU(3, return_sequences=True))(z, initial_state=[last, c])
    z = L.LSTM(3)(z, initial_state=[h, last])
    model = keras.Model([a, b], L.Dense(2)(z))
    model.compile(O.SGD(0.2), 'mse')
    train(file, 'states that are given', model, [file.normal(8, 5, 4), file.normal(8, 6, 3)], [file.normal(8, 2)], 8, 3,
          trajectory=True, as_written=True)
    for name, inner in [
        ('stateful lstm', [L.LSTM(3, stateful=True)]),
        ('stateful grus', [L.GRU(3, stateful=True, return_sequences=True), L.GRU(2, stateful=True, go_backwards=True)]),
        ('stateful in both directions', [L.Bidirectional(L.SimpleRNN(3, stateful=True))]),
        ('stateful stack', [L.RNN([L.LSTMCell(3), L.GRUCell(2)], stateful=True)]),
        ('stateful and masked', [L.Masking(), L.LSTM(3, stateful=True, return_sequences=True), L.Flatten()]),
    ]:
        model = keras.Sequential([keras.Input((5, 4), batch_size=8), *inner, L.Dense(2)])
        model.compile(O.SGD(0.2), 'mse')
        x = file.normal(8, 5, 4)
        if 'masked' in name:
            x *= file.random.uniform(size=(8, 5, 1)) < 0.6
        train(file, name, model, [x], [file.normal(8, 2)], 8, 3, trajectory=True)


def counted(file):
    """Regularizers of what layers within others give."""
    regular = lambda: keras.regularizers.L2(0.1)
    for name, inner in [
        ('what layers give in both directions counts', [L.Bidirectional(L.SimpleRNN(3, activity_regularizer=regular()))]),
        ('what a layer gives at each step does not count', [L.TimeDistributed(L.Dense(2, activity_regularizer=regular())), L.Flatten()]),
    ]:
        model = keras.Sequential([keras.Input((5, 4)), *inner, L.Dense(2)])
        model.compile(O.SGD(0.2), 'mse')
        train(file, name, model, [file.normal(8, 5, 4)], [file.normal(8, 2)], 8, 3, trajectory=True)


def make(folder):
    file = Golden('nn_rnn', seed=20261201)
    for family in (cells, layers, wrapped, both_ways, images):
        family(file)
    file.save(folder)
    file = Golden('nn_rnn_models', seed=20261202)
    for family in (whole, parts, states, counted):
        family(file)
    file.save(folder)


if __name__ == '__main__':
    make(here())
