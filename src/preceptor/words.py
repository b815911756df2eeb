"""Words for people: names in a row, numbers as a person writes them, and text that is safe to print."""

import difflib
import math
import re
import shlex
import unicodedata
from collections.abc import Callable, Iterable

LARGEST = 1e15  # larger numbers are written with an exponent: nobody counts the digits
PLAIN = str.maketrans(  # signs of ours, for outputs whose encoding lacks them
    {"→": "->", "×": "x", "·": "*", "…": "...", "−": "-", "²": "^2", "³": "^3", "█": "#", "░": "."}
    | dict(zip("▁▂▃▄▅▆▇", "1234567", strict=True))
)

# Names


def listing(names: Iterable[object], limit: int = 12) -> str:
    """The names separated by commas; beyond `limit` of them only their number."""
    known = [str(name) for name in names]
    rest = f" and {len(known) - limit:,} more" if len(known) > limit else ""
    return ", ".join(known[:limit]) + rest


def closest(name: str, names: Iterable[str]) -> str:
    """ " Did you mean '...'?" with the most similar of the names, or nothing where none is similar."""
    found = nearest(name, names)
    return "" if found is None else f" Did you mean {found!r}?"


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The one of the names that was probably meant: the same in another spelling, else the most similar, or none."""
    known = list(names)
    plain = {bare(each): each for each in reversed(known)}
    if bare(name) in plain:
        return plain[bare(name)]
    found = difflib.get_close_matches(name, known, n=1)
    if not found:
        found = [plain[each] for each in difflib.get_close_matches(bare(name), list(plain), n=1)]
    return found[0] if found else None


def hyphenated(name: str) -> str:
    """A class's name as the word that a user types for it: LeakyRelu is leaky-relu, AdamW is adamw."""
    return re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", "-", name).lower()


def bare(name: str) -> str:
    """A text without case, outer and doubled spaces, and with one code for each accented letter."""
    return " ".join(unicodedata.normalize("NFC", name).split()).casefold()


def shell_word(path: object) -> str:
    """A path as it can be pasted into a shell: quoted where it must be, control characters as bash's `$'...'`."""
    text = str(path)
    if printable(text) == text:
        return shlex.quote(text)
    escaped = text.replace("\\", r"\\").replace("'", r"\'")
    return f"$'{printable(escaped)}'"


# Numbers


