"""Targets that leave nothing to learn."""

import numpy as np

from preceptor.data import Split


def parts_of(rows, train, dev):
    return Split(np.arange(rows)[:train], np.arange(rows)[train : train + dev], np.arange(rows)[train + dev :])


FIRES = [
    ("a class always the same", "target_constant", "refuse", ("c",), "c", lambda t, rng: {"c": t["c"][[0] * 1000]}),
    ("a number always 3", "target_constant", "refuse", ("y",), "y", lambda t, rng: {"y": np.full(1000, 3.0)}),
    ("infinite", "target_not_finite", "refuse", ("y",), "y", lambda t, rng: {"y": np.append(np.inf, t["y"][1:])}),
    ("minus infinite", "target_not_finite", "refuse", ("y",), "y", lambda t, rng: {
        "y": np.append(-np.inf, t["y"][1:])}),
    ("missing", "target_not_finite", "refuse", ("y",), "y", lambda t, rng: {"y": np.append(np.nan, t["y"][1:])}),
    ("1e300", "target_too_large", "refuse", ("y",), "y", lambda t, rng: {"y": np.append(1e300, t["y"][1:])}),
    ("another class in every row", "target_identifier", "refuse", ("c",), "c", lambda t, rng: {
        "c": np.array([str(row) for row in range(1000)], object), "parts": parts_of(1000, 900, 50)}),
    ("one training row", "train_empty", "refuse", (), "c", lambda t, rng: {"parts": parts_of(1000, 1, 500)}),
]  # fmt: skip
SILENT = [
    ("two classes", "c", lambda t, rng: {}),
    ("an amount", "y", lambda t, rng: {}),
    ("a huge amount", "y", lambda t, rng: {"y": 1e100 * t["y"]}),
    (
        "a class for each three rows",
        "c",
        lambda t, rng: {"c": np.array([str(row // 3) for row in range(1000)], object)},
    ),
]


def test_a_class_in_every_row_is_refused(healthy, found_in):
    columns = healthy() | {"c": np.array([str(row) for row in range(1000)], object)}
    found = found_in(columns, parts=parts_of(1000, 400, 100))
    assert {each.rule for each in found if each.level == "refuse"} == {"target_identifier", "class_unseen"}


def test_no_training_row_is_refused(healthy, found_in):
    found = found_in(healthy(), parts=parts_of(1000, 0, 300))
    assert "train_empty" in {each.rule for each in found if each.level == "refuse"}
