"""A table with nothing wrong with it, and what is found in tables made from it."""

from itertools import pairwise

import numpy as np
import pytest

from preceptor.data import Table, split
from preceptor.diagnose import inspect, inspect_table


def _healthy(rows=1000, seed=0):
    """Every form of column and nothing wrong with it: x, amount, level, flag; targets y and c."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows)
    amount = np.round(np.exp(rng.normal(size=rows)), 3)
    level = np.array(["red", "green", "blue"], object)[rng.integers(0, 3, rows)]
    y = x + np.log(amount) + (level == "red") + rng.normal(size=rows)
    c = np.array(["no", "yes"], object)[(y > np.median(y)).astype(int)]
    return {"x": x, "amount": amount, "level": level, "flag": rng.random(rows) < 0.4, "y": y, "c": c}


def _inspect(columns, target="c", kind=None, parts=None, **more):
    """The findings for a table of columns; the other target of `healthy` is left out."""
    columns = {name: values for name, values in columns.items() if name == target or name not in ("y", "c")}
    kind = kind or ("number" if target == "y" else "classes")
    table = Table("made", columns)
    if parts is None:
        labels = columns[target] if kind == "classes" else None
        parts = split(table.rows, labels=labels.astype(str) if labels is not None else None)
    return inspect_table(table, target, parts, kind, **more)


def _look(target, make):
    """The findings for a row of a rule's test: `make` changes a healthy table, or without a target makes facts."""
    rng = np.random.default_rng(1)
    if target is None:
        return inspect(make(rng))
    changed = _healthy()
    changed |= make({name: values.copy() for name, values in changed.items()}, rng)
    parts = changed.pop("parts", None)
    sizes = {len(values) for values in changed.values() if values is not None}
    assert all(a == b for a, b in pairwise(sizes)), "columns of one length are needed"
    return _inspect({name: values for name, values in changed.items() if values is not None}, target, parts=parts)


@pytest.fixture
def healthy():
    """Makes a table with every form of column and nothing wrong with it, as a dictionary."""
    return _healthy


@pytest.fixture
def found_in():
    """Gives the findings for a dictionary of columns."""
    return _inspect


@pytest.fixture
def look():
    """Gives the findings for a row of a rule's test."""
    return _look
