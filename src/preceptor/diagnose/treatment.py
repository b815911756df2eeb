"""Mending a case: trained anew with what its watch advises, and the best training kept."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from preceptor.diagnose.case import Case
from preceptor.diagnose.doctor import Doctor, examine
from preceptor.diagnose.remedy import Remedy

MOST_TRAININGS = 3  # of one mending, the one that was asked for among them: a finding, and what it had hidden


@dataclass(frozen=True, eq=False)
class Treatment:
    """A case as it was mended. Args: remedies: what was changed; none where nothing was better than doing nothing."""

    case: Case
    doctor: Doctor
    remedies: tuple[Remedy, ...]


def advised(doctor: Doctor) -> Iterator[tuple[Remedy, ...]]:
    """What may be changed, the likeliest first: the remedies of what causes harm, in the order of the doctor; all that
    forks showed to help at once, where the first of them has its turn; then what is left."""
    warned = [each for each in doctor.findings if each.level != "note" and each.remedies]
    for finding in (each for each in warned if each.certainty != "effect" or each.proof is not None):
        yield doctor.mending if finding.proof is not None else (finding.remedies[0],)
    for finding in warned:
        yield from ((remedy,) for remedy in finding.remedies)


def treat(case: Case, doctor: Doctor | None = None) -> Treatment:
    """Trains a case under watch, then anew with what its doctor advises, and so on from the best of them: to do nothing
    is always among them. The best is that with the smallest error on the rows that judge, then the smallest loss.

    Args:
        doctor: who has watched the case itself, where it is trained already.
    """
    best = Treatment(case, doctor or examine(case), ())
    tried: set[str] = set()
    for _ in range(MOST_TRAININGS - 1):
        new = _next(best, tried)
        if new is None:
            break
        remedies, mended = new
        watched = examine(mended)
        if _cost(watched) < _cost(best.doctor):
            best = Treatment(mended, watched, (*best.remedies, *remedies))
    return best


def _next(best: Treatment, tried: set[str]) -> tuple[Sequence[Remedy], Case] | None:
    """The first advice that changes anything and was not tried."""
    for remedies in advised(best.doctor):
        name = repr((*best.remedies, *remedies))
        if name in tried:
            continue
        tried.add(name)
        mended = best.case
        for remedy in remedies:
            mended = remedy.mend(mended) or mended
        if mended is not best.case:
            return remedies, mended
    return None


def _cost(doctor: Doctor) -> tuple[float, float]:
    """The error and the loss of the training's end; infinite where it came to none."""
    history, end, verdict = doctor.history, doctor.latest, doctor.verdict
    assert history is not None
    if end is None or verdict is None or end.step != history.step:
        return math.inf, math.inf
    return verdict.error, verdict.loss
