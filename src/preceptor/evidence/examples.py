"""The rows that a network tells worst, and those that it tells as it should."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from preceptor.data import LongTable, Preprocessor, Table, Target
from preceptor.evidence.columns import shortened
from preceptor.evidence.record import Example
from preceptor.words import amount

__all__ = ["Chosen", "cells", "choose", "rows_of"]

MOST = 8  # of each kind and target
MOST_IN_ALL = 64  # of all targets
MOST_COLUMNS = 30
LEAST = 1e-12  # a probability below counts as this one
LARGEST = 1e300  # counts for an error that is no number
SHOWN = 12  # numbers of a block


@dataclass(frozen=True)
class Chosen:
    """An example, where it stands among the rows that judge, and the class that is predicted, -1 of a number."""

    place: int
    predicted: int
    example: Example


def choose(
    target: Target, numbers: np.ndarray, y: np.ndarray, predicted: np.ndarray, decided: np.ndarray, targets: int = 1
) -> list[Chosen]:
    """The worst, then the most typical of the rows that judge, no row twice.

    The loss of a row is -ln of its class's probability, or the distance of a number from the prediction. Typical of
    classes are the rows of the lowest loss, one of each class in turn, the most frequent classes first; of numbers
    those whose error is nearest 0 and whose target is nearest the median, both in standard deviations.

    Shapes: numbers (row,), from 0, where each row lies in the data; y (row,): numbers of classes, or numbers in the
        target's unit; predicted (row, class), probabilities, or (row,), numbers in the target's unit; decided (row,),
        the class that is decided for, of numbers ignored.
    Args:
        targets: how many there are in all, which share what is shown.
    """
    most = min(MOST, max(1, MOST_IN_ALL // (2 * targets)))
    if target.classes is not None:
        own = predicted[np.arange(len(y)), y].astype(np.float64)
        losses = -np.log(np.clip(np.nan_to_num(own, nan=0.0), LEAST, 1)) + 0.0  # which makes 0 of -0
    else:
        losses = np.nan_to_num(np.abs(predicted - y), nan=LARGEST, posinf=LARGEST)
    worst = np.argsort(-losses, kind="stable")[: min(most, -(-len(y) // 2))]
    is_other = np.ones(len(y), bool)
    is_other[worst] = False
    others = np.flatnonzero(is_other)
    typical = _of_classes(losses, y, others, most) if target.classes is not None else _of_numbers(losses, y, others)
    kinds = [("worst", int(place)) for place in worst] + [("typical", int(place)) for place in typical[:most]]
    found = []
    for kind, place in kinds:
        if target.classes is None:
            true, told, said, sure = amount(y[place], 6), amount(predicted[place], 6), -1, None
        else:
            said = int(decided[place])
            true, told = (shortened(target.written[each]) for each in (int(y[place]), said))
            sure = float(np.nan_to_num(predicted[place, said], nan=0.0))
        about = Example(
            kind=kind,
            target=target.name,
            row=int(numbers[place]) + 1,
            true=true,
            predicted=told,
            loss=float(f"{losses[place]:.6g}"),
            probability=None if sure is None else float(f"{sure:.6g}"),
        )
        found.append(Chosen(place, said, about))
    return found


def _of_classes(losses: np.ndarray, y: np.ndarray, rows: np.ndarray, most: int) -> list[int]:
    """The rows of the lowest loss, of each class in turn. Shapes: rows (row,), rising."""
    counts = np.bincount(y[rows]) if len(rows) else np.zeros(0, np.int64)
    classes = [each for each in np.argsort(-counts, kind="stable") if counts[each]]
    each = [own[np.argsort(losses[own], kind="stable")][:most] for own in (rows[y[rows] == c] for c in classes)]
    return [int(own[turn]) for turn in range(most) for own in each if turn < len(own)][:most]


def _of_numbers(losses: np.ndarray, y: np.ndarray, rows: np.ndarray) -> list[int]:
    """The rows by how near they lie to the middle of the errors and of the targets, the nearest first."""
    if not len(rows):
        return []
    spread, error = max(float(np.std(y)), 1e-300), max(float(np.median(losses)), 1e-300)
    far = ((y[rows] - np.median(y)) / spread) ** 2 + (np.minimum(losses[rows] / error, 1e100)) ** 2
    found: list[int] = rows[np.argsort(far, kind="stable")].tolist()
    return found


def cells(table: Table | LongTable, numbers: Sequence[int], learned: Preprocessor) -> list[list[tuple[str, str]]]:
    """What stands in some rows of a table: column and value as text, at most MOST_COLUMNS, those that are used first
    where there are more.

    Args:
        numbers: of the rows in the table, from 0.
    """
    targets = {target.name for target in learned.targets}
    used = {column.name for column in learned.columns}
    names = [name for name in table.columns if name not in targets]
    if len(names) > MOST_COLUMNS:
        first = [name for name in names if name in used]
        kept = set([*first, *(name for name in names if name not in used)][:MOST_COLUMNS])
        names = [name for name in names if name in kept]
    found = []
    for piece, row in rows_of(table, numbers, names):
        found.append([(name, shortened(_as_text(piece.columns[name][row], piece, name))) for name in names])
    return found


def rows_of(table: Table | LongTable, numbers: Sequence[int], names: Sequence[str]) -> list[tuple[Table, int]]:
    """Tables that hold some rows, and where each row lies in its table."""
    if isinstance(table, Table):
        return [(table, row) for row in numbers]
    return [(table.piece(row, row + 1, names), 0) for row in numbers]


def _as_text(value: object, table: Table, name: str) -> str:
    """A value of a table as it may have been written; nothing for a missing one."""
    if isinstance(value, np.ndarray):
        more = f", … ({len(value):,} numbers)" if len(value) > SHOWN else ""
        return ", ".join(_as_text(each, table, "") for each in value[:SHOWN]) + more
    if value is None or value != value:
        return ""
    if isinstance(value, np.datetime64):
        return "" if np.isnat(value) else str(value).replace("T", " ").removesuffix(" 00:00:00")
    if isinstance(value, (bool, np.bool_)) or table.senses.get(name):
        return "true" if value else "false"
    if isinstance(value, np.floating):
        whole = abs(float(value)) < 1e15 and float(value).is_integer()
        return str(int(value)) if whole else str(value)
    return str(value)
