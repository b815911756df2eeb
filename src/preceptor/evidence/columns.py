"""The columns of a table, or what pictures are, as the training rows have them."""

import math
from collections import Counter
from collections.abc import Mapping

import numpy as np
from msgspec.structs import replace

from preceptor.data import Preprocessor, Table, Target
from preceptor.data.encoding.preprocessor import Feature
from preceptor.data.tables.table import TRUTH
from preceptor.evidence.handling import how_handled, how_told, kind_of_column
from preceptor.evidence.record import Column, finite

__all__ = ["BINS", "MOST_COLUMNS", "MOST_LEVELS", "columns_of", "histogram", "shortened"]

MOST_COLUMNS, MOST_ROWS, MOST_LEVELS = 200, 100_000, 12
MOST_CELLS = 1 << 18  # of a block of numbers that are counted
BINS = 20
TAIL = 0.005  # of the numbers at each end, left out of the middle of a histogram
HEAVY = 2.0  # times as far as the middle reach numbers with heavy tails
LONGEST = 80  # characters of a value


def columns_of(table: Table, train: np.ndarray, preprocessor: Preprocessor) -> tuple[list[Column], int]:
    """Each column in the order of the table, targets first, at most MOST_COLUMNS; and how many there are.

    Of many rows MOST_ROWS are counted, spread evenly.

    Args:
        train: the training rows, by their numbers in the table. Shapes: (row,).
    """
    targets = {target.name: target for target in preprocessor.targets}
    handled = {column.name: column for column in preprocessor.columns}
    aside = dict(preprocessor.set_aside)
    names = [*targets, *(name for name in table.columns if name not in targets)]
    rows = _spread(train, MOST_ROWS)
    found = [
        _column(
            table, name, rows, targets.get(name), handled.get(name), aside.get(name, "it is not used"), preprocessor
        )
        for name in names[:MOST_COLUMNS]
    ]
    return found, len(names)


def _column(
    table: Table,
    name: str,
    rows: np.ndarray,
    target: Target | None,
    handled: Feature | None,
    reason: str,
    preprocessor: Preprocessor,
) -> Column:
    if target is not None:
        kind, done = "target", how_told(target)
    elif handled is None:
        kind, done = "set aside", f"Set aside: {reason}."
    else:
        kind, done = kind_of_column(handled), how_handled(handled, preprocessor)
    values = table.columns[name]
    if values.ndim == 2:
        rows = _spread(rows, max(1, MOST_CELLS // max(1, values.shape[1])))
    values = values[rows]
    about = Column(name=name, kind=kind, done=done)
    if target is not None and target.classes is not None:
        codes = target.encode(Table(table.name, {name: values}, senses=table.senses), rows)
        counts = np.bincount(codes, minlength=len(target.classes)).tolist()
        return _of_levels(about, dict(zip(target.written, counts, strict=True)), len(values))
    if values.dtype == object:
        texts = Counter(values.tolist())
        del texts[None]
        return _of_levels(about, texts, len(values))
    if values.dtype == bool or table.senses.get(name) == TRUTH:
        shares = values.astype(np.float64)
        truths = {"true": int(np.count_nonzero(shares == 1)), "false": int(np.count_nonzero(shares == 0))}
        return _of_levels(about, truths, len(values))
    return _of_numbers(about, values)


def _of_levels(about: Column, counts: Mapping[str, int], rows: int) -> Column:
    """A column of which the most frequent levels are told, of equal ones the first. Args: counts: rows of each."""
    there = sum(counts.values())
    ranked = sorted(((level, count) for level, count in counts.items() if count), key=lambda each: -each[1])
    shown = ranked[:MOST_LEVELS]
    return replace(
        about,
        missing=_share(rows - there, rows),
        distinct=len(ranked),
        levels=[shortened(level) for level, _ in shown],
        counts=[float(count) for _, count in shown],
        others=float(there - sum(count for _, count in shown)),
    )


def _of_numbers(about: Column, values: np.ndarray) -> Column:
    """A column of numbers, a block of them, or dates in seconds since 1970."""
    flat = values.reshape(-1)
    if flat.dtype.kind == "M":
        known = flat[~np.isnat(flat)].astype("M8[s]").astype(np.float64)
    else:
        known = flat.astype(np.float64, copy=False)
        known = known[np.isfinite(known)] if known.dtype.kind == "f" else known
    known = np.sort(known)
    edges, counts = histogram(known)
    distinct = 1 + int(np.count_nonzero(known[1:] != known[:-1])) if len(known) else 0
    return replace(
        about,
        missing=_share(len(flat) - len(known), len(flat)),
        distinct=distinct,
        edges=edges,
        counts=counts,
        lowest=float(known[0]) if len(known) else None,
        highest=float(known[-1]) if len(known) else None,
    )


def histogram(known: np.ndarray, bins: int = BINS) -> tuple[list[float], list[float]]:
    """The edges of at most so many equal bins, and how many numbers lie in each; nothing of no numbers.

    Where tails are heavy the bins lie between the quantiles of TAIL and 1 less TAIL, and the outer two hold what lies
    beyond. Bins of whole numbers are as wide as whole numbers, so that each holds as many of them as another.

    Args:
        known: sorted, finite. Shapes: (number,).
    """
    if not len(known):
        return [], []
    low, high = float(known[0]), float(known[-1])
    cut = round(TAIL * (len(known) - 1))
    inner_low, inner_high = float(known[cut]), float(known[-1 - cut])
    if inner_low < inner_high and high - low > HEAVY * (inner_high - inner_low):
        low, high = inner_low, inner_high
    if max(abs(low), abs(high)) < 2**52 and bool((known == np.floor(known)).all()):
        width = max(1, math.ceil((high - low + 1) / bins))
        count = math.ceil((high - low + 1) / width)
        edges = low - 0.5 + width * np.arange(count + 1)
    else:
        with np.errstate(over="ignore", invalid="ignore"):
            edges = low + (high - low) * (np.arange(bins + 1) / bins) if high > low else np.array([low, low])
        if not np.isfinite(edges).all() or (high > low and (np.diff(edges) <= 0).any()):
            edges = np.array([low, high])  # too far apart, or too near, for bins of float64
    inner = np.searchsorted(known, edges[1:-1]) if len(edges) > 2 else np.zeros(0, np.int64)
    counts = np.diff([0, *inner.tolist(), len(known)])
    return edges.tolist(), counts.astype(float).tolist()


def shortened(text: str) -> str:
    """A text of at most LONGEST characters."""
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _share(part: int, whole: int) -> float:
    return finite([part / whole if whole else 0.0])[0] or 0.0


def _spread(rows: np.ndarray, most: int) -> np.ndarray:
    """At most so many of the rows, spread evenly."""
    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]
