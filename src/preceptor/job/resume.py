"""An unfinished run, ready to go on."""

import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

from preceptor.disk import named, sweep
from preceptor.engines import is_first_process
from preceptor.errors import DataError
from preceptor.job.attempts import trained, unfinished
from preceptor.job.computed import computed_by
from preceptor.job.fit import Fitting, preparing, put_together
from preceptor.job.folder import CONFIG, PLAN, checkpoints_of, clear, not_written, read_folder, read_plan, settle
from preceptor.job.lock import Lock
from preceptor.job.mending import MOST_TRAININGS
from preceptor.job.pretext_words import make_task
from preceptor.job.pretraining import preparing_task
from preceptor.job.progress import Outcome
from preceptor.job.run import Run
from preceptor.job.settings import Settings
from preceptor.job.stages import Stages, completed


def resume(out: Path, source: Any = None, target: Any = None) -> tuple[Fitting, list[str]]:
    """Prepares an unfinished run to go on from its newest whole checkpoint, or from the first step where there is none.

    Args:
        out: the run's folder.
        source: the data, where it is not where it was.
        target: as of `fit`, where it was given beside the data.
    Returns: the training, and sentences about what was found.
    Raises: DataError where there is nothing to go on with, or the data are not those of the run; ConfigError where
        another process trains it.
    """
    return completed(resuming(out, source if target is None else put_together(source, target)[0]))


def resuming(out: Path, source: Any = None) -> Stages[tuple[Fitting, list[str]]]:
    """`resume`, saying how far it has come."""
    lock = _claim(out) if is_first_process() else None
    try:
        plan = read_plan(out)
        if source is None and not plan.source:
            raise DataError(f"{out}: its data were given in Python, not as a file; they are needed again. Pass them.")
        settings = Settings.from_dict(plan.settings, f"{out}: {PLAN}")
        data = plan.source if source is None else source
        if plan.task is None:
            fitting = yield from preparing(data, settings, plan.header)
        else:
            fitting = yield from preparing_task(data, make_task(plan.task), settings, plan.header)
        if fitting.fingerprint() != plan.fingerprint:
            begins = "" if settings.from_ is None else f", or {settings.from_} is not what it was"
            raise DataError(
                f"{out}: the data are not those that the run was begun with{begins}; the same are needed. "
                "Give the right file, or train anew."
            )
        if plan.mending is not None:
            unfinished(fitting, plan.mending, out)
        checkpoint, notes = checkpoints_of(out, plan.mending.number if plan.mending else 1).latest()
        notes += _differences(plan.computed, computed_by(fitting.config.engine))
        if checkpoint is None:
            notes.append("No checkpoint was committed yet: training begins again.")
        else:
            fitting.restore(checkpoint)
            notes.append(f"Going on after step {checkpoint.step:,}.")
    except BaseException:
        if lock is not None:
            lock.release()
        raise
    if lock is not None:
        fitting.out, fitting.lock = out, lock
    if plan.mending is not None:
        notes[-1] += f" It is training {plan.mending.number} of at most {MOST_TRAININGS} of a mending."
    return fitting, notes


def _claim(out: Path) -> Lock:
    """Holds the folder of an unfinished run, as it stood before anything was broken off.

    Raises: DataError where it is none; ConfigError where another process trains it.
    """
    _check_unfinished(out)
    try:
        lock = Lock(out)
        _check_unfinished(out)  # it may have been finished meanwhile
        settle(out)
        sweep(out)
    except OSError as error:
        raise not_written(out, error) from None
    with suppress(OSError, ValueError):
        if (out / CONFIG).exists() and not Outcome.INTERRUPTED.is_told_by(read_folder(out).config.facts["outcome"]):
            clear(out)  # a kill came between the last two steps
    try:
        _check_unfinished(out)
    except DataError:
        lock.release()
        raise
    return lock


def _check_unfinished(out: Path) -> None:
    try:
        begun, done = (out / PLAN).is_file(), (out / CONFIG).is_file()
    except OSError as error:
        raise not_written(out, error) from None
    if not begun:
        what = "this run is finished; there is nothing to go on with" if done else "this is no run folder"
        raise DataError(f"{out}: {what}. `preceptor fit DATA --out RUN` makes one.")


def _differences(begun: dict[str, str], now: dict[str, str]) -> list[str]:
    """A sentence where what computes is not what the run was begun with."""
    changed = [name for name in {**begun, **now} if begun.get(name) != now.get(name)]
    if not changed:
        return []
    pairs = [f"{name} {begun.get(name, 'none')} then, {now.get(name, 'none')} now" for name in changed]
    return [f"It was begun with another machine or other versions ({'; '.join(pairs)}): the last digits may differ."]


def go_on(out: str | Path, source: Any = None) -> Run:
    """Trains an unfinished run to its end, in the same bits as if it had never been broken off.

    Args:
        out: the run's folder.
        source: the data, where it is not where it was, or was given in Python.
    Returns: the Run, as `fit`.
    Raises: DataError where there is nothing to go on with, or the data are not those of the run; ConfigError where
        another process trains it; KeyboardInterrupt as `fit`.
    """
    fitting, notes = resume(named(out, "resume"), source)
    for note in notes[:-1]:
        warnings.warn(note, stacklevel=2)
    return trained(fitting)
