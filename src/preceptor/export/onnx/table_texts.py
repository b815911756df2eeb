"""Columns of sentences as operators: n-grams hashed, weighted and turned, as `encoding.ngrams` and `encoding.texts`.

ONNX has no operator that takes text apart into letters. onnxruntime has one of its own, Tokenizer, by which a file that
has such a column is one for onnxruntime alone. All else is arithmetic in int64, which wraps around as Preceptor's does.
"""

import sys
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from preceptor.data.encoding.ngrams import BLANK, BUCKETS, CHARACTERS, END, LONGEST_TEXT, MIXING, PAIR, PRIME, WORD
from preceptor.data.encoding.texts import Text
from preceptor.data.tables.names import composed
from preceptor.export.onnx.builder import CONTRIB, ML, Builder
from preceptor.export.onnx.table_numbers import inverse
from preceptor.export.onnx.table_words import (
    BOOL,
    FLOAT32,
    FLOAT64,
    INT64,
    UINT64,
    either,
    is_missing,
    matches,
    refused,
    texts,
)

PAD, UNKNOWN = -1, 0xFFFD
# What is known of a letter, in the lowest bits of its number; above them stands the letter in lower case.
IN_WORD, DIGIT, CAPITAL, SIGN, CASED, SIGMA, DOTTED = (1 << bit for bit in range(7))
BITS = 7
FINAL_SIGMA, DOT = 0x3C2, 0x307  # of a sigma in capitals at the end of a word, and what a capital i with a dot leaves
STEP = 1024  # powers are looked up in two tables: of places within so many, and of multiples of it


@cache
def known_letters() -> dict[str, int]:
    """What is known of every letter that Unicode has, 140,000 of them, by the letter; PAD of none.

    Private and unassigned ones lack: they count as one letter, which is a sign.
    """
    found = {"": PAD}
    for code in range(sys.maxunicode + 1):
        if unicodedata.category(chr(code)) in ("Cn", "Co", "Cs"):
            continue
        letter = composed(chr(code))
        lower = letter.lower()
        plain = BLANK if letter.isspace() or not code else ord(lower[0])
        flags = {
            IN_WORD: lower[0].isalnum() or letter == "_",
            DIGIT: letter.isdigit(),
            CAPITAL: letter.isupper(),
            SIGN: not letter.isalnum() and not letter.isspace(),
            CASED: letter.isupper() or letter.islower() or letter.istitle(),
            SIGMA: letter == "\N{GREEK CAPITAL LETTER SIGMA}",
            DOTTED: lower[1:] == chr(DOT),
        }
        found[chr(code)] = plain << BITS | sum(flag for flag, is_so in flags.items() if is_so)
    return found


@cache
def not_composed() -> str:
    """A pattern of texts in which letters stand apart that Unicode has as one, or one that it has as several."""
    bases = defaultdict[str, list[str]](list)
    apart = []
    for code in range(sys.maxunicode + 1):
        letter = chr(code)
        parts = unicodedata.decomposition(letter).split()
        if len(composed(letter)) > 1:
            apart.append(letter)
        elif len(parts) == 2 and composed(letter) == letter and not parts[0].startswith("<"):
            bases[chr(int(parts[1], 16))].append(chr(int(parts[0], 16)))
    pairs = [f"[{_points(before)}]{_points([mark])}" for mark, before in bases.items()]
    pairs += [r"[\x{1100}-\x{1112}][\x{1161}-\x{1175}]", r"[\x{ac00}-\x{d7a3}][\x{11a8}-\x{11c2}]"]  # Hangul
    return f"(?s).*([{_points(apart)}]|{'|'.join(pairs)}).*"


def _points(letters: Sequence[str]) -> str:
    return "".join(f"\\x{{{ord(letter):x}}}" for letter in letters)


@dataclass(frozen=True)
class Line:
    """The letters of all rows one after another, blanks between, as `encoding.ngrams` has them.

    Args:
        letters: their code points, int64; in_word: which belong to words; rows: of which row each is.

    Shapes: (letter,) each.
    """

    letters: str
    in_word: str
    rows: str


