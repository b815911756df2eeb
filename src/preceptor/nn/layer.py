"""What a layer is, and layers one after the other."""

import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import numpy as np

from preceptor.errors import ConfigError, DtypeError, ShapeError
from preceptor.graph import Graph, trace
from preceptor.nn.initialiser import Undrawn
from preceptor.ops import Spec, fold_in
from preceptor.ops.primitive import spec_of, user_line

Arrays = dict[str, Any]


@dataclass(frozen=True)
class Layer(ABC):
    """A recipe without arrays: `init` makes parameters and state, `apply` computes with them.

    Parameters are learned; state (running averages) is carried along. Both are flat dictionaries keyed by path.

    `is_featurewise`: each feature, of a last axis, has numbers of its own and sees no other. `has_members`: the first
    axis of every parameter counts members of an ensemble, which do not see each other. `takes_members`: it takes
    members as well, an axis before the others of parameters and state and before the last of the input.
    """

    is_featurewise: ClassVar[bool] = False
    takes_members: ClassVar[bool] = False
    has_members: ClassVar[bool] = False

    @abstractmethod
    def init(self, rng: np.random.Generator, spec: Spec) -> tuple[Arrays, Arrays]:
        """Draws the parameters and the first state for inputs like `spec` (batch axis first)."""

    @abstractmethod
    def apply(self, params: Arrays, state: Arrays, x: Any, *, train: bool, key: Any) -> tuple[Any, Arrays]:
        """Computes the output and the next state. `key` (uint32[2]) feeds random layers; None where not training."""


@dataclass(frozen=True)
class Function(Layer):
    """A layer without parameters: a function of its input alone, which can be called as one."""

    @abstractmethod
    def __call__(self, x: Any) -> Any:
        """The function itself."""

    def init(self, rng: np.random.Generator, spec: Spec) -> tuple[Arrays, Arrays]:
        return {}, {}

    def apply(self, params: Arrays, state: Arrays, x: Any, *, train: bool, key: Any) -> tuple[Any, Arrays]:
        return self(x), state


def output_spec(layer: Layer, params: Arrays, state: Arrays, spec: Spec) -> Spec:
    """The spec of a layer's output, by tracing: nothing is computed.

    Raises: ShapeError, DtypeError, as applying the layer would.
    """
    program = trace(lambda p, s, x: layer.apply(p, s, x, train=False, key=None)[0])(params, state, spec)
    return program.graph.outputs[0].spec


def initial_specs(layer: Layer, spec: Spec) -> tuple[dict[str, Spec], dict[str, Spec]]:
    """Specs of the parameters and of the state that `layer.init` would make: nothing is drawn.

    Raises: ShapeError, DtypeError, as drawing would.
    """
    params, state = layer.init(Undrawn(np.random.PCG64(0)), spec)
    return {n: spec_of(value) for n, value in params.items()}, {n: spec_of(value) for n, value in state.items()}


def multiply_adds(layer: Layer, params: Arrays, state: Arrays, spec: Spec) -> int:
    """Multiplications, each with its addition, in the products and convolutions of one forward pass, by tracing.

    What a convolution multiplies with the zeros of its padding counts too. Arrays may be specs: nothing is computed.
    """
    program = trace(lambda p, s, x: layer.apply(p, s, x, train=False, key=None)[0])(params, state, spec)
    return products(program.graph)


def products(graph: Graph) -> int:
    """Multiplications, each with its addition, in the products and convolutions of a graph."""
    total = 0
    for node in graph.nodes:
        if node.primitive.name == "matmul":
            total += node.spec.size * node.inputs[0].spec.shape[-1]
        elif node.primitive.name == "convolution":
            total += node.spec.size * math.prod(node.inputs[1].spec.shape[:-1])
    return total


@dataclass(frozen=True)
class Composite(Layer):
    """A layer made of layers: parameters and state are keyed `name/key`, and an error names the part at fault.

    `learn_apart`: its parts are networks that see nothing of each other.
    """

    learn_apart: ClassVar[bool] = False

    @abstractmethod
    def parts(self) -> Iterator[tuple[str, Layer]]:
        """Name and layer of each part."""


def mapped(layer: Layer, function: Callable[[Layer], Layer]) -> Layer:
    """A network with every layer that holds no others replaced by what a function makes of it."""
    if not isinstance(layer, Composite):
        return function(layer)
    changed: dict[str, Any] = {}
    for each in fields(layer):
        value = getattr(layer, each.name)
        if isinstance(value, Layer):
            changed[each.name] = mapped(value, function)
        elif isinstance(value, tuple) and value and all(isinstance(one, Layer) for one in value):
            changed[each.name] = tuple(mapped(one, function) for one in value)
    return replace(layer, **changed)


