"""Layers, initialisers, losses, ready networks."""

from preceptor.nn.activation import (
    Elu,
    Gelu,
    LeakyRelu,
    Linear,
    Maxout,
    ParametricRelu,
    Relu,
    Selu,
    Sigmoid,
    Softplus,
    Swish,
    Tanh,
    Threshold,
)
from preceptor.nn.architecture import linear_model, mlp
from preceptor.nn.config import from_config, to_config
from preceptor.nn.dense import Dense
from preceptor.nn.dropout import Dropout
from preceptor.nn.initialiser import Constant, Gaussian, Glorot, He, Initialiser, InverseWidth, Xavier
from preceptor.nn.layer import Layer, Sequential, count_parameters, output_spec
from preceptor.nn.loss import (
    BinaryCrossEntropy,
    Hinge,
    Loss,
    MulticlassHinge,
    OneVsAll,
    PerceptronCriterion,
    Quadratic,
    SoftmaxCrossEntropy,
)
from preceptor.nn.norm import BatchNorm

__all__ = [
    "BatchNorm",
    "BinaryCrossEntropy",
    "Constant",
    "Dense",
    "Dropout",
    "Elu",
    "Gaussian",
    "Gelu",
    "Glorot",
    "He",
    "Hinge",
    "Initialiser",
    "InverseWidth",
    "Layer",
    "LeakyRelu",
    "Linear",
    "Loss",
    "Maxout",
    "MulticlassHinge",
    "OneVsAll",
    "ParametricRelu",
    "PerceptronCriterion",
    "Quadratic",
    "Relu",
    "Selu",
    "Sequential",
    "Sigmoid",
    "SoftmaxCrossEntropy",
    "Softplus",
    "Swish",
    "Tanh",
    "Threshold",
    "Xavier",
    "count_parameters",
    "from_config",
    "linear_model",
    "mlp",
    "output_spec",
    "to_config",
]
