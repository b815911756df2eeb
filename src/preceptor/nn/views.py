"""Networks that look at a picture from more than one side before they answer."""

from dataclasses import dataclass
from typing import Any

from preceptor import ops
from preceptor.nn.layer import Arrays, Sequential

__all__ = ["Mirrored"]


@dataclass(frozen=True)
class Mirrored(Sequential):
    """Layers one after the other; outside training the outputs are the mean over a picture and its mirror image.

    Shapes: x (batch, height, width, channel) -> those of its layers. Parameters, state and names as of Sequential.
    Formula: y(x) = (f(x) + f(x mirrored left to right)) / 2; in training y = f(x).
    Args:
        layers: the layers in order.
        names: one for each, as of Sequential.
    Source: Krizhevsky et al. 2012, section 4.1, who crop as well.
    Differs: they average probabilities; here what the last layer gives, as Jordan 2024.
    """

    def apply(self, params: Arrays, state: Arrays, x: Any, *, train: bool, key: Any) -> tuple[Any, Arrays]:
        y, after = super().apply(params, state, x, train=train, key=key)
        if train:
            return y, after
        other, _ = super().apply(params, state, ops.flip(x, 2), train=False, key=key)
        return (y + other) * 0.5, after
