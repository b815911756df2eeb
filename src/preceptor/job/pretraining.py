"""Learning without labels: from data of which nobody said what they are to a trunk that others begin from."""

from pathlib import Path
from typing import Any

from preceptor.disk import named
from preceptor.errors import ConfigError
from preceptor.job.attempts import trained
from preceptor.job.fit import Fitting, building
from preceptor.job.folder import check_out
from preceptor.job.pretext_survey import survey_task
from preceptor.job.pretext_words import make_task
from preceptor.job.run import Run
from preceptor.job.settings import Settings, make_settings
from preceptor.job.source_files import where
from preceptor.job.stages import Stages, completed
from preceptor.nn import Sequential
from preceptor.nn.layer import Arrays, within
from preceptor.nn.siamese import trunk_in
from preceptor.pretext import Task

# Of the settings of `fit` those that say something of data without labels.
TAKEN = (
    "target",
    "seed",
    "dev_share",
    "leave_out",
    "model",
    "hidden",
    "activation",
    "initialiser",
    "batch_norm",
    "drop_rate",
    "optimiser",
    "learning_rate",
    "schedule",
    "warmup",
    "batch_size",
    "epochs",
    "patience",
    "l2",
    "l1",
    "clip_value",
    "clip_norm",
    "average",
    "augment",
    "skip_corrupt",
    "engine",
    "threads",
    "devices",
    "precision",
)
UNWATCHED = "a task makes its own targets, of which the rules know nothing"


def pretrain(source: Any, task: str, *, out: str | Path | None = None, **settings: Any) -> Run:
    """Trains a network without labels: on a task that the data pose themselves.

    Args:
        source: of pictures the path of a folder, of a zip file, or of IDX or CIFAR files; of a table as of `fit`.
            Labels, if any, are not looked at, nor what the source calls test.
        task: rotation, colour, inpaint, position or contrast, of pictures; columns, of a table. Its numbers stand
            behind colons: "contrast:temperature=0.2".
        out: folder to write the run to; without it nothing is written (see Run.save).
        settings: as of the command `preceptor pretrain`, with underscores.

    Returns: the Run, of which `fit(..., from_=run)` takes the trunk: its figures `run.dev` say how well the task is
        solved.
    Raises: DataError, ConfigError; KeyboardInterrupt as `fit`.
    """
    chosen, place = task_settings(settings), None if out is None else named(out, "out")
    if place is not None:
        check_out(place)
    return trained(completed(preparing_task(source, make_task(task), chosen)), place)


def task_settings(given: dict[str, Any]) -> Settings:
    """The settings of a training without labels. Raises: ConfigError for those that only labels give a meaning."""
    made = make_settings(given)
    if useless := [name for name in made.given() if name not in (*TAKEN, "own")]:
        raise ConfigError(
            f"pretrain: received {', '.join(useless)}, of no use without labels. Leave it out, or give it to fit."
        )
    return made


def preparing_task(source: Any, task: Task, settings: Settings, header: bool = True) -> Stages[Fitting]:
    """Reads data without labels, makes the task of them and builds the network. Writes nothing that stays.

    Raises: DataError, ConfigError, with what was received, what is required and the likely cure.
    """
    seen = yield from survey_task(source, task, settings, header)
    lies = where(source) if isinstance(source, (str, Path)) else ""
    fitting = yield from building(lies, seen, settings, header)
    fitting.unwatched = fitting.unwatched or UNWATCHED
    return fitting


def trunk_of(run: Run) -> tuple[Sequential, Arrays, Arrays]:
    """The trunk of a run that learned a task, with its parameters and state, keyed as the trunk keys them.

    It takes what `run.preprocessor.inner` makes of new data; its output is the features, (batch, feature).

    Raises: ConfigError where the run learned no task.
    """
    if "task" not in run.facts or not isinstance(run.network, Sequential):
        raise ConfigError(
            "trunk_of: this run learned from labels; one of `preceptor pretrain` is required. Take its network."
        )
    trunk = trunk_in(run.network)
    assert isinstance(trunk, Sequential)
    return trunk, within(run.params, "trunk"), within(run.state, "trunk")


__all__ = ["TAKEN", "preparing_task", "pretrain", "task_settings", "trunk_of"]
