"""From the raw columns of a table to the features of a network, as ONNX operators."""

from typing import Any

import numpy as np

from preceptor.data import Preprocessor
from preceptor.data.encoding.dates import Dates
from preceptor.data.encoding.levels import Categories, Codes, Pair
from preceptor.data.encoding.numbers import Numbers
from preceptor.data.encoding.preprocessor import Feature
from preceptor.data.encoding.spans import Span
from preceptor.data.encoding.texts import Text
from preceptor.data.encoding.truth import Truth
from preceptor.export.onnx.builder import Builder
from preceptor.export.onnx.table_dates import Parsed, write_dates
from preceptor.export.onnx.table_levels import write_levels, write_truth
from preceptor.export.onnx.table_numbers import Scaled, inverse, joined, write_mixing, write_numbers
from preceptor.export.onnx.table_texts import write_letters, write_text

__all__ = ["declare_columns", "kind_of", "write_table"]


def kind_of(column: Feature) -> tuple[Any, int] | None:
    """The dtype of a column's input and how many values it has of each row; None where it has no input of its own.

    Numbers are float64, NaN where missing; all else is text, "" where missing.
    """
    if isinstance(column, Span):
        return None
    return (np.float64, column.width or 1) if isinstance(column, Numbers) else (str, 1)


def declare_columns(builder: Builder, preprocessor: Preprocessor) -> dict[str, str]:
    """Declares an input for each column that the network needs, under its name, and gives them by it."""
    kinds = {column.name: kind for column in preprocessor.columns if (kind := kind_of(column)) is not None}
    return {name: builder.input(name, dtype, (width,)) for name, (dtype, width) in kinds.items()}


def write_table(builder: Builder, preprocessor: Preprocessor, inputs: dict[str, str]) -> str:
    """The features of the columns, each step as `Preprocessor.transform` has it. Shapes: -> (row, feature), float32."""
    parts: list[tuple[str, np.ndarray]] = []
    numbers: list[Scaled] = []
    dates: dict[str, Parsed] = {}
    sentences = [column.name for column in preprocessor.columns if isinstance(column, Text)]
    letters = dict(zip(sentences, write_letters(builder, [inputs[each] for each in sentences]), strict=True))
    start = 0
    for column in preprocessor.columns:
        places = np.arange(start, start + column.features)
        start += column.features
        with builder.at(column.name):
            if isinstance(column, Numbers):
                numbers.append(_numbers(column, inputs[column.name], places))
            elif isinstance(column, Dates):
                parsed = dates[column.name] = write_dates(builder, column, inputs[column.name])
                numbers.append(_days(column, parsed, places))
                if parsed.cycles is not None:
                    parts.append((parsed.cycles, places[1 : 1 + 2 * len(column.cycles)]))
            elif isinstance(column, Span):
                between = builder.node("Sub", dates[column.second].days, dates[column.first].days)
                numbers.append(_span(column, between, places))
            elif isinstance(column, Truth):
                parts.append((write_truth(builder, column, inputs[column.name]), places))
            elif isinstance(column, Categories | Pair | Codes):
                parts.append((write_levels(builder, column, inputs[column.name]), places))
            else:
                parts.append((write_text(builder, column, inputs[column.name], letters[column.name]), places))
    parts += write_numbers(builder, numbers) if numbers else []
    x = joined(builder, [value for value, _ in parts])
    places = np.concatenate([places for _, places in parts])
    if preprocessor.mixing is None:
        return _ordered(builder, x, places, np.arange(start))
    mixed = _ordered(builder, x, places, preprocessor.number_places)
    mixed = write_mixing(builder, preprocessor.mixing, mixed, len(preprocessor.number_places))
    if not len(preprocessor.other_places):
        return mixed
    return builder.node("Concat", _ordered(builder, x, places, preprocessor.other_places), mixed, axis=1)


def _ordered(builder: Builder, x: str, places: np.ndarray, wanted: np.ndarray) -> str:
    """The features of the wanted places, in their order. Shapes: x (row, feature), of `places`."""
    if np.array_equal(places, wanted):
        return x
    where = np.empty(len(places), np.int64)
    where[places] = np.arange(len(places))
    return builder.node("Gather", x, builder.constant(where[wanted], "order"), axis=1)


def _numbers(column: Numbers, value: str, places: np.ndarray) -> Scaled:
    width = column.width or 1
    shift, sd = (np.broadcast_to(np.array(each, np.float64), (width,)) for each in (column.mean, column.sd))
    return Scaled(
        value, shift, inverse(sd), places[:width], np.array(column.flags, np.int64), places[width:], column.bend
    )


def _days(column: Dates, parsed: Parsed, places: np.ndarray) -> Scaled:
    flags = np.arange(int(column.missing))
    shift, scale = np.array([column.mean]), inverse(np.array([column.sd]))
    return Scaled(parsed.days, shift, scale, places[:1], flags, places[len(places) - len(flags) :])


def _span(column: Span, value: str, places: np.ndarray) -> Scaled:
    flags = np.arange(int(column.missing))
    shift, scale = np.array([column.mean]), inverse(np.array([column.sd]))
    return Scaled(value, shift, scale, places[:1], flags, places[1:], column.bend)
