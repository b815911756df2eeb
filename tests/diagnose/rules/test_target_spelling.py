"""Classes in two spellings, and words for missing among them."""


def some(t, value):
    t["c"][5:45] = value
    return t


FIRES = [
    ("another case", "class_spelling", "warn", ("c",), "c", lambda t, rng: some(t, "Yes")),
    ("a space", "class_spelling", "warn", ("c",), "c", lambda t, rng: some(t, "yes ")),
    ("a dot", "class_spelling", "warn", ("c",), "c", lambda t, rng: some(t, "yes.")),
    ("nan", "class_missing_word", "warn", ("c",), "c", lambda t, rng: some(t, "nan")),
    ("?", "class_missing_word", "warn", ("c",), "c", lambda t, rng: some(t, "?")),
    ("N/A", "class_missing_word", "warn", ("c",), "c", lambda t, rng: some(t, "N/A")),
]
SILENT = [
    ("two classes", "c", lambda t, rng: {}),
    ("a third class", "c", lambda t, rng: some(t, "yes and no")),
    ("a number", "y", lambda t, rng: {}),
]
