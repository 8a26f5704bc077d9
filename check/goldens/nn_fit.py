"""Golden values of fit: histories and weights after it, with validation, weights of classes and samples, and callbacks.

A case: {model, compile, weights {layer/name: @}, x @, y @, sample_weight @ or absent, validation [@ x, @ y] or absent,
options {epochs, batch_size, validation_split, class_weight, callbacks}, history {name: [of each epoch]}, rates [after
each epoch], after {layer/name: @}}. Samples are not shuffled.
"""
import json

from nn_golden import Golden, here, keras, np, plain, short

L = keras.layers


class Rates(keras.callbacks.Callback):
    """The learning rate after each epoch, when the callbacks before it have had their say."""

    def on_train_begin(self, logs=None):
        self.rates = []

    def on_epoch_end(self, epoch, logs=None):
        self.rates.append(float(self.model.optimizer.learning_rate))


def fit(file, name, loss, y, epochs=6, rate=0.1, metrics=None, sample_weight=None, validation=None, callbacks=(),
        optimizer=None, **options):
    x = file.x[:len(y)]
    model = keras.Sequential([keras.Input((5,)), L.Dense(6, activation='tanh'),
                              L.Dense(3 if 'categorical' in loss else 1,
                                      activation='softmax' if 'categorical' in loss else None)])
    for w in model.weights:
        w.assign(file.normal(*w.shape) * 0.6)
    model.compile(optimizer or keras.optimizers.SGD(rate, momentum=0.5), loss, metrics=metrics)
    before = {short(w.path): file.put(w.numpy()) for w in model.weights}
    # Now: a callback may change the learning rate that it says.
    text = json.loads(model.to_json())
    compile_config = text.pop('compile_config')
    rates = Rates()
    history = model.fit(
        x, y, batch_size=16, epochs=epochs, shuffle=False, verbose=0, sample_weight=sample_weight,
        validation_data=validation, callbacks=[getattr(keras.callbacks, n)(**o) for n, o in callbacks] + [rates],
        **options).history
    history.pop('learning_rate', None)
    fields = {} if sample_weight is None else {'sample_weight': file.put(sample_weight)}
    if validation:
        fields['validation'] = [file.put(a) for a in validation]
    if 'class_weight' in options:
        options['class_weight'] = {str(k): v for k, v in options['class_weight'].items()}
    file.case(name=name, model=plain(text), compile=plain(compile_config), weights=before, x=file.put(x), y=file.put(y),
              options={'epochs': epochs, 'batch_size': 16,
                       'callbacks': [{'class_name': n, 'config': o} for n, o in callbacks], **options},
              history={n: [float(v) for v in values] for n, values in history.items()}, rates=rates.rates,
              after={short(w.path): file.put(w.numpy()) for w in model.weights}, **fields)


