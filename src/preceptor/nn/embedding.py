"""Integers as vectors."""

from typing import Any

import numpy as np

from preceptor import ops
from preceptor.hyper import hyper, settings
from preceptor.nn.initialiser import Gaussian, Initialiser
from preceptor.nn.layer import Arrays, Layer
from preceptor.ops import Spec

__all__ = ["Embedding"]


@settings
class Embedding(Layer):
    """Looks up a learned vector for each integer.

    Shapes: x (...) of integers -> (..., width); weight (entry, width).
    Formula: y = weight[x], which is one_hot(x) @ weight without the product.
    Raises: DtypeError for an input that is no integer; ShapeError, on the reference engine, for integers from `entries`
        on (on accelerators they wrap round, for checking would stop the device).
    Source: Bengio et al. 2003, section 2.
    Differs: negative integers count from the end; PyTorch refuses them.
    """

    entries: int = hyper(low=1, unit="integers", doc="How many integers there are: 0 to entries - 1.")
    width: int = hyper(low=1, unit="features", doc="Length of each vector.")
    initialiser: Initialiser = hyper(default=Gaussian(1.0), doc="Draws the first vectors.")

    def init(self, rng: np.random.Generator, spec: Spec) -> tuple[Arrays, Arrays]:
        return {"weight": self.initialiser.draw(rng, (self.entries, self.width))}, {}

    def apply(self, params: Arrays, state: Arrays, x: Any, *, train: bool, key: Any) -> tuple[Any, Arrays]:
        return ops.take(params["weight"], x), state
