"""What is to be told: classes or a number, how its labels are written, and what is to be known of it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from preceptor.data.encoding.levels import codes_of
from preceptor.data.encoding.numbers import HEAVY_TAIL, as_numbers, moments
from preceptor.data.encoding.place import Place, not_finite, wrong_width
from preceptor.data.saved import is_rising
from preceptor.data.tables.columns import as_text, missing_rows
from preceptor.data.tables.fields import WRITTEN_NUMBERS
from preceptor.data.tables.table import TEXT, TRUTH, Table
from preceptor.errors import DataError
from preceptor.words import amount, closest, counted, listing

CAPPED = 0.01  # share of the rows, ten times that of a usual value, at the end of a target that is called capped
RARE_CLASS = 0.1  # share of the rows below which a class is called rare: conventional
MOST_TARGET_VALUES = 20  # whole numbers of more values than that are taken for amounts, not classes: conventional

Label: TypeAlias = str | bool | int | float


@dataclass(frozen=True)
class Target:
    """One column to predict, as it was learned from the training rows.

    Args:
        name: of the column.
        kind: "classes" or "number".
        reason: why it is of that kind, in words.
        classes: the labels, as in the data, in sorted order; None of a number.
        mean, sd: of the training rows; 0 and 1 of classes.
        notes: what is to be known of it: sentences.
        labels: the classes as they were written where the table came from; empty where that is their usual form.
        form: of a number, how it was written, as Numbers.written.
        ordered: whether the classes stand from the lowest to the highest instead.
    """

    name: str
    kind: str
    reason: str = ""
    classes: tuple[Label, ...] | None = None
    mean: float = 0.0
    sd: float = 1.0
    notes: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    form: str = ""
    ordered: bool = False

    @property
    def written(self) -> tuple[str, ...]:
        """The classes as text, as they were written."""
        return self.labels or tuple(map(str, self.classes or ()))

    @property
    def known_form(self) -> str:
        """How the column was written, where that is known: few rows may leave it open."""
        return TEXT if isinstance((self.classes or (0,))[0], str) else self.form

    def encode(self, table: Table, numbers: np.ndarray | None = None) -> np.ndarray:
        """The target of every row: the number of its class, or the number less the mean in standard deviations.

        Shapes: numbers (row,) -> (row,), int32 for classes, float32 for a number.

        Args:
            numbers: the rows' numbers in the file, from 0, for errors, where the table is a part of it.

        Raises: DataError where a target is missing, or is none of the classes.
        """
        where, column = Place(table.name, numbers), table.column(self.name)
        missing = missing_rows(column)
        if missing.any():
            raise missing_target(where, self.name, int(np.argmax(missing)))
        if self.classes is None:
            values = as_numbers(where, self.name, column, None, self.form)[:, 0]
            with np.errstate(over="ignore"):
                scaled = ((values - self.mean) / self.sd).astype(np.float32)
            if not np.isfinite(scaled).all():
                raise not_finite(where, self.name, int(np.argmin(np.isfinite(scaled))))
            return scaled
        codes = codes_of(column, class_codes(column, self.classes, self.written))
        if (codes < 0).any():
            row, more = int(np.argmax(codes < 0)), int(np.count_nonzero(codes < 0)) - 1
            value = column.tolist()[row]
            also = f", and unknown in {counted(more, 'more row')}" if more else ""
            meant = closest(value, self.written) if isinstance(value, str) else ""
            raise DataError(
                f"{where}: the target {self.name!r} is {value!r} in {where.row(row)}{also}; it must be one of "
                f"{listing(self.written)}.{meant} Mend the value, or train on rows that have it."
            )
        return codes

    def decode(self, values: np.ndarray) -> np.ndarray:
        """A network's outputs for a number in the number's own unit. Shapes: any, kept; float64."""
        return np.asarray(values, np.float64) * self.sd + self.mean

    def line(self) -> str:
        """What it is: a sentence for the terminal."""
        if self.classes is not None:
            known = f"{listing(self.written)}{', from the lowest to the highest' if self.ordered else ''}"
            return f"Target {self.name}: {len(self.classes)} classes ({self.reason}): {known}."
        spread = f"mean {amount(self.mean)}, standard deviation {amount(self.sd)}"
        return f"Target {self.name}: a number ({self.reason}); {spread}."

    def faults(self) -> Iterator[str]:
        """Why the fields contradict each other, where they do."""
        if self.kind not in ("classes", "number"):
            yield "kind and target do not go together"
        if (self.classes is None) == (self.kind == "classes"):
            yield "kind and classes do not go together"
        if self.classes is not None:
            texts = {isinstance(label, str) for label in self.classes}
            in_order = sorted(self.classes) if self.ordered and len(texts) == 1 else self.classes
            if len(self.classes) < 2 or len(texts) > 1 or not is_rising(in_order):
                yield "classes are not at least two of one kind, in order and each once"
        if self.ordered and self.classes is None:
            yield "it is ordered, which only classes are"
        if self.labels and len(set(self.labels)) != len(self.classes or ()):
            yield f"it has {len(set(self.labels)):,} labels; one for each class is required"
        if self.form and (self.form not in WRITTEN_NUMBERS or self.kind != "number"):
            yield f"target_written is none of {', '.join(WRITTEN_NUMBERS)}, of which one is required of a number"
        if self.kind != "number" and (self.mean, self.sd) != (0, 1):
            yield "target_mean and target_sd are not 0 and 1, as they are required without a number"
        if self.sd <= 0:
            yield "target_sd is not above 0, which is required"


def names_of(target: str | Sequence[str] | None) -> tuple[str, ...]:
    """The names of targets, given as one name, several or none."""
    return () if target is None else (target,) if isinstance(target, str) else tuple(target)


def usable_rows(table: Table, target: str | Sequence[str]) -> np.ndarray:
    """The numbers of the rows whose target is there; of several, those that have all.

    Shapes: -> (row,), int64.

    Raises: DataError where there is no such column or the target is missing everywhere.
    """
    names = names_of(target)
    there = np.ones(table.rows, bool)
    for name in names:
        known = ~missing_rows(table.column(name))
        if not known.any():
            raise no_target(table.name, [name], table.rows)
        there &= known
    found = np.flatnonzero(there)
    if not len(found):
        raise no_target(table.name, names, table.rows)
    return found


def no_target(where: str, targets: Sequence[str], rows: int) -> DataError:
    """The error that none of a table's rows has the target, or all of several."""
    if len(targets) > 1:
        return DataError(
            f"{where}: none of {rows:,} rows has all of the targets {listing(map(repr, targets))}; rows that have them "
            "are needed. Check that they are the right columns, or train on one alone."
        )
    return DataError(
        f"{where}: the target {targets[0]!r} is missing in all of {rows:,} rows; rows that have it are needed. Check "
        "that it is the right column."
    )


