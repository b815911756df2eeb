"""TensorBoard's event files, in the folder of the run: `tensorboard --logdir runs` shows all runs there."""

import html
import os
import re
import socket
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import Any

from preceptor.errors import ConfigError
from preceptor.words import shell_word
from preceptor.writers.message import Beginning, Ending, Files, Message, Noted, Points

__all__ = ["FOLDER", "EventFiles", "as_markdown"]

FOLDER = "tensorboard"  # within that of the run
STATUS = {"finished": "STATUS_SUCCESS", "diverged": "STATUS_FAILURE"}
MARKS = re.compile(r"([\\`*_{}\[\]()#+\-.!|])")  # that mean something in Markdown


class EventFiles:
    """Writes event files with TensorBoard's own records, without TensorFlow, one for each process that trains.

    A training that goes on gets a file of its own beside the others, which begins by saying from which step on
    nothing before it counts.

    Raises: ConfigError where TensorBoard is not installed.
    """

    def __init__(self) -> None:
        try:
            from tensorboard.summary.writer.record_writer import RecordWriter  # noqa: F401
        except ImportError:
            raise ConfigError(
                "tensorboard: it is not installed; its library is needed to write event files. "
                "Install it: python -m pip install 'preceptor[tensorboard]'"
            ) from None
        self.file: Any = None
        self.untold: list[str] = []

    def write(self, message: Message) -> None:
        """Puts what comes next into the file, where a TensorBoard that runs sees it at once.

        Raises: OSError where it cannot be written.
        """
        from tensorboard.compat.proto import event_pb2, summary_pb2
        from tensorboard.plugins.hparams import summary_v2
        from tensorboard.plugins.text.summary_v2 import text_pb

        def add(time: float, step: int, summary: Any) -> None:
            self._add(event_pb2.Event(wall_time=time, step=step, summary=summary))

        def add_values(time: float, step: int, values: Iterable[tuple[str, float]]) -> None:
            made = [summary_pb2.Summary.Value(tag=line, simple_value=value) for line, value in values]
            add(time, step, summary_pb2.Summary(value=made))

        def add_points(points: Points) -> None:
            for step, some in groupby(points.points, lambda each: each.step):
                add_values(points.time, step, ((each.line, each.number) for each in some))

        match message:
            case Beginning():
                known = self._open(message)
                for words in message.noted:
                    if words.step > known.get(words.name, -1):
                        add(words.time, words.step, text_pb(words.name, as_markdown(words.text)))
                if not known:
                    add(message.time, 0, summary_v2.hparams_pb(message.settings, start_time_secs=message.time))
                    for name, text in message.facts.items():
                        add(message.time, 0, text_pb(f"run/{name}", as_markdown(text)))
                new = [each for each in message.before if each.step > known.get(each.line, -1)]
                add_points(Points(time=message.time, points=new))
            case Points():
                add_points(message)
            case Noted():
                add(message.time, message.step, text_pb(message.name, as_markdown(message.text)))
            case Ending(outcome="interrupted"):
                pass  # there is more to come
            case Ending():
                add_values(message.time, message.step, message.figures.items())
                for name, text in message.facts.items():
                    add(message.time, message.step, text_pb(f"run/{name}", as_markdown(text)))
                add(message.time, message.step, _session_end(STATUS[message.outcome], message.time))
            case Files():
                self.untold = [
                    f"look at it: tensorboard --logdir {shell_word(os.path.relpath(Path(message.folder).parent))}"
                ]
        self.file.flush()

    def finish(self) -> None:
        """Closes the file."""
        self.drop()

    def drop(self) -> None:
        """Closes the file, if one is open."""
        if self.file is not None:
            with suppress(OSError):
                self.file.close()

    def news(self) -> list[str]:
        """How one looks at what was written, once it is whole."""
        found, self.untold = self.untold, []
        return found

    def _open(self, beginning: Beginning) -> dict[str, int]:
        """Opens a file of its own for a training. -> The last step of each line that older files have, of those that
        still count."""
        from tensorboard.compat.proto import event_pb2
        from tensorboard.summary.writer.record_writer import RecordWriter

        self.drop()
        folder = folder_of(Path(beginning.folder), beginning.training)
        older = sorted(folder.glob("events.out.tfevents.[0-9][0-9][0-9][0-9][0-9].*"))
        known: dict[str, int] = {}
        for path in older:
            for event in _events(path):
                for value in event.summary.value:
                    if event.step <= beginning.step:
                        known[value.tag] = max(event.step, known.get(value.tag, -1))
        folder.mkdir(parents=True, exist_ok=True)
        number = (
            int(older[-1].name.split(".")[3]) + 1 if older else 0
        )  # TensorBoard reads them in the order of their names
        name = f"events.out.tfevents.{number:05d}.{int(beginning.time)}.{socket.gethostname()}.{os.getpid()}"
        self.file = RecordWriter((folder / name).open("xb"))
        self._add(event_pb2.Event(wall_time=beginning.time, file_version="brain.Event:2"))
        if older:
            start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
            self._add(event_pb2.Event(wall_time=beginning.time, step=beginning.step + 1, session_log=start))
        return known

    def _add(self, event: Any) -> None:
        self.file.write(event.SerializeToString())


def folder_of(run: Path, training: int) -> Path:
    """Where the event files of a run lie; those of each training of a mending in a folder of their own."""
    return run / FOLDER / f"training-{training}" if training else run / FOLDER


def as_markdown(text: str) -> str:
    """Text that TensorBoard, which takes it for Markdown, shows as it stands."""
    return MARKS.sub(r"\\\1", html.escape(text, quote=False))


def _events(path: Path) -> Iterator[Any]:
    """The events of a file, as far as it is whole: a kill may have cut off the last."""
    from tensorboard.compat.proto import event_pb2
    from tensorboard.compat.tensorflow_stub import errors
    from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import PyRecordReader_New

    reader = PyRecordReader_New(str(path))
    while True:
        try:
            reader.GetNext()
        except (errors.OutOfRangeError, errors.DataLossError):
            return
        yield event_pb2.Event.FromString(reader.record())


def _session_end(status: str, time: float) -> Any:
    """That a training of the hyperparameters' page ended; TensorBoard's own function for it needs TensorFlow."""
    from tensorboard.compat.proto import summary_pb2
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

    info = plugin_data_pb2.SessionEndInfo(status=api_pb2.Status.Value(status), end_time_secs=time)
    about = metadata.create_summary_metadata(plugin_data_pb2.HParamsPluginData(session_end_info=info))
    value = summary_pb2.Summary.Value(tag=metadata.SESSION_END_INFO_TAG, metadata=about, tensor=metadata.NULL_TENSOR)
    return summary_pb2.Summary(value=[value])
