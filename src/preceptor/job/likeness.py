"""Whether data are like those that a network has learned: whether its last layers still tell more than its middle."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from preceptor import ops
from preceptor.data import Stream
from preceptor.engines import Engine
from preceptor.graph import flatten, trace
from preceptor.nn import Sequential
from preceptor.nn.layer import apply_part, initial_specs, multiply_adds
from preceptor.ops import Spec
from preceptor.train.fine_tuning import First

__all__ = ["Likeness", "likeness"]

MOST = 500  # pictures that are looked at: a share of them is then known to 2 %
LEAST = 30  # fewer tell nothing
AT_ONCE = 16
SHARE = 0.5  # of the multiplications up to the head, after which the middle is
STRENGTHS = (0.01, 0.1, 1.0)  # of the penalty, by the mean square of a row's features
FOLDS = 5
TINY = 1e-12  # the least penalty: features may all be equal
TOLD = 0.6  # share that a reader of the last layers must tell where all else is to stay as it is: docs/transfer.md


@dataclass(frozen=True)
class Likeness:
    """What a linear reader makes of the features of a network, each picture read by what other folds say.

    Args:
        rows: pictures.
        middle, last: share of them that is told rightly by the features of the middle, and of the last layer.
        error: the standard error of the difference.
    """

    rows: int
    middle: float
    last: float
    error: float

    @property
    def is_similar(self) -> bool:
        """Whether the last layers tell most of the pictures, and as much as the middle, to a standard error; of too few
        nobody knows, and what was learned is trusted."""
        return self.rows < LEAST or (self.last >= TOLD and self.last >= self.middle - self.error)

    def __str__(self) -> str:
        if self.rows < LEAST:
            return f"{self.rows} pictures are too few to tell"
        return f"a linear reader tells {self.last:.0%} of them by its last layer, {self.middle:.0%} by its middle"


def likeness(network: Sequential, first: First, head: str, stream: Stream, engine: Engine) -> Likeness:
    """How much the features of a network, before it has seen them, tell of pictures.

    Args:
        head: the name of its last dense layer.
        stream: of the pictures.
    """
    rows = stream.fetch(0, min(MOST, stream.rows))
    y = rows["y"] if rows["y"].ndim == 1 else rows["y"].argmax(1)
    if len(y) < LEAST:
        return Likeness(len(y), 0.0, 0.0, 0.0)
    found = _features(network, first, head, rows["x"], engine)
    middle, last = (_told(x, y) for x in found)
    return Likeness(
        len(y), float(middle.mean()), float(last.mean()), float(np.std(1.0 * middle - last) / math.sqrt(len(y)))
    )


def _features(network: Sequential, first: First, head: str, x: np.ndarray, engine: Engine) -> list[np.ndarray]:
    """What the middle and the last layer before the head make of rows: means over places. Shapes: -> (row, feature)."""
    parts = list(network.parts())
    parts = parts[: next(number for number, (name, _) in enumerate(parts) if name == head)]
    spec = Spec((min(AT_ONCE, len(x)), *x.shape[1:]), np.dtype(np.float32))
    middle = _middle(parts, spec)
    names = tuple(f"{name}/" for name, _ in parts)
    given = [{k: v for k, v in values.items() if k.startswith(names)} for values in (first.params, first.state)]

    def features(params: Any, state: Any, x: Any) -> tuple[Any, ...]:
        kept = []
        for name, layer in parts:
            x, _ = apply_part(name, layer, params, state, x, train=False, key=None)
            if name in (middle, parts[-1][0]):
                kept.append(ops.mean(x, tuple(range(1, x.ndim - 1))) if x.ndim > 2 else x)
        return (kept[0], kept[-1])

    program = trace(features)(*given, spec)
    run, found = engine.compile(program.graph), []
    for start in range(0, len(x), spec.shape[0]):
        some = x[start : start + spec.shape[0]]
        full = np.concatenate((some, np.repeat(some[:1], spec.shape[0] - len(some), 0)))
        found.append([np.array(each[: len(some)]) for each in run(flatten((*given, full))[0])])
    return [np.concatenate(each).astype(np.float64) for each in zip(*found, strict=True)]


def _middle(parts: list[tuple[str, Any]], spec: Spec) -> str:
    """The layer after which SHARE of the multiplications are made."""
    whole = Sequential(tuple(layer for _, layer in parts), tuple(name for name, _ in parts))
    given, done = initial_specs(whole, spec), []
    for count in range(1, len(parts) + 1):
        some = Sequential(whole.layers[:count], whole.names[:count])
        start = tuple(f"{name}/" for name in some.names)
        params, state = ({k: v for k, v in values.items() if k.startswith(start)} for values in given)
        done.append(multiply_adds(some, params, state, spec))
    return next(name for (name, _), work in zip(parts, done, strict=True) if work >= SHARE * done[-1])


def _told(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Which rows a linear reader tells rightly that has not seen them: ridge regression on the classes, learned from
    the other folds. Shapes: x (row, feature), y (row,) -> (row,), bool.

    Nothing of the rows that are told, not even their mean, is in what the reader learned: of more features than rows a
    mean alone would give their classes away.
    """
    found = [_by_others(x, y, strength) for strength in STRENGTHS]
    return max(found, key=np.mean)


def _by_others(x: np.ndarray, y: np.ndarray, strength: float) -> np.ndarray:
    """The same, for a penalty of this strength."""
    classes, numbers = np.unique(y, return_inverse=True)
    right = np.zeros(len(y), bool)
    for fold in range(FOLDS):
        own = np.arange(fold, len(y), FOLDS)
        others = np.setdiff1d(np.arange(len(y)), own)
        mean, deviation = x[others].mean(0), x[others].std(0)
        z = (x - mean) / np.where(deviation > 0, deviation, 1)
        taught = z[others]
        kernel = taught @ taught.T
        penalty = max(strength * np.trace(kernel) / len(others), TINY) * np.eye(len(others))
        shares = np.bincount(numbers[others], minlength=len(classes)) / len(others)
        targets = (numbers[others, None] == np.arange(len(classes))) - shares
        scores = z[own] @ taught.T @ np.linalg.solve(kernel + penalty, targets) + shares
        right[own] = scores.argmax(1) == numbers[own]
    return right
