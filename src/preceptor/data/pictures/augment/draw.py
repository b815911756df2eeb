"""What augmentations share: their random numbers, what they are, and the scale of their pixels."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

# Philox counters with these highest words belong to augmentation; order.py uses 0 and split.py 1 under the same seeds.
FIXED_NUMBERS, OWN_GENERATORS = 2, 3


@dataclass(frozen=True, eq=False)
class Draw:
    """The random numbers of some neighbouring pictures of the stream.

    Args:
        seed: 0 to 2**64 - 1.
        start: position of the first picture in the stream.
        count: how many pictures.
        place: of the augmentation among the others.
        rows: which picture of the training part each is, (picture,); without it each is seen once.
        passes: how often it was seen before, (picture,).
    """

    seed: int
    start: int
    count: int
    place: int = 0
    rows: np.ndarray | None = None
    passes: np.ndarray | None = None

    def uniform(self, numbers: int) -> np.ndarray:
        """Uniform numbers from 0 to less than 1, so many for each picture. Shapes: -> (picture, number), float64.

        Source: Salmon et al. 2011 (Philox); each picture has its own counters.
        """
        blocks = -(-numbers // 4)  # a counter gives four numbers
        return self._generator([self.start * blocks, 0, 0, FIXED_NUMBERS]).random((self.count, 4 * blocks))[:, :numbers]

    def coins(self) -> np.ndarray:
        """A coin for each picture, the same in every pass. Shapes: -> (picture,), 0 or 1.

        Source: splitmix64, Steele et al. 2014.
        """
        rows = np.arange(self.start, self.start + self.count) if self.rows is None else self.rows
        mixed = rows.astype(np.uint64) + np.uint64((self.seed * 0x9E3779B97F4A7C15 + self.place) % 2**64)
        for factor, shift in ((0x9E3779B97F4A7C15, 30), (0xBF58476D1CE4E5B9, 27), (0x94D049BB133111EB, 31)):
            mixed = mixed * np.uint64(factor)
            mixed ^= mixed >> np.uint64(shift)
        return (mixed & np.uint64(1)).astype(np.int64)

    def generators(self) -> Iterator[np.random.Generator]:
        """A generator for each picture, for what takes an unknown number of random numbers.

        It is the same one, set anew: to make one takes 30 us, as long as to mix a small picture. So each is to be used
        before the next is asked for.
        """
        generator = self._generator([0, 0, 0, OWN_GENERATORS])
        fresh: Any = generator.bit_generator.state
        for position in range(self.start, self.start + self.count):
            fresh["state"]["counter"][1] = position
            generator.bit_generator.state = fresh
            yield generator

    def _generator(self, counter: list[int]) -> np.random.Generator:
        key = np.array([self.seed, self.place], np.uint64)
        return np.random.Generator(np.random.Philox(key=key, counter=np.array(counter, np.uint64)))


class Augmentation(ABC):
    """A change of pictures that keeps their classes."""

    @abstractmethod
    def __call__(self, pictures: np.ndarray, draw: Draw) -> np.ndarray:
        """The changed pictures; those given are left alone. Shapes: (picture, height, width, channel) -> the same."""


class Mixer(ABC):
    """Mixes each picture with another, and the labels alike."""

    alpha: float

    @abstractmethod
    def __call__(
        self, pictures: np.ndarray, labels: np.ndarray, others: np.ndarray, other_labels: np.ndarray, draw: Draw
    ) -> tuple[np.ndarray, np.ndarray]:
        """The mixed pictures and labels.

        Shapes: pictures, others (picture, height, width, channel), float32; labels, other_labels (picture, class),
        float32 -> the same.
        """

    def shares(self, draw: Draw) -> np.ndarray:
        """How much of each picture stays, before the mixer rounds it to pixels. Shapes: -> (picture,), float64."""
        return np.array([generator.beta(self.alpha, self.alpha) for generator in draw.generators()]).reshape(draw.count)


def as_float(pictures: np.ndarray, *, copy: bool = False) -> np.ndarray:
    """The pictures as float32, 0 to 1. Shapes: any -> the same.

    Args:
        copy: whether the result may be written to without changing what was given.
    """
    if pictures.dtype == np.uint8:
        return pictures * np.float32(1 / 255)
    return pictures.copy() if copy else pictures


def one_by_one(function: Callable[[float], float], values: np.ndarray) -> np.ndarray:
    """A function of each value by itself: vectorised ones may round by where in the array a value stands."""
    return np.array([function(value) for value in values.ravel().tolist()]).reshape(values.shape)
