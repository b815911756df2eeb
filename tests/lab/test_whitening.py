import numpy as np
import pytest
from sklearn.datasets import load_digits, load_iris
from sklearn.decomposition import PCA


def test_steps_are_those_of_scikit_learn(found):
    figures = found("whitening")
    x = load_iris().data
    for step, is_white in (("turned (PCA)", False), ("whitened", True)):
        theirs = PCA(whiten=is_white).fit_transform(x)
        np.testing.assert_allclose(np.abs(figures.steps[step]), np.abs(theirs), atol=1e-8)
    for step in ("whitened", "whitened, turned back (ZCA)"):
        assert figures.off_identity(step) < 1e-9


def test_the_text_forgets_the_number_of_rows(found):
    text = found("whitening").steps["as the text prints it"]
    np.testing.assert_allclose(np.cov(text, rowvar=False), np.eye(4) / 149, atol=1e-9)
    np.testing.assert_allclose(text.T @ text, np.eye(4), atol=1e-9)


def test_digits_are_those_of_scikit_learn(found):
    figures = found("whitening")
    x = load_digits().data / 16
    theirs = PCA().fit(x)
    np.testing.assert_allclose(figures.shares[:30], theirs.explained_variance_ratio_[:30], rtol=1e-6)
    few = PCA(8).fit(x)
    lost = np.square(few.inverse_transform(few.transform(x)) - x).sum(1).mean()
    assert figures.errors[8] == pytest.approx(lost, rel=1e-6)
    assert {each.source: each.holds for each in figures.claims()} == {
        "D:934": True,
        "closed form": True,
        "D:939": False,
        "D:955": True,
    }
