from pathlib import Path

import numpy as np
import pytest

SHARED = Path(__file__).parents[2].parent / "shared" / "data"


@pytest.fixture(scope="session")
def torch():
    """PyTorch, the outside value of many tests here."""
    found = pytest.importorskip("torch", reason="PyTorch is the reference of this test: pip install 'preceptor[peers]'")
    found.set_num_threads(1)  # its threads cost more than they bring for arrays as small as these
    return found


@pytest.fixture
def shared():
    """Returns the path of a file among the shared data sets, or skips the test."""

    def find(name):
        path = SHARED / name
        if not path.exists():
            pytest.skip(f"needs the data set {name} in a folder shared/data beside the repository")
        return path

    return find


@pytest.fixture(scope="session")
def blobs():
    """Three overlapping groups of 50 points in 6 dimensions, in float64, and the number of each point's group."""
    rng = np.random.default_rng(5)
    y = np.arange(50) % 3
    return rng.normal(size=(50, 6)) + rng.normal(size=(3, 6))[y], y
