"""Trainings that are written down, which tests of the writers share."""

from pathlib import Path

from preceptor.job import make_settings, prepare

SETTINGS = {"epochs": 3, "hidden": (8,), "batch_size": 20, "drop_rate": 0.2, "engine": "reference"}


def begun(out: Path, **changes):
    """A training of iris into a folder, prepared."""
    fitting = prepare("iris", make_settings(SETTINGS | changes))
    fitting.open_folder(out)
    return fitting


def logged(fitting, writing, most=None):
    """The run of a training that is written down, to its end or after so many records."""
    for number, _ in enumerate(writing.records(fitting), 1):
        if number == most:
            break
    run = fitting.finish()
    writing.end(fitting, run)
    for _ in writing.finishing(run, fitting.outcome):
        pass
    return run
