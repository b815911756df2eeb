"""Outputs and losses outside training."""

import math
from typing import Any

import numpy as np

from preceptor.engines import Engine
from preceptor.graph import trace
from preceptor.nn import Layer, Loss
from preceptor.ops import Spec

__all__ = ["Evaluator", "mean_loss"]

EVALUATION_ROWS = 256  # rows taken at once outside training, so that what layers make of them stays in the caches
EVALUATION_BYTES = 16 << 20  # of what goes in: what a convolutional network makes of it takes up to 30 times as much


class Evaluator:
    """Outputs and mean loss of a network on any rows, in pieces of one size so that one compilation serves all.

    Args:
        like: the parameters and state, or others of the same shapes.
        x: the rows, or others of the same shape, that are to be looked at: they fix the size of the pieces.
    """

    def __init__(self, network: Layer, loss: Loss | None, engine: Engine, like: dict[str, Any], x: np.ndarray) -> None:
        self.dtype = np.dtype(np.float64 if engine.precision == "f64" else np.float32)
        row_bytes = math.prod(x.shape[1:]) * self.dtype.itemsize
        most = min(EVALUATION_ROWS, max(1, EVALUATION_BYTES // max(row_bytes, 1)))
        self.loss, self.piece = loss, math.ceil(len(x) / math.ceil(len(x) / most))  # equal: the last is filled up
        spec = Spec((self.piece, *x.shape[1:]), self.dtype)

        def outputs(params: Any, state: Any, x: Any) -> Any:
            return network.apply(params, state, x, train=False, key=None)[0]

        program = trace(outputs)(like["params"], like["state"], spec)
        self.run = engine.compile(program.graph)

    @np.errstate(all="ignore")  # infinities and NaN are values here, as in training
    def __call__(self, carried: dict[str, Any], x: Any, y: Any = None, weight: Any = None) -> tuple[float, np.ndarray]:
        """(mean loss, raw outputs) under the given parameters and state; the loss is NaN without targets.

        Args:
            x, y: arrays, or what has their length and gives their slices.
            weight: what each row counts in the mean, an array; 1 if left out.
        """
        leaves = [carried[part][path] for part in ("params", "state") for path in sorted(carried[part])]
        pieces, total, whole = [], 0.0, 0.0
        for start in range(0, len(x), self.piece):
            part = slice(start, start + self.piece)
            rows = np.ascontiguousarray(x[part], self.dtype)
            missing = self.piece - len(rows)
            full = np.concatenate((rows, np.repeat(rows[:1], missing, 0))) if missing else rows
            outputs = self.run([*leaves, full])[0][: len(rows)]
            pieces.append(outputs)
            if self.loss is not None and y is not None:
                own = None if weight is None else weight[part]
                loss, count = _sum_of_losses(self.loss, outputs, y[part], own)
                total, whole = total + loss, whole + count
        return total / whole if whole else math.nan, np.concatenate(pieces)


@np.errstate(all="ignore")
def mean_loss(loss: Loss, outputs: np.ndarray, y: np.ndarray, weight: np.ndarray | None = None) -> float:
    """The mean loss of raw outputs. Args: weight: what each row counts in the mean; 1 if left out."""
    total, whole = _sum_of_losses(loss, outputs, y, weight)
    return total / whole if whole else math.nan


def _sum_of_losses(loss: Loss, outputs: np.ndarray, y: np.ndarray, weight: np.ndarray | None) -> tuple[float, float]:
    """The sum of the losses, and of what the rows count."""
    each = loss.judge(outputs, loss.prepared(y, outputs.shape[-1], outputs.dtype))
    if weight is None:
        return float(np.sum(each, dtype=np.float64)), len(y)
    return float(np.sum(each * weight, dtype=np.float64)), float(weight.sum())
