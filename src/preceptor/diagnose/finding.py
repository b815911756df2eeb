"""What was found: one record, whichever rule found it and whatever it looked at."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from preceptor.diagnose.remedy import Remedy
from preceptor.errors import DataError
from preceptor.words import amount, counted

WORTH = 0.05  # share of the error that a remedy must take away to be worth naming: below it seeds differ as much
SURE = 0.001  # p below which a difference is taken for one: .01, and some ten forks of a training are looked at
LEVELS = ("refuse", "warn", "note")
# A fork lies within the training, or goes on from its end with the remedy and without; or a training with the remedy,
# from the first weights on, has to outdo in a few steps what the whole training came to; or that has to be outdone by
# going on from its end.
TRIALS = ("within", "onward", "outdo", "further")
# What a finding is as it stands, before any fork: certain; certain, but what came of a fault, not the fault; figures
# that a fault has, whose harm is to be shown; figures that many have, of which only a fork can tell.
CERTAINTIES = ("fact", "effect", "symptom", "guess")


@dataclass(frozen=True)
class Proof:
    """A fork: the same steps of the same training with a remedy and without, judged on the same rows.

    Args:
        start, steps: after which step it begins, and how many steps it takes.
        rows: on which both were judged.
        without, with_it: mean error of each: the share of wrong classes, or the squared error by the target's variance.
        p: of the paired test that these do not differ, two-sided.
        losses: mean loss before the fork, after it without, and after it with the remedy; None where the remedy changes
            what a loss is.
        loss_p: as `p`, of the losses.
    """

    start: int
    steps: int
    rows: int
    without: float
    with_it: float
    p: float
    losses: tuple[float, float, float] | None = None
    loss_p: float = 1.0

    @property
    def text(self) -> str:
        """What the fork showed, in a sentence."""
        begin = f"from step {self.start:,} on" if self.start else "from the first weights on"
        made = f"Tried {begin}, {counted(self.steps, 'step')}, judged on {counted(self.rows, 'row')}"
        is_told_by_errors = self.with_it < self.without and (self.p < SURE or self.loss_p >= SURE)
        if is_told_by_errors or self.losses is None:
            what, without, with_it, p = "error", self.without, self.with_it, self.p
        else:
            what, without, with_it, p = "loss", *self.losses[1:], self.loss_p
        odds = f"p = {amount(p, 1)}" if p >= 1e-12 else "p < 1e-12"
        return f"{made}: the {what} is {amount(with_it, 3)} in place of {amount(without, 3)} ({odds})."

    @property
    def gain(self) -> float:
        """How much smaller the error is, as a share of what it is without."""
        return 1 - self.with_it / self.without if self.without > 0 else 0.0

    @property
    def progress(self) -> float:
        """How much farther the loss fell with the remedy, as a multiple of how far it fell without; 0 where that cannot
        be said. Where it did not fall without, a thousandth of the loss before counts as its fall."""
        if self.losses is None:
            return 0.0
        before, without, with_it = self.losses
        return (before - with_it) / max(before - without, 1e-3 * abs(before), 1e-12)


@dataclass(frozen=True)
class Finding:
    """Something that was found.

    Args:
        rule: the stable name of what was found; a rule's `names` are all that it may give.
        level: "refuse": training would be nonsense; "warn": its result or figures would mislead; "note".
        text: one sentence: what, where, how many, the cure.
        columns: the columns concerned, in the order of the table.
        rows: a few of the rows concerned, counted from 1 as in messages.
        layer, units, step: where in the network and when, where it has a place.
        evidence: the figures by which it was found, named.
        remedies: what may mend it, the likeliest first.
        proof: the fork that the first of the remedies won; None of a fact, or of what was not tried.
        certainty: of CERTAINTIES.
        worth: share of the error that a remedy must take away to be worth naming.
        trial: of TRIALS, how its remedies are tried.
    """

    rule: str
    level: str
    text: str
    columns: tuple[str, ...] = ()
    rows: tuple[int, ...] = ()
    layer: str = ""
    units: tuple[int, ...] = ()
    step: int | None = None
    evidence: dict[str, float] = field(default_factory=dict)
    remedies: tuple[Remedy, ...] = ()
    proof: Proof | None = None
    certainty: str = "fact"
    trial: str = "within"
    worth: float = WORTH

    @property
    def is_fact(self) -> bool:
        """Whether it is certain as it stands."""
        return self.certainty in ("fact", "effect")

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types; what does not apply is left out, and None stands for a figure that is no number."""
        kept: dict[str, Any] = {"rule": self.rule, "level": self.level, "text": self.text}
        kept |= {"columns": list(self.columns), "rows": list(self.rows)}
        where = {"layer": self.layer, "units": list(self.units), "step": self.step, "evidence": _finite(self.evidence)}
        kept |= {name: value for name, value in where.items() if value or value == 0}
        if self.remedies:
            kept["remedies"] = [{"text": each.text, "settings": each.settings} for each in self.remedies]
        return kept if self.proof is None else kept | {"proof": _finite(asdict(self.proof)) | {"text": self.proof.text}}


def _finite(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Figures, and lists of them, with None for each that JSON has no number for."""
    return {
        name: [_known(each) for each in value] if isinstance(value, (tuple, list)) else _known(value)
        for name, value in figures.items()
    }


def _known(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def gravest_first(findings: Iterable[Finding]) -> list[Finding]:
    """The findings by level; of one level in the order in which they came."""
    return sorted(findings, key=lambda each: LEVELS.index(each.level))


def raise_refusals(findings: Iterable[Finding], where: str = "data") -> None:
    """Raises: DataError with the refusals among the findings, if there are any."""
    refusals = [each.text for each in findings if each.level == "refuse"]
    if refusals:
        text = " ".join(refusals)
        raise DataError(f"{where}: {text[0].lower()}{text[1:]}")
