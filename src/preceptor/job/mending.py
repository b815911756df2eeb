"""What mending knows: the trainings that ended, what of their findings is to change, and which of them is the best."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from preceptor.diagnose.treatment import MOST_TRAININGS
from preceptor.errors import ConfigError
from preceptor.job.command import altered_command
from preceptor.job.settings import Settings
from preceptor.train.choice import METRICS, Metric

RISING = {each.figure for each in METRICS.values() if each.is_high_better}
Figures = Mapping[str, Any]


class Attempt(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A training of a mending that ended.

    Args:
        changes: settings in which it differs from the training that was asked for.
        why: the findings that led to it, JSON types; none of the first.
        judged: the figures that decide which is the best, the first before the others; None where there is none.
        settings: all that it was trained with, completed; `fingerprint`, of the rows as it saw them.
        unsaid: rules of proven findings whose remedy is none of settings.
        outcome: name of how it ended; `ending` says it in a sentence.
    """

    changes: dict[str, Any]
    why: list[dict[str, Any]]
    judged: dict[str, float | None]
    settings: dict[str, Any]
    fingerprint: str
    unsaid: list[str]
    outcome: str
    ending: str
    epochs: int
    seconds: float


class Mending(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Trainings one after another, each changed by what the watch of the one before has proved to help.

    Args:
        asked: the settings that were asked for.
        words: of the command that asked, without those that are not of the training; none in Python.
        attempts: the trainings that ended.
        changes: settings in which the present training differs from the one that was asked for; `why`, the findings
            that led to it.
    """

    asked: dict[str, Any]
    words: list[str] = []
    attempts: list[Attempt] = []
    changes: dict[str, Any] = {}
    why: list[dict[str, Any]] = []

    @property
    def number(self) -> int:
        """Of the present training, counted from 1."""
        return len(self.attempts) + 1

    @property
    def best(self) -> int:
        """The number of the best training that ended; 0 where none has. Of equal ones the earlier."""
        costs = [cost(each.judged) for each in self.attempts]
        return costs.index(min(costs)) + 1 if costs else 0

    def tells(self, ended: str) -> dict[str, Any]:
        """What a run keeps of how it was mended, JSON types. Args: ended: why no training more was made, a sentence."""
        attempts = [msgspec.structs.asdict(each) for each in self.attempts]
        for each in attempts:
            del each["settings"], each["fingerprint"]
        own, asked = self.attempts[self.best - 1], Settings.from_dict(self.asked)
        return {
            "kept": self.best,
            "most": MOST_TRAININGS,
            "changes": own.changes,
            "why": self.why_of(self.best),
            "command": altered_command(self.words, asked, own.changes) if self.words else "",
            "ended": ended,
            "attempts": attempts,
        }

    def why_of(self, number: int) -> list[dict[str, Any]]:
        """All findings that led to a training, of all before it."""
        return [each for attempt in self.attempts[:number] for each in attempt.why]


def cost(judged: Mapping[str, float | None]) -> tuple[float, ...]:
    """The figures that decide as numbers of which less is better; where there is none, the worst."""
    pairs = judged.items()
    return tuple(math.inf if value is None else -value if name in RISING else value for name, value in pairs)


def deciding(dev: Figures, metric: Metric | None) -> dict[str, float | None]:
    """The figures that decide which of several trainings is the best, the first before the others.

    The metric where one was chosen; else the accuracy, or the root of the squared error, then the log loss or the mean
    absolute error. Of quantiles their loss. Of several targets the mean over them of what is wrong: the share of wrong
    classes, the squared error by the target's variance.

    Args:
        dev: figures of the rows that guide, as JSON types; of several targets by the name of each.
    """
    if any(isinstance(each, dict) for each in dev.values()):
        mean = float(np.mean([_error(each) for each in dev.values()]))
        return {"mean_error": mean if math.isfinite(mean) else None}
    first = [] if metric is None else [metric.figure]
    pairs = {"accuracy": "log_loss", "rmse": "mae", "pinball_loss": ""}
    usual = next((each for each in pairs.items() if each[0] in dev), ())
    names = dict.fromkeys(name for name in (*first, *usual) if name)
    found = {name: dev.get(name) for name in names}
    return {name: None if value is None or not math.isfinite(value) else value for name, value in found.items()}


def _error(dev: Figures) -> float:
    if "accuracy" in dev:
        return 1 - dev["accuracy"]
    return 1 - dev["r2"] if "r2" in dev else dev["rmse"] ** 2


def proposed(
    findings: Iterable[Mapping[str, Any]],
) -> tuple[dict[str, Any], list[dict[str, Any]], list[str]]:
    """What the findings of a training say to change: settings, the findings that say so, and the rules of those whose
    remedy is none of settings.

    A finding counts where a fork proved its remedy. What contradicts a finding before it, which is nearer to the cause,
    is left to the next training. Where nothing was proved the first warning counts as well, which is the nearest to the
    cause: the training itself shows whether it helps.
    """
    warned = [each for each in findings if each["level"] == "warn" and each.get("remedies")]
    proved = [each for each in warned if "proof" in each]
    can = [each for each in proved if each["remedies"][0]["settings"]]
    if not can:
        can = [each for each in warned if each["remedies"][0]["settings"]][:1]
    changes, why = dict[str, Any](), list[dict[str, Any]]()
    for each in can:
        own = each["remedies"][0]["settings"]
        if all(changes.get(name, value) == value for name, value in own.items()):
            changes |= own
            why.append(dict(each))
    return changes, why, [each["rule"] for each in proved if not each["remedies"][0]["settings"]]


def check_mending(has_dev: bool, together: bool) -> None:
    """Raises: ConfigError where a training cannot be mended: nobody watches it, or no rows tell which is the best."""
    if together:
        raise ConfigError(
            "fit: received mend where several processes train together, which nobody watches. Leave mend out, or train "
            "in one process."
        )
    if not has_dev:
        raise ConfigError(
            "fit: received mend without rows that judge: there is neither a dev part nor folds, so trainings cannot be "
            "compared. Give a dev part (dev_share), or leave mend out."
        )


__all__: Sequence[str] = [
    "MOST_TRAININGS",
    "Attempt",
    "Mending",
    "check_mending",
    "cost",
    "deciding",
    "proposed",
]
