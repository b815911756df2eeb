"""What a benchmark over tables says: figures of one prediction, and of all contestants on all tables."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import expit
from scipy.stats import rankdata, t

Scores = dict[str, dict[str, np.ndarray]]  # table -> contestant -> a score for each split, larger is better
ROUNDS = 1000  # draws of tables for an interval
SCALE = 400  # points at which the odds are 10 to 1: chess, and TabArena
# Holds contestants that always win in the finite; TabArena's, in its unit of log odds: L2 with C = 1e6 in base 10.
RIDGE = 0.5 / (1e6 * np.log(10) ** 2)


def figures_of_classes(truth: np.ndarray, predicted: np.ndarray, shares: dict[str, np.ndarray]) -> dict[str, float]:
    """Accuracy, and log loss in nats; shares: class -> its probability in each row.

    Differs: probabilities are held above float64's epsilon, and rows brought to the sum 1, as scikit-learn does; a
    class that has no column was given 0.
    """
    names = sorted(shares)
    given = np.stack([shares[name] for name in names], axis=1)
    given = given / given.sum(axis=1, keepdims=True)
    place = {name: i for i, name in enumerate(names)}
    column = np.array([place.get(each, -1) for each in truth])
    right = np.where(column >= 0, given[np.arange(len(truth)), column], 0.0)
    smallest = np.finfo(np.float64).eps
    return {
        "score": float(np.mean(predicted == truth)),
        "log_loss": float(-np.mean(np.log(np.clip(right, smallest, 1 - smallest)))),
    }


def figures_of_numbers(truth: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """R² (1 - squared errors / squared distances from the mean of these rows), and RMSE in the target's unit."""
    squares = (truth - predicted) ** 2
    return {
        "score": float(1 - squares.sum() / ((truth - truth.mean()) ** 2).sum()),
        "rmse": float(np.sqrt(squares.mean())),
    }


def ranks(scores: np.ndarray) -> np.ndarray:
    """Rank of each contestant in each split, 1 for the best; equal ones share the mean of their ranks.

    Shapes: (contestant, split) -> the same.
    """
    return rankdata(-scores, axis=0)


def normalised(scores: np.ndarray) -> np.ndarray:
    """Where each score lies between the worst (0) and the best (1) of its split; 1 where all are equal.

    Shapes: (contestant, split) -> the same.
    Source: 1 - loss_rescaled of TabArena (Erickson et al. 2025; package bencheval).
    """
    worst, best = scores.min(axis=0), scores.max(axis=0)
    width = best - worst
    return np.where(width > 0, (scores - worst) / np.where(width > 0, width, 1), 1.0)


def paired(difference: np.ndarray, test_rows: int, train_rows: int) -> tuple[float, float] | None:
    """95 % interval of a mean difference over splits of the same rows; none from one split.

    Formula: mean ± t(0.975, n - 1) s sqrt(1/n + test_rows / train_rows), s the standard deviation over n splits: as
    splits share rows, s² / n alone is too narrow.
    Source: Nadeau and Bengio 2003, "Inference for the generalization error", section 3.
    """
    count = len(difference)
    if count < 2:
        return None
    half = t.ppf(0.975, count - 1) * difference.std(ddof=1) * np.sqrt(1 / count + test_rows / train_rows)
    return float(difference.mean() - half), float(difference.mean() + half)


def verdict(difference: np.ndarray, test_rows: int, train_rows: int) -> int:
    """1 won, -1 lost, 0 where the paired interval holds 0; of one split the sign of the difference."""
    interval = paired(difference, test_rows, train_rows)
    low, high = interval if interval else (difference[0], difference[0])
    return int(low > 0) - int(high < 0)


def battles(scores: np.ndarray) -> np.ndarray:
    """How often, over the splits of one table, the row's contestant beat the column's; equal ones have half each.

    Shapes: (contestant, split) -> (contestant, contestant). A table counts once, whatever the number of its splits.
    """
    above = (scores[:, None] > scores[None]) + 0.5 * (scores[:, None] == scores[None])
    won = above.mean(axis=2)
    np.fill_diagonal(won, 0)
    return won


