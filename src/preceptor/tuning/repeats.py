"""Trials once more: on fresh divisions of the rows, with fresh first values; what rows that they never saw say of them.

Repeat 0 is the division of the search itself. In each of the others some rows are held out, the rest is divided as the
search divided all: no row of those that judge had a say in a weight, an epoch, a share or a temperature, and all
members of an ensemble judge them, as they will new rows. Of rows that guide none of this is true: out of fold few
members tell a row, which favours settings that suit few. Test rows belong to no part of a repeat.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from threading import Lock
from typing import Any

import msgspec
import numpy as np

from preceptor.data import LongTable, Split, Target, draw_folds, order, split
from preceptor.errors import DataError
from preceptor.job import Fitting
from preceptor.job.fitted import fitted_loss, row_losses
from preceptor.job.judging import MOST_JUDGES, PARTS, apart, figures
from preceptor.job.measure import metric_of
from preceptor.job.picture_survey import PictureSurvey
from preceptor.job.survey import Survey
from preceptor.nn import Loss, MemberLoss
from preceptor.nn.joint import heads
from preceptor.train.checkpoint import Checkpoint
from preceptor.train.choice import Metric
from preceptor.train.counts import counts
from preceptor.train.evaluator import Evaluator
from preceptor.train.folds import Folds
from preceptor.train.out_of_fold import OutOfFold
from preceptor.train.threshold import best_threshold, thresholds_apart
from preceptor.train.training import Arrays
from preceptor.tuning.record import Trial
from preceptor.tuning.trials import Result, Task, Trials, thaw

FOLDS = 5  # to which rows are dealt; each is held out once: conventional
BLOCKS = 64  # of rows, each left out once: the standard error is then known to 9 %
LEAST_JUDGES = 2  # rows of a table for each block, at least
DEALT = 1 << 20  # what the seeds are drawn with by which rows are dealt, apart from those of repeats


class Judgement(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What rows say of a trial in one division: plain data, which the ledger keeps.

    Args:
        number: of the trial; `repeat`, of the division.
        cost: of the rows: their mean loss, of what is predicted with shares and temperature chosen; with a metric that,
            what is smaller being better. None where it is no number, or `error` says why there is none.
        blocks: pseudo-values of the cost, one for each block of rows: G * cost - (G - 1) * the cost without the block,
            with G blocks that have rows here; None of one that has none. Of a mean over rows it is, but for sizes, the
            mean over the block. A row is in the same block in every division.
        ratio: how many rows judge for each of the others; 0 where the same rows judge in every division.
        rows: how many judge.
        predicted: where that was asked for, what is predicted for the rows that the division holds out, in the order of
            its test part: float32 of each target, probabilities in the order of the classes of the search's own
            division, numbers in standard deviations of it.
    Source: the jackknife, Quenouille 1956; pseudo-values, Tukey 1958.
    """

    number: int
    repeat: int
    cost: float | None = None
    blocks: list[float | None] = []
    ratio: float = 0.0
    rows: int = 0
    predicted: list[bytes] = []
    error: str = ""


@dataclass(frozen=True, eq=False)
class Again(Task):
    """A trial that is to be judged at its end, in one of the divisions. `tells` whether what is predicted is wanted."""

    repeat: int = 0
    tells: bool = False


@dataclass(frozen=True, eq=False)
class Told(Result):
    """What came of it. `frozen` is kept of repeat 0 alone."""

    repeat: int = 0
    judgement: Judgement | None = None


