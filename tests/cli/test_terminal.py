"""Where words leave for a person: what names hold never acts on a terminal, and a lost output never stops the work."""

import csv
import errno
import fcntl
import io
import json
import os
import re
import struct
import subprocess
import sys
import termios
from types import SimpleNamespace

import numpy as np
import pytest

import preceptor as pr
from preceptor.cli.terminal import DataOutlet, MovingLine, Outlet, OutputLost, fitting, outlets
from preceptor.report.sheet import Row, Tile, write_sheet

QUICK = ("--engine", "reference", "--hidden", "4", "--epochs", "2", "--members", "1")
WILD = "a\x1b[2J\x07", "b\u202e\u200b", "c\x9b31m"  # clears the screen, rings; turns and hides; colours, in one byte
SHOWN = r"a\x1b[2J\x07", r"b\u202e\u200b", r"c\x9b31m"
CLASSES = "x\x1b]0;title\x07", "y\u2066", "größe 漢字 שלום"


@pytest.fixture(scope="module")
def wild(tmp_path_factory):
    """A folder with a table whose names and classes hold control characters, and a run of it."""
    folder = tmp_path_factory.mktemp("wild")
    rng = np.random.default_rng(0)
    with open(folder / "wild\x1b[5m.csv", "w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow([*WILD, "kind"])
        for i in range(150):
            place = rng.normal(size=3) + i % 3
            out.writerow([*(f"{each:.4f}" for each in place), CLASSES[i % 3]])
    run = pr.fit(folder / "wild\x1b[5m.csv", "kind", engine="reference", hidden=4, epochs=2, members=1)
    run.save(folder / "run\x1b[1m")
    return folder


def is_harmless(text):
    return not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069]", text)


COMMANDS = [
    ("fit", "wild\x1b[5m.csv", "--target", "kind", *QUICK, "--out", "new\x07"),
    ("fit", "wild\x1b[5m.csv", "--target", "kin\x1bd"),
    ("fit", "wild\x1b[5m.csv", "--target", "kind", "--bo\x1bgus"),
    ("fit", "\x1bnone.csv"),
    ("\x1bfit",),
    ("check", "wild\x1b[5m.csv", "--target", "kind"),
    ("lr-find", "wild\x1b[5m.csv", "--target", "kind", "--engine", "reference", "--steps", "20"),
    ("evaluate", "run\x1b[1m", "wild\x1b[5m.csv"),
    ("show", "run\x1b[1m"),
    ("show", "\x1brun"),
    ("look", "run\x1b[1m"),
    ("explain", "x\x1b**2", "x=3"),
    ("explain", "chain", "--svg", "\x1b[1m.svg"),
    ("predict", "run\x1b[1m", "wild\x1b[5m.csv", "-o", "out\x1b.csv"),
]


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(map(repr, words)))
def test_no_name_acts_on_the_terminal(preceptor, wild, tmp_path, monkeypatch, words):
    for name in ("wild\x1b[5m.csv", "run\x1b[1m"):
        (tmp_path / name).symlink_to(wild / name)
    monkeypatch.chdir(tmp_path)
    _, out, err = preceptor(*words)
    assert is_harmless(out)
    assert is_harmless(err)
    assert "Traceback" not in err


def test_names_are_shown_in_full(preceptor, wild, monkeypatch):
    monkeypatch.chdir(wild)
    out = preceptor("check", "wild\x1b[5m.csv", "--target", "kind").out
    assert r"data      wild\x1b[5m.csv: 150 rows, 4 columns" in out
    assert "Numbers, standardised (3): " + ", ".join(SHOWN) in out
    assert r"3 classes (text): größe 漢字 שלום, x\x1b]0;title\x07, y\u2066." in out


def test_a_traceback_is_as_harmless(preceptor, monkeypatch):
    monkeypatch.setattr("preceptor.cli.commands.main", fail)
    code, out, err = preceptor("show", "run")
    assert (code, out) == (70, "")
    assert r"AssertionError: a\x1b[2J" in err
    assert err.splitlines()[-1] == "preceptor: this is a fault of preceptor, not of your data or settings."
    assert is_harmless(err)


def fail(**_):
    raise AssertionError("a\x1b[2J")


@pytest.mark.parametrize("name", [b"caf\xe9.csv", b"\xff\xfe"])
def test_names_that_are_no_utf8(preceptor, here, name):
    path = os.fsdecode(name)
    code, _, err = preceptor("fit", path)
    assert code == 2
    assert name.decode("utf-8", "backslashreplace") in err


def test_sheets_show_names_in_one_line(tmp_path):
    """A picture's font has no line ends and no bytes that are no text; both would be errors."""
    tile = Tile(np.zeros((8, 8, 3), np.uint8), "a\nb\udcff")
    write_sheet(tmp_path / "sheet.png", "x\x1b\ny", ["note\r\n\udcfe"], [Row("label\n\udcfd", [tile])], (64, 64))
    assert (tmp_path / "sheet.png").read_bytes().startswith(b"\x89PNG")


