"""How good predictions are, each figure with a 95 % interval: how far other rows of the same kind may move it."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from preceptor.errors import DataError
from preceptor.words import amounts_within

Floats = NDArray[np.float64]
Interval = tuple[float, float]

Z = 1.959963984540054  # the normal distribution's 97.5 % point: 95 % lies between -Z and Z
LEAST_PROBABILITY = float(np.finfo(np.float32).eps)  # bounds log_loss at 15.94 nats; scikit-learn's for float32
TOP = 5  # classes, of ImageNet's figure
SUM_TOLERANCE = 0.01  # a bfloat16 probability is off by 2^-9 of itself, so a row's sum by less than 0.004


class Figure(float):
    """One measure of quality over some rows: a float that also knows its 95 % interval.

    Args:
        name: what is measured.
        value: over these rows.
        low, high: between these bounds lies, in 95 of 100 cases, the value over endlessly many rows of the same kind.
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


def class_figures(probabilities: ArrayLike, labels: ArrayLike, classes: Sequence[object]) -> dict[str, Figure]:
    """Judges predicted class probabilities.

    Shapes: probabilities (row, class); labels (row,), whole numbers that count the classes from 0.
    Formula:
        accuracy: share of rows whose most probable class (the first of equals) is the label.
        top5_error: share of rows whose label is not among the five most probable classes (of equals the first count as
            more probable). Only of more than five classes, and of probabilities: left out where all are 0 or 1, as the
            decisions of a margin are.
        log_loss: mean of -log(probability of the label), nats per row; probabilities below 1.2e-7 count as 1.2e-7.
        f1: 2 TP / (2 TP + FP + FN). Of two classes: that of class 1, 0 (between 0 and 1) where class 1 neither occurs
            nor is predicted. Of more: the mean over the classes that occur or are predicted.
        auc: share of the pairs of one row of the class and one row of another in which the first has the higher
            probability of the class; ties count half. Of two classes: that of class 1. Of more: the mean over the
            classes that occur. Left out where all rows are of one class.
    Args:
        classes: the labels' names, one per column of `probabilities`; at least two.
    Returns: `accuracy`, perhaps `top5_error`, `log_loss, f1` and, as a rule, `auc`, in this order. Seconds for
        1,000,000 rows on one core: about 0.3 for two classes, 2 for ten; all but the sorting for `auc`, once per class,
        is linear in the rows.
    Raises: DataError where there are no rows, where lengths differ, where a label is no class, or where a row is not
        made of probabilities that sum to 1 (within 0.01, to leave room for bfloat16).
    Source:
        accuracy, top5_error: score interval, Wilson 1927. Of five: Krizhevsky et al. 2012, section 2.
        log_loss: mean plus or minus Student's t times the standard error of the rows' losses.
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
    Differs: from scikit-learn: log_loss is cut at float32's epsilon also for float64; f1 is silent where it is
        undefined; auc skips classes that do not occur instead of refusing.
    """
    where = "class_figures"
    p, y = _checked_probabilities(where, probabilities, labels, classes)
    rows, width = p.shape
    guess = p.argmax(axis=1)
    right = int(np.count_nonzero(guess == y))

    if width == 2:
        f1 = _f1(int(np.count_nonzero(y & guess)), int(np.count_nonzero(y | guess)))
    else:
        f1 = _macro_f1(y, guess, width)
    losses = -np.log(np.maximum(p[np.arange(rows), y].astype(np.float64), LEAST_PROBABILITY))
    low, high = _mean_interval(losses)
    ceiling = -math.log(LEAST_PROBABILITY)
    figures = [
        Figure("accuracy", right / rows, *_wilson(right, rows), rows),
        Figure("log_loss", max(0.0, float(losses.mean())), max(0.0, low), min(ceiling, high), rows),
        Figure("f1", *f1, rows),
    ]
    if width > TOP and ((p != 0) & (p != 1)).any():
        missed = _missed(p, y)
        figures.insert(1, Figure("top5_error", missed / rows, *_wilson(missed, rows), rows))
    if (y != y[0]).any():
        figures.append(Figure("auc", *_auc(p, y), rows))
    return {figure.name: figure for figure in figures}


def _missed(p: NDArray[np.floating], y: NDArray[np.int64]) -> int:
    """How many labels are not among the TOP most probable classes."""
    own = p[np.arange(len(y)), y][:, None]
    before = (p > own).sum(1) + ((p == own) & (np.arange(p.shape[1]) < y[:, None])).sum(1)
    return int(np.count_nonzero(before >= TOP))


