"""What was there, where the picture is covered?"""

from typing import ClassVar

import numpy as np

from preceptor.data.pictures.augment import Draw
from preceptor.hyper import hyper, settings
from preceptor.nn import Convolution, Flatten, Hidden, Layer, Loss, Places, Relu, Sequential, Xavier
from preceptor.pretext.task import Frame, Parts, PictureTask, by_place, cell_edges, cell_means, drawn
from preceptor.pretext.telling import explained
from preceptor.train import Figure

__all__ = ["Inpaint"]

CELLS = 4  # along each axis of what one place of the trunk is asked for, or as many as it has pixels


@settings
class Inpaint(PictureTask):
    """A block at a random place is covered with the mean colour, and the network says what was there.

    A small decoder behind the trunk tells the mean of each cell of the picture, 4 x 4 cells for each place of the
    trunk; what it tells of cells that are not covered is not looked at.

    Shapes: x (picture, height, width, channel); y (picture, 2 number), the cells as the decoder tells them, in standard
        deviations, then 1 where one is covered, else 0.
    Source: Pathak et al. 2016 (context encoders), sections 3.2 and 3.3: random block; course material D.
    Differs: one block instead of several, cells instead of pixels, no adversarial loss.
    """

    asks_places: ClassVar[bool] = True
    suits_dense: ClassVar[bool] = False

    side: float = hyper(default=0.5, low=0.1, high=0.9, unit="share of each side", doc="Height and width of the block.")

    def make(self, pictures: np.ndarray, draw: Draw, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
        cells = self._cells(frame)
        u, number = drawn(draw, 2), np.arange(len(pictures))
        hidden = np.ones((len(pictures), *cells), bool)
        covered = np.ones(pictures.shape[:3], bool)
        for axis, (count, length) in enumerate(zip(cells, pictures.shape[1:3], strict=True)):
            block = min(max(1, round(self.side * count)), count - 1) if count > 1 else 1
            start = np.floor(u[number, axis] * (count - block + 1)).astype(np.int64)
            inside = (np.arange(count) >= start[:, None]) & (np.arange(count) < start[:, None] + block)
            of_pixel = np.repeat(np.arange(count), np.diff(cell_edges(length, count)))
            shape = (-1, *[1] * axis, count, *[1] * (1 - axis))
            hidden &= inside.reshape(shape)
            covered &= inside[:, of_pixel].reshape((*shape[: axis + 1], length, *shape[axis + 2 :]))
        x = frame.normalise(pictures)
        told = by_place(cell_means(x, cells), frame.places)
        x[covered] = 0
        channels = pictures.shape[3]
        mask = by_place(np.repeat(hidden[..., None], channels, 3).astype(np.float32), frame.places)
        return x, np.concatenate([told, mask], 1)

    def around(self, trunk: Sequential) -> Layer:
        return Places(trunk)

    def head(self, frame: Frame) -> Parts:
        per_place = self._numbers(frame) // (frame.places[0] * frame.places[1])
        return [
            ("decoder", Convolution(64)),
            ("active", Relu()),
            ("head", Convolution(per_place, initialiser=Xavier())),
            ("told", Flatten()),
        ]

    def loss(self, frame: Frame) -> Loss:
        return Hidden(units=self._numbers(frame))

    def figures(self, outputs: np.ndarray, y: np.ndarray, loss: Loss) -> dict[str, Figure]:
        units = outputs.shape[1]
        return explained(outputs, y[:, :units], y[:, units:])

    @property
    def chance(self) -> tuple[str, float]:
        return "explained", 0.0

    def _cells(self, frame: Frame) -> tuple[int, int]:
        down, across = (
            places * max(1, min(CELLS, length // places))
            for places, length in zip(frame.places, frame.shape[:2], strict=True)
        )
        return down, across

    def _numbers(self, frame: Frame) -> int:
        down, across = self._cells(frame)
        return down * across * frame.shape[2]
