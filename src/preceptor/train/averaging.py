"""How much better all members of an ensemble tell a row than the few that left it out.

Out of fold one member in so many speaks for a row; a new row is told by the mean of all. What that gains hangs on how
far members lie apart on rows that none of them learned from, of which there are none here: all but a few learned each
row. So the gain is looked at on learned rows, twice. As they stand it is too small, for learning a row draws members
together. Brought to be as wrong as those that left the row out, it is too large, for not all are drawn alike. It is put
halfway, where measurements find it (docs/recipe.md, "Figures out of fold").
"""

import math

import numpy as np

from preceptor.train.interval import Floats
from preceptor.train.metric import Figure, log_of

__all__ = ["from_learned", "joined", "reaching", "remaining", "unlearned"]

LESS_IS_BETTER = ("log_loss", "top5_error", "class_distance")
MORE_IS_BETTER = ("accuracy", "f1", "auc", "balanced_accuracy")
HALVINGS = 40  # of the interval of a logarithm: it is then known to 1e-10
FARTHEST = 40.0  # the largest logarithm that odds are divided by


def grown(others: int) -> float:
    """What a mean of one member more gains over one, divided by what that of the others gains: M² / (M² - 1)."""
    return others**2 / (others**2 - 1)


def remaining(held: float, alone: float, together: float, others: int) -> float:
    """The share of a loss of numbers that remains where all members tell a row, in place of one.

    Args:
        held: the mean loss of members that left a row out.
        alone, together: of those that learned it, as many as `others`, each alone on average, and of their mean; at
            least two.
    Formula: 1 - (1 / held + 1 / alone) / 2 * (alone - together) * M² / (M² - 1), with M others. Between 1 / (M + 1)
        and 1.
    Source: the gain in squared error is the variance between members, (1 - 1 / M) of it by M of them: Krogh and
        Vedelsby 1995, equation 6. Learning a row makes its error smaller by a factor of that row's, as in the
        shortcut of leave-one-out for linear smoothers (Hastie, Tibshirani and Friedman 2009, equation 7.64).
    Differs: from the latter, which would divide the gain by `alone` and not by the harmonic mean with `held`.
    """
    if not (0 < held < math.inf and 0 < alone < math.inf):
        return 1.0
    share = 1 - (1 / held + 1 / alone) / 2 * (alone - together) * grown(others)
    return min(max(share, 1 / (others + 1)), 1.0)


def from_learned(held: float, alone: float, others: int) -> float:
    """What the gain on learned rows is multiplied by for that on others, of distances; 0 where nothing tells it.

    Args:
        held, alone: mean squared errors, or other squares of distances, of `remaining`.
    Formula: (sqrt(held / alone) + sqrt(alone / held)) / 2 * M² / (M² - 1): to first order, what `remaining` does to
        the squares.
    """
    if not (0 < held < math.inf and 0 < alone < math.inf):
        return 0.0
    ratio = math.sqrt(held / alone)
    return (ratio + 1 / ratio) / 2 * grown(others)


def unlearned(held: Floats, learned: Floats, labels: np.ndarray, weight: np.ndarray | None = None) -> Floats:
    """Probabilities by members that learned a row, brought to the mean log loss of those that left it out.

    Shapes: held (row, class), by the latter; learned (row, member, class); labels (row,); weight (row,) -> as learned.
    Formula: the odds of the label are divided by one number for all rows, at least 1.
    """
    rows = np.arange(len(labels))
    own = learned[rows, :, labels]
    goal = -float(np.average(log_of(held[rows, labels]), weights=weight))

    def whole(logarithm: float) -> Floats:
        """What the probabilities of a row sum to once that of its label is divided."""
        return np.maximum(1 - own + own * math.exp(-logarithm), np.finfo(np.float64).tiny)

    low, high = 0.0, FARTHEST
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        cost = -float(np.average(log_of(own * math.exp(-middle) / whole(middle)).mean(axis=1), weights=weight))
        low, high = (middle, high) if cost < goal else (low, middle)
    found: Floats = learned / whole(low)[:, :, None]
    found[rows, :, labels] *= math.exp(-low)
    return found


def reaching(
    found: dict[str, Figure], alone: list[dict[str, Figure]], together: list[dict[str, Figure]], others: int
) -> dict[str, Figure]:
    """Figures of classes whose intervals take in what the mean of all members gains.

    Formula: the end on the better side comes as much nearer to the best value, 0 or 1, in proportion, as the figure
        would with the gain: the mean over the ways to look at the learned rows of that of the mean over that of one.
    Args:
        alone: figures of one member on learned rows, as many as `others` for each way, one way after the other.
        together: of their mean, once for each way.
    """
    return {name: _reaching(each, _gain(name, alone, together) * grown(others)) for name, each in found.items()}


def _gain(name: str, alone: list[dict[str, Figure]], together: list[dict[str, Figure]]) -> float:
    one, all_of_them = ([each[name].value for each in part if name in each] for part in (alone, together))
    if not one or not all_of_them:
        return 0.0
    gain = float(np.mean(all_of_them) - np.mean(one))
    return max(-gain if name in LESS_IS_BETTER else gain, 0.0)


def _reaching(figure: Figure, gain: float) -> Figure:
    low, high = figure.low, figure.high
    if figure.name in LESS_IS_BETTER and figure.value > 0:
        low *= max(1 - gain / figure.value, 0.0)
    if figure.name in MORE_IS_BETTER and figure.value < 1:
        high = 1 - (1 - high) * max(1 - gain / (1 - figure.value), 0.0)
    return Figure(figure.name, figure.value, low, high, figure.rows)


def joined(found: dict[str, Figure], better: dict[str, Figure]) -> dict[str, Figure]:
    """Figures whose intervals hold those of others of the same names as well."""
    ends = {
        name: (min(each.low, better[name].low), max(each.high, better[name].high))
        for name, each in found.items()
        if name in better
    }
    return {
        name: Figure(name, each.value, *ends.get(name, (each.low, each.high)), each.rows)
        for name, each in found.items()
    }
