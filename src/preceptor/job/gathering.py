"""Gathers what a run's page shows, while data, network and doctor are still at hand."""

from typing import Any

from preceptor.diagnose import Doctor
from preceptor.evidence import Evidence
from preceptor.evidence.columns import columns_of
from preceptor.evidence.filters import filters_of
from preceptor.evidence.layers import layers_of, told_of
from preceptor.evidence.look import look_of
from preceptor.evidence.losses import curve_of, forks_of
from preceptor.evidence.record import Column, Example, Look
from preceptor.evidence.shades import shades_of
from preceptor.evidence.shown import Saliency, block_of_pixels, pictures_shown, rows_shown
from preceptor.job.computed import computed_by
from preceptor.job.judging import Judged
from preceptor.job.picture_survey import PictureSurvey
from preceptor.job.progress import Progress
from preceptor.job.settings import Settings
from preceptor.job.stages import Encoded
from preceptor.job.survey import Survey
from preceptor.job.told_by_judges import told_by_judges
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
    network, shape = config.network, seen.preprocessor.input_shape
    weighing = weights["params"], weights["state"]
    columns, column_count = _columns(seen)
    history = None if doctor is None else doctor.history
    pictures = _picture_shape(seen)
    taught = progress.course.steps * config.batch_size
    saliency = Saliency.of(network, weights, encoded.data, config.engine, taught) if len(pictures) == 3 else None
    examples = _examples(seen, judged, saliency)
    return Evidence(
        examples=examples,
        saliency=saliency.told if saliency and any(each.saliency for each in examples) else "",
        columns=columns,
        column_count=column_count,
        layers=layers_of(network, *weighing, shape),
        network=told_of(network, weights["params"]),
        look=Look() if history is None else look_of(history),
        filters=filters_of(network, *weighing, pictures),
        losses=curve_of(progress.course) if progress.course.steps else None,
        forks=[] if doctor is None else forks_of(doctor),
        fingerprint=encoded.fingerprint(seen.preprocessor),
        versions=computed_by(config.engine),
        **told_by_judges(judged.judges, seen, settings, config, encoded, progress),
    )


def _columns(seen: Survey | PictureSurvey) -> tuple[list[Column], int]:
    """The columns of a table as its training rows have them, or the channels of pictures; and how many there are."""
    if isinstance(seen, PictureSurvey):
        found = shades_of(seen.table, seen.parts.train, seen.preprocessor)
        return found, len(found)
    return columns_of(seen.seen, seen.seen_parts.train, seen.preprocessor)


def _examples(seen: Survey | PictureSurvey, judged: Judged, saliency: Saliency | None) -> list[Example]:
    """Single rows that judge, or pictures."""
    if judged.judges is None:
        return []
    if isinstance(seen, PictureSurvey):
        return pictures_shown(judged.judges, seen.parts, seen.table, saliency)
    return rows_shown(judged.judges, seen.parts, seen.table, seen.preprocessor, saliency)


def _picture_shape(seen: Survey | PictureSurvey) -> tuple[int, ...]:
    """Height, width and channels of what the network takes, where that is a picture."""
    if isinstance(seen, PictureSurvey):
        return seen.preprocessor.input_shape
    side = block_of_pixels(seen.table, seen.preprocessor)
    return seen.preprocessor.input_shape if side is None else (side, side, 1)
