"""Rows that are copies of one another."""

import numpy as np

from preceptor.data import Split
from preceptor.diagnose import PartHashes


def repeated(t, times, share):
    rows = np.arange(1000)
    rows[: int(share * 1000)] %= int(share * 1000 / times)
    return {name: t[name][rows] for name in t}


def alone(t, **columns):
    return dict.fromkeys(name for name in t if name != "c") | {"c": t["c"]} | columns


def bytes_of(rng):
    return rng.integers(0, 255, (1000, 16)).astype(np.uint8)


def pictures_twice(t, rng):
    image = bytes_of(rng)
    image[:400] = np.tile(image[:200], (2, 1))
    return repeated(t, 2, 0.4) | {"image": image}


def hashes(rng, copies):
    numbers = rng.integers(0, 2**63, 2000).astype(np.uint64)
    return PartHashes(numbers[:1000], np.append(numbers[:copies], numbers[1000 : 2000 - copies]))


FIRES = [
    ("a tenth of the rows twice", "duplicates", "warn", (), "c", lambda t, rng: repeated(t, 2, 0.2)),
    ("rows five times", "duplicates", "warn", (), "c", lambda t, rng: repeated(t, 5, 0.5)),
    ("every row twice", "duplicates", "warn", (), "c", lambda t, rng: repeated(t, 2, 1.0)),
    ("rows twice, a number as target", "duplicates", "warn", (), "y", lambda t, rng: repeated(t, 2, 0.3)),
    ("rows twice under new numbers", "duplicates", "warn", (), "c", lambda t, rng: {
        **repeated(t, 2, 0.4), "id": np.arange(1000)}),
    ("texts twice", "duplicates", "warn", (), "c", lambda t, rng: alone(
        t, message=np.array([str(each) for each in rng.permutation(1000) % 800], object))),
    ("pictures twice", "duplicates", "warn", (), "c", pictures_twice),
    ("nothing but pictures twice", "duplicates", "warn", (), "c", lambda t, rng: alone(
        t, image=bytes_of(rng)[rng.permutation(1000) % 800])),
    ("ten copies", "duplicates", "note", (), "c", lambda t, rng: repeated(t, 2, 0.02)),
    ("of numbers, a tenth", "duplicates", "warn", (), None, lambda rng: hashes(rng, 100)),
    ("of numbers, five", "duplicates", "note", (), None, lambda rng: hashes(rng, 5)),
]  # fmt: skip
SILENT = [
    ("different rows", "c", lambda t, rng: {}),
    ("a column of few values more", "y", lambda t, rng: {"new": rng.integers(0, 3, 1000)}),
    ("different numbers", None, lambda rng: hashes(rng, 0)),
    ("no row held out", None, lambda rng: PartHashes(np.arange(9, dtype=np.uint64), np.zeros(0, np.uint64))),
]


def test_copies_across_the_split_are_counted(healthy, found_in):
    columns, rows = healthy(), np.arange(1000)
    for name in columns:
        columns[name][900:940] = columns[name][:40]
    parts = Split(rows[:900], rows[900:950], rows[950:])
    [found] = [each for each in found_in(columns, "y", parts=parts) if each.level != "note"]
    assert found.text.startswith(
        "40 of 1,000 rows repeat another row in every column (0 within train), and 40 of the 100 dev and test rows "
        "(40.0%) are in train as well: "
    )
    assert found.rows == (901, 902, 903, 904, 905)


def test_chance_is_not_taken_for_copies(found_in):
    """Tables of few values repeat rows by nature: a note, not a warning."""
    rng = np.random.default_rng(0)
    columns = {name: np.array(["a", "b", "c"], object)[rng.integers(0, 3, 1000)] for name in "pqr"}
    found = found_in(columns | {"c": np.array(["no", "yes"], object)[rng.integers(0, 2, 1000)]})
    assert {(each.rule, each.level) for each in found} == {("duplicates", "note"), ("contradictions", "note")}


def test_a_parity_of_bits_is_not_taken_for_copies(found_in):
    bits = np.random.default_rng(0).integers(0, 2, (1000, 8))
    columns = {f"bit{number}": bits[:, number] for number in range(8)}
    assert all(each.level == "note" for each in found_in(columns | {"c": bits.sum(axis=1) % 2}))
