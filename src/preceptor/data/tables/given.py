"""Tables given in Python: arrays, mappings, lists of rows, data frames, Arrow tables; with the target beside them."""

import numbers
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from preceptor.data.tables.columns import as_column, objects
from preceptor.data.tables.fields import Said
from preceptor.data.tables.names import canonical, told_apart
from preceptor.data.tables.scratch import check_memory
from preceptor.data.tables.table import Column, Table
from preceptor.errors import DataError
from preceptor.words import listing

BLOCK, TARGET = "x", "target"  # the names of an array, and of a target that comes without one


def read_given(source: Any, texts: Collection[str | None] = ()) -> Table:
    """The table in a Python object. Raises: DataError where it is none."""
    if isinstance(source, Mapping):
        return table_of("dictionary", ((name, values, None) for name, values in source.items()), texts)
    if hasattr(source, "iloc") and hasattr(source, "columns"):
        named = ((name, source.iloc[:, place]) for place, name in enumerate(source.columns))
        return table_of("data frame", ((name, *_of_pandas(series)) for name, series in named), texts)
    if hasattr(source, "get_columns") and hasattr(source, "height"):
        return table_of("data frame", ((each.name, *_of_polars(each)) for each in source.get_columns()), texts)
    if hasattr(source, "column_names") and hasattr(source, "num_rows"):
        columns = ((name, *_of_arrow(source.column(place))) for place, name in enumerate(source.column_names))
        return table_of("Arrow table", columns, texts)
    if is_without_names(source):
        return table_of("array", [(BLOCK, _as_array(source), None)], texts)
    raise DataError(
        f"read: a {type(source).__module__}.{type(source).__name__} was given; a path, an array, a mapping of arrays, "
        "a data frame or an Arrow table is needed. Convert it to one of them."
    )


def table_of(
    where: str, columns: Iterable[tuple[Any, Any, np.ndarray | None]], texts: Collection[str | None] = ()
) -> Table:
    """A table of (name, values, which are missing).

    Names that come twice are numbered; an array with named fields becomes a column for each.

    Raises: DataError for a table without rows, and for values that are no column.
    """
    listed = [each for column in columns for each in _fields(*column)]
    names, notes = told_apart(name for name, _, _ in listed)
    _check_whole(where, "name", names)
    said, made, kept = Said(), dict[str, Column](), {}
    for name, (_, values, missing) in zip(names, listed, strict=True):
        made[name] = as_column(where, name, values, missing, said)
        if made[name].values.dtype == object:
            _check_whole(where, f"text in column {name!r}", made[name].values)
        if name in texts and made[name].values.ndim == 1:
            kept[name] = _as_stood(values, missing)
    table = Table.of(where, made, (*notes, *said.sentences()), kept)
    if table.rows == 0:
        what = "no rows" if made else "no columns"
        raise DataError(f"{where}: it has {what}; at least one row is needed. Check how it was made.")
    return table


def _check_whole(where: str, what: str, texts: Iterable[str | None]) -> None:
    """Raises DataError where a text cannot be written down as UTF-8: no run could keep it as a name or a level."""
    for each in texts:
        if each is None or each.isascii():
            continue
        try:
            each.encode()
        except UnicodeEncodeError:
            raise DataError(
                f"{where}: the {what} holds half a character (\\ud800 to \\udfff alone); whole ones are needed. "
                "Mend it: text.encode('utf-8', 'replace').decode()."
            ) from None


def with_target(source: Any, target: Any) -> tuple[Any, str | tuple[str, ...]]:
    """A table and the name of its target, or the names of several, where these were given as values or as places.

    Args:
        source: anything `read` takes but a path; or the table that was read.
        target: a value for each row: an array, a series, a list; several values for each row: (row, target), or a data
            frame; the names of columns; or a whole number: the place of a column of an array, or the name of a column.

    Raises: DataError where it is none of these, or does not fit the table.
    """
    if isinstance(target, numbers.Integral) and not isinstance(target, (bool, np.bool_)):
        table = source if isinstance(source, Table) else read_given(source)
        if str(target) in table.columns:
            return table, str(target)
        if is_one_block(table):
            array = source if is_without_names(source) else table.columns[BLOCK]
            return apart(table, array, [int(target)]), str(int(target))
        raise DataError(
            f"{table.name}: the target is {int(target)}; the name of a column is needed: "
            f"{listing(table.columns, 20)}. Name one of them."
        )
    if isinstance(target, tuple) and hasattr(source, "columns") and canonical(target) in map(canonical, source.columns):
        return source, canonical(target)  # of a data frame whose names have several parts
    table = source if isinstance(source, Table) else read_given(source)
    if are_names(target):
        known = {canonical(name) for name in target} & {canonical(name) for name in table.columns}
        if len(known) == len(target) or (known and len(target) != table.rows):  # else they are labels
            return source, tuple(target)
    found = [_beside(table, *each) for each in _each_label(table, target)]
    for name, values, missing in found:
        table = _with_column(table, name, values, missing)
    names = tuple(name for name, _, _ in found)
    return table, names[0] if len(names) == 1 else names


