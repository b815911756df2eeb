"""The end of a network: its last dense layer, which is of the task, behind what is of the data."""

from dataclasses import fields, replace
from typing import Any

from preceptor.errors import ConfigError
from preceptor.nn.dense import Dense
from preceptor.nn.layer import Composite, Layer, leaves
from preceptor.nn.member import MemberDense

__all__ = ["head_of", "with_outputs"]


def head_of(network: Layer) -> list[str]:
    """The paths of the last dense layer: of networks side by side, of each of them.

    Raises: ConfigError where there is none.
    """
    if isinstance(network, Composite) and network.learn_apart:
        return [f"{name}/{path}" for name, part in network.parts() for path in head_of(part)]
    found = [path for path, layer in leaves(network) if isinstance(layer, Dense | MemberDense)]
    if not found:
        raise ConfigError("the network has no dense layer, which a new head would take the place of. Use another one.")
    return [found[-1]]


def with_outputs(network: Layer, outputs: int) -> Layer:
    """The network with so many units in its last dense layer: of networks side by side, in that of each.

    Raises: ConfigError where there is none.
    """
    head_of(network)
    return _with_outputs(network, outputs)


def _with_outputs(network: Layer, outputs: int) -> Layer:
    if isinstance(network, Dense | MemberDense):
        return replace(network, units=outputs)
    assert isinstance(network, Composite)
    changed: dict[str, Any] = {}
    for each in reversed(fields(network)):
        value = getattr(network, each.name)
        if isinstance(value, Layer) and _has_dense(value):
            changed[each.name] = _with_outputs(value, outputs)
        elif isinstance(value, tuple) and any(isinstance(one, Layer) and _has_dense(one) for one in value):
            having = [number for number, one in enumerate(value) if _has_dense(one)]
            those = having if network.learn_apart else having[-1:]
            changed[each.name] = tuple(_with_outputs(v, outputs) if n in those else v for n, v in enumerate(value))
        if changed:
            break
    return replace(network, **changed)


def _has_dense(layer: Layer) -> bool:
    return any(isinstance(each, Dense | MemberDense) for _, each in leaves(layer))
