"""Columns of truth values."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from preceptor.data.encoding.numbers import as_numbers
from preceptor.data.encoding.place import Place
from preceptor.data.tables.tokens import is_missing
from preceptor.errors import DataError


@dataclass(frozen=True)
class Truth:
    """A column of truth values: 0 or 1; missing becomes the share of 1 in the training rows.

    Args:
        name: column of the table.
        mean: share of 1 in the training rows that have a value.
        missing: whether missing gets a feature, because the training rows have it.
    """

    kind: ClassVar[str] = "truth"
    name: str
    mean: float
    missing: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the features."""
        return (self.name, *([f"{self.name} is missing"] * self.missing))

    @property
    def features(self) -> int:
        """The number of features."""
        return 1 + self.missing

    def faults(self) -> Iterator[str]:
        """Why the fields contradict each other, where they do."""
        if not 0 <= self.mean <= 1:
            yield f"mean is {self.mean:g}; a share from 0 to 1 is required"

    def prepare(self, where: Place, column: np.ndarray) -> np.ndarray:
        """The column as 0, 1 and NaN. Shapes: (row,) -> (row, 1)."""
        if column.dtype == object:
            known = {"true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0, "1.0": 1.0, "0.0": 0.0}
            values = np.array(
                [
                    np.nan if text is None or is_missing(text) else known.get(text.strip().lower(), 2.0)
                    for text in column.tolist()
                ]
            )
        else:
            values = as_numbers(where, self.name, column, None)[:, 0]
        wrong = (values != 0) & (values != 1) & ~np.isnan(values)
        if wrong.any():
            row = int(np.argmax(wrong))
            raise DataError(
                f"{where}: column {self.name!r} holds {column.tolist()[row]!r} in {where.row(row)}; true or false is "
                "needed, as in the training rows. Mend the value."
            )
        return values[:, None]

    def fill(self, out: np.ndarray, values: np.ndarray) -> None:
        """Writes the features of prepared rows. Shapes: out (row, feature); values (row, 1)."""
        gaps = np.isnan(values[:, 0])
        out[:, 0] = np.where(gaps, self.mean, values[:, 0])
        if self.missing:
            out[:, 1] = gaps


def learn_truth(name: str, values: np.ndarray) -> Truth | str:
    """How a column of 0, 1 and NaN becomes features. Shapes: values (row,)."""
    known = values[~np.isnan(values)]
    if not len(known):
        return "no value in the training rows"
    missing, share = len(known) < len(values), float(known.mean())
    return "the same in all training rows" if share in (0, 1) and not missing else Truth(name, share, missing)
