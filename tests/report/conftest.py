"""Some pictures, and a small run on them."""

import numpy as np
import pytest

from preceptor.job import fit


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """30 noisy pictures of 8 x 8 in three classes."""
    image = pytest.importorskip("PIL.Image", reason="needs Pillow")
    rng, path = np.random.default_rng(0), tmp_path_factory.mktemp("pictures")
    for number, name in enumerate(("red", "green", "blue")):
        (path / name).mkdir()
        for each in range(10):
            colour = np.roll([200, 40, 40], number)
            pixels = np.clip(colour + rng.normal(0, 40, (8, 8, 3)), 0, 255).astype(np.uint8)
            image.fromarray(pixels).save(path / name / f"{each}.png")
    return path


@pytest.fixture(scope="session")
def run(folder):
    """A convolutional network after one epoch on them."""
    return fit(folder, model="cnn", engine="reference", epochs=1, batch_size=8)
