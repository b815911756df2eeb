"""Which settings mattered: the variance of the cost that each of them explains, and how the cost answers to it.

A forest of regression trees learns the cost from where trials lie in the space. A tree is constant in boxes, so its
means and variances over the whole space, with any settings held fixed, are sums over its leaves: nothing is sampled.
"""

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from preceptor.tuning.record import Trial

TREES = 32
MOST_LEAVES = 128  # of a tree: pairs of them are looked at
LEAST_ROWS = 3  # of a leaf; conventional
MOST_ROWS = 2000  # that a tree learns from: of more trials each tree draws its own
MOST_DIMENSIONS = 64
FEWEST = 12  # trials from which anything is learned
GRID = 41  # places of a response
FAR = 3.0  # a cost counts for no more than the median plus so many times its distance from the best; chosen by eye
BAND = (0.1, 0.9)  # quantiles over the trees
MOST_GOING = 1000  # trials that tell what others would have gained


@dataclass(frozen=True, eq=False)
class Effect:
    """What a setting does to the cost.

    Args:
        dimension: its place in the space.
        share: of the cost's variance over the space, what the setting alone explains; 0 to 1.
        low, high: the same at the 10th and 90th hundredth of the trees, each of which learned from other trials.
        total: the share of all that it has a part in, together with others too.
        y: the mean cost over all other settings, at GRID places from 0 to 1; y_low, y_high as low and high.
        beside: the same with the other settings as in one trial; None where none was named.
    """

    dimension: int
    share: float
    low: float
    high: float
    total: float
    y: np.ndarray
    y_low: np.ndarray
    y_high: np.ndarray
    beside: np.ndarray | None


@dataclass(frozen=True, eq=False)
class Effects:
    """What was learned of all settings.

    Args:
        each: the most important first.
        chance: the share that a made-up setting gets, which does nothing: what is not above is not told from chance.
        explained: how much of the variance between trials that a tree did not see the forest explains, at most 1.
        trials: it was learned from.
    """

    each: list[Effect]
    chance: float
    explained: float
    trials: int


@dataclass(frozen=True, eq=False)
class Tree:
    """Boxes that fill the space, and what the cost is in each.

    Shapes: low, high (leaf, dimension); value (leaf,).
    """

    low: np.ndarray
    high: np.ndarray
    value: np.ndarray


def effects_of(trials: Sequence[Trial], point: Sequence[float] = ()) -> Effects | None:
    """What the settings of a search did; None of fewer than FEWEST trials, or where all cost the same.

    Args: point: of a trial beside which the response is told as well.
    Formula: of a tree f over the unit cube, V_S is the variance of its mean over all settings but those in S; the share
        of j is V_{j} / V_all, its total 1 - V_{all but j} / V_all.
    Source: Hutter, Hoos and Leyton-Brown 2014, "An Efficient Approach for Assessing Hyperparameter Importance"; totals:
        Homma and Saltelli 1996, equation 6.
    Differs: costs far above the median are cut; what trials would have come to that were paused is guessed (`costs`); a
        made-up setting, another in each tree, tells what chance gives (after Kursa and Rudnicki 2010).
    """
    x, y = costs(trials)
    if len(y) < FEWEST or np.ptp(y) == 0 or not 0 < x.shape[1] <= MOST_DIMENSIONS:
        return None
    middle = float(y.mean())
    y = y - middle
    count = x.shape[1]
    shares, totals, answers, besides, guesses = [], [], [], [], []
    for number in range(TREES):
        rng = np.random.default_rng([number, len(y)])
        drawn = rng.integers(len(y), size=min(len(y), MOST_ROWS))
        own = np.concatenate((x, rng.random((len(y), 1))), 1)
        tree = grown(own[drawn], y[drawn])
        alone, whole = decomposed(tree)
        shares.append(alone)
        totals.append(whole)
        answers.append([response(tree, dimension) for dimension in range(count)])
        if len(point) == count:
            besides.append([beside(tree, (*point, 0.5), dimension) for dimension in range(count)])
        guesses.append(_unseen(tree, own, drawn))
    share, total = np.mean(shares, 0), np.mean(totals, 0)
    low, high = np.quantile(shares, BAND, 0)
    mean, (y_low, y_high) = np.mean(answers, 0), np.quantile(answers, BAND, 0)
    each = [
        Effect(
            at,
            float(share[at]),
            float(low[at]),
            float(high[at]),
            float(total[at]),
            mean[at] + middle,
            y_low[at] + middle,
            y_high[at] + middle,
            np.mean(besides, 0)[at] + middle if besides else None,
        )
        for at in sorted(range(count), key=lambda at: (-share[at], at))
    ]
    return Effects(each, float(share[count]), _explained(np.array(guesses), y), len(y))


