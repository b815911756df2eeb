"""Rows of numbers in a file without a name, and the stream of them that training reads."""

import hashlib
import os
import tempfile
import weakref
from functools import lru_cache

import numpy as np

from preceptor.data.stream import Stream
from preceptor.data.tables.scratch import roomy_folder
from preceptor.errors import DataError

BLOCK_BYTES = 1 << 18  # read in one go: long enough that even a disk with a moving head reads more than it seeks
POOL_BYTES = 1 << 27  # rows that are shuffled among one another; held in memory


class RowFile:
    """Rows of float32 on the disk: slices are read from there, `append` adds rows.

    The file has no name, so that nothing is left when the process ends, however it ends.
    """

    def __init__(self, width: int) -> None:
        self.file = tempfile.TemporaryFile(dir=roomy_folder())  # noqa: SIM115 lives as long as the object
        weakref.finalize(self, self.file.close)
        self.dtype, self.width, self.rows = np.dtype(np.float32), width, 0
        self.digest = hashlib.sha256()

    def __len__(self) -> int:
        return self.rows

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and numbers in a row."""
        return self.rows, self.width

    def append(self, rows: np.ndarray) -> None:
        """Adds rows at the end. Shapes: (row, width)."""
        if not len(rows):
            return
        content = memoryview(np.ascontiguousarray(rows, self.dtype)).cast("B")
        self.digest.update(content)
        try:
            while content:
                content = content[os.write(self.file.fileno(), content) :]
        except OSError as error:
            raise DataError(
                f"The features cannot be kept in {roomy_folder()} ({error.strerror}); room for all rows is needed. "
                "Free some, or set TMPDIR to a folder on a larger disk."
            ) from None
        self.rows += len(rows)

    def __getitem__(self, rows: slice) -> np.ndarray:
        start, stop, _ = rows.indices(self.rows)
        out = np.empty((max(stop - start, 0), self.width), self.dtype)
        self.read(start, out)
        return out

    def fingerprint(self) -> bytes:
        """What tells these rows from others: a digest of all that was appended."""
        return self.digest.digest()

    def read(self, start: int, out: np.ndarray) -> None:
        """Fills an array with the rows from `start` on. Shapes: out (row, width), contiguous."""
        if not out.size:
            return
        place, view = start * self.width * self.dtype.itemsize, memoryview(out).cast("B")
        while view:
            count = os.preadv(self.file.fileno(), [view], place)
            if count == 0:
                raise DataError("The features kept on the disk end too soon. Free some room there and train again.")
            place, view = place + count, view[count:]


class RowStream(Stream):
    """Training rows from a file, shuffled anew in every pass without holding them all.

    The rows are cut into blocks. In each pass the blocks are put in a random order and gathered in pools of POOL_BYTES;
    within a pool all rows are shuffled. So neighbours in the file part in each pass, but rows of one block stay in one
    pool. The order is a function of (seed, pass) alone.

    Shapes: y, weight (row,).
    """

    def __init__(self, x: RowFile, y: np.ndarray, seed: int, weight: np.ndarray | None = None) -> None:
        assert len(x) == len(y) == len(y if weight is None else weight)
        self.x, self.seed = x, seed
        self.beside = {"y": y} if weight is None else {"y": y, "weight": weight}  # what is held in memory
        row_bytes = max(1, x.width * x.dtype.itemsize)
        self.block = max(1, BLOCK_BYTES // row_bytes)
        self.blocks = max(1, POOL_BYTES // (self.block * row_bytes))  # in a pool
        self.pool = lru_cache(maxsize=1)(self._pool)

    @property
    def rows(self) -> int:
        return len(self.x)

    def fingerprint(self) -> bytes:
        return self.x.fingerprint() + hashlib.sha256(b"".join(map(np.ndarray.tobytes, self.beside.values()))).digest()

    def another(self) -> "RowStream":
        return RowStream(self.x, self.beside["y"], self.seed, self.beside.get("weight"))  # with a pool of its own

    def fetch(self, start: int, count: int) -> dict[str, np.ndarray]:
        found: dict[str, list[np.ndarray]] = {name: [] for name in ("x", *self.beside)}
        size = self.block * self.blocks
        while count > 0:
            epoch, offset = divmod(start, self.rows)
            number, offset = divmod(offset, size)
            pool, shuffled = self.pool(epoch, number)
            chosen = shuffled[offset : offset + count]
            for name, values in pool.items():
                found[name].append(values[chosen])
            start, count = start + len(chosen), count - len(chosen)
            del pool, values  # the next pool may take their memory
        return {name: np.concatenate(each) for name, each in found.items()}

    def _pool(self, epoch: int, number: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Features, targets and weights of one pool, as they lie on the disk, and the order in which they are taken."""
        self.pool.cache_clear()  # the one before goes first: two would not be needed, nor may fit
        chosen = self._block_order(epoch)[number * self.blocks : (number + 1) * self.blocks]
        starts = chosen.astype(np.int64) * self.block
        stops = np.minimum(starts + self.block, self.rows)
        total = int((stops - starts).sum())
        x = np.empty((total, self.x.width), self.x.dtype)
        pool = {name: np.empty((total, *values.shape[1:]), values.dtype) for name, values in self.beside.items()}
        filled = 0
        for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
            self.x.read(start, x[filled : filled + stop - start])
            for name, values in self.beside.items():
                pool[name][filled : filled + stop - start] = values[start:stop]
            filled += stop - start
        return {"x": x} | pool, self._generator(epoch, 1 + number).permutation(total)

    def _block_order(self, epoch: int) -> np.ndarray:
        """The blocks in the order of one pass; the last one, which may be short, stays last, so that every pool but the
        last holds as many rows as another."""
        whole = -(-self.rows // self.block)
        return np.append(self._generator(epoch, 0).permutation(whole - 1), whole - 1)

    def _generator(self, epoch: int, number: int) -> np.random.Generator:
        # Counter block 2 keeps these numbers apart from those of order.py and split.py under the same key.
        key = np.array([self.seed, epoch], np.uint64)
        return np.random.Generator(np.random.Philox(key=key, counter=[0, 0, number, 2]))
