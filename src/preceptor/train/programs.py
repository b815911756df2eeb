"""Compiled programs that serve one training after another: all trainings of one structure have the same."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from threading import Lock
from typing import Any

import numpy as np

from preceptor.hyper import hyper_fields
from preceptor.train.evaluator import Judges
from preceptor.train.out_of_fold import OutOfFold
from preceptor.train.stepper import Stepper
from preceptor.train.training import Arrays, Config, Streamed, beginning

__all__ = ["Compiled", "Programs", "Same", "exact", "structure"]

MOST, MOST_BYTES = 16, 512 << 20  # that wait for the next training, and what they hold; a plan of few rows has 1 MiB


@dataclass(eq=False)
class Compiled:
    """What a training runs, but for its numbers.

    Args:
        stepper: prepared.
        size: of weights and running numbers; see `weight_size`.
        dev, seen: judge by the dev rows, and by the sample of training rows; None of what is not judged.
        outside: judges the sample out of fold.
        seen_y, seen_weight, seen_counts: of the sample, its targets, weights, and what its rows count.
        at_once: steps in one call of the engine, as far as is known how long they take.
        first: `beginning`, once it was asked for.
    """

    stepper: Stepper
    size: Callable[[Any], float]
    dev: Judges | None
    seen: Judges | None
    outside: OutOfFold | None
    seen_y: Any
    seen_weight: Any
    seen_counts: Any
    at_once: int = 1
    first: Any = None

    def beginning(self, config: Config, data: Arrays | Streamed) -> Any:
        """What such a training carries before its first step, which none of its numbers changes."""
        if self.first is None:
            self.first = beginning(config, data)
        return self.first

    @property
    def nbytes(self) -> int:
        """What it holds: the memory of a step, two states, and rows, which native programs share."""
        data = self.stepper.data
        rows = data.x.nbytes if isinstance(data, Arrays) else 0
        return (self.stepper.loop.step_bytes or 0) + 2 * self.stepper.state_bytes + rows


class Programs:
    """Those that no training runs at the moment: `with programs.lent(key, make) as compiled`.

    One is lent to one training at a time, for it has one memory to work in. The least recently used go first.
    """

    def __init__(self, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        self.most, self.most_bytes = most, most_bytes
        self._waiting: OrderedDict[int, tuple[Any, Compiled]] = OrderedDict()  # the latest last
        self._lock, self._count = Lock(), 0

    @contextmanager
    def lent(self, key: Any, make: Callable[[], Compiled]) -> Iterator[tuple[Compiled, bool]]:
        """One of this structure, and whether it has served before; back again where nothing was raised.

        Args:
            key: of `structure`; None for one that is not kept.
        """
        found = self._taken(key)
        compiled = make() if found is None else found
        try:
            yield compiled, found is not None
        except GeneratorExit:  # a training that was broken off between two steps
            self._keep(key, compiled)
            raise
        self._keep(key, compiled)

    def _taken(self, key: Any) -> Compiled | None:
        with self._lock:
            number = next((n for n in reversed(self._waiting) if self._waiting[n][0] == key), None)
            return None if key is None or number is None else self._waiting.pop(number)[1]

    def _keep(self, key: Any, compiled: Compiled) -> None:
        if key is None:
            return
        compiled.stepper.everything = None
        with self._lock:
            self._count += 1
            self._waiting[self._count] = key, compiled
            while len(self._waiting) > self.most or self.nbytes > self.most_bytes:
                self._waiting.popitem(last=False)

    @property
    def nbytes(self) -> int:
        """What all that wait hold together."""
        return sum(each.nbytes for _, each in self._waiting.values())


def structure(config: Config, data: Arrays | Streamed, judged: int) -> Any:
    """What is fixed in the programs of a training on these rows: equal keys, equal programs. None where that cannot be
    told.

    The numbers of optimiser, penalties, clipping and average, rates and the number of epochs are inputs, and not in it.

    Args:
        judged: as of `train`.
    """
    if isinstance(data, Streamed):
        if judged and data.seen_x is None:
            return None  # which rows the stream brings first cannot be told
        if data.first_streams:
            return None  # the programs of a stage are made when it begins
        first = (None if each is None else (each.shape[1:], each.dtype.str) for each in data.first())
        rows: tuple[Any, ...] = data.rows, *first
        held: tuple[Any, ...] = data.dev_x, data.dev_y, data.dev_weight, data.seen_x, data.seen_y
    else:
        rows, held = (), (data,)
    update = config.update
    return (
        (*map(Same, held), *rows, judged, config.seed, config.batch_size),
        (exact(config.network), exact(config.loss), exact(config.class_weights), exact(config.engine)),
        (exact(config.fine_tuning), Same(config.first)),
        _unnumbered(config.optimiser),
        tuple(map(_unnumbered, config.penalties)),
        (update.clip_value is None, update.clip_norm is None, update.accumulate),
        None if update.average is None else _unnumbered(update.average),
    )


@dataclass(frozen=True, eq=False)
class Same:
    """Equal to nothing but the same object, which it keeps: another one cannot have its place in memory meanwhile."""

    it: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and other.it is self.it

    def __hash__(self) -> int:
        return id(self.it)


def exact(value: Any) -> Any:
    """A key that is equal for equal values of equal types alone: 1, 1.0 and True differ, 0.0 and -0.0 too.

    What is no data class, number, text, array or tuple of these counts as the same where it is the same object.
    """
    if value is None or type(value) in (str, int, bool):
        return type(value), value
    if type(value) is float:
        return float, value.hex()
    if type(value) is tuple:
        if all(type(each) is float for each in value):  # edges of bins are thousands
            return tuple, np.asarray(value, np.float64).tobytes()
        return (tuple, *map(exact, value))
    if isinstance(value, type):
        return value
    made = vars(type(value)).get("__dataclass_params__")  # of its own class: one derived from it may hold more
    if made is not None and made.frozen:
        return (type(value), *(exact(getattr(value, each.name)) for each in fields(value)))
    return Same(value)


def _unnumbered(part: Any) -> tuple[Any, ...]:
    """An optimiser, a penalty or an average but for its numbers, which are inputs of the step."""
    numbers = {each.name for each, _ in hyper_fields(part)}
    return (type(part), *(exact(getattr(part, each.name)) for each in fields(part) if each.name not in numbers))
