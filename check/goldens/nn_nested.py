"""Models in models, layers in several places, calls that say whether they are training: trained by Keras.

A case is as nn_golden.training writes it. Where it has a "part", that is a second model with some of the first one's
weights: {model, shared [[path in it, path in the first model]], x [@], before [@], after [@]}: its predictions before the
first step and after the last one."""
import json

from nn_golden import Golden, here, keras, named, np, plain, training

L, O = keras.layers, keras.optimizers


def written(model):
    """As Keras saves it: what is the same object has one number. Keras's are addresses; here they count from 1."""
    model = PLAIN.get(model.name, model)
    with keras.src.saving.serialization_lib.ObjectSharingScope():
        text = plain(json.loads(json.dumps(keras.saving.serialize_keras_object(model))))
    numbers = {}

    def count(j):
        if isinstance(j, dict):
            return {k: numbers.setdefault(v, len(numbers) + 1) if k == 'shared_object_id' else count(v) for k, v in j.items()}
        return [count(v) for v in j] if isinstance(j, list) else j

    return count(text)


def case(file, name, model, xs, ys, steps=3, batch=8, part=None, shared=None, part_xs=None):
    for w in model.weights:
        if w.trainable:
            w.assign(file.normal(*w.shape) / 2)
    fields = {}
    if part:
        part_xs = part_xs or xs
        predict = lambda: [file.put(p) for p in listed(part.predict_on_batch(part_xs if len(part_xs) > 1 else part_xs[0]))]
        fields = {'model': written(part), 'shared': shared, 'x': [file.put(x) for x in part_xs], 'before': predict()}
    training(file, name, model, xs, ys, batch, steps, trajectory=True)
    case = file.cases[-1]
    case['model'] = written(model)
    case['model'].pop('compile_config', None)
    if part:
        case['part'] = fields | {'after': predict()}
        case['part']['model'].pop('compile_config', None)


def listed(x):
    return x if isinstance(x, (list, tuple)) else [x]


def nested(file):
    """Sequential in functional in Sequential."""
    inner = keras.Sequential([keras.Input((3,)), L.Dense(4, activation='tanh'), L.LayerNormalization()], name='inner')
    x = keras.Input((3,))
    middle = keras.Model(x, L.Concatenate()([inner(x), L.Dense(2)(x)]), name='middle')
    model = keras.Sequential([keras.Input((3,)), L.Dense(3, activation='relu'), middle, L.Dense(1)])
    model.compile(O.Adam(0.02), 'mse')
    case(file, 'three levels', model, [file.normal(16, 3)], [file.normal(16, 1)])


def several(file):
    """A model of two inputs and two outputs as a layer, whose outputs are taken in the other order."""
    a, b = keras.Input((3,)), keras.Input((4,))
    p, q = L.Dense(5, activation='elu')(a), L.Dense(5)(b)
    inner = keras.Model([a, b], [L.Multiply()([p, q]), L.Subtract()([p, q])], name='both')
    c, d = keras.Input((3,)), keras.Input((4,))
    first, second = inner([c, d])
    model = keras.Model([c, d], [L.Dense(2, name='u')(second), L.Dense(1, name='v')(first)])
    model.compile(O.SGD(0.05, momentum=0.9), ['mse', 'mae'])
    case(file, 'two outputs of a model', model, [file.normal(16, 3), file.normal(16, 4)],
         [file.normal(16, 2), file.normal(16, 1)])


def twice(file):
    """A model on two inputs, and on its own output."""
    encoder = keras.Sequential([keras.Input((4,)), L.Dense(4, activation='tanh'), L.Dense(4)], name='encoder')
    a, b = keras.Input((4,)), keras.Input((4,))
    model = keras.Model([a, b], L.Dense(1)(L.Subtract()([encoder(encoder(a)), encoder(b)])))
    model.compile(O.RMSprop(0.01), 'mse')
    case(file, 'a model called three times', model, [file.normal(16, 4), file.normal(16, 4)], [file.normal(16, 1)])


def averages(file):
    """A model with normalisation on two inputs: each call moves the averages, the second from where the first has left them."""
    encoder = keras.Sequential([keras.Input((4,)), L.Dense(3), L.BatchNormalization(momentum=0.6)], name='encoder')
    a, b = keras.Input((4,)), keras.Input((4,))
    model = keras.Model([a, b], L.Dense(1)(L.Multiply()([encoder(a), encoder(b)])))
    model.compile(O.SGD(0.05), 'mse')
    case(file, 'normalisation that is called twice', model, [file.normal(16, 4) * 2, file.normal(16, 4) + 1], [file.normal(16, 1)])


