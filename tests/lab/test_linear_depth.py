import numpy as np
from sklearn.linear_model import LogisticRegression

from preceptor.lab.experiments.linear_depth import product


def test_the_product_of_layers_by_hand():
    rng = np.random.default_rng(0)
    shapes = {"hidden1": (2, 5), "hidden2": (5, 4), "output": (4, 1)}
    params = {f"{name}/weight": rng.normal(size=shape) for name, shape in shapes.items()}
    params |= {f"{name}/bias": rng.normal(size=shape[1]) for name, shape in shapes.items()}
    x = rng.normal(size=(7, 2))
    by_hand = x
    for name in shapes:
        by_hand = by_hand @ params[f"{name}/weight"] + params[f"{name}/bias"]
    weight, bias = product(params)
    np.testing.assert_allclose(x @ weight + bias, by_hand, rtol=1e-12)


def test_linear_networks_are_no_better_than_logistic_regression(found):
    figures = found("linear-depth")
    model = LogisticRegression(C=1e6).fit(figures.x, figures.y)
    assert np.abs(figures.right["linear"] - model.score(figures.x, figures.y)).max() < 0.05
    share = figures.maps["linear"][-1]
    middle = (share > 0.1) & (share < 0.9)  # of three digits
    logit = np.log(share[middle] / (1 - share[middle]))
    along = np.linspace(-1, 1, 80)
    plane = np.stack([np.ones(6400), *(each.ravel() for each in np.meshgrid(along, along))], 1)[middle]
    level = plane @ np.linalg.lstsq(plane, logit, rcond=None)[0]
    np.testing.assert_allclose(logit, level, atol=0.01)
    assert all(each.holds for each in figures.claims())
