"""Learning from the training rows of a table how its columns become features, and what its targets are."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from preceptor.data.encoding.dates import Dates, learn_dates
from preceptor.data.encoding.levels import Categories, learn_levels, why_aside
from preceptor.data.encoding.mixing import TURNS, learn_mixing
from preceptor.data.encoding.numbers import Numbers, learn_numbers
from preceptor.data.encoding.place import Place
from preceptor.data.encoding.preprocessor import Feature, Preprocessor
from preceptor.data.encoding.spans import learn_spans
from preceptor.data.encoding.target import learn_target, names_of, usable_rows
from preceptor.data.encoding.texts import ALL_COMPONENTS, COMPONENTS, is_text, learn_text
from preceptor.data.encoding.truth import learn_truth
from preceptor.data.tables.table import TRUTH, ZONED, Table
from preceptor.errors import DataError
from preceptor.words import listing

LEARNED_CELLS = 1 << 24  # numbers of training rows, evenly spaced, from which a turn of all numbers is learned: 128 MiB


def fit_preprocessor(
    table: Table,
    target: str | Sequence[str] | None,
    train: np.ndarray,
    *,
    kind: str | None = None,
    aside: Mapping[str, str] | None = None,
    number_levels: bool = False,
    scaling: str = "standardise",
    degree: int = 1,
    order: tuple[str, ...] | None = None,
) -> Preprocessor:
    """Learns from the training rows of a table how its columns become features and what its targets are.

    A text column of sentences becomes the main directions of its n-grams. Any other of more than 100 levels keeps its
    50 most frequent ones, and the others share a feature. It is set
    aside, as free text or an identifier, where its levels are more than half the training rows that have one, or none
    is frequent; whether it is missing is kept. Text and truth values as target are classes, and so are whole numbers
    of two values, or of at most 20 values with 20 training rows to a value on average; any other number is an amount.

    Shapes: train (row,): row numbers, none with a missing target.

    Args:
        target: column to predict, or several; None for a table without one.
        kind: "classes" or "number" where the rule for the target is wrong; of several it is that of each.
        aside: columns not to learn from, such as one that names the parts, each with the reason in words.
        number_levels: whether the levels of such a column are numbered instead, for a network that has `nn.Levels`.
        scaling: what is done to numbers, of SCALINGS. Principal components and whitening are of the standardised ones.
        degree: products of up to so many numbers become features too; 1 for none.
        order: the classes from the lowest to the highest, as of `in_order`, where they have an order.

    Raises: DataError where the order is not of the classes, the target has a single value, a value is infinite, or no
        column is of use.
    """
    if not len(train):
        raise DataError(f"{table.name}: there is no training row; at least two are needed. Check the split.")
    names = names_of(target)
    targets = tuple(learn_target(table, name, train, kind, order) for name in names)
    columns: list[Feature] = []
    set_aside = []
    beside = {name: values for name, values in table.columns.items() if name not in names}
    texts = [
        name
        for name, values in beside.items()
        if values.dtype == object and name not in (aside or {}) and is_text(values[train])
    ]
    most = min(COMPONENTS, max(1, ALL_COMPONENTS // max(1, len(texts))))
    for name, values in beside.items():
        how = number_levels, table.senses.get(name, ""), scaling, table.written.get(name, "")
        found = (
            (aside or {}).get(name)
            or (learn_text(name, values[train], most) if name in texts else None)
            or _learn_column(Place(table.name), name, values, train, *how)
        )
        if isinstance(found, str):
            set_aside.append((name, found))
        else:
            columns.append(found)
            if isinstance(found, Categories) and not found.levels:
                set_aside.append((name, f"all but whether it is missing; {why_aside(values[train])}"))
    dates = [column for column in columns if isinstance(column, Dates)]
    columns += learn_spans(Place(table.name), table, dates, train, scaling)
    if not columns:
        why = listing(f"{name} ({reason})" for name, reason in set_aside) or "there is no column beside the target"
        raise DataError(
            f"{table.name}: no column can be learned from: {why}; at least one is needed. Add columns that vary."
        )
    left_out = table.rows - len(usable_rows(table, names)) if names else 0
    made = Preprocessor(tuple(columns), tuple(set_aside), len(train), left_out, targets, scaling)
    if degree == 1 and scaling not in TURNS:
        return made
    count = min(len(train), max(2, LEARNED_CELLS // max(1, len(made.number_places))))
    some = train[np.linspace(0, len(train) - 1, count).astype(np.int64)]
    x = made.transform(table.select(some), some)[:, made.number_places].astype(np.float64)
    return replace(made, mixing=learn_mixing(x, scaling, degree))


def _learn_column(
    where: Place,
    name: str,
    values: np.ndarray,
    train: np.ndarray,
    number_levels: bool,
    sense: str,
    scaling: str,
    written: str,
) -> Feature | str:
    """How one column becomes features, or why it is set aside."""
    if values.dtype == object:
        return learn_levels(name, values[train], number_levels)
    if values.dtype.kind == "M":
        return learn_dates(name, values[train], sense == ZONED, written)
    if values.ndim == 1 and (values.dtype == bool or sense == TRUTH):
        return learn_truth(name, values[train].astype(np.float64))
    found = learn_numbers(where, name, values, train, scaling)
    return replace(found, written=written) if written and isinstance(found, Numbers) else found
