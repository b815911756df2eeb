"""Residual blocks whose input is added without weights, where a file has none for it."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from preceptor.foreign.units import Leaf
from preceptor.nn import Convolution, MeanPool, Residual, Sequential, ZeroPad
from preceptor.nn.layer import Layer


def without_projections(
    network: Layer, leaves: Sequence[Leaf], missing: Iterable[str]
) -> tuple[Layer, tuple[str, ...]]:
    """The network with shortcuts that need no weights in place of its projections, and what the paths of these began
    with. It stays as it is where a projection was given weights, or more is missing than they and one other layer.

    Source: He et al. 2016, "Deep residual learning", section 4.2, option A; they do not say where the zeros stand. Half
        before and half behind the channels is what implementations for small pictures do.
    """
    absent = set(missing)
    gone = tuple(f"{path}projection/" for path in _projected(network, ""))
    inside = [leaf for leaf in leaves if f"{leaf.path}/".startswith(gone)]
    lacking = {leaf.path for leaf in leaves if leaf not in inside and any(leaf.key(r) in absent for r in leaf.arrays)}
    if not inside or len(lacking) > 1 or not all(leaf.key(role) in absent for leaf in inside for role in leaf.arrays):
        return network, ()
    return _plain(network, "", {leaf.path: leaf for leaf in inside if leaf.kind == "weight"}), gone


def _projected(layer: Layer, path: str) -> list[str]:
    """Where residual blocks stand that have a projection."""
    if isinstance(layer, Residual):
        return ([path] if layer.projection else []) + _projected(layer.block, f"{path}block/")
    if isinstance(layer, Sequential):
        return [each for name, part in layer.parts() for each in _projected(part, f"{path}{name}/")]
    return []


def _plain(layer: Layer, path: str, weights: dict[str, Leaf]) -> Layer:
    if isinstance(layer, Sequential):
        return replace(layer, layers=tuple(_plain(part, f"{path}{name}/", weights) for name, part in layer.parts()))
    if not isinstance(layer, Residual):
        return layer
    block = _plain(layer.block, f"{path}block/", weights)
    if layer.projection is None:
        return replace(layer, block=block)
    own = next(leaf for start, leaf in weights.items() if f"{start}/".startswith(f"{path}projection/"))
    *window, channels, filters = own.arrays["weight"]
    assert isinstance(own.layer, Convolution)
    before = (filters - channels) // 2
    around = (*((0, 0),) * len(window), (before, filters - channels - before))
    parts = (MeanPool(1, stride=own.layer.stride), ZeroPad(around))  # the mean of one place is that place
    return Residual(block, Sequential(parts, ("places", "zeros")))
