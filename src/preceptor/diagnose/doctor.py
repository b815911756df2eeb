"""Watches a training: keeps its figures, has the rules look at them, and proves by forks what they suspect."""

import math
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from preceptor.diagnose.case import JUDGED, Case, Judge, Verdict, verdict
from preceptor.diagnose.curve import Reading, read
from preceptor.diagnose.figures import Epoch
from preceptor.diagnose.finding import Finding, Proof
from preceptor.diagnose.fork import Arm, Moment, compared, helps, same_loss, tried
from preceptor.diagnose.history import History
from preceptor.diagnose.origin import find_origin
from preceptor.diagnose.probe import LITTLE, Probe, Prober, work
from preceptor.diagnose.remedy import Remedy
from preceptor.diagnose.rules import RULES
from preceptor.graph import flatten
from preceptor.train.loop import Record, train
from preceptor.train.stepper import planned_steps
from preceptor.train.training import Config, beginning

MILESTONES = (0.015, 0.04, 0.1, 0.2, 0.4, 0.7, 1.0)  # shares of the steps after which rules look
FEWEST = 20  # steps before the first of them: so few tell nothing
BUDGET = 0.1  # share of the planned steps that forks may take
LEAST = 100  # steps that forks may take at least, where they may at all: a short training shows nothing in a tenth
HEAVY = 1e9  # multiplications of a step, about a tenth of a second, from which on that least is not granted
GLANCE, LOOK = 32, 1024  # rows of a probe: of every one, and of one that is to confirm a suspicion
LOOKED_AT = 200_000_000  # numbers in all layers that a probe looks at, but for GLANCE rows: two seconds
SHARE = 0.01  # of the steps so far that probes may cost where they take long and the losses are not suspicious
SUSPECTED = "Suspected as the cause of what is told below; no fork showed it in the steps that there were."
SUSPECTS = 3  # causes that are named where harm is certain and no fork showed what does it
DEAR = 6  # steps that a batch of a probe costs as much as: the step again, and the layers' own figures
PLAN = 2e7  # multiplications that a step makes while a node of it is traced and planned for probes
FALLEN = 0.05  # of the first loss: what has fallen less, or risen again by as much, is suspicious
KEPT_BYTES = 256 << 20  # of moments that are kept in memory to fork from, beside the latest


@dataclass(frozen=True, eq=False)
class Fork:
    """A remedy that was tried, and how well the training would predict with it. Args: arms: without and with it."""

    proof: Proof
    before: Verdict
    with_it: Verdict
    same_loss: bool
    arms: tuple[Arm, Arm]

    def outdoes(self, now: Verdict) -> bool:
        """Whether the training, as far as it has come by itself since, is still worse than what the fork came to."""
        proof = self.proof
        return helps(compared(self.before, now, self.with_it, proof.start, proof.steps, self.same_loss))


