"""What a run of the doctor's bench is labelled, and what all runs come to."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

SURE, UNSURE, EFFECT = 0.05, 0.2, 0.5  # p below which a run is faulty, is not called healthy; the least effect
WORTH = 0.95  # share of what the best known fix achieves that a repair must achieve
QUARTER = 0.25  # of its cost that a run is worse than another model, to be called poor
Z = 1.959963984540054
NAMES = ("recall", "false_alarms", "precision", "top1", "top3", "suspected", "localised", "repaired", "worse")


@dataclass(frozen=True)
class Outcome:
    """A run that was labelled.

    Args:
        label: "faulty", "healthy" or "unclear", which counts nowhere.
        right: names of rules that tell its kind rightly.
        alarms: of each warning or refusal, in the order of the doctor, its rule and layer.
        noted: rules of all findings, notes among them.
        places: layers that the fault lies in; none where it has no place.
        repair: cost as it was mended; None where there was nothing to mend.
        twin: mean cost of the best known fix.
        spread: how far costs of the run's own kind differ by chance.
    """

    id: str
    kind: str
    program: str
    label: str
    scary: bool
    cost: float
    twin: float
    spread: float
    right: frozenset[str] = frozenset()
    alarms: tuple[tuple[str, str], ...] = ()
    noted: frozenset[str] = frozenset()
    places: frozenset[str] = frozenset()
    repair: float | None = None
    remedy: str = ""
    overhead: float = 0.0
    key: str = ""
    seed: int = 0


def wilson(count: int, of: int) -> dict[str, float | int | None]:
    """A share with its 95 % interval. Source: Wilson 1927."""
    if not of:
        return {"value": None, "low": None, "high": None, "count": 0, "of": 0}
    share, z2 = count / of, Z * Z
    middle, half = share + z2 / (2 * of), Z * math.sqrt(share * (1 - share) / of + z2 / (4 * of * of))
    low, high = (middle - half) / (1 + z2 / of), (middle + half) / (1 + z2 / of)
    return {"value": share, "low": max(low, 0.0), "high": min(high, 1.0), "count": count, "of": of}


def noise(cost: float, rows: int, is_classes: bool) -> float:
    """What a cost can be told apart by: the standard error of a share of so many rows; of a number 1 % of it."""
    return math.sqrt(max(cost * (1 - cost), 1 / rows) / rows) if is_classes else 0.01 * cost


def label(cost: float, own: Sequence[float], twins: Sequence[float], least: float) -> str:
    """What a run is, by its cost, those of the other seeds of its specification, and those of the best known fix.

    It is faulty where its own cost lies outside of what its twins' costs let one expect of one more (Student's t, p <
    .05), or where the specification's costs are larger than theirs (Welch's t, p < .05, and Cohen's d of .5 or more)
    and its own is larger than each of them. Where that is nearly so (p < .2) it is unclear; else it is healthy.

    Args:
        least: the smallest deviation that is taken for one.
    """
    own, twins = np.asarray(own, float), np.asarray(twins, float)
    mean, count = float(twins.mean()), len(twins)
    if cost <= mean:
        return "healthy"
    variance = (float(twins.var(ddof=1)) if count > 1 else 0.0) + least**2
    t = (cost - mean) / math.sqrt(variance * (1 + 1 / count))
    alone = 2 * float(stats.t.sf(t, max(count - 1, 1)))
    both, effect = _welch(own, twins, least)
    if alone < SURE or (both < SURE and effect >= EFFECT and cost > twins.max()):
        return "faulty"
    return "unclear" if alone < UNSURE or (both < UNSURE and cost > twins.max()) else "healthy"


def is_weak(cost: float, baseline: float, reference: float, least: float) -> bool:
    """Whether a run is as good as its twin and both are poor: no better than a constant prediction, or clearly worse
    than a model of scikit-learn that anybody has in a second (by a quarter of its cost, and by 2 deviations of chance).
    """
    return cost > 0.95 * baseline or (reference < (1 - QUARTER) * cost and reference + 2 * least < cost)


def _welch(own: np.ndarray, twins: np.ndarray, least: float) -> tuple[float, float]:
    """p that two means do not differ, two-sided, and how many deviations the first is larger."""
    if min(len(own), len(twins)) < 2:
        return 1.0, 0.0
    variances = [each.var(ddof=1) + least**2 for each in (own, twins)]
    difference = float(own.mean() - twins.mean())
    errors = [variance / len(each) for variance, each in zip(variances, (own, twins), strict=True)]
    freedom = sum(errors) ** 2 / sum(e * e / (len(each) - 1) for e, each in zip(errors, (own, twins), strict=True))
    p = 2 * float(stats.t.sf(abs(difference) / math.sqrt(sum(errors)), freedom))
    return p, difference / math.sqrt(sum(variances) / 2)


def figures(outcomes: Iterable[Outcome]) -> dict[str, dict]:
    """Recall of faulty runs, false alarms of healthy ones, and the rest.

    recall, false_alarms: share of the faulty, of the healthy runs with an alarm. precision: share of the runs with an
    alarm that are faulty; it hangs on how many of each there are. top1, top3: share of the faulty runs whose first, one
    of whose first three alarms tells the kind rightly; suspected: one of whose findings does, notes among them.
    localised: of the faulty runs whose fault has a place, the share with an alarm among the first three at one of its
    layers. repaired: share of the faulty runs that mending brings within 95 % of the best known fix. worse: share of
    all runs that were mended that end worse than after nothing.
    """
    known = [each for each in outcomes if each.label != "unclear"]
    faulty = [each for each in known if each.label == "faulty"]
    healthy = [each for each in known if each.label == "healthy"]
    alarmed = [each for each in known if each.alarms]
    placed = [each for each in faulty if each.places]
    mended = [each for each in known if each.repair is not None]
    return {
        "recall": wilson(sum(bool(each.alarms) for each in faulty), len(faulty)),
        "false_alarms": wilson(sum(bool(each.alarms) for each in healthy), len(healthy)),
        "precision": wilson(sum(each.label == "faulty" for each in alarmed), len(alarmed)),
        "top1": wilson(sum(_told(each, 1) for each in faulty), len(faulty)),
        "top3": wilson(sum(_told(each, 3) for each in faulty), len(faulty)),
        "suspected": wilson(sum(bool(each.noted & each.right) for each in faulty), len(faulty)),
        "localised": wilson(
            sum(any(layer in each.places for _, layer in each.alarms[:3]) for each in placed), len(placed)
        ),
        "repaired": wilson(sum(map(is_repaired, faulty)), len(faulty)),
        "worse": wilson(sum(map(is_worse, mended)), len(mended)),
    }


def _told(run: Outcome, first: int) -> bool:
    return any(rule in run.right for rule, _ in run.alarms[:first])


def is_repaired(run: Outcome) -> bool:
    """Whether 1 - cost, accuracy or R², is at least 95 % of the best known fix's."""
    return run.repair is not None and 1 - run.repair >= min(WORTH * (1 - run.twin), 1 - run.twin)


def is_better(run: Outcome) -> bool:
    """Whether it costs less than doing nothing, by more than two deviations of chance."""
    return run.repair is not None and run.repair < run.cost - 2 * run.spread


def is_worse(run: Outcome) -> bool:
    """Whether it costs more than doing nothing, by more than two deviations of chance."""
    return run.repair is not None and run.repair > run.cost + 2 * run.spread


def overheads(outcomes: Iterable[Outcome]) -> dict[str, float | None]:
    """Seconds of the doctor, forks included, by those of the training: median and largest."""
    found = [each.overhead for each in outcomes]
    return {"overhead_median": float(np.median(found)) if found else None, "overhead_max": max(found, default=None)}


def confusion(outcomes: Iterable[Outcome]) -> dict[str, dict[str, int]]:
    """Of the faulty runs of each kind, how many had which rule as first alarm; "-" where there was none."""
    found: dict[str, dict[str, int]] = {}
    for each in outcomes:
        if each.label == "faulty":
            row = found.setdefault(each.kind, {})
            first = each.alarms[0][0] if each.alarms else "-"
            row[first] = row.get(first, 0) + 1
    return found
