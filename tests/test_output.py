"""Results appear whole under their names, follow links, go into streams, and never replace what is read."""

import os
import stat
import subprocess
import sys
import threading

import pytest

from preceptor.errors import ConfigError, DataError
from preceptor.output import Output


def put(path, text, read=()):
    with Output(path, read).text() as file:
        file.write(text)


def test_a_link_leads_to_the_file_that_is_replaced(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "t.csv").write_text("old")
    (tmp_path / "near.csv").symlink_to("far/t.csv")
    (tmp_path / "dangling.csv").symlink_to("far/new.csv")
    for name in ("near.csv", "dangling.csv"):
        put(tmp_path / name, "new")
        assert (tmp_path / name).is_symlink()
    assert sorted(each.name for each in (tmp_path / "far").iterdir()) == ["new.csv", "t.csv"]
    assert {each.read_text() for each in (tmp_path / "far").iterdir()} == {"new"}


def test_what_others_call_part_is_left_alone_and_rights_are_kept(tmp_path):
    (tmp_path / "p.csv.part").write_text("mine")
    (tmp_path / "p.csv").write_text("old")
    (tmp_path / "p.csv").chmod(0o640)
    put(tmp_path / "p.csv", "new")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["p.csv", "p.csv.part"]
    assert (tmp_path / "p.csv.part").read_text() == "mine"
    assert stat.S_IMODE((tmp_path / "p.csv").stat().st_mode) == 0o640
    before = os.umask(0o027)
    try:
        put(tmp_path / "fresh.csv", "new")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "fresh.csv").stat().st_mode) == 0o640


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")
def test_the_owner_of_an_older_file_is_kept(tmp_path):
    (tmp_path / "p.csv").write_text("old")
    (tmp_path / "p.csv").chmod(0o640)
    os.chown(tmp_path / "p.csv", 12345, 23456)
    put(tmp_path / "p.csv", "new")
    found = (tmp_path / "p.csv").stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (12345, 23456, 0o640)
    assert (tmp_path / "p.csv").read_text() == "new"


def test_a_file_that_may_not_be_written_to_is_left_alone(tmp_path):
    """Renaming asks for rights of the folder alone; root may write to every file."""
    (tmp_path / "p.csv").write_text("old")
    (tmp_path / "p.csv").chmod(0o444)
    code = (
        "import os, sys; from preceptor.output import Output\n"
        "if os.geteuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "try: Output('p.csv')\n"
        "except ValueError as error: print(error)"
    )
    tmp_path.chmod(0o777)
    words = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert words.stdout == "p.csv: cannot be written (Permission denied). Choose another place with -o.\n"
    assert (tmp_path / "p.csv").read_text() == "old"


def test_a_block_that_fails_leaves_the_old_file(tmp_path):
    (tmp_path / "p.csv").write_text("old")

    def broken_off():
        with Output(tmp_path / "p.csv").text() as file:
            file.write("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken_off()
    assert [each.name for each in tmp_path.iterdir()] == ["p.csv"]
    assert (tmp_path / "p.csv").read_text() == "old"


@pytest.mark.parametrize("how", ["itself", "link", "hard link"])
def test_a_file_that_is_read_is_never_replaced(tmp_path, how):
    read = tmp_path / "t.csv"
    read.write_text("data")
    path = read if how == "itself" else tmp_path / "other.csv"
    if how == "link":
        path.symlink_to(read)
    if how == "hard link":
        path.hardlink_to(read)
    with pytest.raises(ConfigError, match=r"which is read; it would be replaced\. Choose another place"):
        Output(path, [read])
    assert read.read_text() == "data"


def test_a_pipe_is_written_to(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    found = []
    reader = threading.Thread(target=lambda: found.append((tmp_path / "pipe").read_text()))
    reader.start()
    put(tmp_path / "pipe", "rows")
    reader.join()
    assert found == ["rows"]
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


@pytest.mark.parametrize("name", ["/dev/stdout", "/proc/self/fd/1", "/dev/fd/1", "stdout"])
def test_what_the_process_has_open_is_written_to_where_it_stands(tmp_path, name):
    """A shell's `> file`: what was printed before stays, and so does what is printed after."""
    (tmp_path / "stdout").symlink_to("/proc/self/fd/1")
    code = (
        "import sys; from preceptor.output import Output\n"
        "print('before', flush=True)\n"
        f"with Output({name!r}).text() as file: file.write('rows\\n')\n"
        "print('after')"
    )
    with open(tmp_path / "all.txt", "w") as all_words:
        subprocess.run([sys.executable, "-c", code], stdout=all_words, check=True, cwd=tmp_path)
    assert (tmp_path / "all.txt").read_text() == "before\nrows\nafter\n"
    assert (tmp_path / "stdout").is_symlink()
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("name", ["t.csv/x", "no/such", ".", "x" * 300, "é" * 200])
def test_what_cannot_be_written_is_said_in_one_line(tmp_path, name):
    (tmp_path / "t.csv").write_text("")
    with pytest.raises(DataError, match=r"cannot be written \([A-Z][^()]*\)\. Choose another place with -o\."):
        put(tmp_path / name, "rows")
    assert [each.name for each in tmp_path.iterdir()] == ["t.csv"]


def test_two_at_once_leave_one_whole(tmp_path):
    path = tmp_path / "p.csv"
    with Output(path).text() as first, Output(path).text() as second:
        for _ in range(1000):
            first.write("first\n")
            second.write("second\n")
    assert path.read_text() == "first\n" * 1000
    assert [each.name for each in tmp_path.iterdir()] == ["p.csv"]
