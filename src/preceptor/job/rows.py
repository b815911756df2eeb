"""Tables that a run gives: lists of dictionaries that show themselves and become data frames."""

from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, SupportsIndex, overload

from preceptor.errors import ConfigError
from preceptor.page import table
from preceptor.words import amount, one_line

SHOWN = 20  # rows on a terminal: the first half and the last half of them
MOST_WIDTH = 40  # characters of a cell on a terminal

Row = dict[str, Any]


class Rows(list[Row]):
    """A table: a list with a dictionary for each row, which prints as a table and shows itself as one in a notebook.

    Where a row has no such column, or None in it, its cell is empty. Of many rows a terminal shows the first and the
    last, a notebook the first.
    `pandas.DataFrame(rows)` takes it as the list that it is.
    """

    __slots__ = ()

    @overload
    def __getitem__(self, place: SupportsIndex, /) -> Row: ...
    @overload
    def __getitem__(self, place: slice, /) -> "Rows": ...
    def __getitem__(self, place: Any, /) -> Any:
        found = super().__getitem__(place)
        return Rows(found) if isinstance(place, slice) else found

    @property
    def columns(self) -> list[str]:
        """The names of the columns, in the order in which rows first have them."""
        return list(dict.fromkeys(name for row in self for name in row))

    def to_pandas(self) -> Any:
        """A data frame of pandas, a row for each. Raises: ConfigError where pandas is not installed."""
        try:
            import pandas
        except ImportError:
            raise ConfigError(
                "to_pandas: pandas is not installed; a data frame is its. Install it: python -m pip install pandas"
            ) from None
        return pandas.DataFrame(list(self), columns=self.columns)

    def __repr__(self) -> str:
        """The table in aligned columns: numbers on the right, words on the left."""
        if not self:
            return "no rows"
        first, last = self._shown()
        named = [_cut(one_line(name)) for name in self.columns]
        cells = [[_cut(each) for each in self._cells(row)] for row in (*first, *last)]
        is_number = [self._is_number(name) for name in self.columns]
        widths = [max(map(len, column)) for column in zip(named, *cells, strict=True)]
        lines = [
            "  ".join(_pad(cell, width, right) for cell, width, right in zip(row, widths, is_number, strict=True))
            for row in (named, *cells)
        ]
        if self._left_out:
            lines.insert(1 + len(first), f"... {self._left_out:,} more")
        return "\n".join(each.rstrip() for each in lines)

    def _repr_html_(self) -> str:
        """The table as a notebook shows it."""
        return table(self)

    @property
    def _left_out(self) -> int:
        """How many rows are not shown."""
        return max(0, len(self) - SHOWN)

    def _shown(self) -> tuple[Sequence[Row], Sequence[Row]]:
        """The rows above and below those that are left out."""
        return (self, ()) if not self._left_out else (self[: SHOWN // 2], self[-(SHOWN - SHOWN // 2) :])

    def _cells(self, row: Mapping[str, Any]) -> list[str]:
        return [_written(row.get(name)) for name in self.columns]

    def _is_number(self, name: str) -> bool:
        """Whether a column has nothing but numbers and gaps."""
        return all(_is_number(row[name]) for row in self if row.get(name) is not None)


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _written(value: Any) -> str:
    """A cell in a line of its own."""
    if value is None:
        return ""
    if not _is_number(value):
        return one_line(str(value))
    return f"{value:,}" if isinstance(value, Integral) else amount(value)


def _cut(text: str) -> str:
    return text if len(text) <= MOST_WIDTH else f"{text[: MOST_WIDTH - 3]}..."


_pad: Callable[[str, int, bool], str] = lambda text, width, right: text.rjust(width) if right else text.ljust(width)


__all__ = ["Rows"]
