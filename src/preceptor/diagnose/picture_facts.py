"""A divided set of pictures with what several rules need to know of it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from preceptor.data.division.split import Split


@dataclass(frozen=True, eq=False)
class PictureFacts:
    """Labelled pictures and their parts.

    Args:
        classes: the names of the classes.
        labels: the number of each picture's class.
        hashes: a number for each picture, the same for the same pixels.
        parts: row numbers of train, dev and test.

    Shapes: labels, hashes (row,).
    """

    classes: tuple[str, ...]
    labels: np.ndarray
    hashes: np.ndarray
    parts: Split

    @cached_property
    def train_counts(self) -> np.ndarray:
        """Training pictures of each class. Shapes: (class,)."""
        return np.bincount(self.labels[self.parts.train], minlength=len(self.classes))
