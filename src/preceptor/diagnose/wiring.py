"""How a network, its loss and its rows fit together: found by trying, not by the names of layers.

A network is asked for outputs at its first weights and at others, on rows and on changed ones. What is found so holds
of layers and losses that nobody has seen before.
"""

from functools import cached_property
from typing import Any

import numpy as np

from preceptor import ops
from preceptor.autodiff import value_and_grad
from preceptor.diagnose.case import Case, right_classes
from preceptor.diagnose.descent import descend
from preceptor.diagnose.probe import LITTLE, Tapped, soonest
from preceptor.engines import Reference
from preceptor.errors import DataError
from preceptor.graph import flatten, trace
from preceptor.nn.activation import Activation
from preceptor.nn.layer import Sequential, leaves, mapped, multiply_adds
from preceptor.ops.primitive import spec_of
from preceptor.train.training import dtype_of, initial_values

ROWS, BYTES = 64, 1 << 20  # rows that are tried, and bytes of them, at most: layers make up to 100 times as much
FEWEST = 4
FAR, FARTHER = 1e3, 1e6  # factors of the last weights: an output that is the same at both has come to its limit
SLACK = 1e-3  # of a number's size, by which float32 may be off
FEW = 40  # steps of Adam after which the outputs of the least loss show which class they mean