def write_letters(builder: Builder, columns: Sequence[str]) -> list[str]:
    """What is known of the letters of some columns of text, with the table of all letters in it once.

    Shapes: columns (row, 1) each -> (row, place) each, int64, PAD behind the last letter.
    """
    if not columns:
        return []
    gaps = [is_missing(builder, column) for column in columns]
    whole = [either(builder, gap, texts(builder, ""), column) for gap, column in zip(gaps, columns, strict=True)]
    together = builder.node("Concat", *whole, axis=1) if len(whole) > 1 else whole[0]
    flat = builder.node("Reshape", together, builder.integers(-1))
    letters = builder.node("Tokenizer", flat, domain=CONTRIB, mark=0, pad_value="", separators=[""], mincharnum=1)
    known = known_letters()
    codes = builder.node(
        "LabelEncoder",
        builder.told(letters, str, 2),
        domain=ML,
        keys_strings=list(known),
        values_int64s=list(known.values()),
        default_int64=UNKNOWN << BITS | SIGN,
    )
    # A last column of PAD, so that there is one where all texts are empty.
    count = builder.node("Shape", flat)
    pad = builder.node("Expand", builder.integers(PAD), builder.node("Concat", count, builder.integers(1), axis=0))
    codes = builder.node("Concat", codes, pad, axis=1)
    shape = builder.node("Concat", builder.integers(-1, len(columns)), builder.node("Shape", codes, start=1), axis=0)
    apart = builder.node("Reshape", codes, shape)
    places = [builder.constant(np.array(place, np.int64), "column") for place in range(len(columns))]
    return [builder.node("Gather", apart, place, axis=1) for place in places]


def write_text(builder: Builder, column: Text, text: str, letters: str) -> str:
    """The features of a column of sentences. Shapes: text (row, 1), letters (row, place) -> (row, feature), float32."""
    assert column.learned is not None
    gap = is_missing(builder, text)
    cut = builder.node("Slice", letters, builder.integers(0), builder.integers(LONGEST_TEXT), builder.integers(1))
    known = either(builder, builder.node("Less", cut, _whole(builder, 0)), _whole(builder, 0), cut)
    is_letter = builder.node("GreaterOrEqual", cut, _whole(builder, 0))
    line = line_of(builder, known, is_letter)
    hashes, rows = hashes_of(builder, line)
    count = builder.node("Shape", text, start=0, end=1)
    parts = [_components(builder, column, hashes, rows, count), _looks(builder, column, known, is_letter, gap)]
    if column.missing:
        parts.append(builder.node("Cast", gap, to=FLOAT32))
    zero = refused(builder, matches(builder, text, not_composed()), "letters must be composed (NFC)")
    return builder.node("Add", builder.node("Concat", *parts, axis=1), zero)


def _looks(builder: Builder, column: Text, known: str, is_letter: str, gap: str) -> str:
    """How many letters, digits, capitals and signs, as `ngrams.looks`, brought to scale."""
    each = [is_letter, *(_has(builder, known, flag) for flag in (DIGIT, CAPITAL, SIGN))]
    counts = [builder.node("ReduceSum", _cast(builder, one, INT64), builder.integers(1), keepdims=1) for one in each]
    value = _cast(builder, builder.node("Add", builder.node("Concat", *counts, axis=1), _whole(builder, 1)), FLOAT64)
    shifted = builder.node("Sub", builder.node("Log", value), builder.constant(np.array([column.mean]), "mean"))
    scaled = builder.node("Mul", shifted, builder.constant(inverse(np.array([column.sd])), "scale"))
    return either(builder, gap, _zero(builder), _cast(builder, scaled, FLOAT32))


def line_of(builder: Builder, known: str, is_letter: str) -> Line:
    """The letters in one line, in lower case, spaces of any kind and number one blank. Shapes: (row, place) each."""
    code = builder.node("Div", known, _whole(builder, 1 << BITS))
    in_word = _has(builder, known, IN_WORD)
    cased = _has(builder, known, CASED)
    no = builder.constant(np.zeros((1, 1), bool), "no")
    zero = builder.node("ReduceSum", builder.node("Mul", known, _whole(builder, 0)), builder.integers(1), keepdims=1)
    none = _cast(builder, zero, BOOL)  # a column of what is false
    before = builder.node("Concat", none, _part(builder, cased, 0, -1, 1), axis=1)
    after = builder.node("Concat", _part(builder, cased, 1, LONGEST_TEXT + 1, 1), none, axis=1)
    is_last = builder.node("And", before, builder.node("Not", after))
    is_final = builder.node("And", _has(builder, known, SIGMA), is_last)
    code = either(builder, is_final, _whole(builder, FINAL_SIGMA), code)
    code = either(builder, is_letter, code, _whole(builder, PAD))
    dot = either(builder, _has(builder, known, DOTTED), _whole(builder, DOT), _whole(builder, PAD))
    blank = builder.node("Add", zero, _whole(builder, BLANK))
    codes = builder.node("Concat", blank, _alternating(builder, code, dot), blank, zero, axis=1)
    nowhere = builder.node("And", is_letter, no)
    words = builder.node("Concat", none, _alternating(builder, in_word, nowhere), none, none, axis=1)
    number = builder.node("CumSum", builder.node("Add", zero, _whole(builder, 1)), _scalar(builder, 0))
    rows = builder.node(
        "Add", builder.node("Mul", codes, _whole(builder, 0)), builder.node("Sub", number, _whole(builder, 1))
    )
    flat = [builder.node("Reshape", each, builder.integers(-1)) for each in (codes, words, rows)]
    flat = _chosen(builder, builder.node("GreaterOrEqual", flat[0], builder.integers(0)), *flat)
    blanks = builder.node("Equal", flat[0], builder.integers(BLANK))
    again = builder.node("And", blanks, _before(builder, blanks))
    flat = _chosen(builder, builder.node("Not", again), *flat)
    ends = [builder.constant(np.zeros(max(CHARACTERS), kind), "ends") for kind in (np.int64, bool, np.int64)]
    return Line(*(builder.node("Concat", each, end, axis=0) for each, end in zip(flat, ends, strict=True)))


