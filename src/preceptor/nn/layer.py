"""What a layer is, and layers one after the other."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from preceptor.errors import ConfigError, DtypeError, ShapeError
from preceptor.graph import trace
from preceptor.ops import Spec, fold_in
from preceptor.ops.primitive import spec_of, user_line

Arrays = dict[str, Any]


@dataclass(frozen=True)
class Layer(ABC):
    """A recipe without arrays: `init` makes parameters and state, `apply` computes with them.

    Parameters are learned; state (running averages) is carried along. Both are flat dictionaries keyed by path.
    """

    @abstractmethod
    def init(self, rng: np.random.Generator, spec: Spec) -> tuple[Arrays, Arrays]:
        """Draws the parameters and the first state for inputs like `spec` (batch axis first)."""

    @abstractmethod
    def apply(self, params: Arrays, state: Arrays, x: Any, *, train: bool, key: Any) -> tuple[Any, Arrays]:
        """Computes the output and the next state. `key` (uint32[2]) feeds random layers; None where not training."""


def output_spec(layer: Layer, params: Arrays, state: Arrays, spec: Spec) -> Spec:
    """The spec of a layer's output, by tracing: nothing is computed.

    Raises: ShapeError, DtypeError, as applying the layer would.
    """
    program = trace(lambda p, s, x: layer.apply(p, s, x, train=False, key=None)[0])(params, state, spec)
    return program.graph.outputs[0].spec


@dataclass(frozen=True)
class Sequential(Layer):
    """Applies layers one after the other.

    Shapes: those of its layers. Parameters and state are keyed `name/key`.
    Args:
        layers: the layers in order.
        names: one for each; without them the class in small letters and a number: dense1, relu1, dense2.
    Raises: ConfigError for names that are missing, double or hold a /; ShapeError, naming the layer, where shapes do
        not fit.
    Source: definition.
    """

    layers: tuple[Layer, ...]
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))
        kinds = [type(layer).__name__.lower() for layer in self.layers]
        numbered = tuple(f"{kind}{kinds[: i + 1].count(kind)}" for i, kind in enumerate(kinds))
        object.__setattr__(self, "names", tuple(self.names) or numbered)
        if len(self.names) != len(self.layers) or len(set(self.names)) != len(self.names):
            raise ConfigError(
                f"Sequential: received {len(self.layers)} layers and the names {self.names}; "
                "each layer needs a name of its own. Leave names out to have them made."
            )
        if any("/" in name for name in self.names):
            raise ConfigError(f"Sequential: received the names {self.names}; / is kept for paths. Use _ instead.")

    def init(self, rng: np.random.Generator, spec: Spec) -> tuple[Arrays, Arrays]:
        params: Arrays = {}
        state: Arrays = {}
        for name, layer in zip(self.names, self.layers, strict=True):
            try:
                own_params, own_state = layer.init(rng, spec)
                spec = output_spec(layer, own_params, own_state, spec)
            except (ShapeError, DtypeError) as error:
                raise _named(error, name, layer) from None
            params |= {f"{name}/{key}": value for key, value in own_params.items()}
            state |= {f"{name}/{key}": value for key, value in own_state.items()}
        return params, state

    def apply(self, params: Arrays, state: Arrays, x: Any, *, train: bool, key: Any) -> tuple[Any, Arrays]:
        next_state: Arrays = {}
        for number, (name, layer) in enumerate(zip(self.names, self.layers, strict=True)):
            own_key = None if key is None else fold_in(key, number)
            try:
                x, own = layer.apply(within(params, name), within(state, name), x, train=train, key=own_key)
            except (ShapeError, DtypeError) as error:
                raise _named(error, name, layer) from None
            next_state |= {f"{name}/{key}": value for key, value in own.items()}
        return x, next_state

    def walk(self, params: Arrays, state: Arrays, spec: Spec) -> Iterator[tuple[str, Layer, Spec]]:
        """Name, layer and output spec of each layer, for inputs like `spec`."""
        for name, layer in zip(self.names, self.layers, strict=True):
            spec = output_spec(layer, within(params, name), within(state, name), spec)
            yield name, layer, spec


def within(values: Arrays, name: str) -> Arrays:
    """The part of a flat dictionary below a path, with the path taken off."""
    start = name + "/"
    return {path[len(start) :]: value for path, value in values.items() if path.startswith(start)}


def _named(error: ValueError, name: str, layer: Layer) -> ValueError:
    where = f"{name}/" if isinstance(layer, Sequential) else f"{name} ({type(layer).__name__}) "
    return type(error)(f"{where}{error}")


def count_parameters(params: Arrays) -> int:
    """Number of learned numbers."""
    return sum(spec_of(value).size for value in params.values())


def check_width(x: Any, axis: int, wanted: int, what: str) -> None:
    """Raises ShapeError where an axis of the input has not the length that the parameters were made for."""
    if x.ndim < -axis or x.shape[axis] != wanted:
        raise ShapeError(
            f"at {user_line()}: input has shape {tuple(x.shape)}; {what} needs {wanted} features. "
            "Check the layer before it."
        )