def number_figures(predictions: ArrayLike, targets: ArrayLike) -> dict[str, Figure]:
    """Judges predicted numbers.

    Shapes: predictions (row,) or (row, 1); targets likewise.
    Formula: with the errors e = prediction - target,
        rmse: sqrt(mean(e²)), in units of the target.
        mae: mean(|e|), in units of the target.
        r2: 1 - sum(e²) / sum((target - mean target)²), no unit: the share of the targets' variance that is explained;
            below 0 where their mean predicts better. Left out where all targets are equal.
    Returns: `rmse, mae` and, as a rule, `r2`, in this order. About 0.1 seconds for 1,000,000 rows on one core.
    Raises: DataError where there are no rows, where lengths differ, or where a number is missing or infinite.
    Source: delta method (van der Vaart 1998, chapter 3) with Student's t, no assumption about the errors' distribution.
        rmse: on log mean(e²), from the standard error of the e². With one row: from 0 to infinity.
        mae: mean plus or minus t times the standard error of the |e|. With one row: from 0 to infinity.
        r2: on log(1 - r2), the logarithm of the ratio of two means over the same rows. In simulations it covers as
            often as resampling the rows does: 93 % and more for normal targets and errors, but only 81 to 90 % for
            log-normal targets on 20 to 200 rows, where few rows make most of the variance.
    """
    where = "number_figures"
    predicted, target = _checked_column(where, "predictions", predictions), _checked_column(where, "targets", targets)
    _check_lengths(where, "predictions", len(predicted), "targets", len(target))
    rows = len(target)
    errors = predicted - target
    squares, sizes = errors * errors, np.abs(errors)
    mean_square = float(squares.mean())
    low, high = _mean_interval(sizes)
    figures = [
        Figure("rmse", math.sqrt(mean_square), *_root_mean_interval(squares), rows),
        Figure("mae", float(sizes.mean()), max(0.0, low), high, rows),
    ]
    deviations = (target - target.mean()) ** 2
    variance = float(deviations.mean())
    if variance > 0 and (target != target[0]).any():  # the mean of equal numbers may be off by a rounding
        missed = mean_square / variance
        factor = math.exp(_reach(squares / (mean_square or 1) - deviations / variance))
        figures.append(Figure("r2", 1 - missed, 1 - missed * factor, 1 - missed / factor, rows))
    return {figure.name: figure for figure in figures}


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


def _student(freedom: int) -> float:
    """The 97.5 % point of Student's t: Abramowitz and Stegun 26.7.5, from 3 degrees of freedom on within 0.3 %."""
    if freedom < 3:
        return (math.inf, 12.706204736, 4.302652730)[freedom]
    z, n = Z, float(freedom)
    return (
        z
        + (z**3 + z) / (4 * n)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * n**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * n**3)
        + (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / (92160 * n**4)
    )


def _reach(values: Floats) -> float:
    """Half the width of the interval of their mean: Student's t times its standard error."""
    rows = len(values)
    return math.inf if rows == 1 else _student(rows - 1) * float(values.std(ddof=1)) / math.sqrt(rows)


def _mean_interval(values: Floats) -> Interval:
    mean, reach = float(values.mean()), _reach(values)
    return mean - reach, mean + reach


def _root_mean_interval(squares: Floats) -> Interval:
    if len(squares) == 1:
        return 0.0, math.inf
    mean = float(squares.mean())
    if mean == 0:
        return 0.0, 0.0
    factor = math.exp(_reach(squares / mean))
    return math.sqrt(mean / factor), math.sqrt(mean * factor)


def _share_interval(share: float, reach: float) -> Interval:
    """On the logit: `reach` is in units of the share, which lies between 0 and 1."""
    slope = share * (1 - share)
    centre = math.log(share / (1 - share))
    return _logistic(centre - reach / slope), _logistic(centre + reach / slope)


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > 0 else (e := math.exp(max(x, -700.0))) / (1 + e)


def _wilson(hits: float, rows: float) -> Interval:
    share, spread = hits / rows, Z * Z / rows
    centre = (share + spread / 2) / (1 + spread)
    reach = math.sqrt(spread * share * (1 - share) + spread * spread / 4) / (1 + spread)
    low = 0.0 if hits == 0 else max(0.0, centre - reach)  # exact at both ends, where rounding leaves 1e-17
    return low, 1.0 if hits == rows else min(1.0, centre + reach)


