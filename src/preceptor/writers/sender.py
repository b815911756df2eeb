"""The process that sends what a training tells to MLflow: messages come in, answers go out, a line of JSON each.

What cannot be sent is tried again, in its order, until the end. It ends when its input does.
"""

import os
import queue
import re
import shutil
import sys
import tempfile
import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import msgspec

from preceptor.disk import replace_file
from preceptor.writers.message import Beginning, Ending, Files, Message, Noted, Points
from preceptor.writers.tracking import Answer

__all__ = ["Sender", "main"]

REMEMBERED = "mlflow.json"  # in the run's folder: MLflow's names of the runs, by number of the training
AGAIN_SECONDS = 15.0  # between two tries
MOST_AT_ONCE = 1_000  # metrics in a request: MLflow's own limit
MOST_WORDS = 5_000  # characters of a tag, 500 of a parameter, 250 of a name: what servers of all versions take
MOST_PARAMETER, MOST_NAME = 500, 250
STATUS = {"finished": "FINISHED", "diverged": "FAILED", "interrupted": "KILLED"}
SIGNS = {  # in what the library of requests says
    "timed out": "no answer in time",
    "NameResolution|Name or service|getaddrinfo": "no machine of this name is known",
    "refused|NewConnection": "no connection",
}


class Sender:
    """Sends messages to MLflow, one after another.

    Args:
        answer: where answers go.
    """

    def __init__(self, answers: IO[str]) -> None:
        self.answers = answers
        self.waiting: deque[Message] = deque()
        self.tried = -AGAIN_SECONDS
        self.folder = Path()
        self.runs: dict[str, str] = {}  # MLflow's names of the runs, by number of the training
        self.run = ""  # the present one; "" where it has ended
        self.known: dict[str, int] | None = None  # the last step of each line that the server has of a run that goes on
        self.latest, self.model = "", ""  # what is told in the end
        self.is_refused = False
        self.client: Any = None

    def serve(self, inbox: "queue.SimpleQueue[Message | None]") -> None:
        """Sends until there is nothing more."""
        is_open = True
        while is_open:
            with suppress(queue.Empty):
                wait = None if not self.waiting else max(0.0, self.tried + AGAIN_SECONDS - time.monotonic())
                found = inbox.get(timeout=wait)
                while found is not None:
                    self._take(found)
                    found = inbox.get_nowait()
                is_open = False
            if self.waiting and (not is_open or time.monotonic() - self.tried >= AGAIN_SECONDS):
                self._work()
        self._close()

    def _take(self, message: Message) -> None:
        """Puts a message behind those that wait; points are put together."""
        last = self.waiting[-1] if self.waiting else None
        if isinstance(message, Points) and isinstance(last, Points) and len(last.points) < MOST_AT_ONCE:
            self.waiting[-1] = Points(time=message.time, points=last.points + message.points)
        else:
            self.waiting.append(message)

    def _work(self) -> None:
        """Sends what waits, up to the first that cannot be sent."""
        while self.waiting:
            message = self.waiting[0]
            try:
                self._send(message)
            except Exception as error:
                if not _is_refused(error):
                    what = f"not reached ({_words(error)}); it is tried again, and the training goes on."
                    self._answer(Answer(trouble=what))
                    self.tried = time.monotonic()
                    return
                self._answer(Answer(trouble=f"refused ({_words(error)}); the training goes on."))
                if isinstance(message, Beginning):
                    self.is_refused = True  # nothing of what follows has a place
            self.waiting.popleft()
        self.tried = -AGAIN_SECONDS

    def _send(self, message: Message) -> None:
        """Sends a message. Raises: whatever MLflow does."""
        if self.is_refused:
            return
        import mlflow
        from mlflow.entities import Metric, Param, RunTag

        client = self.client = self.client or mlflow.MlflowClient()
        match message:
            case Beginning():
                self._begin(message)
                facts = {**message.facts, **{each.name: each.text for each in message.noted}}
                params = [Param(_name(name), str(value)[:MOST_PARAMETER]) for name, value in message.settings.items()]
                for start in range(0, len(params), 100):  # MLflow's own limit
                    client.log_batch(self.run, params=params[start : start + 100])
                client.log_batch(self.run, tags=[RunTag(_name(k), v[:MOST_WORDS]) for k, v in facts.items()])
                self._send(Points(time=message.time, points=message.before))
            case Points():
                new = [each for each in message.points if each.step > self._last(client, each.line)]
                for start in range(0, len(new), MOST_AT_ONCE):
                    now = int(message.time * 1000)
                    some = [Metric(_name(p.line), p.number, now, p.step) for p in new[start : start + MOST_AT_ONCE]]
                    client.log_batch(self.run, metrics=some)
            case Noted():
                client.set_tag(self.run, _name(message.name), message.text[:MOST_WORDS])
            case Ending():
                now = int(message.time * 1000)
                left = {k: v for k, v in message.figures.items() if message.step > self._last(client, k)}
                figures = [Metric(_name(name), value, now, message.step) for name, value in left.items()]
                tags = [RunTag(_name(name), text[:MOST_WORDS]) for name, text in message.facts.items()]
                client.log_batch(self.run, metrics=figures, tags=tags)
                self._end(STATUS[message.outcome])
            case Files():
                self._send_files(client, message)

    def _begin(self, beginning: Beginning) -> None:
        """Begins a run of MLflow's, or goes on with the one that the run's folder remembers."""
        import mlflow

        if self.run:
            return  # it was begun, then the server was gone
        self.folder, number = Path(beginning.folder), str(beginning.training)
        with suppress(OSError, msgspec.MsgspecError):
            self.runs = msgspec.json.decode((self.folder / REMEMBERED).read_bytes(), type=dict[str, str])
        self.known, before = None, self.runs.get(number)
        if before is not None:
            try:
                mlflow.start_run(run_id=before)
                self.run, self.known, self.latest = before, {}, before
                return
            except mlflow.MlflowException as error:
                if not _is_refused(error):
                    raise  # else it was deleted, or is tracked elsewhere
        self.run = mlflow.start_run(run_name=beginning.name, tags={"mlflow.source.name": "preceptor"}).info.run_id
        self.runs[number] = self.latest = self.run
        replace_file(self.folder / REMEMBERED, msgspec.json.encode(self.runs) + b"\n")

    def _last(self, client: Any, line: str) -> int:
        """The last step of a line that the server has."""
        if self.known is None:
            return -1
        if line not in self.known:
            there = client.get_metric_history(self.run, _name(line))
            self.known[line] = max((each.step for each in there), default=-1)
        return self.known[line]

    def _end(self, status: str) -> None:
        import mlflow

        mlflow.end_run(status)
        self.run = ""

    def _send_files(self, client: Any, files: Files) -> None:
        """Sends what people look at, and the run as a model that our own loader loads."""
        import mlflow
        import mlflow.pyfunc

        run, folder, status = self.runs.get(str(files.training)), Path(files.folder), "FINISHED"
        if run is None:  # of a mending of which only later trainings were written
            run = self.runs[str(files.training)] = mlflow.start_run(run_name=folder.name).info.run_id
            mlflow.end_run(status)
        else:
            status = client.get_run(run).info.status
        for name in files.shown:
            client.log_artifact(run, str(folder / name))
        with tempfile.TemporaryDirectory(prefix="preceptor-") as place:
            data = Path(place) / "run"
            data.mkdir()
            for name in files.run:
                _linked(folder / name, data / name)
            mlflow.start_run(run_id=run)
            try:
                made = mlflow.pyfunc.log_model(
                    name="model",
                    loader_module="preceptor.writers.pyfunc",
                    data_path=str(data),
                    signature=_signature(files),
                    pip_requirements=[files.package, "pandas"],
                )
            finally:
                mlflow.end_run(status)
        self.latest, self.model = run, made.model_uri

    def _close(self) -> None:
        """Says what became of all."""
        if self.run:
            with suppress(Exception):
                self._end("KILLED")
        points = sum(len(each.points) for each in self.waiting if isinstance(each, Points))
        kinds = {Beginning: "settings", Noted: "findings", Ending: "final figures", Files: "model and files"}
        others = dict.fromkeys(word for each in self.waiting for kind, word in kinds.items() if isinstance(each, kind))
        if self.waiting:
            self._answer(Answer(points=points, others=list(others)))
        if self.latest:
            import mlflow

            self._answer(Answer(run=self.latest, place=without_password(mlflow.get_tracking_uri()), model=self.model))

    def _answer(self, answer: Answer) -> None:
        with suppress(OSError):  # nobody is there to read it
            self.answers.write(msgspec.json.encode(answer).decode() + "\n")
            self.answers.flush()


