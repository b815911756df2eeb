"""Networks that look at a picture from more than one side before they answer."""

from dataclasses import dataclass
from typing import Any

from preceptor import ops
from preceptor.errors import ShapeError
from preceptor.hyper import hyper
from preceptor.nn.layer import Arrays, Sequential
from preceptor.ops.primitive import user_line

__all__ = ["Mirrored"]


@dataclass(frozen=True)
class Mirrored(Sequential):
    """Layers one after the other; outside training the outputs are the mean over a picture and its mirror image.

    Shapes: x (batch, height, width, channel) -> those of its layers. Parameters, state and names as of Sequential.
    Formula: y(x) = m(x) = (f(x) + f(x mirrored left to right)) / 2; with a shift
        y(x) = m(x) / 2 + m(x moved down and right) / 4 + m(x moved up and left) / 4; in training y = f(x).
    Args:
        layers: the layers in order.
        names: one for each, as of Sequential.
        shift: pixels by which a picture is moved; what comes in at an edge is reflected in it, as by NumPy's pad.
    Raises: ShapeError for pictures whose sides are no longer than the shift.
    Source: Krizhevsky et al. 2012, section 4.1, who crop; Jordan 2024, https://arxiv.org/abs/2404.00498, section 3.5.
    Differs: Krizhevsky et al. average probabilities; here what the last layer gives, as Jordan.
    """

    shift: int = hyper(default=0, low=0, unit="pixels", doc="How far a picture is moved for further views.")

    @property
    def views(self) -> int:
        """How often the layers are applied to a picture outside training."""
        return 6 if self.shift else 2

    def apply(self, params: Arrays, state: Arrays, x: Any, *, train: bool, key: Any) -> tuple[Any, Arrays]:
        y, after = super().apply(params, state, x, train=train, key=key)
        if train:
            return y, after

        def one(x: Any) -> Any:
            return super(Mirrored, self).apply(params, state, x, train=False, key=None)[0]

        y = (y + one(ops.flip(x, 2))) * 0.5
        if not self.shift:
            return y, after
        if min(x.shape[1:3]) <= self.shift:
            raise ShapeError(
                f"at {user_line()}: input has shape {x.shape}, views are moved by {self.shift}; longer sides are "
                "required."
            )
        for forward in (True, False):
            moved = _moved(_moved(x, 1, self.shift, forward), 2, self.shift, forward)
            y = y + (one(moved) + one(ops.flip(moved, 2))) * 0.25
        return y * 0.5, after


def _moved(x: Any, axis: int, shift: int, forward: bool) -> Any:
    """Places along an axis moved; what comes in at the edge is reflected in it."""
    if not forward:
        return ops.flip(_moved(ops.flip(x, axis), axis, shift, True), axis)
    before = (slice(None),) * axis
    return ops.concatenate([ops.flip(x[(*before, slice(1, shift + 1))], axis), x[(*before, slice(None, -shift))]], axis)
