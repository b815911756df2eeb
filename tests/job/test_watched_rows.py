"""Rows that the doctor names are those of what the user gave."""

import numpy as np
from sklearn.datasets import load_digits

import preceptor as pr


def test_rows_with_wrong_labels_are_named_as_they_lie_in_the_data():
    x, right = load_digits(return_X_y=True)
    rng = np.random.default_rng(1)
    y = np.where(rng.random(len(right)) < 0.4, rng.integers(0, 10, len(right)), right)
    run = pr.fit(x, y, hidden=(32,), epochs=10, members=1)
    found = next(each for each in run.findings if each["rule"] == "label_problem")
    rows = np.array(found["rows"]) - 1
    assert len(rows) == 5
    assert np.count_nonzero(y[rows] != right[rows]) >= 4
