"""Values out of all proportion."""


def put(t, name, rows, value):
    t[name][rows] = value
    return t


FIRES = [
    ("one wild value", "scale_outlier", "warn", ("x",), "c", lambda t, rng: put(t, "x", 13, 1e9)),
    ("one wild negative value", "scale_outlier", "warn", ("amount",), "c", lambda t, rng: put(t, "amount", 13, -1e12)),
    ("three wild values", "scale_outlier", "warn", ("x",), "c", lambda t, rng: put(t, "x", [1, 2, 3], 1e15)),
    ("a tiny spread about a large mean", "scale_offset", "warn", ("new",), "c", lambda t, rng: {
        "new": 1e6 + 1e-9 * rng.integers(0, 9, 1000)}),
    ("huge fractions", "scale_huge", "warn", ("x",), "c", lambda t, rng: {"x": 1e17 * rng.normal(size=1000)}),
    ("huge whole numbers", "scale_huge", "note", ("new",), "c", lambda t, rng: {
        "new": rng.integers(10**17, 9 * 10**18, 1000)}),
]  # fmt: skip
SILENT = [
    ("usual sizes", "c", lambda t, rng: {}),
    ("one value a thousand times as large", "c", lambda t, rng: put(t, "x", 13, 1e3)),
    ("years", "c", lambda t, rng: {"new": rng.integers(1990, 2024, 1000)}),
]
