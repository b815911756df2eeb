"""The names of the columns of a delimited file: none, one header row, or two."""

from dataclasses import dataclass
from itertools import pairwise

from preceptor.data.tables.names import numbered, told_apart
from preceptor.data.tables.tokens import is_like_number, is_missing
from preceptor.errors import DataError
from preceptor.words import listing

SAMPLED_RECORDS = 200  # the rows beside which the first is judged: conventional
FEWEST_ROWS = 3  # below the header, before it is said to differ from them
NO_HEADER = "If the first line is data, say that there is no header (header=False, --no-header)."


@dataclass(frozen=True)
class Header:
    """The names of the columns.

    Args:
        names: one for each column.
        records: how many records of the file they took: 0, 1 or 2.
        notes: what was found, in sentences.
    """

    names: list[str]
    records: int
    notes: tuple[str, ...] = ()


def find_header(name: str, sample: list[tuple[int, list[str]]], header: bool) -> Header:
    """The names of the columns, from the line numbers and fields of the first records.

    A second header row is found where it has text and the rows below have only numbers, and it names the columns that
    the first leaves without a name, or stands above all columns of numbers (units). Both rows are put together. Names
    that come more than once are numbered.

    Args:
        name: what messages call the file.
        sample: line number and fields of the first records.
        header: whether the first record holds names.

    Raises: DataError where the first record is clearly data though names were promised, or the other way round.
    """
    line = sample[0][0]
    first = [field.strip() for field in sample[0][1]]
    width = len(first)
    rows = [[field.strip() for field in fields] for _, fields in sample[1:] if len(fields) == width]
    if not header:
        _refuse_names(name, line, first, rows)
        return Header(numbered(width), 0)
    notes: list[str] = []
    _refuse_data(name, line, first, rows, notes)
    names, records = first, 1
    if rows and _is_second_header(first, rows[0], rows[1:]):
        second = sample[1][0]
        names, records = _merged(first, rows[0]), 2
        notes.append(
            f"Lines {line} and {second} both hold names; each column has both, as in {_example(first, rows[0], names)}."
        )
    names, changes = told_apart(names)
    return Header(names, records, (*notes, *changes))


def _number_columns(rows: list[list[str]], fewest: int) -> list[int]:
    """The columns in which these rows hold numbers only, at least `fewest` of them."""
    found = []
    for column, fields in enumerate(zip(*rows, strict=True)):
        present = [field for field in fields if not is_missing(field)]
        if len(present) >= fewest and all(map(is_like_number, present)):
            found.append(column)
    return found


def _refuse_data(name: str, line: int, first: list[str], rows: list[list[str]], notes: list[str]) -> None:
    numbers = [column for column, field in enumerate(first) if is_like_number(field)]
    below = _number_columns(rows, 1)
    filled = [field for field in first if not is_missing(field)]
    if numbers and (
        len(numbers) == len(filled) or (below and all(c in numbers or is_missing(first[c]) for c in below))
    ):
        if _is_series([first[column] for column in numbers]):
            notes.append(
                f"Line {line} gives columns the names {listing((first[c] for c in numbers), 4)}; if these are data, "
                "say that there is no header (--no-header)."
            )
            return
        if len(numbers) == len(filled):
            raise DataError(
                f"{name}: line {line} holds only numbers; it should hold the names of the columns. {NO_HEADER}"
            )
        raise DataError(
            f"{name}: line {line} holds numbers where the lines below it do ({_places(below)}); it should hold "
            f"the names of the columns. {NO_HEADER}"
        )
    if not below and len(first) > 1 and len(rows) >= FEWEST_ROWS and first not in rows:
        values = [set(fields) for fields in zip(*rows, strict=True)]
        if all(field and field in each for field, each in zip(first, values, strict=True)):
            raise DataError(
                f"{name}: every field of line {line} comes again below it in the same column; it should hold the names "
                f"of the columns. {NO_HEADER}"
            )


def _is_series(fields: list[str]) -> bool:
    """Whether numbers are such as name columns: 0, 1, 2, or years."""
    if not all(field.isascii() and field.isdecimal() for field in fields):
        return False
    values = [int(field) for field in fields]
    steps = {later - earlier for earlier, later in pairwise(values)}
    if len(steps) > 1 or any(step <= 0 for step in steps):
        return False
    return len(values) > 2 or all(1800 <= value <= 2100 for value in values) or values == [0, 1] or values == [1, 2]


def _refuse_names(name: str, line: int, first: list[str], rows: list[list[str]]) -> None:
    below = _number_columns(rows, FEWEST_ROWS)
    if below and not any(is_missing(first[column]) or is_like_number(first[column]) for column in below):
        raise DataError(
            f"{name}: line {line} holds text where the lines below it hold only numbers ({_places(below)}); "
            "a table without a header is needed. If the first line holds names, leave out --no-header (header=True)."
        )


def _is_second_header(first: list[str], second: list[str], rows: list[list[str]]) -> bool:
    if len(rows) < FEWEST_ROWS or any(map(is_like_number, second)):
        return False
    below = _number_columns(rows, FEWEST_ROWS)
    named = [column for column in below if not is_missing(second[column])]
    nameless = [column for column, field in enumerate(first) if not field]
    if nameless:
        return bool(named) and not any(is_missing(second[column]) for column in nameless)
    return len(named) > 1 and named == below


def _merged(first: list[str], second: list[str]) -> list[str]:
    names, above = [], ""
    for top, below in zip(first, second, strict=True):
        above = top or above
        names.append(above if not below or below == above else f"{above}: {below}" if above else below)
    return names


def _example(first: list[str], second: list[str], names: list[str]) -> str:
    column = next(c for c in range(len(names)) if second[c] and (first[c] or not all(first)))
    return repr(names[column])


def _places(columns: list[int]) -> str:
    return f"column{'s' * (len(columns) > 1)} {listing(column + 1 for column in columns)}"
