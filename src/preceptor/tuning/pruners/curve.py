"""Trials that go on while they may still come to be the best."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from preceptor.hyper import hyper, settings
from preceptor.tuning.pruners.base import Pruner, cost_at
from preceptor.tuning.pruners.halving import best_of, rungs_of
from preceptor.tuning.record import Saving, Trial

LEAST_KNOWN = 5  # trials that ended: fewer tell no line and no spread
SPREAD = 8.0  # standard deviations: a Gaussian is nothing beyond
STEPS = 400  # of an integral


@settings
class Curve(Pruner):
    """Foresees each trial's final cost from that at the rung, and pauses those with hardly a chance to be best.

    Formula: y = a + b x + e, by least squares over the trials that ended; y is the final cost, x that at the rung, both
        in logarithms where all costs are above 0. The chance is that of Student's t for a new y below the best y.
        Before LEAST_KNOWN trials ended, the best one in `eta` goes on, as in successive halving.
    Source: Baker et al. 2018, "Accelerating neural architecture search using performance prediction", section 3; the
        distribution of a new value is in every textbook of regression.
    """

    chance: float = hyper(
        default=0.05, low=0, high=0.5, unit="probability", doc="Of being the best; with less, paused."
    )
    eta: int = hyper(default=3, low=2, high=64, unit="times", doc="How much farther each rung is.")
    first: float = hyper(default=0.1, low=0, high=1, unit="share of the epochs", doc="Before which none is paused.")

    def rungs(self, epochs: int) -> list[int]:
        return rungs_of(epochs, self.eta, self.first)

    def going_on(self, rung: int, epochs: int, here: Sequence[Trial], earlier: Sequence[Trial]) -> list[int]:
        line = Line.of(rung, earlier)
        if line is None:
            return best_of(rung, here, earlier, self.eta)
        return [
            trial.number
            for trial in here
            if (cost := cost_at(trial, rung)) is not None and line.chance(cost) >= self.chance
        ]


@dataclass(frozen=True)
class Line:
    """Final costs by the costs at a rung: a regression over the trials that ended.

    Args:
        intercept, slope: of y over x; error: the standard deviation of y about it, with `freedom` degrees.
        mean, square: of the x: their mean, and the sum of squares about it.
        count: of trials.
        best: the least y.
        is_log: whether x and y are logarithms.
    """

    intercept: float
    slope: float
    error: float
    freedom: int
    mean: float
    square: float
    count: int
    best: float
    is_log: bool

    @classmethod
    def of(cls, rung: float, trials: Sequence[Trial]) -> "Line | None":
        """That of the trials that ended beyond the rung; None where they tell nothing."""
        pairs = [
            (cost, trial.best)
            for trial in trials
            if trial.state == "done" and trial.best is not None and (cost := cost_at(trial, rung)) is not None
        ]
        if len(pairs) < LEAST_KNOWN:
            return None
        x, y = np.array(pairs, float).T
        is_log = bool(min(x.min(), y.min()) > 0)
        x, y = (np.log(x), np.log(y)) if is_log else (x, y)
        mean = float(x.mean())
        square = float(((x - mean) ** 2).sum())
        if square <= 1e-12 * max(1.0, mean**2):
            return None
        slope = float(((x - mean) * (y - y.mean())).sum()) / square
        intercept = float(y.mean()) - slope * mean
        freedom = len(x) - 2
        error = math.sqrt(float(((y - intercept - slope * x) ** 2).sum()) / freedom)
        return cls(intercept, slope, error, freedom, mean, square, len(x), float(y.min()), is_log)

    def foreseen(self, cost: float) -> tuple[float, float]:
        """The final y that a cost at the rung leads to, and its standard error, infinite where it has no logarithm."""
        if self.is_log and cost <= 0:
            return self.best, math.inf
        x = math.log(cost) if self.is_log else cost
        spread = self.error * math.sqrt(1 + 1 / self.count + (x - self.mean) ** 2 / self.square)
        return self.intercept + self.slope * x, spread

    def chance(self, cost: float) -> float:
        """Of ending below the best."""
        y, spread = self.foreseen(cost)
        return student((self.best - y) / spread, self.freedom) if spread > 0 else float(y < self.best)


def student(t: float, freedom: int) -> float:
    """The distribution function of Student's t, in closed form for whole degrees.

    Source: Abramowitz and Stegun 1964, 26.7.3 and 26.7.4.
    """
    if math.isinf(t):
        return float(t > 0)
    angle = math.atan(t / math.sqrt(freedom))
    cosine, sine = math.cos(angle), math.sin(angle)
    total = term = cosine if freedom % 2 else 1.0
    for each in range(2 + freedom % 2, freedom - 1, 2):
        term *= cosine**2 * (each - 1) / each
        total += term
    total *= sine if freedom > 1 else 0.0
    return (1 + (2 / math.pi * (angle + total) if freedom % 2 else total)) / 2


def saving_of(trials: Sequence[Trial], epochs: int) -> Saving | None:
    """What pausing trials saved, and what it may have cost; None where none was paused.

    Formula: the regret is E max(0, best - min of Y), Y the final cost of each trial that was paused: independent
        Gaussian values with the mean and the standard error of the regression over the trials that ended (see Curve).

    Args:
        epochs: of a trial, at most, where its own settings say nothing.
    """
    paused = [trial for trial in trials if trial.state == "paused"]
    if not paused:
        return None
    made = sum(trial.epochs for trial in trials)
    asked = sum(trial.settings.get("epochs") or epochs for trial in paused)
    foreseen, lines = list[tuple[float, float]](), dict[float, Line | None]()
    for trial in paused:
        if trial.epochs not in lines:
            lines[trial.epochs] = Line.of(trial.epochs, trials)
        line = lines[trial.epochs]
        if line is not None and trial.best is not None:
            foreseen.append(line.foreseen(trial.best))
    foreseen = [each for each in foreseen if math.isfinite(each[1])]
    known = [line for line in lines.values() if line is not None]
    regret = None
    if known and foreseen and len({line.is_log for line in known}) == 1:
        regret = _regret(foreseen, min(line.best for line in known), known[0].is_log)
    return Saving(
        epochs=made, asked=asked + sum(trial.epochs for trial in trials if trial.state != "paused"), regret=regret
    )


def _regret(foreseen: Sequence[tuple[float, float]], best: float, is_log: bool) -> float:
    """E max(0, best - min Y), the integral of P(min Y < y) dy below the best; of e to their power where they are
    logarithms."""
    low = min(mean - SPREAD * spread for mean, spread in foreseen)
    if low >= best:
        return 0.0
    y = np.linspace(low, best, STEPS + 1)
    above = np.ones(len(y))
    for mean, spread in foreseen:
        above *= _above((y - mean) / spread) if spread > 0 else y < mean
    weight = np.exp(y) if is_log else np.ones(len(y))
    return float(np.trapezoid((1 - above) * weight, y))


def _above(z: np.ndarray) -> np.ndarray:
    """P(Z > z) of a standard Gaussian."""
    return np.array([math.erfc(each / math.sqrt(2)) / 2 for each in z])
