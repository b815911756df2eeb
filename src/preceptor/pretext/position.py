"""Where does the second patch lie, seen from the first?"""

from typing import ClassVar

import numpy as np

from preceptor.data import Pictures
from preceptor.data.pictures.augment import Augmentation, Draw, Mixer
from preceptor.errors import ConfigError
from preceptor.hyper import hyper, settings
from preceptor.nn import BatchNorm, Dense, Flatten, Layer, Loss, Relu, Sequential, Siamese, SoftmaxCrossEntropy, Xavier
from preceptor.pretext.task import Frame, Parts, PictureTask, drawn

__all__ = ["Position"]

AROUND = (
    (-1, -1),
    (-1, 0),
    (-1, 1),
    (0, -1),
    (0, 1),
    (1, -1),
    (1, 0),
    (1, 1),
)  # down, right: course material D's order


@settings
class Position(PictureTask):
    """Of a grid of 3 x 3 patches the network sees the middle one and one of the eight around it, and says which it was.

    Against cheating at edges, lines that go on from one patch into the next, there is a gap between patches, and each
    is moved at random. Both patches go through one trunk.

    Shapes: x (picture, 2, side, side, channel), the middle one first; y (picture,), 0 to 7, row by row, int32.
    Formula: of a picture whose shorter side is s, patches are of p = round(patch s) pixels; the rest, s - 3 p, is
        shared out: the middles of neighbouring patches lie p + gap apart, and each patch moves by at most `jitter`
        pixels, gap = jitter = (s - 3 p) // 4.
    Source: Doersch et al. 2015, section 3, where gaps are half a patch and moves 7 of 96 pixels; course material D.
    Differs: they also drop two colours of three, for lenses bend colours differently: of small pictures that is not to
        be seen.
    """

    classes: ClassVar[tuple[str, ...]] = (
        "above, left",
        "above",
        "above, right",
        "left",
        "right",
        "below, left",
        "below",
        "below, right",
    )
    suits_dense: ClassVar[bool] = False

    patch: float = hyper(default=0.28, low=0.1, high=0.33, unit="share of the shorter side", doc="Side of a patch.")

    def augmentations(self, pictures: Pictures) -> tuple[Augmentation | Mixer, ...]:
        return ()

    def shown(self, shape: tuple[int, int, int]) -> tuple[int, ...]:
        side = self._measures(shape)[0]
        return 2, side, side, shape[2]

    def _measures(self, shape: tuple[int, int, int]) -> tuple[int, int]:
        """The side of a patch, and gap and jitter, which are the same. Raises: ConfigError of tiny pictures."""
        shorter = min(shape[:2])
        side = min(round(self.patch * shorter), shorter // 3)
        if side < 2:
            raise ConfigError(
                f"task position: the pictures have {shape[1]} × {shape[0]} pixels; nine patches of at least 2 pixels a "
                "side are required. Use larger pictures, or another task."
            )
        return side, (shorter - 3 * side) // 4

    def make(self, pictures: np.ndarray, draw: Draw, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
        side, gap = self._measures(frame.shape)
        u = drawn(draw, 5)
        which = np.floor(u[:, 0] * 8).astype(np.int32)
        moves = np.floor(u[:, 1:] * (2 * gap + 1)).astype(np.int64).reshape(-1, 2, 2) - gap
        height, width = pictures.shape[1:3]
        middle = np.array([(height - side) // 2, (width - side) // 2])
        starts = np.stack([np.broadcast_to(middle, (len(u), 2)), middle + np.array(AROUND)[which] * (side + gap)], 1)
        starts = np.clip(starts + moves, 0, np.array([height, width]) - side)
        number = np.arange(len(u))[:, None, None, None]
        rows = (starts[..., 0, None] + np.arange(side))[..., :, None]
        columns = (starts[..., 1, None] + np.arange(side))[..., None, :]
        return frame.normalise(pictures[number, rows, columns]), which

    def around(self, trunk: Sequential) -> Layer:
        return Siamese(trunk)

    def head(self, frame: Frame) -> Parts:
        return [
            ("pair", Flatten()),
            ("hidden", Dense(256)),
            ("norm", BatchNorm()),
            ("active", Relu()),
            ("head", Dense(len(self.classes), initialiser=Xavier())),
        ]

    def loss(self, frame: Frame) -> Loss:
        return SoftmaxCrossEntropy()

    @property
    def chance(self) -> tuple[str, float]:
        return "accuracy", 1 / len(self.classes)
