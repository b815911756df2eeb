# Over 500 lines: a table from where it lies to what training sees of it, in the order in which it happens.
"""From a table, wherever it lies, to what training sees: read, divided, looked at, encoded."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from preceptor.data import (
    USUAL_SHARE,
    LongTable,
    Preprocessor,
    RowFile,
    RowStream,
    Split,
    Table,
    append_rows,
    check_room,
    default_target,
    draw_folds,
    fit_preprocessor,
    missing_rows,
    open_table,
    order_of_contents,
    read,
    split,
    split_by_column,
    split_by_order,
    split_by_part,
    target_kind,
    usable_rows,
)
from preceptor.data.division.split import PART_WORDS
from preceptor.data.encoding.target import names_of, no_target
from preceptor.data.encoding.weights import no_weight, row_weights
from preceptor.data.tables.join import known_written
from preceptor.data.tables.names import find_column, names_in
from preceptor.diagnose import Finding, PartHashes, TableFacts, checks_made, inspect, inspect_table
from preceptor.diagnose.column import Column
from preceptor.errors import ConfigError, DataError
from preceptor.job.judging import MOST_JUDGES
from preceptor.job.origin import Origin, check_origin, origin_of
from preceptor.job.recipe import WIDE, complete, folds_for, is_wide
from preceptor.job.settings import Settings
from preceptor.job.stages import Encoded, Stage, Stages
from preceptor.job.suitability import check_data, check_model, check_several, given, refuse_share
from preceptor.job.target_names import check_names, first_of_classes, no_target_named, target_names
from preceptor.nn import Layer
from preceptor.train.folds import Folds
from preceptor.train.training import Arrays, Streamed
from preceptor.words import counted, listing

EDGE_ROWS = 100_000  # by which the edges of bins are chosen
LEAST_FOLDED = 16  # rows; fewer are divided once
SORTED = 64  # rows; fewer are taken in the order of their contents: else where a row stands would decide as much
SAMPLE = 1 << 18  # rows of a long table that are looked at: a mean is then known to 0.2 % of the standard deviation
MOST_LABELS = 10_000  # a class of a long table has a row in the sample, as long as there are no more classes
NOBODY = 3  # the part of a row without a target


@dataclass(frozen=True, eq=False)
class Survey:
    """A table that was read, divided and looked at.

    Args:
        table: as it was read.
        seen: its rows that have a target; of a long table a sample of them.
        numbers: their row numbers in the table.
        targets: the columns to predict, and whether each is "classes" or a "number".
        parts: train, dev and test, as row numbers of the table; `seen_parts`: those that were seen, of `seen`.
        found: what the gate saw, the gravest first.
        settings: as they were asked for.
        notes: how the table was taken, where it is not as usual: sentences.
        folds: how many the training rows are dealt to; 0 where they are not.
        weight: what each row of the table counts, (row,); rows of 0 belong to no part. None where each counts 1.
        origin: what the network begins from, where it is not random; it reads the columns as its own training did.
    """

    table: Table | LongTable
    seen: Table
    numbers: np.ndarray
    targets: dict[str, str]
    parts: Split
    seen_parts: Split
    found: list[Finding]
    settings: Settings
    notes: tuple[str, ...] = ()
    folds: int = 0
    weight: np.ndarray | None = None
    origin: Origin | None = None

    @property
    def how(self) -> str:
        """In words, how the rows were divided."""
        asked = self.settings
        whole = f" by whole groups of {asked.group}" if asked.group else ""
        by = "class" if len(self.targets) == 1 else f"{self.stratifying}"
        drawn = f"at random{whole}" if self.stratifying is None else f"stratified by {by}{whole}"
        guides = "folds" if self.folds else "dev"
        if asked.test is not None:
            return f"test as {Path(asked.test).name} says, {guides} {drawn}"
        if asked.split_column is not None:
            return f"as the column {asked.split_column} says" + ("" if self.names_dev else f", {guides} {drawn}")
        return drawn if asked.time is None else f"the latest by {asked.time}"

    @property
    def scaling(self) -> str:
        """How numbers are brought to scale."""
        return self.settings.preprocess or "standardise"

    @property
    def stratifying(self) -> str | None:
        """The target by whose classes rows are shared out: the first that has some."""
        return first_of_classes(self.targets)

    @property
    def names_dev(self) -> bool:
        """Whether the column of the parts names dev rows."""
        known = self.seen.column(str(self.settings.split_column)).tolist()
        return any(PART_WORDS.get(str(word).strip().lower()) == 1 for word in known)

    @property
    def checks(self) -> list[str]:
        """What was looked for, in words."""
        return checks_made(TableFacts)

    @property
    def identifiers(self) -> list[str]:
        """The columns that number the rows."""
        left_out = (
            Column(name, self.seen.column(name)) for name in self.settings.leave_out or () if name in self.seen.columns
        )
        return [
            *(column.name for column in left_out if column.values.ndim == 1 and column.is_identifier),
            *(name for each in self.found if each.rule == "identifier" for name in each.columns),
        ]

    @cached_property
    def preprocessor(self) -> Preprocessor:
        """What the training rows ask for. Raises: DataError as fit_preprocessor."""
        table, parts = (self.seen, self.seen_parts) if isinstance(self.table, LongTable) else (self.table, self.parts)
        learned = fit_preprocessor(
            table,
            tuple(self.targets),
            parts.train,
            kind=self.settings.asked_kind,
            aside=_aside(self.settings),
            number_levels=_takes_levels(self.settings),
            scaling=self.scaling,
            degree=self.settings.polynomial,
            order=self.settings.ordered,
        )
        if self.origin is not None and isinstance(self.origin.preprocessor, Preprocessor):
            known, own = self.origin.preprocessor, learned
            learned = replace(known, rows=own.rows, left_out=own.left_out, targets=own.targets)
        if table is self.table:
            return learned
        rows = sum(map(len, (self.parts.train, self.parts.dev, self.parts.test)))
        weightless = 0 if self.weight is None else int(np.count_nonzero(self.weight == 0))
        return replace(learned, rows=len(self.parts.train), left_out=self.table.rows - rows - weightless)

    @property
    def is_wide(self) -> bool:
        """Whether there are too many features for an ensemble; what cannot be learned from is told later."""
        try:
            return is_wide(self.preprocessor)
        except DataError:
            return False

    def under(self, settings: Settings) -> "Survey":
        """The same rows in the same parts, for a training with other settings that divide them alike."""
        return replace(self, settings=_with_found_names(settings, self.table))

    def complete(self, settings: Settings) -> Settings:
        """The settings with what they leave open chosen by the recipe for tables."""
        if self.origin is not None:
            settings = self.origin.completed(settings)
        return replace(complete(settings, self.preprocessor, len(self.parts.train)), folds=self.folds)

    def weights(self, rows: np.ndarray) -> np.ndarray | None:
        """What some rows of the table count, with a mean of 1 over the training rows. Shapes: (row,), float64."""
        if self.weight is None:
            return None
        weight = self.weight / self.weight[self.parts.train].max()  # which the sum of large ones needs
        found: np.ndarray = weight[rows] / weight[self.parts.train].mean()
        return found

    def make_network(self, settings: Settings, outputs: int) -> Layer:
        """The network that completed settings ask for."""
        if self.origin is not None and self.origin.network is not None:
            return self.origin.network_of(settings, outputs)
        learned = self.preprocessor
        return settings.make_network(
            outputs, numbers=learned.plain_numbers, levels=learned.level_numbers, edges=self._edges(settings.bins or 0)
        )

    def _edges(self, bins: int) -> list[tuple[float, ...]]:
        """The edges of so many bins with as many training rows each, for each plain number; of a number with few values
        fewer. All training rows that were seen count, or an even sample of EDGE_ROWS."""
        if not bins:
            return []
        train = self.seen_parts.train
        rows = train[:: -(-len(train) // EDGE_ROWS)]
        x = self.preprocessor.transform(self.seen.select(rows), self.numbers[rows])
        cuts = np.quantile(x[:, self.preprocessor.plain_numbers], np.linspace(0, 1, bins + 1), axis=0)
        return [tuple(np.unique(each.astype(np.float32)).tolist()) for each in cuts.T]

    def encode(self, settings: Settings) -> Stages[Encoded]:
        """Features and targets of the three parts. See `encode`."""
        return (yield from encode(self, self.preprocessor, settings))


def survey(source: Any, settings: Settings, header: bool = True) -> Stages[Survey]:
    """Reads a table, divides its rows and looks at them.

    Raises: DataError, ConfigError, with what was received, what is required and the likely cure.
    """
    check_data(settings, "a table")
    check_model(settings, settings.model or "mlp")
    yield Stage("reading")
    wanted = names_of(settings.target or default_target(source))
    origin = None if settings.from_ is None else origin_of(settings.from_)
    known = origin.preprocessor if origin is not None and isinstance(origin.preprocessor, Preprocessor) else None
    labels = {*wanted, *(name for each in wanted for name in names_in(each))}
    written = {} if known is None else {name: how for name, how in known.known_written().items() if name not in labels}
    table = open_table(source, header=header, labels=labels, known=written)
    if not wanted:
        raise no_target_named(table)
    settings = _with_found_names(settings, table)
    names = target_names(table, wanted)
    if origin is not None:
        check_origin(settings, origin, "a table")
        settings = origin.completed(settings)
        _check_columns(origin, known, names, settings)
    check_several(settings, table.name, names)
    check_names(table, names, settings)
    if isinstance(table, LongTable):
        if settings.test is not None:
            raise ConfigError(
                f"{table.name}: it is too large to have the rows of {settings.test} added. Put the test rows into it "
                "and name their part in a column: --split-column."
            )
        return replace((yield from _survey_long(table, names, settings)), origin=origin)
    part = None
    if settings.test is not None:
        other = read(settings.test, header=header, texts=names, known=known_written(table))
        table = table.without(*(name for name in settings.leave_out or () if name != settings.weight))
        part = np.repeat(np.array([0, 2], np.int8), [table.rows, other.rows])
        table = append_rows(table, other)
    usable, weight, notes = _weighted(table, usable_rows(table, names), settings)
    usable = usable[order_of_contents(table.select(usable), names)] if len(usable) < SORTED else usable
    kept = table if np.array_equal(usable, np.arange(table.rows)) else table.select(usable)
    targets = {name: target_kind(table, name, usable, settings.asked_kind) for name in names}
    by = first_of_classes(targets)
    drawn_by = None if by is None else kept.column(by)
    if drawn_by is not None and drawn_by.dtype == object:
        drawn_by = drawn_by.astype(str)
    obstacle = "of rows that are divided by time" if settings.time is not None else ""
    if len(usable) < LEAST_FOLDED:
        obstacle = f"of {len(usable)} rows; at least {LEAST_FOLDED} rows are required"
    count = folds_for(settings, obstacle)
    is_open = settings.folds is None and settings.members is None
    if is_open and sum(values.size for values in kept.columns.values()) > (WIDE + 1) * kept.rows:
        count = 0  # as many features at least, as a rule: what follows would be done twice
    for folds in dict.fromkeys((count, 0)):
        parts = _divide(
            kept, usable, drawn_by, settings.shares(folds), settings, None if part is None else part[usable]
        )
        if folds and len(parts.dev):
            folds_for(settings, f"where {settings.split_column} names dev rows")
            continue
        found = inspect_table(_looked_at(kept, settings), names, parts, [*targets.values()], numbers=usable)
        own = _numbered(parts, usable)
        seen = Survey(table, kept, usable, targets, own, parts, found, settings, notes, folds, weight, origin)
        if not folds or not is_open or not seen.is_wide:
            break
    return _checked(seen)


def _check_columns(origin: Origin, known: Preprocessor | None, targets: Iterable[str], settings: Settings) -> None:
    """Raises: ConfigError where what a network begins from looks at what is to be predicted, or at what it is not to
    look at, and where columns are to be read otherwise than it reads them."""
    if known is None:
        return
    if asked := given(settings, ("preprocess", "polynomial")):
        raise ConfigError(
            f"fit: received {asked[0]} {getattr(settings, asked[0])} beside from {origin.name}, which reads columns as "
            f"its own training did. Leave {asked[0]} out."
        )
    names = [column.name for column in known.columns]
    if left := [name for name in settings.leave_out or () if name in names]:
        raise ConfigError(
            f"fit: received leave_out {','.join(left)} beside from {origin.name}, which looks at "
            f"{'it' if len(left) == 1 else 'them'}. Train that without, or leave leave_out out."
        )
    looked_at = [name for name in names if name in set(targets)]
    if looked_at:
        raise ConfigError(
            f"fit: from {origin.name} looks at {listing(map(repr, looked_at))}, which is to be predicted. Train it "
            f"without: --leave-out {','.join(looked_at)}."
        )


def _with_found_names(settings: Settings, table: Table | LongTable) -> Settings:
    """The settings with the names of columns as the table has them."""
    asked = {name: getattr(settings, name) for name in ("split_column", "group", "time", "weight")}
    found: dict[str, Any] = {
        setting: find_column(table.name, name, table.columns) for setting, name in asked.items() if name is not None
    }
    if settings.leave_out:
        found["leave_out"] = tuple(find_column(table.name, name, table.columns) for name in settings.leave_out)
    return replace(settings, **found)


def _divide(
    table: Table | LongTable,
    usable: np.ndarray,
    labels: np.ndarray | None,
    shares: tuple[float, float],
    settings: Settings,
    part: np.ndarray | None = None,
) -> Split:
    """The split that the settings ask for, of the usable rows.

    Args:
        labels: class of each usable row.
        shares: of dev and test.
        part: of each usable row, where the test rows came as a file of their own.
    """
    dev, test = shares

    def column(name: str) -> np.ndarray:
        return table.column(name) if isinstance(table, Table) else table.column(name)[usable]

    groups = column(settings.group) if settings.group else None
    drawn: dict[str, Any] = {"dev": dev, "seed": settings.seed, "labels": labels, "groups": groups}
    if part is not None:
        return split_by_part(part, **drawn)
    if settings.split_column is not None:
        return split_by_column(column(settings.split_column), numbers=usable, **drawn)
    if settings.time is not None:
        return split_by_order(column(settings.time), dev=dev, test=test, numbers=usable)
    return split(len(usable), test=test, **drawn)


def _weighted(
    table: Table | LongTable, usable: np.ndarray, settings: Settings
) -> tuple[np.ndarray, np.ndarray | None, tuple[str, ...]]:
    """The rows that count for something, what each row of the table counts, and what is to be known of it.

    Raises: DataError where a weight is none, or all are 0.
    """
    name = settings.weight
    if name is None:
        return usable, None, ()
    weight = np.full(table.rows, np.nan)
    weight[usable] = row_weights(table.name, name, table.column(name)[usable], usable)
    counting = usable[weight[usable] > 0]
    if not len(counting):
        raise no_weight(table.name, name)
    none = len(usable) - len(counting)
    notes = (f"Left out: {counted(none, 'row')} of the weight 0.",) if none else ()
    return counting, weight, notes


def _aside(settings: Settings) -> dict[str, str]:
    """The columns that are nothing to learn from, each with the reason."""
    named: dict[str | None, str] = dict.fromkeys(settings.leave_out or (), "left out as asked")
    named |= {settings.split_column: "names the part of each row", settings.group: "names the group of each row"}
    named |= {settings.weight: "weighs the rows"}
    return {name: reason for name, reason in named.items() if name is not None}


def _looked_at(table: Table, settings: Settings) -> Table:
    """The table less what is nothing to learn from."""
    return table.without(*(name for name in _aside(settings) if name in table.columns))


def _takes_levels(settings: Settings) -> bool:
    """Whether the network has a vector for each level of a large category."""
    return settings.model in ("mlp", None)


def _numbered(parts: Split, numbers: np.ndarray) -> Split:
    return Split(numbers[parts.train], numbers[parts.dev], numbers[parts.test])


def _survey_long(table: LongTable, names: tuple[str, ...], settings: Settings) -> Stages[Survey]:
    """The same for a table that stays on the disk: all targets are looked at, and a sample of the rows."""
    folds_for(settings, "of a table that stays on the disk")
    told = {}
    for name in names:
        told[name] = yield from _target_codes(table, name)
    usable = np.flatnonzero(np.min([codes for codes, _ in told.values()], axis=0) >= 0)
    if not len(usable):
        raise no_target(table.name, names, table.rows)
    usable, weight, notes = _weighted(table, usable, settings)
    yield Stage("drawing a sample")
    some = table.sample(SAMPLE, names=names)[0]
    rows = usable_rows(some, names)
    targets = {name: target_kind(some, name, rows, settings.asked_kind) for name in names}
    of_classes = {
        name: told[name] for name, kind in targets.items() if kind == "classes" and told[name][1] <= MOST_LABELS
    }
    by = first_of_classes(targets)
    codes = of_classes[by][0][usable] if by in of_classes else None
    shares = _share(settings, "dev_share", len(usable)), _share(settings, "test_share", len(usable))
    parts = _numbered(_divide(table, usable, codes, shares, settings), usable)
    firsts = np.zeros(0, np.int64)  # a training row of each class
    for own, labels in of_classes.values():
        each = np.full(labels, -1, np.int64)
        each[own[parts.train[::-1]]] = parts.train[::-1]
        firsts = np.union1d(firsts, each[each >= 0]) if len(firsts) else each[each >= 0]
    seen, numbers = table.sample(SAMPLE, firsts)
    part = _part_of_rows(parts, table.rows)[numbers]
    seen, numbers, part = seen.select(np.flatnonzero(part != NOBODY)), numbers[part != NOBODY], part[part != NOBODY]
    seen_parts = Split(*(np.flatnonzero(part == each) for each in range(3)))
    yield Stage("checking")
    found = inspect_table(_looked_at(seen, settings), names, seen_parts, [*targets.values()], numbers=numbers)
    note = (
        f"The table is read from the disk piece by piece. Its columns, and what is said of them, are judged by "
        f"{seen.rows:,} of its {table.rows:,} rows, spread evenly."
    )
    notes = (note, *notes)
    return _checked(Survey(table, seen, numbers, targets, parts, seen_parts, found, settings, notes, weight=weight))


def _checked(seen: Survey) -> Survey:
    """The survey. Raises: ConfigError where the column of the parts names dev rows and a share of them is asked for."""
    if seen.settings.split_column is not None and seen.names_dev:
        refuse_share(seen.settings, seen.table.name, "dev_share")
    return seen


def _share(settings: Settings, name: str, rows: int) -> float:
    """The share of a part of a long table: the usual one is too much where it makes more than MOST_JUDGES rows."""
    asked = getattr(settings, name)
    return min(USUAL_SHARE, MOST_JUDGES / rows) if asked is None else float(asked)


def _target_codes(table: LongTable, target: str) -> Stages[tuple[np.ndarray, int]]:
    """A number for each row's target, the same for the same, -1 where it is missing; and how many there are.

    Beyond MOST_LABELS only whether it is missing is told. Shapes: (row,), int32.
    """
    codes = np.empty(table.rows, np.int32)
    known: dict[Any, int] = {}
    for start, piece in table.pieces([target]):
        yield Stage("reading the target", start, table.rows)
        values = piece.column(target)
        missing = missing_rows(values)
        here = codes[start : start + len(values)]
        if len(known) > MOST_LABELS:
            here[:] = np.where(missing, -1, 0)
        elif values.dtype == object:
            here[:] = [-1 if value is None else known.setdefault(value, len(known)) for value in values.tolist()]
        else:
            levels, inverse = np.unique(values, return_inverse=True)
            numbers = [-1 if level != level else known.setdefault(level, len(known)) for level in levels.tolist()]
            here[:] = np.where(missing, -1, np.array(numbers, np.int32)[inverse])
    return codes, len(known)


def _part_of_rows(parts: Split, rows: int) -> np.ndarray:
    """Which part each row belongs to: 0 train, 1 dev, 2 test, NOBODY. Shapes: (row,), int8."""
    part = np.full(rows, NOBODY, np.int8)
    for number, each in enumerate((parts.train, parts.dev, parts.test)):
        part[each] = number
    return part


def encode(seen: Survey, preprocessor: Preprocessor, settings: Settings) -> Stages[Encoded]:
    """The features and targets of the three parts: in memory, or of a long table in files that have no name.

    Disk: of a long table, 4 bytes for each feature of each row. Memory: its targets, and of its rows a few pieces.

    Raises: DataError where a value does not fit the preprocessor, or the disk has no room.
    """
    parts = (seen.parts.train, seen.parts.dev, seen.parts.test)
    weight, dev_weight, test_weight = (seen.weights(rows) if len(rows) else None for rows in parts)
    if isinstance(seen.table, Table):
        (x, y), (dev_x, dev_y), (test_x, test_y) = (_in_memory(preprocessor, seen.table, rows) for rows in parts)
        folds = Folds(_drawn_folds(seen, y), seen.folds, settings.networks) if seen.folds else None
        return Encoded(Arrays(x, y, dev_x, dev_y, folds, weight, dev_weight), test_x, test_y, [], y, test_weight)
    check_room(4 * preprocessor.features * sum(map(len, parts)), seen.table.name)
    files = [RowFile(preprocessor.features) for _ in parts]
    is_code = len(preprocessor.targets) == 1 and preprocessor.targets[0].classes is not None
    shape = (len(preprocessor.targets),) if len(preprocessor.targets) > 1 else ()
    targets = [np.empty((len(rows), *shape), np.int32 if is_code else np.float32) for rows in parts]
    hashes = [np.empty(len(rows), np.uint64) for rows in parts]
    part = _part_of_rows(seen.parts, seen.table.rows)
    for start, piece in seen.table.pieces():
        yield Stage("encoding", start, seen.table.rows)
        where = part[start : start + piece.rows]
        chosen = np.flatnonzero(where != NOBODY)
        kept = piece if len(chosen) == piece.rows else piece.select(chosen)
        x, y = _encoded(preprocessor, kept, start + chosen)
        mixed = _row_hashes(x, y)
        for number, file in enumerate(files):
            rows = np.flatnonzero(where[chosen] == number)
            targets[number][len(file) : len(file) + len(rows)] = y[rows]
            hashes[number][len(file) : len(file) + len(rows)] = mixed[rows]
            file.append(x[rows])
    found = inspect(PartHashes(hashes[0], np.concatenate(hashes[1:])))
    (dev_x, dev_y), (test_x, test_y) = (
        (file, target) if len(file) else (None, None) for file, target in zip(files[1:], targets[1:], strict=True)
    )
    stream = RowStream(files[0], targets[0], settings.seed, None if weight is None else weight.astype(np.float32))
    data = Streamed(stream, dev_x, dev_y, dev_weight=dev_weight)
    return Encoded(data, test_x, test_y, found, targets[0], test_weight)


def _drawn_folds(seen: Survey, y: np.ndarray) -> np.ndarray:
    """The fold of each training row. Rows that repeat others are dealt like all, for new rows repeat them as often.
    Shapes: -> (row,), int32."""
    assert isinstance(seen.table, Table)
    group, by = seen.settings.group, seen.stratifying
    labels = None if by is None else y if y.ndim == 1 else y[:, list(seen.targets).index(by)]
    groups = seen.table.column(group)[seen.parts.train] if group is not None else None
    return draw_folds(len(y), seen.folds, seed=seen.settings.seed, labels=labels, groups=groups)


def _in_memory(preprocessor: Preprocessor, table: Table, rows: np.ndarray) -> Any:
    """(features, target) of some rows; (None, None) of no rows."""
    if not len(rows):
        return None, None
    return _encoded(preprocessor, table.select(rows), rows)


def _encoded(preprocessor: Preprocessor, table: Table, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Features and targets; errors name the rows by their numbers in the table they were taken from."""
    return preprocessor.transform(table, numbers), preprocessor.encode_target(table, numbers)


def _row_hashes(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A number for each row of features and its target, the same for the same. Shapes: -> (row,), uint64."""
    told = y.astype(np.float32).reshape(len(y), -1)
    count = x.shape[1] + told.shape[1]
    bits = np.random.Generator(np.random.Philox(key=20_26)).integers(1, 2**64 - 1, count, np.uint64) | 1
    total = np.zeros(len(x), np.uint64)
    for column, bit in zip((*x.T, *told.T), bits, strict=True):
        total += np.ascontiguousarray(column).view(np.uint32) * bit
    return total
