"""Where all is tested, nothing may be left out unseen."""

import os

import pytest

from preceptor.engines.native import unavailable


def test_the_native_engine_can_be_used_where_all_is_tested():
    if not os.environ.get("CI"):
        pytest.skip("asked only where the environment has CI set; elsewhere tests of the native engine may be skipped")
    assert unavailable() == ""
