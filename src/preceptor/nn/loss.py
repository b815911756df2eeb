"""Losses. Each takes the network's raw outputs (logits) and gives one number for each example, in nats where it is a
negative log-likelihood; the step takes the mean.

Targets that are arrays are checked where a loss sees them. Within a program they have no values yet, so `train` checks
them before it brings them there.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist
from typing import Any, ClassVar

import numpy as np

from preceptor import ops
from preceptor.errors import ConfigError, ShapeError
from preceptor.hyper import Span, hyper, settings, shown
from preceptor.nn.target import labels_or_shares, numbers, yes_or_no
from preceptor.ops.primitive import user_line

__all__ = [
    "Absolute",
    "BinaryCrossEntropy",
    "Brier",
    "CumulativeLogit",
    "Hinge",
    "Loss",
    "MulticlassHinge",
    "OneVsAll",
    "PerceptronCriterion",
    "Pinball",
    "Quadratic",
    "SoftmaxCrossEntropy",
]


@dataclass(frozen=True)
class Loss(ABC):
    """What training makes small, and how raw outputs are read as predictions.

    Of an example that belongs to several classes, each with a share, as mixed pictures do, the loss is the mean of what
    it would be for each class, weighted by the shares. They are given as (batch, class), also where one unit tells two
    classes apart.

    Args:
        is_of_classes: whether a target is the number of a class, not a number.
    """

    is_of_classes: ClassVar[bool] = True

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

    def prepared(self, target: Any, units: int, dtype: Any = np.float32) -> np.ndarray:
        """Targets as a step takes them: labels as int32, all other numbers in `dtype`.

        Args:
            units: outputs of the network.
        Raises: DataError where a target is not of the form that the loss takes.
        """
        return numbers(target, dtype)

    @abstractmethod
    def outputs(self, classes: int) -> int:
        """How many output units a network needs for so many classes (0: a number is predicted)."""

    @abstractmethod
    def predict(self, outputs: Any) -> Any:
        """Reads raw outputs: probabilities (batch, class), numbers (batch,), or quantiles (batch, quantile)."""

    def point(self, predicted: Any) -> Any:
        """The one number to give of each row, of the numbers or quantiles that `predict` reads. Shapes: -> (batch,)."""
        return predicted


@settings
class Quadratic(Loss):
    """Half the squared distance from the target.

    Shapes: outputs (batch, unit), target (batch,) or (batch, unit) -> (batch,).
    Formula: J = 1/2 sum over units of (y - y*)².
    Reading: maximum likelihood under Gaussian noise of fixed variance on the output.
    Source: course material E.
    Differs: PyTorch's MSELoss has no 1/2 and takes the mean over units.
    """

    is_of_classes: ClassVar[bool] = False

    def __call__(self, outputs: Any, target: Any) -> Any:
        if isinstance(target, np.ndarray):
            target = self.prepared(target, outputs.shape[-1], outputs.dtype)
        distance = outputs - columns(outputs, target)
        return 0.5 * ops.sum(distance * distance, 1)

    def outputs(self, classes: int) -> int:
        return 1

    def predict(self, outputs: Any) -> Any:
        return outputs[:, 0]


@settings
class Absolute(Loss):
    """The distance from the target.

    Shapes: outputs (batch, unit), target (batch,) or (batch, unit) -> (batch,).
    Formula: J = sum over units of |y - y*|. The slope at 0 is taken as 0.
    Reading: maximum likelihood under Laplacian noise of fixed scale on the output; the best prediction is the median.
    Source: Laplace 1774; least absolute deviations, Boscovich 1757.
    Differs: PyTorch's L1Loss takes the mean over units.
    """

    is_of_classes: ClassVar[bool] = False

    def __call__(self, outputs: Any, target: Any) -> Any:
        if isinstance(target, np.ndarray):
            target = self.prepared(target, outputs.shape[-1], outputs.dtype)
        return ops.sum(ops.abs(outputs - columns(outputs, target)), 1)

    def outputs(self, classes: int) -> int:
        if classes:
            raise ShapeError("Absolute: received classes as target; a number is required. Use SoftmaxCrossEntropy.")
        return 1

    def predict(self, outputs: Any) -> Any:
        return outputs[:, 0]


@settings
class Brier(Loss):
    """Half the squared distance of the predicted probabilities from the right class: the quadratic loss on classes.

    Shapes: outputs (batch, class), target integers (batch,) or shares (batch, class) -> (batch,); of two classes also
        outputs (batch, 1), target 0 or 1, a probability, or -1 or 1 (batch,).
    Formula: J = 1/2 sum over k of (p[k] - y*[k])², p = softmax(z); of one output J = 1/2 (p - y*)², p = sigmoid(z). Of
        shares the mean over the classes, which is 1/2 sum of y* (1 - y*) more.
    Reading: a bounded loss: where p is near 0 or 1 it has hardly a slope, right or wrong. That is why one takes the
        cross-entropy.
    Source: Brier 1950; course material E, "Cross-entropy vs. Quadratic loss", whose figure is Glorot and Bengio 2010's.
    Differs: Brier's score has no 1/2.
    """

    def __call__(self, outputs: Any, target: Any) -> Any:
        if outputs.shape[-1] == 1:
            p, right = ops.sigmoid(outputs), _yes(self, outputs, target)
        else:
            p, right = ops.softmax(outputs), class_shares(self, outputs, target)
        distance = p - right
        return 0.5 * ops.sum(distance * distance + right * (1 - right), 1)  # the second is 0 for labels

    def prepared(self, target: Any, units: int, dtype: Any = np.float32) -> np.ndarray:
        if units == 1:
            return yes_or_no(self, target, dtype)
        return labels_or_shares(self, target, units, dtype)

    def outputs(self, classes: int) -> int:
        if classes < 2:
            raise ShapeError("Brier: received a number as target; classes are required. Use Quadratic.")
        return 1 if classes == 2 else classes

    def predict(self, outputs: Any) -> Any:
        if outputs.shape[-1] > 1:
            return ops.softmax(outputs)
        return ops.concatenate([ops.sigmoid(-outputs), ops.sigmoid(outputs)], 1)


@settings
class SoftmaxCrossEntropy(Loss):
    """Negative log-likelihood of the right one of K classes.

    Shapes: outputs (batch, class); target integers (batch,), or probabilities (batch, class) -> (batch,).
    Formula: J = -sum over k of y*[k] log softmax(z)[k], from the logits z; exact for |z| up to 1e4 and beyond.
        With a smoothing s, shares y* become (1 - s) y* + s / K while training; what is judged is not smoothed.
    Reading: maximum likelihood of a categorical target.
    Source: Bridle 1990; smoothing Szegedy et al. 2016, section 7.
    """

    label_smoothing: float = hyper(
        default=0.0,
        low=0,
        high=0.9,
        unit="share",
        search=Span(0, 0.2),
        doc="How much of each label is spread over all classes.",
    )

    def __call__(self, outputs: Any, target: Any) -> Any:
        shares = class_shares(self, outputs, target)
        if self.label_smoothing:
            shares = (1 - self.label_smoothing) * shares + self.label_smoothing / outputs.shape[-1]
        return -ops.sum(shares * ops.log_softmax(outputs), 1)

    def judge(self, outputs: Any, target: Any) -> Any:
        """The loss without smoothing."""
        return -ops.sum(class_shares(self, outputs, target) * ops.log_softmax(outputs), 1)

    def prepared(self, target: Any, units: int, dtype: Any = np.float32) -> np.ndarray:
        return labels_or_shares(self, target, units, dtype)

    def outputs(self, classes: int) -> int:
        return classes

    def predict(self, outputs: Any) -> Any:
        return ops.softmax(outputs)


@settings
class BinaryCrossEntropy(Loss):
    """Negative log-likelihood of a yes or no: logistic regression's cost.

    Shapes: outputs (batch, 1), target 0 or 1, a probability, or -1 or 1 (batch,) -> (batch,).
    Formula: J = -(y* log y + (1 - y*) log(1 - y)), y = sigmoid(z), computed as softplus(z) - y* z.
    Reading: maximum likelihood under a Bernoulli target.
    Source: course materials A, C, E.
    Differs: course material E calls J = y* log y + (1 - y*) log(1 - y) a loss; that is the log-likelihood, which is
        maximised: the minus is lost there.
    """

    def __call__(self, outputs: Any, target: Any) -> Any:
        return ops.sum(ops.softplus(outputs) - _yes(self, outputs, target) * outputs, 1)

    def prepared(self, target: Any, units: int, dtype: Any = np.float32) -> np.ndarray:
        return yes_or_no(self, target, dtype)

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
    Differs: material C's accumulated gradient, D = Delta / m + lambda Theta, lacks the 1 / m of its own cost at lambda.
    """

    def __call__(self, outputs: Any, target: Any) -> Any:
        return ops.sum(ops.softplus(outputs) - class_shares(self, outputs, target) * outputs, 1)

    def prepared(self, target: Any, units: int, dtype: Any = np.float32) -> np.ndarray:
        return labels_or_shares(self, target, units, dtype, is_whole=False)

    def outputs(self, classes: int) -> int:
        return classes

    def predict(self, outputs: Any) -> Any:
        """Probabilities of the classes, each unit's divided by their sum."""
        return ops.softmax(ops.log_sigmoid(outputs))  # the same quotient, also where every sigmoid underflows


