"""What goes on in every layer during a step: figures of signals, gradients and changes, told without touching them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from preceptor import ops
from preceptor.autodiff import grad, value_and_grad
from preceptor.engines import Reference
from preceptor.errors import NotDifferentiable, ShapeError
from preceptor.graph import call, flatten, trace
from preceptor.nn.activation import Activation
from preceptor.nn.layer import Layer, leaves, mapped, multiply_adds
from preceptor.ops import Spec
from preceptor.train.step import batch_loss, step_key
from preceptor.train.stepper import Stepper

DEAR = 3  # forward passes that a step takes: conventional
LITTLE = 1e8  # multiplications: NumPy makes them in the time that an engine takes to compile
FLAT = 0.05  # of the largest slope of an activation, below which a unit hardly learns: conventional


@dataclass(frozen=True, eq=False)
class Signal:
    """What comes out of a layer on the rows of some batches, in training.

    Args:
        mean, size: mean and root mean square of the outputs.
        spread: root of the mean, over units, of the variance over rows: what of it tells rows apart.
        zeros: share of the outputs that are 0.
        gradient: root mean square of the derivative of a row's loss by them.
        flat, still: of an activation, for each unit the share of rows on which its slope is below a twentieth of the
            largest, and on which it is 0; empty of other layers. A unit is a channel, or a feature of a member.
    """

    mean: float
    size: float
    spread: float
    zeros: float
    gradient: float
    flat: np.ndarray = field(default_factory=lambda: np.zeros(0))
    still: np.ndarray = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True)
class Parameter:
    """What one array of parameters is and how a step changes it: root mean squares.

    Args:
        size, gradient, update: of the numbers, of the derivative of the mean loss, and of what the step adds.
        units: along the last axis.
        descent: cosine of the change and the gradient, turned: 1 straight downhill, below 0 uphill.
        apart, gradient_apart: of what tells the units apart (the last axis less its mean), in the numbers and in the
            gradient; None of arrays with one axis.
    """

    size: float
    gradient: float
    update: float
    units: int
    descent: float = 0.0
    apart: float | None = None
    gradient_apart: float | None = None


@dataclass(frozen=True, eq=False)
class Probe:
    """Figures of every layer around one step.

    Args:
        step: the step that the state had made.
        rows: on which the figures of signals are taken.
        signals: by the layer's path, in the order of the network.
        parameters: by their path.
    """

    step: int
    rows: int
    signals: dict[str, Signal]
    parameters: dict[str, Parameter]


@dataclass(frozen=True)
class Tapped(Layer):
    """A layer whose output is kept in the state, as "seen", and has a 0 added to it by which one can differentiate."""

    layer: Layer

    def init(self, rng: np.random.Generator, spec: Spec) -> tuple[dict, dict]:
        return self.layer.init(rng, spec)

    def apply(self, params: dict, state: dict, x: Any, *, train: bool, key: Any) -> tuple[Any, dict]:
        own = {name: value for name, value in params.items() if name != "tap"}
        y, after = self.layer.apply(own, state, x, train=train, key=key)
        after = after | {"seen": y}
        if steepest(self.layer):
            after |= {"slope": grad(lambda z: ops.sum(self.layer(z)))(x)}  # type: ignore[operator]
        return (y + params["tap"] if "tap" in params else y), after


def steepest(layer: Layer) -> float:
    """The largest slope of an activation between -8 and 8; 0 of one without a slope, or in which numbers meet, and of
    any other layer."""
    if not isinstance(layer, Activation):
        return 0.0
    z = np.linspace(-8, 8, 162).reshape(-1, 6)
    try:
        whole, single = layer(z), layer(z.reshape(-1, 1))
        if whole.shape != z.shape or not np.allclose(whole.reshape(-1, 1), single):
            return 0.0
        alone = grad(lambda z: ops.sum(layer(z)))(z)
    except (NotDifferentiable, ShapeError):
        return 0.0
    return float(np.abs(alone).max())


def work(stepper: Stepper, like: Any) -> int:
    """Multiplications of a probe by one batch."""
    return DEAR * multiply_adds(stepper.config.network, like["params"], like["state"], stepper.batch["x"])


class Prober:
    """Takes probes of a training: compiled once, beside the step, or left to NumPy where that is sooner done.

    It computes the step of a batch once more with a copy of the network whose layers tell what they give, and keeps
    only figures: no number of the training is changed, none is drawn otherwise.
    """

    def __init__(self, stepper: Stepper, like: Any) -> None:
        self.stepper, config = stepper, stepper.config
        self.network = mapped(config.network, Tapped)
        self.tops = {path: top for path, layer in leaves(config.network) if (top := steepest(layer))}
        dtype = stepper.dtype
        hyper = {name: Spec((), np.dtype(dtype)) for name in ("learning_rate", *stepper.numbers)}
        hyper |= {"step": Spec((), np.dtype(np.int32))}
        self.forward = trace(self._forward)(like, stepper.batch, hyper)
        seen = zip(self.forward.results.keys, self.forward.graph.outputs, strict=True)
        self.outputs = {path: node.spec for path, node in seen}
        self.order = [path for path, _ in leaves(config.network) if path in self.outputs]
        self.program = trace(self._figures)(like, stepper.batch, hyper)
        self.work = work(stepper, like)

    @cached_property
    def _by_numpy(self) -> Callable[[list], list]:
        return Reference(self.stepper.config.engine.precision).compile(self.program.graph)

    @cached_property
    def _by_engine(self) -> Callable[[list], list]:
        return self.stepper.config.engine.compile(self.program.graph)

    def _forward(self, state: Any, batch: Any, hyper: Any) -> dict[str, Any]:
        """What each layer gives, by its path."""
        key = step_key(state, hyper)
        _, after = self.network.apply(state["params"], state["state"], batch["x"], train=True, key=key)
        return {path.removesuffix("/seen"): value for path, value in after.items() if path.endswith("/seen")}

    def _figures(self, state: Any, batch: Any, hyper: Any) -> dict[str, Any]:
        taps = {f"{path}/tap": np.zeros(spec.shape, spec.dtype) for path, spec in self.outputs.items()}
        loss, key = self.stepper.config.loss, step_key(state, hyper)

        def objective(params: dict, taps: dict) -> tuple:
            return batch_loss(self.network, loss, params | taps, state["state"], batch, key, self.stepper.weights)

        (_, after), (gradients, slopes) = value_and_grad(objective, (0, 1), has_aux=True)(state["params"], taps)
        moved, _ = call(self.stepper.program, (state, batch, hyper))
        found: dict[str, Any] = {"signals": {}, "parameters": {}}
        rows = batch["x"].shape[0]
        for path in self.outputs:
            y, g = after[f"{path}/seen"], slopes[f"{path}/tap"] * rows
            apart = y - ops.mean(y, 0, keepdims=True)
            own = {
                "mean": ops.mean(y),
                "square": ops.mean(y * y),
                "variance": ops.mean(apart * apart),
                "zeros": ops.mean(ops.cast(y == 0, y.dtype)),
                "gradient": ops.mean(g * g),
            }
            if path in self.tops:
                slope = ops.abs(after[f"{path}/slope"])
                axes = tuple(range(slope.ndim - 1)) if slope.ndim == 4 else (0,)
                own["flat"] = ops.mean(ops.cast(slope < FLAT * self.tops[path], y.dtype), axes)
                own["still"] = ops.mean(ops.cast(slope == 0, y.dtype), axes)
            found["signals"][path] = own
        for path, p in state["params"].items():
            g, change = gradients[path], moved["params"][path] - p
            own = {"size": ops.mean(p * p), "gradient": ops.mean(g * g), "update": ops.mean(change * change)}
            own["descent"] = ops.mean(-g * change)
            if p.ndim > 1:
                for name, each in (("apart", p), ("gradient_apart", g)):
                    distance = each - ops.mean(each, -1, keepdims=True)
                    own[name] = ops.mean(distance * distance)
            found["parameters"][path] = own
        return found

    def __call__(self, state: Any, step: int, batches: int) -> Probe:
        """A probe of a state, as the engine has it, by the rows of the next batches. Nothing is changed."""
        sums: list[np.ndarray] = []
        run = self._by_numpy if self.work * batches < LITTLE else self._by_engine
        for number in range(batches):
            batch, hyper = self.stepper.inputs(step + number)
            with np.errstate(all="ignore"):
                found = run([np.asarray(each) for each in flatten((state, batch, hyper))[0]])
            arrays = [np.asarray(each, np.float64) for each in found]
            sums = [a + b for a, b in zip(sums, arrays, strict=True)] if sums else arrays
        means = self.program.results.build(iter([each / batches for each in sums]))
        return Probe(
            step,
            batches * self.stepper.batch_size,
            {path: _signal(means["signals"][path]) for path in self.order},
            {path: _parameter(each, state["params"][path].shape[-1]) for path, each in means["parameters"].items()},
        )


def _signal(means: dict[str, np.ndarray]) -> Signal:
    roots = {name: float(np.sqrt(means[name])) for name in ("square", "variance", "gradient")}
    own = {name: means[name].reshape(-1) for name in ("flat", "still") if name in means}
    mean, zeros = float(means["mean"]), float(means["zeros"])
    return Signal(mean, roots["square"], roots["variance"], zeros, roots["gradient"], **own)


def _parameter(means: dict[str, np.ndarray], units: int) -> Parameter:
    roots = {name: float(np.sqrt(value)) for name, value in means.items() if name != "descent"}
    length = roots["gradient"] * roots["update"]
    return Parameter(units=units, descent=float(means["descent"]) / length if length > 0 else 0.0, **roots)