def _f1(hits: int, either: int) -> tuple[float, float, float]:
    """Of one class: from how many rows are, and are predicted, of it, and how many are or are predicted."""
    if either == 0:
        return 0.0, 0.0, 1.0
    value, low, high = (2 * share / (1 + share) for share in (hits / either, *_wilson(hits, either)))
    return value, low, high


def _macro_f1(y: NDArray[np.int64], guess: NDArray[np.int64], classes: int) -> tuple[float, float, float]:
    right = y == guess
    hits = np.bincount(y[right], minlength=classes)
    sizes = np.bincount(y, minlength=classes) + np.bincount(guess, minlength=classes)
    occur = np.flatnonzero(sizes)
    scores = 2 * hits / np.maximum(sizes, 1)
    mean = float(scores[occur].mean())
    if right.all() or not right.any():
        bounds = np.array([_f1(int(hits[label]), int(sizes[label] - hits[label]))[1:] for label in occur])
        low, high = bounds.mean(axis=0).tolist()
        return mean, low, high
    # The derivative of the mean by a row's weight: through its own class and through the one it was taken for. A class
    # of so many rows and predictions counts as k = size / 2 rows: its variance, as any, takes the factor k / (k - 1).
    weight = len(y) / len(occur) / np.maximum(sizes, 1) * np.sqrt(sizes / np.maximum(sizes - 2, 1))
    influence = 2 * right * weight[y] - (scores * weight)[y] - (scores * weight)[guess]
    return mean, *_share_interval(mean, _reach(influence))


def _auc(p: NDArray[np.floating], y: NDArray[np.int64]) -> tuple[float, float, float]:
    """Of class 1 of two, else the mean over the classes that occur, of which there must be two or more."""
    rows, width = p.shape
    sizes = np.bincount(y, minlength=width)
    judged = [1] if width == 2 else np.flatnonzero(sizes).tolist()
    influence = np.zeros(rows)  # how far each row moves the mean: its variance is the sum of their squares
    areas, estimable = [], True
    for label in judged:
        positive, ours = y == label, int(sizes[label])
        others = rows - ours
        area, placement = _placements(p[:, label], positive, ours, others)
        areas.append(area)
        estimable = estimable and min(ours, others) > 1
        for side, size in ((positive, ours), (~positive, others)):
            influence[side] += (placement[side] - area) / math.sqrt(size * max(size - 1, 1)) / len(judged)
    mean = float(np.mean(areas))
    error = math.sqrt(float(influence @ influence))
    if error < 1e-12 or not estimable:
        bounds = [
            _hanley_mcneil(area, int(sizes[label]), rows - int(sizes[label]))
            for area, label in zip(areas, judged, strict=True)
        ]
        low, high = np.mean(bounds, axis=0)
        return mean, float(low), float(high)
    return mean, *_share_interval(mean, Z * error)


def _placements(
    score: NDArray[np.floating], positive: NDArray[np.bool_], ours: int, others: int
) -> tuple[float, Floats]:
    """The area, and for each row the share of the other side's rows that it is ordered rightly against."""
    order = np.argsort(score)
    sorted_score = score[order]
    starts = np.flatnonzero(np.concatenate([[True], sorted_score[1:] != sorted_score[:-1]]))  # of each run of ties
    size = np.diff(np.append(starts, len(score)))
    hits = np.add.reduceat(positive[order].astype(np.int64), starts)
    misses = size - hits
    below = (np.cumsum(misses) - misses / 2) / others
    above = (ours - np.cumsum(hits) + hits / 2) / ours
    placement = np.empty(len(score))
    placement[order] = np.where(positive[order], np.repeat(below, size), np.repeat(above, size))
    return float(hits @ below) / ours, placement


def _hanley_mcneil(area: float, ours: int, others: int) -> Interval:
    """Where |area - a| = Z * error(a), found by halving: Newcombe 2006, method 5."""
    if area < 0.5:
        low, high = _hanley_mcneil(1 - area, ours, others)
        return 1 - high, 1 - low
    extra = (ours + others) / 2 - 1

    def inside(a: float) -> bool:
        variance = a * (1 - a) * (1 + extra * (1 - a) / (2 - a) + extra * a / (1 + a)) / (ours * others)
        return abs(area - a) <= Z * math.sqrt(variance)

    bounds = []
    for far in (0.0, 1.0):
        near = area
        for _ in range(60):
            middle = (near + far) / 2
            near, far = (middle, far) if inside(middle) else (near, middle)
        bounds.append(far)
    return bounds[0], bounds[1]
