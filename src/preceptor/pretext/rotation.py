"""By how much was the picture turned?"""

from typing import ClassVar

import numpy as np

from preceptor.data.pictures.augment import Draw
from preceptor.hyper import settings
from preceptor.nn import Dense, Loss, SoftmaxCrossEntropy, Xavier
from preceptor.pretext.task import Frame, Parts, PictureTask, drawn

__all__ = ["Rotation"]


@settings
class Rotation(PictureTask):
    """Each picture is turned by 0, 90, 180 or 270 degrees, one of four at random, and the network says which it was.

    To know what is up one must know what the things are. Pictures that are not square are cut to their middle. Where
    no side is up, as of cells or from above, there is nothing to learn.

    Shapes: x (picture, side, side, channel); y (picture,), how many quarter turns against the clock, int32.
    Source: Gidaris et al. 2018; course material D, "Regularization: self-supervised learning".
    Differs: they show all four turns of a picture in one batch; here it is one at random, so that a batch has as many
        pictures as rows.
    """

    classes: ClassVar[tuple[str, ...]] = ("0°", "90°", "180°", "270°")

    def seen(self, shape: tuple[int, int, int]) -> tuple[int, int, int]:
        side = min(shape[:2])
        return side, side, shape[2]

    def make(self, pictures: np.ndarray, draw: Draw, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
        side = frame.shape[0]
        top, left = (pictures.shape[1] - side) // 2, (pictures.shape[2] - side) // 2
        middle = pictures[:, top : top + side, left : left + side]
        turns = np.floor(drawn(draw, 1)[:, 0] * 4).astype(np.int32)
        out = middle.copy()
        for turn in (1, 2, 3):
            chosen = turns == turn
            out[chosen] = np.rot90(middle[chosen], turn, (1, 2))
        return frame.normalise(out), turns

    def head(self, frame: Frame) -> Parts:
        return [("head", Dense(len(self.classes), initialiser=Xavier()))]

    def loss(self, frame: Frame) -> Loss:
        return SoftmaxCrossEntropy()

    @property
    def chance(self) -> tuple[str, float]:
        return "accuracy", 1 / len(self.classes)
