"""What records of any training say: they are looked at by the rules that need no more than figures."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from preceptor.diagnose.curve import Reading, read
from preceptor.diagnose.facts import Facts
from preceptor.diagnose.finding import Finding, gravest_first
from preceptor.diagnose.history import History
from preceptor.diagnose.records import Records, read_records
from preceptor.diagnose.remedy import Rate
from preceptor.diagnose.rules import RULES
from preceptor.words import counted, listing, one_line

__all__ = ["Diagnosis", "diagnose"]

LEARNED = 0.02  # error on training rows below which what is only suspected did no harm: as of the rules that ask for it


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """What was found in records of a training. Printed, it says so in words.

    Args:
        step, steps: how many were made, and how many are planned.
        findings: the gravest first; what is no fact is a note, for nothing was tried.
        reading: what the curves say; None where there is no loss.
        looked_for: what was looked for, in words.
        not_looked_for: what was not, and what the records would have to tell for it; nothing where that would not do,
            for it needs the training itself: its rows, its network, steps that are tried.
        unread: keys of the records that mean nothing here.
    """

    step: int
    steps: int
    findings: tuple[Finding, ...]
    reading: Reading | None
    looked_for: tuple[str, ...]
    not_looked_for: dict[str, tuple[str, ...]]
    unread: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types."""
        return {
            "step": self.step,
            "steps": self.steps,
            "findings": [each.to_dict() for each in self.findings],
            "reading": None if self.reading is None else asdict(self.reading),
            "looked_for": list(self.looked_for),
            "not_looked_for": {what: list(why) for what, why in self.not_looked_for.items()},
            "unread": list(self.unread),
        }

    def __str__(self) -> str:
        lines = [("steps", f"{self.step:,} of {self.steps:,}")]
        for each in self.findings:
            lines.append(({"warn": "warning"}.get(each.level, each.level), f"{each.rule}: {each.text}"))
            if each.remedies:
                first = each.remedies[0].text
                lines.append(("", f"{first[0].upper()}{first[1:]}."))
        if not self.findings:
            lines.append(("found", "nothing"))
        if self.reading is not None:
            lines.append(("curve", self.reading.text))
        lacks = [why for why in self.not_looked_for.values() if why]
        rest = len(self.not_looked_for) - len(lacks)
        text = f"{counted(len(self.looked_for), 'rule')} looked on; {rest} more need rows, network and steps to try. "
        lines.append(("watched", f"{text}What each looks for: preceptor explain-rule."))
        if lacks:
            wanted = listing(dict.fromkeys(each for why in lacks for each in why), 40)
            lines.append(("not", f"{counted(len(lacks), 'rule')}, for want of {wanted}."))
        if self.unread:
            lines.append(("not read", f"{listing(self.unread)}."))
        return "\n".join(f"{word:<9} {one_line(text)}".rstrip() for word, text in lines)

    __repr__ = __str__


