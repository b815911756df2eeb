"""One training step as a program: forward, backward and update in one graph that one engine sees whole."""

from collections.abc import Sequence
from functools import partial
from operator import add
from types import SimpleNamespace
from typing import Any

import numpy as np

from preceptor import ops
from preceptor.autodiff import value_and_grad
from preceptor.autodiff.fold import fold
from preceptor.errors import ConfigError
from preceptor.graph import Program, map_leaves, trace
from preceptor.hyper import hyper, hyper_fields, settings
from preceptor.nn import Layer, Loss
from preceptor.nn.layer import learners
from preceptor.ops import Spec
from preceptor.ops.primitive import spec_of
from preceptor.train.average import Average
from preceptor.train.fine_tuning import FineTuning, check_fine_tuning, stilled
from preceptor.train.optim import Optimiser
from preceptor.train.penalty import Penalty, check_patterns

Arrays = dict[str, Any]


@settings
class Update:
    """What happens to gradients and parameters beside the optimiser, in every step.

    Formula: clip_value: g = min(max(g, -clip_value), clip_value), number by number; clip_norm: g = g min(1, clip_norm /
        (norm + 1e-6)), norm being the root of the sum of g² over all parameters of a network together: of each member
        and each network of an ensemble by itself, of what members share by itself. L2 is within g, L1 is not.
    Args:
        accumulate: the batch is walked in so many pieces of one size, whose gradients are averaged before the one
            update: the same step from less memory.
        average: a mean of the parameters to predict with.
    Source: Pascanu et al. 2013, algorithm 1 (norm); 1e-6 as PyTorch's clip_grad_norm_.
    Differs: the mean over pieces is that over the batch, to rounding, except where rows of a batch meet: batch
        normalisation takes the statistics of each piece and moves its running ones with each; and masks are drawn piece
        by piece. In PyTorch one divides the loss by the number of pieces oneself.
    Raises: ConfigError where both kinds of clipping are asked for: which came first would matter.
    """

    clip_value: float | None = hyper(
        default=None,
        low=1e-12,
        scale="log",
        unit="per number of the gradient",
        doc="Limits each number of the gradient.",
    )
    clip_norm: float | None = hyper(
        default=None, low=1e-12, scale="log", unit="length", doc="Shortens a longer gradient, all parameters together."
    )
    accumulate: int = hyper(default=1, low=1, unit="pieces", doc="The batch is walked in so many pieces.")
    average: Average | None = None

    def __post_init__(self) -> None:
        if self.clip_value is not None and self.clip_norm is not None:
            raise ConfigError("Update: received clip_value and clip_norm; one of them is required. Leave one out.")


def first_state(
    params: Arrays,
    state: Arrays,
    optimiser: Optimiser,
    seed: int,
    update: Update = Update(),  # noqa: B008
    tuned: FineTuning = FineTuning(),  # noqa: B008
) -> dict[str, Any]:
    """Everything that a step reads and writes, before the first one; "average" only where one is asked for."""
    kept = {
        "params": params,
        "state": state,
        "optimiser": {path: optimiser.mover_of(path, params[path]).init(params[path]) for path in tuned.moving(params)},
        "key": ops.key(seed),
    }
    return kept if update.average is None else kept | {"average": dict(params)}


def predicting(state: dict[str, Any]) -> dict[str, Any]:
    """The part of it that predicts: "params", which are the averaged ones where there are any, and "state"."""
    return {"params": state.get("average", state["params"]), "state": state["state"]}


