"""What the rows that judge say of a target, beside its figures: what is taken for what, and at which price."""

from collections.abc import Sequence

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from preceptor.evidence.judges import JudgedTarget, Judges
from preceptor.evidence.lines import precision_recall_line, roc_line
from preceptor.evidence.record import (
    Baseline,
    Bin,
    Calibration,
    Curve,
    Decile,
    Judgement,
    Share,
    Threshold,
    plain,
)
from preceptor.train.interval import mean, wilson
from preceptor.train.metric import BINS
from preceptor.train.threshold import decided

__all__ = ["judgements"]

Floats = NDArray[np.float64]

MOST_CLASSES = 1_000
MOST_CONFUSED = 100  # classes of which all pairs are kept
PAIRS, CURVES, SAMPLE, RESIDUAL_BINS = 20, 20, 500, 40
THRESHOLDS = 101
MIDDLE = (0.005, 0.995)  # of the residuals: what lies further out would leave the histogram a single bar


def judgements(judges: Judges, baselines: Sequence[Sequence[Baseline]] = (), seed: int = 0) -> list[Judgement]:
    """What the rows say of each target. Rows for which no finite number is predicted are left out.

    Args:
        baselines: of each target, what simple guesses come to.
        seed: of the sample of rows that is kept of a number.
    """
    found = []
    for place, each in enumerate(judges.targets):
        predicted = np.asarray(each.predicted).reshape(len(each.y), -1)
        kept = np.flatnonzero(np.isfinite(predicted).all(axis=1))
        weight = np.ones(len(kept)) if judges.weight is None else np.asarray(judges.weight, np.float64)[kept]
        counts = weight > 0
        kept, weight = kept[counts], weight[counts]
        own = each.some(kept)
        head = Judgement(
            target=each.target.name,
            rows=len(kept),
            baselines=list(baselines[place]) if place < len(baselines) else [],
            classes=list(each.target.written) if each.target.classes is not None else [],
        )
        if not len(kept):
            found.append(head)
        elif each.target.classes is not None:
            found.append(_of_classes(head, own, weight))
        else:
            found.append(_of_numbers(head, own, weight, seed))
    return found


def _of_classes(head: Judgement, told: JudgedTarget, weight: Floats) -> Judgement:
    """Shapes: weight (row,), above 0."""
    p, y, names = told.predicted, told.y.astype(np.int64), head.classes
    width = len(names)
    guess = decided(p, told.threshold)
    sizes: Floats = np.bincount(y, weight, minlength=width).astype(np.float64)
    squares, hits = (np.bincount(y, each, minlength=width) for each in (weight * weight, weight * (guess == y)))
    kept = np.sort(np.argsort(-sizes, kind="stable")[:MOST_CLASSES]).tolist()
    recall: list[Share | None] = []
    for each in kept:
        if not sizes[each]:
            recall.append(None)
            continue
        share = min(float(hits[each] / sizes[each]), 1.0)
        low, high = wilson(share, float(sizes[each] ** 2 / squares[each]))
        recall.append(Share(value=share, low=low, high=high, rows=float(sizes[each])))
    pairs: list[list[float]] = []
    if width <= MOST_CONFUSED:
        counts = np.bincount(y * width + guess, weight, minlength=width * width).reshape(width, width)
        pairs = [plain(row) for row in counts]
    is_sure = not ((p != 0) & (p != 1)).any()
    shown = [1] if width == 2 else np.argsort(-sizes, kind="stable")[:CURVES].tolist()
    roc, precision = _curves(p, y, weight, shown, sizes, names)
    return replace(
        head,
        classes=[names[each] for each in kept],
        confusion=pairs,
        recall=recall,
        confused=_confused(y, guess, weight, names),
        roc=roc,
        precision_recall=precision,
        calibration=None if is_sure else _calibration(p.max(axis=1), p.argmax(axis=1) == y, weight),
        thresholds=_thresholds(p[:, 1].astype(np.float64), y == 1, weight) if width == 2 and not is_sure else [],
    )


