"""Watches a training: keeps its figures, has the rules look at them, and proves by forks what they suspect."""

import time
from collections.abc import Iterator
from dataclasses import replace

from preceptor.diagnose.case import Case, Judge, Verdict
from preceptor.diagnose.finding import Finding
from preceptor.diagnose.fork import Moment, compared, helps, tried
from preceptor.diagnose.history import Epoch, History
from preceptor.diagnose.probe import Prober
from preceptor.diagnose.rules import RULES
from preceptor.train.loop import Record, train

MILESTONES = (0.03, 0.1, 0.3, 0.6, 1.0)  # shares of the steps after which rules look
BUDGET = 0.1  # share of the planned steps that forks may take
PROBED = 8  # batches of a probe at a milestone


class Doctor:
    """Looks at a training record by record: `for record in train(...): found = doctor.look(record)`.

    It copies the state and changes nothing: weights and losses are the same bits with and without it.

    Args:
        budget: steps that forks may take, as a share of those planned.
    """

    def __init__(self, case: Case, budget: float = BUDGET) -> None:
        self.case, self.budget = case, budget
        self.history: History | None = None
        self.findings: list[Finding] = []
        self.spent, self.seconds = 0, 0.0
        self._judge: Judge | None = None
        self._prober: Prober | None = None
        self._before: Moment | None = None
        self._tried: set[str] = set()
        self._ahead = list(MILESTONES)

    def look(self, record: Record) -> list[Finding]:
        """What is found new at a record."""
        began = time.perf_counter()
        if self.history is None:
            self.history = History(self.case, record.steps)
        history = self.history
        history.losses += record.losses.tolist()
        history.rates += [record.learning_rate] * len(record.losses)
        if record.is_epoch_end:
            history.epochs.append(Epoch(record.step, record.train_loss, record.dev_loss))
        found: list[Finding] = []
        if not record.is_finite or record.step >= self._ahead[0] * record.steps:
            while self._ahead[1:] and record.step >= self._ahead[0] * record.steps:
                self._ahead.pop(0)
            found = list(self._examine(record))
            new = {each.rule for each in found}
            self.findings = [each for each in self.findings if each.level != "note" or each.rule not in new] + found
        self.seconds += time.perf_counter() - began
        return found

    def _examine(self, record: Record) -> Iterator[Finding]:
        history = self.history
        assert history is not None
        now = Moment(record.step, record.snapshot())
        if record.is_finite:
            self._prober = self._prober or Prober(record.stepper, now.carried)
            history.probes.append(self._prober(record.state, record.step, PROBED))
        self._judge = self._judge or Judge(self.case, now.carried)
        verdict = history.verdicts[record.step] = self._judge(now.carried)
        for rule in RULES:
            if rule.looks_at is History:
                for finding in rule.check(history):
                    proven = self._proven(finding, verdict, now)
                    if proven is not None:
                        yield proven
        self._before = now

    def _proven(self, finding: Finding, verdict: Verdict, now: Moment) -> Finding | None:
        """The finding with the remedy that a fork shows to help, as a warning; as a note where that is not known; None
        where none of them helps, or it was told before."""
        if any(each.rule == finding.rule and each.level != "note" for each in self.findings):
            return None  # told before
        if finding.is_fact:
            return finding
        for remedy in finding.remedies:
            if (key := f"{finding.rule}/{remedy.text}/{now.step}") in self._tried:
                continue
            start = self._before if remedy.keeps_state else None
            first = 0 if start is None else start.step
            cost = now.step - first
            if self.spent + cost > self.budget * self.history.steps:  # type: ignore[union-attr]
                return replace(finding, level="note")
            self._tried.add(key)
            self.spent += cost
            with_it = tried(self.case, remedy, start, now.step)
            if with_it is None:
                continue
            proof = compared(verdict, with_it, first, cost)
            if helps(proof):
                others = tuple(each for each in finding.remedies if each is not remedy)
                return replace(finding, level="warn", remedies=(remedy, *others), proof=proof)
        return None


def examine(case: Case, budget: float = BUDGET) -> Doctor:
    """Trains a case under watch, to its end or until it holds no numbers any more."""
    doctor = Doctor(case, budget)
    for record in train(case.config, case.data):
        doctor.look(record)
        if not record.is_finite:
            break
    return doctor
