"""Cheap models beside the network: what nearest neighbours and a linear model make of the same rows."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from preceptor.diagnose.case import TAUGHT, Case, right_classes
from preceptor.diagnose.neighbours import nearest, scaled
from preceptor.diagnose.paired import in_errors
from preceptor.train.training import Streamed

__all__ = ["Reference", "make_reference"]

FEWEST = 20  # rows to learn from
STRENGTHS = (0.01, 0.1, 1.0)  # of the ridge, by the mean square of a feature times the rows
JUDGED = 1000  # rows that are judged, at most


@dataclass(frozen=True, eq=False)
class Reference:
    """The better of two cheap models, chosen by the rows that it learned from, each left out in turn.

    Args:
        name: of the model, in words.
        errors: (row,) of the first rows that judge, as those of a verdict; `predicted` and `right` of classes.
        left_out: (row,) the same of the rows that it learned from, each predicted by the others; `left_predicted` and
            `own`. The rows are `numbers` of the training part.
        signal: how far these are predicted better, by squared error, than by the mean, in standard errors; of the two
            models the larger.
        near: (row, neighbour) of classes, those of the nearest neighbours of each row that it learned from; empty of
            numbers.
    """

    name: str
    errors: np.ndarray
    predicted: np.ndarray
    right: np.ndarray
    left_out: np.ndarray
    left_predicted: np.ndarray
    own: np.ndarray
    numbers: np.ndarray
    signal: float
    near: np.ndarray

    @property
    def rows(self) -> int:
        """Rows that it learned from."""
        return len(self.own)

    @property
    def error(self) -> float:
        """The mean error."""
        return float(np.mean(self.errors))


def make_reference(case: Case) -> Reference | None:
    """Learns from at most 1,000 training rows; None where there are fewer than 20 beside those that judge,
    or errors are told by the loss alone.

    Formula: features are standardised, for the neighbours also divided by one number for all; the nearest by Euclidean
        distance, 10 of them, have a vote each, or their mean is taken. The linear model is ridge regression of numbers,
        or of 0 and 1 for each class. Scaling, strength and model are the best of rows left out.
    """
    if case.classes is None:
        return None
    x, y, judges = case.judged
    own_x, own_y, numbers = case.taught
    if not case.data.guides or case.data.folds is not None:
        if isinstance(case.data, Streamed):
            return None
        judges = judges[: len(judges) // 2]
        others = np.setdiff1d(np.arange(case.data.rows), judges)
        numbers = np.random.default_rng(0).permutation(others)[:TAUGHT]  # files are often sorted by the target
        x, y = case.data.x[judges], case.data.y[judges]
        own_x, own_y = case.data.x[numbers], case.data.y[numbers]
    count = min(len(x), JUDGED)
    if len(own_x) < FEWEST:
        return None
    if case.classes:
        own, right = right_classes(own_y), right_classes(y[:count])
        targets = np.eye(case.classes)[own]
    else:
        own, right = (np.asarray(each, np.float64).reshape(len(each), -1) for each in (own_y, y[:count]))
        targets = own
    learned, asked = (np.asarray(each, np.float64).reshape(len(each), -1) for each in (own_x, x[:count]))
    best: tuple[float, str, np.ndarray, Callable[[], np.ndarray]] | None = None
    near, closest, signal = np.zeros((0, 0), np.int64), np.inf, 0.0
    for name, guess, predict, found in _models(learned, asked, targets):
        errors = _errors(guess, own, case.classes)[1]
        signal = max(signal, _signal(guess, targets))
        if found is not None and float(np.mean(errors)) < closest:
            near, closest = found, float(np.mean(errors))
        if best is None or float(np.mean(errors)) < best[0]:
            best = (float(np.mean(errors)), name, guess, predict)
    assert best is not None
    _, name, guess, predict = best
    predicted, errors = _errors(predict(), right, case.classes)
    left_predicted, left_out = _errors(guess, own, case.classes)
    classes = own[near] if case.classes else np.zeros((0, 0), np.int64)
    return Reference(name, errors, predicted, right, left_out, left_predicted, own, numbers, signal, classes)


def _models(learned: np.ndarray, asked: np.ndarray, targets: np.ndarray) -> Iterator[tuple]:
    """Name, what is predicted for the rows learned from when each is left out, a function that predicts those that are
    asked for, and the neighbours of the former."""
    both = scaled(learned, asked)
    for own, others in both:
        near = nearest(own, own, np.arange(len(own)))

        def voted(own: np.ndarray = own, others: np.ndarray = others) -> np.ndarray:
            return targets[nearest(others, own)].mean(1)

        yield "nearest neighbours", targets[near].mean(1), voted, near
    yield "a linear model", *_ridge(both[0][0], targets, both[0][1]), None


def _signal(guess: np.ndarray, targets: np.ndarray) -> float:
    gain = ((targets - targets.mean(0)) ** 2 - (targets - guess) ** 2).sum(1)
    return in_errors(np.zeros(len(gain)), gain)


def _errors(guess: np.ndarray, right: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """What is predicted, and the error of each row."""
    if classes:
        best = np.argmax(guess, 1)
        return best, (best != right).astype(np.float64)
    return guess, ((guess - right) ** 2 / np.maximum(np.var(right, 0), 1e-30)).mean(1)


def _ridge(x: np.ndarray, y: np.ndarray, asked: np.ndarray) -> tuple:
    """What rows left out are predicted by the best ridge, and a function that predicts those that are asked for.

    Formula: the smaller of X'X and XX' is inverted. A row left out is y - r / (1 - h), r what is missed with it and h
        its own share in its prediction; by XX', y - a / d, a the inverse times y and d its diagonal.
    """
    mean, best = y.mean(0), None
    y, is_wide = y - mean, x.shape[1] >= len(x)
    square = float(np.mean(x * x)) or 1.0
    products = (x @ x.T if is_wide else x.T @ x).astype(np.float64)
    for strength in STRENGTHS:
        inverse = np.linalg.inv(products + strength * square * len(x) * np.eye(len(products)))
        if is_wide:
            dual = inverse @ y
            left_out, weights = y - dual / np.diag(inverse)[:, None], x.T @ dual
        else:
            each = x @ inverse
            weights = each.T @ y
            left_out = y - (y - x @ weights) / (1 - (each * x).sum(1))[:, None]
        error = float(np.mean((left_out - y) ** 2))
        if best is None or error < best[0]:
            best = (error, left_out, weights)
    assert best is not None
    _, left_out, weights = best
    return left_out + mean, lambda: asked @ weights + mean
