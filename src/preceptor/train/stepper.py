"""The step of a training, compiled, beside the rows that it learns from: from any state any number of steps on."""

import math
from copy import copy
from typing import Any

import numpy as np

from preceptor.data import order
from preceptor.engines import Batches, Loop
from preceptor.errors import DataError
from preceptor.graph import flatten
from preceptor.nn import output_spec
from preceptor.ops import Spec
from preceptor.train.counts import counts
from preceptor.train.memory import check_step
from preceptor.train.schedule import warm_up
from preceptor.train.step import hyper_values, make_step
from preceptor.train.training import Arrays, Config, Streamed, beginning, check_rows, dtype_of

CAPACITY = 1024  # steps in one call of the engine, at most
FETCH_BYTES = 32 << 20  # rows of a stream brought to the engine in one call, at most: two such pieces are held
MOST_FETCHED = 1 << 18  # row numbers that are kept for other trainings of the same seed: 180 epochs of 1,474 rows
PIECE = 1 << 20  # numbers looked at together


class Stepper:
    """Makes the steps of a training, for the loop or for whoever tries what would happen.

    What a step does hangs on the state, on its number and on the training alone: copies of one state that make the same
    steps come to the same bits. `prepare` gives the loop that brings states to the engine, `fetch` the rows of the next
    steps, and a call makes these steps. `weights` is what a row of each fold counts for each member, (fold, member).

    Args:
        everything: what training carries; without it the first state, drawn by the seed.
    Raises: DataError where the arrays do not fit together, an input is not finite, or a target is not what the loss
        takes; ShapeError where network and data do not fit.
    """

    def __init__(self, config: Config, data: Arrays | Streamed, everything: Any = None) -> None:
        self.config, self.data, self.rows, self.dtype = config, data, check_rows(data), dtype_of(config)
        self.batch_size = config.step_rows(self.rows)
        self.steps = planned_steps(config, self.rows)
        x, y, weight = data.first()
        self.everything = everything or beginning(config, data)
        self.state_bytes = sum(leaf.nbytes for leaf in flatten(self.everything)[0])
        spec = Spec((self.batch_size, *x.shape[1:]), self.dtype)
        given = self.everything["params"], self.everything["state"]
        self.units = output_spec(config.network, *given, spec).shape[-1]
        folds = data.folds
        first = self.ready(x, y, weight=weight, fold=None if folds is None else folds.fold[:1])
        self.batch = {name: Spec((self.batch_size, *each.shape[1:]), each.dtype) for name, each in first.items()}
        self.weights = None
        if folds is not None and isinstance(data, Arrays):
            self.weights = folds.weights(counts(data.y, data.weight, config.class_weights))
        parts = config.optimiser, config.penalties
        self.program = make_step(
            config.network,
            config.loss,
            *parts,
            self.everything,
            self.batch,
            config.update,
            self.weights,
            config.fine_tuning,
        )
        self.numbers = hyper_values(*parts, config.update, self.steps)
        self.fetched: dict[tuple[int, int], np.ndarray] = {}
        self.capacity = min(CAPACITY, math.ceil(self.rows / self.batch_size))  # no call reaches beyond an epoch's end
        if isinstance(data, Streamed):
            batch_bytes = self.batch_size * sum(each.nbytes for each in first.values())
            self.capacity = min(self.capacity, max(1, FETCH_BYTES // batch_bytes))

    def ready(
        self, x: Any, y: Any, part: str = "", weight: np.ndarray | None = None, fold: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """Rows as the step takes them, checked."""
        try:
            taken = {"x": _inputs(x, self.dtype), "y": self.config.loss.prepared(y, self.units, self.dtype)}
            counted = counts(y, weight, self.config.class_weights)
            taken |= {} if counted is None else {"weight": counted.astype(self.dtype)}
            return taken if fold is None else taken | {"fold": fold}
        except DataError as error:
            raise DataError(f"train: {part}{error}") from None

    def prepare(self) -> Loop:
        """Brings rows that are held in memory to the engine, and compiles.

        Raises: ConfigError where a step takes more memory than is free.
        """
        data, held = self.data, None
        if isinstance(data, Arrays):
            held = self.ready(data.x, data.y, weight=data.weight, fold=None if data.folds is None else data.folds.fold)
        self.loop = self.config.engine.loop(self.program, held, self.capacity)
        # What is trained, and once more while it is saved; the first weights, there already, make room for the best.
        check_step(self.loop.step_bytes, self.batch_size, 2 * self.state_bytes)
        return self.loop

    def anew(self, config: Config, data: Arrays | Streamed, everything: Any) -> "Stepper":
        """The steps of another training by the same program, where `programs.structure` of both is one; prepared."""
        other = copy(self)
        other.config, other.data, other.steps = config, data, planned_steps(config, self.rows)
        other.everything = everything
        other.numbers = hyper_values(config.optimiser, config.penalties, config.update, other.steps)
        return other

    def epoch_end(self, done: int) -> int:
        """The step that ends the pass over the rows in which the step after `done` lies."""
        passes = done * self.batch_size // self.rows
        return -(-(passes + 1) * self.rows // self.batch_size)  # rounded up

    def fetch(self, start: int, count: int) -> Batches:
        """The batches of `count` steps: row numbers, or the rows themselves."""
        size = self.batch_size
        if isinstance(self.data, Arrays):
            if (start, count) in self.fetched:
                return self.fetched[start, count]
            drawn = order(self.config.seed, start * size, count * size, self.rows).reshape(count, size)
            if (len(self.fetched) + 1) * self.rows <= MOST_FETCHED:
                self.fetched[start, count] = drawn
            return drawn
        found = self.data.stream.fetch(start * size, count * size)
        rows = self.ready(found["x"], found["y"], weight=found.get("weight"))
        return {name: each.reshape(count, size, *each.shape[1:]) for name, each in rows.items()}

    def rates(self, start: int, count: int) -> np.ndarray:
        """The learning rate of each of `count` steps from `start` on. Shapes: -> (step,), float64."""
        return learning_rates(self.config, start, count, self.rows, self.batch_size, self.steps)

    def inputs(self, step: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """What the step after `step` takes beside the state: its batch, and its numbers."""
        found = self.fetch(step, 1)
        if isinstance(found, dict):
            batch = {name: each[0] for name, each in found.items()}
        else:
            assert isinstance(self.data, Arrays)
            rows, folds, weight = found[0], self.data.folds, self.data.weight
            fold = None if folds is None else folds.fold[rows]
            weight = None if weight is None else weight[rows]
            batch = self.ready(self.data.x[rows], self.data.y[rows], weight=weight, fold=fold)
        hyper = {name: np.asarray(value, self.dtype) for name, value in self.numbers.items()}
        hyper |= {"learning_rate": np.asarray(self.rates(step, 1)[0], self.dtype)}
        return batch, hyper | {"step": np.asarray(step + 1, np.int32)}

    def __call__(self, carried: Any, start: int, batches: Batches, rates: np.ndarray) -> tuple[Any, np.ndarray]:
        """Makes a step for each of the rates, with the batches that belong to them, of a state on the engine.

        Returns: the next state, which replaces the old one, and the mean loss of each step's batch, (step,).
        """
        count = len(rates)
        varying = {
            "learning_rate": rates.astype(self.dtype),
            "step": np.arange(start + 1, start + count + 1, dtype=np.int32),
        }
        fixed = {name: np.full(count, value, self.dtype) for name, value in self.numbers.items()}
        carried, kept = self.loop(carried, batches, varying | fixed)
        return carried, kept["loss"]


def planned_steps(config: Config, rows: int) -> int:
    """The steps of a whole training on so many rows."""
    return math.ceil(config.epochs * rows / config.step_rows(rows))


def learning_rates(config: Config, start: int, count: int, rows: int, batch_size: int, steps: int) -> np.ndarray:
    """The learning rate of each of `count` steps from `start` on: base rate, schedule and warm-up multiplied."""
    step = np.arange(start, start + count, dtype=np.float64)
    factor = config.schedule.factor(step * batch_size / rows, step / steps)
    if config.warmup:
        factor = factor * warm_up(step / steps, config.warmup, steps)
    return config.learning_rate * factor


def _inputs(x: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """The inputs in a dtype, all of them finite."""
    with np.errstate(over="ignore"):  # what is too large for the dtype is told below
        found = np.ascontiguousarray(x, dtype)
    flat = found.reshape(-1)
    bad = sum(
        len(part) - int(np.count_nonzero(np.isfinite(part)))
        for part in (flat[start : start + PIECE] for start in range(0, len(flat), PIECE))
    )
    if bad:
        raise DataError(
            f"inputs: {bad:,} of {found.size:,} numbers are missing, infinite or too large for {dtype}; finite numbers "
            "are required. Fill in what is missing, or leave these rows out."
        )
    return found


__all__ = ["CAPACITY", "Stepper", "learning_rates", "planned_steps"]
