"""The words and signs of tables: what stands for missing, what looks like a number."""

import re

MISSING_WORDS = (
    *("", "?", "-", "--", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null", "None"),
    *("\u2013", "\u2014"),
)
CURRENCIES = "$\u20ac\u00a3\u00a5\u20b9"
SPACES = " \u00a0\u202f'"
NUMBER = re.compile(r"[+-]?(?!0\d)(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|inf|infinity)", re.IGNORECASE)
MONEY = rf"([{CURRENCIES}]\s*)?"
LIKE_NUMBER = re.compile(rf"{MONEY}[+-]?\s*{MONEY}(\d[\d.,{SPACES}]*|\.\d+)([eE][+-]?\d+)?\s*[%{CURRENCIES}]?")


def is_missing(text: str) -> bool:
    """Whether a field stands for a missing value. Spaces around it do not count."""
    return text.strip() in MISSING_WORDS


def is_like_number(text: str) -> bool:
    """Whether a field could be a number in some way of writing."""
    text = text.strip()
    return bool(LIKE_NUMBER.fullmatch(text) or NUMBER.fullmatch(text))
