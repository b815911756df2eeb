"""Preceptor: trains neural networks, watches every layer, and says in plain words what happened."""

from preceptor import data, nn, ops
from preceptor.autodiff import (
    check_gradients,
    grad,
    hessian_vector_product,
    jacobian,
    numeric_gradient,
    per_example_grad,
    value_and_grad,
)
from preceptor.engines import jit
from preceptor.graph import trace
from preceptor.ops import *  # noqa: F403
from preceptor.train import Run, fit, load

__all__ = [
    "Run",
    "check_gradients",
    "data",
    "fit",
    "grad",
    "hessian_vector_product",
    "jacobian",
    "jit",
    "load",
    "nn",
    "numeric_gradient",
    "per_example_grad",
    "trace",
    "value_and_grad",
    *ops.__all__,
]
