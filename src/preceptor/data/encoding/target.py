"""What is to be told: classes or a number, how its labels are written, and what is to be known of it."""

from collections import Counter
from typing import Any, TypeAlias

import numpy as np

from preceptor.data.encoding.numbers import HEAVY_TAIL, as_numbers, moments
from preceptor.data.encoding.place import Place, not_finite, wrong_width
from preceptor.data.tables.columns import as_text, missing_rows
from preceptor.data.tables.table import TRUTH, Table
from preceptor.errors import DataError
from preceptor.words import amount, listing

CAPPED = 0.01  # share of the rows, ten times that of a usual value, at the end of a target that is called capped
RARE_CLASS = 0.1  # share of the rows below which a class is called rare: conventional
MOST_TARGET_VALUES = 20  # whole numbers of more values than that are taken for amounts, not classes: conventional

Label: TypeAlias = str | bool | int | float


def usable_rows(table: Table, target: str) -> np.ndarray:
    """The numbers of the rows whose target is there.

    Shapes: -> (row,), int64.

    Raises: DataError where there is no such column or the target is missing everywhere.
    """
    found = np.flatnonzero(~missing_rows(table.column(target)))
    if not len(found):
        raise no_target(table.name, target, table.rows)
    return found


def no_target(where: str, target: str, rows: int) -> DataError:
    """The error that none of a table's rows has a target."""
    return DataError(
        f"{where}: the target {target!r} is missing in all of {rows:,} rows; rows that have it are needed. Check that "
        "it is the right column."
    )


def target_kind(table: Table, target: str, rows: np.ndarray, kind: str | None = None) -> str:
    """Whether the target of these rows is "classes" or a "number", by the rule of `fit_preprocessor`.

    Raises: DataError as fit_preprocessor does for its target.
    """
    return learn_target(table, target, rows, kind)[0]


def learn_target(
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
