"""The rows or pictures that lie nearest to another by what a network sees in them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from preceptor.job.feature_files import columns_beside
from preceptor.job.rows import Rows
from preceptor.job.run import Run

__all__ = ["nearest"]


def nearest(
    run: Run, table: Any, query: Any, count: int, layer: str | None = None, keep: Sequence[str] | None = None
) -> tuple[np.ndarray, Rows]:
    """The rows whose features point most nearly into the direction of those of another, the nearest first.

    Args:
        table: as `embedding.opened`; it is gone through once, some rows at a time.
        query: one row or picture, opened likewise.
        count: how many at most.
        keep: as of `columns_beside`.
    Returns: their numbers, from 0; and for each the columns beside it and `distance`.
    Formula: distance = 1 - x y / (|x| |y|), from 0 to 2; 1 where either is 0 throughout.
    Source: definition; ties in the order of the table.
    Raises: as `Run.embedded`.
    """
    _, asked = next(run.embedded(query, layer))
    names = columns_beside(run, table, keep)
    rows, distances, told = np.zeros(0, np.int64), np.zeros(0), list[dict[str, Any]]()
    start, direction = 0, _directions(asked)[0]
    for piece, found in run.embedded(table, layer):
        own = 1 - _directions(found) @ direction
        here = np.argsort(own, kind="stable")[:count]
        columns = [piece.columns[name][here].tolist() for name in names]
        told += [dict(zip(names, each, strict=True)) for each in zip(*columns, strict=True)] or [{} for _ in here]
        rows, distances = np.append(rows, start + here), np.append(distances, own[here])
        order = np.argsort(distances, kind="stable")[:count]
        rows, distances, told = rows[order], distances[order], [told[each] for each in order]
        start += len(found)
    pairs = zip(told, distances.tolist(), strict=True)
    return rows, Rows({**each, "distance": max(distance, 0.0)} for each, distance in pairs)


def _directions(found: np.ndarray) -> np.ndarray:
    """Rows divided by their lengths, in float64; 0 stays 0. Shapes: (row, feature) -> the same."""
    wide = found.astype(np.float64)
    length = np.sqrt((wide**2).sum(1, keepdims=True))
    return np.divide(wide, length, out=np.zeros_like(wide), where=length > 0)
