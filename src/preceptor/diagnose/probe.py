"""What goes on in every layer during a step: figures of signals, gradients and changes, told without touching them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from preceptor import ops
from preceptor.autodiff import grad
from preceptor.autodiff.reverse import forward_and_back, zeros_where_none
from preceptor.engines import Engine, Native, Reference
from preceptor.engines.native import unavailable
from preceptor.errors import NotDifferentiable, ShapeError
from preceptor.graph import call, flatten, trace
from preceptor.nn.activation import Activation
from preceptor.nn.layer import Layer, leaves, mapped, multiply_adds, products
from preceptor.ops import Spec
from preceptor.train.fine_tuning import stilled
from preceptor.train.step import batch_loss, step_key
from preceptor.train.stepper import Stepper

DEAR = 3  # forward passes that a step takes: conventional
LITTLE = 1e8  # multiplications: NumPy makes them, and what goes with them, in less time than XLA takes to compile
PLANNED = 1e11  # the same of the native engine
BLOCK = 1 << 15  # numbers looked at together
ROWS = 32  # whose signals are compared, where batches are smaller: of one row nothing would tell it apart
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

    @property
    def dead(self) -> float:
        """The share of the units whose slope is 0 on every row; 0 of what is no activation."""
        return float(np.mean(self.still >= 1)) if len(self.still) else 0.0


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
        parameters: those that move, by their path.
    """

    step: int
    rows: int
    signals: dict[str, Signal]
    parameters: dict[str, Parameter]


@dataclass(frozen=True)
class Tapped(Layer):
    """A layer whose output is kept in the state, as "seen", and the slope of an activation, as "slope"."""

    layer: Layer

    def init(self, rng: np.random.Generator, spec: Spec) -> tuple[dict, dict]:
        return self.layer.init(rng, spec)

    def apply(self, params: dict, state: dict, x: Any, *, train: bool, key: Any) -> tuple[Any, dict]:
        y, after = self.layer.apply(params, state, x, train=train, key=key)
        after = after | {"seen": y}
        if steepest(self.layer):
            after |= {"slope": grad(lambda z: ops.sum(self.layer(z)))(x)}  # type: ignore[operator]
        return y, after


def steepest(layer: Layer) -> float:
    """The largest slope of an activation between -8 and 8; 0 of one without a slope, or in which numbers meet, and of
    any other layer."""
    return _steepest(layer) if isinstance(layer, Activation) else 0.0


