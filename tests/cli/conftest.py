import os
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from preceptor.cli import main


class Answer(NamedTuple):
    """What a command left behind: exit code, standard output, standard error."""

    code: int
    out: str
    err: str


@pytest.fixture
def preceptor(monkeypatch, capsys):
    """Returns `call(*words) -> Answer`: the command `preceptor` in this process."""

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["preceptor", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        return Answer(end.value.code or 0, *capsys.readouterr())

    return call


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def environment(tmp_path_factory):
    """The environment of a process of its own that finds this package, compiled once for all of them."""
    return os.environ | {
        "PYTHONPATH": str(Path(__file__).parents[2] / "src"),
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPYCACHEPREFIX": str(tmp_path_factory.getbasetemp() / "bytecode"),
    }
