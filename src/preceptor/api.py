"""The public names, in one place; `preceptor` itself imports them on first use."""

from preceptor import ops
from preceptor.autodiff import (
    check_gradients,
    derivative,
    grad,
    hessian_vector_product,
    jacobian,
    numeric_gradient,
    per_example_grad,
    value_and_grad,
)
from preceptor.diagnose.diagnosis import diagnose
from preceptor.diagnose.watch import watch
from preceptor.engines import jit
from preceptor.export.writing import export
from preceptor.graph import trace
from preceptor.job import Run, fit, load, lr_find
from preceptor.job import go_on as resume
from preceptor.job.pretraining import pretrain
from preceptor.ops import *  # noqa: F403
from preceptor.report import explain
from preceptor.tuning.answer import resume_search, search
from preceptor.tuning.learning_curve import learning_curve

__all__ = [
    "Run",
    "check_gradients",
    "derivative",
    "diagnose",
    "explain",
    "export",
    "fit",
    "grad",
    "hessian_vector_product",
    "jacobian",
    "jit",
    "learning_curve",
    "load",
    "lr_find",
    "numeric_gradient",
    "per_example_grad",
    "pretrain",
    "resume",
    "resume_search",
    "search",
    "trace",
    "value_and_grad",
    "watch",
    *ops.__all__,
]
