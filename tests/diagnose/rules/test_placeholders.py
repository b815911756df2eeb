"""Zeros and codes that stand for missing."""

import numpy as np


def coded(rng, code, values):
    return {"new": np.where(rng.random(1000) < 0.05, code, values)}


NEW = ("new",)
FIRES = [
    ("zero blood pressure", "zeros_missing", "note", NEW, "c", lambda t, rng: coded(
        rng, 0, rng.normal(70, 9, 1000).round())),
    ("zero weight", "zeros_missing", "note", NEW, "c", lambda t, rng: {
        "new": np.where(rng.random(1000) < 0.3, 0, 40 + 30 * rng.random(1000))}),
    *((f"{code}", "sentinel", "note", NEW, "c", lambda t, rng, code=code: coded(
        rng, code, rng.normal(50, 9, 1000).round(1))) for code in (-999, -9999, 999, 9999, 99999)),
    ("-99 among counts", "sentinel", "note", NEW, "c", lambda t, rng: coded(rng, -99, rng.integers(0, 40, 1000))),
]  # fmt: skip
SILENT = [
    ("pregnancies", "c", lambda t, rng: {"new": rng.poisson(4, 1000)}),
    ("a truth value", "c", lambda t, rng: {"new": rng.random(1000) < 0.1}),
    ("0 and 1", "c", lambda t, rng: {"new": (rng.random(1000) < 0.1).astype(float)}),
    ("capital gain", "c", lambda t, rng: {
        "new": np.where(rng.random(1000) < 0.92, 0, np.round(np.exp(8 + rng.normal(size=1000))))}),
    ("fives", "c", lambda t, rng: {"new": 5 * rng.integers(0, 12, 1000)}),
    ("shares", "c", lambda t, rng: {"new": np.round(rng.random(1000), 2)}),
    ("normal, rounded", "c", lambda t, rng: {"new": rng.normal(size=1000).round(1)}),
    ("-1, 0 and 1", "c", lambda t, rng: {"new": rng.integers(-1, 2, 1000)}),
    ("ages up to 99", "c", lambda t, rng: {"new": rng.integers(17, 100, 1000)}),
]  # fmt: skip
