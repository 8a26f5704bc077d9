"""Golden values of losses and metrics.

A case of a loss: {loss with what was given, defaults: the rest of Keras's config, y_true @, y_pred @, sample_weight @ or absent, value @: reduced, gradient @: of the value by
y_pred}. A case of a metric: {metric, defaults, compiled_loss or absent, y_true [@], y_pred [@]: of several batches, value}.
"""
from nn_golden import Golden, description, here, keras, np, split, tf

K = keras.losses
M = keras.metrics


def add(file, name, loss, y, p, weights=None):
    x = tf.constant(p)
    with tf.GradientTape() as tape:
        tape.watch(x)
        # The weight of a sample holds for all of it.
        per_sample = np.ndim(loss.call(y, x)) if weights is not None else 0
        w = None if weights is None else weights.reshape([-1] + [1] * (per_sample - 1))
        value = loss(y, x, sample_weight=w)
    fields = {} if weights is None else {'sample_weight': file.put(weights)}
    d = description(loss)
    # Keras leaves out some options (delta of Huber, axis).
    d['config'], filled = split(loss, d['config'] | loss._fn_kwargs)
    file.case(name=name, loss=d, defaults=filled, y_true=file.put(y), y_pred=file.put(p), value=file.put(value),
              gradient=file.put(tape.gradient(value, x)), **fields)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return (e / e.sum(-1, keepdims=True)).astype(np.float32)


def one_hot(file, classes, *shape):
    return np.eye(classes, dtype=np.float32)[file.random.integers(0, classes, shape)]


def regression(file):
    y, p = file.normal(4, 3) * 2, file.normal(4, 3) * 2
    positive, rate = np.abs(y) + 0.1, np.abs(p) + 0.05
    images, others = file.normal(2, 3, 4), file.normal(2, 3, 4)
    w, far = np.array([0.5, 2, 0, 1.25], np.float32), np.array([[1e4, -1e4, 0], [88, -89, 1e-4]], np.float32)
    for loss in [K.MeanSquaredError, K.MeanAbsoluteError, K.MeanAbsolutePercentageError, K.Huber, K.LogCosh,
                 K.CosineSimilarity]:
        name = loss.__name__
        add(file, name, loss(), y, p)
        add(file, f'{name} weighted', loss(), y, p, w)
        add(file, f'{name} rank 3', loss(), images, others, np.array([2, 0.5], np.float32))
        # Without a step in the loss's own derivative.
        add(file, f'{name} far', loss(), np.array([[1, -1, 0.25], [2, 3, 0.5]], np.float32), far)
    for loss in [K.MeanSquaredLogarithmicError, K.Poisson]:
        add(file, loss.__name__, loss(), positive, rate)
        add(file, f'{loss.__name__} weighted', loss(), positive, rate, w)
        add(file, f'{loss.__name__} of nothing', loss(), positive, np.zeros_like(rate))
    add(file, 'Huber delta', K.Huber(delta=0.4), y, p)
    add(file, 'MeanAbsolutePercentageError of nothing', K.MeanAbsolutePercentageError(), np.zeros_like(y), p)
    add(file, 'CosineSimilarity of nothing', K.CosineSimilarity(), np.zeros_like(y), p)
    add(file, 'CosineSimilarity axis', K.CosineSimilarity(axis=1), images, others)
    add(file, 'MeanSquaredError sum', K.MeanSquaredError(reduction='sum'), y, p, w)
    add(file, 'MeanAbsoluteError mean_with_sample_weight', K.MeanAbsoluteError(reduction='mean_with_sample_weight'),
        y, p, w)


def hinges(file):
    p, w = file.normal(5, 4) * 1.5, file.random.uniform(0, 2, 5).astype(np.float32)
    signs = np.where(file.normal(5, 4) > 0, 1, -1).astype(np.float32)
    for loss in [K.Hinge, K.SquaredHinge]:
        add(file, loss.__name__, loss(), signs, p)
        add(file, f'{loss.__name__} of 0 and 1', loss(), (signs + 1) / 2, p, w)
    add(file, 'CategoricalHinge', K.CategoricalHinge(), one_hot(file, 4, 5), p)
    add(file, 'CategoricalHinge weighted', K.CategoricalHinge(), one_hot(file, 4, 5), p, w)