def leaves(layer: Layer, path: str = "") -> Iterator[tuple[str, Layer]]:
    """Path and layer of every layer that holds no others."""
    if not isinstance(layer, Composite):
        yield path.removesuffix("/"), layer
        return
    for name, part in layer.parts():
        yield from leaves(part, f"{path}{name}/")


def learners(layer: Layer, paths: Iterable[str]) -> dict[str, tuple[str, bool]]:
    """What each parameter, given by its path, is part of: (the network of an ensemble, "" of none; whether the first
    axis counts its members, else they share it, if there are any)."""
    found = dict(_learners(layer, "", ""))
    return {path: next(each for start, each in found.items() if path.startswith(start)) for path in paths}


def _learners(layer: Layer, path: str, network: str) -> Iterator[tuple[str, tuple[str, bool]]]:
    if not isinstance(layer, Composite):
        yield path, (network, layer.has_members)
        return
    for name, part in layer.parts():
        below = f"{path}{name}/"
        yield from _learners(part, below, below if layer.learn_apart else network)


def init_part(name: str, layer: Layer, rng: np.random.Generator, spec: Spec) -> tuple[Arrays, Arrays, Spec]:
    """Parameters and state of one part of a composite, keyed by path, and the spec of its output."""
    try:
        params, state = layer.init(rng, spec)
        out = output_spec(layer, params, state, spec)
    except (ShapeError, DtypeError) as error:
        raise _named(error, name, layer) from None
    return _below(name, params), _below(name, state), out


def apply_part(
    name: str, layer: Layer, params: Arrays, state: Arrays, x: Any, *, train: bool, key: Any
) -> tuple[Any, Arrays]:
    """Output and next state, keyed by path, of one part of a composite with these parameters and this state."""
    try:
        y, after = layer.apply(within(params, name), within(state, name), x, train=train, key=key)
    except (ShapeError, DtypeError) as error:
        raise _named(error, name, layer) from None
    return y, _below(name, after)


def within(values: Arrays, name: str) -> Arrays:
    """The part of a flat dictionary below a path, with the path taken off."""
    start = name + "/"
    return {path[len(start) :]: value for path, value in values.items() if path.startswith(start)}


def _below(name: str, values: Arrays) -> Arrays:
    return {f"{name}/{key}": value for key, value in values.items()}


def _named(error: ValueError, name: str, layer: Layer) -> ValueError:
    where = f"{name}/" if isinstance(layer, Composite) else f"{name} ({type(layer).__name__}) "
    return type(error)(f"{where}{error}")


@dataclass(frozen=True)
class Sequential(Composite):
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
        seen: Counter[str] = Counter()
        numbered = []
        for layer in self.layers:
            kind = type(layer).__name__.lower()
            seen[kind] += 1
            numbered.append(f"{kind}{seen[kind]}")
        object.__setattr__(self, "names", tuple(self.names) or tuple(numbered))
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
            own_params, own_state, spec = init_part(name, layer, rng, spec)
            params |= own_params
            state |= own_state
        return params, state

    def apply(self, params: Arrays, state: Arrays, x: Any, *, train: bool, key: Any) -> tuple[Any, Arrays]:
        next_state: Arrays = {}
        for number, (name, layer) in enumerate(zip(self.names, self.layers, strict=True)):
            own_key = None if key is None else fold_in(key, number)
            x, own = apply_part(name, layer, params, state, x, train=train, key=own_key)
            next_state |= own
        return x, next_state

    def parts(self) -> Iterator[tuple[str, Layer]]:
        yield from zip(self.names, self.layers, strict=True)

    def walk(self, params: Arrays, state: Arrays, spec: Spec) -> Iterator[tuple[str, Layer, Spec]]:
        """Name, layer and output spec of each layer, for inputs like `spec`."""
        for name, layer in zip(self.names, self.layers, strict=True):
            spec = output_spec(layer, within(params, name), within(state, name), spec)
            yield name, layer, spec


def layer_outputs(network: Sequential, params: Arrays, state: Arrays, x: Any) -> Iterator[tuple[str, Layer, Any]]:
    """Name, layer and output of each layer of a network, outside training; composites within it count as one layer."""
    for name, layer in zip(network.names, network.layers, strict=True):
        x, _ = apply_part(name, layer, params, state, x, train=False, key=None)
        yield name, layer, x


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
