"""Columns that number the rows, and dates that are text."""

import numpy as np


def dates(rng, form):
    days = [np.datetime64("2020-01-01") + int(day) for day in rng.integers(0, 900, 1000)]
    return {"new": np.array([day.astype(object).strftime(form) for day in days], object)}


NEW = ("new",)
FORMS = ("%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%d %b %Y", "%Y-%m-%dT%H:%M:%S")
FIRES = [
    ("row number", "identifier", "note", NEW, "c", lambda t, rng: {"new": np.arange(1000)}),
    ("shuffled row number", "identifier", "note", NEW, "c", lambda t, rng: {"new": rng.permutation(1000) + 1000}),
    ("rising number with gaps", "identifier", "note", NEW, "c", lambda t, rng: {
        "new": np.cumsum(rng.integers(1, 9, 1000))}),
    *((form, "date", "note", NEW, "c", lambda t, rng, form=form: dates(rng, form)) for form in FORMS),
]  # fmt: skip
SILENT = [
    ("amounts", "c", lambda t, rng: {}),
    ("whole numbers that repeat", "c", lambda t, rng: {"new": rng.integers(0, 5000, 1000)}),
    ("versions", "c", lambda t, rng: {"new": np.array([f"v{each}" for each in rng.integers(0, 90, 1000)], object)}),
]
