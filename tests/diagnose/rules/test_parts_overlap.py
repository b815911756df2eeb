"""A row in two parts."""

import numpy as np

from preceptor.data import Split, Table
from preceptor.diagnose import TableFacts
from preceptor.diagnose.column import Column


def facts(first):
    rows, y = np.arange(1000), np.random.default_rng(0).normal(size=1000)
    table = Table("made", {"x": np.random.default_rng(1).normal(size=1000), "y": y})
    return TableFacts(table, Column("y", y), Split(rows[:400], rows[first:500], rows[500:]), "number", None)


FIRES = [("ten rows in train and dev", "parts_overlap", "refuse", (), None, lambda rng: facts(390))]
SILENT = [("parts side by side", None, lambda rng: facts(400))]


def test_the_rows_are_named(healthy, found_in):
    rows = np.arange(1000)
    found = found_in(healthy(), parts=Split(rows[:400], rows[390:500], rows[500:]))
    assert (found[0].rule, found[0].level) == ("parts_overlap", "refuse")
    assert found[0].rows == (391, 392, 393, 394, 395)
