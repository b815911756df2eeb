"""What the first layer of a network looks for.

Of an ensemble the first network is looked at.
"""

from dataclasses import dataclass

import numpy as np

from preceptor.evidence.png import picture_of
from preceptor.evidence.record import Picture
from preceptor.nn import (
    Convolution,
    Dense,
    EachMember,
    Layer,
    Levels,
    MemberDense,
    Members,
    PatchWhitening,
    Sequential,
    Waves,
)
from preceptor.nn.ensemble import first_alone
from preceptor.nn.layer import Arrays, within

__all__ = [
    "MOST_FILTERS",
    "Inside",
    "each_of",
    "filter_pixels",
    "filters_of",
    "first_weights",
    "inside",
    "longest_first",
]

MOST_FILTERS = 64


@dataclass(frozen=True, eq=False)
class Inside:
    """One network of a run, with its parameters and state."""

    network: Sequential
    params: Arrays
    state: Arrays


def inside(network: Layer, params: Arrays, state: Arrays) -> Inside | None:
    """The network that is looked at: this, or the first of its ensemble or committee; None where its layers are not one
    after the other."""
    network, params, state = first_alone(network, params, state)
    return Inside(network, params, state) if isinstance(network, Sequential) else None


def each_of(layer: Layer) -> Layer:
    """What each member has one of, else the layer itself."""
    return layer.layer if isinstance(layer, EachMember) else layer


def first_weights(found: Inside) -> tuple[str, Layer, np.ndarray] | None:
    """Name, layer and weight of the first layer that has weights: a convolution's as it is, (*window, channel, filter),
    a dense one's (feature, unit), of several members that of the first as it sees the features. None where no layer
    has."""
    scale = None
    for name, layer in zip(found.network.names, found.network.layers, strict=True):
        params = within(found.params, name)
        if isinstance(layer, Members):
            scale = np.array(params["scale"][0])
            scale[list(layer.untouched)] = 1
        elif scale is not None and isinstance(inner := each_of(layer), Levels):
            scale = np.concatenate([np.delete(scale, inner.places), np.ones(len(inner.places) * inner.width)])
        elif scale is not None and isinstance(inner, Waves):
            scale = np.concatenate([scale, np.ones(len(inner.numbers) * inner.width)])
        if isinstance(layer, Convolution | Dense):
            return name, layer, params["weight"]
        if isinstance(layer, PatchWhitening):
            return name, layer, within(found.state, name)["weight"]
        if isinstance(layer, MemberDense):
            weight = params["weight"][0]
            return name, layer, weight if scale is None else weight * scale[:, None]
    return None


def longest_first(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The filters by their lengths, the longest first, and the length of each. Shapes: weight (..., filter) ->
    (filter,), (filter,)."""
    strength = np.sqrt((weight.reshape(-1, weight.shape[-1]) ** 2).sum(0))
    return np.argsort(-strength, kind="stable"), strength


def filter_pixels(weight: np.ndarray) -> np.ndarray:
    """Filters as pictures, each to its own scale: grey is 0, the largest weight white or, if it is negative, black.

    Shapes: (height, width, channel, filter) -> (filter, height, width, channel), uint8.
    """
    weight = np.moveaxis(weight, -1, 0)
    largest = np.abs(weight).max(axis=(1, 2, 3), keepdims=True)
    return np.round(127.5 + 127.5 * weight / np.where(largest > 0, largest, 1)).astype(np.uint8)


def filters_of(network: Layer, params: Arrays, state: Arrays, shape: tuple[int, ...]) -> list[Picture]:
    """The longest filters of the first layer of a network for pictures; none of what sees no pictures.

    Args:
        shape: of what the network takes of a picture: height, width and channels.
    """
    found = inside(network, params, state)
    first = None if found is None else first_weights(found)
    if first is None or len(shape) != 3 or shape[-1] not in (1, 3):
        return []
    _, _, weight = first
    if weight.ndim == 2:
        if len(weight) != np.prod(shape):
            return []
        weight = weight.reshape(*shape, -1)
    if weight.shape[2] != shape[-1] or not np.isfinite(weight).all():
        return []
    order = longest_first(weight)[0][:MOST_FILTERS]
    return [picture_of(pixels) for pixels in filter_pixels(weight[..., order])]