def crossentropies(file):
    w = np.array([1, 0.25, 3, 0], np.float32)
    logits = file.normal(4, 5) * 3
    extreme = np.array([[1, 0, 0, 0, 0], [0, 1, 0, 0, 0], [0, 0, 0.5, 0.5, 0], [1e-9, 1, 1e-20, 0, 0]], np.float32)
    steep = np.array([[100, -100, 0, 30, -30], [0, 1, 88, -88, 0], [1e4, 0, 0, 0, 0], [0, 0, 0, 0, 0]], np.float32)
    inputs = [('', {}, softmax(logits)), (' unnormalized', {}, np.abs(logits) + 0.1), (' extreme', {}, extreme),
              (' logits', {'from_logits': True}, logits), (' steep logits', {'from_logits': True}, steep)]
    labels = one_hot(file, 5, 4)
    soft = softmax(file.normal(4, 5))
    for name, options, p in inputs:
        add(file, f'CategoricalCrossentropy{name}', K.CategoricalCrossentropy(**options), labels, p)
        add(file, f'CategoricalCrossentropy{name} smooth', K.CategoricalCrossentropy(label_smoothing=0.2, **options),
            labels, p, w)
        add(file, f'SparseCategoricalCrossentropy{name}', K.SparseCategoricalCrossentropy(**options),
            np.argmax(labels, -1), p, w)
        # Each output a label of its own.
        q = p if options else np.clip(p, 0, 1)
        several = (file.normal(4, 5) > 0).astype(np.float32)
        add(file, f'BinaryCrossentropy{name}', K.BinaryCrossentropy(**options), several, q)
        add(file, f'BinaryCrossentropy{name} smooth', K.BinaryCrossentropy(label_smoothing=0.1, **options), several, q,
            w)
    add(file, 'CategoricalCrossentropy soft labels', K.CategoricalCrossentropy(), soft, softmax(logits), w)
    add(file, 'KLDivergence', K.KLDivergence(), soft, softmax(logits))
    add(file, 'KLDivergence extreme', K.KLDivergence(), labels, extreme, w)
    pixels = softmax(file.normal(2, 3, 4))
    add(file, 'CategoricalCrossentropy rank 3', K.CategoricalCrossentropy(), one_hot(file, 4, 2, 3), pixels,
        np.array([0.5, 2], np.float32))
    add(file, 'SparseCategoricalCrossentropy rank 3', K.SparseCategoricalCrossentropy(),
        file.random.integers(0, 4, (2, 3)), pixels)
    add(file, 'SparseCategoricalCrossentropy column', K.SparseCategoricalCrossentropy(),
        np.argmax(labels, -1)[:, None], softmax(logits))
    add(file, 'CategoricalCrossentropy axis', K.CategoricalCrossentropy(axis=1),
        np.transpose(one_hot(file, 3, 2, 4), (0, 2, 1)), np.transpose(softmax(file.normal(2, 4, 3)), (0, 2, 1)))
    p, several = softmax(logits), (file.normal(4, 5) > 0).astype(np.float32)
    focal = {'gamma': 3.0, 'alpha': 0.4, 'label_smoothing': 0.1}
    add(file, 'BinaryFocalCrossentropy', K.BinaryFocalCrossentropy(), several, p)
    add(file, 'BinaryFocalCrossentropy options', K.BinaryFocalCrossentropy(apply_class_balancing=True, **focal),
        several, p, w)
    add(file, 'BinaryFocalCrossentropy logits', K.BinaryFocalCrossentropy(from_logits=True), several, logits)
    add(file, 'CategoricalFocalCrossentropy', K.CategoricalFocalCrossentropy(), labels, p)
    add(file, 'CategoricalFocalCrossentropy options', K.CategoricalFocalCrossentropy(**focal), labels, p, w)
    add(file, 'CategoricalFocalCrossentropy logits', K.CategoricalFocalCrossentropy(from_logits=True), labels, logits)
    add(file, 'CategoricalGeneralizedCrossEntropy', K.CategoricalGeneralizedCrossEntropy(q=0.7),
        np.argmax(labels, -1), p, w)
    add(file, 'Dice', K.Dice(), labels, p)
    add(file, 'Tversky', K.Tversky(), labels, p)


