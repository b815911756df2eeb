"""What a task is: inputs and targets made of data that nobody labelled, and the network and the loss that learn it."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from preceptor.data import Pictures
from preceptor.data.affine import Affine
from preceptor.data.pictures.augment import Augmentation, Draw, Mixer, choose_augmentation
from preceptor.nn import Layer, Loss, Sequential
from preceptor.train import Figure

Parts = list[tuple[str, Layer]]
PLACE = 1 << 17  # of a task's random numbers among those of augmentations: behind any of them


@dataclass(frozen=True, eq=False)
class Frame:
    """What a task knows of the pictures and of the trunk.

    Args:
        shape: (height, width, channels) of a picture as the trunk takes it.
        normalise: what brings values from 0 to 1 to scale, channel by channel.
        places: how many the trunk tells apart downwards and sideways, of what the task shows it; (1, 1) where the task
            does not ask.
    """

    shape: tuple[int, int, int]
    normalise: Affine
    places: tuple[int, int] = (1, 1)


@dataclass(frozen=True)
class Task(ABC):
    """Something to learn that the data tell themselves.

    The network is a trunk, which is what one wants, and a head, which the task needs: `Sequential((trunk, ...),
    ("trunk", ...))`, the trunk perhaps within a layer that shows it what the task has to show, under the same keys.

    `classes`: what is told apart, in words; empty where it is no class. `asks_places`: whether it asks what lies where.
    `suits_dense`: whether the trunk may have dense layers; not where it sees other sizes than that of a picture, or is
    asked what lies where. `most_rows`: of a batch, where nobody chose.
    """

    classes: ClassVar[tuple[str, ...]] = ()
    suits_dense: ClassVar[bool] = True
    most_rows: ClassVar[int] = 64
    asks_places: ClassVar[bool] = False

    def figures(self, outputs: np.ndarray, y: np.ndarray, loss: Loss) -> dict[str, Figure]:
        """How well it is solved, of raw outputs for rows that did not teach; where `classes` are told apart, their
        usual figures say it."""
        return {}

    @property
    @abstractmethod
    def chance(self) -> tuple[str, float]:
        """The figure that says how well it is solved, and what one comes to that knows nothing of the inputs."""


@dataclass(frozen=True)
class PictureTask(Task):
    """A task of pictures."""

    def check(self, pictures: Pictures) -> None:
        """Raises: DataError where it cannot be asked of these pictures."""

    def seen(self, shape: tuple[int, int, int]) -> tuple[int, int, int]:
        """The shape of a picture as the trunk takes it, of the pictures' own."""
        return shape

    def shown(self, shape: tuple[int, int, int]) -> tuple[int, ...]:
        """The shape of one input, of that of a picture as the trunk takes it."""
        return shape

    def augmentations(self, pictures: Pictures) -> tuple[Augmentation | Mixer, ...]:
        """How pictures are changed before the task is made of them, where nobody chose."""
        return choose_augmentation(pictures)

    @abstractmethod
    def make(self, pictures: np.ndarray, draw: Draw, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and targets of some pictures.

        Shapes: pictures (picture, height, width, channel), float32, 0 to 1 -> (picture, *shown), float32; targets
            (picture,) or (picture, number).
        """

    def around(self, trunk: Sequential) -> Layer:
        """The layer that shows the trunk what the task has to show; it has the trunk's own parameters."""
        return trunk

    @abstractmethod
    def head(self, frame: Frame) -> Parts:
        """The layers behind the trunk."""

    @abstractmethod
    def loss(self, frame: Frame) -> Loss:
        """What is made small."""

    def network(self, trunk: Sequential, frame: Frame) -> Sequential:
        """Trunk and head."""
        parts = [("trunk", self.around(trunk)), *self.head(frame)]
        return Sequential(tuple(layer for _, layer in parts), tuple(name for name, _ in parts))


def drawn(draw: Draw, numbers: int, place: int = 0) -> np.ndarray:
    """Uniform numbers from 0 to less than 1 for each picture, the task's own. Shapes: -> (picture, number), float64."""
    return replace(draw, place=PLACE + place).uniform(numbers)


def cell_edges(length: int, cells: int) -> np.ndarray:
    """Where so many cells of a side begin, as equal as pixels allow, then where the last ends. Shapes: (cell + 1,)."""
    return np.arange(cells + 1) * length // cells


def cell_means(pictures: np.ndarray, cells: tuple[int, int]) -> np.ndarray:
    """The mean of each cell of a picture. Shapes: (picture, height, width, channel) -> (picture, *cells, channel)."""
    out = pictures
    for axis, count in enumerate(cells, 1):
        edges = cell_edges(pictures.shape[axis], count)
        lengths = np.diff(edges).astype(out.dtype).reshape(-1, *[1] * (out.ndim - axis - 1))
        out = np.add.reduceat(out, edges[:-1], axis) / lengths
    return out


def by_place(cells: np.ndarray, places: tuple[int, int]) -> np.ndarray:
    """Cells in the order in which a convolution tells them: place by place, and those of a place row by row.

    Shapes: (picture, height, width, channel), whole multiples of places -> (picture, number).
    """
    count, height, width, channel = cells.shape
    down, across = places
    apart = cells.reshape(count, down, height // down, across, width // across, channel)
    return np.ascontiguousarray(apart.transpose(0, 1, 3, 2, 4, 5)).reshape(count, -1)


__all__ = ["PLACE", "Frame", "Parts", "PictureTask", "Task", "by_place", "cell_edges", "cell_means", "drawn"]
