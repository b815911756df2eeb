"""Rows with the same features and another class."""

import numpy as np


def both(t, rng):
    rows = np.arange(1000)
    rows[:200] %= 100
    made = {name: t[name][rows] for name in t}
    made["c"][:100], made["c"][100:200] = "yes", "no"
    return made


FIRES = [("the same row with both classes", "contradictions", "note", ("c",), "c", both)]
SILENT = [
    ("different rows", "c", lambda t, rng: {}),
    ("a number", "y", both),
]


def test_they_are_counted(healthy, found_in):
    [text] = [each.text for each in found_in(both(healthy(), None)) if each.rule == "contradictions"]
    assert text == (
        "200 rows have the same features as another row and a different 'c': at least 100 of them (10.0% of all rows) "
        "are told wrongly by any network."
    )
