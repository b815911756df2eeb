"""Outputs and losses outside training."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from preceptor.engines import Engine
from preceptor.graph import trace
from preceptor.nn import Layer, Loss, output_spec
from preceptor.ops import Spec
from preceptor.ops.primitive import spec_of

__all__ = ["Evaluator", "Judges", "mean_loss"]

PARTS = ("params", "state")  # what predicts

EVALUATION_ROWS = 256  # rows taken at once outside training, so that what layers make of them stays in the caches
EVALUATION_BYTES = 16 << 20  # of what goes in: what a convolutional network makes of it takes up to 30 times as much


class Evaluator:
    """Outputs and mean loss of a network on any rows, in pieces of one size so that one compilation serves all.

    The loss of each row is computed by the engine, beside the outputs; their sum is taken on the host, in float64.

    Args:
        like: the parameters and state, or others of the same shapes.
        x: the rows, or others of the same shape, that are to be looked at: they fix the size of the pieces.
    """

    def __init__(self, network: Layer, loss: Loss | None, engine: Engine, like: dict[str, Any], x: np.ndarray) -> None:
        self.network, self.loss, self.engine = network, loss, engine
        self.dtype = np.dtype(np.float64 if engine.precision == "f64" else np.float32)
        row_bytes = math.prod(x.shape[1:]) * self.dtype.itemsize
        most = min(EVALUATION_ROWS, max(1, EVALUATION_BYTES // max(row_bytes, 1)))
        self.piece = math.ceil(len(x) / math.ceil(len(x) / most))  # equal: the last is filled up
        self.x = Spec((self.piece, *x.shape[1:]), self.dtype)
        self.params, self.state = ({path: spec_of(value) for path, value in like[part].items()} for part in PARTS)
        self._runs: dict[Spec | None, Callable[[list], list]] = {}

    def run(self, y: Spec | None = None) -> Callable[[list], list]:
        """From parameters, state and a piece of rows to the outputs, and with the targets' spec also from these to the
        loss of each row; compiled when it is first asked for."""
        if y not in self._runs:
            given = self.params, self.state, self.x
            graph = trace(self._outputs)(*given) if y is None else trace(self._judged)(*given, y)
            self._runs[y] = self.engine.compile(graph.graph)
        return self._runs[y]

    def _outputs(self, params: Any, state: Any, x: Any) -> Any:
        return self.network.apply(params, state, x, train=False, key=None)[0]

    def _judged(self, params: Any, state: Any, x: Any, y: Any) -> Any:
        assert self.loss is not None
        outputs = self._outputs(params, state, x)
        return outputs, self.loss.judge(outputs, y)

    def filled(self, rows: np.ndarray) -> np.ndarray:
        """The rows of a piece, the first of them as often as rows are missing."""
        missing = self.piece - len(rows)
        return np.concatenate((rows, np.repeat(rows[:1], missing, 0))) if missing else rows

    def pieces(self, count: int) -> Iterator[slice]:
        """Where the pieces of so many rows lie."""
        return (slice(start, min(start + self.piece, count)) for start in range(0, count, self.piece))

    def leaves(self, carried: dict[str, Any]) -> list[Any]:
        """Parameters and state as the programs take them."""
        return [carried[part][path] for part in PARTS for path in sorted(carried[part])]

    @np.errstate(all="ignore")  # infinities and NaN are values here, as in training
    def __call__(self, carried: dict[str, Any], x: Any, y: Any = None, weight: Any = None) -> tuple[float, np.ndarray]:
        """(mean loss, raw outputs) under the given parameters and state; the loss is NaN without targets.

        Args:
            x, y: arrays, or what has their length and gives their slices.
            weight: what each row counts in the mean, an array; 1 if left out.
        """
        if self.loss is not None and y is not None:
            return self.judges(x, y, weight)(carried)
        leaves, run, found = self.leaves(carried), self.run(), []
        for part in self.pieces(len(x)):
            rows = self.filled(np.ascontiguousarray(x[part], self.dtype))
            found.append(run([*leaves, rows])[0][: part.stop - part.start])
        return math.nan, np.concatenate(found)

    def judges(self, x: Any, y: Any, weight: Any = None) -> "Judges":
        """Rows with their targets, made ready to judge many times; arguments as of a call."""
        assert self.loss is not None
        units = output_spec(self.network, self.params, self.state, self.x).shape[-1]
        target = self.loss.prepared(y, units, self.dtype)
        run = self.run(Spec((self.piece, *target.shape[1:]), target.dtype))
        whole = float(len(x) if weight is None else weight.sum())
        return Judges(self, run, x, target, weight, whole)


class Judges:
    """Rows that judge: a call gives their mean loss and the raw outputs for them, under parameters and state."""

    def __init__(
        self, evaluator: Evaluator, run: Callable[[list], list], x: Any, y: Any, weight: Any, whole: float
    ) -> None:
        self.evaluator, self.run, self.x, self.weight, self.whole = evaluator, run, x, weight, whole
        self.parts = list(evaluator.pieces(len(x)))
        self.y = [evaluator.filled(np.ascontiguousarray(y[part])) for part in self.parts]
        is_held = isinstance(x, np.ndarray) and x.dtype == evaluator.dtype  # else it may be larger than memory
        self.rows = [self._rows(part) for part in self.parts] if is_held else None

    def _rows(self, part: slice) -> np.ndarray:
        return self.evaluator.filled(np.ascontiguousarray(self.x[part], self.evaluator.dtype))

    @np.errstate(all="ignore")  # infinities and NaN are values here, as in training
    def __call__(self, carried: dict[str, Any]) -> tuple[float, np.ndarray]:
        leaves, found, total = self.evaluator.leaves(carried), [], 0.0
        for number, part in enumerate(self.parts):
            rows, count = self._rows(part) if self.rows is None else self.rows[number], part.stop - part.start
            outputs, each = self.run([*leaves, rows, self.y[number]])
            found.append(outputs[:count])
            total += _sum(each[:count], None if self.weight is None else self.weight[part])
        return total / self.whole if self.whole else math.nan, found[0] if len(found) == 1 else np.concatenate(found)


@np.errstate(all="ignore")
def mean_loss(loss: Loss, outputs: np.ndarray, y: np.ndarray, weight: np.ndarray | None = None) -> float:
    """The mean loss of raw outputs. Args: weight: what each row counts in the mean; 1 if left out."""
    total, whole = _sum_of_losses(loss, outputs, y, weight)
    return total / whole if whole else math.nan


def _sum_of_losses(loss: Loss, outputs: np.ndarray, y: np.ndarray, weight: np.ndarray | None) -> tuple[float, float]:
    """The sum of the losses, and of what the rows count."""
    each = loss.judge(outputs, loss.prepared(y, outputs.shape[-1], outputs.dtype))
    return _sum(each, weight), len(y) if weight is None else float(weight.sum())


def _sum(each: np.ndarray, weight: np.ndarray | None) -> float:
    return float(np.sum(each if weight is None else each * weight, dtype=np.float64))
