"""Layers that drop at random while training."""

from typing import Any

import numpy as np

from preceptor import ops
from preceptor.errors import ConfigError
from preceptor.hyper import hyper, settings
from preceptor.nn.layer import Arrays, Layer
from preceptor.ops import Spec
from preceptor.ops.primitive import user_line

__all__ = ["Dropout"]


@settings
class Dropout(Layer):
    """Sets each value to 0 with probability `drop_rate` while training, and scales the others up to keep the mean.

    Shapes: any -> the same.
    Formula: y = x / (1 - drop_rate) with probability 1 - drop_rate, else 0; outside training y = x.
    Raises: ConfigError where it trains without a key.
    Source: Srivastava et al. 2014, section 10 (the inverted form, which leaves test time alone).
    """

    drop_rate: float = hyper(default=0.5, low=0, high=0.99, unit="share dropped", doc="Share of the values set to 0.")

    def init(self, rng: np.random.Generator, spec: Spec) -> tuple[Arrays, Arrays]:
        return {}, {}

    def apply(self, params: Arrays, state: Arrays, x: Any, *, train: bool, key: Any) -> tuple[Any, Arrays]:
        if not train or self.drop_rate == 0:
            return x, state
        if key is None:
            raise ConfigError(
                f"Dropout at {user_line()}: received no key; dropping at random needs one. Pass key=pr.key(seed)."
            )
        keep = 1 - self.drop_rate
        return ops.where(ops.bernoulli(key, keep, tuple(x.shape)), x * (1 / keep), 0), state
