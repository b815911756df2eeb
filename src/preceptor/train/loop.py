"""The training loop: yields records. Progress, early stopping, saving and diagnosis read the same stream; to stop, stop
reading."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from preceptor import ops
from preceptor.data import order
from preceptor.engines import Batches, Engine, Loop, agreed
from preceptor.graph import trace
from preceptor.train.counts import counts
from preceptor.train.evaluator import Evaluator, mean_loss
from preceptor.train.out_of_fold import OutOfFold
from preceptor.train.programs import Compiled, Programs, structure
from preceptor.train.step import predicting
from preceptor.train.stepper import Stepper
from preceptor.train.training import Arrays, Config, Streamed

CALL_SECONDS = 1.5  # aimed at for one call: Ctrl-C is heard, yet XLA seldom has to allocate its buffers anew
JUDGED = 10_000  # training rows that are judged at the end of each epoch, at most
ROWS_AT_ONCE = 1 << 16  # of the training part; the order of as many takes half a millisecond
JUDGED_BYTES = 64 << 20  # of them held in memory


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
        train_outputs, train_target, train_weight: raw outputs for that sample, with its target and its rows' own
            weights, if any; with folds those of as many members as judge a row, all of which learned from it.
        dev_loss: mean loss of the dev part, at the end of an epoch only; under averaged parameters where there are any.
        dev_outputs, dev_target, dev_weight: raw outputs for the dev part, (row, unit), its target and its rows' own
            weights, if any, with it. With folds the dev part is a sample of the training rows, each judged by the
            members that left it out.
        seconds: since training began or went on, evaluation included.
        is_epoch_end: whether the record closes a pass over the data.
        step_bytes: the memory that a step works in, of rows as large as they become; None where it is not known.
        state: where the engine keeps it; `snapshot` copies it. The next record makes it invalid.
    """

    step: int
    steps: int
    epoch: float
    epochs: int
    losses: np.ndarray
    learning_rate: float
    train_loss: float | None
    train_outputs: np.ndarray | None
    train_target: np.ndarray | None
    train_weight: np.ndarray | None
    dev_loss: float | None
    dev_outputs: np.ndarray | None
    dev_target: np.ndarray | None
    dev_weight: np.ndarray | None
    seconds: float
    is_epoch_end: bool
    state: Any
    stepper: Stepper
    size: Callable[[Any], float]
    step_bytes: int | None

    @property
    def loop(self) -> Loop:
        """What runs the steps."""
        return self.stepper.loop

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
    stops: Sequence[int] = (),
    programs: Programs | None = None,
) -> Iterator[Record]:
    """Trains a network, yielding a record at least at the end of every epoch.

    Args:
        start: (steps done, what a record's `snapshot` gave then) to go on from there; the bits are then those of a
            training that was never broken off.
        dev_losses: those of the epochs before `start`, which the schedule may look at.
        judged: training rows, at most, that are judged outside training at the end of each epoch: those of the first
            pass that come first, no more than the dev part has where there is one, so that it costs what dev does.
        stops: steps after which there is a record as well, however fast the machine is.
        programs: those of other trainings, which serve this one where they are of its structure; they change no bit.

    Batches are cut from an endless stream of rows, one random permutation of the training part after another; the
    position in it is one integer, step * batch_size. So every batch is full and every row is seen once in each pass.
    While the engine runs one call, the rows of the next are fetched in the background.

    Differs: PyTorch and Keras make the last batch of an epoch smaller, or drop it.
    Raises: DataError where the arrays do not fit together, an input is not finite, or a target is not what the loss
        takes; ShapeError where network and data do not fit; ConfigError where a step takes more memory than is free.
    """
    done, everything = start or (0, None)
    key = None if programs is None else structure(config, data, judged)
    with (programs or Programs()).lent(key, lambda: _compiled(config, data, everything, judged)) as (made, is_known):
        stepper = made.stepper
        if is_known:
            stepper = stepper.anew(config, data, everything or made.beginning(config, data))
        elif key is not None and everything is None:
            made.first = stepper.everything
        yield from _steps(made, stepper, done, dev_losses, stops)


def _compiled(config: Config, data: Arrays | Streamed, everything: Any, judged: int) -> Compiled:
    """What such a training runs. Raises: as `train`."""
    stepper = Stepper(config, data, everything)
    like, folds = stepper.everything, data.folds
    size = weight_size(config.engine, like)
    dev = data.guides and folds is None
    if dev:
        x = data.first()[0]
        stepper.ready(data.dev_x if isinstance(data.dev_x, np.ndarray) else x, data.dev_y, "dev ")
    seen_x, seen_y, seen_weight, numbers = _sample(data, config.seed, min(judged, len(data.dev_x)) if dev else judged)
    seen_counts, dev_counts = (
        None if y is None else counts(y, own, config.class_weights)
        for y, own in ((seen_y, seen_weight), (data.dev_y, data.dev_weight))
    )
    judged_x = data.dev_x if dev else seen_x
    outside = dev_judges = seen_judges = None
    if folds is not None and len(seen_x):
        outside = OutOfFold(config.network, config.engine, seen_x, numbers, folds)
    elif len(judged_x):
        evaluate = Evaluator(config.network, config.loss, config.engine, like, judged_x)
        seen_judges = evaluate.judges(seen_x, seen_y, seen_counts) if len(seen_x) else None
        dev_judges = evaluate.judges(data.dev_x, data.dev_y, dev_counts) if dev else None
    stepper.prepare()
    return Compiled(stepper, size, dev_judges, seen_judges, outside, seen_y, seen_weight, seen_counts)


