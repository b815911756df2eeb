"""Which members of an ensemble learn from which rows, so that every row teaches and every row judges."""

from dataclasses import dataclass

import numpy as np

__all__ = ["Folds"]


@dataclass(frozen=True, eq=False)
class Folds:
    """A fold for each training row, and members of which each leaves one fold out.

    Member m leaves out fold m mod count; those that left a row out judge it. All of them together have learned from
    every row.

    Shapes: fold (row,), int32, from 0.
    Args:
        count: of the folds; `members` is a multiple of it.
    Source: cross-validation committees, Parmanto, Munro and Doyle 1996; k-fold bagging, Erickson et al. 2020
        (AutoGluon).
    Differs: members are trained side by side on the same batches, where the sources train one after the other.
    """

    fold: np.ndarray
    count: int
    members: int

    def weights(self, counts: np.ndarray | None = None) -> np.ndarray:
        """What a row counts for each member, beside what it counts for all: 0 in the fold that it leaves out, else as
        much that the sum over all rows is that over the rows it learns from. Shapes: counts (row,), 1 each if left out
        -> (fold, member), float32."""
        whole = np.bincount(self.fold, weights=counts, minlength=self.count)
        left_out = np.arange(self.count)[:, None] == np.arange(self.members) % self.count
        learned = (whole.sum() - whole)[np.arange(self.members) % self.count]
        return np.where(left_out | (learned <= 0), 0, whole.sum() / np.where(learned, learned, 1)).astype(np.float32)

    def held_out(self, outputs: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """The outputs of the members that left a row out. Shapes: outputs (row, member, unit), rows (row,): their
        numbers among the training rows -> (row, member / count, unit)."""
        return _of_members(outputs, self._holders(rows))

    def learned(self, outputs: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """The outputs of the members that learned from a row. Shapes: as of `held_out`, the other members."""
        own = np.zeros(outputs.shape[:2], bool)
        np.put_along_axis(own, self._holders(rows), True, axis=1)
        others = np.nonzero(~own)[1].reshape(len(outputs), -1)
        return _of_members(outputs, others)

    def _holders(self, rows: np.ndarray) -> np.ndarray:
        return self.fold[rows][:, None] + np.arange(0, self.members, self.count)


def _of_members(outputs: np.ndarray, members: np.ndarray) -> np.ndarray:
    picked: np.ndarray = np.take_along_axis(outputs, members[:, :, None], axis=1)
    return picked