def are_names(target: Any) -> bool:
    """Whether a target may be the names of several columns: texts, each once. As labels these would be a class for
    each row."""
    is_listed = isinstance(target, (list, tuple)) and len(target) > 0
    return is_listed and all(isinstance(name, str) for name in target) and len(set(target)) == len(target)


def with_labels(table: Any, names: Sequence[str], target: Any) -> Table:
    """A table with the values of its targets, which were given beside it. Raises: DataError where they do not fit."""
    if not isinstance(table, Table):
        what = listing(map(repr, names))
        raise DataError(f"{table.name}: a target was given beside it; the column {what} in it is needed.")
    found = _each_label(table, target, is_known=True)
    if len(found) != len(names):
        raise DataError(
            f"{table.name}: the target has {len(found):,} columns; {len(names):,} are needed: {listing(names)}. Give "
            "one for each target, in this order."
        )
    own = {name: place for place, (name, _, _) in enumerate(found)}
    places = [own[name] for name in names] if set(own) == set(names) else range(len(names))  # of a frame by name
    for name, place in zip(names, places, strict=True):
        beside = table_of("target", [(name, *found[place][1:])])
        columns, senses = {**table.columns, **beside.columns}, {**table.senses, **beside.senses}
        table = replace(table, columns=columns, senses=senses)
    return table


def _beside(table: Table, name: str, values: Any, missing: np.ndarray | None) -> tuple[str, Any, np.ndarray | None]:
    """The target under a name that no other column of the table has."""
    if name in table.columns and not _same(table, name, values, missing):
        name = next(each for each in (TARGET, *(f"{TARGET} ({n})" for n in range(2, 99))) if each not in table.columns)
    return name, values, missing


def _with_column(table: Table, name: str, values: Any, missing: np.ndarray | None) -> Table:
    """The table with a target, and with its values as they stand."""
    if name in table.columns:
        return replace(table, texts={**table.texts, name: _as_stood(values, missing)})
    beside = table_of("target", [(name, values, missing)], [name])
    columns, senses = {**table.columns, **beside.columns}, {**table.senses, **beside.senses}
    return replace(table, columns=columns, senses=senses, texts={**table.texts, **beside.texts})


def apart(table: Table, source: Any, places: Sequence[int]) -> Table:
    """The table of an array, with some of its columns, counted from 0 or, below it, from the end, each as one of its
    own.

    They are taken from the array itself: the block of a table holds fractions, which do not tell 2^53 + 1 from 2^53.
    """
    block = table.columns[BLOCK]
    for place in places:
        if not -block.shape[1] <= place < block.shape[1]:
            raise DataError(
                f"{table.name}: the target is column {place}; the array has {block.shape[1]:,}, counted from 0. Choose "
                "one of them."
            )
    array = block if _is_sparse(source) else _as_array(source)
    own = {str(place): as_column(table.name, str(place), array[:, place]).values for place in places}
    return replace(table, columns={BLOCK: np.delete(block, list(places), axis=1), **own})


def is_one_block(table: Any) -> bool:
    """Whether a table is one array of rows and columns, whose columns have places and no names: a .npy file."""
    return isinstance(table, Table) and list(table.columns) == [BLOCK] and table.columns[BLOCK].ndim > 1


def names_place(target: str) -> bool:
    """Whether a target is the place of a column rather than a name: 0, 3, -1."""
    return bool(re.fullmatch(r"-?[0-9]{1,9}", target))


def is_without_names(source: Any) -> bool:
    """Whether a source is an array, or what becomes one: its columns have places and no names."""
    if (
        isinstance(source, (str, bytes, Mapping, Table))
        or hasattr(source, "columns")
        or hasattr(source, "column_names")
    ):
        return False
    is_rows = isinstance(source, (list, tuple)) and all(np.ndim(each) == 1 for each in source[:1])
    return is_rows or hasattr(source, "__array__") or _is_sparse(source)