@dataclass(eq=False)
class Repeats(Trials):
    """Trials in every division: what workers take in the place of those of one."""

    known: dict[int, Trials] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)

    @classmethod
    def of(cls, trials: Trials) -> "Repeats":
        """The trials of a search, and their repeats."""
        return cls(**{each.name: getattr(trials, each.name) for each in fields(Trials)})

    def division(self, repeat: int) -> Trials:
        """The trials of one division."""
        with self.lock:
            if repeat not in self.known:
                plain = Trials(**{each.name: getattr(self, each.name) for each in fields(Trials)})
                self.known[repeat] = repeated(plain, repeat)
            return self.known[repeat]

    def advance(self, task: Task) -> Result | None:
        """See `Trials`. What is to be judged is also judged: a `Told`."""
        if not isinstance(task, Again):
            return super().advance(task)
        try:
            trials = self.division(task.repeat)
        except DataError as error:  # there are too few rows
            result: Result | None = Result(task.number, "failed", error=str(error))
        else:
            result = trials.advance(task)
        if result is None:
            return None
        told = Judgement(number=task.number, repeat=task.repeat, error=result.error or "It did not come to its end.")
        if result.state == "done" and result.frozen is not None:
            is_held_out = task.repeat > 0 and not fixed_by(self.seen)
            try:
                told = judged(trials, task, result.frozen, task.repeat, is_held_out)
                if task.tells and is_held_out:
                    told = msgspec.structs.replace(told, predicted=self._predicted(trials, task, result.frozen))
            except Exception as error:  # of one trial; the search goes on
                text = f"{type(error).__name__}: {error}"
                told = Judgement(number=task.number, repeat=task.repeat, error=text)
        known = {each.name: getattr(result, each.name) for each in fields(Result)}
        if task.repeat:
            known["frozen"] = None
        return Told(**known, repeat=task.repeat, judgement=told)

    def _predicted(self, trials: Trials, task: Task, frozen: Checkpoint) -> list[bytes]:
        """What a trial predicts for the rows that its division holds out; see `Judgement`."""
        fitting = trials.fitting(task.settings)
        thaw(fitting, frozen)
        held, found = fresh_rows(fitting), list[bytes]()
        targets, known = fitting.preprocessor.targets, self.trial_targets
        pairs = zip(targets, known, held.reads, heads(fitting.config.loss), strict=True)
        for own, usual, reads, (_, units) in pairs:
            p = np.asarray(reads.predict(held.outputs[..., units]))
            if own.classes is not None and usual.classes is not None:
                wide = np.zeros((len(p), len(usual.classes)), np.float32)
                wide[:, [usual.classes.index(each) for each in own.classes]] = p
                p = wide
            else:
                p = (own.decode(p) - usual.mean) / usual.sd
            found.append(p.astype(np.float32).tobytes())
        return found

    @property
    def trial_targets(self) -> tuple[Target, ...]:
        """What is predicted, as the search's own division knows it."""
        return self.fitting({}).preprocessor.targets


def failed(task: Task, error: str) -> Result:
    """Of a task that could not be made."""
    if not isinstance(task, Again):
        return Result(task.number, "failed", error=error)
    judgement = Judgement(number=task.number, repeat=task.repeat, error=error)
    return Told(task.number, "failed", error=error, repeat=task.repeat, judgement=judgement)


def tasks_of(
    trials: Iterable[Trial], repeats: Iterable[int], frozen: Mapping[int, Checkpoint], tells: bool = False
) -> list[Again]:
    """What is to be made so that trials can be compared.

    Args:
        repeats: the divisions, 0 that of the search.
        frozen: how trials stood in the search, as far as it was kept; those of others are made again.
        tells: whether predictions are wanted, of which a pack is chosen.
    """
    return [
        Again(
            each.number, each.settings, frozen=None if repeat else frozen.get(each.number), repeat=repeat, tells=tells
        )
        for repeat in repeats
        for each in trials
    ]


def repeated(trials: Trials, repeat: int) -> Trials:
    """The trials of another division of the same rows, with other first values.

    Divisions 1 to FOLDS each hold out one of as many folds, the next FOLDS those of other folds. Where time or the
    source says which rows judge, and of a table that stays on the disk, the seed alone is fresh.
    """
    if not repeat:
        return trials
    seed, seen = seed_of(trials.asked.seed, repeat), trials.seen
    if not fixed_by(seen):
        time, fold = divmod(repeat - 1, FOLDS)
        dealt = seed_of(trials.asked.seed, DEALT + time)
        seen = held_out(seen, fold_of_row(seen, FOLDS, dealt), fold, seed)
    return replace(trials, seen=seen, asked=replace(trials.asked, seed=seed))


def seed_of(seed: int, repeat: int) -> int:
    """The seed of a repeat, the same on every machine: 0 to 2^32 - 1."""
    return int(np.random.SeedSequence((seed, repeat)).generate_state(1)[0])


def fixed_by(seen: Survey | PictureSurvey) -> str:
    """What keeps rows from being dealt freely, a clause; "" where nothing does."""
    if isinstance(seen, PictureSurvey):
        names_dev = seen.table.parts is not None and (seen.table.parts == "dev").any()
        return "of pictures whose dev part the source names" if names_dev else ""
    asked = seen.settings
    if isinstance(seen.table, LongTable):
        return "of a table that stays on the disk"
    if asked.time is not None:
        return "of rows that are divided by time"
    return f"where {asked.split_column} names dev rows" if asked.split_column and seen.names_dev else ""


