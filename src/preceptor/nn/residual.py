"""Layers around layers."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from preceptor.errors import ShapeError
from preceptor.hyper import hyper, settings
from preceptor.nn.layer import Arrays, Composite, Layer, apply_part, init_part
from preceptor.ops import Spec, fold_in
from preceptor.ops.primitive import user_line

__all__ = ["Residual"]


@settings
class Residual(Composite):
    """Adds the input, or a projection of it, to the output of a block of layers.

    Shapes: x -> that of the block's output, which must be that of the input or of its projection. Parameters and state
        are keyed `block/key` and `projection/key`.
    Formula: y = block(x) + x, or block(x) + projection(x).
    Raises: ShapeError, naming the part, where shapes do not fit.
    Source: He et al. 2016, "Deep residual learning", equations 1 and 2. The ReLU that they put behind the sum is a
        layer of its own after this one; where a block begins with norm and ReLU there is none (their second paper).
    """

    block: Layer = hyper(doc="What is learned beside the input.")
    projection: Layer | None = hyper(default=None, doc="Brings the input to the block's shape; None adds it as it is.")

    def parts(self) -> Iterator[tuple[str, Layer]]:
        yield "block", self.block
        if self.projection is not None:
            yield "projection", self.projection

    def init(self, rng: np.random.Generator, spec: Spec) -> tuple[Arrays, Arrays]:
        params, state, out = init_part("block", self.block, rng, spec)
        beside = spec
        if self.projection:
            own_params, own_state, beside = init_part("projection", self.projection, rng, spec)
            params, state = params | own_params, state | own_state
        self._check(out, beside)
        return params, state

    def apply(self, params: Arrays, state: Arrays, x: Any, *, train: bool, key: Any) -> tuple[Any, Arrays]:
        keys = (None, None) if key is None else (fold_in(key, 0), fold_in(key, 1))
        y, after = apply_part("block", self.block, params, state, x, train=train, key=keys[0])
        beside = x
        if self.projection:
            beside, own = apply_part("projection", self.projection, params, state, x, train=train, key=keys[1])
            after |= own
        self._check(y, beside)
        return y + beside, after

    def _check(self, y: Any, beside: Any) -> None:
        if tuple(y.shape) != tuple(beside.shape):
            what = "projection gives" if self.projection else "input has"
            raise ShapeError(
                f"block ({type(self.block).__name__}) at {user_line()}: output has shape {tuple(y.shape)}, the {what} "
                f"{tuple(beside.shape)}; they are added and must agree. Give a projection to the block's shape."
            )
