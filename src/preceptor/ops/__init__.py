"""What can be computed: one record per primitive, and plain functions built on them."""

from preceptor.ops import (
    composite,
    convolving,
    elementwise,
    indexing,
    linear,
    movement,
    operators,
    pooling,
    random,
    reduction,
)
from preceptor.ops.composite import *  # noqa: F403
from preceptor.ops.convolving import *  # noqa: F403
from preceptor.ops.elementwise import *  # noqa: F403
from preceptor.ops.indexing import *  # noqa: F403
from preceptor.ops.linear import *  # noqa: F403
from preceptor.ops.movement import *  # noqa: F403
from preceptor.ops.pooling import *  # noqa: F403
from preceptor.ops.primitive import Primitive, Spec, Symbol
from preceptor.ops.random import *  # noqa: F403
from preceptor.ops.reduction import *  # noqa: F403

assert operators  # imported for what it does to Symbol

__all__ = [
    "Primitive",
    "Spec",
    "Symbol",
    *composite.__all__,
    *convolving.__all__,
    *elementwise.__all__,
    *indexing.__all__,
    *linear.__all__,
    *movement.__all__,
    *pooling.__all__,
    *random.__all__,
    *reduction.__all__,
]
