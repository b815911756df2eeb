"""Figures of raw outputs against targets, and as JSON."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from preceptor.data import PicturePreprocessor, Preprocessor, order
from preceptor.nn import EnsembleLoss, Loss, MemberLoss
from preceptor.train.evaluator import Evaluator
from preceptor.train.folds import Folds
from preceptor.train.loop import Arrays, Config
from preceptor.train.metric import Figure, class_figures, number_figures

MOST_JUDGES = 100_000  # rows that judge, of those that could: an accuracy is then known to 0.3 %


def figures(
    preprocessor: Preprocessor | PicturePreprocessor, loss: Loss, outputs: np.ndarray, target: np.ndarray
) -> dict[str, Figure]:
    """The figures that suit the target: of classes from probabilities, of numbers in the target's unit.

    Of an ensemble also `network_accuracy` or `network_rmse`: what one of its networks reaches alone, on average, with
    the mean of their intervals.
    """
    found = _figures(preprocessor, np.asarray(loss.predict(outputs)), target)
    if isinstance(loss, EnsembleLoss):
        name, alone = next(iter(found)), MemberLoss(loss.loss)
        each = [
            _figures(preprocessor, np.asarray(alone.predict(part)), target)[name]
            for part in np.split(outputs, loss.networks, 1)
        ]
        value, low, high = np.mean([(one.value, one.low, one.high) for one in each], 0).tolist()
        found[f"network_{name}"] = Figure(f"network_{name}", value, low, high, each[0].rows)
    return found


def out_of_fold(
    preprocessor: Preprocessor | PicturePreprocessor,
    config: Config,
    weights: dict[str, Any],
    data: Arrays,
    folds: Folds,
) -> dict[str, Figure]:
    """The figures of training rows, each judged by the members that left it out: of all rows, or MOST_JUDGES."""
    assert isinstance(config.loss, MemberLoss)
    rows = np.arange(data.rows)
    if data.rows > MOST_JUDGES:
        rows = np.sort(order(config.seed, 0, MOST_JUDGES, data.rows))
    x = data.x if len(rows) == data.rows else data.x[rows]
    outputs = Evaluator(config.network, None, config.engine, weights, x)(weights, x)[1]
    found = MemberLoss(config.loss.loss).predict(folds.held_out(outputs, rows))
    return _figures(preprocessor, np.asarray(found), data.y[rows])


def _figures(
    preprocessor: Preprocessor | PicturePreprocessor, predicted: np.ndarray, target: np.ndarray
) -> dict[str, Figure]:
    if preprocessor.classes is not None:
        return class_figures(predicted, target, preprocessor.classes)
    return number_figures(preprocessor.decode_number(predicted), preprocessor.decode_number(target))


def figures_as_json(figures: dict[str, Figure]) -> dict[str, float | None]:
    """Each figure, the ends of its interval and its rows: {"accuracy": ..., "accuracy_low": ..., ...}.

    An end at infinity, of which JSON knows nothing, is null.
    """
    return {key: value for name, figure in figures.items() for key, value in _figure_as_json(name, figure)}


def _figure_as_json(name: str, figure: Figure) -> Iterator[tuple[str, float | None]]:
    yield name, figure.value
    yield f"{name}_low", figure.low
    yield f"{name}_high", figure.high if math.isfinite(figure.high) else None
    yield f"{name}_rows", figure.rows


def figures_from_json(saved: dict[str, float | None]) -> dict[str, Figure]:
    """The inverse of `figures_as_json`. Raises: KeyError, TypeError where a number is missing."""
    names = [name for name in saved if f"{name}_low" in saved]
    return {name: _figure_from_json(name, saved) for name in names}


def _figure_from_json(name: str, saved: dict[str, Any]) -> Figure:
    value, low, high, rows = (saved[f"{name}{end}"] for end in ("", "_low", "_high", "_rows"))
    return Figure(name, float(value), float(low), math.inf if high is None else float(high), int(rows))