def make(folder):
    file = Golden('nn_fit', seed=20260105)
    file.x = file.normal(75, 5)
    # A target with noise: held out samples stop getting better.
    y = (file.x[:, :1] * file.x[:, 1:2] + 0.5 * file.x[:, 2:3] + 0.7 * file.normal(75, 1)).astype(np.float32)
    kinds = np.digitize(y[:, 0], [-0.5, 0.5]).astype(np.int32)
    held = (file.normal(20, 5), file.normal(20, 1))
    weight = file.random.uniform(0, 2, 75).astype(np.float32)
    per_class = {0: 0.3, 1: 1.0, 2: 2.5}

    fit(file, 'a smaller last batch', 'mse', y[:50], metrics=['mae'])
    fit(file, 'validation split', 'mse', y, metrics=['mae'], validation_split=0.3)
    fit(file, 'validation data', 'huber', y, metrics=['mse'], validation=held)
    fit(file, 'sample weights', 'mse', y, sample_weight=weight, metrics=['mae'])
    fit(file, 'sample weights and split', 'mse', y, sample_weight=weight, validation_split=0.2)
    fit(file, 'class weights', 'sparse_categorical_crossentropy', kinds, class_weight=per_class, metrics=['accuracy'],
        validation_split=0.2)
    fit(file, 'class weights of one-hot labels', 'categorical_crossentropy', np.eye(3, dtype=np.float32)[kinds],
        class_weight={0: 2.0, 1: 0.5, 2: 1.5}, metrics=['accuracy'])

    stop = lambda **o: [('EarlyStopping', o)]
    fit(file, 'EarlyStopping', 'mse', y, 30, 0.2, validation=held, callbacks=stop())
    fit(file, 'EarlyStopping patience', 'mse', y, 30, 0.2, validation_split=0.3,
        callbacks=stop(patience=3, restore_best_weights=True))
    fit(file, 'EarlyStopping min_delta', 'mse', y, 30, 0.05,
        callbacks=stop(monitor='loss', patience=2, min_delta=0.05, restore_best_weights=True))
    fit(file, 'EarlyStopping baseline', 'mse', y, 30, 0.05,
        callbacks=stop(monitor='loss', patience=3, baseline=1.7, min_delta=0.06, restore_best_weights=True))
    fit(file, 'EarlyStopping accuracy', 'sparse_categorical_crossentropy', kinds, 30, 0.2, metrics=['accuracy'],
        validation_split=0.3, callbacks=stop(monitor='val_accuracy', patience=2, restore_best_weights=True))
    fit(file, 'EarlyStopping start_from_epoch', 'mse', y, 30, 0.2, validation=held,
        callbacks=stop(patience=1, start_from_epoch=4, restore_best_weights=True))
    fit(file, 'EarlyStopping that never stops', 'mse', y, 4, 0.2, validation=held,
        callbacks=stop(patience=9, restore_best_weights=True))

    reduce_ = lambda **o: [('ReduceLROnPlateau', o)]
    fit(file, 'ReduceLROnPlateau', 'mse', y, 14, 0.3, validation=held, callbacks=reduce_(patience=2, factor=0.4))
    fit(file, 'ReduceLROnPlateau cooldown', 'mse', y, 16, 0.3, validation=held,
        callbacks=reduce_(patience=1, factor=0.3, cooldown=2, min_delta=0.01, min_lr=0.004))
    fit(file, 'ReduceLROnPlateau and EarlyStopping', 'mse', y, 30, 0.3, validation=held,
        callbacks=reduce_(patience=1, factor=0.5) + stop(patience=4, restore_best_weights=True))

    # At the end the weights are their moving averages.
    averaging = lambda **o: keras.optimizers.SGD(0.1, momentum=0.5, use_ema=True, **o)
    fit(file, 'use_ema', 'mse', y, 4, validation=held, optimizer=averaging(ema_momentum=0.8))
    fit(file, 'use_ema and EarlyStopping', 'mse', y, 30, validation=held, optimizer=averaging(ema_momentum=0.9, ema_overwrite_frequency=7),
        callbacks=stop(patience=1))
    fit(file, 'use_ema and restored weights', 'mse', y, 30, validation=held, optimizer=averaging(ema_momentum=0.9),
        callbacks=stop(patience=2, restore_best_weights=True))
    fit(file, 'SwapEMAWeights', 'mse', y, 4, metrics=['mae'], validation=held, optimizer=averaging(ema_momentum=0.8),
        callbacks=[('SwapEMAWeights', {})])
    fit(file, 'SwapEMAWeights on epoch', 'mse', y, 4, validation=held, optimizer=averaging(ema_momentum=0.8),
        callbacks=[('SwapEMAWeights', {'swap_on_epoch': True})])
    fit(file, 'gradient_accumulation_steps', 'mse', y, 4, metrics=['mae'],
        optimizer=keras.optimizers.SGD(0.2, momentum=0.5, gradient_accumulation_steps=3))
    # By the direction of a metric, whatever it is called.
    rising, falling = keras.metrics.R2Score(name='r2'), keras.metrics.MeanAbsoluteError(name='acc_err')
    fit(file, 'EarlyStopping by a metric that rises', 'mse', y, 30, 0.2, metrics=[rising], validation=held,
        callbacks=stop(monitor='val_r2', patience=2, restore_best_weights=True))
    fit(file, 'EarlyStopping by a metric that falls', 'mse', y, 30, 0.2, metrics=[falling], validation=held,
        callbacks=stop(monitor='val_acc_err', patience=2, restore_best_weights=True) + reduce_(monitor='acc_err', patience=1))
    fit(file, 'metrics of sums', 'sparse_categorical_crossentropy', kinds, 3, validation_split=0.3,
        metrics=[keras.metrics.MeanIoU(3, sparse_y_pred=False, name='iou'), 'accuracy'])
    file.save(folder)


if __name__ == '__main__':
    make(here())
