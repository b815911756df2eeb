"""Several networks, trained at once and averaged."""

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from preceptor import ops
from preceptor.errors import ShapeError
from preceptor.hyper import hyper, settings
from preceptor.nn.layer import Arrays, Composite, Layer, apply_part, init_part, learners, within
from preceptor.nn.member import MemberLoss
from preceptor.ops import Spec, fold_in
from preceptor.ops.primitive import user_line

__all__ = ["Committee", "Ensemble", "EnsembleLoss"]


class _Apart(Composite):
    """Networks side by side: x -> (batch, network, unit), or (batch, the members of all, unit)."""

    learn_apart: ClassVar[bool] = True

    def first(self, params: Arrays, state: Arrays) -> tuple[Layer, Arrays, Arrays]:
        """The first of the networks, with its parameters and state."""
        name, network = next(iter(self.parts()))
        return network, within(params, name), within(state, name)

    def init(self, rng: np.random.Generator, spec: Spec) -> tuple[Arrays, Arrays]:
        params: Arrays = {}
        state: Arrays = {}
        for name, network in self.parts():
            own_params, own_state, out = init_part(name, network, rng, spec)
            params, state = params | own_params, state | own_state
            if out.ndim not in (2, 3):
                raise ShapeError(
                    f"at {user_line()}: a network's output has shape {out.shape}; (batch, unit) is required, or "
                    "(batch, member, unit). Put nn.Flatten behind it."
                )
        return params, state

    def apply(self, params: Arrays, state: Arrays, x: Any, *, train: bool, key: Any) -> tuple[Any, Arrays]:
        outputs: list[Any] = []
        after: Arrays = {}
        for number, (name, network) in enumerate(self.parts()):
            own_key = None if key is None else fold_in(key, number)
            y, own = apply_part(name, network, params, state, x, train=train, key=own_key)
            outputs.append(y if y.ndim == 3 else ops.reshape(y, (y.shape[0], 1, y.shape[1])))
            after |= own
        return ops.concatenate(outputs, 1), after


@settings
class Ensemble(_Apart):
    """Several networks of one make side by side, each with first values, random masks and running averages of its own.

    Shapes: x -> (batch, network, unit), where one network makes (batch, unit); (batch, network * member, unit), where
        it makes (batch, member, unit). Parameters and state are keyed `network1/key`, `network2/key`, ...
    Formula: y[b, m] = network_m(x[b]).
    Raises: ShapeError, naming the network, where shapes do not fit.
    Source: Hansen and Salamon 1990; networks that differ by first values alone Lakshminarayanan et al. 2017.
    Differs: from networks that are trained one after the other, under `EnsembleLoss`: all see the same batches in the
        same order, and the step with the lowest dev loss is that of their mean, not of each. The first network begins
        with the values that it would have alone.
    """

    network: Layer = hyper(doc="What each of them is.")
    count: int = hyper(default=5, low=1, unit="networks", doc="How many there are.")

    def parts(self) -> Iterator[tuple[str, Layer]]:
        for number in range(1, self.count + 1):
            yield f"network{number}", self.network


@settings
class Committee(_Apart):
    """Networks of different makes side by side: what one of them cannot learn, another may.

    Shapes: x -> (batch, the members of all networks, unit), those of the first network first; one that makes (batch,
        unit) is one member. Parameters and state are keyed `network1/key`, `network2/key`, ...
    Formula: y[b] = [network_1(x[b]), network_2(x[b]), ...].
    Raises: ShapeError, naming the network, where shapes do not fit.
    Source: definition; what each of them counts in the prediction is of the loss (`MemberLoss.shares`).
    """

    networks: tuple[Layer, ...] = hyper(doc="What they are.")

    def parts(self) -> Iterator[tuple[str, Layer]]:
        for number, network in enumerate(self.networks, 1):
            yield f"network{number}", network


def first_alone(network: Layer, params: Arrays, state: Arrays) -> tuple[Layer, Arrays, Arrays]:
    """A network that holds no others side by side, with its parameters and state: itself, or the first that is found
    in it."""
    while isinstance(network, _Apart):
        network, params, state = network.first(params, state)
    return network, params, state


def some_members(network: Layer, params: Arrays, state: Arrays, chosen: np.ndarray) -> tuple[Layer, Arrays, Arrays]:
    """A network of some members of another, with their parameters and state: what makes their outputs alone.

    Args:
        params, state: arrays.
        chosen: numbers of the members, rising, as the outputs of the whole network count them. Shapes: (member,).
    """
    if not isinstance(network, _Apart):
        own, held = (
            {path: value[chosen] if is_members[path][1] else value for path, value in values.items()}
            for values, is_members in ((values, learners(network, values)) for values in (params, state))
        )
        return network, own, held
    kept: list[tuple[Layer, Arrays, Arrays]] = []
    start = 0
    for name, part in network.parts():
        own, held = within(params, name), within(state, name)
        end = start + count_members(part, own)
        if len(some := chosen[(start <= chosen) & (chosen < end)] - start):
            kept.append(some_members(part, own, held, some))
        start = end
    named: tuple[Arrays, Arrays] = {}, {}
    for number, (_, *values) in enumerate(kept, 1):
        for all_of, own in zip(named, values, strict=True):
            all_of |= {f"network{number}/{path}": value for path, value in own.items()}
    return Committee(tuple(part for part, *_ in kept)), *named


def count_members(network: Layer, params: Arrays) -> int:
    """How many members a network has: 1 where it knows nothing of members."""
    if isinstance(network, _Apart):
        return sum(count_members(part, within(params, name)) for name, part in network.parts())
    with_members = learners(network, params)
    return next((len(value) for path, value in params.items() if with_members[path][1]), 1)


@settings
class EnsembleLoss(MemberLoss):
    """The mean of a loss over networks that share nothing, of which each learns as it would alone.

    Shapes: outputs (batch, network, unit) or (batch, network * member, unit), target as of the loss -> (batch,).
    Formula: that of MemberLoss; all members of all networks count alike.
    Reading: what the loss of one network reads as.
    Source: Lakshminarayanan et al. 2017, algorithm 1: each by its own loss.
    Differs: from MemberLoss in that it knows how many networks there are.
    """

    networks: int = hyper(default=5, low=1, unit="networks", doc="How many networks the members belong to.")
