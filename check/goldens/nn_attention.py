"""Golden values of embeddings, attention, dense layers of equations, and normalisations by masks and groups.

A case is as nn_layers.py writes it. The gradient by an input of whole numbers or truths is null. It may have more: masks [@ or
null] of the inputs, call: what the call says, second @: another output, output_mask @ of the first one.
"""
from nn_golden import Golden, description, here, keras, np, split, tf, within

L = keras.layers


def masked(x, mask):
    t = tf.constant(x)
    if mask is not None:
        keras.src.backend.set_keras_mask(t, tf.constant(mask))
    return t


def add(file, layer, *inputs, name, masks=None, training=False, listed=False, **call):
    """`listed`: Keras takes the inputs as a list. Of several inputs the fourth is the mask of attention."""
    ts = [masked(x, m) for x, m in zip(inputs, masks or [None] * len(inputs))]

    def run(training):
        if listed:
            return layer(ts, training=training, **call)
        if len(ts) > 3:
            return layer(*ts[:3], attention_mask=ts[3], training=training, **call)
        # Not every layer takes training.
        return layer(*ts, **({'training': training} if training else {}), **call)
    run(False)
    for w in layer.weights:
        value = file.normal(*w.shape) * 0.5
        w.assign(np.abs(value) + 0.5 if w.name in ('moving_variance', 'gamma', 'scale') else value)
    names = {id(w): within(layer, w) for w in layer.weights}
    before = {names[id(w)]: w.numpy() for w in layer.weights}
    assert len(before) == len(layer.weights)
    with tf.GradientTape() as tape:
        moving = [t for t in ts if t.dtype == tf.float32]
        for t in moving:
            tape.watch(t)
        # A call takes the masks from its inputs.
        for t, m in zip(ts, masks or []):
            if m is not None:
                keras.src.backend.set_keras_mask(t, tf.constant(m))
        outputs = run(training)
        y = outputs[0] if isinstance(outputs, (tuple, list)) else outputs
        dy = file.normal(*y.shape)
        s = tf.reduce_sum(y * dy)
    trained = {names[id(w)]: w.value for w in layer.trainable_weights}
    dx, dw = tape.gradient(s, (moving, trained))
    found = iter(dx)
    d = description(layer)
    given, filled = split(layer, {k: v for k, v in d['config'].items() if not k.endswith('_initializer')})
    more = {'call': call} if call else {}
    if masks:
        more['masks'] = [None if m is None else file.put(m, bools=True) for m in masks]
    if y is not outputs:
        more['second'] = file.put(outputs[1])
    mask = keras.src.backend.get_keras_mask(y)
    if mask is not None:
        more['output_mask'] = file.put(np.asarray(mask).astype(np.float32))
    file.case(
        name=name, class_name=d['class_name'], config=given, defaults=filled, training=training,
        inputs=[file.put(x, bools=True) for x in inputs], weights={n: file.put(v) for n, v in before.items()},
        output=file.put(y), dy=file.put(dy),
        input_gradients=[put(file, next(found)) if t.dtype == tf.float32 else None for t in ts],
        weight_gradients={n: None if dw.get(n) is None else put(file, dw[n]) for n in before},
        updated={names[id(w)]: file.put(w.numpy()) for w in layer.weights if np.any(before[names[id(w)]] != w.numpy())}, **more)


def put(file, gradient):
    return file.put(tf.convert_to_tensor(gradient))


def embeddings(file):
    ids = file.random.integers(0, 7, (3, 5)).astype(np.int32)
    add(file, L.Embedding(7, 4), ids, name='embedding')
    add(file, L.Embedding(7, 4, mask_zero=True), np.where(ids < 3, 0, ids).astype(np.int32), name='embedding mask_zero')
    add(file, L.Embedding(9, 3), ids[:, 0], name='embedding of one number')
    add(file, L.Embedding(1000, 2), file.random.integers(0, 1000, (2, 3, 4)).astype(np.int32), name='embedding of rank 3')


