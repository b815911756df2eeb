"""The order in which rows are trained on: an endless stream that can be entered anywhere."""

from functools import lru_cache

import numpy as np


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