def _each_label(table: Table, target: Any, is_known: bool = False) -> list[tuple[str, Any, np.ndarray | None]]:
    """Name, values and gaps of each target that is given as values.

    Args:
        is_known: whether there are so many targets as is known already.
    Raises: DataError where they do not fit the table, or seem to be one target, a column for each of its classes.
    """
    if hasattr(target, "columns") and len(target.columns) > 1:
        names = told_apart(target.columns)[0]
        series = (target.iloc[:, k] if hasattr(target, "iloc") else target[n] for k, n in enumerate(target.columns))
        return [(name, *_labels(table, each)[1:]) for name, each in zip(names, series, strict=True)]
    is_listed = isinstance(target, (list, tuple)) and len(target) > 0
    rows = is_listed and all(isinstance(each, (list, tuple)) or np.ndim(each) == 1 for each in target)
    if rows and {len(each) for each in target} == {len(target[0])} and len(target[0]) > 1:
        columns: list[Any] = [list(each) for each in zip(*target, strict=True)]
    elif hasattr(target, "__array__") and getattr(target, "ndim", 1) == 2 and target.shape[1] > 1:
        columns = list(_plain(target).T)
    else:
        return [_labels(table, target)]
    found = [_labels(table, each)[1:] for each in columns]
    if not is_known and _is_one_hot(columns):
        raise DataError(
            f"{table.name}: the target has shape {(len(found[0][0]), len(columns))}; the name of a column, or one "
            "value for each row, is needed. Give the class of each row, not a column for each class."
        )
    return [(f"{TARGET} {number}", *each) for number, each in enumerate(found, 1)]


def _is_one_hot(columns: Sequence[Any]) -> bool:
    """Whether each row of some columns holds a single 1, and else 0."""
    values = np.array([np.asarray(column) for column in columns])
    if values.dtype.kind not in "biuf" or not np.isin(values, (0, 1)).all():
        return False
    return bool((values.sum(axis=0) == 1).all())


def _labels(table: Table, target: Any) -> tuple[str, Any, np.ndarray | None]:
    """Name, values and gaps of a target given as values."""
    if hasattr(target, "columns"):
        [name] = target.columns
        target = target.iloc[:, 0] if hasattr(target, "iloc") else target[name]
    values, missing = _series(target)
    if getattr(getattr(values, "dtype", None), "names", None) and len(values.dtype.names) == 1:
        values = values[values.dtype.names[0]]
    is_values = isinstance(values, (list, tuple, np.ndarray)) and np.ndim(values) > 0
    shape = np.shape(values) if isinstance(values, np.ndarray) else (len(values),) if is_values else ()
    if len(shape) == 2 and shape[1] == 1:
        values, shape = values[:, 0], shape[:1]
    if not is_values or len(shape) != 1:
        what = f"has shape {shape}" if is_values else f"is a {type(target).__name__}"
        raise DataError(
            f"{table.name}: the target {what}; the name of a column, or one value for each row, is needed. "
            + ("Give as many for each row." if is_values else "Name it: target='price'.")
        )
    if shape[0] != table.rows:
        raise DataError(
            f"{table.name}: the target has {shape[0]:,} values and the table {table.rows:,} rows; one for each row is "
            f"needed. Columns to choose from: {listing(table.columns)}."
        )
    name = getattr(target, "name", None)
    is_name = name is not None and not callable(name)
    return (canonical(name) if is_name and canonical(name) else TARGET), values, missing


def _same(table: Table, name: str, values: Any, missing: np.ndarray | None) -> bool:
    """Whether the target that was given is a column of the table."""
    own, given = table.columns[name], as_column(table.name, name, values, missing).values
    return (
        own.shape == given.shape
        and own.dtype == given.dtype
        and all(a == b or (a != a and b != b) for a, b in zip(own.tolist(), given.tolist(), strict=True))
    )


def _fields(name: Any, values: Any, missing: np.ndarray | None) -> Iterable[tuple[Any, Any, np.ndarray | None]]:
    """The column, or the columns of an array with named fields."""
    names = getattr(getattr(values, "dtype", None), "names", None)
    if not names:
        return [(name, values, missing)]
    return [(each, values[each], None) for each in names]


def _is_sparse(source: Any) -> bool:
    return hasattr(source, "toarray") and hasattr(source, "nnz")


def _as_array(source: Any) -> np.ndarray:
    if _is_sparse(source):
        rows, columns = source.shape
        check_memory(
            3 * rows * columns * source.dtype.itemsize,
            f"sparse matrix: written out, its {rows:,} rows of {columns:,} columns",
        )
        return np.asarray(source.toarray())
    try:
        found = _plain(source)
    except ValueError as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            "array: its rows differ in length; (rows, features) of numbers is needed. Make them equally long."
        ) from None
    if found.dtype.names is None and (found.ndim != 2 or found.dtype.kind not in "biuf"):
        what = f"has shape {found.shape}" if found.ndim != 2 else f"holds {_kind(found)}"
        cure = "Flatten each row: x.reshape(len(x), -1)." if found.ndim > 2 else "Name its columns: {'name': values}."
        if found.ndim == 1:
            cure = "One feature: x.reshape(-1, 1); one row: x.reshape(1, -1)."
        raise DataError(f"array: it {what}; (rows, features) of numbers is needed. {cure}")
    return found


