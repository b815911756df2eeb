"""Text that is nearly a number, has a level in two spellings, or a word for missing."""

import numpy as np


def some(t, value):
    t["level"][5:45] = value
    return t


def numbers(t, word):
    return {"x": np.array([word, *map(str, t["x"][1:])], object)}


FIRES = [
    ("a word among numbers", "number_as_text", "note", ("x",), "c", lambda t, rng: numbers(t, "thirty")),
    ("n.d. in a fourth of the rows", "number_as_text", "note", ("x",), "c", lambda t, rng: {
        "x": np.where(np.arange(1000) % 4 == 0, "n.d.", numbers(t, "0")["x"])}),
    ("a question mark", "missing_word", "note", ("level",), "c", lambda t, rng: some(t, "?")),
    ("a blank", "missing_word", "note", ("level",), "c", lambda t, rng: some(t, "  ")),
    ("another case", "spelling", "note", ("level",), "c", lambda t, rng: some(t, "Red")),
    ("a space", "spelling", "note", ("level",), "c", lambda t, rng: some(t, " red")),
]  # fmt: skip
SILENT = [
    ("three levels", "c", lambda t, rng: {}),
    ("a fourth level", "c", lambda t, rng: some(t, "dark red")),
    ("tickets, of which many have letters", "c", lambda t, rng: {
        "x": np.array([f"{'A' * (row % 4 == 0)}{row % 700}" for row in range(1000)], object)}),
    ("numbers that are text", "c", lambda t, rng: numbers(t, "30")),
]  # fmt: skip
