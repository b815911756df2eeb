"""The largest curvatures of a loss, from products of its Hessian with vectors: the Hessian is never formed."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from preceptor.autodiff import hessian_vector_product
from preceptor.engines import jit

Params = dict[str, np.ndarray]


def flat(params: Mapping[str, Any]) -> np.ndarray:
    """All parameters as one vector, by the order of their names. Shapes: -> (parameter,)."""
    return np.concatenate([np.ravel(params[path]) for path in sorted(params)])


def shaped(vector: np.ndarray, like: Mapping[str, Any]) -> Params:
    """A vector of `flat` as parameters again."""
    found, start = {}, 0
    for path in sorted(like):
        size = int(np.size(like[path]))
        found[path] = vector[start : start + size].reshape(np.shape(like[path]))
        start += size
    return found


def top_curvatures(
    loss: Callable[[Params], Any], params: Params, count: int = 2, rounds: int = 60, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """The largest eigenvalues of the Hessian of a loss and their directions, in float64.

    Formula: Lanczos' method: an orthonormal basis of v, Hv, HHv, ..., in which H is a tridiagonal matrix T; its
        eigenvalues at the ends come first.
    Shapes: -> values (count,), the largest first; directions (count, parameter), of length 1.
    Args:
        rounds: products of the Hessian with a vector, at most as many as there are parameters.
        seed: of the first v.
    Source: Lanczos 1950; every new vector is made orthogonal to all before, twice, for rounding loses it.
    """
    product = jit(hessian_vector_product(loss), "reference")
    start = np.random.default_rng(seed).normal(size=len(flat(params)))
    basis = [start / np.linalg.norm(start)]
    diagonal, beside = [], []
    for _ in range(min(rounds, len(start))):
        new = flat(product(params, shaped(basis[-1], params)))
        diagonal.append(float(new @ basis[-1]))
        known = np.array(basis)
        for _ in range(2):
            new = new - known.T @ (known @ new)
        size = float(np.linalg.norm(new))
        if size < 1e-10:
            break
        beside.append(size)
        basis.append(new / size)
    size = len(diagonal)
    values, vectors = np.linalg.eigh(
        np.diag(diagonal) + np.diag(beside[: size - 1], 1) + np.diag(beside[: size - 1], -1)
    )
    return values[::-1][:count], (vectors.T @ np.array(basis[:size]))[::-1][:count]
