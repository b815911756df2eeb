"""Where settings and scores lie in pictures."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from preceptor.job.telling import spoken
from preceptor.page.chart import round_numbers, tick_words, within
from preceptor.tuning.record import Dimension, Found, Trial
from preceptor.tuning.story import is_number, score_of, setting_words

FAR = 4.0  # an axis ends so many times the distance from the best to the middle away from the best; chosen by eye
MOST_LEVELS = 8  # whole numbers that are drawn one by one


@dataclass(frozen=True)
class Axis:
    """A setting as an axis, from 0 to 1 as points have it.

    Args:
        place: of the setting among the dimensions; levels: its values in words where it has few, else none.
    """

    dimension: Dimension
    place: int
    levels: tuple[str, ...]

    @property
    def name(self) -> str:
        """As one says it."""
        return spoken(self.dimension.name)

    def value(self, at: float) -> float:
        """The number at a place, whole ones not rounded."""
        low, high = self._scale
        if self.dimension.is_log:
            return low * (high / low) ** at
        return low + (high - low) * at

    @property
    def ends(self) -> tuple[float, float]:
        """The lowest and the highest number."""
        low, high = self.dimension.low, self.dimension.high
        assert low is not None
        assert high is not None
        return low, high

    @property
    def _scale(self) -> tuple[float, float]:
        """The numbers at 0 and at 1: a whole number has half a step on each side, so that all have equal parts."""
        low, high = self.ends
        half = 0.5 if self.dimension.is_whole else 0.0
        return low - half, high + half

    def at(self, value: float) -> float:
        """The inverse of `value`."""
        low, high = self._scale
        if high <= low:
            return 0.5
        return math.log(value / low) / math.log(high / low) if self.dimension.is_log else (value - low) / (high - low)

    def level(self, trial: Trial) -> int:
        """Which of the levels a trial has."""
        if (known := trial.settings.get(self.dimension.name)) is not None:
            words = setting_words(known)
            if words in self.levels:
                return self.levels.index(words)
        return min(int(trial.point[self.place] * len(self.levels)), len(self.levels) - 1)

    def where(self, trial: Trial) -> float:
        """Where a trial lies on the axis; trials of one level lie beside each other."""
        at = trial.point[self.place]
        if not self.levels:
            return at
        count = len(self.levels)
        within = min(max(at * count - math.floor(at * count), 0.0), 1.0)
        return (self.level(trial) + 0.5 + 0.5 * (within - 0.5)) / count

    def ticks(self) -> list[tuple[float, str]]:
        """Places and the words there."""
        if self.levels:
            return [((place + 0.5) / len(self.levels), words) for place, words in enumerate(self.levels)]
        low, high = self.ends
        if high <= low:
            return [(0.5, setting_words(low))]
        numbers = round_numbers(low, high, self.dimension.is_log)
        if self.dimension.is_log and len(numbers) < 2:
            numbers = [low, high]
        return [(self.at(each), words) for each, words in zip(numbers, tick_words(numbers), strict=True)]


def axes(found: Found) -> list[Axis]:
    """The settings of a search that can be drawn."""
    made = []
    for place, each in enumerate(found.space):
        if each.choices:
            made.append(Axis(each, place, tuple(setting_words(choice) for choice in each.choices)))
        elif each.low is not None and each.high is not None and (not each.is_log or each.low > 0):
            is_few = each.is_whole and not each.is_log and each.high - each.low < MOST_LEVELS
            levels = tuple(f"{at:,}" for at in range(int(each.low), int(each.high) + 1)) if is_few else ()
            made.append(Axis(each, place, levels))
    return made


def has(trial: Trial, axis: Axis, named: frozenset[str]) -> bool:
    """Whether a trial has the setting at all. Args: named: the settings that trials have under their own names."""
    if axis.place >= len(trial.point):
        return False
    return axis.dimension.name in trial.settings or axis.dimension.name not in named


def names_of(found: Found) -> frozenset[str]:
    """The settings that trials have under their own names."""
    return frozenset(name for each in found.trials for name in each.settings)


def score_axis(found: Found, also: Iterable[float] = ()) -> tuple[float, float, bool]:
    """An axis of scores on which one that is far off leaves the others room: low, high, whether logarithmic."""
    known = [each for each in found.trials if each.best is not None and is_number(each.best) and each.state != "failed"]
    costs = [each.best for each in known if each.best is not None]
    ends = [each.best for each in known if each.best is not None and each.state == "done"]
    always = [*also, *(each.best for each in known if each.best is not None and each.number == 0)]
    shown = [*costs, *also]
    if ends:
        most = max([min(costs) + FAR * (median(ends) - min(costs)), *always])
        shown = [each for each in shown if each <= most] if median(ends) > min(costs) else shown
    return within([[score_of(found, each) for each in shown]], can_be_log=True)


def thin(things: Sequence[Trial], most: int) -> list[Trial]:
    """At most so many, evenly spread."""
    if len(things) <= most:
        return list(things)
    return [things[place * len(things) // most] for place in range(most)]


__all__ = ["Axis", "axes", "has", "names_of", "score_axis", "thin"]
