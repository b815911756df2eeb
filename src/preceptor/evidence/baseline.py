"""What simple guesses come to on the rows that judge: always the same, and a linear model of the same features."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from preceptor import ops
from preceptor.data import Preprocessor
from preceptor.data.encoding.target import Target
from preceptor.evidence.judges import JudgedTarget, Judges, taken
from preceptor.evidence.linear import logistic, ridge
from preceptor.evidence.record import Baseline
from preceptor.nn.member import quantiles_of
from preceptor.train.choice import Metric
from preceptor.train.folds import Folds
from preceptor.train.metric import class_figures, log_of, number_figures, quantile_figures
from preceptor.train.threshold import best_threshold
from preceptor.train.training import Arrays, Streamed

__all__ = ["NAIVE_CLASS", "NAIVE_NUMBER", "Taught", "baselines", "compact", "taught_rows"]

NAIVE_CLASS, NAIVE_NUMBER, LINEAR = "the most frequent class", "the mean of the training rows", "a linear model"
NAIVE_QUANTILES = "the quantiles of the training rows"

LEARNED = 4_000  # training rows, at most; a linear model of a hundred features hardly gains by more
FEWEST = 500  # however wide they are
WORK = 6e7  # multiplications of a step of the linear model of classes: about 2 ms; there are some 30 steps
MOST_FEATURES = 512
SIDE = 16  # of pictures, averaged down; less where they have channels
MOST_NUMBERS = 1 << 26  # of pictures that are judged, before they are averaged down
TOP_LEVELS = 30  # of a column of numbered levels that get a feature
PENALTY = 0.001  # of the squared weights of standardised features; the best of powers of 10 on small tables
PENALTIES = (0.001, 0.01, 0.1, 1.0, 10.0)  # one of these where there are so many features:
ROWS_PER_FEATURE, LEFT_OUT = 10, 4  # fewer rows than that for each; chosen by every fourth row


@dataclass(frozen=True, eq=False)
class Taught:
    """Training rows that simple guesses learn from.

    Shapes: x (row, ...); y as a network learns it; fold, weight (row,).
    Args:
        fold: of each row, where there are folds.
        weight: what each counts; None where each counts 1.
    """

    x: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None = None
    fold: NDArray[np.int64] | None = None


def taught_rows(data: Arrays | Streamed, seed: int, width: int) -> Taught:
    """The training rows that are learned from, drawn by the seed.

    Args: width: features times outputs of a linear model; of more there are fewer rows.
    """
    trainings = data.folds.count if data.folds is not None else 1
    count = int(np.clip(WORK / max(width * trainings, 1), FEWEST, LEARNED))
    count = min(count, data.rows)
    if isinstance(data, Streamed):
        if data.seen_x is not None and data.seen_y is not None:
            rows = _drawn(len(data.seen_y), min(count, len(data.seen_y)), seed)
            return Taught(taken(data.seen_x, rows), np.asarray(data.seen_y)[rows])
        found = data.stream.fetch(0, count)
        return Taught(found["x"], found["y"], found.get("weight"))
    rows = _drawn(data.rows, count, seed)
    fold = None if data.folds is None else data.folds.fold[rows].astype(np.int64)
    return Taught(data.x[rows], data.y[rows], None if data.weight is None else data.weight[rows], fold)


def _drawn(rows: int, count: int, seed: int) -> np.ndarray:
    if count >= rows:
        return np.arange(rows)
    return np.sort(np.random.default_rng((seed, LEARNED)).choice(rows, count, replace=False))


def baselines(
    judges: Judges, data: Arrays | Streamed, preprocessor: Any, seed: int, metric: Metric | None = None
) -> list[list[Baseline]]:
    """What simple guesses come to on the rows that judge, for each target: figures as those of the run.

    The naive one gives each row the same: the most frequent class, with the classes' shares among the training rows as
    probabilities; or their mean; or their quantiles. The linear one is logistic regression, or ridge regression, of
    at most LEARNED training rows, of whose features in the case of pictures only means of their parts are left. Out of
    fold both learn from the other folds.

    Args: metric: of the run, whose figure comes first.
    """
    outputs = sum(len(each.target.classes or (0,)) for each in judges.targets)
    x, places = judges.x, np.arange(len(judges))
    numbers = max(1, int(np.prod(x.shape[1:])))
    if len(x.shape) > 2 and len(x) * numbers > MOST_NUMBERS:
        places = _drawn(len(x), max(1, MOST_NUMBERS // numbers), seed)
    shape = compact(taken(x, np.arange(1))).shape[1] if len(x.shape) > 2 else min(numbers, MOST_FEATURES)
    taught = taught_rows(data, seed, shape * outputs)
    learned, asked = _prepared(taught.x, _pieces(x, places), preprocessor, seed)
    fold = None if judges.predict.fold is None else judges.predict.fold[places]
    judged = judges if len(places) == len(judges) else judges.some(places)
    found = []
    for place, each in enumerate(judged.targets):
        y = taught.y if len(judged.targets) == 1 else taught.y[:, place]
        own = _Guesses(each, y, taught, fold, judges.predict.folds, judged.weight, metric)
        found.append([own.naive(), own.linear(learned, asked)])
    return found


def compact(x: np.ndarray) -> np.ndarray:
    """Rows for a linear model: pictures averaged down to SIDE by SIDE at most, or to MOST_FEATURES numbers.

    Shapes: (row, height, width, channel) or (row, feature) -> (row, feature), float32.
    """
    if x.ndim == 4:
        side = min(SIDE, max(1, math.isqrt(MOST_FEATURES // x.shape[3])))
        for axis in (1, 2):
            edges = np.linspace(0, x.shape[axis], min(side, x.shape[axis]) + 1).astype(np.int64)
            sizes = np.diff(edges).astype(np.float32)
            shape = [1, 1, 1, 1]
            shape[axis] = len(sizes)
            x = np.add.reduceat(x, edges[:-1], axis=axis) / sizes.reshape(shape)
    return np.asarray(x.reshape(len(x), -1), np.float32)


def _pieces(x: Any, places: np.ndarray) -> np.ndarray:
    """The rows that judge, made compact piece by piece. Shapes: -> (row, feature)."""
    if isinstance(x, np.ndarray) and x.ndim == 2 and len(places) == len(x):
        return np.asarray(x, np.float32)
    if len(places) < len(x):
        return np.concatenate([compact(taken(x, rows)) for rows in np.array_split(places, -(-len(places) // 256))])
    return np.concatenate([compact(x[start : start + 256]) for start in range(0, len(x), 256)])


def _prepared(learned: np.ndarray, asked: np.ndarray, preprocessor: Any, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features of both, standardised by the former; of very many, random sums of them."""
    learned = compact(learned)
    if isinstance(preprocessor, Preprocessor):
        learned, asked = _levels_apart(learned, asked, preprocessor)
    if learned.shape[1] > MOST_FEATURES:
        rng = np.random.default_rng((seed, MOST_FEATURES))
        sign = rng.choice(np.array([-1, 1], np.float32), learned.shape[1])
        order = rng.permutation(learned.shape[1])
        starts = np.linspace(0, len(order), MOST_FEATURES, endpoint=False).astype(np.int64)
        learned, asked = (np.add.reduceat((each * sign)[:, order], starts, axis=1) for each in (learned, asked))
    mean, sd = learned.mean(axis=0, dtype=np.float64), learned.std(axis=0, dtype=np.float64)
    varies = sd > 1e-6 * np.maximum(np.abs(mean), 1e-6)
    shift, scale = mean[varies].astype(np.float32), (1 / sd[varies]).astype(np.float32)
    learned, asked = ((each[:, varies] - shift) * scale for each in (learned, asked))
    return learned, np.where(np.isfinite(asked), asked, 0)


