"""Inputs and targets of each task, against what NumPy and Pillow make of the same pictures."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from preceptor.data import Pictures
from preceptor.data.affine import Affine
from preceptor.data.pictures.augment import Draw, Flip, PadCrop
from preceptor.errors import ConfigError, DataError
from preceptor.pretext import Colour, Contrast, Frame, Inpaint, Position, Rotation, TaskRows, TaskStream
from preceptor.pretext.position import AROUND
from preceptor.pretext.task import by_place, cell_means

PLAIN = Affine(np.zeros(3), np.ones(3))
GREY = Affine(np.zeros(1), np.ones(1))
SCALED = Affine(np.array([0.4, 0.5, 0.6]), np.array([2.0, 3.0, 4.0]))
DRAW = Draw(3, 0, 200)


def drawn(count=200, height=24, width=24, channels=3):
    return np.random.default_rng(0).random((count, height, width, channels)).astype(np.float32)


def a_set(count=40, side=24, channels=3, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (count, side, side, channels)).astype(np.uint8)
    return Pictures("drawn", (), None, None, side, side, channels, pixels, np.arange(count, dtype=np.uint64))


def test_turned_pictures_are_those_of_rot90():
    pictures = drawn()
    x, y = Rotation().make(pictures, DRAW, Frame((24, 24, 3), SCALED))
    expected = [np.rot90(each, turn) for each, turn in zip(pictures, y, strict=True)]
    np.testing.assert_allclose(x, (np.stack(expected) - SCALED.shift) * SCALED.scale, rtol=1e-5, atol=1e-6)
    assert y.dtype == np.int32
    counts = np.bincount(y, minlength=4)
    assert counts.sum() == 200
    assert counts.min() > 25  # 50 are expected, the standard deviation is 6


def test_pictures_that_are_not_square_are_cut_to_their_middle():
    pictures = drawn(20, 10, 17)
    assert Rotation().seen((10, 17, 3)) == (10, 10, 3)
    x, y = Rotation().make(pictures, Draw(0, 0, 20), Frame((10, 10, 3), PLAIN))
    expected = [np.rot90(each[:, 3:13], turn) for each, turn in zip(pictures, y, strict=True)]
    np.testing.assert_array_equal(x, np.stack(expected))


def test_patches_lie_where_the_class_says_within_gap_and_jitter():
    """The pictures tell of each pixel where it lies, so that a patch tells where it was cut."""
    height, width = 30, 36
    places = np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij"), 2).astype(np.float32)
    pictures = np.repeat(places[None], 400, 0)
    task, frame = Position(patch=0.25), Frame((height, width, 2), Affine(np.zeros(2), np.ones(2)))
    x, y = task.make(pictures, Draw(1, 0, 400), frame)
    side, gap = 8, 1  # of 30 pixels: round(0.25 * 30), (30 - 24) // 4
    assert x.shape == (400, 2, side, side, 2)
    assert x.shape[1:] == task.shown(frame.shape)
    inner = places[:side, :side]
    np.testing.assert_array_equal(x - x[:, :, :1, :1], np.broadcast_to(inner, x.shape))
    starts = x[:, :, 0, 0]
    middle = np.array([(height - side) // 2, (width - side) // 2])
    away = starts - np.stack([np.broadcast_to(middle, (400, 2)), middle + np.array(AROUND)[y] * (side + gap)], 1)
    assert np.abs(away).max() == gap
    assert set(np.unique(away)) == {-1, 0, 1}
    between = np.abs(starts[:, 1] - starts[:, 0]).max(1)
    assert between.min() >= side + gap - 2 * gap  # they may touch, and never share a pixel
    assert np.bincount(y, minlength=8).min() > 25  # 50 are expected


def test_a_patch_of_a_small_picture_is_refused_in_one_line():
    with pytest.raises(ConfigError, match=r"task position: the pictures have 5 × 4 pixels; nine patches of at least 2"):
        Position().shown((4, 5, 1))


def test_a_block_is_covered_with_the_mean_and_asked_for_cell_by_cell():
    pictures, frame = drawn(60), Frame((24, 24, 3), SCALED, (3, 3))
    x, y = Inpaint(side=0.5).make(pictures, Draw(5, 0, 60), frame)
    scaled = (pictures - SCALED.shift) * SCALED.scale
    covered = (x == 0).all(-1)
    np.testing.assert_allclose(np.where(covered[..., None], 0, scaled), x, rtol=1e-5, atol=1e-6)
    rows, columns = covered.any(2), covered.any(1)
    assert (rows.sum(1) == 12).all()  # half of each side
    assert (columns.sum(1) == 12).all()
    np.testing.assert_array_equal(covered, rows[:, :, None] & columns[:, None, :])  # one block
    assert len(np.unique(rows.argmax(1))) > 2  # at different places
    cells = scaled.reshape(60, 12, 2, 12, 2, 3).mean((2, 4))
    mask = covered.reshape(60, 12, 2, 12, 2).all((2, 4))
    told, hidden = y[:, :432], y[:, 432:]
    for picture in range(3):
        for number, (i, j) in enumerate((i, j) for i in range(3) for j in range(3)):  # place by place, as Convolution
            own = slice(48 * number, 48 * (number + 1))
            block = cells[picture, 4 * i : 4 * i + 4, 4 * j : 4 * j + 4]
            np.testing.assert_allclose(told[picture, own], block.ravel(), rtol=1e-4, atol=1e-5)
            shown = mask[picture, 4 * i : 4 * i + 4, 4 * j : 4 * j + 4]
            np.testing.assert_array_equal(hidden[picture, own], np.repeat(shown.ravel(), 3))


def test_cells_of_sides_that_do_not_divide_are_means_all_the_same():
    pictures = drawn(2, 28, 10, 1)
    found = cell_means(pictures, (12, 4))
    assert found.shape == (2, 12, 4, 1)
    np.testing.assert_allclose(found[0, 1, 2, 0], pictures[0, 2:4, 5:7, 0].mean(), rtol=1e-6)
    assert by_place(found, (3, 2)).shape == (2, 48)


def test_grey_is_the_brightness_of_pillow_and_colours_are_classes_of_its_differences():
    Image = pytest.importorskip("PIL.Image", reason="Pillow is the reference here")
    pixels = np.random.default_rng(1).integers(0, 256, (4, 8, 8, 3)).astype(np.uint8)
    pixels[0] = pixels[0, 0, 0]  # of one colour
    frame = Frame((8, 8, 3), PLAIN, (2, 2))
    x, y = Colour(cells=1).make(pixels / np.float32(255), Draw(0, 0, 4), frame)
    grey = np.stack([np.asarray(Image.fromarray(each).convert("L")) for each in pixels])
    assert np.abs(x[..., 0] * 255 - grey).max() <= 0.51  # Pillow rounds
    assert (x[..., :1] == x).all()
    told = np.asarray(Image.fromarray(pixels[0]).convert("YCbCr"))[0, 0].astype(float)  # Cb and Cr lie around 128
    edges = np.array([-0.15, -0.08, -0.03, 0.03, 0.08, 0.15])
    blue, red = (int((edges < each).sum()) for each in (told[1:] - 128) / 255)
    assert y.dtype == np.int32
    np.testing.assert_array_equal(y[0], [7 * blue + red] * 4)


def test_grey_pictures_have_no_colours_to_tell():
    with pytest.raises(DataError, match="drawn: the pictures are grey; task colour needs colours to be told"):
        Colour().check(a_set(channels=1))


def test_views_are_two_and_differ_and_are_of_their_own_picture():
    pictures = np.full((50, 16, 16, 1), 0.2, np.float32)
    pictures[25:] = 0.8
    x, y = Contrast().make(pictures, Draw(0, 0, 50), Frame((16, 16, 1), GREY))
    assert x.shape == (50, 2, 16, 16, 1)
    assert not y.any()
    assert x[:25].mean() < 0.4 < 0.6 < x[25:].mean()
    assert (x[:, 0] != x[:, 1]).any((1, 2, 3)).mean() > 0.9
    varied = Contrast().make(drawn(50), Draw(0, 0, 50), Frame((24, 24, 3), PLAIN))[0]
    assert (varied[:, 0] != varied[:, 1]).any((1, 2, 3)).all()


TASKS = [Rotation(), Colour(), Inpaint(), Position(), Contrast()]


def frame_of(task, pictures):
    return Frame(task.seen(pictures.shape), Affine(np.full(3, 0.5), np.full(3, 2.0)), (3, 3))


@pytest.mark.parametrize("task", TASKS, ids=lambda task: type(task).__name__)
def test_what_stands_at_a_position_hangs_on_seed_and_position_alone(task, monkeypatch):
    pictures = a_set()
    monkeypatch.setattr("preceptor.pretext.stream.CHUNK_BYTES", 4 * 24 * 24 * 3 * 7)  # blocks of 7 pictures
    steps = (PadCrop(2), Flip())

    def stream(**changes):
        return TaskStream(
            pictures, np.arange(5, 40), task, frame_of(task, pictures), **{"seed": 1, "steps": steps} | changes
        )

    whole = stream(workers=1).fetch(0, 90)
    for workers, cuts in ((2, (0, 11, 30, 90)), (5, (0, 50, 90))):
        parts = [stream(workers=workers).fetch(a, b - a) for a, b in pairwise(cuts)]
        for name in ("x", "y"):
            assert np.concatenate([each[name] for each in parts]).tobytes() == whole[name].tobytes()
    assert stream(seed=2).fetch(0, 90)["x"].tobytes() != whole["x"].tobytes()
    assert whole["x"].shape == (90, *task.shown(pictures.shape))
    assert whole["x"].dtype == np.float32


@pytest.mark.parametrize("task", TASKS, ids=lambda task: type(task).__name__)
def test_rows_that_judge_are_always_the_same(task):
    pictures = a_set()
    rows = TaskRows(pictures, np.arange(30), task, frame_of(task, pictures), seed=4)
    assert rows[:].tobytes() == np.concatenate([rows[0:7], rows[7:30]]).tobytes()
    assert rows[:].shape == (len(rows), *rows.shape[1:])
    assert len(rows.targets()) == 30
    other = replace(pictures, hashes=pictures.hashes + 1)
    assert TaskRows(other, np.arange(30), task, frame_of(task, pictures), 4).fingerprint() != rows.fingerprint()
