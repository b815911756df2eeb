"""What the rows that judge tell for a run's page: judgement, simple guesses beside it, what matters."""

from collections.abc import Callable
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from preceptor.data import Preprocessor, Table
from preceptor.evidence.baseline import baselines
from preceptor.evidence.judgement import judgements
from preceptor.evidence.judges import Judges
from preceptor.evidence.matters import unmixed_features, what_matters
from preceptor.job.measure import metric_of
from preceptor.job.picture_survey import PictureSurvey
from preceptor.job.progress import Progress
from preceptor.job.settings import Settings
from preceptor.job.stages import Encoded
from preceptor.job.survey import Survey
from preceptor.train.training import Config

__all__ = ["told_by_judges"]


def told_by_judges(
    judges: Judges | None,
    seen: Survey | PictureSurvey,
    settings: Settings,
    config: Config,
    encoded: Encoded,
    progress: Progress,
) -> dict[str, Any]:
    """Fields of the evidence, by name; none where no rows judge."""
    if judges is None:
        return {}
    preprocessor, metric = seen.preprocessor, metric_of(settings)
    with threadpool_limits(1, user_api="blas"):  # products so small; its threads would spin where the engine's compute
        guesses = baselines(judges, encoded.data, preprocessor, config.seed, metric)
    found: dict[str, Any] = {
        "part": judges.part,
        "rows": len(judges),
        "judgements": judgements(judges, guesses, config.seed),
    }
    if isinstance(preprocessor, Preprocessor):
        visits = encoded.data.rows * max((each["epoch"] for each in progress.history), default=0)
        matters = what_matters(judges, preprocessor, config, visits, _unmixed(judges, seen, preprocessor))
        found |= {
            "importance": matters.importance,
            "measure": matters.measure,
            "cost": matters.cost,
            "responses": matters.responses,
        }
    return found


def _unmixed(
    judges: Judges, seen: Survey | PictureSurvey, preprocessor: Preprocessor
) -> Callable[[np.ndarray], np.ndarray] | None:
    """What the columns make of some of the rows, where it does not stand in the features; None where it does, or where
    the table is not in memory."""
    table = seen.table
    if preprocessor.mixing is None or not isinstance(table, Table):
        return None
    numbers = judges.numbers(seen.parts)
    return lambda rows: unmixed_features(preprocessor, table.select(numbers[rows]), numbers[rows])
