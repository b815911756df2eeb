"""Forks: copies of a training that try a remedy, and the paired test that says whether it helps.

A copy makes the steps that the training itself makes, on the same batches, with one thing changed; both are judged on
the same rows. What is random in a training is a function of its seed and its steps, so that nothing but the remedy
differs.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from preceptor.diagnose.case import Case, Judge, Verdict
from preceptor.diagnose.finding import SURE, WORTH, Proof
from preceptor.diagnose.paired import in_errors
from preceptor.train.course import Course
from preceptor.train.stepper import Stepper

FARTHER = 3.0  # times as far as without must a loss fall with a remedy, where errors do not tell yet
LARGEST = 1e6  # what counts for an error or a loss that is no number
POINTS = 100  # of a curve of losses, at most: it is drawn small


@dataclass(frozen=True, eq=False)
class Moment:
    """A training after a step: what it carries, in host memory. Step 0 is before the first."""

    step: int
    carried: Any


@dataclass(frozen=True, eq=False)
class Arm:
    """What the steps of one arm of a fork cost: their losses, from a step on."""

    start: int
    losses: Course

    @classmethod
    def of(cls, start: int, losses: Sequence[float]) -> "Arm":
        """The losses of steps that were made."""
        course = Course(POINTS)
        course.add(np.array(losses, np.float64))
        return cls(start, course)


def advance(case: Case, start: Moment | None, steps: int, course: Course | None = None) -> Moment:
    """The moment `steps` steps later, from the first weights where there is no start. A training that has come to its
    end goes on with the rate of its last step.

    Args:
        course: takes the losses of these steps.
    """
    stepper = Stepper(case.config, case.data, None if start is None else start.carried)
    loop = stepper.prepare()
    carried, step = loop.put(stepper.everything), 0 if start is None else start.step
    end = step + steps
    while step < end:
        count = min(stepper.capacity, stepper.epoch_end(step) - step, end - step)
        carried, losses = stepper(carried, step, stepper.fetch(step, count), stepper.rates(step, count))
        step += count
        if course is not None:
            course.add(losses)
        if not np.isfinite(losses).all():
            break
    return Moment(step, loop.get(carried))


def tried(mended: Case, start: Moment | None, until: int) -> tuple[Verdict, Arm]:
    """How well a mended training would predict after step `until`, if it were mended from a moment on, or from the
    beginning, and the losses on the way."""
    first, course = 0 if start is None else start.step, Course(POINTS)
    end = advance(mended, start, until - first, course)
    return Judge(mended, end.carried)(end.carried), Arm(first, course)


def compared(before: Verdict, without: Verdict, with_it: Verdict, start: int, steps: int, same_loss: bool) -> Proof:
    """The paired test of what the weights come to without a remedy and with it, judged on the same rows.

    Formula: t = mean(d) / (sd(d) / sqrt(rows)), d the difference of the errors, or losses, of a row; p by the normal
        distribution.
    Args:
        before: the verdict on the weights with which the fork begins.
        same_loss: whether the losses of both mean the same.
    Differs: rows are not all that is random, another seed differs as well; so a remedy must also be worth naming.
    """
    losses = (before.loss, without.loss, with_it.loss) if same_loss else None
    loss_p = _paired(without.losses, with_it.losses) if same_loss else 1.0
    p = _paired(without.errors, with_it.errors)
    return Proof(start, steps, len(without.errors), without.error, with_it.error, p, losses, loss_p)


def _paired(a: np.ndarray, b: np.ndarray) -> float:
    """The p of two figures of the same rows; what is no number counts as very large."""
    before, after = (np.nan_to_num(each, nan=LARGEST, posinf=LARGEST) for each in (a, b))
    return math.erfc(abs(in_errors(before, after)) / math.sqrt(2))


def helps(proof: Proof, worth: float = WORTH) -> bool:
    """Whether a fork shows that its remedy is worth naming: fewer errors, or a loss that falls several times as far."""
    if proof.p < SURE and (proof.gain >= worth or not math.isfinite(proof.without)):
        return True
    is_worse = proof.p < SURE and proof.gain < 0
    return not is_worse and proof.loss_p < SURE and proof.progress >= FARTHER


def same_loss(case: Case, mended: Case) -> bool:
    """Whether losses of both mean the same: by the same function, of the same targets."""
    return case.config.loss == mended.config.loss and case.data.dev_y is mended.data.dev_y