@settings
class Hinge(Loss):
    """Two classes with a margin.

    Shapes: outputs (batch, 1), target 0 or 1, or -1 or 1 (batch,) -> (batch,).
    Formula: J = max(0, 1 - s z), s = -1 for class 0 or -1, +1 for class 1. The slope at s z = 1 is taken as 0. Of a
        share p of class 1 the mean of both: p max(0, 1 - z) + (1 - p) max(0, 1 + z).
    Reading: with an L2 penalty a large-margin classifier (soft-margin SVM).
    Source: Cortes and Vapnik 1995.
    """

    def __call__(self, outputs: Any, target: Any) -> Any:
        yes = _yes(self, outputs, target)
        return ops.sum(yes * ops.relu(1 - outputs) + (1 - yes) * ops.relu(1 + outputs), 1)

    def prepared(self, target: Any, units: int, dtype: Any = np.float32) -> np.ndarray:
        return yes_or_no(self, target, dtype)

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
    Formula: J = sum over k other than y* of max(0, 1 + z[k] - z[y*]); of shares the mean over y* that they make.
    Reading: a large-margin classifier with an L2 penalty.
    Source: Weston and Watkins 1999.
    Differs: PyTorch's MultiMarginLoss divides by the number of classes.
    """

    def __call__(self, outputs: Any, target: Any) -> Any:
        right = class_shares(self, outputs, target)
        if target.ndim == 1:
            own = ops.sum(right * outputs, 1, keepdims=True)
            return ops.sum((1 - right) * ops.relu(1 + outputs - own), 1)
        batch, classes = outputs.shape
        pairs = ops.relu(1 + ops.reshape(outputs, (batch, 1, classes)) - ops.reshape(outputs, (batch, classes, 1)))
        return ops.sum(right * (ops.sum(pairs, 2) - 1), 1)  # 1 is what each class would cost beside itself

    def prepared(self, target: Any, units: int, dtype: Any = np.float32) -> np.ndarray:
        return labels_or_shares(self, target, units, dtype)

    def outputs(self, classes: int) -> int:
        return classes

    def predict(self, outputs: Any) -> Any:
        """1 for the class decided on, 0 for the others: a margin is no probability."""
        return ops.one_hot(ops.argmax(outputs, -1), outputs.shape[-1], outputs.dtype)


@settings
class PerceptronCriterion(Loss):
    """What the perceptron's learning rule descends on: how far a wrong example lies on the wrong side.

    Shapes: outputs (batch, 1), target 0 or 1, or -1 or 1 (batch,) -> (batch,).
    Formula: J = -s z where s z <= 0, else 0; s = -1 for class 0 or -1, +1 for class 1. Its slope there is -s x, so
        that one step of rate 1 on one example is the perceptron's rule; at z = 0 the example counts as wrong. Of a
        share of class 1 the mean of both.
    Source: Rosenblatt 1958; Bishop 2006, equation 4.54.
    """

    def __call__(self, outputs: Any, target: Any) -> Any:
        yes = _yes(self, outputs, target)
        below, above = ops.where(ops.less_equal(outputs, 0), -outputs, 0), ops.where(ops.less(outputs, 0), 0, outputs)
        return ops.sum(yes * below + (1 - yes) * above, 1)

    def prepared(self, target: Any, units: int, dtype: Any = np.float32) -> np.ndarray:
        return yes_or_no(self, target, dtype)

    def outputs(self, classes: int) -> int:
        _two_classes(self, classes)
        return 1

    def predict(self, outputs: Any) -> Any:
        """1 for the class decided on, 0 for the other; class 1 where z >= 0."""
        return ops.concatenate([1 - ops.threshold(outputs), ops.threshold(outputs)], 1)


@settings
class Pinball(Loss):
    """Several quantiles of the target at once, which never cross.

    Shapes: outputs (batch, quantile), target (batch,) or (batch, 1) -> (batch,).
    Formula: q[1] = a[1] + z[1], q[k] = q[k-1] + softplus(b[k] + z[k]); J = mean over k of max(t[k] d, (t[k] - 1) d)
        with d = y* - q[k]; t are the quantiles. a and b are such that at z = 0 the q are those of a standard normal. At
        d = 0 the slope is the mean of both sides'.
    Reading: a share t[k] of the targets lies below q[k]. The mean over members of an ensemble does not cross either.
    Source: Koenker and Bassett 1978, equation 2.1; several quantiles by steps of at least 0: Park et al. 2022.
    Differs: from a regression for each quantile, which may cross. scikit-learn's mean_pinball_loss is of one quantile.
    """

    is_of_classes: ClassVar[bool] = False

    quantiles: tuple[float, ...] = hyper(
        default=(0.1, 0.5, 0.9),
        low=0.001,
        high=0.999,
        unit="share of the targets below",
        doc="Quantiles to predict, in ascending order; they choose the loss.",
    )

    def __post_init__(self) -> None:
        if not self.quantiles or any(a >= b for a, b in pairwise(self.quantiles)):
            raise ConfigError(
                f"Pinball: quantiles is {shown(self.quantiles)}; shares in ascending order, each once, are required, "
                "such as 0.1,0.5,0.9."
            )

    def __call__(self, outputs: Any, target: Any) -> Any:
        if isinstance(target, np.ndarray):
            target = self.prepared(target, outputs.shape[-1], outputs.dtype)
        return self.of_quantiles(self.predict(outputs), target)

    def of_quantiles(self, quantiles: Any, target: Any) -> Any:
        """The loss of quantiles. Shapes: quantiles (batch, quantile), target (batch,) or (batch, 1) -> (batch,)."""
        distance = ops.reshape(ops.cast(target, quantiles.dtype), (-1, 1)) - quantiles
        share = np.array(self.quantiles, quantiles.dtype)
        return ops.mean(ops.maximum(share * distance, (share - 1) * distance), 1)

    def outputs(self, classes: int) -> int:
        if classes:
            raise ShapeError(f"Pinball: received {classes} classes; a number is required. Use SoftmaxCrossEntropy.")
        return len(self.quantiles)

    def predict(self, outputs: Any) -> Any:
        """The quantiles. Shapes: (batch, quantile) -> the same."""
        normal = [NormalDist().inv_cdf(share) for share in self.quantiles]
        found = [outputs[:, :1] + normal[0]]
        for k, (below, above) in enumerate(pairwise(normal), 1):  # one by one, so that rounding keeps the order
            found.append(found[-1] + ops.softplus(outputs[:, k : k + 1] + math.log(math.expm1(above - below))))
        return ops.concatenate(found, 1)

    def point(self, predicted: Any) -> Any:
        """The median; where it is no quantile, a line between those around it, or the nearest one."""
        share = [np.interp(0.5, self.quantiles, each) for each in np.eye(len(self.quantiles))]
        return ops.sum(predicted * np.array(share, predicted.dtype), 1)


@settings
class CumulativeLogit(Loss):
    """Negative log-likelihood of the right one of K classes that have an order: ordinal regression.

    Shapes: outputs (batch, class - 1); target integers (batch,), or shares (batch, class) -> (batch,).
    Formula: P(y > k) = sigmoid(z[k]), k = 1 .. K - 1, z[1] = a[1] + o[1], z[k] = z[k-1] - softplus(b[k] + o[k]) of the
        outputs o. So log P(y = k) = log sigmoid(z[k-1]) + log sigmoid(-z[k]) + log sigmoid(b[k] + o[k]), of which the
        ends have what there is; exact for |o| up to 1e4 and beyond. a and b are such that at o = 0 all classes are
        equally probable.
    Reading: maximum likelihood of a target in steps. Where only o[1] hangs on the input it is the proportional-odds
        model.
    Source: McCullagh 1980, section 2.
    Differs: McCullagh's distances of the steps are the same for all inputs; his sign is P(y <= k).
    """

    def __call__(self, outputs: Any, target: Any) -> Any:
        if isinstance(target, np.ndarray):
            target = self.prepared(target, outputs.shape[-1], outputs.dtype)
        classes = outputs.shape[-1] + 1
        if target.ndim == 1 and np.dtype(target.dtype).kind in "iu":
            target = ops.one_hot(target, classes, outputs.dtype)
        return -ops.sum(target * self._logarithms(outputs), 1)

    def prepared(self, target: Any, units: int, dtype: Any = np.float32) -> np.ndarray:
        return labels_or_shares(self, target, units + 1, dtype)

    def outputs(self, classes: int) -> int:
        if classes < 2:
            raise ShapeError("CumulativeLogit: received a number as target; classes are required. Use Quadratic.")
        return classes - 1

    def predict(self, outputs: Any) -> Any:
        return ops.exp(self._logarithms(outputs))

    def _logarithms(self, outputs: Any) -> Any:
        """log P(y = k). Shapes: (batch, class - 1) -> (batch, class)."""
        classes = outputs.shape[-1] + 1
        even = [math.log((classes - k) / k) for k in range(1, classes)]  # the logit of P(y > k) of equal classes
        z, steps = [outputs[:, :1] + even[0]], []
        for k, (above, below) in enumerate(pairwise(even), 1):
            steps.append(outputs[:, k : k + 1] + math.log(math.expm1(above - below)))
            z.append(z[-1] - ops.softplus(steps[-1]))
        first = ops.log_sigmoid(-z[0])
        last = ops.log_sigmoid(z[-1])
        inner = [
            ops.log_sigmoid(above) + ops.log_sigmoid(-below) + ops.log_sigmoid(step)
            for above, below, step in zip(z, z[1:], steps, strict=False)
        ]
        return ops.concatenate([first, *inner, last], 1)


def columns(outputs: Any, target: Any) -> Any:
    """The target as (batch, unit) in the dtype of the outputs."""
    target = ops.cast(target, outputs.dtype)
    columns = ops.reshape(target, (target.shape[0], 1)) if target.ndim == 1 else target
    if columns.shape != outputs.shape:
        raise ShapeError(
            f"loss at {user_line()}: outputs have shape {tuple(outputs.shape)}, the target {tuple(target.shape)}; "
            "they must agree. Give the network one output unit for each target."
        )
    return columns


def class_shares(loss: Loss, outputs: Any, target: Any) -> Any:
    """Integer labels as rows with a single 1; rows of shares as they are."""
    if isinstance(target, np.ndarray):
        target = loss.prepared(target, outputs.shape[-1], outputs.dtype)
    if target.ndim == 1 and np.dtype(target.dtype).kind in "iu":
        return ops.one_hot(target, outputs.shape[-1], outputs.dtype)
    return columns(outputs, target)


def _yes(loss: Loss, outputs: Any, target: Any) -> Any:
    """The share of class 1 as (batch, 1): of 0 and 1, of -1 and 1, of probabilities, or of shares of both classes."""
    if isinstance(target, np.ndarray):
        target = loss.prepared(target, outputs.shape[-1], outputs.dtype)
    if target.ndim == 2 and target.shape[1] == 2 and outputs.shape[-1] == 1:
        target = target[:, 1:]
    return ops.maximum(columns(outputs, target), 0)


def _two_classes(loss: Loss, classes: int) -> None:
    if classes != 2:
        raise ShapeError(f"{type(loss).__name__}: received {classes} classes; 2 are required. Use SoftmaxCrossEntropy.")
