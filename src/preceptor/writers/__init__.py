"""Writers for what people already use: TensorBoard's event files, and MLflow. Each comes with an extra of its name.

`preceptor fit --log tensorboard` writes while it trains; the functions here write a run that is done.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from preceptor.errors import ConfigError

if TYPE_CHECKING:
    from preceptor.job import Run

__all__ = ["mlflow", "tensorboard"]


def tensorboard(run: "Run") -> Path:
    """Writes the history, findings, settings and figures of a run that was saved as event files into its folder.

    Returns: the folder of the event files; `tensorboard --logdir` takes it, or any folder above it.
    Raises: ConfigError where TensorBoard is not installed, the run was not saved, or has event files already.
    """
    from preceptor.writers.event_files import EventFiles, folder_of
    from preceptor.writers.telling import beginning_of_run, ending_of_run

    writer = EventFiles()
    folder = folder_of(_place(run, "tensorboard"), 0)
    if folder.exists():
        raise ConfigError(f"tensorboard: {folder} exists already; nothing is written twice. Remove it to write anew.")
    for message in (beginning_of_run(run), ending_of_run(run)):
        writer.write(message)
    writer.finish()
    return folder


def mlflow(run: "Run") -> str:
    """Sends a run that was saved to MLflow, to where its environment says (MLFLOW_TRACKING_URI): settings, history,
    figures, findings, the files that people look at, and the run as a model.

    Returns: the address of the model, which `mlflow.pyfunc.load_model` takes.
    Raises: ConfigError where MLflow is not installed, the run was not saved, or it cannot be sent.
    """
    from preceptor.writers.telling import beginning_of_run, ending_of_run, files_of
    from preceptor.writers.tracking import Tracking

    writer = Tracking()
    _place(run, "mlflow")
    try:
        for message in (beginning_of_run(run), ending_of_run(run), files_of(run)):
            writer.write(message)
        writer.finish()
    finally:
        writer.drop()
    writer.news()
    model = next((each.model for each in writer.answers if each.model), "")
    if not model:
        what = next((each.trouble.partition(";")[0] for each in writer.answers if each.trouble), "no answer")
        raise ConfigError(f"mlflow: {what}; a place that takes runs is needed. Look at MLFLOW_TRACKING_URI.")
    return model


def _place(run: "Run", where: str) -> Path:
    if run.path is None:
        raise ConfigError(f"{where}: this run was not saved; what lies in its folder is written. Call run.save first.")
    return run.path
