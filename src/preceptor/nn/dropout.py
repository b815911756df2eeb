"""Layers that drop at random while training."""

import math
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np

from preceptor import ops
from preceptor.errors import ConfigError
from preceptor.hyper import hyper, settings
from preceptor.nn.dense import Dense
from preceptor.nn.layer import Arrays, Layer, check_width
from preceptor.ops import Spec
from preceptor.ops.primitive import user_line

__all__ = ["DropConnect", "Dropout"]


@settings
class Dropout(Layer):
    """Sets each value to 0 with probability `drop_rate` while training.

    Shapes: any -> the same.
    Formula: inverted: y = x / (1 - drop_rate) with probability 1 - drop_rate, else 0; outside training y = x.
        Vanilla: y = x with probability 1 - drop_rate, else 0; outside training y = (1 - drop_rate) x. The mean is the
        same in training and outside it either way.
    Raises: ConfigError where it drops without a key.
    Source: Srivastava et al. 2014, section 4 (vanilla) and section 10 (inverted); course material D shows both. To drop
        outside training: Gal and Ghahramani 2016.
    """

    drop_rate: float = hyper(default=0.5, low=0, high=0.99, unit="share dropped", doc="Share of the values set to 0.")
    inverted: bool = hyper(default=True, doc="Scale up while training; else scale down outside training.")
    always: bool = hyper(default=False, doc="Drop outside training as in it, where a key is given then too.")

    def init(self, rng: np.random.Generator, spec: Spec) -> tuple[Arrays, Arrays]:
        return {}, {}

    def apply(self, params: Arrays, state: Arrays, x: Any, *, train: bool, key: Any) -> tuple[Any, Arrays]:
        keep = 1 - self.drop_rate
        if self.drop_rate == 0:
            return x, state
        if not (train or self.always):
            return (x if self.inverted else x * keep), state
        kept = x * (1 / keep) if self.inverted else x
        return ops.where(ops.bernoulli(_needed("Dropout", key), keep, tuple(x.shape)), kept, 0), state


@settings
class DropConnect(Dense):
    """An affine layer that sets each weight to 0 with probability `drop_rate` while training, for each example anew.

    Shapes: those of Dense. While training a masked copy of the weight is made for each example: memory grows with
        batch * feature * unit.
    Formula: y = x @ (mask * weight) / (1 - drop_rate) + bias, mask 1 with probability 1 - drop_rate, else 0; outside
        training y = x @ weight + bias.
    Raises: ConfigError where it drops without a key.
    Source: Wan et al. 2013, section 3; one mask for a whole batch regularises too little, they found.
    Differs: they mask the bias too, and at test time average the activation over normal samples of the unit's input;
        here the mean input is taken, as dropout does.
    """

    drop_rate: float = hyper(default=0.5, low=0, high=0.99, unit="share dropped", doc="Share of the weights set to 0.")
    always: bool = hyper(default=False, doc="Drop outside training as in it, where a key is given then too.")

    def apply(self, params: Arrays, state: Arrays, x: Any, *, train: bool, key: Any) -> tuple[Any, Arrays]:
        if not (train or self.always) or self.drop_rate == 0:
            return super().apply(params, state, x, train=train, key=key)
        weight, keep = params["weight"], 1 - self.drop_rate
        check_width(x, -1, weight.shape[0], f"weight {tuple(weight.shape)}")
        rows = math.prod(x.shape[:-1])
        mask = ops.bernoulli(_needed("DropConnect", key), keep, (rows, *weight.shape))
        y = ops.reshape(x, (rows, 1, x.shape[-1])) @ ops.where(mask, weight * (1 / keep), 0)
        y = ops.reshape(y, (*x.shape[:-1], self.units))
        return (y + params["bias"] if self.bias else y), state


def drop_always(value: Any) -> Any:
    """A layer whose layers that drop at random, and those of the layers in it, do so outside training too."""
    if isinstance(value, Dropout | DropConnect):
        return replace(value, always=True)
    if isinstance(value, tuple):
        return tuple(drop_always(each) for each in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: drop_always(getattr(value, field.name)) for field in fields(value)})
    return value


def _needed(layer: str, key: Any) -> Any:
    if key is None:
        raise ConfigError(
            f"{layer} at {user_line()}: received no key; dropping at random needs one. Pass key=pr.key(seed)."
        )
    return key