def target_kind(table: Table, target: str, rows: np.ndarray, kind: str | None = None) -> str:
    """Whether the target of these rows is "classes" or a "number", by the rule of `fit_preprocessor`.

    Raises: DataError as fit_preprocessor does for its target.
    """
    return _learned(table, target, rows, kind)[0]


def learn_target(
    table: Table, name: str, train: np.ndarray, kind: str | None = None, order: tuple[str, ...] | None = None
) -> Target:
    """What a column to predict is, by its training rows.

    Args:
        kind: "classes" or "number" where the rule of `fit_preprocessor` is wrong.
        order: as of `in_order`, where its classes have an order.
    Raises: DataError as fit_preprocessor does for its target.
    """
    kind, reason, classes, mean, sd = _learned(table, name, train, kind)
    notes = target_notes(table.column(name)[train], name, classes, mean, sd)
    if classes is None:
        return Target(name, kind, reason, None, mean, sd, notes, form=table.written.get(name, ""))
    found = Target(name, kind, reason, classes, notes=notes, labels=written_labels(table, name, train, classes))
    if order is None:
        return found
    classes, labels = in_order(table.name, classes, found.labels, order)
    return replace(found, classes=classes, labels=labels, ordered=True)


def _learned(
    table: Table, name: str, train: np.ndarray, kind: str | None
) -> tuple[str, str, tuple[Label, ...] | None, float, float]:
    """Kind, reason, classes, mean and standard deviation of the target."""
    if kind not in (None, "classes", "number"):
        raise DataError(
            f"fit_preprocessor: kind is {kind!r}; it must be 'classes' or 'number'. Leave it out to have it found."
        )
    where, column = Place(table.name), table.column(name)
    if column.ndim != 1:
        raise wrong_width(where, name, column, None)
    usable_rows(table, name)
    if column.dtype.kind == "M":
        raise DataError(
            f"{table.name}: the target {name!r} holds dates; classes or numbers are needed. Turn it into a "
            "number, such as the days since a fixed one."
        )
    values = column[train]
    missing = missing_rows(values)
    if missing.any():
        raise missing_target(where, name, int(train[np.argmax(missing)]))
    if values.dtype.kind == "f" and np.isinf(values).any():
        raise not_finite(where, name, int(train[np.argmax(np.isinf(values))]))
    if kind == "number":
        column = as_numbers(where, name, column, None)[:, 0]
        values = column[train]
    labels: list[Label] = sorted(set(values.tolist())) if values.dtype == object else np.unique(values).tolist()
    if len(labels) < 2:
        raise DataError(
            f"{table.name}: the target {name!r} is {listing(labels)} in all of {len(train):,} training rows; at least "
            "two different values are needed. Check that it is the right column."
        )
    if table.senses.get(name) == TRUTH:
        labels, values = [bool(label) for label in labels], values.astype(bool)
    whole = values.dtype.kind in "iuf" and bool((values == np.floor(values)).all())
    few = len(labels) == 2 or (len(labels) <= MOST_TARGET_VALUES and len(labels) * 20 <= len(train))
    if kind is not None:
        reason = "as asked"
    elif values.dtype == object or values.dtype == bool:
        kind, reason = "classes", "text" if values.dtype == object else "true or false"
    elif whole and few:
        kind, reason = "classes", f"whole numbers of only {len(labels)} values"
    else:
        kind, reason = "number", f"{len(labels):,} different values" if whole else "numbers with fractions"
    if kind == "classes":
        if whole and values.dtype.kind == "f" and _is_written_whole(table.texts.get(name), train):
            labels = [int(label) for label in labels]
        return kind, reason, tuple(labels), 0.0, 1.0
    mean, sd, _ = moments(where, name, column, train)
    if not sd[0]:
        raise DataError(
            f"{table.name}: the numbers of the target {name!r} lie so near to each other that their squares are 0; "
            "give them in another unit."
        )
    return kind, reason, None, float(mean[0]), float(sd[0])