def _signature(files: Files) -> Any:
    """The columns that the model needs and what it gives; None where it takes no table with names.

    A column is of any type: the run reads whole numbers as well as broken ones, dates as well as their texts, while
    MLflow would refuse the one where the other was named.
    """
    from mlflow.models import ModelSignature
    from mlflow.types.schema import AnyType, ColSpec, Schema

    if files.is_of_pictures:
        inputs = [ColSpec("string", "picture")]
    elif files.columns is None:
        return None
    else:
        inputs = [ColSpec(AnyType(), name) for name in files.columns]
    several = len(files.targets) > 1
    gives = [
        ColSpec(AnyType() if kind == "any" else kind, **({"name": name} if several else {}))
        for name, kind in files.targets
    ]
    return ModelSignature(Schema(inputs), Schema(gives))


def _linked(file: Path, place: Path) -> None:
    """The same file in another place; a copy where that is on another disk."""
    try:
        os.link(file, place)
    except OSError:
        shutil.copyfile(file, place)


def _name(name: str) -> str:
    """A name as MLflow takes it: what it does not is an underscore."""
    return re.sub(r"[^\w\-. :/]", "_", name)[:MOST_NAME]


def _is_refused(error: Exception) -> bool:
    """Whether trying again would help nothing: the server, or MLflow itself, has understood and says no."""
    import mlflow

    code = error.get_http_status_code() if isinstance(error, mlflow.MlflowException) else 0
    return 400 <= code < 500 and code not in (408, 429)  # a server that is slow, or has too much to do


def _words(error: Exception) -> str:
    """What went wrong, in a few words."""
    text = without_password(str(error).strip().split("\n")[0] or type(error).__name__)
    if found := re.match(r"API request to (\w+://[^/\s]+)\S* failed with exception (.*)", text):
        why = next((said for sign, said in SIGNS.items() if re.search(sign, found[2])), found[2])
        text = f"{found[1]}: {why}"
    return text if len(text) <= 300 else f"{text[:297]}..."


def without_password(text: str) -> str:
    """A text whose addresses tell no names and passwords."""
    return re.sub(r"(\w+://)[^/@\s]*@", r"\1", text)


def _read(inbox: "queue.SimpleQueue[Message | None]") -> None:
    """Puts what comes in into a queue; None is the end."""
    with suppress(OSError, ValueError):
        for line in sys.stdin.buffer:
            inbox.put(msgspec.json.decode(line, type=Message))
    inbox.put(None)


def main() -> None:
    """Sends until standard input ends. What MLflow prints goes where nobody reads it."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    inbox: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(inbox,), daemon=True).start()
    Sender(answers).serve(inbox)


if __name__ == "__main__":
    main()
