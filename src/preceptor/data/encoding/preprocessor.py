"""From the columns of a table to the numbers a network takes, learned from the training rows alone."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from typing import Any, ClassVar, TypeAlias

import numpy as np

from preceptor.data.encoding.dates import Dates
from preceptor.data.encoding.levels import Categories, Codes, Pair
from preceptor.data.encoding.mixing import SCALINGS, TURNS, Mixing
from preceptor.data.encoding.numbers import GROUP_FEATURES, Numbers
from preceptor.data.encoding.place import Place, not_finite
from preceptor.data.encoding.spans import Span
from preceptor.data.encoding.target import Label, Target
from preceptor.data.encoding.texts import Directions, Text
from preceptor.data.encoding.truth import Truth
from preceptor.data.encoding.unseen import Unseen
from preceptor.data.saved import rebuilt, wrong
from preceptor.data.tables.given import BLOCK, apart, is_one_block, is_without_names, names_place
from preceptor.data.tables.long_table import LongTable, pieces_of
from preceptor.data.tables.read import open_table
from preceptor.data.tables.table import TEXT, TRUTH, Table
from preceptor.errors import DataError
from preceptor.words import closest, counted, listing

CHUNK_ELEMENTS = 1 << 19  # 2 MiB of float32, about the second-level cache of one core

Feature: TypeAlias = Numbers | Truth | Categories | Pair | Codes | Dates | Span | Text
KINDS: dict[str, Any] = {each.kind: each for each in (Numbers, Truth, Categories, Pair, Codes, Dates, Span, Text)}


@dataclass(frozen=True)
class Preprocessor:
    """What was learned from the training rows: how each column becomes features, and what the targets are.

    Args:
        columns: the columns used, in the order of the table.
        set_aside: name and reason of each column left out, or of which only is kept whether it is missing.
        rows: number of training rows it was learned from.
        left_out: rows of the table without a target, or without one of several.
        targets: what is to be predicted, in order; none without a target.
        scaling: what is done to numbers, of SCALINGS; `mixing`: what is done to all of a row together.
    """

    columns: tuple[Feature, ...]
    set_aside: tuple[tuple[str, str], ...]
    rows: int
    left_out: int
    targets: tuple[Target, ...]
    scaling: str = "standardise"
    mixing: Mixing | None = None
    example: ClassVar[str] = "row"  # what each of them is called

    @cached_property
    def feature_names(self) -> tuple[str, ...]:
        """The names of the features, in order."""
        names = [name for column in self.columns for name in column.names]
        if self.mixing is None:
            return tuple(names)
        numbers = tuple(names[place] for place in self.number_places)
        return (*(names[place] for place in self.other_places), *self.mixing.names(numbers, self.scaling))

    @property
    def features(self) -> int:
        """The number of features."""
        count = sum(column.features for column in self.columns)
        if self.mixing is None:
            return count
        numbers = sum(column.width or 1 for column in self.columns if isinstance(column, Numbers))
        return count - numbers + self.mixing.features(numbers)

    @cached_property
    def number_places(self) -> np.ndarray:
        """Where the numbers lie in what the columns make, blocks included. Shapes: (number,)."""
        found = [np.arange(start, start + (c.width or 1)) for start, c in self._placed() if isinstance(c, Numbers)]
        return np.concatenate(found) if found else np.zeros(0, np.int64)

    @cached_property
    def other_places(self) -> np.ndarray:
        """Where all the rest lies, which stands before the numbers where these are mixed. Shapes: (place,)."""
        return np.setdiff1d(np.arange(sum(column.features for column in self.columns)), self.number_places)

    @cached_property
    def plain_numbers(self) -> tuple[int, ...]:
        """Positions, among the features, of numbers with a meaning of their own: not of the pixels of a block.

        Products are none; what a turn gives are, unless a block is among what was turned.
        """
        plain = [start for start, column in self._placed() if isinstance(column, Numbers) and column.width is None]
        if self.mixing is None:
            return tuple(plain)
        first = len(self.other_places)
        if self.mixing.turn is not None:
            return tuple(range(first, self.features)) if len(plain) == len(self.number_places) else ()
        return tuple((first + np.searchsorted(self.number_places, plain)).tolist())

    @cached_property
    def level_numbers(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Positions, among the features, of the numbers of levels, and how many levels each has."""
        found = [(start, column.entries) for start, column in self._placed() if isinstance(column, Codes)]
        starts = np.array([start for start, _ in found], np.int64)
        places = starts if self.mixing is None else np.searchsorted(self.other_places, starts)
        return tuple(places.tolist()), tuple(entries for _, entries in found)

    def _placed(self) -> Iterator[tuple[int, Feature]]:
        """The columns, each with where its first feature lies in what the columns make."""
        start = 0
        for column in self.columns:
            yield start, column
            start += column.features

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of what a network takes of a row."""
        return (self.features,)

    def open(self, source: Any, header: bool = True, keep: Collection[str] = ()) -> Table | LongTable:
        """A table to predict, with the fields of the columns to keep as they stand. Raises: DataError as open_table."""
        table = open_table(source, header=header, texts=keep, known=self.known_written())
        blocks = {column.name: column.width for column in self.columns if isinstance(column, Numbers) and column.width}
        names = [target.name for target in self.targets]
        if not isinstance(table, Table) or not is_one_block(table) or not names or not all(map(names_place, names)):
            return table
        if table.columns[BLOCK].shape[1] - len(names) != blocks.get(BLOCK):
            return table  # it has the features alone
        return apart(table, source if is_without_names(source) else table.columns[BLOCK], list(map(int, names)))

    def known_written(self) -> dict[str, str]:
        """How the columns were written in training, where that is known: few rows may leave it open."""
        found = {}
        for column in self.columns:
            if isinstance(column, Numbers | Dates):
                found[column.name] = column.written
            elif not isinstance(column, Span):
                found[column.name] = TRUTH if isinstance(column, Truth) else TEXT
        found |= {target.name: target.known_form for target in self.targets}
        return {name: written for name, written in found.items() if written}

    def pieces(self, table: Table | LongTable, unseen: Unseen | None = None) -> Iterator[tuple[Table, np.ndarray]]:
        """The rows of a table, some at a time, and their features.

        Args:
            unseen: looks at each.
        Raises: DataError as transform.
        """
        start = 0
        for piece in pieces_of(table):
            x = self.transform(piece, np.arange(start, start + piece.rows))
            if unseen is not None:
                unseen.look(piece, x)
            yield piece, x
            start += piece.rows

    def unseen(self) -> Unseen:
        """A counter of what pieces of a table hold and training never saw."""
        return Unseen(self.columns, self._text_places())

    def _text_places(self) -> dict[str, slice]:
        """Where, among the features, the components of each column of text lie."""
        found = {
            column.name: (start, column.components) for start, column in self._placed() if isinstance(column, Text)
        }
        if self.mixing is not None:
            found = {name: (int(np.searchsorted(self.other_places, at)), count) for name, (at, count) in found.items()}
        return {name: slice(start, start + count) for name, (start, count) in found.items()}

    def transform(self, table: Table, numbers: np.ndarray | None = None) -> np.ndarray:
        """The features of every row. Columns that were not trained on are ignored.

        Shapes: numbers (row,) -> (row, feature), float32.

        Args:
            numbers: the rows' numbers in the file, from 0, for errors, where the table is a part of it.

        Raises: DataError where a column is missing or of another kind, or a value is infinite or too large.
        """
        needed = [column.name for column in self.columns if not isinstance(column, Span)]
        absent = [name for name in needed if name not in table.columns]
        if absent:
            raise DataError(
                f"{table.name}: {listing(map(repr, absent))} {'is' if len(absent) == 1 else 'are'} missing; the "
                f"columns {listing(needed)} are needed. Add what is missing."
                f"{closest(absent[0], table.columns)}"
            )
        dates = [column for column in self.columns if isinstance(column, Dates)]
        for each in dates:
            each.check_zone(table)
        where = Place(table.name, numbers)
        out = np.zeros((table.rows, sum(column.features for column in self.columns)), np.float32)
        for group, first, last in self._groups():
            values = [
                column.between(where, table, dates) if isinstance(column, Span) else table.columns[column.name]
                for column in group
            ]
            prepared = [column.prepare(where, value) for column, value in zip(group, values, strict=True)]
            step = max(256, CHUNK_ELEMENTS // (last - first))
            for start in range(0, table.rows, step):
                rows = slice(start, start + step)
                end = first
                with np.errstate(over="ignore", invalid="ignore"):
                    for column, ready in zip(group, prepared, strict=True):
                        begin, end = end, end + column.features
                        column.fill(out[rows, begin:end], ready[rows])
                finite = np.isfinite(out[rows, first:last])
                if not finite.all():
                    row, feature = np.argwhere(~finite)[0]
                    names = [name for column in self.columns for name in column.names]
                    raise not_finite(where, names[first + feature], start + int(row))
        return out if self.mixing is None else self._mixed(where, out)

    def _mixed(self, where: Place, out: np.ndarray) -> np.ndarray:
        """What the columns make, with its numbers mixed. Shapes: (row, feature) -> (row, feature)."""
        assert self.mixing is not None
        with np.errstate(over="ignore", invalid="ignore"):
            mixed = self.mixing(out[:, self.number_places])
        finite = np.isfinite(mixed)
        if not finite.all():
            row, feature = np.argwhere(~finite)[0]
            raise not_finite(where, self.feature_names[len(self.other_places) + feature], int(row))
        return np.concatenate([out[:, self.other_places], mixed], 1)

    def _groups(self) -> Iterator[tuple[list[Feature], int, int]]:
        """The columns in runs of about GROUP_FEATURES features, with the first and last feature of each run."""
        group: list[Feature] = []
        first = last = 0
        for column in self.columns:
            group.append(column)
            last += column.features
            if last - first >= GROUP_FEATURES:
                yield group, first, last
                group, first = [], last
        if group:
            yield group, first, last

    def encode_target(self, table: Table, numbers: np.ndarray | None = None) -> np.ndarray:
        """The target of every row, as Target.encode gives it; of several targets those of each beside each other.

        Shapes: numbers (row,) -> (row,), int32 for classes, float32 for a number; (row, target), float32.

        Args:
            numbers: as of `transform`.

        Raises: DataError where a target is missing, or is none of the classes.
        """
        if not self.targets:
            raise DataError(
                "encode_target: this preprocessor was made without a target; one is needed. Fit it with a target."
            )
        each = [target.encode(table, numbers) for target in self.targets]
        return each[0] if len(each) == 1 else np.stack(each, 1).astype(np.float32)

    def lines(self) -> list[str]:
        """What was read as what, what was set aside and why, and what the target is: sentences for the terminal."""
        plain = [c for c in self.columns if isinstance(c, Numbers) and c.width is None]
        blocks = [c for c in self.columns if isinstance(c, Numbers) and c.width is not None]
        truths = [c for c in self.columns if isinstance(c, Truth)]
        categories = [c for c in self.columns if isinstance(c, Categories)]
        pairs = [c for c in self.columns if isinstance(c, Pair)]
        codes = [c for c in self.columns if isinstance(c, Codes)]
        found = []
        calm = [c for c in plain if not c.bend]
        heavy = [c for c in plain if c.bend]
        dates = [c for c in self.columns if isinstance(c, Dates)]
        texts = [(c, c.learned) for c in self.columns if isinstance(c, Text) and c.learned is not None]
        if calm:
            how = SCALINGS[self.scaling]
            found.append(f"Numbers, {how} ({len(calm):,}): {listing(c.name for c in calm)}.")
        if heavy:
            names = listing(c.name for c in heavy)
            found.append(f"Numbers with a heavy tail, scaled by their quartiles and bent in ({len(heavy):,}): {names}.")
        for block in blocks:
            is_one = len(block.mean) == 1 and block.width != 1
            how = "one mean and deviation for all" if is_one else f"each {SCALINGS[self.scaling]}"
            found.append(f"Block of numbers {block.name}: {block.width:,} per row, {how}.")
        if truths:
            found.append(f"True or false ({len(truths):,}): {listing(c.name for c in truths)}.")
        if categories:
            each = listing(f"{c.name} ({c.levels_text})" for c in categories)
            found.append(f"Categories, one feature per level ({len(categories):,}): {each}.")
        if pairs:
            each = listing(f"{c.name} ({' or '.join(c.levels)})" for c in pairs)
            found.append(f"Categories of two levels, -1 or 1 ({len(pairs):,}): {each}.")
        if codes:
            each = listing(f"{c.name} ({len(c.levels):,} levels)" for c in codes)
            found.append(f"Categories of many levels, a learned vector for each level ({len(codes):,}): {each}.")
        if dates:
            each = listing(f"{c.name} ({', '.join(('day', *c.cycles))})" for c in dates)
            found.append(f"Dates, as numbers and places in their cycles ({len(dates):,}): {each}.")
        spans = [c for c in self.columns if isinstance(c, Span)]
        if spans:
            found.append(f"Differences between dates ({len(spans):,}): {listing(c.name for c in spans)}.")
        if texts:
            each = listing(
                f"{c.name} ({c.texts:,} texts, {len(learned.ngrams):,} n-grams, {c.features:,} numbers)"
                for c, learned in texts
            )
            found.append(f"Text, by the main directions of its n-grams and by how it looks ({len(texts):,}): {each}.")
        gaps = [c.numbers[flag] for c in (*plain, *blocks) for flag in c.flags]
        gaps += [c.name for c in dates if c.missing] + [c.name for c in spans if c.missing]
        if gaps:
            found.append(f"Missing numbers, filled with the middle and flagged ({len(gaps):,}): {listing(gaps)}.")
        if self.mixing is not None:
            found += self.mixing.lines(len(self.number_places), self.scaling)
        reasons: dict[str, list[str]] = {}
        for name, reason in self.set_aside:
            reasons.setdefault(reason, []).append(name)
        found.extend(f"Set aside: {listing(names)} ({reason})." for reason, names in reasons.items())
        for target in self.targets:
            found += [
                target.line(),
                *(note if len(self.targets) == 1 else f"{target.name}: {note}" for note in target.notes),
            ]
        if self.left_out:
            what = "a target" if len(self.targets) == 1 else "one of the targets"
            found.append(f"Left out: {counted(self.left_out, 'row')} without {what}.")
        return found

    def to_dict(self) -> dict[str, Any]:
        """Everything but `arrays` as JSON types. Inverse: from_dict."""
        about: dict[str, Any] = {"targets": [asdict(target) for target in self.targets]}
        if len(self.targets) < 2:
            about = asdict(_Flat.of(self.targets[0] if self.targets else None))
        last: dict[str, Any] = {name: about.pop(name) for name in ("target_written", "ordered") if name in about}
        return {
            "columns": [_saved_column(column) for column in self.columns],
            "set_aside": self.set_aside,
            "rows": self.rows,
            "left_out": self.left_out,
            **about,
            "scaling": self.scaling,
            **last,
            "degree": 1 if self.mixing is None else self.mixing.degree,
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """What is not in to_dict: the numbers of `mixing` and of columns of text, by name."""
        found = {} if self.mixing is None else self.mixing.arrays()
        for number, column in enumerate(self.columns, 1):
            if isinstance(column, Text) and column.learned is not None:
                found |= {f"text/{number}/{name}": values for name, values in column.learned.arrays().items()}
        return found

    @classmethod
    def from_dict(cls, saved: Any, arrays: Mapping[str, np.ndarray] | None = None) -> "Preprocessor":
        """The preprocessor that to_dict and arrays saved.

        Raises: DataError where it is not what they write: a key, a type, a number or a length is another.
        """
        where = "preprocessor"
        if not isinstance(saved, dict) or not isinstance(saved.get("columns"), list):
            raise wrong(where, "it has no list of columns, which is required")
        arrays = dict(arrays or {})
        columns = tuple(
            _column(each, _taken(arrays, f"text/{number}/"), f"{where}: column {number}")
            for number, each in enumerate(saved["columns"], 1)
        )
        if "mixing" in saved:
            raise wrong(where, "it has 'mixing', which is not known")
        flat = {each.name for each in fields(_Flat)} if "targets" not in saved else {"targets"}
        rest = {name: value for name, value in saved.items() if name not in (*flat, "columns", "degree")}
        targets = _saved_targets({name: value for name, value in saved.items() if name in flat}, where)
        made = replace(rebuilt(cls, rest | {"columns": (), "targets": ()}, where), columns=columns, targets=targets)
        degree = saved.get("degree", 1)
        if arrays or degree != 1 or made.scaling in TURNS:
            if type(degree) is not int:
                raise wrong(where, "degree is not a whole number, which is required")
            try:
                made = replace(made, mixing=Mixing.from_arrays(degree, arrays))
            except TypeError as error:
                raise wrong(where, str(error)) from None
        for fault in made.faults():
            raise wrong(where, fault)
        return made

    def faults(self) -> Iterator[str]:
        """Why the fields contradict each other, where they do."""
        names = [column.name for column in self.columns]
        dates = {column.name for column in self.columns if isinstance(column, Dates)}
        if any(not {c.first, c.second} <= dates for c in self.columns if isinstance(c, Span)):
            yield "a difference is not of two columns of dates, as is required"
        if self.scaling not in SCALINGS:
            yield f"scaling is none of {', '.join(SCALINGS)}, of which one is required"
        elif self.mixing is not None:
            numbers = sum(column.width or 1 for column in self.columns if isinstance(column, Numbers))
            yield from self.mixing.faults(numbers, self.scaling)
        if not names:
            yield "it has no column; at least one is required"
        told = [target.name for target in self.targets]
        if len(set(names)) < len(names) or set(told) & set(names):
            yield "a column stands twice, or is the target"
        if len(set(told)) < len(told):
            yield "a target stands twice"
        if self.rows < 0 or self.left_out < 0:
            yield "a number of rows is below 0; at least 0 is required"
        for target in self.targets:
            yield from target.faults()


@dataclass(frozen=True)
class _Flat:
    """The one target that there is, or none, as it is saved: among the other fields, under these names."""

    target: str | None
    kind: str | None
    reason: str
    classes: tuple[Label, ...] | None
    target_mean: float
    target_sd: float
    notes: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    target_written: str = ""
    ordered: bool = False

    @classmethod
    def of(cls, target: Target | None) -> "_Flat":
        if target is None:
            return cls(None, None, "", None, 0.0, 1.0)
        t = target
        return cls(t.name, t.kind, t.reason, t.classes, t.mean, t.sd, t.notes, t.labels, t.form, t.ordered)

    def targets(self, where: str) -> tuple[Target, ...]:
        """The inverse of `of`. Raises: DataError where there is something of a target and no target."""
        if self.target is None and self != self.of(None):
            raise wrong(where, "kind and target do not go together")
        if self.target is None:
            return ()
        about = self.reason, self.classes, self.target_mean, self.target_sd, self.notes, self.labels
        return (Target(self.target, self.kind or "", *about, self.target_written, self.ordered),)


def _saved_targets(saved: dict[str, Any], where: str) -> tuple[Target, ...]:
    """The targets that to_dict saved. Raises: DataError as from_dict."""
    if "targets" not in saved:
        return rebuilt(_Flat, saved, where).targets(where)
    if not isinstance(saved["targets"], list) or len(saved["targets"]) < 2:
        raise wrong(where, "targets is no list of two or more, which is required")
    return tuple(rebuilt(Target, each, f"{where}: target {n}") for n, each in enumerate(saved["targets"], 1))


def _saved_column(column: Feature) -> dict[str, Any]:
    """A column as JSON types."""
    if not isinstance(column, Text):
        return {"form": column.kind} | asdict(column)
    kept = {"form": column.kind} | asdict(replace(column, learned=None))
    del kept["learned"]
    return kept


def _taken(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """Takes out the arrays whose names begin so, and gives them by the rest of their names."""
    return {name.removeprefix(prefix): arrays.pop(name) for name in list(arrays) if name.startswith(prefix)}


def _column(saved: Any, arrays: dict[str, np.ndarray], where: str) -> Feature:
    """A column that to_dict and arrays saved. Raises: DataError as from_dict."""
    form = saved.get("form") if isinstance(saved, dict) else None
    if not isinstance(form, str) or form not in KINDS:
        raise wrong(where, f"its form is none of {', '.join(KINDS)}, of which one is required")
    if "learned" in saved:
        raise wrong(where, "it has 'learned', which is not known")
    made: Feature = rebuilt(KINDS[form], {name: value for name, value in saved.items() if name != "form"}, where)
    if isinstance(made, Text) and arrays:
        try:
            made = replace(made, learned=Directions(**arrays))
        except TypeError as error:
            raise wrong(where, str(error)) from None
    elif arrays:
        raise wrong(where, f"it has the arrays {', '.join(arrays)}, which are not known of {form}")
    for fault in made.faults():
        raise wrong(where, fault)
    return made
