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
    logit = np.log(figures.maps["linear"][-1] / (1 - figures.maps["linear"][-1])).reshape(80, 80)
    np.testing.assert_allclose(np.diff(logit, 2, axis=0), 0, atol=0.05)  # of probabilities to three digits
    np.testing.assert_allclose(np.diff(logit, 2, axis=1), 0, atol=0.05)
    assert all(each.holds for each in figures.claims())