@cache  # a network asks for each of its activations, and has few kinds
def _steepest(layer: Activation) -> float:
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
    """Takes probes of a training: planned once, beside the step.

    It computes the step of a batch once more with a copy of the network whose layers tell what they give, and keeps
    only figures: no number of the training is changed, none is drawn otherwise. What the step computes itself is
    computed once. Where the training's engine compiles for seconds another makes probes of little work.
    """

    def __init__(self, stepper: Stepper, like: Any) -> None:
        self.stepper, config = stepper, stepper.config
        self.network = mapped(stilled(config.network, config.fine_tuning), Tapped)
        self.tops = {path: top for path, layer in leaves(config.network) if (top := steepest(layer))}
        dtype = stepper.dtype
        hyper = {name: Spec((), np.dtype(dtype)) for name in ("learning_rate", *stepper.numbers)}
        hyper |= {"step": Spec((), np.dtype(np.int32))}
        self.forward = trace(self._forward)(like, stepper.batch, hyper)
        self.program = trace(self._step)(like, stepper.batch, hyper)
        self.work = products(self.program.graph)
        seen = self.forward.results.build(iter(self.forward.graph.outputs))["seen"]
        self.order = [path for path, _ in leaves(config.network) if path in seen]
        self.numbers = max(1, sum(node.spec.size for node in seen.values()) // stepper.batch_size)  # of a row
        self._compiled: dict[Engine, Callable[[list], list]] = {}

    def _run(self, batches: int) -> Callable[[list], list]:
        engine = soonest(self.stepper.config.engine, self.work * batches)
        if engine not in self._compiled:
            self._compiled[engine] = engine.compile(self.program.graph)
        return self._compiled[engine]

    def _forward(self, state: Any, batch: Any, hyper: Any) -> dict[str, Any]:
        """The loss, what each layer gives, and the slopes of activations, by their paths."""
        parts, loss, key = (state["params"], state["state"]), self.stepper.config.loss, step_key(state, hyper)
        mean, after = batch_loss(self.network, loss, *parts, batch, key, self.stepper.weights)
        return {"loss": mean, "seen": _ending(after, "/seen"), "slope": _ending(after, "/slope")}

    def _step(self, state: Any, batch: Any, hyper: Any) -> dict[str, Any]:
        """What `_forward` gives, the derivatives of the loss by what layers give and by parameters, and these after the
        step."""
        graph, results = self.forward.graph, self.forward.results
        given = flatten((state, batch, hyper))[0]
        places = self.forward.arguments.build(iter(range(len(given))))[0]["params"]
        places = {path: places[path] for path in self.stepper.config.fine_tuning.moving(places)}
        nodes = results.build(iter(graph.outputs))["seen"]
        seeds = [np.ones((), graph.outputs[0].dtype), *[None] * (len(graph.outputs) - 1)]
        outputs, adjoints = forward_and_back(
            graph, given + graph.captured, seeds, list(places.values()), list(nodes.values())
        )
        found = results.build(iter(outputs))
        values = [*(state["params"][path] for path in places), *(found["seen"][path] for path in nodes)]
        slopes = [zeros_where_none(each, value) for each, value in zip(adjoints, values, strict=True)]
        moved, _ = call(self.stepper.program, (state, batch, hyper))
        return found | {
            "by_params": dict(zip(places, slopes[: len(places)], strict=True)),
            "by_seen": dict(zip(nodes, slopes[len(places) :], strict=True)),
            "moved": {path: moved["params"][path] for path in places},
        }

    def __call__(self, state: Any, step: int, batches: int) -> Probe:
        """A probe of a state by the rows of the next batches. Nothing is changed.

        Figures of signals are means over groups of `ROWS` rows, of one batch where it is larger; those of parameters
        are means over the batches, of `ROWS` at most.
        """
        run = self._run(batches)
        carried = [np.asarray(each) for each in flatten(state)[0]]
        moving = self.stepper.config.fine_tuning.moving(state["params"])
        own = {path: np.asarray(state["params"][path]) for path in moving}
        size = self.stepper.batch_size
        together, changes = max(1, ROWS // size), min(batches, ROWS)
        signals: dict[str, Any] = {}
        parameters: dict[str, Any] = {}
        group: list[dict[str, Any]] = []
        with np.errstate(all="ignore"):
            for number in range(batches):
                rest = flatten(self.stepper.inputs(step + number))[0]
                found = self.program.results.build(iter(np.asarray(each) for each in run([*carried, *rest])))
                group.append({name: found[name] for name in ("seen", "by_seen", "slope")})
                if number < changes:
                    for path, p in own.items():
                        figures = _parameter_figures(p, found["by_params"][path], found["moved"][path])
                        _add(parameters, path, figures, 1 / changes)
                if len(group) == together or number == batches - 1:
                    for path in self.order:
                        y, g, slope = (_rows(group, name, path) for name in ("seen", "by_seen", "slope"))
                        figures = _signal_figures(y, g, size, slope, FLAT * self.tops.get(path, 0.0))
                        _add(signals, path, figures, len(group) / batches)
                    group = []
            return Probe(
                step,
                batches * size,
                {path: _signal(signals[path]) for path in self.order},
                {path: _parameter(parameters[path], p.shape[-1]) for path, p in own.items()},
            )


def _rows(group: list[dict[str, Any]], name: str, path: str) -> Any:
    """What some batches gave for a layer, one after the other; None where it gives no such thing."""
    parts = [each[name].get(path) for each in group]
    return parts[0] if len(parts) == 1 or parts[0] is None else np.concatenate(parts)


def _add(sums: dict[str, Any], path: str, figures: dict[str, Any], share: float) -> None:
    known = sums.setdefault(path, dict.fromkeys(figures, 0.0))
    for name, value in figures.items():
        known[name] = known[name] + share * value


def soonest(engine: Engine, work: float) -> Engine:
    """The engine that comes soonest to the results of so many multiplications, compilation included: the native one
    plans within milliseconds, and NumPy needs no plan."""
    if isinstance(engine, Native):
        return engine
    if engine.precision != "f64" and not unavailable():
        return Native(engine.precision) if work < PLANNED else engine
    return Reference(engine.precision) if work < LITTLE else engine


def _ending(values: dict[str, Any], end: str) -> dict[str, Any]:
    return {path.removesuffix(end): value for path, value in values.items() if path.endswith(end)}


def _blocks(x: np.ndarray) -> Iterator[slice]:
    """Slices of rows of so many numbers that what is made of them stays in the cache."""
    count = max(1, BLOCK // max(1, x.shape[-1]))
    return (slice(start, start + count) for start in range(0, len(x), count))


def _signal_figures(y: np.ndarray, g: np.ndarray, batch: int, slope: np.ndarray | None, flat: float) -> dict[str, Any]:
    """Means over rows: of the outputs, their squares, variances, zeros, and squared derivatives of a row's loss; of an
    activation's slopes the shares that are flat and 0, by unit. `g` is of the mean loss of a batch of so many rows.

    Formula: the mean square is that of the units' means and the mean variance together.
    """
    rows, size = len(y), y.size
    y, g = y.reshape(rows, -1), g.reshape(rows, -1)
    means = y.mean(0)
    variance = zeros = square = 0.0
    for part in _blocks(y):
        apart = y[part] - means
        variance += float(np.sum(np.multiply(apart, apart, out=apart)))
        zeros += np.count_nonzero(y[part] == 0)
        square += float(np.sum(g[part] * g[part]))
    found = {
        "mean": float(np.mean(means)),
        "square": float(np.mean(means * means)) + variance / size,
        "variance": variance / size,
        "zeros": zeros / size,
        "gradient": square * batch * batch / size,
    }
    if slope is None:
        return found
    slope = slope.reshape(-1, slope.shape[-1]) if slope.ndim == 4 else slope.reshape(rows, -1)
    counts = np.zeros((2, slope.shape[1]))
    for part in _blocks(slope):
        steep = np.abs(slope[part])
        for number, mask in enumerate((steep < flat, steep == 0)):
            counts[number] += np.count_nonzero(mask, 0)
    return found | {"flat": counts[0] / len(slope), "still": counts[1] / len(slope)}


def _parameter_figures(p: np.ndarray, g: np.ndarray, moved: np.ndarray) -> dict[str, Any]:
    """Means over the numbers of one array: squares of them, of the gradient and of the change, the change times the
    gradient turned; the squares of what tells units apart."""
    names = ["size", "gradient", "update", "descent"] + ["apart", "gradient_apart"] * (p.ndim > 1)
    sums = np.zeros(len(names))
    p, g, moved = (each.reshape(-1, each.shape[-1]) if each.ndim else each.reshape(1, 1) for each in (p, g, moved))
    for part in _blocks(p):
        own, slope = p[part], g[part]
        change = moved[part] - own
        sums[:4] += [float(np.sum(a * b)) for a, b in ((own, own), (slope, slope), (change, change), (slope, change))]
        if len(names) > 4:
            sums[4:] += [float(np.sum((each - each.mean(1, keepdims=True)) ** 2)) for each in (own, slope)]
    sums[3] *= -1
    return dict(zip(names, sums / p.size, strict=True))


def _signal(means: dict[str, np.ndarray]) -> Signal:
    roots = {name: float(np.sqrt(means[name])) for name in ("square", "variance", "gradient")}
    own = {name: means[name].reshape(-1) for name in ("flat", "still") if name in means}
    mean, zeros = float(means["mean"]), float(means["zeros"])
    return Signal(mean, roots["square"], roots["variance"], zeros, roots["gradient"], **own)


def _parameter(means: dict[str, np.ndarray], units: int) -> Parameter:
    roots = {name: float(np.sqrt(value)) for name, value in means.items() if name != "descent"}
    length = roots["gradient"] * roots["update"]
    return Parameter(units=units, descent=float(means["descent"]) / length if length > 0 else 0.0, **roots)
