"""What is done to a column of a table, in a word and in a sentence."""

from preceptor.data import Preprocessor, Target
from preceptor.data.encoding.dates import Dates
from preceptor.data.encoding.levels import Categories, Codes, Pair
from preceptor.data.encoding.mixing import SCALINGS, TURNS
from preceptor.data.encoding.numbers import Numbers
from preceptor.data.encoding.preprocessor import Feature
from preceptor.data.encoding.texts import Text
from preceptor.data.encoding.truth import Truth
from preceptor.words import amount, listing

__all__ = ["how_handled", "how_told", "kind_of_column"]

MIXED = {
    "pca": "turned, with the other numbers, onto the principal components",
    "whiten": "turned, with the other numbers, onto the principal components, each brought to variance 1",
    "zca": "whitened with the other numbers",
}


def kind_of_column(column: Feature) -> str:
    """What a column is, in a word."""
    if isinstance(column, Numbers):
        return "number" if column.width is None else "block"
    if isinstance(column, Truth):
        return "truth"
    if isinstance(column, Dates):
        return "date"
    return "text" if isinstance(column, Text) else "category"


def how_handled(column: Feature, learned: Preprocessor) -> str:
    """How a column becomes features, in a sentence or two."""
    if isinstance(column, Numbers):
        return _numbers(column, learned)
    flagged = " Whether it is missing is a feature of its own."
    if isinstance(column, Truth):
        return "0 or 1." + (" Missing counts as the share of true, and is flagged." if column.missing else "")
    if isinstance(column, Categories):
        if not column.levels:
            return "Only whether it is missing is kept."
        return f"One feature per level ({column.levels_text})."
    if isinstance(column, Pair):
        return f"-1 is {column.levels[0]}, 1 is {column.levels[1]}." + (flagged if column.missing else "")
    if isinstance(column, Codes):
        return f"A learned vector for each of {len(column.levels):,} levels."
    if isinstance(column, Dates):
        cycles = listing(f"the {each}" for each in column.cycles)
        said = f"The day as a number, and the place in {cycles}." if cycles else "The day as a number."
        return said + (flagged if column.missing else "")
    if isinstance(column, Text):
        said = f"{column.components:,} main directions of its n-grams, and how it looks: {column.features:,} numbers."
        return said + (flagged if column.missing else "")
    return f"The days between {column.first} and {column.second}."


def _numbers(column: Numbers, learned: Preprocessor) -> str:
    how = SCALINGS[learned.scaling]
    if column.width is not None:
        is_one = len(column.mean) == 1 and column.width != 1
        said = "one mean and deviation for all" if is_one else f"each {how}"
        said = f"{column.width:,} numbers per row, {said}"
    elif column.bend:
        said = "Heavy tail: scaled by the quartiles and bent in"
    else:
        said = how[0].upper() + how[1:]
    if learned.mixing is not None and learned.mixing.degree > 1:
        said += f"; multiplied with the other numbers, up to {learned.mixing.degree} at a time"
    if learned.scaling in TURNS:
        said += f"; {MIXED[learned.scaling]}"
    return f"{said}." + (" Missing is filled with the middle and flagged." if column.flags else "")


def how_told(target: Target) -> str:
    """What a target is, in a sentence."""
    if target.classes is not None:
        order = ", from the lowest to the highest" if target.ordered else ""
        why = f" ({target.reason})" if target.reason else ""
        return f"To be predicted: {len(target.classes):,} classes{why}{order}."
    spread = f"mean {amount(target.mean)}, standard deviation {amount(target.sd)}"
    return f"To be predicted: a number ({target.reason}); {spread}."
