"""Pictures that are copies of one another."""

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
    ("a tenth of dev and test", "duplicates", "warn", (), None, lambda rng: facts(
        np.where(ROWS < 970, ROWS, ROWS - 900), ROWS % 2)),
    ("one of dev and test", "duplicates", "note", (), None, lambda rng: facts(
        np.where(ROWS < 998, ROWS, ROWS - 900), ROWS % 2)),
    ("copies within train", "duplicates", "note", (), None, lambda rng: facts(
        np.where((ROWS < 10), ROWS + 10, ROWS), ROWS % 2)),
]  # fmt: skip
SILENT = [("different pictures", None, lambda rng: facts(ROWS, ROWS % 2))]


def test_they_are_counted():
    [found] = inspect(facts(np.where(ROWS < 970, ROWS, ROWS - 900), ROWS % 2))
    assert found.text == (
        "30 of the 300 dev and test pictures are in train as well, pixel by pixel: the figures will be too good; "
        "remove the copies."
    )


def test_one_is_said_in_the_singular():
    [found] = inspect(facts(np.where(ROWS < 999, ROWS, ROWS - 900), ROWS % 2))
    assert found.text == "1 of the 300 dev and test pictures is in train as well, pixel by pixel; too few to matter."
    [found] = inspect(facts(np.where(ROWS < 1, ROWS + 10, ROWS), ROWS % 2))
    assert found.text == "1 picture repeats another one pixel by pixel; copies are kept in one part."
