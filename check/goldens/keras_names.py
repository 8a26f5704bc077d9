"""The names of Keras's layers, activations, optimizers, losses, .. for docs/keras.md.

keras_names.json: {keras: the version, layers: {name: [other names of the same]}, activations: .., ..}.
"""
import inspect
import json
import os

from golden import here, keras

# Keras's own base classes, and what wraps a model of another framework.
LEFT_OUT = '''
    Callback CallbackList Constraint Initializer Layer LearningRateSchedule Loss MeanMetricWrapper Metric Optimizer Regularizer Wrapper
    FlaxLayer JaxLayer TFSMLayer TorchModuleWrapper'''.split()


def names(module):
    """Of classes, and of functions where the module has no class but the abstract ones; the name that the thing itself has comes first."""
    found = {}
    is_meant = inspect.isfunction if module is keras.activations else inspect.isclass
    for name in sorted(dir(module)):
        thing = getattr(module, name)
        if not is_meant(thing) or thing.__name__ in LEFT_OUT or name in ('get', 'serialize', 'deserialize'):
            continue
        # What describes inputs is no layer.
        if module is keras.layers and not issubclass(thing, keras.layers.Layer):
            continue
        found.setdefault(thing, []).append(name)
    def plain(name):
        return name.lower().replace('_', '')

    # ones is Ones.
    return {thing.__name__: [n for n in found[thing] if plain(n) != plain(thing.__name__)]
            for thing in sorted(found, key=lambda thing: thing.__name__)}


MODULES = {kind: getattr(keras, kind) for kind in ('layers', 'activations', 'initializers', 'regularizers', 'constraints', 'optimizers')}
MODULES |= {'schedules': keras.optimizers.schedules} | {kind: getattr(keras, kind) for kind in ('losses', 'metrics', 'callbacks')}


def make(folder):
    lists = {kind: names(module) for kind, module in MODULES.items()}
    path = os.path.join(folder, 'keras_names.json')
    with open(path, 'w') as out:
        lines = [f'"keras": {json.dumps(keras.version())}'] + [f'"{kind}": {json.dumps(found)}' for kind, found in lists.items()]
        out.write('{' + ',\n'.join(lines) + '}\n')
    print(f'{path}: {sum(map(len, lists.values()))} names')


if __name__ == '__main__':
    make(here())
