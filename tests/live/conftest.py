"""Runs that are followed, and the page that follows them, as a user starts it."""

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from following import until

from preceptor.job import make_settings
from preceptor.job.lock import Lock
from preceptor.job.log import Log, log_of

INSTALL = "the live page needs its extra: pip install 'preceptor[live]'"


class Made:
    """A run whose log is written as `fit` writes it, step by step as a test asks for."""

    def __init__(self, folder: Path, steps: int = 1000, epoch: int = 50, data: str = "made", **settings) -> None:
        folder.mkdir(parents=True)
        (folder / "plan.json").write_text("{}")
        self.folder, self.lock, self.epoch, self.step = folder, Lock(folder), epoch, 0
        known = {"data": data, "targets": ["y"], "rows": 1000, "steps": steps, "epochs": steps // epoch}
        known |= {"engine": "native", "settings": make_settings(settings).to_dict(), "training": 1}
        self.log = Log(log_of(folder), 0, known)

    def grow(self, steps: int, **figures) -> None:
        """Makes steps whose objective falls as 1 / (1 + step), and ends the epochs that end in them."""
        for _ in range(steps):
            self.log.steps(np.array([1 / (1 + self.step)], np.float32))
            self.step += 1
            if self.step % self.epoch == 0:
                loss = 1 / self.step
                entry = {"step": self.step, "epoch": self.step / self.epoch, "objective": loss, "train_loss": loss}
                entry |= {"dev_loss": 2 * loss, "dev_accuracy": 0.5, "seconds": self.step / 100} | figures
                self.log.add("epoch", entry)
        self.log.commit()

    def find(self, text: str, **more) -> None:
        """Writes down a finding."""
        self.log.add("finding", {"rule": "dead_units", "level": "warn", "text": text} | more)
        self.log.commit()

    def end(self, outcome: str = "FINISHED") -> None:
        """Ends as `fit` does, without the files of a run."""
        self.log.end(outcome, "All epochs done.")
        (self.folder / "plan.json").unlink()
        self.lock.release()


@pytest.fixture
def made():
    """Makes a run that a test lets grow; it is held until the test ends."""
    held = []

    def make(*args, **settings):
        held.append(Made(*args, **settings))
        return held[-1]

    yield make
    for each in held:
        each.lock.release()


@dataclass
class Server:
    """A page that is served. Args: place: host and port."""

    process: subprocess.Popen
    place: str
    token: str


@pytest.fixture(scope="session")
def serve():
    """Starts `preceptor watch` on a folder; it ends with the session."""
    pytest.importorskip("starlette", reason=INSTALL)
    pytest.importorskip("uvicorn", reason=INSTALL)
    started = []

    def start(folder: Path) -> Server:
        words = [sys.executable, "-m", "preceptor.cli", "watch", str(folder)]
        environment = os.environ | {"PYTHONUNBUFFERED": "1"}
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        started.append(process)
        line = process.stdout.readline()
        found = re.search(r"http://(127\.0\.0\.1:\d+)/\?token=([\w-]{43})\s", line)
        assert found, line + process.stderr.read()
        return Server(process, found[1], found[2])

    yield start
    for process in started:
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=20)
        assert (process.returncode, error) == (0, ""), out


@pytest.fixture
def opened(browser, serve, tmp_path):
    """The page of a folder, and what went wrong in it, which is to be nothing."""
    server, wrong = serve(tmp_path), []
    contexts = []

    def open_page(width=1440, height=1000):
        contexts.append(browser.new_context(viewport={"width": width, "height": height}))
        page = contexts[-1].new_page()
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda request: wrong.append(request.url) if server.place not in request.url else None)
        page.goto(f"http://{server.place}/?token={server.token}")
        until(page, "document.getElementById('connection').textContent === 'Live'")
        assert page.url == f"http://{server.place}/"
        return page

    yield open_page
    for each in contexts:
        each.close()
    assert wrong == []
