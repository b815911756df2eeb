"""The main directions of a sparse matrix. No BLAS computes here: its sums depend on the number of threads."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

SPARE = 10  # directions more than are wanted, and ROUNDS of refining: Halko et al. 2011, sections 4.2 and 4.5
ROUNDS = 2
SWEEPS = 30  # of Jacobi's method at most; 6 to 10 are needed
EXACT = 1e-14  # of the largest entry: no entry beside the diagonal is larger at the end
SAME = 1e-12  # of the largest eigenvalue: what is smaller is rounding


@dataclass(frozen=True, eq=False)
class Sparse:
    """A matrix of which few entries are not zero, row by row.

    Shapes: starts (row + 1,): where in the other two each row begins; columns (entry,); values (entry,), float32.
    """

    starts: np.ndarray
    columns: np.ndarray
    values: np.ndarray
    width: int

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self.starts) - 1

    @classmethod
    def of(cls, rows: np.ndarray, columns: np.ndarray, values: np.ndarray, height: int, width: int) -> "Sparse":
        """A matrix of entries in rising order of their rows. Shapes: (entry,) each."""
        return cls(np.searchsorted(rows, np.arange(height + 1)), columns, values.astype(np.float32), width)

    def __matmul__(self, dense: np.ndarray) -> np.ndarray:
        """The product with a dense matrix, each sum in order of the row's entries. Shapes: (column, k) -> (row, k)."""
        out = np.zeros((self.rows, dense.shape[1]), dense.dtype)
        for row, (start, stop) in enumerate(self._ends()):
            if start < stop:
                np.einsum("i,ij->j", self.values[start:stop], dense[self.columns[start:stop]], out=out[row])
        return out

    def turned(self) -> "Sparse":
        """Rows as columns."""
        order = np.argsort(self.columns, kind="stable")
        rows = np.repeat(np.arange(self.rows, dtype=np.int32), np.diff(self.starts))
        return Sparse.of(self.columns[order], rows[order], self.values[order], self.width, self.rows)

    def _ends(self) -> Iterator[tuple[int, int]]:
        return zip(self.starts[:-1].tolist(), self.starts[1:].tolist(), strict=True)


def main_directions(matrix: Sparse, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The largest singular values of a matrix, in falling order, and its right singular vectors.

    The same bits for the same matrix, whatever the number of threads. Of the two signs of a vector the one whose
    largest entry is above 0 is taken.

    Shapes: -> (k,), (column, k): k is at most `count`, and at most the rank.
    Source: Halko, Martinsson and Tropp 2011, algorithms 4.4 and 5.1; the products with the transposed matrix are of
        its Gram matrix, so that one orthogonal basis is kept, not two.
    """
    turned = matrix.turned()
    wanted = min(count + SPARE, matrix.width, matrix.rows)
    rng = np.random.Generator(np.random.Philox(key=20_27))
    basis = _orthogonal(turned @ (matrix @ rng.standard_normal((matrix.width, wanted)).astype(np.float32)))
    for _ in range(ROUNDS):
        basis = _orthogonal(turned @ (matrix @ basis))
    seen = matrix @ basis
    squares, turn = eigen(_gram(seen))
    kept = min(count, int(np.count_nonzero(squares > SAME * squares[0])))
    vectors = np.einsum("ij,jk->ik", basis, turn[:, :kept].astype(np.float32))
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(axis=0)[None], axis=0)
    return np.sqrt(squares[:kept]), vectors * np.where(largest < 0, -1, 1).astype(np.float32)


def _gram(x: np.ndarray) -> np.ndarray:
    wide = x.astype(np.float64)
    return np.einsum("ij,ik->jk", wide, wide)


def _orthogonal(x: np.ndarray) -> np.ndarray:
    """An orthogonal basis of what the columns span. Shapes: (row, k) -> (row, up to k), float32."""
    squares, turn = eigen(_gram(x))
    kept = squares > SAME * squares[0]
    return np.einsum("ij,jk->ik", x.astype(np.float64), turn[:, kept] / np.sqrt(squares[kept])).astype(np.float32)


def eigen(symmetric: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues in falling order, and eigenvectors as columns. Shapes: (k, k) -> (k,), (k, k); float64.

    Source: Jacobi's method, Golub and Van Loan, Matrix computations, section 8.5; pairs that share no row are turned
        at once, in the order of a round-robin tournament.
    """
    size = len(symmetric) + len(symmetric) % 2
    a = np.zeros((size, size))
    a[: len(symmetric), : len(symmetric)] = symmetric
    vectors = np.eye(size)
    places = np.arange(size)
    limit = EXACT * np.abs(a).max()
    for _ in range(SWEEPS):
        if np.abs(a - np.diag(np.diag(a))).max() <= limit:
            break
        for _ in range(size - 1):
            one, other = places[: size // 2], places[size // 2 :][::-1]
            off, apart = a[one, other], a[other, other] - a[one, one]
            root = np.hypot(apart, 2 * off)
            tangent = 2 * off * np.where(apart < 0, -1, 1) / np.where(root > 0, np.abs(apart) + root, 1)
            cosine = 1 / np.sqrt(1 + tangent**2)
            sine = tangent * cosine
            for rows in (a, a.T, vectors.T):
                top, bottom = rows[one], rows[other]
                rows[one] = cosine[:, None] * top - sine[:, None] * bottom
                rows[other] = sine[:, None] * top + cosine[:, None] * bottom
            places = np.concatenate([places[:1], places[-1:], places[1:-1]])
    order = np.argsort(-np.diag(a), kind="stable")
    order = order[order < len(symmetric)]
    return np.diag(a)[order].copy(), vectors[: len(symmetric), order]