def _is_written_whole(texts: np.ndarray | None, train: np.ndarray) -> bool:
    """Whether numbers were written without a fraction. Shapes: texts (row,)."""
    return texts is not None and all(text.strip().lstrip("+-").isdecimal() for text in set(texts[train].tolist()))


def written_labels(table: Table, target: str, train: np.ndarray, classes: tuple[Label, ...]) -> tuple[str, ...]:
    """How each class is written in most of its training rows; nothing where that is not known, or is as usual."""
    texts = table.texts.get(target)
    if texts is None or isinstance(classes[0], str):
        return ()
    counts = Counter(zip(table.column(target)[train].tolist(), texts[train].tolist(), strict=True))
    found: dict[Any, str] = {}
    for (value, text), _ in counts.most_common():
        found.setdefault(value, text.strip())
    labels = tuple(found[label] for label in classes)
    return () if labels == tuple(map(str, classes)) else labels


def in_order(
    where: str, classes: tuple[Label, ...], labels: tuple[str, ...], order: tuple[str, ...]
) -> tuple[tuple[Label, ...], tuple[str, ...]]:
    """Classes and how they were written, from the lowest to the highest.

    Args:
        order: the classes as text, as they are written or as numbers that mean the same; empty where the classes are
            numbers or truth values, whose order is known.
    Raises: DataError where the order is not of these classes.
    """
    written = labels or tuple(map(str, classes))
    if not order:
        if isinstance(classes[0], str):
            raise DataError(
                f"{where}: the classes of the target are text: {listing(written)}; their order is needed. Name them "
                "all, from the lowest to the highest: --ordered low,medium,high."
            )
        return classes, labels
    codes = class_codes(np.array(order, object), classes, written)
    if unknown := [name for name in order if name not in codes]:
        raise DataError(
            f"{where}: ordered names {listing(map(repr, unknown))}, which is no class of the target in the training "
            f"rows; these are {listing(written)}. Name each of them once, from the lowest to the highest."
        )
    places = [codes[name] for name in order]
    if len(places) < len(classes) or len(set(places)) < len(places):
        absent = [written[place] for place in range(len(classes)) if place not in places]
        what = f"does not name {listing(map(repr, absent))}" if absent else "names a class twice"
        raise DataError(
            f"{where}: ordered {what}; each of the {len(classes)} classes is required once: {listing(written)}. Name "
            "them from the lowest to the highest."
        )
    return tuple(classes[place] for place in places), tuple(labels[place] for place in places) if labels else ()


