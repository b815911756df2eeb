"""Classes too small, uneven or absent from the training rows."""

import numpy as np

from preceptor.data import Split


def with_rows(t, rows, value):
    t["c"][rows] = value
    return t


ROWS = np.arange(1000)
PARTS = Split(ROWS[:900], ROWS[900:950], ROWS[950:])
FIRES = [
    ("one row", "class_single_row", "warn", ("c",), "c", lambda t, rng: with_rows(t, 9, "maybe")),
    ("two rows", "class_too_small", "warn", ("c",), "c", lambda t, rng: with_rows(t, [9, 10], "maybe")),
    ("rare", "class_imbalance", "note", ("c",), "c", lambda t, rng: with_rows(t, slice(0, 970), "no")),
    ("never in train", "class_unseen", "refuse", ("c",), "c", lambda t, rng: {
        **with_rows(t, slice(900, 1000), "maybe"), "parts": PARTS}),
]  # fmt: skip
SILENT = [
    ("even", "c", lambda t, rng: {}),
    ("one to eight", "c", lambda t, rng: with_rows(t, slice(0, 800), "no")),
    ("a number", "y", lambda t, rng: {}),
]


def test_a_class_that_is_never_trained_on_is_refused(healthy, found_in):
    columns = with_rows(healthy(), slice(900, 1000), "maybe")
    found = found_in(columns, parts=PARTS)
    assert [each.rule for each in found if each.level != "note"] == ["class_unseen"]
    assert found[0].level == "refuse"
    assert found[0].rows == (901,)


def test_labels_that_are_numbers_are_named_as_they_are_written(healthy, found_in):
    columns = healthy() | {"c": np.append([7], np.arange(999) % 2)}
    [found] = [each for each in found_in(columns) if each.rule in ("class_single_row", "class_unseen")]
    assert found.text.startswith("Class 7 of the target 'c' ")


def test_a_rare_class_is_noted_and_not_taken_for_a_leak(found_in):
    rng = np.random.default_rng(0)
    columns = {"x": rng.normal(size=20_000), "k": rng.integers(0, 5, 20_000)}
    found = found_in(columns | {"c": (rng.random(20_000) < 0.005).astype(int)})
    assert [each.rule for each in found] == ["class_imbalance"]
