"""Golden values of layers of sounds and of lookup, and of the kernels of short-time Fourier transforms.

A case is as nn_layers.py writes it, without input_gradients where the outputs are whole numbers; with a tolerance where that is not 1e-5. The kernels are cases
{name, initializer: its description, shape, values @}.
"""
import contextlib
import functools
import itertools

from nn_attention import add
from nn_golden import Golden, description, here, keras, np, split, tf

L = keras.layers


@contextlib.contextmanager
def doubles():
    """Keras computes in double: angles of long waves, and the logarithms of small powers, have rounding else."""
    keras.backend.set_floatx('float64')
    yield
    keras.backend.set_floatx('float32')


def sound(file, *shape):
    """Waves of several lengths, and noise, so that no frequency is nearly absent."""
    t = np.arange(shape[-1], dtype=np.float32)
    return np.sin(t * 0.7) + 0.5 * np.cos(t * 1.9 + 1) + file.normal(*shape)


def kernels(file):
    windows = ['hann', 'hamming', 'blackman', 'nuttall', 'blackmanharris', 'flattop', 'bartlett', 'barthann', 'boxcar', None]
    for window, periodic in itertools.product(windows, (False, True)):
        for side, scaling, shape in (('real', 'density', (6, 1, 5)), ('imag', 'spectrum', (7, 1, 5)), ('real', None, (1, 1, 3)), ('imag', None, (16, 1, 9))):
            initializer = keras.initializers.STFT(side, window, scaling, periodic)
            file.case(name=f'stft {side} {window} {scaling} {periodic}', initializer=description(initializer), shape=shape,
                      values=file.put(initializer(shape)))


def with_channels_last(conv):
    """The same convolution: TensorFlow's kernels for processors want channels last."""
    def moved(x, kernel, data_format, **options):
        if data_format == 'channels_last':
            return conv(x, kernel, data_format=data_format, **options)
        return tf.transpose(conv(tf.transpose(x, (0, 2, 1)), kernel, data_format='channels_last', **options), (0, 2, 1))
    return moved


def spectrograms(file):
    from keras.src import ops
    ops.conv = with_channels_last(ops.conv)
    x, wide = sound(file, 3, 40)[..., None].astype(np.float32), file.normal(2, 30, 2)
    S = L.STFTSpectrogram
    for mode in ('log', 'magnitude', 'psd', 'real', 'imag', 'angle', 'stft'):
        # None of the angles of one signal is near to where it turns over.
        add(file, S(mode, 8), x[:1] if mode == 'angle' else x, name=f'stft_spectrogram {mode}')
        add(file, S(mode, 6, 4, 10, expand_dims=True, padding='same'), wide, name=f'stft_spectrogram {mode} as images')
    for expand in (False, True):
        add(file, S('magnitude', 8, 3, expand_dims=expand), wide, name=f'stft_spectrogram of channels {expand}')
        add(file, S('magnitude', 8, 3, expand_dims=expand, data_format='channels_first'), wide.transpose(0, 2, 1),
            name=f'stft_spectrogram of channels first {expand}')
    add(file, S('real', 1, 1, fft_length=2, window=None, scaling=None), x, name='stft_spectrogram of one sample')
    add(file, S('psd', 5, 2, fft_length=7, window='hamming', scaling='spectrum', periodic=True), wide, name='stft_spectrogram of odd frames')


def exact(layer):
    layer.linear_to_mel_weight_matrix = functools.partial(layer.linear_to_mel_weight_matrix, dtype='float64')
    layer.ref_power = np.float64(layer.ref_power)
    return layer


def add_mel(file, layer, x, name):
    """Logarithms of small powers are as inexact as these, relative to the largest: sums of 32-bit numbers."""
    add(file, exact(layer), x, name=name)
    file.cases[-1]['tolerance'] = 1e-4