def target_notes(
    values: np.ndarray, name: str, classes: tuple[Label, ...] | None, mean: float, sd: float
) -> tuple[str, ...]:
    """What is to be known of a target: a rare class, a heavy tail, a cap. Shapes: values (row,), of training rows."""
    if classes is not None:
        levels, counts = np.unique(as_text(values).astype(str), return_counts=True)
        least, most = int(counts.argmin()), int(counts.argmax())
        share = counts[least] / len(values)
        if share >= RARE_CLASS * min(1, 5 / len(classes)):
            return ()
        return (
            f"Unequal classes: {levels[least]} is {share:.1%} of the training rows, and {levels[most]} for every row "
            f"would be right in {counts[most] / len(values):.1%}: judge by f1 and auc too. Classes count "
            "by their rows unless class weights are asked for.",
        )
    numbers = as_numbers(Place(""), name, values, None)[:, 0]
    notes = []
    far = (np.abs(numbers - mean).max()) / sd
    if far > HEAVY_TAIL:
        notes.append(f"Heavy tail: a target lies {far:.0f} deviations from the mean; rows like it rule the RMSE.")
    levels, counts = np.unique(numbers, return_counts=True)
    usual = np.median(counts)
    for place, word, beyond in ((-1, "largest", "above"), (0, "smallest", "below")):
        share, end = counts[place] / len(numbers), levels[place]
        if share >= CAPPED and counts[place] >= 10 * usual and end != 0:
            notes.append(
                f"Capped: {share:.1%} of the training rows hold the {word} target {amount(end, 6)}; {beyond} it none "
                "is told."
            )
    return tuple(notes)


def missing_target(where: Place, name: str, row: int) -> DataError:
    return DataError(
        f"{where}: the target {name!r} is missing in {where.row(row)}; every row here needs one. "
        "Use only the rows that usable_rows gives."
    )


def class_codes(column: np.ndarray, classes: tuple[Label, ...], written: tuple[str, ...]) -> dict[Any, int]:
    """The class of each value of a column, whatever it holds: a few rows may read as of another kind than all.

    Args:
        classes: the labels, and `written`: how they were written.
    """
    by_value: dict[Any, int] = {label: code for code, label in enumerate(classes)}
    by_text = {each: code for code, each in enumerate(written)}
    found = {}
    for value in set(column.tolist()) if column.dtype == object else np.unique(column).tolist():
        code = by_value.get(value)
        if code is None and isinstance(value, str):
            code = by_text.get(value, by_value.get(_meant(value)))
        elif code is None and isinstance(classes[0], str):
            code = by_text.get(str(as_text(np.array([value]))[0]))
        if code is not None:
            found[value] = code
    return found


def _meant(text: str) -> bool | float | None:
    """The truth value or number that a label is, None where it is neither."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        return float(text)
    except ValueError:
        return None
