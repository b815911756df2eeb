"""The training loop: yields records. Progress, early stopping, saving and diagnosis read the same stream; to stop, stop
reading."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from preceptor import ops
from preceptor.data import Stream, order
from preceptor.engines import Batches, Engine, Loop, agreed, choose_engine
from preceptor.errors import DataError
from preceptor.graph import flatten, map_leaves, trace
from preceptor.hyper import hyper, settings
from preceptor.nn import Layer, Loss, output_spec
from preceptor.ops import Spec
from preceptor.train.counts import counts
from preceptor.train.evaluator import Evaluator
from preceptor.train.folds import Folds
from preceptor.train.memory import check_step
from preceptor.train.optim import Adam, Optimiser
from preceptor.train.penalty import Penalty
from preceptor.train.schedule import Constant, Schedule, warm_up
from preceptor.train.step import Update, first_state, hyper_values, make_step, predicting

CAPACITY = 1024  # steps in one call of the engine, at most
CALL_SECONDS = 1.5  # aimed at for one call: Ctrl-C is heard, yet XLA seldom has to allocate its buffers anew
FETCH_BYTES = 32 << 20  # rows of a stream brought to the engine in one call, at most: two such pieces are held
JUDGED = 10_000  # training rows that are judged at the end of each epoch, at most
PIECE = 1 << 20  # numbers looked at together
JUDGED_BYTES = 64 << 20  # of them held in memory


@dataclass(frozen=True, eq=False)
class Arrays:
    """What a network sees. Shapes: x (row, ...), y (row,) or (row, unit); the dev part may be absent.

    Args:
        x, y: the training part; it is brought to the engine once, and batches are picked there.
        dev_x, dev_y: arrays, or anything that has their length and gives their slices.
        folds: in place of a dev part, which members of an ensemble leave out which rows and judge them.
        weight, dev_weight: (row,), what each row counts in the loss and in figures, numbers of at least 0; 1 if left
            out. With a mean of 1 over the training part a learning rate means what it means without.
    """

    x: np.ndarray
    y: np.ndarray
    dev_x: Any = None
    dev_y: np.ndarray | None = None
    folds: Folds | None = None
    weight: np.ndarray | None = None
    dev_weight: np.ndarray | None = None

    @property
    def guides(self) -> bool:
        """Whether rows guide training that do not teach what judges them."""
        return self.folds is not None or (self.dev_x is not None and len(self.dev_x) > 0)

    @property
    def rows(self) -> int:
        """Rows of the training part."""
        return len(self.x)

    def first(self) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """A row or none of the training part, for its shapes and dtypes: x, y and weight."""
        return self.x[:1], self.y[:1], None if self.weight is None else self.weight[:1]


@dataclass(frozen=True, eq=False)
class Streamed:
    """What a network sees where the training part need not fit in memory. Shapes: as of Arrays.

    Args:
        seen_x, seen_y: rows of the training part as they are outside training, where the stream changes them: the ones
            that are judged at the end of each epoch.
        dev_weight: as of Arrays; those of the training part come with the stream.
    """

    stream: Stream
    dev_x: Any = None
    dev_y: np.ndarray | None = None
    seen_x: Any = None
    seen_y: np.ndarray | None = None
    dev_weight: np.ndarray | None = None
    folds: ClassVar[Folds | None] = None

    @property
    def guides(self) -> bool:
        """Whether rows guide training that do not teach."""
        return self.dev_x is not None and len(self.dev_x) > 0

    @property
    def rows(self) -> int:
        """Rows of the training part."""
        return self.stream.rows

    def first(self) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """The first row of the stream, for its shapes and dtypes: x, y and weight."""
        row = self.stream.fetch(0, 1)
        return row["x"], row["y"], row.get("weight")


@settings
class Config:
    """What `train` needs to know beside the data. A network with its parameters drawn by `seed`."""

    network: Layer
    loss: Loss
    optimiser: Optimiser = Adam()
    schedule: Schedule = Constant()
    penalties: tuple[Penalty, ...] = ()
    update: Update = Update()
    learning_rate: float = hyper(default=1e-3, low=0, scale="log", unit="per step", doc="Base learning rate.")
    warmup: float = hyper(
        default=0.0, low=0, high=1, unit="share of all steps", doc="Linear rise of the rate at first."
    )
    batch_size: int = hyper(default=32, low=1, scale="log", unit="rows", doc="Rows in a step.")
    epochs: int = hyper(default=10, low=1, scale="log", unit="passes over the training part", doc="How long to train.")
    seed: int = hyper(default=0, low=0, high=2**63 - 1, doc="Fixes initial values, order of rows and random masks.")
    class_weights: tuple[float, ...] = hyper(
        default=(), low=0, unit="per class", doc="What a row of each class counts in the loss; 1 if left out."
    )
    engine: Engine = field(default_factory=choose_engine)


@dataclass(frozen=True, eq=False)
class Record:
    """What happened since the record before.

    Args:
        step, epoch: optimiser updates and passes over the data made so far.
        steps, epochs: of the whole training.
        losses: mean loss of the batch of each step since the record before, (step,), nats for log-likelihoods: what is
            trained, with weights, dropout and smoothed labels, penalties left out.
        learning_rate: of the last step.
        train_loss: mean loss of a sample of the training part outside training, by the measure of dev_loss, at the end
            of an epoch only; None where no sample was asked for.
        dev_loss: mean loss of the dev part, at the end of an epoch only; under averaged parameters where there are any.
        dev_outputs, dev_target, dev_weight: raw outputs for the dev part, (row, unit), its target and its rows' own
            weights, if any, with it. With folds the dev part is a sample of the training rows, each judged by the
            members that left it out.
        seconds: since training began or went on, evaluation included.
        is_epoch_end: whether the record closes a pass over the data.
        state: where the engine keeps it; `snapshot` copies it. The next record makes it invalid.
    """

    step: int
    steps: int
    epoch: float
    epochs: int
    losses: np.ndarray
    learning_rate: float
    train_loss: float | None
    dev_loss: float | None
    dev_outputs: np.ndarray | None
    dev_target: np.ndarray | None
    dev_weight: np.ndarray | None
    seconds: float
    is_epoch_end: bool
    state: Any
    loop: Loop
    size: Callable[[Any], float]

    @property
    def objective(self) -> float:
        """Mean of the losses since the record before."""
        return float(np.mean(self.losses))

    @cached_property
    def is_finite(self) -> bool:
        """Whether every loss is a number, and every weight: a unit may hide from the loss what became of its own."""
        return bool(np.isfinite(self.losses).all()) and math.isfinite(agreed(self.size(self.state)))

    def snapshot(self) -> dict[str, Any]:
        """A copy in host memory of all that training carries from step to step."""
        return self.loop.get(self.state)

    def weights(self) -> dict[str, Any]:
        """A copy in host memory of what predicts: "params", averaged where an average is kept, and "state"."""
        return self.loop.get(predicting(self.state))


def train(
    config: Config,
    data: Arrays | Streamed,
    start: tuple[int, Any] | None = None,
    dev_losses: Sequence[float] = (),
    judged: int = JUDGED,
) -> Iterator[Record]:
    """Trains a network, yielding a record at least at the end of every epoch.

    Args:
        start: (steps done, what a record's `snapshot` gave then) to go on from there; the bits are then those of a
            training that was never broken off.
        dev_losses: those of the epochs before `start`, which the schedule may look at.
        judged: training rows, at most, that are judged outside training at the end of each epoch: those of the first
            pass that come first, no more than the dev part has where there is one, so that it costs what dev does.

    Batches are cut from an endless stream of rows, one random permutation of the training part after another; the
    position in it is one integer, step * batch_size. So every batch is full and every row is seen once in each pass.
    While the engine runs one call, the rows of the next are fetched in the background.

    Differs: PyTorch and Keras make the last batch of an epoch smaller, or drop it.
    Raises: DataError where the arrays do not fit together, an input is not finite, or a target is not what the loss
        takes; ShapeError where network and data do not fit; ConfigError where a step takes more memory than is free.
    """
    rows = _check(data)
    batch_size = min(config.batch_size, rows)
    dtype = _dtype(config)
    x, y, weight = data.first()
    params, state = initial_values(config, data)
    units = output_spec(config.network, params, state, Spec((batch_size, *x.shape[1:]), dtype)).shape[-1]

    folds = data.folds

    def ready(
        x: Any, y: Any, part: str = "", weight: np.ndarray | None = None, fold: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """Rows as the step takes them, checked."""
        try:
            taken = {"x": _inputs(x, dtype), "y": config.loss.prepared(y, units, dtype)}
            counted = counts(y, weight, config.class_weights)
            taken |= {} if counted is None else {"weight": counted.astype(dtype)}
            return taken if fold is None else taken | {"fold": fold}
        except DataError as error:
            raise DataError(f"train: {part}{error}") from None

    first = ready(x, y, weight=weight, fold=None if folds is None else folds.fold[:1])
    batch = {name: Spec((batch_size, *each.shape[1:]), each.dtype) for name, each in first.items()}
    done, everything = start or (0, first_state(params, state, config.optimiser, config.seed, config.update))
    weights = None
    if folds is not None and isinstance(data, Arrays):
        weights = folds.weights(counts(data.y, data.weight, config.class_weights))
    step_program = make_step(
        config.network, config.loss, config.optimiser, config.penalties, everything, batch, config.update, weights
    )
    size = weight_size(config.engine, everything)
    dev = data.guides and folds is None
    if dev:
        ready(data.dev_x if isinstance(data.dev_x, np.ndarray) else x, data.dev_y, "dev ")
    sample = _sample(data, config.seed, min(judged, len(data.dev_x)) if dev else judged)
    seen_x, seen_y, seen_weight, numbers_seen = sample
    seen_counts, dev_counts = (
        None if y is None else counts(y, own, config.class_weights)
        for y, own in ((seen_y, seen_weight), (data.dev_y, data.dev_weight))
    )
    judged_x = data.dev_x if dev else seen_x
    evaluate = Evaluator(config.network, config.loss, config.engine, everything, judged_x) if len(judged_x) else None

    steps = math.ceil(config.epochs * rows / batch_size)
    capacity = min(CAPACITY, math.ceil(rows / batch_size))  # no call reaches beyond the end of an epoch
    held = None
    if isinstance(data, Streamed):
        batch_bytes = batch_size * sum(each.nbytes for each in first.values())
        capacity = min(capacity, max(1, FETCH_BYTES // batch_bytes))
    else:
        held = ready(data.x, data.y, weight=data.weight, fold=None if folds is None else folds.fold)
    loop = config.engine.loop(step_program, held, capacity)
    # What is trained, and once more while it is saved; the first weights, there already, make room for the best.
    check_step(loop.step_bytes, batch_size, 2 * sum(leaf.nbytes for leaf in flatten(everything)[0]))
    carried = loop.put(everything)
    del params, state, everything  # the loop has copies
    numbers = hyper_values(config.optimiser, config.penalties, config.update, steps)
    seen = list(dev_losses)
    began_training, at_once = time.perf_counter(), 1  # how long a step takes is not known yet

    def fetch(start: int, count: int) -> Batches:
        """The batches of `count` steps: row numbers, or the rows themselves."""
        if isinstance(data, Arrays):
            return order(config.seed, start * batch_size, count * batch_size, rows).reshape(count, batch_size)
        found = data.stream.fetch(start * batch_size, count * batch_size)
        rows_ready = ready(found["x"], found["y"], weight=found.get("weight"))
        return {name: each.reshape(count, batch_size, *each.shape[1:]) for name, each in rows_ready.items()}

    def ahead(start: int) -> tuple[int, Future[Batches]]:
        """How many steps come next, and their batches, being fetched."""
        count = min(at_once, _epoch_end(start, rows, batch_size) - start)
        return count, fetcher.submit(fetch, start, count)

    with ThreadPoolExecutor(1, "fetch") as fetcher, _stopped_at_last(data, fetcher):
        coming = ahead(done) if done < steps else None
        while coming is not None:
            began = time.perf_counter()
            count, batches = coming[0], coming[1].result()
            epoch_end = _epoch_end(done, rows, batch_size)
            coming = ahead(done + count) if done + count < steps else None
            rates = learning_rates(config, done, count, rows, batch_size, steps) * config.schedule.factor_after(seen)
            varying = {
                "learning_rate": rates.astype(dtype),
                "step": np.arange(done + 1, done + count + 1, dtype=np.int32),
            }
            fixed = {name: np.full(count, value, dtype) for name, value in numbers.items()}
            carried, kept = loop(carried, batches, varying | fixed)
            took = time.perf_counter() - began
            at_once = min(capacity, max(1, int(count * min(2.0, CALL_SECONDS / max(took, 1e-9)))))
            at_once = int(agreed(at_once))
            done += count
            train_loss = dev_loss = dev_outputs = dev_target = dev_weight = None
            if done == epoch_end and evaluate is not None:
                if folds is not None:
                    outputs, dev_target, dev_weight = evaluate(predicting(carried), seen_x)[1], seen_y, seen_weight
                    train_loss = agreed(evaluate.mean_loss(folds.learned(outputs, numbers_seen), seen_y, seen_counts))
                    dev_outputs = folds.held_out(outputs, numbers_seen)
                    dev_loss = evaluate.mean_loss(dev_outputs, seen_y, seen_counts)
                elif len(seen_x):
                    train_loss = agreed(evaluate(predicting(carried), seen_x, seen_y, seen_counts)[0])
                if dev:
                    dev_target, dev_weight = data.dev_y, data.dev_weight
                    dev_loss, dev_outputs = evaluate(predicting(carried), data.dev_x, data.dev_y, dev_counts)
                if dev_loss is not None:
                    dev_loss = agreed(dev_loss)  # what stops early stops everywhere
                    seen.append(dev_loss)
            yield Record(
                step=done,
                steps=steps,
                epoch=done * batch_size / rows,
                epochs=config.epochs,
                losses=kept["loss"],
                learning_rate=float(rates[-1]),
                train_loss=train_loss,
                dev_loss=dev_loss,
                dev_outputs=dev_outputs,
                dev_target=dev_target,
                dev_weight=dev_weight,
                seconds=time.perf_counter() - began_training,
                is_epoch_end=done == epoch_end,
                state=carried,
                loop=loop,
                size=size,
            )


@contextmanager
def _stopped_at_last(data: Arrays | Streamed, fetcher: ThreadPoolExecutor) -> Iterator[None]:
    """Lets rows that nobody waits for any more not be fetched to their end: they may be pictures to decode."""
    try:
        yield
    finally:
        fetcher.shutdown(wait=False, cancel_futures=True)
        if isinstance(data, Streamed):
            data.stream.stop()


def _sample(data: Arrays | Streamed, seed: int, count: int) -> tuple[Any, Any, Any, np.ndarray]:
    """Training rows that are judged at the end of each epoch, so many at most, drawn by the seed: x, y and weight; and
    their numbers, of those in memory."""
    unknown = np.arange(0)
    if isinstance(data, Streamed) and data.seen_x is not None and data.seen_y is not None:
        count = min(count, len(data.seen_x))
        seen_x = data.seen_x if count == len(data.seen_x) else data.seen_x[:count]
        return seen_x, data.seen_y[:count], None, unknown
    row_bytes = max(1, data.first()[0].nbytes)
    count = min(count, data.rows, max(1, JUDGED_BYTES // row_bytes))
    if isinstance(data, Streamed):
        found = data.stream.fetch(0, count)
        return found["x"], found["y"], found.get("weight"), unknown
    chosen = np.sort(order(seed, 0, count, data.rows))
    return data.x[chosen], data.y[chosen], None if data.weight is None else data.weight[chosen], chosen


def weight_size(engine: Engine, like: dict[str, Any]) -> Callable[[Any], float]:
    """A function of what training carries: the sum of the sizes of all weights and running numbers, which is no finite
    number where one of them is none."""
    parts = [part for part in ("params", "state", "average") if part in like]

    def leaves(state: dict[str, Any]) -> list[Any]:
        return [state[part][path] for part in parts for path in sorted(state[part])]

    def total(arrays: tuple) -> Any:
        sizes = [ops.sum(ops.abs(each)) for each in arrays]
        return sum(sizes[1:], sizes[0])

    run = engine.compile(trace(total)(tuple(leaves(like))).graph)

    def size(state: Any) -> float:
        with np.errstate(all="ignore"):  # infinities and NaN are what is looked for
            return float(np.asarray(run(leaves(state))[0]))

    return size


def _epoch_end(done: int, rows: int, batch_size: int) -> int:
    """The step that ends the pass over the rows in which the step after `done` lies."""
    passes = done * batch_size // rows
    return -(-(passes + 1) * rows // batch_size)  # rounded up


def initial_values(config: Config, data: Arrays | Streamed) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The first parameters and state, drawn on the host by the seed."""
    dtype = _dtype(config)
    first = config.network.init(np.random.default_rng(config.seed), Spec((1, *data.first()[0].shape[1:]), dtype))
    params, state = map_leaves(lambda leaf: leaf.astype(dtype, copy=False), first)
    return params, state


def parameter_bytes(config: Config, params: dict[str, Spec]) -> int:
    """What a training holds of the parameters: those that are trained, with what the optimiser and an average keep of
    them, all this once more while it is saved, and the best so far. Other memory, such as that of a step, comes to it.
    """
    total = 0
    for path, spec in params.items():
        small = np.zeros((1,) * spec.ndim, _dtype(config))
        kept = config.optimiser.mover_of(path, small).init(small)
        slots = sum(np.ndim(each) == spec.ndim for each in kept.values()) + (config.update.average is not None)
        total += (2 * (1 + slots) + 1) * math.prod(spec.shape) * _dtype(config).itemsize
    return total


def learning_rates(config: Config, start: int, count: int, rows: int, batch_size: int, steps: int) -> np.ndarray:
    """The learning rate of each of `count` steps from `start` on: base rate, schedule and warm-up multiplied."""
    step = np.arange(start, start + count, dtype=np.float64)
    factor = config.schedule.factor(step * batch_size / rows, step / steps)
    if config.warmup:
        factor = factor * warm_up(step / steps, config.warmup, steps)
    return config.learning_rate * factor


def _dtype(config: Config) -> np.dtype:
    return np.dtype(np.float64 if config.engine.precision == "f64" else np.float32)


def _check(data: Arrays | Streamed) -> int:
    if isinstance(data, Arrays) and (len(data.x) != len(data.y) or not len(data.x)):
        raise DataError(
            f"train: received {len(data.x)} rows of x and {len(data.y)} of y; as many, at least 1, are needed."
        )
    if data.dev_x is not None and (data.dev_y is None or len(data.dev_x) != len(data.dev_y)):
        raise DataError("train: the dev part needs as many targets as rows. Pass dev_x and dev_y together.")
    for each, of, rows in (
        ("weight", getattr(data, "weight", None), data.rows),
        ("dev_weight", data.dev_weight, 0 if data.dev_x is None else len(data.dev_x)),
    ):
        if of is not None and (np.shape(of) != (rows,) or not ((of >= 0) & np.isfinite(of)).all()):
            raise DataError(
                f"train: {each} has shape {np.shape(of)}; a finite number of at least 0 for each of {rows:,} rows is "
                "needed. Leave out the rows that have none."
            )
    return data.rows


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


__all__ = ["Arrays", "Config", "Record", "Streamed", "initial_values", "learning_rates", "train"]
