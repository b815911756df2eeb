"""Which parameters of a network move, and how far: training that goes on from what is already learned."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from preceptor.errors import ConfigError
from preceptor.hyper import hyper, settings
from preceptor.nn.dropout import DropConnect, Dropout
from preceptor.nn.layer import Composite, Function, Layer, Sequential, leaves
from preceptor.ops import Spec
from preceptor.words import listing

__all__ = ["FineTuning", "First", "check_fine_tuning", "frozen_start", "stilled"]

Arrays = dict[str, Any]


@settings
class FineTuning:
    """What is held fast of a network, and which parts of it go slower.

    A pattern fits a layer where it fits its path, or the beginning of its path up to a /, as file names: `block1*` is
    `block11` and all that lies within. A layer that is frozen keeps its parameters, bit for bit, and its running
    statistics, which it then also uses in training; no gradient is computed for it, nor for what only it would need.

    Formula: rate of a parameter = rate of the step * product of the numbers of the patterns that fit * decay^d, d being
        how many layers with parameters stand between its layer and the end, of those at the top of the network.
    Args:
        frozen: patterns.
        rates: (pattern, number) pairs.
        decay: of the rates, from layer to layer towards the input.
    Source: freezing Yosinski et al. 2014; rates by layer Howard and Ruder 2018, section 3.2 (there decay 1 / 2.6).
    Differs: PyTorch's requires_grad leaves the running statistics of a frozen batch norm moving, unless it is set to
        eval; Keras' trainable = False does as here. What weight decay takes off is multiplied as well, as with
        parameter groups in PyTorch.
    """

    frozen: tuple[str, ...] = ()
    rates: tuple[tuple[str, float], ...] = ()
    decay: float = hyper(default=1.0, low=0, high=1, unit="per layer", doc="Of the rates, from layer to layer.")

    def freezes(self, path: str) -> bool:
        """Whether the layer, or parameter, of this path is held fast."""
        return any(fits(path, pattern) for pattern in self.frozen)

    def factors(self, network: Layer, paths: Iterable[str]) -> dict[str, float]:
        """What the rate of each parameter is multiplied by."""
        depth = _depths(network, paths) if self.decay < 1 else {}
        found = {}
        for path in paths:
            own = [number for pattern, number in self.rates if fits(path, pattern)]
            found[path] = float(np.prod(own)) * self.decay ** depth.get(path, 0)
        return found

    def moving(self, params: Iterable[str]) -> list[str]:
        """The paths of the parameters that move."""
        return [path for path in params if not self.freezes(path)]


@dataclass(frozen=True, eq=False)
class First:
    """Values that a training begins with, in place of those that the seed would draw: by path, of any parameters and
    running numbers of the network, as it has them."""

    params: dict[str, np.ndarray]
    state: dict[str, np.ndarray]

    def over(self, params: Arrays, state: Arrays) -> tuple[Arrays, Arrays]:
        """What was drawn, with these values in its place.

        Raises: ConfigError where the network has no such parameter, or one of another shape.
        """
        for drawn, own in ((params, self.params), (state, self.state)):
            for path, value in own.items():
                if path not in drawn or np.shape(drawn[path]) != np.shape(value):
                    wanted = f"one of shape {np.shape(drawn[path])}" if path in drawn else "none of that name"
                    raise ConfigError(
                        f"first values: received {path} of shape {np.shape(value)}; the network has {wanted}. Give "
                        "values of the same network."
                    )
        return params | self.params, state | self.state


def fits(path: str, pattern: str) -> bool:
    """Whether a pattern fits a path, or its beginning up to a /."""
    parts = path.split("/")
    return any(fnmatchcase("/".join(parts[:count]), pattern) for count in range(1, len(parts) + 1))


def check_fine_tuning(tuned: FineTuning, params: Iterable[str]) -> None:
    """Raises ConfigError where a pattern fits none of the parameters, given by their paths, or nothing moves."""
    paths = list(params)
    patterns = [*(("freeze", each) for each in tuned.frozen), *(("rate", each) for each, _ in tuned.rates)]
    for what, pattern in patterns:
        if not any(fits(path, pattern) for path in paths):
            layers = list(dict.fromkeys(path.split("/")[0] for path in paths))
            raise ConfigError(
                f"{what}: the pattern {pattern!r} fits no layer with parameters; at least one is required. They are "
                f"{listing(layers, 40)}."
            )
    if paths and not tuned.moving(paths):
        raise ConfigError(
            f"freeze: {listing(tuned.frozen)} holds all {len(paths)} parameters fast; at least one must move. Leave "
            "the last layer out."
        )


def frozen_start(network: Layer, tuned: FineTuning, params: Iterable[str]) -> int:
    """How many layers at the beginning of a network are the same function throughout training: those before the first
    that moves, or draws."""
    if not isinstance(network, Sequential) or not tuned.frozen:
        return 0
    moving = {path.split("/")[0] for path in tuned.moving(params)}
    for number, (name, layer) in enumerate(network.parts()):
        is_random = any(isinstance(each, (Dropout, DropConnect)) for _, each in leaves(layer))
        if name in moving or (is_random and not tuned.freezes(name)):
            return number
    return len(network.names)


@dataclass(frozen=True)
class _Still(Layer):
    """A layer that does in training what it does outside."""

    layer: Layer

    def init(self, rng: np.random.Generator, spec: Spec) -> tuple[Arrays, Arrays]:
        return self.layer.init(rng, spec)

    def apply(self, params: Arrays, state: Arrays, x: Any, *, train: bool, key: Any) -> tuple[Any, Arrays]:
        return self.layer.apply(params, state, x, train=False, key=None)


def stilled(network: Layer, tuned: FineTuning) -> Layer:
    """The network as it trains: layers that are frozen use what they have instead of what the batch tells."""
    return _stilled(network, tuned, "") if tuned.frozen else network


def _stilled(layer: Layer, tuned: FineTuning, path: str) -> Layer:
    if not isinstance(layer, Composite):
        is_still = isinstance(layer, Function) or not tuned.freezes(path.removesuffix("/"))
        return layer if is_still else _Still(layer)
    names = {id(part): f"{path}{name}/" for name, part in layer.parts()}
    changed: dict[str, Any] = {}
    for each in fields(layer):
        value = getattr(layer, each.name)
        if isinstance(value, Layer):
            changed[each.name] = _stilled(value, tuned, names.get(id(value), path))
        elif isinstance(value, tuple) and value and all(isinstance(one, Layer) for one in value):
            inner = [names.get(id(one), path) for one in value]
            if isinstance(layer, Sequential):  # one layer may stand in it twice
                inner = [f"{path}{name}/" for name in layer.names]
            changed[each.name] = tuple(_stilled(one, tuned, own) for one, own in zip(value, inner, strict=True))
    return replace(layer, **changed)


def _depths(network: Layer, paths: Iterable[str], below: str = "") -> dict[str, int]:
    """How many layers with parameters stand behind that of each parameter, of those at the top of its network."""
    own = [path for path in paths if path.startswith(below)]
    if isinstance(network, Composite) and network.learn_apart:
        return {k: v for name, part in network.parts() for k, v in _depths(part, own, f"{below}{name}/").items()}
    tops = [path.removeprefix(below).split("/")[0] for path in own]
    order = [name for name, _ in network.parts()] if isinstance(network, Composite) else list(dict.fromkeys(tops))
    behind = [name for name in reversed(order) if name in set(tops)]
    return {path: behind.index(top) for path, top in zip(own, tops, strict=True)}