def equations(file):
    x, image = file.normal(3, 4, 5), file.normal(2, 3, 4, 5)
    for equation, shape, given, options in [
        ('ab,bc->ac', (6,), file.normal(3, 5), {'bias_axes': 'c', 'activation': 'tanh'}),
        ('abc,cd->abd', (None, 6), x, {'bias_axes': 'd'}), ('abc,cde->abde', (4, 2, 3), x, {'bias_axes': 'de'}),
        ('abc,dc->abd', (None, 6), x, {}), ('abc,cb->ac', (5,), x, {}),
        ('abc,bde->abde', (4, 2, 3), x, {}), ('abc,bcd->ad', 6, x, {'bias_axes': 'd'}),
        ('abcd,cde->abe', (3, 2), image, {'bias_axes': 'be'}), ('...x,xy->...y', 6, image, {'bias_axes': 'y'}),
        ('...xy,xyz->...z', 6, image, {'bias_axes': 'z'}), ('ab...,bc->ac...', 6, image, {'bias_axes': 'c'}),
        ('abc...,cd->abd...', (None, 6), image, {'bias_axes': 'd'}),
    ]:
        add(file, L.EinsumDense(equation, shape, **options), given, name=f'einsum_dense {equation}')


def sequences(file, *lengths):
    """Masks of sequences of these lengths, each of the longest."""
    return np.arange(max(lengths))[None] < np.array(lengths)[:, None]


def heads(file):
    q, v, k = file.normal(2, 4, 5), file.normal(2, 6, 3), file.normal(2, 6, 7)
    qm, vm = sequences(file, 4, 2), sequences(file, 3, 6)
    own = file.normal(2, 5, 6)
    see = file.random.uniform(size=(2, 4, 6)) < 0.6
    see[:, :, 0] = True
    M = L.MultiHeadAttention
    add(file, M(2, 3), q, v, name='multi_head_attention')
    add(file, M(2, 3, value_dim=4, use_bias=False), q, v, k, name='multi_head_attention key')
    add(file, M(3, 2, output_shape=8), own, own, name='multi_head_attention output_shape')
    add(file, M(3, 2, output_shape=(2, 4)), own, own, name='multi_head_attention output_shape of two axes')
    add(file, M(2, 3), own, own, use_causal_mask=True, name='multi_head_attention causal')
    add(file, M(2, 3), q, v, use_causal_mask=True, return_attention_scores=True, name='multi_head_attention scores')
    add(file, M(2, 3, sliding_window=2), own, own, name='multi_head_attention sliding_window')
    add(file, M(2, 3, sliding_window=3), own, own, use_causal_mask=True, name='multi_head_attention causal sliding_window')
    add(file, M(2, 3, use_gate=True, value_dim=2), q, v, name='multi_head_attention gate')
    add(file, M(2, 3), q, v, masks=[qm, vm], name='multi_head_attention masks')
    add(file, M(2, 3), q, v, masks=[None, vm], return_attention_scores=True, name='multi_head_attention value mask, scores')
    add(file, M(2, 3, dropout=0.5), q, v, masks=[qm, vm], name='multi_head_attention masks, dropout that predicts')
    add(file, M(2, 3), q, v, k, masks=[None, None, vm], name='multi_head_attention key mask')
    add(file, M(2, 3), q, v, v, see, name='multi_head_attention attention_mask')
    add(file, M(2, 3), q, v, v, see[0], name='multi_head_attention attention_mask for all samples')
    add(file, M(2, 3), q, v, v, see, masks=[qm, vm, None, None], use_causal_mask=True, return_attention_scores=True,
        name='multi_head_attention all masks')
    add(file, M(2, 3, attention_axes=1), q, v, name='multi_head_attention attention_axes')
    # The axes of attention are not those of the steps.
    add(file, M(2, 3, attention_axes=(1, 2)), file.normal(1, 2, 3, 4), file.normal(1, 2, 3, 4), name='multi_head_attention of images')
    G = L.GroupQueryAttention
    add(file, G(3, 4, 2), own, own, name='group_query_attention')
    add(file, G(3, 4, 1, use_bias=False), q, file.normal(2, 6, 5), use_causal_mask=True, name='group_query_attention one key')
    add(file, G(2, 3, 3, use_gate=True), own, own, return_attention_scores=True, name='group_query_attention scores')
    add(file, G(2, 4, 2, sliding_window=2), own, own, masks=[sequences(file, 5, 3), sequences(file, 5, 3)],
        name='group_query_attention masks')
    add(file, G(2, 4, 2), own, own, own, sequences(file, 5, 3)[:, None].repeat(5, 1), name='group_query_attention attention_mask')