def counted(number: int, word: str) -> str:
    """1 row, 1,797 rows."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def amount(value: float, digits: int = 4) -> str:
    """A number as a person writes it: 53,030 and 0.0123; with an exponent only where it is tiny or beyond all counting.

    Args:
        digits: how many count; zeros at the end are dropped.
    """
    value = float(value)
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else "infinity" if value > 0 else "-infinity"
    size = abs(float(f"{value:.{digits - 1}e}"))
    if size and not 1e-4 <= size < LARGEST:
        return f"{value:.{digits}g}"
    text = _with_decimals(value, digits - 1 - (math.floor(math.log10(size)) if size else 0))
    return text.rstrip("0").rstrip(".") if "." in text else text


def amounts_within(value: float, low: float, high: float) -> Callable[[float], str]:
    """How a value and the bounds of its interval are written: two digits of the interval's width are shown.

    At least four digits of the value are where they stand before the point, and four in all where the interval has no
    width.
    """
    width = high - low
    known = 0 < width < math.inf
    scale = width if known else abs(value)
    decimals = (1 if known else 3) - math.floor(math.log10(scale)) if scale > 0 else 0
    if known and value:
        decimals = max(decimals, min(0, 3 - math.floor(math.log10(abs(value)))))
    largest = max((abs(bound) for bound in (value, low, high) if math.isfinite(bound)), default=0.0)

    def written(number: float) -> str:
        if math.isinf(number):
            return amount(number)
        return f"{number:.3e}" if decimals > 9 or largest >= LARGEST else _with_decimals(number, decimals)

    return written


def with_error(value: float, error: float) -> str:
    """A value and its standard error with the same decimals: 0.125 ± 0.044."""
    written = amounts_within(value, value - error, value + error)
    return f"{written(value)} ± {written(error)}"


def _with_decimals(value: float, decimals: int) -> str:
    """Rounded to so many decimals, to whole tens, hundreds, ... where that is negative."""
    text = f"{round(value, decimals):,.{max(decimals, 0)}f}"
    return text.removeprefix("-") if not float(text.replace(",", "")) else text


def duration(seconds: float) -> str:
    """Seconds in the unit a person would use."""
    if round(seconds) < 60:
        return f"{seconds:.1f} s" if round(seconds, 1) < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


# Text that leaves for a terminal, a page or a picture

# Controls, line ends, lone surrogates, what is invisible or turns the direction of writing, and what is no character.
_ACTING = re.compile(
    r"[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb"
    r"\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f\ufdd0-\ufdef"
    rf"{''.join(chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF))}]"
)
_FLAG = re.compile("\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f")  # of a part of a country
_JOINERS = "\u180e\u200c\u200d"  # letters of Persian and Indian scripts and parts of an emoji need them between them
_LINE_ENDS = re.compile(r" *[\t\r\n\f\v\x85\u2028\u2029][\s\x1c-\x1f]*")


def printable(text: str) -> str:
    r"""The text with every character visible that would act on a terminal or hide: ESC is \x1b, a line end \n.

    Letters of every script, right-to-left ones too, and emoji stay as they are. Of a name that is no UTF-8, the bytes
    that are none are shown as \xNN.
    """
    return text if text.isprintable() else _ACTING.sub(_escaped, text)


def one_line(text: str) -> str:
    """The text, printable, with a space where it has line ends or tabs."""
    return printable(_LINE_ENDS.sub(" ", text))


def _escaped(found: re.Match[str]) -> str:
    text, at, sign = found.string, found.start(), found[0]
    if sign in _JOINERS and at and _joins(text[at - 1]) and _joins(text[at + 1 : at + 2]):
        return sign
    if sign >= "\U000e0000":
        start = text.rfind("\U0001f3f4", max(at - 7, 0), at)
        flag = _FLAG.match(text, start) if start >= 0 else None
        if flag and at < flag.end():
            return sign
    code = ord(sign)
    if short := {"\n": r"\n", "\r": r"\r", "\t": r"\t"}.get(sign):
        return short
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"  # a byte that Python could not decode
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _joins(sign: str) -> bool:
    """Whether a joiner beside this character can be part of what is read: not in Latin, Greek or Cyrillic."""
    return sign >= "\u0600" and unicodedata.category(sign)[0] in "LMS"


def encodable(text: str, encoding: str) -> str:
    """The text in characters that an encoding has; others become plain signs where there are, else escapes."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        plain = "".join(each if _has(encoding, each) else each.translate(PLAIN) for each in text)
        return plain.encode(encoding, "backslashreplace").decode(encoding)
    return text


def _has(encoding: str, sign: str) -> bool:
    try:
        return bool(sign.encode(encoding))
    except UnicodeEncodeError:
        return False


def columns(text: str) -> int:
    """How many columns of a terminal a text takes: two for a Chinese letter, none for an accent of its own."""
    return len(text) if text.isascii() else sum(map(_columns_of_one, text))


def _columns_of_one(sign: str) -> int:
    return 0 if unicodedata.category(sign) in ("Mn", "Me", "Cf") else 1 + (unicodedata.east_asian_width(sign) in "WF")


def cut(text: str, width: int) -> str:
    """The text, or as much of it as fits so many columns, with … at its end."""
    end = taken = 0  # of the text: how much leaves room for the sign
    for place, sign in enumerate(text, 1):
        taken += 1 if sign.isascii() else _columns_of_one(sign)
        if taken < width:
            end = place
        elif taken > width:
            return text[:end].rstrip() + "…" if width else ""
    return text


def broken(text: str, width: int) -> list[str]:
    """The text in lines of at most so many columns, broken between words, within one only where it fills a line.

    Spaces between words stay as they are, but at the ends of lines.
    """
    lines: list[str] = []
    line = ""
    for word in re.findall(r" *[^ ]+", text):
        if columns(line + word) <= width:
            line += word
            continue
        lines, line = [*lines, line], word.lstrip() if line else word
        while columns(line) > width:
            end = max(1, len(cut(line, width + 1)) - 1)
            lines, line = [*lines, line[:end]], line[end:]
    return [each for each in [*lines, line] if each] or [""]
