"""Preprocessing by a shift and a scale, or a shift and a matrix, learned from the training rows alone.

Each function looks at the training rows and gives an Affine, to be applied to them and, unchanged, to dev, test and new
rows. Zero centring, scaling, the mean image, the mean and standard deviation of each channel, principal components and
both forms of whitening are all of this kind. `polynomial_features` learns nothing.
"""

from dataclasses import dataclass
from itertools import combinations_with_replacement
from math import comb

import numpy as np

from preceptor.errors import ConfigError, ShapeError
from preceptor.words import amount

MOST_POLYNOMIALS = 10_000  # columns: beyond it a network does better with the columns themselves
ROWS = 1_024  # turned by a matrix at a time: 24 MiB of a picture's 3,072 numbers
SAME = 1e-10  # a component whose standard deviation is so small a share of the first one's is rounding


@dataclass(frozen=True, eq=False)
class Affine:
    """A shift, then a factor for each number or a matrix.

    Formula: y = (x - shift) scale, or y = (x - shift) matrix, in the dtype of x.

    Args:
        shift: one for each number of a row, or for each channel.
        scale: as shift; None for 1.
        matrix: None for none.
        shape: of a row of what a matrix makes, where that is not one line of numbers.

    Shapes: shift, scale broadcast to a row of x; matrix (feature, component). x (row, ...) -> the same, with a matrix
        (row, ...) -> (row, component) or (row, *shape).
    """

    shift: np.ndarray
    scale: np.ndarray | None = None
    matrix: np.ndarray | None = None
    shape: np.ndarray | None = None

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Shapes: as the class says. Raises: ShapeError where rows have another shape than those learned from."""
        row = x.shape[1:]
        if self.matrix is not None:
            if np.prod(row) != len(self.matrix):
                raise self._unfit(x, f"{len(self.matrix)} numbers in each")
            # in float64, for the order in which BLAS adds depends on the number of rows: rounded, a row is what it is
            # alone
            flat, matrix = x.reshape(len(x), -1), self.matrix.astype(np.float64)
            out = np.empty((len(x), matrix.shape[1]), x.dtype)
            for first in range(0, len(x), ROWS):
                rows = slice(first, first + ROWS)
                out[rows] = (flat[rows] - self.shift.ravel()) @ matrix
            return out if self.shape is None else out.reshape(len(x), *self.shape)
        if self.shift.shape not in (row, row[-1:], ()):
            raise self._unfit(x, f"{self.shift.shape} in each, or at the end")
        shift = self.shift
        scale = np.ones_like(shift) if self.scale is None else self.scale
        if shift.ndim == 1 and len(row) > 1:  # one long line for the processor instead of many of three numbers
            shift, scale, row = np.tile(shift, row[-2]), np.tile(scale, row[-2]), (*row[:-2], row[-2] * row[-1])
        out = x.reshape(len(x), *row) - shift.astype(x.dtype)
        out *= scale.astype(x.dtype)
        return out.reshape(x.shape)

    def arrays(self) -> dict[str, np.ndarray]:
        """What is to be saved: Affine(**arrays) is the same again."""
        found = {"shift": self.shift, "scale": self.scale, "matrix": self.matrix, "shape": self.shape}
        return {name: values for name, values in found.items() if values is not None}

    def _unfit(self, x: np.ndarray, needed: str) -> ShapeError:
        return ShapeError(
            f"preprocessing: the rows have shape {x.shape[1:]}; {needed} is needed, as in the rows it was learned "
            "from. Bring them to that shape first."
        )


def zero_centre(x: np.ndarray) -> Affine:
    """Takes away the mean of each number over the rows; of pictures, the mean image. Shapes: x (row, ...)."""
    return Affine(x.mean(axis=0, dtype=np.float64))


def standardise(x: np.ndarray) -> Affine:
    """Mean 0 and standard deviation 1 of each number; one that is constant becomes 0.

    Shapes: x (row, ...).
    Source: any textbook; the deviation is divided by the number of rows.
    """
    return Affine(x.mean(axis=0, dtype=np.float64), _inverse(x.std(axis=0, dtype=np.float64)))


def scale_range(x: np.ndarray) -> Affine:
    """Brings the smallest value of each number to -1, the largest to 1; a constant to 0. Shapes: x (row, ...)."""
    low, high = x.min(axis=0).astype(np.float64), x.max(axis=0).astype(np.float64)
    return Affine((low + high) / 2, _inverse((high - low) / 2))


def channel_mean(x: np.ndarray) -> Affine:
    """Takes away one mean for each channel. Shapes: x (row, ..., channel). Source: Simonyan and Zisserman 2015."""
    return Affine(x.mean(axis=tuple(range(x.ndim - 1)), dtype=np.float64))


def channel_standardise(x: np.ndarray) -> Affine:
    """Mean 0 and standard deviation 1 of each channel over all rows and places. Shapes: x (row, ..., channel)."""
    axes = tuple(range(x.ndim - 1))
    return Affine(x.mean(axis=axes, dtype=np.float64), _inverse(x.std(axis=axes, dtype=np.float64)))


def principal_components(x: np.ndarray, components: int | float | None = None, *, whiten: bool = False) -> Affine:
    """Turns the rows onto the directions in which they vary most, the first most of all.

    Formula: x - mean = U S V^T; y = (x - mean) V, whitened y = (x - mean) V sqrt(rows - 1) / S: variance 1 each.
        Of the two signs of a direction the one whose largest weight is above 0 is taken. Directions without variance
        (SAME of the first) are left out where it is whitened.
    Source: Pearson 1901; as computed here, Golub and Van Loan, Matrix computations, section 8.6.
    Differs: lectures that whiten with the S of svd(X^T X) and forget to divide it by the number of rows get a variance
        of 1 / rows in each direction; here, as in scikit-learn, it is 1.

    Shapes: x (row, ...) -> an Affine of (row, component).

    Args:
        components: how many directions to keep; below 1, the share of the variance to keep; None for all.
        whiten: whether to bring each to variance 1.

    Raises: ConfigError where there are not so many.
    """
    mean, singular, directions, rows = _decompose(x)
    count = len(singular)
    if components is not None and 0 < components < 1:
        shares = np.cumsum(singular**2) / np.sum(singular**2)
        count = int(np.searchsorted(shares, components, side="left")) + 1
    elif components is not None:
        if components != int(components) or not 1 <= components <= count:
            raise ConfigError(
                f"principal_components: components is {amount(components)}; it must be a whole number from 1 to "
                f"{count}, or a share of the variance above 0 and below 1."
            )
        count = int(components)
    matrix = directions[:count].T
    if whiten:
        kept = singular[:count] > SAME * singular[0]
        matrix = matrix[:, kept] * (np.sqrt(rows - 1) / singular[:count][kept])
    return Affine(mean, matrix=matrix)


def zca(x: np.ndarray, *, epsilon: float = 0.0) -> Affine:
    """Whitens with the least change: all numbers become uncorrelated with variance 1, and pictures stay pictures.

    Formula: y = (x - mean) V diag(1 / sqrt(S^2 / (rows - 1) + epsilon)) V^T; directions without variance stay 0.
    Source: Bell and Sejnowski 1997.
    Differs: as `principal_components` from lectures that forget to divide by the number of rows.

    Shapes: x (row, ...) -> an Affine of the same.

    Args:
        epsilon: added to each variance, so that noise in directions that hardly vary is not blown up; in squared units
            of x, at least 0.
    """
    mean, singular, directions, rows = _decompose(x)
    kept = singular > SAME * singular[0]
    scale = 1 / np.sqrt(singular[kept] ** 2 / (rows - 1) + epsilon)
    shape = np.array(x.shape[1:]) if x.ndim > 2 else None
    return Affine(mean, matrix=(directions[kept].T * scale) @ directions[kept], shape=shape)


def polynomial_features(x: np.ndarray, degree: int = 2) -> np.ndarray:
    """The numbers of each row and all products of up to `degree` of them, a number more than once included.

    Shapes: (row, feature) -> (row, C(feature + degree, degree) - 1): first the numbers, then the products of two in the
        order 00, 01, ..., 11, 12, ..., then those of three, and so on; no column of ones.

    Raises: ConfigError where these are more than MOST_POLYNOMIALS columns.
    """
    width = x.shape[1]
    count = comb(width + degree, degree) - 1
    if degree < 1 or count > MOST_POLYNOMIALS:
        raise ConfigError(
            f"polynomial_features: {width} columns and degree {degree} make {count:,} columns; a degree of at least 1 "
            f"and at most {MOST_POLYNOMIALS:,} columns are needed. Choose a lower degree or fewer columns."
        )
    out = np.empty((len(x), count), x.dtype)
    place: dict[tuple[int, ...], int] = {}
    for power in range(1, degree + 1):
        for chosen in combinations_with_replacement(range(width), power):
            rest = place.get(chosen[:-1])
            column = x[:, chosen[-1]]
            out[:, len(place)] = column if rest is None else out[:, rest] * column
            place[chosen] = len(place)
    return out


def _inverse(spread: np.ndarray) -> np.ndarray:
    return np.divide(1, spread, out=np.zeros_like(spread), where=spread > 0)


def _decompose(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Mean, singular values, directions and number of rows. Shapes: -> (feature,), (k,), (k, feature)."""
    flat = x.reshape(len(x), -1).astype(np.float64)
    if len(flat) < 2:
        raise ShapeError(f"preprocessing: there are {len(flat)} rows; at least two are needed to see what varies.")
    mean = flat.mean(axis=0)
    _, singular, directions = np.linalg.svd(flat - mean, full_matrices=False)
    largest = np.take_along_axis(directions, np.abs(directions).argmax(axis=1)[:, None], axis=1)
    return mean, singular, directions * np.where(largest < 0, -1, 1), len(flat)
