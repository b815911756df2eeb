"""Pictures brought to a side that was asked for."""

import gzip
import struct

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from preceptor.data.pictures import pictures as module
from preceptor.data.pictures.pictures import ScaledPixels, read_pictures

image = pytest.importorskip("PIL.Image", reason="needs Pillow")


def test_files_keep_their_channels(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for number in range(3):
            pixels = rng.integers(0, 256, (12, 16), np.uint8)
            image.fromarray(pixels).save(tmp_path / name / f"{number}.png")
    found = read_pictures(tmp_path, side=8)
    assert found.shape == (8, 8, 1)
    assert read_pictures(tmp_path).shape == (12, 16, 1)


def idx(folder, pixels, labels):
    for name, values in (("train-images-idx3-ubyte.gz", pixels), ("train-labels-idx1-ubyte.gz", labels)):
        head = struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
        (folder / name).write_bytes(gzip.compress(head + values.tobytes()))


@pytest.mark.parametrize("kept", [0, 1 << 20])
def test_stored_pictures_are_scaled_at_once_or_when_they_are_taken(tmp_path, monkeypatch, kept):
    rng = np.random.default_rng(0)
    pixels, labels = rng.integers(0, 256, (6, 10, 10), np.uint8), (np.arange(6) % 2).astype(np.uint8)
    idx(tmp_path, pixels, labels)
    monkeypatch.setattr(module, "KEPT_BYTES", kept)
    found = read_pictures(tmp_path, side=20)
    assert isinstance(found.pixels, np.ndarray if kept else ScaledPixels)
    assert found.shape == (20, 20, 1)
    wanted = [np.asarray(image.fromarray(each).resize((20, 20), image.Resampling.BILINEAR)) for each in pixels]
    assert_array_equal(found.take([4, 1], workers=2)[..., 0], np.stack(wanted)[[4, 1]])
    assert len(np.unique(found.content_hashes())) == 6
