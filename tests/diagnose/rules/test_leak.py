"""Columns that give the target away."""

import numpy as np


def text(values):
    return np.array([str(each) for each in values], object)


def curve_of_words(t, rng):
    words = text(rng.integers(0, 40, 1000))
    return {"x": words, "y": np.array([float(each) ** 2 for each in words]) + 0.1 * rng.normal(size=1000)}


def column_of_an_array(t, rng):
    block = rng.normal(size=(1000, 4)).astype(np.float32)
    block[:, 2] = t["y"] + 0.01 * block[:, 3]
    return {"block": block}


NEW = ("new",)
FIRES = [
    ("class copied", "target_copy", "warn", NEW, "c", lambda t, rng: {"new": t["c"]}),
    ("class renamed", "target_copy", "warn", NEW, "c", lambda t, rng: {
        "new": np.where(t["c"] == "yes", "alive", "dead").astype(object)}),
    ("class as 0 and 1", "target_copy", "warn", NEW, "c", lambda t, rng: {"new": (t["c"] == "yes").astype(int)}),
    ("class as a truth value", "target_copy", "warn", NEW, "c", lambda t, rng: {"new": t["c"] == "yes"}),
    ("class told by what is missing", "target_copy", "warn", NEW, "c", lambda t, rng: {
        "new": np.where(t["c"] == "yes", "known", None)}),
    ("class told by a third value", "leak", "warn", NEW, "c", lambda t, rng: {
        "new": np.append(2, np.where(t["c"] == "yes", 1, 0)[1:])}),
    ("class told by many words", "leak", "warn", NEW, "c", lambda t, rng: {
        "new": text(np.where(t["c"] == "yes", rng.integers(0, 10, 1000), rng.integers(10, 30, 1000)))}),
    ("class told by a few whole numbers", "leak", "warn", NEW, "c", lambda t, rng: {
        "new": np.where(t["c"] == "yes", rng.integers(0, 9, 1000), rng.integers(20, 29, 1000))}),
    ("class told by an amount being missing", "leak", "warn", NEW, "c", lambda t, rng: {
        "new": np.where(t["c"] == "yes", rng.integers(0, 50, 1000), np.nan)}),
    ("class told by islands of a number", "leak", "warn", NEW, "c", lambda t, rng: {
        "new": np.round(2 * rng.integers(0, 4, 1000) + (t["c"] == "yes") + 0.3 * rng.random(1000), 1)}),
    ("number copied", "target_copy", "warn", NEW, "y", lambda t, rng: {"new": t["y"]}),
    ("number in another unit", "target_copy", "warn", NEW, "y", lambda t, rng: {"new": 5 - 1.8 * t["y"]}),
    ("number copied with gaps", "target_copy", "warn", NEW, "y", lambda t, rng: {
        "new": np.where(rng.random(1000) < 0.1, np.nan, 3 * t["y"])}),
    ("number curved", "leak", "warn", NEW, "y", lambda t, rng: {"new": np.exp(t["y"] / 3)}),
    ("number rounded", "leak", "warn", NEW, "y", lambda t, rng: {"new": np.round(t["y"], 2)}),
    ("number with a little noise", "leak", "warn", NEW, "y", lambda t, rng: {
        "new": t["y"] + 0.01 * rng.normal(size=1000)}),
    ("number told by words", "leak", "warn", ("x",), "y", curve_of_words),
    ("a column of an array", "leak", "warn", ("block[2]",), "y", column_of_an_array),
]  # fmt: skip
SILENT = [
    ("honest columns", "c", lambda t, rng: {}),
    ("an honest number", "y", lambda t, rng: {}),
    ("a column that is 97 % right", "c", lambda t, rng: {"new": (t["c"] == "yes") ^ (rng.random(1000) < 0.03)}),
    ("a related number", "y", lambda t, rng: {"new": t["y"] + 0.2 * rng.normal(size=1000)}),
]


def test_the_only_column_may_tell_the_target(found_in):
    x = np.linspace(-3, 3, 300)
    assert found_in({"x": x, "y": np.sin(x)}, "y") == []
    assert found_in({"x": x, "y": 2 * x + 1}, "y") == []
    assert [each.rule for each in found_in({"x": x, "y": x}, "y")] == ["target_copy"]


def test_a_good_column_is_not_taken_for_a_leak(found_in):
    rng = np.random.default_rng(0)
    c = rng.integers(0, 2, 5000)
    strong = c + 0.22 * rng.normal(size=5000)  # 98.8 % right
    assert found_in({"strong": strong, "x": rng.normal(size=5000), "c": c}) == []
    y = rng.normal(size=5000)
    columns = {"strong": y + 0.1 * rng.normal(size=5000), "x": rng.normal(size=5000), "y": y}
    assert found_in(columns, "y") == []
