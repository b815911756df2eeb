"""What is done to all numbers of a row together: products of them, and a turn onto directions in which they vary."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations_with_replacement, groupby
from math import comb
from typing import Any

import numpy as np

from preceptor.data.affine import (
    MOST_POLYNOMIALS,
    Affine,
    polynomial_features,
    principal_components,
    scale_range,
    standardise,
    zca,
    zero_centre,
)
from preceptor.errors import ConfigError

KEPT_VARIANCE = 0.99  # share of the variance that principal components keep: conventional
ZCA_EPSILON = 0.01  # squared standard deviations: what varies by less than a tenth of one is not blown up
MOST_TURNED = 4_096  # numbers: the matrix is then 64 MiB
MOST_DEGREE = 3  # of products: beyond it they are far too many, and their rounding errors too large
SCALINGS = {  # word -> what it does to the numbers of a table, as said to the user
    "standardise": "standardised",
    "zero-centre": "less their mean",
    "range": "from -1 to 1",
    "pca": "standardised",
    "whiten": "standardised",
    "zca": "standardised",
}
TURNS: dict[str, Callable[[np.ndarray], Affine]] = {
    "pca": lambda x: principal_components(x, KEPT_VARIANCE),
    "whiten": lambda x: principal_components(x, KEPT_VARIANCE, whiten=True),
    "zca": lambda x: zca(x, epsilon=ZCA_EPSILON),
}
OF_PRODUCTS: dict[str, Callable[[np.ndarray], Affine]] = {"zero-centre": zero_centre, "range": scale_range}


@dataclass(frozen=True, eq=False)
class Mixing:
    """Products of numbers that were brought to scale, themselves brought to scale, then a turn of all of them.

    Args:
        degree: products of up to so many numbers are added; 1 for none.
        products: how the products are brought to scale; None without them.
        turn: a shift and a matrix; None for none.

    Shapes: (row, number) -> (row, feature).
    Source: principal components and whitening as `affine.principal_components` and `affine.zca` say.
    """

    degree: int
    products: Affine | None
    turn: Affine | None

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Shapes: as the class says; in the dtype of x."""
        width = x.shape[1]
        if self.products is not None:
            x = polynomial_features(x, self.degree)
            x[:, width:] = self.products(x[:, width:])
        return x if self.turn is None else self.turn(x)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mixing) and self._content() == other._content()

    def __hash__(self) -> int:
        return hash(self._content())

    def _content(self) -> tuple[Any, ...]:
        arrays = self.arrays()
        return (self.degree, *((name, arrays[name].shape, arrays[name].tobytes()) for name in sorted(arrays)))

    def features(self, numbers: int) -> int:
        """How many features so many numbers become."""
        if self.turn is not None and self.turn.matrix is not None:
            return self.turn.matrix.shape[1]
        return _products(numbers, self.degree)

    def names(self, numbers: tuple[str, ...], scaling: str) -> tuple[str, ...]:
        """The names of the features, products as scikit-learn names them: a, b, a^2, a b, b^2."""
        if scaling in ("pca", "whiten"):
            return tuple(f"component {number}" for number in range(1, self.features(len(numbers)) + 1))
        powers = range(1, self.degree + 1)
        chosen = (each for power in powers for each in combinations_with_replacement(range(len(numbers)), power))
        return tuple(" ".join(_power(numbers[place], len([*same])) for place, same in groupby(each)) for each in chosen)

    def lines(self, numbers: int, scaling: str) -> list[str]:
        """What is done, in sentences for the terminal."""
        found, width = [], _products(numbers, self.degree)
        if self.degree > 1:
            found.append(
                f"Products of up to {self.degree} of the {numbers:,} numbers: {width - numbers:,} features more."
            )
        kept = f"{self.features(numbers):,} of {width:,} principal components, {KEPT_VARIANCE:.0%} of their variance"
        said = {
            "pca": f"Numbers turned onto {kept}.",
            "whiten": f"Numbers turned onto {kept}, each brought to variance 1.",
            "zca": "Numbers whitened with the least change (ZCA).",
        }
        return found + ([said[scaling]] if self.turn is not None else [])

    def arrays(self) -> dict[str, np.ndarray]:
        """What is to be saved beside the degree, by name."""
        parts = {"products": self.products, "turn": self.turn}
        return {
            f"{part}/{name}": values
            for part, made in parts.items()
            if made is not None
            for name, values in made.arrays().items()
        }

    @classmethod
    def from_arrays(cls, degree: int, arrays: Mapping[str, np.ndarray]) -> "Mixing":
        """The inverse of `arrays`. Raises: TypeError for a name that is none of them."""
        parts: dict[str, dict[str, np.ndarray]] = {"products": {}, "turn": {}}
        for name, values in arrays.items():
            part, _, field = name.partition("/")
            if part not in parts:
                raise TypeError(f"an array {name!r} is not known")
            parts[part][field] = values
        made = {part: Affine(**given) if given else None for part, given in parts.items()}
        return cls(degree, made["products"], made["turn"])

    def faults(self, numbers: int, scaling: str) -> Iterator[str]:
        """Why it does not suit so many numbers, where it does not."""
        if not 1 <= self.degree <= MOST_DEGREE or numbers < 1 or _products(numbers, self.degree) > MOST_POLYNOMIALS:
            yield f"degree is {self.degree} for {numbers:,} numbers; from 1 to {MOST_DEGREE} is required"
            return
        width = _products(numbers, self.degree)
        if (self.products is None) == (self.degree > 1) or (self.turn is None) == (scaling in TURNS):
            yield "degree, scaling and the arrays do not go together"
        made = self.products
        if made is not None and any(each.shape != (width - numbers,) for each in made.arrays().values()):
            yield f"the scale of products is not of {width - numbers:,} numbers"
        if made is not None and made.matrix is not None:
            yield "the scale of products has a matrix"
        turn = self.turn
        if turn is not None and (turn.matrix is None or turn.scale is not None or turn.shape is not None):
            yield "the turn is no matrix"
        elif turn is not None and turn.matrix is not None:
            ends = turn.matrix.shape
            if turn.shift.shape != (width,) or len(ends) != 2 or ends[0] != width or not 0 < ends[1] <= width:
                yield f"the turn has the shape {ends}; {width:,} numbers are there"
            elif scaling == "zca" and ends[1] != width:
                yield f"the turn has the shape {ends}; {width:,} numbers are to come out"