def costs(trials: Sequence[Trial]) -> tuple[np.ndarray, np.ndarray]:
    """Where trials lie and what they cost, as the forest learns it; the default, which lies nowhere, is left out.

    A trial that was paused counts for what it may have come to: its cost less the median of what those gained from that
    epoch on that went to the end. One that failed counts as the costliest that did not.

    Shapes: (trial, dimension), (trial,).
    """
    placed = [each for each in trials if each.point]
    known = [each for each in placed if each.state != "failed" and each.best is not None and math.isfinite(each.best)]
    failed = [each for each in placed if each.state == "failed"]
    if not known:
        return np.empty((0, 0)), np.empty(0)
    to_end = [each for each in known if each.state == "done"][:MOST_GOING]
    gained: dict[float, float] = {}
    found = []
    for each in known:
        assert each.best is not None
        if each.state == "paused" and each.epochs not in gained:
            gained[each.epochs] = _gained(to_end, each.epochs)
        found.append(each.best - (gained[each.epochs] if each.state == "paused" else 0.0))
    y = np.array(found)
    middle = float(np.median(y))
    y = np.minimum(y, middle + FAR * (middle - y.min())) if middle > y.min() else y
    x = np.array([each.point for each in [*known, *failed]])
    return x, np.concatenate((y, np.full(len(failed), y.max())))


def grown(x: np.ndarray, y: np.ndarray) -> Tree:
    """A tree that splits where that lowers the squared error most, the best split of all leaves first.

    Shapes: x (row, dimension), from 0 to 1; y (row,).
    """
    count = x.shape[1]
    low, high, rows = [np.zeros(count)], [np.ones(count)], [np.arange(len(y))]
    waiting: list[tuple[float, int, int, float]] = []

    def look(leaf: int) -> None:
        gain, dimension, at = _split(x[rows[leaf]], y[rows[leaf]])
        if gain > 0:
            heapq.heappush(waiting, (-gain, leaf, dimension, at))

    look(0)
    while waiting and len(rows) < MOST_LEAVES:
        _, leaf, dimension, at = heapq.heappop(waiting)
        own = rows[leaf]
        is_left = x[own, dimension] <= at
        low.append(low[leaf].copy())
        high.append(high[leaf].copy())
        low[-1][dimension] = high[leaf][dimension] = at
        rows.append(own[~is_left])
        rows[leaf] = own[is_left]
        look(leaf)
        look(len(rows) - 1)
    return Tree(np.array(low), np.array(high), np.array([y[each].mean() for each in rows]))


def _split(x: np.ndarray, y: np.ndarray) -> tuple[float, int, float]:
    """By how much the squared error falls at best, in which dimension, and where."""
    count = len(y)
    if count < 2 * LEAST_ROWS:
        return 0.0, 0, 0.0
    order = np.argsort(x, 0, kind="stable")
    ranked = np.take_along_axis(x, order, 0)
    sums = np.cumsum(y[order], 0)
    whole = float(y.sum())
    left = np.arange(1, count)[:, None]
    gains = sums[:-1] ** 2 / left + (whole - sums[:-1]) ** 2 / (count - left) - whole**2 / count
    can = (ranked[1:] > ranked[:-1]) & (left >= LEAST_ROWS) & (left <= count - LEAST_ROWS)
    gains = np.where(can, gains, 0.0)
    at, dimension = np.unravel_index(int(np.argmax(gains)), gains.shape)
    gain = float(gains[at, dimension])
    if gain <= 1e-12 * float(y @ y):
        return 0.0, 0, 0.0
    return gain, int(dimension), float(ranked[at, dimension] + ranked[at + 1, dimension]) / 2


