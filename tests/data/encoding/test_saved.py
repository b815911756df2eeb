"""A saved preprocessor comes back, and one whose file was changed gives one clear error or one that works."""

import copy
import json
import math

import numpy as np
import pytest

from preceptor.data import Preprocessor, Table, fit_preprocessor
from preceptor.data.encoding.preprocessor import KINDS
from preceptor.errors import DataError


def text(*values):
    return np.array(values, object)


ROWS = 300
RNG = np.random.default_rng(0)
TABLE = Table(
    "t",
    {
        "x": np.where(RNG.random(ROWS) < 0.1, np.nan, RNG.normal(size=ROWS)),
        "far": np.append(RNG.normal(size=ROWS - 1), 1e6),
        "block": RNG.normal(size=(ROWS, 3)),
        "pixels": RNG.integers(0, 255, (ROWS, 4)).astype(np.uint8),
        "old": RNG.random(ROWS) < 0.5,
        "k": text("a", "b", "c")[RNG.integers(0, 3, ROWS)],
        "pair": text("no", "yes", None)[RNG.integers(0, 3, ROWS)],
        "city": text(*(f"city {row}" for row in range(120)))[RNG.integers(0, 120, ROWS)],
        "day": np.datetime64("2023-01-01", "s") + RNG.integers(0, 700, ROWS) * np.timedelta64(86_400, "s"),
        "later": np.datetime64("2023-06-01", "s") + RNG.integers(0, 700, ROWS) * np.timedelta64(86_400, "s"),
        "free": text(*(f"text {row}" for row in range(ROWS))),
        "talk": text(*(" ".join(RNG.choice(["one", "two", "three", "four"], 7).tolist()) for _ in range(ROWS))),
        "y": RNG.integers(0, 3, ROWS),
    },
)
MADE = fit_preprocessor(TABLE, "y", np.arange(ROWS), kind="classes", number_levels=True)
SAVED, ARRAYS = json.loads(json.dumps(MADE.to_dict())), MADE.arrays()


def test_what_was_saved_comes_back():
    assert {column["form"] for column in SAVED["columns"]} == set(KINDS)
    assert Preprocessor.from_dict(copy.deepcopy(SAVED), ARRAYS) == MADE
    assert Preprocessor.from_dict(SAVED, ARRAYS).transform(TABLE).tobytes() == MADE.transform(TABLE).tobytes()


def test_older_files_lack_what_was_added_since():
    older = copy.deepcopy(SAVED)
    for name in ("notes", "labels", "scaling", "degree"):
        del older[name]
    for column in older["columns"]:
        for name in ("bend", "zoned"):
            column.pop(name, None)
    again = Preprocessor.from_dict(older, ARRAYS)
    assert [column.name for column in again.columns] == [column.name for column in MADE.columns]
    assert again.columns[0] == MADE.columns[0]


@pytest.mark.parametrize(
    "path, value, message",
    [
        ((), None, "preprocessor: it has no list of columns, which is required"),
        (("columns",), {}, "preprocessor: it has no list of columns, which is required"),
        (("columns", 0), 3, "preprocessor: column 1: its form is none of numbers, truth, "),
        (("columns", 0, "form"), "other", "preprocessor: column 1: its form is none of numbers, truth, "),
        (("columns", 0, "sd"), [1.0, 2.0], "column 1: mean and sd have 1 and 2 numbers; 1 each are required"),
        (("columns", 0, "sd", 0), -1.0, "column 1: sd or bend is below 0; at least 0 is required"),
        (("columns", 0, "sd", 0), math.nan, "column 1: sd: it is not a finite number, which is required"),
        (("columns", 0, "mean", 0), 10**400, "column 1: mean: it is not a finite number, which is required"),
        (("columns", 0, "mean"), 0.5, "column 1: mean: it is a number; a list is required"),
        (("columns", 0, "flags"), [7], "column 1: flags are not places of its 1 numbers, each once and in order"),
        (("columns", 0, "name"), 3, "column 1: name: it is a whole number; text is required"),
        (("columns", 0, "colour"), 3, "column 1: it has 'colour', which is not known"),
        (("columns", 2, "width"), 10**9, "column 3: width is 1,000,000,000; from 1 to 10,000,000 is required"),
        (("columns", 2, "width"), "3", "column 3: width: it is text; a whole number or nothing is required"),
        (("columns", 4, "mean"), 1.5, "column 5: mean is 1.5; a share from 0 to 1 is required"),
        (("columns", 5, "levels"), ["b", "a", "c"], "column 6: levels are not in order, each once"),
        (("columns", 5, "missing"), 1, "column 6: missing: it is a whole number; true or false is required"),
        (("columns", 6, "levels"), ["yes", "no"], "column 7: it has 2 levels; two in order are required"),
        (("columns", 7, "levels"), [], "column 8: it has no level; at least one is required"),
        (("columns", 8, "cycles"), ["week", "year"], "column 9: cycles are not of year, week, day, each once and in"),
        (("columns", 1, "name"), "x", "preprocessor: a column stands twice, or is the target"),
        (("classes",), [0, 1, 1], "preprocessor: classes are not at least two of one kind, in order and each once"),
        (("classes",), None, "preprocessor: kind and classes do not go together"),
        (("classes",), [0, "1", 2], "preprocessor: classes are not at least two of one kind, in order and each once"),
        (("kind",), "number", "preprocessor: kind and classes do not go together"),
        (("target",), None, "preprocessor: kind and target do not go together"),
        (("target_sd",), 2.0, "preprocessor: target_mean and target_sd are not 0 and 1"),
        (("labels",), ["a"], "preprocessor: it has 1 labels; one for each class is required"),
        (("set_aside", 0), ["free"], "preprocessor: set_aside: it has 1 entries; 2 are required"),
        (("rows",), -1, "preprocessor: a number of rows is below 0; at least 0 is required"),
        (("rows",), True, "preprocessor: rows: it is true or false; a whole number is required"),
    ],
)
def test_a_changed_file_is_refused_with_what_is_wrong(path, value, message):
    changed = put(SAVED, path, value)
    with pytest.raises(DataError) as error:
        Preprocessor.from_dict(changed, ARRAYS)
    assert message in str(error.value)


def test_a_missing_key_is_named():
    changed = copy.deepcopy(SAVED)
    del changed["columns"][0]["mean"]
    with pytest.raises(DataError, match="column 1: it has no mean, which is required"):
        Preprocessor.from_dict(changed, ARRAYS)


def put(saved, path, value):
    """A copy with another value at a path."""
    if not path:
        return value
    changed = copy.deepcopy(saved)
    at = changed
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return changed


def paths(value, path=()):
    """The paths of all values within a value."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield from paths(each, (*path, key))


STRANGE = (None, True, 0, -1, 2.5, 1e-320, 1e308, math.nan, 10**400, "", "x", [], [[]], [0], {}, {"form": "pair"})


def test_whatever_is_changed_gives_an_error_or_what_works():
    few = copy.deepcopy(SAVED)
    few["columns"][7]["levels"] = few["columns"][7]["levels"][:3]
    some, refused, taken = TABLE.select(np.arange(20)), 0, 0
    for path in paths(few):
        for value in STRANGE:
            try:
                made = Preprocessor.from_dict(put(few, path, value), ARRAYS)
                x = made.transform(some)
                assert np.isfinite(x).all()
                made.unseen().look(some, x)
                made.lines(), made.encode_target(some), made.feature_names
                taken += 1
            except DataError:
                refused += 1
    assert refused > 1000
    assert 0 < taken < refused / 2
