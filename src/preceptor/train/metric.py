"""How good predictions are, each figure with a 95 % interval: how far other rows of the same kind may move it."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from preceptor.errors import DataError
from preceptor.train.choice import Metric
from preceptor.train.interval import (
    Floats,
    Z,
    effective,
    hanley_mcneil,
    mean,
    mean_interval,
    reach,
    root_mean_interval,
    share_interval,
    wilson,
)
from preceptor.train.threshold import decided
from preceptor.words import amounts_within

LEAST_PROBABILITY = float(np.finfo(np.float32).eps)  # bounds log_loss at 15.94 nats; scikit-learn's for float32
TOP = 5  # classes, of ImageNet's figure
BINS = 15  # of the highest probability: Guo et al. 2017, section 5
SUM_TOLERANCE = 0.01  # a bfloat16 probability is off by 2^-9 of itself, so a row's sum by less than 0.004


def log_of(probabilities: NDArray[Any]) -> NDArray[Any]:
    """The logarithm, bounded below. Differs: the dev loss of an ensemble (`MemberLoss.judge`) is hardly bounded, for in
    training it must tell bad from worse."""
    found: NDArray[Any] = np.log(np.maximum(probabilities, LEAST_PROBABILITY))
    return found


class Figure(float):
    """One measure of quality over some rows: a float that also knows its 95 % interval.

    Args:
        name: what is measured.
        value: over these rows.
        low, high: between these bounds lies, in 95 of 100 cases, the value over endlessly many rows of the same kind.
            The figures of fewer rows, such as those of a file that is evaluated, have an interval of their own.
            `high` is infinite where a single row says nothing about the scatter.
        rows: how many rows it was measured on.
    """

    __slots__ = ("high", "low", "name", "rows")
    name: str
    low: float
    high: float
    rows: int

    def __new__(cls, name: str, value: float, low: float, high: float, rows: int) -> "Figure":
        self = super().__new__(cls, value)
        self.name, self.low, self.high, self.rows = name, low, high, rows
        return self

    def __reduce__(self) -> tuple[type, tuple[str, float, float, float, int]]:  # or copies would be made without a name
        return Figure, (self.name, self.value, self.low, self.high, self.rows)

    @property
    def value(self) -> float:
        """The bare number."""
        return float(self)

    def __str__(self) -> str:
        shown = amounts_within(self.value, self.low, self.high)
        return f"{self.name} {shown(self.value)} ({shown(self.low)} to {shown(self.high)})"


def class_figures(
    probabilities: ArrayLike,
    labels: ArrayLike,
    classes: Sequence[object],
    weight: ArrayLike | None = None,
    ordered: bool = False,
    *,
    metric: Metric | None = None,
    threshold: float | Floats | None = None,
) -> dict[str, Figure]:
    """Judges predicted class probabilities.

    Shapes: probabilities (row, class); labels (row,), whole numbers that count the classes from 0; weight (row,).
    Formula:
        accuracy: share of rows whose most probable class (the first of equals) is the label; with a threshold, whose
            class is decided rightly by it.
        balanced_accuracy: the mean over the classes that occur of the share of their rows that are told rightly. Only
            where it is the metric.
        top5_error: share of rows whose label is not among the five most probable classes (of equals the first count as
            more probable). Only of more than five classes, and of probabilities: left out where all are 0 or 1, as the
            decisions of a margin are.
        log_loss: mean of -log(probability of the label), nats per row; probabilities below 1.2e-7 count as 1.2e-7.
        f1: 2 TP / (2 TP + FP + FN). Of two classes: that of class 1, 0 (between 0 and 1) where class 1 neither occurs
            nor is predicted. Of more: the mean over the classes that occur or are predicted.
        auc: share of the pairs of one row of the class and one row of another in which the first has the higher
            probability of the class; ties count half. Of two classes: that of class 1. Of more: the mean over the
            classes that occur. Left out where all rows are of one class.
        calibration_error: expected calibration error: sum over 15 bins of the highest probability, equally wide, each
            with its upper end, of (share of the rows in the bin) |accuracy there - mean highest probability there|. 0
            where of the rows predicted with 70 % as many are right. Of probabilities alone, as top5_error.
        class_distance: of ordered classes, mean of |number of the most probable class - number of the label|, in steps
            from one class to the next.
    Args:
        classes: the labels' names, one per column of `probabilities`; at least two.
        ordered: whether they stand from the lowest to the highest.
        weight: what each row counts in every share, mean and pair, as scikit-learn's `sample_weight`: numbers of at
            least 0, not all 0; a row of 0 is as if it were not there. 1 if left out.
        metric: its figure comes first.
        threshold: of two classes the probability from which on the second is decided for, one or (row,); without it the
            most probable class is.
    Returns: `accuracy`, perhaps `top5_error`, `log_loss, f1` and, as a rule, `auc` and `calibration_error`, in this
        order. Seconds for 1,000,000 rows on one core: about 0.3 for two classes, 2 for ten; all but the sorting for
        `auc`, once per class, is linear in the rows.
    Raises: DataError where there are no rows, where lengths differ, where a label is no class, where a weight is none,
        or where a row is not made of probabilities that sum to 1 (within 0.01, to leave room for bfloat16).
    Source:
        accuracy, top5_error: score interval, Wilson 1927. Of five: Krizhevsky et al. 2012, section 2.
        balanced_accuracy: the score intervals of the classes' shares, which are independent, joined by the squares of
            their halves (MOVER, Zou and Donner 2008).
        log_loss, class_distance: mean plus or minus Student's t times the standard error of the rows' losses.
        f1 of two classes: TP among TP + FP + FN is binomial, and F1 = 2 J / (1 + J) rises with that share J: its score
            interval (Wilson 1927), so transformed. Of more: delta method (Takahashi et al. 2022), applied on the logit
            so that it stays between 0 and 1, each class's part with its own n - 1. Where every row is right, or every
            row wrong, it would have no width: then the mean over the classes of the bounds for two, which is wider than
            needed.
        auc: variance of DeLong, DeLong and Clarke-Pearson 1988 (from ranks, Sun and Xu 2014), applied on the logit
            (Pepe 2003, section 5.2) so that it stays between 0 and 1. For the mean over classes each row's
            contributions to all of them are summed before squaring, which takes their correlation in. Where that
            variance is 0 (perfect separation) or a class has a single row: score interval on the variance of Hanley and
            McNeil 1982 (Newcombe 2006, method 5), for the mean over classes the mean of the bounds.
        With weights, means are ratios of two sums and have their variance (Cochran 1977, 2.11), DeLong's likewise; all
            else counts as many rows as tell as much: (sum of w)² / sum of w² (Kish 1965, 11.7).
        calibration_error: Guo, Pleiss, Sun and Weinberger 2017, equation 3. Delta method with the sign of each bin's
            gap held: Student's t times the standard error of sign * (right - probability). Noise in the bins makes it
            too large where it is small, by sqrt(2 / pi) times the sum of the gaps' standard errors at most (taken as if
            there were no gap), so the lower bound is that much lower. In simulations it covers 97 % and more.
    Differs: from scikit-learn: log_loss is cut at float32's epsilon also for float64; f1 is silent where it is
        undefined; auc skips classes that do not occur instead of refusing.
    """
    where = "class_figures"
    p, y = _checked_probabilities(where, probabilities, labels, classes)
    if isinstance(threshold, np.ndarray) and weight is not None:
        threshold = threshold[np.asarray(weight) > 0]
    p, y, w = _counting(where, p, y, weight)
    rows, width = p.shape
    guess, known = decided(p, threshold), effective(w)
    right = mean((guess == y).astype(np.float64), w)
    f1 = _f1(w * (y & guess), w * (y | guess)) if width == 2 else _macro_f1(y, guess, width, w)
    losses: Floats = -log_of(p[np.arange(rows), y].astype(np.float64))
    low, high = mean_interval(losses, w)
    ceiling = -math.log(LEAST_PROBABILITY)
    figures = [
        Figure("accuracy", right, *wilson(right, known), rows),
        Figure("log_loss", max(0.0, mean(losses, w)), max(0.0, low), min(ceiling, high), rows),
        Figure("f1", *f1, rows),
    ]
    is_sure = not ((p != 0) & (p != 1)).any()
    if width > TOP and not is_sure:
        missed = mean(_missed(p, y).astype(np.float64), w)
        figures.insert(1, Figure("top5_error", missed, *wilson(missed, known), rows))
    if (y != y[0]).any():
        figures.append(Figure("auc", *_auc(p, y, w), rows))
    if not is_sure:
        figures.append(Figure("calibration_error", *_calibration_error(p.max(axis=1), p.argmax(axis=1) == y, w), rows))
    if ordered:
        steps = np.abs(guess - y).astype(np.float64)
        low, high = mean_interval(steps, w)
        ends = max(0.0, low), min(width - 1.0, high)
        figures.append(Figure("class_distance", mean(steps, w), *ends, rows))
    if metric is not None and metric.figure == "balanced_accuracy":
        figures.append(Figure("balanced_accuracy", *_balanced_accuracy(y, guess == y, width, w), rows))
    return _with_first(figures, metric)


def _with_first(figures: list[Figure], metric: Metric | None) -> dict[str, Figure]:
    """Figures by name, that of the metric before the others."""
    first = sorted(figures, key=lambda figure: metric is not None and figure.name != metric.figure)
    return {figure.name: figure for figure in first}


def _balanced_accuracy(
    y: NDArray[np.int64], right: NDArray[np.bool_], classes: int, w: Floats
) -> tuple[float, float, float]:
    sums = [np.bincount(y, weights=each, minlength=classes) for each in (w * right, w, w * w)]
    hits, sizes, squares = (each[sums[1] > 0] for each in sums)
    shares = hits / sizes
    bounds = [wilson(*each) for each in zip(shares.tolist(), (sizes**2 / squares).tolist(), strict=True)]
    low, high = (np.sqrt(np.sum((np.array(each) - shares) ** 2)) / len(shares) for each in zip(*bounds, strict=True))
    value = float(shares.mean())
    return value, value - float(low), value + float(high)


def _calibration_error(top: NDArray[np.floating], right: NDArray[np.bool_], w: Floats) -> tuple[float, float, float]:
    bins = np.clip(np.ceil(top.astype(np.float64) * BINS).astype(np.int64) - 1, 0, BINS - 1)
    gaps: Floats = right - top.astype(np.float64)
    sums, squares = np.bincount(bins, w * gaps, BINS), np.bincount(bins, (w * gaps) ** 2, BINS)
    value, errors = (float(each.sum()) / float(w.sum()) for each in (np.abs(sums), np.sqrt(squares)))
    wide = reach(np.sign(sums)[bins] * gaps, w)
    return value, max(0.0, value - wide - math.sqrt(2 / math.pi) * errors), min(1.0, value + wide)


def _missed(p: NDArray[np.floating], y: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether a row's label is not among the TOP most probable classes. Shapes: -> (row,)."""
    own = p[np.arange(len(y)), y][:, None]
    before: NDArray[np.int64] = (p > own).sum(1) + ((p == own) & (np.arange(p.shape[1]) < y[:, None])).sum(1)
    return before >= TOP


