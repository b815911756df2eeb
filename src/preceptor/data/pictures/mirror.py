"""Whether a set's pictures can be mirrored: asked of the pictures, by a linear reading of them made small."""

from dataclasses import dataclass

import numpy as np

from preceptor.data.division.order import order
from preceptor.data.pictures.decode import resize
from preceptor.data.pictures.pictures import Pictures
from preceptor.machine import cores

SIDE = 12  # pixels of a picture made small
MOST = 4_000  # pictures looked at
AT_ONCE = 64  # of them in memory as they are
PENALTY = 0.05  # of the linear reading: share of its number of pictures
FARTHER, SURE = 0.2, 3.0  # share of what is read that must be lost, and standard errors, for mirror images to differ
ALIKE = 0.1  # share of what is read that may be lost, beyond two standard errors, for them to be alike


@dataclass(frozen=True)
class MirrorImages:
    """What a linear reading, learned from pictures as they are, tells of others as they are and mirrored.

    Args:
        right, mirrored: share of the pictures whose class it tells, as they are and mirrored.
        guess: share of the most frequent class.
        error: standard error of the difference between the two.
    """

    right: float
    mirrored: float
    guess: float
    error: float

    @property
    def lost(self) -> float:
        """Of what is read beyond a guess, the share that is lost in a mirror."""
        return (self.right - self.mirrored) / max(self.right - self.guess, 1e-9)

    @property
    def differ(self) -> bool:
        """Whether a mirror image is surely read otherwise: it may be of another class, or of none."""
        return self.lost > FARTHER and self.right - self.mirrored > SURE * self.error

    @property
    def are_alike(self) -> bool:
        """Whether a mirror image is surely read as well as the picture."""
        reads = self.right - self.guess
        return reads > SURE * self.error and self.right - self.mirrored + 2 * self.error < ALIKE * reads

    @property
    def answer(self) -> bool | None:
        """Whether pictures of this set can be mirrored; None where it is not sure."""
        return False if self.differ else True if self.are_alike else None

    @property
    def text(self) -> str:
        """The finding, in a sentence; "" where it is not sure."""
        if self.answer is None:
            return ""
        as_is, mirrored = f"{self.right:.0%}".replace("%", " %"), f"{self.mirrored:.0%}".replace("%", " %")
        found = f"a linear reading of small ones tells {as_is} of them as they are and {mirrored} mirrored"
        return f"{'Mirrored' if self.answer else 'Not mirrored'}: {found}."


def mirror_images(pictures: Pictures, rows: np.ndarray) -> MirrorImages:
    """How mirror images of these pictures are read. Half of them teach the reading of the other half, and the reverse.

    Formula: least squares with a penalty from pixels of mean 0 and variance 1 to one number for each class.
    Shapes: rows (row,), those of the training part.
    """
    assert pictures.labels is not None
    rows = rows[order(0, 0, min(len(rows), MOST), len(rows))]
    y = pictures.labels[rows]
    pieces = (rows[start : start + AT_ONCE] for start in range(0, len(rows), AT_ONCE))
    small = np.concatenate([_small(pictures.take(each, workers=cores())) for each in pieces])
    x, turned = (each.reshape(len(small), -1) for each in (small, small[:, :, ::-1]))
    shift, scale = x.mean(0), x.std(0) + 1e-3
    x, turned = ((each - shift) / scale for each in (x, turned))
    half = len(x) // 2
    as_is, mirrored = np.zeros(len(x), bool), np.zeros(len(x), bool)
    for taught, asked in ((slice(None, half), slice(half, None)), (slice(half, None), slice(None, half))):
        read = _reading(x[taught], np.eye(len(pictures.classes))[y[taught]])
        for told, values in ((as_is, x), (mirrored, turned)):
            told[asked] = (values[asked] @ read[:-1] + read[-1]).argmax(1) == y[asked]
    differences = as_is.astype(float) - mirrored
    guess = np.bincount(y).max() / len(y)
    error = differences.std() / len(y) ** 0.5 + 1 / len(y)
    return MirrorImages(float(as_is.mean()), float(mirrored.mean()), float(guess), float(error))


def _small(pixels: np.ndarray) -> np.ndarray:
    """Shapes: (picture, height, width, channel), uint8 -> the same with sides of SIDE, from 0 to 1."""
    side = min(SIDE, *pixels.shape[1:3])
    return np.stack([resize(each, side, side, each.shape[2]) for each in pixels]) / 255.0


def _reading(x: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Weights and, last, the bias. Shapes: x (picture, number), shares (picture, class) -> (number + 1, class)."""
    mean, bias = x.mean(0), shares.mean(0)
    x = x - mean
    penalty = PENALTY * len(x)
    if len(x) < x.shape[1]:
        weight = x.T @ np.linalg.solve(x @ x.T + penalty * np.eye(len(x)), shares - bias)
    else:
        weight = np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ (shares - bias))
    return np.concatenate((weight, (bias - mean @ weight)[None]))
