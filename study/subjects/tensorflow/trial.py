"""TensorFlow, natively: a program of docs/study.md. The network is a Keras model; its files are Keras's own format."""
import inspect
import os
import sys

os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))

import native


def subclasses(module, base):
    """The classes of a module that derive from one of its own, by name; aliases count once."""
    found = {c for c in vars(module).values() if inspect.isclass(c) and issubclass(c, base) and c is not base}
    return sorted(c.__name__ for c in found)


class TensorFlow:
    backends = ['cpu', 'xla']

    def __init__(self, backend):
        global tf
        import tensorflow as tf
        self.compiled = backend == 'xla'

    def info(self):
        tf.constant(0.0).numpy()
        # 0 is TensorFlow's default: as many threads as there are cores.
        threads = tf.config.threading.get_intra_op_parallelism_threads() or 'default'
        how = 'tf.function, XLA' if self.compiled else 'tf.function'
        engine = f'{how}, threads: {threads}, {native.cores()}, Keras {tf.keras.__version__}'
        return {'version': tf.__version__, 'engine': engine}

    def facts(self):
        def named(name):
            try:
                return callable(tf.keras.activations.get(name))
            except ValueError:
                return False

        layers = subclasses(tf.keras.layers, tf.keras.layers.Layer)
        functions = {f.__name__ for f in vars(tf.keras.activations).values() if callable(f)}
        return {
            'training': hasattr(tf.keras.Model, 'fit'), 'cnn': 'Conv2D' in layers, 'rnn': 'LSTM' in layers,
            'save': hasattr(tf.keras.Model, 'save'), 'load': hasattr(tf.keras.models, 'load_model'), 'layers': layers,
            # Of the functions there some only look activations up.
            'activations': sorted(filter(named, functions)),
            'optimizers': subclasses(tf.keras.optimizers, tf.keras.optimizers.Optimizer),
        }

    def build(self, network):
        model = self.model(network)
        loss_of = tf.keras.losses.CategoricalCrossentropy()
        optimizer = {'sgd': tf.keras.optimizers.SGD, 'rmsprop': tf.keras.optimizers.RMSprop}[network['optimizer']](network['rate'])
        optimizer.build(model.trainable_variables)

        @tf.function(jit_compile=self.compiled)
        def step(x, one_hot):
            with tf.GradientTape() as tape:
                loss = loss_of(one_hot, model(x, training=True))
            optimizer.apply_gradients(zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables))
            return loss

        return step

    def model(self, network):
        layers, bias = tf.keras.layers, network['bias']
        make = {
            'dense': lambda l: layers.Dense(l['kernel'][1], l['activation'], use_bias=bias),
            'conv2d': lambda l: layers.Conv2D(l['kernel'][3], l['kernel'][0], padding=l['padding'], activation=l['activation'], use_bias=bias),
            'maxPool': lambda l: layers.MaxPooling2D(l['size'], padding=l['padding']),
            'flatten': lambda l: layers.Flatten(),
            'lstm': lambda l: layers.LSTM(l['recurrent'][0], return_sequences=l['sequences'], use_bias=bias),
        }
        model = tf.keras.Sequential([tf.keras.Input(network['input']), *(make[l['type']](l) for l in network['layers'])])
        weights = [l['weights'] for l in network['layers'] if 'weights' in l]
        model.set_weights([a for arrays in weights for a in (arrays if bias else arrays[:-1])])
        return model

    def batch(self, x, one_hot):
        return tf.constant(x), tf.constant(one_hot)

    def train(self, step, batch):
        return float(step(*batch))

    def save(self, network, folder):
        self.model(network).save(os.path.join(folder, 'model.keras'))

    def load(self, folder, network):
        model = tf.keras.models.load_model(os.path.join(folder, 'model.keras'))
        return tf.function(lambda x: model(x, training=False), jit_compile=self.compiled)

    def infer(self, model, x):
        return model(tf.constant(x[None])).numpy()[0]


native.run(TensorFlow)
