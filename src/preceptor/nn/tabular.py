"""Layers and a loss for tables: features of single numbers, and several networks trained as one."""

from dataclasses import replace
from typing import Any

import numpy as np

from preceptor import ops
from preceptor.errors import ShapeError
from preceptor.hyper import hyper, settings
from preceptor.nn.initialiser import He, Initialiser
from preceptor.nn.layer import Arrays, Layer, check_width
from preceptor.nn.loss import BinaryCrossEntropy, Loss, OneVsAll, Quadratic, SoftmaxCrossEntropy
from preceptor.ops import Spec
from preceptor.ops.primitive import user_line

__all__ = ["Levels", "MemberDense", "MemberLoss", "Members", "Waves"]

LEAST_SHARE = 1e-30  # of a class, so that its logarithm is a number


@settings
class Waves(Layer):
    """Adds to some features learned mixtures of waves of themselves, so that small differences of a number can count.

    Shapes: x (batch, feature) -> (batch, feature + width * number); frequency, phase (number, wave);
        mix (number, wave, width); shift (number, width).
    Formula: cos(2 pi (frequency * x + phase)) @ mix + shift for each number, behind the features themselves.
    Args:
        numbers: positions of the features that get waves.
    Source: Gorishniy et al. 2022, section 3.3; this form (cosine with a phase, the number itself kept) is that of
        Holzmüller et al. 2024, appendix A.1, with their widths.
    Differs: their mixture passes no activation here either, and is scaled by the root of the waves.
    """

    numbers: tuple[int, ...] = hyper(default=(0,), low=0, unit="position", doc="Which features get waves.")
    waves: int = hyper(default=16, low=1, unit="waves", doc="Waves of each number.")
    width: int = hyper(default=3, low=1, unit="features", doc="Mixtures of each number.")
    sigma: float = hyper(default=0.5, low=0, scale="log", doc="Spread of the first frequencies, per unit of x.")

    def init(self, rng: np.random.Generator, spec: Spec) -> tuple[Arrays, Arrays]:
        count = len(self.numbers)
        if spec.ndim != 2 or max(self.numbers, default=0) >= spec.shape[-1]:
            raise ShapeError(
                f"at {user_line()}: input has shape {spec.shape}; (batch, feature) with more than "
                f"{max(self.numbers, default=0)} features is required. Check the positions."
            )
        drawn = {
            "frequency": self.sigma * rng.standard_normal((count, self.waves)),
            "phase": rng.uniform(-0.5, 0.5, (count, self.waves)),
            "mix": rng.uniform(-1, 1, (count, self.waves, self.width)) / np.sqrt(self.waves),
            "shift": rng.uniform(-1, 1, (count, self.width)) / np.sqrt(self.waves),
        }
        return {name: value.astype(np.float32) for name, value in drawn.items()}, {}

    def apply(self, params: Arrays, state: Arrays, x: Any, *, train: bool, key: Any) -> tuple[Any, Arrays]:
        count, batch = len(self.numbers), x.shape[0]
        picked = ops.take(ops.transpose(x), np.array(self.numbers, np.int32))
        angles = ops.reshape(picked, (count, batch, 1)) * ops.reshape(params["frequency"], (count, 1, self.waves))
        waves = ops.cos(2 * np.pi * (angles + ops.reshape(params["phase"], (count, 1, self.waves))))
        mixed = ops.transpose(waves @ params["mix"], (1, 0, 2)) + params["shift"]
        flat = ops.reshape(mixed, (batch, count * self.width))
        return ops.concatenate([x, flat], 1), state


@settings
class Levels(Layer):
    """Puts a learned vector in the place of each feature that is the number of a level: a category of many levels.

    Shapes: x (batch, feature) -> (batch, feature - place + width * place), what is no level first;
        vector (level, width), those of all the places under one another.
    Formula: y = [the other features, vector[x[place]] for each place].
    Args:
        places: positions of the features that are numbers of levels: whole, from 0.
        entries: how many levels each of them has; numbers beyond count as the nearest level.
    Raises: ShapeError where places and entries do not fit together or to the input.
    Source: Guo and Berkhahn 2016, section 2; the width is that of Holzmüller et al. 2024, appendix A.1.
    Differs: `Embedding` takes integers, this layer a table of float features.
    """

    places: tuple[int, ...] = hyper(default=(0,), low=0, unit="position", doc="Which features are numbers of levels.")
    entries: tuple[int, ...] = hyper(default=(2,), low=1, unit="levels", doc="Of each of these features.")
    width: int = hyper(default=8, low=1, unit="features", doc="Length of each vector.")
    spread: float = hyper(default=0.1, low=0, scale="log", doc="Standard deviation of the first vectors.")

    def init(self, rng: np.random.Generator, spec: Spec) -> tuple[Arrays, Arrays]:
        if spec.ndim != 2 or len(self.places) != len(self.entries) or max(self.places) >= spec.shape[-1]:
            raise ShapeError(
                f"at {user_line()}: input has shape {spec.shape}; (batch, feature) with more than {max(self.places)} "
                f"features, and as many entries as places, are required. Check the positions."
            )
        return {"vector": (self.spread * rng.standard_normal((sum(self.entries), self.width))).astype(np.float32)}, {}

    def apply(self, params: Arrays, state: Arrays, x: Any, *, train: bool, key: Any) -> tuple[Any, Arrays]:
        columns, count = ops.transpose(x), len(self.places)
        others = np.setdiff1d(np.arange(x.shape[1]), self.places).astype(np.int32)
        starts = np.cumsum([0, *self.entries[:-1]]).astype(np.int32).reshape(count, 1)
        last = np.array(self.entries, np.int32).reshape(count, 1) - 1
        numbers = ops.cast(ops.take(columns, np.array(self.places, np.int32)), np.int32)
        rows = ops.maximum(ops.minimum(numbers, last), 0) + starts
        vectors = ops.transpose(ops.take(params["vector"], rows), (1, 0, 2))
        flat = ops.reshape(vectors, (x.shape[0], count * self.width))
        return ops.concatenate([ops.transpose(ops.take(columns, others)), flat], 1), state


