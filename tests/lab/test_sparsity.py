import numpy as np
import pytest
from sklearn.linear_model import Lasso, Ridge

from preceptor.lab.experiments.sparsity import STRENGTHS


@pytest.fixture
def rebuilt():
    rng = np.random.default_rng(0)
    x = np.sqrt(48) * np.linalg.qr(rng.normal(size=(48, 12)))[0]
    truth = np.where(np.arange(12) < 6, rng.uniform(-1.2, 1.2, 12), 0.0)
    return x, x @ truth + 0.3 * rng.normal(size=48)


def test_weights_are_those_of_scikit_learn(found, rebuilt):
    figures, (x, y) = found("sparsity"), rebuilt
    for place, strength in enumerate(STRENGTHS):
        if not strength:
            np.testing.assert_allclose(figures.weights["L1"][place], np.linalg.lstsq(x, y)[0], atol=1e-9)
            continue
        lasso = Lasso(strength, fit_intercept=False, tol=1e-12).fit(x, y)
        ridge = Ridge(strength * len(x), fit_intercept=False).fit(x, y)
        np.testing.assert_allclose(figures.weights["L1"][place], lasso.coef_, atol=1e-9)
        np.testing.assert_allclose(figures.weights["L2"][place], ridge.coef_, atol=1e-9)
        np.testing.assert_array_equal(figures.weights["L1"][place] == 0, lasso.coef_ == 0)


def test_what_is_claimed(found):
    figures = found("sparsity")
    claims = {each.source: each.holds for each in figures.claims()}
    assert claims == {"D:1765": True, "D:1770": False, "D:1772": True, "closed form": True}
    assert figures.zero_share("none") == figures.zero_share("L2") == 0
    assert max(figures.errors.values()) < 0.12
