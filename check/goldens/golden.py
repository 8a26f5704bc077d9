"""A file of cases with their arrays, written the same to the bit each time.

A file is safetensors. Its metadata has "cases", a JSON list; strings that begin with "@" in a case name tensors.

    file = Golden('nn_layers', seed=1)
    file.case(name='relu', x=file.put(x), y=file.put(y))
    file.save(folder)
"""
import json
import os
import struct

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
# Sums in one order on every machine.
os.environ['TF_ENABLE_ONEDNN_OPTS'] = '0'
os.environ['KERAS_BACKEND'] = 'tensorflow'

import keras
import numpy as np
import tensorflow as tf

DTYPES = {'float32': 'F32', 'int32': 'I32', 'bool': 'BOOL'}


class Golden:
    def __init__(self, name, seed):
        self.name, self.seed, self.cases, self.tensors, self.known = name, seed, [], [], {}
        self.random = np.random.default_rng(seed)
        # Names of layers count from the start of a session.
        keras.utils.clear_session()
        keras.utils.set_random_seed(seed)

    def normal(self, *shape):
        return self.random.standard_normal(shape).astype(np.float32)

    def put(self, array, bools=False):
        """Keeps an array; gives the name that a case refers to it by. Truths are kept as numbers, or as `bools`."""
        array = np.asarray(array)
        if array.dtype == np.float64:
            array = array.astype(np.float32)
        if array.dtype == np.int64 or array.dtype == np.bool_ and not bools:
            array = array.astype(np.int32)
        array = np.ascontiguousarray(array).reshape(array.shape)
        key = (array.dtype.name, array.shape, array.tobytes())
        if key not in self.known:
            self.known[key] = f'@{len(self.tensors)}'
            self.tensors.append(array)
        return self.known[key]

    def case(self, **fields):
        self.cases.append(fields)

    def save(self, folder):
        header = {'__metadata__': {
            'generator': f'check/goldens/{self.name}.py',
            'framework': f'keras {keras.version()}, tensorflow {tf.__version__}',
            'seed': str(self.seed),
            'cases': json.dumps(self.cases, separators=(',', ':')),
        }}
        data = b''
        for i, array in enumerate(self.tensors):
            start, data = len(data), data + array.tobytes()
            header[f'@{i}'] = {'dtype': DTYPES[array.dtype.name], 'shape': list(array.shape),
                               'data_offsets': [start, len(data)]}
        text = json.dumps(header, separators=(',', ':')).encode()
        text += b' ' * (-len(text) % 8)
        path = os.path.join(folder, f'{self.name}.safetensors')
        with open(path, 'wb') as out:
            out.write(struct.pack('<Q', len(text)) + text + data)
        print(f'{path}: {len(self.cases)} cases, {os.path.getsize(path) // 1024} KB')


def here():
    return os.path.dirname(os.path.abspath(__file__))
