"""How well a task is solved, on rows that did not teach."""

from typing import Any

import numpy as np

from preceptor.evidence import Evidence
from preceptor.evidence.filters import filters_of
from preceptor.evidence.layers import layers_of, told_of
from preceptor.evidence.losses import curve_of
from preceptor.job.computed import computed_by
from preceptor.job.judging import Judged, headlines
from preceptor.job.judging import judge as judged_on
from preceptor.job.pretext_survey import TaskSurvey
from preceptor.job.progress import Progress
from preceptor.job.stages import Encoded
from preceptor.nn import Loss, Sequential
from preceptor.nn.layer import within
from preceptor.nn.siamese import trunk_in
from preceptor.train.evaluator import Evaluator
from preceptor.train.training import Arrays, Config, Streamed

__all__ = ["gather_task", "headline_of_task", "judge_task"]


def judge_task(seen: TaskSurvey, config: Config, weights: dict[str, Any], data: Arrays | Streamed) -> Judged:
    """The figures of the dev rows."""
    if seen.task.classes:
        return judged_on(seen.preprocessor.targets, config, weights, data, None, None, None)
    if not data.guides:
        return Judged(config.loss)
    outputs = Evaluator(config.network, None, config.engine, weights, data.dev_x)(weights, data.dev_x)[1]
    assert data.dev_y is not None
    return Judged(config.loss, dev=seen.task.figures(outputs, data.dev_y, config.loss))


def headline_of_task(seen: TaskSurvey, loss: Loss, outputs: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """The one figure that is shown while training."""
    if seen.task.classes:
        return headlines(seen.preprocessor.targets, loss, outputs, y, None)
    name = seen.task.chance[0]
    found = seen.task.figures(outputs, y, loss)
    return {name: float(found[name])} if name in found else {}


def gather_task(
    seen: TaskSurvey, config: Config, encoded: Encoded, weights: dict[str, Any], progress: Progress
) -> Evidence:
    """What a run's page shows of a task: the network, what its first layer looks for, the losses."""
    network, weighing = config.network, (weights["params"], weights["state"])
    assert isinstance(network, Sequential)
    params, state = (within(each, "trunk") for each in weighing)
    shape = getattr(seen.preprocessor.inner, "shape", seen.preprocessor.input_shape)
    return Evidence(
        layers=layers_of(network, *weighing, seen.preprocessor.input_shape),
        filters=filters_of(trunk_in(network), params, state, shape),
        network=told_of(network, weights["params"]),
        losses=curve_of(progress.course) if progress.course.steps else None,
        fingerprint=encoded.fingerprint(seen.preprocessor),
        versions=computed_by(config.engine),
    )
