"""Networks whose layers do not stand one behind the other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from preceptor import ops
from preceptor.errors import ConfigError, DtypeError, ShapeError
from preceptor.graph import trace
from preceptor.nn.layer import Arrays, Composite, Layer, apply_part, init_part, output_spec, within
from preceptor.ops import Spec, fold_in

__all__ = ["Wired"]

INPUT = "input"
JOINS = ("sum", "product", "concatenate")


@dataclass(frozen=True)
class Wired(Composite):
    """Applies layers each of which names what it takes: the input, or the outputs of layers before it.

    Shapes: those of its layers. Where a layer takes several, they are joined first: added, multiplied, or laid one
        after the other along the last axis. To be added or multiplied, axes must be equal or 1; where one has features
        alone, (batch, feature), they count at every place of the others, (batch, *space, feature). Parameters and state
        are keyed `name/key`.
    Formula: y[i] = layer[i](join[i](what inputs[i] name)); the output is that of the last layer.
    Args:
        layers: the layers, each behind those that it takes.
        names: one for each; none is "input".
        inputs: for each layer the names of what it takes.
        joins: for each layer how these are joined: sum, product or concatenate; of one alone it says nothing.
    Raises: ConfigError for names that are missing, double, or no layer's before; ShapeError, naming the layer, where
        shapes do not fit.
    Source: definition. Squeeze and excitation (Hu et al. 2018) and inception blocks (Szegedy et al. 2015) are such.
    """

    layers: tuple[Layer, ...]
    names: tuple[str, ...]
    inputs: tuple[tuple[str, ...], ...]
    joins: tuple[str, ...]

    def __post_init__(self) -> None:
        for each in ("layers", "names", "joins"):
            object.__setattr__(self, each, tuple(getattr(self, each)))
        object.__setattr__(self, "inputs", tuple(tuple(each) for each in self.inputs))
        counts = {len(each) for each in (self.layers, self.names, self.inputs, self.joins)}
        if len(counts) != 1 or 0 in counts:
            raise ConfigError(
                f"Wired: received {len(self.layers)} layers, {len(self.names)} names, inputs for {len(self.inputs)} "
                f"and joins for {len(self.joins)}; each layer needs one of each."
            )
        known = {INPUT}
        for name, inputs, join in zip(self.names, self.inputs, self.joins, strict=True):
            if name in known or "/" in name:
                raise ConfigError(f"Wired: received the name {name!r}; each layer needs a name of its own without /.")
            missing = [each for each in inputs if each not in known]
            if missing or not inputs:
                raise ConfigError(
                    f"Wired: {name} takes {', '.join(map(repr, missing)) or 'nothing'}; a layer takes the input or "
                    "layers that stand before it."
                )
            if join not in JOINS:
                raise ConfigError(f"Wired: {name} joins by {join!r}; it must be one of {', '.join(JOINS)}.")
            known.add(name)

    def parts(self) -> Iterator[tuple[str, Layer]]:
        yield from zip(self.names, self.layers, strict=True)

    def init(self, rng: np.random.Generator, spec: Spec) -> tuple[Arrays, Arrays]:
        params: Arrays = {}
        state: Arrays = {}
        found = {INPUT: spec}
        for name, layer, inputs, join in self._wires():
            given = joined_spec(name, join, [found[each] for each in inputs])
            own_params, own_state, found[name] = init_part(name, layer, rng, given)
            params |= own_params
            state |= own_state
        return params, state

    def apply(self, params: Arrays, state: Arrays, x: Any, *, train: bool, key: Any) -> tuple[Any, Arrays]:
        next_state: Arrays = {}
        found = {INPUT: x}
        for number, (name, layer, inputs, join) in enumerate(self._wires()):
            own_key = None if key is None else fold_in(key, number)
            given = joined(name, join, [found[each] for each in inputs])
            found[name], own = apply_part(name, layer, params, state, given, train=train, key=own_key)
            next_state |= own
        return found[self.names[-1]], next_state

    def walk(self, params: Arrays, state: Arrays, spec: Spec) -> Iterator[tuple[str, Layer, Spec]]:
        """Name, layer and the spec of what it takes, of each layer, for inputs like `spec`."""
        found = {INPUT: spec}
        for name, layer, inputs, join in self._wires():
            given = joined_spec(name, join, [found[each] for each in inputs])
            yield name, layer, given
            found[name] = output_spec(layer, within(params, name), within(state, name), given)

    def _wires(self) -> Iterator[tuple[str, Layer, tuple[str, ...], str]]:
        yield from zip(self.names, self.layers, self.inputs, self.joins, strict=True)


def joined(name: str, join: str, values: Sequence[Any]) -> Any:
    """What a layer takes: values joined. Raises: ShapeError, naming the layer."""
    if len(values) == 1:
        return values[0]
    try:
        if join == "concatenate":
            return ops.concatenate(values, -1)
        most = max(each.ndim for each in values)
        spread = [_at_every_place(each, most) for each in values]
        return reduce(ops.add if join == "sum" else ops.multiply, spread)
    except (ShapeError, DtypeError) as error:
        raise type(error)(f"{name} ({join}) {error}") from None


def joined_spec(name: str, join: str, specs: Sequence[Spec]) -> Spec:
    """The spec of what a layer takes, by tracing. Raises: ShapeError, naming the layer."""
    return trace(lambda *values: joined(name, join, values))(*specs).graph.outputs[0].spec


def _at_every_place(x: Any, ndim: int) -> Any:
    """(batch, feature) as (batch, 1, ..., feature) with so many axes; what has more is left as it is."""
    return ops.reshape(x, (x.shape[0], *[1] * (ndim - 2), x.shape[-1])) if x.ndim == 2 < ndim else x