def _confused(
    y: NDArray[np.int64], guess: NDArray[np.int64], weight: Floats, names: Sequence[str]
) -> list[tuple[str, str, float]]:
    """The pairs of classes that are confused most: the true one, what it is taken for, and the weight of such rows."""
    wrong = y != guess
    codes, which = np.unique(y[wrong] * len(names) + guess[wrong], return_inverse=True)
    sums = np.bincount(which, weight[wrong], minlength=len(codes))
    most = np.argsort(-sums, kind="stable")[:PAIRS]
    pairs = zip(codes[most].tolist(), plain(sums[most]), strict=True)
    return [(names[code // len(names)], names[code % len(names)], count) for code, count in pairs]


def _curves(
    p: np.ndarray, y: NDArray[np.int64], weight: Floats, shown: list[int], sizes: Floats, names: Sequence[str]
) -> tuple[list[Curve], list[Curve]]:
    """The lines of some classes, each against all others; of a class that all rows have, or none, there are none."""
    roc, precision, whole = [], [], sizes.sum()
    for each in shown:
        if 0 < sizes[each] < whole and (y != each).any():
            roc.append(roc_line(p[:, each], y == each, weight, names[each]))
            precision.append(precision_recall_line(p[:, each], y == each, weight, names[each]))
    return roc, precision


def _calibration(top: np.ndarray, right: NDArray[np.bool_], weight: Floats) -> Calibration:
    """How the highest probability agrees with the share of rows that are right, in the bins of the figure
    `calibration_error`, which the error is. Shapes: (row,)."""
    sure = top.astype(np.float64)
    place = np.clip(np.ceil(sure * BINS).astype(np.int64) - 1, 0, BINS - 1)
    sums = [np.bincount(place, each, BINS) for each in (weight, weight * sure, weight * right, weight * weight)]
    bins = []
    for size, predicted, hits, square in zip(*sums, strict=True):
        if size > 0:
            low, high = wilson(float(min(hits / size, 1.0)), float(size * size / square))
            own = {"predicted": float(predicted / size), "observed": float(hits / size)}
            bins.append(Bin(**own, low=low, high=high, rows=float(size)))
    gaps = np.bincount(place, weight * (right - sure), BINS)
    return Calibration(bins=bins, error=float(np.abs(gaps).sum() / weight.sum()))


def _thresholds(probability: Floats, positive: NDArray[np.bool_], weight: Floats) -> list[Threshold]:
    """What comes of deciding for the second class from 0, 0.01, ..., 1 on. Shapes: (row,)."""
    order = np.argsort(probability, kind="stable")
    cuts = np.linspace(0, 1, THRESHOLDS)
    first = np.searchsorted(probability[order], cuts, side="left")
    ours, others = (np.append(0, np.cumsum(np.where(positive == side, weight, 0)[order])) for side in (True, False))
    hits, false = ours[-1] - ours[first], others[-1] - others[first]
    found = []
    for cut, hit, wrong in zip(cuts.tolist(), hits.tolist(), false.tolist(), strict=True):
        told, either = hit + wrong, hit + wrong + ours[-1]
        recall, alarms, f1 = hit / (ours[-1] or 1), wrong / (others[-1] or 1), 2 * hit / (either or 1)
        accuracy = (hit + others[-1] - wrong) / (ours[-1] + others[-1])
        recall, alarms, accuracy, f1 = plain((recall, alarms, accuracy, f1))
        precision = plain((hit / told,))[0] if told > 0 else None
        own = {"recall": recall, "false_alarms": alarms, "accuracy": accuracy, "f1": f1}
        found.append(Threshold(threshold=round(cut, 2), precision=precision, **own))
    return found


def _of_numbers(head: Judgement, told: JudgedTarget, weight: Floats, seed: int) -> Judgement:
    """Shapes: weight (row,), above 0."""
    true, predicted = told.target.decode(told.y).reshape(-1), told.point
    residual = predicted - true
    some = np.arange(len(true))
    if len(true) > SAMPLE:
        some = np.sort(np.random.default_rng((seed, SAMPLE)).choice(len(true), SAMPLE, replace=False))
    low, high = np.quantile(residual, MIDDLE).tolist()
    inside = (residual >= low) & (residual <= high)
    counts, edges = np.histogram(residual[inside], RESIDUAL_BINS, weights=weight[inside])
    return replace(
        head,
        true=plain(true[some]),
        predicted=plain(predicted[some]),
        edges=plain(edges),
        counts=plain(counts),
        deciles=_deciles(true, residual, weight),
    )


def _deciles(true: Floats, residual: Floats, weight: Floats) -> list[Decile]:
    """Rows by their true number, about a tenth of the weight each; equal numbers stay together. Shapes: (row,)."""
    order = np.argsort(true, kind="stable")
    values, counts = true[order], weight[order]
    middle = (np.cumsum(counts) - counts / 2) / counts.sum()
    starts = np.flatnonzero(np.append(True, values[1:] != values[:-1]))  # of each run of equal numbers
    sizes = np.diff(np.append(starts, len(values)))
    of_run = np.clip((np.add.reduceat(middle, starts) / sizes * 10).astype(np.int64), 0, 9)
    tenth, found = np.repeat(of_run, sizes), []
    for each in np.unique(tenth).tolist():
        own = order[tenth == each]
        w = weight[own]
        sizes_off = np.abs(residual[own])
        low, high, mae, bias = plain((true[own].min(), true[own].max(), mean(sizes_off, w), mean(residual[own], w)))
        found.append(Decile(low=low, high=high, rows=len(own), mae=mae, bias=bias))
    return found
