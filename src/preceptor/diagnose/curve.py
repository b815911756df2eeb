"""What the curves of a training say: which of six cases of a learning curve it is, and whether bias, variance are high.

Source: course material D, "learning curves" and "bias / variance".
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from preceptor.diagnose.figures import Figures, known_dev

__all__ = ["CASES", "Reading", "bias_and_variance", "case_of", "read"]

CASES = ("not training", "error increasing", "overfitting", "slow start", "not converged", "looks good")
HIGH = 0.05  # error above what can be had, or of dev above train, that counts as high: between 1 and 10 % of the course
NOTHING = 0.05  # share of the first loss that must be gone for a training to train
RISE = 0.05  # share by which the dev loss lies above its lowest when it overfits, or a loss increases
SLOW = 0.2  # share of the steps after which a tenth of the fall is still to come
STEADY = 0.05  # share of the whole fall that a converged training has left for its last fifth


@dataclass(frozen=True)
class Reading:
    """What a training's curves say at its end.

    Args:
        case: of CASES.
        bias, variance: whether they are high; None where it is not known.
        text: one sentence or two, in words.
    """

    case: str
    bias: bool | None
    variance: bool | None
    text: str


def case_of(train: Sequence[float], dev: Sequence[float] = (), baseline: float | None = None) -> str:
    """Which of CASES curves are.

    Args:
        train: losses, evenly from the first step to the last.
        dev: losses outside training, at the ends of the epochs.
        baseline: the lowest loss of an output that is the same for all rows, where it is known.
    """
    curve = np.asarray(train, np.float64)
    if not np.isfinite(curve).all():
        return "error increasing"
    window = max(1, len(curve) // 10)
    first, last = float(curve[0]), float(np.mean(curve[-window:]))
    span = abs(first) or 1.0
    if last > first + RISE * span:
        return "error increasing"
    if first - last < NOTHING * span and (baseline is None or last > baseline - NOTHING * abs(baseline)):
        return "not training"
    fall = first - last
    known = np.asarray(dev, np.float64)
    if len(known) > 1:
        best = int(np.argmin(known))
        risen = float(np.mean(known[-max(1, len(known) // 10) :])) - known[best]
        if best < len(known) - 1 and risen > RISE * abs(known[best]) and curve[_place(curve, best, known)] > last:
            return "overfitting"
    smooth = np.convolve(np.pad(curve, (1, 1), "edge"), np.ones(3) / 3, "valid")
    if np.flatnonzero(smooth <= first - 0.1 * fall)[0] > SLOW * len(curve):
        return "slow start"
    fifth = max(1, len(curve) // 5)
    before = float(np.mean(curve[-fifth - window : -fifth])) if len(curve) > fifth + window else first
    return "not converged" if before - last > STEADY * fall else "looks good"


def _place(curve: np.ndarray, epoch: int, dev: np.ndarray) -> int:
    """Where on a curve of the whole training an epoch ends."""
    return min(len(curve) - 1, int((epoch + 1) / len(dev) * len(curve)) - 1)


def bias_and_variance(train_error: float, dev_error: float, reachable: float = 0.0) -> tuple[bool, bool]:
    """Whether bias is high, and variance: the training error lies far above what can be had, that of dev far above it.

    Args:
        train_error, dev_error: shares of wrong classes, or of the variance that is not explained.
        reachable: the error that people, or the best that is known, come to.
    """
    return train_error - reachable > HIGH, dev_error - train_error > HIGH


def _weighed(case: str, bias: bool, variance: bool | None) -> str:
    """The case of a curve in words; where the errors say otherwise, so that both can be true."""
    if case == "looks good" and (bias or variance):
        return "The curve looks good, the errors do not."
    if case == "overfitting" and variance is False:
        return "Overfitting by the loss, not by the errors."
    if case == "not training" and not bias:
        return "The loss hardly fell, the errors are low."
    return f"{case.capitalize()}."


def read(history: Figures) -> Reading:
    """The reading of a training, at its end or so far."""
    case = case_of(history.curve, known_dev(history.epochs), history.constant_loss)
    text = f"{case.capitalize()}."
    taught, judged = history.train_error, history.dev_error
    if taught is None or not history.has_errors:
        return Reading(case, None, None, text)
    if judged is None:
        bias = bias_and_variance(taught, taught)[0]
        text = _weighed(case, bias, None)
        whether = "high bias" if bias else "low bias; variance is not known without a dev part"
        return Reading(case, bias, None, f"{text} Train error {taught:.1%}: {whether}.")
    bias, variance = bias_and_variance(taught, judged)
    text = _weighed(case, bias, variance)
    words = [f"{'high' if each else 'low'} {name}" for each, name in ((bias, "bias"), (variance, "variance"))]
    text += f" Train error {taught:.1%}, dev error {judged:.1%}: {', '.join(words)}."
    reference = history.reference if bias else None
    if reference is not None:
        better = reference.error < judged
        text += f" {reference.name.capitalize()} of {reference.rows:,} rows: {reference.error:.1%}"
        text += "." if better else "; so some of the bias may be noise that nothing explains."
    return Reading(case, bias, variance, text)
