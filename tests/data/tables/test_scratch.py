"""Folders of the moment: none is left, not even by a process that was killed, and none but these is removed."""

import os
import signal
import subprocess
import sys

import pytest

from preceptor.data import open_table, read
from preceptor.data.tables import long_table
from preceptor.data.tables.scratch import MARK, Scratch

CHILD = """
import sys, time
from preceptor.data.tables.scratch import Scratch
with Scratch() as folder:
    (folder / "table.parquet").write_text("much")
    print(folder, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def where(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "moment"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "moment").mkdir()
    return tmp_path / "moment"


def test_what_a_killed_process_left_goes_with_the_next_and_not_before(where, tmp_path):
    child = subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE, text=True)
    try:
        left = child.stdout.readline().strip()
        with Scratch() as mine:
            assert sorted(map(str, where.iterdir())) == sorted([left, str(mine)])
        child.send_signal(signal.SIGKILL)
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
    assert [str(each) for each in where.iterdir()] == [left]
    with Scratch() as mine:
        assert list(where.iterdir()) == [mine]
    assert list(where.iterdir()) == []


def test_what_has_no_mark_of_ours_stays(where, tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / MARK).write_text("")
    (where / "preceptor-notes").mkdir()
    (where / "preceptor-notes" / "thesis.txt").write_text("years")
    (where / "preceptor-file").write_text("")
    (where / "preceptor-link").symlink_to(tmp_path / "precious")
    (where / "preceptor-marked").mkdir()
    (where / "preceptor-marked" / MARK).symlink_to(tmp_path / "precious" / MARK)
    (where / "other").mkdir()
    (where / "other" / MARK).write_text("")
    before = sorted(where.rglob("*"))
    with Scratch():
        pass
    assert sorted(where.rglob("*")) == before
    assert (tmp_path / "precious" / MARK).exists()


def test_a_process_does_not_take_its_own(where):
    with Scratch() as one, Scratch() as other:
        assert one != other
        assert sorted(where.iterdir()) == sorted([one, other])


def test_reading_leaves_nothing_open_and_nothing_behind(where, tmp_path, monkeypatch):
    (tmp_path / "t.csv").write_text("a,b\n1,x\n2,y\n")
    read(tmp_path / "t.csv")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        read(tmp_path / "t.csv")
    monkeypatch.setattr(long_table, "MOST_CELLS", 1)
    table = open_table(tmp_path / "t.csv")
    assert len(list(where.iterdir())) == 1
    read("iris")
    assert table.column("a").tolist() == [1, 2]
    del table
    assert list(where.iterdir()) == []
    assert len(os.listdir("/proc/self/fd")) == before
