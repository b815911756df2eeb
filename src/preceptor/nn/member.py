"""Several networks side by side in one: layers that keep them apart, and the loss by which each learns as if alone."""

from typing import Any, ClassVar

import numpy as np

from preceptor import ops
from preceptor.errors import ShapeError
from preceptor.hyper import hyper, settings
from preceptor.nn.initialiser import He, Initialiser, drawn, filled, stacked
from preceptor.nn.layer import Arrays, Layer, check_width
from preceptor.nn.loss import (
    Absolute,
    BinaryCrossEntropy,
    Brier,
    CumulativeLogit,
    Loss,
    OneVsAll,
    Pinball,
    Quadratic,
    SoftmaxCrossEntropy,
)
from preceptor.ops import Spec, fold_in
from preceptor.ops.primitive import user_line

__all__ = ["EachMember", "MemberDense", "MemberLoss", "Members"]

LEAST_SHARE = 1e-30  # of a class, so that its logarithm is a number


@settings
class Members(Layer):
    """Gives each member of an ensemble its own view of the input: every feature times a number of the member's own.

    Shapes: x (batch, feature) -> (batch, member, feature); scale (member, feature), at first 1 or -1 at random.
    Formula: y[b, m] = scale[m] * x[b]; x[b] itself where it is untouched, as numbers of levels must be. Where features
        are withheld from the second half of the members, these see the others times the root of all / others: what
        comes next draws its first weights for all.
    Source: Wen et al. 2020 (BatchEnsemble); as the only view, at the entrance, Gorishniy et al. 2025 (TabM-mini).
    """

    has_members: ClassVar[bool] = True

    members: int = hyper(default=8, low=1, unit="members", doc="Networks trained as one.")
    spread: float = hyper(default=0.0, low=0, doc="0: signs; else normal numbers around 1 with this deviation.")
    untouched: tuple[int, ...] = hyper(default=(), low=0, unit="position", doc="Features that all see as they are.")
    withheld: int = hyper(
        default=0, low=0, unit="features", doc="The last ones, that half of the members do not see; only in older runs."
    )

    def init(self, rng: np.random.Generator, spec: Spec) -> tuple[Arrays, Arrays]:
        shape = (self.members, spec.shape[-1])
        if self.spread:
            return {"scale": drawn(rng, shape, lambda shape: rng.normal(1, self.spread, shape))}, {}
        return {"scale": drawn(rng, shape, lambda shape: rng.choice(np.array([-1, 1], np.float32), shape))}, {}

    def apply(self, params: Arrays, state: Arrays, x: Any, *, train: bool, key: Any) -> tuple[Any, Arrays]:
        check_width(x, -1, params["scale"].shape[-1], "scale")
        scale = params["scale"]
        if self.withheld:
            scale = scale * self._seen(x.shape[1])
        if self.untouched:
            scale = ops.where(np.isin(np.arange(x.shape[1]), self.untouched), 1, scale)
        return ops.reshape(x, (x.shape[0], 1, x.shape[1])) * scale, state

    def _seen(self, features: int) -> np.ndarray:
        """What a member's features count for it. Shapes: -> (member, feature), float32."""
        seen = np.ones((self.members, features), np.float32)
        others = features - self.withheld
        seen[self.members // 2 :] = np.sqrt(features / max(others, 1))
        seen[self.members // 2 :, others:] = 0
        return seen


@settings
class MemberDense(Layer):
    """An affine layer for each member of an ensemble.

    Shapes: x (batch, member, feature) -> (batch, member, unit); weight (member, feature, unit); bias (member, unit).
    Formula: y[b, m] = x[b, m] @ weight[m] + bias[m].
    Source: Gorishniy et al. 2025, section 3.2 (the heads of TabM).
    """

    has_members: ClassVar[bool] = True

    units: int = hyper(low=1, unit="features", doc="Width of the output.")
    initialiser: Initialiser = hyper(default=He(), doc="Draws the first weights, member by member.")

    def init(self, rng: np.random.Generator, spec: Spec) -> tuple[Arrays, Arrays]:
        members, features = _members(spec)
        weights = [self.initialiser.draw(rng, (*features, self.units)) for _ in range(members)]
        return {"weight": stacked(weights), "bias": filled(rng, (members, self.units), 0)}, {}

    def apply(self, params: Arrays, state: Arrays, x: Any, *, train: bool, key: Any) -> tuple[Any, Arrays]:
        weight = params["weight"]
        check_width(x, -1, weight.shape[1], f"weight {tuple(weight.shape)}")
        y = ops.transpose(ops.transpose(x, (1, 0, 2)) @ weight, (1, 0, 2))
        return y + params["bias"], state


@settings
class EachMember(Layer):
    """A layer of its own for each member of an ensemble: numbers, statistics and masks are not shared.

    Shapes: x (batch, member, feature) -> (batch, member, ...), as the layer makes of (batch, feature); parameters and
        state are those of the layer with an axis of members before the others.
    Formula: y[b, m] = layer_m(x)[b], of x[:, m] alone.
    Source: definition: what one network has, each member has.
    Differs: from the layer itself on (batch, member, feature), which would take the members for places: batch
        normalisation would count them as examples.
    """

    has_members: ClassVar[bool] = True

    layer: Layer = hyper(doc="What each member has one of.")

    def init(self, rng: np.random.Generator, spec: Spec) -> tuple[Arrays, Arrays]:
        members, features = _members(spec)
        each = [self.layer.init(rng, Spec((spec.shape[0], *features), spec.dtype)) for _ in range(members)]
        params, state = (
            {name: stacked([own[part][name] for own in each]) for name in each[0][part]} for part in (0, 1)
        )
        return params, state

    def apply(self, params: Arrays, state: Arrays, x: Any, *, train: bool, key: Any) -> tuple[Any, Arrays]:
        batch, members, features = x.shape
        if self.layer.is_featurewise:  # the features of all members side by side are at once what a loop would make
            check_width(x, -2, next(iter(params.values())).shape[0], "the layer of each member")
            wide = ops.reshape(x, (batch, members * features))
            y, after = self.layer.apply(_flat(params), _flat(state), wide, train=train, key=key)
            return ops.reshape(y, x.shape), {n: ops.reshape(value, (members, features)) for n, value in after.items()}
        if self.layer.takes_members:
            return self.layer.apply(params, state, x, train=train, key=key)
        outputs, states = [], []
        for m in range(members):
            own, held = ({n: value[m] for n, value in values.items()} for values in (params, state))
            own_key = None if key is None else fold_in(key, m)
            y, after = self.layer.apply(own, held, x[:, m], train=train, key=own_key)
            outputs.append(ops.reshape(y, (batch, 1, *y.shape[1:])))
            states.append({n: ops.reshape(value, (1, *value.shape)) for n, value in after.items()})
        return ops.concatenate(outputs, 1), {n: ops.concatenate([each[n] for each in states], 0) for n in states[0]}


def _members(spec: Spec) -> tuple[int, tuple[int, ...]]:
    """How many members an input has, and the shape of one's features."""
    if spec.ndim != 3:
        raise ShapeError(f"at {user_line()}: input has shape {spec.shape}; (batch, member, feature) is required.")
    return spec.shape[1], spec.shape[2:]


def _flat(values: Arrays) -> Arrays:
    return {name: ops.reshape(value, (-1,)) for name, value in values.items()}


@settings
class MemberLoss(Loss):
    """The mean of a loss over the members of an ensemble: each learns on its own, the prediction is their mean.

    Shapes: outputs (batch, member, unit); target as of the loss; weight (batch, member), what each example counts for
        each member, 1 if left out -> (batch,).
    Formula: J = mean over m of weight[m] * loss(z[m], y*). Its gradient is taken as that of J times the number of
        members: the sum of what each would be trained by alone. Learning rates, penalties and clipping then mean what
        they mean for one network; only the reported J is the mean.
    Reading: what the loss of one member reads as.
    Source: Gorishniy et al. 2025, section 3.2: the mean of the losses, not the loss of the mean; each by its own loss:
        Lakshminarayanan et al. 2017, algorithm 1.
    Differs: TabM takes the gradient of the mean, a share of it for each member, which Adam hardly notices and a penalty
        or a plain gradient step does.
    """

    loss: Loss = hyper(default=SoftmaxCrossEntropy(), doc="The loss of each member.")
    shares: tuple[float, ...] = hyper(
        default=(),
        low=0,
        high=1,
        doc="What each member counts in the mean prediction, 1 in all; () for all alike.",
        kw_only=True,
    )

    def __call__(self, outputs: Any, target: Any, weight: Any = None) -> Any:
        mean = self._mean(self.loss, outputs, target, weight)
        return mean + (outputs.shape[1] - 1) * (mean - ops.stop_gradient(mean))  # what is added is 0; its slope is not

    def _mean(self, function: Any, outputs: Any, target: Any, weight: Any = None) -> Any:
        batch, members = outputs.shape[:2]
        flat = ops.reshape(outputs, (batch * members, *outputs.shape[2:]))
        wide = ops.broadcast_to(ops.reshape(target, (batch, 1, *target.shape[1:])), (batch, members, *target.shape[1:]))
        repeated = ops.reshape(wide, (batch * members, *target.shape[1:]))
        each = ops.reshape(function(flat, repeated), (batch, members))
        return ops.mean(each if weight is None else each * weight, 1)

    def judge(self, outputs: Any, target: Any) -> Any:
        """The loss of the mean prediction: of the mean probabilities, or the mean number. Of a margin, which has
        neither, the mean of the losses."""
        if isinstance(self.loss, (Quadratic, Absolute)):
            return self.loss(self._together(outputs), target)
        if isinstance(self.loss, Pinball):
            return self.loss.of_quantiles(self.predict(outputs), target)
        if isinstance(self.loss, (SoftmaxCrossEntropy, BinaryCrossEntropy, OneVsAll, Brier, CumulativeLogit)):
            logits = ops.log(ops.maximum(self.predict(outputs), LEAST_SHARE))
            if outputs.shape[-1] == 1:
                return self.loss(logits[:, 1:] - logits[:, :1], target)
            return (Brier() if isinstance(self.loss, Brier) else SoftmaxCrossEntropy())(logits, target)
        return self._mean(self.loss.judge, outputs, target)

    def prepared(self, target: Any, units: int, dtype: Any = np.float32) -> np.ndarray:
        return self.loss.prepared(target, units, dtype)

    def outputs(self, classes: int) -> int:
        return self.loss.outputs(classes)

    def predict(self, outputs: Any) -> Any:
        """The mean of what the members predict."""
        batch, members = outputs.shape[:2]
        each = self.loss.predict(ops.reshape(outputs, (batch * members, *outputs.shape[2:])))
        return self._together(ops.reshape(each, (batch, members, *each.shape[1:])))

    def _together(self, each: Any) -> Any:
        """The mean over the members, by their shares. Shapes: (batch, member, ...) -> (batch, ...)."""
        if not self.shares:
            return ops.mean(each, 1)
        if len(self.shares) != each.shape[1]:
            raise ShapeError(f"MemberLoss: received {len(self.shares)} shares for {each.shape[1]} members; one each.")
        shares = np.array(self.shares, each.dtype).reshape(1, -1, *[1] * (each.ndim - 2))
        return ops.sum(each * shares, 1)

    def point(self, predicted: Any) -> Any:
        return self.loss.point(predicted)


def inner(loss: Loss) -> Loss:
    """The loss of each member, or of the one network that there is."""
    return loss.loss if isinstance(loss, MemberLoss) else loss


def quantiles_of(loss: Loss) -> tuple[float, ...]:
    """The quantiles that a loss, or that of each member, predicts; none where it predicts something else."""
    found = inner(loss)
    return found.quantiles if isinstance(found, Pinball) else ()