def fold_of_row(seen: Survey | PictureSurvey, folds: int, seed: int) -> np.ndarray:
    """A fold for each row that was seen, by class and whole groups together; -1 of test rows.

    Raises: DataError where there are fewer rows, or groups, than folds.
    """
    parts = seen.parts if isinstance(seen, PictureSurvey) else seen.seen_parts
    rows = np.sort(np.concatenate((parts.train, parts.dev)))
    labels, groups = (None if each is None else each[rows] for each in labels_and_groups(seen))
    found = np.full(seen.table.rows if isinstance(seen, PictureSurvey) else seen.seen.rows, -1, np.int32)
    found[rows] = draw_folds(len(rows), folds, seed=seed, labels=labels, groups=groups)
    return found


def held_out(seen: Survey | PictureSurvey, fold: np.ndarray, out: int, seed: int) -> Survey | PictureSurvey:
    """The rows with a fold in the place of the test rows, the other folds divided as the search divided all: into as
    many folds of their own, or a dev part of the same share that is drawn anew. Rows that are held out alone of their
    class belong to no part, for nothing teaches it. Shapes: fold (row,), of `fold_of_row`.
    """
    parts = seen.parts if isinstance(seen, PictureSurvey) else seen.seen_parts
    rest, judges = np.flatnonzero((fold >= 0) & (fold != out)), np.flatnonzero(fold == out)
    train, dev = rest, rest[:0]
    if len(parts.dev):
        labels, groups = (None if each is None else each[rest] for each in labels_and_groups(seen))
        share = len(parts.dev) / (len(parts.train) + len(parts.dev))
        drawn = split(len(rest), dev=share, test=0, seed=seed, labels=labels, groups=groups)
        train, dev = rest[drawn.train], rest[drawn.dev]
    if isinstance(seen, PictureSurvey):
        return replace(seen, parts=Split(train, dev, judges))
    judges = judges[_are_taught(seen, train, judges)]
    numbered = Split(*(seen.numbers[rows] for rows in (train, dev, judges)))
    return replace(seen, parts=numbered, seen_parts=Split(train, dev, judges))


def _are_taught(seen: Survey, train: np.ndarray, judges: np.ndarray) -> np.ndarray:
    """Whether the classes of rows occur among those that teach. Shapes: train, judges (row,) -> of judges, (row,)."""
    found = np.ones(len(judges), bool)
    for name, kind in seen.targets.items():
        if kind == "classes":
            labels = seen.seen.column(name).astype(str)
            found &= np.isin(labels[judges], labels[train])
    return found


def labels_and_groups(seen: Survey | PictureSurvey) -> tuple[np.ndarray | None, np.ndarray | None]:
    """The class of each row that was seen, and the group that it belongs to; None where there are none. Pictures that
    are equal in every pixel are a group, unless the source divides them."""
    if isinstance(seen, PictureSurvey):
        hashes = seen.table.content_hashes()
        has_twins = seen.table.parts is None and len(np.unique(hashes)) < len(hashes)
        return seen.table.labels, hashes if has_twins else None
    labels = None if seen.stratifying is None else seen.seen.column(seen.stratifying)
    if labels is not None and labels.dtype == object:
        labels = labels.astype(str)
    return labels, seen.seen.column(seen.settings.group) if seen.settings.group else None


@dataclass(frozen=True, eq=False)
class Held:
    """Rows that judge a training and did not teach what is asked for them.

    Shapes: rows (row,), their numbers in the data; outputs (row, unit), or (row, member, unit); y (row,), or (row,
        target); weight, counts (row,), what a row counts in figures and in the loss, None for 1 each.
    Args:
        reads: what reads the outputs, for each target.
        threshold: of two classes, from which probability of the second on it is decided for; one, or (row,).
    """

    rows: np.ndarray
    outputs: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None
    counts: np.ndarray | None
    reads: tuple[Loss, ...]
    threshold: Any = None


