"""Rows on the disk, and their order in training."""

import numpy as np
import pytest

from preceptor.data import RowFile, RowStream, check_room
from preceptor.data.encoding import row_file
from preceptor.errors import DataError


def filled(rows=1000, width=3):
    x = np.arange(rows * width, dtype=np.float32).reshape(rows, width)
    file = RowFile(width)
    for start in range(0, rows, 170):
        file.append(x[start : start + 170])
    return file, x


@pytest.fixture
def small_pools(monkeypatch):
    monkeypatch.setattr(row_file, "BLOCK_BYTES", 12 * 7)  # 7 rows
    monkeypatch.setattr(row_file, "POOL_BYTES", 12 * 7 * 10)  # 10 blocks


def test_slices_are_those_of_the_array():
    file, x = filled()
    assert (len(file), file.shape, file.dtype) == (1000, (1000, 3), np.float32)
    for rows in (slice(0, 1000), slice(3, 4), slice(990, 2000), slice(5, 5), slice(None), slice(-3, None)):
        np.testing.assert_array_equal(file[rows], x[rows])


@pytest.mark.parametrize("rows", [1000, 700, 7, 3, 1])
def test_every_pass_has_every_row_once_with_its_target(small_pools, rows):
    file, x = filled(rows)
    y = x[:, 0].astype(np.int32) * 2
    stream = RowStream(file, y, seed=3)
    assert stream.rows == rows
    passes = []
    for number in range(3):
        found = stream.fetch(number * rows, rows)
        assert found["x"].shape == (rows, 3)
        np.testing.assert_array_equal(found["y"], found["x"][:, 0] * 2)
        np.testing.assert_array_equal(np.sort(found["x"][:, 0]), x[:, 0])
        passes.append(found["x"][:, 0])
    if rows > 7:
        assert not np.array_equal(passes[0], passes[1])


def test_the_position_alone_says_what_comes(small_pools):
    file, x = filled()
    whole = RowStream(file, x[:, 0], 5).fetch(0, 2500)
    other = RowStream(file, x[:, 0], 5)
    for start, count in [(2400, 100), (0, 1), (65, 10), (995, 10), (1999, 2), (69, 141)]:
        found = other.fetch(start, count)
        np.testing.assert_array_equal(found["x"], whole["x"][start : start + count])
        np.testing.assert_array_equal(found["y"], whole["y"][start : start + count])
    assert not np.array_equal(RowStream(file, x[:, 0], 6).fetch(0, 100)["y"], whole["y"][:100])


def test_neighbours_part(small_pools):
    """Of neighbours in the file few are neighbours in a pass: of a random order, two of a thousand."""
    file, x = filled()
    order = RowStream(file, x[:, 0], 0).fetch(0, 1000)["x"][:, 0] / 3
    assert (np.abs(np.diff(order)) == 1).mean() < 0.03
    # And the first pool has rows from everywhere, not the first tenth of the file.
    assert np.ptp(order[:70]) > 600


def test_room_is_asked_for_before(monkeypatch):
    check_room(1, "table")
    with pytest.raises(DataError, match=r"^table: 1,048,576.0 GiB are needed on the disk .* set TMPDIR"):
        check_room(1 << 50, "table")


def test_a_full_disk_is_said(monkeypatch):
    file = RowFile(2)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.write", full)
    with pytest.raises(DataError, match=r"cannot be kept in .*No space left on device"):
        file.append(np.zeros((1, 2)))
