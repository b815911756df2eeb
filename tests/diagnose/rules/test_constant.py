"""Columns that say nothing, or next to nothing."""

import numpy as np


def gone(t, *names):
    return dict.fromkeys(names)


def block(rng):
    made = rng.normal(size=(1000, 4))
    made[:, 0] = 4
    return made


def three_times(t, rng):
    made = {name: np.tile(t[name], 3) for name in t}
    return made | {"x": rng.normal(size=3000), "new": (np.arange(3000) == 17).astype(float)}


NOTHING = np.full(1000, None, object)
FIRES = [
    ("nothing varies", "no_feature", "refuse", ("x", "level"), "c", lambda t, rng: {
        **gone(t, "amount", "flag"), "x": np.ones(1000), "level": t["level"][[0] * 1000]}),
    ("nothing but the target", "no_feature", "refuse", (), "c", lambda t, rng: gone(t, "x", "amount", "level", "flag")),
    ("nothing but gaps", "no_feature", "refuse", ("x",), "c", lambda t, rng: {
        **gone(t, "amount", "level", "flag"), "x": np.full(1000, np.nan)}),
    ("a number", "constant", "note", ("x",), "c", lambda t, rng: {"x": np.full(1000, 2.5)}),
    ("a word", "constant", "note", ("level",), "c", lambda t, rng: {"level": t["level"][[0] * 1000]}),
    ("a truth value", "constant", "note", ("flag",), "c", lambda t, rng: {"flag": np.ones(1000, bool)}),
    ("a column of an array", "constant", "note", ("block[0]",), "c", lambda t, rng: {"block": block(rng)}),
    ("a number always missing", "empty", "note", ("x",), "c", lambda t, rng: {"x": np.full(1000, np.nan)}),
    ("a word always missing", "empty", "note", ("level",), "c", lambda t, rng: {"level": NOTHING}),
    ("a number nearly always missing", "mostly_missing", "note", ("x",), "c", lambda t, rng: {
        "x": np.where(np.arange(1000) < 15, t["x"], np.nan)}),
    ("a word nearly always missing", "mostly_missing", "note", ("level",), "c", lambda t, rng: {
        "level": np.where(np.arange(1000) < 15, t["level"], NOTHING)}),
    ("one row differs", "almost_constant", "note", ("new",), "c", three_times),
]  # fmt: skip
SILENT = [
    ("columns that vary", "c", lambda t, rng: {}),
    ("half missing", "c", lambda t, rng: {"x": np.where(t["flag"], t["x"], np.nan)}),
    ("a switch that is seldom on", "c", lambda t, rng: {"new": np.arange(1000) < 5}),
]
