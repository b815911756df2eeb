"""Penalties: costs beside the mean loss, so that they never depend on the size of the batch."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, ClassVar

import numpy as np

from preceptor import ops
from preceptor.errors import ConfigError
from preceptor.hyper import hyper, settings

__all__ = ["L1", "L2", "Penalty"]


@dataclass(frozen=True)
class Penalty(ABC):
    """A cost of the parameters themselves: `weight * measure(p)` summed over those whose path fits `pattern`.

    One that is smooth is added to the loss and has its part in the gradient. One that is not takes a step of its own,
    `shrunk`, after that of the optimiser.
    """

    is_smooth: ClassVar[bool] = True

    weight: float = hyper(default=1e-4, low=0, scale="log", doc="How much the penalty counts beside the mean loss.")
    pattern: str = "*weight"

    @abstractmethod
    def measure(self, p: Any) -> Any:
        """The cost of one parameter at weight 1, a scalar."""

    def shrunk(self, p: Any, reach: Any) -> Any:
        """The point q at which (q - p)² / 2 + reach * measure(q) is least, for a penalty that is not smooth."""
        raise NotImplementedError

    def reaches(self, path: str) -> bool:
        """Whether it costs the parameter of this path."""
        return fnmatchcase(path, self.pattern)

    def cost(self, params: dict[str, Any], weight: Any) -> Any:
        """The penalty of all parameters that fit the pattern; `weight` takes the place of the field in a program."""
        parts = [self.measure(p) for path, p in sorted(params.items()) if self.reaches(path)]
        return weight * sum(parts[1:], parts[0]) if parts else 0.0


def check_patterns(penalties: Iterable[Penalty], params: Iterable[str]) -> None:
    """Raises ConfigError where a penalty reaches none of the parameters, given by their paths."""
    paths = sorted(params)
    for penalty in penalties:
        if not any(map(penalty.reaches, paths)):
            raise ConfigError(
                f"{type(penalty).__name__}: the pattern {penalty.pattern!r} fits none of the parameters; at least one "
                f"is required. They are {', '.join(paths[:20])}."
            )


def zeros(penalties: Iterable[Penalty], params: Mapping[str, np.ndarray]) -> dict[str, int]:
    """How many weights an L1 reaches, "l1_weights", and how many of them are 0, "zero_weights"; nothing where no
    L1 has a weight."""
    ones = [each for each in penalties if isinstance(each, L1) and each.weight]
    reached = [p for path, p in params.items() if any(each.reaches(path) for each in ones)]
    count = sum(p.size for p in reached)
    return {"l1_weights": count, "zero_weights": count - sum(int(np.count_nonzero(p)) for p in reached)} if ones else {}


@settings
class L2(Penalty):
    """Pulls weights towards 0 in proportion to their size. Biases are left alone.

    Formula: weight / 2 * sum of p²; its gradient is weight * p.
    Reading: a Gaussian prior on the weights of variance 1 / (weight * rows), when the loss is a mean over rows.
    Differs: scikit-learn divides its alpha by the batch; material C writes lambda / (2 m), and lambda without 1 / m in
        its accumulated gradient.
    """

    def measure(self, p: Any) -> Any:
        return 0.5 * ops.sum(p * p)


@settings
class L1(Penalty):
    """Pulls weights towards 0 with the same force whatever their size, so that many become exactly 0, and not biases.

    Formula: weight * sum of |p|. After each move of the optimiser p = sign(p) max(|p| - reach, 0), where reach is
        learning_rate * weight * gain and gain is what the optimiser multiplies a steady gradient by: 1 of SGD,
        1 / (1 - momentum), or 1 / (sqrt(s) + epsilon) of Adam and its kind, whose metric the step is then taken in.
        Lion, Muon, Lars and Lamb, which do not multiply gradients number by number, have the gain 1, as with their
        weight decay. The sign of 0 is 0.
    Reading: a Laplace prior on the weights.
    Source: Parikh and Boyd 2014, sections 4.2 and 6.5.2 (soft threshold); in the metric of the optimiser: Lee et al.
        2014.
    Differs: course material D moves by weight * sgn(w), PyTorch and Keras likewise: weights then swing around 0 by
        learning_rate * weight and are never 0. Of its example, [1 0 0 0] and [0.25 0.25 0.25 0.25], L1 prefers neither:
        both have the norm 1. A mean of the weights (EMA, SWA) of which some were not 0 is not 0.
    """

    is_smooth: ClassVar[bool] = False

    def measure(self, p: Any) -> Any:
        return ops.sum(ops.abs(p))

    def shrunk(self, p: Any, reach: Any) -> Any:
        return p - ops.clip(p, -reach, reach)