def learn_mixing(x: np.ndarray, scaling: str, degree: int) -> Mixing | None:
    """What the numbers of the training rows, brought to scale, ask for; None for nothing. Shapes: x (row, number).

    Raises: ConfigError where there are no numbers, or too many.
    """
    if degree == 1 and scaling not in TURNS:
        return None
    what = f"preprocess {scaling}" if scaling in TURNS else f"polynomial {degree}"
    if not x.shape[1]:
        raise ConfigError(f"{what}: the table has no column of numbers; at least one is required. Leave it out.")
    if degree > 1 and _products(x.shape[1], degree) > MOST_POLYNOMIALS:
        raise ConfigError(
            f"polynomial {degree}: {x.shape[1]:,} numbers make {_products(x.shape[1], degree):,} features; at most "
            f"{MOST_POLYNOMIALS:,} are possible. Choose a lower degree, or leave columns out."
        )
    wide = polynomial_features(x, degree)
    products = None
    if degree > 1:
        products = OF_PRODUCTS.get(scaling, standardise)(wide[:, x.shape[1] :])
        wide[:, x.shape[1] :] = products(wide[:, x.shape[1] :])
    if scaling not in TURNS:
        return Mixing(degree, products, None)
    if wide.shape[1] > MOST_TURNED:
        raise ConfigError(
            f"preprocess {scaling}: a row has {wide.shape[1]:,} numbers; at most {MOST_TURNED:,} can be turned. Choose "
            "another, or leave columns out."
        )
    return Mixing(degree, products, TURNS[scaling](wide))


def _products(numbers: int, degree: int) -> int:
    """The number of products of up to `degree` of so many numbers, the numbers themselves included."""
    return comb(numbers + degree, degree) - 1


def _power(name: str, power: int) -> str:
    return name if power == 1 else f"{name}^{power}"