def number_figures(
    predictions: ArrayLike, targets: ArrayLike, weight: ArrayLike | None = None, *, metric: Metric | None = None
) -> dict[str, Figure]:
    """Judges predicted numbers.

    Shapes: predictions (row,) or (row, 1); targets likewise; weight (row,).
    Formula: with the errors e = prediction - target, means being weighted,
        rmse: sqrt(mean(e²)), in units of the target.
        mae: mean(|e|), in units of the target.
        r2: 1 - mean(e²) / mean((target - mean target)²), no unit: the share of the targets' variance that is explained;
            below 0 where their mean predicts better. Left out where all targets are equal.
        rmsle: sqrt(mean((log(1 + prediction) - log(1 + target))²)), no unit; predictions below 0 count as 0. Only where
            it is the metric; left out where a target is below 0 (by more than a millionth of the largest).
    Args:
        weight, metric: as of `class_figures`.
    Returns: `rmse, mae` and, as a rule, `r2`, in this order. About 0.1 seconds for 1,000,000 rows on one core.
    Raises: DataError where there are no rows, where lengths differ, or where a number or a weight is none.
    Source: delta method (van der Vaart 1998, chapter 3) with Student's t, no assumption about the errors' distribution.
        rmse, rmsle: on log mean(e²), from the standard error of the e². With one row: from 0 to infinity.
        mae: mean plus or minus t times the standard error of the |e|. With one row: from 0 to infinity.
        r2: on log(1 - r2), the logarithm of the ratio of two means over the same rows. In simulations it covers as
            often as resampling the rows does: 93 % and more for normal targets and errors, but only 81 to 90 % for
            log-normal targets on 20 to 200 rows, where few rows make most of the variance.
    """
    where = "number_figures"
    predicted, target = _checked_column(where, "predictions", predictions), _checked_column(where, "targets", targets)
    _check_lengths(where, "predictions", len(predicted), "targets", len(target))
    predicted, target, w = _counting(where, predicted, target, weight)
    rows = len(target)
    errors = predicted - target
    squares, sizes = errors * errors, np.abs(errors)
    mean_square = mean(squares, w)
    low, high = mean_interval(sizes, w)
    figures = [
        Figure("rmse", math.sqrt(mean_square), *root_mean_interval(squares, w), rows),
        Figure("mae", mean(sizes, w), max(0.0, low), high, rows),
    ]
    deviations = (target - mean(target, w)) ** 2
    variance = mean(deviations, w)
    if variance > 0 and (target != target[0]).any():  # the mean of equal numbers may be off by a rounding
        missed = mean_square / variance
        factor = math.exp(reach(squares / (mean_square or 1) - deviations / variance, w))
        figures.append(Figure("r2", 1 - missed, 1 - missed * factor, 1 - missed / factor, rows))
    if metric is not None and metric.figure == "rmsle" and has_logarithm(target):
        squares = (np.log1p(np.maximum(predicted, 0)) - np.log1p(np.maximum(target, 0))) ** 2
        value = math.sqrt(mean(squares, w))
        figures.append(Figure("rmsle", value, *root_mean_interval(squares, w), rows))
    return _with_first(figures, metric)


