"""Figures of raw outputs against targets, and as JSON."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np

from preceptor.data import Target, draw_folds, order
from preceptor.evidence.judges import JudgedTarget, Judges, make_judges
from preceptor.job.conformal import drawn_in, ends, kept_scores
from preceptor.job.fitted import fitted_loss
from preceptor.nn import EnsembleLoss, Loss, MemberLoss, Pinball
from preceptor.nn.joint import heads, joint_loss
from preceptor.nn.member import inner, quantiles_of
from preceptor.train.averaging import from_learned, joined, reaching, remaining, unlearned
from preceptor.train.choice import Metric
from preceptor.train.evaluator import Evaluator
from preceptor.train.folds import Folds
from preceptor.train.metric import Figure, class_figures, number_figures, quantile_figures
from preceptor.train.shares import can_share
from preceptor.train.threshold import best_threshold, thresholds_apart
from preceptor.train.training import Arrays, Config, Streamed

T = TypeVar("T")
PARTS = 5  # of the dev rows, each of which is decided as the others choose
MOST_JUDGES = 100_000  # rows that judge, of those that could: an accuracy is then known to 0.3 %
MOST_COMPARED = 40_000  # predicted numbers of one member that are held beside those of all
OF_DISTANCES = ("mae", "pinball_loss")  # figures that are no mean of squares


@dataclass(frozen=True, eq=False)
class Judged:
    """What rows that a network did not learn from say of it.

    Args:
        loss: how its outputs are read: that of the training, with the shares of its networks and the temperature that
            fit the rows that guide.
        dev, test: figures of the rows that guide (dev, or out of fold), and of the test rows; empty where there are
            none. Out of fold few members judge a row: the intervals reach as far as all together may do better.
        scores: of a number, how far the targets of the rows that guide lie from the predictions, or outside of the
            outer quantiles: see `kept_scores`. Out of fold as much nearer as all members together err less.
        threshold: of two classes, from which probability on the second is decided for: the best one for the metric on
            the rows that guide. None where the most probable class is. Their own figures are at thresholds that other
            such rows chose.
        judges: the test rows, else those that guide, or MOST_JUDGES of them, with what is predicted; None of neither.

    Of several targets dev, test and scores hold by the name of each target what they are of one.
    """

    loss: Loss
    dev: dict[str, Any] = field(default_factory=dict)
    test: dict[str, Any] = field(default_factory=dict)
    scores: Any = None
    threshold: float | None = None
    judges: Judges | None = None


def by_name(targets: Sequence[Target], each: Sequence[T]) -> Any:
    """What is told of the one target; of several, of each by its name."""
    if len(targets) == 1:
        return each[0]
    return {target.name: found for target, found in zip(targets, each, strict=True)}


def apart(targets: Sequence[Target], y: np.ndarray) -> list[np.ndarray]:
    """The encoded values of each target. Shapes: (row,), or (row, target) of several -> (row,) each."""
    if len(targets) == 1:
        return [y]
    columns = zip(targets, y.T, strict=True)
    return [np.ascontiguousarray(own, np.float32 if t.classes is None else np.int32) for t, own in columns]


def judge(
    targets: Sequence[Target],
    config: Config,
    weights: dict[str, Any],
    data: Arrays | Streamed,
    test_x: Any,
    test_y: np.ndarray | None,
    test_weight: np.ndarray | None,
    metric: Metric | None = None,
) -> Judged:
    """Judges a network on the rows that guided its training, and on the test rows, target by target.

    With folds the former are training rows, each judged by the members that left it out.
    """
    guiding = _guiding(config, weights, data) if data.guides else None
    tested = None if test_x is None or test_y is None else _outputs(config, weights, test_x)
    guided_y = [] if guiding is None else apart(targets, guiding.y)
    tested_y = [] if test_y is None else apart(targets, test_y)
    each, units, judged = [], [], list[JudgedTarget]()
    for place, (target, (loss, own)) in enumerate(zip(targets, heads(config.loss), strict=True)):
        guides = None
        if guiding is not None:
            every = None if guiding.everyone is None else guiding.everyone[..., own]
            guides = _Guides(guiding.outputs[..., own], guided_y[place], guiding.weight, guiding.part, every)
        tests = None if tested is None else _Rows(tested[..., own], tested_y[place], test_weight)
        found, told = _judged(target, config, loss, data.folds, guides, tests, metric)
        each.append(found)
        judged += [] if told is None else [told]
        units.append(0 if own.stop is None else own.stop - own.start)
    judges = None
    if tested is not None:
        judges = make_judges(config, weights, "test", test_x, test_weight, judged, MOST_JUDGES)
    elif guiding is not None:
        part, rows = ("dev" if data.folds is None else "out of fold"), (guiding.x, guiding.weight)
        judges = make_judges(config, weights, part, *rows, judged, MOST_JUDGES, guiding.rows, data.folds)
    if len(each) == 1:
        return replace(each[0], judges=judges)
    dev = by_name(targets, [one.dev for one in each]) if guiding is not None else {}
    test = by_name(targets, [one.test for one in each]) if tested is not None else {}
    scores = by_name(targets, [one.scores for one in each]) if guiding is not None else None
    return Judged(joint_loss([one.loss for one in each], units), dev, test, scores, judges=judges)


@dataclass(frozen=True, eq=False)
class _Rows:
    """Raw outputs for rows, the target of each and what it counts; None where each counts 1."""

    outputs: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None


@dataclass(frozen=True, eq=False)
class _Guides(_Rows):
    """Rows that guide, with their parts or folds, and, out of fold, the outputs of all members."""

    part: np.ndarray
    everyone: np.ndarray | None


def _judged(
    target: Target,
    config: Config,
    loss: Loss,
    folds: Folds | None,
    guides: _Guides | None,
    tested: _Rows | None,
    metric: Metric | None,
) -> tuple[Judged, JudgedTarget | None]:
    """What the rows say of one target, of which `loss` reads the outputs; and what is predicted for `Judges`."""
    trained, dev, test = loss, dict[str, Figure](), dict[str, Figure]()
    scores = threshold = told = None
    if guides is not None:
        outputs, y, weight, part, everyone = guides.outputs, guides.y, guides.weight, guides.part, guides.everyone
        loss, reads = fitted_loss(config, loss, folds, outputs, y, weight)
        thresholds = None
        if metric is not None and metric.decides and len(target.classes or ()) == 2:
            p = np.asarray(reads.predict(outputs))
            threshold = best_threshold(metric.figure, p, y, weight)[0]
            thresholds = thresholds_apart(metric.figure, p, y, weight, part)
        dev = figures(target, reads, outputs, y, weight, metric, thresholds)
        told = JudgedTarget(target, reads, y, np.asarray(reads.predict(outputs)), thresholds)
        compared = None if everyone is None or folds is None else _compared(trained, reads, folds, everyone, part)
        if target.classes is None:
            predicted, truth = target.decode(np.asarray(reads.predict(outputs))), target.decode(y)
            scores = kept_scores(*ends(predicted), truth, weight)
            if compared is not None:
                factors, scores = _nearer(target, reads, scores, *compared, y, weight)
                by_square, by_size = (
                    _number_figures(reads, (truth + factor * (predicted.T - truth)).T, truth, weight, metric)
                    for factor in factors
                )
                dev = joined(dev, by_square | {name: by_size[name] for name in OF_DISTANCES if name in by_size})
        elif compared is not None and folds is not None:
            ways = _classes_compared(target, reads, *compared, y, weight, metric, thresholds)
            dev = reaching(dev, *ways, folds.count - 1)
    if tested is not None:
        test = figures(target, loss, tested.outputs, tested.y, tested.weight, metric, threshold)
        told = JudgedTarget(target, loss, tested.y, np.asarray(loss.predict(tested.outputs)), threshold)
    return Judged(loss, dev, test, scores, threshold), told


def _outputs(config: Config, weights: dict[str, Any], x: Any) -> np.ndarray:
    return Evaluator(config.network, None, config.engine, weights, x)(weights, x)[1]


@dataclass(frozen=True, eq=False)
class _Guiding(_Guides):
    """Those of all targets, with what the network takes of them and their numbers in their part."""

    x: Any
    rows: np.ndarray


def _guiding(config: Config, weights: dict[str, Any], data: Arrays | Streamed) -> _Guiding:
    """The dev rows, each told by all, and parts of them; with folds the training rows, or MOST_JUDGES of them, told by
    the members that left them out, and their folds."""
    if not isinstance(data, Arrays) or data.folds is None:
        assert data.dev_y is not None
        judges = len(data.dev_y)
        labels = data.dev_y if data.dev_y.ndim == 1 else None  # which a threshold asks for, of one target alone
        part = draw_folds(judges, min(PARTS, judges), seed=config.seed, labels=labels)
        outputs = _outputs(config, weights, data.dev_x)
        return _Guiding(outputs, data.dev_y, data.dev_weight, part, None, data.dev_x, np.arange(judges))
    rows = np.arange(data.rows)
    if data.rows > MOST_JUDGES:
        rows = np.sort(order(config.seed, 0, MOST_JUDGES, data.rows))
    x = data.x if len(rows) == data.rows else data.x[rows]
    everyone = _outputs(config, weights, x)
    counts = None if data.weight is None else data.weight[rows]
    held_out = data.folds.held_out(everyone, rows)
    return _Guiding(held_out, data.y[rows], counts, data.folds.fold[rows], everyone, x, rows)


def _compared(
    trained: Loss, reads: Loss, folds: Folds, everyone: np.ndarray, fold: np.ndarray
) -> tuple[slice, np.ndarray, np.ndarray] | None:
    """Rows, evenly spaced, with what is predicted for them by members that left them out, and by as many that learned
    them, for each of the other folds; None where that cannot be compared.

    Shapes: everyone (row, member, unit), fold (row,) -> rows, (row, ...), (row, fold - 1, ...), float64.
    """
    if not isinstance(trained, MemberLoss) or not can_share(trained) or folds.count < 3:
        return None
    rows = slice(None, None, -(-len(fold) * everyone.shape[2] // MOST_COMPARED))
    few = [
        np.asarray(reads.predict(np.ascontiguousarray(everyone[rows, each :: folds.count])))
        for each in range(folds.count)
    ]
    found = np.stack(few, 1).astype(np.float64)
    if not np.isfinite(found).all():
        return None
    flat, apart = found.reshape(*found.shape[:2], -1), Folds(fold[rows], folds.count, folds.count)
    number = np.arange(len(found))
    held, learned = apart.held_out(flat, number)[:, 0], apart.learned(flat, number)
    return rows, held.reshape(-1, *found.shape[2:]), learned.reshape(len(found), -1, *found.shape[2:])


def _nearer(
    target: Target,
    reads: Loss,
    scores: np.ndarray,
    rows: slice,
    held: np.ndarray,
    learned: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray | None,
) -> tuple[tuple[float, float], np.ndarray]:
    """The factors by which errors shrink when all members predict, of root mean squares and of mean distances, and the
    scores of intervals then.

    Shapes: as of `_compared`; y, weight (row,).
    """
    loss, truth, counts = inner(reads), y[rows], None if weight is None else weight[rows]
    if counts is not None and not counts.any():
        return (1.0, 1.0), scores
    others, one, mean = learned.shape[1], list(np.moveaxis(learned, 1, 0)), learned.mean(axis=1)

    def distances(predicted: np.ndarray) -> np.ndarray:
        return kept_scores(*ends(target.decode(predicted)), target.decode(truth), counts)

    def cost(predicted: np.ndarray, power: int) -> float:
        if isinstance(loss, Pinball):
            return float(np.average(loss.of_quantiles(predicted, truth), weights=counts)) ** power
        return float(np.average(np.abs(predicted - truth.reshape(predicted.shape)) ** power, weights=counts))

    def costs(power: int) -> tuple[float, float, float]:
        return cost(held, power), float(np.mean([cost(each, power) for each in one])), cost(mean, power)

    squares, sizes = costs(2), costs(1)
    factor = from_learned(*squares[:2], others)
    square = math.sqrt(remaining(*squares, others))
    size = min(max(1 - factor * (sizes[1] - sizes[2]) / sizes[0], 1 / (others + 1)), 1.0) if factor else 1.0
    return (square, size), drawn_in(scores, [distances(each) for each in one], distances(mean), factor)


def _classes_compared(
    target: Target,
    reads: Loss,
    rows: slice,
    held: np.ndarray,
    learned: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray | None,
    metric: Metric | None,
    threshold: Any,
) -> tuple[list[dict[str, Figure]], list[dict[str, Figure]]]:
    """The figures of members that learned a row, each alone, and of their mean: as they stand, then brought to be as
    wrong as those that left it out. Shapes: as of `_compared`."""
    truth, counts = y[rows], None if weight is None else weight[rows]
    apart = threshold[rows] if isinstance(threshold, np.ndarray) else threshold
    alone, together = [], []
    for way in (learned, unlearned(held, learned, truth, counts)):
        alone += [
            _figures_of(target, reads, way[:, each], truth, counts, metric, apart) for each in range(way.shape[1])
        ]
        together.append(_figures_of(target, reads, way.mean(axis=1), truth, counts, metric, apart))
    return alone, together


@np.errstate(all="ignore")
def headlines(
    targets: Sequence[Target],
    loss: Loss,
    outputs: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray | None,
    metric: Metric | None = None,
) -> dict[str, float]:
    """The one figure of each target that is shown while training; of several targets behind the target's name."""
    found = {}
    for target, own, (reads, units) in zip(targets, apart(targets, y), heads(loss), strict=True):
        name, value = _headline(target, reads, outputs[..., units], own, weight, metric)
        found[name if len(targets) == 1 else f"{target.name}_{name}"] = value
    return found