class Wiring:
    """A network with its loss, tried on rows of a case. Everything is computed when it is first asked for."""

    def __init__(self, case: Case) -> None:
        self.case, config = case, case.config
        x, y, _ = case.judged
        count = min(len(x), ROWS, max(FEWEST, BYTES // max(x[:1].nbytes, 1)))
        self.x = np.ascontiguousarray(x[:count], dtype_of(config))
        self.y = np.asarray(y[:count])

    @cached_property
    def is_plain(self) -> bool:
        """Whether the network is one, with one target and outputs (row, unit): of others nothing is said."""
        case = self.case
        return case.classes is not None and case.data.folds is None and self.outputs.ndim == 2 and bool(self.params)

    @cached_property
    def first(self) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """The first parameters and state."""
        return initial_values(self.case.config, self.case.data)

    @property
    def params(self) -> dict[str, np.ndarray]:
        """The first parameters."""
        return self.first[0]

    @cached_property
    def _program(self) -> tuple[Any, Any]:
        network = mapped(self.case.config.network, Tapped)

        def forward(params: dict, state: dict, x: Any) -> tuple[Any, dict]:
            y, after = network.apply(params, state, x, train=False, key=None)
            return y, {path[: -len("/seen")]: value for path, value in after.items() if path.endswith("/seen")}

        program, engine = trace(forward)(*self.first, self.x), self.case.config.engine
        work = multiply_adds(network, *self.first, spec_of(self.x))
        return program, (Reference(engine.precision) if work < LITTLE else soonest(engine, work)).compile(program.graph)

    def of(self, params: dict[str, np.ndarray], x: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """The outputs, and those of each layer by its path, outside training. Shapes: x as `self.x`."""
        program, run = self._program
        with np.errstate(all="ignore"):
            found = run(flatten((params, self.first[1], x))[0])
        return program.results.build(iter([np.asarray(each) for each in found]))

    @cached_property
    def _at_first(self) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        return self.of(self.params, self.x)

    @property
    def outputs(self) -> np.ndarray:
        """At the first weights. Shapes: (row, unit)."""
        return self._at_first[0]

    @property
    def layer_outputs(self) -> dict[str, np.ndarray]:
        """Of each layer at the first weights, by its path."""
        return self._at_first[1]

    @cached_property
    def weighted(self) -> list[str]:
        """Paths of the layers that have a matrix or a kernel, in order."""
        own = {path.rpartition("/")[0] for path, p in self.params.items() if p.ndim > 1}
        return [path for path, _ in leaves(self.case.config.network) if path in own]

    def drawn(self, factor: float = 1.0) -> dict[str, np.ndarray]:
        """Other weights, with which no unit is dead or equal to another; the last layer's times a factor."""
        rng = np.random.default_rng(0)
        found = {}
        for path, p in sorted(self.params.items()):
            noise = rng.standard_normal(p.shape, np.float32)
            fan_in = max(1, int(np.prod(p.shape[:-1])))
            found[path] = noise * (2 / fan_in) ** 0.5 if p.ndim > 1 else p + 0.3 * noise
            if self.weighted and path.startswith(f"{self.weighted[-1]}/"):
                found[path] = found[path] * factor
        return {path: p.astype(self.x.dtype) for path, p in found.items()}

    def _ended(self, factor: float) -> np.ndarray:
        """Outputs at other weights, and at those whose last layer has the other sign. Shapes: (2 row, unit).

        Where nothing but activations follows the last weights they are tried alone, on numbers of any size.
        """
        network = self.case.config.network
        rest = []
        if isinstance(network, Sequential) and self.weighted:
            after = (
                network.names.index(self.weighted[-1]) + 1 if self.weighted[-1] in network.names else len(network.names)
            )
            rest = [each for each in network.layers[after:] if isinstance(each, Activation)]
            if after + len(rest) == len(network.layers):
                units = self.layer_outputs[self.weighted[-1]].shape[-1]
                z = factor * np.random.default_rng(0).standard_normal((len(self.x), units))
                z = np.concatenate([z, -z])
                with np.errstate(all="ignore"):
                    for layer in rest:
                        z = np.asarray(layer(z))
                return z
        return np.concatenate([self.of(self.drawn(sign * factor), self.x)[0] for sign in (1, -1)])

    @cached_property
    def spread_outputs(self) -> np.ndarray:
        """Outputs at other weights. Shapes: (2 row, unit)."""
        return self._ended(3.0)

    @cached_property
    def reach(self) -> tuple[float, float]:
        """The lowest and the highest output that any weights of the last layer can make; infinite without a limit."""
        ends = []
        for factor in (FAR, FARTHER):
            each = self._ended(factor)
            if not np.isfinite(each).all():
                each = np.where(np.isfinite(each), each, np.sign(np.nan_to_num(each, nan=0.0)) * FARTHER * factor)
            ends.append((float(each.min()), float(each.max())))
        (low, high), (lower, higher) = ends
        slack = 0.01 * max(min(abs(low), abs(high)), 1.0)
        return (
            lower if abs(low - lower) <= slack else -np.inf,
            higher if abs(high - higher) <= slack else np.inf,
        )

    @cached_property
    def is_constant(self) -> bool:
        """Whether outputs are the same on all rows, whatever the weights."""
        low, high = self.reach
        each = self.spread_outputs
        return bool(np.isfinite([low, high]).all() and np.ptp(each) <= SLACK * max(np.abs(each).max(), SLACK))

    @cached_property
    def are_shares(self) -> bool:
        """Whether outputs of a row lie between 0 and 1 and sum up to 1, whatever the weights."""
        each = self.spread_outputs
        if each.shape[1] < 2 or not np.isfinite(each).all():
            return False
        return bool(each.min() >= 0 and np.abs(each.sum(1) - 1).max() < SLACK)

    @cached_property
    def reading(self) -> str:
        """What the loss takes outputs for: "probabilities", "logits" from which it makes them, "margins" of classes,
        "numbers", or the "parts" of several targets."""
        if not self.case.classes:
            return "parts" if self.case.classes is None else "numbers"
        loss, units = self.case.config.loss, self.outputs.shape[1]
        z = np.random.default_rng(0).standard_normal((16, units))
        p = np.exp(z) / np.exp(z).sum(1, keepdims=True) if units > 1 else 1 / (1 + np.exp(-z))
        with np.errstate(all="ignore"):
            kept, read = np.asarray(loss.predict(p)), np.asarray(loss.predict(z))
        if np.allclose(kept[:, -units:], p, atol=1e-6):
            return "probabilities"
        return "logits" if ((read > 0) & (read < 1)).all() else "margins"

    def slopes(self, outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The loss of each row, and its slopes by the outputs. Shapes: (row, unit) -> (row,), (row, unit)."""
        loss = self.case.config.loss
        rows = np.resize(np.arange(len(self.y)), len(outputs))
        target = loss.prepared(self.y[rows], outputs.shape[1], np.float64)

        def total(z: Any) -> tuple[Any, Any]:
            each = loss(z, target)
            return ops.sum(each), each

        with np.errstate(all="ignore"):
            (_, each), slopes = value_and_grad(total, has_aux=True)(outputs.astype(np.float64))
        return np.asarray(each), np.asarray(slopes)

    @cached_property
    def first_losses(self) -> tuple[float, float]:
        """The mean loss at the first weights, and that of outputs of 0."""
        losses = [self.slopes(each)[0] for each in (self.outputs, 0 * self.outputs)]
        return float(np.mean(losses[0])), float(np.mean(losses[1]))

    @cached_property
    def blind(self) -> float:
        """The share of rows, at other weights, whose loss is not small and has no slope, or is no number."""
        losses, slopes = self.slopes(self.spread_outputs)
        if losses.shape != (len(slopes),):
            return 0.0
        broken = ~np.isfinite(losses) | ~np.isfinite(slopes).all(1)
        large = losses > SLACK * max(float(np.max(losses[np.isfinite(losses)], initial=0)), SLACK)
        return float(np.mean(broken | (large & (slopes == 0).all(1))))

    @cached_property
    def mixing_layer(self) -> str | None:
        """The first layer whose outputs for a row hang on the other rows outside training; None where none does."""
        half = len(self.x) // 2
        if not half:
            return None
        params = self.drawn()
        changed = self.x.copy()
        changed[half:] = changed[half:][::-1] * 0.5 + changed[:1]
        before, after = self.of(params, self.x)[1], self.of(params, changed)[1]
        for path in (path for path, _ in leaves(self.case.config.network) if path in before):
            one, other = before[path], after[path]
            if len(one) != len(self.x):
                return None  # it is no longer told which row is which
            size = max(float(np.abs(one[np.isfinite(one)]).max(initial=0)), 1e-30)
            if np.isfinite(one).all() and np.abs(one[:half] - other[:half]).max(initial=0) > 0.01 * size:
                return path
        return None

    @cached_property
    def reads_across(self) -> bool:
        """Whether what the loss reads from the outputs of a row hangs on those of other rows."""
        outputs, loss = self.spread_outputs, self.case.config.loss
        with np.errstate(all="ignore"):
            whole, part = np.asarray(loss.predict(outputs)), np.asarray(loss.predict(outputs[:1]))
        same = np.allclose(whole[:1], part, rtol=1e-3, atol=1e-4, equal_nan=True)
        return len(outputs) > 1 and len(whole) == len(outputs) and not same

    @cached_property
    def loss_factor(self) -> float:
        """By what number the loss of every row is a multiple of its negative log-likelihood, or of its squared distance
        of numbers; 1 where it is none, and of several targets."""
        if self.case.classes is None:
            return 1.0
        each, _ = self.row_losses
        outputs, loss, y = (
            self.spread_outputs[: len(each)].astype(np.float64),
            self.case.config.loss,
            self.y[: len(each)],
        )
        with np.errstate(all="ignore"):
            read = np.asarray(loss.predict(outputs), np.float64)
            if self.case.classes:
                own = read[np.arange(len(y)), right_classes(y)]
                likely = -np.log(own)
                likely = np.where(own < 1e-5, np.nan, likely)
            else:
                distance = np.asarray(loss.point(read)).reshape(len(y), -1) - y.reshape(len(y), -1)
                likely = (distance**2).sum(1)
            ratio = each / likely
        ratio = ratio[np.isfinite(ratio) & (likely > 1e-3 * np.nanmax(likely, initial=0))]
        if len(ratio) < 4 or np.std(ratio) > 0.01 * abs(np.mean(ratio)):
            return 1.0
        return float(np.mean(ratio))

    def is_idle(self, path: str) -> bool:
        """Whether no output hangs on a parameter."""
        params = self.drawn()
        other = params | {path: params[path] + 1}
        return bool(np.array_equal(self.of(params, self.x)[0], self.of(other, self.x)[0], equal_nan=True))

    @cached_property
    def misread(self) -> dict[int, int]:
        """Classes for which the outputs of the least loss are read as another: the class, and as which."""
        if not self.case.classes or self.blind > 0 or self.reads_across:
            return {}
        loss, units, classes = self.case.config.loss, self.outputs.shape[1], self.case.classes
        target = loss.prepared(np.arange(classes), units, np.float64)
        z, _ = descend(lambda z: ops.sum(loss(z, target)), np.full((classes, units), 0.4), FEW)
        if not np.isfinite(z).all():
            return {}
        read = np.argmax(np.asarray(loss.predict(z)), 1)
        return {one: int(other) for one, other in enumerate(read) if one != other}

    @cached_property
    def is_drawn_elsewhere(self) -> bool:
        """Whether the loss of a number is not least where it is predicted: asked of outputs that are these numbers."""
        loss, y = self.case.config.loss, np.asarray(self.y, np.float64)
        if self.case.classes or self.outputs.shape[1] != 1 or y.ndim > 1 or self.reads_across:
            return False
        each = np.unique(np.quantile(y, (0.1, 0.3, 0.5, 0.7, 0.9)))
        try:
            with np.errstate(all="ignore"):
                read = np.asarray(loss.point(loss.predict(each[:, None])), np.float64).reshape(-1)
                target = loss.prepared(each, 1, np.float64)
                costs = np.array([[float(np.mean(loss(z[None, None], t[None]))) for t in target] for z in each])
        except DataError:
            return False
        if len(each) < 3 or not np.allclose(read, each, rtol=1e-4, atol=1e-6):
            return False
        costs = np.where(np.isfinite(costs), costs, np.inf)  # (output, target)
        return bool(
            (costs[np.arange(len(each)), np.arange(len(each))] > costs.min(0) + SLACK * np.abs(costs.min(0))).any()
        )

    @cached_property
    def linear(self) -> set[str]:
        """Paths of the layers whose outputs are affine functions of the network's inputs, at other weights:
        f(a + b) = f(a) + f(b) - f(0)."""
        params = self.drawn()
        scale = 10.0  # large beside biases, whatever the inputs are
        rng = np.random.default_rng(1)
        a, b = (rng.standard_normal(self.x.shape).astype(self.x.dtype) * scale for _ in range(2))
        fs = [self.of(params, each.astype(self.x.dtype))[1] for each in (a + b, a, b, 0 * a)]
        found = set()
        for path in fs[0]:
            both, one, other, zero = (each[path].astype(np.float64) for each in fs)
            with np.errstate(all="ignore"):
                gap = np.abs(both - one - other + zero).max()
                size = max(np.abs(each).max() for each in (both, one, other, zero))
                change = np.abs(one - zero).max()
            if np.isfinite(gap) and gap <= SLACK * change and change > SLACK * size:
                found.add(path)
        return found

    @cached_property
    def row_losses(self) -> tuple[np.ndarray, np.ndarray]:
        """The loss of each of a few rows within all, and alone, at other weights. Shapes: (row,), (row,)."""
        outputs = self.spread_outputs[: len(self.x)].astype(np.float64)
        loss = self.case.config.loss
        target = loss.prepared(self.y, outputs.shape[1], np.float64)
        with np.errstate(all="ignore"):
            within = np.asarray(loss(outputs, target))
            count = min(16, len(outputs))
            alone = [float(np.mean(loss(outputs[row : row + 1], target[row : row + 1]))) for row in range(count)]
        return (within[:count] if within.shape == (len(outputs),) else np.full(count, np.nan)), np.asarray(alone)


__all__ = ["Wiring"]
