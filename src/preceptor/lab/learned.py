"""A network trained on rows that teach and judged on rows that do not, with its errors."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from preceptor.nn import Layer
from preceptor.train import Arrays, Config, train
from preceptor.train.loop import JUDGED
from preceptor.train.programs import Programs


@dataclass(frozen=True, eq=False)
class Learned:
    """What a training leaves.

    Args:
        params, state: what predicts.
        losses: mean loss of each epoch's batches, as trained; train_losses, dev_losses: outside training, after each
            epoch.
        train_error, dev_error: shares of rows that are taken for another class, at the end.

    Shapes: losses, train_losses, dev_losses (epoch,).
    """

    network: Layer
    params: dict[str, Any]
    state: dict[str, Any]
    losses: np.ndarray
    train_losses: np.ndarray
    dev_losses: np.ndarray
    train_error: float
    dev_error: float

    def outputs(self, x: np.ndarray) -> np.ndarray:
        """Raw outputs, outside training. Shapes: (row, ...) -> (row, unit)."""
        return outputs_of(self.network, self.params, self.state, x)

    def error(self, x: np.ndarray, y: np.ndarray) -> float:
        """The share of these rows that is taken for another class."""
        return wrong(self.outputs(x), y)


def outputs_of(network: Layer, params: dict[str, Any], state: dict[str, Any], x: np.ndarray) -> np.ndarray:
    """Raw outputs of a network, outside training. Shapes: (row, ...) -> (row, unit)."""
    return np.asarray(network.apply(params, state, x, train=False, key=None)[0])


def classes_of(outputs: np.ndarray) -> np.ndarray:
    """The most probable class of each row: of one logit, whether it is above 0. Shapes: (row, unit) -> (row,)."""
    return (outputs[:, 0] > 0).astype(int) if outputs.shape[1] == 1 else outputs.argmax(1)


def wrong(outputs: np.ndarray, y: np.ndarray) -> float:
    """The share of rows whose most probable class is another than theirs. Shapes: (row, unit), (row,)."""
    return float((classes_of(outputs) != y).mean())


def learn(config: Config, data: Arrays, judged: int = JUDGED, programs: Programs | None = None) -> Learned:
    """Trains to the end and judges.

    Args:
        judged: rows of the training part that are judged after each epoch, as of `train`; 0 is quicker.
        programs: of other trainings on the same Arrays, which spare the making of them anew.

    Raises: as `train`.
    """
    found = []
    for record in train(config, data, judged=judged, programs=programs):
        if record.is_epoch_end:
            found.append((record.objective, record.train_loss, record.dev_loss))
    weights = record.weights()
    params, state = weights["params"], weights["state"]
    losses = np.array([[np.nan if each is None else each for each in row] for row in found])
    taught = outputs_of(config.network, params, state, data.x)
    unseen_error = float("nan")
    if data.dev_x is not None and data.dev_y is not None:
        unseen_error = wrong(outputs_of(config.network, params, state, data.dev_x), data.dev_y)
    trained, seen, unseen = losses.T
    return Learned(config.network, params, state, trained, seen, unseen, wrong(taught, data.y), unseen_error)
