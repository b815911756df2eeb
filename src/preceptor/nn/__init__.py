"""Layers, initialisers, losses, ready networks."""

from preceptor.nn import activation, architecture, dense, dropout, initialiser, loss, norm, tabular
from preceptor.nn.activation import *  # noqa: F403
from preceptor.nn.architecture import *  # noqa: F403
from preceptor.nn.config import from_config, to_config
from preceptor.nn.dense import *  # noqa: F403
from preceptor.nn.dropout import *  # noqa: F403
from preceptor.nn.initialiser import *  # noqa: F403
from preceptor.nn.layer import Layer, Sequential, count_parameters, output_spec
from preceptor.nn.loss import *  # noqa: F403
from preceptor.nn.norm import *  # noqa: F403
from preceptor.nn.tabular import *  # noqa: F403

__all__ = [
    "Layer",
    "Sequential",
    "count_parameters",
    "from_config",
    "output_spec",
    "to_config",
    *activation.__all__,
    *architecture.__all__,
    *dense.__all__,
    *dropout.__all__,
    *initialiser.__all__,
    *loss.__all__,
    *norm.__all__,
    *tabular.__all__,
]
