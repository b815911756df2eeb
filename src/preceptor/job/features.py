"""What the frozen beginning of a network makes of the data: computed once, so that the rest trains in seconds."""

import math
import os
import tempfile
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from preceptor.data import Stream
from preceptor.data.tables.scratch import no_room, roomy_folder
from preceptor.job.stages import Encoded, Stage, Stages
from preceptor.nn import Sequential
from preceptor.train.evaluator import Evaluator
from preceptor.train.fine_tuning import First, fits
from preceptor.train.training import Config, Streamed

__all__ = ["Trunk"]

AT_ONCE = 64  # rows that are asked for at once
SAID = "computing what the frozen layers make of the data"
HELD_BYTES = 512 << 20  # of features that are held in memory; more lie in a file that has no name


@dataclass(frozen=True, eq=False)
class Trunk:
    """The beginning of a network that is one function throughout a training.

    Args:
        whole: the training of the whole network, all of whose beginning is given by `first`.
        count: how many of its layers make the beginning.
        paths: of all parameters of the network.
    """

    whole: Config
    count: int
    paths: tuple[str, ...]

    def _parts(self, layers: slice) -> tuple[Sequential, First]:
        """Some of the layers, and what is given of their values."""
        network, first = self.whole.network, self.whole.first
        assert isinstance(network, Sequential)
        assert first is not None
        part = Sequential(network.layers[layers], network.names[layers])
        own = tuple(f"{name}/" for name in part.names)
        params, state = (
            {path: value for path, value in values.items() if path.startswith(own)}
            for values in (first.params, first.state)
        )
        return part, First(params, state)

    @property
    def start(self) -> tuple[Sequential, First]:
        """The beginning, with its values."""
        return self._parts(slice(self.count))

    @property
    def rest(self) -> Config:
        """The training of what stands behind it, which takes what it makes of the data."""
        network, first = self._parts(slice(self.count, None))
        own = tuple(f"{name}/" for name in network.names)
        paths, tuned = [path for path in self.paths if path.startswith(own)], self.whole.fine_tuning
        tuned = replace(
            tuned,
            frozen=tuple(each for each in tuned.frozen if any(fits(path, each) for path in paths)),
            rates=tuple(each for each in tuned.rates if any(fits(path, each[0]) for path in paths)),
        )
        penalties = tuple(each for each in self.whole.penalties if any(map(each.reaches, paths)))
        return replace(self.whole, network=network, first=first, fine_tuning=tuned, penalties=penalties)

    def joined(self, weights: dict[str, Any]) -> dict[str, Any]:
        """The weights of the whole network, of those of the rest."""
        first = self.start[1]
        return {"params": first.params | weights["params"], "state": first.state | weights["state"]}

    def encoded(self, encoded: Encoded, views: int) -> Stages[Encoded]:
        """What it makes of the three parts.

        Of the stream, whose rows are changed at random, so many passes are kept and come again in turn.
        """
        data, (layer, first) = encoded.data, self.start
        assert isinstance(data, Streamed)
        judged = [data.dev_x, encoded.test_x, data.seen_x]
        stream_rows = data.rows * views
        total = stream_rows + sum(0 if x is None else len(x) for x in judged)
        done, made = 0, []
        weights = {"params": first.params, "state": first.state}
        evaluate: Evaluator | None = None
        for x in judged:
            if x is not None and evaluate is None:
                evaluate = Evaluator(layer, None, self.whole.engine, weights, x[: min(len(x), AT_ONCE)])
            found: list[np.ndarray] = []
            for start in range(0, 0 if x is None else len(x), AT_ONCE):
                assert evaluate is not None
                yield Stage(SAID, done, total)
                found.append(evaluate(weights, x[start : start + AT_ONCE])[1])
                done += len(found[-1])
            made.append(np.concatenate(found) if found else None)
        dev_x, test_x, seen_x = made
        assert evaluate is not None
        stream = data.stream
        kept, labels = None, None
        for start in range(0, stream_rows, AT_ONCE):
            yield Stage(SAID, done, total)
            count = min(AT_ONCE, stream_rows - start)
            rows = stream.fetch(start, count)
            x = evaluate(weights, rows["x"])[1]
            if kept is None or labels is None:
                kept = _held((stream_rows, *x.shape[1:]))
                labels = np.empty((stream_rows, *rows["y"].shape[1:]), rows["y"].dtype)
            kept[start : start + count], labels[start : start + count] = x, rows["y"]
            done += count
        assert kept is not None
        assert labels is not None
        again = Passes(kept, labels, data.rows, stream.fingerprint())
        return replace(encoded, data=replace(data, stream=again, dev_x=dev_x, seen_x=seen_x), test_x=test_x)


class Passes(Stream):
    """Some passes of a stream, kept, which come again in turn.

    Shapes: x (pass * row, ...), y (pass * row, ...), in the order in which the stream gave them.
    """

    def __init__(self, x: np.ndarray, y: np.ndarray, rows: int, fingerprint: bytes) -> None:
        self.x, self.y, self._rows, self._fingerprint = x, y, rows, fingerprint

    @property
    def rows(self) -> int:
        return self._rows

    def fingerprint(self) -> bytes:
        return self._fingerprint

    def fetch(self, start: int, count: int) -> dict[str, np.ndarray]:
        """The rows at these positions: of the first passes as the stream gave them, then these again."""
        places = np.arange(start, start + count) % len(self.x)
        return {"x": self.x[places], "y": self.y[places]}


def _held(shape: tuple[int, ...]) -> np.ndarray:
    """An array of float32 to be filled: in memory, or in a file without a name where it is large.

    Raises: DataError where there is no room.
    """
    size = 4 * math.prod(shape)
    if size <= HELD_BYTES:
        return np.empty(shape, np.float32)
    where = roomy_folder()
    try:
        file = tempfile.TemporaryFile(dir=where)  # noqa: SIM115, which lives as long as the array
        os.posix_fallocate(file.fileno(), 0, size)
        return np.memmap(file, np.float32, "r+", shape=shape)
    except OSError as error:
        raise no_room(where, error) from None
