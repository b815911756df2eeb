"""How the outputs of a network are read for one target, and written."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TextIO

import numpy as np

from preceptor.data import Table, Target, missing_rows
from preceptor.job.conformal import widened
from preceptor.nn import Loss
from preceptor.nn.member import quantiles_of
from preceptor.train.threshold import decided

__all__ = ["Head", "lines", "write_lines"]

AT_ONCE = 10_000  # lines that are made before they are written


@dataclass(frozen=True, eq=False)
class Head:
    """How the outputs for one target are read.

    Args:
        loss, units: what reads which outputs.
        threshold: as of Run.
        name: of the target, where there are several.
    """

    target: Target
    loss: Loss
    units: slice
    threshold: float | None
    name: str

    def read(self, outputs: np.ndarray) -> np.ndarray:
        """Probabilities, or numbers or quantiles in the target's unit, from raw outputs."""
        return self.decoded(np.asarray(self.loss.predict(outputs[..., self.units])))

    def decoded(self, predicted: np.ndarray) -> np.ndarray:
        """What the loss predicts, in the target's unit."""
        return self.target.decode(predicted) if self.target.classes is None else predicted

    def decide(self, predicted: np.ndarray) -> np.ndarray:
        """The prediction, from probabilities, numbers or quantiles."""
        if self.target.classes is None:
            return np.asarray(self.loss.point(predicted))
        return np.asarray(self.target.classes)[decided(predicted, self.threshold)]

    def names(self, samples: int | None, wide: float | None) -> list[str]:
        """The columns of its predictions."""
        quantiles, is_number = quantiles_of(self.loss), self.target.classes is None
        found = [("prediction", "")]
        found += [("probability", label) for label in self.target.written]
        found += [("quantile", f"{share:g}") for share in quantiles]
        if samples is not None:
            found += [("standard_deviation", "")] if is_number else [("entropy", ""), ("mutual_information", "")]
        found += [("low", ""), ("high", "")] if wide is not None else []
        return ["_".join(part for part in (first, self.name, last) if part) for first, last in found]

    def columns(self, predicted: np.ndarray, unsure: list[np.ndarray], wide: float | None) -> list[np.ndarray]:
        """These columns; the prediction as it is written."""
        each = list(predicted.T) if predicted.ndim == 2 else []  # probabilities or quantiles
        ends = [] if wide is None else list(widened(predicted, wide).T)
        if self.target.classes is None:
            label = self.decide(predicted)
        else:
            label = np.asarray(self.target.written)[decided(predicted, self.threshold)]
        return [label, *each, *unsure, *ends]


def lines(piece: Table, columns: Sequence[np.ndarray], keep: Sequence[str]) -> Iterator[tuple]:
    """The lines of predictions of a piece."""
    return zip(*(_kept(piece, name) for name in keep), *(column.tolist() for column in columns), strict=True)


def write_lines(file: TextIO, rows: Iterable[Sequence[Any]]) -> None:
    """Writes rows as CSV, each line ended by a line feed."""
    rows = iter(rows)
    while some := list(islice(rows, AT_ONCE)):
        text = _as_csv(some, "\n")
        if "\r" in text:  # it ends a line for whoever reads, and only where lines end in it does `csv` quote it
            text = "".join(_as_csv([row], "\r\n").removesuffix("\r\n") + "\n" for row in some)
        file.write(text)


def _as_csv(rows: list[Sequence[Any]], end: str) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=end).writerows(rows)
    return text.getvalue()


def _kept(piece: Table, name: str) -> list[Any]:
    """The fields of a column as they stood where the table came from; of a table made in Python its values."""
    if name in piece.texts:
        return piece.texts[name].tolist()
    values = piece.column(name)
    gaps = missing_rows(values)
    return ["" if gap else value for value, gap in zip(values.tolist(), gaps.tolist(), strict=True)]
