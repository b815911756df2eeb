"""Losses. Each takes the network's raw outputs (logits) and gives one number for each example, in nats where it is a
negative log-likelihood; the step takes the mean."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from preceptor import ops
from preceptor.errors import ShapeError
from preceptor.hyper import settings
from preceptor.ops.primitive import user_line

__all__ = [
    "BinaryCrossEntropy",
    "Hinge",
    "Loss",
    "MulticlassHinge",
    "OneVsAll",
    "PerceptronCriterion",
    "Quadratic",
    "SoftmaxCrossEntropy",
]


@dataclass(frozen=True)
class Loss(ABC):
    """What training makes small, and how raw outputs are read as predictions.

    Of an example that belongs to several classes, each with a share, as mixed pictures do, the loss is the mean of what
    it would be for each class, weighted by the shares. They are given as (batch, class), also where one unit tells two
    classes apart.
    """

    @abstractmethod
    def __call__(self, outputs: Any, target: Any) -> Any:
        """One loss for each example.

        Shapes: outputs (batch, unit), target (batch,), (batch, unit) or, of classes, shares (batch, class) -> (batch,).
        """

    def judge(self, outputs: Any, target: Any) -> Any:
        """The loss of what is predicted, outside training: another one where several members predict together.

        Shapes: as of the loss.
        """
        return self(outputs, target)

    @abstractmethod
    def outputs(self, classes: int) -> int:
        """How many output units a network needs for so many classes (0: a number is predicted)."""

    @abstractmethod
    def predict(self, outputs: Any) -> Any:
        """Reads raw outputs: probabilities (batch, class), or numbers (batch,)."""


@settings
class Quadratic(Loss):
    """Half the squared distance from the target.

    Shapes: outputs (batch, unit), target (batch,) or (batch, unit) -> (batch,).
    Formula: J = 1/2 sum over units of (y - y*)².
    Reading: maximum likelihood under Gaussian noise of fixed variance on the output.
    Source: course material E.
    Differs: PyTorch's MSELoss has no 1/2 and takes the mean over units.
    """

    def __call__(self, outputs: Any, target: Any) -> Any:
        distance = outputs - _columns(outputs, target)
        return 0.5 * ops.sum(distance * distance, 1)

    def outputs(self, classes: int) -> int:
        return 1

    def predict(self, outputs: Any) -> Any:
        return outputs[:, 0]


@settings
class SoftmaxCrossEntropy(Loss):
    """Negative log-likelihood of the right one of K classes.

    Shapes: outputs (batch, class); target integers (batch,), or probabilities (batch, class) -> (batch,).
    Formula: J = -sum over k of y*[k] log softmax(z)[k], from the logits z; exact for |z| up to 1e4 and beyond.
    Reading: maximum likelihood of a categorical target.
    Source: Bridle 1990.
    """

    def __call__(self, outputs: Any, target: Any) -> Any:
        return -ops.sum(_class_shares(outputs, target) * ops.log_softmax(outputs), 1)

    def outputs(self, classes: int) -> int:
        return classes

    def predict(self, outputs: Any) -> Any:
        return ops.softmax(outputs)


@settings
class BinaryCrossEntropy(Loss):
    """Negative log-likelihood of a yes or no: logistic regression's cost.

    Shapes: outputs (batch, 1), target 0 or 1 (or a probability) (batch,), or shares (batch, 2) -> (batch,).
    Formula: J = -(y* log y + (1 - y*) log(1 - y)), y = sigmoid(z), computed as softplus(z) - y* z.
    Reading: maximum likelihood under a Bernoulli target.
    Source: course materials A, C, E.
    Differs: material E prints the log-likelihood itself, which is maximised.
    """

    def __call__(self, outputs: Any, target: Any) -> Any:
        return ops.sum(ops.softplus(outputs) - _second(outputs, target) * outputs, 1)

    def outputs(self, classes: int) -> int:
        _two_classes(self, classes)
        return 1

    def predict(self, outputs: Any) -> Any:
        return ops.concatenate([ops.sigmoid(-outputs), ops.sigmoid(outputs)], 1)


@settings
class OneVsAll(Loss):
    """K logistic units, each telling one class from all others.

    Shapes: outputs (batch, class); target integers (batch,), or 0 and 1 (batch, class) -> (batch,).
    Formula: J = -sum over k of (y*[k] log h[k] + (1 - y*[k]) log(1 - h[k])), h = sigmoid(z).
    Reading: K independent Bernoulli targets. With the penalty L2(weight=lambda / m) the mean is the cost of material C.
    Source: course material C.
    """

    def __call__(self, outputs: Any, target: Any) -> Any:
        return ops.sum(ops.softplus(outputs) - _class_shares(outputs, target) * outputs, 1)

    def outputs(self, classes: int) -> int:
        return classes

    def predict(self, outputs: Any) -> Any:
        """Probabilities of the classes, each unit's divided by their sum."""
        return ops.softmax(ops.log_sigmoid(outputs))  # the same quotient, also where every sigmoid underflows