def held_rows(fitting: Fitting, is_tempered: bool = True) -> Held:
    """The rows that guided a training, or MOST_JUDGES of them, as its best weights tell them: out of fold by the
    members that left them out.

    Args:
        is_tempered: whether shares and temperature are chosen by these rows, as for what is to predict.
    """
    data, config, parts = fitting.data, fitting.config, fitting.seen.parts
    best = _best(fitting)
    assert data.guides
    folds = data.folds
    if isinstance(data, Arrays) and folds is not None:
        rows = np.arange(data.rows)
        if data.rows > MOST_JUDGES:
            rows = np.sort(order(config.seed, 0, MOST_JUDGES, data.rows))
        outputs, _ = OutOfFold(config.network, config.engine, data.x[rows], rows, folds, learned=False)(best)
        y, weight = data.y[rows], None if data.weight is None else data.weight[rows]
        numbers, part = parts.train[rows], folds.fold[rows]
    else:
        assert data.dev_y is not None
        outputs = Evaluator(config.network, None, config.engine, best, data.dev_x)(best, data.dev_x)[1]
        y, weight, numbers = data.dev_y, data.dev_weight, parts.dev
        part = draw_folds(len(y), min(PARTS, len(y)), seed=config.seed)
    reads = _read_by(fitting, outputs, y, weight)[1] if is_tempered else _untempered(config.loss, folds)
    held = Held(numbers, outputs, y, weight, counts(y, weight, config.class_weights), reads)
    if is_tempered and (figure := _decided_by(fitting)):
        p = np.asarray(reads[0].predict(outputs))
        held = replace(held, threshold=thresholds_apart(figure, p, y, weight, part))
    return held


def fresh_rows(fitting: Fitting) -> Held:
    """The test rows, as the best weights tell them: shares, temperature and threshold are chosen by rows that guide."""
    guides, config, best = held_rows(fitting, is_tempered=False), fitting.config, _best(fitting)
    x, y, weight = fitting.encoded.test_x, fitting.encoded.test_y, fitting.encoded.test_weight
    outputs = Evaluator(config.network, None, config.engine, best, x)(best, x)[1]
    whole, reads = _read_by(fitting, guides.outputs, guides.y, guides.weight)
    threshold = None
    if figure := _decided_by(fitting):
        p = np.asarray(reads[0].predict(guides.outputs))
        threshold = best_threshold(figure, p, guides.y, guides.weight)[0]
    return Held(fitting.seen.parts.test, outputs, y, weight, counts(y, weight, config.class_weights), whole, threshold)


def _best(fitting: Fitting) -> dict[str, Any]:
    assert fitting.progress.best is not None
    return fitting.progress.best


def _decided_by(fitting: Fitting) -> str:
    """The figure by which a threshold is chosen; "" where none is."""
    metric, target = metric_of(fitting.settings), fitting.preprocessor.targets[0]
    return metric.figure if metric is not None and metric.decides and len(target.classes or ()) == 2 else ""


def _read_by(
    fitting: Fitting, outputs: np.ndarray, y: np.ndarray, weight: np.ndarray | None
) -> tuple[tuple[Loss, ...], tuple[Loss, ...]]:
    """For each target what reads the outputs of all members, and those for the rows that guide: these choose it."""
    targets, config = fitting.preprocessor.targets, fitting.config
    pairs = [
        fitted_loss(config, loss, fitting.data.folds, outputs[..., units], own, weight)
        for own, (loss, units) in zip(apart(targets, y), heads(config.loss), strict=True)
    ]
    return tuple(whole for whole, _ in pairs), tuple(reads for _, reads in pairs)


def _untempered(loss: Loss, folds: Folds | None) -> tuple[Loss, ...]:
    """As the outputs were read in training; out of fold by fewer members."""
    plain = [each for each, _ in heads(loss)]
    return tuple(
        MemberLoss(each.loss) if folds is not None and isinstance(each, MemberLoss) else each for each in plain
    )


def judged(trials: Trials, task: Task, frozen: Checkpoint, repeat: int = 0, is_held_out: bool = False) -> Judgement:
    """What rows say of a trial at its best epoch: those that guided it, or those that its division holds out."""
    fitting = trials.fitting(task.settings)
    thaw(fitting, frozen)
    held = fresh_rows(fitting) if is_held_out else held_rows(fitting)
    cost, blocks = cost_and_blocks(fitting, held, block_of_row(trials.seen, held.rows))
    if not np.isfinite(cost):
        return Judgement(number=task.number, repeat=repeat, error="Its cost is no number.")
    return Judgement(
        number=task.number,
        repeat=repeat,
        cost=cost,
        blocks=[None if np.isnan(each) else each for each in blocks.tolist()],
        ratio=1 / (FOLDS - 1) if is_held_out else 0.0,
        rows=len(held.rows),
    )


