"""Golden values of the ops that make images of another size, or move them."""
from ops_golden import Ops, here, np, tf


def sizes(file):
    for shape, size in [((2, 3, 4, 2), [5, 7]), ((1, 9, 11, 3), [4, 5]), ((2, 5, 6, 1), [1, 1]), ((1, 1, 1, 3), [2, 3]), ((1, 4, 17, 1), [4, 40])]:
        for options in [{}, {'alignCorners': True}, {'halfPixelCenters': True}]:
            own = {'align_corners': options.get('alignCorners', False), 'half_pixel_centers': options.get('halfPixelCenters', False)}
            name = f'{shape} to {size} {" ".join(options)}'
            attrs = {'size': size, **options}
            # It gives float32, whatever it is given.
            file.op(f'resizeBilinear {name}', 'resizeBilinear', [file.floats(*shape)],
                    lambda x: tf.cast(tf.raw_ops.ResizeBilinear(images=x, size=size, **own), tf.float64), attrs)
            file.op(f'resizeNearestNeighbor {name}', 'resizeNearestNeighbor', [file.floats(*shape)],
                    lambda x: tf.raw_ops.ResizeNearestNeighbor(images=x, size=size, **own), attrs)
    file.op('resizeNearestNeighbor int32', 'resizeNearestNeighbor', [file.ints(1, 3, 4, 2)],
            lambda x: tf.raw_ops.ResizeNearestNeighbor(images=x, size=[5, 7]), {'size': [5, 7]})


def moves(file):
    """TensorFlow's gradient is not that of what it computes, but the image moved back: engine/nn's goldens have one, made of unit images."""
    def transforms(count):
        """Around the image, on all sides of it and far from it, the last with perspective."""
        t = file.floats(count, 8, low=-1.5, high=1.5)
        t[:, [2, 5]] = file.floats(count, 2, low=-4, high=8)
        t[:, 6:] = 0
        t[-1, 6:] = [0.05, 0.1]
        return t

    for mode in ('constant', 'reflect', 'wrap', 'nearest'):
        for kind in ('bilinear', 'nearest'):
            for shape, size, count in [((6, 5, 4, 2), [5, 4], 6), ((3, 4, 3, 1), [3, 6], 1), ((2, 1, 5, 1), [4, 5], 2)]:
                attrs = {'size': size, 'bilinear': kind == 'bilinear', 'fillMode': mode, 'fillValue': -0.5}
                file.op(f'transform {mode} {kind} {shape}', 'transform', [file.floats(*shape), transforms(count)],
                        lambda x, t: tf.raw_ops.ImageProjectiveTransformV3(
                            images=x, transforms=tf.cast(t, tf.float32), output_shape=size, fill_value=-0.5,
                            interpolation=kind.upper(), fill_mode=mode.upper()), attrs, grads=False, rtol=1e-4, atol=2e-5)


def make(folder):
    file = Ops('ops_image', seed=20261128)
    for family in (sizes, moves):
        family(file)
    file.save(folder)


if __name__ == '__main__':
    make(here())
