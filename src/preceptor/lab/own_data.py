"""What an experiment learns from: the bundled digits, or a table of its reader's own in their place."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from preceptor.data import Table, default_target, fit_preprocessor, missing_rows, read, usable_rows
from preceptor.data.encoding.target import names_of
from preceptor.errors import ConfigError, DataError
from preceptor.job.fit import put_together
from preceptor.job.target_names import no_target_named, target_names
from preceptor.lab.experiment import Material
from preceptor.lab.handwriting import CLASSES, SIDE, digits
from preceptor.train import Arrays
from preceptor.words import counted, listing

# As much as runs in the time of the bundled digits, and as little as can be divided.
MOST_ROWS, LEAST_ROWS = 2000, 60
MOST_FEATURES, MOST_CLASSES = 500, 30
DIGITS = Material("digits")


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows with a class each.

    Args:
        features, classes: their names.
        material: what they are, in words.

    Shapes: x (row, feature), float32; y (row,), int32.
    """

    x: np.ndarray
    y: np.ndarray
    features: tuple[str, ...]
    classes: tuple[str, ...]
    material: Material

    def drawn(self, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """All of them, in an order that the seed draws. Shapes: -> (row, feature), (row,)."""
        order = np.random.default_rng(seed).permutation(len(self.y))
        return self.x[order], self.y[order]

    def taught(self, wanted: int) -> int:
        """How many teach, so that a quarter is left to judge."""
        return min(wanted, len(self.y) * 3 // 4)

    def parts(self, rows: int, dev_rows: int, seed: int) -> Arrays:
        """So many to learn from, or fewer, and so many others to judge by."""
        (x, y), taught = self.drawn(seed), self.taught(rows)
        judges = slice(taught, taught + dev_rows)
        y = y.astype(np.int64)
        return Arrays(x[:taught], y[:taught], x[judges], y[judges])


@dataclass(frozen=True, eq=False)
class Columns:
    """Columns of numbers as they stand, and perhaps the class of each row.

    Args:
        classes: their names; none without a target.

    Shapes: x (row, column), float64; kinds (row,), whole numbers, all 0 without a target.
    """

    x: np.ndarray
    names: tuple[str, ...]
    kinds: np.ndarray
    classes: tuple[str, ...]
    material: Material


@dataclass(frozen=True, eq=False)
class Plane:
    """Points of two classes.

    Args:
        names: of the two columns; classes: of class 0 and 1.

    Shapes: x (row, 2), float64, standardised; y (row,), 0 or 1, in an order that the seed draws.
    """

    x: np.ndarray
    y: np.ndarray
    names: tuple[str, str]
    classes: tuple[str, str]
    material: Material


def labelled(data: Any, target: Any, where: str) -> Rows:
    """Rows of own data, standardised, or of the bundled digits where there are none.

    Columns become features as for any training: categories too.

    Args:
        data: a path, the name of a bundled table, an array, a data frame, ... as of `read`; None for the digits.
        target: the column of the classes, or a class for each row.
        where: the experiment, for errors.
    Raises: DataError, ConfigError where the data cannot be read, or the target is none, or no classes.
    """
    if data is None:
        if target is not None:
            raise _alone(where)
        pictures, labels = digits()
        x = pictures.reshape(len(labels), -1)
        names = tuple(f"pixel {place}" for place in range(SIDE * SIDE))
        return Rows(x, labels, names, tuple(map(str, range(CLASSES))), DIGITS)
    table, wanted = _opened(data, target)
    if not wanted:
        raise no_target_named(table)
    if len(wanted) > 1:
        raise ConfigError(f"lab {where}: received {len(wanted)} targets; one is required. Name it.")
    rows, notes = _some(table, usable_rows(table, wanted), where)
    learned = fit_preprocessor(table, wanted[0], rows)
    known = learned.targets[0]
    if known.classes is None:
        raise ConfigError(
            f"lab {where}: the target {known.name!r} is a number ({known.reason}); classes are required. Name another "
            "column with --target."
        )
    if learned.features > MOST_FEATURES or len(known.classes) > MOST_CLASSES:
        raise ConfigError(
            f"lab {where}: {table.name} makes {learned.features:,} features and {len(known.classes):,} classes; at "
            f"most {MOST_FEATURES} and {MOST_CLASSES} are required. Leave columns out."
        )
    part = table.select(rows)
    said = (
        f"{table.name} stands in the place of the digits: {counted(len(rows), 'row')}, "
        f"{counted(learned.features, 'feature')} of {counted(len(learned.columns), 'column')}, "
        f"{len(known.classes)} classes of {known.name}; numbers are standardised over these rows.",
        *notes,
        *(f"Left out: {name} ({reason})." for name, reason in learned.set_aside),
    )
    x, y = learned.transform(part, rows), learned.encode_target(part, rows)
    return Rows(x, y.reshape(-1), learned.feature_names, known.written, Material(table.name, said))


def numeric(data: Any, target: Any, where: str, least: int = 2) -> Columns:
    """Columns of numbers of own data, as they stand; rows in which one is missing are left out.

    Args:
        data, target, where: as of `labelled`; the target may be left out.
        least: so many columns must be there.
    Raises: as `labelled`.
    """
    table, names = _opened(data, target)
    columns: dict[str, np.ndarray] = {}
    others = []
    for name, values in table.columns.items():
        if name in names:
            continue
        if values.ndim > 1:
            columns |= {f"{name}{place}": values[:, place] for place in range(values.shape[1])}
        elif values.dtype.kind in "fiu":
            columns[name] = values
        else:
            others.append(name)
    whole = np.ones(table.rows, bool)
    for values in columns.values():
        whole &= np.isfinite(values.astype(np.float64))
    for name in names:
        whole &= ~missing_rows(table.column(name))
    rows, notes = _some(table, np.flatnonzero(whole), where)
    still = [name for name, values in columns.items() if np.ptp(values[rows].astype(np.float64)) == 0]
    kept = {name: values[rows].astype(np.float64) for name, values in columns.items() if name not in still}
    if not least <= len(kept) <= MOST_FEATURES:
        raise ConfigError(
            f"lab {where}: {table.name} has {len(kept):,} columns of numbers that vary; {least} to {MOST_FEATURES} "
            "are required."
        )
    missing = table.rows - int(whole.sum())
    said = [
        f"{table.name} stands in the place of the lecture's table: {counted(len(rows), 'row')} of "
        f"{counted(len(kept), 'column')} of numbers.",
        *notes,
    ]
    if missing:
        said.append(f"{counted(missing, 'row')} with a missing value left out.")
    if others or still:
        said.append(f"Left out: {listing([*others, *still])} (no numbers, or one number throughout).")
    kinds, classes = np.zeros(len(rows), int), np.array([], str)
    if names:
        classes, kinds = np.unique(table.column(names[0])[rows].astype(str), return_inverse=True)
        if len(classes) > MOST_CLASSES:
            raise ConfigError(
                f"lab {where}: the target {names[0]!r} has {len(classes):,} values; at most {MOST_CLASSES} classes are "
                "required. Name another column with --target."
            )
    x, own = np.stack(list(kept.values()), 1), Material(table.name, tuple(said))
    return Columns(x, tuple(kept), kinds, tuple(classes.tolist()), own)


def plane(data: Any, target: Any, where: str, seed: int) -> Plane:
    """The first two columns of numbers that vary, standardised, and which rows are of the commonest class.

    Args:
        data, target, where: as of `labelled`.
        seed: of the order.
    Raises: as `labelled`.
    """
    if data is None:
        raise _alone(where)
    own = numeric(data, target, where)
    labels, kinds, counts = np.unique(own.kinds, return_inverse=True, return_counts=True)
    if len(labels) < 2:
        raise ConfigError(
            f"lab {where}: {own.material.name} has one class; two at least are required. Name their column with "
            "--target."
        )
    common = int(counts.argmax())
    other = own.classes[1 - common] if len(labels) == 2 else "others"
    x = own.x[:, :2]
    order = np.random.default_rng(seed).permutation(len(x))
    said = (
        f"{own.material.name} stands in the place of the half moons: {counted(len(x), 'row')}, {own.names[0]} and "
        f"{own.names[1]}, standardised over these rows; class 1 is {own.classes[common]}, class 0 {other}.",
        *own.material.notes[1:],
    )
    return Plane(
        ((x - x.mean(0)) / x.std(0))[order],
        (kinds == common).astype(int)[order],
        (own.names[0], own.names[1]),
        (other, own.classes[common]),
        Material(own.material.name, said),
    )


def _opened(data: Any, target: Any) -> tuple[Table, Sequence[str]]:
    """The table, and its targets if any were named."""
    if isinstance(data, str) and default_target(data) is None:
        data = Path(data)
    source, column = put_together(data, target)
    wanted = names_of(column or default_target(source))
    table = read(source, labels=wanted)
    return table, target_names(table, wanted)


def _some(table: Table, rows: np.ndarray, where: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """At most MOST_ROWS of these rows, drawn, in their order; and a sentence where that is not all."""
    if len(rows) < LEAST_ROWS:
        raise DataError(
            f"lab {where}: {table.name} has {counted(len(rows), 'row')} of use; at least {LEAST_ROWS} are required."
        )
    if len(rows) <= MOST_ROWS:
        return rows, ()
    drawn = np.sort(np.random.default_rng(0).choice(rows, MOST_ROWS, replace=False))
    return drawn, (f"Of {len(rows):,} rows {MOST_ROWS:,} were drawn.",)


def _alone(where: str) -> ConfigError:
    return ConfigError(f"lab {where}: received a target without data; it is a column of these. Leave it out.")
