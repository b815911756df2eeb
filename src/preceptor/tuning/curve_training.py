"""One training of a learning curve, and what it comes to: for rows that it learned from, and for judges."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from preceptor.engines.native.engine import Native
from preceptor.errors import ConfigError, DataError, MemoryNeeded, NotSupported, ShapeError
from preceptor.job.fit import Fitting, building
from preceptor.job.judging import all_figures
from preceptor.job.measure import metric_of
from preceptor.job.picture_survey import PictureSurvey
from preceptor.job.progress import Outcome
from preceptor.job.settings import Settings
from preceptor.job.stages import completed
from preceptor.job.survey import Survey
from preceptor.train.evaluator import Evaluator
from preceptor.train.training import Arrays

MOST_TAUGHT = 10_000  # training rows that are judged; an error is then known to 1 %
TOLD = (ConfigError, DataError, MemoryNeeded, NotSupported, ShapeError)  # whose words are for people


@dataclass(frozen=True)
class Reached:
    """What a training came to.

    Args:
        train, dev: figures of rows that it learned from, and of the judges; empty where it failed.
        parameters: how many numbers its network learned.
        error: why it failed, a sentence.
    """

    train: dict[str, float]
    dev: dict[str, float]
    parameters: int = 0
    error: str = ""


@dataclass(eq=False)
class Going:
    """A training under way: what share of its steps is made; whether it is to stop, for nobody waits for it."""

    share: float = 0.0
    is_stopped: bool = False


def reach(
    source: str,
    seen: Survey | PictureSurvey,
    settings: Settings,
    header: bool = True,
    threads: int | None = None,
    going: Going | None = None,
) -> Reached:
    """Trains on what was divided, to the end, and judges the rows that it learned from and the judges, which are the
    test rows of `seen`. What fails is told, not raised.

    Args:
        threads: of the native engine; None as asked for.
        going: what it tells of itself while it goes on, and who ends it.
    """
    going = going or Going()
    try:
        fitting = completed(building(source, seen, settings, header))
        engine = fitting.config.engine
        if threads is not None and isinstance(engine, Native):
            fitting.config = replace(fitting.config, engine=replace(engine, threads=threads))
        fitting.gathers, fitting.unwatched = False, "a training of a learning curve"
        for record in fitting.records():
            going.share = record.step / record.steps
            if going.is_stopped:
                return Reached({}, {}, error="stopped.")
        if fitting.outcome is Outcome.DIVERGED:
            return Reached({}, {}, error="the loss became infinite or no number.")
        run = fitting.finish()
        train = _of_taught(fitting, run)
    except TOLD as error:
        return Reached({}, {}, error=str(error))
    return Reached(train, _values(run.test), sum(each.size for each in run.params.values()))


def _of_taught(fitting: Fitting, run: Any) -> dict[str, float]:
    """The figures of the rows that were learned from, as the finished network predicts them."""
    data = fitting.data
    x, y = (data.x, data.y) if isinstance(data, Arrays) else (data.seen_x, data.seen_y)
    weight = data.weight if isinstance(data, Arrays) else None
    if x is None or y is None:
        return {}
    rows = slice(None, None, -(-len(y) // MOST_TAUGHT))
    weights = {"params": run.params, "state": run.state}
    taught = x[rows] if isinstance(data, Arrays) else x
    outputs = Evaluator(fitting.config.network, None, fitting.config.engine, weights, taught)(weights, taught)[1]
    own, counts = (y[rows], None if weight is None else weight[rows]) if isinstance(data, Arrays) else (y, None)
    metric, threshold = metric_of(fitting.settings), run.facts.get("threshold")
    return _values(all_figures(fitting.preprocessor.targets, run.loss, outputs, own, counts, metric, threshold))


def _values(figures: dict[str, Any]) -> dict[str, float]:
    return {name: float(each) for name, each in figures.items() if np.isfinite(float(each))}


__all__ = ["Going", "Reached", "reach"]
