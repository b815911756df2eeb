"""What a test needs that is not installed."""

import os

import pytest

from preceptor.engines import unavailable
from preceptor.engines.xla import NEEDS_JAX, is_installed
from preceptor.errors import NotSupported

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