def everywhere(file):
    """A layer at the top and in a model that is a layer."""
    layer = L.Dense(3, activation='tanh', name='everywhere')
    x = keras.Input((3,))
    inner = keras.Model(x, L.Dense(3)(layer(x)), name='inner')
    y = keras.Input((3,))
    model = keras.Model(y, L.Dense(1)(L.Add()([inner(layer(y)), layer(layer(y))])))
    model.compile(O.SGD(0.1), 'mse')
    case(file, 'a layer at the top and in a model', model, [file.normal(16, 3)], [file.normal(16, 1)])


# By the names of models: what these say of themselves, Keras would take for layers of theirs.
CALLS, PLAIN = {}, {}


class Explicit(keras.src.models.functional.Functional):
    """A functional model whose calls mean what they say. Keras 3.15's own have fit and predict overrule the training= of a call,
    against its guide to transfer learning and Keras 2; so here the layers are called one by one."""
    def call(self, inputs, training=None, mask=None):
        for layer, flag in CALLS[self.name]:
            inputs = layer(inputs, training=training if flag is None else flag)
        return inputs


def explicit(inputs, *calls):
    x = inputs
    for layer, flag in calls:
        x = layer(x) if flag is None else layer(x, training=flag)
    model = Explicit(inputs, x)
    CALLS[model.name] = calls
    # A class of one's own does not say how its layers are joined.
    PLAIN[model.name] = keras.Model(inputs, x)
    return model


def frozen(file):
    """Transfer learning: a base that is called as in prediction, and not trained; then one that is."""
    def base():
        return keras.Sequential([keras.Input((4,)), L.Dense(5), L.BatchNormalization(), L.ReLU()], name='base')

    x, y = file.normal(16, 4), file.normal(16, 2)
    for name, flag, training_flag in (('a base that is not trained', False, False), ('a base called as in prediction', True, False),
                                      ('a base that is not trained, called as usual', False, None)):
        b = base()
        b.trainable = flag
        model = explicit(keras.Input((4,)), (b, training_flag), (L.Dense(2), None))
        model.compile(O.SGD(0.1), 'mse')
        case(file, name, model, [x], [y])


def always(file):
    """Normalisation called as in training moves its averages in prediction, too."""
    model = explicit(keras.Input((4,)), (L.BatchNormalization(momentum=0.7), True), (L.Dense(2), None))
    model.compile(O.SGD(0.1), 'mse')
    case(file, 'normalisation called as in training', model, [file.normal(8, 4)], [file.normal(8, 2)], batch=8, steps=2)
    x = file.normal(8, 4) * 3
    predictions = model.predict(x, batch_size=4, verbose=0)
    file.cases[-1]['predicted'] = {'x': file.put(x), 'y': file.put(predictions),
                                   'weights': {n: file.put(w.numpy()) for n, w in named(model).items()}}


def shared(file):
    """A second model over what a layer of the first one gives, and one with a layer of it."""
    inputs = keras.Input((4,), name='x')
    h = L.Dense(5, activation='relu', name='h')(inputs)
    model = keras.Model(inputs, L.Dense(2, name='out')(L.BatchNormalization(name='n')(h)))
    model.compile(O.Adam(0.05), 'mse')
    features = keras.Model(model.inputs, model.get_layer('n').output)
    case(file, 'a model over inner outputs', model, [file.normal(16, 4)], [file.normal(16, 2)], part=features,
         shared=[['h', 'h'], ['n', 'n']])
    base = keras.Sequential([keras.Input((4,)), L.Dense(3, name='d'), L.LayerNormalization(name='n')], name='base')
    a = keras.Input((4,))
    model = keras.Model(a, L.Dense(1)(base(a)))
    model.compile(O.SGD(0.1), 'mse')
    other = keras.Input((4,))
    part = keras.Model(other, L.Activation('tanh')(base.get_layer('d')(other)))
    case(file, 'a layer of an inner model in another model', model, [file.normal(16, 4)], [file.normal(16, 1)], part=part,
         shared=[['d', 'base/d']])


def make(folder):
    file = Golden('nn_nested', seed=20261128)
    for family in (nested, several, twice, averages, everywhere, frozen, always, shared):
        keras.utils.clear_session()
        family(file)
    file.save(folder)


if __name__ == '__main__':
    make(here())