def has_logarithm(targets: Floats) -> bool:
    """Whether numbers are none below 0, but for what rounding leaves of a 0."""
    return bool(targets.min() >= -1e-6 * np.abs(targets).max())


def quantile_figures(
    predictions: ArrayLike, targets: ArrayLike, quantiles: Sequence[float], weight: ArrayLike | None = None
) -> dict[str, Figure]:
    """Judges predicted quantiles.

    Shapes: predictions (row, quantile); targets (row,) or (row, 1); weight (row,).
    Formula: with the distance d = target - prediction, means being weighted,
        pinball_loss: mean over rows and quantiles of max(t d, (t - 1) d), in units of the target; of the median alone
            half the mean absolute error.
        below_T, for each quantile T: share of the rows whose target is below the prediction or at it; T where the
            quantile is right.
    Args:
        quantiles: which they are: shares, one for each column.
        weight: as of `class_figures`.
    Raises: DataError as `number_figures`, and where there is not a column for each quantile.
    Source: Koenker and Bassett 1978. pinball_loss: mean plus or minus Student's t times the standard error of the rows'
        losses; below_T: score interval, Wilson 1927.
    """
    where = "quantile_figures"
    predicted, target = _as_numbers(where, "predictions", predictions), _checked_column(where, "targets", targets)
    if predicted.ndim != 2 or predicted.shape[1] != len(quantiles):
        raise DataError(
            f"{where}: predictions have shape {predicted.shape}; (row, {len(quantiles)}) is required, a column for "
            "each quantile. Give all of them."
        )
    _check_finite(where, "predictions", predicted)
    _check_lengths(where, "rows of predictions", len(predicted), "targets", len(target))
    predicted, target, w = _counting(where, predicted, target, weight)
    rows, known = len(target), effective(w)
    distance: Floats = target[:, None] - predicted.astype(np.float64)
    share = np.array(quantiles, np.float64)
    losses: Floats = np.maximum(share * distance, (share - 1) * distance).mean(axis=1)
    low, high = mean_interval(losses, w)
    found = {"pinball_loss": Figure("pinball_loss", mean(losses, w), max(0.0, low), high, rows)}
    for number, each in enumerate(quantiles):
        below = mean((distance[:, number] <= 0).astype(np.float64), w)
        found[f"below_{each:g}"] = Figure(f"below_{each:g}", below, *wilson(below, known), rows)
    return found


