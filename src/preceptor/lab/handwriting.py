"""The bundled handwritten digits as pictures, and one larger picture made of them."""

from functools import cache

import numpy as np

from preceptor.data import read

SIDE = 8  # pixels of a digit
CLASSES = 10


@cache
def _all() -> tuple[np.ndarray, np.ndarray]:
    table = read("digits")
    pictures = table.columns["pixels"].reshape(-1, SIDE, SIDE).astype(np.float32) / 16
    labels = table.columns["digit"].astype(np.int32)
    pictures.setflags(write=False)
    labels.setflags(write=False)
    return pictures, labels


def digits(seed: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """All of them, in an order that the seed draws, or in their own: ink from 0 to 1, and which digit.

    Shapes: -> (row, 8, 8), float32; (row,), int32.
    """
    pictures, labels = _all()
    if seed is None:
        return pictures, labels
    order = np.random.default_rng(seed).permutation(len(labels))
    return pictures[order], labels[order]


def sheet(rows: int = 3, columns: int = 3, border: int = 1) -> np.ndarray:
    """The first digits side by side, each with a border of paper, as one picture.

    Shapes: -> ((8 + 2 border) rows, (8 + 2 border) columns).
    """
    some = np.pad(_all()[0][: rows * columns], ((0, 0), (border, border), (border, border)))
    side = SIDE + 2 * border
    return some.reshape(rows, columns, side, side).transpose(0, 2, 1, 3).reshape(rows * side, columns * side)
