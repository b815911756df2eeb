"""How good a whole search is: in each outer fold it is made on the other rows alone, and judged by those of the fold.

What a search tells of its best trial, it chose by; what nested cross-validation tells is of rows that it never saw.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from preceptor.errors import ConfigError, DataError
from preceptor.tuning.record import Nested, Outer
from preceptor.tuning.repeats import cost_and_blocks, fixed_by, fold_of_row, fresh_rows, held_out, seed_of
from preceptor.tuning.trials import Task, Trials, thaw
from preceptor.words import counted, with_error

FEWEST, MOST = 2, 64  # outer folds
OUTER = 1 << 21  # what the seeds of outer folds are drawn with, apart from those of repeats


def outer_trials(trials: Trials, folds: int) -> list[Trials]:
    """The trials of each outer fold: its rows in the place of the test rows, the others divided as they were. The test
    rows themselves belong to no part.

    Raises: ConfigError where rows cannot be dealt freely, or so many folds are impossible.
    """
    seen, obstacle = trials.seen, fixed_by(trials.seen)
    if not FEWEST <= folds <= MOST:
        raise ConfigError(f"search: received nested {folds}; {FEWEST} to {MOST} outer folds are required.")
    if obstacle:
        raise ConfigError(f"search: received nested {folds} {obstacle}. Leave nested out.")
    try:
        fold = fold_of_row(seen, folds, seed_of(trials.asked.seed, OUTER))
        return [
            replace(trials, seen=held_out(seen, fold, out, seed_of(trials.asked.seed, OUTER + 1 + out)))
            for out in range(folds)
        ]
    except DataError as error:
        raise ConfigError(f"search: received nested {folds}; {error}") from None


def outer(trials: Trials, fold: int, settings: Mapping[str, Any]) -> Outer:
    """Trains what the search of an outer fold kept, and the default, and judges both by the rows of the fold.

    Raises: DataError where one of them fails.
    """
    costs = list[float]()
    for each in (settings, {}):
        if costs and not settings:
            costs.append(costs[0])
            continue
        result = trials.advance(Task(0, each))
        assert result is not None
        if result.frozen is None or result.state != "done":
            raise DataError(f"search: in outer fold {fold + 1} a training failed ({result.error}). Leave nested out.")
        fitting = trials.fitting(each)
        thaw(fitting, result.frozen)
        held = fresh_rows(fitting)
        costs.append(cost_and_blocks(fitting, held, np.zeros(len(held.rows), np.int64))[0])
    return Outer(fold=fold, rows=len(held.rows), settings=dict(settings), cost=costs[0], default=costs[1])


def summed_up(outers: Sequence[Outer], figure: str = "loss", is_high_better: bool = False) -> Nested:
    """The figure of the search as a whole, with its uncertainty.

    Formula: the mean over K folds; error² = (1 / K + 1 / (K - 1)) S², S² being the variance over the folds, whose
        trainings share most of their rows.
    Args:
        figure: what the cost is, in words; of one that is better the higher, the cost is what lies below 0.
    Source: nested cross-validation, Varma and Simon 2006, Cawley and Talbot 2010; its error Nadeau and Bengio 2003,
        section 3.2, for folds Bouckaert and Frank 2004.
    """
    costs, gains = ([each.cost for each in outers], [each.default - each.cost for each in outers])
    (cost, error), (gain, gain_error) = _mean(costs), _mean(gains)
    if any(each.settings for each in outers):
        beside = f"{with_error(abs(gain), gain_error)} {'better' if gain >= 0 else 'worse'} than that of the default"
    else:
        beside = "the default, which it kept in all of them"
    why = (
        f"On rows that the whole search never saw, in {counted(len(outers), 'outer fold')}, the {figure} of what it "
        f"keeps is {with_error(-cost if is_high_better else cost, error)} (standard error): {beside}."
    )
    return Nested(outer=list(outers), cost=cost, error=error, gain=gain, gain_error=gain_error, why=why)


def _mean(values: Sequence[float]) -> tuple[float, float]:
    count = len(values)
    square = (1 / count + 1 / (count - 1)) * float(np.var(values, ddof=1)) if count > 1 else math.inf
    return float(np.mean(values)), math.sqrt(square)


__all__ = ["outer", "outer_trials", "summed_up"]
