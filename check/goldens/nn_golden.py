"""What the modules nn_*.py share: descriptions of Keras's objects, and trainings."""
import inspect
import json

from golden import Golden, here, keras, np, tf
from keras.src.layers.rnn.conv_lstm import ConvLSTMCell

__all__ = ['ConvLSTM2DCell', 'Golden', 'alone', 'description', 'here', 'keras', 'named', 'np', 'plain', 'short', 'split', 'tf', 'training', 'within']


class ConvLSTM2DCell(ConvLSTMCell):
    """TensorFlow.js exports it; Keras has one for any number of axes, and does not export it."""

    def __init__(self, filters, kernel_size, **kwargs):
        super().__init__(2, filters, kernel_size, **kwargs)


def description(thing):
    """A layer, loss, metric, ... as Keras writes it, without what says nothing: the size of a file is mostly this."""
    return plain(json.loads(json.dumps(keras.saving.serialize_keras_object(thing))))


def split(thing, config):
    """What of a config was given, and what Keras fills in: a reader must agree on both."""
    def listed(v):
        return list(v) if isinstance(v, tuple) else v

    options = {n: p.default for n, p in inspect.signature(type(thing).__init__).parameters.items()}
    options |= {'name': config.get('name'), 'trainable': True}
    given, filled = {}, {}
    for key, value in config.items():
        default = listed(options.get(key, inspect.Parameter.empty))
        # A whole number stands for each of several axes, another number for none.
        repeated = [[default] * n for n in (1, 2, 3)] if isinstance(default, int) else []
        same = value in (default, *repeated) or (key, value) in (('activation', 'linear'), ('axis', [-1]))
        # None stands for channels_last.
        (filled if same or default is None and (key, value) == ('data_format', 'channels_last') else given)[key] = value
    return given, filled


def plain(j):
    if isinstance(j, list):
        return [plain(v) for v in j]
    if not isinstance(j, dict):
        return j
    return {k: plain(v) for k, v in j.items() if k not in ('registered_name', 'module', 'dtype')}


def short(path):
    """dense/kernel of model/dense/kernel: a layer's name and the name that the layer gives a weight."""
    return '/'.join(path.split('/')[-2:])


def within(layer, weight):
    """A weight's name in its layer; query/kernel where the layer has several kernels, or a layer within it has them."""
    if isinstance(layer, keras.layers.SpectralNormalization):
        path = weight.path.split('/')
        return '/'.join(path[path.index(layer.name) + 1:])
    names = [w.name for w in layer.weights]
    return weight.name if names.count(weight.name) == 1 else short(weight.path)


def named(model, prefix='', seen=None):
    """A model's weights by where their layers stand, base/dense/kernel: each by the first place that it has."""
    seen = set() if seen is None else seen
    weights = {}
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            weights |= named(layer, f'{prefix}{layer.name}/', seen)
            continue
        for w in layer.weights:
            if id(w) not in seen:
                weights[f'{prefix}{layer.name}/{within(layer, w)}'] = w
            seen.add(id(w))
    return weights


def alone(arrays):
    return arrays if len(arrays) > 1 else arrays[0]


def training(file, name, model, xs, ys, batch, steps, trajectory=False, sample_weight=None, as_written=False, names=named):
    """A case of a compiled model that trains: {model, compile, x [@], y [@], sample_weight @ or absent, batch,
    weights {layer/name: @}, losses @ [steps], trajectory {layer/name: @ [steps, ..]} or after {layer/name: @},
    predictions [@] of x after the last step}. Step i takes rows [i * batch, (i + 1) * batch), from the start again where
    they end. metrics {name: value} are of the last step alone, evaluation is the loss of all rows after it."""
    weights = names(model)
    assert len(weights) == len(model.weights)
    before = {n: file.put(w.numpy()) for n, w in weights.items()}
    losses, values = [], {n: [] for n in weights}
    for i in range(steps):
        rows = (i * batch + np.arange(batch)) % len(xs[0])
        taken = [[a[rows] for a in arrays] for arrays in (xs, ys)]
        model.reset_metrics()
        logs = model.train_on_batch(*[alone(t) for t in taken], return_dict=True,
                                    sample_weight=None if sample_weight is None else sample_weight[rows])
        losses.append(logs.pop('loss'))
        for n, w in weights.items():
            values[n].append(w.numpy())
    model.reset_metrics()
    evaluation = model.test_on_batch(alone(xs), alone(ys), sample_weight=sample_weight, return_dict=True)['loss']
    predictions = model.predict_on_batch(alone(xs))
    text = json.loads(model.to_json())
    compile_config = text.pop('compile_config')
    fields = {} if sample_weight is None else {'sample_weight': file.put(sample_weight)}
    if trajectory:
        fields['trajectory'] = {n: file.put(np.stack(v)) for n, v in values.items()}
    else:
        fields['after'] = {n: file.put(v[-1]) for n, v in values.items()}
    file.case(name=name, model=text if as_written else plain(text), compile=plain(compile_config),
              x=[file.put(x) for x in xs], y=[file.put(y) for y in ys], batch=batch, weights=before,
              losses=file.put(np.array(losses, np.float32)), evaluation=float(evaluation),
              metrics={n: float(v) for n, v in logs.items()},
              predictions=[file.put(p) for p in (predictions if isinstance(predictions, list) else [predictions])],
              **fields)
