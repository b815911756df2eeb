"""What the main job knows beside what training carries, and both as a checkpoint."""

import enum
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from preceptor.errors import DataError
from preceptor.train.checkpoint import Checkpoint
from preceptor.train.course import Course
from preceptor.train.loop import Record

TREES = ("best", "calmest")


class Outcome(enum.Enum):
    """How a training ended; the value is the sentence shown to the user, but for the weights that are kept."""

    FINISHED = "All epochs done; {kept} are kept."
    STOPPED_EARLY = "Stopped early, for the dev {stalled}; {kept} are kept."
    CONVERGED = "Stopped, for the train loss changed by no more than the tolerance; {kept} are kept."
    INTERRUPTED = "Interrupted; {kept} are kept."
    DIVERGED = "The loss or a weight became infinite or not a number; {kept} are kept. Try a smaller learning rate."

    def is_told_by(self, sentence: str) -> bool:
        """Whether a sentence says that a training ended so."""
        return sentence.startswith(self.value.partition("{")[0])


@dataclass
class Progress:
    """What the main job knows beside what training carries; a checkpoint holds both.

    Args:
        history: one entry for each epoch, JSON types.
        losses: of the steps since the last epoch ended.
        best, best_loss, best_epoch: weights with the lowest dev loss; without a dev part the latest. With a metric
            those with its lowest cost, `best_cost`, of equal ones with the lower dev loss.
        waited: epochs since they were last found.
        calmest, lowest, calmest_epoch: without a dev part, weights of the epoch with the lowest objective.
        seconds: trained before this process.
        findings: of the doctor, JSON types.
        ended: the name of the outcome, once training is over and only judging is left.
        course: the losses of all steps, thinned.
    """

    history: list[dict[str, Any]] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    best: dict[str, Any] | None = None
    best_loss: float = math.inf
    best_epoch: float = 0.0
    waited: int = 0
    calmest: dict[str, Any] | None = None
    lowest: float = math.inf
    calmest_epoch: float = 0.0
    seconds: float = 0.0
    ended: str = ""
    best_cost: float = math.inf
    findings: list[dict[str, Any]] = field(default_factory=list)
    course: Course = field(default_factory=Course)

    def close(self, record: Record, entry: dict[str, Any], cost: float | None) -> None:
        """Ends an epoch: keeps what the history says of it, and its weights where they are the best so far.

        Args:
            cost: that of the metric; None where the dev loss counts, if there is any.
        """
        self.history.append(entry)
        self.waited, self.losses = self.waited + 1, []
        loss, objective = record.dev_loss, entry["objective"]
        is_better = loss is None or loss < self.best_loss  # without a dev part the latest weights are the best known
        if loss is not None and cost is not None:
            is_better = (cost, loss) < (self.best_cost, self.best_loss)
        if is_better:
            self.best, self.best_epoch, self.waited = record.weights(), record.epoch, 0
            self.best_loss = self.best_loss if loss is None else loss
            self.best_cost = self.best_cost if cost is None else cost
        if loss is None and objective < self.lowest:
            self.lowest, self.calmest, self.calmest_epoch = objective, self.best, record.epoch

    def checkpoint(self, record: Record) -> Checkpoint:
        """The training as it stands at a record."""
        trees = {"all": record.snapshot(), **{name: getattr(self, name) for name in TREES}}
        arrays = {name: array for tree in trees for name, array in _named(tree, trees[tree])}
        facts = {each.name: getattr(self, each.name) for each in fields(self) if each.name not in TREES}
        facts |= {"seconds": self.seconds + record.seconds, "course": self.course.kept}
        return Checkpoint(record.step, arrays, facts)


def restored(
    checkpoint: Checkpoint, weights: dict[str, Any], everything: dict[str, Any]
) -> tuple[Progress, tuple[int, Any]]:
    """The progress that a checkpoint holds, and where training goes on: the step, and what it carries.

    Args:
        weights, everything: of the network, nested and shaped as those in the checkpoint must be.
    Raises: DataError where the checkpoint is that of another network.
    """
    facts: dict[str, Any] = {name: math.inf if v is None else v for name, v in checkpoint.facts.items()}
    facts["course"] = Course(kept=facts.get("course"))
    kept = {name.partition(":")[0] for name in checkpoint.arrays}
    for name in TREES:
        facts[name] = _unnamed(name, weights, checkpoint.arrays) if name in kept else None
    if unknown := set(facts) - {each.name for each in fields(Progress)}:
        raise DataError(f"checkpoint: it has {', '.join(sorted(unknown))}. It was written by another version.")
    return Progress(**facts), (checkpoint.step, _unnamed("all", everything, checkpoint.arrays))


def _named(name: str, tree: Any) -> Iterator[tuple[str, np.ndarray]]:
    """The leaves of a nested dictionary with their paths; nothing for None."""
    if isinstance(tree, dict):
        for key in sorted(tree):
            yield from _named(f"{name}:{key}", tree[key])
    elif tree is not None:
        yield name, tree


def _unnamed(name: str, like: Any, arrays: dict[str, np.ndarray]) -> Any:
    """The inverse of `_named` for a tree nested as `like`."""
    if isinstance(like, dict):
        return {key: _unnamed(f"{name}:{key}", like[key], arrays) for key in like}
    array = arrays.get(name)
    if array is None or array.shape != like.shape or array.dtype != like.dtype:
        raise DataError(
            f"checkpoint: {name} is missing or of another shape. It belongs to another network, such as another "
            "version builds of the same settings. Train anew."
        )
    return array
