"""What is known of a training: the table of figures that the rules of training look at."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from preceptor import ops
from preceptor.diagnose.case import Case, Verdict, right_classes
from preceptor.diagnose.descent import descend
from preceptor.diagnose.inputs import Inputs
from preceptor.diagnose.origin import Origin
from preceptor.diagnose.probe import Parameter, Probe, Signal
from preceptor.diagnose.reference import Reference, make_reference
from preceptor.diagnose.wiring import Wiring
from preceptor.nn.layer import Layer, initial_specs, leaves, output_spec
from preceptor.nn.member import MemberLoss
from preceptor.ops import Spec
from preceptor.train.training import dtype_of

MANY = 400  # different numbers of a target: their mean is then known as well as forks need it


@dataclass(frozen=True)
class Epoch:
    """The end of a pass over the training rows: mean losses outside training, None where they are not known.

    Args:
        dev: how well the first rows of the dev part were predicted.
    """

    step: int
    train_loss: float | None
    dev_loss: float | None
    dev: Verdict | None = None


@dataclass(eq=False)
class History:
    """A training so far.

    Args:
        case: the training.
        steps: that are planned.
        losses: mean loss of the batch of every step so far, as trained.
        rates: the learning rate of every step so far.
        epochs: the ends of the passes so far.
        probes: figures of the layers, at some of the steps.
        origin: of the first number that is none, where there was one and it could be found.
        first: figures of the layers at the first weights.
        taught, judged: how well rows of the training part and those that judge are predicted at the end; None before.
    """

    case: Case
    steps: int
    losses: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    epochs: list[Epoch] = field(default_factory=list)
    probes: list[Probe] = field(default_factory=list)
    origin: Origin | None = None
    first: Probe | None = None
    taught: Verdict | None = None
    judged: Verdict | None = None

    @property
    def step(self) -> int:
        """Steps made so far."""
        return len(self.losses)

    @property
    def is_over(self) -> bool:
        """Whether all planned steps are made."""
        return self.step >= self.steps

    @cached_property
    def layers(self) -> dict[str, Layer]:
        """The layers that hold no others, by their paths, in order."""
        return dict(leaves(self.case.config.network))

    @cached_property
    def wiring(self) -> Wiring:
        """How network, loss and rows fit together."""
        return Wiring(self.case)

    @cached_property
    def inputs(self) -> Inputs:
        """Figures of the columns of the training rows."""
        return Inputs.of(self.case)

    @cached_property
    def baseline(self) -> tuple[float, float]:
        """What one constant output for all rows would come to: the lowest mean loss, and the error of the best constant
        prediction: 1 less the share of the commonest class, or 1 of a number."""
        _, y, _ = self.case.judged
        if self.case.classes is None:
            lowest = _best_constant(self.case, np.asarray(y))
            return lowest, lowest
        error = 1.0
        if self.case.classes:
            error = 1 - float(np.unique(right_classes(y), return_counts=True)[1].max()) / len(y)
        return _best_constant(self.case, np.asarray(y)), error

    @cached_property
    def reference(self) -> Reference | None:
        """What cheap models make of the same rows; None where there are too few."""
        return make_reference(self.case)

    @property
    def signals(self) -> dict[str, Signal]:
        """Those of the latest probe."""
        return self.probes[-1].signals if self.probes else {}

    @property
    def parameters(self) -> dict[str, Parameter]:
        """Those of the latest probe."""
        return self.probes[-1].parameters if self.probes else {}

    def mean_loss(self, start: float, end: float) -> float:
        """Mean loss of the steps between two shares of those made so far."""
        first, last = int(start * self.step), max(int(end * self.step), int(start * self.step) + 1)
        return float(np.mean(self.losses[first:last]))


def _best_constant(case: Case, y: np.ndarray) -> float:
    """The lowest mean loss of one output for all rows: of each target once, by how often it occurs; of many numbers by
    as many of them as tell, evenly from the smallest to the largest."""
    loss, shape = case.config.loss, _shape(case)
    if isinstance(loss, MemberLoss):  # members that all give the same give together what one gives
        loss, shape = loss.loss, shape[-1:]
    y, found = np.unique(y, axis=0, return_counts=True)
    counts = found.astype(np.float64)
    if len(y) > MANY and y.ndim == 1:
        each = np.repeat(y, found)
        y, counts = each[np.linspace(0, len(each) - 1, MANY).round().astype(int)], np.ones(MANY)
    share = counts / counts.sum()
    target = loss.prepared(y, shape[-1], np.float64)

    def cost(z: np.ndarray) -> np.ndarray:
        outputs = ops.broadcast_to(ops.reshape(z, (1, *shape)), (len(y), *shape))
        return ops.sum(share * loss.judge(outputs, target))

    return descend(cost, np.full(shape, 1 / (shape[-1] + 1)))[1]  # not from 0, which is no probability


def _shape(case: Case) -> tuple[int, ...]:
    """Outputs of a row: (unit,), or (member, unit)."""
    config, x = case.config, case.data.first()[0]
    spec = Spec((1, *x.shape[1:]), dtype_of(config))
    return output_spec(config.network, *initial_specs(config.network, spec), spec).shape[1:]
