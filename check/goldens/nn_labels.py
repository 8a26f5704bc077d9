"""Golden values of trainings whose labels are not of the outputs' shape: sequences without places, maps with classes that are ignored or overlap.

The cases are trainings (nn_golden.py).
"""
from nn_golden import Golden, here, keras, np, training

L = keras.layers
O = keras.optimizers
M = keras.metrics


def classes(file, count, *shape):
    return file.random.integers(0, count, shape).astype(np.int32)


def trainings(file):
    model = keras.Sequential([keras.Input((9, 3)), L.SimpleRNN(6, return_sequences=True), L.Dense(5)])
    model.compile(O.Adam(0.02), keras.losses.CTC())
    said = classes(file, 4, 24, 3) + 1
    said[::3, 2] = said[::5, 1:] = 0
    training(file, 'sequences without places', model, [file.normal(24, 9, 3)], [said], 8, 12)
    model = keras.Sequential([keras.Input((5, 4, 2)), L.Conv2D(6, 3, padding='same', activation='relu'), L.Conv2D(3, 1)])
    model.compile(O.SGD(0.1, momentum=0.8, gradient_accumulation_steps=2),
                  keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1),
                  metrics=[M.MeanIoU(3, ignore_class=-1, sparse_y_pred=False)])
    training(file, 'maps with an ignored class', model, [file.normal(24, 5, 4, 2)], [classes(file, 4, 24, 5, 4) - 1], 8, 12)
    model = keras.Sequential([keras.Input((5, 4, 2)), L.Conv2D(2, 3, padding='same', activation='sigmoid')])
    model.compile(O.Lamb(0.02), keras.losses.Dice(), metrics=[M.AUC(20), M.BinaryIoU([1])])
    training(file, 'maps that overlap', model, [file.normal(24, 5, 4, 2)], [(file.normal(24, 5, 4, 2) > 0.3).astype(np.float32)], 8, 12,
          sample_weight=file.random.uniform(0.5, 2, 24).astype(np.float32))


def make(folder):
    file = Golden('nn_labels', seed=20261129)
    trainings(file)
    file.save(folder)


if __name__ == '__main__':
    make(here())