def axes(file):
    """Losses of a whole batch, of pairs, along other axes, and of labels that are ignored."""
    images, truth = softmax(file.normal(2, 3, 4, 5)), one_hot(file, 5, 2, 3, 4)
    w = np.array([0.5, 2], np.float32)
    add(file, 'Dice weighted', K.Dice(), truth, images, w)
    add(file, 'Dice axis', K.Dice(axis=(1, 2, 3)), truth, images, w)
    add(file, 'Dice by pixel and class', K.Dice(axis=(-2,)), truth, images)
    add(file, 'Dice of classes', K.Dice(axis=(0, 1, 2)), truth, images)
    add(file, 'Tversky options', K.Tversky(alpha=0.2, beta=0.9), truth, images)
    add(file, 'Tversky axis', K.Tversky(alpha=0.7, beta=0.3, axis=(1, 2, 3)), truth, images, w)
    embeddings = file.normal(7, 4)
    embeddings /= np.linalg.norm(embeddings, axis=-1, keepdims=True)
    of, v = np.array([0, 1, 0, 2, 1, 0, 2]), file.random.uniform(0.2, 2, 7).astype(np.float32)
    add(file, 'Circle', K.Circle(), of, embeddings)
    add(file, 'Circle weighted', K.Circle(gamma=5.0, margin=0.2), of, embeddings, v)
    add(file, 'Circle remove_diagonal', K.Circle(gamma=8.0, margin=0.3, remove_diagonal=False), of, embeddings)
    add(file, 'Circle sum', K.Circle(gamma=4.0, reduction='sum'), of, embeddings)
    kinds, sparse = np.array([2, 0, 4, 2, 1, 3]), K.SparseCategoricalCrossentropy
    logits, u = file.normal(6, 5) * 2, file.random.uniform(0.2, 2, 6).astype(np.float32)
    for name, options, p in [('', {}, softmax(logits)), (' logits', {'from_logits': True}, logits)]:
        add(file, f'SparseCategoricalCrossentropy{name} ignore_class', sparse(ignore_class=2, **options), kinds, p)
        add(file, f'SparseCategoricalCrossentropy{name} ignore_class weighted', sparse(ignore_class=2, **options), kinds, p, u)
    for reduction in ('sum', 'mean_with_sample_weight'):
        add(file, f'SparseCategoricalCrossentropy ignore_class {reduction}', sparse(ignore_class=2, reduction=reduction), kinds,
            softmax(logits), u)
    add(file, 'SparseCategoricalCrossentropy ignore_class that is none', sparse(ignore_class=-1), np.where(kinds == 4, -1, kinds),
        softmax(logits))
    add(file, 'SparseCategoricalCrossentropy ignore_class of all', sparse(ignore_class=2), np.full(6, 2), softmax(logits))
    add(file, 'SparseCategoricalCrossentropy ignore_class rank 3', sparse(ignore_class=1),
        file.random.integers(0, 4, (2, 3)), softmax(file.normal(2, 3, 4)))
    sentences = np.array([[1, 2, 3, 0], [2, 2, 0, 0], [4, 0, 0, 0], [0, 0, 0, 0], [3, 1, 3, 1]])
    for name, p in [('', file.normal(5, 7, 5)), (' steep', 20 * file.normal(5, 7, 5)), (' of nothing known', np.zeros((5, 7, 5), np.float32))]:
        add(file, f'CTC{name}', K.CTC(), sentences, p)
        add(file, f'CTC{name} weighted', K.CTC(), sentences, p, np.array([1, 0.5, 2, 0, 0.25], np.float32))
    add(file, 'CTC of as many steps as it takes', K.CTC(), np.array([[1, 1, 2], [3, 2, 1]]), file.normal(2, 4, 4))
    first = lambda x: np.moveaxis(x, -1, 1)
    for loss in (K.BinaryCrossentropy, K.BinaryFocalCrossentropy):
        add(file, f'{loss.__name__} axis', loss(axis=1, label_smoothing=0.1), first(truth), first(images), w)
    # Without label_smoothing, for which Keras takes the size of the last axis as the number of classes.
    add(file, 'CategoricalFocalCrossentropy axis', K.CategoricalFocalCrossentropy(axis=1), first(truth), first(images), w)
    add(file, 'CategoricalCrossentropy axis -2', K.CategoricalCrossentropy(axis=-2), np.swapaxes(truth, 2, 3), np.swapaxes(images, 2, 3))


def metric(file, name, m, batches, compiled=None):
    for y, p in batches:
        m.update_state(y, p)
    fields = {} if compiled is None else {'compiled_loss': compiled}
    d = description(m)
    # Keras writes an array as an object with its values.
    d['config'] = {n: v['config']['value'] if isinstance(v, dict) else v for n, v in d['config'].items()}
    d['config'], filled = split(m, d['config'])
    file.case(name=f'metric {name}', metric=name if compiled else d, defaults=filled,
              y_true=[file.put(y) for y, p in batches], y_pred=[file.put(p) for y, p in batches],
              value=float(m.result()), **fields)