def _headline(
    target: Target,
    loss: Loss,
    outputs: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray | None,
    metric: Metric | None,
) -> tuple[str, float]:
    """That of the metric, NaN where there is none; else accuracy; RMSE, or the pinball loss of quantiles, in the
    target's unit."""
    predicted, reads = np.asarray(loss.predict(outputs)), inner(loss)
    if metric is not None:
        if not np.isfinite(predicted).all():
            return metric.figure, math.nan
        if metric.decides and predicted.shape[-1] == 2:
            return metric.figure, best_threshold(metric.figure, predicted, y, weight)[1]
        found = _figures(target, loss, outputs, y, weight, metric, None).get(metric.figure, math.nan)
        return metric.figure, float(found)
    if target.classes is not None:
        return "accuracy", float(np.average(predicted.argmax(1) == y, weights=weight))
    if isinstance(reads, Pinball):
        losses = np.average(reads.of_quantiles(predicted, y), weights=weight)
        return "pinball_loss", float(losses * target.sd)
    mean_square = np.average((predicted - y) ** 2, weights=weight)
    return "rmse", float(np.sqrt(mean_square) * target.sd)


def all_figures(
    targets: Sequence[Target],
    loss: Loss,
    outputs: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray | None = None,
    metric: Metric | None = None,
    threshold: Any = None,
) -> dict[str, Any]:
    """The `figures` of the one target, or of each by its name. Shapes: outputs as of the loss; y (row,), or (row,
    target) of several."""
    each = zip(targets, apart(targets, y), heads(loss), strict=True)
    how = weight, metric, threshold
    found = by_name(targets, [figures(t, reads, outputs[..., units], own, *how) for t, own, (reads, units) in each])
    assert isinstance(found, dict)
    return found