@settings
class Hinge(Loss):
    """Two classes with a margin.

    Shapes: outputs (batch, 1), target 0 or 1 (batch,), or shares (batch, 2) -> (batch,).
    Formula: J = max(0, 1 - s z), s = -1 for class 0 and +1 for class 1. The slope at s z = 1 is taken as 0.
    Reading: with an L2 penalty a large-margin classifier (soft-margin SVM).
    Source: Cortes and Vapnik 1995.
    """

    def __call__(self, outputs: Any, target: Any) -> Any:
        return _by_sign(outputs, target, lambda sign: ops.relu(1 - sign * outputs))

    def outputs(self, classes: int) -> int:
        _two_classes(self, classes)
        return 1

    def predict(self, outputs: Any) -> Any:
        """1 for the class decided on, 0 for the other: a margin is no probability."""
        return ops.concatenate([ops.threshold(-outputs), 1 - ops.threshold(-outputs)], 1)


@settings
class MulticlassHinge(Loss):
    """K classes with a margin: each wrong class within 1 of the right one costs.

    Shapes: outputs (batch, class), target integers (batch,), or shares (batch, class) -> (batch,).
    Formula: J = sum over k other than y* of max(0, 1 + z[k] - z[y*]).
    Reading: a large-margin classifier with an L2 penalty.
    Source: Weston and Watkins 1999.
    Differs: PyTorch's MultiMarginLoss divides by the number of classes.
    """

    def __call__(self, outputs: Any, target: Any) -> Any:
        right = _class_shares(outputs, target)
        if target.ndim == 2:  # every class may be a right one
            batch, classes = outputs.shape
            own = ops.reshape(outputs, (batch, classes, 1))
            costs = ops.relu(1 + ops.reshape(outputs, (batch, 1, classes)) - own)
            return ops.sum(right * (ops.sum(costs, 2) - 1), 1)  # a class costs 1 beside itself
        own = ops.sum(right * outputs, 1, keepdims=True)
        return ops.sum((1 - right) * ops.relu(1 + outputs - own), 1)

    def outputs(self, classes: int) -> int:
        return classes

    def predict(self, outputs: Any) -> Any:
        """1 for the class decided on, 0 for the others: a margin is no probability."""
        return ops.one_hot(ops.argmax(outputs, -1), outputs.shape[-1], outputs.dtype)


@settings
class PerceptronCriterion(Loss):
    """What the perceptron's learning rule descends on: how far a wrong example lies on the wrong side.

    Shapes: outputs (batch, 1), target 0 or 1 (batch,), or shares (batch, 2) -> (batch,).
    Formula: J = -s z where s z <= 0, else 0; s = -1 for class 0 and +1 for class 1. Its slope there is -s x, so that
        one step of rate 1 on one example is the perceptron's rule; at z = 0 the example counts as wrong.
    Source: Rosenblatt 1958; Bishop 2006, equation 4.54.
    """

    def __call__(self, outputs: Any, target: Any) -> Any:
        def cost(sign: Any) -> Any:
            margin = sign * outputs
            return ops.where(ops.less_equal(margin, 0), -margin, 0)

        return _by_sign(outputs, target, cost)

    def outputs(self, classes: int) -> int:
        _two_classes(self, classes)
        return 1

    def predict(self, outputs: Any) -> Any:
        """1 for the class decided on, 0 for the other; class 1 where z >= 0."""
        return ops.concatenate([1 - ops.threshold(outputs), ops.threshold(outputs)], 1)


def _columns(outputs: Any, target: Any) -> Any:
    """The target as (batch, unit) in the dtype of the outputs."""
    target = ops.cast(target, outputs.dtype)
    columns = ops.reshape(target, (target.shape[0], 1)) if target.ndim == 1 else target
    if columns.shape != outputs.shape:
        raise ShapeError(
            f"loss at {user_line()}: outputs have shape {tuple(outputs.shape)}, the target {tuple(target.shape)}; "
            "they must agree. Give the network one output unit for each target."
        )
    return columns


def _class_shares(outputs: Any, target: Any) -> Any:
    """Integer labels as rows with a single 1; rows of shares as they are."""
    if target.ndim == 1 and np.dtype(target.dtype).kind in "iu":
        return ops.one_hot(target, outputs.shape[-1], outputs.dtype)
    return _columns(outputs, target)


def _second(outputs: Any, target: Any) -> Any:
    """Of two classes the share of the second, as (batch, 1)."""
    return _columns(outputs, target[:, 1] if target.ndim == 2 and target.shape[1] == 2 else target)


def _by_sign(outputs: Any, target: Any, cost: Callable[[Any], Any]) -> Any:
    """The cost of -1 for the first of two classes, +1 for the second; of shares of both the mean."""
    second = _second(outputs, target)
    if target.ndim == 1:
        return ops.sum(cost(2 * second - 1), 1)
    return ops.sum((1 - second) * cost(-1) + second * cost(1), 1)


def _two_classes(loss: Loss, classes: int) -> None:
    if classes != 2:
        raise ShapeError(f"{type(loss).__name__}: received {classes} classes; 2 are required. Use SoftmaxCrossEntropy.")