def _levels_apart(learned: np.ndarray, asked: np.ndarray, preprocessor: Preprocessor) -> tuple[np.ndarray, np.ndarray]:
    """Both with a feature for each of the most frequent levels in place of their number."""
    places, _ = preprocessor.level_numbers
    if not places:
        return learned, asked
    more: list[list[np.ndarray]] = [[], []]
    for place in places:
        codes, counts = np.unique(learned[:, place], return_counts=True)
        top = codes[np.argsort(-counts, kind="stable")[:TOP_LEVELS]]
        for each, x in zip(more, (learned, asked), strict=True):
            each.append((x[:, place, None] == top).astype(np.float32))
    kept = np.setdiff1d(np.arange(learned.shape[1]), places)
    one, other = (np.concatenate([x[:, kept], *own], 1) for x, own in zip((learned, asked), more, strict=True))
    return one, other


@dataclass(frozen=True, eq=False)
class _Guesses:
    """Simple guesses of one target.

    Args:
        y: (row,) of the rows that are learned from; `fold` of the rows that are judged.
        weight: of the rows that are judged.
    """

    told: JudgedTarget
    y: np.ndarray
    taught: Taught
    fold: np.ndarray | None
    folds: Folds | None
    weight: np.ndarray | None
    metric: Metric | None

    @property
    def target(self) -> Target:
        """What is guessed."""
        return self.told.target

    @property
    def counts(self) -> np.ndarray:
        """What each row counts of each of the trainings. Shapes: -> (training, row): one training, or one a fold, that
        leaves its fold out."""
        weight = np.ones(len(self.y)) if self.taught.weight is None else np.asarray(self.taught.weight, np.float64)
        if self.folds is None or self.taught.fold is None:
            return weight[None]
        found: np.ndarray = weight * (self.taught.fold != np.arange(self.folds.count)[:, None])
        return found

    def _of_own(self, each: np.ndarray) -> np.ndarray:
        """What its own training says of each row that is judged. Shapes: (training, ...) -> (row, ...)."""
        rows = len(self.told.y)
        own: np.ndarray = each[np.zeros(rows, np.int64) if self.fold is None else self.fold]
        return own

    def naive(self) -> Baseline:
        """The same for every row."""
        counts, classes = self.counts, self.target.classes
        if classes is not None:
            y = self.y.astype(np.int64)
            sums = np.stack([np.bincount(y, each, len(classes)) for each in counts])
            return self._judged(NAIVE_CLASS, self._of_own(sums / sums.sum(axis=1, keepdims=True)))
        y = self.target.decode(self.y).reshape(-1)
        if shares := quantiles_of(self.told.loss):
            found = np.stack([_weighted_quantiles(y, each, shares) for each in counts])
            return self._judged(NAIVE_QUANTILES, self._of_own(found))
        means = counts @ y / counts.sum(axis=1)
        return self._judged(NAIVE_NUMBER, self._of_own(means))

    def linear(self, learned: np.ndarray, asked: np.ndarray) -> Baseline:
        """A linear model. Shapes: (row, feature) each."""
        counts, classes = self.counts, self.target.classes
        if classes is not None:
            labels = self.y.astype(np.int64)
            weights, bias = logistic(learned, labels, len(classes), counts, self._penalty(learned, labels))
            p = _softmax(self._asked(asked, weights, bias))
            threshold: Any = None
            if self.metric is not None and self.metric.decides and len(classes) == 2:
                each = [
                    best_threshold(self.metric.figure, _softmax(learned @ w + b), self.y, own)[0]
                    for w, b, own in zip(weights, bias, counts, strict=True)
                ]
                threshold = self._of_own(np.array(each))
            return self._judged(LINEAR, p, threshold)
        y = self.target.decode(self.y).reshape(-1)
        weights, bias = ridge(learned, y, counts, self._penalty(learned, y))
        found = self._asked(asked, weights[..., None], bias[..., None])[:, 0].astype(np.float64)
        if shares := quantiles_of(self.told.loss):
            left = [
                _weighted_quantiles(y - learned @ w - b, own, shares)
                for w, b, own in zip(weights, bias, counts, strict=True)
            ]
            return self._judged(LINEAR, found[:, None] + self._of_own(np.stack(left)))
        return self._judged(LINEAR, found)

    def _penalty(self, learned: np.ndarray, y: np.ndarray) -> float:
        """PENALTY; of many features that of PENALTIES with which a part of the rows foretells the others best. It is
        one for all folds. Shapes: learned (row, feature); y (row,)."""
        if learned.shape[1] * ROWS_PER_FEATURE <= len(learned):
            return PENALTY
        weight = np.ones(len(y)) if self.taught.weight is None else np.asarray(self.taught.weight, np.float64)
        left = np.arange(len(y)) % LEFT_OUT == 0
        if not weight[left].any() or not weight[~left].any():
            return PENALTY
        counts = np.tile(np.where(left, 0, weight), (len(PENALTIES), 1))
        if self.target.classes is None:
            each = ridge(learned, y, counts, np.array(PENALTIES))
            costs = [
                np.average((learned[left] @ w + b - y[left]) ** 2, weights=weight[left])
                for w, b in zip(*each, strict=True)
            ]
        else:
            each = logistic(learned, y, len(self.target.classes), counts, np.array(PENALTIES))
            own = np.arange(int(left.sum())), y[left]
            losses = [-log_of(_softmax(learned[left] @ w + b)[own]) for w, b in zip(*each, strict=True)]
            costs = [np.average(loss, weights=weight[left]) for loss in losses]
        return PENALTIES[int(np.argmin(costs))]

    def _asked(self, x: np.ndarray, weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
        """What each row's own training says.

        Shapes: x (row, feature), weights (training, feature, unit), bias (training, unit) -> (row, unit).
        """
        if self.fold is None:
            found: np.ndarray = x @ weights[0].astype(x.dtype) + bias[0]
            return found
        out = np.empty((len(x), weights.shape[2]), np.float64)
        for each in range(len(weights)):
            own = np.flatnonzero(self.fold == each)
            out[own] = x[own] @ weights[each].astype(x.dtype) + bias[each]
        return out

    def _judged(self, name: str, predicted: np.ndarray, threshold: Any = None) -> Baseline:
        how = {"metric": self.metric}
        if self.target.classes is not None:
            found = class_figures(
                predicted,
                self.told.y,
                self.target.classes,
                self.weight,
                self.target.ordered,
                metric=self.metric,
                threshold=threshold,
            )
        elif shares := quantiles_of(self.told.loss):
            found = quantile_figures(predicted, self.target.decode(self.told.y), shares, self.weight)
        else:
            found = number_figures(predicted, self.target.decode(self.told.y), self.weight, **how)
        return Baseline(name=name, figures={key: float(f"{value.value:.6g}") for key, value in found.items()})


def _softmax(z: np.ndarray) -> np.ndarray:
    """In float64, so that what is near 1 is known. Shapes: (row, class) -> the same."""
    return np.asarray(ops.softmax(np.asarray(z, np.float64)))


def _weighted_quantiles(values: np.ndarray, weight: np.ndarray, shares: Sequence[float]) -> np.ndarray:
    """The least values with at least these shares of the weight at or below them. Shapes: (row,) -> (share,)."""
    order = np.argsort(values, kind="stable")
    whole = np.cumsum(weight[order])
    places = np.searchsorted(whole, np.asarray(shares) * whole[-1] * (1 - 1e-12))
    found: np.ndarray = values[order][np.minimum(places, len(values) - 1)]
    return found
