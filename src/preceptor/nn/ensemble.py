"""Several networks of one make, trained at once and averaged."""

from typing import Any

import numpy as np

from preceptor import ops
from preceptor.errors import ShapeError
from preceptor.hyper import hyper, settings
from preceptor.nn.layer import Arrays, Composite, Layer, apply_part, init_part, within
from preceptor.nn.tabular import MemberLoss
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
        same order, and the step with the lowest dev loss is that of their mean, not of each. A gradient is clipped by
        the length of all of it. The first network begins with the values that it would have alone.
    """

    network: Layer = hyper(doc="What each of them is.")
    count: int = hyper(default=5, low=1, unit="networks", doc="How many there are.")

    @property
    def names(self) -> tuple[str, ...]:
        """Where the parameters of each lie."""
        return tuple(f"network{number}" for number in range(1, self.count + 1))

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
    """The mean of a loss over networks that share nothing, with the gradient that each of them would have alone.

    Shapes: outputs (batch, network, unit) or (batch, network * member, unit), target as of the loss -> (batch,).
    Formula: J = mean over m of loss(z[m], y*). Its gradient is taken as that of J times the number of networks: the sum
        of what each is trained by alone. Learning rates, penalties and clipping by value then mean what they mean for
        one network; only the reported J is the mean.
    Reading: what the loss of one network reads as.
    Source: Lakshminarayanan et al. 2017, algorithm 1: each by its own loss.
    Differs: from MemberLoss by the gradient.
    """

    networks: int = hyper(default=5, low=1, unit="networks", doc="How many networks the members belong to.")

    def __call__(self, outputs: Any, target: Any) -> Any:
        mean = super().__call__(outputs, target)
        return mean + (self.networks - 1) * (mean - ops.stop_gradient(mean))  # what is added is 0; its slope is not
