"""Which trial is kept: the one with the best score of a search is often the luckiest.

The best few are made again in fresh divisions of the rows, beside the default. What is kept must be better than the
default by more than the standard error of that; of those that are about as good as the best of these, the simplest is
kept.
"""

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from msgspec.structs import replace

from preceptor.errors import DataError
from preceptor.tuning.record import Candidate, Choice, Trial, by_cost
from preceptor.tuning.repeats import Judgement
from preceptor.words import counted, listing, with_error

FINALISTS = 4  # beside the default: each takes a training in every division
REPEATS = 5  # fresh divisions, at most: each row is then held out once
SHARE = 0.5  # of the epochs that the search made: those that repeats may take
FEW_VISITS = 2_000_000  # of rows, that repeats may take whatever the search took: about 20 s of one core
# Standard errors by which what is kept must be better than the default. In `bench/overtuning.py` told and fresh gains
# of 108 finalists of 24 tables, 300 rows each, differed by 1.03 of both their errors, root mean square: the errors are
# as large as they should be. With 1.5 as many of 27 that were kept, two, were worse on fresh rows, and fewer better.
CERTAIN = 1.0
ALIKE = 1.0  # standard errors within which trials are about as good: Breiman et al. 1984, section 3.4.3


def finalists(trials: Sequence[Trial], count: int = FINALISTS) -> list[Trial]:
    """The default, unless it failed, and so many others that came to their end, the best first; none twice."""
    found = list[Trial]()
    for each in sorted(trials, key=by_cost):
        is_new = each.settings and all(each.settings != other.settings for other in found)
        if each.number and each.state == "done" and each.best is not None and is_new:
            found.append(each)
    return [each for each in trials if each.number == 0 and each.state != "failed"] + found[:count]


