"""Formulas as a careful hand would write them."""

import numpy as np
import pytest

import preceptor as pr
from preceptor.report import explain

W = np.ones((2, 2))


def formula(function, *args):
    return explain(function, *args, detail="variables").result.formula


@pytest.mark.parametrize(
    "function, expected",
    [
        (lambda x, y: x * x, "x²"),
        (lambda x, y: x**3 * y, "x³·y"),
        (lambda x, y: (x + y) ** 12, "(x + y)¹²"),
        (lambda x, y: 3 * x * 2, "6·x"),
        (lambda x, y: pr.negative(-x), "x"),
        (lambda x, y: x - (y - 1), "x - y + 1"),
        (lambda x, y: x / y / x / y, "1 / y²"),
        (lambda x, y: x / (y * pr.sin(x)), "x / (y·sin(x))"),
        (lambda x, y: (x + y) / 4, "(x + y) / 4"),
        (lambda x, y: 0.25 * x, "0.25·x"),
        (lambda x, y: x + x + y, "2·x + y"),
        (lambda x, y: -x / y, "-x / y"),
        (lambda x, y: -x + y, "y - x"),
        (lambda x, y: x**0.5, "x^0.5"),
        (lambda x, y: x**y, "x^y"),
        (lambda x, y: pr.power(x + 1, y + 1), "(x + 1)^(y + 1)"),
        (lambda x, y: pr.where(x < y, x, y), "where(x < y, x, y)"),
        (lambda x, y: pr.maximum(x, y), "max(x, y)"),
        (lambda x, y: 1e-3 * x + 1e9, "0.001·x + 1e+09"),
    ],
)
def test_scalars(function, expected):
    assert formula(function, 0.5, 2.0) == expected


@pytest.mark.parametrize(
    "function, expected",
    [
        (lambda W, x: pr.sum(W @ x), "sum(W @ x)"),
        (lambda W, x: pr.sum(W.T @ x), "sum(W.T @ x)"),
        (lambda W, x: pr.sum((2 * W) @ (W @ x)), "sum((2·W) @ (W @ x))"),
        (lambda W, x: x @ x, "x @ x"),
        (lambda W, x: x[0] * x[1], "x[0]·x[1]"),
        (lambda W, x: pr.sum(W[:, 0] + W[1]), "sum(W[:, 0] + W[1, :])"),
        (lambda W, x: pr.sum(pr.sum(W, 0) * x), "sum(sum(W, axis=0)·x)"),
        (lambda W, x: pr.sum(pr.outer(x, x)), "sum(outer(x, x))"),
    ],
)
def test_arrays(function, expected):
    assert formula(function, W, np.ones(2)) == expected


def derivative(function, *args):
    return explain(function, *args, detail="variables").result.edges[0].formula


@pytest.mark.parametrize(
    "function, expected",
    [
        (pr.sigmoid, "J·(1 - J)"),
        (pr.tanh, "1 - J²"),
        (pr.exp, "J"),
        (pr.log, "1 / x"),
        (pr.sqrt, "0.5 / J"),
        (pr.softplus, "sigmoid(x)"),
        (pr.cos, "-sin(x)"),
        (pr.relu, "where(0 < x, 1, 0)"),
        (lambda x: x**5, "5·x⁴"),
        (lambda x: 1 / x, "-J / x"),
        (lambda x: pr.sin(2 * x), "2·cos(2·x)"),
        (lambda x: (x - 1) ** 2 / 2, "x - 1"),
        (lambda x: x**1.5, "1.5·x^0.5"),
    ],
)
def test_derivatives(function, expected):
    assert derivative(function, 0.5) == expected
