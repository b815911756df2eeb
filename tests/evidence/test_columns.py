"""Columns as a page shows them: counts against NumPy and pandas, words for every kind."""

import numpy as np
import pandas as pd
import pytest

import preceptor as pr
from preceptor.data import fit_preprocessor, read
from preceptor.evidence.columns import columns_of, histogram


def shown(data, target="y", **how):
    table = read(data)
    learned = fit_preprocessor(table, target, np.arange(table.rows), **how)
    found, count = columns_of(table, np.arange(table.rows), learned)
    assert count == len(table.columns)
    return {each.name: each for each in found}


def test_histograms_are_numpys():
    values = np.random.default_rng(0).normal(size=999)
    edges, counts = histogram(np.sort(values))
    theirs, bounds = np.histogram(values, 20)
    np.testing.assert_allclose(edges, bounds, rtol=1e-12)
    np.testing.assert_array_equal(counts, theirs)


def test_the_outer_bins_hold_heavy_tails():
    values = np.random.default_rng(0).standard_cauchy(10_000)
    edges, counts = histogram(np.sort(values))
    low, high = np.quantile(values, (0.005, 0.995), method="nearest")
    assert (edges[0], edges[-1]) == pytest.approx((low, high), rel=0.05)
    assert sum(counts) == len(values)
    inner, _ = np.histogram(values, edges)
    np.testing.assert_array_equal(counts[1:-1], inner[1:-1])
    assert counts[0] > inner[0]
    assert counts[-1] > inner[-1]


@pytest.mark.parametrize(("values", "width"), [(np.arange(17), 1), (np.arange(100), 5), (np.arange(-3, 4), 1)])
def test_bins_of_whole_numbers_hold_equally_many(values, width):
    edges, counts = histogram(np.sort(np.repeat(values, 3)).astype(float))
    assert set(np.diff(edges)) == {width}
    assert set(counts) == {3.0 * width}


@pytest.mark.parametrize(
    "values", [[], [2.5], [2.5, 2.5], [-1e308, 1e308], [1.0, np.nextafter(1.0, 2)], [1e300, 1e301]]
)
def test_histograms_of_the_strangest_numbers_are_finite_and_count_all(values):
    edges, counts = histogram(np.array(values))
    assert np.isfinite(edges).all()
    assert sum(counts) == len(values)
    assert len(edges) == (len(counts) + 1 if values else 0)


def test_levels_are_counted_as_pandas_counts():
    rng = np.random.default_rng(1)
    words = rng.choice([f"w{n}" for n in range(30)], 500, p=np.arange(1, 31) / 465).astype(object)
    words[::50] = None
    found = shown({"word": words, "y": rng.normal(size=500)})["word"]
    theirs = pd.Series(words).value_counts()
    assert found.distinct == len(theirs)
    assert found.counts == theirs.tolist()[:12]
    assert found.counts == [theirs[level] for level in found.levels]
    assert found.others == theirs.iloc[12:].sum()
    assert found.missing == 10 / 500


def test_every_kind_of_column_says_what_was_done_to_it():
    rng, rows = np.random.default_rng(2), 400
    number = rng.normal(size=rows)
    number[:40] = np.nan
    table = {
        "number": number,
        "heavy": rng.standard_cauchy(rows),
        "truth": rng.random(rows) < 0.5,
        "pair": rng.choice(["no", "yes"], rows).astype(object),
        "category": rng.choice(["a", "b", "c"], rows).astype(object),
        "date": np.datetime64("2024-01-01", "s") + rng.integers(0, 10**7, rows).astype("m8[s]"),
        "pixels": rng.integers(0, 256, (rows, 9)).astype(np.uint8),
        "constant": np.ones(rows),
        "name": np.array([f"n{i}" for i in range(rows)], object),
        "y": rng.choice(["cat", "dog"], rows).astype(object),
    }
    found = shown(table)
    kinds = {name: each.kind for name, each in found.items()}
    assert kinds == {
        "y": "target", "number": "number", "heavy": "number", "truth": "truth", "pair": "category",
        "category": "category", "date": "date", "pixels": "block", "constant": "set aside", "name": "set aside",
    }  # fmt: skip
    assert found["y"].done == "To be predicted: 2 classes (text)."
    assert found["number"].done == "Standardised. Missing is filled with the middle and flagged."
    assert found["number"].missing == 0.1
    assert found["heavy"].done == "Heavy tail: scaled by the quartiles and bent in."
    assert found["heavy"].highest == pytest.approx(table["heavy"].max())
    assert found["truth"].levels == ["true", "false"]
    assert found["truth"].counts == [table["truth"].sum(), rows - table["truth"].sum()]
    assert found["pair"].done == "-1 is no, 1 is yes."
    assert found["category"].done == "One feature per level (3 levels)."
    assert found["date"].done.startswith("The day as a number, and the place in the year")
    assert found["date"].lowest == table["date"].min().astype(float)
    assert found["pixels"].done == "9 numbers per row, one mean and deviation for all."
    assert found["constant"].done == "Set aside: the same in all training rows."
    assert found["name"].done.startswith("Set aside: free text or an identifier")
    np.testing.assert_array_equal(found["pixels"].counts, np.histogram(table["pixels"], found["pixels"].edges)[0])


def test_classes_that_are_numbers_are_told_as_they_are_written():
    run = pr.fit("digits", epochs=1, engine="reference", members=1)
    (target, _) = run.evidence.columns
    assert sorted(target.levels) == [str(n) for n in range(10)]
    assert sum(target.counts) == run.facts["split"]["train"]


def test_of_many_columns_and_rows_some_are_kept():
    rng = np.random.default_rng(0)
    table = read({"x": rng.normal(size=250_000), **{f"c{n}": np.arange(250_000) % (n + 2) for n in range(210)}})
    learned = fit_preprocessor(table, "c0", np.arange(0, 250_000, 11))
    found, count = columns_of(table, np.arange(250_000), learned)
    assert (len(found), count) == (200, 211)
    assert found[0].name == "c0"
    assert sum(found[1].counts) == 100_000


def test_levels_are_no_longer_than_a_line():
    found = shown({"x": np.array(["a" * 500, "b"] * 10, object), "y": np.arange(20.0)})["x"]
    assert found.levels == ["a" * 79 + "…", "b"]
