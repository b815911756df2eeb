"""How predictions answer to a column: what is predicted where it is set to a value in all rows."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from preceptor.data.encoding.dates import Dates
from preceptor.data.encoding.texts import Text
from preceptor.evidence.judges import JudgedTarget, Predict
from preceptor.evidence.record import Response, plain
from preceptor.evidence.sources import Source, Sources

__all__ = ["GRID", "MOST_RESPONSES", "can_respond", "responses"]

Floats = NDArray[np.float64]

MOST_RESPONSES = 6  # columns
MOST_TARGETS, MOST_CLASSES = 4, 4
GRID, LEVELS, BINS = 20, 12, 20
ENDS = (0.01, 0.99)  # of the rows, between which a number is set: beyond it there is hardly a row to learn from
BATCH_NUMBERS = 1 << 22  # as of importance


def can_respond(source: Source) -> bool:
    """Whether a column is numbers, dates, truth values or categories; sentences have no value to set."""
    return not isinstance(source.column, Text)


def responses(
    sources: Sources,
    chosen: Sequence[Source],
    z: np.ndarray,
    predict: Predict,
    targets: Sequence[JudgedTarget],
    weight: np.ndarray | None = None,
    seen: np.ndarray | None = None,
) -> list[Response]:
    """What is predicted, on average over rows, where a column is set to one value in all of them.

    A number is set to GRID values, with as many rows between each two, or where these are few with as many different
    values between; a date to such days since 1970; a category to its most frequent levels. Drawn are the classes that
    most rows have; of two the second.

    Formula: f(v) = weighted mean over rows of prediction(row with v in the column).
    Shapes: z (row, feature), what the columns make of the rows of `targets`; seen (row, feature), that of all rows that
        judge, whose values make grid and histogram: z without it; weight (row,).
    Source: Friedman 2001, section 8.2 (partial dependence).
    """
    w = np.ones(len(z)) if weight is None else np.asarray(weight, np.float64)
    seen, found, rows = z if seen is None else seen, list[Response](), np.arange(len(z))
    for source in chosen:
        set_to = _numbers(source, seen) if source.is_number else _levels(source, seen)
        if set_to is None:
            continue
        encoded, about = set_to
        size, means = max(1, BATCH_NUMBERS // max(1, z.size)), list[list[Floats]]()
        for start in range(0, len(encoded), size):
            some = encoded[start : start + size]
            copies = np.repeat(z[None], len(some), 0)
            for copy, own in zip(copies, some, strict=True):
                copy[:, source.places] = own
            flat = sources.features(copies.reshape(-1, z.shape[1]))
            told = predict(flat, np.tile(rows, len(some)))
            each = [_lines(target, p) for target, p in zip(targets[:MOST_TARGETS], told, strict=False)]
            means += [[_mean(line.reshape(len(some), len(z), -1)[at], w) for line in each] for at in range(len(some))]
        for place, target in enumerate(targets[:MOST_TARGETS]):
            y = np.stack([mean[place] for mean in means], 1)
            drawn, names = _drawn(target, w)
            found.append(
                Response(
                    column=source.name,
                    target=target.target.name,
                    names=names,
                    y=[plain(y[at]) for at in drawn],
                    **about,
                )
            )
    return found


def _numbers(source: Source, z: np.ndarray) -> tuple[np.ndarray, dict[str, list[float]]] | None:
    """The features of the values that a number is set to, and the values with their histogram."""
    values = source.values(z)
    known = values[~np.isnan(values)]
    if not len(known):
        return None
    if isinstance(source.column, Dates):
        known = np.floor(known)
    shares = np.linspace(*ENDS, GRID)
    grid = np.unique(np.quantile(known, shares, method="inverted_cdf"))
    distinct = np.unique(known[(known >= grid[0]) & (known <= grid[-1])])
    if len(distinct) <= GRID or len(grid) <= GRID // 2:  # few values, or one that most rows have: by those that differ
        grid = distinct[np.unique(np.linspace(0, len(distinct) - 1, GRID).astype(np.int64))]
    ends = (grid[0], grid[-1]) if grid[-1] > grid[0] else (grid[0] - 0.5, grid[0] + 0.5)
    counts, edges = np.histogram(known[(known >= ends[0]) & (known <= ends[1])], BINS, range=ends)
    about = {"x": grid.tolist(), "edges": [float(f"{edge:.12g}") for edge in edges], "counts": plain(counts)}
    return source.encoded(grid), about


def _levels(source: Source, z: np.ndarray) -> tuple[np.ndarray, dict[str, list]] | None:
    """The features of the most frequent levels, in their order, and their words with how many rows have each."""
    chosen = source.chosen(z)
    counts = np.bincount(chosen[chosen >= 0], minlength=len(source.levels))
    top = np.sort(np.argsort(-counts, kind="stable")[:LEVELS])
    top = top[counts[top] > 0]
    if not len(top):
        return None
    about = {"levels": [source.levels[at] for at in top.tolist()], "counts": plain(counts[top])}
    return source.encoded_levels()[top], about


def _lines(told: JudgedTarget, predicted: np.ndarray) -> np.ndarray:
    """Probabilities, or the number in the target's unit. Shapes: -> (row, line), float64."""
    if told.target.classes is not None:
        return predicted.astype(np.float64)
    point = told.loss.point(predicted)
    return told.target.decode(np.asarray(point)).reshape(len(predicted), 1)


def _mean(lines: np.ndarray, weight: Floats) -> Floats:
    """The mean of the rows with finite predictions. Shapes: (row, line) -> (line,)."""
    kept = np.isfinite(lines).all(axis=1) & (weight > 0)
    if not kept.any():
        return np.zeros(lines.shape[1])
    return np.asarray(np.average(lines[kept], axis=0, weights=weight[kept]))


def _drawn(told: JudgedTarget, weight: Floats) -> tuple[list[int], list[str]]:
    """Which lines are drawn, and their names: of a number the target's."""
    if told.target.classes is None:
        return [0], [told.target.name]
    names = told.target.written
    if len(names) == 2:
        return [1], [names[1]]
    sizes = np.bincount(told.y.astype(np.int64), weight, minlength=len(names))
    top = np.sort(np.argsort(-sizes, kind="stable")[:MOST_CLASSES]).tolist()
    return top, [names[at] for at in top]
