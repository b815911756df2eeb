import numpy as np

from preceptor.data.pictures.augment import Draw
from preceptor.pretext import Columns, ColumnStream

WIDTHS = (1, 3, 2)


def rows(count=300):
    return np.random.default_rng(0).normal(size=(count, 6)).astype(np.float32)


def test_whole_columns_are_exchanged_with_values_that_other_rows_have():
    x, others = rows(), rows()[::-1].copy()
    shown, y = Columns(share=0.3).make(x, others, WIDTHS, Draw(0, 0, 300))
    np.testing.assert_array_equal(y[:, :6], x)
    mask = y[:, 6:].astype(bool)
    np.testing.assert_array_equal(mask, shown != x)
    start = 0
    for width in WIDTHS:
        own = mask[:, start : start + width]
        assert (own == own[:, :1]).all()
        assert 0.2 < own[:, 0].mean() < 0.4
        known = {each.tobytes() for each in np.ascontiguousarray(others[:, start : start + width])}
        changed = np.ascontiguousarray(shown[own[:, 0], start : start + width])
        assert all(each.tobytes() in known for each in changed)
        start += width
    assert mask.any(1).mean() < 0.8  # columns are drawn one by one: 0.7³ of the rows stay as they are


def test_a_value_that_is_put_in_and_is_the_same_counts_as_kept():
    x = np.ones((50, 6), np.float32)
    assert not Columns(share=0.9).make(x, x, WIDTHS, Draw(0, 0, 50))[1][:, 6:].any()


def test_the_stream_is_a_function_of_seed_and_position():
    stream = ColumnStream(rows(), WIDTHS, Columns(), 3)
    whole = stream.fetch(0, 700)
    for name in ("x", "y"):
        parts = np.concatenate([stream.fetch(0, 123)[name], stream.fetch(123, 577)[name]])
        assert parts.tobytes() == whole[name].tobytes()
    assert ColumnStream(rows(), WIDTHS, Columns(), 4).fetch(0, 700)["x"].tobytes() != whole["x"].tobytes()
    assert stream.judging(rows(9))[0].tobytes() != whole["x"][:9].tobytes()