class Doctor:
    """Looks at a training record by record: `for record in train(...): found = doctor.look(record)`.

    It copies the state and changes nothing: weights and losses are the same bits with and without it. What it finds is
    a function of the training alone, not of the clock. `spent` counts the steps of forks, `seconds` the time that
    watching and proving took, `proving` that of forks alone; `mending` are the remedies that were shown to help, `arms`
    the losses of the forks that showed it, by rule.

    Args:
        budget: steps that forks may take, as a share of those planned.
        ignored: names of what is not to be looked for.
        start, losses: of a training that goes on after it was broken off: where it goes on, and the loss of each step
            before, as far as it is known.
    """

    def __init__(
        self,
        case: Case,
        budget: float = BUDGET,
        ignored: Collection[str] = (),
        start: Moment | None = None,
        losses: Sequence[float] = (),
    ) -> None:
        self.case, self.budget = case, budget
        self._history: History | None = None
        self._unread: list[tuple[np.ndarray, float]] = []  # losses of steps, and their rate
        self.findings: list[Finding] = []
        self.spent, self.seconds, self.proving = 0, 0.0, 0.0
        self._moments: list[Moment] = [] if start is None else [start]
        self._losses_before = list(losses)
        self._broken: Moment | None = None
        self._probed = self._work = 0
        self._verdicts: dict[int, Verdict] = {}
        self._judge: Judge | None = None
        self._prober: Prober | None = None
        self._settled: set[str] = set(ignored)
        self._confirmed: set[str] = set()
        self._forks: dict[tuple[str, int, int], tuple[Verdict, Arm]] = {}
        self.arms: dict[str, tuple[Arm, Arm]] = {}
        self._pending: list[tuple[Finding, Fork]] = []
        self._unproven: dict[str, Finding] = {}
        self.mending: tuple[Remedy, ...] = ()
        self._ahead = list(MILESTONES)

    @property
    def history(self) -> History | None:
        """What is known of the training; None before its first record."""
        if self._history is not None:
            for losses, rate in self._unread:  # put off until somebody asks: steps may take microseconds
                self._history.losses += losses.tolist()
                self._history.rates += [rate] * len(losses)
            self._unread = []
        return self._history

    @property
    def latest(self) -> Moment | None:
        """The training when it was looked at last and held numbers; None before."""
        return self._moments[-1] if self._moments else None

    def look(self, record: Record) -> list[Finding]:
        """What is found new at a record."""
        began = time.perf_counter()
        if self._history is None:
            before = self._losses_before
            rates = record.stepper.rates(0, len(before)).tolist()
            self._history = History(self.case, record.steps, losses=before, rates=rates)
        losses = record.losses
        if not record.is_finite:  # what comes after is nothing, and how much of it there is depends on the machine
            losses = losses[: next((n for n, loss in enumerate(losses, 1) if not math.isfinite(loss)), len(losses))]
        self._unread.append((losses, record.learning_rate))
        if record.is_epoch_end:
            dev = self._of_dev(record)
            self._history.epochs.append(Epoch(record.step, record.train_loss, record.dev_loss, dev))
        found: list[Finding] = []
        if not record.is_finite or record.step >= max(self._ahead[0] * record.steps, min(FEWEST, record.steps)):
            while self._ahead[1:] and record.step >= self._ahead[0] * record.steps:
                self._ahead.pop(0)
            found = self._found_at(record)
        self.seconds += time.perf_counter() - began
        return found

    def conclude(self, record: Record) -> list[Finding]:
        """What is found where a training ends before all its planned steps: at a record that was looked at."""
        history = self.history
        if history is None or history.is_over or not record.is_finite:
            return []
        began = time.perf_counter()
        history.was_ended = True
        found = self._found_at(record)
        self.seconds += time.perf_counter() - began
        return found

    def _found_at(self, record: Record) -> list[Finding]:
        assert self.history is not None
        found = self._examine(record, self.history)
        new = {each.rule for each in found}
        self.findings = [each for each in self.findings if each.level != "note" or each.rule not in new] + found
        return found

    def _examine(self, record: Record, history: History) -> list[Finding]:
        now = Moment(history.step, record.snapshot())
        probes = not record.is_finite or self._may_probe(record, now, history)
        if record.is_finite:
            self._keep(now)
            if not probes and not history.is_over:
                return []
        if probes:
            self._probe(record, now, history)
        if record.is_finite and history.is_over:
            history.judged = self._verdict(now)
            history.taught = self._judge_of(now.carried).by_taught(now.carried)
        suspected = list(self._suspected(history))
        new = {each.rule for each in suspected if each.layer and not each.is_fact} - self._confirmed
        if record.is_finite and new:
            self._confirmed |= new
            history.probes = [*history.probes[: -1 if probes else None], self._probe_of(record, now, self._look())]
            suspected = list(self._suspected(history))
        found = self._still_true(now if record.is_finite else None)
        for finding in suspected:
            is_plain = finding.is_fact and finding.trial == "within"
            proven = finding if is_plain else self._proven(finding)
            if proven is not None:
                found.append(proven)
        if history.is_over or not record.is_finite:
            found = [*self._causes(found), *found]
        self._settled |= {each.rule for each in found if each.level != "note"}
        return found

    def _still_true(self, now: Moment | None) -> list[Finding]:
        """What was proved when the training was looked at last and holds still: it has not caught up by itself. All of
        it where the training has broken."""
        pending, self._pending = self._pending, []
        found = []
        for finding, fork in pending:
            if now is None or fork.outdoes(self._verdict(now)):
                found.append(finding)
            else:
                self.mending = tuple(each for each in self.mending if each is not finding.remedies[0])
                self._unproven[finding.rule] = finding
        return found

    def _causes(self, found: list[Finding]) -> list[Finding]:
        """Where it is certain that something is wrong and no cause was shown: what was suspected, causes first."""
        told = [*self.findings, *found]
        harmed = [each for each in told if each.level != "note" and each.certainty == "effect"]
        if not harmed or any(each.level != "note" and each.certainty != "effect" for each in told):
            return []
        suspects = self._unproven | {each.rule: each for each in told if each.level == "note" and each.remedies}
        places = {name: place for place, rule in enumerate(RULES) for name in rule.names}
        ranked = sorted(suspects.values(), key=lambda each: places[each.rule])[:SUSPECTS]
        found[:] = [each for each in found if each.rule not in {suspect.rule for suspect in ranked}]
        return [replace(each, level="warn", proof=None, text=f"{each.text} {SUSPECTED}") for each in ranked]

    def _keep(self, now: Moment) -> None:
        size = sum(leaf.nbytes for leaf in flatten(now.carried)[0])
        if self._moments and self._moments[-1].step == now.step:
            return
        self._moments = [*self._moments[: KEPT_BYTES // size], now]

    def _is_suspicious(self, history: History) -> bool:
        """Whether the losses alone show that something may be wrong: they have not fallen, or rise again."""
        means = [float(np.mean(each)) for each in np.array_split(history.losses, min(5, history.step))]
        worth = FALLEN * abs(history.losses[0])
        return not means[-1] < history.losses[0] - worth or means[-1] > min(means) + worth

    def _suspected(self, history: History) -> Iterator[Finding]:
        """What the rules suspect and nobody has told before, causes first."""
        known = self._settled | {each.rule for each, _ in self._pending}
        for rule in RULES:
            if issubclass(History, rule.looks_at):
                yield from (each for each in rule.check(history) if each.rule not in known)

    def _of_dev(self, record: Record) -> Verdict | None:
        """How well the first rows of the dev part are predicted at the end of an epoch: outputs are there already."""
        if record.dev_outputs is None or record.dev_target is None:
            return None
        found = verdict(self.case, record.dev_outputs[:JUDGED], record.dev_target[:JUDGED])
        if self.case.data.folds is None:
            self._verdicts[record.step] = found
        return found

    def _may_probe(self, record: Record, now: Moment, history: History) -> bool:
        """Whether a probe costs little, or little beside the steps so far, or the losses ask for one."""
        stepper, batches = record.stepper, math.ceil(GLANCE / record.stepper.batch_size)
        self._work = self._work or work(stepper, now.carried)
        if batches * self._work < LITTLE:
            return True
        plan = 0.0 if self._prober else PLAN * len(stepper.program.graph.nodes) / self._work
        return plan + DEAR * (self._probed + batches) <= SHARE * record.step or self._is_suspicious(history)

    def _probe(self, record: Record, now: Moment, history: History) -> None:
        """Looks at all layers; where numbers are none, for the first of them."""
        if history.first is None:
            history.first = self._probe_of(record, Moment(0, beginning(self.case.config, self.case.data)), GLANCE)
        if record.is_finite:
            self._probed += math.ceil(GLANCE / record.stepper.batch_size)
            history.probes.append(self._probe_of(record, now, GLANCE))
            return
        assert self._prober is not None
        first = self.latest or Moment(0, beginning(self.case.config, self.case.data))
        origin = find_origin(record.stepper, self._prober.forward, first, history.losses)
        history.origin = None if origin is None else replace(origin, rows=self.case.given(origin.rows))
        self._broken = now

    def _look(self) -> int:
        """Rows of a probe that is to confirm a suspicion: fewer where a row has many numbers in all layers together,
        each of which is looked at."""
        most = LOOK if self._prober is None else LOOKED_AT // self._prober.numbers
        return max(GLANCE, min(LOOK, most))

    def _probe_of(self, record: Record, moment: Moment, rows: int) -> Probe:
        if self._prober is None or self._prober.stepper is not record.stepper:  # pictures may have grown
            self._prober = Prober(record.stepper, moment.carried)
        return self._prober(moment.carried, moment.step, math.ceil(rows / record.stepper.batch_size))

    def _proven(self, finding: Finding) -> Finding | None:
        """The finding as a warning, with the remedy that a fork shows to help; as a note where the budget did not
        suffice to try one; None where none of them helps, and of a guess that was not tried.

        What was proved before is taken as mended: what only follows from it is not a cause of its own. What a fork
        shows that ends where the training stands is told when it is looked at next, if it then holds still.
        """
        assert self.history is not None
        base, keeps_state, was_tried = self.case, True, False
        for known in self.mending:
            base, keeps_state = known.mend(base) or base, keeps_state and known.keeps_state
        for remedy in finding.remedies:
            mended = remedy.mend(base)
            if mended is None:
                continue
            fork = self._trial(finding.trial, base, mended, remedy, keeps_state and remedy.keeps_state)
            was_tried = was_tried or fork is not None
            if fork is None or not helps(fork.proof, finding.worth):
                continue
            is_new = finding.trial == "within" and not self.mending and self._broken is None
            end = fork.proof.start + fork.proof.steps
            if is_new and end < self._moments[-1].step and not fork.outdoes(self._verdict(self._moments[-1])):
                continue
            self.mending, self.arms[finding.rule] = (*self.mending, remedy), fork.arms
            others = tuple(each for each in finding.remedies if each is not remedy)
            found = replace(finding, level="warn", remedies=(remedy, *others), proof=fork.proof)
            if is_new and end == self._moments[-1].step and not self.history.is_over:
                self._pending.append((found, fork))
                return None
            return found
        if finding.is_fact:
            return finding
        if finding.certainty == "guess":
            return None
        if was_tried:
            self._unproven[finding.rule] = finding
            return None
        return replace(finding, level="note")

    def _trial(self, kind: str, base: Case, mended: Case, remedy: Remedy, keeps_state: bool) -> Fork | None:
        """What a remedy does beside those that were shown to help before; None where the budget does not suffice."""
        assert self.history is not None
        arms = 1 + (kind == "onward" or bool(self.mending))
        remedies = (*self.mending, remedy)
        if kind == "within":
            interval = self._interval(keeps_state, arms)
            return None if interval is None else self._fork(base, mended, remedies, *interval)
        now = self._moments[-1]
        steps = int(self._left / arms * min(1.0, self.case.config.batch_size / mended.config.batch_size))
        goes_on = kind in ("onward", "further")
        if steps < min(FEWEST, self.history.steps // 2) or (goes_on and not keeps_state):
            return None
        began = time.perf_counter()
        start = now if goes_on else None
        first = 0 if start is None else start.step
        beside = [self._tried(base, self.mending, start, first + steps)] if arms > 1 else []
        arm = beside[0][1] if beside else self._made(max(0, now.step - steps) if goes_on else 0, now.step)
        verdicts = [each for each, _ in beside]
        if kind == "outdo":  # what the training came to at its best: it may have lost since what anybody learns early
            verdicts += self._verdicts.values()
        elif not verdicts:
            verdicts = [self._verdict(now)]
        without = min(verdicts, key=lambda each: each.error)
        with_it, other = self._tried(mended, remedies, start, first + steps)
        # Going on, a loss falls a little by itself: only errors tell.
        same = start is None and same_loss(base, mended)
        self.proving += time.perf_counter() - began
        before = self._verdict(start)
        return Fork(compared(before, without, with_it, first, steps, same), before, with_it, same, (arm, other))

    def _fork(self, base: Case, mended: Case, remedies: tuple[Remedy, ...], start: Moment | None, end: Moment) -> Fork:
        """What the last of the remedies does beside the others."""
        began, first = time.perf_counter(), 0 if start is None else start.step
        if len(remedies) > 1:
            without, arm = self._tried(base, remedies[:-1], start, end.step)
        else:
            without, arm = self._verdict(end), self._made(first, end.step)
        with_it, other = self._tried(mended, remedies, start, end.step)
        before, same = self._verdict(start), same_loss(base, mended)
        self.proving += time.perf_counter() - began
        proof = compared(before, without, with_it, first, end.step - first, same)
        return Fork(proof, before, with_it, same, (arm, other))

    def _made(self, start: int, end: int) -> Arm:
        """The steps that the training itself made."""
        assert self.history is not None
        return Arm.of(start, self.history.losses_between(start, end))

    def _tried(
        self, mended: Case, remedies: tuple[Remedy, ...], start: Moment | None, until: int
    ) -> tuple[Verdict, Arm]:
        first = 0 if start is None else start.step
        key = (repr(remedies), first, until)
        if key not in self._forks:
            self.spent += math.ceil((until - first) * max(1.0, mended.config.batch_size / self.case.config.batch_size))
            self._forks[key] = tried(mended, start, until)
        return self._forks[key]

    @property
    def _left(self) -> float:
        """Steps that the next fork may take: half of what is left of the budget."""
        assert self.history is not None
        least = min(LEAST, self.history.steps) if self._work < HEAVY and self.budget else 0
        allowed = max(self.budget * self.history.steps, least)
        return (allowed - self.spent) / 2

    def _interval(self, keeps_state: bool, arms: int) -> tuple[Moment | None, Moment] | None:
        """From which of the kept moments to which something is tried: the longest that half of what is left of the
        budget allows, of those the latest; None where there is none."""
        assert self.history is not None
        left = self._left / arms
        if self._broken is not None:  # what holds no numbers any more would hold none later: fewer steps tell as well
            steps = min(self._broken.step, int(left))
            self._verdicts.pop(steps, None)
            return (None, Moment(steps, self._broken.carried)) if steps >= min(FEWEST, self._broken.step) else None
        starts = [None, *self._moments] if keeps_state else [None]
        pairs = [(start, end) for start in starts for end in self._moments]
        lengths = [end.step - (0 if start is None else start.step) for start, end in pairs]
        fitting = [(n, end.step, start, end) for n, (start, end) in zip(lengths, pairs, strict=True) if 0 < n <= left]
        return max(fitting, key=lambda each: each[:2])[2:] if fitting else None

    def _verdict(self, moment: Moment | None) -> Verdict:
        """How well the training predicted at a moment."""
        step = 0 if moment is None else moment.step
        if step not in self._verdicts:
            carried = beginning(self.case.config, self.case.data) if moment is None else moment.carried
            self._verdicts[step] = self._judge_of(carried)(carried)
        return self._verdicts[step]

    def _judge_of(self, like: Any) -> Judge:
        self._judge = self._judge or Judge(self.case, like)
        return self._judge

    def read(self, record: Record) -> Reading | None:
        """What the curves say, to a record after which the training goes no further; None before anything was seen."""
        if self.history is None:
            return None
        if self.history.judged is None and record.is_finite:
            carried = record.snapshot()
            judge = self._judge_of(carried)
            return read(replace(self.history, judged=judge(carried), taught=judge.by_taught(carried)))
        return read(self.history)

    @property
    def verdict(self) -> Verdict | None:
        """How well the training predicted at the latest moment."""
        return None if self.latest is None else self._verdict(self.latest)


def looks(config: Config, rows: int) -> list[int]:
    """The steps of a training on so many rows after which a doctor looks."""
    steps = planned_steps(config, rows)
    return sorted({math.ceil(max(each * steps, min(FEWEST, steps))) for each in MILESTONES})


def examine(case: Case, budget: float = BUDGET) -> Doctor:
    """Trains a case under watch, to its end or until it holds no numbers any more."""
    doctor = Doctor(case, budget)
    for record in train(case.config, case.data, stops=looks(case.config, case.data.rows)):
        doctor.look(record)
        if not record.is_finite:
            break
    return doctor