def metrics(file):
    def batches(make):
        return [make(n) for n in (7, 5)]

    def several(n):
        return (file.normal(n, 3) > 0).astype(np.float32), file.random.uniform(0, 1, (n, 3)).astype(np.float32)

    def one(n):
        return (file.normal(n, 1) > 0).astype(np.float32), file.random.uniform(0, 1, (n, 1)).astype(np.float32)

    def classes(n):
        return one_hot(file, 6, n), softmax(file.normal(n, 6))

    def sparse(n):
        return file.random.integers(0, 6, n), softmax(file.normal(n, 6))

    def ids(n):
        return file.random.integers(0, 4, n), file.random.integers(0, 4, n)

    def logits(n):
        return (file.normal(n, 3) > 0).astype(np.float32), file.normal(n, 3)

    def numbers(n):
        return np.abs(file.normal(n, 3)), np.abs(file.normal(n, 3)) + 0.1

    for make, list_ in [
        (several, ["BinaryAccuracy()", "BinaryAccuracy(threshold=0.3)", "Precision()", "Precision(thresholds=0.7)",
                   "Recall()", "Recall(thresholds=0.2)", "BinaryCrossentropy()", "Hinge()", "SquaredHinge()",
                   "TruePositives()", "FalseNegatives()", "FalsePositives(thresholds=0.4)", "TrueNegatives()", "AUC(num_thresholds=50)",
                   "BinaryIoU()", "BinaryIoU(target_class_ids=[1], threshold=0.3)",
                   "Precision(thresholds=[0.2])", "Recall(top_k=1)", "Precision(class_id=1)", "Recall(class_id=0, thresholds=0.3)",
                   "Precision(top_k=2, thresholds=0.4)", "Precision(top_k=2, class_id=2)",
                   "AUC()", "AUC(curve='PR')", "AUC(curve='PR', summation_method='majoring')", "AUC(summation_method='minoring')",
                   "AUC(curve='PRGAIN', num_thresholds=30)", "AUC(thresholds=[0.1, 0.35, 0.6, 0.9])",
                   "AUC(multi_label=True)", "AUC(multi_label=True, num_labels=3, label_weights=[0.5, 2.0, 1.0], curve='PR')",
                   "PrecisionAtRecall(0.7)", "RecallAtPrecision(0.6)", "SensitivityAtSpecificity(0.5)",
                   "SpecificityAtSensitivity(0.7, num_thresholds=25)", "PrecisionAtRecall(0.5, num_thresholds=1)",
                   "RecallAtPrecision(0.4, class_id=1)", "F1Score(average='macro', threshold=0.4)",
                   "FBetaScore(average='weighted', beta=2.0, threshold=0.6)", "Hinge()"]),
        (classes, ["CategoricalAccuracy()", "TopKCategoricalAccuracy(k=2)", "TopKCategoricalAccuracy()",
                   "CategoricalCrossentropy()", "CategoricalCrossentropy(label_smoothing=0.1)", "CategoricalHinge()",
                   "KLDivergence()", "CosineSimilarity()", "F1Score(average='micro')",
                   "F1Score(average='macro')", "F1Score(average='weighted')", "FBetaScore(average='micro', beta=0.5)",
                   "OneHotIoU(num_classes=6, target_class_ids=[0, 2, 5])", "OneHotMeanIoU(num_classes=6)"]),
        (sparse, ["SparseCategoricalAccuracy()", "SparseTopKCategoricalAccuracy(k=3)",
                  "SparseCategoricalCrossentropy()", "MeanIoU(num_classes=6, sparse_y_pred=False)",
                  "IoU(num_classes=6, target_class_ids=[1, 3], sparse_y_pred=False)",
                  "MeanIoU(num_classes=6, ignore_class=2, sparse_y_pred=False)"]),
        (ids, ["MeanIoU(num_classes=4)", "IoU(num_classes=3, target_class_ids=[0, 1])"]),
        (logits, ["AUC(from_logits=True, num_thresholds=40)"]),
        (numbers, ["MeanSquaredError()", "RootMeanSquaredError()", "MeanAbsoluteError()",
                   "MeanAbsolutePercentageError()", "MeanSquaredLogarithmicError()", "LogCoshError()", "Poisson()",
                   "CosineSimilarity()", "R2Score(class_aggregation='uniform_average')",
                   "R2Score(class_aggregation='variance_weighted_average', num_regressors=2)", "PearsonCorrelation()",
                   "ConcordanceCorrelation()"]),
    ]:
        for text in list_:
            metric(file, text, eval(f'M.{text}'), batches(make))
    # "accuracy" is the one that fits labels and outputs.
    for make, m, loss in [(one, M.BinaryAccuracy(), 'binary_crossentropy'), (one, M.BinaryAccuracy(), 'mse'),
                          (classes, M.CategoricalAccuracy(), 'categorical_crossentropy'),
                          (sparse, M.SparseCategoricalAccuracy(), 'sparse_categorical_crossentropy')]:
        metric(file, 'accuracy', m, batches(make), compiled=loss)


def make(folder):
    file = Golden('nn_losses', seed=20260102)
    for family in (regression, hinges, crossentropies, metrics, axes):
        family(file)
    file.save(folder)


if __name__ == '__main__':
    make(here())