# Outputs of other encodings


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "utf-8"])
def test_every_encoding(wild, environment, encoding):
    words = ("check", "wild\x1b[5m.csv", "--target", "kind")
    done = process(wild, environment | {"PYTHONIOENCODING": encoding}, words)
    assert done.returncode == 0, done.stderr
    text = done.stdout.decode(encoding)
    assert {"ascii": r"gr\xf6\xdfe \u6f22", "utf-8": "größe 漢字 שלום"}.get(encoding, r"größe \u6f22\u5b57") in text


def test_predictions_are_data_and_keep_their_letters(wild, environment):
    words = ("predict", "run\x1b[1m", "wild\x1b[5m.csv")
    done = process(wild, environment | {"PYTHONIOENCODING": "ascii"}, words)
    rows = list(csv.reader(io.StringIO(done.stdout.decode("utf-8"), newline="")))
    assert rows[0][0] == "prediction"
    assert {f"probability_{name}" for name in CLASSES} <= set(rows[0])
    assert {row[0] for row in rows[1:]} <= set(CLASSES)
    assert len(rows) == 151


# Outputs that are lost

FIT = ("fit", "wild\x1b[5m.csv", "--target", "kind", *QUICK, "--out", "{out}")
PREDICT = ("predict", "run\x1b[1m", "wild\x1b[5m.csv")
NO_SPACE = "preceptor: standard output: not all could be written (No space left on device)."
CLOSED = "preceptor: standard output: not all could be written (it is closed)."
LOST = [
    # how, the command, exit code, last line on standard error
    (">/dev/full", FIT, 0, NO_SPACE),
    (">&-", FIT, 0, "epoch 2/2"),
    ("2>/dev/full", FIT, 0, None),
    ("2>&-", FIT, 0, None),
    (">&- 2>&- <&-", FIT, 0, None),
    (">/dev/full 2>/dev/full", FIT, 0, None),
    (">/dev/full", (*FIT, "--json"), 74, NO_SPACE),
    (">/dev/full", PREDICT, 74, NO_SPACE),
    (">&-", PREDICT, 74, CLOSED),
    (">/dev/full", (*PREDICT, "-o", "{out}.csv"), 0, NO_SPACE),
    (">/dev/full", ("show", "run\x1b[1m"), 74, NO_SPACE),
    (">&-", ("explain", "chain"), 74, CLOSED),
    (">/dev/full", ("--help",), 74, NO_SPACE),
    (">&-", ("show", "nothing"), 2, "preceptor: nothing: this is no run folder"),
]


def process(folder, environment, words, how=""):
    call = " ".join(f"'{word}'" for word in (sys.executable, "-m", "preceptor.cli", *words))
    return subprocess.run(f"{call} {how}", shell=True, cwd=folder, env=environment, capture_output=True, check=False)


@pytest.mark.parametrize("how, words, code, last", LOST, ids=[f"{words[0]} {how}" for how, words, _, _ in LOST])
def test_a_lost_output(wild, environment, tmp_path, how, words, code, last):
    out = tmp_path / "run"
    words = [word.format(out=out) for word in words]
    done = process(wild, environment, words, how)
    assert done.returncode == code, done.stderr
    assert b"Traceback" not in done.stderr
    if last is not None:
        assert last in done.stderr.decode().splitlines()[-1]
    if words[0] == "fit":
        assert pr.load(out).facts["epochs"] == 2
    if "-o" in words:
        assert len((tmp_path / "run.csv").read_text().splitlines()) == 151


