"""Ten networks beside the workloads, of other shapes and parts: what is fast only where it was looked at shows here.

Trained as the workloads are, and described by the same kinds of layers.
"""

from workloads import (
    ADD,
    BATCH_NORM,
    BESIDE,
    BRANCH,
    FLATTEN,
    GELU,
    LAYER_NORM,
    MEAN_POOL,
    RELU,
    Workload,
    convolution,
    dense,
    efficientnet_lite0,
    max_pool,
)

Layers = tuple[dict, ...]


def normed(filters: int, window: int = 3, **more) -> Layers:
    """Describes a convolution and its norm."""
    return convolution(filters, window, bias=False, **more), BATCH_NORM


def halving(window: int) -> dict:
    """The stride and padding by which windows halve an even side."""
    return {"stride": 2, "padding": ((window - 1) // 2, (window - 1) // 2)}


def residual(block: Layers, beside: Layers = ()) -> Layers:
    """Describes a block that its input, or a projection of it, is added to, and the ReLU behind it."""
    return (BRANCH, *block, *((BESIDE, *beside) if beside else ()), ADD, RELU)


def resnet20(classes: int) -> Layers:
    """He et al. 2016, section 4.2, with projections where the shape changes."""
    layers, channels = [*normed(16), RELU], 16
    for filters in (16, 32, 64):
        for _ in range(3):
            grows = filters != channels
            first = normed(filters, **(halving(3) if grows else {}))
            beside = normed(filters, 1, **halving(1)) if grows else ()
            layers += residual((*first, RELU, *normed(filters)), beside)
            channels = filters
    return (*layers, MEAN_POOL, *dense(classes))


def bottlenecks(classes: int) -> Layers:
    """Three blocks of 1 x 1, 3 x 3 and 1 x 1 convolutions."""
    layers, channels = [*normed(32), RELU], 32
    for narrow, wide, stride in ((32, 128, 1), (32, 128, 1), (64, 256, 2)):
        grows = wide != channels
        three = normed(narrow, **(halving(3) if stride == 2 else {}))
        beside = normed(wide, 1, stride=stride, padding=(0, 0)) if grows else ()
        layers += residual((*normed(narrow, 1), RELU, *three, RELU, *normed(wide, 1)), beside)
        channels = wide
    return (*layers, MEAN_POOL, *dense(classes))


def strided(classes: int) -> Layers:
    """Strides in place of pools."""
    layers = [part for filters in (32, 64, 128, 256) for part in (*normed(filters, **halving(3)), RELU)]
    return (*layers, MEAN_POOL, *dense(classes))


def vgg(classes: int) -> Layers:
    """Three stages of two convolutions, and a pool behind each."""
    layers = []
    for filters in (32, 64, 128):
        layers += [*normed(filters), RELU, *normed(filters), RELU, max_pool(2, 2)]
    return (*layers, FLATTEN, *dense(256, classes))


def signal(classes: int) -> Layers:
    """Convolutions along one axis."""
    layers = []
    for filters, window in ((32, 7), (64, 5), (128, 3)):
        layers += [*normed(filters, window), RELU, max_pool(2, 2)]
    return (*layers, MEAN_POOL, *dense(classes))


def grouped(classes: int) -> Layers:
    """Windows of 5 x 5, most of them in groups."""
    layers = [*normed(48, 5), RELU, max_pool(2, 2)]
    for groups, filters in ((4, 96), (6, 96)):
        layers += [*normed(filters, 5, groups=groups), RELU]
    return (*layers, max_pool(2, 2), FLATTEN, *dense(128, classes))


def patches(classes: int) -> Layers:
    """Patches, then blocks of a depthwise convolution, layer norm, and two 1 x 1 convolutions with GELU between them:
    Liu et al. 2022, "A ConvNet for the 2020s"."""
    block = (convolution(64, 7, groups=64), LAYER_NORM, convolution(256, 1), GELU, convolution(64, 1))
    layers = [convolution(64, 4, stride=4, padding=(0, 0)), LAYER_NORM]
    for _ in range(3):
        layers += [BRANCH, *block, ADD]
    return (*layers, MEAN_POOL, LAYER_NORM, *dense(classes))


def odd(classes: int) -> Layers:
    """Lengths, filters and a batch that no vector, tile or pool divides; no norm."""
    first, last = dense(77, classes)
    return (
        *(convolution(100), RELU, max_pool(2, 2)),
        *(convolution(45), RELU, max_pool(3, 2)),
        *(convolution(61, 3, stride=2), RELU, FLATTEN, first, last),
    )


PICTURE = (32, 32, 3)
VARIANTS = {
    workload.name: workload
    for workload in (
        Workload("resnet20", PICTURE, resnet20(10), batch=64, steps=8, epochs=1, network="layers"),
        Workload("strided", (64, 64, 3), strided(10), batch=32, steps=16, epochs=1, network="layers"),
        Workload("vgg", PICTURE, vgg(10), batch=64, steps=8, epochs=1, network="layers"),
        # Running averages that keep 0.99 would know nothing yet after the few steps here, and the loss with them rise.
        Workload(
            "mobile",
            (96, 96, 3),
            efficientnet_lite0(100, 96, drop_rate=0.0, decay=0.9),
            batch=16,
            steps=6,
            epochs=1,
            network="layers",
        ),
        Workload("wide-inputs", (5000,), dense(256, 64, 10), batch=64, steps=32, epochs=3),
        Workload("signal", (256, 6), signal(10), batch=64, steps=24, epochs=1, network="layers"),
        Workload("grouped", PICTURE, grouped(10), batch=64, steps=8, epochs=1, network="layers"),
        Workload("patches", (64, 64, 3), patches(10), batch=32, steps=8, epochs=1, network="layers"),
        Workload("bottlenecks", PICTURE, bottlenecks(10), batch=32, steps=8, epochs=1, network="layers"),
        Workload("odd", (30, 50, 3), odd(7), batch=37, steps=12, epochs=1, network="layers"),
    )
}
