"""A function folded over rows: values beside plain Python, in each engine."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import preceptor as pr
from preceptor.autodiff.fold import fold
from preceptor.errors import NotDifferentiable

ROWS = np.random.default_rng(0).normal(size=(5, 3))
engines = pytest.mark.parametrize("engine", ["reference", "native", "xla"])


@engines
def test_horners_rule(engine):
    """((2 x + 3) x + 5) at x = 7."""
    horner = pr.jit(lambda x, a: fold(lambda sum, a: sum * x + a, 0 * x, a), engine=engine)
    assert horner(np.array(7.0), np.array([2.0, 3.0, 5.0])) == 124


@engines
def test_nested_containers_and_values_from_outside(engine):
    def function(scale, rows, numbers):
        def one(carried, row, number):
            best = pr.maximum(carried["best"], row["x"])
            return {"best": best, "sum": carried["sum"] + scale * row["x"] * pr.cast(number, row["x"].dtype)}

        return fold(one, {"best": np.full(3, -9.0), "sum": np.zeros(3)}, {"x": rows}, numbers)

    numbers = np.arange(5, dtype=np.int32)
    found = pr.jit(function, engine=engine)(np.array(2.0), ROWS, numbers)
    assert_array_equal(found["best"], ROWS.max(0))
    assert_allclose(found["sum"], 2 * (ROWS * numbers[:, None]).sum(0), rtol=1e-14)


@engines
def test_gradients_are_taken_within(engine):
    def total(w, rows):
        slope = pr.grad(lambda w, x: pr.sum(pr.sin(w * x)))
        return fold(lambda sum, x: sum + slope(w, x), np.zeros(3), rows)

    w = np.array([0.3, -1.0, 2.0])
    found = pr.jit(total, engine=engine)(w, ROWS)
    assert_allclose(found, (ROWS * np.cos(w * ROWS)).sum(0), rtol=1e-13)


def test_at_once_on_numbers():
    assert_allclose(fold(lambda sum, x: sum + x, np.zeros(3), ROWS), ROWS.sum(0), rtol=1e-14)


def test_no_derivative_through_it():
    with pytest.raises(NotDifferentiable, match="the steps between are not kept"):
        pr.grad(lambda x: pr.sum(fold(lambda sum, row: sum + row, np.zeros(3), x)))(ROWS)
