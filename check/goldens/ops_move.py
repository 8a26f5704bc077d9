"""Golden values of the ops that move elements."""
from ops_golden import Ops, here, np, tf


def views(file):
    for shape, to in [((2, 6), [3, 4]), ((2, 3, 4), [24]), ((5,), [1, 5, 1]), ((1,), [])]:
        file.op(f'reshape {shape} to {to}', 'reshape', [file.floats(*shape)], lambda x: tf.reshape(x, to), {'shape': to})
    for shape, perm in [((3, 5), [1, 0]), ((17, 33), [1, 0]), ((2, 3, 4), [2, 0, 1]), ((2, 3, 4), [0, 2, 1]),
                        ((2, 3, 4, 5), [0, 3, 1, 2]), ((2, 1, 3, 2, 2), [4, 2, 0, 1, 3]), ((7,), [0])]:
        file.op(f'transpose {shape} {perm}', 'transpose', [file.floats(*shape)], lambda x: tf.transpose(x, perm), {'perm': perm})
    file.op('transpose int32', 'transpose', [file.ints(4, 5)], tf.transpose, {'perm': [1, 0]})
    file.op('transpose bool', 'transpose', [file.bools(4, 5)], tf.transpose, {'perm': [1, 0]})
    for shape, to in [((1, 5), [3, 5]), ((5,), [2, 3, 5]), ((3, 1, 2), [3, 4, 2]), ((), [7]), ((1,), [17])]:
        file.op(f'broadcastTo {shape} to {to}', 'broadcastTo', [file.floats(*shape)], lambda x: tf.broadcast_to(x, to), {'shape': to})


def slices(file):
    for shape, begin, size in [((17,), [3], [9]), ((5, 7), [1, 2], [3, 4]), ((2, 5, 33), [0, 1, 16], [2, 3, 17]), ((4, 3), [0, 0], [4, 3])]:
        file.op(f'slice {shape} {begin} {size}', 'slice', [file.floats(*shape)], lambda x: tf.slice(x, begin, size),
                {'begin': begin, 'size': size})
    # An end of -1 is before element 0.
    for name, shape, key, begin, end, strides in [
        ('every other', (7, 9), np.s_[0:7:2, 1:9:3], [0, 1], [7, 9], [2, 3]),
        ('backwards', (5, 4), np.s_[::-1, 3:0:-2], [4, 3], [-1, 0], [-1, -2]),
        ('some backwards', (3, 17), np.s_[1:3, 15:2:-5], [1, 15], [3, 2], [1, -5]),
        ('of rank 3', (2, 6, 5), np.s_[0:1, 5::-2, 1:5:2], [0, 5, 1], [1, -1, 5], [1, -2, 2])]:
        file.op(f'stridedSlice {name}', 'stridedSlice', [file.floats(*shape)], lambda x: x[key],
                {'begin': begin, 'end': end, 'strides': strides})
    for shape, paddings, value in [((5,), [2, 3], 0), ((3, 4), [1, 0, 0, 2], 1.5), ((2, 3, 2), [0, 0, 1, 1, 2, 0], -1), ((3, 17), [0, 0, 0, 0], 9)]:
        pairs = np.reshape(paddings, [-1, 2])
        file.op(f'pad {shape} {paddings}', 'pad', [file.floats(*shape)], lambda x: tf.pad(x, pairs, constant_values=value),
                {'paddings': paddings, 'value': value})
        if shape != (2, 3, 2):
            for mode in ('reflect', 'symmetric'):
                file.op(f'mirrorPad {mode} {shape} {paddings}', 'mirrorPad', [file.floats(*shape)], lambda x: tf.pad(x, pairs, mode.upper()),
                        {'paddings': paddings, 'mode': mode})


def joins(file):
    for shapes, axis in [([(2, 3), (4, 3)], 0), ([(2, 3), (2, 1), (2, 17)], 1), ([(2, 3, 4), (2, 5, 4)], -2), ([(5,)], 0)]:
        file.op(f'concat {shapes} by {axis}', 'concat', [file.floats(*s) for s in shapes], lambda *xs: tf.concat(xs, axis), {'axis': axis})
    file.op('concat int32', 'concat', [file.ints(2, 3), file.ints(1, 3)], lambda *xs: tf.concat(xs, 0))
    for axis in (0, 1, 2, -1):
        file.op(f'stack by {axis}', 'stack', [file.floats(3, 5) for _ in range(3)], lambda *xs: tf.stack(xs, axis), {'axis': axis})
    for shape, reps in [((3,), [4]), ((2, 3), [1, 3]), ((2, 3, 5), [2, 1, 2])]:
        file.op(f'tile {shape} {reps}', 'tile', [file.floats(*shape)], lambda x: tf.tile(x, reps), {'reps': reps})
    for shape, axes in [((17,), [0]), ((3, 5), [1]), ((2, 3, 4), [0, -1]), ((2, 3), [])]:
        # No axes mean all of them.
        every = axes or list(range(len(shape)))
        file.op(f'reverse {shape} {axes}', 'reverse', [file.floats(*shape)], lambda x: tf.reverse(x, every), {'axes': axes})


def indexed(file):
    for shape, indices, axis in [((7,), np.array([3, 0, 3, 6]), 0), ((5, 3), np.array([[4, 0], [2, 2]]), 0), ((3, 17), np.array([16, 1, 1]), 1),
                                 ((2, 4, 3), np.array([3]), -2), ((4, 3), np.array(2), 0)]:
        file.op(f'gather {shape} {indices.shape} by {axis}', 'gather', [file.floats(*shape), indices.astype(np.int32)],
                lambda x, i: tf.gather(x, i, axis=axis), {'axis': axis})
    file.op('gather int32', 'gather', [file.ints(5, 2), np.array([4, 1, 1], np.int32)], lambda x, i: tf.gather(x, i))
    for indices, updates, size in [([2, 0, 2, 4], (4,), 6), ([1, 1, 0], (3, 5), 3), ([0, 2, 2, 2, 1], (5, 2, 3), 4)]:
        file.op(f'scatterAdd {indices}', 'scatterAdd', [np.array(indices, np.int32), file.floats(*updates)],
                lambda i, u: tf.math.unsorted_segment_sum(u, i, size), {'axis': 0, 'size': size})
    file.op('scatterAdd by 1', 'scatterAdd', [np.array([3, 0, 3], np.int32), file.floats(2, 3, 5)],
            lambda i, u: tf.transpose(tf.math.unsorted_segment_sum(tf.transpose(u, [1, 0, 2]), i, 4), [1, 0, 2]), {'axis': 1, 'size': 4})
    for indices, depth, on, off in [([0, 2, 1], 3, 1, 0), ([[1, 5], [-1, 0]], 4, 2.5, -1), (2, 17, 1, 0)]:
        file.op(f'oneHot {depth}', 'oneHot', [np.array(indices, np.int32)], lambda i: tf.one_hot(i, depth, on, off, dtype=tf.float64),
                {'depth': depth, 'onValue': on, 'offValue': off}, grads=False)


def make(folder):
    file = Ops('ops_move', seed=20260205)
    for family in (views, slices, joins, indexed):
        family(file)
    file.save(folder)


if __name__ == '__main__':
    make(here())
