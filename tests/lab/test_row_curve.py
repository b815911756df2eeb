import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from preceptor.lab.experiments.row_curve import ROWS, THEORY
from preceptor.lab.handwriting import digits


def test_least_squares_has_the_errors_of_scikit_learn(found):
    figures = found("row-curve")
    rng = np.random.default_rng(7)
    for place in (1, 4):
        count, train, test = THEORY[place], [], []
        new = rng.normal(size=(4000, 10))
        for _ in range(300):
            x, noise = rng.normal(size=(count, 10)), rng.normal(size=count)
            model = LinearRegression(fit_intercept=False).fit(x, noise)
            train.append(np.square(model.predict(x) - noise).mean())
            test.append(1 + np.square(model.predict(new)).mean())
        assert figures.train_squares[place] == pytest.approx(np.mean(train), rel=0.1)
        assert figures.test_squares[place] == pytest.approx(np.mean(test), rel=0.15)
    assert {each.source: each.holds for each in figures.claims()}["closed form"]


def test_the_linear_network_errs_as_scikit_learn_does(found):
    figures = found("row-curve")
    pictures, labels = digits(0)
    x = pictures.reshape(len(labels), -1)
    place = ROWS.index(320)
    theirs = LogisticRegression(C=10.0, max_iter=500).fit(x[:320], labels[:320])
    error = 1 - theirs.score(x[ROWS[-1] :], labels[ROWS[-1] :])
    assert figures.test_errors["linear"][place, 0] == pytest.approx(error, abs=0.03)