def _checked_probabilities(
    where: str, probabilities: ArrayLike, labels: ArrayLike, classes: Sequence[object]
) -> tuple[NDArray[np.floating], NDArray[np.int64]]:
    p, y = _as_numbers(where, "probabilities", probabilities), np.asarray(labels)
    if len(classes) < 2:
        raise DataError(f"{where}: {len(classes)} classes; two or more are required. Check the target column.")
    if p.ndim != 2 or p.shape[1] != len(classes):
        raise DataError(
            f"{where}: probabilities have shape {p.shape}; (row, {len(classes)}) is required, a column for each class. "
            "Give the probability of every class, also of two."
        )
    if y.ndim != 1 or (y.size and y.dtype.kind not in "iu"):
        raise DataError(
            f"{where}: labels have shape {y.shape} and dtype {y.dtype}; whole numbers of shape (row,) are required. "
            "Encode the classes as 0, 1, 2 and so on."
        )
    _check_lengths(where, "rows of probabilities", len(p), "labels", len(y))
    outside = np.count_nonzero((y < 0) | (y >= len(classes)))
    if outside:
        raise DataError(
            f"{where}: {outside:,} of {len(y):,} labels lie outside, from {y.min()} to {y.max()}; 0 to "
            f"{len(classes) - 1} is required with {len(classes)} classes. Encode them with the classes of the training."
        )
    _check_finite(where, "probabilities", p)
    wrong = np.count_nonzero((p < 0).any(axis=1) | (np.abs(p.sum(axis=1, dtype=np.float64) - 1) > SUM_TOLERANCE))
    if wrong:
        raise DataError(
            f"{where}: {wrong:,} of {len(p):,} rows are no probabilities; numbers of at least 0 that sum to 1 are "
            "required. Apply the softmax to logits first."
        )
    return p, y.astype(np.int64)