def mel(file):
    x = sound(file, 3, 100).astype(np.float32)
    M = L.MelSpectrogram
    few = {'fft_length': 32, 'sequence_stride': 16, 'num_mel_bins': 5}
    for name, options in [
        ('', {}), (' as power', {'power_to_db': False}), (' as magnitude', {'power_to_db': False, 'mag_exp': 1.0}),
        (' of another power', {'mag_exp': 1.5}), (' hamming', {'window': 'hamming'}), (' without a window', {'window': None}),
        (' of short frames', {'sequence_length': 20}), (' of odd frames', {'sequence_length': 21}), (' of an odd length', {'fft_length': 31, 'sequence_length': 20}),
        (' of some frequencies', {'min_freq': 300.0, 'max_freq': 3500.0}), (' of another rate', {'sampling_rate': 8000}),
        (' cut', {'top_db': 20.0}), (' beside another power', {'ref_power': -3.0, 'min_power': 0.5}), (' of long steps', {'sequence_stride': 37}),
    ]:
        add_mel(file, M(**few | options), x, f'mel_spectrogram{name}')
    add_mel(file, M(fft_length=64, sequence_stride=8, num_mel_bins=40, min_power=0.01), x, 'mel_spectrogram of many bands')


def reversible(file):
    ids, x = file.random.integers(0, 7, (3, 5)).astype(np.int32), file.normal(3, 5, 4)
    R = L.ReversibleEmbedding
    for name, options in [('', {}), (' of its own', {'tie_weights': False}), (' capped', {'logit_soft_cap': 0.7, 'mask_zero': True})]:
        add(file, R(7, 4, **options), ids, name=f'reversible_embedding{name}')
        add(file, R(7, 4, **options), x, reverse=True, name=f'reversible_embedding{name}, reverse')
    add(file, R(7, 4, mask_zero=True, reverse_dtype='float32'), x[0], reverse=True, masks=[ids[0] > 2], name='reversible_embedding reverse of a mask')


def lookup(file, name, layer, *inputs):
    for x in inputs:
        x = np.array(x, np.int32)
        y = np.asarray(layer(x))
        # Places are whole numbers; vectors have Keras's own type where a model reads them.
        y = y if layer.output_mode == 'int' else y.astype(np.float32)
        d = description(layer)
        given, filled = split(layer, d['config'])
        file.case(name=f'integer_lookup {name} {list(x.shape)}', class_name=d['class_name'], config=given, defaults=filled, inputs=[file.put(x)],
                  weights={}, output=file.put(y), dy=file.put(file.normal(*y.shape)), weight_gradients={}, updated={})


def lookups(file):
    I = L.IntegerLookup
    words = [12, -36, 2**24 + 1, 42, 7, -2**31, 2**31 - 1]
    known, one = [[12, 42, 0, 7], [2**24 + 1, 2**24, -36, -2**31], [2**31 - 1, 12, 43, -1]], [[42], [5], [12]]
    lists = np.array(known)[:, None].repeat(2, 1)
    for name, options in [('', {}), ('mask', {'mask_token': 0}), ('several others', {'num_oov_indices': 3}), ('several others, mask', {'num_oov_indices': 3, 'mask_token': 0}),
                          ('one word', {'vocabulary': [12]}), ('two words', {'vocabulary': [42, 12]}), ('of all', {'vocabulary': [-1, *words]})]:
        all_of = {'vocabulary': words} | options
        lookup(file, name, I(**all_of), known, one, known[0], lists)
        for mode in ('one_hot', 'multi_hot', 'count'):
            lookup(file, f'{name} {mode}', I(output_mode=mode, **all_of), known, one)
    lookup(file, 'of all, mask', I(vocabulary=[0, -1, *words], mask_token=0), known)
    lookup(file, 'one_hot of rank 3', I(vocabulary=words, output_mode='one_hot'), lists, known[0])
    for mode in ('one_hot', 'count'):
        lookup(file, f'padded {mode}', I(vocabulary=words, output_mode=mode, max_tokens=11, pad_to_max_tokens=True), known)
    for name, options in [('', {}), (' mask', {'mask_token': 0}), (' others', {'num_oov_indices': 3, 'oov_token': -5})]:
        lookup(file, f'invert{name}', I(vocabulary=words, invert=True, **options), [[0, 1, 2, 3], [4, 8, 9, -1]])


def make(folder):
    file = Golden('nn_audio', seed=20261130)
    for family in (kernels, spectrograms, mel, reversible, lookups):
        keras.utils.clear_session()
        with doubles() if family in (kernels, mel) else contextlib.nullcontext():
            family(file)
    file.save(folder)


if __name__ == '__main__':
    make(here())
