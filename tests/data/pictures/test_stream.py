import math
import threading
import time
from concurrent.futures import CancelledError, ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest

from preceptor import nn
from preceptor.data import order
from preceptor.data.affine import principal_components, zca
from preceptor.data.pictures import pictures as reading
from preceptor.data.pictures import stream as picture_stream
from preceptor.data.pictures.augment import (
    ColourJitter,
    CutMix,
    Cutout,
    Draw,
    Flip,
    Mixup,
    Noise,
    PadCrop,
    Rotate,
    augment,
)
from preceptor.data.pictures.pictures import Pictures, read_pictures
from preceptor.data.pictures.stream import PictureStream, fit_channels, prepared
from preceptor.engines import Reference
from preceptor.train import loop
from preceptor.train.loop import train
from preceptor.train.training import Config, Streamed

STEPS = (PadCrop(pixels=1), Flip(), Rotate(), ColourJitter(hue=0.1), Cutout(), Noise())


@pytest.fixture
def small(monkeypatch):
    """A set in memory, with blocks of five pictures."""
    monkeypatch.setattr(picture_stream, "CHUNK_BYTES", 5 * 4 * 8 * 6 * 3)
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (23, 8, 6, 3), np.uint8)
    labels = rng.integers(0, 3, 23).astype(np.int32)
    return Pictures("set", ("a", "b", "c"), labels, None, 8, 6, 3, pixels, np.zeros(23, np.uint64))


PART = np.array([2, 3, 5, 7, 11, 13, 17, 19, 22])


def test_it_gives_the_rows_of_the_order_augmented_and_brought_to_scale(small):
    normalise = fit_channels(small, PART)
    stream = PictureStream(small, PART, normalise, seed=4, steps=STEPS)
    got = stream.fetch(7, 40)
    rows = PART[order(4, 7, 40, 9)]
    assert stream.rows == 9
    assert got["x"].dtype == np.float32
    assert got["y"].dtype == np.int32
    assert got["y"].tolist() == small.labels[rows].tolist()
    expected = normalise(augment(small.pixels[rows], STEPS, Draw(4, 7, 40)))
    assert (got["x"] == expected).all()
    plain = PictureStream(small, PART, normalise, seed=4).fetch(0, 9)
    assert np.allclose(np.sort(plain["x"].ravel()), np.sort(prepared(small, PART, normalise).ravel()))


@pytest.mark.parametrize("mixer", [None, Mixup(), CutMix()], ids=str)
@pytest.mark.parametrize("learn", ["channels", "zca", "components"])
def test_the_same_bytes_however_it_is_cut_and_by_how_many_workers(small, mixer, learn):
    values = small.pixels[PART] / 255
    normalise = {
        "channels": fit_channels(small, PART),
        "zca": zca(values, epsilon=0.1),
        "components": principal_components(values, 5),
    }[learn]
    make = lambda workers: PictureStream(small, PART, normalise, seed=1, steps=STEPS, mixer=mixer, workers=workers)
    whole = make(1).fetch(0, 60)
    for workers in (1, 2, 3):
        stream = make(workers)
        for cuts in ([0, 60], [0, 1, 2, 3, 60], [17, 30, 31, 44], [5, 10, 15], [59, 60]):
            for start, end in pairwise(cuts):
                got = stream.fetch(start, end - start)
                for name in ("x", "y"):
                    assert got[name].tobytes() == whole[name][start:end].tobytes()
                    assert got[name].shape == whole[name][start:end].shape


def test_an_alternating_flip_knows_row_and_pass(small):
    stream = PictureStream(small, PART, fit_channels(small, PART), seed=4, steps=(Flip(alternate=True),))
    plain = PictureStream(small, PART, fit_channels(small, PART), seed=4)
    count = len(PART)
    mirrored = []
    for number in range(3):
        seen, same = (each.fetch(number * count, count)["x"] for each in (stream, plain))
        is_mirrored = [not np.array_equal(a, b) for a, b in zip(seen, same, strict=True)]
        rows = order(4, number * count, count, count)
        mirrored.append(np.array(is_mirrored)[np.argsort(rows)])
    np.testing.assert_array_equal(mirrored[0], ~mirrored[1])
    np.testing.assert_array_equal(mirrored[0], mirrored[2])


def test_soft_labels_are_those_of_the_two_pictures(small):
    stream = PictureStream(small, PART, fit_channels(small, PART), seed=1, mixer=Mixup(alpha=1.0))
    soft = stream.fetch(0, 30)["y"]
    codes = small.labels[PART[order(1, 0, 31, 9)]]
    assert soft.shape == (30, 3)
    assert soft.dtype == np.float32
    assert np.allclose(soft.sum(1), 1)
    for number, row in enumerate(soft):
        assert set(np.flatnonzero(row)) <= {codes[number], codes[number + 1]}


