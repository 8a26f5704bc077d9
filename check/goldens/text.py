"""Keras's layers for texts, for web/test/text.test.mjs: text.json.

{texts: {name: a list}, cases: [{layer, config, inputs, shape, values}]}: what the layer makes of the inputs, flat; texts where it inverts. With
`adapt` the layer has learnt of these texts, or of these batches of them where `batches` is true, and `vocabulary` and, for tf_idf, `weights` are
what it knows then. "@odd" names one of the lists.
"""
import json
import os

from golden import here, keras, np, tf

# Letters beyond ASCII, signs that are no punctuation of ASCII, spaces that are none of its, what is joined of several code points.
ODD = ['', ' ', '!?', "Don't «quote» it’s – well… END。", 'Äpfel äpfel ÄPFEL Straße STRASSE', 'İstanbul ISTANBUL ıstanbul ΣΑΣ Жук',
       'e\u0301 \u00e9 E\u0301 \ufb01 fi', '👩‍👧 😀 😀! \U0001f600x', 'a\u00a0b c\u3000d e\u2003f', '\ta\nb\vc\fd\re  f ', 'x\x1cy z\u0085w', '1,234.5 a_b c-d [e] {f} ~g `h` @i #j']
LETTERS = 'The quick brown fox jumps over the lazy dog; 0123456789 ÄÖÜ ß € 😀 '
TOKENS = [(LETTERS * 5).encode()[:n].decode(errors='ignore') for n in
          (0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 20, 24, 31, 32, 33, 40, 48, 63, 64, 65, 66, 100, 127, 128, 129, 192, 193, 257, 300)]
WORDS = ['a', 'b', 'c d']
SHARED = {'odd': ODD, 'tokens': TOKENS}
NEST = [['a', 'z', ''], ['c d', 'b', 'b']]
MOST = 2**31 - 1
TEXTS = ['a b c d a', '', 'B a!', 'ü b']


def named(texts):
    return next(('@' + name for name, shared in SHARED.items() if shared is texts), texts)


def plain(output):
    """Its shape and its values."""
    if isinstance(output, tf.RaggedTensor):
        output = output.to_tensor()
    if output.dtype == tf.string:
        return {'shape': output.shape.as_list(), 'values': [v.decode() for v in output.numpy().ravel()]}
    return {'shape': output.shape.as_list(), 'values': [float(v) if v % 1 else int(v) for v in output.numpy().ravel()]}


def case(layer, inputs, adapt=None, batches=False, **config):
    made = getattr(keras.layers, layer)(**config)
    fields = {'layer': layer, 'config': config, 'inputs': named(inputs)}
    if adapt is not None:
        made.adapt(iter(adapt) if batches else adapt)
        lookup = getattr(made, '_lookup_layer', made)
        fields |= {'adapt': named(adapt), 'batches': batches, 'vocabulary': [str(word) for word in made.get_vocabulary()]}
        if config.get('output_mode') == 'tf_idf':
            fields['weights'] = [float(w) for w in np.asarray(lookup.idf_weights_const)]
    # A feature of a crossing is an input of its own; an empty list has no type.
    given = [tf.constant(one) for one in inputs] if layer == 'HashedCrossing' else inputs if made.__dict__.get('invert') else tf.constant(inputs)
    return fields | plain(made(given))


def vectorizations():
    for standardize in ('lower_and_strip_punctuation', 'lower', 'strip_punctuation', None):
        for split in ('whitespace', 'character', None):
            yield case('TextVectorization', ODD, adapt=ODD, standardize=standardize, split=split)
    yield case('TextVectorization', ODD, adapt=ODD)
    for mode in ('int', 'one_hot', 'multi_hot', 'count'):
        for inputs in (TEXTS, 'a b q', '', [['a'], ['b a']]):
            yield case('TextVectorization', inputs, vocabulary=['a', 'b', 'b c'], output_mode=mode, ngrams=2)
        for inputs in (['a', 'c d', 'q'], NEST):
            yield case('TextVectorization', inputs, vocabulary=WORDS, output_mode=mode, split=None, standardize=None)
    yield case('TextVectorization', 'c d', vocabulary=WORDS, split=None)
    yield case('TextVectorization', NEST, vocabulary=[*WORDS, 'b b'], split=None, ngrams=(2, 1))
    for ngrams in (1, 3, (3,), (2, 1)):
        yield case('TextVectorization', TEXTS, adapt=TEXTS, ngrams=ngrams)
    for length in (0, 2, 9):
        yield case('TextVectorization', TEXTS, vocabulary=WORDS, output_sequence_length=length)
    yield case('TextVectorization', 'a b q', vocabulary=WORDS, output_sequence_length=2)
    yield case('TextVectorization', NEST, vocabulary=WORDS, split=None, output_sequence_length=2)
    for batches in ([TEXTS[:2], TEXTS[2:]], [[['a'], ['b b']], [['c']]]):
        yield case('TextVectorization', TEXTS, adapt=batches, batches=True, output_mode='tf_idf')
    yield case('TextVectorization', TEXTS, adapt=TEXTS, max_tokens=4)
    yield case('TextVectorization', TEXTS, adapt=TEXTS, max_tokens=9, output_mode='tf_idf', pad_to_max_tokens=True)
    yield case('TextVectorization', TEXTS, adapt=TEXTS, max_tokens=3, output_mode='count', pad_to_max_tokens=True)
    yield case('TextVectorization', TEXTS, adapt=['[UNK] a', '[UNK]'], standardize=None)
    yield case('TextVectorization', TEXTS, adapt=NEST, split=None, output_mode='tf_idf')
    yield case('TextVectorization', TEXTS, vocabulary=['', '[UNK]', 'b', 'a'])
    yield case('TextVectorization', TEXTS, vocabulary=['a', 'b'], idf_weights=[0.5, 0.7], max_tokens=5, output_mode='tf_idf', pad_to_max_tokens=True)
    yield case('TextVectorization', TEXTS, vocabulary=['[UNK]', 'a', 'b'], idf_weights=[4.0, 0.5, 0.75], output_mode='tf_idf')


