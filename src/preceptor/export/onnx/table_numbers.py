"""Numbers of a table as ONNX operators: brought to scale in float64, mixed, and refused where they are not finite."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np

from preceptor.data.affine import Affine
from preceptor.data.encoding.mixing import Mixing
from preceptor.export.onnx.builder import Builder
from preceptor.export.onnx.table_words import FLOAT32, FLOAT64, either, refused

TOO_LARGE = "a number is infinite or far too large"


@dataclass(frozen=True, eq=False)
class Scaled:
    """Numbers that are brought to scale, and where they go.

    Args:
        value: the numbers. Shapes: (row, number), float64, NaN where missing.
        shift, scale: of each. Shapes: (number,), float64.
        places: of each among the features. Shapes: (number,).
        flags: which of them have a feature that says whether they are missing, and `flag_places`: where these are.
        bend: as of `Numbers`.
    """

    value: str
    shift: np.ndarray
    scale: np.ndarray
    places: np.ndarray
    flags: np.ndarray
    flag_places: np.ndarray
    bend: float = 0.0


def inverse(sd: np.ndarray) -> np.ndarray:
    """1 / sd, and 0 where it is 0. Shapes: kept."""
    return np.divide(1, sd, out=np.zeros_like(sd), where=sd > 0)


def write_numbers(builder: Builder, columns: Sequence[Scaled]) -> list[tuple[str, np.ndarray]]:
    """The features of numbers, float32, each with its places: those without a bend together, then those of each bend.

    Shapes: -> (row, feature) and (feature,) of each.
    """
    found = []
    for bend in sorted({column.bend for column in columns}):
        found += _of_bend(builder, [column for column in columns if column.bend == bend], bend)
    return found


def _of_bend(builder: Builder, columns: Sequence[Scaled], bend: float) -> list[tuple[str, np.ndarray]]:
    value = joined(builder, [column.value for column in columns])
    shift, scale = (np.concatenate([getattr(each, name) for each in columns])[None] for name in ("shift", "scale"))
    gaps = builder.node("IsNaN", value)
    scaled = builder.node("Sub", value, builder.constant(shift, "shift"))
    scaled = builder.node("Mul", scaled, builder.constant(scale, "scale"))
    scaled = either(builder, gaps, builder.constant(np.zeros((1, 1)), "zero"), scaled)
    narrow = builder.node("Cast", scaled, to=FLOAT32)
    zero = refused(builder, _not_finite(builder, narrow), TOO_LARGE)
    if bend:
        square = builder.node("Div", scaled, builder.constant(np.array([[bend]]), "bend"))
        square = builder.node("Mul", square, square)
        root = builder.node("Sqrt", builder.node("Add", square, builder.constant(np.ones((1, 1)), "one")))
        narrow = builder.node("Cast", builder.node("Div", scaled, root), to=FLOAT32)
    found = [(builder.node("Add", narrow, zero), np.concatenate([each.places for each in columns]))]
    starts = np.cumsum([0, *(len(each.shift) for each in columns)])
    flags = np.concatenate([start + each.flags for start, each in zip(starts, columns, strict=False)]).astype(np.int64)
    if len(flags):
        own = gaps
        if len(flags) < starts[-1] or (flags != np.arange(len(flags))).any():
            own = builder.node("Gather", gaps, builder.constant(flags, "flags"), axis=1)
        places = np.concatenate([each.flag_places for each in columns])
        found.append((builder.node("Cast", own, to=FLOAT32), places))
    return found


def write_mixing(builder: Builder, mixing: Mixing, x: str, numbers: int) -> str:
    """All numbers of a row mixed. Shapes: x (row, number) -> (row, feature), float32."""
    if mixing.products is not None:
        made = _products(builder, x, numbers, mixing.degree)
        x = builder.node("Concat", x, write_affine(builder, mixing.products, made), axis=1)
    if mixing.turn is not None:
        x = write_affine(builder, mixing.turn, x)
    return builder.node("Add", x, refused(builder, _not_finite(builder, x), TOO_LARGE))


def write_affine(builder: Builder, affine: Affine, x: str) -> str:
    """A shift and a scale in float32, or a shift and a matrix in float64, as `Affine` itself. Shapes: x (row, ...)."""
    if affine.matrix is None:
        x = builder.node("Sub", x, builder.constant(affine.shift.astype(np.float32), "shift"))
        if affine.scale is None:
            return x
        return builder.node("Mul", x, builder.constant(affine.scale.astype(np.float32), "scale"))
    flat = builder.node("Reshape", x, builder.integers(-1, len(affine.matrix)))
    wide = builder.node("Cast", flat, to=FLOAT64)
    wide = builder.node("Sub", wide, builder.constant(affine.shift.reshape(1, -1).astype(np.float64), "shift"))
    wide = builder.node("MatMul", wide, builder.constant(affine.matrix.astype(np.float64), "matrix"))
    made = builder.node("Cast", wide, to=FLOAT32)
    return made if affine.shape is None else builder.node("Reshape", made, builder.integers(-1, *affine.shape.tolist()))


def joined(builder: Builder, values: Sequence[str]) -> str:
    """Values beside each other. Shapes: (row, any) each."""
    return values[0] if len(values) == 1 else builder.node("Concat", *values, axis=1)


def _products(builder: Builder, x: str, width: int, degree: int) -> str:
    """The products of 2 to `degree` numbers, in the order of `affine.polynomial_features`."""
    powers, before = [], x
    known: dict[tuple[int, ...], int] = {(number,): number for number in range(width)}
    for power in range(2, degree + 1):
        chosen = list(combinations_with_replacement(range(width), power))
        rest = np.array([known[each[:-1]] for each in chosen])
        last = np.array([each[-1] for each in chosen])
        factors = [
            builder.node("Gather", value, builder.constant(places, "places"), axis=1)
            for value, places in ((before, rest), (x, last))
        ]
        before = builder.node("Mul", *factors)
        powers.append(before)
        known = {each: place for place, each in enumerate(chosen)}
    return joined(builder, powers)


def _not_finite(builder: Builder, x: str) -> str:
    return builder.node("Or", builder.node("IsInf", x), builder.node("IsNaN", x))