def _checked_column(where: str, name: str, values: ArrayLike) -> Floats:
    column = _as_numbers(where, name, values)
    if column.ndim == 2 and column.shape[1] == 1:
        column = column[:, 0]
    if column.ndim != 1:
        raise DataError(
            f"{where}: {name} have shape {column.shape}; (row,) or (row, 1) is required. Judge one target at a time."
        )
    _check_finite(where, name, column)
    return column.astype(np.float64)


def _counting(where: str, found: Any, truth: Any, weight: ArrayLike | None) -> tuple[Any, Any, Floats]:
    """Predictions and truth of the rows that count, and their weights, with a mean of 1. Shapes: (row, ...)."""
    if weight is None:
        return found, truth, np.ones(len(truth))
    w = _checked_column(where, "weights", weight)
    _check_lengths(where, "weights", len(w), "rows", len(truth))
    if (w < 0).any() or not w.any():
        what = f"{np.count_nonzero(w < 0):,} of {len(w):,} weights are below 0" if w.any() else "all weights are 0"
        raise DataError(f"{where}: {what}; numbers of at least 0, not all 0, are required. Mend the weights.")
    counts = w > 0
    kept = w[counts] / w.max()
    return found[counts], truth[counts], kept / kept.mean()


def _as_numbers(where: str, name: str, values: ArrayLike) -> NDArray[np.floating]:
    array = np.asarray(values)
    if array.dtype in (np.float32, np.float64):
        return array
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError):
        raise DataError(
            f"{where}: {name} are of dtype {array.dtype}; numbers are required. Leave out or encode what is no number."
        ) from None


def _check_lengths(where: str, first: str, ours: int, second: str, theirs: int) -> None:
    if ours != theirs:
        raise DataError(
            f"{where}: {ours:,} {first} and {theirs:,} {second}; equally many are required. Take both from "
            "the same rows."
        )
    if ours == 0:
        raise DataError(f"{where}: no rows; at least one is required. Check the file, or make that part larger.")


def _check_finite(where: str, name: str, values: NDArray[np.floating]) -> None:
    bad = values.size - np.count_nonzero(np.isfinite(values))
    if bad:
        raise DataError(
            f"{where}: {bad:,} of {values.size:,} {name} are NaN or infinite; finite numbers are required. Look for "
            "missing values in the data, or lower the learning rate if the training diverged."
        )


def _f1(hits: Floats, either: Floats) -> tuple[float, float, float]:
    """Of one class: from the weights of the rows that are, and are predicted, of it, and of those that are or are
    predicted; 0 of all others. Shapes: (row,)."""
    total = float(either.sum())
    return _f1_of(float(hits.sum()) / total, effective(either)) if total else (0.0, 0.0, 1.0)


