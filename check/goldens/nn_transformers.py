"""Whole trainings of models with embeddings and attention, 20 steps: the cases are trainings (nn_golden.py), the models described
as keras.Model.to_json() writes them.
"""
from nn_golden import Golden, here, keras, np, training

L, O = keras.layers, keras.optimizers


def train(file, name, model, xs, ys, batch=8, steps=20, **options):
    for w in model.trainable_weights:
        # Not the zeros of biases.
        w.assign(w + file.normal(*w.shape) / 10)
    training(file, name, model, xs, ys, batch, steps, as_written=True, **options)


def ids(file, most, *shape):
    return file.random.integers(1, most, shape).astype(np.int32)


def gpt(file):
    """A text of which each character follows from the two before it, some of the time.

    Keras's Adam on TensorFlow squares the gradients of a row that stands in a batch twice one by one: the regularizer has it sum them
    before. A bias of keys has no gradient but rounding, which Adam brings to the size of a step: there is none.
    """
    steps, words, size = 10, 12, 16
    held = keras.regularizers.L2(1e-4)
    tokens, places = keras.Input((steps,), dtype='int32', name='tokens'), keras.Input((steps,), dtype='int32', name='places')
    x = L.Add()([L.Embedding(n, size, embeddings_regularizer=held)(t) for n, t in ((words, tokens), (steps, places))])
    for _ in range(2):
        h = L.LayerNormalization(epsilon=1e-5)(x)
        x = L.Add()([x, L.MultiHeadAttention(4, size // 4, use_bias=False)(h, h, use_causal_mask=True)])
        h = L.LayerNormalization(epsilon=1e-5)(x)
        x = L.Add()([x, L.Dense(size)(L.Dense(4 * size, activation='gelu')(h))])
    model = keras.Model([tokens, places], L.Dense(words, name='logits')(L.LayerNormalization(epsilon=1e-5)(x)))
    model.compile(O.Adam(0.003), keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=['accuracy'])
    text = ids(file, words, 32, steps + 1)
    for t in range(2, steps + 1):
        follows = file.random.uniform(size=32) < 0.7
        text[:, t] = np.where(follows, (text[:, t - 1] + 2 * text[:, t - 2]) % words, text[:, t])
    at = np.tile(np.arange(steps, dtype=np.int32), (32, 1))
    train(file, 'gpt', model, [text[:, :-1], at], [text[:, 1:]])


def classifier(file):
    """Sentences of several lengths: what a query of zeros sees is the mean of the words that count."""
    steps, size = 7, 8
    tokens, query = keras.Input((steps,), dtype='int32'), keras.Input((1, size))
    x = L.Embedding(20, size, mask_zero=True)(tokens)
    x = L.Add()([x, L.MultiHeadAttention(2, 4)(x, x)])
    x = L.BatchNormalization(momentum=0.9)(L.Dense(size, activation='relu')(x))
    y = L.Dense(3, activation='softmax')(L.Flatten()(L.Attention()([query, x])))
    model = keras.Model([tokens, query], y)
    model.compile(O.SGD(0.1, momentum=0.9), 'sparse_categorical_crossentropy', metrics=['accuracy'])
    words = ids(file, 20, 32, steps)
    lengths = file.random.integers(2, steps + 1, 32)
    words[np.arange(steps)[None] >= lengths[:, None]] = 0
    train(file, 'classifier with masks', model, [words, np.zeros((32, 1, size), np.float32)], [words.sum(1) % 3])


def plain(file):
    """With plain gradient descent a step changes the rows of its batch alone."""
    model = keras.Sequential([keras.Input((4,), dtype='int32'), L.Embedding(50, 6), L.Flatten(), L.Dense(1)])
    model.compile(O.SGD(0.2), 'mse')
    words = ids(file, 50, 16, 4)
    train(file, 'plain descent', model, [words], [words[:, :1].astype(np.float32) / 50], batch=5)


def decoder(file):
    """A sequence that looks at another one, by groups of heads; each is normalised in its own way."""
    source, target = keras.Input((5, 6)), keras.Input((4, 6))
    memory = L.RMSNormalization()(L.EinsumDense('abc,cd->abd', (None, 8), bias_axes='d', activation='tanh')(source))
    h = L.GroupNormalization(groups=2)(L.Dense(8)(target))
    h = L.Add()([h, L.GroupQueryAttention(4, 4, 2)(h, h, use_causal_mask=True)])
    seen, scores = L.MultiHeadAttention(2, 4, value_dim=3)(h, memory, return_attention_scores=True)
    h = L.UnitNormalization()(L.Add()([h, seen]))
    h = L.AdditiveAttention()([h, memory])
    model = keras.Model([source, target], [L.Dense(2, name='answer')(h), L.Flatten(name='looks')(scores)])
    model.compile(O.SGD(0.05, momentum=0.9), ['mse', 'mae'])
    train(file, 'decoder', model, [file.normal(24, 5, 6), file.normal(24, 4, 6)],
          [file.normal(24, 4, 2), file.random.uniform(size=(24, 40)).astype(np.float32)])


def spectral(file):
    S = L.SpectralNormalization
    model = keras.Sequential([keras.Input((5,)), S(L.Dense(6, activation='relu')), S(L.Dense(3), power_iterations=2), L.Dense(1)])
    model.compile(O.SGD(0.1, momentum=0.9), 'mse')
    train(file, 'spectral normalisation', model, [file.normal(32, 5)], [file.normal(32, 1)])


def reversible(file):
    """A table of words that is also the last layer, with what says which steps count."""
    for name, options in [('tied', {'logit_soft_cap': 2.0}), ('of its own', {'tie_weights': False, 'mask_zero': True})]:
        tokens = keras.Input((6,), dtype='int32')
        words = L.ReversibleEmbedding(11, 5, embeddings_regularizer=keras.regularizers.L2(1e-3), **options)
        model = keras.Model(tokens, words(L.Dense(5, activation='tanh')(words(tokens)), reverse=True))
        model.compile(O.Adam(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        text = ids(file, 11, 24, 7)
        text[:, 4:] *= file.random.integers(0, 2, (24, 1))
        train(file, f'words that are {name}', model, [text[:, :-1]], [text[:, 1:]])


def make(folder):
    file = Golden('nn_transformers', seed=20261130)
    for family in (gpt, classifier, plain, decoder, spectral, reversible):
        keras.utils.clear_session()
        family(file)
    file.save(folder)


if __name__ == '__main__':
    make(here())