def figures(
    target: Target,
    loss: Loss,
    outputs: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray | None = None,
    metric: Metric | None = None,
    threshold: Any = None,
) -> dict[str, Figure]:
    """The figures that suit the target: of classes from probabilities, of numbers in the target's unit.

    Of an ensemble also `network_accuracy`, `network_rmse` and the like: what one of its networks reaches alone, on
    average, with the mean of their intervals.

    Args:
        metric, threshold: as of `class_figures`.
    """
    how = weight, metric, threshold
    found = _figures(target, loss, outputs, y, *how)
    if isinstance(loss, EnsembleLoss):
        name, alone = next(iter(found)), MemberLoss(loss.loss)
        each = [_figures(target, alone, part, y, *how)[name] for part in np.split(outputs, loss.networks, 1)]
        value, low, high = np.mean([(one.value, one.low, one.high) for one in each], 0).tolist()
        found[f"network_{name}"] = Figure(f"network_{name}", value, low, high, each[0].rows)
    return found


def _figures(
    target: Target,
    loss: Loss,
    outputs: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray | None,
    metric: Metric | None,
    threshold: Any,
) -> dict[str, Figure]:
    return _figures_of(target, loss, np.asarray(loss.predict(outputs)), y, weight, metric, threshold)


def _figures_of(
    target: Target,
    loss: Loss,
    predicted: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray | None,
    metric: Metric | None,
    threshold: Any,
) -> dict[str, Figure]:
    """The figures of what a loss predicted."""
    if target.classes is not None:
        how = {"metric": metric, "threshold": threshold}
        return class_figures(predicted, y, target.classes, weight, target.ordered, **how)
    return _number_figures(loss, target.decode(predicted), target.decode(y), weight, metric)


