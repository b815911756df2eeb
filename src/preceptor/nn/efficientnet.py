"""EfficientNet-Lite: networks for pictures made of depthwise convolutions, small for what they know.

A file of its own beside the other ready networks (`vision`, where they are listed and what they share is told), for one
design makes several sizes.
"""

import math
from dataclasses import dataclass

from preceptor.nn.activation import Relu6
from preceptor.nn.convolution import Convolution
from preceptor.nn.dense import Dense
from preceptor.nn.dropout import Dropout
from preceptor.nn.initialiser import He, Initialiser, Xavier
from preceptor.nn.layer import Layer, Sequential
from preceptor.nn.norm import BatchNorm
from preceptor.nn.pooling import GlobalMeanPool
from preceptor.nn.residual import Residual

__all__ = ["efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"]

# Of each stage: times wider within its blocks, window, stride of the first block, filters, blocks.
STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
STEM, TOP = 32, 1280  # filters before and behind the stages, the same in every size
DIVISOR = 8  # of the filters of a stage

Parts = list[tuple[str, Layer]]


def efficientnet_lite0(
    outputs: int = 1000,
    *,
    drop_rate: float = 0.2,
    activation: Layer | None = None,
    initialiser: Initialiser | None = None,
    batch_norm: bool = True,
) -> Sequential:
    """EfficientNet-Lite0: 16 blocks that widen, look at each channel by itself, and narrow again.

    A 3 x 3 convolution with stride 2, the blocks (`block32` is the second of the third stage), a 1 x 1 convolution to
    1,280 channels, their mean over all places, dropout, dense. Pictures of 224 x 224 x 3; any size works. 4,652,008
    parameters with 1,000 classes.

    Source: Tan and Le 2019, table 1; "lite": TensorFlow's efficientnet_lite_builder.py, 2020: ReLU6, no squeezing,
        first and last convolutions alike in all sizes.
    Differs: no block is left out at random in training (there up to 0.2 of them); first weights are He's, Xavier's
        where no rectifier follows (there by the outputs of a unit).
    """
    return _Maker(1.0, 1.0, activation or Relu6(), initialiser, batch_norm).network(outputs, drop_rate)


def efficientnet_lite1(
    outputs: int = 1000,
    *,
    drop_rate: float = 0.2,
    activation: Layer | None = None,
    initialiser: Initialiser | None = None,
    batch_norm: bool = True,
) -> Sequential:
    """EfficientNet-Lite1: as Lite0, with a tenth more blocks.

    Pictures of 240 x 240 x 3; any size works. 5,416,680 parameters with 1,000 classes.

    Source, Differs: as efficientnet_lite0.
    """
    return _Maker(1.0, 1.1, activation or Relu6(), initialiser, batch_norm).network(outputs, drop_rate)


def efficientnet_lite2(
    outputs: int = 1000,
    *,
    drop_rate: float = 0.3,
    activation: Layer | None = None,
    initialiser: Initialiser | None = None,
    batch_norm: bool = True,
) -> Sequential:
    """EfficientNet-Lite2: as Lite0, with a fifth more blocks of a tenth more filters.

    Pictures of 260 x 260 x 3; any size works. 6,092,072 parameters with 1,000 classes.

    Source, Differs: as efficientnet_lite0.
    """
    return _Maker(1.1, 1.2, activation or Relu6(), initialiser, batch_norm).network(outputs, drop_rate)


@dataclass(frozen=True)
class _Maker:
    """A size of the network, and what its user chose of its layers.

    Args:
        width, depth: filters of a stage, and blocks of all stages but the first and last, are so many times Lite0's.
    """

    width: float
    depth: float
    activation: Layer
    initialiser: Initialiser | None
    batch_norm: bool

    def network(self, outputs: int, drop_rate: float) -> Sequential:
        """All of it. "same" padding is TensorFlow's: behind an even picture alone where the stride is 2."""
        parts = self._convolution("stem", STEM, 3, stride=2)
        channels = STEM
        for stage, (expand, window, stride, filters, blocks) in enumerate(STAGES, 1):
            filters = self._filters(filters)
            for block in range(1, self._blocks(stage, blocks) + 1):
                step = stride if block == 1 else 1
                inner = self._block(channels, expand, window, step, filters)
                same = step == 1 and channels == filters
                parts.append((f"block{stage}{block}", Residual(inner) if same else inner))
                channels = filters
        parts += [*self._convolution("top", TOP, 1), ("pool", GlobalMeanPool())]
        if drop_rate:
            parts.append(("dropout", Dropout(drop_rate)))
        return _in_order([*parts, ("output", Dense(outputs, initialiser=self.initialiser or Xavier()))])

    def _filters(self, filters: int) -> int:
        """So many times more, as a multiple of 8 that is not less than nine tenths of that."""
        wanted = filters * self.width
        rounded = max(DIVISOR, int(wanted + DIVISOR / 2) // DIVISOR * DIVISOR)
        return rounded + DIVISOR if rounded < 0.9 * wanted else rounded

    def _blocks(self, stage: int, blocks: int) -> int:
        return blocks if stage in (1, len(STAGES)) else math.ceil(self.depth * blocks)

    def _block(self, channels: int, expand: int, window: int, stride: int, filters: int) -> Sequential:
        wide = channels * expand
        parts = self._convolution("expand", wide, 1) if expand > 1 else []
        parts += self._convolution("depthwise", wide, window, stride=stride, groups=wide)
        return _in_order([*parts, *self._convolution("project", filters, 1, active=False)])

    def _convolution(
        self, name: str, filters: int, window: int, *, stride: int = 1, groups: int = 1, active: bool = True
    ) -> Parts:
        """A convolution, norm, and activation where it is active."""
        drawn = self.initialiser or (He() if active else Xavier())
        first = Convolution(filters, window, stride, groups=groups, bias=not self.batch_norm, initialiser=drawn)
        parts: Parts = [(name, first)]
        if self.batch_norm:
            parts.append((f"{name}_norm", BatchNorm(decay=0.99, epsilon=1e-3)))
        if active:
            parts.append((f"{name}_{type(self.activation).__name__.lower()}", self.activation))
        return parts


def _in_order(parts: Parts) -> Sequential:
    return Sequential(tuple(layer for _, layer in parts), tuple(name for name, _ in parts))
