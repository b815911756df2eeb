"""Forks: copies of a training that try a remedy, and the paired test that says whether it helps.

A copy makes the steps that the training itself makes, on the same batches, with one thing changed; both are judged on
the same rows. What is random in a training is a function of its seed and its steps, so that nothing but the remedy
differs.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from preceptor.diagnose.case import Case, Judge, Verdict
from preceptor.diagnose.finding import Proof
from preceptor.diagnose.remedy import Remedy
from preceptor.train.stepper import Stepper

SURE = 0.01  # p below which a difference is taken for one: conventional
WORTH = 0.05  # share of the error that a remedy must take away to be worth naming: below it seeds differ as much


@dataclass(frozen=True, eq=False)
class Moment:
    """A training after a step: what it carries, in host memory. Step 0 is before the first."""

    step: int
    carried: Any


def advance(case: Case, start: Moment | None, steps: int) -> Moment:
    """The moment `steps` steps later, from the first weights where there is no start. A training that has come to its
    end goes on with the rate of its last step."""
    stepper = Stepper(case.config, case.data, None if start is None else start.carried)
    loop = stepper.prepare()
    carried, step = loop.put(stepper.everything), 0 if start is None else start.step
    end = step + steps
    while step < end:
        count = min(stepper.capacity, stepper.epoch_end(step) - step, end - step)
        carried, losses = stepper(carried, step, stepper.fetch(step, count), stepper.rates(step, count))
        step += count
        if not np.isfinite(losses).all():
            break
    return Moment(step, loop.get(carried))


def tried(case: Case, remedy: Remedy, start: Moment | None, until: int) -> Verdict | None:
    """How well the training would predict after step `until` if it had the remedy from a moment on, or from the
    beginning where the remedy cannot go on from it; None where it does not apply."""
    mended = remedy.mend(case)
    if mended is None:
        return None
    start = start if remedy.keeps_state else None
    end = advance(mended, start, until - (0 if start is None else start.step))
    return Judge(mended, end.carried)(end.carried)


def compared(without: Verdict, with_it: Verdict, start: int, steps: int) -> Proof:
    """The paired test of two verdicts on the same rows.

    Formula: t = mean(d) / (sd(d) / sqrt(rows)), d the difference of the errors of a row; p by the normal distribution.
    Differs: rows are not all that is random, another seed differs as well; so a remedy must also be worth naming
    (WORTH).
    """
    with np.errstate(all="ignore"):
        difference = np.clip(without.errors, 0, 100) - np.clip(with_it.errors, 0, 100)
        mean, sd = float(np.mean(difference)), float(np.std(difference, ddof=1))
    t = mean / (sd / math.sqrt(len(difference))) if sd > 0 else (math.inf * np.sign(mean) if mean else 0.0)
    return Proof(start, steps, len(difference), without.error, with_it.error, math.erfc(abs(t) / math.sqrt(2)))


def helps(proof: Proof) -> bool:
    """Whether a fork shows that its remedy is worth naming."""
    return proof.p < SURE and (proof.gain >= WORTH or not math.isfinite(proof.without))
