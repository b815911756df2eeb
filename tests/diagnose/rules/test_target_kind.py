"""Whole numbers that may be meant the other way."""

import numpy as np

FIRES = [
    ("few whole values", "target_number_or_classes", "note", ("y",), "y", lambda t, rng: {
        "y": np.digitize(t["y"], [-1.0, 0.0, 1.0]).astype(float)}),
    ("grades", "target_classes_or_number", "note", ("c",), "c", lambda t, rng: {
        "c": np.digitize(t["y"], np.quantile(t["y"], [0.05, 0.3, 0.7, 0.95]))}),
    ("a row number", "target_numbers_rows", "note", ("y",), "y", lambda t, rng: {"y": np.arange(1000) + 1.0}),
]  # fmt: skip
SILENT = [
    ("fractions", "y", lambda t, rng: {}),
    ("counts of many values", "y", lambda t, rng: {"y": rng.poisson(100, 1000).astype(float)}),
    ("two codes", "c", lambda t, rng: {"c": (t["c"] == "yes").astype(int)}),
]