def make_step(
    network: Layer,
    loss: Loss,
    optimiser: Optimiser,
    penalties: Sequence[Penalty],
    state: dict[str, Any],
    batch: dict[str, Spec],
    update: Update = Update(),  # noqa: B008
    weights: np.ndarray | None = None,
    tuned: FineTuning = FineTuning(),  # noqa: B008
) -> Program:
    """Traces `step(state, batch, hyper) -> (next state, {"loss": mean loss of the batch, penalties left out})`.

    Each member of an ensemble, and each network of one, is moved as it would be alone (see MemberLoss). What members
    share is moved by the mean of the gradients that they have for it, so that its rate does not grow with their number.

    The batch holds "x" (batch, ...) and "y" (batch, ...), perhaps "weight" (batch,), what each example counts; with
    `weights` (fold, member), what an example of a fold counts for each member beside that, also "fold" (batch,).
    `hyper` holds what `hyper_values` names, one number each.

    What `tuned` freezes is a constant of the program: nothing is computed for its gradient, and penalties do not count
    it.

    Raises: ConfigError where the batch cannot be cut as asked for, a pattern reaches no parameter, or nothing moves.
    """
    check_patterns(penalties, state["params"])
    check_fine_tuning(tuned, state["params"])
    network, moving = stilled(network, tuned), tuned.moving(state["params"])
    factors = tuned.factors(network, moving)
    belongs = learners(network, state["params"])
    sharers = _sharers(state["params"], belongs)
    rows = batch["x"].shape[0]
    if rows % update.accumulate:
        raise ConfigError(
            f"accumulate is {update.accumulate}: a batch of {rows} rows cannot be cut into so many pieces of one size. "
            "Choose a batch size that is a multiple of it."
        )
    dtype = next(iter(state["params"].values())).dtype

    def step(state: dict[str, Any], batch: Arrays, hyper: Arrays) -> tuple:
        everything, key = state["params"], step_key(state, hyper)
        params = {path: everything[path] for path in moving}

        def objective(params: Arrays, layers: Arrays, batch: Arrays, key: Any) -> tuple:
            mean, next_layers = batch_loss(network, loss, everything | params, layers, batch, key, weights)
            cost = mean
            for number, penalty in enumerate(penalties):
                for count in sorted(set(sharers.values())) if penalty.is_smooth else ():
                    those = {path: p for path, p in params.items() if sharers[path] == count}
                    weight = hyper[f"penalty{number}"] * count  # by which the gradient is divided below
                    cost = cost + penalty.cost(those, weight)
            return cost, mean, next_layers

        differentiate = value_and_grad(objective, has_aux=True)
        if update.accumulate == 1:
            ((_, mean, layers), gradient) = differentiate(params, state["state"], batch, key)
        else:

            def one_more(sums: tuple, number: Any, part: Arrays) -> tuple:
                ((_, mean, layers), gradient) = differentiate(params, sums[2], part, ops.fold_in(key, number))
                return (sums[0] + mean, map_leaves(add, sums[1], gradient), layers)

            zeros = map_leaves(lambda p: np.zeros(p.shape, p.dtype), params)
            start = (np.zeros((), dtype), zeros, state["state"])
            numbers = np.arange(update.accumulate, dtype=np.int32)
            pieces = {name: ops.reshape(v, (update.accumulate, -1, *v.shape[1:])) for name, v in batch.items()}
            mean, gradient, layers = fold(one_more, start, numbers, pieces)
            share = 1 / update.accumulate
            mean, gradient = mean * share, {path: g * share for path, g in gradient.items()}

        now = {name: value for name, value in hyper.items() if name != "step"}
        h = SimpleNamespace(**now, step=ops.cast(hyper["step"], mean.dtype))
        gradient = {path: g * (1 / sharers[path]) if sharers[path] > 1 else g for path, g in gradient.items()}
        gradient = _clipped(gradient, update, h, belongs)
        moved, moments = {}, {}
        for path, p in params.items():
            mover = optimiser.mover_of(path, p)
            h.length = partial(_length, has_members=belongs[path][1])
            move, moments[path] = mover.direction(gradient[path], p, state["optimiser"][path], h)
            rate = h.learning_rate if factors[path] == 1 else h.learning_rate * factors[path]
            moved[path] = p - rate * move
            for number, penalty in enumerate(penalties):
                if not penalty.is_smooth and penalty.reaches(path):
                    reach = rate * mover.gain(moments[path], h) * hyper[f"penalty{number}"]
                    moved[path] = penalty.shrunk(moved[path], reach)
        kept = {"params": everything | moved, "state": layers, "optimiser": moments, "key": state["key"]}
        if update.average is not None:
            share = update.average.share(h)
            means = {path: state["average"][path] for path in moving}
            kept["average"] = everything | map_leaves(lambda mean, p: mean + share * (p - mean), means, moved)
        return kept, {"loss": mean}

    names = ("learning_rate", *hyper_values(optimiser, penalties, update))
    numbers = {name: Spec((), np.dtype(dtype)) for name in names}
    return trace(step)(_specs(state), batch, numbers | {"step": Spec((), np.dtype(np.int32))})


