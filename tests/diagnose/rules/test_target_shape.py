"""Targets that are cut off, or that a few huge values rule."""

import numpy as np
import pytest

from preceptor.data import read, split
from preceptor.diagnose import inspect_table

FIRES = [
    ("capped above", "target_capped", "note", ("y",), "y", lambda t, rng: {
        "y": np.minimum(t["y"], np.quantile(t["y"], 0.95))}),
    ("capped below", "target_capped", "note", ("y",), "y", lambda t, rng: {
        "y": np.maximum(t["y"], np.quantile(t["y"], 0.05))}),
    ("a heavy tail", "target_heavy_tail", "note", ("y",), "y", lambda t, rng: {"y": np.exp(2 * t["y"])}),
    ("a heavy tail both ways", "target_heavy_tail", "note", ("y",), "y", lambda t, rng: {"y": t["y"] ** 5}),
]  # fmt: skip
SILENT = [
    ("normal", "y", lambda t, rng: {}),
    ("Laplace", "y", lambda t, rng: {"y": rng.laplace(size=1000)}),
    ("rounded", "y", lambda t, rng: {"y": t["y"].round(1)}),
    ("classes", "c", lambda t, rng: {}),
]


@pytest.mark.parametrize(
    "name, target, header, share",
    [
        ("california-housing/housing.csv", "median_house_value", True, "965 rows (4.7%)"),
        ("boston-housing/housing.csv", "column14", False, "16 rows (3.2%)"),
    ],
)
def test_capped_targets(shared, name, target, header, share):
    table = read(shared(name), header=header)
    found = inspect_table(table, target, split(table.rows), "number")
    assert share in next(each.text for each in found if each.rule == "target_capped")
