"""Pictures as training sees them: in random order, changed at random, brought to scale, as fast as the cores allow."""

from collections.abc import Sequence
from concurrent.futures import CancelledError
from threading import Event

import numpy as np

from preceptor.data.affine import Affine
from preceptor.data.division.order import order
from preceptor.data.pictures.augment import Augmentation, Draw, Mixer, as_float, augment
from preceptor.data.pictures.parallel import in_parallel, runs
from preceptor.data.pictures.pictures import Pictures
from preceptor.data.stream import Stream
from preceptor.machine import cores

SAMPLED = 10_000  # pictures that tell mean and standard deviation of a channel; the mean is then known to 1% of it
CHUNK_BYTES = 1 << 20  # of float32 that a thread works on at a time: about the second-level cache of a core
MIXING = 1 << 16  # place of the mixer among the augmentations: behind any of them


def fit_channels(pictures: Pictures, rows: np.ndarray) -> Affine:
    """The default preprocessing: mean 0 and standard deviation 1 of each channel, of values from 0 to 1.

    Learned from the given rows, or from SAMPLED of them, evenly spaced. A channel that is constant becomes 0.

    Shapes: rows (row,), those of the training part.
    """
    if len(rows) > SAMPLED:
        rows = rows[np.linspace(0, len(rows) - 1, SAMPLED).astype(np.int64)]
    total, squares = np.zeros(pictures.channels), np.zeros(pictures.channels)
    for start, end in runs(len(rows), max(_chunk(pictures), cores())):
        values = pictures.take(rows[start:end], workers=cores()).reshape(-1, pictures.channels)
        for channel in range(pictures.channels):  # whole numbers: exact, whatever the order
            counts = np.bincount(values[:, channel], minlength=256)
            total[channel] += counts @ np.arange(256)
            squares[channel] += counts @ np.arange(256) ** 2
    count = max(len(rows), 1) * pictures.height * pictures.width
    mean = total / count
    variance = np.maximum(squares / count - mean**2, 0)
    return Affine(mean / 255, np.divide(255, np.sqrt(variance), out=np.zeros_like(mean), where=variance > 0))


def prepared(pictures: Pictures, rows: np.ndarray, normalise: Affine, *, workers: int | None = None) -> np.ndarray:
    """Pictures as a network takes them outside training: as they are, brought to scale.

    Shapes: rows (row,) -> (row, height, width, channel), float32, or what normalise makes of them.
    """
    return normalise(as_float(pictures.take(rows, workers=workers or cores())))


class PictureStream(Stream):
    """An endless stream of training pictures.

    What stands at a position is a function of the seed and the position: its row by `order`, its changes by `Draw`. So
    neither where a fetch begins and ends nor the number of workers changes a bit.

    Args:
        pictures: the set.
        part: rows of it to train on.
        normalise: preprocessing, after the augmentation.
        seed: 0 to 2**64 - 1.
        steps: augmentations, applied in turn.
        mixer: mixes each picture with the next of the stream; labels are then soft.
        workers: threads that decode and augment; None for as many as there are cores.

    Shapes: part (row,).
    """

    def __init__(
        self,
        pictures: Pictures,
        part: np.ndarray,
        normalise: Affine,
        *,
        seed: int,
        steps: Sequence[Augmentation] = (),
        mixer: Mixer | None = None,
        workers: int | None = None,
    ) -> None:
        assert pictures.labels is not None
        assert len(part) > 0
        self.pictures, self.part, self.normalise, self.seed = pictures, np.asarray(part), normalise, seed
        self.steps, self.mixer, self.workers = tuple(steps), mixer, workers or cores()
        self.labels = pictures.labels[self.part]
        self._stopped = Event()  # of the fetch that goes on

    @property
    def rows(self) -> int:
        """Pictures in one pass."""
        return len(self.part)

    def fingerprint(self) -> bytes:
        return self.pictures.content_hashes()[self.part].tobytes() + self.labels.tobytes()

    def fetch(self, start: int, count: int) -> dict[str, np.ndarray]:
        """The pictures at positions start to start + count.

        Shapes: "x" (count, height, width, channel), float32; "y" (count,), int32, with a mixer (count, class), float32.
        """
        stopped = self._stopped = Event()
        chunk = _chunk(self.pictures)
        first = start - start % chunk
        blocks = [(max(start, at), min(start + count, at + chunk)) for at in range(first, start + max(count, 1), chunk)]
        last = first + len(blocks) * chunk if self._in_whole_blocks else start + count
        rows = order(self.seed, first, last - first + (self.mixer is not None), self.rows)
        x = y = None
        made = in_parallel(lambda block: self._block(stopped, rows, first, *block), blocks, self.workers)
        for (begin, end), (images, labels) in zip(blocks, made, strict=True):
            if x is None or y is None:
                x = np.empty((count, *images.shape[1:]), images.dtype)
                y = np.empty((count, *labels.shape[1:]), labels.dtype)
            x[begin - start : end - start], y[begin - start : end - start] = images, labels
        assert x is not None
        assert y is not None
        return {"x": x, "y": y}

    def stop(self) -> None:
        self._stopped.set()

    @property
    def _in_whole_blocks(self) -> bool:
        return self.normalise.matrix is not None  # a product rounds by how many rows it has

    def _block(
        self, stopped: Event, rows: np.ndarray, first: int, start: int, end: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """The pictures from start to end, which lie in one block. Shapes: rows (position,): those from first on."""
        if stopped.is_set():
            raise CancelledError
        skipped, wanted = 0, end - start
        if self._in_whole_blocks:
            chunk = _chunk(self.pictures)
            skipped = start % chunk
            start, end = start - skipped, start - skipped + chunk
        rows = rows[start - first : end - first + (self.mixer is not None)]
        passes = np.arange(start, start + len(rows)) // self.rows
        draw = Draw(self.seed, start, len(rows), rows=rows, passes=passes)
        images = augment(self.pictures.take(self.part[rows]), self.steps, draw)
        labels = self.labels[rows]
        if self.mixer is not None:
            soft = np.eye(len(self.pictures.classes), dtype=np.float32)[labels]
            draw = Draw(self.seed, start, end - start, MIXING)
            images, labels = self.mixer(images[:-1], soft[:-1], images[1:], soft[1:], draw)
        images = self.normalise(images)
        return images[skipped : skipped + wanted], labels[skipped : skipped + wanted]


def _chunk(pictures: Pictures) -> int:
    """How many pictures a thread works on at a time."""
    return max(1, CHUNK_BYTES // (4 * pictures.height * pictures.width * pictures.channels))
