"""Descents on a function of a few numbers, by the same steps that train networks."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from preceptor import ops
from preceptor.engines import Reference
from preceptor.nn import Layer, Loss
from preceptor.ops import Spec
from preceptor.train import Arrays, Config, train
from preceptor.train.optim import Optimiser
from preceptor.words import counted

Surface = Callable[[Any], Any]  # of points (point, 2) -> (point,)


@dataclass(frozen=True)
class _Point(Layer):
    """A network whose only parameters are the numbers that a function is of."""

    function: Surface
    start: tuple[float, ...]

    def init(self, rng: np.random.Generator, spec: Spec) -> tuple[dict[str, Any], dict[str, Any]]:
        return {"point": np.array(self.start)}, {}

    def apply(
        self, params: dict[str, Any], state: dict[str, Any], x: Any, *, train: bool, key: Any
    ) -> tuple[Any, dict[str, Any]]:
        return ops.reshape(self.function(ops.reshape(params["point"], (1, -1))), (1, 1)), state


@dataclass(frozen=True)
class _Value(Loss):
    """What is made small is the function itself."""

    is_of_classes: ClassVar[bool] = False

    def __call__(self, outputs: Any, target: Any) -> Any:
        return ops.reshape(outputs, (-1,))

    def outputs(self, classes: int) -> int:
        return 1

    def predict(self, outputs: Any) -> Any:
        return outputs


def in_steps(count: int | None) -> str:
    """A number of steps in words; None is more than were made."""
    return "more steps than were made" if count is None else counted(count, "step")


def descend(function: Surface, start: tuple[float, ...], optimiser: Optimiser, rate: float, steps: int) -> np.ndarray:
    """The points of a descent, the start among them, in float64, until one is not finite.

    Shapes: -> (step + 1, number).
    """
    config = Config(
        _Point(function, start), _Value(), optimiser, learning_rate=rate, batch_size=1, epochs=steps,
        engine=Reference("f64"),
    )  # fmt: skip
    nothing = np.zeros((1, 1))
    points = [np.array(start, np.float64)]
    for record in train(config, Arrays(nothing, nothing[:, 0]), judged=0):
        if not record.is_finite:
            break
        points.append(record.snapshot()["params"]["point"].astype(np.float64))
    return np.array(points)