@settings
class Members(Layer):
    """Gives each member of an ensemble its own view of the input: every feature times a number of the member's own.

    Shapes: x (batch, feature) -> (batch, member, feature); scale (member, feature), at first 1 or -1 at random.
    Formula: y[b, m] = scale[m] * x[b].
    Source: Wen et al. 2020 (BatchEnsemble); as the only view, at the entrance, Gorishniy et al. 2025 (TabM-mini).
    """

    members: int = hyper(default=8, low=1, unit="members", doc="Networks trained as one.")
    spread: float = hyper(default=0.0, low=0, doc="0: signs; else normal numbers around 1 with this deviation.")

    def init(self, rng: np.random.Generator, spec: Spec) -> tuple[Arrays, Arrays]:
        shape = (self.members, spec.shape[-1])
        if self.spread:
            return {"scale": rng.normal(1, self.spread, shape).astype(np.float32)}, {}
        return {"scale": rng.choice(np.array([-1, 1], np.float32), shape)}, {}

    def apply(self, params: Arrays, state: Arrays, x: Any, *, train: bool, key: Any) -> tuple[Any, Arrays]:
        check_width(x, -1, params["scale"].shape[-1], "scale")
        return ops.reshape(x, (x.shape[0], 1, x.shape[1])) * params["scale"], state


@settings
class MemberDense(Layer):
    """An affine layer for each member of an ensemble.

    Shapes: x (batch, member, feature) -> (batch, member, unit); weight (member, feature, unit); bias (member, unit).
    Formula: y[b, m] = x[b, m] @ weight[m] + bias[m].
    Source: Gorishniy et al. 2025, section 3.2 (the heads of TabM).
    """

    units: int = hyper(low=1, unit="features", doc="Width of the output.")
    initialiser: Initialiser = hyper(default=He(), doc="Draws the first weights, member by member.")

    def init(self, rng: np.random.Generator, spec: Spec) -> tuple[Arrays, Arrays]:
        if spec.ndim != 3:
            raise ShapeError(f"at {user_line()}: input has shape {spec.shape}; (batch, member, feature) is required.")
        members, features = spec.shape[1:]
        weights = [self.initialiser.draw(rng, (features, self.units)) for _ in range(members)]
        return {"weight": np.stack(weights), "bias": np.zeros((members, self.units), np.float32)}, {}

    def apply(self, params: Arrays, state: Arrays, x: Any, *, train: bool, key: Any) -> tuple[Any, Arrays]:
        weight = params["weight"]
        check_width(x, -1, weight.shape[1], f"weight {tuple(weight.shape)}")
        y = ops.transpose(ops.transpose(x, (1, 0, 2)) @ weight, (1, 0, 2))
        return y + params["bias"], state


@settings
class MemberLoss(Loss):
    """The mean of a loss over the members of an ensemble: each learns on its own, the prediction is their mean.

    Shapes: outputs (batch, member, unit); target as of the loss -> (batch,).
    Formula: J = mean over m of loss(z[m], y*). With a smoothing s the right one of K classes has the share
        1 - s + s / K in y*, the others s / K; shares y of several classes become (1 - s) y + s / K.
    Reading: what the loss of one member reads as.
    Source: Gorishniy et al. 2025, section 3.2: the mean of the losses, not the loss of the mean. Smoothing: Szegedy et
        al. 2016, section 7.
    """

    loss: Loss = hyper(default=SoftmaxCrossEntropy(), doc="The loss of each member.")
    smoothing: float = hyper(default=0.0, low=0, high=0.9, unit="share", doc="Of a label spread over all classes.")

    def __call__(self, outputs: Any, target: Any) -> Any:
        batch, members = outputs.shape[:2]
        if self.smoothing:
            classes = outputs.shape[-1]
            shares = ops.one_hot(target, classes, outputs.dtype) if target.ndim == 1 else target
            target = (1 - self.smoothing) * shares + self.smoothing / classes
        flat = ops.reshape(outputs, (batch * members, *outputs.shape[2:]))
        wide = ops.broadcast_to(ops.reshape(target, (batch, 1, *target.shape[1:])), (batch, members, *target.shape[1:]))
        repeated = ops.reshape(wide, (batch * members, *target.shape[1:]))
        return ops.mean(ops.reshape(self.loss(flat, repeated), (batch, members)), 1)

    def judge(self, outputs: Any, target: Any) -> Any:
        """The loss of the mean prediction: of the mean probabilities, or the mean number. Of a margin, which has
        neither, the mean of the losses. Labels are not smoothed."""
        if isinstance(self.loss, Quadratic):
            return self.loss(ops.mean(outputs, 1), target)
        if isinstance(self.loss, (SoftmaxCrossEntropy, BinaryCrossEntropy, OneVsAll)):
            shares = ops.maximum(self.predict(outputs), LEAST_SHARE)
            return SoftmaxCrossEntropy()(ops.log(shares), target)
        return replace(self, smoothing=0.0)(outputs, target)

    def outputs(self, classes: int) -> int:
        return self.loss.outputs(classes)

    def predict(self, outputs: Any) -> Any:
        """The mean of what the members predict."""
        batch, members = outputs.shape[:2]
        each = self.loss.predict(ops.reshape(outputs, (batch * members, *outputs.shape[2:])))
        return ops.mean(ops.reshape(each, (batch, members, *each.shape[1:])), 1)