def repeats_for(trials: Sequence[Trial], chosen: Sequence[Trial], rows: int) -> int:
    """In how many fresh divisions the finalists are made again: a matter of what that takes, which is counted.

    Args:
        trials: all of the search; `chosen`: the finalists.
        rows: that teach.
    Returns: at most REPEATS; as many as take SHARE of the epochs that the search made, or FEW_VISITS of rows; at least
        one, where there is something to choose.
    """
    once = sum(each.epochs for each in chosen)
    if once <= 0 or len(chosen) < 2:
        return 0
    made = sum(each.epochs for each in trials)
    return int(np.clip(max(SHARE * made, FEW_VISITS / max(rows, 1)) // once, 1, REPEATS))


def by_trial(judgements: Sequence[Judgement]) -> dict[int, dict[int, Judgement]]:
    """What is told of each trial in each division."""
    found: dict[int, dict[int, Judgement]] = {}
    for each in judgements:
        found.setdefault(each.number, {})[each.repeat] = each
    return found


def gain_of(one: Mapping[int, Judgement], other: Mapping[int, Judgement]) -> tuple[float, float]:
    """By how much one trial's cost lies below that of another in the same divisions, and the standard error of it.

    Formula: d[r, g] is the difference of the pseudo-values of block g in division r, D[r] that of the costs.
        gain = mean of D. V is the variance, over the G blocks, of the mean of d over the divisions: what other rows of
        the kind would change. S² is the variance of D over the R divisions: other rows, and other first values.
        error² = max(V / G, S² / R) + q S² where each division holds out other rows, q being how many rows judge for
        each of the others: trainings share most of their rows. error² = V / G + S² / R where the same rows judge in
        all, for S² then knows of first values alone. With one division S² is unknown, and left out.
    Source: q Nadeau and Bengio 2003, section 3.2 (corrected resampled t-test), for folds Bouckaert and Frank 2004; V
        and G the jackknife (see `Judgement`).
    Differs: from the former in V, which steadies S² of few divisions.
    """
    common = sorted(set(one) & set(other))
    costs = np.array([_cost(other[r]) - _cost(one[r]) for r in common])
    blocks = [_blocks(other[r]) - _blocks(one[r]) for r in common]
    longest = max(map(len, blocks))
    table = np.array([np.append(each, np.full(longest - len(each), np.nan)) for each in blocks])
    known = ~np.isnan(table)
    means = np.where(known, table, 0).sum(0)[known.any(0)] / known.sum(0)[known.any(0)]
    square = means.var(ddof=1) / len(means) if len(means) > 1 else math.inf
    if len(costs) > 1:
        ratio, scatter = one[common[0]].ratio, costs.var(ddof=1)
        square = max(square, scatter / len(costs)) + ratio * scatter if ratio else square + scatter / len(costs)
    return float(costs.mean()), math.sqrt(square)


def _cost(judgement: Judgement) -> float:
    return math.inf if judgement.cost is None else judgement.cost


def _blocks(judgement: Judgement) -> np.ndarray:
    return np.array([np.nan if each is None else each for each in judgement.blocks], np.float64)


def choose(trials: Sequence[Trial], judgements: Sequence[Judgement], figure: str = "dev loss") -> Choice:
    """Which trial is kept, and why.

    The default is kept unless some finalist is better by more than CERTAIN standard errors. Among those that are, the
    simplest of those is kept that are no more than ALIKE standard errors worse than the best: the one with the fewest
    parameters, of these the one that changes the fewest settings, of these the one with the better score. A finalist
    that failed in a division is out. The division of the search, where finalists were the best, has no say where there
    are others. Where the default failed, the finalist with the best score stands in its place.

    Args:
        trials: all of the search, the default with the number 0.
        judgements: of the finalists, in the same divisions each.
        figure: what the score is, in words.
    Raises: DataError where no finalist came through all divisions.
    """
    known = by_trial([each for each in judgements if each.repeat] or judgements)
    most = max(map(len, known.values()), default=0)
    told = {
        number: own
        for number, own in known.items()
        if len(own) == most and all(each.cost is not None for each in own.values())
    }
    if not told:
        why = next((each.error for each in judgements if each.error), "none was made")
        raise DataError(
            f"search: no trial came through all divisions of the rows ({why.rstrip('.')}). Take more rows, or another "
            "space."
        )
    record = {each.number: each for each in trials}
    ranked = [each.number for each in sorted(trials, key=by_cost)]
    order = sorted(told, key=ranked.index)
    base = 0 if 0 in told else order[0]
    gains = {number: gain_of(told[number], told[base]) if number != base else (0.0, 0.0) for number in order}
    sure = [number for number in order if gains[number][0] > CERTAIN * gains[number][1]]
    kept = leader = max(sure, key=lambda number: gains[number][0], default=base)
    if sure:
        alike = [number for number in sure if number == leader or _is_near(told[leader], told[number])]
        kept = min(alike, key=lambda n: (record[n].parameters, len(record[n].settings), ranked.index(n)))
    candidates = [
        Candidate(
            number=number,
            gain=gains[number][0],
            error=gains[number][1],
            repeats=[_cost(told[number][repeat]) for repeat in sorted(told[number])],
        )
        for number in order
    ]
    found = Choice(kept=kept, best=ranked[0], why="", candidates=candidates)
    out = sorted(set(known) - set(told))
    return replace(found, why=" ".join(_reasons(found, record, base, leader, most, out, figure)))


def _reasons(
    choice: Choice,
    record: Mapping[int, Trial],
    base: int,
    leader: int,
    divisions: int,
    out: Sequence[int],
    figure: str,
) -> Iterator[str]:
    """Sentences for people."""
    gains, figure = {each.number: (each.gain, each.error) for each in choice.candidates}, figure.removeprefix("dev ")
    others = [number for number in gains if number != base]
    where = f"on rows held out in {counted(divisions, 'division')}" if divisions > 1 else "on the same rows"
    against, nearest = "the default" if base == 0 else f"trial {base}", base
    if base:
        yield f"The default failed; trial {base}, with the best score of those that did not, stands in its place."
    if choice.kept == base:
        what = "The default is kept" if base == 0 else f"Trial {base} is kept"
        if not others:
            yield f"{what}: no other trial came to its end."
        else:
            nearest = max(others, key=lambda number: gains[number][0])
            gain, error = gains[nearest]
            way = f"better by {_told(gain, error)}" if gain > 0 else f"worse by {_told(-gain, error)}"
            of = "the other finalist is not" if len(others) == 1 else f"none of {len(others)} other finalists is"
            yield (
                f"{what}: {of} better by more than its standard error. Trial {nearest} comes nearest, its {figure} "
                f"{way} {where}."
            )
    else:
        yield (
            f"Trial {choice.kept} is kept: its {figure} is better than that of {against} by "
            f"{_told(*gains[choice.kept])} {where}."
        )
        if choice.kept != leader:
            sizes = f"{record[choice.kept].parameters:,} parameters against {record[leader].parameters:,}"
            yield (
                f"Trial {leader} is better by {_told(*gains[leader])}, about as good as chance goes; trial "
                f"{choice.kept} is simpler ({sizes})."
            )
    if choice.best not in (choice.kept, leader, nearest) and choice.best in others:
        gain, error = gains[choice.best]
        way = "better" if gain > 0 else "worse"
        yield (
            f"Trial {choice.best} has the best score of the search; {where} it is {way} than {against} by "
            f"{_told(abs(gain), error)}."
        )
    if out:
        yield f"Left out, for a division in which they failed: trials {listing(out)}."


def _told(gain: float, error: float) -> str:
    return with_error(gain, error)


def _is_near(leader: Mapping[int, Judgement], other: Mapping[int, Judgement]) -> bool:
    gain, error = gain_of(leader, other)
    return gain <= ALIKE * error


__all__ = ["FINALISTS", "REPEATS", "by_trial", "choose", "finalists", "gain_of", "repeats_for"]