def _f1_of(jaccard: float, rows: float) -> tuple[float, float, float]:
    value, low, high = (2 * share / (1 + share) for share in (jaccard, *wilson(jaccard, rows)))
    return value, low, high


def _macro_f1(y: NDArray[np.int64], guess: NDArray[np.int64], classes: int, w: Floats) -> tuple[float, float, float]:
    right = y == guess

    def of_each_class(weight: Floats) -> tuple[Floats, Floats]:
        """Of the rows that are, and are predicted, of a class; of those that are, and those that are predicted."""
        hits = np.bincount(y, weights=weight * right, minlength=classes)
        both = np.bincount(np.concatenate([y, guess]), weights=np.tile(weight, 2), minlength=classes)
        return hits.astype(np.float64), both.astype(np.float64)

    (hits, sizes), (hits_squared, sizes_squared) = of_each_class(w), of_each_class(w * w)
    occur = np.flatnonzero(sizes)
    scores = 2 * hits / np.where(sizes, sizes, 1)
    value = float(scores[occur].mean())
    if right.all() or not right.any():
        known = (sizes - hits)[occur] ** 2 / (sizes_squared - hits_squared)[occur]
        bounds = np.array([_f1_of(float(right.all()), rows)[1:] for rows in known.tolist()])
        low, high = bounds.mean(axis=0).tolist()
        return value, low, high
    # The derivative of the mean by a row's weight: through its own class and through the one it was taken for. A class
    # of so many rows and predictions counts as k = size / 2 rows: its variance, as any, takes the factor k / (k - 1).
    known = sizes**2 / np.where(sizes, sizes_squared, 1)
    share = len(y) / len(occur) / np.where(sizes, sizes, 1) * np.sqrt(known / np.maximum(known - 2, 1))
    influence = 2 * right * share[y] - (scores * share)[y] - (scores * share)[guess]
    return value, *share_interval(value, reach(influence, w))


def _auc(p: NDArray[np.floating], y: NDArray[np.int64], w: Floats) -> tuple[float, float, float]:
    """Of class 1 of two, else the mean over the classes that occur, of which there must be two or more."""
    rows, width = p.shape
    judged = [1] if width == 2 else np.unique(y).tolist()
    influence = np.zeros(rows)  # how far each row moves the mean: its variance is the sum of their squares
    areas, known = [], []
    for label in judged:
        positive = y == label
        area, placement = _placements(p[:, label], positive, w)
        areas.append(area)
        known.append((effective(w[positive]), effective(w[~positive])))
        for side, count in zip((positive, ~positive), known[-1], strict=True):
            own = w[side] / w[side].sum() * math.sqrt(count / max(count - 1, 1e-9))
            influence[side] += own * (placement[side] - area) / len(judged)
    value = float(np.mean(areas))
    error = math.sqrt(float(influence @ influence))
    if error < 1e-12 or min(map(min, known)) - 1 < 1e-9:
        bounds = [hanley_mcneil(area, *counts) for area, counts in zip(areas, known, strict=True)]
        low, high = np.mean(bounds, axis=0)
        return value, float(low), float(high)
    return value, *share_interval(value, Z * error)


def _placements(score: NDArray[np.floating], positive: NDArray[np.bool_], w: Floats) -> tuple[float, Floats]:
    """The area, and for each row the share of the other side's rows that it is ordered rightly against."""
    order = np.argsort(score)
    sorted_score = score[order]
    starts = np.flatnonzero(np.concatenate([[True], sorted_score[1:] != sorted_score[:-1]]))  # of each run of ties
    size = np.diff(np.append(starts, len(score)))
    hits, misses = (np.add.reduceat(np.where(positive == side, w, 0)[order], starts) for side in (True, False))
    ours, others = float(hits.sum()), float(misses.sum())
    below = (np.cumsum(misses) - misses / 2) / others
    above = (ours - np.cumsum(hits) + hits / 2) / ours
    placement = np.empty(len(score))
    placement[order] = np.where(positive[order], np.repeat(below, size), np.repeat(above, size))
    return min(float(hits @ below) / ours, 1.0), placement  # weights may sum to a last digit more
