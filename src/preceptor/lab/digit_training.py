"""Trainings on the bundled digits, step by step."""

from dataclasses import dataclass

import numpy as np

from preceptor.lab import handwriting
from preceptor.train import Arrays, Config, train
from preceptor.train.programs import Programs


def digits(rows: int = 600, dev_rows: int = 400, seed: int = 0) -> Arrays:
    """Rows of the bundled 8 x 8 digits drawn without replacement, grey values from 0 to 1, in float32.

    Args:
        rows, dev_rows: of the training part and of the dev part; at most 1,797 together.
        seed: fixes which.
    """
    pictures, labels = handwriting.digits(seed)
    x, y = (each[: rows + dev_rows] for each in (pictures.reshape(len(pictures), -1), labels.astype(np.int64)))
    return Arrays(x[:rows], y[:rows], x[rows:], y[rows:])


@dataclass(frozen=True, eq=False)
class Course:
    """What a training passed through.

    Args:
        losses: mean loss of each step's batch, nats per row, until one is not finite.
        dev_losses: after each epoch.
        dev_errors: after each epoch, the share of rows of the dev part that are not recognised.

    Shapes: losses (step,); the others (epoch,).
    """

    losses: np.ndarray
    dev_losses: np.ndarray
    dev_errors: np.ndarray

    def curve(self, points: int = 50) -> np.ndarray:
        """The losses as so many means of neighbours, or of five steps where there are fewer. Shapes: -> (point,)."""
        return np.array([np.mean(each) for each in np.array_split(self.losses, self._parts(points))])

    def steps(self, points: int = 50) -> list[float]:
        """Where the points of `curve` lie: the middle of the neighbours, counted from 1."""
        parts = np.array_split(np.arange(1, len(self.losses) + 1), self._parts(points))
        return [float(np.mean(each)) for each in parts]

    def _parts(self, points: int) -> int:
        return min(points, max(1, len(self.losses) // 5))


def course(config: Config, data: Arrays, programs: Programs | None = None) -> Course:
    """Trains to recognise classes, and keeps the loss of every step.

    Args:
        programs: those of other trainings, which are compiled once for all that differ in numbers only.
    """
    losses: list[np.ndarray] = []
    judged: list[tuple[float, float]] = []
    for record in train(config, data, judged=0, programs=programs):
        losses.append(record.losses)
        if not record.is_finite:
            break
        if record.is_epoch_end and record.dev_loss is not None:
            wrong = np.argmax(record.dev_outputs, axis=1) != record.dev_target  # type: ignore[arg-type]
            judged.append((record.dev_loss, float(np.mean(wrong))))
    known = np.array(judged, np.float64).reshape(-1, 2)
    return Course(np.concatenate(losses).astype(np.float64), known[:, 0], known[:, 1])