def elo(won: np.ndarray, anchor: int) -> np.ndarray:
    """Ratings under which the battles are most likely, the anchor's set to 1000.

    Shapes: won (contestant, contestant) -> (contestant,).
    Formula: P(i beats j) = 1 / (1 + 10 ** ((r_j - r_i) / 400)), the maximum of the likelihood (Bradley and Terry 1952).
    Source: TabArena (Erickson et al. 2025), compute_mle_elo of its package bencheval 0.1.
    """

    met = won + won.T
    strength = np.zeros(len(won))
    for _ in range(200):  # Newton's method; steps of at most 2, for the first ones overshoot
        likely = expit(strength[:, None] - strength[None])
        gradient = (won - met * likely).sum(axis=1) - 2 * RIDGE * strength
        curvature = met * likely * (1 - likely)
        curvature = np.diag(curvature.sum(axis=1) + 2 * RIDGE) - curvature
        step = np.linalg.solve(curvature, gradient)
        strength += step * min(1, 2 / max(np.abs(step).max(), 1e-300))
        if np.abs(step).max() < 1e-9:
            break
    return 1000 + SCALE / np.log(10) * (strength - strength[anchor])


@dataclass(frozen=True)
class Estimate:
    """A mean over tables with a 95 % interval, the percentiles of draws of as many tables with replacement."""

    value: float
    low: float
    high: float


def over_tables(values: list, figure: Callable[[np.ndarray], np.ndarray], rounds: int = ROUNDS) -> list[Estimate]:
    """`figure` of the mean over tables, for each contestant, with intervals.

    Args:
        values: an array a table, of any one shape.
        figure: mean over tables -> (contestant,).
    """
    stacked = np.stack(values)
    rng = np.random.default_rng(0)
    picks = rng.integers(len(stacked), size=(rounds, len(stacked)))
    drawn = np.stack([figure(stacked[pick].mean(axis=0)) for pick in picks])
    low, high = np.percentile(drawn, [2.5, 97.5], axis=0)
    return [Estimate(*map(float, each)) for each in zip(figure(stacked.mean(axis=0)), low, high, strict=True)]


def summary(scores: Scores, sizes: dict[str, tuple[int, int]], contestants: list[str], anchor: str) -> dict:
    """The contestants over all tables; the first of them beside each of the others.

    Args:
        scores: complete: every contestant has as many splits as the others on a table.
        sizes: table -> rows given to fit, rows predicted.
    """
    tables = [np.stack([scores[table][name] for name in contestants]) for table in scores]
    same = lambda mean: mean
    first = contestants[0]
    found = {
        "normalised": over_tables([normalised(each).mean(axis=1) for each in tables], same),
        "rank": over_tables([ranks(each).mean(axis=1) for each in tables], same),
        "elo": over_tables(
            [battles(each) for each in tables],
            lambda mean: elo(mean * len(tables), contestants.index(anchor)),
            200,  # as TabArena
        ),
    }
    overall = {name: {figure: vars(found[figure][i]) for figure in found} for i, name in enumerate(contestants)}
    against = {}
    for place, peer in enumerate(contestants[1:], 1):
        gaps = {table: scores[table][first] - scores[table][peer] for table in scores}
        ends = [verdict(gaps[table], sizes[table][1], sizes[table][0]) for table in scores]
        share = over_tables([battles(each)[0, place : place + 1] for each in tables], same)[0]
        mean = over_tables([np.atleast_1d(gap.mean()) for gap in gaps.values()], same)[0]
        against[peer] = {
            "wins": ends.count(1),
            "ties": ends.count(0),
            "losses": ends.count(-1),
            "share_won": vars(share),
            "difference": vars(mean),
        }
    return {"contestants": overall, "against": against}
