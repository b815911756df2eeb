"""A training that is looked at, and how its predictions are judged whatever it is trained by."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from preceptor.data import order
from preceptor.train.evaluator import Evaluator
from preceptor.train.step import predicting
from preceptor.train.training import Arrays, Config, Streamed

JUDGED = 2000  # rows on which forks are judged, at most: an error of 10 % is then known to 0.7 %


@dataclass(frozen=True, eq=False)
class Case:
    """A training with what its target is.

    Args:
        classes: how many the target has; 0 of a number; None where errors are told by the loss alone.
    """

    config: Config
    data: Arrays | Streamed
    classes: int | None

    def judged(self) -> tuple[Any, Any, np.ndarray]:
        """Rows that tell how well it predicts: of dev, else of the training part. -> x, y, and their numbers in it."""
        data = self.data
        if data.guides and data.folds is None:
            count = min(JUDGED, len(data.dev_x))
            assert data.dev_y is not None
            return data.dev_x[:count], data.dev_y[:count], np.arange(count)
        if isinstance(data, Streamed):
            seen = data.stream.fetch(0, min(JUDGED, data.rows)) if data.seen_x is None else None
            x, y = (data.seen_x, data.seen_y) if seen is None else (seen["x"], seen["y"])
            assert y is not None
            count = min(JUDGED, len(x))
            return x[:count], y[:count], np.arange(count)
        rows = np.sort(order(self.config.seed, 0, min(JUDGED, data.rows), data.rows))
        return data.x[rows], data.y[rows], rows


@dataclass(frozen=True, eq=False)
class Verdict:
    """How well weights predict the rows that judge. Shapes: losses, errors (row,)."""

    losses: np.ndarray
    errors: np.ndarray

    @property
    def loss(self) -> float:
        """The mean loss."""
        return float(np.mean(self.losses))

    @property
    def error(self) -> float:
        """The share of wrong classes, or the squared error by the target's variance."""
        return float(np.mean(self.errors))


class Judge:
    """Judges weights of a case; compiled once."""

    def __init__(self, case: Case, like: Any) -> None:
        self.case, config = case, case.config
        self.x, self.y, self.rows = case.judged()
        self.evaluate = Evaluator(config.network, None, config.engine, predicting(like), self.x)

    def __call__(self, state: Any) -> Verdict:
        """The verdict on what training carries."""
        case, loss = self.case, self.case.config.loss
        outputs = self.evaluate(predicting(state), self.x)[1]
        if case.data.folds is not None:
            outputs = case.data.folds.held_out(outputs, self.rows)
        with np.errstate(all="ignore"):
            losses = np.asarray(loss.judge(outputs, loss.prepared(self.y, outputs.shape[-1], outputs.dtype)))
            if case.classes is None:
                return Verdict(losses, losses)
            predicted = np.asarray(loss.predict(outputs), np.float64)
            if case.classes:
                right = self.y if np.ndim(self.y) == 1 else np.argmax(self.y, 1)
                right = np.where(right < 0, 0, right)  # -1 and 1 are classes 0 and 1
                errors = (np.argmax(predicted, 1) != right) | ~np.isfinite(predicted).all(1)
                return Verdict(losses, errors.astype(np.float64))
            point = np.asarray(loss.point(predicted)).reshape(len(self.y), -1)
            y = np.asarray(self.y, np.float64).reshape(len(self.y), -1)
            errors = ((point - y) ** 2 / np.maximum(np.var(y, 0), 1e-30)).mean(1)
            return Verdict(losses, np.where(np.isfinite(errors), errors, np.inf))