def step_key(state: dict[str, Any], hyper: Arrays) -> Any:
    """The key of a step's random masks."""
    return ops.fold_in(state["key"], hyper["step"])


def batch_loss(
    network: Layer, loss: Loss, params: Arrays, layers: Arrays, batch: Arrays, key: Any, weights: np.ndarray | None
) -> tuple[Any, Arrays]:
    """The mean loss of a batch in training, penalties left out, and the next state of the layers; arguments as of
    `make_step`. Its gradient is what teaches."""
    outputs, next_layers = network.apply(params, layers, batch["x"], train=True, key=key)
    counted = () if weights is None else (ops.take(weights.astype(batch["x"].dtype), batch["fold"]),)
    each = loss(outputs, batch["y"], *counted)
    return ops.mean(each * batch["weight"] if "weight" in batch else each), next_layers


def hyper_values(
    optimiser: Optimiser,
    penalties: Sequence[Penalty],
    update: Update = Update(),  # noqa: B008
    steps: int = 1,
) -> dict[str, float]:
    """The numbers that are inputs of the step, beside "learning_rate" and "step": those of optimiser, penalties,
    clipping and average, in a training of `steps` steps."""
    own = {each.name: getattr(optimiser, each.name) for each, _ in hyper_fields(optimiser)}
    clips = {"clip_value": update.clip_value, "clip_norm": update.clip_norm}
    return (
        own
        | {f"penalty{number}": penalty.weight for number, penalty in enumerate(penalties)}
        | {name: value for name, value in clips.items() if value is not None}
        | (update.average.numbers(steps) if update.average is not None else {})
    )


def _sharers(params: Arrays, belongs: dict[str, tuple[str, bool]]) -> dict[str, int]:
    """How many members have each parameter together: 1 where each has its own."""
    members = {belongs[path][0]: p.shape[0] for path, p in params.items() if belongs[path][1]}
    return {path: 1 if has_members else members.get(name, 1) for path, (name, has_members) in belongs.items()}


def _clipped(gradient: Arrays, update: Update, h: Any, belongs: dict[str, tuple[str, bool]]) -> Arrays:
    if update.clip_value is not None:
        return {path: ops.clip(g, -h.clip_value, h.clip_value) for path, g in gradient.items()}
    if update.clip_norm is None:
        return gradient
    squares: dict[tuple[str, bool], Any] = {}  # by network; of its members one sum each: (member,)
    for path, g in gradient.items():
        own = ops.sum(g * g, tuple(range(1, g.ndim))) if belongs[path][1] else ops.sum(g * g)
        squares[belongs[path]] = squares[belongs[path]] + own if belongs[path] in squares else own
    factors = {each: ops.minimum(1, h.clip_norm / (ops.sqrt(total) + 1e-6)) for each, total in squares.items()}
    return {path: g * _before(factors[belongs[path]], g) for path, g in gradient.items()}


def _before(factor: Any, g: Any) -> Any:
    """A number for all, or for each along the first axis, in a shape that multiplies g."""
    return ops.reshape(factor, (-1, *[1] * (g.ndim - 1))) if factor.ndim else factor


def _length(x: Any, has_members: bool) -> Any:
    """The root of the sum of squares, of each member by itself, in a shape that multiplies x."""
    return ops.sqrt(ops.sum(x * x, tuple(range(int(has_members), x.ndim)), keepdims=True))


def _specs(value: Any) -> Any:
    return {name: _specs(each) for name, each in value.items()} if isinstance(value, dict) else spec_of(value)
