"""The layers of a network: what they are, what they give, how many parameters they have."""

from collections.abc import Iterator

import numpy as np

from preceptor.evidence.record import LayerShape
from preceptor.nn import Committee, Dropout, Ensemble, Layer, Sequential, count_parameters
from preceptor.nn.layer import Arrays, within
from preceptor.ops import Spec
from preceptor.words import amount, counted

__all__ = ["kind_of", "layers_of", "networks_of", "told_of"]

MOST_LAYERS = 300


def kind_of(layer: Layer) -> str:
    """What a layer is, in a word, with the number that its shape does not tell."""
    return f"Dropout {amount(layer.drop_rate)}" if isinstance(layer, Dropout) else type(layer).__name__


def networks_of(network: Layer, params: Arrays, state: Arrays) -> Iterator[tuple[str, Layer, Arrays, Arrays]]:
    """The networks that differ in make, with their parameters and state: each of a committee by its name, the first of
    an ensemble, else the network itself, without a name."""
    if isinstance(network, Ensemble):
        network, params, state = network.first(params, state)
    if isinstance(network, Committee):
        for name, part in network.parts():
            yield name, part, within(params, name), within(state, name)
    else:
        yield "", network, params, state


def layers_of(network: Layer, params: Arrays, state: Arrays, shape: tuple[int, ...]) -> list[LayerShape]:
    """The layers of each network that differs in make, at most MOST_LAYERS.

    Args:
        shape: of what the network takes of an example.
    """
    found = []
    dtype = next((np.dtype(value.dtype) for value in params.values()), np.dtype(np.float32))
    for name, part, own, held in networks_of(network, params, state):
        if isinstance(part, Sequential):
            for place, layer, out in part.walk(own, held, Spec((1, *shape), dtype)):
                path = f"{name}/{place}" if name else place
                count = count_parameters(within(own, place))
                found.append(LayerShape(path=path, kind=kind_of(layer), shape=list(out.shape[1:]), parameters=count))
    return found[:MOST_LAYERS]


def told_of(network: Layer, params: Arrays) -> str:
    """What a network is made of, in a sentence."""
    in_all = counted(count_parameters(params), "parameter")
    count, inner = (network.count, network.network) if isinstance(network, Ensemble) else (1, network)
    parts = len(inner.networks) if isinstance(inner, Committee) else 1
    if parts > 1:
        kind = f"a committee of {counted(parts, 'network')} of different makes, whose predictions are averaged"
    else:
        layers = len(inner.layers) if isinstance(inner, Sequential) else 1
        kind = f"{counted(layers, 'layer')} one after the other" if layers > 1 else type(inner).__name__
    if count > 1:
        kind = f"{count} networks, averaged, each {kind}"
    return f"{kind[0].upper()}{kind[1:]}; {in_all} in all."
