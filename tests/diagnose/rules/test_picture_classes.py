"""Classes of few pictures, and of very different sizes."""

import numpy as np

from preceptor.data import Split
from preceptor.diagnose import PictureFacts, inspect


def facts(hashes, labels, classes=("cat", "dog")):
    rows = np.arange(len(labels))
    train, dev = int(0.7 * len(rows)), int(0.85 * len(rows))
    parts = Split(rows[:train], rows[train:dev], rows[dev:])
    return PictureFacts(classes, np.asarray(labels), np.asarray(hashes), parts)


ROWS = np.arange(1000)
FIRES = [
    ("ten pictures of one class", "few_rows", "note", (), None, lambda rng: facts(ROWS, (ROWS < 10).astype(int))),
    ("one to twenty", "imbalance", "note", (), None, lambda rng: facts(ROWS, (ROWS % 20 == 0).astype(int))),
]
SILENT = [
    ("two even classes", None, lambda rng: facts(ROWS, ROWS % 2)),
    ("one to nine", None, lambda rng: facts(ROWS, (ROWS % 10 == 0).astype(int))),
]


def test_the_classes_are_named():
    found = inspect(facts(ROWS, (ROWS < 10).astype(int)))
    assert [each.text for each in found] == [
        "Few pictures: dog has fewer than 20 to train on; more pictures help more than any setting.",
        "Unequal classes: cat has 690 training pictures, dog 10; judge by f1.",
    ]
