import numpy as np
import pytest

from preceptor.lab.experiments.bias_variance import COLUMNS, TRAINED


def test_the_text_is_read_as_the_text_does(found):
    figures = found("bias-variance")
    assert [column[:2] for column in COLUMNS] == [(0.01, 0.11), (0.15, 0.10), (0.15, 0.30), (0.005, 0.01)]
    words = [row[-1] for row in figures.tables()[0].rows]
    assert words == ["high variance", "high bias", "high bias and variance", "low bias and variance"]
    assert [each.holds for each in figures.claims()][:4] == [True] * 4


def test_trainings_are_read_by_their_errors(found):
    figures = found("bias-variance")
    for name in TRAINED:
        train, test = np.mean(figures.train_errors[name]), np.mean(figures.test_errors[name])
        assert figures.read(name) == (train > 0.05, test - train > 0.05)
    assert figures.train_errors["many units, few rows"] == pytest.approx(0)
