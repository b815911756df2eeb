"""Infinite and overflowing values."""

import numpy as np


def put(t, name, value):
    t[name][11] = value
    return t


def pixels(value):
    image = np.random.default_rng(0).normal(size=(1000, 144)).astype(np.float32)
    image[3, 4] = value
    return {"image": image}


FIRES = [
    ("infinite", "not_finite", "refuse", ("x",), "c", lambda t, rng: put(t, "x", np.inf)),
    ("minus infinite", "not_finite", "refuse", ("amount",), "c", lambda t, rng: put(t, "amount", -np.inf)),
    ("1e200", "not_finite", "refuse", ("x",), "c", lambda t, rng: put(t, "x", 1e200)),
    ("a pixel", "not_finite", "refuse", ("image",), "c", lambda t, rng: pixels(np.inf)),
]
SILENT = [
    ("gaps", "c", lambda t, rng: put(t, "x", np.nan)),
    ("1e100", "c", lambda t, rng: put(t, "x", 1e100)),
    ("pixels", "c", lambda t, rng: pixels(9.0)),
]


def test_rows_are_counted_as_in_the_table_that_was_read(healthy, found_in):
    found = found_in(put(healthy(), "x", np.inf), numbers=np.arange(1000) + 100)
    assert found[0].rows == (112,)
    assert "data row 112" in found[0].text
