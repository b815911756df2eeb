"""A training followed from its first weights on, epoch by epoch."""

from dataclasses import dataclass

import numpy as np

from preceptor.train import Arrays, Config, train
from preceptor.train.training import initial_values

Params = dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Trail:
    """What a training passed through.

    Args:
        params: before the first epoch, and after each.
        objective: mean loss of each epoch's batches; train_loss, dev_loss: outside training at its end, NaN where none
            was asked for.

    Shapes: params (epoch + 1,) of dictionaries; the losses (epoch,).
    """

    params: tuple[Params, ...]
    objective: np.ndarray
    train_loss: np.ndarray
    dev_loss: np.ndarray

    def values(self, path: str) -> np.ndarray:
        """A parameter before the first epoch and after each. Shapes: -> (epoch + 1, ...)."""
        return np.array([each[path] for each in self.params])


def follow(config: Config, data: Arrays, judged: int = 0) -> Trail:
    """Trains, and keeps what is left of each epoch; ends before the first whose loss or weights are not finite.

    Args:
        judged: rows of the training part that are judged outside training, as of `train`.
    """
    params = [initial_values(config, data)[0]]
    losses = []
    for record in train(config, data, judged=judged):
        if not record.is_finite:
            break
        if record.is_epoch_end:
            params.append(record.snapshot()["params"])
            kept = (record.objective, record.train_loss, record.dev_loss)
            losses.append([float("nan") if each is None else each for each in kept])
    found = np.array(losses).reshape(-1, 3)
    return Trail(tuple(params), found[:, 0], found[:, 1], found[:, 2])
