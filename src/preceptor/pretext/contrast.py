"""Which two of these many views are of the same picture?"""

from typing import ClassVar

import numpy as np

from preceptor.data import Pictures
from preceptor.data.pictures.augment import (
    Augmentation,
    ColourJitter,
    Draw,
    Flip,
    GreyDrop,
    Mixer,
    ResizedCrop,
    augment,
)
from preceptor.hyper import hyper, settings
from preceptor.nn import Dense, Layer, Loss, NormalisedCrossEntropy, Relu, Sequential, Siamese, Xavier
from preceptor.pretext.task import PLACE, Frame, Parts, PictureTask
from preceptor.pretext.telling import share_found
from preceptor.train import Figure

__all__ = ["Contrast"]

ALONE = 256  # pictures among whose views the partner is looked for, where it is told how well the task is solved


@settings
class Contrast(PictureTask):
    """Each picture is changed at random twice, and the network tells which views in a batch are of the same picture.

    What changes is what the features shall not hang on: which part is seen, brightness, contrast; of pictures in colour
    also left and right, saturation and hue, and now and then the colour itself. The head projects the features onto a
    sphere, where views of one picture shall lie near each other and all others far away; features before the head keep
    more of the picture.

    Shapes: x (picture, 2, height, width, channel); y (picture,), zeros.
    Source: Chen et al. 2020 (SimCLR), with its strength of changes for small pictures, without blur (appendix B.9).
    """

    most_rows: ClassVar[int] = 256  # each picture has the others of its batch to be told from

    temperature: float = hyper(
        default=0.5, low=0.01, high=10, scale="log", doc="Below 1 views that look most alike count most."
    )
    area: float = hyper(default=0.2, low=0.01, high=1, unit="share of the area", doc="Smallest part that a view shows.")
    units: int = hyper(default=64, low=2, unit="features", doc="Numbers in which views are compared.")

    def augmentations(self, pictures: Pictures) -> tuple[Augmentation | Mixer, ...]:
        return ()

    def shown(self, shape: tuple[int, int, int]) -> tuple[int, ...]:
        return 2, *shape

    def views(self, channels: int) -> tuple[Augmentation, ...]:
        """The changes that make a view."""
        crop = ResizedCrop(area=self.area)
        if channels == 1:
            return crop, ColourJitter(brightness=0.4, contrast=0.4, saturation=0.0)
        return crop, Flip(), ColourJitter(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1), GreyDrop()

    def make(self, pictures: np.ndarray, draw: Draw, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
        steps = self.views(frame.shape[2])
        both = [
            frame.normalise(
                augment(pictures, steps, Draw(draw.seed, draw.start, draw.count, PLACE + view * len(steps)))
            )
            for view in range(2)
        ]
        return np.stack(both, 1), np.zeros(len(pictures), np.float32)

    def around(self, trunk: Sequential) -> Layer:
        return Siamese(trunk)

    def head(self, frame: Frame) -> Parts:
        return [
            ("hidden", Dense(128)),
            ("active", Relu()),
            ("head", Dense(self.units, initialiser=Xavier())),
        ]

    def loss(self, frame: Frame) -> Loss:
        return NormalisedCrossEntropy(units=self.units, temperature=self.temperature)

    def figures(self, outputs: np.ndarray, y: np.ndarray, loss: Loss) -> dict[str, Figure]:
        return share_found(np.asarray(loss.predict(outputs)), ALONE)

    @property
    def chance(self) -> tuple[str, float]:
        return "found", 1 / (2 * ALONE - 1)
