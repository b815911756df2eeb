"""The order in which rows are trained on: an endless stream that can be entered anywhere."""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np

from preceptor.data.tables.table import Table


@lru_cache(maxsize=1)
def permutation_indices(key: int, epoch: int, n: int) -> np.ndarray:
    """The random order of range(n) that belongs to one key and one epoch; read-only, the last one is kept.

    Shapes: -> (n,), int32, or int64 from 2**31 rows on.
    Source: Salmon et al. 2011 (Philox), NumPy's generator, keyed by (key, epoch).
    """
    dtype = np.int32 if n < 2**31 else np.int64
    generator = np.random.Generator(np.random.Philox(key=np.array([key, epoch], np.uint64)))
    order = generator.permutation(np.arange(n, dtype=dtype))
    order.flags.writeable = False
    return order


def order(seed: int, start: int, count: int, rows: int) -> np.ndarray:
    """Positions start to start + count of the endless stream of row numbers: one permutation of range(rows) per epoch.

    The position alone says where training stands; any slice comes out the same whether or not earlier ones were drawn.

    Shapes: -> (count,), int32, or int64 from 2**31 rows on.

    Args:
        seed: 0 to 2**64 - 1.
        start: position of the first row wanted, from 0; epoch start // rows.
        count: how many row numbers.
        rows: rows in the training part, at least 1.
    """
    assert rows > 0
    assert start >= 0
    assert count >= 0
    pieces = []
    while count > 0:
        epoch, offset = divmod(start, rows)
        pieces.append(permutation_indices(seed, epoch, rows)[offset : offset + count])
        start += len(pieces[-1])
        count -= len(pieces[-1])
    return np.concatenate(pieces) if pieces else permutation_indices(seed, 0, rows)[:0]


def order_of_contents(table: Table, targets: Sequence[str]) -> np.ndarray:
    """The rows sorted by the first column, those that are equal there by the second, and so on, by the targets last of
    all. What is missing comes behind all that is there.

    Shapes: -> (row,), int64.
    """
    columns = [values for name, values in table.columns.items() if name not in targets]
    columns += [table.columns[target] for target in targets]
    ranks = [each for column in columns for each in _ranks(column)]
    return np.lexsort(ranks[::-1])


def _ranks(column: np.ndarray) -> Iterator[np.ndarray]:
    """The place of each value among those that there are, for each feature."""
    if column.dtype == object:
        column = np.array(["1" if value is None else f"0{value}" for value in column.tolist()])
    for values in column.reshape(len(column), -1).T:
        yield np.unique(values, return_inverse=True)[1]
