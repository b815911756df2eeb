"""Too few rows to judge by, or to learn from."""

import numpy as np

FIRES = [
    ("more columns than rows", "few_rows", "note", (), "c", lambda t, rng: {
        f"more{number}": rng.normal(size=1000) for number in range(1000)}),
    ("120 rows", "few_to_judge", "note", (), "y", lambda t, rng: {name: t[name][:120] for name in t}),
]  # fmt: skip
SILENT = [
    ("1,000 rows", "c", lambda t, rng: {}),
    ("300 rows", "y", lambda t, rng: {name: t[name][:300] for name in t}),
    ("a wide picture", "c", lambda t, rng: {"new": np.arange(400_000, dtype=float).reshape(1000, 400) % 97}),
]


def test_small_parts_are_noted(healthy, found_in):
    found = found_in(healthy(120), target="y")
    assert [(each.rule, each.level) for each in found] == [("few_to_judge", "note")]
