"""Derivatives: reverse mode graph to graph, the functions on functions built on it, and the numeric checker."""

from preceptor.autodiff.check import GradientCheck, check_gradients, numeric_gradient
from preceptor.autodiff.layout import derivative
from preceptor.autodiff.transform import grad, hessian_vector_product, jacobian, per_example_grad, value_and_grad

__all__ = [
    "GradientCheck",
    "check_gradients",
    "derivative",
    "grad",
    "hessian_vector_product",
    "jacobian",
    "numeric_gradient",
    "per_example_grad",
    "value_and_grad",
]
