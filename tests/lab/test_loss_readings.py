import numpy as np
import pytest

from preceptor import lab
from preceptor.errors import ConfigError


def test_the_answer_of_the_quiz_is_e(found):
    figures = found("loss-readings")
    assert figures.option == "E"
    assert [figures.match(each) for each in range(4)] == [8, 6, 5, 7]
    assert (np.delete(figures.apart.ravel(), [1 * 4 + 1, 3, 2 * 4, 3 * 4 + 2]) > 0.01).all()
    assert all(each.holds for each in figures.claims())


def test_readings_are_those_of_scipy(found):
    stats = pytest.importorskip("scipy.stats")
    figures = found("loss-readings")
    rng = np.random.default_rng(0)
    x, target, weights = rng.normal(size=(12, 2)), np.arange(12) % 2, rng.normal(size=(200, 13))
    for place in (0, 17, 60):
        w = weights[0] + figures.along[place] * (weights[1] - weights[0]) / 2
        z = np.tanh(x @ w[:6].reshape(2, 3) + w[6:9]) @ w[9:12] + w[12]
        noise = -stats.norm.logpdf(target, z, 1.0).sum()
        assert figures.negative["Gaussian noise on the output"][place] == pytest.approx(noise)
        prior = noise - stats.norm.logpdf(w, 0, 2.0).sum()
        assert figures.negative["zero mean Gaussian prior"][place] == pytest.approx(prior)
        bernoulli = -stats.bernoulli.logpmf(target, 1 / (1 + np.exp(-z))).sum()
        assert figures.negative["Bernoulli target"][place] == pytest.approx(bernoulli)
        assert figures.losses["cross-entropy"][place] == pytest.approx(bernoulli)
        assert figures.losses["squared errors"][place] == pytest.approx(((z - target) ** 2).sum() / 2)
        hinge = np.maximum(0, 1 - (2 * target - 1) * z).sum()
        assert figures.losses["hinge"][place] == pytest.approx(hinge)


def test_costs_by_margin_are_the_formulas(found):
    figures, z = found("loss-readings"), np.linspace(-3, 3, 61)
    np.testing.assert_allclose(figures.costs["squared error"], (z - 1) ** 2 / 2, atol=1e-12)
    np.testing.assert_allclose(figures.costs["cross-entropy"], np.log1p(np.exp(-z)), rtol=1e-9)
    np.testing.assert_allclose(figures.costs["hinge"], np.maximum(0, 1 - z), atol=1e-12)


def test_a_deviation_of_nothing_is_refused():
    with pytest.raises(ConfigError, match="prior=0"):
        lab.loss_readings(prior=0.0)
