"""Trials that are drawn more and more closely around the best."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

from preceptor.hyper import hyper, settings
from preceptor.tuning.record import Trial, by_cost
from preceptor.tuning.samplers.base import Point, Sampler, in_words
from preceptor.tuning.samplers.low_discrepancy import halton
from preceptor.tuning.space import Axis, Space

# Chosen with the defaults of Coarse on four spaces of two settings, 12, 24 and 48 trials: docs/recipe.md.
FIRST, FEWEST = 1 / 3, 6  # of all trials those of the whole space, and how many these are at least
LEAST = 2  # trials of a round
CYCLE = 64  # trials from the whole space to the narrowest region; of more, the next so many begin again
EDGE = 0.1  # of the width of a region: what lies nearer to its end lies at its edge


@dataclass(frozen=True)
class Region:
    """Where a round looks along one axis: from low to high of 0 to 1, or at some of its choices.

    Args:
        choices: of an axis of words: the numbers of those that are tried.
        widened: whether the best lay at the edge of the region before, so that this one is no narrower.
    """

    low: float = 0.0
    high: float = 1.0
    choices: tuple[int, ...] = ()
    widened: bool = False

    def place(self, share: float) -> float:
        """A place of it, by a number from 0 to 1."""
        return self.low + share * (self.high - self.low)


@settings
class Coarse(Sampler):
    """Goes from coarse to fine: each round looks around the best trial so far, in a region that is narrower each time.

    The first round fills the whole space. Each later one has `narrow` times the width along each setting, with the best
    trial in its middle; where that lies at the edge of the region before, the width stays as it was, so that the region
    moves on. Of words as many are kept, those with the best trials. Within a region lie points of a randomised Halton
    sequence. After CYCLE trials it begins again with the whole space.

    Source: conventional; Ng, "Using an appropriate scale to pick hyperparameters" and what precedes it (2017).
    """

    stages: int = hyper(default=6, low=1, high=16, unit="rounds", doc="From the whole space to the narrowest.")
    narrow: float = hyper(default=0.6, low=0.05, high=1, unit="share", doc="Of the width that the next round keeps.")

    def rounds(self, trials: int) -> list[int]:
        return [size for start in range(0, trials, CYCLE) for size in self._cycle(min(CYCLE, trials - start))]

    def _cycle(self, trials: int) -> list[int]:
        first = min(max(round(trials * FIRST), FEWEST), trials)
        count = min(self.stages - 1, (trials - first) // LEAST)
        left = trials - first
        return [first, *(left * (at + 1) // count - left * at // count for at in range(count))] if count else [trials]

    def points(self, space: Space, seed: int, first: int, count: int, earlier: Sequence[Trial]) -> list[Point]:
        regions = self.regions(space, earlier)[-1]
        shares = halton(seed, first - 1, count, len(space)).tolist()
        return [
            tuple(_in_region(axis, region, share) for axis, region, share in zip(space.axes, regions, row, strict=True))
            for row in shares
        ]

    def regions(self, space: Space, earlier: Sequence[Trial]) -> list[list[Region]]:
        """The regions of the rounds from the whole space on, up to the one that comes after these trials, an axis each:
        those of the latest cycle."""
        found = [[Region(choices=tuple(range(len(_words(axis))))) for axis in space.axes]]
        ranked = sorted(earlier, key=by_cost)
        last = max((trial.round for trial in earlier), default=0)
        for number in range(last // self.stages * self.stages + 1, last + 1):
            known = [trial for trial in ranked if trial.round <= number]
            stage = number % self.stages
            found.append([self._next(space, at, stage, found[-1][at], known) for at in range(len(space))])
        return found

    def _next(self, space: Space, at: int, stage: int, last: Region, known: Sequence[Trial]) -> Region:
        """The region of an axis in the next round, after these trials, the best first.

        Args:
            stage: of this round, from 1; last: the region of the round before.
        """
        axis = space.axes[at]
        there = (
            point[at]
            for trial in known
            if trial.best is not None
            and (point := trial.point or space.place({})) is not None
            and axis.name in space.values(point)
        )
        best = next(there, None)
        if best is None:
            return last
        if words := _words(axis):
            ranked = list[int]()
            for place in chain([best], there):
                if (word := min(int(place * len(words)), len(words) - 1)) not in ranked:
                    ranked.append(word)
                if len(ranked) == len(words):  # of thousands of trials most are not looked at
                    break
            kept = max(1, round(len(words) * self.narrow**stage))
            return Region(
                choices=tuple(sorted([*ranked, *(each for each in last.choices if each not in ranked)][:kept]))
            )
        width = last.high - last.low
        is_at_edge = (
            any(abs(best - end) < EDGE * width and 0 < end < 1 for end in (last.low, last.high))
            or not last.low <= best <= last.high
        )
        new = width if is_at_edge else width * self.narrow
        low = min(max(best - new / 2, 0.0), 1.0 - new)
        return Region(low, low + new, widened=is_at_edge)

    def notes(self, space: Space, trials: Sequence[Trial]) -> list[str]:
        found = super().notes(space, trials)
        rounds = max((trial.round for trial in trials), default=0)
        regions = self.regions(space, [trial for trial in trials if trial.round < rounds])
        for number, (before, after) in enumerate(pairwise(regions), rounds - len(regions) + 2):
            for axis, last, region in zip(space.axes, before, after, strict=True):
                if region.widened:
                    found.append(
                        f"In round {number} the range of {axis.name} was not narrowed, for the best lay at the edge of "
                        f"the one before, {in_words(axis, last.low)} to {in_words(axis, last.high)}."
                    )
        return found


def _words(axis: Axis) -> tuple[object, ...]:
    """The choices of an axis that have no order; () of one of numbers."""
    choices = axis.known.choices
    are_numbers = all(isinstance(each, (int, float)) and not isinstance(each, bool) for each in choices)
    return () if are_numbers and list(choices) == sorted(choices) else choices


def _in_region(axis: Axis, region: Region, share: float) -> float:
    if words := _words(axis):
        at = region.choices[min(int(share * len(region.choices)), len(region.choices) - 1)]
        return (at + 0.5) / len(words)
    return region.place(share)


__all__ = ["Coarse", "Region"]
