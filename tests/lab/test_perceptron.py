import numpy as np
from scipy.optimize import linprog, minimize


def whole(figures):
    return np.hstack([np.ones((len(figures.x), 1)), figures.x])


def test_each_mistake_moves_the_weights_by_a_point_that_was_wrong(found):
    figures = found("perceptron")
    x, s = whole(figures), 2 * figures.y - 1
    np.testing.assert_array_equal(figures.path[0], 0)
    for before, after in zip(figures.path, figures.path[1:], strict=False):
        row = np.flatnonzero(np.abs(before + s[:, None] * x - after).max(1) < 1e-12)
        assert len(row)
        assert s[row[0]] * (x[row[0]] @ before) <= 0
    assert (s * (x @ figures.path[-1]) > 0).all()


def test_mistakes_stay_below_the_bound_with_the_best_margin_too(found):
    figures = found("perceptron")
    assert (figures.mistakes <= figures.bound).all()
    x, s = whole(figures), 2 * figures.y - 1
    beyond = {"type": "ineq", "fun": lambda w: s * (x @ w) - 1}
    start = figures.path[-1] / (s * (x @ figures.path[-1])).min()
    best = minimize(lambda w: w @ w, start, constraints=beyond, method="SLSQP").x  # the hard margin's line
    margin = (s * (x @ best)).min() / np.linalg.norm(best)
    assert margin >= figures.margin[-1, 0]
    assert len(figures.path) - 1 <= (np.linalg.norm(x, axis=1).max() / margin) ** 2
    assert all(each.holds for each in figures.claims())


def test_no_line_separates_xor(found):
    x = np.array([(1, a, b) for a in (-0.5, 0.5) for b in (-0.5, 0.5)])
    s = np.array((-1, 1, 1, -1))
    assert linprog(np.zeros(3), A_ub=-s[:, None] * x, b_ub=-np.ones(4), bounds=(None, None)).status == 2
    assert found("perceptron").xor.min() > 0
