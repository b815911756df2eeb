"""One picture under two labels."""

import numpy as np

from preceptor.data import Split
from preceptor.diagnose import PictureFacts, inspect


def facts(hashes, labels, classes=("cat", "dog")):
    rows = np.arange(len(labels))
    train, dev = int(0.7 * len(rows)), int(0.85 * len(rows))
    parts = Split(rows[:train], rows[train:dev], rows[dev:])
    return PictureFacts(classes, np.asarray(labels), np.asarray(hashes), parts)


ROWS = np.arange(1000)
PAIRS = np.where(ROWS < 10, ROWS + 10, ROWS)  # ten pictures that are there twice
FIRES = [("ten pictures in two classes", "contradiction", "warn", (), None, lambda rng: facts(PAIRS, ROWS // 10 % 2))]
SILENT = [
    ("different pictures", None, lambda rng: facts(ROWS, ROWS % 2)),
    ("copies under one label", None, lambda rng: facts(PAIRS, ROWS % 2)),
]


def test_they_are_counted_and_come_first():
    found = inspect(facts(PAIRS, ROWS // 10 % 2))
    assert [(each.rule, each.level) for each in found] == [("contradiction", "warn"), ("duplicates", "note")]
    assert found[0].text == "10 pictures lie in two classes, pixel by pixel; one of the labels is wrong."
    [first, _] = inspect(facts(np.where(ROWS < 1, ROWS + 10, ROWS), ROWS // 10 % 2))
    assert first.text == "1 picture lies in two classes, pixel by pixel; one of the labels is wrong."
