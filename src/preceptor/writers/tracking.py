"""MLflow, written by a process of its own: this one neither waits for a server nor loads MLflow."""

import contextlib
import os
import queue
import subprocess
import sys
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

import msgspec

from preceptor.errors import ConfigError
from preceptor.words import counted, listing, one_line, shell_word
from preceptor.writers.message import Ending, Files, Message

__all__ = ["NEEDED", "Answer", "Tracking"]

NEEDED = ("mlflow", "pandas")  # MLflow's models are of data frames
LONGEST_SECONDS = 120.0  # that the end of a training waits for the sending, beside what the files take:
SLOWEST = 2**20  # bytes a second
AFTER_CTRL_C_SECONDS = 20.0
USUAL = {  # of MLflow's own settings, where the user has not chosen: a server that is gone is found out soon
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the process that sends has to say.

    Args:
        trouble: why something could not be sent; it is tried again until the end, unless it was refused.
        run, place: MLflow's name of the run, and where it is tracked. `model`: its address once it is there.
        points, others: what was not sent in the end.
    """

    trouble: str = ""
    run: str = ""
    place: str = ""
    model: str = ""
    points: int = 0
    others: list[str] = []


class Tracking:
    """Hands what a training tells to a process that sends it to MLflow, wherever the environment says (MLFLOW_...).

    Raises: ConfigError where MLflow or pandas is not installed.
    """

    def __init__(self) -> None:
        missing = [name for name in NEEDED if find_spec(name) is None]
        if missing:
            raise ConfigError(
                f"mlflow: {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed; MLflow's "
                "client and data frames are needed. Install: python -m pip install 'preceptor[mlflow]'"
            )
        self.process: subprocess.Popen[bytes] | None = None
        self.threads: list[threading.Thread] = []
        self.outgoing: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self.incoming: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        self.answers: list[Answer] = []
        self.patience = LONGEST_SECONDS
        self.told: set[str] = set()
        self.later = ""  # how what was not sent may be

    def write(self, message: Message) -> None:
        """Puts what comes next into a queue."""
        if self.process is None:
            self._start()
        if isinstance(message, Files):
            self.patience += sum((Path(message.folder) / each).stat().st_size for each in message.run) / SLOWEST
            self.later = f" Later, in Python: preceptor.writers.mlflow(preceptor.load({message.folder!r}))"
        if isinstance(message, Ending):
            is_broken_off = message.outcome == "interrupted"
            self.patience = AFTER_CTRL_C_SECONDS if is_broken_off else LONGEST_SECONDS
        self.outgoing.put(msgspec.json.encode(message) + b"\n")

    def finish(self) -> None:
        """Waits until all was sent, for a time that is bounded."""
        if self.process is None:
            return
        self.outgoing.put(b"")
        try:
            self.process.wait(self.patience)
        except subprocess.TimeoutExpired:
            self.incoming.put(Answer(trouble=f"no answer for {self.patience:.0f} s; what was not sent yet is lost"))
        self.drop()

    def drop(self) -> None:
        """Ends the process; what it has not sent is lost."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.outgoing.put(b"")
            for each in self.threads:
                each.join()  # both pipes are broken

    def news(self) -> list[str]:
        """What became of the sending since it was asked last: each trouble once, and at the end where the run is."""
        found = list[str]()
        while True:
            try:
                answer = self.incoming.get_nowait()
            except queue.Empty:
                return found
            self.answers.append(answer)
            if answer.trouble and answer.trouble not in self.told:
                found.append(answer.trouble)
                self.told.add(answer.trouble)
            if answer.run:
                model = f"; model {answer.model}" if answer.model else ""
                found.append(f"run {answer.run} at {answer.place}{model}")
                if answer.place.startswith("sqlite:"):
                    shown = f"mlflow ui --backend-store-uri {shell_word(answer.place)}"
                    found.append(f"look at it: {shown} (with all of MLflow: python -m pip install mlflow)")
            lost = [counted(answer.points, "point")] * bool(answer.points) + answer.others
            if lost:
                found.append(f"not sent: {listing(lost)}.{self.later}")

    def _start(self) -> None:
        """Starts the process that sends, deaf to this one's Ctrl-C, and two threads that wait for it."""
        words = [sys.executable, "-P", "-W", "ignore", "-m", "preceptor.writers.sender"]
        self.process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=USUAL | os.environ,
            start_new_session=True,
        )
        pipes = (_read, self.process.stdout, self.incoming), (_feed, self.process.stdin, self.outgoing)
        self.threads = [threading.Thread(target=each, args=args, daemon=True) for each, *args in pipes]
        for thread in self.threads:
            thread.start()


def _feed(pipe: Any, outgoing: "queue.SimpleQueue[bytes]") -> None:
    """Hands on what lies in a queue, up to the first that is empty."""
    with contextlib.suppress(OSError):
        while message := outgoing.get():
            pipe.write(message)
            pipe.flush()
    with contextlib.suppress(OSError):
        pipe.close()


def _read(pipe: IO[bytes], incoming: "queue.SimpleQueue[Answer]") -> None:
    """Puts the answers into a queue."""
    with pipe, contextlib.suppress(OSError, ValueError):
        for line in pipe:
            found = msgspec.json.decode(line, type=Answer)
            incoming.put(msgspec.structs.replace(found, trouble=one_line(found.trouble)))
