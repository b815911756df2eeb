"""Columns of levels and of truth values as ONNX operators."""

import unicodedata
from collections.abc import Mapping

import numpy as np

from preceptor.data.encoding.levels import Categories, Codes, Pair
from preceptor.data.encoding.truth import Truth
from preceptor.export.onnx.builder import ML, Builder
from preceptor.export.onnx.table_words import (
    FLOAT32,
    FLOAT64,
    INT64,
    NUMBER,
    TEXT,
    alone,
    either,
    is_missing,
    matches,
    refused,
    texts,
)

NONE = -9  # no code of a level
WHOLE = 2.0**53  # float64 holds all whole numbers up to it


def write_levels(builder: Builder, column: Categories | Pair | Codes, text: str) -> str:
    """The features of a column of levels. Shapes: text (row, 1) -> (row, feature), float32."""
    if isinstance(column, Codes):
        return _cast(builder, _code(builder, text, {level: n for n, level in enumerate(column.levels, 2)}, 1, 0))
    if isinstance(column, Pair):
        code = _code(builder, text, {column.levels[0]: -1, column.levels[1]: 1}, 2, 0)
        is_gap = builder.node("Equal", code, _number(builder, 2))
        value = _cast(builder, either(builder, is_gap, _number(builder, 0), code))
        return builder.node("Concat", value, _cast(builder, is_gap), axis=1) if column.missing else value
    other = len(column.levels) if column.other else NONE
    gap = len(column.levels) + column.other if column.missing else NONE
    code = _code(builder, text, {level: n for n, level in enumerate(column.levels)}, gap, other)
    return _cast(builder, builder.node("Equal", code, builder.constant(np.arange(column.features)[None], "levels")))


def write_truth(builder: Builder, column: Truth, text: str) -> str:
    """The features of a column of truth values. Shapes: text (row, 1) -> (row, feature), float32."""
    yes = matches(builder, text, alone(r"[tT][rR][uU][eE]|1|1\.0"))
    no = matches(builder, text, alone(r"[fF][aA][lL][sS][eE]|0|0\.0"))
    gap = is_missing(builder, text)
    known = builder.node("Or", builder.node("Or", yes, no), gap)
    zero = refused(builder, builder.node("Not", known), "true or false is needed")
    mean = builder.constant(np.array([[column.mean]], np.float32), "mean")
    value = builder.node("Add", either(builder, gap, mean, _cast(builder, yes)), zero)
    return builder.node("Concat", value, _cast(builder, gap), axis=1) if column.missing else value


def _code(builder: Builder, text: str, codes: Mapping[str, int], missing: int, other: int) -> str:
    """The number of each level, as `encoding.levels.as_levels` reads it: a text that is no level may be missing, or
    another way to write a whole number that is one. Shapes: text (row, 1) -> (row, 1), int64."""
    rest = _number(builder, other)
    if missing != other:
        rest = either(builder, is_missing(builder, text), _number(builder, missing), rest)
    if not codes:
        return rest
    whole = {level: code for level, code in codes.items() if _is_whole(level)}
    if whole:
        meant = _looked_up(builder, _as_whole(builder, text), whole)
        rest = either(builder, builder.node("Equal", meant, _number(builder, NONE)), rest, meant)
    found = _looked_up(builder, text, codes)
    return either(builder, builder.node("Equal", found, _number(builder, NONE)), rest, found)


def _looked_up(builder: Builder, text: str, codes: Mapping[str, int]) -> str:
    apart = {unicodedata.normalize("NFD", level): code for level, code in codes.items()}  # as some systems write them
    known = apart | dict(codes)
    keys, values = list(known), list(known.values())
    return builder.node("LabelEncoder", text, domain=ML, keys_strings=keys, values_int64s=values, default_int64=NONE)


def _is_whole(level: str) -> bool:
    """Whether a level is a whole number as Python writes it."""
    return level.lstrip("-").isdecimal() and level.isascii() and str(int(level)) == level


def _as_whole(builder: Builder, text: str) -> str:
    """Texts that are whole numbers as Python writes these: 7 for 7.0; any other is empty. Shapes: kept."""
    is_number = matches(builder, text, alone(NUMBER))
    number = builder.node("Cast", either(builder, is_number, text, texts(builder, "0.5")), to=FLOAT64)
    floor = builder.node("Floor", number)
    most = builder.constant(np.array([[WHOLE]]), "most")
    small = builder.node("LessOrEqual", builder.node("Abs", number), most)
    is_whole = builder.node("And", builder.node("Equal", number, floor), small)
    plain = builder.node(
        "Cast", either(builder, is_whole, number, builder.constant(np.zeros((1, 1)), "zero")), to=INT64
    )
    return either(builder, is_whole, builder.node("Cast", plain, to=TEXT), texts(builder, ""))


def _cast(builder: Builder, value: str) -> str:
    return builder.node("Cast", value, to=FLOAT32)


def _number(builder: Builder, value: int) -> str:
    return builder.constant(np.array([[value]], np.int64), "code")
