"""The layer that whitens what a picture shows in each small window: first features that need no learning."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from preceptor import ops
from preceptor.errors import ShapeError
from preceptor.hyper import hyper, settings
from preceptor.nn.initialiser import Orthogonal, drawn
from preceptor.nn.layer import Arrays, Composite, Layer, Sequential, check_width
from preceptor.ops import Spec
from preceptor.ops.primitive import user_line

__all__ = ["PatchWhitening"]

AT_ONCE = 1 << 20  # numbers in the windows of some pictures: 8 MiB


@settings
class PatchWhitening(Layer):
    """Maps each window to its principal components, each of variance 1 over the training pictures, and their opposites.

    Nothing in it is learned. Where a network begins with it, training takes the components of the pictures that it is
    given; else they are a random turn of the window.

    Shapes: x (batch, height, width, channel) -> (batch, height - window + 1, width - window + 1, 2 n) with
        n = window² channel. State: weight (window, window, channel, 2 n).
    Formula: with the mean of p p' over windows p = sum over k of l[k] v[k] v[k]', y[k] = v[k] . p / sqrt(l[k] +
        epsilon) and y[n + k] = -y[k]; l falls.
    Source: Coates and Ng 2012, section 3; as a fixed first layer with the opposites Jordan 2024, section 3.1.
    Differs: there a bias is learned for the first epochs.
    """

    window: int = hyper(default=2, low=1, unit="places", doc="Places seen along each axis.")
    epsilon: float = hyper(default=5e-4, low=0, scale="log", doc="Added to the variances.")

    def init(self, rng: np.random.Generator, spec: Spec) -> tuple[Arrays, Arrays]:
        if spec.ndim != 4:
            raise ShapeError(
                f"at {user_line()}: input has shape {spec.shape}; (batch, height, width, channel) is required. Reshape "
                "it."
            )
        count = self.window**2 * spec.shape[-1]

        def turned(_: tuple[int, ...]) -> np.ndarray:
            return self._both(Orthogonal().draw(rng, (count, count)))

        return {}, {"weight": drawn(rng, self._shape(spec.shape[-1]), turned)}

    def apply(self, params: Arrays, state: Arrays, x: Any, *, train: bool, key: Any) -> tuple[Any, Arrays]:
        weight = state["weight"]
        check_width(x, -1, weight.shape[-2], f"weight {tuple(weight.shape)}")
        return ops.convolution(x, weight, 1, "valid"), state

    def of(self, x: np.ndarray) -> np.ndarray:
        """The weight for pictures like these. Shapes: x (picture, height, width, channel) -> as of State."""
        size, total = self.window, np.zeros(())
        some = max(AT_ONCE // (x[0].size * size**2), 1)  # pictures: the windows of many would not fit in memory
        for begin in range(0, len(x), some):
            found = np.lib.stride_tricks.sliding_window_view(x[begin : begin + some], (size, size), (1, 2))
            windows = found.transpose(0, 1, 2, 4, 5, 3).reshape(-1, size**2 * x.shape[-1]).astype(np.float64)
            total = total + windows.T @ windows
        count = len(x) * (x.shape[1] - size + 1) * (x.shape[2] - size + 1)
        variances, axes = np.linalg.eigh(total / count)
        signs = np.where(axes[np.abs(axes).argmax(0), range(len(axes))] < 0, -1, 1)  # either would do: no chance in it
        return self._both((axes * signs / np.sqrt(np.maximum(variances, 0) + self.epsilon))[:, ::-1])

    def _shape(self, channels: int) -> tuple[int, ...]:
        return self.window, self.window, channels, 2 * self.window**2 * channels

    def _both(self, axes: np.ndarray) -> np.ndarray:
        """Shapes: axes (window² channel, component)."""
        return np.concatenate((axes, -axes), 1).reshape(self._shape(len(axes) // self.window**2)).astype(np.float32)


def whitened(network: Layer, state: Arrays, pictures: Callable[[], np.ndarray]) -> Arrays:
    """The state of a network that is to see such pictures: what it begins with whitens their windows, where it begins
    with that layer; else they are not asked for. Shapes: pictures () -> (picture, height, width, channel)."""
    found = [(f"{path}weight", layer) for path, layer in _beginnings(network) if isinstance(layer, PatchWhitening)]
    if not found:
        return state
    x = pictures()
    return state | {path: layer.of(x) for path, layer in found}


def _beginnings(layer: Layer, path: str = "") -> Iterator[tuple[str, Layer]]:
    """Path and layer of what sees the input first, of each network of several."""
    if isinstance(layer, Sequential) or (isinstance(layer, Composite) and layer.learn_apart):
        parts = list(layer.parts())
        for name, part in parts[:1] if isinstance(layer, Sequential) else parts:
            yield from _beginnings(part, f"{path}{name}/")
    else:
        yield path, layer
