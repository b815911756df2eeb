"""One training step as a program: forward, backward and update in one graph that one engine sees whole."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from preceptor import ops
from preceptor.autodiff import value_and_grad
from preceptor.graph import Program, trace
from preceptor.hyper import hyper_fields
from preceptor.nn import Layer, Loss
from preceptor.ops import Spec
from preceptor.ops.primitive import spec_of
from preceptor.train.optim import Optimiser
from preceptor.train.penalty import Penalty

Arrays = dict[str, Any]


def first_state(params: Arrays, state: Arrays, optimiser: Optimiser, seed: int) -> dict[str, Any]:
    """Everything that a step reads and writes, before the first one."""
    return {
        "params": params,
        "state": state,
        "optimiser": {path: optimiser.init(p) for path, p in params.items()},
        "key": ops.key(seed),
    }


def make_step(
    network: Layer,
    loss: Loss,
    optimiser: Optimiser,
    penalties: Sequence[Penalty],
    state: dict[str, Any],
    batch: dict[str, Spec],
) -> Program:
    """Traces `step(state, batch, hyper) -> (next state, {"loss": mean loss of the batch, penalties left out})`.

    The batch holds "x" (batch, ...) and "y" (batch, ...). `hyper` holds what `hyper_values` names, one number each.
    """

    def step(state: dict[str, Any], batch: Arrays, hyper: Arrays) -> tuple:
        key = ops.fold_in(state["key"], hyper["step"])

        def objective(params: Arrays) -> tuple:
            outputs, next_state = network.apply(params, state["state"], batch["x"], train=True, key=key)
            mean = ops.mean(loss(outputs, batch["y"]))
            cost = mean
            for number, penalty in enumerate(penalties):
                cost = cost + penalty.cost(params, hyper[f"penalty{number}"])
            return cost, mean, next_state

        ((_, mean, next_state), gradient) = value_and_grad(objective, has_aux=True)(state["params"])
        now = {name: value for name, value in hyper.items() if name != "step"}
        h = SimpleNamespace(**now, step=ops.cast(hyper["step"], mean.dtype))
        params, moments = {}, {}
        for path, p in state["params"].items():
            move, moments[path] = optimiser.direction(gradient[path], p, state["optimiser"][path], h)
            params[path] = p - h.learning_rate * move
        kept = {"params": params, "state": next_state, "optimiser": moments, "key": state["key"]}
        return kept, {"loss": mean}

    dtype = next(iter(state["params"].values())).dtype
    numbers = {name: Spec((), np.dtype(dtype)) for name in ("learning_rate", *hyper_values(optimiser, penalties))}
    return trace(step)(_specs(state), batch, numbers | {"step": Spec((), np.dtype(np.int32))})


def hyper_values(optimiser: Optimiser, penalties: Sequence[Penalty]) -> dict[str, float]:
    """The numbers of optimiser and penalties that are inputs of the step, beside "learning_rate" and "step"."""
    own = {each.name: getattr(optimiser, each.name) for each, _ in hyper_fields(optimiser)}
    return own | {f"penalty{number}": penalty.weight for number, penalty in enumerate(penalties)}


def _specs(value: Any) -> Any:
    return {name: _specs(each) for name, each in value.items()} if isinstance(value, dict) else spec_of(value)
