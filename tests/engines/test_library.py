"""Where the oneDNN library is looked for."""

import re
from importlib.machinery import ModuleSpec

import pytest

from preceptor.engines.native import library
from preceptor.engines.native.library import VARIABLE, library_path
from preceptor.errors import ConfigError, NotSupported


@pytest.fixture
def module(monkeypatch, tmp_path):
    """As though the compiled module lay in a folder of the test; the environment names no library."""
    monkeypatch.delenv(VARIABLE, raising=False)
    origin = tmp_path / "_native.so"
    monkeypatch.setattr(library, "find_spec", lambda name: ModuleSpec(name, None, origin=str(origin)))
    return origin


def test_it_lies_beside_the_module(module):
    with pytest.raises(NotSupported, match=rf"{re.escape(str(module.parent))}/libdnnl\.so is missing"):
        library_path()
    module.with_name("libdnnl.so").touch()
    assert library_path() == str(module.with_name("libdnnl.so"))


def test_the_environment_may_name_another(module, monkeypatch, tmp_path):
    other = tmp_path / "other.so"
    monkeypatch.setenv(VARIABLE, str(other))
    with pytest.raises(ConfigError, match=r"received PRECEPTOR_ONEDNN=.*other\.so; .* Correct it, or unset it"):
        library_path()
    other.touch()
    assert library_path() == str(other)


def test_without_the_module_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(library, "find_spec", lambda name: None)
    with pytest.raises(NotSupported, match=r"the compiled module is missing; .* Linux x86-64 with GCC"):
        library_path()
