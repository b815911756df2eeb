"""Ready networks for pictures: (batch, height, width, channel) in, one logit for each class out.

What all of them take beside the number of outputs, None for the network's own:

- drop_rate: the share of features that dropout removes, before the dense layers that its docstring names.
- activation: after each convolution and hidden dense layer.
- initialiser: of all weights, the output's too. Their own are He's, Xavier's where no rectifier follows.
- batch_norm: whether the norms named are there. A convolution before one has no bias, which it would take off again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from preceptor.nn.activation import Gelu, Relu, Tanh
from preceptor.nn.convolution import Convolution
from preceptor.nn.dense import Dense
from preceptor.nn.dropout import Dropout
from preceptor.nn.efficientnet import efficientnet_lite0, efficientnet_lite1, efficientnet_lite2
from preceptor.nn.initialiser import Constant, Dirac, He, Initialiser, Xavier
from preceptor.nn.layer import Layer, Sequential
from preceptor.nn.norm import BatchNorm, LocalResponseNorm
from preceptor.nn.pooling import GlobalMaxPool, GlobalMeanPool, MaxPool, MeanPool
from preceptor.nn.residual import Residual
from preceptor.nn.shape import Flatten
from preceptor.nn.whitening import PatchWhitening

__all__ = [
    "airbench",
    "alexnet",
    "cnn",
    "convnet",
    "efficientnet_lite0",
    "efficientnet_lite1",
    "efficientnet_lite2",
    "lenet5",
    "resnet20",
    "vgg",
]

Parts = list[tuple[str, Layer]]


@dataclass(frozen=True)
class _Maker:
    """How the layers of a network are made: what its user chose of that."""

    activation: Layer
    initialiser: Initialiser | None
    batch_norm: bool
    own: Initialiser
    scale: bool = True
    of_output: Initialiser = field(default_factory=Xavier)

    def convolution(self, name: str, filters: int, window: int = 3, **more: Any) -> Parts:
        """A convolution, norm, activation."""
        first = Convolution(filters, window, bias=not self.batch_norm, initialiser=self.initialiser or self.own, **more)
        return [(f"convolution{name}", first), *self.norm(name), self.active(name)]

    def dense(self, name: str, units: int) -> Parts:
        """A dense layer, without activation."""
        return [(f"dense{name}", Dense(units, initialiser=self.initialiser or self.own))]

    def norm(self, name: str) -> Parts:
        """Batch norm where it is wanted."""
        return [(f"norm{name}", BatchNorm(scale=self.scale))] if self.batch_norm else []

    def active(self, name: str) -> tuple[str, Layer]:
        """The activation."""
        return f"{type(self.activation).__name__.lower()}{name}", self.activation

    def network(self, parts: Parts, outputs: int, drop_rate: float = 0.0) -> Sequential:
        """The parts and a dense layer for the classes, behind dropout where a rate is given."""
        last: Parts = [("output", Dense(outputs, initialiser=self.initialiser or self.of_output))]
        whole = [*parts, *_dropout("", drop_rate), *last]
        return Sequential(tuple(layer for _, layer in whole), tuple(name for name, _ in whole))


def _dropout(name: str, drop_rate: float) -> Parts:
    return [(f"dropout{name}", Dropout(drop_rate))] if drop_rate else []


def _around(stride: int) -> str | int:
    # One zero on each side: "same" would put the only one that stride 2 needs behind an even picture.
    return "same" if stride == 1 else 1


def cnn(
    outputs: int,
    *,
    drop_rate: float = 0.0,
    activation: Layer | None = None,
    initialiser: Initialiser | None = None,
    batch_norm: bool = True,
) -> Sequential:
    """Two convolutions and two dense layers: a small network that learns small pictures well.

    Convolution 32, norm, ReLU, pool; convolution 64, norm, ReLU, pool; dense 128, ReLU, dropout; dense. Windows 3 x 3,
    pools 2 x 2. Pictures from 4 x 4 on. 545,194 parameters at 32 x 32 x 3 with 10 classes.
    """
    make, parts = _Maker(activation or Relu(), initialiser, batch_norm, He()), Parts()
    for number, filters in enumerate((32, 64), 1):
        parts += [*make.convolution(str(number), filters), (f"pool{number}", MaxPool(2))]
    parts += [("flatten", Flatten()), *make.dense("", 128), make.active("3")]
    return make.network(parts, outputs, drop_rate)


def convnet(
    outputs: int,
    *,
    widths: Sequence[int] = (32, 64, 128),
    stride: int = 1,
    drop_rate: float = 0.0,
    activation: Layer | None = None,
    initialiser: Initialiser | None = None,
    batch_norm: bool = True,
) -> Sequential:
    """A convolution in each stage, each at half the size and of more filters than the last; then one dense layer.

    Convolution (3 x 3; the first with the stride), norm, ReLU, pool of 2 x 2 in each stage; then dropout and dense,
    which sees where the last features lie. 113,962 parameters at 32 x 32 x 3 with 10 classes.
    """
    make, parts = _Maker(activation or Relu(), initialiser, batch_norm, He()), Parts()
    for stage, filters in enumerate(widths, 1):
        own = stride if stage == 1 else 1
        parts += make.convolution(str(stage), filters, stride=own, padding=_around(own))
        parts.append((f"pool{stage}", MaxPool(2)))
    return make.network([*parts, ("flatten", Flatten())], outputs, drop_rate)


def airbench(
    outputs: int,
    *,
    widths: Sequence[int] = (64, 256, 256),
    drop_rate: float = 0.0,
    activation: Layer | None = None,
    initialiser: Initialiser | None = None,
    batch_norm: bool = True,
) -> Sequential:
    """A network that learns small colour pictures in few passes.

    Whitened windows of 2 x 2 that need no learning; in each stage a convolution, pool, norm, GELU and another
    convolution, norm, GELU; the largest of each channel; dense. Windows 3 x 3, which at first pass on what comes in,
    pools 2 x 2, norms without a scale. Pictures from 9 x 9 on with three stages. 1,971,338 parameters at 32 x 32 x 3
    with 10 classes. Dropout stands before the dense layer.

    Source: Jordan 2024, "94% on CIFAR-10 in 3.29 seconds on a single GPU", section 3 and appendix A.
    Differs: no bias follows the whitened windows; the last layer has one, begins at 0, and its outputs are not divided
        by 9: its rate says as much.
    """
    make = _Maker(activation or Gelu(), initialiser, batch_norm, Dirac(), scale=False, of_output=Constant(0.0))
    parts: Parts = [("whiten", PatchWhitening()), make.active("0")]
    for stage, filters in enumerate(widths, 1):
        first, *rest = make.convolution(f"{stage}a", filters)
        parts += [first, (f"pool{stage}", MaxPool(2)), *rest, *make.convolution(f"{stage}b", filters)]
    return make.network([*parts, ("pool", GlobalMaxPool())], outputs, drop_rate)


def lenet5(
    outputs: int,
    *,
    drop_rate: float = 0.0,
    activation: Layer | None = None,
    initialiser: Initialiser | None = None,
    batch_norm: bool = False,
) -> Sequential:
    """LeNet-5: the convolutional network that read cheques.

    Pictures of 32 x 32 x 1 in the paper: 61,706 parameters with 10 classes. Those of 28 x 28 work too (44,426), larger
    ones and colours as well. Dropout, of which the paper does not know, follows each hidden dense layer.

    Source: LeCun et al. 1998, section II.B.
    Differs: in the form in use today. Each map of the second convolution sees all maps before it (there by a table that
        breaks the symmetry); pools have no weights; tanh is not scaled; the last layer is dense (there radial basis
        functions around drawn characters).
    """
    make, parts = _Maker(activation or Tanh(), initialiser, batch_norm, Xavier()), Parts()
    for number, filters in ((1, 6), (2, 16)):
        parts += make.convolution(str(number), filters, 5, padding="valid")
        parts.append((f"pool{number}", MeanPool(2)))
    parts.append(("flatten", Flatten()))
    for number, units in ((1, 120), (2, 84)):
        after = [*make.norm(str(number + 2)), make.active(str(number + 2)), *_dropout(str(number), drop_rate)]
        parts += [*make.dense(str(number), units), *after]
    return make.network(parts, outputs)


def alexnet(
    outputs: int = 1000,
    *,
    local_response_norm: bool = True,
    drop_rate: float = 0.5,
    activation: Layer | None = None,
    initialiser: Initialiser | None = None,
    batch_norm: bool = False,
) -> Sequential:
    """AlexNet: five convolutions and three dense layers, which won the ImageNet challenge of 2012.

    Pictures of 224 x 224 x 3 or 227 x 227 x 3: 60,965,224 parameters with 1,000 classes, 659,272 units in its eight
    layers. Others work from 64 x 64 on.

    Source: Krizhevsky et al. 2012, section 3 and figure 2; its two devices are the two groups of the second, fourth and
        fifth convolution.
    Differs: the paper's 224 x 224 pictures and the 55 x 55 places of its first layer do not fit without padding, of
        which it does not speak; Caffe takes 227 pixels. With the padding (1, 2) taken here both sizes make 55 x 55.
        First weights are He's and first biases 0 (there N(0, 0.01²), and 1 where it helped units to begin active).
    Args:
        local_response_norm: whether the first two layers end in it, where there is no batch norm in its place.
        drop_rate: of the first two dense layers.
    """
    make, parts = _Maker(activation or Relu(), initialiser, batch_norm, He()), Parts()
    convolutions: tuple[tuple[int, int, dict[str, Any]], ...] = (
        (96, 11, {"stride": 4, "padding": ((1, 2), (1, 2))}),
        (256, 5, {"groups": 2}),
        (384, 3, {}),
        (384, 3, {"groups": 2}),
        (256, 3, {"groups": 2}),
    )
    for number, (filters, window, more) in enumerate(convolutions, 1):
        parts += make.convolution(str(number), filters, window, **more)
        if number <= 2 and local_response_norm and not batch_norm:
            parts.append((f"norm{number}", LocalResponseNorm()))
        if number in (1, 2, 5):
            parts.append((f"pool{number}", MaxPool(3, stride=2)))
    parts.append(("flatten", Flatten()))
    for name in ("6", "7"):
        parts += [*make.dense(name, 4096), *make.norm(name), make.active(name), *_dropout(name, drop_rate)]
    return make.network(parts, outputs)


def vgg(
    outputs: int,
    *,
    widths: Sequence[int] = (64, 128, 256),
    drop_rate: float = 0.0,
    activation: Layer | None = None,
    initialiser: Initialiser | None = None,
    batch_norm: bool = True,
) -> Sequential:
    """A small VGG: stages of two 3 x 3 convolutions and a pool, each at half the size and more filters than the last.

    Pictures from 8 x 8 on with three stages. 1,187,274 parameters at 32 x 32 x 3 with 10 classes. Dropout stands before
    the dense layer.

    Source: Simonyan and Zisserman 2015, table 1.
    Differs: three stages rather than five, one dense layer rather than three, batch norm after each convolution.
    """
    make, parts = _Maker(activation or Relu(), initialiser, batch_norm, He()), Parts()
    for stage, filters in enumerate(widths, 1):
        parts += [*make.convolution(f"{stage}a", filters), *make.convolution(f"{stage}b", filters)]
        parts.append((f"pool{stage}", MaxPool(2)))
    return make.network([*parts, ("flatten", Flatten())], outputs, drop_rate)


def resnet20(
    outputs: int,
    *,
    drop_rate: float = 0.0,
    activation: Layer | None = None,
    initialiser: Initialiser | None = None,
    batch_norm: bool = True,
) -> Sequential:
    """A residual network of 20 layers for small pictures.

    One convolution, then nine blocks of two, of 16, 32 and 64 filters, the first block of the second and third size
    with stride 2; the mean over all places; dense. Pictures of any size. 272,474 parameters at 32 x 32 x 3 with 10
    classes. Dropout, of which the paper does not know, stands before the dense layer.

    Source: He et al. 2016, "Deep residual learning", section 4.2, n = 3.
    Differs: where the size changes the input goes through a 1 x 1 convolution and norm (their option B); they took
        every second place and filled new channels with zeros (option A), which needs 2,752 parameters less.
    """
    make = _Maker(activation or Relu(), initialiser, batch_norm, He())
    parts = make.convolution("1", 16)
    for stage, filters in enumerate((16, 32, 64), 1):
        for number in (1, 2, 3):
            stride = 2 if stage > 1 and number == 1 else 1
            parts += [(f"block{stage}{number}", _block(make, filters, stride)), make.active(f"{stage}{number}")]
    return make.network([*parts, ("pool", GlobalMeanPool())], outputs, drop_rate)


def _block(make: _Maker, filters: int, stride: int) -> Residual:
    first, second = (make.convolution("", filters, stride=each, padding=1) for each in (stride, 1))
    block = Sequential(tuple(layer for _, layer in [*first, *second[:-1]]))  # the last activation follows the sum
    if stride == 1:
        return Residual(block)
    projection = make.convolution("", filters, 1, stride=stride)[:-1]
    return Residual(block, Sequential(tuple(layer for _, layer in projection)))
