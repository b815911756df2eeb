"""The course of a figure over many steps, in little memory: blocks of equal length, with the ends of each.

Blocks double in length whenever there are too many of them, so that memory is bounded however long the training is.
"""

import numpy as np

__all__ = ["BLOCKS", "Course"]

BLOCKS = 1000  # as many as a wide screen shows apart


class Course:
    """Figures of steps, one after another: `course.add(losses)` as they come.

    What it holds is a function of the figures alone, not of how many were added at a time.

    Args:
        most: blocks, at most; an even number.
        kept: what `kept` of another one gave, to go on from there.
    """

    def __init__(self, most: int = BLOCKS, kept: list[list[float]] | None = None) -> None:
        assert most % 2 == 0
        self.most, self.steps, self.width = most, 0, 1
        self._blocks = np.zeros((3, most))  # the lowest, the highest and the sum of each
        if kept:
            self.steps, self.width = map(int, kept[0])
            self._blocks[:, : self.count] = kept[1:]

    @property
    def count(self) -> int:
        """Blocks so far, the last of which may be short."""
        return -(-self.steps // self.width)

    def add(self, values: np.ndarray) -> None:
        """The figures of the steps that come next; nothing after the first that is no number. Shapes: (step,)."""
        values = np.asarray(values, np.float64)
        if not np.isfinite(values).all():
            values = values[: int(np.argmin(np.isfinite(values))) + 1]
        if self.is_broken:
            return
        while len(values):
            if self.steps == self.most * self.width:
                self._double()
            place, filled = divmod(self.steps, self.width)
            if filled or len(values) < self.width:
                self._extend(place, filled, values[: self.width - filled])
                values = values[self.width - filled :]
                continue
            count = min(len(values) // self.width, self.most - place)
            whole, values = values[: count * self.width].reshape(count, -1), values[count * self.width :]
            # One after the other, so that a block has the same sum however it comes.
            with np.errstate(all="ignore"):
                self._blocks[:, place : place + count] = whole.min(1), whole.max(1), np.cumsum(whole, 1)[:, -1]
            self.steps += count * self.width

    @property
    def is_broken(self) -> bool:
        """Whether the latest figure is no number."""
        return self.steps > 0 and not np.isfinite(self._blocks[2, self.count - 1])

    def _extend(self, place: int, filled: int, values: np.ndarray) -> None:
        """Adds to a block that has so many steps."""
        with np.errstate(all="ignore"):
            low, high, total = self._blocks[:, place] if filled else (np.inf, -np.inf, 0.0)
            values_total = np.cumsum([total, *values])[-1]
            self._blocks[:, place] = np.minimum(low, values.min()), np.maximum(high, values.max()), values_total
        self.steps += len(values)

    def _double(self) -> None:
        """Joins each two blocks."""
        low, high, total = self._blocks
        half, self.width = self.most // 2, 2 * self.width
        with np.errstate(all="ignore"):
            joined = np.minimum(low[::2], low[1::2]), np.maximum(high[::2], high[1::2]), total[::2] + total[1::2]
        self._blocks[:, :half] = joined

    @property
    def places(self) -> np.ndarray:
        """The middle of the steps of each block, counted from 1. Shapes: -> (block,)."""
        starts = np.arange(self.count) * self.width
        return (starts + 1 + np.minimum(starts + self.width, self.steps)) / 2

    @property
    def means(self) -> np.ndarray:
        """The mean of each block. Shapes: -> (block,)."""
        starts = np.arange(self.count) * self.width
        with np.errstate(all="ignore"):
            mean: np.ndarray = self._blocks[2, : self.count] / (np.minimum(starts + self.width, self.steps) - starts)
        return mean

    @property
    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        """The lowest and the highest of each block. Shapes: -> (block,), (block,)."""
        return self._blocks[0, : self.count], self._blocks[1, : self.count]

    @property
    def kept(self) -> list[list[float]]:
        """All of it, as JSON has it: the steps and the length of a block, then each of the three of every block."""
        return [[self.steps, self.width], *self._blocks[:, : self.count].tolist()] if self.steps else []
