"""Pictures as a task shows them: made in threads while the engine trains, the same whatever their number."""

from collections.abc import Sequence
from concurrent.futures import CancelledError
from threading import Event

import numpy as np

from preceptor.data import Pictures, Stream, order
from preceptor.data.pictures.augment import Augmentation, Draw, augment
from preceptor.data.pictures.parallel import in_parallel
from preceptor.data.pictures.stream import CHUNK_BYTES
from preceptor.machine import cores
from preceptor.pretext.task import Frame, PictureTask

__all__ = ["TaskRows", "TaskStream"]


class TaskStream(Stream):
    """An endless stream of pictures with what a task makes of them.

    What stands at a position is a function of the seed and the position: its row by `order`, its changes and what the
    task draws by `Draw`.

    Args:
        pictures: the set; its labels, if any, are not looked at.
        part: rows of it to learn from.
        steps: augmentations, applied before the task.
        workers: threads that decode, change and make; None for as many as there are cores.
    """

    def __init__(
        self,
        pictures: Pictures,
        part: np.ndarray,
        task: PictureTask,
        frame: Frame,
        *,
        seed: int,
        steps: Sequence[Augmentation] = (),
        workers: int | None = None,
    ) -> None:
        self.pictures, self.part, self.task, self.frame, self.seed = pictures, np.asarray(part), task, frame, seed
        self.steps, self.workers = tuple(steps), workers or cores()
        self._stopped = Event()  # of the fetch that goes on

    @property
    def rows(self) -> int:
        return len(self.part)

    def fingerprint(self) -> bytes:
        return self.pictures.content_hashes()[self.part].tobytes()

    def fetch(self, start: int, count: int) -> dict[str, np.ndarray]:
        """Shapes: "x" (count, *shown), "y" (count, ...), as the task makes them."""
        stopped = self._stopped = Event()
        chunk = max(1, CHUNK_BYTES // (4 * int(np.prod(self.pictures.shape))))
        rows = self.part[order(self.seed, start, count, self.rows)]

        def block(first: int) -> tuple[np.ndarray, np.ndarray]:
            if stopped.is_set():
                raise CancelledError
            some = rows[first : first + chunk]
            draw = Draw(self.seed, start + first, len(some))
            return self.task.make(augment(self.pictures.take(some), self.steps, draw), draw, self.frame)

        made = list(in_parallel(block, range(0, max(count, 1), chunk), self.workers))
        return {"x": np.concatenate([x for x, _ in made]), "y": np.concatenate([y for _, y in made])}

    def stop(self) -> None:
        self._stopped.set()


class TaskRows:
    """Some pictures of a set as a task shows them outside training, each in one way: slices are made when asked for."""

    def __init__(self, pictures: Pictures, rows: np.ndarray, task: PictureTask, frame: Frame, seed: int) -> None:
        self.pictures, self.rows, self.task, self.frame, self.seed = pictures, rows, task, frame, seed
        self.dtype, self.shape = np.dtype(np.float32), (len(rows), *task.shown(frame.shape))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, part: slice) -> np.ndarray:
        return self.made(part)[0]

    def made(self, part: slice) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and targets of some of the rows, which may not be stepped over."""
        rows, start = self.rows[part], part.indices(len(self.rows))[0]
        pictures = augment(self.pictures.take(rows, workers=cores()), (), Draw(self.seed, start, len(rows)))
        return self.task.make(pictures, Draw(self.seed ^ JUDGING, start, len(rows)), self.frame)

    def targets(self) -> np.ndarray:
        """Those of all rows."""
        return np.concatenate([self.made(slice(at, at + AT_ONCE))[1] for at in range(0, len(self), AT_ONCE)])

    def fingerprint(self) -> bytes:
        """What tells these pictures from others."""
        return self.pictures.content_hashes()[self.rows].tobytes()


AT_ONCE = 256  # rows whose targets are made together
JUDGING = 1 << 62  # so that rows that judge do not have the draws of the stream's first
