"""Layers, initialisers, losses, ready networks."""

from preceptor.nn import (
    activation,
    architecture,
    arithmetic,
    calibration,
    contrast,
    convolution,
    dense,
    dropout,
    embedding,
    ensemble,
    hidden,
    initialiser,
    joint,
    loss,
    member,
    norm,
    pooling,
    probability,
    residual,
    shape,
    siamese,
    tabular,
    views,
    vision,
    whitening,
    wired,
)
from preceptor.nn.activation import *  # noqa: F403
from preceptor.nn.architecture import *  # noqa: F403
from preceptor.nn.arithmetic import *  # noqa: F403
from preceptor.nn.calibration import *  # noqa: F403
from preceptor.nn.config import from_config, to_config
from preceptor.nn.contrast import *  # noqa: F403
from preceptor.nn.convolution import *  # noqa: F403
from preceptor.nn.dense import *  # noqa: F403
from preceptor.nn.dropout import *  # noqa: F403
from preceptor.nn.embedding import *  # noqa: F403
from preceptor.nn.ensemble import *  # noqa: F403
from preceptor.nn.hidden import *  # noqa: F403
from preceptor.nn.initialiser import *  # noqa: F403
from preceptor.nn.joint import *  # noqa: F403
from preceptor.nn.layer import (
    Layer,
    Sequential,
    count_parameters,
    initial_specs,
    layer_outputs,
    multiply_adds,
    output_spec,
)
from preceptor.nn.loss import *  # noqa: F403
from preceptor.nn.member import *  # noqa: F403
from preceptor.nn.norm import *  # noqa: F403
from preceptor.nn.pooling import *  # noqa: F403
from preceptor.nn.probability import *  # noqa: F403
from preceptor.nn.residual import *  # noqa: F403
from preceptor.nn.shape import *  # noqa: F403
from preceptor.nn.siamese import *  # noqa: F403
from preceptor.nn.tabular import *  # noqa: F403
from preceptor.nn.views import *  # noqa: F403
from preceptor.nn.vision import *  # noqa: F403
from preceptor.nn.whitening import *  # noqa: F403
from preceptor.nn.wired import *  # noqa: F403

__all__ = [
    "Layer",
    "Sequential",
    "count_parameters",
    "from_config",
    "initial_specs",
    "layer_outputs",
    "multiply_adds",
    "output_spec",
    "to_config",
    *activation.__all__,
    *architecture.__all__,
    *arithmetic.__all__,
    *calibration.__all__,
    *contrast.__all__,
    *convolution.__all__,
    *dense.__all__,
    *dropout.__all__,
    *embedding.__all__,
    *ensemble.__all__,
    *hidden.__all__,
    *initialiser.__all__,
    *joint.__all__,
    *loss.__all__,
    *member.__all__,
    *norm.__all__,
    *pooling.__all__,
    *probability.__all__,
    *residual.__all__,
    *shape.__all__,
    *siamese.__all__,
    *tabular.__all__,
    *views.__all__,
    *vision.__all__,
    *whitening.__all__,
    *wired.__all__,
]
