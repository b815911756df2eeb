"""What matters: by how much a figure gets worse where a column's values are dealt to other rows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from preceptor import ops
from preceptor.autodiff import grad
from preceptor.data.encoding.levels import Codes
from preceptor.engines import Engine
from preceptor.evidence.judges import JudgedTarget, Predict
from preceptor.evidence.record import Importance
from preceptor.evidence.sources import Source, Sources
from preceptor.graph import trace
from preceptor.nn import Layer, Loss
from preceptor.nn.layer import output_spec
from preceptor.nn.member import quantiles_of
from preceptor.ops import Spec
from preceptor.train.interval import effective, student
from preceptor.train.metric import log_of

__all__ = ["Cost", "Measured", "Shuffles", "most_promising", "planned", "shuffled", "varying"]

Floats = NDArray[np.float64]

MOST_COLUMNS = 200  # that are shuffled, and kept
MOST_ROWS, FEWEST_ROWS = 5_000, 100  # the interval of a mean hardly narrows by more, says little of fewer
REPEATS = 5  # as scikit-learn has it
LEAST_WORK = 2e8  # multiplications: about 0.01 s, so that a tiny training too tells something
BATCH_NUMBERS = 1 << 22  # of shuffled copies that are held at once: 16 MiB
SCREENED = 512  # rows by which columns are chosen where there are too many


@dataclass(frozen=True, eq=False)
class Measured:
    """By which figure columns are told apart, and how far it is off for each row. The mean of these over rows is the
    figure, or 1 less it.

    One figure serves all columns, is a mean over rows, and tells small changes. Of classes that is the log loss, which
    moves before a decision turns, what accuracy does not see; of margins, which are no probabilities, accuracy. Of a
    number r², whose unit is always the same; of quantiles their own loss.

    Args:
        targets: those of some rows that judge, which stand for all that are looked at.
    """

    targets: tuple[JudgedTarget, ...]
    weight: np.ndarray | None = None

    @cached_property
    def each(self) -> tuple[str, ...]:
        """The figure of each target."""
        found = []
        for told in self.targets:
            if told.target.classes is None:
                found.append("pinball_loss" if quantiles_of(told.loss) else "r2")
            else:
                p = told.predicted
                found.append("log_loss" if ((p != 0) & (p != 1)).any() else "accuracy")
        return tuple(found)

    @property
    def name(self) -> str:
        """The figure; of several targets that are measured in different ways "loss", their mean."""
        return self.each[0] if len(set(self.each)) == 1 else "loss"

    @cached_property
    def counts(self) -> Floats:
        """What each row counts. Shapes: -> (row,)."""
        rows = len(self.targets[0].y)
        return np.ones(rows) if self.weight is None else np.asarray(self.weight, np.float64)

    @cached_property
    def _variances(self) -> tuple[float, ...]:
        found = []
        for told in self.targets:
            y = told.y.astype(np.float64)
            mean = np.average(y, weights=self.counts)
            found.append(float(np.average((y - mean) ** 2, weights=self.counts)) or 1.0)
        return tuple(found)

    def losses(self, predicted: Sequence[np.ndarray], rows: np.ndarray) -> Floats:
        """How far off what is predicted is: the mean over the targets. Shapes: predicted as of `Asked`, one each for
        rows (row,), numbers among those of the targets -> (row,)."""
        total = np.zeros(len(rows))
        for told, name, variance, found in zip(self.targets, self.each, self._variances, predicted, strict=True):
            y = told.y[rows]
            if name == "log_loss":
                total -= log_of(found[np.arange(len(rows)), y.astype(np.int64)].astype(np.float64))
            elif name == "accuracy":
                total += found.argmax(axis=1) != y
            elif name == "r2":
                total += (found.reshape(len(rows)).astype(np.float64) - y) ** 2 / variance
            else:
                share = np.array(quantiles_of(told.loss))
                distance = (y[:, None] - found.astype(np.float64)) * told.target.sd
                total += np.maximum(share * distance, (share - 1) * distance).mean(axis=1)
        return total / len(self.targets)


@dataclass(frozen=True, eq=False)
class Shuffles:
    """Which columns are shuffled, how often, over how many rows.

    Args:
        columns: numbers among the sources, in their order; `left`: how many others vary and are not looked at.
    """

    columns: NDArray[np.int64]
    rows: int
    repeats: int
    left: int = 0


@dataclass(frozen=True)
class Cost:
    """What may be spent. Args: work: multiplications; `each`: those of one row that is asked for."""

    work: float
    each: int

    @property
    def asked(self) -> int:
        """How many rows may be asked for."""
        return int(max(self.work, LEAST_WORK) / max(self.each, 1))


def planned(varying: NDArray[np.int64], rows: int, asked: int, repeats: int = REPEATS) -> Shuffles:
    """How to spend so many predictions on columns, the most promising first.

    As many rows as there are come before repeats: these make the chance of one shuffle smaller, those that of the rows
    as well. Of more than MOST_COLUMNS columns, or than have FEWEST_ROWS each, the first are taken.
    """
    fewest = min(rows, FEWEST_ROWS)
    count = int(np.clip(asked // max(fewest, 1), 1, MOST_COLUMNS))
    columns = np.sort(varying[:count])
    per_column = asked // max(len(columns), 1)
    own = int(np.clip(per_column, fewest, min(rows, MOST_ROWS)))
    return Shuffles(columns, own, int(np.clip(per_column // max(own, 1), 1, repeats)), len(varying) - len(columns))


def permutations(seed: int, column: int, repeats: int, rows: int) -> NDArray[np.int64]:
    """The orders in which a column's values are dealt to the rows. Shapes: -> (repeat, row)."""
    rng = np.random.default_rng((seed, column))
    return np.stack([rng.permutation(rows) for _ in range(repeats)])


