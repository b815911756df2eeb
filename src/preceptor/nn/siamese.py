"""Networks around a trunk: the same one on several inputs, or one that says what lies where."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from preceptor import ops
from preceptor.errors import ConfigError, ShapeError
from preceptor.hyper import hyper, settings
from preceptor.nn.layer import Arrays, Composite, Layer, Sequential, initial_specs, output_spec
from preceptor.nn.pooling import GlobalMaxPool, GlobalMeanPool
from preceptor.nn.shape import Flatten
from preceptor.ops import Spec
from preceptor.ops.primitive import user_line

__all__ = ["Places", "Siamese"]

ENDINGS = (Flatten, GlobalMeanPool, GlobalMaxPool)  # what makes one row of features of those at all places


@settings
class Siamese(Composite):
    """Applies one network to each of several views of an example: its parameters are there once.

    Shapes: x (batch, view, ...) -> (batch, view, *out), where the network makes (batch, *out) of (batch, ...).
        Parameters and state are those of the network, under the same keys.
    Formula: y[b, v] = trunk(x[b, v]). Layers in which rows meet, such as batch norm, see all views of a batch together.
    Raises: ShapeError where there is no axis of views.
    Source: Bromley et al. 1993; for pairs of patches Doersch et al. 2015, figure 3.
    """

    trunk: Sequential = hyper(doc="What is applied to each view.")

    def parts(self) -> Iterator[tuple[str, Layer]]:
        yield from self.trunk.parts()

    def init(self, rng: np.random.Generator, spec: Spec) -> tuple[Arrays, Arrays]:
        _check_views(spec.shape)
        return self.trunk.init(rng, Spec((spec.shape[0] * spec.shape[1], *spec.shape[2:]), spec.dtype))

    def apply(self, params: Arrays, state: Arrays, x: Any, *, train: bool, key: Any) -> tuple[Any, Arrays]:
        _check_views(x.shape)
        batch, views = x.shape[:2]
        y, after = self.trunk.apply(params, state, ops.reshape(x, (batch * views, *x.shape[2:])), train=train, key=key)
        return ops.reshape(y, (batch, views, *y.shape[1:])), after


@settings
class Places(Composite):
    """Applies a network up to where it forgets what lies where: its last flattening or pooling over all places.

    Shapes: x as the network takes it -> (batch, *space, channel). Parameters and state are those of the network, under
        the same keys.
    Formula: y = the layers before the last Flatten, GlobalMeanPool or GlobalMaxPool, one after the other.
    Raises: ConfigError where there is no such layer, or what follows it has parameters, which would learn nothing.
    Source: definition; as decoders need it, Pathak et al. 2016, section 3.1.
    """

    trunk: Sequential = hyper(doc="The network that is cut.")

    def __post_init__(self) -> None:
        if self.ending is None:
            raise ConfigError(
                "Places: the network has neither Flatten nor a pool over all places; it must have one. Use its output."
            )

    @property
    def ending(self) -> int | None:
        """The number of the layer that forgets what lies where."""
        return next(
            (n for n in reversed(range(len(self.trunk.layers))) if isinstance(self.trunk.layers[n], ENDINGS)), None
        )

    @property
    def before(self) -> Sequential:
        """What is applied."""
        return Sequential(self.trunk.layers[: self.ending], self.trunk.names[: self.ending])

    def parts(self) -> Iterator[tuple[str, Layer]]:
        yield from self.before.parts()

    def init(self, rng: np.random.Generator, spec: Spec) -> tuple[Arrays, Arrays]:
        params, state = self.before.init(rng, spec)
        whole = initial_specs(self.trunk, spec)
        if unused := [path for each in whole for path in each if path not in params and path not in state]:
            raise ConfigError(
                f"Places: {unused[0].rpartition('/')[0]} has parameters behind the last place; nothing would teach "
                "them. Take a network whose last layers have none."
            )
        return params, state

    def apply(self, params: Arrays, state: Arrays, x: Any, *, train: bool, key: Any) -> tuple[Any, Arrays]:
        return self.before.apply(params, state, x, train=train, key=key)


def places_of(trunk: Sequential, spec: Spec) -> tuple[int, ...]:
    """How many places a network tells apart along each axis, of inputs like `spec`. Raises: as Places."""
    layer = Places(trunk)
    return output_spec(layer, *initial_specs(layer, spec), spec).shape[1:-1]


def _check_views(shape: tuple[int, ...]) -> None:
    if len(shape) < 3:
        raise ShapeError(f"at {user_line()}: input has shape {tuple(shape)}; (batch, view, ...) is required.")


def trunk_in(network: Sequential) -> Layer:
    """The trunk of a network that learned a task, without the layer that shows it what the task has to show."""
    first = network.layers[0]
    return first.trunk if isinstance(first, Siamese | Places) else first
