"""What colour was it, before it became grey?"""

from typing import ClassVar

import numpy as np

from preceptor.data import Pictures
from preceptor.data.pictures.augment import Augmentation, ColourJitter, Draw, Mixer, choose_augmentation
from preceptor.errors import DataError
from preceptor.hyper import hyper, settings
from preceptor.nn import Convolution, EachPlace, Flatten, Layer, Loss, Places, Relu, Sequential, Xavier
from preceptor.pretext.task import Frame, Parts, PictureTask, by_place, cell_means
from preceptor.pretext.telling import share_right
from preceptor.train import Figure

__all__ = ["Colour"]

GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601, as JPEG and Pillow's mode L have them
BLUE, RED = 0.564, 0.713  # of the colour differences Cb = 0.564 (blue - grey) and Cr = 0.713 (red - grey)
EDGES = (-0.15, -0.08, -0.03, 0.03, 0.08, 0.15)  # between classes of a difference: narrow where most colours lie


@settings
class Colour(PictureTask):
    """The network sees the picture in grey and says its colours, place by place.

    A colour is the class of its two colour differences, 7 x 7 classes in all: a thing may have one colour or another,
    and their mean, which a squared distance asks for, is grey. Grey stands in all three channels, so that the trunk
    takes pictures in colour afterwards.

    Shapes: x (picture, height, width, 3); y (picture, place), 0 to 48, int32.
    Source: Zhang et al. 2016, section 2; course material D, "Predict the color of grayscale images".
    Differs: they take 313 classes of Lab, softened, at a quarter of the size, and weigh rare colours more.
    """

    asks_places: ClassVar[bool] = True
    suits_dense: ClassVar[bool] = False

    cells: int = hyper(default=2, low=1, high=8, unit="cells", doc="Told along each side of a place of the trunk.")

    def check(self, pictures: Pictures) -> None:
        if pictures.channels != 3:
            raise DataError(
                f"{pictures.name}: the pictures are grey; task colour needs colours to be told. Use another task, such "
                "as rotation."
            )

    def augmentations(self, pictures: Pictures) -> tuple[Augmentation | Mixer, ...]:
        return tuple(each for each in choose_augmentation(pictures) if not isinstance(each, ColourJitter))

    def make(self, pictures: np.ndarray, draw: Draw, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
        red, green, blue = np.moveaxis(pictures, -1, 0)
        grey = red * np.float32(GREY[0]) + green * np.float32(GREY[1]) + blue * np.float32(GREY[2])
        x = frame.normalise(np.repeat(grey[..., None], 3, 3))
        red, brightness, blue = (cell_means(each[..., None], self._cells(frame)) for each in (red, grey, blue))
        sides = [np.searchsorted(EDGES, each) for each in (BLUE * (blue - brightness), RED * (red - brightness))]
        return x, by_place(sides[0] * (len(EDGES) + 1) + sides[1], frame.places).astype(np.int32)

    def around(self, trunk: Sequential) -> Layer:
        return Places(trunk)

    def head(self, frame: Frame) -> Parts:
        down, across = (cells // places for cells, places in zip(self._cells(frame), frame.places, strict=True))
        return [
            ("decoder", Convolution(64)),
            ("active", Relu()),
            ("head", Convolution(down * across * self._classes, 1, initialiser=Xavier())),
            ("told", Flatten()),
        ]

    def loss(self, frame: Frame) -> Loss:
        down, across = self._cells(frame)
        return EachPlace(down * across, self._classes)

    def figures(self, outputs: np.ndarray, y: np.ndarray, loss: Loss) -> dict[str, Figure]:
        return share_right(outputs.reshape(*y.shape, -1).argmax(2) == y, y)

    @property
    def chance(self) -> tuple[str, float]:
        return "accuracy", 0.0

    @property
    def _classes(self) -> int:
        return (len(EDGES) + 1) ** 2

    def _cells(self, frame: Frame) -> tuple[int, int]:
        down, across = (
            places * max(1, min(self.cells, length // places))
            for places, length in zip(frame.places, frame.shape[:2], strict=True)
        )
        return down, across
