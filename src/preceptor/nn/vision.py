"""Ready networks for pictures: (batch, height, width, channel) in, one logit for each class out."""

from collections.abc import Sequence

from preceptor.nn.activation import Relu, Tanh
from preceptor.nn.convolution import Convolution
from preceptor.nn.dense import Dense
from preceptor.nn.dropout import Dropout
from preceptor.nn.initialiser import Xavier
from preceptor.nn.layer import Layer, Sequential
from preceptor.nn.norm import BatchNorm, LocalResponseNorm
from preceptor.nn.pooling import GlobalMeanPool, MaxPool, MeanPool
from preceptor.nn.residual import Residual
from preceptor.nn.shape import Flatten

__all__ = ["alexnet", "cnn", "convnet", "lenet5", "resnet20", "vgg"]

Parts = list[tuple[str, Layer]]


def cnn(outputs: int, *, drop_rate: float = 0.0) -> Sequential:
    """Two convolutions and two dense layers: a small network that learns small pictures well.

    Convolution 32, norm, ReLU, pool; convolution 64, norm, ReLU, pool; dense 128, ReLU, dropout; dense. Windows 3 x 3,
    pools 2 x 2. Pictures from 4 x 4 on. 545,194 parameters at 32 x 32 x 3 with 10 classes.
    """
    parts: Parts = []
    for number, filters in enumerate((32, 64), 1):
        parts += [*_normed(str(number), filters), (f"pool{number}", MaxPool(2))]
    parts += [("flatten", Flatten()), ("dense", Dense(128)), ("relu3", Relu())]
    return _network(parts, outputs, drop_rate)


def convnet(
    outputs: int, *, widths: Sequence[int] = (32, 64, 128), stride: int = 1, drop_rate: float = 0.0
) -> Sequential:
    """A convolution in each stage, each at half the size and of more filters than the last; then one dense layer.

    Convolution (3 x 3; the first with the stride), norm, ReLU, pool of 2 x 2 in each stage; then dropout and dense,
    which sees where the last features lie. 113,962 parameters at 32 x 32 x 3 with 10 classes.
    """
    parts: Parts = []
    for stage, filters in enumerate(widths, 1):
        parts += [*_normed(str(stage), filters, stride if stage == 1 else 1), (f"pool{stage}", MaxPool(2))]
    return _network([*parts, ("flatten", Flatten())], outputs, drop_rate)


def lenet5(outputs: int) -> Sequential:
    """LeNet-5: the convolutional network that read cheques.

    Pictures of 32 x 32 x 1 in the paper: 61,706 parameters with 10 classes. Those of 28 x 28 work too (44,426), larger
    ones and colours as well.

    Source: LeCun et al. 1998, section II.B.
    Differs: in the form in use today. Each map of the second convolution sees all maps before it (there by a table that
        breaks the symmetry); pools have no weights; tanh is not scaled; the last layer is dense (there radial basis
        functions around drawn characters).
    """
    parts: Parts = []
    for number, filters in ((1, 6), (2, 16)):
        convolution = Convolution(filters, 5, padding="valid", initialiser=Xavier())
        parts += [(f"convolution{number}", convolution), (f"tanh{number}", Tanh()), (f"pool{number}", MeanPool(2))]
    parts.append(("flatten", Flatten()))
    for number, units in ((1, 120), (2, 84)):
        parts += [(f"dense{number}", Dense(units, initialiser=Xavier())), (f"tanh{number + 2}", Tanh())]
    return _network(parts, outputs)


