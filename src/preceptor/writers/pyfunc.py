"""How MLflow loads a run: by our own loader, which runs no code of the run's. MLflow knows this module by its name."""

from pathlib import Path
from typing import Any

import numpy as np

from preceptor.job.loading import load
from preceptor.job.run import Run

__all__ = ["Model"]


class Model:
    """A run as MLflow's `python_function`."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def predict(self, data: Any) -> Any:
        """What the run predicts.

        Args:
            data: a data frame, or whatever `Run.predict` takes. Of pictures a data frame with the column `picture`:
                their paths.
        Returns: as `Run.predict`; of several targets a data frame with a column for each.
        """
        if hasattr(data, "columns") and list(data.columns) == ["picture"]:
            return np.concatenate([self.run.predict(path) for path in data["picture"]])
        found = self.run.predict(data)
        if isinstance(found, dict):
            import pandas

            return pandas.DataFrame(found)
        return found


def _load_pyfunc(path: str) -> Model:
    """The model of a run's folder."""
    return Model(load(Path(path)))
