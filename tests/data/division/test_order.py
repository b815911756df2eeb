import numpy as np
import pandas as pd
import pytest

from preceptor.data import order, order_of_contents, permutation_indices, read


@pytest.mark.parametrize("rows", [1, 2, 7, 1000])
def test_every_epoch_visits_every_row_once(rows):
    stream = order(3, 0, 4 * rows, rows).reshape(4, rows)
    assert (np.sort(stream, axis=1) == np.arange(rows)).all()


@pytest.mark.parametrize("start, count", [(0, 0), (0, 5), (8, 4), (9, 1), (10, 1), (25, 33), (99, 1)])
def test_any_slice_equals_that_part_of_the_whole_stream(start, count):
    whole = order(7, 0, 100, 10)
    assert order(7, start, count, 10).tolist() == whole[start : start + count].tolist()


def test_epochs_and_seeds_differ_and_repeat():
    first, second = order(0, 0, 200, 100).reshape(2, 100)
    assert first.tolist() != second.tolist()
    assert order(1, 0, 100, 100).tolist() != first.tolist()
    assert order(0, 0, 100, 100).tolist() == first.tolist()


def test_one_permutation_is_numpys_own_under_the_same_key():
    generator = np.random.Generator(np.random.Philox(key=np.array([5, 2], np.uint64)))
    assert permutation_indices(5, 2, 50).tolist() == generator.permutation(50).tolist()


def test_the_cached_permutation_cannot_be_spoiled():
    with pytest.raises(ValueError, match="read-only"):
        permutation_indices(0, 0, 4)[0] = 9


def test_rows_fit_32_bits():
    assert order(0, 0, 3, 10).dtype == np.int32


def test_positions_are_uniform():
    # 2000 passes over 5 rows: each row stands first about 400 times; 6 standard deviations are 107.
    first = order(11, 0, 10_000, 5).reshape(2000, 5)[:, 0]
    assert np.abs(np.bincount(first, minlength=5) - 400).max() < 107


def test_rows_are_sorted_as_pandas_sorts_them():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.integers(0, 3, 40) / 1.0, "b": list("zyx" * 13 + "z"), "c": rng.integers(0, 9, 40)})
    frame.loc[[3, 8], "a"], frame.loc[[5, 8], "b"] = np.nan, None
    frame["b"] = frame["b"].astype(object).where(frame["b"].notna(), None)
    found = order_of_contents(read(frame[["c", "a", "b"]]), "c")
    assert found.tolist() == frame.sort_values(["a", "b", "c"], kind="stable").index.tolist()