def test_nothing_asked_for_is_nothing(small):
    got = PictureStream(small, PART, fit_channels(small, PART), seed=1).fetch(3, 0)
    assert got["x"].shape == (0, 8, 6, 3)
    assert got["y"].shape == (0,)


def test_channels_are_learned_from_the_given_rows(small, monkeypatch):
    normalise = fit_channels(small, PART)
    flat = (small.pixels[PART] / 255).reshape(-1, 3)
    assert np.allclose(normalise.shift, flat.mean(0))
    assert np.allclose(normalise.scale, 1 / flat.std(0))
    scaled = prepared(small, PART, normalise)
    assert np.abs(scaled.mean((0, 1, 2))).max() < 1e-5
    assert np.abs(scaled.std((0, 1, 2)) - 1).max() < 1e-5
    monkeypatch.setattr(picture_stream, "SAMPLED", 3)
    some = (small.pixels[[2, 11, 22]] / 255).reshape(-1, 3)
    assert np.allclose(fit_channels(small, PART).shift, some.mean(0))


def test_a_black_channel_stays_0(small):
    pixels = small.pixels.copy()
    pixels[..., 1] = 0
    black = Pictures("set", ("a",), small.labels, None, 8, 6, 3, pixels, small.hashes)
    assert (prepared(black, PART, fit_channels(black, PART))[..., 1] == 0).all()


def test_pictures_in_files_give_the_same_stream(tmp_path, monkeypatch):
    image = pytest.importorskip("PIL.Image", reason="needs Pillow")
    rng = np.random.default_rng(0)
    for label in "ab":
        (tmp_path / label).mkdir()
        for number in range(6):
            image.fromarray(rng.integers(0, 256, (9, 9, 3), np.uint8)).save(tmp_path / label / f"{number}.png")
    kept = read_pictures(tmp_path)
    monkeypatch.setattr(reading, "KEPT_BYTES", 0)
    streamed = read_pictures(tmp_path)
    assert not streamed.is_in_memory
    rows = np.arange(12)
    normalise = fit_channels(kept, rows)
    assert (normalise.shift == fit_channels(streamed, rows).shift).all()
    whole, parts = (PictureStream(each, rows, normalise, seed=2, steps=STEPS).fetch(3, 30) for each in (kept, streamed))
    assert whole["x"].tobytes() == parts["x"].tobytes()
    assert whole["y"].tolist() == parts["y"].tolist()


def test_a_fetch_that_nobody_waits_for_is_stopped(small, monkeypatch):
    def slowly(self, indices, *, workers=1):
        time.sleep(0.05)
        return self.pixels[indices]

    stream = PictureStream(small, PART, fit_channels(small, PART), seed=1, workers=2)
    whole = stream.fetch(0, 30)
    monkeypatch.setattr(Pictures, "take", slowly)
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(stream.fetch, 0, 2000)  # 400 blocks: 10 seconds
        time.sleep(0.2)
        began = time.perf_counter()
        stream.stop()
        assert isinstance(future.exception(), CancelledError)
        assert time.perf_counter() - began < 1
    assert stream.fetch(0, 30)["x"].tobytes() == whole["x"].tobytes()  # later ones are not touched


def names():
    """Of the threads that fetch."""
    return [each.name for each in threading.enumerate() if each.name.startswith(("fetch", "ThreadPoolExecutor"))]


def test_no_thread_decodes_on_when_training_is_broken_off(small, monkeypatch):
    stream = PictureStream(small, np.tile(PART, 50), fit_channels(small, PART), seed=1, workers=2)
    make, made, seconds = stream._block, [], 0.0

    def slowly(*given):
        made.append(given)
        time.sleep(seconds)
        return make(*given)

    monkeypatch.setattr(stream, "_block", slowly)
    monkeypatch.setattr(loop, "CALL_SECONDS", math.inf)  # as many steps at once however slow they are
    config = Config(
        nn.Sequential((nn.Flatten(), nn.Dense(3))), nn.SoftmaxCrossEntropy(), batch_size=9, engine=Reference()
    )
    for number, _ in enumerate(train(config, Streamed(stream))):
        if number == 6:
            seconds = 0.1  # 72 blocks, two at a time, for the eight steps that come next
        if number == 7:
            before = len(made)
            break
    deadline = time.monotonic() + 60
    while names() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not names()
    assert len(made) - before <= 20
