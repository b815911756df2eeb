"""Trials of which the better part goes on."""

import math
from collections.abc import Sequence

from preceptor.hyper import hyper, settings
from preceptor.tuning.pruners.base import Pruner, cost_at
from preceptor.tuning.record import Trial


@settings
class Halving(Pruner):
    """Successive halving: of the trials at a rung the best one in `eta` goes on, to a rung `eta` times as far.

    They are compared with all trials that have come so far, of the rounds before as well: from a round in which all are
    worse none goes on. The first rung is a share of the epochs, as the schedules are: what a training comes to before
    its rate has risen tells little (docs/recipe.md).

    Source: Jamieson and Talwalkar 2016; eta 3 or 4: Li et al. 2018, section 3.6; all that came so far: Li et al. 2020,
        ASHA.
    """

    eta: int = hyper(default=3, low=2, high=64, unit="trials", doc="One of so many goes on.")
    first: float = hyper(default=0.1, low=0, high=1, unit="share of the epochs", doc="Before which none is paused.")

    def rungs(self, epochs: int) -> list[int]:
        return rungs_of(epochs, self.eta, self.first)

    def going_on(self, rung: int, epochs: int, here: Sequence[Trial], earlier: Sequence[Trial]) -> list[int]:
        return best_of(rung, here, earlier, self.eta)


def rungs_of(epochs: int, eta: int, first: float) -> list[int]:
    """`epochs`, and its parts by powers of `eta` that are at least a share `first` of it, rising."""
    found = [epochs]
    while (rung := math.ceil(found[0] / eta)) >= first * epochs and rung < found[0]:
        found.insert(0, rung)
    return found


def best_of(rung: int, here: Sequence[Trial], earlier: Sequence[Trial], eta: int) -> list[int]:
    """The numbers of those that are among the best one in `eta` of all trials that have come as far as the rung."""
    there = [(cost, trial.number) for trial in (*here, *earlier) if (cost := cost_at(trial, rung)) is not None]
    kept = {number for _, number in sorted(there)[: math.ceil(len(there) / eta)]}
    return [trial.number for trial in here if trial.number in kept]
