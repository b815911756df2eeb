"""Main directions of a sparse matrix beside NumPy, SciPy and scikit-learn; the same bits for any number of threads."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse
from sklearn.decomposition import TruncatedSVD

from preceptor.data.encoding.spectrum import Sparse, eigen, main_directions


def drawn(seed=0):
    """A sparse matrix of twelve blocks, each half as large as the one before, by SciPy and ours."""
    rng = np.random.default_rng(seed)
    blocks = [2.0**-block * (1 + 0.01 * rng.normal(size=(25, 10))) for block in range(12)]
    mixed = scipy.sparse.block_diag(blocks).tocsr()[rng.permutation(300)][:, rng.permutation(120)]
    found = scipy.sparse.csr_matrix(mixed.astype(np.float32))
    row, column = found.nonzero()
    return found, Sparse.of(row, column.astype(np.int32), np.asarray(found[row, column]).ravel(), 300, 120)


@pytest.mark.parametrize("size", [1, 2, 3, 10, 41])
def test_eigenvalues_are_numpys(size):
    x = np.random.default_rng(size).normal(size=(size, size))
    symmetric = x + x.T
    values, vectors = eigen(symmetric)
    np.testing.assert_allclose(values, np.linalg.eigvalsh(symmetric)[::-1], atol=1e-12 * size)
    np.testing.assert_allclose(symmetric @ vectors, vectors * values, atol=1e-11)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(size), atol=1e-12)


def test_eigenvalues_of_what_is_singular():
    values, vectors = eigen(np.ones((5, 5)))
    np.testing.assert_allclose(values, [5, 0, 0, 0, 0], atol=1e-14)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(5), atol=1e-14)
    assert eigen(np.zeros((3, 3)))[0].tolist() == [0, 0, 0]


def test_products_are_scipys():
    theirs, ours = drawn()
    dense = np.random.default_rng(1).normal(size=(120, 7)).astype(np.float32)
    np.testing.assert_allclose(ours @ dense, theirs @ dense, rtol=1e-4, atol=1e-5)
    wide = np.random.default_rng(1).normal(size=(300, 7)).astype(np.float32)
    np.testing.assert_allclose(ours.turned() @ wide, theirs.T @ wide, rtol=1e-4, atol=1e-5)


def test_directions_are_scikit_learns():
    theirs, ours = drawn()
    exact = TruncatedSVD(8, algorithm="arpack", tol=1e-10).fit(theirs.astype(np.float64))
    values, vectors = main_directions(ours, 8)
    np.testing.assert_allclose(values, exact.singular_values_, rtol=1e-4)
    agreement = np.abs(np.sum(vectors * exact.components_.T, axis=0))
    assert (agreement > 0.9999).all()
    assert (vectors[np.abs(vectors).argmax(axis=0), range(8)] > 0).all()


def test_no_more_directions_than_the_rank():
    pair = np.outer(np.arange(1.0, 41), np.ones(30)) + np.outer(np.ones(40), np.arange(30.0))
    row, column = np.nonzero(pair)
    ours = Sparse.of(row, column.astype(np.int32), pair[row, column], 40, 30)
    values, vectors = main_directions(ours, 20)
    np.testing.assert_allclose(values[:2], np.linalg.svd(pair)[1][:2], rtol=1e-5)
    assert (values[2:] < 1e-5 * values[0]).all()
    assert vectors.shape == (30, len(values))


CODE = """
import hashlib, numpy as np
from preceptor.data.encoding.spectrum import Sparse, main_directions
rng = np.random.default_rng(0)
rows, columns = np.divmod(np.unique(rng.integers(0, 3000 * 4000, 200_000)), 4000)
found = main_directions(Sparse.of(rows, columns.astype(np.int32), rng.random(len(rows)), 3000, 4000), 64)
print(hashlib.sha256(found[0].tobytes() + found[1].tobytes()).hexdigest())
"""


def test_bits_do_not_depend_on_threads():
    said = {
        subprocess.run(
            [sys.executable, "-c", CODE],
            env=os.environ | {"OPENBLAS_NUM_THREADS": threads},
            capture_output=True,
            check=True,
        ).stdout
        for threads in ("1", "2", "3")
    }
    assert len(said) == 1
    assert len(said.pop().strip()) == len(hashlib.sha256().hexdigest())