def diagnose(
    records: Iterable[Mapping[str, Any]] | str | Path,
    *,
    steps: int | None = None,
    class_counts: Sequence[int] | None = None,
    constant_loss: float | None = None,
    batch_size: int | None = None,
    layers: Mapping[str, Any] | None = None,
    inputs: Mapping[str, Any] | None = None,
    optimiser: Any = None,
) -> Diagnosis:
    """Says what is wrong with a training, whoever makes it, by records of it.

    A record is a dictionary of what is known after a step, or at the end of an epoch. All of it but one figure may be
    left out, or None; what a rule then lacks is said. Records of `Run.history` and of `watch` are such records.

    ===============  ==============================================================================================
    key              meaning
    ===============  ==============================================================================================
    step             steps made so far, counted from 1; else one more than in the record before
    loss             mean loss of the step's batch, as trained; or, also called `objective`, of an epoch's steps
    learning_rate    of the step; else that of the record before
    train_loss       mean loss of training rows outside training (no dropout, averages of batch normalisation)
    dev_loss         the same of rows that nothing is learned from
    train_error      share of training rows whose class is told wrongly; of a number, squared error by its variance;
                     or `train_accuracy`, 1 less it
    dev_error        the same of dev rows; or `dev_accuracy`
    rows             rows on which the figures of signals were taken
    signals          of each layer, by its path, in the order of the network; what comes out of it, in training:
                     mean, size (root mean square), spread (root of the mean over units of the variance over rows),
                     zeros (share that is 0), gradient (root mean square of the slope of a row's loss by them), and
                     of an activation `flat`, `still`: for each unit the share of rows on which its slope is below a
                     twentieth of the largest, and on which it is 0
    parameters       of each array, by LAYER/NAME, matrices and kernels as LAYER/weight; root mean squares:
                     size, gradient (of the mean loss; None where none came), update (what the step really added);
                     units (how many); descent (cosine of the change and the gradient, turned: 1 straight downhill);
                     apart and gradient_apart (of the array, and its gradient, less its mean over the units; None of
                     an array with one axis)
    ===============  ==============================================================================================

    Without forks nothing is proved. What is a fact stays a warning (a number that is none, a layer that never changes
    or is silent on all rows, a loss that grows); all else is a note, and no note at all where fewer than 2 % of the
    training rows are wrong at the end.

    Args:
        records: such dictionaries, steps in order; or the path of a file with one as JSON in each line.
        steps: that are planned; else the last record is the end.
        class_counts: rows of each class, where the target is classes and the loss the cross-entropy in nats.
        constant_loss: the lowest mean loss of one output for all rows; else that of `class_counts`: their entropy.
        batch_size: rows of a step.
        layers: what each layer is, by its path: the name of its class in `preceptor.nn` ("Relu"), or a dictionary as of
            `nn.to_config`; other names are taken for what nothing is known of.
        inputs: figures of what the network is given: lists `mean` and `sd` of each column, `rows`, `size` (root mean
            square of all numbers), `is_whole` (whether all are whole, and none below 0).
        optimiser: the name of its class in `preceptor.train`, or a dictionary with it as `class` and its numbers.

    Raises: DataError for a record that cannot be read, with its number, the key and what is required.
    """
    facts = Facts.read(steps, class_counts, constant_loss, batch_size, layers, inputs, optimiser)
    figures = Records(read_records(records), facts)
    own = {name for rule in RULES if isinstance(figures, rule.looks_at) for name in rule.names}
    is_learned = figures.train_error is not None and figures.train_error < LEARNED
    found, looked, lacking = list[Finding](), list[str](), dict[str, tuple[str, ...]]()
    with np.errstate(all="ignore"):
        for rule in RULES:
            if not isinstance(figures, rule.looks_at):
                if rule.looks_at is History and not own.issuperset(rule.names):
                    lacking[rule.looks_for] = ()
                continue
            lacks = figures.lacks(rule.needs)
            if lacks:
                lacking[rule.looks_for] = lacks
                continue
            looked.append(rule.looks_for)
            is_cause = rule.subject != "end" or not found  # at the end stands what may follow from all before
            told = [_alone(each, is_cause) for each in rule.check(figures)]
            found += [each for each in told if each.is_fact or rule.subject == "end" or not is_learned]
        reading = read(figures) if figures.curve else None
    once = {(each.rule, each.text): each for each in reversed(found)}
    unread = dict.fromkeys(key for each in figures.entries for key in each.unread)
    return Diagnosis(
        figures.step,
        figures.steps,
        tuple(gravest_first(reversed(once.values()))),
        reading,
        tuple(looked),
        lacking,
        tuple(unread),
    )


def _alone(found: Finding, is_cause: bool) -> Finding:
    """A finding where nothing can be tried: a note if it is no fact; without remedies of what may only follow from
    another, and without rates that nobody knows."""
    known = found.remedies if is_cause else ()
    remedies = tuple(each for each in known if not (isinstance(each, Rate) and math.isnan(each.rate)))
    return replace(found, level=found.level if found.is_fact else "note", remedies=remedies)