def _number_figures(
    loss: Loss, found: np.ndarray, truth: np.ndarray, weight: np.ndarray | None, metric: Metric | None
) -> dict[str, Figure]:
    """The figures of numbers, or quantiles, in the target's unit."""
    if quantiles := quantiles_of(loss):
        return quantile_figures(found, truth, quantiles, weight)
    return number_figures(found, truth, weight, metric=metric)


def figures_as_json(figures: dict[str, Any]) -> dict[str, Any]:
    """Each figure, the ends of its interval and its rows: {"accuracy": ..., "accuracy_low": ..., ...}; of several
    targets by the name of each.

    An end at infinity, of which JSON knows nothing, is null.
    """
    if is_of_several(figures):
        return {name: figures_as_json(each) for name, each in figures.items()}
    return {key: value for name, figure in figures.items() for key, value in _figure_as_json(name, figure)}


def is_of_several(figures: dict[str, Any]) -> bool:
    """Whether figures are those of several targets, by name."""
    return any(isinstance(each, dict) for each in figures.values())


def _figure_as_json(name: str, figure: Figure) -> Iterator[tuple[str, float | None]]:
    yield name, figure.value
    yield f"{name}_low", figure.low if math.isfinite(figure.low) else None
    yield f"{name}_high", figure.high if math.isfinite(figure.high) else None
    yield f"{name}_rows", figure.rows


def figures_from_json(saved: dict[str, Any]) -> dict[str, Any]:
    """The inverse of `figures_as_json`. Raises: KeyError, TypeError where a number is missing."""
    if is_of_several(saved):
        return {name: figures_from_json(each) for name, each in saved.items()}
    names = [name for name in saved if f"{name}_low" in saved]
    return {name: _figure_from_json(name, saved) for name in names}


def _figure_from_json(name: str, saved: dict[str, Any]) -> Figure:
    value, low, high, rows = (saved[f"{name}{end}"] for end in ("", "_low", "_high", "_rows"))
    ends = -math.inf if low is None else float(low), math.inf if high is None else float(high)
    return Figure(name, float(value), *ends, int(rows))