def block_of_row(seen: Survey | PictureSurvey, rows: np.ndarray) -> np.ndarray:
    """The block of each row that judges: drawn, whole groups together, or stretches of time; in every division the
    same. Shapes: rows (row,), their numbers in the data -> (row,), from 0 to less than BLOCKS."""
    whole = seen.table.rows if isinstance(seen, PictureSurvey) else len(seen.numbers)
    count = int(np.clip(whole // LEAST_JUDGES, 2, BLOCKS))
    if isinstance(seen, Survey) and not isinstance(seen.table, LongTable):
        asked, place = seen.settings, np.empty(seen.table.rows, np.int64)
        place[seen.numbers] = np.arange(len(seen.numbers))
        if asked.time is not None:  # of rows that are divided by it
            ranks = np.argsort(np.argsort(seen.seen.column(asked.time)[place[rows]], kind="stable"), kind="stable")
            return ranks * count // max(len(rows), 1)
        if asked.group is not None:
            codes = np.unique(seen.seen.column(asked.group).astype(str), return_inverse=True)[1]
            return _dealt(int(codes.max()) + 1, count)[codes[place[rows]]]
    return _dealt(seen.table.rows, count)[rows]


def _dealt(units: int, count: int) -> np.ndarray:
    """A block for each unit, all of nearly one size, the same for the same numbers of both."""
    block = np.empty(units, np.int64)
    block[np.random.Generator(np.random.Philox(key=units)).permutation(units)] = np.arange(units) % count
    return block


def row_costs(fitting: Fitting, held: Held) -> np.ndarray:
    """The loss of each row, of what is predicted for it; of several targets their mean. Shapes: -> (row,), float64."""
    targets, pairs = fitting.preprocessor.targets, heads(fitting.config.loss)
    found = np.zeros(len(held.rows))
    for y, reads, (_, units) in zip(apart(targets, held.y), held.reads, pairs, strict=True):
        found += row_losses(reads, held.outputs[..., units], y)
    return found / len(pairs)


def cost_and_blocks(fitting: Fitting, held: Held, block: np.ndarray) -> tuple[float, np.ndarray]:
    """The cost of rows that judge, and a pseudo-value for each block, NaN where none is known; see `Judgement`.

    Shapes: block (row,) -> (block,).
    """
    metric = metric_of(fitting.settings)
    there = np.flatnonzero(np.bincount(block))
    values = np.full(block.max() + 1, np.nan)
    if metric is None:
        counted = np.ones(len(block)) if held.counts is None else held.counts
        sums, wholes = np.bincount(block, row_costs(fitting, held) * counted), np.bincount(block, counted)
        cost, rest = sums.sum() / wholes.sum(), wholes.sum() - wholes[there]
        without = np.divide(sums.sum() - sums[there], rest, out=np.full(len(there), np.nan), where=rest > 0)
    else:
        cost = _cost_of(fitting, held, metric, np.ones(len(block), bool))
        without = np.array([_cost_of(fitting, held, metric, block != each) for each in there])
    values[there] = len(there) * cost - (len(there) - 1) * without
    values[~np.isfinite(values)] = np.nan
    return float(cost), values


def _cost_of(fitting: Fitting, held: Held, metric: Metric, some: np.ndarray) -> float:
    """The cost of some rows by a metric, which is of one target. Shapes: some (row,), whether each counts."""
    if not some.any():
        return np.nan
    target = fitting.preprocessor.targets[0]
    weight = None if held.weight is None else held.weight[some]
    threshold = held.threshold[some] if isinstance(held.threshold, np.ndarray) else held.threshold
    found = figures(target, held.reads[0], held.outputs[some], held.y[some], weight, metric, threshold)
    return metric.cost(float(found.get(metric.figure, np.nan)))


__all__ = [
    "Again",
    "Held",
    "Judgement",
    "Repeats",
    "Told",
    "block_of_row",
    "cost_and_blocks",
    "fixed_by",
    "fold_of_row",
    "fresh_rows",
    "held_out",
    "held_rows",
    "judged",
    "labels_and_groups",
    "repeated",
    "row_costs",
    "seed_of",
    "tasks_of",
]