def alexnet(outputs: int = 1000, *, local_response_norm: bool = True, drop_rate: float = 0.5) -> Sequential:
    """AlexNet: five convolutions and three dense layers, which won the ImageNet challenge of 2012.

    Pictures of 224 x 224 x 3 or 227 x 227 x 3: 60,965,224 parameters with 1,000 classes, 659,272 units in its eight
    layers. Others work from 64 x 64 on.

    Source: Krizhevsky et al. 2012, section 3 and figure 2; its two devices are the two groups of the second, fourth and
        fifth convolution.
    Differs: the paper's 224 x 224 pictures and the 55 x 55 places of its first layer do not fit without padding, of
        which it does not speak; Caffe takes 227 pixels. With the padding (1, 2) taken here both sizes make 55 x 55.
        First weights are He's and first biases 0 (there N(0, 0.01²), and 1 where it helped units to begin active).
    Args:
        local_response_norm: whether the first two layers end in it.
        drop_rate: of the first two dense layers.
    """
    parts: Parts = []
    convolutions = (
        Convolution(96, 11, stride=4, padding=((1, 2), (1, 2))),
        Convolution(256, 5, groups=2),
        Convolution(384, 3),
        Convolution(384, 3, groups=2),
        Convolution(256, 3, groups=2),
    )
    for number, convolution in enumerate(convolutions, 1):
        parts += [(f"convolution{number}", convolution), (f"relu{number}", Relu())]
        if number <= 2 and local_response_norm:
            parts.append((f"norm{number}", LocalResponseNorm()))
        if number in (1, 2, 5):
            parts.append((f"pool{number}", MaxPool(3, stride=2)))
    parts.append(("flatten", Flatten()))
    for number in (6, 7):
        parts += [(f"dense{number}", Dense(4096)), (f"relu{number}", Relu())]
        if drop_rate:
            parts.append((f"dropout{number}", Dropout(drop_rate)))
    return _network(parts, outputs)


def vgg(outputs: int, *, widths: Sequence[int] = (64, 128, 256), drop_rate: float = 0.0) -> Sequential:
    """A small VGG: stages of two 3 x 3 convolutions and a pool, each at half the size and more filters than the last.

    Pictures from 8 x 8 on with three stages. 1,187,274 parameters at 32 x 32 x 3 with 10 classes.

    Source: Simonyan and Zisserman 2015, table 1.
    Differs: three stages rather than five, one dense layer rather than three, batch norm after each convolution.
    """
    parts: Parts = []
    for stage, filters in enumerate(widths, 1):
        parts += [*_normed(f"{stage}a", filters), *_normed(f"{stage}b", filters), (f"pool{stage}", MaxPool(2))]
    parts.append(("flatten", Flatten()))
    return _network(parts, outputs, drop_rate)


def resnet20(outputs: int) -> Sequential:
    """A residual network of 20 layers for small pictures.

    One convolution, then nine blocks of two, of 16, 32 and 64 filters, the first block of the second and third size
    with stride 2; the mean over all places; dense. Pictures of any size. 272,474 parameters at 32 x 32 x 3 with 10
    classes.

    Source: He et al. 2016, "Deep residual learning", section 4.2, n = 3.
    Differs: where the size changes the input goes through a 1 x 1 convolution and norm (their option B); they took
        every second place and filled new channels with zeros (option A), which needs 2,752 parameters less.
    """
    parts = _normed("1", 16)
    for stage, filters in enumerate((16, 32, 64), 1):
        for number in (1, 2, 3):
            stride = 2 if stage > 1 and number == 1 else 1
            parts += [(f"block{stage}{number}", _block(filters, stride)), (f"relu{stage}{number}", Relu())]
    return _network([*parts, ("pool", GlobalMeanPool())], outputs)


def _block(filters: int, stride: int) -> Residual:
    # One zero on each side: "same" would put the only one that stride 2 needs behind an even picture.
    first, second = (Convolution(filters, 3, stride=each, padding=1, bias=False) for each in (stride, 1))
    block = Sequential((first, BatchNorm(), Relu(), second, BatchNorm()))
    if stride == 1:
        return Residual(block)
    return Residual(block, Sequential((Convolution(filters, 1, stride=stride, bias=False), BatchNorm())))


def _normed(name: str, filters: int, stride: int = 1) -> Parts:
    """A convolution without bias (norm would take it off again), batch norm, ReLU."""
    # One zero on each side: "same" would put the only one that stride 2 needs behind an even picture.
    convolution = Convolution(filters, 3, stride=stride, padding="same" if stride == 1 else 1, bias=False)
    return [(f"convolution{name}", convolution), (f"norm{name}", BatchNorm()), (f"relu{name}", Relu())]


def _network(parts: Parts, outputs: int, drop_rate: float = 0.0) -> Sequential:
    """The parts and a dense layer for the classes, behind dropout where a rate is given."""
    last: Parts = [("output", Dense(outputs, initialiser=Xavier()))]
    dropout: Parts = [("dropout", Dropout(drop_rate))] if drop_rate else []
    whole = [*parts, *dropout, *last]
    return Sequential(tuple(layer for _, layer in whole), tuple(name for name, _ in whole))
