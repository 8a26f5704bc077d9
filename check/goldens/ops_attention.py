"""Golden values of Einstein's summation, with NumPy's as another way to compute it, and of sums that rows are changed by."""
from ops_golden import Ops, here, np, tf


def einsums(file):
    for equation, *shapes in [
        ('ij,jk->ik', (5, 7), (7, 3)), ('ji,jk->ki', (7, 5), (7, 3)), ('ij,kj->ik', (5, 33), (17, 33)),
        ('bthd,bshd->bhts', (2, 5, 3, 4), (2, 6, 3, 4)), ('bhts,bshd->bthd', (2, 3, 5, 6), (2, 6, 3, 4)),
        ('btkgd,bskd->bkgts', (2, 5, 2, 3, 4), (2, 6, 2, 4)), ('abc,cde->abde', (2, 3, 4), (4, 5, 2)),
        ('abde,cde->abc', (2, 3, 5, 2), (4, 5, 2)), ('i,j->ji', (5,), (7,)), ('bi,bi->b', (3, 50), (3, 50)),
        ('ijk,lk->kl', (5, 2, 3), (4, 3)), ('ij->ji', (5, 7)), ('ijk->k', (5, 7, 2)), ('ij->', (5, 7)),
        ('ij,jk,kl->li', (2, 3), (3, 4), (4, 5)), ('i,i,i->i', (6,), (6,), (6,)), ('...ij,...jk->...ik', (2, 3, 4), (2, 4, 5)),
        ('...x,xy->y...', (2, 3, 4), (4, 5)), ('bij,bjk->bki', (4, 33, 40), (4, 40, 20)),
    ]:
        file.op(f'einsum {equation}', 'einsum', [file.floats(*shape) for shape in shapes], lambda *xs: tf.einsum(equation, *xs),
                {'equation': equation}, same=lambda *xs: np.einsum(equation, *xs), atol=1e-5)


def rows(file):
    for size, count, *inner in [(7, 4, 5), (3, 40), (50, 90, 2, 3)]:
        at = file.ints(count, low=0, high=size)
        file.op(f'addRows {count} of {size}', 'addRows', [file.floats(size, *inner), at, file.floats(count, *inner)],
                lambda x, i, u: tf.tensor_scatter_nd_add(x, i[:, None], u), grads=False)


def make(folder):
    file = Ops('ops_attention', seed=20261129)
    einsums(file)
    rows(file)
    file.save(folder)


if __name__ == '__main__':
    make(here())