def _kind(values: np.ndarray) -> str:
    return {"O": "objects", "U": "text", "M": "dates", "c": "complex numbers"}.get(values.dtype.kind, str(values.dtype))


def _series(values: Any) -> tuple[Any, np.ndarray | None]:
    """The values of one column, in whatever it came, and which of them are missing."""
    if hasattr(values, "iloc"):
        return _of_pandas(values)
    if hasattr(values, "to_arrow") and hasattr(values, "is_null"):
        return _of_polars(values)
    if hasattr(values, "to_pylist"):
        return _of_arrow(values)
    if isinstance(values, Sequence) and not isinstance(values, (str, bytes, bytearray)):
        listed = list(values)
        if listed and all(isinstance(each, (list, tuple)) and len(each) == 1 for each in listed):
            listed = [each[0] for each in listed]  # a column as scikit-learn has them, one value a row
        return objects(listed, len(listed)), None
    return (_plain(values) if hasattr(values, "__array__") and not np.isscalar(values) else values), None


def _plain(values: Any) -> np.ndarray:
    """An array of NumPy's own, masked where the source is. Raises: DataError where there is none for it."""
    if isinstance(values, np.ma.MaskedArray):
        return values
    try:
        return np.asarray(values)
    except (RuntimeError, TypeError, BufferError) as error:  # a tensor that awaits gradients, or lies elsewhere
        what = f"{type(values).__module__}.{type(values).__name__}"
        why = str(error).splitlines()[0].rstrip(".")
        raise DataError(f"array: a {what} cannot be read ({why}); an array of NumPy is needed. Convert it.") from None


def _of_pandas(series: Any) -> tuple[Any, np.ndarray]:
    missing = series.isna().to_numpy(dtype=bool)
    kind = getattr(series.dtype, "kind", "O")
    if hasattr(series.dtype, "categories"):
        return objects((str(each) for each in series.astype(object)), len(series)), missing
    if kind in "biu":
        form: Any = {"b": np.bool_, "i": np.int64, "u": np.uint64}[kind]
        plain = series.to_numpy(dtype=form, na_value=form(0)) if missing.any() else series.to_numpy(dtype=form)
        return plain, missing
    if kind == "f" and not isinstance(series.dtype, np.dtype):
        return series.to_numpy(dtype=np.float64, na_value=np.nan), missing
    if isinstance(series.dtype, np.dtype) and kind != "O":
        return series.to_numpy(), missing
    return series.astype(object).to_numpy(dtype=object), missing


def _of_polars(series: Any) -> tuple[Any, np.ndarray]:
    missing = series.is_null().to_numpy()
    if series.dtype.is_integer():
        return series.fill_null(0).to_numpy(), missing
    if series.dtype.is_float():
        return series.to_numpy(), missing
    return objects(series.to_list(), len(series)), missing


def _of_arrow(column: Any) -> tuple[Any, np.ndarray]:
    missing = np.asarray(column.is_null())
    if str(column.type).startswith(("int", "uint")):
        return np.asarray(column.fill_null(0)), missing
    if str(column.type).startswith(("float", "double", "halffloat")):
        return np.asarray(column), missing
    # to_numpy forgets which values of a dictionary column are missing; to_pylist does not.
    return objects(column.to_pylist(), len(column)), missing


def _as_stood(values: Any, missing: np.ndarray | None) -> np.ndarray:
    """Values as Python writes them, missing ones empty. Shapes: (row,) -> (row,), objects."""
    listed: list[Any] = list(values)
    if isinstance(values, np.ndarray) and values.dtype.kind == "M":
        is_fine = np.datetime_data(values.dtype)[0] in ("ns", "ps", "fs", "as")
        listed = (values.astype("M8[us]") if is_fine else values).tolist()  # dates, and times, of Python
    elif isinstance(values, np.ndarray) and values.dtype.kind != "f":  # a float32 has fewer digits than Python's float
        listed = values.tolist()
    gaps = [False] * len(listed) if missing is None else missing.tolist()
    texts = (
        "" if gap or value is None or value != value else str(value) for value, gap in zip(listed, gaps, strict=True)
    )
    return objects(texts, len(listed))
