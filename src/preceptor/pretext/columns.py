"""Which numbers of the row were put in from other rows, and what stood there?"""

from collections.abc import Sequence

import numpy as np

from preceptor.data import Stream, order
from preceptor.data.pictures.augment import Draw
from preceptor.hyper import hyper, settings
from preceptor.nn import Corrupted, Dense, Loss, Sequential, Xavier
from preceptor.pretext.stream import JUDGING
from preceptor.pretext.task import Task, drawn
from preceptor.pretext.telling import explained
from preceptor.train import Figure
from preceptor.train.metric import class_figures

__all__ = ["ColumnStream", "Columns"]


@settings
class Columns(Task):
    """In each row of a table some columns have the values of other rows, and the network says which, and what stood
    there.

    To tell it must know how columns hang together. All features that were made of one column are exchanged together.

    Shapes: x (row, feature); y (row, 2 feature): the features as they were, then 1 where one is another than it was.
    Source: Yoon et al. 2020 (VIME), section 4.1.
    Differs: they exchange single features, so that a category may become none or two at once.
    """

    share: float = hyper(default=0.3, low=0.01, high=0.9, unit="share of the columns", doc="How many are exchanged.")

    def make(
        self, x: np.ndarray, others: np.ndarray, widths: Sequence[int], draw: Draw
    ) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and targets of some rows.

        Shapes: x (row, feature); others (other row, feature): what is put in comes from there; widths (column,):
            features of each column.
        """
        columns, of_feature = len(widths), np.repeat(np.arange(len(widths)), widths)
        u = drawn(draw, 2 * columns)
        exchanged = (u[:, :columns] < self.share)[:, of_feature]
        donor = np.floor(u[:, columns:] * len(others)).astype(np.int64)[:, of_feature]
        shown = np.where(exchanged, others[donor, np.arange(x.shape[1])], x)
        return shown, np.concatenate([x, (shown != x).astype(np.float32)], 1)

    def network(self, trunk: Sequential, features: int) -> Sequential:
        """Trunk and head."""
        return Sequential((trunk, Dense(2 * features, initialiser=Xavier())), ("trunk", "head"))

    def loss(self, features: int) -> Loss:
        """What is made small."""
        return Corrupted(units=features)

    def figures(self, outputs: np.ndarray, y: np.ndarray, loss: Loss) -> dict[str, Figure]:
        units = outputs.shape[1] // 2
        mask = y[:, units:]
        found = explained(outputs[:, :units], y[:, :units], mask)
        chance = np.asarray(loss.predict(outputs))[:, units:].ravel().astype(np.float64)
        told = class_figures(np.stack([1 - chance, chance], 1), mask.ravel().astype(np.int32), ("kept", "exchanged"))
        return found | {"auc": told["auc"]} if "auc" in told else found

    @property
    def chance(self) -> tuple[str, float]:
        return "auc", 0.5


class ColumnStream(Stream):
    """An endless stream of rows of which columns were exchanged; what stands at a position is a function of it and of
    the seed.

    Shapes: x (row, feature).
    """

    def __init__(self, x: np.ndarray, widths: Sequence[int], task: Columns, seed: int) -> None:
        self.x, self.widths, self.task, self.seed = x, widths, task, seed

    @property
    def rows(self) -> int:
        return len(self.x)

    def fingerprint(self) -> bytes:
        return np.ascontiguousarray(self.x).tobytes()

    def fetch(self, start: int, count: int) -> dict[str, np.ndarray]:
        rows = order(self.seed, start, count, self.rows)
        x, y = self.task.make(self.x[rows], self.x, self.widths, Draw(self.seed, start, count))
        return {"x": x, "y": y}

    def judging(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and targets of other rows, each made in one way; what is put in comes from the rows of the stream."""
        return self.task.make(x, self.x, self.widths, Draw(self.seed ^ JUDGING, 0, len(x)))
