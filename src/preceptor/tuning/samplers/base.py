"""What draws the trials of a search."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from preceptor.tuning.asking import declared
from preceptor.tuning.record import Trial, by_cost
from preceptor.tuning.space import Axis, Space
from preceptor.words import amount

Point = tuple[float, ...]

EDGE = 0.05  # of a range: what lies nearer to its end lies at its edge


@dataclass(frozen=True)
class Sampler(ABC):
    """Draws points of a space, round by round. It is a pure function: it holds nothing and has no clock.

    Trials of one round know nothing of each other, so that they may run in any order and anywhere; those of a round may
    hang on the results of all rounds before it.
    """

    def ready(self) -> Self:
        """The same. Raises: ConfigError where it cannot draw here, for what it needs is not installed."""
        return self

    @abstractmethod
    def rounds(self, trials: int) -> list[int]:
        """The sizes of the rounds that so many trials make, the default not among them; they add up to `trials`."""

    @abstractmethod
    def points(self, space: Space, seed: int, first: int, count: int, earlier: Sequence[Trial]) -> list[Point]:
        """Where the trials numbered `first` to `first + count - 1` lie, the trials of one round.

        Args:
            earlier: the trials of the rounds before, by number, the default first.
        Returns: fewer than `count` where there are no more.
        """

    def notes(self, space: Space, trials: Sequence[Trial]) -> list[str]:
        """What is to be known of where the best lies, once the trials have ended: sentences."""
        return edges(space, trials)


def edges(space: Space, trials: Sequence[Trial]) -> list[str]:
    """Sentences about the settings at whose ends the best trial lies: there may be better ones beyond."""
    best = min(trials, key=by_cost, default=None)
    if best is None or best.best is None or not best.point:
        return []
    found, there = list[str](), space.values(best.point)
    for axis, place in zip(space.axes, best.point, strict=True):
        known = axis.known
        if axis.name not in there or known.low is None:
            continue
        end = "lower" if place < EDGE else "upper" if place > 1 - EDGE else ""
        allowed = declared(axis.name).known
        if end and (known.low, known.high)[end == "upper"] != (allowed.low, allowed.high)[end == "upper"]:
            found.append(
                f"The best {axis.name}, {in_words(axis, place)}, lies at the {end} end of its range, "
                f"{in_words(axis, 0)} to {in_words(axis, 1)}: beyond it there may be better ones."
            )
    return found


def in_words(axis: Axis, place: float) -> str:
    """The value of an axis at a place."""
    value = axis.value(place)
    return amount(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else str(value)
