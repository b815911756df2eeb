"""What columns of text have in common in a graph: which fields are missing, which are numbers, and what is refused."""

from preceptor.data.tables.tokens import MISSING_WORDS
from preceptor.export.onnx.builder import Builder

FLOAT32, INT64, TEXT, BOOL, FLOAT64, UINT64 = 1, 7, 8, 9, 11, 13  # as ONNX numbers the types of elements
# What Python takes for a space; in patterns \s stands for fewer.
BLANKS = r"[\t-\r\x1c-\x20\x85\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]*"
# A number that is finite in float64, as Python reads it.
NUMBER = r"[+-]?([0-9]{1,100}(\.[0-9]{0,40})?|\.[0-9]{1,40})([eE][+-]?0{0,9}[0-9]{1,2})?"
LITERAL = "?-+.*()[]{}|^$\\/"
NO_NUMBER = "no number"  # of which a cast to a number makes an error


def alone(pattern: str) -> str:
    """A pattern with any spaces around it."""
    return f"{BLANKS}({pattern}){BLANKS}"


def matches(builder: Builder, text: str, pattern: str) -> str:
    """Which texts are of a pattern, all of them. Shapes: text any -> the same, bool."""
    return builder.node("RegexFullMatch", text, pattern=pattern)


def is_missing(builder: Builder, text: str) -> str:
    """Which fields stand for a missing value, as `tokens.is_missing`. Shapes: text any -> the same, bool."""
    words = "|".join("".join(f"\\{sign}" if sign in LITERAL else sign for sign in word) for word in MISSING_WORDS)
    return matches(builder, text, alone(words))


def either(builder: Builder, condition: str, yes: str, no: str) -> str:
    """`yes` where the condition holds, else `no`. Shapes: broadcast to each other."""
    return builder.node("Where", condition, yes, no)


def texts(builder: Builder, text: str) -> str:
    """A constant text. Shapes: (1, 1)."""
    return builder.constant([[text]], "text")


def refused(builder: Builder, bad: str, why: str) -> str:
    """A zero for each row, of which the session makes an error where something of the row is bad.

    ONNX has no operator that raises. A text that is no number cannot be cast to one: the runtime refuses the batch,
    and names the operator, whose name is the reason.

    Shapes: bad (row, any), bool -> (row, 1), float32.
    """
    with builder.at(why):
        row = builder.node("ReduceMax", builder.node("Cast", bad, to=FLOAT32), builder.integers(1), keepdims=1)
        found = builder.node("Cast", row, to=BOOL)
        return builder.node("Cast", either(builder, found, texts(builder, NO_NUMBER), texts(builder, "0")), to=FLOAT32)
