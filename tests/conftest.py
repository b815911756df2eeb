"""What a test needs that is not installed."""

import pytest

from preceptor.engines import unavailable
from preceptor.engines.xla import NEEDS_JAX, is_installed
from preceptor.errors import NotSupported


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