def _steps(
    made: Compiled, stepper: Stepper, done: int, dev_losses: Sequence[float], stops: Sequence[int]
) -> Iterator[Record]:
    """The records of a training from a step on."""
    config, data = stepper.config, stepper.data
    rows, batch_size, steps, size = stepper.rows, stepper.batch_size, stepper.steps, made.size
    stages = _stages(stepper)
    stepper = next((each for end, each in stages if end > done), stepper)
    carried = _entered(stepper).put(stepper.everything)
    for _, each in stages:
        each.everything = None  # the loop has copies
    seen = list(dev_losses)
    began_training, at_once = time.perf_counter(), made.at_once

    # Few row numbers are drawn sooner than another thread is woken.
    in_background = isinstance(data, Streamed) or rows > ROWS_AT_ONCE

    def ahead(start: int) -> tuple[Stepper, int, Future[Batches]]:
        """Who makes the next steps, how many, and their batches, being fetched."""
        last, mover = next(each for each in stages if each[0] > start)
        end = min([last, mover.epoch_end(start), *(each for each in stops if each > start)])
        count = min(at_once, mover.capacity, end - start)
        return mover, count, (fetcher.submit if in_background else _at_once)(mover.fetch, start, count)

    with ThreadPoolExecutor(1, "fetch") as fetcher, _stopped_at_last(data, fetcher):
        coming = ahead(done) if done < steps else None
        while coming is not None:
            began = time.perf_counter()
            mover, count, coming_batches = coming
            batches = coming_batches.result()
            if mover is not stepper:
                carried = _entered(mover).put(stepper.loop.get(carried))
                stepper = mover
            epoch_end = stepper.epoch_end(done)
            coming = ahead(done + count) if done + count < steps else None
            rates = stepper.rates(done, count) * config.schedule.factor_after(seen)
            carried, losses = stepper(carried, done, batches, rates)
            took = time.perf_counter() - began
            wanted = int(min(2 * at_once, count * CALL_SECONDS / max(took, 1e-9)))
            at_once = made.at_once = int(agreed(min(stepper.capacity, max(1, wanted))))
            done += count
            train_loss = train_outputs = dev_loss = dev_outputs = dev_target = dev_weight = None
            if done == epoch_end:
                if made.outside is not None:
                    dev_outputs, train_outputs = made.outside(stepper.loop.get(predicting(carried)))
                    dev_target, dev_weight = made.seen_y, made.seen_weight
                    train_loss = agreed(mean_loss(config.loss, train_outputs, made.seen_y, made.seen_counts))
                    dev_loss = mean_loss(config.loss, dev_outputs, made.seen_y, made.seen_counts)
                if made.seen is not None:
                    train_loss, train_outputs = made.seen(predicting(carried))
                    train_loss = agreed(train_loss)
                if made.dev is not None:
                    dev_target, dev_weight = data.dev_y, data.dev_weight
                    dev_loss, dev_outputs = made.dev(predicting(carried))
                if dev_loss is not None:
                    dev_loss = agreed(dev_loss)  # what stops early stops everywhere
                    seen.append(dev_loss)
            yield Record(
                step=done,
                steps=steps,
                epoch=done * batch_size / rows,
                epochs=config.epochs,
                losses=losses,
                learning_rate=float(rates[-1]),
                train_loss=train_loss,
                train_outputs=train_outputs,
                train_target=None if train_outputs is None else made.seen_y,
                train_weight=None if train_outputs is None else made.seen_weight,
                dev_loss=dev_loss,
                dev_outputs=dev_outputs,
                dev_target=dev_target,
                dev_weight=dev_weight,
                seconds=time.perf_counter() - began_training,
                is_epoch_end=done == epoch_end,
                state=carried,
                stepper=stepper,
                size=size,
                step_bytes=made.stepper.loop.step_bytes,
            )


def _stages(stepper: Stepper) -> list[tuple[int, Stepper]]:
    """(step before which it ends, who makes the steps until then) of each stage of a training."""
    data = stepper.data
    if not isinstance(data, Streamed) or not data.first_streams:
        return [(stepper.steps, stepper)]
    *early, (last, _) = data.stages(stepper.steps)
    return [*((end, Stepper(stepper.config, each, stepper.everything)) for end, each in early), (last, stepper)]


def _entered(stepper: Stepper) -> Loop:
    """The loop of a stepper, prepared where it was not yet."""
    return stepper.loop if hasattr(stepper, "loop") else stepper.prepare()


def _at_once(function: Callable[..., Batches], *args: int) -> Future[Batches]:
    """What a call gives, waited for."""
    found: Future[Batches] = Future()
    found.set_result(function(*args))
    return found


@contextmanager
def _stopped_at_last(data: Arrays | Streamed, fetcher: ThreadPoolExecutor) -> Iterator[None]:
    """Lets rows that nobody waits for any more not be fetched to their end: they may be pictures to decode."""
    try:
        yield
    finally:
        fetcher.shutdown(wait=False, cancel_futures=True)
        if isinstance(data, Streamed):
            for each in data.streams:
                each.stop()


def _sample(data: Arrays | Streamed, seed: int, count: int) -> tuple[Any, Any, Any, np.ndarray]:
    """Training rows that are judged at the end of each epoch, so many at most, drawn by the seed: x, y and weight; and
    their numbers, of those in memory."""
    unknown = np.arange(0)
    if not count:
        x, y, _ = data.first()
        return x[:0], y[:0], None, unknown
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


__all__ = ["JUDGED", "Record", "train"]
