"""What a test needs that is not installed."""

import pytest

from preceptor.engines.xla import NEEDS_JAX, is_installed
from preceptor.errors import NotSupported


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """A test that comes to the xla engine is skipped where jax is not installed."""
    try:
        return (yield)
    except NotSupported as error:
        if is_installed() or NEEDS_JAX not in str(error):
            raise
        pytest.skip(f"the xla engine: {NEEDS_JAX}")
