"""Training rows that need not fit in memory: an endless stream that can be entered anywhere."""

from abc import ABC, abstractmethod
from copy import copy

import numpy as np


class Stream(ABC):
    """The rows that training sees, in the order in which it sees them: one pass over all of them after another.

    What stands at a position is a function of the position alone (and of the seeds the stream was made with), so that a
    training that was broken off goes on with the same rows.
    """

    @property
    @abstractmethod
    def rows(self) -> int:
        """Rows in one pass."""

    @abstractmethod
    def fingerprint(self) -> bytes:
        """What tells these rows from others: the same rows with the same targets give the same."""

    @abstractmethod
    def fetch(self, start: int, count: int) -> dict[str, np.ndarray]:
        """The rows at positions start to start + count; called from one thread at a time, not always the same.

        Shapes: "x" (count, ...), float32 or float64; "y" (count,) int32, (count,) float, or (count, class) float for
        soft labels; perhaps "weight" (count,) float, what each row counts.
        """

    def another(self) -> "Stream":
        """The same rows for another training, which may be under way at the same time."""
        return copy(self)

    def stop(self) -> None:  # noqa: B027, for what is fetched in no time need not be stopped
        """Ends a fetch that goes on in another thread, as soon as may be, with an error. Later ones are not touched."""
