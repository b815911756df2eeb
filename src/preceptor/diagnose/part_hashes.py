"""The rows of a table too large to be looked at whole, each as one number."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class PartHashes:
    """A number for each row of train, and of dev and test: the same for the same features and target.

    Shapes: train, held (row,), uint64; `train` is sorted in place.
    """

    train: np.ndarray
    held: np.ndarray
