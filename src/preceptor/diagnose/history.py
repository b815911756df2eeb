"""What is known of a training of ours: the table of figures, and all that its rows and its network tell."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from preceptor import ops
from preceptor.diagnose.case import Case, Verdict, right_classes
from preceptor.diagnose.descent import descend
from preceptor.diagnose.figures import Epoch, Figures
from preceptor.diagnose.inputs import Inputs
from preceptor.diagnose.origin import Origin
from preceptor.diagnose.probe import Probe
from preceptor.diagnose.reference import Reference, make_reference
from preceptor.diagnose.wiring import Wiring
from preceptor.nn.layer import Layer, initial_specs, leaves, output_spec
from preceptor.nn.member import MemberLoss
from preceptor.ops import Spec
from preceptor.train.optim import Optimiser
from preceptor.train.training import dtype_of

MANY = 400  # different numbers of a target: their mean is then known as well as forks need it


@dataclass(eq=False)
class History(Figures):
    """A training of ours so far: with its rows and its network, so that all can be computed again.

    Args:
        case: the training.
        steps, ..., first: as of `Figures`, with a loss and a rate of every step.
        was_ended: whether it was ended before all its steps, because the rows that guide no longer gained.
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
    was_ended: bool = False
    taught: Verdict | None = None
    judged: Verdict | None = None

    has_forks = True

    @property
    def step(self) -> int:
        return len(self.losses)

    def step_of(self, place: int) -> int:
        return place + 1

    def losses_between(self, start: int, end: int) -> list[float]:
        return self.losses[start:end]

    @cached_property
    def layers(self) -> dict[str, Layer]:
        return dict(leaves(self.case.config.network))

    @cached_property
    def wiring(self) -> Wiring:
        """How network, loss and rows fit together."""
        return Wiring(self.case)

    @cached_property
    def inputs(self) -> Inputs:
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
        return make_reference(self.case)

    @property
    def weighted(self) -> list[str]:
        return self.wiring.weighted

    @property
    def constant_loss(self) -> float:
        return self.baseline[0]

    @property
    def first_losses(self) -> tuple[float, float]:
        return self.wiring.first_losses

    @property
    def takes_logits(self) -> bool:
        return bool(self.case.classes) and self.wiring.reading == "logits"

    @property
    def learning_rate(self) -> float:
        return self.case.config.learning_rate

    @property
    def optimiser(self) -> Optimiser:
        return self.case.config.optimiser

    @property
    def batch_size(self) -> int:
        return self.case.config.batch_size

    @property
    def rows(self) -> int:
        return self.case.data.rows

    @property
    def planned_epochs(self) -> int:
        return self.case.config.epochs

    @property
    def averages_weights(self) -> bool:
        return self.case.config.update.average is not None

    @property
    def is_over(self) -> bool:
        return self.was_ended or super().is_over

    @property
    def train_error(self) -> float | None:
        return None if self.taught is None else self.taught.error

    @property
    def dev_error(self) -> float | None:
        return None if self.judged is None or not self.case.data.guides else self.judged.error

    @property
    def has_errors(self) -> bool:
        return self.case.classes is not None

    @property
    def is_plain(self) -> bool:
        return self.wiring.is_plain

    def is_idle(self, path: str) -> bool:
        return self.wiring.is_idle(path) and not self.wiring.is_constant


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