def decomposed(tree: Tree) -> tuple[np.ndarray, np.ndarray]:
    """The shares of the variance of each dimension, alone and of all that it has a part in.

    Formula: V_S + mean² is the sum over pairs of leaves k, l of value_k value_l times, for each dimension, how long the
        overlap of their sides is (in S), or the product of their sides (not in S).
    Shapes: both (dimension,).
    """
    sides = tree.high - tree.low
    size = sides.prod(1)
    mean = float(size @ tree.value)
    whole = float(size @ tree.value**2) - mean**2
    count = sides.shape[1]
    if whole <= 1e-15 * float(size @ tree.value**2):
        return np.zeros(count), np.zeros(count)
    overlaps = [
        np.maximum(
            0.0,
            np.minimum.outer(tree.high[:, at], tree.high[:, at]) - np.maximum.outer(tree.low[:, at], tree.low[:, at]),
        )
        for at in range(count)
    ]
    ones = np.ones((len(size), len(size)))
    after = [ones]  # products of the overlaps of all dimensions behind one, the last first
    for each in overlaps[:0:-1]:
        after.append(after[-1] * each)
    alone, without, before = np.empty(count), np.empty(count), ones
    for at in range(count):
        rest = tree.value * size / sides[:, at]
        alone[at] = rest @ overlaps[at] @ rest - mean**2
        own = tree.value * sides[:, at]
        without[at] = own @ (before * after[count - 1 - at]) @ own - mean**2
        before = before * overlaps[at]
    return np.maximum(alone / whole, 0.0), np.maximum(1 - without / whole, 0.0)


def response(tree: Tree, dimension: int) -> np.ndarray:
    """The mean of a tree over all other dimensions, at GRID places of one. Shapes: (GRID,)."""
    sides = tree.high - tree.low
    rest = tree.value * np.delete(sides, dimension, 1).prod(1)
    at = np.linspace(0, 1, GRID)[:, None]
    is_within = (at >= tree.low[:, dimension]) & ((at < tree.high[:, dimension]) | (tree.high[:, dimension] == 1))
    return is_within @ rest


def beside(tree: Tree, point: Sequence[float], dimension: int) -> np.ndarray:
    """What a tree says at GRID places of one dimension, the others as at a point. Shapes: (GRID,)."""
    places = np.tile(np.array(point, float), (GRID, 1))
    places[:, dimension] = np.linspace(0, 1, GRID)
    return tree.value[_leaves(tree, places)]


def _leaves(tree: Tree, places: np.ndarray) -> np.ndarray:
    """The leaf of each place. Shapes: places (place, dimension)."""
    found = np.empty(len(places), np.int64)
    for start in range(0, len(places), 200):  # in pieces: a number for each place, leaf and dimension at once is large
        part = places[start : start + 200, None]
        found[start : start + 200] = ((part >= tree.low) & ((part < tree.high) | (tree.high == 1))).all(2).argmax(1)
    return found


def _gained(to_end: Sequence[Trial], epochs: float) -> float:
    gains = []
    for each in to_end:
        before = [cost for at, cost in each.curve if at <= epochs and cost is not None]
        if before and each.epochs > epochs and each.best is not None:
            gains.append(max(0.0, min(before) - each.best))
    return float(np.median(gains)) if gains else 0.0


def _unseen(tree: Tree, x: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """What a tree says of trials that it did not learn from; NaN of the others, and of those behind MOST_ROWS."""
    asked = x[:MOST_ROWS]
    said = tree.value[_leaves(tree, asked)]
    said[np.unique(drawn[drawn < len(asked)])] = np.nan
    return said


def _explained(guesses: np.ndarray, y: np.ndarray) -> float:
    is_known = ~np.isnan(guesses)
    has = is_known.any(0)
    y = y[: guesses.shape[1]][has]
    if len(y) < 2 or np.ptp(y) == 0:
        return 0.0
    mean = np.where(is_known, guesses, 0.0).sum(0)[has] / is_known.sum(0)[has]
    return float(1 - ((y - mean) ** 2).mean() / y.var())


__all__ = [
    "FEWEST",
    "GRID",
    "Effect",
    "Effects",
    "Tree",
    "beside",
    "costs",
    "decomposed",
    "effects_of",
    "grown",
    "response",
]
