"""What draws the trials of a search."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from preceptor.tuning.record import Trial
from preceptor.tuning.space import Space

Point = tuple[float, ...]

ROUND = 32  # trials of a round where none hangs on others: so many are compared by a pruner


@dataclass(frozen=True)
class Sampler(ABC):
    """Draws points of a space, round by round. It is a pure function: it holds nothing and has no clock.

    Trials of one round know nothing of each other, so that they may run in any order and anywhere; those of a round may
    hang on the results of all rounds before it.
    """

    @abstractmethod
    def rounds(self, trials: int) -> list[int]:
        """The sizes of the rounds that so many trials make, the default not among them; they add up to `trials`."""

    @abstractmethod
    def points(self, space: Space, seed: int, first: int, count: int, earlier: Sequence[Trial]) -> list[Point]:
        """Where the trials numbered `first` to `first + count - 1` lie, the trials of one round.

        Args:
            earlier: the trials of the rounds before, by number, the default first.
        """

    def notes(self, space: Space, trials: Sequence[Trial]) -> list[str]:
        """What is to be known of where the best lie, once all trials have ended: sentences."""
        return []


def in_rounds(trials: int, size: int = ROUND) -> list[int]:
    """So many trials in rounds of one size; what is left makes the last."""
    return [size] * (trials // size) + ([trials % size] if trials % size else [])