@pytest.mark.parametrize(
    "words, code", [(FIT, 0), (PREDICT, 141), ((*PREDICT, "-o", "/dev/stdout"), 141), (("explain", "chain"), 0)]
)
def test_a_reader_who_leaves_early(wild, environment, tmp_path, words, code):
    out = tmp_path / "run"
    reading, writing = os.pipe()
    os.close(reading)
    call = [sys.executable, "-m", "preceptor.cli", *(word.format(out=out) for word in words)]
    done = subprocess.run(call, cwd=wild, env=environment, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert done.returncode == code
    assert b"Traceback" not in done.stderr
    assert b"standard output" not in done.stderr
    assert words[0] != "fit" or pr.load(out).facts["epochs"] == 2


def test_an_outlet_remembers_why_it_fell_silent():
    class Full(io.StringIO):
        def flush(self):
            raise OSError(errno.ENOSPC, "No space left on device")

    out = Outlet(Full())
    assert out.write("one\n") == 4
    assert out.lost.errno == errno.ENOSPC
    assert out.write("two\n") == 4
    assert not out.isatty()
    with pytest.raises(OutputLost):
        DataOutlet(out).write("row\n")


def test_streams_come_back(monkeypatch):
    before = sys.stdout, sys.stderr
    with outlets() as out:
        assert sys.stdout is out
    assert (sys.stdout, sys.stderr) == before


# The moving line


class Screen(io.StringIO):
    """A terminal that remembers what it shows."""

    def isatty(self):
        return True

    def shown(self):
        """Its lines, after every carriage return has overwritten what stood there."""
        lines = []
        for text in self.getvalue().split("\n"):
            line = []
            for part in text.split("\r"):
                line[: len(part)] = part
            lines.append("".join(line).rstrip())
        return lines


def test_a_moving_line_makes_room():
    screen = Screen()
    err = Outlet(screen)
    out = Outlet(screen, err.moving)
    err.moving.show(["compiling"])
    assert screen.shown() == ["compiling"]
    print("memory    0.6 MiB", file=out)
    assert screen.shown() == ["memory    0.6 MiB", ""]
    err.moving.show(["epoch 1/9", "1 s left"], 1 / 9)
    err.moving.show(["epoch 2/9", "too soon to be seen"], 2 / 9)
    assert screen.shown() == ["memory    0.6 MiB", "█░░░░░░░░░░░ epoch 1/9  1 s left"]
    print("a mistake", file=err)
    assert screen.shown() == ["memory    0.6 MiB", "a mistake", ""]


def test_a_shorter_text_leaves_nothing_of_a_longer_one(monkeypatch):
    screen = Screen()
    line = MovingLine(Outlet(screen))
    clock = iter(range(9))
    monkeypatch.setattr("preceptor.cli.terminal.time", SimpleNamespace(monotonic=lambda: next(clock)))
    line.show(["a long text\x1b[2J"])
    assert screen.shown() == [r"a long text\x1b[2J"]
    line.show(["short"])
    assert screen.shown() == ["short"]


@pytest.mark.parametrize(
    "width, text",
    [
        (80, "██████░░░░░░ epoch 5/9  rate 0.1  loss 2  4 s left"),
        (45, "██████░░░░░░ epoch 5/9  loss 2  4 s left"),
        (40, "██████░░░░░░ epoch 5/9  loss 2  4 s left"),
        (39, "██████░░░░░░ epoch 5/9  4 s left"),
        (20, "epoch 5/9  4 s left"),
        (12, "epoch 5/9"),
    ],
)
def test_the_time_left_stays_on_narrow_terminals(width, text):
    assert fitting(["epoch 5/9", "rate 0.1", "loss 2", "4 s left"], 0.5, width) == text


@pytest.mark.parametrize("width", [40, 80, 200])
def test_fit_on_a_terminal(here, environment, width):
    """Every line as the terminal shows it: nothing runs together, nothing is wider, the moving line is gone."""
    words = ("fit", "iris", *QUICK, "--out", "run")
    code, text = on_a_terminal(width, environment, words)
    screen = Screen(text.replace("\r\n", "\n"))
    lines = screen.shown()
    assert code == 0
    assert "\x1b" not in text
    assert max(map(len, lines)) <= width
    margins = [
        "data",
        "note",
        "split",
        "network",
        "engine",
        "training",
        "memory",
        "done",
        "logits",
        "figures",
        "watched",
        "curve",
    ]
    margins += ["verdict", "run", "report", "next", "warning"]  # so few epochs are too few, and that is said
    assert [line for line in lines if line[:10].strip() not in ("", *margins)] == []
    assert re.search(r"\repoch|░ epoch", text)
    assert "compiling" in text
    assert "compiling" not in "".join(lines)
    for part in ("dev, 23 rows", "test, 22 rows"):
        assert " ".join(" ".join(lines).split()).count(part) == 1  # however it is broken


def on_a_terminal(width, environment, words):
    """Exit code and text of the command in a terminal of its own."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    kept = {key: value for key, value in environment.items() if key not in ("COLUMNS", "LINES")}
    call = [sys.executable, "-m", "preceptor.cli", *words]
    process = subprocess.Popen(call, env=kept, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    text = b""
    while True:
        try:
            piece = os.read(ours, 1 << 16)
        except OSError:  # the other end is closed
            piece = b""
        if not piece:
            break
        text += piece
    os.close(ours)
    return process.wait(), text.decode()


def test_no_moving_line_where_there_is_no_terminal(preceptor, here):
    _, out, err = preceptor("fit", "iris", *QUICK, "--out", "run", "--json")
    assert "\r" not in out + err
    assert "compiling" not in out + err
    assert json.loads(out.splitlines()[-1])["run"] == "run"


def test_predictions_on_a_terminal_are_words(wild, environment, monkeypatch):
    monkeypatch.chdir(wild)
    code, text = on_a_terminal(80, environment, PREDICT)
    assert code == 0
    assert is_harmless(text.replace("\r\n", "\n"))
    assert r"x\x1b]0;title\x07" in text