def hashes_of(builder: Builder, line: Line) -> tuple[str, str]:
    """The numbers of the n-grams and their rows. Shapes: (n-gram,) each, int64."""
    runs = [*_characters(builder, line), *_words(builder, line)]
    code, rows = (builder.node("Concat", *each, axis=0) for each in zip(*runs, strict=True))
    for shift, factor in MIXING:
        by = builder.constant(np.array([shift], np.uint64), "by")
        wide = builder.node("BitShift", _cast(builder, code, UINT64), by, direction="RIGHT")  # of uint64: zeros come in
        code = builder.node(
            "Mul", builder.node("BitwiseXor", code, _cast(builder, wide, INT64)), _wrapped(builder, factor)
        )
    return builder.node("BitwiseAnd", code, builder.integers(BUCKETS - 1)), rows


def _characters(builder: Builder, line: Line) -> list[tuple[str, str]]:
    """Codes and rows of runs of characters that have a blank at most at their ends."""
    blank, end = (builder.node("Equal", line.letters, builder.integers(each)) for each in (BLANK, END))
    filled = builder.node("Not", builder.node("Or", blank, end))
    code, whole, found = line.letters, "", []
    for length in range(2, CHARACTERS[-1] + 1):
        grown = builder.node("Mul", _part(builder, code, 0, -1), _wrapped(builder, PRIME))
        code = builder.node("Add", grown, _part(builder, line.letters, length - 1))
        if length > 2:
            inner = _part(builder, filled, length - 2, -1)
            whole = inner if length == 3 else builder.node("And", _part(builder, whole, 0, -1), inner)
        if length in CHARACTERS:
            rows = _part(builder, line.rows, 0, 1 - length)
            told = builder.node("Add", code, builder.integers(length))
            one, own = _chosen(builder, whole, told, rows)
            found.append((one, own))
    return found


def _words(builder: Builder, line: Line) -> list[tuple[str, str]]:
    """Codes and rows of words, then of two words one after the other in a row."""
    behind = builder.node("Concat", _part(builder, line.in_word, 1), builder.constant(np.zeros(1, bool), "no"), axis=0)
    is_start = builder.node("And", line.in_word, builder.node("Not", _before(builder, line.in_word)))
    is_end = builder.node("And", line.in_word, builder.node("Not", behind))
    ones = _cast(builder, is_start, INT64)
    number = builder.node("CumSum", ones, _scalar(builder, 0))
    length = builder.node("Squeeze", builder.node("Shape", line.letters), builder.integers(0))
    all_places = builder.node("Range", _scalar(builder, 0), length, _scalar(builder, 1))
    [starts] = _chosen(builder, is_start, all_places)
    [ends] = _chosen(builder, is_end, all_places)
    first = builder.node("Gather", builder.node("Concat", builder.integers(0), starts, axis=0), number)
    place = either(builder, line.in_word, builder.node("Sub", all_places, first), builder.integers(0))
    low, high = _powers()
    power = builder.node(
        "Mul",
        *(
            builder.node("Gather", builder.constant(table, "powers"), builder.node(op, place, builder.integers(STEP)))
            for table, op in ((low, "Mod"), (high, "Div"))
        ),
    )
    parts = either(builder, line.in_word, builder.node("Mul", line.letters, power), builder.integers(0))
    sums = builder.node("CumSum", parts, _scalar(builder, 0))
    code = builder.node("Sub", builder.node("Gather", sums, ends), builder.node("Gather", sums, starts))
    code = builder.node("Add", code, builder.node("Gather", parts, starts))
    rows = builder.node("Gather", line.rows, starts)
    words = builder.node("Add", code, _wrapped(builder, WORD)), rows
    one, other = _part(builder, code, 0, -1), _part(builder, code, 1)
    both = builder.node("BitwiseXor", builder.node("Mul", one, _wrapped(builder, PAIR)), other)
    both = builder.node("Add", both, _wrapped(builder, PAIR))
    row = _part(builder, rows, 0, -1)
    pairs = _chosen(builder, builder.node("Equal", row, _part(builder, rows, 1)), both, row)
    return [words, (pairs[0], pairs[1])]