def shuffled(
    sources: Sources, z: np.ndarray, predict: Predict, measured: Measured, plan: Shuffles, seed: int
) -> list[Importance]:
    """By how much the figure gets worse where each column's values are dealt to other rows, with what is missing; the
    largest first.

    Formula: of each column m, the weighted mean over rows i and repeats r of d_ri = loss(row i with the value of row
        p_r(i)) - loss(row i). A row counts in it as the one that is changed and as the one whose value is taken. So
        with e_ri = w_i (d_ri - m) and f_ri = e_rj of the row j that took the value of i, the error of m is
        error² = (sum over i of mean over r of (e_ri + f_ri)², the mean squared, - sum over i, r of e_ri² / R²) /
        (sum of w)² * n / (n - 1), n the effective rows: what is subtracted is the chance of the R shuffles, that
        stands in e and in f and adds up once. At least a quarter of the first sum is left.
    Shapes: z (row, feature), what the columns make of the rows that `measured` holds.
    Source: Breiman 2001, section 10; Fisher, Rudin and Dominici 2019, section 3, for the estimate as a U-statistic.
    """
    rows = np.arange(len(z))
    base = measured.losses(predict(sources.features(z), rows), rows)
    chosen = [sources.each[column] for column in plan.columns.tolist()]
    orders = [permutations(seed, column, plan.repeats, len(z)) for column in plan.columns.tolist()]
    jobs = [(place, repeat) for place in range(len(chosen)) for repeat in range(plan.repeats)]
    size = max(1, BATCH_NUMBERS // max(1, z.size))
    differences = np.empty((len(chosen), plan.repeats, len(z)))
    for start in range(0, len(jobs), size):
        some = jobs[start : start + size]
        copies = np.repeat(z[None], len(some), 0)
        for copy, (place, repeat) in zip(copies, some, strict=True):
            places = chosen[place].places
            copy[:, places] = z[orders[place][repeat]][:, places]
        flat, own = copies.reshape(-1, z.shape[1]), np.tile(rows, len(some))
        losses = measured.losses(predict(sources.features(flat), own), own).reshape(len(some), -1)
        for found, (place, repeat) in zip(losses, some, strict=True):
            differences[place, repeat] = found - base
    each = [
        _with_interval(source.name, difference, order, measured.counts)
        for source, difference, order in zip(chosen, differences, orders, strict=True)
    ]
    return sorted(each, key=lambda one: -one.value)


def _with_interval(name: str, difference: Floats, order: NDArray[np.int64], weight: Floats) -> Importance:
    """Shapes: difference, order (repeat, row); weight (row,)."""
    kept = np.isfinite(difference).all(axis=0)
    w = np.where(kept, weight, 0)
    if not w.any():
        return Importance(column=name, value=0.0, low=0.0, high=0.0)
    difference = np.where(kept, difference, 0)
    value = float((difference * w).sum() / (w.sum() * len(difference)))
    off = w * (difference - value)
    given = np.zeros_like(off)
    np.put_along_axis(given, order, off, axis=1)  # row p(i) gave its value to row i
    whole, repeats = float(((off + given).mean(axis=0) ** 2).sum()), len(off)
    square = max(whole - float((off**2).sum()) / repeats**2, whole / 4)
    rows = effective(w)
    half = math.inf
    if rows - 1 > 1e-9:
        half = student(rows - 1) * math.sqrt(square * rows / (rows - 1)) / float(w.sum())
    low, high = (value - half, value + half) if math.isfinite(half) else (value, value)
    return Importance(column=name, value=value, low=low, high=high)


def varying(sources: Sources, z: np.ndarray) -> NDArray[np.int64]:
    """The columns that are not the same in all rows: of the others the importance is 0. Shapes: z (row, feature)."""
    changes = (z != z[:1]).any(axis=0)
    return np.array([at for at, each in enumerate(sources.each) if changes[each.places].any()], np.int64)


def most_promising(
    candidates: NDArray[np.int64],
    sources: Sources,
    z: np.ndarray,
    y: np.ndarray,
    network: Layer,
    loss: Loss,
    params: dict[str, np.ndarray],
    state: dict[str, np.ndarray],
    engine: Engine,
) -> NDArray[np.int64]:
    """Columns by how far the loss would move were each of its features brought to its mean, at the present slope, the
    farthest first; those of numbered levels, which have no slope, before all others.

    Formula: sum over the column's features of the mean over rows of |(z - mean z) dJ/dz|.
    Shapes: z (row, feature), of which SCREENED are looked at; y as the loss takes it -> as candidates.
    Source: gradient times input, Shrikumar et al. 2017, section 2, about the mean.
    """
    dtype = np.dtype(np.float64 if engine.precision == "f64" else np.float32)
    z = z[:SCREENED]
    x = np.ascontiguousarray(sources.features(z), dtype)

    def total(x: Any, params: Any, state: Any, target: Any) -> Any:
        return ops.sum(loss(network.apply(params, state, x, train=False, key=None)[0], target))

    units = output_spec(network, params, state, Spec(x.shape, dtype)).shape[-1]
    target = loss.prepared(y[: len(x)], units, dtype)
    program = trace(grad(total))(x, params, state, target)
    leaves = [x, *(values[path] for values in (params, state) for path in sorted(values)), target]
    with np.errstate(all="ignore"):
        slope = np.asarray(engine.compile(program.graph)(leaves)[0], np.float64)
    moved = np.nan_to_num(np.abs(sources.slopes(slope) * (z - z.mean(axis=0))).mean(axis=0))

    def score(source: Source) -> float:
        return math.inf if isinstance(source.column, Codes) else float(moved[source.places].sum())

    scores = np.array([score(sources.each[at]) for at in candidates.tolist()])
    found: NDArray[np.int64] = candidates[np.argsort(-scores, kind="stable")]
    return found