def lookups():
    for mode in ('int', 'one_hot', 'multi_hot', 'count'):
        # A vector for a row of deeper lists is over another axis than Keras's documentation says.
        for inputs in ('a', ['b'], ['a', 'z', '', 'c d'], [['a'], ['b']], NEST, *([] if mode in ('multi_hot', 'count') else [[NEST, NEST]])):
            yield case('StringLookup', inputs, vocabulary=WORDS, mask_token='', output_mode=mode)
    yield case('StringLookup', TOKENS, vocabulary=WORDS, num_oov_indices=1000)
    yield case('StringLookup', TOKENS, vocabulary=WORDS, num_oov_indices=1000, mask_token='T', salt=[7, -1])
    yield case('StringLookup', NEST, vocabulary=WORDS, num_oov_indices=3, output_mode='count', max_tokens=9, pad_to_max_tokens=True)
    yield case('StringLookup', ['c d', 'a'], vocabulary=WORDS, num_oov_indices=0)
    yield case('StringLookup', [['c d', 'm'], ['m', 'a']], vocabulary=WORDS, num_oov_indices=0, mask_token='m')
    yield case('StringLookup', ['[UNK]', 'a', 'z'], vocabulary=['a', '[UNK]'])
    yield case('StringLookup', [[0, 1, 2], [3, 4, 5], [-1, 99, 6]], vocabulary=WORDS, num_oov_indices=2, mask_token='m', invert=True, oov_token='?')
    for data in (['b', 'c', 'c', 'ü', '\ue000', '😀', 'ﬁ'], [['b', 'c', 'c'], ['b', 'd', 'd']]):
        for mode in ('int', 'tf_idf'):
            yield case('StringLookup', ['b', 'c', 'q'], adapt=data, output_mode=mode)
    yield case('StringLookup', ['b', 'c', 'q'], adapt=[['b', 'c', 'c'], ['b', 'd']], batches=True, output_mode='tf_idf')
    yield case('StringLookup', [0, 1, 2], adapt=['b', 'c', 'c'], invert=True)


def hashes():
    for config in ({}, {'mask_value': ''}, {'salt': 5}, {'salt': [133, -137]}):
        yield case('Hashing', TOKENS, num_bins=MOST, **config)
        yield case('Hashing', NEST, num_bins=3, **config)
    for config in ({}, {'mask_value': 0}, {'salt': 5}):
        yield case('Hashing', [[0, 1], [-7, 123456789]], num_bins=MOST, **config)
    yield case('Hashing', [1.9, -1.9, 0.5, -0.5], num_bins=MOST)
    for mode in ('one_hot', 'multi_hot', 'count'):
        for inputs in (['a', '', 'b'], ['a'], [['a'], ['b']], NEST, *([[NEST]] if mode == 'one_hot' else [])):
            yield case('Hashing', inputs, num_bins=4, output_mode=mode)
    yield case('Hashing', 'a', num_bins=9)
    yield case('Hashing', ['a', 'b'], num_bins=1, mask_value='a')
    for mode, bins in (('int', MOST), ('one_hot', 4)):
        for inputs in (['A', 1], [['A', 'B', '', 'Ü'], [101, -2, 0, MOST]], [[['A'], ['B']], [['x'], ['y']]], [['a'], ['b'], [3]]):
            yield case('HashedCrossing', inputs, num_bins=bins, output_mode=mode)


def make(folder):
    cases = [*vectorizations(), *lookups(), *hashes()]
    path = os.path.join(folder, 'text.json')
    with open(path, 'w') as out:
        lines = ',\n'.join(json.dumps(one, ensure_ascii=False) for one in cases)
        out.write(f'{{"texts": {json.dumps(SHARED, ensure_ascii=False)},\n"cases": [{lines}]}}\n')
    print(f'{path}: {len(cases)} cases, {os.path.getsize(path)} bytes')


if __name__ == '__main__':
    make(here())
