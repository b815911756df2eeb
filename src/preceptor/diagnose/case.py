"""A training that is looked at, and how its predictions are judged whatever it is trained by."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from preceptor.data import order
from preceptor.train.evaluator import Evaluator
from preceptor.train.step import predicting
from preceptor.train.training import Arrays, Config, Streamed

JUDGED = 2000  # rows on which forks are judged, at most: an error of 10 % is then known to 0.7 %
TAUGHT = 1000  # training rows that are judged at the end, at most


@dataclass(frozen=True, eq=False)
class Case:
    """A training with what its target is.

    Args:
        classes: how many the target has; 0 of a number; None where errors are told by the loss alone.
        names: of the classes, in their order, where they have any.
        numbers: (row,) of each training row, from 0, where it lies in what the user gave; as they are if left out.
    """

    config: Config
    data: Arrays | Streamed
    classes: int | None
    names: tuple[str, ...] = ()
    numbers: np.ndarray | None = None

    def named(self, number: int) -> str:
        """A class as its user calls it: by its name, else by its number."""
        return self.names[number] if self.names else str(number)

    def given(self, rows: Sequence[int] | np.ndarray) -> tuple[int, ...]:
        """Numbers, from 0, of training rows in what the user gave."""
        return tuple(int(row if self.numbers is None else self.numbers[row]) for row in rows)

    @cached_property
    def judged(self) -> tuple[Any, Any, np.ndarray]:
        """Rows that tell how well it predicts: of dev, else of the training part. -> x, y, and their numbers in it."""
        data = self.data
        if data.guides and data.folds is None:
            count = min(JUDGED, len(data.dev_x))
            assert data.dev_y is not None
            return data.dev_x[:count], data.dev_y[:count], np.arange(count)
        return self._of_training(JUDGED)

    @cached_property
    def taught(self) -> tuple[Any, Any, np.ndarray]:
        """Rows of the training part. -> x, y, and their numbers in it."""
        return self._of_training(TAUGHT)

    def _of_training(self, count: int) -> tuple[Any, Any, np.ndarray]:
        data, count = self.data, min(count, self.data.rows)
        if isinstance(data, Streamed):
            seen = data.stream.fetch(0, count) if data.seen_x is None else None
            x, y = (data.seen_x, data.seen_y) if seen is None else (seen["x"], seen["y"])
            assert y is not None
            return x[:count], y[:count], np.arange(min(count, len(x)))
        rows = order(self.config.seed, 0, count, data.rows)  # by chance, so that a half of them is like the whole
        return data.x[rows], data.y[rows], rows


@dataclass(frozen=True, eq=False)
class Verdict:
    """How well weights predict rows. Shapes: losses, errors (row,).

    Args:
        predicted, right: of classes, the number of the predicted one and of the right one of each row, (row,); of
            numbers what is predicted and what is right, (row, unit).
    """

    losses: np.ndarray
    errors: np.ndarray
    predicted: np.ndarray
    right: np.ndarray

    @property
    def loss(self) -> float:
        """The mean loss."""
        with np.errstate(all="ignore"):  # of weights that run away
            return float(np.mean(self.losses, dtype=np.float64))

    @property
    def error(self) -> float:
        """The share of wrong classes, or the squared error by the target's variance."""
        return float(np.mean(self.errors))


def verdict(case: Case, outputs: np.ndarray, y: np.ndarray) -> Verdict:
    """How well raw outputs (row, unit) fit the targets of their rows."""
    loss = case.config.loss
    with np.errstate(all="ignore"):
        losses = np.asarray(loss.judge(outputs, loss.prepared(y, outputs.shape[-1], outputs.dtype)))
        if case.classes is None:
            return Verdict(losses, losses, np.zeros((len(y), 0)), np.zeros((len(y), 0)))
        predicted = np.asarray(loss.predict(outputs), np.float64)
        if case.classes:
            right, best = right_classes(y), np.argmax(predicted, 1)
            errors = (best != right) | ~np.isfinite(predicted).all(1)
            return Verdict(losses, errors.astype(np.float64), best, right)
        point = np.asarray(loss.point(predicted)).reshape(len(y), -1)
        numbers = np.asarray(y, np.float64).reshape(len(y), -1)
        errors = ((point - numbers) ** 2 / np.maximum(np.var(numbers, 0), 1e-30)).mean(1)
        return Verdict(losses, np.where(np.isfinite(errors), errors, np.inf), point, numbers)


def right_classes(y: np.ndarray) -> np.ndarray:
    """The class numbers of targets; of shares of classes the largest."""
    right = np.asarray(y) if np.ndim(y) == 1 else np.argmax(y, 1)
    return np.where(right < 0, 0, right).astype(np.int64)  # -1 and 1 are classes 0 and 1


class Judge:
    """Judges weights of a case, by rows that tell how well it predicts or by rows that taught it; compiled once."""

    def __init__(self, case: Case, like: Any) -> None:
        self.case, config = case, case.config
        self.evaluate = Evaluator(config.network, None, config.engine, predicting(like), case.judged[0])

    def __call__(self, state: Any) -> Verdict:
        """The verdict on what training carries."""
        folds = self.case.data.folds
        return self._verdict(state, *self.case.judged, None if folds is None else folds.held_out)

    def by_taught(self, state: Any) -> Verdict:
        """The same, by rows of the training part."""
        folds = self.case.data.folds
        return self._verdict(state, *self.case.taught, None if folds is None else folds.learned)

    def _verdict(self, state: Any, x: Any, y: Any, rows: np.ndarray, of_members: Callable | None) -> Verdict:
        outputs = self.evaluate(predicting(state), x)[1]
        return verdict(self.case, outputs if of_members is None else of_members(outputs, rows), y)
