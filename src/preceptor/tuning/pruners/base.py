"""What decides which trials of a round go on."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from preceptor.tuning.record import Trial


@dataclass(frozen=True)
class Pruner(ABC):
    """Has all trials of a round stop at rungs, and says who goes on from there. A pure function."""

    @abstractmethod
    def rungs(self, epochs: int) -> list[int]:
        """The epochs after which trials that last so many at most are compared, rising; the last is `epochs`."""

    @abstractmethod
    def going_on(self, rung: int, epochs: int, here: Sequence[Trial], earlier: Sequence[Trial]) -> list[int]:
        """The numbers of the trials that go on from a rung.

        Args:
            rung: its epoch; the rungs of a training of `epochs`.
            here: the trials of the round that stopped at this rung, by number; each has a `best`.
            earlier: all others that are known: those of the rounds before, and of this round those that ended or were
                paused before.
        """


def cost_at(trial: Trial, rung: float) -> float | None:
    """The least cost of a trial up to an epoch; None of one that never came so far, or had none.

    One that ended by itself before has come to all that it ever comes to.
    """
    if trial.state == "failed" or (trial.state == "paused" and trial.epochs < rung):
        return None
    return min((cost for epoch, cost in trial.curve if cost is not None and epoch <= rung), default=None)
