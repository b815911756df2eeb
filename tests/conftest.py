"""What tests of several packages need."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from preceptor.engines import unavailable
from preceptor.engines.xla import NEEDS_JAX, is_installed
from preceptor.errors import NotSupported

SHARED = Path(__file__).parents[1].parent / "shared" / "data"

if "PYTEST_XDIST_WORKER" in os.environ:  # workers share the cores; threads of one would wait for those of another
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """A test that comes to the xla engine is skipped where jax is not installed, one that comes to the native engine
    where that cannot be used; tests/engines/native/test_available.py fails where it ought to be."""
    try:
        return (yield)
    except NotSupported as error:
        if not is_installed() and NEEDS_JAX in str(error):
            pytest.skip(f"the xla engine: {NEEDS_JAX}")
        if (reason := unavailable()) and reason in str(error):
            pytest.skip(f"the native engine: {reason}")
        raise


@pytest.fixture(scope="session")
def torch():
    """PyTorch, the outside value of many tests here."""
    found = pytest.importorskip("torch", reason="PyTorch is the reference of this test: pip install 'preceptor[peers]'")
    found.set_num_threads(1)  # its threads cost more than they bring for arrays as small as these
    return found


@pytest.fixture(scope="module")  # not longer: its loop would stand in the way of others
def browser():
    """A Chromium without a window."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="pages are driven by a browser: pip install playwright"
    )
    names = ("chromium", "chromium-browser", "google-chrome")
    chromium = next(filter(None, map(shutil.which, names)), None)
    if chromium is None:
        pytest.skip("pages are driven by a browser: there is no Chromium")
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def shared():
    """Returns the path of a file among the shared data sets, or skips the test."""

    def find(name: str) -> Path:
        path = SHARED / name
        if not path.exists():
            pytest.skip(f"needs the data set {name} in a folder shared/data beside the repository")
        return path

    return find


@pytest.fixture
def written(tmp_path):
    """Writes a file and returns its path."""

    def write(content: str | bytes, name: str = "t.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture(scope="session")
def blobs():
    """Three overlapping groups of 50 points in 6 dimensions, in float64, and the number of each point's group."""
    rng = np.random.default_rng(5)
    y = np.arange(50) % 3
    return rng.normal(size=(50, 6)) + rng.normal(size=(3, 6))[y], y