def _powers() -> tuple[np.ndarray, np.ndarray]:
    """PRIME to the power of 1 .. STEP, and of the multiples of STEP. Shapes: (place,) each, int64, wrapped around."""
    most = LONGEST_TEXT // STEP + 2
    low = np.multiply.accumulate(np.full(STEP, PRIME))
    high = np.multiply.accumulate(np.append(np.uint64(1), np.full(most, low[-1])))
    return low.astype(np.int64), high.astype(np.int64)


def _components(builder: Builder, column: Text, hashes: str, rows: str, count: str) -> str:
    """The components of the n-grams that are known. Args: count: of the rows. Shapes: -> (row, component), float32."""
    learned = column.learned
    assert learned is not None
    known = learned.ngrams.astype(int).tolist()
    which = builder.node(
        "LabelEncoder",
        hashes,
        domain=ML,
        keys_int64s=known,
        values_int64s=list(range(len(known))),
        default_int64=-1,
    )
    is_known = builder.node("GreaterOrEqual", which, builder.integers(0))
    pair = [builder.node("Unsqueeze", each, builder.integers(1)) for each in _chosen(builder, is_known, rows, which)]
    places = builder.node("Concat", *pair, axis=1)
    ones = builder.node(
        "Expand", builder.constant(np.ones(1, np.float32), "one"), builder.node("Shape", places, start=0, end=1)
    )
    shape = builder.node("Concat", count, builder.integers(len(known)), axis=0)
    empty = builder.node("Expand", builder.constant(np.zeros(1, np.float32), "zero"), shape)
    times = builder.node("ScatterND", empty, places, ones, reduction="add")
    one = builder.constant(np.ones((1, 1), np.float32), "one")
    often = builder.node("Add", builder.node("Log", builder.node("Max", times, one)), one)
    weighted = builder.node("Mul", often, builder.constant(learned.weights[None], "weights"))
    weighted = either(builder, builder.node("Greater", times, _zero(builder)), weighted, _zero(builder))
    length = builder.node("ReduceL2", weighted, builder.integers(1), keepdims=1)
    is_there = builder.node("Greater", length, _zero(builder))
    shares = builder.node("Div", weighted, either(builder, is_there, length, one))
    made = builder.node("MatMul", shares, builder.constant(learned.matrix, "matrix"))
    made = builder.node("Sub", made, builder.constant(learned.shift[None], "shift"))
    return either(builder, is_there, made, _zero(builder))


def _alternating(builder: Builder, first: str, second: str) -> str:
    """Values of two, one of each in turn. Shapes: (row, place) each -> (row, 2 * place)."""
    both = builder.node(
        "Concat", *(builder.node("Unsqueeze", each, builder.integers(2)) for each in (first, second)), axis=2
    )
    return builder.node("Reshape", both, builder.integers(0, -1))


def _chosen(builder: Builder, condition: str, *values: str) -> list[str]:
    return [builder.node("Compress", each, condition, axis=0) for each in values]


def _before(builder: Builder, condition: str) -> str:
    """What holds of the place before. Shapes: (place,), bool, kept."""
    return builder.node("Concat", builder.constant(np.zeros(1, bool), "no"), _part(builder, condition, 0, -1), axis=0)


def _has(builder: Builder, known: str, flag: int) -> str:
    bits = builder.node("BitwiseAnd", known, _whole(builder, flag))
    return builder.node("Equal", bits, _whole(builder, flag))


def _part(builder: Builder, value: str, start: int, stop: int = np.iinfo(np.int64).max, axis: int = 0) -> str:
    return builder.node("Slice", value, *(builder.integers(each) for each in (start, stop, axis)))


def _cast(builder: Builder, value: str, kind: int) -> str:
    return builder.node("Cast", value, to=kind)


def _whole(builder: Builder, number: int) -> str:
    return builder.constant(np.array([[number]], np.int64), "whole")


def _wrapped(builder: Builder, number: np.uint64) -> str:
    """The whole number of int64 that has the same bits."""
    return builder.integers(int(number.astype(np.int64)))


def _scalar(builder: Builder, number: int) -> str:
    return builder.constant(np.array(number, np.int64), "scalar")


def _zero(builder: Builder) -> str:
    return builder.constant(np.zeros((1, 1), np.float32), "zero")
