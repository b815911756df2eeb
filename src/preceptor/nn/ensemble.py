"""Several networks of one make, trained at once and averaged."""

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from preceptor import ops
from preceptor.errors import ShapeError
from preceptor.hyper import hyper, settings
from preceptor.nn.layer import Arrays, Composite, Layer, apply_part, init_part, within
from preceptor.nn.member import MemberLoss
from preceptor.ops import Spec, fold_in
from preceptor.ops.primitive import user_line

__all__ = ["Ensemble", "EnsembleLoss"]


@settings
class Ensemble(Composite):
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

    learn_apart: ClassVar[bool] = True

    network: Layer = hyper(doc="What each of them is.")
    count: int = hyper(default=5, low=1, unit="networks", doc="How many there are.")

    @property
    def names(self) -> tuple[str, ...]:
        """Where the parameters of each lie."""
        return tuple(f"network{number}" for number in range(1, self.count + 1))

    def parts(self) -> Iterator[tuple[str, Layer]]:
        for name in self.names:
            yield name, self.network

    def first(self, params: Arrays, state: Arrays) -> tuple[Layer, Arrays, Arrays]:
        """The first of the networks, with its parameters and state."""
        return self.network, within(params, self.names[0]), within(state, self.names[0])

    def init(self, rng: np.random.Generator, spec: Spec) -> tuple[Arrays, Arrays]:
        params: Arrays = {}
        state: Arrays = {}
        for name in self.names:
            own_params, own_state, out = init_part(name, self.network, rng, spec)
            params, state = params | own_params, state | own_state
        if out.ndim not in (2, 3):
            raise ShapeError(
                f"at {user_line()}: a network's output has shape {out.shape}; (batch, unit) is required, or (batch, "
                "member, unit). Put nn.Flatten behind it."
            )
        return params, state

    def apply(self, params: Arrays, state: Arrays, x: Any, *, train: bool, key: Any) -> tuple[Any, Arrays]:
        outputs: list[Any] = []
        after: Arrays = {}
        for number, name in enumerate(self.names):
            own_key = None if key is None else fold_in(key, number)
            y, own = apply_part(name, self.network, params, state, x, train=train, key=own_key)
            outputs.append(y if y.ndim == 3 else ops.reshape(y, (y.shape[0], 1, y.shape[1])))
            after |= own
        return ops.concatenate(outputs, 1), after


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
