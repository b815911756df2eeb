"""The columns behind the features: which features a column becomes, what they say of its values, and the reverse."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from preceptor.data import Preprocessor
from preceptor.data.encoding.dates import Dates
from preceptor.data.encoding.levels import Categories, Codes, Pair
from preceptor.data.encoding.numbers import Numbers
from preceptor.data.encoding.place import Place
from preceptor.data.encoding.preprocessor import Feature
from preceptor.data.encoding.spans import Span
from preceptor.data.encoding.truth import Truth

__all__ = ["Source", "Sources"]

MISSING, ANOTHER = "missing", "another"  # of levels that have no word of their own
HERE = Place("")
SECONDS = 86_400  # of a day
DIGITS = 6  # that are told of a number: float32 has seven


@dataclass(frozen=True, eq=False)
class Source:
    """A column of the data, or one number of a block, and the features that it becomes.

    Args:
        name: of the column, "pixels[3]" of a number of a block.
        column: what was learned of it.
        places: (feature,) where its features lie in what the columns make.
        number: which number of a block it is; 0 of any other column.
    """

    name: str
    column: Feature
    places: np.ndarray
    number: int = 0

    @property
    def is_number(self) -> bool:
        """Whether its values are numbers, dates as days since 1970 among them."""
        return isinstance(self.column, Numbers | Dates)

    def values(self, z: np.ndarray) -> np.ndarray:
        """The numbers behind the features, to six digits; NaN where they are flagged as missing. What is missing
        without a flag stands as the mean.

        Shapes: z (row, feature), of all columns -> (row,), float64.
        """
        own = z[:, self.places].astype(np.float64)
        column, scaled = self.column, own[:, 0]
        if isinstance(column, Dates):
            found = np.round((scaled * column.sd + column.mean) * SECONDS) / SECONDS
            flagged = column.missing
        else:
            assert isinstance(column, Numbers)
            mean, sd = (each[self.number if len(each) > 1 else 0] for each in (column.mean, column.sd))
            if column.bend:
                inside = np.clip(scaled / column.bend, -1 + 1e-7, 1 - 1e-7)
                scaled = scaled / np.sqrt(1 - inside * inside)
            found, flagged = rounded(scaled * sd + mean, sd), len(self.places) > 1
        return np.where(own[:, -1] > 0, np.nan, found) if flagged else found

    def encoded(self, values: np.ndarray) -> np.ndarray:
        """The features of numbers, or of days since 1970. Shapes: values (value,) -> (value, feature), float32."""
        out = np.zeros((len(values), len(self.places)), np.float32)
        column = self.column
        if isinstance(column, Dates):
            column.fill(out, column.prepare(HERE, (values * SECONDS).astype(np.int64).view("M8[s]")))
            return out
        assert isinstance(column, Numbers)
        mean, sd = (each[self.number if len(each) > 1 else 0] for each in (column.mean, column.sd))
        flags = (0,) if len(self.places) > 1 else ()
        Numbers(column.name, None, (mean,), (sd,), flags, column.bend).fill(out, values[:, None])
        return out

    @cached_property
    def levels(self) -> tuple[str, ...]:
        """The words that its values may be, of truth values and categories; none of any other column."""
        column = self.column
        if isinstance(column, Truth):
            return ("false", "true", *([MISSING] * column.missing))
        if isinstance(column, Pair):
            return (*column.levels, *([MISSING] * column.missing))
        if isinstance(column, Categories):
            return (*column.levels, *([ANOTHER] * column.other), *([MISSING] * column.missing))
        return (ANOTHER, MISSING, *column.levels) if isinstance(column, Codes) else ()

    def chosen(self, z: np.ndarray) -> np.ndarray:
        """Which of its levels each row has, -1 for none of them. Shapes: z as of `values` -> (row,), int64."""
        own, column = z[:, self.places], self.column
        if isinstance(column, Codes):
            return own[:, 0].astype(np.int64)
        if isinstance(column, Categories):
            return np.where(own.any(axis=1), own.argmax(axis=1), -1)
        first, second = (0.0, 1.0) if isinstance(column, Truth) else (-1.0, 1.0)
        found = np.where(own[:, 0] == second, 1, np.where(own[:, 0] == first, 0, -1))
        return np.where(own[:, 1] > 0, 2, found) if len(self.places) > 1 else found

    def encoded_levels(self) -> np.ndarray:
        """The features of each of its levels. Shapes: -> (level, feature), float32."""
        column, count = self.column, len(self.levels)
        if isinstance(column, Codes):
            return np.arange(count, dtype=np.float32)[:, None]
        if isinstance(column, Categories):
            return np.eye(count, dtype=np.float32)
        out = np.zeros((count, len(self.places)), np.float32)
        if isinstance(column, Truth):
            column.fill(out, np.array([0, 1, np.nan])[:count, None])
        else:
            assert isinstance(column, Pair)
            column.fill(out, np.array([-1, 1, 2])[:count])
        return out


@dataclass(frozen=True, eq=False)
class Sources:
    """All columns behind what a preprocessor makes, and the days between each two columns of dates.

    Were these to follow one date that is changed alone, they would be what no row has, and tell more of that than of
    the date.

    "What the columns make" is `z`, the features before numbers are mixed; `x` is what a network takes.
    """

    preprocessor: Preprocessor

    @cached_property
    def each(self) -> tuple[Source, ...]:
        """The columns, in order; the numbers of a block one by one."""
        found, start = list[Source](), 0
        for column in self.preprocessor.columns:
            if isinstance(column, Numbers):
                flags = {number: start + (column.width or 1) + at for at, number in enumerate(column.flags)}
                for number, name in enumerate(column.numbers):
                    places = np.array([start + number, *([flags[number]] if number in flags else [])])
                    found.append(Source(name, column, places, number))
            else:
                own = _as_numbers(column) if isinstance(column, Span) else column
                found.append(Source(column.name, own, np.arange(start, start + column.features)))
            start += column.features
        return tuple(found)

    @property
    def is_mixed(self) -> bool:
        """Whether features are of several columns, so that these cannot be read from them."""
        return self.preprocessor.mixing is not None

    @property
    def multiplications(self) -> int:
        """Those of mixing the numbers of a row."""
        mixing = self.preprocessor.mixing
        turn = None if mixing is None or mixing.turn is None else mixing.turn.matrix
        return 0 if turn is None else turn.size

    def features(self, z: np.ndarray) -> np.ndarray:
        """What a network takes of what the columns make. Shapes: (row, feature) -> (row, feature)."""
        made = self.preprocessor
        if made.mixing is None:
            return z
        mixed = made.mixing(np.ascontiguousarray(z[:, made.number_places]))
        return np.concatenate([z[:, made.other_places], mixed], 1).astype(np.float32)

    def slopes(self, slope: np.ndarray) -> np.ndarray:
        """The slope by what the columns make, from the slope by what a network takes; of products of numbers that by
        the numbers alone is taken. Shapes: (row, feature) -> (row, feature)."""
        made = self.preprocessor
        if made.mixing is None:
            return slope
        others, numbers = len(made.other_places), len(made.number_places)
        own, turn = slope[:, others:], made.mixing.turn
        if turn is not None and turn.matrix is not None:
            own = own @ turn.matrix.T.astype(np.float64)
        out = np.zeros((len(slope), others + numbers))
        out[:, made.other_places], out[:, made.number_places] = slope[:, :others], own[:, :numbers]
        return out


def _as_numbers(span: Span) -> Numbers:
    """The days between two dates as a column of numbers, which they are but for where they come from."""
    return Numbers(span.name, None, (span.mean,), (span.sd,), (0,) if span.missing else (), span.bend)


def rounded(values: np.ndarray, scale: float) -> np.ndarray:
    """Numbers to six digits of themselves, or of their scale where they are smaller. Shapes: any, kept; float64."""
    size = np.maximum(np.abs(values), abs(scale))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        factor = 10.0 ** np.clip(DIGITS - 1 - np.floor(np.log10(size)), -300, 300)
        out = np.round(values * factor) / factor
    return np.where(np.isfinite(out), out, values)
