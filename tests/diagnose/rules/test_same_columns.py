"""Columns that are copies of one another."""

import numpy as np

FIRES = [
    ("a number twice", "same_columns", "note", ("x", "new"), "c", lambda t, rng: {"new": t["x"].copy()}),
    ("a word twice", "same_columns", "note", ("level", "new"), "c", lambda t, rng: {"new": t["level"].copy()}),
]
SILENT = [
    ("different columns", "c", lambda t, rng: {}),
    ("all rows but one", "c", lambda t, rng: {"new": np.append(t["x"][:-1], 0)}),
    ("two that are constant", "c", lambda t, rng: {"new": np.ones(1000), "other": np.ones(1000)}),
]
