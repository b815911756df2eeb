"""Networks with bins in the form that predicts many rows fast: bins looked up in place of multiplied."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from preceptor import ops
from preceptor.nn.ensemble import Committee
from preceptor.nn.layer import Arrays, Composite, Layer, Sequential, apply_part, within
from preceptor.nn.member import EachMember, MemberDense, Members
from preceptor.nn.tabular import Levels, PiecewiseLinear
from preceptor.ops import Spec

__all__ = ["looked_up"]

ENTRANCE = "entrance"
FEW_BINS = 8  # a number: of so few and fewer the product takes no longer than looking them up


@dataclass(frozen=True)
class _Entrance(Composite):
    """What a network of members with bins is up to its first affine layer, that one included.

    The bins of a number below its value are full, those above are empty, and one is full in part. So what they add to
    the affine layer lies on a line between two rows of a table: the sums of the weights of all bins below each edge.

    Shapes: x (batch, feature) -> (batch, member, unit); parameters are those of the parts, without the bins' rows, and
        `knots` (bin + number, member * unit).
    """

    bins: PiecewiseLinear
    layers: tuple[tuple[str, Layer], ...]

    def parts(self) -> Iterator[tuple[str, Layer]]:
        yield from self.layers

    def init(self, rng: np.random.Generator, spec: Spec) -> tuple[Arrays, Arrays]:
        raise NotImplementedError("it is made of what was trained")

    def apply(self, params: Arrays, state: Arrays, x: Any, *, train: bool, key: Any) -> tuple[Any, Arrays]:
        y = x
        for name, layer in self.layers:
            y = apply_part(name, layer, params, state, y, train=train, key=key)[0]
        return y + ops.reshape(self._from_bins(params["knots"], x), y.shape), state

    def _from_bins(self, knots: Any, x: Any) -> Any:
        """What the bins add. Shapes: x (batch, feature) -> (batch, member * unit)."""
        counts = [len(each) - 1 for each in self.bins.edges]
        which = np.repeat(np.arange(len(counts)), counts)
        reached = self.bins.reached(x)  # (bin, batch)
        of_number = (which == np.arange(len(counts))[:, None]).astype(x.dtype)
        full = of_number @ ops.where(reached < 1, np.zeros((), x.dtype), np.ones((), x.dtype))
        share = ops.transpose(of_number @ ops.where(reached < 1, reached, np.zeros((), x.dtype)))
        starts = np.cumsum([0, *(count + 1 for count in counts[:-1])]).astype(np.int32)
        at = ops.transpose(ops.cast(full, np.int32)) + starts
        after = ops.minimum(at + 1, np.int32(len(which) + len(counts) - 1))  # beyond the last edge its share is 0
        return ops.gather_sum(knots, ops.concatenate([at, after], 1), ops.concatenate([1 - share, share], 1))


def looked_up(network: Layer, params: Arrays, state: Arrays) -> tuple[Layer, Arrays, Arrays]:
    """A network that predicts the same but for rounding, with its parameters and state: where its members see bins,
    many bins, they are looked up. Any other network is given back as it is. Args: params, state: arrays."""
    if isinstance(network, Committee):
        parts: list[Layer] = []
        joined: tuple[Arrays, Arrays] = {}, {}
        for name, part in network.parts():
            made, *values = looked_up(part, within(params, name), within(state, name))
            parts.append(made)
            for every, own in zip(joined, values, strict=True):
                every |= {f"{name}/{path}": value for path, value in own.items()}
        return Committee(tuple(parts)), *joined
    entered = _entered(network)
    if not isinstance(network, Sequential) or entered is None:
        return network, params, state
    bins, layers = entered
    scale_at, weight_at = f"{layers[0][0]}/scale", f"{layers[-1][0]}/weight"
    scale, weight = params[scale_at], params[weight_at]
    features = scale.shape[1] - bins.bins
    begin = features - sum(
        len(layer.layer.places) for _, layer in layers[1:-1]
    )  # numbers of levels stand no more there
    rows = slice(begin, begin + bins.bins)
    each = scale[:, features:, None].astype(np.float64) * weight[:, rows]  # (member, bin, unit)
    flat = each.transpose(1, 0, 2).reshape(bins.bins, -1)
    ends = np.cumsum([len(edges) - 1 for edges in bins.edges])
    sums = [np.cumsum(np.pad(part, ((1, 0), (0, 0))), 0) for part in np.split(flat, ends[:-1])]
    own = params | {scale_at: scale[:, :features], weight_at: np.delete(weight, rows, 1)}
    inside = {name for name, _ in layers}
    named = {f"{ENTRANCE}/{path}" if path.split("/")[0] in inside else path: value for path, value in own.items()}
    named[f"{ENTRANCE}/knots"] = np.concatenate(sums).astype(weight.dtype)
    rest = list(network.parts())[1 + len(layers) :]
    names = (ENTRANCE, *(name for name, _ in rest))
    return Sequential((_Entrance(bins, layers), *(layer for _, layer in rest)), names), named, state


def _entered(network: Layer) -> tuple[PiecewiseLinear, tuple[tuple[str, Any], ...]] | None:
    """The bins that members see, and what comes behind them up to the first affine layer: the members, vectors of
    levels, the layer. None where the network begins in another way."""
    if not isinstance(network, Sequential):
        return None
    (_, bins), *behind = network.parts()
    levels = [layer for _, layer in behind[1:2] if isinstance(layer, EachMember) and isinstance(layer.layer, Levels)]
    layers = tuple(behind[: 2 + len(levels)])
    if not isinstance(bins, PiecewiseLinear) or bins.bins <= FEW_BINS * len(bins.numbers):
        return None
    if not isinstance(layers[-1][1], MemberDense):
        return None
    members = layers[0][1]
    return (bins, layers) if isinstance(members, Members) and not members.withheld else None
