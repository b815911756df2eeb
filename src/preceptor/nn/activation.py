"""Activations. Each is a layer, and can be called as a function: `nn.Relu()(x)`.

To add one: a class here, its name in `__all__`, and a row in tests/nn/test_activation.py.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from preceptor import ops
from preceptor.errors import ShapeError
from preceptor.hyper import Span, hyper, settings
from preceptor.nn.initialiser import filled
from preceptor.nn.layer import Arrays, Function, Layer, check_width
from preceptor.ops import Spec
from preceptor.ops.primitive import user_line

__all__ = [
    "Elu",
    "Exponential",
    "Gelu",
    "HardSigmoid",
    "LeakyRelu",
    "Linear",
    "Maxout",
    "ParametricRelu",
    "Relu",
    "Relu6",
    "Selu",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Softsign",
    "Swish",
    "Tanh",
    "Threshold",
]


@dataclass(frozen=True)
class Activation(Function):
    """A function that makes a network more than a linear one: of each number, or of neighbours in the last axis."""


@settings
class Linear(Activation):
    """Passes its input on: the unit of linear regression.

    Shapes: any -> the same.
    Formula: g(z) = z.
    Source: course material E.
    """

    def __call__(self, x: Any) -> Any:
        return x


@settings
class Sigmoid(Activation):
    """Squashes to (0, 1). Saturates: the slope is below 5e-5 beyond |z| = 10, and at most 1/4.

    Shapes: any -> the same.
    Formula: g(z) = 1 / (1 + e^-z), slope g (1 - g).
    Source: course materials C, D, E.
    Differs: where material C writes a network out as one formula, the outer exponent lacks its minus, and its
        "Deriving the sigmoid gradient" ends in (1 / (1 + e^-x))² e^-x (-1): a sign is lost, the slope is above 0.
    """

    def __call__(self, x: Any) -> Any:
        return ops.sigmoid(x)


@settings
class HardSigmoid(Activation):
    """A sigmoid of three straight lines. The slope is 0 beyond |z| = 3: a unit there learns nothing.

    Shapes: any -> the same.
    Formula: g(z) = min(max(z / 6 + 1/2, 0), 1). The slope at z = -3 and z = 3 is taken as 0.
    Source: Courbariaux et al. 2015, section 1.3, with the slope that PyTorch and Keras 3 take.
    Differs: theirs is 1/2, that of earlier versions of Keras 0.2.
    """

    def __call__(self, x: Any) -> Any:
        return 1 - ops.relu(6 - ops.relu(x + 3)) / 6


@settings
class Tanh(Activation):
    """Squashes to (-1, 1), centred on 0.

    Shapes: any -> the same.
    Formula: g(z) = (e^z - e^-z) / (e^z + e^-z), slope 1 - g².
    Source: LeCun et al. 1998, section 4.4.
    Differs: of layers of 4096 such units from N(0, 0.05²), material D says that "almost all" saturate; about half of
        layer 6 lie beyond 0.95.
    """

    def __call__(self, x: Any) -> Any:
        return ops.tanh(x)


@settings
class Relu(Activation):
    """Cuts off what is negative. The slope at 0 is taken as 0.

    Shapes: any -> the same.
    Formula: g(z) = max(0, z).
    Source: Nair and Hinton 2010.
    Differs: the example of its slope in material D passes 5 on where the gradient from above, printed beside it, is -5.
    """

    def __call__(self, x: Any) -> Any:
        return ops.relu(x)


@settings
class Relu6(Activation):
    """Cuts off what is negative and what is beyond 6. The slope at 0 and at 6 is taken as 0.

    Shapes: any -> the same.
    Formula: g(z) = min(max(0, z), 6).
    Source: Krizhevsky 2010, "Convolutional deep belief networks on CIFAR-10", section 2.4.
    """

    def __call__(self, x: Any) -> Any:
        return ops.where(ops.greater_equal(x, 6), 6, ops.relu(x))  # a comparison with NaN is false: NaN stays


@settings
class LeakyRelu(Activation):
    """Lets a small share of what is negative through, so that no unit can die. The slope at 0 is taken as `slope`.

    Shapes: any -> the same.
    Formula: g(z) = z where z > 0, else slope * z.
    Source: Maas et al. 2013; slope 0.01 from there. The course writes 0.1.
    """

    slope: float = hyper(default=0.01, low=0, high=1, search=Span(0, 0.5), doc="Share of negative inputs that passes.")

    def __call__(self, x: Any) -> Any:
        return ops.where(ops.greater(x, 0), x, self.slope * x)


@settings
class ParametricRelu(Layer):
    """A leaky ReLU that learns one slope for each feature.

    Shapes: x (..., feature) -> the same; slope (feature,).
    Formula: g(z) = z where z > 0, else slope * z.
    Source: He et al. 2015, equation 1; first slope 0.25 from there.
    Differs: PyTorch's PReLU learns one slope for all features unless told otherwise.
    """

    is_featurewise: ClassVar[bool] = True

    slope: float = hyper(default=0.25, low=0, high=1, search=Span(0, 0.5), doc="First value of every slope.")

    def init(self, rng: np.random.Generator, spec: Spec) -> tuple[Arrays, Arrays]:
        return {"slope": filled(rng, spec.shape[-1:], self.slope)}, {}

    def apply(self, params: Arrays, state: Arrays, x: Any, *, train: bool, key: Any) -> tuple[Any, Arrays]:
        check_width(x, -1, params["slope"].shape[0], "slope")
        return ops.where(ops.greater(x, 0), x, params["slope"] * x), state


@settings
class Elu(Activation):
    """Smooth below 0, with limit -alpha: mean outputs nearer to 0. The slope at 0 is taken as alpha.

    Shapes: any -> the same.
    Formula: g(z) = z where z > 0, else alpha (e^z - 1).
    Source: Clevert et al. 2016, equation 15.
    """

    alpha: float = hyper(default=1.0, low=0, search=Span(0.1, 2), doc="Depth of the negative limit.")

    def __call__(self, x: Any) -> Any:
        above = ops.greater(x, 0)
        below = ops.where(above, 0, x)  # not the minimum of both, which would halve the slope at 0
        return ops.where(above, x, self.alpha * ops.expm1(below))


@settings
class Selu(Activation):
    """An ELU scaled so that signals keep mean 0 and variance 1 through layers with Xavier's weights.

    Shapes: any -> the same.
    Formula: g(z) = scale (z where z > 0, else alpha (e^z - 1)), alpha = 1.67326..., scale = 1.05070...
    Source: Klambauer et al. 2017, equation 2 and section 2.
    """

    def __call__(self, x: Any) -> Any:
        return 1.0507009873554805 * Elu(1.6732632423543772)(x)


@settings
class Gelu(Activation):
    """Weights its input by the share of a normal distribution that lies below it.

    Shapes: any -> the same.
    Formula: g(z) = z Phi(z) = z/2 (1 + erf(z / sqrt 2)).
    Source: Hendrycks and Gimpel 2016, section 2.
    Differs: exact, as PyTorch's default; some networks use the approximation by tanh.
    """

    def __call__(self, x: Any) -> Any:
        return 0.5 * x * (1 + ops.erf(x * 0.5**0.5))


@settings
class Swish(Activation):
    """Weights its input by its own sigmoid.

    Shapes: any -> the same.
    Formula: g(z) = z / (1 + e^-z).
    Source: Ramachandran et al. 2017, with beta = 1; SiLU in PyTorch.
    """

    def __call__(self, x: Any) -> Any:
        return x * ops.sigmoid(x)


@settings
class Softplus(Activation):
    """The smooth form of ReLU; its slope is the sigmoid.

    Shapes: any -> the same.
    Formula: g(z) = log(1 + e^z).
    Source: course material E; Dugas et al. 2001.
    """

    def __call__(self, x: Any) -> Any:
        return ops.softplus(x)


@settings
class Softsign(Activation):
    """Squashes to (-1, 1) as Tanh does, but comes to its limits slowly.

    Shapes: any -> the same.
    Formula: g(z) = z / (1 + |z|).
    Source: Bergstra et al. 2009.
    """

    def __call__(self, x: Any) -> Any:
        return x / (1 + ops.abs(x))


@settings
class Exponential(Activation):
    """The exponential. It grows without bound: in a hidden layer a few steps are enough to leave the numbers.

    Shapes: any -> the same.
    Formula: g(z) = e^z.
    Source: definition; the mean of a Poisson regression.
    """

    def __call__(self, x: Any) -> Any:
        return ops.exp(x)


@settings
class Softmax(Activation):
    """Makes the last axis probabilities. Losses on logits have it within them: before one of them it would come twice.

    Shapes: x (..., class) -> the same.
    Formula: g(z)[k] = e^z[k] / sum over j of e^z[j]. Of one class it is 1, whatever z.
    Source: Bridle 1990. Losses on probabilities: nn.ProbabilityCrossEntropy.
    """

    def __call__(self, x: Any) -> Any:
        return ops.softmax(x)


@settings
class Threshold(Activation):
    """The perceptron's unit: 1 where z >= 0, else 0. It has no derivative, and asking for one is an error.

    Shapes: any -> the same.
    Formula: g(z) = 1 where z >= 0, else 0.
    Source: Rosenblatt 1958. Train it through nn.PerceptronCriterion, which sees z itself.
    """

    def __call__(self, x: Any) -> Any:
        return ops.threshold(x)


@settings
class Maxout(Activation):
    """Takes the largest of each group of neighbouring features.

    Shapes: x (..., group * pieces) -> (..., group).
    Formula: y[j] = max of x[j * pieces ... j * pieces + pieces - 1]; ties share the slope.
    Raises: ShapeError where the features cannot be divided into groups.
    Source: Goodfellow et al. 2013, section 3.
    """

    pieces: int = hyper(default=2, low=2, unit="features", search=Span(2, 4), doc="Features in a group.")

    def __call__(self, x: Any) -> Any:
        width = x.shape[-1]
        if width % self.pieces:
            raise ShapeError(
                f"at {user_line()}: input has shape {tuple(x.shape)}; the last axis must be a multiple of "
                f"{self.pieces} pieces. Change the width of the layer before it."
            )
        return ops.max(ops.reshape(x, (*x.shape[:-1], width // self.pieces, self.pieces)), -1)
