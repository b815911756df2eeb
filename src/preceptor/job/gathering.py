"""Gathers what a run's page shows, while data, network and doctor are still at hand."""

from typing import Any

from preceptor.diagnose import Doctor
from preceptor.evidence import Evidence
from preceptor.job.computed import computed_by
from preceptor.job.judging import Judged
from preceptor.job.picture_survey import PictureSurvey
from preceptor.job.progress import Progress
from preceptor.job.settings import Settings
from preceptor.job.stages import Encoded
from preceptor.job.survey import Survey
from preceptor.train.training import Config

__all__ = ["gather"]


def gather(
    seen: Survey | PictureSurvey,
    settings: Settings,
    config: Config,
    encoded: Encoded,
    weights: dict[str, Any],
    judged: Judged,
    progress: Progress,
    doctor: Doctor | None,
) -> Evidence:
    """The evidence of a training that was judged.

    Args:
        seen: what was read and divided; `encoded`, as the network takes it.
        weights: params and state that are kept.
        judged: what rows that the network did not learn from say of it.
        progress: of the training; `doctor`: who watched it, None where nobody did.
    """
    return Evidence(
        fingerprint=encoded.fingerprint(seen.preprocessor),
        versions=computed_by(config.engine),
    )