def single(file):
    q, v, k = file.normal(2, 4, 5), file.normal(2, 6, 3), file.normal(2, 6, 5)
    qm, vm = sequences(file, 4, 2), sequences(file, 3, 6)
    for name, layer in [('attention', L.Attention), ('additive_attention', L.AdditiveAttention)]:
        add(file, layer(), q, k, listed=True, name=name)
        add(file, layer(), q, v, k, listed=True, name=f'{name} key')
        add(file, layer(use_scale=name == 'attention'), q, v, k, listed=True, use_causal_mask=True, name=f'{name} causal')
        add(file, layer(), q, k, listed=True, masks=[qm, vm], return_attention_scores=True, name=f'{name} masks, scores')
        add(file, layer(dropout=0.3), q, k, listed=True, masks=[None, vm], use_causal_mask=True, name=f'{name} value mask, causal')
    add(file, L.Attention(score_mode='concat'), q, k, listed=True, name='attention concat')
    add(file, L.Attention(score_mode='concat', use_scale=True), q, v, k, listed=True, name='attention concat, scale')


def normalization(file):
    x, image = file.normal(3, 4, 6) * 2 + 1, file.normal(2, 4, 3, 6) * 2 - 1
    steps = sequences(file, 4, 1, 2)
    add(file, L.BatchNormalization(), x, masks=[steps], training=True, name='batch_normalization masks')
    add(file, L.BatchNormalization(momentum=0.7), x, masks=[steps], name='batch_normalization masks, inference')
    add(file, L.BatchNormalization(axis=1), image, name='batch_normalization axis 1, inference')
    add(file, L.BatchNormalization(axis=2, scale=False), image, training=True, name='batch_normalization axis 2')
    for name, options in [('', {}), (' epsilon', {'epsilon': 0.1}), (' axes', {'axis': [2, 3]})]:
        add(file, L.RMSNormalization(**options), image, name=f'rms_normalization{name}')
    for name, options in [('', {}), (' axis 1', {'axis': 1}), (' axes', {'axis': [1, 3]})]:
        add(file, L.UnitNormalization(**options), image, name=f'unit_normalization{name}')
    add(file, L.UnitNormalization(), x * np.array([1, 0, 1], np.float32)[:, None, None], name='unit_normalization of nothing')
    add(file, L.LayerNormalization(axis=[3, 1]), image, masks=[steps[:2]], name='layer_normalization axes 3 1')
    add(file, L.LayerNormalization(axis=[1, 2], rms_scaling=True), image, name='layer_normalization rms_scaling axes 1 2')
    for name, options, given in [
        ('', {'groups': 3}, image), (' of rank 2', {'groups': 2}, file.normal(5, 6)), (' of one channel each', {'groups': -1}, image),
        (' in one group', {'groups': 1, 'epsilon': 0.01}, image), (' axis 1', {'groups': 2, 'axis': 1}, image),
        (' axis -2', {'groups': 3, 'axis': -2, 'scale': False}, image), (' without center', {'groups': 2, 'center': False}, x),
    ]:
        add(file, L.GroupNormalization(**options), given, name=f'group_normalization{name}')
    add(file, L.GroupNormalization(groups=2), x, masks=[steps], name='group_normalization masks')


def spectral(file):
    """Training divides the kernel by its largest singular value, and goes on from there."""
    S = L.SpectralNormalization
    for name, layer, x in [('', S(L.Dense(4)), file.normal(3, 5)),
                           (' of a convolution', S(L.Conv2D(3, 2, activation='tanh'), power_iterations=3), file.normal(2, 4, 4, 2))]:
        for training in (True, False):
            add(file, layer, x, training=training, name=f'spectral_normalization{name}{"" if training else ", inference"}')


def make(folder):
    file = Golden('nn_attention', seed=20261129)
    for family in (embeddings, equations, heads, single, normalization, spectral):
        family(file)
    file.save(folder)


if __name__ == '__main__':
    make(here())
