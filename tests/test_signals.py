"""Signals: noted while something runs, acted on where they do no harm."""

import os
import select
import signal
import subprocess
import sys
import threading
import time

import pytest

import preceptor as pr
from preceptor.job import make_settings, prepare
from preceptor.job.folder import KEPT
from preceptor.signals import as_interrupts, deaf, heard

ENDLESS = {"epochs": 1_000_000, "patience": 1_000_000, "hidden": (8,), "engine": "reference"}


@pytest.fixture(autouse=True)
def hung_up():
    """Under nohup the tests themselves would be started with SIGHUP ignored."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def test_the_first_is_noted_and_the_second_raises():
    before = signal.getsignal(signal.SIGINT)
    with heard() as signals:
        assert not signals
        os.kill(os.getpid(), signal.SIGTERM)
        assert signals.numbers == [signal.SIGTERM]
        with signals.unbroken():
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGHUP)
        assert len(signals.numbers) == 3
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_hangup_that_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with as_interrupts(), heard() as signals:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not signals
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_what_else_would_end_the_process_at_once_is_as_ctrl_c(number):
    with pytest.raises(KeyboardInterrupt), as_interrupts():
        os.kill(os.getpid(), number)
    assert signal.getsignal(number) == signal.SIG_DFL


def test_outside_the_main_thread_nothing_is_changed():
    found = []

    def work():
        with as_interrupts(), heard() as signals:
            found.append((bool(signals), signal.getsignal(signal.SIGTERM)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [(False, signal.SIG_DFL)]


def test_a_process_that_ends_already_is_deaf():
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        deaf()
        for number in before:
            os.kill(os.getpid(), number)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@pytest.mark.parametrize("numbers", [[signal.SIGINT] * 2, [signal.SIGTERM] * 2, [signal.SIGINT, signal.SIGTERM]])
def test_a_signal_while_the_interpreter_ends_changes_no_exit_code(numbers):
    """Taking down the interpreter takes as long as a second Ctrl-C."""
    code = (
        "import os, sys; from preceptor.cli import main\n"
        "class Late:\n"
        f"    def __del__(self, kill=os.kill, me=os.getpid()): [kill(me, each) for each in {[*map(int, numbers)]}]\n"
        "late = Late()\n"
        "sys.argv = ['preceptor', 'predict', 'no-such-run', 'iris']\n"
        "main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_ctrl_c_while_python_fits_loses_nothing(tmp_path):
    """As in a notebook: KeyboardInterrupt, and all of the training on the disk."""
    timer = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt, match=r"holds the training as it stood after step [\d,]+\. Go on: preceptor"):
        pr.fit("iris", out=tmp_path / "run", **ENDLESS)
    timer.join()
    run = pr.load(tmp_path / "run")
    assert run.facts["outcome"].startswith("Interrupted")
    assert run.predict("iris").shape == (150,)
    assert not (tmp_path / "run" / "lock").exists()
    timer = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        pr.resume(tmp_path / "run")
    timer.join()
    assert pr.load(tmp_path / "run").facts["epochs"] > run.facts["epochs"]


def test_going_on_in_python_ends_in_the_same_bits(tmp_path):
    frame = {"a": list(range(60)), "y": [i % 2 for i in range(60)]}
    whole = pr.fit(frame, "y", epochs=3, hidden=4, engine="reference")
    settings = make_settings({"target": "y", "epochs": 3, "hidden": 4, "engine": "reference"})
    fitting = prepare(frame, settings)
    fitting.open_folder(tmp_path / "run")
    for _ in fitting.records():
        break
    fitting.finish()
    again = pr.resume(tmp_path / "run", frame)
    assert {name: array.tobytes() for name, array in again.params.items()} == {
        name: array.tobytes() for name, array in whole.params.items()
    }


@pytest.mark.parametrize("numbers", [[signal.SIGTERM], [signal.SIGHUP], [signal.SIGINT, signal.SIGINT]])
def test_a_command_that_is_asked_to_end_says_what_it_kept(tmp_path, numbers):
    words = ["fit", "iris", "--engine", "reference", "--epochs", "1000000", "--patience", "1000000", "--out", "run"]
    process = subprocess.Popen(
        [sys.executable, "-m", "preceptor.cli", *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path,
    )  # fmt: skip
    seen, deadline = b"", time.monotonic() + 60
    while b"training  " not in seen and time.monotonic() < deadline:
        if select.select([process.stdout], [], [], 1)[0]:
            seen += os.read(process.stdout.fileno(), 1 << 16)
    time.sleep(0.5)
    began = time.monotonic()
    for number in numbers:
        process.send_signal(number)
    try:
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()  # nothing outlives its test
    assert time.monotonic() - began < 5
    assert process.returncode == 130
    assert b"Traceback" not in err
    assert b"preceptor fit --resume run" in out + err
    assert b"nothing was written" not in err
    if len(numbers) == 1:
        assert pr.load(tmp_path / "run").facts["outcome"].startswith("Interrupted")
    assert sorted({each.name for each in (tmp_path / "run").iterdir()} - {*KEPT, "checkpoints"}) == ["plan.json"]
