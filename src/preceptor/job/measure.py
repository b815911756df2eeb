"""By what the weights are chosen where a metric is asked for in place of the dev loss."""

from typing import Any

import numpy as np

from preceptor.data import Split, Target
from preceptor.errors import ConfigError, DataError
from preceptor.job.stages import Encoded
from preceptor.train.choice import METRICS, Metric
from preceptor.train.metric import TOP, has_logarithm
from preceptor.words import amount, listing

__all__ = ["check_metric", "check_targets", "metric_of"]


def metric_of(settings: Any) -> Metric | None:
    """The metric that settings ask for, if any."""
    return None if settings.metric is None else METRICS[settings.metric]


def check_metric(settings: Any, target: Target, has_dev: bool) -> None:
    """Raises: ConfigError where the metric does not suit the target, or no rows guide the training."""
    metric, kind = metric_of(settings), target.kind
    if metric is None:
        return
    if metric.of != kind:
        suited = listing(word for word, each in METRICS.items() if each.of == kind)
        what = "a number" if kind == "number" else "classes"
        raise ConfigError(
            f"fit: received metric {settings.metric}; the target {target.name!r} is {what}, which {suited} "
            "suit. Choose one of these."
        )
    if metric.figure == "top5_error" and len(target.classes or ()) <= TOP:
        raise ConfigError(
            f"fit: received metric top5-error; the target {target.name!r} has {len(target.classes or ())} classes, and "
            f"more than {TOP} are required. Choose accuracy."
        )
    if not has_dev:
        raise ConfigError(
            f"fit: received metric {settings.metric} without a dev part, on which the weights are chosen by it. Give a "
            "dev part, or leave metric out."
        )


def check_targets(
    settings: Any,
    target: Target,
    encoded: Encoded,
    parts: Split,
) -> None:
    """Looks whether the targets have a figure of this name.

    Raises: ConfigError where those that guide are all alike; DataError where one has no logarithm, with its row.
    """
    metric = metric_of(settings)
    if metric is None:
        return
    guide = encoded.data.dev_y if encoded.data.folds is None else encoded.train_y
    if metric.figure in ("auc", "f1", "balanced_accuracy", "r2") and guide is not None and (guide == guide[0]).all():
        what = "of one class" if metric.of == "classes" else "the same number"
        raise ConfigError(
            f"fit: received metric {settings.metric}; the targets of the {len(guide):,} dev rows are all {what}, of "
            "which there is none. Give a larger dev part, or another metric."
        )
    judged = (encoded.train_y, parts.train), (encoded.data.dev_y, parts.dev), (encoded.test_y, parts.test)
    for y, rows in judged if metric.figure == "rmsle" else ():
        if y is not None and not has_logarithm(values := target.decode(y)):
            row = int(np.argmin(values))
            raise DataError(
                f"metric rmsle: the target {target.name!r} is {amount(values[row])} in data row "
                f"{int(rows[row]) + 1:,}; numbers of at least 0 are needed. Choose another metric, such as rmse or mae."
            )
